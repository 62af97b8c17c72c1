//! What MicroOS would do with a config disk: the rules of Ignition and Combustion about where they look.
//!
//! Sources: openSUSE's `ignition-setup-user.sh` (label `ignition`, lower case only, `ignition/config.ign`), Ignition's
//! migrating-configs.md (versions), Combustion's README and script (labels in order, `combustion/script`); what
//! happens otherwise was seen in boots. Touches nothing.

use super::disk::Left;
use crate::base::text::one_line;

/// How a part of the provisioning would end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// It is found and applied.
    Applied,
    /// Nothing happens, and nothing says so.
    Ignored,
    /// The first boot ends in an emergency shell.
    Fails,
}

/// One thing the guest would do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Finding {
    pub outcome: Outcome,
    pub text: String,
}

fn finding(outcome: Outcome, text: impl Into<String>) -> Finding {
    Finding { outcome, text: text.into() }
}

/// What an engine sees of a volume.
pub(super) trait Files {
    /// The label as the guest tells it, fit to show; empty where there is none.
    fn label(&self) -> String;
    /// A label that stands where the guest does not look.
    fn boot_label(&self) -> String {
        String::new()
    }
    fn find(&self, path: &str) -> Option<Found>;
    /// Reads a file that was found; else says why it cannot be read.
    fn content(&mut self, path: &str, size: u64) -> Result<Vec<u8>, String>;
}

/// A file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub is_directory: bool,
    /// Bytes.
    pub size: u64,
}

impl dyn Files + '_ {
    fn file(&self, path: &str) -> Option<Found> {
        self.find(path).filter(|found| !found.is_directory)
    }
}

/// Labels that Combustion looks for, in its order.
const COMBUSTION_LABELS: [&str; 6] = ["combustion", "COMBUSTION", "ignition", "IGNITION", "install", "INSTALL"];
/// What Ignition in today's MicroOS takes: 3.0.0 to 3.6.0.
const VERSIONS: [&str; 7] = ["3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.5.0", "3.6.0"];
/// The largest config that is held as values, which take many times its text.
const HELD: usize = 1 << 20;

const CONFIG: &str = "ignition/config.ign";
const SCRIPT: &str = "combustion/script";

/// Returns what the guest does with a volume.
pub(super) fn volume(files: &mut dyn Files, left: &mut Left) -> Vec<Finding> {
    let label = files.label();
    let mut findings = Vec::new();
    findings.extend(labelled(files, &label));
    let config = files.file(CONFIG);
    if label == "ignition" {
        findings.extend(config.map(|found| config_found(files, found, left)));
    } else if config.is_some() {
        let text = format!("`{CONFIG}` is ignored: Ignition looks only at the label `ignition`, in lower case");
        findings.push(finding(Outcome::Ignored, text));
    }
    findings.extend(misplaced(files));
    if COMBUSTION_LABELS.contains(&label.as_str()) {
        let failed = findings.iter().any(|finding| finding.outcome == Outcome::Fails);
        findings.extend(combustion(files, left).map(|found| if failed { unreached() } else { found }));
    } else if files.find(SCRIPT).is_some() {
        findings
            .push(finding(Outcome::Ignored, format!("`{SCRIPT}` is ignored: Combustion does not look at this label")));
    }
    if findings.is_empty() && COMBUSTION_LABELS.contains(&label.as_str()) {
        findings.push(finding(
            Outcome::Ignored,
            format!("there is neither `{CONFIG}` nor `combustion/`: nothing is provisioned"),
        ));
    }
    findings
}

fn labelled(files: &dyn Files, label: &str) -> Option<Finding> {
    let near = |known: &&&str| label.eq_ignore_ascii_case(known);
    let boot = files.boot_label();
    if label.is_empty() && COMBUSTION_LABELS.contains(&boot.as_str()) {
        let text = format!("label `{boot}` stands in the boot sector only: the guest takes it from the root directory");
        return Some(finding(Outcome::Ignored, text));
    }
    if label != "ignition" && label.eq_ignore_ascii_case("ignition") {
        let text = format!("label `{label}` is not `ignition` in lower case: Ignition does not see the disk");
        return Some(finding(Outcome::Ignored, text));
    }
    if !COMBUSTION_LABELS.contains(&label) && COMBUSTION_LABELS.iter().find(near).is_some() {
        return Some(finding(Outcome::Ignored, format!("label `{label}` is in mixed case: no engine sees the disk")));
    }
    let holds = files.find("ignition").or(files.find("combustion")).is_some();
    let other = !COMBUSTION_LABELS.contains(&label) && holds;
    other.then(|| finding(Outcome::Ignored, format!("no engine looks at the label `{label}`")))
}

/// Names the files that lie one directory too high.
fn misplaced(files: &dyn Files) -> Vec<Finding> {
    let places = [("config.ign", CONFIG, "Ignition"), ("script", SCRIPT, "Combustion")];
    places
        .iter()
        .filter(|(name, wanted, _)| files.file(name).is_some() && files.find(wanted).is_none())
        .map(|(name, wanted, engine)| {
            let text = format!("`{name}` lies at the root instead of at `{wanted}`: {engine} silently ignores it");
            finding(Outcome::Ignored, text)
        })
        .collect()
}

/// Reads a file's content, if so much may still be looked into.
fn content(files: &mut dyn Files, found: Found, name: &str, left: &mut Left) -> Result<Vec<u8>, Finding> {
    left.0 = left.0.checked_sub(found.size).ok_or_else(|| {
        finding(Outcome::Applied, format!("`{name}` is found, and too large to be looked into: {} bytes", found.size))
    })?;
    let failed = |error| finding(Outcome::Fails, format!("`{name}` cannot be read: {error}"));
    files.content(name, found.size).map_err(failed)
}

fn config_found(files: &mut dyn Files, found: Found, left: &mut Left) -> Finding {
    let content = match content(files, found, CONFIG, left) {
        Ok(content) => content,
        Err(finding) => return finding,
    };
    match config(&content) {
        Ok(version) => {
            finding(Outcome::Applied, format!("Ignition reads `{CONFIG}` (version {version}), before any fw_cfg entry"))
        }
        Err((outcome, why)) => finding(outcome, format!("`{CONFIG}` {why}")),
    }
}

/// Reads the version out of a config, or tells how it ends.
fn config(content: &[u8]) -> Result<String, (Outcome, String)> {
    if content.trim_ascii().is_empty() {
        return Err((Outcome::Ignored, "is empty: nothing is provisioned, and nothing says so".into()));
    }
    if content.starts_with(b"\xef\xbb\xbf") {
        return Err((Outcome::Fails, "begins with a byte order mark: Ignition refuses it, the boot fails".into()));
    }
    let named = version(content).map_err(|error| {
        let error = one_line(&error.to_string(), 80);
        (Outcome::Fails, format!("is not valid JSON ({error}): the boot fails"))
    })?;
    match named {
        Some(version) if VERSIONS.contains(&version.as_str()) => Ok(version),
        Some(version) => {
            let version = one_line(&version, 20);
            Err((Outcome::Fails, format!("has version `{version}`: MicroOS takes 3.0.0 to 3.6.0, the boot fails")))
        }
        None => Err((Outcome::Fails, "names no `ignition.version`: the boot fails".into())),
    }
}

/// Finds the version that a config names; of a large one only that is held.
fn version(content: &[u8]) -> serde_json::Result<Option<String>> {
    #[derive(serde::Deserialize)]
    struct Config {
        ignition: Header,
    }
    #[derive(serde::Deserialize)]
    struct Header {
        version: String,
    }
    if content.len() > HELD {
        return match serde_json::from_slice::<Config>(content) {
            Ok(config) => Ok(Some(config.ignition.version)),
            Err(_) => serde_json::from_slice::<serde::de::IgnoredAny>(content).map(|_| None),
        };
    }
    let json: serde_json::Value = serde_json::from_slice(content)?;
    Ok(json.pointer("/ignition/version").and_then(serde_json::Value::as_str).map(str::to_owned))
}

fn combustion(files: &mut dyn Files, left: &mut Left) -> Option<Finding> {
    files.find("combustion").filter(|found| found.is_directory)?;
    let Some(script) = files.file(SCRIPT) else {
        return Some(finding(Outcome::Fails, "`combustion/` has no `script`: the boot fails"));
    };
    let content = match content(files, script, SCRIPT, left) {
        Ok(content) => content,
        Err(finding) => return Some(finding),
    };
    if content.windows(2).any(|pair| pair == b"\r\n") {
        return Some(finding(
            Outcome::Fails,
            format!("`{SCRIPT}` has Windows line ends: its commands fail, and the boot"),
        ));
    }
    let after = if files.find(CONFIG).is_some() { ", after Ignition" } else { "" };
    Some(finding(Outcome::Applied, format!("Combustion runs `{SCRIPT}`{after}, unless fw_cfg holds another")))
}

/// What becomes of Combustion's part where Ignition, which runs first, fails the boot.
fn unreached() -> Finding {
    finding(Outcome::Ignored, "`combustion/` is not reached: Ignition fails the boot before")
}

/// Returns what the guest does with a volume whose files are not read, by its label.
pub(super) fn unread(label: &str) -> Option<Finding> {
    let text = match label {
        "ignition" => format!("Ignition and Combustion look at the label `ignition`, at `{CONFIG}` and `combustion/`"),
        "combustion" | "COMBUSTION" => "Combustion looks at this label, at `combustion/`".to_owned(),
        "IGNITION" => "Combustion looks at this label; Ignition does not, for it is in upper case".to_owned(),
        _ => return None,
    };
    Some(finding(Outcome::Applied, text))
}
