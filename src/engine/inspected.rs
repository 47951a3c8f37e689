//! Answers to clients that are read for how they ended, because a gate asks. They are read like those of pairs: short ones at once, all
//! others in slices.

use std::rc::Rc;
use std::task::Poll;

use super::Engine;
use super::callback::Callback;
use super::gates::count::AnswerOf;
use super::ids::RootId;
use super::plan::BoundVariant;
use crate::compare::inspection::Inspection;
use crate::compare::part::content::Facts;
use crate::limits::COMPARED_AT_ONCE;

/// An answer that is being read.
#[derive(Debug)]
pub struct Inspected {
    /// The variant that answered.
    pub variant: Rc<BoundVariant>,
    /// What gates need to know of the request.
    pub of: AnswerOf,
    /// How far the answer has been read.
    pub inspection: Inspection,
}

impl Engine {
    /// Reads a short answer at once, and queues all others. More than `most` don't wait: the next one is not read, whichever variant gave it.
    pub(super) fn begin_inspection(&mut self, root_id: RootId, most: usize, mut answer: Inspected, callback: &mut Callback<'_>) {
        let Some(root) = self.roots.get_mut(&root_id) else { return };
        if root.inspections.is_empty()
            && let Poll::Ready(facts) = answer.inspection.step(&mut COMPARED_AT_ONCE.clone())
        {
            return answer.count(&facts, callback);
        }
        if root.inspections.len() < most {
            root.inspections.push_back(answer);
        }
        self.due = Some(root_id);
    }

    /// Works on the answers of a root context that are to be read, for about `budget` bytes.
    pub(super) fn inspect(&mut self, root: RootId, budget: &mut usize, callback: &mut Callback<'_>) {
        let Some(root) = self.roots.get_mut(&root) else { return };
        while let Some(answer) = root.inspections.front_mut() {
            let Poll::Ready(facts) = answer.inspection.step(budget) else { return };
            answer.count(&facts, callback);
            root.inspections.pop_front();
        }
    }
}

impl Inspected {
    fn count(&self, facts: &Facts, callback: &mut Callback<'_>) {
        if let Some(end) = facts.end {
            self.variant.gates.count_end(self.of, end, callback);
        }
    }
}
