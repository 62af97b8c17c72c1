//! `check`: everything decided, nothing touched; findings with place and fix, as text, JSON or SARIF.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueHint};
use serde::Serialize;
use serde_json::Value;

use super::context::Context;
use super::printer::{Printer, ShownPath};
use super::recipe_file::LoadedRecipe;
use super::recipes::same_name;
use crate::base::text::count;
use crate::base::{Code, Diagnostic, Diagnostics, Finding, Rule, Severity};
use crate::plan::Plan;
use crate::provision::Allowed;
use crate::report::{self, rules};

/// Validate and plan recipes, and report what the rules find; touches nothing
#[derive(Debug, Args)]
#[command(override_usage = "arca-build check [OPTIONS] <RECIPE>...\n       arca-build check --explain <RULE>")]
pub(crate) struct CheckOptions {
    /// Recipe files; `demo` is inside the program
    #[arg(required_unless_present = "explain", value_name = "RECIPE", value_hint = ValueHint::FilePath)]
    recipes: Vec<PathBuf>,
    /// Fail on warnings, or even notes (for CI)
    #[arg(long, value_name = "WHAT", value_parser = ["warnings", "notes"])]
    deny: Option<String>,
    /// Print the findings as SARIF 2.1.0 on stdout
    #[arg(long, conflicts_with = "explain")]
    sarif: bool,
    /// Explain a rule: its reason, its sources, and what to do; `all` lists the rules
    #[arg(long, value_name = "RULE", value_parser = rule(), hide_possible_values = true, conflicts_with = "recipes")]
    explain: Option<String>,
}

/// Takes the id of a rule, or `all`.
fn rule() -> PossibleValuesParser {
    std::iter::once("all").chain(Rule::WORDS.iter().copied()).collect::<Vec<_>>().into()
}

impl CheckOptions {
    /// Reports what the rules find in each recipe; fails where something was refused, or is denied.
    pub(crate) fn run(self, context: &Context<'_>, printer: &Printer) -> Result<(), Diagnostics> {
        if let Some(rule) = &self.explain {
            explain(printer, rule);
            return Ok(());
        }
        let checked = check(context, &self.recipes);
        let counts = Counts::of(&checked);
        if self.sarif {
            printer.json(&sarif(&checked));
        } else if printer.is_json() {
            printer.json(&CheckOutput::of(&checked));
        } else {
            say(printer, &checked, &counts);
        }
        let problems: Vec<_> = checked.into_iter().flat_map(|one| one.problems).collect();
        match (problems.is_empty(), counts.denied(self.deny.as_deref())) {
            (true, 0) => Ok(()),
            (true, many) => Err(Diagnostic::new(Code::Lint, format!("{} denied", count(many, "finding")))
                .hint("fix the findings, or allow each in `[allow]` with a reason")
                .into()),
            (false, _) => Err(Diagnostics(problems)),
        }
    }
}

/// Explains a rule, or lists all.
fn explain(printer: &Printer, rule: &str) {
    match Rule::parse(rule) {
        Some(rule) if printer.is_json() => printer.json(&rules::rule_json(rule)),
        Some(rule) => printer.data(&rules::explain(rule)),
        None if printer.is_json() => {
            let rules = Rule::all().map(rules::rule_json).collect::<Vec<_>>();
            printer.json(&serde_json::json!({ "rules": rules }));
        }
        None => printer.data(&rules::list()),
    }
}

/// What the rules found in one recipe.
#[derive(Debug)]
struct CheckedRecipe {
    /// The recipe as it was named.
    recipe: PathBuf,
    /// None where something was refused.
    plan: Option<Plan>,
    /// What the rules noticed, but for errors.
    findings: Vec<Finding>,
    /// What they noticed and the recipe allows.
    allowed: Vec<Allowed>,
    problems: Vec<Diagnostic>,
}

/// Reads and plans every recipe, with all that the rules noticed, whether or not there is a plan.
fn check(context: &Context<'_>, recipes: &[PathBuf]) -> Vec<CheckedRecipe> {
    let mut checked: Vec<CheckedRecipe> = vec![];
    for path in recipes {
        let mut one = check_one(context, path);
        let named = |other: &&CheckedRecipe| {
            let names = other.plan.as_ref().zip(one.plan.as_ref());
            names.is_some_and(|(first, second)| first.name == second.name && first.id != second.id)
        };
        if let (Some(twin), Some(plan)) = (checked.iter().find(named), &one.plan) {
            let (first, second) = (twin.recipe.display(), path.display());
            one.problems.push(same_name(&plan.name, &first.to_string(), &second.to_string()));
        }
        checked.push(one);
    }
    checked
}

fn check_one(context: &Context<'_>, path: &Path) -> CheckedRecipe {
    let recipe = path.to_owned();
    let checked = LoadedRecipe::read(context, path).and_then(|loaded| loaded.check(context));
    let mut found = CheckedRecipe { recipe, plan: None, findings: vec![], allowed: vec![], problems: vec![] };
    match checked {
        Err(problems) => found.problems = problems.0,
        Ok(checked) => {
            let severe = |finding: &Finding| finding.severity == Severity::Error;
            found.findings = checked.findings.into_iter().filter(|finding| !severe(finding)).collect();
            found.allowed = checked.allowed;
            match checked.plan {
                Ok(plan) => found.plan = Some(plan),
                Err(problems) => found.problems = problems.0,
            }
        }
    }
    found
}

fn say(printer: &Printer, checked: &[CheckedRecipe], counts: &Counts) {
    checked.iter().flat_map(|one| &one.findings).for_each(|finding| printer.finding(finding));
    for plan in checked.iter().filter_map(|one| one.plan.as_ref()) {
        let made = count(plan.outputs.len(), "file");
        printer.say(&format!("{}: good; plan {}, {made} and the launch files", plan.name, plan.id.short()));
    }
    // Where something is refused, the errors come last, and their number with them.
    if checked.iter().all(|one| one.problems.is_empty()) {
        printer.say(&counts.summary(checked.len()));
    }
}

/// How many findings there are of each kind.
struct Counts {
    warnings: usize,
    notes: usize,
    allowed: usize,
}

impl Counts {
    fn of(judged: &[CheckedRecipe]) -> Self {
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
        let told = if told.is_empty() { "no findings".to_owned() } else { told.join(", ") };
        format!("{} checked: {told}", count(recipes, "recipe"))
    }
}

/// The JSON document.
#[derive(Default, Serialize)]
struct CheckOutput {
    plans: Vec<Value>,
    findings: Vec<RecipeFinding>,
    allowed: Vec<RecipeFinding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
}

/// A finding, the recipe it was found in, and why that allows it.
#[derive(Serialize)]
struct RecipeFinding {
    #[serde(flatten)]
    finding: Value,
    recipe: ShownPath,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl CheckOutput {
    fn of(checked: &[CheckedRecipe]) -> Self {
        let found = |one: &CheckedRecipe, finding: &Finding, reason: Option<&String>| RecipeFinding {
            finding: report::finding_json(finding),
            recipe: one.recipe.clone().into(),
            reason: reason.cloned(),
        };
        let mut output = Self::default();
        for one in checked {
            output.plans.extend(one.plan.as_ref().map(Plan::to_json));
            output.findings.extend(one.findings.iter().map(|finding| found(one, finding, None)));
            output.allowed.extend(one.allowed.iter().map(|all| found(one, &all.finding, Some(&all.reason))));
            output.errors.extend(one.problems.iter().map(report::to_json));
        }
        output
    }
}

fn sarif(judged: &[CheckedRecipe]) -> Value {
    let mut results = vec![];
    for one in judged {
        results.extend(one.problems.iter().map(rules::Entry::Diagnostic));
        results.extend(one.findings.iter().map(|finding| rules::Entry::Finding(finding, None)));
        let allowed = one.allowed.iter();
        results.extend(allowed.map(|one| rules::Entry::Finding(&one.finding, Some(&one.reason))));
    }
    rules::sarif(env!("CARGO_PKG_VERSION"), &results, judged.iter().all(|one| one.problems.is_empty()))
}
