//! Why an input's bytes are not what was pinned: often the publisher has moved on. Nothing is ever accepted instead.

use super::recipe_file::LoadedRecipe;
use super::update::PublisherQuery;
use crate::base::{Code, Diagnostic, Location};
use crate::fetch;
use crate::lock::{self, Pin};
use crate::recipe::inputs::container_title;
use crate::recipe::{Input, Source};

/// Adds the way out to a failed fetch; asks the publisher, where that can tell more, what the moving name means today.
///
/// `E_UPSTREAM_MOVED` takes the place of the failure only when the publisher names other bytes than the pin does.
pub(super) fn explain(problem: Diagnostic, loaded: &LoadedRecipe, query: &PublisherQuery<'_>) -> Diagnostic {
    if !matches!(problem.code, Code::Hash | Code::NetStatus | Code::NetSize) && !fetch::is_absent(&problem) {
        return problem;
    }
    let recipe = &loaded.recipe;
    let failed = problem.input.clone();
    let inputs = recipe.inputs();
    let input = inputs.iter().find(|input| failed.as_ref().is_none_or(|title| *title == input.what));
    let Some(input) = input else { return explain_image(problem, failed.as_deref(), loaded, query) };
    let place = &input.source.place;
    let problem = problem.fact("recipe", place);
    let command = query.context.command("update", &recipe.file);
    if let Some((before, now)) = today(input, loaded, query) {
        return moved(problem, noun(input), (&before, &now), place, &command);
    }
    if problem.code != Code::Hash {
        return with_command(problem, input, &command);
    }
    let noun = noun(input);
    problem.hint(match input.sha256 {
        None => {
            format!("if the publisher has a new {noun}, run `{command}` and review the change")
        }
        Some(_) => format!("if the publisher has a new {noun}, review it and change `sha256` in the recipe"),
    })
}

/// Returns where a part of a container image was named, and what helps where its registry has it no more.
fn explain_image(
    problem: Diagnostic,
    part: Option<&str>,
    loaded: &LoadedRecipe,
    query: &PublisherQuery<'_>,
) -> Diagnostic {
    let recipe = &loaded.recipe;
    let is_part = |container| part.is_some_and(|part| part.starts_with(&format!("{},", container_title(container))));
    let Some((_, reference)) = recipe.images().find(|(container, _)| is_part(container)) else { return problem };
    let problem = problem.fact("image", &reference.value).fact("recipe", &reference.place);
    if !fetch::is_absent(&problem) {
        return problem;
    }
    let command = query.context.command("update", &recipe.file);
    problem.hint(match reference.value.digest() {
        None => format!("the registry may have deleted this image: `{command}` pins the current one"),
        Some(_) => "the registry may have deleted this image: name another in the recipe".to_owned(),
    })
}

/// Returns what helps where there is no such file; `fetch`, who tells it, knows no recipe.
fn with_command(problem: Diagnostic, input: &Input<'_>, command: &str) -> Diagnostic {
    if !fetch::is_absent(&problem) {
        return problem;
    }
    problem.hint(match input.sha256 {
        Some(_) => "the publisher may have deleted this snapshot: name another `url` with its `sha256` in the recipe"
            .to_owned(),
        None => format!("the publisher may have deleted this snapshot: `{command}` pins the current one"),
    })
}

/// Asks what a pinned moving name means today; returns the pin and the answer where they differ.
fn today(input: &Input<'_>, loaded: &LoadedRecipe, query: &PublisherQuery<'_>) -> Option<(Pin, Pin)> {
    let question = lock::questions(&loaded.recipe).into_iter().find(|question| match &question.source {
        Source::Url(url) => url.is_remote() && question.source == input.source.value,
        Source::Path(_) => false,
    })?;
    let before = loaded.lock.pins.get(&question.key)?.clone();
    let now = query.ask(&question).ok()?;
    (now.sha256 != before.sha256).then_some((before, now))
}

/// Names what an input is.
fn noun(input: &Input<'_>) -> &'static str {
    if input.what == "base" { "image" } else { "file" }
}

fn moved(failure: Diagnostic, noun: &str, (before, now): (&Pin, &Pin), recipe: &Location, command: &str) -> Diagnostic {
    Diagnostic::new(Code::UpstreamMoved, format!("the publisher has another {noun} by now than the one that is pinned"))
        .fact("pinned", show(before))
        .fact("today", show(now))
        .fact("recipe", recipe)
        .cause(failure)
        .note("nothing was accepted in its place; the lock is as it was")
        .hint(format!("run `{command}` and review the change"))
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
    use crate::base::Kind;

    #[test]
    fn the_command_names_the_recipe_and_is_no_way_out_for_one_that_pins_by_itself() {
        let hint = |pin: &str, kind: Option<Kind>| {
            let text = format!("format = 1\nname = \"x\"\n[base]\nurl = \"https://h.example/x.qcow2\"\n{pin}");
            let recipe = crate::recipe::parse(&text, "a/x.toml").unwrap();
            let problem = Diagnostic { kind, ..Diagnostic::new(Code::NetStatus, "404").hint("another way") };
            with_command(problem, &recipe.base.input(), "arca-build update a/x.toml").hint.unwrap()
        };
        let absent = Some(Kind::AbsentOnServer);
        assert!(hint("", absent).ends_with("`arca-build update a/x.toml` pins the current one"));
        let pinned = hint(&format!("sha256 = \"{}\"\n", "0".repeat(64)), absent);
        assert!(pinned.contains("`sha256` in the recipe") && !pinned.contains("update"), "{pinned}");
        assert_eq!(hint("", None), "another way");
    }
}
