//! JSON texts as they stand: read into a compact index in slices, never into values of their own.
//!
//! * [`value`]: what a value is.
//! * [`tape`]: the index, and a text with its index.
//! * [`reader`]: a text into a [`tape`], checked.
//! * [`document`]: a body, or the beginning of one, into that.
//! * [`text`], [`number`]: what strings and numbers mean.
//!
//! What is looked for in a text, and what two of them have in common, is the business of [`crate::mirror`] and [`crate::compare`].

pub mod document;
pub mod number;
pub mod reader;
pub mod tape;
pub mod text;
pub mod value;
