//! Pools: a script in the guest that makes or finds one, the units that run it, mount it and look after it. Touches nothing.
//!
//! Neither engine makes a pool itself: Ignition waits for and looks at the first member only, and in Combustion's script a
//! failure would fail the whole boot. Both write the same files instead, and a unit runs at every boot, before
//! local-fs.target. It never writes to a disk that carries anything. Sources: mkfs.btrfs(8), btrfs-device(8) ("ready",
//! "stats"), wipefs(8), systemd.timer(5). Read next: `pool.sh`, the fixed part of the script.

use super::context::Context;
use super::mounts::{self, Point};
use crate::base::text::one_line;
use crate::base::{ByteSize, Code, Diagnostic, Location, Rule, Spanned};
use crate::format::combustion::quote;
use crate::guest_report::Kind;
use crate::provision::checks::{GuestCheck, is};
use crate::provision::diagnostics::{DiagnosticSink, redacted};
use crate::provision::engines::choice::Feature;
use crate::provision::guest::{GuestFile, GuestUnit, HEAD};
use crate::recipe::Recipe;
use crate::recipe::storage::{Pool, PoolSubvolume, Profile};
use crate::recipe::types::PoolOption;

const SCRIPT: &str = include_str!("pool.sh");

/// mkfs.btrfs refuses members smaller than 109 to 229 MiB, as the profile has it.
const SMALLEST_MEMBER: ByteSize = ByteSize::mib(256);

/// Adds the pools.
pub(crate) fn pools(cx: &mut Context<'_>) {
    for row in &cx.recipe.provision.pools {
        let Spanned { value: pool, place } = row;
        let sizes = check(cx.recipe, row, &mut cx.diag);
        record(pool, &sizes, cx);
        let guest = cx.outputs.guest(Feature::Pools);
        guest.files.push(GuestFile::new(script_path(pool), script(pool), 0o755, &redacted(place)));
        guest.units.push(unit(pool, place));
        mount(pool, place, cx);
        care(pool, place, cx);
        checks(pool, cx);
    }
}

fn record(pool: &Pool, sizes: &[ByteSize], cx: &mut Context<'_>) {
    let (data, metadata) = (pool.data(), pool.metadata());
    let disks: Vec<&str> = pool.disks.iter().map(|disk| disk.value.as_str()).collect();
    let what = format!(
        "pool {} at {}: {} with data {data}, metadata {metadata}; {} usable of {}",
        pool.label,
        one_line(&pool.path, 80),
        disks.join(", "),
        data.usable(sizes),
        total(sizes),
    );
    let why = "a unit makes it at the first boot if every disk is blank: in an engine a failure would fail the boot; \
               a boot waits at most 30 seconds for its disks";
    cx.outputs.record_why(Feature::Pools, cx.outputs.choice.engine(Feature::Pools), what, why);
}

fn total(sizes: &[ByteSize]) -> ByteSize {
    ByteSize(sizes.iter().fold(0u64, |sum, size| sum.saturating_add(size.0)))
}

/// Expects the pool, and what of it is mounted elsewhere.
fn checks(pool: &Pool, cx: &mut Context<'_>) {
    let facts = [
        ("path", is(&pool.path)),
        ("access", mounts::access(&pool.options)),
        ("data", is(pool.data())),
        ("metadata", is(pool.metadata())),
        ("members", is(pool.disks.len())),
        ("missing", is("no")),
    ];
    let facts = facts.into_iter().chain(mounts::shown(&pool.options));
    // The script is given the path where it is mounted, and compares the label.
    let mut checks = vec![GuestCheck::new(Kind::Pool, pool.label.as_str(), facts).with_detail(pool.path.as_str())];
    for one in pool.subvolumes.iter().map(|one| &one.value) {
        checks.push(mounts::made(&format!("{}/{}", pool.path, one.name), one.nocow));
        checks.extend(one.path.as_deref().map(|path| mounts::mounted(path, Some("btrfs"), &one.options)));
    }
    cx.outputs.checks.extend(checks.into_iter().map(|check| (Feature::Pools, check)));
}

/// Checks a pool; returns the sizes of its members.
fn check(recipe: &Recipe, pool: &Spanned<Pool>, diag: &mut DiagnosticSink) -> Vec<ByteSize> {
    let Spanned { value, place } = pool;
    let mut sizes = vec![];
    for disk in &value.disks {
        mounts::check_serial(recipe, &disk.value, &disk.place, diag);
        let size = recipe.machine.disks.iter().find(|other| other.serial == disk.value).map(|disk| disk.size);
        sizes.extend(size);
        if let Some(size) = size.filter(|size| *size < SMALLEST_MEMBER) {
            let headline = format!("the disk `{}` is too small for a pool: {}", disk.value, size.exact());
            diag.refuse_at(&disk.place, headline, &format!("btrfs wants at least {}", SMALLEST_MEMBER.exact()));
        }
    }
    profiles(value, place, diag);
    mounts::check_point(&value.path, place, diag);
    for subvolume in &value.subvolumes {
        if let Some(path) = &subvolume.value.path {
            mounts::check_point(path, &subvolume.place, diag);
        }
    }
    let twins = |other: &&Spanned<Pool>| other.value.label.as_str().eq_ignore_ascii_case(value.label.as_str());
    let first = recipe.provision.pools.iter().find(twins).filter(|first| first.place.line < place.line);
    if first.is_some_and(|first| first.value.label != value.label) {
        let headline = format!("two pools have the label `{}`: upper and lower case count as one", value.label);
        diag.refuse_at(place, headline, "rename one of them");
    }
    uneven(value, &sizes, place, diag);
    sizes
}

/// Refuses profiles that the disks cannot carry, or that keep nothing safe.
fn profiles(pool: &Pool, place: &Location, diag: &mut DiagnosticSink) {
    let count = pool.disks.len();
    for (key, profile, said) in [("data", pool.data(), &pool.data), ("metadata", pool.metadata(), &pool.metadata)] {
        let place = said.as_ref().map_or(place, |said| &said.place);
        let needs = profile.members();
        if count < needs {
            let headline =
                format!("`{key} = \"{profile}\"` needs {needs} disks, the pool `{}` has {count}", pool.label);
            let hint = match count {
                1 => "add disks; or of one disk write data = \"single\", metadata = \"dup\"",
                _ => "add disks; or write raid1, which keeps two copies on any two of them",
            };
            diag.refuse(Diagnostic::new(Code::Provision, headline).at(place.clone()).of(Rule::Raid1Odd).hint(hint));
        } else if profile == Profile::Dup && count > 1 {
            let headline = format!("`{key} = \"dup\"` keeps both copies on one disk, and the pool has {count}");
            diag.refuse_at(place, headline, "write \"raid1\"");
        }
    }
    if pool.metadata().losses() < pool.data().losses() {
        let text = format!(
            "the pool `{}` survives the loss of fewer disks than its data does: metadata is {}, data {}",
            pool.label,
            pool.metadata(),
            pool.data()
        );
        diag.warn(Rule::RaidMetadata, text, Some(place.clone()));
    }
}

/// Warns of space that no copy can use, since one disk is larger than the others together.
fn uneven(pool: &Pool, sizes: &[ByteSize], place: &Location, diag: &mut DiagnosticSink) {
    let (profile, all) = (pool.data(), total(sizes));
    let (usable, copies) = (profile.usable(sizes).0, profile.copies() as u64);
    if sizes.len() == pool.disks.len() && usable < all.0 / copies && sizes.len() >= profile.members() {
        let text = format!(
            "the pool `{}` can use only {} of {}: its disks are too unequal for {profile}",
            pool.label,
            ByteSize(usable.saturating_mul(copies)),
            all
        );
        diag.warn(Rule::PoolCapacity, text, Some(place.clone()));
    }
}

fn script_path(pool: &Pool) -> String {
    format!("/etc/arca-build/pool-{}.sh", pool.label)
}

/// Writes the script, readable in the guest.
pub(crate) fn script(pool: &Pool) -> String {
    let disks: Vec<&str> = pool.disks.iter().map(|disk| disk.value.as_str()).collect();
    let names = |wanted: fn(&PoolSubvolume) -> bool| {
        let names = pool.subvolumes.iter().map(|one| &one.value).filter(|one| wanted(one));
        names.map(|one| one.name.as_str()).collect::<Vec<_>>().join(" ")
    };
    let (label, path, disks) = (quote(pool.label.as_str()), quote(&pool.path), disks.join(" "));
    let (subvolumes, nocow) = (names(|_| true), names(|one| one.nocow));
    let mounts: Vec<String> = mounts(pool).map(|(path, options)| unit_line(path, &options)).collect();
    let mounts = quote(&mounts.join("\n"));
    format!(
        "#!/bin/sh\n{HEAD}#\n# The pool {label}: one btrfs over the disks {disks}, mounted at {}.\nset -eu\n\
         label={label}\npath={path}\nmembers='{disks}'\ndata={} metadata={}\nsubvolumes='{subvolumes}'\nnocow='{nocow}'\n\
         mounts={mounts}\n{SCRIPT}",
        pool.path,
        pool.data(),
        pool.metadata(),
    )
}

/// Lists what is mounted where: the pool, and those of its subvolumes that have a place of their own; each with its options.
fn mounts(pool: &Pool) -> impl Iterator<Item = (&str, Vec<String>)> {
    let own = pool.subvolumes.iter().map(|one| &one.value);
    let own = own.filter_map(|one| Some((one.path.as_deref()?, subvolume_options(one))));
    std::iter::once((pool.path.as_str(), options(&pool.options).collect())).chain(own)
}

/// Writes a mount for the script: its unit and its options.
fn unit_line(path: &str, options: &[String]) -> String {
    format!("{}.mount {}", mounts::escape(path), options.join(",")).trim_end().to_owned()
}

/// Writes the unit that makes or finds the pool. It waits for its disks itself, so that a lost one is reported by name; were
/// it ordered after their units, systemd would wait longer and say less.
fn unit(pool: &Pool, place: &Location) -> GuestUnit {
    let (label, script) = (&pool.label, script_path(pool));
    let text = format!(
        "{HEAD}[Unit]\nDescription=Make or find the pool {label}\nDefaultDependencies=no\n\
         RequiresMountsFor=/etc/arca-build /var/lib/arca-build\n\
         After=systemd-udevd.service systemd-udev-trigger.service\n\
         After=systemd-remount-fs.service local-fs-pre.target\n\
         Before=local-fs.target shutdown.target\nConflicts=shutdown.target\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=5min\n\
         StandardOutput=journal+console\nStandardError=journal+console\n\
         ExecStart=/bin/sh {script} start\n\n\
         [Install]\nWantedBy=local-fs.target\n"
    );
    GuestUnit::new(format!("arca-pool-{label}.service"), Some(true), text, place)
}

/// Writes the units of the mounts. What is mounted is a link of the script's to a member that is there. For a device below
/// /dev, and from systemd 254 on for a label too, systemd would wait for the device's unit, which a btrfs with a lost
/// member never gets (64-btrfs.rules), and which is there too early on the first boot. The pool comes first of its mounts,
/// for btrfs takes most options of the first (btrfs(5), "MOUNT OPTIONS").
fn mount(pool: &Pool, place: &Location, cx: &mut Context<'_>) {
    let label = &pool.label;
    let own = format!("Requires=arca-pool-{label}.service\nAfter=arca-pool-{label}.service\n");
    let inner = format!("{own}After={}.mount\n", mounts::escape(&pool.path));
    let point = |path, options, description, title, unit: &str, place| Point {
        what: format!("/run/arca-build/pool-{label}.device"),
        path,
        kind: Some("btrfs"),
        options,
        description,
        unit: unit.to_owned(),
        // A large pool may take minutes.
        mount: "TimeoutSec=10min\n",
        feature: Feature::Pools,
        title,
        place,
    };
    let description = format!("The pool {label} at {}", pool.path);
    mounts::add(
        point(pool.path.as_str(), options(&pool.options).collect(), description, "the pool at", &own, place),
        cx,
    );
    for Spanned { value: one, place } in &pool.subvolumes {
        let Some(path) = &one.path else { continue };
        let description = format!("The subvolume {} of the pool {label} at {path}", one.name);
        mounts::add(point(path, subvolume_options(one), description, "the mount at", &inner, place), cx);
    }
}

fn options(options: &[PoolOption]) -> impl Iterator<Item = String> {
    options.iter().map(|option| option.as_ref().to_owned())
}

fn subvolume_options(one: &PoolSubvolume) -> Vec<String> {
    std::iter::once(format!("subvol=/{}", one.name)).chain(options(&one.options)).collect()
}

/// Writes the units that look after the pool, each with its timer.
fn care(pool: &Pool, place: &Location, cx: &mut Context<'_>) {
    let check = pool.check.then(|| "daily".to_owned());
    for (verb, says, when) in [
        ("check", "Look for disk errors in", &check),
        ("scrub", "Verify all data in", &pool.scrub.0),
        ("balance", "Join half-empty blocks of", &pool.balance.0),
    ] {
        let Some(when) = when else { continue };
        let (label, script) = (&pool.label, script_path(pool));
        let name = format!("arca-{verb}-{label}");
        let service = format!(
            "{HEAD}[Unit]\nDescription={says} the pool {label}\nAfter=local-fs.target\n\n\
             [Service]\nType=oneshot\nNice=19\nIOSchedulingClass=idle\nExecStart=/bin/sh {script} {verb}\n"
        );
        // Missed while the machine was off, it is made up for; not all machines at the same moment.
        let timer = format!(
            "{HEAD}[Unit]\nDescription={says} the pool {label}\n\n\
             [Timer]\nOnCalendar={when}\nPersistent=true\nRandomizedDelaySec=1h\n\n\
             [Install]\nWantedBy=timers.target\n"
        );
        let guest = cx.outputs.guest(Feature::Pools);
        guest.units.push(GuestUnit::new(format!("{name}.service"), None, service, place));
        guest.units.push(GuestUnit::new(format!("{name}.timer"), Some(true), timer, place));
    }
}
