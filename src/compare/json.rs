//! Keys that differ between two JSON texts, by path (`storage.files[0].mode`). Touches nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::what::{HIDDEN, What};
use crate::base::text::one_line;
use crate::format::ignition::schema::{self, Shape};

/// By which of its keys an object in a list is known again; the first that every object of both lists has.
const IDENTITIES: [&str; 4] = ["path", "name", "serial", "device"];

/// What may be shown.
#[derive(Clone, Copy)]
pub(crate) enum Redaction {
    /// Everything: the text is public.
    Open,
    /// Ignition's config: keys that the schema knows, flags and whole numbers, which are what the schema says they are.
    Schema(&'static Shape),
    /// A number of the spec.
    Version,
    /// Nothing: not even the names of keys.
    Closed,
}

impl Redaction {
    /// Looks at an Ignition config.
    pub(crate) const fn ignition() -> Self {
        Self::Schema(&schema::CONFIG)
    }

    fn key(self, name: &str) -> (String, Self) {
        match self {
            Self::Open => (quoted(name), self),
            Self::Schema(Shape::Object(keys)) => match keys.iter().find(|key| key.name == name) {
                // The only key of this name is `ignition.version`.
                Some(key) if key.name == "version" => (name.to_owned(), Self::Version),
                Some(key) => (name.to_owned(), Self::Schema(&key.shape)),
                None => (HIDDEN.to_owned(), Self::Closed),
            },
            _ => (HIDDEN.to_owned(), Self::Closed),
        }
    }

    const fn item(self) -> Self {
        match self {
            Self::Open => self,
            Self::Schema(Shape::List(inner)) => Self::Schema(inner),
            _ => Self::Closed,
        }
    }

    /// Names an element of a list: by its identity where that may be shown, else by its index.
    fn place(self, list: &[Value], index: usize) -> String {
        let named = || IDENTITIES.iter().find_map(|key| names(list, key)?.get(index).copied());
        let name = if matches!(self, Self::Open) { named() } else { None };
        name.map_or_else(|| index.to_string(), |name| format!("{:?}", one_line(name, 200)))
    }

    fn show(self, value: &Value) -> String {
        let is_shown = match (self, value) {
            (Self::Open, _)
            | (Self::Schema(Shape::Flag), Value::Bool(_))
            | (Self::Schema(Shape::Whole), Value::Number(_)) => true,
            (Self::Version, Value::String(text)) => {
                text.len() <= 8 && text.chars().all(|c| c.is_ascii_digit() || c == '.')
            }
            _ => false,
        };
        if is_shown { one_line(&value.to_string(), 300) } else { HIDDEN.to_owned() }
    }
}

/// Writes a name that is no plain word in quotes, so that a path reads one way only.
fn quoted(name: &str) -> String {
    let is_word = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_word { name.to_owned() } else { format!("{:?}", one_line(name, 200)) }
}

/// Lists every key whose values differ, in the order of the keys.
pub(crate) fn diff(before: &Value, after: &Value, lens: Redaction) -> Vec<What> {
    let mut found = vec![];
    walk("", Some(before), Some(after), lens, &mut found);
    found
}

fn walk(at: &str, before: Option<&Value>, after: Option<&Value>, lens: Redaction, found: &mut Vec<What>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => objects(at, before, after, lens, found),
        (Some(Value::Array(before)), Some(Value::Array(after))) => lists(at, before, after, lens, found),
        _ => {
            let shown = |value: Option<&Value>| value.map(|value| lens.show(value));
            let at = if at.is_empty() { "content" } else { at };
            found.push(What::Value { at: at.to_owned(), before: shown(before), after: shown(after) });
        }
    }
}

fn objects(at: &str, before: &Object, after: &Object, lens: Redaction, found: &mut Vec<What>) {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (shown, lens) = lens.key(name);
        let dot = if at.is_empty() { "" } else { "." };
        walk(&format!("{at}{dot}{shown}"), before.get(name), after.get(name), lens, found);
    }
}

fn lists(at: &str, before: &[Value], after: &[Value], lens: Redaction, found: &mut Vec<What>) {
    let place = |list: &[Value], index: usize| format!("{at}[{}]", lens.place(list, index));
    let pairs = pairs(before, after);
    for (old, new) in &pairs {
        let at = old.map(|index| place(before, index)).or_else(|| new.map(|index| place(after, index)));
        let side = |list: &'_ [Value], index: Option<usize>| index.and_then(|index| list.get(index).cloned());
        walk(&at.unwrap_or_default(), side(before, *old).as_ref(), side(after, *new).as_ref(), lens.item(), found);
    }
    let kept: Vec<_> = pairs.iter().filter_map(|(old, new)| Some(((*old)?, (*new)?))).collect();
    let mut moved = kept.clone();
    moved.sort_by_key(|(_, new)| *new);
    if moved != kept {
        let order = |kept: &[(usize, usize)]| kept.iter().map(|(old, _)| old.to_string()).collect::<Vec<_>>().join(" ");
        found.push(What::value(format!("{at} in order"), order(&kept), order(&moved)));
    }
}

type Object = serde_json::Map<String, Value>;
type Pairs = Vec<(Option<usize>, Option<usize>)>;

/// Pairs the elements of two lists: objects by identity, lists of one length by place, others by what stayed the same.
fn pairs(before: &[Value], after: &[Value]) -> Pairs {
    let named = IDENTITIES.iter().find_map(|key| Some((names(before, key)?, names(after, key)?)));
    if let Some((before, after)) = named {
        let find = |names: &[&str], name: &str| names.iter().position(|known| *known == name);
        let kept = before.iter().enumerate().map(|(index, name)| (Some(index), find(&after, name)));
        let fresh = after.iter().enumerate().filter(|(_, name)| find(&before, name).is_none());
        return kept.chain(fresh.map(|(index, _)| (None, Some(index)))).collect();
    }
    if before.len() == after.len() {
        return (0..before.len()).map(|index| (Some(index), Some(index))).collect();
    }
    let text = |list: &[Value]| list.iter().map(Value::to_string).collect::<Vec<_>>();
    let (before, after) = (text(before), text(after));
    let ops = similar::capture_diff_slices(similar::Algorithm::Myers, &before, &after);
    let of_op = |op: similar::DiffOp| {
        let removed = op.old_range().map(|index| (Some(index), None));
        removed.chain(op.new_range().map(|index| (None, Some(index)))).collect::<Vec<_>>()
    };
    let differing = ops.into_iter().filter(|op| !matches!(op, similar::DiffOp::Equal { .. }));
    differing.flat_map(of_op).collect()
}

/// Returns the identities of all elements, if all have one of their own.
fn names<'a>(list: &'a [Value], key: &str) -> Option<Vec<&'a str>> {
    let names: Vec<_> = list.iter().map(|item| item.get(key)?.as_str()).collect::<Option<_>>()?;
    let distinct: BTreeSet<_> = names.iter().collect();
    (distinct.len() == names.len()).then_some(names)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(before: &Value, after: &Value, lens: Redaction) -> String {
        diff(before, after, lens).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_key_is_told_by_its_path_with_both_values() {
        let file = |path: &str, mode: u32| json!({"path": path, "mode": mode});
        for (before, after, expected) in [
            (json!({"a": 1, "b": 2}), json!({"b": 3, "c": 4}), "- a: 1\n  b: 2 -> 3\n+ c: 4\n"),
            (json!({"a": {"b c": "x"}}), json!({"a": {"b c": "y"}}), "  a.\"b c\": \"x\" -> \"y\"\n"),
            (json!({"a": [1, 2]}), json!({"a": [1, 3]}), "  a[1]: 2 -> 3\n"),
            (json!({"a": [1, 2]}), json!({"a": [0, 1, 2]}), "+ a[0]: 0\n"),
            (
                json!({"f": [file("/a", 1)]}),
                json!({"f": [file("/0", 9), file("/a", 2)]}),
                "  f[\"/a\"].mode: 1 -> 2\n+ f[\"/0\"]: {\"mode\":9,\"path\":\"/0\"}\n",
            ),
            (
                json!([file("/a", 1), file("/b", 1)]),
                json!([file("/b", 1), file("/a", 1)]),
                "  [] in order: 0 1 -> 1 0\n",
            ),
            (json!({"a": [1]}), json!({"a": {"b": 1}}), "  a: [1] -> {\"b\":1}\n"),
            (json!(1), json!("1"), "  content: 1 -> \"1\"\n"),
            (json!({"a": null}), json!({}), "- a: null\n"),
            (json!({"a": 1}), json!({"a": 1}), ""),
        ] {
            let expected = expected.replace("[] in order", " in order");
            assert_eq!(shown(&before, &after, Redaction::Open), expected, "{before} {after}");
        }
    }

    #[test]
    fn sec_4_a_config_shows_known_keys_flags_and_numbers_only() {
        let config = |mark: &str, mode: Value| {
            json!({
                "ignition": {"version": "3.2.0", "proxy": {"httpProxy": format!("http://{mark}@x")}},
                "passwd": {"users": [{"name": "root", "passwordHash": mark, "sshAuthorizedKeys": [mark]}]},
                "storage": {"files": [{"path": "/etc/x", "mode": mode, "contents": {"source": format!("data:,{mark}")}}]},
                "systemd": {"units": [{"name": "a.service", "enabled": mode == json!(420), "contents": mark}]},
                mark: {mark: 1},
            })
        };
        let found = shown(&config("canary1", json!(420)), &config("canary2", json!(384)), Redaction::ignition());
        assert!(!found.contains("canary"), "{found}");
        for line in [
            "  ignition.proxy.httpProxy: *** -> ***\n",
            "  passwd.users[0].passwordHash: *** -> ***\n",
            "  passwd.users[0].sshAuthorizedKeys[0]: *** -> ***\n",
            "  storage.files[0].contents.source: *** -> ***\n",
            "  storage.files[0].mode: 420 -> 384\n",
            "  systemd.units[0].enabled: true -> false\n",
            "- ***: ***\n",
            "+ ***: ***\n",
        ] {
            assert!(found.contains(line), "lacks {line:?}\n{found}");
        }
        // A value of another type than the schema's is no flag and no number.
        let found = shown(&config("x", json!("canary3")), &config("x", json!(["canary4"])), Redaction::ignition());
        assert_eq!(found, "  storage.files[0].mode: *** -> ***\n");
        let version = |text: &str| json!({"ignition": {"version": text}});
        let found = shown(&version("3.2.0"), &version("3.4.0"), Redaction::ignition());
        assert_eq!(found, "  ignition.version: \"3.2.0\" -> \"3.4.0\"\n");
        assert!(!shown(&version("3.2.0"), &version("canary5"), Redaction::ignition()).contains("canary"));
    }
}
