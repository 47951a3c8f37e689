//! Compares two documents of JSON, value by value, to the first difference that counts.

mod matched;
mod next;
mod order;
pub mod walk;

use core::task::Poll;
use std::rc::Rc;

use crate::compare::judge::document::walk::{Finding, Leaves, Walk};
use crate::compare::judge::task::Judge;
use crate::compare::judgement::Judgement;
use crate::compare::part::content::Content;
use crate::compare::side::{Side, Sides};
use crate::config::{Compare, Task};
use crate::path::PathPattern;

/// Compares two documents value by value.
///
/// The tasks that ask for numbers or texts are the same comparison, of certain scalars alone. A JSON text does not tell a score from a
/// count (many a writer spells the score one as `1`), so `scores` and `regression` mean the same here: all numbers, by tolerance.
#[derive(Debug)]
pub struct DocumentJudge(Walk);

impl DocumentJudge {
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

impl Judge for DocumentJudge {
    fn step(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<Judgement> {
        self.0.step(pair.documents(), budget).map(|finding| match finding {
            Finding::Equivalent => Judgement::Equivalent,
            Finding::Diverged(divergence) => Judgement::Diverged(divergence),
            Finding::Nothing => Judgement::Incomparable { side: Side::Primary, reason: "nothing where compare.task looks: see its path" },
        })
    }
}
