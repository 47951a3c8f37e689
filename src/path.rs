//! Paths into a JSON value: `a.b[0].c`, `[*]` for any index, `["the name"]` for an unusual member, `$` for the root.

use std::iter::Peekable;
use std::str::Chars;

/// A parsed path expression that may contain `[*]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    steps: Vec<Step>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Member(String),
    /// One element of an array.
    Index(usize),
    /// Any element of an array.
    AnyIndex,
}

impl PathPattern {
    /// Returns the path with these steps from the root.
    pub fn new(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// Parses a path expression. `$` may also stand before the first step (`$.a`, `$[0]`). A name in brackets is a JSON string.
    ///
    /// # Errors
    /// A message for the operator, if `text` is no path.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut chars = text.chars().peekable();
        let rooted = chars.next_if_eq(&'$').is_some();
        let mut steps = Vec::new();
        if text.is_empty() {
            return Err("give a path such as outputs[*].score, or $ for the whole answer".to_owned());
        }
        while let Some(&next) = chars.peek() {
            let first = !rooted && steps.is_empty();
            steps.push(if chars.next_if_eq(&'[').is_some() {
                bracketed(&mut chars)?
            } else if first || chars.next_if_eq(&'.').is_some() {
                name(&mut chars)?
            } else {
                return Err(format!("{next:?} can't follow here: write .name, [0], [*] or [\"any name\"]"));
            });
        }
        Ok(Self { steps })
    }

    /// Returns the steps from the root.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// Reads a name that stands without brackets.
fn name(chars: &mut Peekable<Chars<'_>>) -> Result<Step, String> {
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '-') {
        name.push(c);
    }
    if !name.is_empty() {
        return Ok(Step::Member(name));
    }
    let found = chars.peek().map_or("the end".to_owned(), |c| format!("{c:?}"));
    Err(format!("a name should be where {found} is: letters, digits, _ and -, any other name as [\"the name\"]"))
}

/// Reads the rest of a step in brackets, after `[`, including `]`.
fn bracketed(chars: &mut Peekable<Chars<'_>>) -> Result<Step, String> {
    let step = if chars.next_if_eq(&'*').is_some() {
        Step::AnyIndex
    } else if chars.next_if_eq(&'"').is_some() {
        Step::Member(quoted(chars)?)
    } else {
        let mut digits = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        let index = digits.parse().map_err(|_| "give an index, * or a name in quotes between [ and ]".to_owned())?;
        Step::Index(index)
    };
    match chars.next() {
        Some(']') => Ok(step),
        _ => Err("a [ has no ] where it should be".to_owned()),
    }
}

/// Reads the rest of a name in quotes, after the opening quote, including the closing one.
fn quoted(chars: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut name = String::new();
    loop {
        match chars.next() {
            Some('"') => return Ok(name),
            Some('\\') => name.push(escaped(chars).ok_or("after \\ in quotes comes one of \" \\ / b f n r t, or u with four digits")?),
            Some(c) => name.push(c),
            None => return Err("a name in quotes has no end".to_owned()),
        }
    }
}

/// Reads the rest of a JSON escape, after `\`. Escaped surrogates are refused: their characters can be written without an escape.
fn escaped(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    Some(match chars.next()? {
        c @ ('"' | '\\' | '/') => c,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let digits: Option<Vec<u32>> = (0..4).map(|_| chars.next()?.to_digit(16)).collect();
            char::from_u32(digits?.iter().fold(0, |code, digit| (code << 4) | digit))?
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use proptest::prelude::*;

    use super::{PathPattern, Step};

    fn member(name: &str) -> Step {
        Step::Member(name.to_owned())
    }

    #[test]
    fn paths_have_steps() {
        for (text, steps) in [
            ("$", vec![]),
            ("a", vec![member("a")]),
            ("a.b[0].c", vec![member("a"), member("b"), Step::Index(0), member("c")]),
            ("outputs[*].score", vec![member("outputs"), Step::AnyIndex, member("score")]),
            ("[3][*]", vec![Step::Index(3), Step::AnyIndex]),
            ("$[3].a", vec![Step::Index(3), member("a")]),
            ("$.a", vec![member("a")]),
            ("-1.A_b", vec![member("-1"), member("A_b")]),
            (r#"["the name"].b"#, vec![member("the name"), member("b")]),
            (r#"a["."][""]["é"]"#, vec![member("a"), member("."), member(""), member("é")]),
            (r#"["a\"b\\c\/\b\f\n\r\t\u00e9"]"#, vec![member("a\"b\\c/\u{8}\u{c}\n\r\té")]),
        ] {
            assert_eq!(PathPattern::parse(text).as_ref().map(PathPattern::steps), Ok(&*steps), "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for (text, hint) in [
            ("", "give a path"),
            (".a", "a name should be where '.' is"),
            ("a.", "a name should be where the end is"),
            ("a..b", "a name should be where '.' is"),
            ("a b", "' ' can't follow"),
            ("a.*", "a name should be where '*' is"),
            ("é", "a name should be where 'é' is"),
            ("$a", "'a' can't follow"),
            ("$$", "'$' can't follow"),
            ("a[[", "between [ and ]"),
            ("a[]", "between [ and ]"),
            ("a[-1]", "between [ and ]"),
            ("a[b]", "between [ and ]"),
            ("a[99999999999999999999999]", "between [ and ]"),
            ("a[0", "no ]"),
            ("a[*", "no ]"),
            ("a[0]b", "'b' can't follow"),
            (r#"a["b"#, "no end"),
            (r#"a["b"x"#, "no ]"),
            (r#"["\x"]"#, "after \\"),
            (r#"["\ud83d\ude00"]"#, "after \\"),
            (r#"["\u12"]"#, "after \\"),
        ] {
            let error = PathPattern::parse(text).expect_err(text);
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in "[$a.*\\[\\]\"0-9\\\\u é]{0,12}") {
            let _ = PathPattern::parse(&text);
        }

        /// Any names and indices can be written.
        #[test]
        fn every_name_can_be_quoted(names in prop::collection::vec("[^\\p{C}]{0,5}", 1..5)) {
            let quoted = |name: &String| format!("[\"{}\"]", name.replace('\\', "\\\\").replace('"', "\\\""));
            let text: String = names.iter().map(quoted).collect();
            let steps: Vec<Step> = names.iter().map(|name| member(name)).collect();
            prop_assert_eq!(PathPattern::parse(&text).map(|path| path.steps), Ok(steps));
        }
    }
}
