//! Why an input's bytes are not what was pinned: often the publisher has moved on. Nothing is ever accepted instead.

use super::Loaded;
use super::update::Asker;
use crate::base::{Code, Problem};
use crate::lock::{self, Pin};
use crate::realise::INPUT;
use crate::recipe::{Input, Source};

/// Adds the way out to a failed fetch; asks the publisher, where that can tell more, what the moving name means today.
///
/// `E_UPSTREAM_MOVED` takes the place of the failure only when the publisher names other bytes than the pin does.
pub(super) fn explain(problem: Problem, loaded: &Loaded, asker: &Asker<'_>) -> Problem {
    if !matches!(problem.code, Code::Hash | Code::NetStatus | Code::NetSize) {
        return problem;
    }
    let recipe = &loaded.recipe;
    let failed = problem.facts.iter().find(|(label, _)| *label == INPUT).map(|(_, title)| title.clone());
    let inputs = recipe.inputs();
    let input = inputs.iter().find(|input| failed.as_ref().is_none_or(|title| *title == input.what));
    let Some(input) = input else { return problem };
    let place = &input.source.place;
    let problem = problem.fact("recipe", format!("{}:{}:{}", place.file, place.line, place.column));
    if let Some((before, now)) = today(input, loaded, asker) {
        return moved(problem, noun(input), &before, &now, &recipe.file);
    }
    if problem.code != Code::Hash {
        return with_recipe(problem, input, &recipe.file);
    }
    let noun = noun(input);
    problem.hint(match input.sha256 {
        None => {
            format!("if the publisher has a new {noun}, run `arca-build update {}` and review the change", recipe.file)
        }
        Some(_) => format!("if the publisher has a new {noun}, review it and change `sha256` in the recipe"),
    })
}

/// Completes the command that a deeper floor could only begin; it does not help a recipe that pins by itself.
fn with_recipe(mut problem: Problem, input: &Input<'_>, recipe: &str) -> Problem {
    problem.hint = problem.hint.map(|hint| match input.sha256 {
        Some(_) if hint.contains(UPDATE) => {
            "the publisher may have deleted this snapshot: name another `url` with its `sha256` in the recipe"
                .to_owned()
        }
        _ => hint.replace(UPDATE, &format!("`arca-build update {recipe}`")),
    });
    problem
}

/// The command as `fetch` names it, who knows no recipe.
const UPDATE: &str = "`arca-build update`";

/// Asks what a pinned moving name means today; returns the pin and the answer where they differ.
fn today(input: &Input<'_>, loaded: &Loaded, asker: &Asker<'_>) -> Option<(Pin, Pin)> {
    let question = lock::questions(&loaded.recipe).into_iter().find(|question| match &question.source {
        Source::Url(url) => url.is_remote() && question.source == input.source.value,
        Source::Path(_) => false,
    })?;
    let before = loaded.lock.pins.get(&question.key)?.clone();
    let now = asker.ask(&question).ok()?;
    (now.sha256 != before.sha256).then_some((before, now))
}

/// Names what an input is.
fn noun(input: &Input<'_>) -> &'static str {
    if input.what == "base" { "image" } else { "file" }
}

fn moved(failure: Problem, noun: &str, before: &Pin, now: &Pin, recipe: &str) -> Problem {
    let mut problem = Problem::new(
        Code::UpstreamMoved,
        format!("the publisher has another {noun} by now than the one that is pinned"),
    )
    .fact("pinned", show(before))
    .fact("today", show(now));
    problem.facts.extend(failure.facts.iter().filter(|(label, _)| *label == "recipe").cloned());
    problem
        .cause(failure)
        .note("nothing was accepted in its place; the lock is as it was")
        .hint(format!("run `arca-build update {recipe}` and review the change"))
}

fn show(pin: &Pin) -> String {
    let name = match &pin.resolved {
        Source::Url(url) => url.file_name().to_owned(),
        Source::Path(path) => path.as_str().to_owned(),
    };
    format!("{}, sha256:{}", crate::base::text::one_line(&name, 200), pin.sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_the_recipe_and_is_no_way_out_for_one_that_pins_by_itself() {
        let hint = |pin: &str, hint: &str| {
            let text = format!("format = 1\nname = \"x\"\n[base]\nurl = \"https://h.example/x.qcow2\"\n{pin}");
            let recipe = crate::recipe::parse(&text, "a/x.toml").unwrap();
            with_recipe(Problem::new(Code::NetStatus, "404").hint(hint), &recipe.base.input(), &recipe.file)
                .hint
                .unwrap()
        };
        let ours = "gone: `arca-build update` pins the current one";
        assert_eq!(hint("", ours), "gone: `arca-build update a/x.toml` pins the current one");
        let pinned = hint(&format!("sha256 = \"{}\"\n", "0".repeat(64)), ours);
        assert!(pinned.contains("`sha256` in the recipe") && !pinned.contains("update"), "{pinned}");
        assert_eq!(hint("", "another way"), "another way");
    }
}
