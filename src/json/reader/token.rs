//! How the tokens of a JSON text are spelt: numbers, and what a string is made of.

use crate::fault::Fault;
use crate::json::value::Tag;

/// How far a number has come.
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
    /// The part after one more byte; `None` if it can't belong to the number.
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

    /// The tag of a number that ends after this part.
    pub fn tag(self) -> Option<Tag> {
        match self {
            NumberPart::Zero | NumberPart::Whole => Some(Tag::Integer),
            NumberPart::Fraction | NumberPart::Exponent | NumberPart::Name => Some(Tag::Decimal),
            _ => None,
        }
    }
}

/// Where a number ends, and after which part, or how far it goes within `window`.
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

/// Where another number begins right after a comma, with at most one space between.
#[inline]
pub fn next_number(window: &[u8], at: usize) -> Option<usize> {
    let begins_number = |at: usize| window.get(at).is_some_and(|byte| matches!(byte, b'-' | b'0'..=b'9')).then_some(at);
    window.get(at).filter(|&&byte| byte == b',')?;
    let next = at.wrapping_add(1);
    if window.get(next) == Some(&b' ') { begins_number(next.wrapping_add(1)) } else { begins_number(next) }
}

/// How many bytes, at most `room`, stand for themselves.
pub fn plain_length(rest: &[u8], room: usize) -> usize {
    let window = rest.get(..room).unwrap_or(rest);
    window.iter().position(|&byte| !matches!(byte, 0x20..0x80) || matches!(byte, b'"' | b'\\')).unwrap_or(window.len())
}

/// The length of the escape that `rest` begins with.
pub fn escape_length(rest: &[u8]) -> Result<usize, Fault> {
    match rest.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') if rest.get(2..6).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) => Ok(6),
        _ => Err("malformed JSON: a bad escape"),
    }
}

/// The length of the character beyond ASCII that `rest` begins with; `None` if it is not UTF-8 (Unicode 15, table 3-7).
pub fn character_length(rest: &[u8]) -> Option<usize> {
    let continues = |at: usize| matches!(rest.get(at), Some(0x80..=0xbf));
    match (*rest.first()?, *rest.get(1)?) {
        (0xc2..=0xdf, 0x80..=0xbf) => Some(2),
        (0xe0, 0xa0..=0xbf) | (0xe1..=0xec | 0xee | 0xef, 0x80..=0xbf) | (0xed, 0x80..=0x9f) => continues(2).then_some(3),
        (0xf0, 0x90..=0xbf) | (0xf1..=0xf3, 0x80..=0xbf) | (0xf4, 0x80..=0x8f) => (continues(2) && continues(3)).then_some(4),
        _ => None,
    }
}
