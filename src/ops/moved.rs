//! Why an input's bytes are not what was pinned: often the publisher has moved on. Nothing is ever accepted instead.

use super::Loaded;
use super::update::Asker;
use crate::base::{Code, Problem};
use crate::fetch;
use crate::lock::{self, Pin};
use crate::recipe::Source;

/// Adds the way out to a failed fetch; asks the publisher, where that can tell more, what the moving name means today.
///
/// `E_UPSTREAM_MOVED` takes the place of the failure only when the publisher names other bytes than the pin does.
pub(super) fn explain(problem: Problem, loaded: &Loaded, asker: &Asker<'_>) -> Problem {
    if !matches!(problem.code, Code::Hash | Code::NetStatus | Code::NetSize) {
        return problem;
    }
    let recipe = &loaded.recipe;
    let place = &recipe.base.source.place;
    let problem = problem.fact("recipe", format!("{}:{}:{}", place.file, place.line, place.column));
    if let Some((before, now)) = today(loaded, asker) {
        return moved(problem, &before, &now, &asker.session.command("update", &recipe.file));
    }
    if problem.code != Code::Hash && !fetch::is_absent(&problem) {
        return problem;
    }
    problem.hint(match recipe.base.sha256 {
        None => {
            let command = asker.session.command("update", &recipe.file);
            format!("if the publisher has a new image, run `{command}` and review the change")
        }
        Some(_) => "if the publisher has a new image, review it and change `sha256` in the recipe".to_owned(),
    })
}

/// Asks what a pinned moving name means today; returns the pin and the answer where they differ.
fn today(loaded: &Loaded, asker: &Asker<'_>) -> Option<(Pin, Pin)> {
    let question = lock::questions(&loaded.recipe).into_iter().find(|question| match &question.source {
        Source::Url(url) => url.is_remote(),
        Source::Path(_) => false,
    })?;
    let before = loaded.lock.pins.get(&question.key)?.clone();
    let now = asker.ask(&question).ok()?;
    (now.sha256 != before.sha256).then_some((before, now))
}

fn moved(failure: Problem, before: &Pin, now: &Pin, command: &str) -> Problem {
    let mut problem =
        Problem::new(Code::UpstreamMoved, "the publisher has another image by now than the one that is pinned")
            .fact("pinned", show(before))
            .fact("today", show(now));
    problem.facts.extend(failure.facts.iter().filter(|(label, _)| *label == "recipe").cloned());
    problem
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
