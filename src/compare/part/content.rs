//! What an answer says: the parts that are compared, and the facts that it tells beside.

use crate::compare::part::choice::Choice;
use crate::compare::part::leftover::Leftovers;
use crate::compare::part::tensor::Tensor;
use crate::compare::side::Sides;
use crate::json::tape::Document;
use crate::labels::End;

/// An answer as its protocol reads it.
#[derive(Debug)]
pub struct Content {
    /// The body, with an index if it is JSON.
    pub document: Document,
    /// The parts of it that can be compared.
    pub parts: Parts,
    /// The facts that it tells beside.
    pub facts: Facts,
    /// What stands where content does, and was not read.
    pub leftovers: Leftovers,
}

/// The parts of an answer that can be compared.
#[derive(Debug)]
pub enum Parts {
    /// All values of the document.
    Json,
    /// The values below `predictions`, which is at this node of the document.
    Predictions(u32),
    /// Named tensors.
    Tensors(Vec<Tensor>),
    /// Generated answers, in the order of their index.
    Choices(Vec<Choice>),
    /// Embeddings, in the order of their index: nameless tensors of one dimension.
    Embeddings(Vec<Tensor>),
}

/// What an answer tells beside its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How it ended, if it is a generated one.
    pub end: Option<End>,
    /// Tokens of the prompt and of the completion.
    pub tokens: Option<(u64, u64)>,
    /// Tokens that the model spent on thinking. They are a part of those of the completion, as OpenAI counts.
    pub reasoning_tokens: Option<u64>,
    /// The version of the model that gave it.
    pub model_version: Option<String>,
}

impl<'a> Sides<'a, Content> {
    /// The documents of both.
    pub fn documents(self) -> Sides<'a, Document> {
        Sides { primary: &self.primary.document, shadow: &self.shadow.document }
    }
}
