//! The four encoders of `emit::quote` and `emit::xml` against the real decoders: dash, bash and busybox, virt-install's own
//! parser and guest, QEMU's option strings, libxml2. 10,000 generated strings each, the same ones at every run.
//!
//! Each decoder is started a few times and given thousands of strings. What an encoder refuses is counted and its error
//! looked at: a refusal must be typed, and nothing that is refused for one reason may be accepted under another.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::base::{Code, text};
use crate::emit::quote::{printable, qemu_option, shell, virt_option};
use crate::format::xml::element;
use base64::Engine as _;

use crate::tests::support::machines;
use crate::tests::support::{tool, tools};

/// How many strings each encoder must bring through.
const MANY: usize = 10_000;
const SHELLS: [&str; 3] = ["dash", "bash", "busybox"];
/// Debian's interpreter, whose modules virt-install uses; the first `python3` on a path may be another.
const PYTHON: &str = "/usr/bin/python3";

/// A generator whose numbers are the same everywhere (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Characters that mean something to one of the decoders.
const MEANING: &[char] = &[
    '\'', '"', '\\', ',', '=', '$', '`', ' ', '!', '#', '~', '*', '?', '[', ']', '{', '}', '(', ')', '<', '>', '&',
    ';', '|', '^', '%', ':', '-', '+', '/', '@', '.', '_',
];
/// What no terminal should see, or no XML can hold.
const CONTROL: &[char] = &[
    '\n', '\t', '\r', '\u{1}', '\u{7}', '\u{8}', '\u{b}', '\u{c}', '\u{1b}', '\u{1f}', '\u{7f}', '\u{80}', '\u{85}',
    '\u{9b}', '\u{202e}', '\u{2066}', '\u{200f}', '\u{fffe}', '\u{ffff}',
];
/// Letters of one to four bytes, some that combine, some that look like nothing.
const LETTERS: &[char] = &[
    'a',
    'Z',
    '0',
    'é',
    'ß',
    'İ',
    '日',
    '本',
    'ק',
    '\u{301}',
    '\u{a0}',
    '\u{ad}',
    '\u{200b}',
    '\u{2028}',
    '\u{3000}',
    '\u{feff}',
    '\u{fffd}',
    '\u{e000}',
    '😀',
    '\u{1f468}',
    '\u{200d}',
    '\u{1fffe}',
    '\u{10ffff}',
];
/// What has bitten people.
const BITES: &[&str] = &[
    "$(id)",
    "`id`",
    "$HOME",
    "${IFS}",
    "$'\\n'",
    "\\n",
    "\\\\",
    "\\'",
    "\\\"",
    "'\\''",
    "''",
    "\"\"",
    ",,",
    ",,,",
    ",entry1.name=z",
    "=,=",
    "xpath0.set=",
    "--help",
    "-rf",
    "~root",
    "]]>",
    "<![CDATA[",
    "<!--",
    "-->",
    "&amp;",
    "&#10;",
    "&#x0;",
    "&lt",
    "<a href='x'/>",
    "%s%n",
    "!!",
    "!$",
    "{a,b}",
    "$((1+1))",
    "a=b",
    "on",
    "size=5",
    "#c",
];

/// Returns the strings: every single character first, then mixtures, some of them long.
fn strings(seed: u64, with_control: bool) -> Vec<String> {
    let mut dice = Dice(seed);
    let alphabets: &[&[char]] =
        if with_control { &[MEANING, MEANING, LETTERS, CONTROL] } else { &[MEANING, MEANING, LETTERS] };
    let mut strings: Vec<String> = vec![String::new()];
    strings.extend(alphabets.iter().skip(1).copied().flatten().map(char::to_string));
    strings.extend(BITES.iter().map(|bite| (*bite).to_owned()));
    while strings.len() < MANY {
        let length = if dice.below(500) == 0 { 2000 } else { 1 + dice.below(24) };
        let mut string = String::new();
        for _ in 0..length {
            match dice.below(8) {
                0 => string.push_str(dice.pick(BITES)),
                1 => string.push(char::from(b' ' + u8::try_from(dice.below(95)).unwrap())),
                _ => {
                    let alphabet = dice.pick(alphabets);
                    string.push(dice.pick(alphabet));
                }
            }
        }
        strings.push(string);
    }
    strings
}

/// Feeds a program and returns what it printed; it must succeed.
fn fed(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&done.stderr));
    writer.join().unwrap().unwrap();
    done.stdout
}

fn split(bytes: &[u8]) -> Vec<String> {
    String::from_utf8(bytes.to_vec()).unwrap().split_terminator('\0').map(str::to_owned).collect()
}

/// Demands that what went in came out, each string in its place.
fn same(what: &str, sent: &[String], came: &[String]) {
    assert_eq!(sent.len(), came.len(), "{what}: strings were lost or made");
    let wrong: Vec<_> = sent.iter().zip(came).filter(|(sent, came)| sent != came).take(5).collect();
    assert!(wrong.is_empty(), "{what}: {wrong:#?}");
}

#[test]
fn the_strings_are_the_same_at_every_run_and_hold_what_they_should() {
    let (plain, control) = (strings(1, false), strings(2, true));
    assert_eq!(plain, strings(1, false));
    assert!(plain.len() == MANY && control.len() == MANY);
    for c in MEANING.iter().chain(LETTERS) {
        assert!(plain.iter().filter(|string| string.contains(*c)).count() > 100, "{c:?}");
        // At both ends too, where a neighbour begins.
        assert!(plain.iter().any(|string| string.starts_with(*c)), "{c:?}");
        assert!(plain.iter().any(|string| string.ends_with(*c)), "{c:?}");
    }
    assert!(CONTROL.iter().all(|c| control.iter().any(|string| string.contains(*c))));
}

#[test]
fn out_1_ten_thousand_words_pass_every_shell_to_a_program() {
    let Some(()) = tools(&SHELLS) else { return };
    let directory = tempfile::tempdir().unwrap();
    let shim = directory.path().join("record");
    fs::write(&shim, "#!/bin/sh\nprintf '%s\\0' \"$@\"\n").unwrap();
    fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).unwrap();
    let words = strings(0x5eed_0001, true);
    let mut script = String::new();
    for words in words.chunks(200) {
        script.push_str(&shim.display().to_string());
        words.iter().for_each(|word| script.extend([" ", &shell(word)]));
        script.push('\n');
    }
    let path = directory.path().join("script");
    fs::write(&path, script).unwrap();
    for name in SHELLS {
        for locale in ["C", "C.UTF-8"] {
            let mut command = Command::new(name);
            command.args((name == "busybox").then_some("sh")).arg(&path).env("LC_ALL", locale);
            same(&format!("{name} {locale}"), &words, &split(&fed(&mut command, b"")));
        }
    }
}

#[test]
fn out_2_ten_thousand_values_pass_virt_installs_parser_and_its_xml() {
    let Some(()) = tools(&["virt-install"]) else { return };
    let Some(library) =
        ["/usr/share/virt-manager", "/usr/share/virt-install"].iter().find(|path| Path::new(path).exists())
    else {
        let _ = tool("virt-install's modules");
        return;
    };
    let sent = strings(0x5eed_0002, false);
    assert!(sent.iter().all(|value| printable("description", value).is_ok()), "all of them may be written");
    let options: String = sent.iter().map(|value| format!("{}\0", virt_option(value))).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/encoders/read_options.py");
    let came = split(&fed(Command::new(PYTHON).arg("-I").args([script, library]), options.as_bytes()));
    let (parsed, written): (Vec<_>, Vec<_>) = came.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
    let strings = |rows: Vec<(usize, String)>| rows.into_iter().map(|(_, string)| string).collect::<Vec<_>>();
    same("the parser", &sent, &strings(parsed));
    same("the XML of the guest", &sent, &strings(written));
}

#[test]
fn out_6_ten_thousand_texts_and_attributes_pass_libxml2() {
    let Some(()) = tools(&["virt-install"]) else { return };
    let sent = strings(0x5eed_0003, false);
    let children = sent.iter().map(|value| element("e").with("v", value).with_text(value));
    let bytes = element("root").containing(children).to_document().into_bytes();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/encoders/read_xml.py");
    let came = split(&fed(Command::new(PYTHON).arg("-I").arg(script), &bytes));
    let twice: Vec<_> = sent.iter().flat_map(|value| [value.clone(), value.clone()]).collect();
    same("libxml2", &twice, &came);
}

#[test]
fn out_6_what_xml_cannot_hold_is_a_typed_error_and_nothing_else_is() {
    let strings = strings(0x5eed_0004, true);
    let bad = |c: char| c.is_control() || text::is_bidi(c) || matches!(c, '\u{fffe}' | '\u{ffff}');
    let mut refused = 0;
    for value in &strings {
        let answer = printable("description", value);
        assert_eq!(answer.is_err(), value.contains(bad), "{value:?}");
        if let Err(problem) = answer {
            refused += 1;
            assert_eq!(problem.code, Code::Recipe);
            let told = format!("{problem} {:?}", problem.facts);
            assert!(!told.chars().any(|c| text::is_unsafe(c) || c == '\n'), "{told:?}");
        }
    }
    assert!((1000..MANY - 100).contains(&refused), "{refused}");
    assert!(printable("description", "a\0b").is_err());
}

/// One QEMU that is given values by `-fw_cfg` and tells over its test protocol what it understood.
///
/// Options of `-fw_cfg` are parsed by QemuOpts (system/vl.c, `parse_fw_cfg`), and an entry can be read back byte for byte through
/// the device's DMA registers (QEMU: docs/specs/fw_cfg.rst; docs/devel/testing/qtest.rst).
fn through_qemu(qemu: &Path, values: &[String]) -> Vec<String> {
    let mut command = Command::new(qemu);
    command.args(["-machine", "pc", "-accel", "tcg", "-S", "-nodefaults", "-display", "none", "-m", "64"]);
    command.args(["-qtest", "stdio", "-qtest-log", "/dev/null", "-global", "fw_cfg_io.x-file-slots=4096"]);
    for (index, value) in values.iter().enumerate() {
        let value = qemu_option(value);
        // The value ends at a comma, or with the option.
        let option = match index % 2 {
            0 => format!("name=opt/{index},string={value}"),
            _ => format!("string={value},name=opt/{index}"),
        };
        command.args(["-fw_cfg", &option]);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut test = Qtest { stdin: child.stdin.take().unwrap(), stdout: BufReader::new(child.stdout.take().unwrap()) };
    let entries = test.directory();
    let came = entries.map(|entries| {
        let find = |index: usize| entries.iter().find(|(name, ..)| *name == format!("opt/{index}")).unwrap();
        let read = |index| {
            let (_, key, size) = find(index);
            String::from_utf8(test.read(*key, *size)).unwrap()
        };
        (0..values.len()).map(read).collect()
    });
    let _ = child.kill();
    let mut complaints = String::new();
    let _ = child.stderr.take().unwrap().read_to_string(&mut complaints);
    let _ = child.wait();
    came.unwrap_or_else(|| panic!("{complaints}"))
}

struct Qtest {
    stdin: std::process::ChildStdin,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Qtest {
    /// Gives commands and returns the last one's answer; `None` when QEMU is gone.
    fn ask(&mut self, commands: &[String]) -> Option<String> {
        self.stdin.write_all(format!("{}\n", commands.join("\n")).as_bytes()).ok()?;
        let mut answer = String::new();
        for _ in commands {
            answer.clear();
            self.stdout.read_line(&mut answer).ok().filter(|length| *length > 0)?;
            assert!(answer.starts_with("OK"), "{commands:?}: {answer}");
        }
        Some(answer.trim_start_matches("OK").trim().to_owned())
    }

    /// Reads so many bytes of an entry into memory, and from there.
    fn try_read(&mut self, key: u16, size: usize) -> Option<Vec<u8>> {
        let control = (u32::from(key) << 16) | 0x08 | 0x02;
        let description = format!("{control:08x}{size:08x}{:016x}", 0x10_0000);
        let commands = [
            format!("write 0x1000 16 0x{description}"),
            "outl 0x514 0".to_owned(),
            format!("outl 0x518 {}", 0x1000_u32.swap_bytes()),
            format!("b64read 0x100000 {size}"),
        ];
        base64::engine::general_purpose::STANDARD.decode(self.ask(&commands)?).ok()
    }

    fn read(&mut self, key: u16, size: usize) -> Vec<u8> {
        self.try_read(key, size).unwrap()
    }

    /// Lists the entries: name, key, size.
    fn directory(&mut self) -> Option<Vec<(String, u16, usize)>> {
        let count = self.try_read(0x19, 4)?;
        let count = usize::try_from(u32::from_be_bytes(count.try_into().unwrap())).unwrap();
        let bytes = self.read(0x19, 4 + 64 * count);
        let entry = |entry: &[u8]| {
            let size = u32::from_be_bytes(entry[..4].try_into().unwrap());
            let key = u16::from_be_bytes(entry[4..6].try_into().unwrap());
            let name = String::from_utf8_lossy(&entry[8..]).trim_end_matches('\0').to_owned();
            (name, key, usize::try_from(size).unwrap())
        };
        Some(bytes[4..].chunks_exact(64).map(entry).collect())
    }
}

#[test]
fn out_1_ten_thousand_values_pass_the_option_strings_of_qemu() {
    let Some(qemu) = tool("qemu-system-x86_64") else { return };
    // An empty string is no entry to QEMU; there is nothing to encode in it.
    let sent: Vec<_> = strings(0x5eed_0005, true).into_iter().filter(|value| !value.is_empty()).collect();
    let came: Vec<_> = sent.chunks(2500).flat_map(|values| through_qemu(&qemu, values)).collect();
    same("QEMU", &sent, &came);
}

/// Scripts know their paths only when they run, so there a shell function does what `qemu_option` does.
#[test]
fn out_1_the_scripts_own_encoder_for_qemu_does_the_same_in_every_shell() {
    let Some(()) = tools(&SHELLS) else { return };
    let files = machines::files(&machines::eight().remove(0).1);
    let script = String::from_utf8(files.into_iter().find(|file| file.name == "run-qemu.sh").unwrap().bytes).unwrap();
    let function = &script[script.find("comma() {").unwrap()..];
    let function = &function[..function.find("\n}\n").unwrap() + 3];
    // It refuses a path with a line break before.
    let values: Vec<_> = strings(0x5eed_0006, true).into_iter().filter(|value| !value.contains('\n')).collect();
    assert!(script.contains("which QEMU cannot be told") && values.len() > MANY / 2);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("script");
    // All of them in one call, one a line: a process for each would take minutes.
    let together = format!("{}.", values.join("\n"));
    fs::write(&path, format!("{function}comma {}\n", shell(&together))).unwrap();
    let wanted: Vec<_> = qemu_option(&together).split('\n').map(str::to_owned).collect();
    for name in SHELLS {
        let mut command = Command::new(name);
        let came = fed(command.args((name == "busybox").then_some("sh")).arg(&path).env("LC_ALL", "C.UTF-8"), b"");
        let came: Vec<_> =
            String::from_utf8(came).unwrap().trim_end_matches('\n').split('\n').map(str::to_owned).collect();
        same(name, &wanted, &came);
    }
}
