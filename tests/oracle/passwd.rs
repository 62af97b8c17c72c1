//! `arca-build passwd` against those who check passwords: openssl and crypt(3); and on a real terminal.

use std::process::Command;

use crate::tests::support::{Bin, output, tool, workdir};

fn hash(password: &str, words: &[&str]) -> String {
    let dir = workdir();
    let made =
        Bin::new(dir.path()).arg("passwd").args(words).stdin(format!("{password}\n").into_bytes()).run().success();
    assert!(!made.stderr.contains(password), "{made}");
    made.line().to_owned()
}

#[test]
fn openssl_makes_the_same_hash_of_the_same_password_and_salt() {
    let Some(openssl) = tool("openssl") else { return };
    let long = "x".repeat(200);
    for password in ["a", "correct horse battery staple", "pässwörd €", "$6$\"'\\ ;", &long] {
        for words in [&[][..], &["--rounds", "10000"]] {
            let hash = hash(password, words);
            let salt = hash.strip_prefix("$6$").unwrap().rsplit_once('$').unwrap().0;
            let theirs = output(Command::new(&openssl).args(["passwd", "-6", "-salt", salt, password])).success();
            assert_eq!(theirs.line(), hash, "{password}");
        }
    }
}

#[test]
fn crypt_lets_in_who_knows_the_password_and_nobody_else() {
    let Some(perl) = tool("perl") else { return };
    let hash = hash("correct horse", &[]);
    let crypt = |password: &str| {
        let script = "my ($p, $h) = @ARGV; print crypt($p, $h) eq $h ? 'in' : 'out'";
        output(Command::new(&perl).args(["-e", script, password, &hash])).success().stdout
    };
    assert_eq!((crypt("correct horse").as_str(), crypt("correct horsf").as_str()), ("in", "out"));
}

#[test]
fn no_two_hashes_have_one_salt() {
    let (one, other) = (hash("a", &[]), hash("a", &[]));
    assert_ne!(one, other);
}

/// A terminal of its own, driven by python: what is sent, what came back, the exit code, and whether echo is on afterwards.
const TERMINAL: &str = r#"
import os, pty, select, sys, termios, time
keys = [bytes(word, "utf-8").decode("unicode_escape").encode("latin-1") for word in sys.argv[2:]]
master, slave = pty.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    import fcntl
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.dup2(slave, 0); os.dup2(slave, 2)
    os.dup2(os.open("out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    os.execv(sys.argv[1], [sys.argv[1], "passwd"])
seen = b""
def until(text):
    global seen
    end = time.time() + 120
    while text not in seen:
        if time.time() > end or not select.select([master], [], [], 120)[0]: break
        seen += os.read(master, 4096)
for prompt, key in zip([b"password: ", b"again: "], keys):
    until(prompt)
    assert not termios.tcgetattr(slave)[3] & termios.ECHO, "echo is on while a password is typed"
    os.write(master, key)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
while select.select([master], [], [], 0.2)[0]: seen += os.read(master, 4096)
modes = termios.tcgetattr(slave)[3]
whole = all(modes & flag for flag in (termios.ECHO, termios.ICANON, termios.ISIG))
print(code, whole)
print(seen.decode("utf-8", "replace"), file=sys.stderr)
"#;

/// Types on a terminal; returns what the terminal showed, what was printed, the exit code and whether the terminal is whole.
fn on_terminal(keys: &[&str]) -> Option<(String, String, String)> {
    let python = tool("python3")?;
    let dir = workdir();
    let program = crate::tests::support::program();
    let ran = output(Command::new(python).current_dir(dir.path()).args(["-c", TERMINAL, program]).args(keys)).success();
    let printed = std::fs::read_to_string(dir.path().join("out")).unwrap();
    Some((ran.stderr, printed, ran.stdout.trim().to_owned()))
}

#[test]
fn sec_4_a_terminal_never_shows_what_is_typed_and_is_left_as_it_was() {
    let Some((shown, hash, ended)) = on_terminal(&["canary\\n", "canary\\n"]) else { return };
    assert_eq!(ended, "0 True", "{shown}");
    assert!(shown.contains("password: ") && shown.contains("again: ") && !shown.contains("canary"), "{shown}");
    assert!(hash.starts_with("$6$") && hash.lines().count() == 1, "{hash}");

    let (shown, hash, ended) = on_terminal(&["canary\\n", "canarz\\n"]).unwrap();
    assert_eq!((ended.as_str(), hash.as_str()), ("2 True", ""), "{shown}");
    assert!(shown.contains("the two passwords differ") && !shown.contains("canar"), "{shown}");

    let (shown, hash, ended) = on_terminal(&["canary\\x03"]).unwrap();
    assert_eq!((ended.as_str(), hash.as_str()), ("130 True", ""), "Ctrl-C: {shown}");
    assert!(!shown.contains("canary"), "{shown}");

    let (shown, _, ended) = on_terminal(&["\\n"]).unwrap();
    assert_eq!(ended, "2 True", "{shown}");
    assert!(shown.contains("the password is empty") && !shown.contains("again"), "{shown}");
}
