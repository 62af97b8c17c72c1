//! A recipe key is declared once: [`table!`] makes of one list the struct, its rows in the table of keys, and how it is read.
//!
//! A field has a type that knows its rule ([`FromValue`]), a text (its doc comment), a default and, where it is required, an
//! example. Touches nothing. Read next: `settings.rs` (the simplest tables), `values.rs` and `types.rs` (what a type knows).

use std::collections::BTreeSet;
use std::fmt;

use crate::base::text::one_line;
use crate::base::{Code, Spanned};
use crate::format::toml::{Table, Value};

/// The default of a key that must be there.
pub(crate) const REQUIRED: &str = "required";

/// The most rows of an array of tables, unless it says otherwise: a recipe is written by hand.
pub(super) const TABLE_LIMIT: usize = 1000;

/// Keys under which people write a password as it is typed.
const PLAIN: [&str; 5] = ["password", "passwd", "pass", "plain_password", "plaintext_password"];

/// What is written under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    Text,
    /// Text of any number of lines, or none.
    Content,
    Number,
    Flag,
    /// Text such as `"30GiB"`.
    Size,
    /// Octal permission bits as text, such as `"0644"`.
    Mode,
    /// 64 hexadecimal digits.
    Digest,
    /// A path beneath the recipe's directory.
    Path,
    Texts,
    Paths,
    Urls,
    Word(&'static [&'static str]),
    Table,
    /// `[[…]]`, any number of them.
    Tables,
    /// Ids of rules, each with a reason.
    Reasons,
}

impl fmt::Display for KeyType {
    /// Writes the type as the documents name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text | Self::Content => "text",
            Self::Number => "whole number",
            Self::Flag => "true or false",
            Self::Size => "size",
            Self::Mode => "octal text",
            Self::Digest => "64 hexadecimal digits",
            Self::Path => "path",
            Self::Texts => "list of text",
            Self::Paths => "list of paths",
            Self::Urls => "list of URLs",
            Self::Word(words) => return f.write_str(&words.join(", ")),
            Self::Table => "table",
            Self::Tables => "tables",
            Self::Reasons => "table of rule ids, each with a reason",
        })
    }
}

/// One key, as its table declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub name: &'static str,
    /// [`REQUIRED`], a value, or empty where leaving the key out means nothing is set.
    pub default: &'static str,
    /// A value as TOML writes it; empty where none is declared.
    pub example: &'static str,
    pub doc: &'static str,
}

/// One key, and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// With dots; `[]` follows the name of an array of tables.
    pub path: String,
    pub kind: KeyType,
    pub row: Row,
}

impl Key {
    /// Adds a key of a table, and the keys below it.
    pub(super) fn push<T: Field>(keys: &mut Vec<Self>, table: &str, row: Row) {
        let dot = if table.is_empty() { "" } else { "." };
        let rows = if T::KIND == KeyType::Tables { "[]" } else { "" };
        keys.push(Self { path: format!("{table}{dot}{}{rows}", row.name), kind: T::KIND, row });
        T::describe(keys);
    }
}

impl Row {
    /// Returns the value under the key; a required one that is missing is told.
    pub(super) fn value<'d>(&self, table: &Table<'d>) -> Option<Value<'d>> {
        if self.default != REQUIRED {
            return table.get(self.name);
        }
        let example = if self.example.is_empty() { "\"…\"" } else { self.example };
        table.need(self.name, &format!("`{} = {example}`", self.name))
    }

    fn fallback<T: FromValue>(&self) -> Option<T> {
        if self.default == REQUIRED { None } else { T::from_default(self.default) }
    }
}

/// A type that can be read from the value under a key; what is wrong with the value is told.
pub(crate) trait FromValue: Sized {
    const KIND: KeyType;
    /// What a list of them is.
    const LIST: KeyType = KeyType::Texts;

    /// Reads a value; `None` where it was told to be wrong.
    fn from_value(value: &Value<'_>) -> Option<Self>;

    /// Reads the default that a key declares.
    fn from_default(_: &str) -> Option<Self> {
        None
    }

    /// Returns whether both may not stand in one list.
    fn is_same(&self, _: &Self) -> bool {
        false
    }

    /// Returns what a complaint shows of an entry of a list, by its text.
    fn shown(&self, text: &str) -> String {
        one_line(text, 80)
    }

    /// Reads the list under a key.
    fn read_list(table: &Table<'_>, row: &Row) -> Vec<Spanned<Self>> {
        let mut list: Vec<Spanned<Self>> = vec![];
        for entry in row.value(table).map(|value| value.list()).unwrap_or_default() {
            let Some(read) = Self::from_value(&entry) else { continue };
            if list.iter().any(|other| other.value.is_same(&read)) {
                let shown = read.shown(entry.as_text().unwrap_or_default());
                entry.refuse(format!("`{shown}` is there twice in `{}`", row.name), "keep one of them");
            } else {
                list.push(entry.located(read));
            }
        }
        list
    }

    /// Lists the names of its keys, where it is a table.
    fn names() -> Vec<&'static str> {
        vec![]
    }

    /// Lists the keys below it.
    fn describe(_: &mut Vec<Key>) {}
}

/// The type of a field: a value, a value that may be left out, or a list, each with its place or without.
pub(crate) trait Field: Sized {
    const KIND: KeyType;
    /// What leaving the key out means, where the declaration does not say.
    const DEFAULT: &'static str = "";

    /// Reads the value under a key, or its default; `None` where it was told to be wrong or missing.
    fn read(table: &Table<'_>, row: &Row) -> Option<Self>;

    /// Lists the keys below it.
    fn describe(keys: &mut Vec<Key>);
}

macro_rules! field {
    ($field:ty, $kind:ident, $default:expr, |$table:ident, $row:ident| $read:expr) => {
        impl<T: FromValue> Field for $field {
            const KIND: KeyType = T::$kind;
            const DEFAULT: &'static str = $default;

            fn read($table: &Table<'_>, $row: &Row) -> Option<Self> {
                $read
            }

            fn describe(keys: &mut Vec<Key>) {
                T::describe(keys);
            }
        }
    };
}

field!(T, KIND, "", |table, row| {
    row.value(table).and_then(|value| T::from_value(&value)).or_else(|| row.fallback())
});
field!(Spanned<T>, KIND, "", |table, row| {
    let fallback = || Some(Spanned { value: row.fallback()?, place: table.place() });
    row.value(table).and_then(|value| located(&value)).or_else(fallback)
});
field!(Option<T>, KIND, "", |table, row| Some(row.value(table).and_then(|value| T::from_value(&value))));
field!(Option<Spanned<T>>, KIND, "", |table, row| Some(row.value(table).and_then(|value| located(&value))));
field!(Option<Vec<T>>, LIST, "", |table, row| {
    let list = |_| T::read_list(table, row).into_iter().map(|entry| entry.value).collect();
    Some(table.get(row.name).map(list))
});
field!(Vec<T>, LIST, listed(T::LIST), |table, row| {
    Some(T::read_list(table, row).into_iter().map(|entry| entry.value).collect())
});
field!(Vec<Spanned<T>>, LIST, listed(T::LIST), |table, row| Some(T::read_list(table, row)));

const fn listed(kind: KeyType) -> &'static str {
    if matches!(kind, KeyType::Tables | KeyType::Reasons) { "" } else { "[]" }
}

/// Reads a value with its place.
pub(super) fn located<T: FromValue>(value: &Value<'_>) -> Option<Spanned<T>> {
    Some(value.located(T::from_value(value)?))
}

/// What is known of an array of tables.
pub(super) struct Rows {
    pub path: &'static str,
    pub names: Vec<&'static str>,
    /// The key that no two rows may share, or empty.
    pub id: &'static str,
    pub limit: usize,
}

/// Reads the rows of an array of tables.
pub(super) fn read_rows<'d, T>(
    table: &Table<'d>,
    row: &Row,
    rows: &Rows,
    read: fn(&Table<'d>) -> Option<T>,
) -> Vec<Spanned<T>> {
    let mut seen = BTreeSet::new();
    let mut list = vec![];
    for row in table.tables(row.name, rows.path, rows.limit) {
        refuse_unknown(&row, &rows.names);
        let value = read(&row);
        let id = row.entries().find(|(key, ..)| *key == rows.id).and_then(|(.., id)| Some((id.as_text()?, id)));
        if let Some((text, id)) = id.filter(|(text, _)| !seen.insert(*text)) {
            id.refuse(format!("`{}` is there twice", one_line(text, 80)), "join the two");
        }
        list.extend(value.map(|value| Spanned { value, place: row.place() }));
    }
    list
}

/// Reports every key that a table does not know, with the place where such a key belongs.
pub(super) fn refuse_unknown(table: &Table<'_>, names: &[&'static str]) {
    let mut known = names.to_vec();
    if names.contains(&"password_hash") {
        known.extend(plain_passwords(table));
    }
    table.refuse_unknown(&known, table.document.elsewhere);
}

/// Reports a password in plain text, apart from other unknown keys.
fn plain_passwords(table: &Table<'_>) -> impl Iterator<Item = &'static str> {
    PLAIN.into_iter().filter(|key| {
        let value = table.get(key);
        if let Some(value) = &value {
            let headline = format!("`{key}` in `{}` would put a password in plain text into the recipe", table.title());
            let hint = "make a hash with `arca-build passwd` and write it as `password_hash`";
            value.refuse_as(Code::Secret, headline, hint);
        }
        value.is_some()
    })
}

/// The name of a key: that of its field, unless it says another.
macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

/// One [`Row`] of a declaration.
macro_rules! row {
    ($field:ident $($name:literal)?: $ty:ty, $($doc:literal)+) => {
        $crate::recipe::table::row!($field $($name)?: $ty, $($doc)+, <$ty as $crate::recipe::table::Field>::DEFAULT)
    };
    ($field:ident $($name:literal)?: $ty:ty, $($doc:literal)+, $default:expr) => {
        $crate::recipe::table::row!($field $($name)?: $ty, $($doc)+, $default, "")
    };
    ($field:ident $($name:literal)?: $ty:ty, $($doc:literal)+, $default:expr, $example:expr) => {
        $crate::recipe::table::Row {
            name: $crate::recipe::table::name!($field $($name)?),
            default: $default,
            example: $example,
            doc: concat!($($doc),+).trim_ascii_start(),
        }
    };
}

/// Declares the keys of a table for a type that is more than its keys, and the function that reads it.
///
/// `in` the path of the table, with `[]` where there may be many; `by` the key that no two of them share.
macro_rules! keys {
    ($name:ident in $path:literal $(by $id:literal)? $(limit $limit:literal)? read $read:path {
        $($(#[doc = $doc:literal])+ $field:ident $(as $key:literal)?: $ty:ty
            $(= $default:literal $(like $example:literal)?)?),* $(,)?
    } $(flat { $($flat:ty),* })? $(then {
        $($(#[doc = $tdoc:literal])+ $tfield:ident $(as $tkey:literal)?: $tty:ty
            $(= $tdefault:literal $(like $texample:literal)?)?),* $(,)?
    })?) => {
        impl $crate::recipe::table::FromValue for $name {
            const KIND: $crate::recipe::table::KeyType = $crate::recipe::table::KeyType::Table;
            const LIST: $crate::recipe::table::KeyType = $crate::recipe::table::KeyType::Tables;

            fn from_value(value: &$crate::format::toml::Value<'_>) -> Option<Self> {
                let table = value.table($path)?;
                $crate::recipe::table::refuse_unknown(&table, &<Self as $crate::recipe::table::FromValue>::names());
                $read(&table)
            }

            fn read_list(
                table: &$crate::format::toml::Table<'_>,
                row: &$crate::recipe::table::Row,
            ) -> Vec<$crate::base::Spanned<Self>> {
                let rows = $crate::recipe::table::Rows {
                    path: $path,
                    names: <Self as $crate::recipe::table::FromValue>::names(),
                    id: concat!("", $($id)?),
                    limit: $crate::recipe::table::TABLE_LIMIT $(.min($limit))?,
                };
                $crate::recipe::table::read_rows(table, row, &rows, $read)
            }

            fn names() -> Vec<&'static str> {
                #[allow(unused_mut, reason = "most tables hold their own keys only")]
                let mut names = vec![$($crate::recipe::table::name!($field $($key)?)),*];
                $($(names.extend(<$flat as $crate::recipe::table::FromValue>::names());)*)?
                $(names.extend([$($crate::recipe::table::name!($tfield $($tkey)?)),*]);)?
                names
            }

            fn describe(keys: &mut Vec<$crate::recipe::table::Key>) {
                $($crate::recipe::table::Key::push::<$ty>(
                    keys,
                    $path,
                    $crate::recipe::table::row!($field $($key)?: $ty, $($doc)+ $(, $default $(, $example)?)?),
                );)*
                $($(<$flat as $crate::recipe::table::FromValue>::describe(keys);)*)?
                $($($crate::recipe::table::Key::push::<$tty>(
                    keys,
                    $path,
                    $crate::recipe::table::row!($tfield $($tkey)?: $tty, $($tdoc)+ $(, $tdefault $(, $texample)?)?),
                );)*)?
            }
        }
    };
}

/// Declares a table: the struct, the keys it is read from, and how.
///
/// A field is `name: Type`, `name as "key": Type`, with `= "default"` or `= "required" like "example"`. Keys of which several
/// make one field follow under `with`, the fields they make under `into`, each with the function that reads it. Fields whose
/// keys stand in the same table follow under `flat`, and keys behind those under `then`. `check` names a function that judges
/// the whole. Attributes of serde may follow the text of a key.
macro_rules! table {
    ($(#[$meta:meta])* $name:ident in $path:literal $(by $id:literal)? $(limit $limit:literal)? {
        $($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)*)])* $field:ident $(as $key:literal)?: $ty:ty
            $(= $default:literal $(like $example:literal)?)?),* $(,)?
    } $(with {
        $($(#[doc = $kdoc:literal])+ $kfield:ident $(as $kkey:literal)?: $kty:ty
            $(= $kdefault:literal $(like $kexample:literal)?)?),* $(,)?
    } into {
        $($(#[$cmeta:meta])* $cfield:ident: $cty:ty = $cread:path),* $(,)?
    })? $(flat {
        $($(#[$fmeta:meta])* $ffield:ident: $fty:ty),* $(,)?
    })? $(then {
        $($(#[doc = $tdoc:literal])+ $(#[serde($($tserde:tt)*)])* $tfield:ident $(as $tkey:literal)?: $tty:ty
            $(= $tdefault:literal $(like $texample:literal)?)?),* $(,)?
    })? $(check $check:path)?) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct $name {
            $($(#[doc = $doc])+ $(#[serde($($serde)*)])* pub $field: $ty,)*
            $($($(#[$cmeta])* pub $cfield: $cty,)*)?
            $($($(#[$fmeta])* pub $ffield: $fty,)*)?
            $($($(#[doc = $tdoc])+ $(#[serde($($tserde)*)])* pub $tfield: $tty,)*)?
        }

        impl $name {
            /// Reads the table; everything is read before anything is given up, so that every mistake is told.
            pub(super) fn read(table: &$crate::format::toml::Table<'_>) -> Option<Self> {
                $(let $field = <$ty as $crate::recipe::table::Field>::read(
                    table,
                    &$crate::recipe::table::row!($field $($key)?: $ty, $($doc)+ $(, $default $(, $example)?)?),
                );)*
                $($(let $cfield = $cread(table);)*)?
                $($(let $ffield = <$fty>::read(table);)*)?
                $($(let $tfield = <$tty as $crate::recipe::table::Field>::read(
                    table,
                    &$crate::recipe::table::row!($tfield $($tkey)?: $tty, $($tdoc)+ $(, $tdefault $(, $texample)?)?),
                );)*)?
                let read = Self {
                    $($field: $field?,)*
                    $($($cfield: $cfield?,)*)?
                    $($($ffield: $ffield?,)*)?
                    $($($tfield: $tfield?,)*)?
                };
                $($check(table, &read);)?
                Some(read)
            }
        }

        $crate::recipe::table::keys! {
            $name in $path $(by $id)? $(limit $limit)? read Self::read {
                $($(#[doc = $doc])+ $field $(as $key)?: $ty $(= $default $(like $example)?)?,)*
                $($($(#[doc = $kdoc])+ $kfield $(as $kkey)?: $kty $(= $kdefault $(like $kexample)?)?,)*)?
            } $(flat { $($fty),* })? $(then {
                $($(#[doc = $tdoc])+ $tfield $(as $tkey)?: $tty $(= $tdefault $(like $texample)?)?,)*
            })?
        }
    };
}

pub(crate) use {keys, name, row, table};
