//! JSON texts: read in slices into a compact index, without copying values.
//!
//! * [`value`]: a value of a text.
//! * [`tape`]: the index, and a text with its index.
//! * [`reader`]: checks a text and makes its [`tape`].
//! * [`document`]: makes the tape of a body, or of its beginning.
//! * [`signature`]: what a body is that is no JSON.
//! * [`text`], [`number`]: the meaning of strings and numbers.

pub mod document;
pub mod number;
pub mod reader;
pub mod signature;
pub mod tape;
pub mod text;
pub mod value;
