//! What a log may hold that must not be shown again: hashes of passwords, and content that a config carries. Touches nothing.

use std::borrow::Cow;

/// What a hash of crypt(5) begins with.
const HASHES: [&str; 12] =
    ["$y$", "$gy$", "$7$", "$2a$", "$2b$", "$2x$", "$2y$", "$6$", "$5$", "$sm3$", "$sha1$", "$1$"];

/// Returns the text with hashes, data URLs and what follows a password's key as `***`.
pub(crate) fn hushed(text: &str) -> Cow<'_, str> {
    let is_secret = |word: &str| {
        HASHES.iter().any(|hash| word.contains(hash)) || word.contains("data:") || word.contains("PRIVATE KEY")
    };
    if !is_secret(text) {
        return Cow::Borrowed(text);
    }
    let is_end = |c: char| c == ' ' || c == '"' || c == '\'';
    let hush = |word: &str| {
        let end = word.len() - word.trim_end_matches(is_end).len();
        let (word, ending) = word.split_at(word.len() - end);
        if is_secret(word) { format!("***{ending}") } else { format!("{word}{ending}") }
    };
    Cow::Owned(text.split_inclusive(is_end).map(hush).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_4_hashes_and_carried_content_are_hushed_and_other_text_is_not() {
        for (text, shown) in [
            (
                r#"op(1): executing: "useradd" "--password" "$6$salt$hash" "ada""#,
                r#"op(1): executing: "useradd" "--password" "***" "ada""#,
            ),
            (r#""passwordHash": "$y$j9T$x/y.z$abc","#, r#""passwordHash": "***","#),
            (r#""source": "data:;base64,c2VjcmV0""#, r#""source": "***""#),
            ("root:$2b$10$abc:1::", "***"),
            ("costs $20, or $PATH", "costs $20, or $PATH"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(hushed(text), shown);
        }
    }
}
