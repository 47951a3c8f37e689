//! Strings of JSON texts: their meaning, and their order.
//!
//! Strings are ordered by code points. For strings without escapes that is the order of their bytes. A lone surrogate is a code point of
//! its own. Strings are compared in slices, and without unescaping them into a buffer.

use core::cmp::Ordering;
use core::task::Poll;

use super::value::{Tag, Value};

/// Returns the code point at the offset `at` of a text without escapes, and moves `at` past it; `None` at the end.
pub fn next_plain(text: &[u8], at: &mut usize) -> Option<u32> {
    let rest = text.get(*at..)?;
    let (code, length) = match rest.first()? {
        first @ 0..0x80 => (u32::from(*first), 1),
        _ => character(rest)?,
    };
    *at = at.wrapping_add(length);
    Some(code)
}

/// Returns the code point at the offset `at` of a string, and moves `at` past it; `None` at the end. [`super::reader`] must have accepted
/// the string.
pub fn next_code(text: &[u8], at: &mut usize) -> Option<u32> {
    let rest = text.get(*at..)?;
    if rest.first() != Some(&b'\\') {
        return next_plain(text, at);
    }
    let (code, length) = escape(rest)?;
    *at = at.wrapping_add(length);
    Some(code)
}

/// Returns the code point of the character beyond ASCII that `rest` begins with, and its length in bytes; `None` if it is not UTF-8.
pub fn character(rest: &[u8]) -> Option<(u32, usize)> {
    let length = match rest.first()? {
        ..0xe0 => 2,
        ..0xf0 => 3,
        _ => 4,
    };
    let character = core::str::from_utf8(rest.get(..length)?).ok()?.chars().next()?;
    Some((u32::from(character), length))
}

/// Returns the code point of the escape that `rest` begins with, and its length in bytes.
fn escape(rest: &[u8]) -> Option<(u32, usize)> {
    let simple = |byte: u8| Some((u32::from(byte), 2));
    match rest.get(1)? {
        b'b' => simple(8),
        b'f' => simple(12),
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'u' => {
            let unit = code_unit(rest)?;
            let low = rest.get(6..).and_then(code_unit).filter(|low| (0xdc00..0xe000).contains(low));
            match (unit, low) {
                (0xd800..0xdc00, Some(low)) => Some((0x10000_u32.wrapping_add((unit & 0x3ff) << 10) | (low & 0x3ff), 12)),
                _ => Some((unit, 6)),
            }
        }
        &byte => simple(byte),
    }
}

/// Returns the code unit of the `\u` escape that `rest` begins with.
fn code_unit(rest: &[u8]) -> Option<u32> {
    let digits = rest.strip_prefix(b"\\u")?.get(..4)?;
    u32::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

/// The code points of a string that [`super::reader`] has accepted.
pub fn codes(text: &[u8]) -> impl Iterator<Item = u32> + use<'_> {
    let mut at = 0;
    core::iter::from_fn(move || next_code(text, &mut at))
}

/// Whether two strings are the same, however they are spelled.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    one == other || codes(one).eq(codes(other))
}

/// Whether a string, unescaped, is `name`.
#[inline]
pub fn reads(text: Value<'_>, name: &str) -> bool {
    if text.tag == Tag::Plain { text.text == name.as_bytes() } else { length_of(name, text.text) == Some(text.text.len()) }
}

/// Whether a string, unescaped, begins with `prefix`.
pub fn begins(text: Value<'_>, prefix: &str) -> bool {
    if text.tag == Tag::Plain { text.text.starts_with(prefix.as_bytes()) } else { length_of(prefix, text.text).is_some() }
}

/// Returns how many bytes of `text` spell `prefix`; `None` if `text` does not begin with it.
fn length_of(prefix: &str, text: &[u8]) -> Option<usize> {
    let mut at = 0;
    prefix.chars().all(|character| next_code(text, &mut at) == Some(u32::from(character))).then_some(at)
}

/// Returns an unescaped string, with the replacement character for each lone surrogate; `None` if `text` is no string or longer than `most`
/// bytes.
pub fn read(text: Value<'_>, most: usize) -> Option<String> {
    if !matches!(text.tag, Tag::Plain | Tag::Escaped) || text.text.len() > most {
        return None;
    }
    Some(codes(text.text).map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// A comparison of two strings in slices: how many bytes of each have been found equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextOrder {
    left: usize,
    right: usize,
}

impl TextOrder {
    /// Compares about `budget` more bytes. `Pending` means that the budget was used up and the caller has to call again.
    pub fn step(&mut self, left: Value<'_>, right: Value<'_>, budget: &mut usize) -> Poll<Ordering> {
        if left.tag == Tag::Plain && right.tag == Tag::Plain {
            self.plain(left.text, right.text, budget)
        } else {
            self.escaped(left.text, right.text, budget)
        }
    }

    fn plain(&mut self, left: &[u8], right: &[u8], budget: &mut usize) -> Poll<Ordering> {
        let (left, right) = (left.get(self.left..).unwrap_or_default(), right.get(self.left..).unwrap_or_default());
        let shorter = left.len().min(right.len());
        let now = shorter.min(*budget);
        *budget = budget.wrapping_sub(now);
        match left.get(..now).cmp(&right.get(..now)) {
            Ordering::Equal if now < shorter => {
                self.left = self.left.wrapping_add(now);
                Poll::Pending
            }
            Ordering::Equal => Poll::Ready(left.len().cmp(&right.len())),
            different => Poll::Ready(different),
        }
    }

    fn escaped(&mut self, left: &[u8], right: &[u8], budget: &mut usize) -> Poll<Ordering> {
        while *budget > 0 {
            let from = self.left.wrapping_add(self.right);
            match (next_code(left, &mut self.left), next_code(right, &mut self.right)) {
                (None, None) => return Poll::Ready(Ordering::Equal),
                (a, b) if a != b => return Poll::Ready(a.cmp(&b)),
                _ => *budget = budget.saturating_sub(self.left.wrapping_add(self.right).wrapping_sub(from)),
            }
        }
        Poll::Pending
    }
}
