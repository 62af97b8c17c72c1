//! What differs between two plans as they are printed, where every secret is `***` already. Touches nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Differences, json};

/// Compares two plans, given as `Plan::to_json` gives them.
///
/// Derivations are known again by their titles, and named by them wherever the plan names an id, so that a change
/// shows where it was made and not in everything that hangs on it.
pub(crate) fn plans(before: &Value, after: &Value) -> Differences {
    let mut differences = Differences::default();
    differences.add("plan", None, json::diff(&titled(before), &titled(after), json::Redaction::Open));
    differences
}

/// Puts titles in the place of ids.
fn titled(plan: &Value) -> Value {
    let mut used = BTreeSet::new();
    let mut titles = BTreeMap::new();
    let derivations = plan["derivations"].as_array().cloned().unwrap_or_default();
    for derivation in &derivations {
        let title = derivation["title"].as_str().unwrap_or_default();
        let fresh = (1..).map(|number| if number == 1 { title.to_owned() } else { format!("{title} #{number}") });
        let title = fresh.into_iter().find(|name| used.insert(name.clone())).unwrap_or_default();
        titles.insert(derivation["id"].as_str().unwrap_or_default().to_owned(), title);
    }
    let mut plan = plan.clone();
    let by_title = derivations.iter().map(|derivation| {
        let mut derivation = derivation.clone();
        let id = derivation.as_object_mut().and_then(|object| object.remove("id"));
        let title = id.as_ref().and_then(Value::as_str).and_then(|id| titles.get(id)).cloned().unwrap_or_default();
        (title, derivation)
    });
    plan["derivations"] = Value::Object(by_title.collect::<Map<_, _>>());
    rename(&mut plan, &titles);
    plan
}

fn rename(value: &mut Value, titles: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(title) = titles.get(text) {
                text.clone_from(title);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, titles)),
        Value::Object(members) => members.values_mut().for_each(|member| rename(member, titles)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(content: &str, memory: u64, titles: [&str; 2]) -> Value {
        json!({
            "plan": content,
            "machine": {"memory": memory},
            "outputs": {"config.raw": {"derivation": format!("id-of-{content}-volume"), "role": "config-disk"}},
            "derivations": [
                {"id": format!("id-of-{content}"), "title": titles[0], "sha256": content, "inputs": []},
                {"id": format!("id-of-{content}-volume"), "title": titles[1], "inputs": [format!("id-of-{content}")]},
            ],
        })
    }

    #[test]
    fn a_change_shows_where_it_was_made() {
        let titles = ["config", "volume"];
        let found = plans(&plan("a", 1, titles), &plan("b", 2, titles)).to_string();
        assert_eq!(
            found,
            "plan\n  derivations.config.sha256: \"a\" -> \"b\"\n  machine.memory: 1 -> 2\n  plan: \"a\" -> \"b\"\n"
        );
        assert_eq!(plans(&plan("a", 1, titles), &plan("a", 1, titles)), Differences::default());
    }

    #[test]
    fn two_derivations_of_one_title_stay_two() {
        let found = plans(&plan("a", 1, ["x", "x"]), &plan("a", 1, ["x", "y"])).to_string();
        assert!(found.contains("- derivations.\"x #2\"") && found.contains("+ derivations.y"), "{found}");
    }
}
