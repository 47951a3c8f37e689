//! To which slice a request's pairs belong, where slices are by a value of its body.
//!
//! A string stands for what it reads, a boolean for `true` or `false`, and a whole number from 0 up for its digits, however it is written:
//! `2`, `2.0` and `2e0` are the same. Anything else, and no value at all, is `other`.

use core::task::{Poll, ready};

use super::lookup::{DIGIT, LOOK, Lookup};
use crate::config::Name;
use crate::json::number::{EXACT, double};
use crate::json::tape::Document;
use crate::json::text;
use crate::json::value::{Tag, Value};
use crate::path::PathPattern;

/// The search for one request's slice, as far as it has come.
#[derive(Debug, Default)]
pub struct Slicing {
    lookup: Lookup,
    /// Index of the slice.
    found: Option<usize>,
}

impl Slicing {
    /// Index among `names` of what the value at `path` says, or their number if it is none of them. `Pending`: the budget was not enough;
    /// call again.
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

/// Which of `names` a value reads.
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

/// A double that is a whole number from 0 up, and the only one near.
fn whole(double: f64) -> Option<u64> {
    let whole = double as u64;
    (double.is_sign_positive() && double < EXACT && whole as f64 == double).then_some(whole)
}
