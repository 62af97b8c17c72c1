//! What a slow download shows: a bar on a terminal, plain lines elsewhere, nothing when asked to be silent.
//!
//! Touches temporary directories, loopback and a pseudo-terminal (util-linux `script`).

use std::path::Path;
use std::time::{Duration, Instant};

use crate::tests::support::publisher::{Publisher, recipes};
use crate::tests::support::server::Behaviour;
use crate::tests::support::{Bin, tool, workdir};

const SIZE: usize = 4 << 20;

/// A world whose base takes three seconds to come.
fn slow(cwd: &Path) -> Publisher {
    let publisher = Publisher::start(cwd);
    publisher.weigh("nas", SIZE, &[Behaviour::throttled(SIZE / 3)]);
    recipes(cwd);
    run(cwd, &publisher).args(["update", "recipes/nas.toml"]).run().success();
    publisher
}

fn run(cwd: &Path, publisher: &Publisher) -> Bin {
    Bin::new(cwd).env("TERM", "xterm").arg("--config").arg(&publisher.config)
}

/// A recipe's build on a terminal of its own; returns all that reached the terminal.
fn on_a_terminal(script: &Path, cwd: &Path, build: Bin) -> String {
    let command = build.into_command();
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_str().unwrap());
    let line = shlex::try_join(words).unwrap();
    let mut bin = Bin::new(cwd).env("PATH", "/usr/bin:/bin").env("SHELL", "/bin/sh");
    for (name, value) in command.get_envs() {
        bin = bin.env(name.to_str().unwrap(), value.unwrap());
    }
    let log = cwd.join("typescript");
    let line = format!("stty cols 120; {line} >stdout");
    bin.replaced_by(script, &["-qfec", &line, log.to_str().unwrap()]).run().success();
    std::fs::read_to_string(&log).unwrap()
}

#[test]
fn on_a_terminal_a_bar_shows_rate_and_remaining_time_and_goes_away() {
    let Some(script) = tool("script") else { return };
    let dir = workdir();
    let publisher = slow(dir.path());
    let shown = on_a_terminal(&script, dir.path(), run(dir.path(), &publisher).arg("recipes/nas.toml"));
    let frames: Vec<_> = shown.split('\r').filter(|frame| frame.contains("left")).collect();
    assert!(frames.len() >= 2, "{shown:?}");
    let frame = frames[frames.len() - 1];
    for part in ["█", "MiB/4.00 MiB", "/s", "s left"] {
        assert!(frame.contains(part), "lacks {part:?}: {frame:?}");
    }
    // The last that is drawn is the summary, on a cleared line.
    let (_, after) = shown.rsplit_once("left").unwrap();
    assert!(after.contains("\u{1b}[2K") && after.contains("arca-build install ./result-nas"), "{after:?}");
    let path = std::fs::read_to_string(dir.path().join("stdout")).unwrap();
    assert!(path.ends_with("-nas\n") && path.lines().count() == 1 && !path.contains('\u{1b}'), "{path:?}");
}

#[test]
fn elsewhere_plain_lines_tell_rate_and_remaining_time_without_control_characters() {
    let dir = workdir();
    let publisher = slow(dir.path());
    let begun = Instant::now();
    let built = run(dir.path(), &publisher).arg("recipes/nas.toml").run().success();
    let most = 1 + begun.elapsed().as_secs() as usize / 10;
    assert!(built.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{built}");
    let told: Vec<_> = built.stderr.lines().filter(|line| line.contains("/s")).collect();
    assert!((1..=most).contains(&told.len()), "one after a second, the next every ten\n{built}");
    for part in ["base: ", " of 4 MiB, ", "/s, ", " s left"] {
        assert!(told[0].contains(part), "lacks {part:?}\n{built}");
    }
}

#[test]
fn on_a_dumb_terminal_and_under_ci_no_bar_is_drawn() {
    let Some(script) = tool("script") else { return };
    let dir = workdir();
    let publisher = slow(dir.path());
    for (number, (name, value)) in [("TERM", "dumb"), ("CI", "true")].into_iter().enumerate() {
        let store = dir.path().join(format!("store-{number}"));
        let build = run(dir.path(), &publisher).env("ARCA_CACHE", store).env(name, value).arg("recipes/nas.toml");
        let shown = on_a_terminal(&script, dir.path(), build);
        let plain = shown.lines().filter(|line| !line.starts_with("Script ")).collect::<String>();
        assert!(shown.contains(" s left"), "{name}: {shown:?}");
        assert!(plain.chars().all(|c| !c.is_control()) && !plain.contains('█'), "{name}: {plain:?}");
    }
}

#[test]
fn quiet_and_json_say_nothing_while_it_takes_its_time_on_a_terminal_neither() {
    let dir = workdir();
    let publisher = slow(dir.path());
    for flag in ["--quiet", "--json"] {
        let build = |store: &str| {
            let store = dir.path().join(format!("{store}{flag}"));
            run(dir.path(), &publisher).env("ARCA_CACHE", store).args([flag, "recipes/nas.toml"])
        };
        let built = build("piped").run().success();
        // The recipe comes with a login that everybody knows.
        let other = built.stderr.lines().filter(|line| !line.ends_with("[example-login]")).count();
        assert_eq!(other, 0, "{flag}\n{built}");
        assert!(!built.stdout.is_empty());
        let Some(script) = tool("script") else { return };
        let shown = on_a_terminal(&script, dir.path(), build("shown"));
        let is_ours = |line: &&str| !line.starts_with("Script ") && !line.is_empty();
        let ours: Vec<_> = shown.lines().filter(is_ours).filter(|line| !line.contains("[example-login]")).collect();
        assert!(ours.is_empty(), "{flag}: {shown:?}");
    }
}

#[test]
fn cas_07_who_waits_for_anothers_download_is_told_so_and_how_far_that_is() {
    let Some(script) = tool("script") else { return };
    let dir = workdir();
    let publisher = slow(dir.path());
    let (path, _) = publisher.weigh("nas", SIZE, &[Behaviour::throttled(SIZE / 6)]);
    let gets = || publisher.server.requests().iter().filter(|it| it.method == "GET" && it.target == path).count();
    let before = gets();
    let build = |place: &str| {
        let cwd = dir.path().join(place);
        std::fs::create_dir(&cwd).unwrap();
        let bin = run(&cwd, &publisher).env("ARCA_CACHE", dir.path().join("cache")).arg("../recipes/nas.toml");
        (cwd, bin)
    };
    let mut first = build("first").1.start();
    let begun = Instant::now();
    while gets() == before {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing was asked for");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (piped, shown) = std::thread::scope(|scope| {
        let piped = scope.spawn(|| build("piped").1.run().success());
        let (cwd, bin) = build("shown");
        let shown = on_a_terminal(&script, &cwd, bin);
        (piped.join().unwrap(), shown)
    });
    assert!(first.wait_for(Duration::from_secs(60)));
    let lines: Vec<_> = piped.stderr.lines().collect();
    let told: Vec<_> =
        (0..lines.len()).filter(|line| lines[*line].starts_with("waiting for another process")).collect();
    let [at] = told[..] else { panic!("told once\n{piped}") };
    assert!(lines[at].ends_with("works on `base`"), "{piped}");
    let progress = lines[at + 1..].iter().find(|line| line.starts_with("base: ") && line.ends_with("/s"));
    assert!(progress.is_some_and(|line| line.contains("MiB") || line.contains("KiB")), "{piped}");
    assert!(shown.contains("waiting for another process that works on `base`"), "{shown:?}");
    assert!(shown.split('\r').any(|frame| frame.contains("base") && frame.contains("/s")), "{shown:?}");
    assert_eq!(gets() - before, 1, "who waits asks for nothing");
}
