//! JSON texts: read into tapes, and walked to the first difference that counts.

mod matched;
mod order;
pub mod place;
pub mod rules;
pub mod walk;

use std::rc::Rc;

use super::content::{Content, Contents, Facts, Fault, Judge, Parts, Reader};
use super::{Judgement, Side};
use crate::config::{Compare, Task};
pub use crate::json::document::DocumentReader;
pub use crate::json::{number, reader, tape, text};
use crate::path::PathPattern;
use walk::{Finding, Leaves, Pair, Walk};

/// Reads an answer as any JSON.
#[derive(Debug)]
pub struct JsonReader(pub DocumentReader);

impl Reader for JsonReader {
    fn step(&mut self, budget: &mut usize) -> Result<Option<Content>, Fault> {
        let document = self.0.step(budget)?;
        Ok(document.map(|document| Content { document, parts: Parts::Json, facts: Facts::default() }))
    }
}

/// Compares two documents value by value.
///
/// The tasks that ask for numbers or texts are the same comparison, of certain scalars alone. A JSON text does not tell a score from a
/// count (many a writer spells the score one as `1`), so `scores` and `regression` mean the same here: all numbers, by tolerance.
#[derive(Debug)]
pub struct JsonJudge(Walk);

impl JsonJudge {
    /// Of all that is at `scope` (everywhere, if none is given) and below, as `plan` says; its task may give a path of its own.
    pub fn new(plan: Rc<Compare>, scope: Option<PathPattern>) -> Self {
        let (path, leaves) = match &plan.task {
            Task::Scores { path } | Task::Regression { path } => (path.clone(), Leaves::Numbers),
            Task::Text { path, normalize } => (path.clone(), Leaves::Texts { normalize: *normalize }),
            _ => (None, Leaves::All),
        };
        Self(Walk::within(plan, path.or(scope), leaves))
    }
}

impl Judge for JsonJudge {
    fn step(&mut self, pair: Contents<'_>, budget: &mut usize) -> Option<Judgement> {
        let documents = Pair { primary: &pair.primary.document, shadow: &pair.shadow.document };
        self.0.step(documents, budget).map(|finding| match finding {
            Finding::Equivalent => Judgement::Equivalent,
            Finding::Diverged(divergence) => Judgement::Diverged(divergence),
            Finding::Nothing => Judgement::Incomparable { side: Side::Primary, reason: "nothing where compare.task looks: see its path" },
        })
    }
}
