//! One element of a tensor, or one scalar of a document, in whatever form it is written.

use crate::compare::part::tensor::Datatype;
use crate::compare::part::text::Text;
use crate::json::number::{double, single};
use crate::json::value::{Tag, Value};

/// One element of a tensor, or one scalar of a document.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// A number, string, boolean or null of a JSON text.
    Json(Value<'a>),
    /// A number of a JSON text that stands for an FP32. It is rounded to one, so that it equals the same number in binary form. (FP16 and
    /// BF16 have no JSON form in the protocol. Where a server writes one all the same, the number is taken as it is written.)
    Single(Value<'a>),
    /// A floating-point number in binary form.
    Float(f64),
    /// A whole number in binary form.
    Integer(i128),
    /// A boolean in binary form.
    Bool(bool),
    /// An element of `BYTES` in binary form.
    Bytes(&'a [u8]),
}

impl<'a> Element<'a> {
    /// Its value as a number, if it is one.
    pub fn number(self) -> Option<f64> {
        match self {
            Element::Json(value) if value.tag.is_number() => Some(double(value)),
            Element::Single(value) => Some(single(value)),
            Element::Float(number) => Some(number),
            #[expect(clippy::cast_precision_loss, reason = "as in every reader of doubles")]
            Element::Integer(number) => Some(number as f64),
            _ => None,
        }
    }

    /// The element as a text, if it is one.
    #[inline]
    pub fn text(self) -> Option<Text<'a>> {
        match self {
            Element::Json(value) if matches!(value.tag, Tag::Plain | Tag::Escaped) => Some(Text::Json(value)),
            Element::Bytes(bytes) => Some(Text::Bytes(bytes)),
            _ => None,
        }
    }

    /// The element as a boolean, if it is one.
    pub fn boolean(self) -> Option<bool> {
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

    /// Whether it is a null of JSON.
    pub fn is_null(self) -> bool {
        matches!(self, Element::Json(value) if value.tag == Tag::Null)
    }

    /// Whether it is a number.
    pub fn is_number(self) -> bool {
        match self {
            Element::Json(value) => value.tag.is_number(),
            Element::Single(_) | Element::Float(_) | Element::Integer(_) => true,
            Element::Bool(_) | Element::Bytes(_) => false,
        }
    }
}

/// Whether `value` can be an element of `datatype` in JSON. Python servers write `NaN`, and what is missing among strings, as `null`.
pub fn is_element(value: Value<'_>, datatype: Datatype) -> bool {
    match datatype {
        Datatype::Bool => matches!(value.tag, Tag::True | Tag::False),
        Datatype::Bytes => matches!(value.tag, Tag::Plain | Tag::Escaped | Tag::Null),
        _ if datatype.is_float() => value.tag.is_number() || value.tag == Tag::Null,
        _ => value.tag.is_number(),
    }
}
