//! What contents are made of.
//!
//! [`content`] is what an answer says. It has a document of JSON ([`crate::json`]), or [`choice`]s, or [`tensor`]s, whose elements a
//! [`cursor`] reads one after the other as [`element`]s, whatever form they are in: JSON, [`binary`], [`typed_contents`] or [`base64`]. A
//! [`text`] is in JSON or in bytes. What nobody reads is a [`leftover`].

pub mod base64;
pub mod binary;
pub mod choice;
pub mod content;
pub mod cursor;
pub mod element;
pub mod leftover;
pub mod tensor;
pub mod text;
pub mod typed_contents;
