//! The task `decision`: what numbers lead to, not the numbers.
//!
//! Thresholds part the numbers into ranges, each with a name. A number at a threshold belongs to the range above. Every number at the path
//! is one decision, and so is every number of a vector. The confusion matrix counts all of them, also those behind the first that differs.
//! With `and: scores` two numbers that lead to the same also have to be equal within tolerance.

use core::task::Poll;
use std::rc::Rc;

use crate::compare::judge::confusion_matrix::ConfusionMatrix;
use crate::compare::judge::row_judge::{Found, RowFault, RowJudge, RowTask};
use crate::compare::judge::rows::Rows;
use crate::compare::judge::rows::row::Unit;
use crate::compare::judge::same::{gap, same, shown};
use crate::compare::judgement::{Divergence, Kind};
use crate::compare::part::content::{Content, Parts};
use crate::compare::part::element::Element;
use crate::compare::side::{Side, Sides};
use crate::config::{Compare, Decision, Tolerance};
use crate::fault::Fault;

const NO_NUMBER: Fault = "not a number at the path of compare.task";

/// Compares decisions.
#[derive(Debug)]
pub struct DecisionTask(Decision);

impl DecisionTask {
    /// As `decision` says, of answers like the primary's, without what `plan` ignores.
    pub fn judge(decision: Decision, primary: &Parts, plan: &Rc<Compare>) -> RowJudge {
        let rows = Rows::new(Some(&decision.path), Unit::Label, primary, plan);
        RowJudge::new(Box::new(Self(decision)), rows)
    }
}

impl RowTask for DecisionTask {
    fn looks_at_all(&self) -> bool {
        true
    }

    fn begin(&mut self, rows: &Rows, pair: Sides<'_, Content>, found: &mut Found) -> Result<(), RowFault> {
        if let Some(divergence) = rows.unlike_lengths(pair, Kind::Length) {
            found.differences.add(|| divergence);
        }
        Ok(())
    }

    fn step(&mut self, rows: &mut Rows, pair: Sides<'_, Content>, found: &mut Found, budget: &mut usize) -> Poll<Result<(), RowFault>> {
        while *budget > 0 {
            let (primary, shadow) = (rows.element(Side::Primary, pair, budget), rows.element(Side::Shadow, pair, budget));
            let (Some((at, primary)), Some((_, shadow))) = (primary, shadow) else { return Poll::Ready(Ok(())) };
            *budget = budget.saturating_sub(ConfusionMatrix::COST);
            let (one, other) = (name(&self.0, primary, Side::Primary)?, name(&self.0, shadow, Side::Shadow)?);
            found.matrix.count(one, other);
            if one != other {
                found.differences.add(|| rows.divergence(pair, Some(at), Kind::Label, (one.to_owned(), other.to_owned())));
            } else if self.0.scores && same(primary, shadow, Tolerance::EXACT).is_err() {
                let tolerance = rows.tolerance(pair, at, (primary, shadow), budget);
                if let Err(kind) = same(primary, shadow, tolerance) {
                    found.differences.add(|| {
                        let gap = gap(primary, shadow, tolerance);
                        Divergence { gap, ..rows.divergence(pair, Some(at), kind, (shown(primary), shown(shadow))) }
                    });
                }
            }
        }
        Poll::Pending
    }
}

/// The decision that a number of one side leads to.
fn name<'a>(decision: &'a Decision, element: Element<'_>, side: Side) -> Result<&'a str, RowFault> {
    let number = element.number().filter(|number| !number.is_nan()).ok_or((side, NO_NUMBER))?;
    let range = decision.thresholds.partition_point(|threshold| number >= *threshold);
    Ok(decision.names.get(range).map(|name| &**name).unwrap_or_default())
}
