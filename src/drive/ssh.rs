//! ssh to a kept machine: its own list of known hosts, as every machine is 127.0.0.1. Becomes the program ssh.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;

use super::Program;
use super::disks::DISKS;
use crate::base::{Name, Problem};

/// The known hosts of an instance; among its disks, as the host's key is on them and goes back with them.
const KNOWN_HOSTS: &str = "known_hosts";

/// Writes ssh's arguments (ssh(1), ssh_config(5)).
pub fn arguments(directory: &Path, name: &Name, port: u16, user: &str, words: &[OsString]) -> Vec<OsString> {
    // A path in a configuration line is one word between quotes.
    let mut known: OsString = "UserKnownHostsFile=\"".into();
    known.push(directory.join(DISKS).join(KNOWN_HOSTS));
    known.push("\"");
    let option = |value: OsString| [OsString::from("-o"), value];
    let mut arguments: Vec<OsString> = ["-p".into(), port.to_string().into(), "-l".into(), user.into()].to_vec();
    arguments.extend(option(format!("HostKeyAlias={name}").into()));
    arguments.extend(option(known));
    arguments.extend(option("StrictHostKeyChecking=accept-new".into()));
    arguments.push("127.0.0.1".into());
    arguments.extend(words.iter().cloned());
    arguments
}

/// Becomes ssh; returns only where that fails.
pub fn become_ssh(ssh: &Program, arguments: &[OsString]) -> Problem {
    let error = ssh.command().args(arguments).exec();
    Problem::io(format!("`{}` cannot be started", ssh.path().display()), &error)
}
