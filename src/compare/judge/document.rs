//! Compares two documents of JSON, value by value.

mod elements;
pub mod embedded;
mod matched;
mod next;
mod order;
pub mod walk;

use core::task::{Poll, ready};
use std::rc::Rc;

use crate::compare::judge::document::embedded::{JsonMatch, Meaning};
use crate::compare::judge::document::walk::{Leaves, Stop, Strings, Walk};
use crate::compare::judge::task::Judge;
use crate::compare::judgement::{Differences, Judgement};
use crate::compare::part::content::Content;
use crate::compare::part::text::Text;
use crate::compare::side::{Side, Sides};
use crate::config::{Compare, Task};
use crate::json::tape::Document;
use crate::path::PathPattern;

/// Compares two documents value by value.
///
/// The tasks that ask for numbers or texts are the same comparison, of certain scalars alone. A JSON text does not tell a score from a
/// count (many a writer spells the score one as `1`), so `scores` and `regression` mean the same here: all numbers, by tolerance.
#[derive(Debug)]
pub struct DocumentJudge {
    walk: Walk,
    /// Two texts that are being compared as JSON.
    json: Option<(JsonMatch, Strings)>,
    differences: Differences,
}

impl DocumentJudge {
    /// Of all that is at `scope` (everywhere, if none is given) and below, as `plan` says; its task may give a path of its own.
    pub fn new(plan: Rc<Compare>, scope: Option<PathPattern>) -> Self {
        let (path, leaves) = match &plan.task {
            Task::Scores { path } | Task::Regression { path } => (path.clone(), Leaves::Numbers),
            Task::Text { path, texts } => (path.clone(), Leaves::Texts(*texts)),
            _ => (None, Leaves::All),
        };
        Self { walk: Walk::within(plan, path.or(scope), leaves), json: None, differences: Differences::default() }
    }

    /// Goes on with the walk, or with two texts that it has come to. Ready at the end of all.
    fn turn(&mut self, pair: Sides<'_, Document>, budget: &mut usize) -> Poll<Judgement> {
        if let Some((json, strings)) = &mut self.json {
            let texts = (Text::Json(pair.primary.value(strings.primary)), Text::Json(pair.shadow.value(strings.shadow)));
            let (same, strings) = (ready!(json.step(texts.0, texts.1, &mut self.differences, budget)), *strings);
            if let Err(kind) = same {
                self.differences.add(|| self.walk.text_difference(pair, kind, strings));
            }
            self.json = None;
        }
        match ready!(self.walk.step(pair, &mut self.differences, budget)) {
            Stop::Texts(strings) => {
                self.json = Some((JsonMatch::new(Meaning::Text, self.walk.of_texts(strings, pair)), strings));
                Poll::Pending
            }
            Stop::End { found: false } if self.differences.is_empty() => {
                let reason = "nothing that compare.task looks at: choose another task or path".into();
                Poll::Ready(Judgement::Incomparable { side: Side::Primary, reason })
            }
            Stop::End { .. } => Poll::Ready(self.differences.take()),
        }
    }
}

impl Judge for DocumentJudge {
    fn step(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<Judgement> {
        while *budget > 0 {
            if let Poll::Ready(judgement) = self.turn(pair.documents(), budget) {
                return Poll::Ready(judgement);
            }
        }
        Poll::Pending
    }
}
