//! How bytes by address reach the guest: which of them travel, and on what. Touches nothing.
//!
//! Only digests and sizes are known here; the bytes come in when the plan is realised. For Ignition a small file goes into
//! the config itself (a config cannot name a file of the disk it came from); for Combustion files and packages lie
//! in a folder beside the script. What is much, or must still be there after the engines are done, goes on a disk of its
//! own. Read next: `engines::template` (a config with places for bytes), `engines::combustion` (the script's side),
//! `plan::carry`.

use super::diagnostics::{DiagnosticSink, redacted};
use super::guest::{Guest, PayloadFile, PayloadFormat, PayloadMedium, Remote};
use super::outputs::EngineOutputs;
use crate::base::text::one_line;
use crate::base::{ByteSize, Code, Diagnostic, Location, Rule, Transport};
use crate::recipe::{CONTENT_LIMIT, CONTENTS_LIMIT, Media, Recipe};

/// What may lie on the config disk, all of it together: Combustion copies its folder into the guest's memory.
pub(crate) const CONFIG_DISK_LIMIT: ByteSize = ByteSize::mib(16);

/// Lists what travels, sorted, and chooses on what; refuses what nothing can carry.
pub(crate) fn payload(recipe: &Recipe, outputs: &mut EngineOutputs, diag: &mut DiagnosticSink) -> Vec<PayloadFile> {
    inline(recipe, &outputs.ignition, diag);
    let as_it_is = |path, input: &Remote| PayloadFile { path, input: input.clone(), format: PayloadFormat::AsItIs };
    let packages = outputs.both().flat_map(|guest| &guest.packages).map(|one| as_it_is(one.path(), &one.input));
    let files = outputs.combustion.files.iter().filter_map(|file| file.remote());
    let files = files.map(|input| as_it_is(input.file_path(), input));
    let mut payload: Vec<PayloadFile> = packages.chain(files).chain(outputs.images.iter().cloned()).collect();
    payload.sort_by(|a, b| a.path.cmp(&b.path));
    payload.dedup_by(|a, b| a.path == b.path);
    outputs.combustion.medium = (!payload.is_empty()).then(|| medium(recipe, outputs, &payload));
    warn(recipe, outputs.combustion.medium, diag);
    payload
}

/// Units load containers, and packages under Ignition, when Combustion's folder is gone; over fw_cfg there is no folder; and
/// what has no known size may be large.
fn medium(recipe: &Recipe, outputs: &EngineOutputs, payload: &[PayloadFile]) -> PayloadMedium {
    let together = payload.iter().try_fold(0u64, |sum, file| sum.checked_add(file.input.size?.0));
    let is_small = together.is_some_and(|together| together <= CONFIG_DISK_LIMIT.0);
    let by_disk = recipe.provision.transport.combustion != Some(Transport::FwCfg);
    let by_unit = !outputs.ignition.packages.is_empty() || !outputs.images.is_empty();
    if is_small && by_disk && !by_unit { PayloadMedium::ConfigDisk } else { PayloadMedium::PayloadDisk }
}

fn warn(recipe: &Recipe, medium: Option<PayloadMedium>, diag: &mut DiagnosticSink) {
    let place = || recipe.provision.inputs().next().map(|input| redacted(&input.source.place));
    match medium {
        Some(PayloadMedium::ConfigDisk) => {
            let text = "what the recipe carries lies on the config disk: the fw_cfg launch files cannot bring it";
            diag.warn(Rule::CarriedFwcfg, text, place());
        }
        Some(PayloadMedium::PayloadDisk) if recipe.provision.media == Some(Media::Gpt) => {
            let text = "what the recipe carries needs `payload.raw` as a disk of its own: the USB stick lacks it";
            diag.warn(Rule::CarriedUsb, text, place());
        }
        _ => {}
    }
}

/// Refuses what a config is no place for: Ignition holds it in memory, several times.
fn inline(recipe: &Recipe, guest: &Guest, diag: &mut DiagnosticSink) {
    let mut together = 0u64;
    for file in &guest.files {
        let Some(input) = file.remote() else { continue };
        let place = redacted(&file.place);
        match input.size {
            Some(size) if size > CONTENT_LIMIT => diag.refuse(too_large(input, size, &place)),
            Some(size) => together = together.saturating_add(size.0),
            None if recipe.provision.transport.ignition == Some(Transport::FwCfg) => {
                let headline = format!("the size of `{}` is not known", one_line(&input.title, 80));
                let problem = Diagnostic::new(Code::FwCfgLimit, headline).at(place);
                diag.refuse(problem.note("what fw_cfg can carry is limited").hint("add `size` beside `sha256`"));
            }
            None => {}
        }
    }
    if together > CONTENTS_LIMIT.0 {
        let headline = format!("the files by URL hold more than {CONTENTS_LIMIT} together, too much for a config");
        diag.refuse(Diagnostic::new(Code::Provision, headline).hint(WAY_OUT));
    }
}

const WAY_OUT: &str = "write engine = \"combustion\": it takes files of any size";

fn too_large(input: &Remote, size: ByteSize, place: &Location) -> Diagnostic {
    let headline = format!("`{}` is too large for an Ignition config", one_line(&input.title, 80));
    let problem = Diagnostic::new(Code::Provision, headline).at(place.clone());
    problem.fact("size", size.exact()).fact("limit", CONTENT_LIMIT.exact()).hint(WAY_OUT)
}
