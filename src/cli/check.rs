//! What `check` says: findings with place and fix, one line to end with; or JSON, or SARIF. Touches the terminal.

use serde_json::{Value, json};

use crate::base::text::count;
use crate::base::{Code, Diagnostic, Diagnostics, Rule, Severity};
use crate::commands::check::Judgement;
use crate::commands::printer::Printer;
use crate::report::{self, rules};

/// In which form findings are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Text, or JSON where the program was asked for it.
    Plain,
    Sarif,
}

/// Explains a rule, or lists all.
pub(super) fn explain(printer: &Printer, rule: &str) {
    match Rule::parse(rule) {
        Some(rule) if printer.is_json() => printer.json(&rules::rule_json(rule)),
        Some(rule) => printer.data(&rules::explain(rule)),
        None if printer.is_json() => {
            printer.json(&json!({ "rules": Rule::all().map(rules::rule_json).collect::<Vec<_>>() }))
        }
        None => printer.data(&rules::list()),
    }
}

/// Tells what there is to say of each recipe; fails where something was refused, or is denied.
pub(super) fn print(
    printer: &Printer,
    judged: &[Judgement],
    deny: Option<&str>,
    form: Form,
) -> Result<(), Diagnostics> {
    match form {
        Form::Sarif => printer.json(&sarif(judged)),
        Form::Plain if printer.is_json() => printer.json(&document(judged)),
        Form::Plain => {
            judged.iter().flat_map(|one| &one.findings).for_each(|finding| printer.finding(finding));
            judged.iter().for_each(|one| say(printer, one));
        }
    }
    let told = Told::of(judged);
    let problems: Vec<Diagnostic> = judged.iter().flat_map(|one| one.problems.iter().cloned()).collect();
    let denied = told.denied(deny);
    // Where something is refused, the errors come last, and their number with them.
    if form == Form::Plain && !printer.is_json() && problems.is_empty() {
        printer.say(&told.summary(judged.len()));
    }
    match (problems.is_empty(), denied) {
        (true, 0) => Ok(()),
        (true, many) => {
            let problem = Diagnostic::new(Code::Lint, format!("{} denied", count(many, "finding")));
            Err(problem.hint("mend what is told, or say in `[allow]` why it is meant").into())
        }
        (false, _) => Err(Diagnostics(problems)),
    }
}

fn say(printer: &Printer, one: &Judgement) {
    if let Some(plan) = &one.plan {
        let made = count(plan.outputs.len(), "file");
        printer.say(&format!("{}: good; plan {}, {made} and the launch files", plan.name, plan.id.short()));
    }
}

/// How much of each kind was told.
struct Told {
    warnings: usize,
    notes: usize,
    allowed: usize,
}

impl Told {
    fn of(judged: &[Judgement]) -> Self {
        let findings = || judged.iter().flat_map(|one| &one.findings);
        let with = |severity| findings().filter(|finding| finding.severity == severity).count();
        Self {
            warnings: with(Severity::Warning),
            notes: with(Severity::Note),
            allowed: judged.iter().map(|one| one.allowed.len()).sum(),
        }
    }

    fn denied(&self, deny: Option<&str>) -> usize {
        match deny {
            Some("notes") => self.warnings + self.notes,
            Some(_) => self.warnings,
            None => 0,
        }
    }

    fn summary(&self, recipes: usize) -> String {
        let parts = [(self.warnings, "warning"), (self.notes, "note")];
        let mut told: Vec<_> =
            parts.iter().filter(|(many, _)| *many > 0).map(|(many, noun)| count(many, noun)).collect();
        if self.allowed > 0 {
            told.push(format!("{} allowed", self.allowed));
        }
        let told = if told.is_empty() { "nothing to say".to_owned() } else { told.join(", ") };
        format!("{} checked: {told}", count(recipes, "recipe"))
    }
}

fn document(judged: &[Judgement]) -> Value {
    let recipe = |one: &Judgement| one.recipe.to_string_lossy().into_owned();
    let finding = |one: &Judgement, finding, reason: Option<&str>| {
        let mut value = report::finding_json(finding);
        value["recipe"] = json!(recipe(one));
        if let Some(reason) = reason {
            value["reason"] = json!(reason);
        }
        value
    };
    let findings = judged.iter().flat_map(|one| one.findings.iter().map(move |found| finding(one, found, None)));
    let allowed = judged
        .iter()
        .flat_map(|one| one.allowed.iter().map(move |allowed| finding(one, &allowed.finding, Some(&allowed.reason))));
    let plans = judged.iter().filter_map(|one| Some(one.plan.as_ref()?.to_json()));
    let mut document = json!({
        "plans": plans.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "allowed": allowed.collect::<Vec<_>>(),
    });
    let errors: Vec<_> = judged.iter().flat_map(|one| &one.problems).map(report::to_json).collect();
    if !errors.is_empty() {
        document["errors"] = json!(errors);
    }
    document
}

fn sarif(judged: &[Judgement]) -> Value {
    let mut results = vec![];
    for one in judged {
        results.extend(one.problems.iter().map(rules::Entry::Diagnostic));
        results.extend(one.findings.iter().map(|finding| rules::Entry::Finding(finding, None)));
        let allowed = one.allowed.iter();
        results.extend(allowed.map(|one| rules::Entry::Finding(&one.finding, Some(&one.reason))));
    }
    rules::sarif(env!("CARGO_PKG_VERSION"), &results, judged.iter().all(|one| one.problems.is_empty()))
}
