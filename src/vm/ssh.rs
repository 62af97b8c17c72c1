//! ssh to a kept machine: its own list of known hosts, as every machine is 127.0.0.1. Becomes the program ssh.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;

use super::Program;
use super::disks::DISKS;
use crate::base::{Code, Diagnostic, Name};

/// The known hosts of an instance; among its disks, as the host's key is on them and goes back with them.
const KNOWN_HOSTS: &str = "known_hosts";

/// Writes ssh's arguments (ssh(1), ssh_config(5)).
///
/// # Errors
///
/// `E_USAGE` where the directory's path cannot be told to ssh.
pub(crate) fn arguments(
    directory: &Path,
    name: &Name,
    port: u16,
    user: &str,
    words: &[OsString],
) -> Result<Vec<OsString>, Diagnostic> {
    let mut known: OsString = "UserKnownHostsFile=".into();
    known.push(configured(&directory.join(DISKS).join(KNOWN_HOSTS))?);
    let option = |value: OsString| [OsString::from("-o"), value];
    let mut arguments: Vec<OsString> = ["-p".into(), port.to_string().into(), "-l".into(), user.into()].to_vec();
    arguments.extend(option(format!("HostKeyAlias={name}").into()));
    arguments.extend(option(known));
    arguments.extend(option("StrictHostKeyChecking=accept-new".into()));
    arguments.push("127.0.0.1".into());
    arguments.extend(words.iter().cloned());
    Ok(arguments)
}

/// Writes a path as one word of a configuration line (ssh_config(5), "TOKENS", "ENVIRONMENT VARIABLES"): between quotes, and
/// with every `%` doubled, which would begin a token. For `${` and what ends the word there is no spelling in every ssh.
fn configured(path: &Path) -> Result<OsString, Diagnostic> {
    let bytes = path.as_os_str().as_bytes();
    let is_bad = |byte: &u8| *byte == b'"' || *byte == b'\\' || byte.is_ascii_control();
    if bytes.windows(2).any(|pair| pair == b"${") || bytes.iter().any(is_bad) {
        let shown = crate::base::text::one_line(&path.to_string_lossy(), 300);
        return Err(Diagnostic::new(Code::Usage, format!("`{shown}` cannot be told to ssh"))
            .cause("`${`, quotes, backslashes and control characters have a meaning in its configuration")
            .hint("keep the machines in another directory: `--vms DIR`, or ARCA_VMS"));
    }
    let doubled = bytes.iter().flat_map(|byte| std::iter::repeat_n(*byte, if *byte == b'%' { 2 } else { 1 }));
    Ok(OsString::from_vec([b"\""].into_iter().flatten().copied().chain(doubled).chain([b'"']).collect()))
}

/// Becomes ssh; returns only where that fails.
pub(crate) fn become_ssh(ssh: &Program, arguments: &[OsString]) -> Diagnostic {
    let error = ssh.command().args(arguments).exec();
    Diagnostic::io(format!("`{}` cannot be started", ssh.path().display()), &error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_that_ssh_does_not_expand() {
        for (path, word) in [
            ("/a b/c", Some("\"/a b/c\"")),
            ("/100%z/%%/$HOME/{x}", Some("\"/100%%z/%%%%/$HOME/{x}\"")),
            ("/${HOME}", None),
            ("/a\"b", None),
            ("/a\\b", None),
            ("/a\nb", None),
        ] {
            assert_eq!(configured(Path::new(path)).ok(), word.map(OsString::from), "{path}");
        }
    }
}
