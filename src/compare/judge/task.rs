//! What every judge is: a task that compares two answers in slices.

use core::fmt;
use core::fmt::{Debug, Formatter};
use core::task::Poll;

use crate::compare::judgement::{Decided, Judgement};
use crate::compare::part::content::Content;
use crate::compare::side::Sides;

/// A task comparing two answers.
pub trait Judge {
    /// Compares on for about `budget` bytes, which it takes off it. Never [`Judgement::Identical`]. `Pending`: the budget was not enough;
    /// call again.
    fn step(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<Judgement>;

    /// Once it is done: the cells of the confusion matrix, for tasks that name answers.
    fn decided(&mut self) -> Vec<Decided> {
        Vec::new()
    }
}

// Not by `Debug` as a supertrait: through this table of methods it would put the formatting of all that a comparison is made of into the
// filter, 120 KiB that nothing calls.
impl Debug for dyn Judge {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}
