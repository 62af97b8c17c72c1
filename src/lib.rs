//! THE MAP of arca-build: from one TOML recipe to one provisioned, reproducible VM bundle, in one process.
//!
//! # The one-way flow
//!
//! ```text
//! TOML text ──recipe──▶ Recipe ──lock──▶ Questions ──(update asks fetch)──▶ Lock
//! Recipe + Lock + LocalFiles ──provision, plan──▶ Plan       pure, hashed, printable
//! Plan ──realise over (Store, Fetch)──▶ Realised              the only place effects meet
//! Realised ──bundle──▶ a directory: disks, configs, launch files, manifest
//! a bundle ──vm──▶ an instance: its directory, its domain or its QEMU, what it reports
//! any Diagnostic ──report──▶ text or JSON, and an exit code ──cli──▶ the terminal
//! ```
//!
//! Every command is a walk along this line: `check` and `plan` stop at `Plan`, `update` at `Lock`, `fetch` realises the
//! inputs, `build` goes to the end, `verify` re-hashes, `diff` compares two plans or two bundles, `export` and `import`
//! carry what a rebuild needs elsewhere, `mirror` lays the inputs out for others, `store gc` keeps what the roots reach; `run`
//! and `install` go on to an instance, `run --test` to what its guest reports, `doctor` reads what its console said.
//!
//! # The floors
//!
//! A module names only modules above it in this table, and of those only the ones in its row; a test in `tests/house`
//! reads the table here and compares it with the arrows in the code.
//!
//! | module | what it is | may name | may touch |
//! |---|---|---|---|
//! | `base` | the words everyone uses: digests, names, sizes, URLs that hide their secrets, events, problems | – | nothing |
//! | `stream` | readers and writers that hash, verify, bound and count while bytes pass | base | nothing |
//! | `format` | other people's formats as pure bytes: TOML with places, FAT, qcow2, GPT, ISO, Ignition, Combustion, checksum files, OpenPGP signatures, lists of mirrors, compressed files, our archive | base stream | nothing |
//! | `inspect` | what a file is and holds; bounded readers only | base format | nothing |
//! | `guest_report` | what a guest's report should say, and a judgement of what it says | base format | nothing |
//! | `recipe` | TOML text → `Recipe` as written, every complaint with line and column | base format | nothing |
//! | `machine` | a machine in libvirt's, virt-install's and QEMU's words: one row for each hardware key, read in both directions | base format recipe | nothing |
//! | `provision` | what the user wants in the guest → Ignition config and/or Combustion script | base guest_report format recipe | nothing |
//! | `lock` | what each input was when we last asked: `Pin`, `Lock`, `Question`; reading what a publisher answers | base format recipe | nothing |
//! | `plan` | (`Recipe`, pins, `LocalFiles`) → `Plan`: derivations, canonical encoding, ids | base guest_report recipe provision lock | nothing |
//! | `compare` | what differs between two bundles' files or two plans: the file in the volume, the key, the line | base format plan | nothing |
//! | `emit` | machine → domain XML, virt-install, qemu and install scripts; one quoting function per target | base format machine plan | nothing |
//! | `import_config` | an existing config, script, command line or domain XML → recipe text | base format guest_report recipe machine | nothing |
//! | `doctor` | a serial log → the known failures of a first boot in it, with the fix; what is known is a data file | base | nothing |
//! | `fs` | the one way files appear: temporary, synced, renamed, swept; sparse copies that hash | base stream | files its caller owns |
//! | `store` | the only hand in the cache directory: objects, realisations, bundles, roots, collection | base stream fs | cache directory |
//! | `fetch` | the only door to the network: HTTP(S), resume, and `Offline`, which refuses | base stream | network |
//! | `host` | this machine: environment, clock, randomness, files the user named | base stream fs | those |
//! | `realise` | walk the plan: reuse, else build; record it | base stream format plan recipe store fetch host | through them |
//! | `bundle` | a realised plan as a directory of named files with a manifest; verify | base format plan emit store host realise | through store, host |
//! | `transfer` | everything a rebuild needs, as one deterministic file, and back | base stream format recipe lock plan store host | through store, host |
//! | `vm` | other programs and the machines QEMU runs and keeps: nothing that makes a byte of a bundle | base stream fs format guest_report plan emit doctor | processes, instance directories |
//! | `libvirt` | domains that libvirt runs: preflight, what was installed, virsh | base plan vm fs | processes, instance directories |
//! | `report` | a failure as a person meets it: code, exit class, text, JSON | base | nothing |
//! | `commands` | one file for each command: what it does, and what it prints through `Printer` | base stream inspect guest_report recipe provision lock machine plan compare emit import_config doctor store fetch host realise bundle transfer vm libvirt report | through the above, terminal |
//! | `cli` | flags, help, dispatch, completions, the man page | base host vm report commands | terminal |
//!
//! `clippy.toml` fences the effects: everything from `base` to `doctor` is values in, values or bytes out.
//!
//! # The laws
//!
//! 1. Nothing unverified is ever visible under a final name.
//! 2. Nothing is used without being verified again, or reached by an unbroken descriptor from its verification; only a
//!    command that merely links or names a store object may trust its stamp (inode, size, mtime).
//! 3. Every failure ends in bounded time, memory and disk, with a stable code, and in a state in which the same command
//!    without flags succeeds once the cause is gone.
//! 4. Bytes are a function of the plan: no clock, host, user, path, locale, map order or thread order reaches one. A
//!    builder whose bytes change bumps its revision, so the id changes with them; a golden test demands it.
//! 5. Secrets (hashes, keys, URL credentials, provisioned content) show as `***` and lie in files of mode 0400.
//! 6. stdout is data, stderr is talk, and nothing a server, recipe or image said reaches either with a control character.

pub(crate) mod base;
pub(crate) mod bundle;
pub mod cli;
pub(crate) mod commands;
pub(crate) mod compare;
pub(crate) mod doctor;
pub(crate) mod emit;
pub(crate) mod fetch;
pub(crate) mod format;
pub(crate) mod fs;
pub(crate) mod guest_report;
pub(crate) mod host;
pub(crate) mod import_config;
pub(crate) mod inspect;
pub(crate) mod libvirt;
pub(crate) mod lock;
pub(crate) mod machine;
pub(crate) mod plan;
pub(crate) mod provision;
pub(crate) mod realise;
pub(crate) mod recipe;
pub(crate) mod report;
pub(crate) mod store;
pub(crate) mod stream;
#[doc(hidden)]
pub mod testing;
pub(crate) mod transfer;
pub(crate) mod vm;

#[cfg(test)]
#[path = "../tests/mod.rs"]
mod tests;
