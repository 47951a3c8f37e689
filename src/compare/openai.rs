//! OpenAI's interface: completions, of chats and of plain text, and embeddings.
//!
//! What an answer is, its own shape says, not the path it came from: `choices` of a completion, `data` of embeddings. Whole answers are
//! read here, streams are joined into such by [`stream`], and [`choices`] compares what was generated. Tokens, how an answer ended and the
//! model are told beside; whatever else servers add does not count.

mod events;
mod members;
pub mod stream;
