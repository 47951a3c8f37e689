//! A value of a JSON text.

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// `null`
    Null,
    /// `false`
    False,
    /// `true`
    True,
    /// A number without fraction or exponent.
    Integer,
    /// Any other number, `NaN` and the infinities among them.
    Decimal,
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    /// `[…]`
    Array,
    /// `{…}`
    Object,
}

impl Tag {
    pub(super) const ALL: [Tag; 9] =
        [Tag::Null, Tag::False, Tag::True, Tag::Integer, Tag::Decimal, Tag::Plain, Tag::Escaped, Tag::Array, Tag::Object];

    /// Whether the value is a number.
    pub fn is_number(self) -> bool {
        matches!(self, Tag::Integer | Tag::Decimal)
    }

    /// Whether the value is an array or object, which has children and two nodes.
    pub fn is_container(self) -> bool {
        matches!(self, Tag::Array | Tag::Object)
    }
}

/// A value of a document.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// The type of the value.
    pub tag: Tag,
    /// The text of a scalar, of a string without its quotes; empty for a container.
    pub text: &'a [u8],
}
