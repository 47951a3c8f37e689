//! Texts of answers, in JSON or as bytes, read code point by code point.
//!
//! An escape in a string of JSON reads as the code point that it stands for. Bytes need not be UTF-8: one that is not reads as what equals
//! no code point. Nothing is copied.

use crate::json::tape::Document;
use crate::json::text::{character, next_code};
use crate::json::value::{Tag, Value};

/// A text.
#[derive(Clone, Copy, Debug)]
pub enum Text<'a> {
    /// A string of a JSON text.
    Json(Value<'a>),
    /// Strings of a JSON text that follow each other: their nodes. There are only few.
    Strings(&'a Document, &'a [u32]),
    /// Bytes that stand for themselves.
    Bytes(&'a [u8]),
}

/// Stands for a byte that is no UTF-8: it is no code point, and equals nothing in a JSON string.
const NO_CODE: u32 = u32::MAX;

impl<'a> Text<'a> {
    /// Its bytes, if there are no escapes in them and they stand in one piece.
    pub fn plain(self) -> Option<&'a [u8]> {
        match self {
            Text::Json(value) if value.tag == Tag::Escaped => None,
            Text::Json(value) => Some(value.text),
            Text::Strings(_, []) => Some(b""),
            Text::Strings(document, &[string]) => Text::Json(document.value(string)).plain(),
            Text::Strings(..) => None,
            Text::Bytes(bytes) => Some(bytes),
        }
    }

    /// How many bytes its spelling has.
    pub fn length(self) -> usize {
        match self {
            Text::Json(value) => value.text.len(),
            Text::Strings(document, strings) => {
                strings.iter().fold(0, |length: usize, &string| length.saturating_add(document.value(string).text.len()))
            }
            Text::Bytes(bytes) => bytes.len(),
        }
    }

    /// The code point at `at`, which is moved behind it; `None` at the end.
    pub fn next_code(self, at: &mut usize) -> Option<u32> {
        match self {
            Text::Json(value) => next_code(value.text, at),
            Text::Strings(document, strings) => {
                let mut rest = *at;
                for &string in strings {
                    let text = document.value(string).text;
                    if let Some(beyond) = rest.checked_sub(text.len()) {
                        rest = beyond;
                        continue;
                    }
                    let from = rest;
                    let code = next_code(text, &mut rest);
                    *at = at.saturating_add(rest.saturating_sub(from));
                    return code;
                }
                None
            }
            Text::Bytes(bytes) => {
                let rest = bytes.get(*at..)?;
                let &first = rest.first()?;
                let ascii = first.is_ascii().then_some((u32::from(first), 1));
                let (code, length) = ascii.or_else(|| character(rest)).unwrap_or((NO_CODE, 1));
                *at = at.saturating_add(length);
                Some(code)
            }
        }
    }
}
