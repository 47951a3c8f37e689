//! Texts of others, made fit for a terminal and a log.

/// How many characters of a name are told.
const NAME: usize = 100;

/// How many characters of a sentence are told.
const SENTENCE: usize = 400;

/// Returns `text` with all that is no plain character escaped as Rust escapes it: `\n`, `\u{1b}`.
pub fn plain(text: &str) -> String {
    let is_plain = |c: char| matches!(c, ' '..='~');
    text.chars().fold(String::new(), |mut plain, c| {
        if is_plain(c) {
            plain.push(c)
        } else {
            plain.extend(c.escape_debug())
        }
        plain
    })
}

/// Returns the beginning of a name, plain.
pub fn name(text: &str) -> String {
    cut(text, NAME)
}

/// Returns the beginning of a sentence, plain.
pub fn sentence(text: &str) -> String {
    cut(text, SENTENCE)
}

/// Returns names, each as [`name`] has it, with commas between them.
pub fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(name).collect::<Vec<_>>().join(", ")
}

fn cut(text: &str, longest: usize) -> String {
    let mut characters = text.chars();
    let begin = plain(&characters.by_ref().take(longest).collect::<String>());
    if characters.next().is_some() { begin + "…" } else { begin }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_plain() {
        for (text, shown) in [
            ("", ""),
            ("a \"b\" 'c' \\", "a \"b\" 'c' \\"),
            ("größer – 模型", "größer – 模型"),
            ("a\nb\r\t\0", "a\\nb\\r\\t\\0"),
            ("\u{1b}[2Jx\u{7f}\u{9b}", "\\u{1b}[2Jx\\u{7f}\\u{9b}"),
            // What turns the direction of writing, or is not seen.
            ("\u{202e}a\u{200b}\u{2028}", "\\u{202e}a\\u{200b}\\u{2028}"),
        ] {
            assert_eq!(plain(text), shown);
            assert_eq!((name(text), sentence(text)), (shown.to_owned(), shown.to_owned()));
        }
        assert_eq!(name(&"é".repeat(101)), "é".repeat(100) + "…");
        assert_eq!(name(&"é".repeat(100)), "é".repeat(100));
        assert_eq!(names(["a", "b\n"]), "a, b\\n");
    }
}
