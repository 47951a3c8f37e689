//! What an answer says: what of it is compared, and what it tells beside.

use crate::compare::part::choice::Choice;
use crate::compare::part::tensor::Tensor;
use crate::compare::side::Sides;
use crate::json::tape::Document;
use crate::labels::End;

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

impl<'a> Sides<'a, Content> {
    /// The documents of both.
    pub fn documents(self) -> Sides<'a, Document> {
        Sides { primary: &self.primary.document, shadow: &self.shadow.document }
    }
}
