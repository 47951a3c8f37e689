//! The grammar of numbers, and of the parts of strings.

use crate::fault::Fault;
use crate::json::value::Tag;

/// The part of a number that was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberPart {
    Start,
    Sign,
    Zero,
    Whole,
    Point,
    Fraction,
    E,
    ExponentSign,
    Exponent,
    /// `-Infinity`
    Name,
}

impl NumberPart {
    /// Returns the part after one more byte; `None` if the byte can't belong to the number.
    #[inline]
    fn after(self, byte: u8) -> Option<NumberPart> {
        Some(match (self, byte) {
            (NumberPart::Start, b'-') => NumberPart::Sign,
            (NumberPart::Start | NumberPart::Sign, b'0') => NumberPart::Zero,
            (NumberPart::Start | NumberPart::Sign, b'1'..=b'9') | (NumberPart::Whole, b'0'..=b'9') => NumberPart::Whole,
            (NumberPart::Zero | NumberPart::Whole, b'.') => NumberPart::Point,
            (NumberPart::Point | NumberPart::Fraction, b'0'..=b'9') => NumberPart::Fraction,
            (NumberPart::Zero | NumberPart::Whole | NumberPart::Fraction, b'e' | b'E') => NumberPart::E,
            (NumberPart::E, b'+' | b'-') => NumberPart::ExponentSign,
            (NumberPart::E | NumberPart::ExponentSign | NumberPart::Exponent, b'0'..=b'9') => NumberPart::Exponent,
            _ => return None,
        })
    }

    /// Returns the tag of a number that ends after this part; `None` if it can't end there.
    pub fn tag(self) -> Option<Tag> {
        match self {
            NumberPart::Zero | NumberPart::Whole => Some(Tag::Integer),
            NumberPart::Fraction | NumberPart::Exponent | NumberPart::Name => Some(Tag::Decimal),
            _ => None,
        }
    }
}

/// Reads a number from `at`, after `part`, to its end or to the end of `window`. Returns where the reading ended, and the last part read.
#[inline]
pub fn scan_number(window: &[u8], mut at: usize, mut part: NumberPart) -> (usize, NumberPart) {
    while let Some(next) = window.get(at).and_then(|&byte| part.after(byte)) {
        part = next;
        at = at.wrapping_add(1);
        if matches!(part, NumberPart::Whole | NumberPart::Fraction) {
            while window.get(at).is_some_and(u8::is_ascii_digit) {
                at = at.wrapping_add(1);
            }
        }
    }
    (at, part)
}

/// Returns where a number begins after a comma at `at` and at most one space; `None` if something else is there.
#[inline]
pub fn next_number(window: &[u8], at: usize) -> Option<usize> {
    let begins_number = |at: usize| window.get(at).is_some_and(|byte| matches!(byte, b'-' | b'0'..=b'9')).then_some(at);
    window.get(at).filter(|&&byte| byte == b',')?;
    let next = at.wrapping_add(1);
    if window.get(next) == Some(&b' ') { begins_number(next.wrapping_add(1)) } else { begins_number(next) }
}

/// Returns how many of the first `room` bytes of `rest` are ASCII characters that a string may hold without an escape.
pub fn plain_length(rest: &[u8], room: usize) -> usize {
    let window = rest.get(..room).unwrap_or(rest);
    window.iter().position(|&byte| !matches!(byte, 0x20..0x80) || matches!(byte, b'"' | b'\\')).unwrap_or(window.len())
}

/// Returns the length of the escape that `rest` begins with, in bytes.
pub fn escape_length(rest: &[u8]) -> Result<usize, Fault> {
    match rest.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') if rest.get(2..6).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) => Ok(6),
        _ => Err("malformed JSON: a bad escape"),
    }
}
