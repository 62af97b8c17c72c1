//! What a file is, by its content. Touches nothing.

use super::input::{InputFile, LIMIT};
use crate::base::{Code, Diagnostic, text::one_line};

/// What can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ignition,
    /// A Combustion script.
    Script,
    /// A shell script or text with a `virt-install` command.
    Command,
    /// libvirt's XML of a domain.
    Domain,
    /// Something else: a file that lies beside a script.
    Plain,
}

impl Kind {
    /// Returns what it is called in a sentence.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Ignition => "an Ignition config",
            Self::Script => "a Combustion script",
            Self::Command => "a virt-install command",
            Self::Domain => "a domain XML",
            Self::Plain => "nothing that can be imported",
        }
    }
}

/// Returns what a file is.
///
/// # Errors
/// What is too large, or known to be something that has to be turned into another thing first.
pub(super) fn of(input: &InputFile) -> Result<Kind, Diagnostic> {
    let shown = one_line(&input.shown, 200);
    if input.bytes.len() as u64 > LIMIT.0 {
        return Err(Diagnostic::new(Code::Recipe, format!("`{shown}` is larger than {LIMIT}")));
    }
    if input.is_side_file {
        return Ok(Kind::Plain);
    }
    let bytes = input.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&input.bytes).trim_ascii_start();
    if bytes.is_empty() {
        return Err(Diagnostic::new(Code::Recipe, format!("`{shown}` is empty")));
    }
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    match (bytes.first(), text) {
        (Some(b'{' | b'['), _) => Ok(Kind::Ignition),
        (Some(b'<'), _) => Ok(Kind::Domain),
        (_, Some(text)) if has_command(text) => Ok(Kind::Command),
        (_, Some(text)) => foreign(text, &shown).map_or_else(|| Ok(shell(text)), Err),
        (_, None) if bytes.starts_with(b"#!") => Ok(Kind::Script),
        (_, None) => Ok(Kind::Plain),
    }
}

fn shell(text: &str) -> Kind {
    let magic = || text.lines().any(|line| line.starts_with("# combustion:"));
    if text.starts_with("#!") || magic() { Kind::Script } else { Kind::Plain }
}

/// Returns whether some line runs virt-install; whether it can be read is found out later.
fn has_command(text: &str) -> bool {
    let is_command = |word: &str| word.rsplit('/').next() == Some("virt-install");
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#') || line.starts_with("# virt-install"));
    code.flat_map(|line| line.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '('))).any(is_command)
}

/// Knows what people may take for one of the formats.
fn foreign(text: &str, shown: &str) -> Option<Diagnostic> {
    let key = |name: &str| text.lines().any(|line| line.starts_with(name));
    let (what, hint) = if text.starts_with("#cloud-config") {
        (
            "is for cloud-init, which the self-install and kvm images of MicroOS do not have",
            "write `[provision]` by hand",
        )
    } else if key("variant:") && key("version:") {
        ("is a Butane config", "turn it into an Ignition config first: butane --strict FILE > config.ign")
    } else if crate::recipe::is_recipe(text) {
        ("is a recipe already", "build it: arca-build FILE")
    } else {
        return None;
    };
    Some(Diagnostic::new(Code::Usage, format!("`{shown}` {what}")).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::RecipePath;

    fn kind(bytes: &[u8]) -> Result<Kind, String> {
        let path = RecipePath::parse("x").unwrap();
        of(&InputFile { shown: "x".into(), bytes: bytes.to_vec(), path, is_side_file: false })
            .map_err(|problem| problem.headline)
    }

    #[test]
    fn what_a_file_is_is_told_by_its_content() {
        for (bytes, expected) in [
            (&b"{\"ignition\": {}}"[..], Kind::Ignition),
            (b"\n  {}", Kind::Ignition),
            (b"\xef\xbb\xbf{}", Kind::Ignition),
            (b"<domain/>", Kind::Domain),
            (b"<?xml version='1.0'?><domain/>", Kind::Domain),
            (b"virt-install --name x", Kind::Command),
            (b"#!/bin/sh\nset -e\nsudo /usr/bin/virt-install \\\n --name x", Kind::Command),
            (b"$ virt-install --import", Kind::Command),
            (b"# virt-install --import", Kind::Command),
            (b"#!/bin/bash\n# combustion: network\nzypper in virt-install-x\n", Kind::Script),
            (b"#!/bin/bash\n# install virt-install later\n", Kind::Script),
            (b"# combustion: network\ntrue\n", Kind::Script),
            (b"#!/bin/bash\necho \xff\n", Kind::Script),
            (b"hello\n", Kind::Plain),
            (b"\0\x01", Kind::Plain),
        ] {
            assert_eq!(kind(bytes), Ok(expected), "{}", String::from_utf8_lossy(bytes));
        }
        for (bytes, words) in [
            (&b" \n"[..], "empty"),
            (b"#cloud-config\nusers: []\n", "cloud-init"),
            (b"variant: fcos\nversion: 1.5.0\n", "Butane"),
            (b"format = 1\nname = \"a\"\n[base]\nurl = \"b\"\n", "recipe already"),
            (&[b' '; (1 << 20) + 1], "larger than"),
        ] {
            assert!(kind(bytes).unwrap_err().contains(words), "{words}");
        }
    }
}
