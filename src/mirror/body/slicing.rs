//! The slice of a request, where slices are by a value of its body.
//!
//! A slice has the name that equals the value: an unescaped string, `true` or `false`, or the digits of a whole number from 0 up. `2`,
//! `2.0` and `2e0` are the same number. Any other value, or none, means the slice `other`.

use core::task::{Poll, ready};

use super::lookup::{DIGIT, LOOK, Lookup};
use crate::config::Name;
use crate::json::number::{EXACT, double};
use crate::json::tape::Document;
use crate::json::text;
use crate::json::value::{Tag, Value};
use crate::path::PathPattern;

/// The unfinished search for the slice of one request.
#[derive(Debug, Default)]
pub struct Slicing {
    lookup: Lookup,
    /// The result: the index of the slice.
    found: Option<usize>,
}

impl Slicing {
    /// Returns the index in `names` of the value at `path`; the number of names if there is no such name. `Pending` means that the budget
    /// was used up and the caller has to call again.
    pub fn step(&mut self, document: &Document, path: &PathPattern, names: &[Name], budget: &mut usize) -> Poll<usize> {
        if let Some(found) = self.found {
            return Poll::Ready(found);
        }
        let name = match ready!(self.lookup.step(document, path, budget)) {
            Some(_) if *budget == 0 => return Poll::Pending,
            Some(at) => name(document.value(at), names, budget),
            None => None,
        };
        Poll::Ready(*self.found.insert(name.unwrap_or(names.len())))
    }
}

/// Returns the index in `names` of the name that equals `value`.
fn name(value: Value<'_>, names: &[Name], budget: &mut usize) -> Option<usize> {
    let number = if value.tag == Tag::Decimal { value.text.len().saturating_mul(DIGIT) } else { 0 };
    *budget = budget.saturating_sub(names.len().saturating_mul(LOOK).saturating_add(number));
    let digits: String;
    let text: &[u8] = match value.tag {
        Tag::Plain | Tag::Escaped => return names.iter().position(|name| text::reads(value, name)),
        Tag::True => b"true",
        Tag::False => b"false",
        Tag::Integer => value.text,
        Tag::Decimal => {
            digits = whole(double(value))?.to_string();
            digits.as_bytes()
        }
        Tag::Null | Tag::Array | Tag::Object => return None,
    };
    names.iter().position(|name| name.as_bytes() == text)
}

/// Returns `double` as an integer if it is a whole number from 0 up and below 2^53, where doubles are exact.
fn whole(double: f64) -> Option<u64> {
    let whole = double as u64;
    (double.is_sign_positive() && double < EXACT && whole as f64 == double).then_some(whole)
}
