//! A value of a JSON text: what it is, and how it is written.

/// What a value is.
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

    /// Whether it is a number.
    pub fn is_number(self) -> bool {
        matches!(self, Tag::Integer | Tag::Decimal)
    }

    /// Whether it has children, and so a second node.
    pub fn is_container(self) -> bool {
        matches!(self, Tag::Array | Tag::Object)
    }
}

/// A value of a document.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// What it is.
    pub tag: Tag,
    /// A scalar's text, a string's without its quotes; nothing for a container.
    pub text: &'a [u8],
}
