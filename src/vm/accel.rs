//! Which accelerator a machine runs with: what KVM can do is tried, not guessed. Starts QEMU for a moment.
//!
//! That `/dev/kvm` can be opened says little: in a container it may be another kernel's, in a nested machine half of the
//! processor's features may be missing, and QEMU then aborts or its guest stands still. So a guest of eight instructions is
//! run the way the machine would be; only where it ends by itself is KVM taken.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::Program;
use crate::base::{Arch, Code, Diagnostic};
use crate::plan::Accel;

/// What was decided, and why, for the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub accel: Accel,
    pub why: String,
}

/// How long the tiny guest may take: it needs a tenth of a second.
const LIMIT: Duration = Duration::from_secs(5);
/// What the tiny guest writes to QEMU's `isa-debug-exit` device, and the exit code that QEMU makes of it.
const WORD: u8 = 0x2a;
const EXIT: i32 = (WORD as i32) << 1 | 1;

/// Chooses an accelerator: what was `asked`, else what the recipe says, and KVM only where it works.
///
/// `scratch` is a directory that nobody else sees.
///
/// # Errors
///
/// `E_PREFLIGHT` where KVM was asked for by name and does not work.
pub(crate) fn choose(
    asked: Option<Accel>,
    recipe: Accel,
    arch: Arch,
    qemu: &Program,
    scratch: &Path,
) -> Result<Chosen, Diagnostic> {
    let emulation = |why: String| Ok(Chosen { accel: Accel::Tcg, why });
    match (asked, recipe) {
        (Some(Accel::Tcg), _) => return emulation("`--accel tcg` asks for it".into()),
        (None, Accel::Tcg) => return emulation("the recipe says `accel = \"tcg\"`".into()),
        _ => {}
    }
    match (kvm(arch, qemu, scratch), asked) {
        (Ok(()), _) => Ok(Chosen { accel: Accel::Kvm, why: "a tiny guest ran with it".into() }),
        (Err(why), None) => emulation(format!("KVM does not work here: {why}")),
        (Err(why), Some(_)) => Err(Diagnostic::new(Code::Preflight, "KVM does not work here")
            .cause(why)
            .hint("leave `--accel kvm` out, or take `--accel tcg`: slower, and the same otherwise")),
    }
}

/// Returns why KVM cannot be used, if so.
fn kvm(arch: Arch, qemu: &Program, scratch: &Path) -> Result<(), String> {
    let host = std::env::consts::ARCH;
    if arch.as_str() != host {
        return Err(format!("the machine is {arch}, this one is {host}"));
    }
    std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => "you may not open `/dev/kvm`; mostly the group `kvm` may".to_owned(),
        _ => format!("`/dev/kvm`: {error}"),
    })?;
    if arch == Arch::X86_64 { tiny_guest(qemu, scratch) } else { Ok(()) }
}

/// A firmware image whose reset vector says `mov al, WORD; out 0xf4, al; hlt`.
fn tiny_firmware() -> Vec<u8> {
    let mut image = vec![0xf4; 0x1_0000];
    image[0xfff0..0xfff5].copy_from_slice(&[0xb0, WORD, 0xe6, 0xf4, 0xf4]);
    image
}

fn tiny_guest(qemu: &Program, scratch: &Path) -> Result<(), String> {
    let firmware = scratch.join("probe.bin");
    std::fs::write(&firmware, tiny_firmware()).map_err(|error| error.to_string())?;
    let machine = ["-machine", "q35", "-accel", "kvm", "-cpu", "max", "-m", "16M", "-nodefaults", "-no-user-config"];
    let device = ["-display", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-bios"];
    let words = machine.into_iter().chain(device).map(OsString::from).chain([firmware.into()]);
    let ended = qemu.clone().within(LIMIT).run(&words.collect::<Vec<_>>()).map_err(|problem| problem.headline)?;
    match ended.status {
        Some(EXIT) => Ok(()),
        _ => Err(ended.last_error().unwrap_or_else(|| "QEMU ended at once with it".into())),
    }
}
