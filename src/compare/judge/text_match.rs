//! Whether two texts are equal, to the letter or but for white space.
//!
//! A string of JSON is compared by the code points that its escapes stand for. Bytes that are not UTF-8 equal only the same bytes. A
//! comparison goes on in slices.

use core::task::{Poll, ready};

use crate::compare::part::text::Text;

/// A comparison of two texts under way.
#[derive(Clone, Copy, Debug)]
pub struct TextMatch {
    /// Whether a run of white space counts as one space, and white space at the ends as nothing.
    normalize: bool,
    primary: Progress,
    shadow: Progress,
}

/// How far one text has been read.
#[derive(Clone, Copy, Debug)]
struct Progress {
    at: usize,
    /// Whether anything but white space has come.
    begun: bool,
    /// Whether white space has come since then. It counts as one space once something follows it.
    blank: bool,
    /// What comes next: a code point, or `None` at the end. `Pending`: it is not known yet.
    next: Poll<Option<u32>>,
}

impl TextMatch {
    /// A comparison to the letter; or, to `normalize`, one for which a run of white space is one space, and white space at the ends is
    /// nothing.
    pub fn new(normalize: bool) -> Self {
        Self { normalize, primary: Progress::START, shadow: Progress::START }
    }

    /// Compares on for about `budget` bytes: whether the texts are equal. `Pending`: the budget was not enough; call again.
    pub fn step(&mut self, primary: Text<'_>, shadow: Text<'_>, budget: &mut usize) -> Poll<bool> {
        if let (false, Some(a), Some(b)) = (self.normalize, primary.plain(), shadow.plain()) {
            return self.plain(a, b, budget);
        }
        while *budget > 0 {
            let next =
                (ready!(self.primary.peek(primary, self.normalize, budget)), ready!(self.shadow.peek(shadow, self.normalize, budget)));
            (self.primary.next, self.shadow.next) = (Poll::Pending, Poll::Pending);
            match next {
                (a, b) if a != b => return Poll::Ready(false),
                (None, _) => return Poll::Ready(true),
                _ => {}
            }
        }
        Poll::Pending
    }

    fn plain(&mut self, a: &[u8], b: &[u8], budget: &mut usize) -> Poll<bool> {
        if a.len() != b.len() {
            return Poll::Ready(false);
        }
        let from = self.primary.at;
        let end = from.saturating_add(*budget).min(a.len());
        *budget = budget.saturating_sub(end.saturating_sub(from));
        self.primary.at = end;
        if a.get(from..end) != b.get(from..end) {
            return Poll::Ready(false);
        }
        if end == a.len() { Poll::Ready(true) } else { Poll::Pending }
    }
}

impl Progress {
    const START: Self = Self { at: 0, begun: false, blank: false, next: Poll::Pending };

    /// What comes next: a code point, or `None` at the end. `Pending`: the budget was not enough; call again.
    fn peek(&mut self, text: Text<'_>, normalize: bool, budget: &mut usize) -> Poll<Option<u32>> {
        while self.next.is_pending() && *budget > 0 {
            let from = self.at;
            let code = text.next_code(&mut self.at);
            *budget = budget.saturating_sub(self.at.saturating_sub(from).max(1));
            self.next = match code {
                Some(code) if normalize && is_white(code) => {
                    self.blank = self.begun;
                    Poll::Pending
                }
                Some(_) if self.blank => {
                    // The pending space comes first. The next call reads this code point again.
                    self.blank = false;
                    self.at = from;
                    Poll::Ready(Some(u32::from(b' ')))
                }
                code => {
                    self.begun = true;
                    Poll::Ready(code)
                }
            };
        }
        self.next
    }
}

fn is_white(code: u32) -> bool {
    char::from_u32(code).is_some_and(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use proptest::prelude::*;

    use super::{Poll, Text, TextMatch};
    use crate::json::value::{Tag, Value};

    /// Compares in slices of `budget` bytes.
    fn equal(primary: Text<'_>, shadow: Text<'_>, normalize: bool, budget: usize) -> bool {
        let mut comparison = TextMatch::new(normalize);
        loop {
            if let Poll::Ready(equal) = comparison.step(primary, shadow, &mut budget.clone()) {
                return equal;
            }
        }
    }

    /// `text` as a JSON string in which every so many-th character is an escape.
    fn escaped(text: &str, every: usize) -> String {
        let escape = |character: char| character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
        let spell = |(index, character): (usize, char)| {
            let plain = index % every != 0 && !matches!(character, '"' | '\\' | '\0'..='\x1f');
            if plain { character.to_string() } else { escape(character) }
        };
        text.chars().enumerate().map(spell).collect()
    }

    #[test]
    fn white_space_may_not_count() {
        for (primary, shadow, want) in [
            ("a b", " a \t\n b ", true),
            ("", " \n ", true),
            ("a", " a", true),
            ("a ", "a", true),
            ("a b", "ab", false),
            ("a b", "a c", false),
            ("a\u{a0}b", "a\u{3000}b", true),
            ("a b", "a b c", false),
            ("  ", "x", false),
        ] {
            for budget in [1, usize::MAX] {
                assert_eq!(
                    equal(Text::Bytes(primary.as_bytes()), Text::Bytes(shadow.as_bytes()), true, budget),
                    want,
                    "{primary:?} {shadow:?}"
                );
            }
            assert!(!equal(Text::Bytes(primary.as_bytes()), Text::Bytes(shadow.as_bytes()), false, 1), "{primary:?} {shadow:?}");
        }
        let text = b"\xff  a";
        assert!(equal(Text::Bytes(text), Text::Bytes(b" \xff a"), true, 1));
    }

    proptest! {
        #[test]
        fn any_spelling_is_the_same_text(a in "[ab \\n\"\\\\é😀\u{a0}]{0,12}", b in "[ab \\né]{0,4}", mix: bool, every in 1_usize..4, budget in 1_usize..9) {
            let b = if mix { a.clone() } else { b };
            let json = escaped(&a, every);
            let primary = Text::Json(Value { tag: Tag::Escaped, text: json.as_bytes() });
            for shadow in [Text::Bytes(b.as_bytes()), Text::Json(Value { tag: Tag::Escaped, text: escaped(&b, 3).as_bytes() })] {
                prop_assert_eq!(equal(primary, shadow, false, budget), a == b);
                prop_assert_eq!(equal(shadow, primary, false, budget), a == b);
                let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                prop_assert_eq!(equal(primary, shadow, true, budget), words(&a) == words(&b));
            }
        }

        #[test]
        fn any_bytes_are_compared(a: Vec<u8>, b: Vec<u8>, normalize: bool, budget in 1_usize..9) {
            let (left, right) = (Text::Bytes(&a), Text::Bytes(&b));
            prop_assert!(equal(left, left, normalize, budget));
            prop_assert_eq!(equal(left, right, false, budget), a == b);
            prop_assert_eq!(equal(left, right, normalize, budget), equal(right, left, normalize, usize::MAX));
        }
    }
}
