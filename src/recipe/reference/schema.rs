//! The table of keys as a JSON Schema, which editors check a recipe by while it is written. Touches nothing.
//!
//! Specification: JSON Schema draft-07 (json-schema.org), the newest one that Taplo and the editors' TOML extensions read.
//! It knows form only, as `parse` does; what the schema takes may still be refused, what it refuses always is.

use serde_json::{Map, Value, json};

use crate::base::{ByteSize, Rule};
use crate::format::toml::value::LIST_LIMIT;
use crate::recipe::FORMAT;
use crate::recipe::keys::{Key, KeyType, REQUIRED, below};
use crate::recipe::types::Mode;

/// Returns the schema; the same program gives the same bytes.
pub(crate) fn schema() -> Value {
    let mut schema = object("");
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("recipe of arca-build");
    schema["description"] = json!("One provisioned, reproducible virtual machine: `arca-build build RECIPE`.");
    schema
}

/// Describes a table by its keys.
fn object(table: &str) -> Value {
    let mut properties = Map::new();
    let mut required = vec![];
    for (key, name) in below(table) {
        if key.row.default == REQUIRED {
            required.push(name);
        }
        properties.insert(name.to_owned(), property(key));
    }
    let mut object = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

/// Describes a key; one that is a word or a table is either.
fn property(key: &Key) -> Value {
    let is_table = matches!(key.kind, KeyType::Table | KeyType::Tables);
    let mut value = match (is_table, below(&key.path).next()) {
        (false, Some(_)) => json!({"anyOf": [kind(key), object(&key.path)]}),
        _ => kind(key),
    };
    value["description"] = json!(described(key));
    if let Some(default) = default(key) {
        value["default"] = default;
    }
    if let Ok(example) = serde_json::from_str::<Value>(key.row.example) {
        value["examples"] = json!([example]);
    }
    value
}

fn described(key: &Key) -> String {
    let said = match key.row.default {
        "" => String::new(),
        REQUIRED => " (required)".to_owned(),
        default => format!(" (default: {default})"),
    };
    format!("{}{said}", key.row.doc)
}

fn kind(key: &Key) -> Value {
    let texts = json!({"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": LIST_LIMIT});
    match key.kind {
        KeyType::Number if key.path == "format" => json!({"type": "integer", "const": FORMAT}),
        KeyType::Number => json!({"type": "integer", "minimum": 0}),
        KeyType::Content => json!({"type": "string"}),
        KeyType::Text | KeyType::Path => json!({"type": "string", "minLength": 1}),
        KeyType::Flag => json!({"type": "boolean"}),
        KeyType::Size => json!({"type": "string", "pattern": "^[0-9]+ ?([KMGT]i)?B$"}),
        KeyType::Mode => json!({"type": "string", "pattern": "^[0-7]{3,4}$"}),
        KeyType::Digest => json!({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
        KeyType::Texts | KeyType::Paths | KeyType::Urls => texts,
        KeyType::Word(words) => json!({"type": "string", "enum": words}),
        KeyType::Table => object(&key.path),
        KeyType::Tables => json!({"type": "array", "items": object(&key.path)}),
        KeyType::Reasons => reasons(),
    }
}

/// Ids of rules with reasons; an editor shows what each rule is.
fn reasons() -> Value {
    let rules = Rule::all().filter(|rule| *rule != Rule::UnusedAllow);
    let reason = |rule: Rule| json!({"type": "string", "minLength": 1, "description": rule.row().summary});
    let properties: Map<_, _> = rules.map(|rule| (rule.as_str().to_owned(), reason(rule))).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// Returns the default as a value, where the table tells a value and not a sentence.
fn default(key: &Key) -> Option<Value> {
    match key.kind {
        KeyType::Flag => key.row.default.parse::<bool>().ok().map(Value::from),
        KeyType::Number => key.row.default.parse::<u64>().ok().map(Value::from),
        KeyType::Word(words) => words.contains(&key.row.default).then(|| json!(key.row.default)),
        KeyType::Size => ByteSize::parse(key.row.default).ok().map(|_| json!(key.row.default)),
        KeyType::Mode => key.row.default.parse::<Mode>().ok().map(|_| json!(key.row.default)),
        KeyType::Texts | KeyType::Paths | KeyType::Urls => (key.row.default == "[]").then(|| json!([])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Name;
    use crate::recipe::{Recipe, keys, parse};

    /// The words of draft-07 that the schema uses, less patterns; adds what is wrong.
    fn check(schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        let mut tell = |what: &str| wrong.push(format!("{at}: {what}"));
        if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
            let fits = |one: &Value| {
                let mut inner = vec![];
                check(one, value, at, &mut inner);
                inner.is_empty()
            };
            return if any.iter().any(fits) {
            } else {
                tell("fits none")
            };
        }
        let is_type = match schema["type"].as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            other => panic!("{other}"),
        };
        if !is_type {
            return tell("has another type");
        }
        if schema.get("const").is_some_and(|only| only != value) {
            tell("is not the one value");
        }
        if schema.get("enum").is_some_and(|words| !words.as_array().unwrap().contains(value)) {
            tell("is none of the words");
        }
        if schema.get("minLength").is_some() && value == "" {
            tell("is empty");
        }
        for (name, inner) in value.as_object().into_iter().flatten() {
            match schema["properties"].get(name) {
                Some(known) => check(known, inner, &format!("{at}.{name}"), wrong),
                None => wrong.push(format!("{at}.{name}: unknown")),
            }
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if value.get(name.as_str().unwrap()).is_none() {
                wrong.push(format!("{at}.{name}: missing"));
            }
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            check(&schema["items"], item, &format!("{at}[{index}]"), wrong);
        }
    }

    fn wrong(text: &str) -> Vec<String> {
        let value: toml::Table = toml::from_str(text).unwrap();
        let mut wrong = vec![];
        check(&schema(), &serde_json::to_value(value).unwrap(), "", &mut wrong);
        wrong
    }

    const HEAD: &str = "format = 1\nname = \"a\"\n[base]\nurl = \"https://h/a.qcow2\"\n";

    #[test]
    fn what_arca_build_writes_and_ships_fits() {
        let embedded = crate::recipe::embedded("demo").unwrap().text.to_owned();
        let template = Recipe::template(&Name::parse("a").unwrap());
        for text in [embedded, template, HEAD.to_owned()] {
            assert!(parse(&text, "a").is_ok() && wrong(&text).is_empty(), "{:?}\n{text}", wrong(&text));
        }
    }

    #[test]
    fn what_is_no_recipe_does_not_fit() {
        for (rest, at) in [
            ("[machine]\nmemroy = \"1GiB\"\n", ".machine.memroy: unknown"),
            ("[machine]\nvcpus = \"2\"\n", ".machine.vcpus: has another type"),
            ("[machine]\nfirmware = \"efi\"\n", ".machine.firmware: is none of the words"),
            ("[[machine.disk]]\nsize = \"1GiB\"\n", ".machine.disk[0].\"serial\": missing"),
            ("[provision]\ntransport = \"usb\"\n", ".provision.transport: fits none"),
            ("[provision]\ntransport = { ignition = \"usb\" }\n", ".provision.transport: fits none"),
            ("[provision.root]\nssh_keys = \"a\"\n", ".provision.root.ssh_keys: has another type"),
            ("[allow]\nmin-dsk = \"a\"\n", ".allow.min-dsk: unknown"),
            ("[allow]\nmin-disk = \"\"\n", ".allow.min-disk: is empty"),
        ] {
            let text = format!("{HEAD}{rest}");
            assert_eq!(wrong(&text), [at], "{text}");
            assert!(parse(&text, "a").is_err(), "{text}");
        }
        assert_eq!(
            wrong("format = 2\n"),
            [".format: is not the one value", ".\"name\": missing", ".\"base\": missing"]
        );
    }

    #[test]
    fn both_forms_of_a_transport_fit() {
        for transport in ["\"auto\"", "{ ignition = \"disk\", combustion = \"fw_cfg\" }"] {
            let text = format!("{HEAD}[provision]\ntransport = {transport}\n");
            assert!(wrong(&text).is_empty() && parse(&text, "a").is_ok(), "{transport}");
        }
    }

    /// Every key of the table stands in the schema, and nothing else does.
    #[test]
    fn the_schema_and_the_table_hold_the_same_keys() {
        fn count(schema: &Value) -> usize {
            let own = schema["properties"]
                .as_object()
                .map_or(0, |properties| properties.values().map(|property| 1 + count(property)).sum());
            let items = schema.get("items").map_or(0, count);
            let any = schema.get("anyOf").and_then(Value::as_array).map_or(0, |any| any.iter().map(count).sum());
            own + items + any
        }
        assert_eq!(count(&schema()), keys::all().len() + Rule::WORDS.len() - 1);
    }
}
