//! Goes through the rows of two answers for a task that looks at them one by one.

use core::task::Poll;

use crate::compare::judge::confusion_matrix::ConfusionMatrix;
use crate::compare::judge::rows::Rows;
use crate::compare::judge::rows::row::NextRow;
use crate::compare::judge::task::Judge;
use crate::compare::judgement::{Decided, Divergence, Judgement};
use crate::compare::part::content::Content;
use crate::compare::side::{Side, Sides};
use crate::fault::Fault;

/// Why rows can't be compared: of which side, and the reason.
pub type RowFault = (Side, Fault);

/// A task that looks at rows one by one.
pub trait RowTask {
    /// Whether rows behind the first difference are looked at, too, because they are counted.
    fn looks_at_all(&self) -> bool;

    /// Begins with the rows at hand, one of each side.
    ///
    /// # Errors
    /// If they can't be compared.
    fn begin(&mut self, rows: &Rows, pair: Sides<'_, Content>, found: &mut Found) -> Result<(), RowFault>;

    /// Goes on with the rows at hand for about `budget` bytes. Ready once both are read and compared; `Pending`: call again.
    ///
    /// # Errors
    /// If they can't be compared.
    fn step(&mut self, rows: &mut Rows, pair: Sides<'_, Content>, found: &mut Found, budget: &mut usize) -> Poll<Result<(), RowFault>>;
}

/// What was found in the rows so far.
#[derive(Default)]
pub struct Found {
    /// How often the primary's rows said one thing and the shadow's another.
    pub matrix: ConfusionMatrix,
    /// The first difference.
    pub first: Option<Divergence>,
}

/// Compares the rows of two answers.
pub struct RowJudge {
    task: Box<dyn RowTask>,
    rows: Rows,
    /// Whether there are rows at hand that the task has not done with.
    is_within: bool,
    found: Found,
}

impl RowJudge {
    /// Of `rows`, as `task` says.
    pub fn new(task: Box<dyn RowTask>, rows: Rows) -> Self {
        Self { task, rows, is_within: false, found: Found::default() }
    }

    /// Goes on with the rows at hand, or to the next ones. Ready once all rows that are looked at have been, or some can't be compared.
    fn turn(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<Result<(), RowFault>> {
        let Self { task, rows, is_within, found } = self;
        if *is_within {
            *is_within = task.step(rows, pair, found, budget)?.is_pending();
        } else {
            match rows.next(pair, budget) {
                NextRow::Busy => {}
                NextRow::Row => {
                    task.begin(rows, pair, found)?;
                    *is_within = true;
                }
                NextRow::Apart(divergence) => {
                    found.first.get_or_insert(divergence);
                }
                NextRow::Fault(side, reason) => return Poll::Ready(Err((side, reason))),
                NextRow::End => return Poll::Ready(Ok(())),
            }
        }
        if found.first.is_some() && !task.looks_at_all() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl Judge for RowJudge {
    fn step(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<Judgement> {
        while *budget > 0 {
            let Poll::Ready(end) = self.turn(pair, budget) else { continue };
            return Poll::Ready(match (end, self.found.first.take()) {
                (Ok(()), None) => Judgement::Equivalent,
                (Ok(()), Some(divergence)) => Judgement::Diverged(divergence),
                (Err((side, reason)), _) => {
                    // Of a pair that can't be compared nothing is counted.
                    self.found.matrix.clear();
                    Judgement::Incomparable { side, reason }
                }
            });
        }
        Poll::Pending
    }

    fn decided(&mut self) -> Vec<Decided> {
        self.found.matrix.take()
    }
}
