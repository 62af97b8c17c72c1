//! Every key a recipe may hold, collected from the tables that declare them; the documents are written from it. Touches nothing.

use std::sync::LazyLock;

use super::recipe::Recipe;
use super::table::FromValue;
pub(crate) use super::table::{Key, KeyType, REQUIRED};

/// All keys, each table right behind the key it stands under.
pub(crate) fn all() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
        let mut keys = vec![];
        Recipe::describe(&mut keys);
        keys
    });
    &KEYS
}

/// Lists the keys right below a table, by its path, each with its name; the file itself is the empty path.
pub(crate) fn below(table: &str) -> impl Iterator<Item = (&'static Key, &'static str)> {
    all().iter().filter_map(move |key| {
        let rest =
            if table.is_empty() { key.path.as_str() } else { key.path.strip_prefix(table)?.strip_prefix('.')? };
        let name = rest.trim_end_matches("[]");
        (!name.contains('.')).then_some((key, name))
    })
}

/// Returns the table that does know a key, for one written in the wrong place.
pub(crate) fn owner(name: &str) -> Option<&'static str> {
    let mut owners = all().iter().filter_map(|key| key.path.trim_end_matches("[]").rsplit_once('.'));
    owners.find(|(_, last)| *last == name).map(|(table, _)| table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(table: &str) -> Vec<&str> {
        below(table).map(|(_, name)| name).collect()
    }

    #[test]
    fn the_keys_below_a_table_are_its_own() {
        assert_eq!(names(""), ["format", "name", "description", "epoch", "base", "machine", "provision", "allow"]);
        assert_eq!(names("machine.disk[]"), ["serial", "size"]);
        assert_eq!(names("provision.unit[]"), ["name", "enable", "mask", "dropin", "text", "source"]);
    }

    #[test]
    fn a_key_elsewhere_is_found() {
        assert_eq!(owner("memory"), Some("machine"));
        assert_eq!(owner("serial"), Some("machine.disk[]"));
        assert_eq!(owner("zebra"), None);
    }

    #[test]
    fn no_key_stands_twice_and_each_lies_in_a_table_of_the_list() {
        for (index, key) in all().iter().enumerate() {
            assert!(all()[..index].iter().all(|other| other.path != key.path), "{}", key.path);
            let parent = key.path.rsplit_once('.').map_or("base", |(parent, _)| parent);
            assert!(all().iter().any(|other| other.path == parent), "{}", key.path);
        }
    }
}
