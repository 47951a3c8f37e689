//! Answers to clients that are read for how they ended, because a gate asks. They are read like those of pairs: short ones at once, all
//! others in slices.

use std::rc::Rc;
use std::task::Poll;

use super::Engine;
use super::callback::Callback;
use super::gates::count::{AnswerOf, Happened};
use super::ids::RootId;
use super::plan::{BoundVariant, Plan};
use crate::compare::inspection::Inspection;
use crate::compare::part::content::Facts;
use crate::limits::COMPARED_AT_ONCE;

/// An answer that is being read.
#[derive(Debug)]
pub struct Inspected {
    /// The configuration that the request was served by.
    pub plan: Rc<Plan>,
    /// The place of its route in the plan.
    pub route: usize,
    /// The variant that answered.
    pub variant: Rc<BoundVariant>,
    /// What gates need to know of the request.
    pub of: AnswerOf,
    /// The events that have happened to it already.
    pub events: Vec<Happened>,
    /// How far the answer has been read.
    pub inspection: Inspection,
}

impl Engine {
    /// Reads a short answer at once, and queues all others. Only so many may wait: the next one is not read, whichever variant gave it.
    pub(super) fn begin_inspection(&mut self, mut answer: Inspected, callback: &mut Callback<'_>) {
        let (root_id, most) = (answer.plan.root, answer.plan.config.limits.pairs);
        let Some(root) = self.roots.get_mut(&root_id) else { return };
        if root.inspections.is_empty()
            && let Poll::Ready(facts) = answer.inspection.step(&mut COMPARED_AT_ONCE.clone())
        {
            return answer.count(&facts, callback);
        }
        if root.inspections.len() >= most {
            return answer.count(&Facts::default(), callback);
        }
        root.inspections.push_back(answer);
        self.due = Some(root_id);
    }

    /// Works on the answers of a root context that are to be read, for about `budget` bytes.
    pub(super) fn inspect(&mut self, root: RootId, budget: &mut usize, callback: &mut Callback<'_>) {
        let Some(root) = self.roots.get_mut(&root) else { return };
        while let Some(answer) = root.inspections.front_mut() {
            let Poll::Ready(facts) = answer.inspection.step(budget) else { return };
            let answer = root.inspections.pop_front();
            answer.into_iter().for_each(|answer| answer.count(&facts, callback));
        }
    }
}

impl Inspected {
    /// Counts the events of the answer, once all before it have been answered.
    fn count(mut self, facts: &Facts, callback: &mut Callback<'_>) {
        let ended = facts.end.map(|end| self.variant.gates.end_events(self.of, end));
        self.events.extend(ended.into_iter().flatten());
        self.plan.count_events(self.route, self.of, self.events, callback);
    }
}
