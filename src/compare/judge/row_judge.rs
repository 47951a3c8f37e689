//! Goes through the rows of two answers for a task that looks at them one by one.

use core::task::Poll;

use crate::compare::judge::confusion_matrix::ConfusionMatrix;
use crate::compare::judge::rows::Rows;
use crate::compare::judge::rows::row::NextRow;
use crate::compare::judge::task::Judge;
use crate::compare::judgement::{Decided, Differences, Judgement};
use crate::compare::part::content::Content;
use crate::compare::side::{Side, Sides};
use crate::fault::Fault;
use crate::limits::MAX_LABEL;

/// Why two rows can't be compared: of which side, and the reason.
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
    /// The differences.
    pub differences: Differences,
    /// Why the first rows can't be compared of which that is so.
    unjudged: Option<(Side, String)>,
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

    /// Goes on with the rows at hand, or to the next ones. Ready once all rows that are looked at have been, or nobody could find any.
    fn turn(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<Result<(), RowFault>> {
        let Self { task, rows, is_within, found } = self;
        if *is_within {
            let end = task.step(rows, pair, found, budget);
            *is_within = end.is_pending();
            if let Poll::Ready(Err(fault)) = end {
                found.note(fault, rows, pair);
            }
        } else {
            match rows.next(pair, budget) {
                NextRow::Busy => {}
                NextRow::Row => match task.begin(rows, pair, found) {
                    Ok(()) => *is_within = true,
                    Err(fault) => found.note(fault, rows, pair),
                },
                NextRow::NoRow(side, reason) => found.note((side, reason), rows, pair),
                NextRow::Apart(divergence) => found.differences.add(|| divergence),
                NextRow::Fault(side, reason) => return Poll::Ready(Err((side, reason))),
                NextRow::End => return Poll::Ready(Ok(())),
            }
        }
        if found.differences.is_full() && !task.looks_at_all() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl Found {
    /// Notes that the rows at hand can't be compared. Whether the others differ is still asked: that is the better news.
    fn note(&mut self, (side, reason): RowFault, rows: &Rows, pair: Sides<'_, Content>) {
        if self.unjudged.is_none() {
            let (path, _) = rows.place(pair, None).finish();
            let path: String = path.chars().take(MAX_LABEL).collect();
            self.unjudged = Some((side, format!("{path}: {reason}")));
        }
    }
}

impl Judge for RowJudge {
    fn step(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<Judgement> {
        while *budget > 0 {
            let Poll::Ready(end) = self.turn(pair, budget) else { continue };
            let judgement = match (end, self.found.unjudged.take()) {
                (Err((side, reason)), _) => Judgement::Incomparable { side, reason: reason.into() },
                (Ok(()), Some((side, reason))) if self.found.differences.is_empty() => {
                    Judgement::Incomparable { side, reason: reason.into() }
                }
                (Ok(()), _) => self.found.differences.take(),
            };
            if matches!(judgement, Judgement::Incomparable { .. }) {
                // Of a pair that can't be compared nothing is counted.
                self.found.matrix.clear();
            }
            return Poll::Ready(judgement);
        }
        Poll::Pending
    }

    fn decided(&mut self) -> Vec<Decided> {
        self.found.matrix.take()
    }
}
