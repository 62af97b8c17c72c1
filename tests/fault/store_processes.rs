//! The store among several threads and processes, under a small disk, a read-only place, failing system calls and
//! kills. Touches temporary directories and processes of its own. Read next: src/store/mod.rs.
//!
//! A test that needs another process starts this very program again with the name of one test, [`helper`], and tells it by
//! an environment variable what to do.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::base::{Code, DerivationId, Diagnostic, Digest};
use crate::store::{BundleEntry, Collect, DownloadLock, Privacy, Repair, Source, Store};
use crate::stream::Sink;

use super::store::{ReportState, code, deaf, files_in, noise, object_path, partial, patient, snapshot, world};
use super::store_bundles::{entries, name, plan, publish};
use super::store_collector::older_than;
use crate::tests::support;

const TASK: &str = "ARCA_STORE_TASK";
const CACHE: &str = "ARCA_STORE_CACHE";

/// A command that runs one task of [`helper`] on a store.
fn task(cache: &Path, task: &str) -> Command {
    by(&std::env::current_exe().unwrap(), cache, task)
}

fn by(program: &Path, cache: &Path, task: &str) -> Command {
    let mut command = Command::new(program);
    command.args(&support::ourselves(module_path!(), "helper")[1..]);
    command.env(TASK, task).env(CACHE, cache).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn shown(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    shown(&output)
}

/// Everything a build does with the store, in one go; what `big` says is larger than a few buffers.
fn spine(store: &Store) -> Result<(), Diagnostic> {
    let bytes = noise(400_000, 21);
    let digest = Digest::of(&bytes);
    if let DownloadLock::Ours(mut partial) = store.lock_download(&digest, "base")? {
        if partial.position() > 400_000 {
            partial.restart()?;
        }
        let from = partial.position() as usize;
        partial.append(&bytes[from..])?;
        let resumed = partial.is_resumed();
        match partial.finish(Some(400_000), None) {
            Err(problem) if resumed && problem.code == Code::Hash => return spine(store),
            other => other?,
        };
    }
    let base = store.find(&digest)?.unwrap();
    let id = DerivationId(Digest::of(b"grown"));
    let grown = match store.realisation(&id) {
        Some(grown) => grown,
        None => {
            let mut writer = store.create(Privacy::Public, None)?;
            store.copy_verified(&base, &mut writer, &[(24, vec![7; 8])], "copy")?;
            let grown = writer.finish(None, None)?;
            store.record(&id, &grown, "0")?;
            grown
        }
    };
    let config = store.put(b"config", Privacy::Provisioning)?;
    let entry = |file_name: &str, source| BundleEntry { file_name: file_name.into(), source };
    let entries = [
        entry("base.qcow2", Source::Object(base)),
        entry("system.qcow2", Source::Object(grown)),
        entry("config.ign", Source::Object(config)),
        entry("run-qemu.sh", Source::Bytes { bytes: b"#!/bin/sh\n".to_vec(), mode: 0o555 }),
    ];
    store.publish_bundle(&plan(), &name(), &entries).map(drop)
}

/// Demands that the store holds what [`spine`] made, right and whole, and nothing half done under a final name.
fn check_spine(cache: &Path) {
    let store = Store::open(cache, &deaf).unwrap();
    let report = store.verify_and(Repair::No).unwrap();
    assert_eq!((report.objects, report.damaged), (3, vec![]));
    let bundle = store.bundle(&plan(), &name()).unwrap().unwrap();
    let digests: Vec<_> = bundle.files().iter().map(|file| file.digest).collect();
    let mut grown = noise(400_000, 21);
    let base = Digest::of(&grown);
    grown[24..32].fill(7);
    let expected = [base, Digest::of(b"config"), Digest::of(b"#!/bin/sh\n"), Digest::of(&grown)];
    assert_eq!(digests, expected);
    assert_eq!(store.realisation(&DerivationId(Digest::of(b"grown"))).map(|o| o.digest()), Some(expected[3]));
    assert!(files_in(&cache.join("tmp")).is_empty(), "{:?}", files_in(&cache.join("tmp")));
}

/// Runs a task in a process of its own; not a test.
#[test]
#[ignore = "a process that other tests start"]
fn helper() {
    let Some(task) = std::env::var_os(TASK) else { return };
    let cache = PathBuf::from(std::env::var_os(CACHE).unwrap());
    let store = Store::open(&cache, &deaf).unwrap();
    match task.to_str().unwrap() {
        "spine" => match spine(&store) {
            Ok(()) => say("done"),
            Err(problem) => {
                say(&format!("{problem:?}"));
                std::process::exit(3);
            }
        },
        "bring slowly" => {
            let mut partial = partial(&store, &Digest::of(b"slow bytes"));
            partial.append(b"slow").unwrap();
            say("holding");
            std::thread::sleep(Duration::from_secs(60));
        }
        "read only" => read_only(&store),
        "file limit" => file_limit(&store),
        "small disk" => small_disk(&store),
        "memory" => memory(&store),
        other => panic!("{other}"),
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{text}").and_then(|()| out.flush()).unwrap();
}

fn wait_for_line(child: &mut Child, text: &str) {
    use std::io::BufRead;
    let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains(text)));
}

#[test]
fn cas_07_sixty_four_threads_put_the_same_object() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let bytes = noise(300_000, 9);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let mut writer = store.create(Privacy::Public, None).unwrap();
                writer.write_all(&bytes).unwrap();
                assert_eq!(writer.finish(None, None).unwrap().digest(), Digest::of(&bytes));
            });
        }
    });
    let report = store.verify_and(Repair::No).unwrap();
    assert_eq!((report.objects, report.damaged), (1, vec![]));
    assert!(files_in(&cache.join("tmp")).is_empty() && files_in(&cache.join("quarantine")).is_empty());
}

#[test]
fn cas_08_a_damaged_object_is_replaced_once_however_many_notice() {
    let (_place, cache) = world();
    let store = Store::open(&cache, &deaf).unwrap();
    let bytes = noise(300_000, 9);
    for round in 0..8 {
        let object = store.put(&bytes, Privacy::Public).unwrap();
        super::store::rot(&store.path(&object), 1000 + round, b"rot");
        std::fs::remove_file(cache.join("stamps-v1").join(object.digest().to_string())).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| store.put(&bytes, Privacy::Public).unwrap());
            }
        });
        assert_eq!(store.read(&object, 1 << 20).unwrap(), bytes);
    }
    assert_eq!(store.verify_and(Repair::No).unwrap().damaged, []);
}

#[test]
fn cas_07_of_many_claims_one_brings_and_the_others_wait() {
    let (_place, cache) = world();
    let heard = ReportState::default();
    let hear = |event| heard.hear(event);
    let store = Store::open(&cache, &hear).unwrap();
    let bytes = noise(300_000, 10);
    let brought = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| match store.lock_download(&Digest::of(&bytes), "base").unwrap() {
                DownloadLock::Ready(object) => assert_eq!(object.size(), 300_000),
                DownloadLock::Ours(mut partial) => {
                    brought.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(60));
                    partial.append(&bytes).unwrap();
                    partial.finish(Some(300_000), None).unwrap();
                }
            });
        }
    });
    assert_eq!(brought.into_inner(), 1);
    assert!(heard.waited());
    assert!(files_in(&cache.join("tmp")).is_empty());
}

#[test]
fn cas_07_a_waiter_takes_over_what_a_killed_holder_received() {
    let (_place, cache) = world();
    let mut holder = task(&cache, "bring slowly").spawn().unwrap();
    wait_for_line(&mut holder, "holding");
    let store = Store::open_with(&cache, patient(Duration::from_millis(100)), &deaf).unwrap();
    let problem = match store.lock_download(&Digest::of(b"slow bytes"), "base") {
        Err(problem) => problem,
        Ok(_) => panic!("two hold it"),
    };
    assert_eq!(problem.code, Code::CacheLock);
    assert!(format!("{problem:?}").contains(&format!("process {}", holder.id())), "{problem:?}");
    let store = Store::open(&cache, &deaf).unwrap();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        holder.kill().unwrap();
        holder.wait().unwrap();
    });
    // What was in the holder's buffer is lost with it, what it wrote is not: here nothing was written yet.
    let mut partial = partial(&store, &Digest::of(b"slow bytes"));
    partial.restart().unwrap();
    partial.append(b"slow bytes").unwrap();
    partial.finish(None, None).unwrap();
    killer.join().unwrap();
}

#[test]
fn cas_08_processes_that_do_the_same_at_once_all_succeed() {
    let (_place, cache) = world();
    let children: Vec<_> = (0..12).map(|_| task(&cache, "spine").spawn().unwrap()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", shown(&output));
    }
    check_spine(&cache);
    assert!(files_in(&cache.join("quarantine")).is_empty());
}

fn read_only(store: &Store) {
    let object = store.find(&Digest::of(b"config")).unwrap().unwrap();
    assert_eq!(store.read(&object, 99).unwrap(), b"config");
    assert!(store.realisation(&DerivationId(Digest::of(b"grown"))).is_some());
    assert!(store.bundle(&plan(), &name()).unwrap().is_some());
    spine(store).unwrap();
    assert_eq!(code(store.put(b"new", Privacy::Public)), Code::CacheReadOnly);
    assert_eq!(code(store.create(Privacy::Public, None)), Code::CacheReadOnly);
    assert_eq!(code(store.lock_download(&Digest::of(b"new"), "new")), Code::CacheReadOnly);
    let id = DerivationId(Digest::of(b"other"));
    assert_eq!(code(store.record(&id, &object, "0")), Code::CacheReadOnly);
    let entries = [BundleEntry { file_name: "x".into(), source: Source::Object(object) }];
    assert_eq!(code(store.publish_bundle(&Digest::of(b"other"), &name(), &entries)), Code::CacheReadOnly);
    say("served");
}

/// Makes the program reachable for another user, and everything in the store that user's.
fn give_away(place: &Path, cache: &Path, owner: u32) -> PathBuf {
    let program = place.join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(place, PermissionsExt::from_mode(0o755)).unwrap();
    for entry in snapshot(cache) {
        std::os::unix::fs::lchown(entry.0, Some(owner), Some(owner)).unwrap();
    }
    program
}

#[test]
fn cas_10_a_store_without_write_permission_serves_hits_and_refuses_misses() {
    let (place, cache) = world();
    spine(&Store::open(&cache, &deaf).unwrap()).unwrap();
    if chown(&cache, Some(65534), None).is_err() {
        return support::skip("root, to become another user");
    }
    let program = give_away(place.path(), &cache, 65534);
    for entry in snapshot(&cache) {
        std::fs::set_permissions(entry.0, PermissionsExt::from_mode(entry.1 & 0o555)).unwrap();
    }
    for hide_lock in [false, true] {
        if hide_lock {
            std::fs::remove_file(cache.join("lock")).unwrap();
        }
        let before = snapshot(&cache);
        let told = succeed(by(&program, &cache, "read only").uid(65534).gid(65534));
        assert!(told.contains("served"), "{told}");
        assert_eq!(snapshot(&cache), before, "a read-only store was written");
    }
}

#[test]
fn an_ordinary_user_publishes_moves_and_collects_bundles() {
    let (place, cache) = world();
    drop(Store::open(&cache, &deaf).unwrap());
    if chown(&cache, Some(65534), None).is_err() {
        // Then every other test ran as an ordinary user already.
        return;
    }
    let program = give_away(place.path(), &cache, 65534);
    succeed(by(&program, &cache, "spine").uid(65534).gid(65534));
    // A file more: the bundle, 0500, must be moved to quarantine by its owner.
    std::fs::write(cache.join("bundles-v1").join(format!("{}-nas", plan())).join("extra"), b"x").unwrap();
    succeed(by(&program, &cache, "spine").uid(65534).gid(65534));
    assert_eq!(files_in(&cache.join("quarantine")).len(), 1);
}

fn file_limit(store: &Store) {
    // Otherwise the signal kills, which the sweep below covers.
    let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    signal_hook::flag::register(rustix::process::Signal::XFSZ.as_raw(), flag).unwrap();
    let limit = rustix::process::Rlimit { current: Some(100_000), maximum: None };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    assert_eq!(code(store.put(&noise(300_000, 1), Privacy::Public)), Code::Io);
    let mut writer = store.create(Privacy::Public, None).unwrap();
    let written = writer.write_all(&noise(600_000, 2));
    assert!(written.is_err());
    assert_eq!(writer.told(&written.unwrap_err()).code, Code::Io);
    assert!(writer.finish(None, None).is_err());
    let mut partial = partial(store, &Digest::of(b"x"));
    assert_eq!(code(partial.append(&noise(600_000, 3))), Code::Io);
    say("limited");
}

#[test]
fn cas_03_a_file_limit_ends_in_an_error_and_leaves_no_object() {
    let (_place, cache) = world();
    let told = succeed(&mut task(&cache, "file limit"));
    assert!(told.contains("limited"), "{told}");
    let store = Store::open(&cache, &deaf).unwrap();
    assert_eq!(store.verify_and(Repair::No).unwrap().objects, 0);
    assert_eq!(files_in(&cache.join("tmp")), [format!("partial-{}", Digest::of(b"x"))]);
}

fn small_disk(store: &Store) {
    let bytes = noise(6 << 20, 1);
    let problem = store.put(&bytes, Privacy::Public).unwrap_err();
    assert_eq!(problem.code, Code::NoSpace);
    let problem = store.create(Privacy::Public, Some(6 << 20)).map(drop).unwrap_err();
    assert_eq!(problem.code, Code::NoSpace);
    assert!(format!("{problem:?}").contains("6 MiB"), "{problem:?}");
    let mut download = partial(store, &Digest::of(&bytes));
    assert_eq!(code(download.reserve(6 << 20)), Code::NoSpace);
    assert_eq!(code(download.append(&bytes)), Code::NoSpace);
    drop(download);
    assert_eq!(store.verify_and(Repair::No).unwrap().objects, 0);
    // The kept part fills the disk; once it is gone, the same small thing fits.
    store
        .collect_garbage(
            Collect::Remove,
            &older_than(Duration::ZERO),
            std::time::SystemTime::now() + Duration::from_secs(9),
        )
        .unwrap();
    store.put(&bytes[..1 << 20], Privacy::Public).unwrap();
    say("full");
}

#[test]
fn cas_03_a_full_disk_is_told_with_numbers_and_leaves_no_object() {
    let Some(unshare) = support::tool("unshare") else { return };
    let (place, cache) = world();
    let mounted = place.path().join("disk");
    std::fs::create_dir(&mounted).unwrap();
    let script = "mount -t tmpfs -o size=4m,mode=0700 none \"$1\" || exit 77; shift; exec \"$@\"";
    let helper = task(&mounted.join("cache"), "small disk");
    let mut command = Command::new(unshare);
    command.args(["-Urm", "sh", "-c", script, "sh"]).arg(&mounted).arg(helper.get_program()).args(helper.get_args());
    command.env(TASK, "small disk").env(CACHE, mounted.join("cache"));
    let output = command.output().unwrap();
    if matches!(output.status.code(), Some(77 | 1)) && !shown(&output).contains("panicked") {
        return support::skip("a user namespace that may mount");
    }
    assert!(output.status.success() && shown(&output).contains("full"), "{}", shown(&output));
    assert!(!cache.exists());
}

fn memory(store: &Store) {
    let block = noise(1 << 20, 5);
    let mut writer = store.create(Privacy::Public, Some(256 << 20)).unwrap();
    for _ in 0..256 {
        writer.write_all(&block).unwrap();
    }
    let base = writer.finish(None, None).unwrap();
    let mut writer = store.create(Privacy::Public, None).unwrap();
    store.copy_verified(&base, &mut writer, &[(0, vec![1])], "copy").unwrap();
    writer.finish(None, None).unwrap();
    store.verify_and(Repair::No).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 64 << 10, "{peak} KiB");
    say(&format!("peak {peak} KiB"));
}

#[test]
fn memory_does_not_grow_with_the_object() {
    let (_place, cache) = world();
    let told = succeed(&mut task(&cache, "memory"));
    assert!(told.contains("peak"), "{told}");
}

/// Runs the spine under strace with an injection; tells whether anything was injected before it ended, and its output.
fn injected(strace: &Path, cache: &Path, calls: &str, what: &str, nth: usize) -> (bool, Output) {
    let log = cache.with_extension("strace");
    let helper = task(cache, "spine");
    let mut command = Command::new(strace);
    command.args(["-f", "-qq", "-o"]).arg(&log).arg(format!("--trace={calls}"));
    command.arg(format!("--inject={calls}:{what}:when={nth}"));
    command.arg(helper.get_program()).args(helper.get_args()).env(TASK, "spine").env(CACHE, cache);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    let hit = text.contains("(INJECTED)") || text.contains("killed by SIGKILL");
    (hit, output)
}

/// Calls by which the store changes something.
const CHANGES: &str = "openat2,mkdirat,linkat,renameat,renameat2,unlinkat,fchmod,ftruncate,fallocate,fsync,flock,write";

#[test]
fn cas_01_a_kill_at_any_system_call_leaves_a_store_that_the_same_command_heals() {
    let Some(strace) = support::tool("strace") else { return };
    let mut kills = 0;
    for nth in 1.. {
        let (_place, cache) = world();
        let (hit, _) = injected(&strace, &cache, CHANGES, "signal=SIGKILL", nth);
        if !hit {
            break;
        }
        kills += 1;
        if cache.join("objects-v1").exists() {
            for entry in snapshot(&cache.join("objects-v1")).iter().filter(|entry| entry.0.is_file()) {
                let named = object_path(&cache, &Digest::of(&std::fs::read(&entry.0).unwrap()));
                assert_eq!(entry.0, named, "kill {nth}: wrong bytes under a final name");
            }
        }
        succeed(&mut task(&cache, "spine"));
        check_spine(&cache);
    }
    assert!(kills > 60, "only {kills} kills: the sweep does not reach what it is for");
}

#[test]
fn cas_03_a_failure_of_any_system_call_is_an_error_or_harmless_and_the_same_command_heals() {
    let Some(strace) = support::tool("strace") else { return };
    let begun = Instant::now();
    let mut failures = 0;
    // What the error gate (`gate_errors.rs`) does not have: what other kernels and file systems say, and two further calls.
    for (calls, error) in [
        ("linkat", "EXDEV"),
        ("renameat2", "ENOSYS"),
        ("fchmod", "EPERM"),
        ("openat2", "ENOSYS"),
        ("openat2", "EOPNOTSUPP"),
        ("flock", "ENOLCK"),
        ("lseek", "EINVAL"),
        ("fallocate", "EOPNOTSUPP"),
        ("pread64", "EIO"),
    ] {
        for nth in 1..40 {
            let (_place, cache) = world();
            let (hit, output) = injected(&strace, &cache, calls, &format!("error={error}"), nth);
            if !hit {
                break;
            }
            failures += 1;
            if output.status.success() {
                // What is derivable may be missing; what was called done is there and right.
                let report = Store::open(&cache, &deaf).unwrap().verify_and(Repair::No).unwrap();
                assert_eq!((report.objects, report.damaged), (3, vec![]), "{calls} {error} {nth}");
            }
            let told = succeed(&mut task(&cache, "spine"));
            assert!(told.contains("done"), "{calls} {error} {nth}: {told}");
            check_spine(&cache);
        }
    }
    assert!(failures > 20, "only {failures} failures in {:?}", begun.elapsed());
}

#[test]
fn cas_03_a_failed_sync_is_never_a_success() {
    let Some(strace) = support::tool("strace") else { return };
    let mut syncs = 0;
    for nth in 1.. {
        let (_place, cache) = world();
        let (hit, output) = injected(&strace, &cache, "fsync", "error=EIO", nth);
        if !hit {
            break;
        }
        syncs += 1;
        assert!(!output.status.success(), "sync {nth} failed and nobody minded");
    }
    assert!(syncs >= 15, "only {syncs} syncs");
}

/// Finds the first line behind `from` that syncs exactly this path.
fn synced(lines: &[&str], from: usize, path: &str) -> bool {
    let wanted = format!("<{path}>)");
    lines[from..].iter().any(|line| line.contains("fsync(") && line.contains(&wanted) && line.ends_with("= 0"))
}

#[test]
fn cas_02_every_published_file_is_synced_before_and_its_directory_after() {
    let Some(strace) = support::tool("strace") else { return };
    let (_place, cache) = world();
    let cache = cache.parent().unwrap().canonicalize().unwrap().join("cache");
    let (log, helper) = (cache.with_extension("strace"), task(&cache, "spine"));
    let mut command = Command::new(strace);
    command.args(["-f", "-qq", "-y", "-o"]).arg(&log).arg("--trace=linkat,renameat,renameat2,mkdirat,fsync");
    command.arg(helper.get_program()).args(helper.get_args());
    succeed(command.env(TASK, "spine").env(CACHE, &cache));
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let mut published = 0;
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.ends_with("= 0") && !line.contains("fsync("))
    {
        // The last descriptor named is the directory that got the new name.
        let directory = line.rsplit_once('<').unwrap().1.split_once('>').unwrap().0;
        let kind = directory.strip_prefix(cache.to_str().unwrap()).unwrap_or("elsewhere");
        if !["/objects-v1", "/realisations-v1", "/bundles-v1"].iter().any(|durable| kind.starts_with(durable)) {
            continue;
        }
        published += 1;
        assert!(synced(&lines, number + 1, directory), "nobody synced {directory} behind: {line}");
        // `linkat(…, "/proc/self/fd/N", …)` of a nameless file, or `renameat…(…, "name", …)` of a named one.
        let source = line.split('"').nth(1).unwrap();
        let wanted = match source.strip_prefix("/proc/self/fd/") {
            Some(descriptor) => format!("fsync({descriptor}<{}/tmp/#", cache.display()),
            None => format!("<{}/tmp/{source}>)", cache.display()),
        };
        // Descriptor numbers come again, so only what happened since the last publication counts.
        let since = lines[..number].iter().rposition(|line| line.contains("linkat(") || line.contains("renameat"));
        let is_synced = lines[since.map_or(0, |at| at + 1)..number].iter().any(|line| line.contains(&wanted));
        assert!(line.contains("mkdirat(") || is_synced, "published unsynced: {line}");
    }
    // Three objects and their directories, a realisation, a bundle.
    assert_eq!(published, 8, "{text}");
}

#[test]
fn cas_08_a_system_without_the_newer_calls_does_the_same() {
    let Some(strace) = support::tool("strace") else { return };
    for (calls, what) in [
        ("openat2", "error=ENOSYS"),
        ("flock", "error=ENOLCK"),
        ("linkat", "error=EPERM"),
        ("linkat", "error=EOPNOTSUPP"),
        ("ioctl", "error=EOPNOTSUPP"),
        ("flock,linkat,ioctl", "error=EOPNOTSUPP"),
        ("renameat2", "error=ENOSYS"),
        ("fallocate", "error=EOPNOTSUPP"),
        ("lseek", "error=EINVAL"),
    ] {
        let (_place, cache) = world();
        let log = cache.with_extension("strace");
        let helper = task(&cache, "spine");
        let mut command = Command::new(&strace);
        command.args(["-f", "-qq", "-o"]).arg(&log).arg(format!("--trace={calls}"));
        command.arg(format!("--inject={calls}:{what}")).arg(helper.get_program()).args(helper.get_args());
        let output = command.env(TASK, "spine").env(CACHE, &cache).output().unwrap();
        assert!(output.status.success(), "{calls}: {}", shown(&output));
        check_spine(&cache);
    }
}

#[test]
fn a_run_with_nothing_to_do_writes_and_syncs_nothing() {
    let Some(strace) = support::tool("strace") else { return };
    let (_place, cache) = world();
    succeed(&mut task(&cache, "spine"));
    let before = snapshot(&cache);
    let (hit, output) =
        injected(&strace, &cache, "fsync,linkat,renameat,renameat2,unlinkat,mkdirat,fchmod", "error=EIO", 1);
    assert!(output.status.success() && !hit, "{}", shown(&output));
    assert_eq!(snapshot(&cache), before);
}

#[test]
fn gc_02_a_kill_while_collecting_leaves_what_is_rooted_and_the_rest_for_next_time() {
    let (_place, cache) = world();
    // The collector only deletes, so any prefix of its plan is a state a kill can leave; the bundle goes in two steps.
    let store = Store::open(&cache, &deaf).unwrap();
    let bundle = publish(&store);
    let dead = cache.join("tmp").join(format!("dead-{}", bundle.name()));
    std::fs::set_permissions(bundle.path(), PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::rename(bundle.path(), &dead).unwrap();
    std::fs::remove_file(dead.join("config.ign")).unwrap();
    drop(store);
    let store = Store::open(&cache, &deaf).unwrap();
    assert!(!dead.exists());
    assert!(store.bundle(&plan(), &name()).unwrap().is_none());
    store.publish_bundle(&plan(), &name(), &entries(&store)).unwrap();
}
