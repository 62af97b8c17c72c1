//! Law 4: two builds of every shipped recipe in different worlds give the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tests::support::publisher::{Publisher, recipes};
use crate::tests::support::{output, tool, workdir};

const RECIPES: [&str; 4] = ["demo", "nas", "microos-combustion", "selfinstall-iso"];

/// Everything a bundle is: name, mode and bytes of each file.
fn bundle(path: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::read_dir(path)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            (entry.file_name().into_string().unwrap(), (mode, std::fs::read(entry.path()).unwrap()))
        })
        .collect()
}

/// Builds every recipe with a wrapped program and gives the bundles.
fn build_all(world: &Path, wrap: impl Fn(&Path) -> Command) -> BTreeMap<String, BTreeMap<String, (u32, Vec<u8>)>> {
    let publisher = Publisher::start(world);
    recipes(world);
    let run = |words: &[&str], recipe: &str| {
        let mut command = wrap(world);
        command.current_dir(world).env("ARCA_CACHE", world.join("store")).arg("--config").arg(&publisher.config);
        output(command.args(words).arg(format!("recipes/{recipe}.toml"))).success()
    };
    RECIPES
        .iter()
        .map(|recipe| {
            run(&["update"], recipe);
            let built = run(&["--no-link"], recipe);
            ((*recipe).to_owned(), bundle(Path::new(built.line())))
        })
        .collect()
}

fn release() -> Option<PathBuf> {
    let path = Path::new(crate::tests::support::program()).parent()?.parent()?.join("release/arca-build");
    if !path.exists() {
        crate::tests::support::skip("the release binary (cargo build --release)");
        return None;
    }
    Some(path)
}

#[test]
fn rec_11_nothing_of_the_world_reaches_a_byte() {
    let (one, other) = (workdir(), workdir());
    let first = build_all(one.path(), |_| {
        let mut command = Command::new(crate::tests::support::program());
        command.env_clear();
        command
    });
    assert!(first.values().all(|bundle| bundle.len() >= 12));

    // Another directory depth, user name, home, umask, time zone, language, epoch variable, number of processors.
    let deep = other.path().join("a/much deeper/place");
    std::fs::create_dir_all(&deep).unwrap();
    let second = build_all(&deep, |world| {
        let mut command = Command::new("sh");
        let script = "umask 077; exec taskset -c 0 \"$@\"";
        command.args(["-c", script, "sh", crate::tests::support::program()]).env_clear();
        command
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", world.join("h"))
            .env("USER", "somebody")
            .env("LOGNAME", "somebody");
        command.env("TZ", "Pacific/Kiritimati").env("LANG", "tr_TR.UTF-8").env("LC_ALL", "tr_TR.UTF-8");
        command.env("SOURCE_DATE_EPOCH", "1234567890").env("HOSTNAME", "elsewhere").env("RAYON_NUM_THREADS", "1");
        command
    });
    assert_same(&first, &second);
}

#[test]
#[ignore = "full: compares the release build"]
fn rec_11_the_release_binary_writes_the_same_bytes_as_the_debug_one() {
    let Some(release) = release() else { return };
    let (one, other) = (workdir(), workdir());
    let cleared = |program: &Path| {
        let mut command = Command::new(program);
        command.env_clear();
        command
    };
    let debug = build_all(one.path(), |_| cleared(Path::new(crate::tests::support::program())));
    assert_same(&debug, &build_all(other.path(), |_| cleared(&release)));
}

#[test]
fn rec_11_another_day_and_another_user_write_the_same_bytes() {
    let (Some(faketime), Some(setpriv)) = (tool("faketime"), tool("setpriv")) else { return };
    let (one, other) = (workdir(), workdir());
    let cleared = || {
        let mut command = Command::new(crate::tests::support::program());
        command.env_clear();
        command
    };
    let today = build_all(one.path(), |_| cleared());
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        // The other user must be able to make the world its own, and to run the program that lies in our target.
        rustix::fs::chown(other.path(), Some(nobody()), None).unwrap();
    }
    let program = other.path().join("arca-build");
    std::fs::copy(crate::tests::support::program(), &program).unwrap();
    let other_day = build_all_as(other.path(), is_root, |_| {
        let mut command = Command::new(&faketime);
        command.arg("2031-07-01 03:04:05");
        if is_root {
            command.arg(&setpriv).args(["--reuid", "65534", "--clear-groups"]);
        }
        command.arg(&program).env_clear().env("PATH", "/usr/bin:/bin");
        command
    });
    assert_same(&today, &other_day);
}

fn nobody() -> rustix::fs::Uid {
    rustix::fs::Uid::from_raw(65534)
}

fn build_all_as(
    world: &Path,
    is_root: bool,
    wrap: impl Fn(&Path) -> Command,
) -> BTreeMap<String, BTreeMap<String, (u32, Vec<u8>)>> {
    if is_root {
        let folder = world.join("recipes");
        std::fs::create_dir_all(&folder).unwrap();
        rustix::fs::chown(&folder, Some(nobody()), None).unwrap();
    }
    build_all(world, wrap)
}

type Bundles = BTreeMap<String, BTreeMap<String, (u32, Vec<u8>)>>;

fn assert_same(first: &Bundles, second: &Bundles) {
    for (recipe, files) in first {
        let names: Vec<_> = files.keys().collect();
        assert_eq!(names, second[recipe].keys().collect::<Vec<_>>(), "{recipe}");
        for (name, content) in files {
            assert!(content == &second[recipe][name], "{recipe}: `{name}` differs");
        }
    }
}
