//! What `install` and `uninstall` print. Touches the terminal through its voice.

use serde_json::json;

use super::commands::lossy;
use super::out::Voice;
use crate::base::ByteSize;
use crate::ops::install::{Installed, State};
use crate::ops::uninstall::Uninstalled;

/// Prints the instance's directory, or what would be done.
pub(super) fn print(voice: &Voice, installed: &Installed) {
    if voice.is_json() {
        return voice.json(&to_json(installed));
    }
    installed.doubts.iter().for_each(|doubt| voice.say(&format!("note: {doubt}")));
    if installed.state == State::Planned {
        return print_plan(voice, installed);
    }
    voice.data(&format!("{}\n", installed.directory.display()));
    let mut rows = vec![
        ("instance", installed.directory.display().to_string()),
        ("domain", format!("{}, {}, of {}", installed.name, installed.identity.uuid, installed.connect)),
    ];
    if installed.state == State::Running {
        rows.push(("state", "running".to_owned()));
    } else {
        rows.push(("start it", installed.next.clone()));
    }
    rows.push(("remove it", installed.remove.clone()));
    voice.say_aligned(&rows);
}

fn print_plan(voice: &Voice, installed: &Installed) {
    let directory = installed.directory.display();
    let mut lines = vec![];
    for (name, size, is_shared) in &installed.files {
        let shared = if *is_shared { ", shared with other instances" } else { "" };
        lines.push(format!("write   {directory}/{name}  {}{shared}\n", ByteSize(*size)));
    }
    lines.extend(installed.commands.iter().map(|command| format!("run     {command}\n")));
    voice.data(&lines.concat());
    let free = installed.free.map_or("unknown".to_owned(), |free| ByteSize(free).to_string());
    voice.say_aligned(&[
        ("domain", format!("{}, {}, of {}", installed.name, installed.identity.uuid, installed.connect)),
        (
            "space",
            format!(
                "at most {} are copied, {free} are free; disks grow as the guest writes",
                ByteSize(installed.needed)
            ),
        ),
        ("done", "nothing: this was a dry run, and nothing stands in the way".to_owned()),
    ]);
}

fn to_json(installed: &Installed) -> serde_json::Value {
    let files = installed.files.iter();
    json!({
        "name": installed.name,
        "uuid": installed.identity.uuid,
        "mac": installed.identity.mac,
        "directory": lossy(&installed.directory),
        "connect": installed.connect,
        "state": match installed.state {
            State::Planned => "planned",
            State::Defined => "defined",
            State::Running => "running",
        },
        "files": files.map(|(path, size, shared)| json!({ "path": path, "size": size, "shared": shared })).collect::<Vec<_>>(),
        "needed": installed.needed,
        "free": installed.free,
        "commands": installed.commands,
        "next": installed.next,
        "remove": installed.remove,
        "notes": installed.doubts,
    })
}

/// Tells what is left, if anything.
pub(super) fn print_gone(voice: &Voice, gone: &Uninstalled) {
    if voice.is_json() {
        let paths = |all: &[std::path::PathBuf]| all.iter().map(|path| lossy(path)).collect::<Vec<_>>();
        return voice.json(&json!({
            "name": gone.name,
            "directory": lossy(&gone.directory),
            "connect": gone.connect,
            "undefined": gone.undefined,
            "kept": paths(&gone.kept),
            "foreign": paths(&gone.foreign),
            "delete": gone.delete,
        }));
    }
    // Each is a path one may hand on.
    gone.kept.iter().for_each(|path| voice.data(&format!("{}\n", path.display())));
    let domain = if gone.undefined { "its domain is undefined" } else { "libvirt knew no domain of it" };
    voice.say(&format!("`{}` is gone from {}; {domain}", gone.name, gone.connect));
    for path in &gone.foreign {
        voice.say(&format!("left alone  {} (not made by `install`)", path.display()));
    }
    if let Some(delete) = &gone.delete {
        voice.say(&format!("the guest has written the disks above, so they are kept; `{delete}` deletes them"));
    }
}
