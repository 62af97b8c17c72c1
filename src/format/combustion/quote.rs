//! How text and bytes are put into a POSIX shell script so that the shell hands on exactly them. Touches nothing.
//!
//! Source: POSIX.1-2017, Shell Command Language, 2.2.2 (single quotes) and 2.7.4 (here documents with a quoted delimiter).

use base64::Engine as _;

/// Quotes one word; a leading `-` is the caller's business (`--`, or an absolute path).
pub(crate) use crate::base::text::shell_word as quote;

/// Bytes as a here document.
pub(crate) struct Payload {
    /// The command that turns the here document back into the bytes: `cat` or `base64 -d`.
    pub decoder: &'static str,
    /// A word that no line of the body equals.
    pub delimiter: String,
    /// Whole lines.
    pub body: String,
}

impl Payload {
    /// Writes `head decoder <<'END'`, the body and the delimiter, as whole lines.
    pub(crate) fn render(&self, head: &str) -> String {
        let Self { decoder, delimiter, body } = self;
        format!("{head} {decoder} <<'{delimiter}'\n{body}{delimiter}\n")
    }
}

/// Chooses a form for bytes: plain text stays readable, anything else becomes base64.
///
/// Plain are whole lines of printable ASCII and tabs: some shells mangle other bytes in a here document. A line that
/// Combustion's grep would take for a magic comment is never left plain.
pub(crate) fn payload(bytes: &[u8]) -> Payload {
    choose(bytes, plain(bytes).filter(|text| !text.lines().any(|line| super::is_magic(line.as_bytes()))))
}

/// Like [`payload`], for a script whose magic comments are meant to be found.
///
/// Plain matters most here: with `--prepare` it is unpacked in the initrd, where `base64` is optional (module-setup.sh).
pub(crate) fn script_payload(bytes: &[u8]) -> Payload {
    choose(bytes, plain(bytes))
}

fn choose(bytes: &[u8], plain: Option<&str>) -> Payload {
    match plain {
        Some(text) => Payload { decoder: "cat", delimiter: delimiter(text), body: text.to_owned() },
        None => Payload { decoder: "base64 -d", delimiter: "END".to_owned(), body: wrapped(bytes) },
    }
}

fn plain(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.is_empty() || text.ends_with('\n'))?;
    let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n'));
    printable.then_some(text)
}

fn delimiter(text: &str) -> String {
    let mut delimiter = "END".to_owned();
    while text.lines().any(|line| line == delimiter) {
        delimiter.push('_');
    }
    delimiter
}

fn wrapped(bytes: &[u8]) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines = encoded.as_bytes().chunks(76).map(String::from_utf8_lossy);
    lines.flat_map(|line| [line, "\n".into()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_readable_and_cannot_end_its_document() {
        let shown = payload(b"a\nEND\nEND_\n").render("put x");
        assert_eq!(shown, "put x cat <<'END__'\na\nEND\nEND_\nEND__\n");
        assert_eq!(payload(b"").render("x"), "x cat <<'END'\nEND\n");
    }

    #[test]
    fn out_10_what_is_not_plain_becomes_base64() {
        for bytes in [&b"no line end"[..], b"a\0b\n", b"\xff\n", "ä\n".as_bytes(), b"a\r\n", b"# combustion: network\n"]
        {
            let payload = payload(bytes);
            assert_eq!(payload.decoder, "base64 -d", "{bytes:?}");
            let joined = payload.body.replace('\n', "");
            assert_eq!(base64::engine::general_purpose::STANDARD.decode(joined).unwrap(), bytes);
        }
        assert!(payload(&[0; 300]).body.lines().all(|line| line.len() <= 76));
    }

    #[test]
    fn out_1_quoted_words_read_back() {
        for word in ["", "a b", "'", "\"", "$(x)", "`x`", "\\", "!", "~", "-x", "*", "a\nb", "ä€", "#", "=", "'\"$"]
        {
            assert_eq!(shlex::split(&quote(word)).unwrap(), [word], "{word:?}");
        }
    }
}
