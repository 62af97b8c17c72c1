//! Combustion scripts: what one must be to run on a first boot, and how text is quoted for one. Touches nothing.
//!
//! Source: openSUSE/combustion, README and `combustion`. The file `script` is copied to `/dev/shm/combustion/config`, made
//! executable and run there; its magic comments are found by `grep -E '^# combustion:(.*)\<network\>'`, in any line, here
//! documents included. Read next: `provision::combustion`, which writes scripts.

mod quote;

pub(crate) use quote::{Payload, payload, quote, script_payload};

/// The most that a script may hold.
pub(crate) const SCRIPT_LIMIT: usize = 1 << 20;

/// What a script asks of Combustion by its magic comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    /// Wants the network up before it runs.
    pub network: bool,
    /// Is also run in the initrd, before the network, with the argument `--prepare`.
    pub prepare: bool,
}

impl Flags {
    /// Returns the magic comment line without its line end; `None` when nothing is asked.
    pub(crate) const fn line(self) -> Option<&'static str> {
        match (self.network, self.prepare) {
            (true, true) => Some("# combustion: network prepare"),
            (true, false) => Some("# combustion: network"),
            (false, true) => Some("# combustion: prepare"),
            (false, false) => None,
        }
    }
}

/// One remark about a script; `line` counts from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScriptWarning {
    pub line: u32,
    /// Lower case, no full stop; never shows the line, which may hold a secret.
    pub text: String,
}

/// What is known of a script that will run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inspected {
    pub flags: Flags,
    /// Oddities that do not stop it.
    pub oddities: Vec<ScriptWarning>,
}

/// Looks at a ready-made script; what would fail the boot is refused, all of it at once, and nothing is mended.
pub(crate) fn inspect(bytes: &[u8]) -> Result<Inspected, Vec<ScriptWarning>> {
    let faults = faults(bytes);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut oddities = vec![];
    if !bytes.starts_with(b"#!") {
        let what = "the script has no `#!` line, so whatever shell Combustion uses runs it; begin with `#!/bin/bash`";
        oddities.push(remark(1, what));
    }
    if !bytes.ends_with(b"\n") {
        oddities.push(remark(lines(bytes).count(), "the last line has no line end"));
    }
    let flags = flags(bytes, &mut oddities);
    Ok(Inspected { flags, oddities })
}

fn faults(bytes: &[u8]) -> Vec<ScriptWarning> {
    let mut faults = vec![];
    if bytes.iter().all(u8::is_ascii_whitespace) {
        faults.push(remark(1, "the script is empty"));
    }
    if bytes.len() > SCRIPT_LIMIT {
        faults.push(remark(1, "the script is larger than 1 MiB"));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        faults.push(remark(1, "the script begins with a byte-order mark, so the kernel does not see its `#!`"));
    }
    for (byte, text) in [
        (b'\r', "carriage return: with Windows line ends the kernel looks for an interpreter named `bash\\r`"),
        (0, "NUL byte: shells drop it or stop there"),
    ] {
        if let Some(index) = lines(bytes).position(|line| line.contains(&byte)) {
            faults.push(remark(index + 1, text));
        }
    }
    faults
}

fn remark(line: usize, text: &str) -> ScriptWarning {
    ScriptWarning { line: u32::try_from(line).unwrap_or(u32::MAX), text: text.to_owned() }
}

/// Splits at line ends; a final line end begins no further line.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n')
}

/// Returns whether Combustion's grep would look at this line.
pub(crate) fn is_magic(line: &[u8]) -> bool {
    line.starts_with(b"# combustion:")
}

fn flags(bytes: &[u8], oddities: &mut Vec<ScriptWarning>) -> Flags {
    let mut flags = Flags::default();
    for (index, line) in lines(bytes).enumerate().filter(|(_, line)| is_magic(line)) {
        let before = flags;
        for word in line[b"# combustion:".len()..].split(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_')) {
            match word {
                b"network" => flags.network = true,
                b"prepare" => flags.prepare = true,
                _ => {}
            }
        }
        if flags == before {
            oddities.push(remark(index + 1, "a `# combustion:` line that adds neither `network` nor `prepare`"));
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_10_scripts_that_would_fail_the_boot_are_refused_with_the_line() {
        for (bytes, line, word) in [
            (&b"#!/bin/bash\r\ntrue\r\n"[..], 1, "carriage return"),
            (b"#!/bin/sh\ntrue\r\n", 2, "carriage return"),
            (b"#!/bin/sh\ntrue\nec\0ho\n", 3, "NUL"),
            (b"\xef\xbb\xbf#!/bin/sh\n", 1, "byte-order mark"),
            (b"", 1, "empty"),
            (b" \n\t\n", 1, "empty"),
            (&[b'#'; SCRIPT_LIMIT + 1], 1, "1 MiB"),
        ] {
            let faults = inspect(bytes).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert_eq!(faults[0].line, line, "{faults:?}");
            assert!(faults[0].text.contains(word), "{faults:?}");
        }
        assert_eq!(inspect(b"\xef\xbb\xbf#!\r\n\0").unwrap_err().len(), 3, "all at once");
    }

    #[test]
    fn out_10_oddities_are_told_but_do_not_stop() {
        let texts = |bytes: &[u8]| inspect(bytes).unwrap().oddities.iter().map(|odd| odd.line).collect::<Vec<_>>();
        assert!(texts(b"#!/bin/sh\ntrue\n").is_empty());
        assert_eq!(texts(b"true\n"), [1]);
        assert_eq!(texts(b"#!/bin/sh\ntrue"), [2]);
        assert_eq!(texts(b"#!/bin/sh\n# combustion: networking\n"), [2]);
    }

    #[test]
    fn flags_are_found_as_combustion_finds_them() {
        let flags = |text: &str| inspect(text.as_bytes()).unwrap().flags;
        for (line, network, prepare) in [
            ("# combustion: network", true, false),
            ("# combustion:network", true, false),
            ("# combustion: prepare, network", true, true),
            ("# combustion: network-prepare", true, true),
            ("# combustion: networks prepared", false, false),
            ("#combustion: network", false, false),
            (" # combustion: network", false, false),
        ] {
            assert_eq!(flags(&format!("#!/bin/sh\n{line}\n")), Flags { network, prepare }, "{line}");
        }
        let inside = "#!/bin/sh\ncat <<E\n# combustion: prepare\nE\n# combustion: network\n";
        assert_eq!(flags(inside), Flags { network: true, prepare: true }, "grep does not know here documents");
    }

    #[test]
    fn a_flag_line_reads_back() {
        for (network, prepare) in [(false, false), (false, true), (true, false), (true, true)] {
            let flags = Flags { network, prepare };
            let text = format!("#!/bin/sh\n{}\n", flags.line().unwrap_or("true"));
            assert_eq!(inspect(text.as_bytes()).unwrap().flags, flags);
        }
    }
}
