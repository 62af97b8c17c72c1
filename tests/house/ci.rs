//! The examples for CI systems, and this project's own workflow: are they YAML of the shape that the system reads, with shell that shellcheck passes and
//! commands that the program knows? Starts python3 and shellcheck; that the systems themselves take them, nobody here can ask.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

use super::picture::knows;
use crate::tests::support::{output, skip, tool, workdir};

/// What lies beside a GitLab job's name without being a job.
const GITLAB_WORDS: [&str; 5] = ["variables", "stages", "default", "workflow", "include"];

/// Reads a file with a YAML reader that is not ours; `None` where there is none.
fn yaml(path: &str) -> Option<Value> {
    let code = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let has = |python: &PathBuf| Command::new(python).args(["-c", "import yaml"]).output().unwrap().status.success();
    let Some(python) = [tool("python3")?, PathBuf::from("/usr/bin/python3")].into_iter().find(has) else {
        skip("python3 with yaml (package python3-yaml)");
        return None;
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let told = output(Command::new(python).args(["-c", code]).arg(file)).success().stdout;
    Some(serde_json::from_str(&told).unwrap())
}

fn map<'a>(value: &'a Value, key: &str) -> &'a Map<String, Value> {
    value[key].as_object().unwrap_or_else(|| panic!("no {key}: {value}"))
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(|text| text.as_str().unwrap_or_else(|| panic!("no text: {value}")))
        .collect()
}

/// Demands that shellcheck passes the shell of one job and that the program knows its own commands; returns whether the job
/// writes a report, and where to.
fn judge(script: &str) -> Option<String> {
    if let Some(shellcheck) = tool("shellcheck") {
        let dir = workdir();
        let file = dir.path().join("script");
        std::fs::write(&file, format!("#!/bin/bash -e\n{script}\n")).unwrap();
        output(Command::new(shellcheck).arg(file)).success();
    }
    let commands: Vec<_> = script.lines().filter(|line| line.starts_with("arca-build ")).collect();
    commands.iter().for_each(|line| knows(line));
    let gate = commands.iter().find(|line| line.contains(" run "))?;
    assert!(gate.contains("--test"), "boots and does not judge: {gate}");
    let (_, file) = gate.split_once("--junit ").unwrap_or_else(|| panic!("no report: {gate}"));
    Some(file.to_owned())
}

/// What the steps of a GitHub job run; each runs something or uses an action of a version.
fn scripts(steps: &[Value]) -> Vec<&str> {
    for step in steps {
        let (uses, run) = (step["uses"].as_str(), step["run"].as_str());
        assert!(uses.is_some() != run.is_some(), "a step either uses an action or runs something: {step}");
        assert!(uses.is_none_or(|action| action.contains('@')), "an action without a version: {step}");
    }
    steps.iter().filter_map(|step| step["run"].as_str()).collect()
}

#[test]
fn this_projects_own_workflow_runs_what_a_change_must_pass() {
    let Some(workflow) = yaml(".github/workflows/ci.yml") else { return };
    assert!(workflow["true"].as_object().unwrap().contains_key("pull_request"));
    let job = &workflow["jobs"]["test"];
    let scripts = scripts(job["steps"].as_array().unwrap());
    scripts.iter().for_each(|script| assert_eq!(judge(script), None));
    assert_eq!(scripts.last().unwrap().trim_end().lines().last(), Some(".ci/run"));
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run").is_file());
}

#[test]
fn the_example_for_github_is_a_workflow_that_gates_an_image() {
    let Some(workflow) = yaml("docs/ci/github.yml") else { return };
    // YAML 1.1 takes the key `on` for a truth.
    assert!(workflow["true"].as_object().unwrap().contains_key("pull_request"));
    let recipe = workflow["env"]["RECIPE"].as_str().unwrap();
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(recipe).is_file(), "{recipe}");
    let jobs = map(&workflow, "jobs");
    let mut reports = Vec::new();
    for job in jobs.values() {
        assert!(job["runs-on"].is_string());
        let steps = job["steps"].as_array().unwrap();
        reports.extend(scripts(steps).into_iter().filter_map(judge));
        let gate = steps.iter().find(|step| step["run"].as_str().is_some_and(|run| run.contains("--junit"))).unwrap();
        // The gate always writes a report, so one that is not there is a mistake of this file.
        let always = format!("always() && steps.{}.outcome != 'skipped'", gate["id"].as_str().unwrap());
        let keeps = |step: &&Value| step["if"] == *always && step["with"]["path"] == *reports[0];
        let kept = steps.iter().find(keeps).expect("the report is lost when the gate says no");
        assert_eq!(kept["with"]["if-no-files-found"], "error");
    }
    assert_eq!(reports.len(), 1, "one gate");
}

#[test]
fn the_example_for_gitlab_is_a_pipeline_that_gates_an_image() {
    let Some(pipeline) = yaml("docs/ci/gitlab.yml") else { return };
    let recipe = pipeline["variables"]["RECIPE"].as_str().unwrap();
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(recipe).is_file(), "{recipe}");
    let stages = texts(&pipeline["stages"]);
    assert_eq!(judge(&texts(&pipeline["default"]["before_script"]).join("\n")), None);
    let jobs = pipeline.as_object().unwrap().iter().filter(|(name, _)| !GITLAB_WORDS.contains(&name.as_str()));
    let mut gates = 0;
    for (name, job) in jobs {
        assert!(stages.contains(&job["stage"].as_str().unwrap()), "{name} is in no stage");
        if let Some(report) = judge(&texts(&job["script"]).join("\n")) {
            gates += 1;
            assert_eq!(job["artifacts"]["reports"]["junit"], *report, "{name}");
            assert_eq!(job["artifacts"]["when"], "always", "the report is lost when the gate says no");
        }
    }
    assert_eq!(gates, 1, "one gate");
}
