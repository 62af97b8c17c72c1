//! Values inside options: virt-install's `a=…,b=…` and QEMU's. Touches nothing.
//!
//! They are the inverse of `emit::quote`. Sources: virtinst/cli.py, `parse_optstr_tuples` (Python's `shlex` in POSIX mode with
//! `,` for white space); QEMU: util/qemu-option.c, `get_opt_value`.

/// A key, and its value where one was given.
pub(crate) type Pair = (String, Option<String>);

/// Splits an option of virt-install; `None` where a quote is open.
pub(crate) fn virt(text: &str) -> Option<Vec<Pair>> {
    let (mut words, mut word, mut quote, mut chars) = (vec![], None::<String>, None, text.chars());
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, ',') => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None, '\\') => word.get_or_insert_default().push(chars.next()?),
            (Some('"'), '\\') => match chars.next()? {
                c @ ('"' | '\\') => word.get_or_insert_default().push(c),
                c => word.get_or_insert_default().extend(['\\', c]),
            },
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then(|| words.iter().map(|word| pair(word)).collect())
}

/// Splits an option of QEMU.
pub(crate) fn qemu(text: &str) -> Vec<Pair> {
    let (mut words, mut word, mut chars) = (vec![], String::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            ',' if chars.next_if_eq(&',').is_none() => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.iter().map(|word| pair(word)).collect()
}

fn pair(word: &str) -> Pair {
    match word.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (word.to_owned(), None),
    }
}

/// Returns the value of a key.
pub(crate) fn value<'a>(pairs: &'a [Pair], key: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(name, _)| name == key).and_then(|(_, value)| value.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, Option<&str>)]) -> Vec<Pair> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
    }

    #[test]
    fn options_of_virt_install_are_split_as_it_does() {
        for (text, expected) in [
            ("path=/a,size=5", &[("path", Some("/a")), ("size", Some("5"))][..]),
            ("default", &[("default", None)]),
            ("a=\"b,c\\\"\\\\\\x\",d='e,f\\'", &[("a", Some("b,c\"\\\\x")), ("d", Some("e,f\\"))]),
            ("a=b,,c\\,d", &[("a", Some("b")), ("c,d", None)]),
            ("a==b", &[("a", Some("=b"))]),
            ("", &[]),
        ] {
            assert_eq!(virt(text), Some(pairs(expected)), "{text}");
        }
        assert!(["a=\"b", "a='", "a\\"].iter().all(|text| virt(text).is_none()));
    }

    #[test]
    fn options_of_qemu_are_split_as_it_does() {
        let expected = pairs(&[("name", Some("opt/x")), ("file", Some("/a,b")), ("c", None)]);
        assert_eq!(qemu("name=opt/x,file=/a,,b,c"), expected);
        assert_eq!(value(&expected, "file"), Some("/a,b"));
    }
}
