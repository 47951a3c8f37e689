//! Whether two elements are equal, whatever form each of them is in.

use super::Element;
use crate::compare::Kind;
use crate::compare::json::number::{self, EXACT, close_doubles};
use crate::compare::json::tape::{Tag, Value};
use crate::compare::text::{Text, TextMatch};
use crate::config::Tolerance;

/// Whether two elements are equal, numbers within `tolerance`. Texts are compared in one go: where they can be long, [`Element::text`]
/// and [`TextMatch`] do it in slices.
///
/// # Errors
/// What differs: number, text, boolean, null (exactly one is) or type.
pub fn same(primary: Element<'_>, shadow: Element<'_>, tolerance: Tolerance) -> Result<(), Kind> {
    if let (Some(a), Some(b)) = (primary.text(), shadow.text()) {
        let equal = TextMatch::new(false).step(a, b, &mut usize::MAX.clone());
        return if equal == Some(true) { Ok(()) } else { Err(Kind::Text) };
    }
    let (equal, kind) = match (primary.boolean(), shadow.boolean()) {
        _ if primary.is_null() || shadow.is_null() => (primary.is_null() && shadow.is_null(), Kind::Null),
        (Some(a), Some(b)) => (a == b, Kind::Boolean),
        _ if primary.is_number() && shadow.is_number() => (same_number(primary, shadow, tolerance), Kind::Number),
        _ => (false, Kind::Type),
    };
    if equal { Ok(()) } else { Err(kind) }
}

/// Numbers are equal as doubles within the tolerance, as in JSON; two whole numbers of which one is beyond 2^53 only exactly.
fn same_number(primary: Element<'_>, shadow: Element<'_>, tolerance: Tolerance) -> bool {
    if let (Element::Json(a), Element::Json(b)) = (primary, shadow) {
        return number::equal(a, b, tolerance);
    }
    match (whole(primary), whole(shadow)) {
        (Some(a), Some(b)) if a == b => true,
        (Some(a), Some(b)) if is_large(a) || is_large(b) => false,
        _ => match (primary.number(), shadow.number()) {
            (Some(a), Some(b)) => close_doubles(a, b, tolerance),
            _ => false,
        },
    }
}

/// The value of a whole number. In JSON it can be larger than any in binary form: then it is the largest there is.
fn whole(element: Element<'_>) -> Option<i128> {
    match element {
        Element::Integer(number) => Some(number),
        Element::Json(Value { tag: Tag::Integer, text }) if text.len() > MAX_DIGITS => Some(i128::MAX),
        Element::Json(Value { tag: Tag::Integer, text }) => Some(core::str::from_utf8(text).ok()?.parse().unwrap_or(i128::MAX)),
        _ => None,
    }
}

/// No `i128` is longer.
const MAX_DIGITS: usize = 40;

fn is_large(number: i128) -> bool {
    number.unsigned_abs() > EXACT as u128
}

impl<'a> Element<'a> {
    /// It as a text, if it is one.
    #[inline]
    pub fn text(self) -> Option<Text<'a>> {
        match self {
            Element::Json(value) if matches!(value.tag, Tag::Plain | Tag::Escaped) => Some(Text::Json(value)),
            Element::Bytes(bytes) => Some(Text::Bytes(bytes)),
            _ => None,
        }
    }

    fn boolean(self) -> Option<bool> {
        match self {
            Element::Bool(value) => Some(value),
            Element::Json(value) => match value.tag {
                Tag::True => Some(true),
                Tag::False => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_null(self) -> bool {
        matches!(self, Element::Json(value) if value.tag == Tag::Null)
    }

    fn is_number(self) -> bool {
        match self {
            Element::Json(value) => value.tag.is_number(),
            Element::Float(_) | Element::Integer(_) => true,
            Element::Bool(_) | Element::Bytes(_) => false,
        }
    }
}
