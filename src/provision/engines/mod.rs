//! The engines: which does what, and how each writes what it got. Touches nothing.
//!
//! `choice` shares features out; the `…_tasks` turn what engines do in different ways into files, units and commands;
//! `ignition` (with `merge` and `template`) and `combustion` write the result; `transports` chooses how it gets there.

pub(crate) mod choice;
pub(crate) mod combustion;
pub(crate) mod combustion_tasks;
pub(crate) mod ignition;
pub(crate) mod ignition_tasks;
pub(crate) mod merge;
pub(crate) mod template;
pub(crate) mod transports;

use self::choice::Feature;
use super::diagnostics::DiagnosticSink;
use super::outputs::EngineOutputs;
use crate::base::Engine;

/// Has each engine perform the tasks it got since the last call.
pub(crate) fn perform(outputs: &mut EngineOutputs, diag: &mut DiagnosticSink) {
    let EngineOutputs { ignition, combustion, late_paths, .. } = outputs;
    for task in std::mem::take(&mut ignition.tasks) {
        ignition_tasks::perform(ignition, task, diag);
    }
    for task in std::mem::take(&mut combustion.tasks) {
        combustion_tasks::perform(combustion, task, late_paths, diag);
    }
}

/// Has Ignition do by presets what it does not do well itself; call it when all units are there.
pub(crate) fn presets(outputs: &mut EngineOutputs) {
    let mut engines = [Engine::Ignition, Engine::Combustion].into_iter();
    let has_packages = engines.any(|engine| outputs.has(Feature::Packages, engine));
    ignition_tasks::presets(&mut outputs.ignition, has_packages);
}

/// Checks what only one engine refuses.
pub(crate) fn check(outputs: &EngineOutputs, diag: &mut DiagnosticSink) {
    ignition_tasks::check(&outputs.ignition, diag);
    combustion_tasks::check(&outputs.combustion, diag);
}
