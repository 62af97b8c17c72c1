//! `check` and `plan`: everything decided, nothing touched.

use std::path::{Path, PathBuf};

use super::build::plan_all;
use super::{Context, Loaded};
use crate::base::{Diagnostic, Diagnostics, Finding};
use crate::plan::Plan;
use crate::provision::Allowed;

/// Reads and plans every recipe; neither store nor network is opened.
pub(crate) fn check(context: &Context<'_>, recipes: &[PathBuf]) -> Result<Vec<Plan>, Diagnostics> {
    Ok(plan_all(context, recipes)?.into_iter().map(|(_, plan)| plan).collect())
}

/// What is to be said of one recipe.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// The recipe as it was named.
    pub recipe: PathBuf,
    /// None where something was refused.
    pub plan: Option<Plan>,
    /// What the rules noticed, but for errors.
    pub findings: Vec<Finding>,
    /// What they noticed and the recipe allows.
    pub allowed: Vec<Allowed>,
    pub problems: Vec<Diagnostic>,
}

/// As [`check`], with all that the rules noticed, whether or not there is a plan.
pub(crate) fn judge(context: &Context<'_>, recipes: &[PathBuf]) -> Vec<Judgement> {
    let mut judged: Vec<Judgement> = vec![];
    for path in recipes {
        let mut one = judge_one(context, path);
        let named = |other: &&Judgement| {
            let names = other.plan.as_ref().zip(one.plan.as_ref());
            names.is_some_and(|(first, second)| first.name == second.name && first.id != second.id)
        };
        if let (Some(twin), Some(plan)) = (judged.iter().find(named), &one.plan) {
            let (first, second) = (twin.recipe.display(), path.display());
            one.problems.push(super::build::twins(&plan.name, &first.to_string(), &second.to_string()));
        }
        judged.push(one);
    }
    judged
}

fn judge_one(context: &Context<'_>, path: &Path) -> Judgement {
    let recipe = path.to_owned();
    let judged = Loaded::read(context, path).and_then(|loaded| loaded.judge(context));
    let mut judgement = Judgement { recipe, plan: None, findings: vec![], allowed: vec![], problems: vec![] };
    match judged {
        Err(problems) => judgement.problems = problems.0,
        Ok(judged) => {
            let severe = |finding: &Finding| finding.severity == crate::base::Severity::Error;
            judgement.findings = judged.findings.into_iter().filter(|finding| !severe(finding)).collect();
            judgement.allowed = judged.allowed;
            match judged.plan {
                Ok(plan) => judgement.plan = Some(plan),
                Err(problems) => judgement.problems = problems.0,
            }
        }
    }
    judgement
}
