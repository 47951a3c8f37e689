//! The seam between protocols and tasks: a protocol's [`Reader`] makes a [`Content`] of an answer, a task's [`Judge`] sets two of them
//! against each other. Both work in slices.

use core::fmt::{self, Debug, Formatter};

use super::Judgement;
use super::choice::Choice;
use super::json::tape::Document;
use super::tensor::Tensor;
use crate::capture::Ledger;
use crate::labels::End;

/// Why an answer can't be read, for evidence.
pub type Fault = &'static str;

/// The one that is not the answer's: this proxy has no memory left to read it.
pub const NO_ROOM: Fault = "no room for it in limits.memory";

/// An answer as its protocol reads it.
#[derive(Debug)]
pub struct Content {
    /// The body, with an index if it is JSON.
    pub document: Document,
    /// What of it can be compared.
    pub parts: Parts,
    /// What else it tells.
    pub facts: Facts,
}

/// What of an answer can be compared.
#[derive(Debug)]
pub enum Parts {
    /// All values of the document.
    Json,
    /// The values below this node of the document, which is at `predictions`.
    Predictions(u32),
    /// Named tensors.
    Tensors(Vec<Tensor>),
    /// Generated answers, in the order of their index.
    Choices(Vec<Choice>),
    /// Embeddings, in the order of their index: nameless tensors of one dimension.
    Embeddings(Vec<Tensor>),
}

/// What an answer tells beside what is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How it ended, if it is a generated one.
    pub end: Option<End>,
    /// Tokens of the prompt and of the completion.
    pub tokens: Option<(u64, u64)>,
    /// The version of the model that gave it.
    pub model_version: Option<String>,
}

/// Two answers.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// What the client got.
    pub primary: &'a Content,
    /// What the shadow answered.
    pub shadow: &'a Content,
}

/// So many rows of which the primary's answer was one thing and the shadow's another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The primary's.
    pub primary: String,
    /// The shadow's.
    pub shadow: String,
    /// How many.
    pub rows: u32,
}

/// What may be held of what is made of an answer: of a body that was encoded, of a stream, of a message that was compressed.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// What is held is on it.
    pub ledger: Ledger,
    /// Most bytes of one body (`limits.body`).
    pub body: usize,
}

/// A protocol reading one answer.
pub trait Reader {
    /// Reads on for about `budget` bytes, which it takes off it; `None` when that was not enough.
    ///
    /// # Errors
    /// If the answer can't be read as the protocol says.
    fn step(&mut self, budget: &mut usize) -> Result<Option<Content>, Fault>;
}

/// A task comparing two answers.
pub trait Judge {
    /// Compares on for about `budget` bytes, which it takes off it; `None` when that was not enough. Never [`Judgement::Identical`].
    fn step(&mut self, pair: Contents<'_>, budget: &mut usize) -> Option<Judgement>;

    /// Once it is done: what became of what, for tasks that name answers.
    fn decided(&mut self) -> Vec<Decided> {
        Vec::new()
    }
}

// Not by `Debug` as a supertrait: through these tables of methods it would put the formatting of all that a comparison is made of into the
// filter, 120 KiB that nothing calls.
impl Debug for dyn Reader {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

impl Debug for dyn Judge {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}
