//! The task `decision`: what numbers lead to, not the numbers.
//!
//! Thresholds part the numbers into ranges, each with a name. A number at a threshold belongs to the range above. Every number at the
//! path is one decision, those of a vector each for itself. The matrix counts all of them, even behind the first that differs.

use std::rc::Rc;

use crate::compare::judge::confusion_matrix::ConfusionMatrix;
use crate::compare::judge::rows::Rows;
use crate::compare::judge::rows::row::{Next, Unit};
use crate::compare::judge::task::Judge;
use crate::compare::judgement::{Decided, Divergence, Judgement, Kind};
use crate::compare::part::content::{Content, Parts};
use crate::compare::side::{Side, Sides};
use crate::config::{Compare, Decision};
use crate::fault::Fault;

/// Compares decisions.
#[derive(Debug)]
pub struct DecisionJudge {
    decision: Decision,
    rows: Rows,
    /// Whether there are rows at hand.
    within: bool,
    matrix: ConfusionMatrix,
    /// The first difference.
    first: Option<Divergence>,
}

const NO_NUMBER: Fault = "not a number at the path of compare.task";

impl DecisionJudge {
    /// As `decision` says, of answers like the primary's, without what `plan` ignores.
    pub fn new(decision: Decision, primary: &Parts, plan: &Rc<Compare>) -> Self {
        let rows = Rows::new(Some(&decision.path), Unit::Label, primary, plan);
        Self { decision, rows, within: false, matrix: ConfusionMatrix::default(), first: None }
    }

    fn turn(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Option<Judgement> {
        if !self.within {
            match self.rows.next(pair, budget) {
                Next::Busy => {}
                Next::Row => {
                    self.within = true;
                    let (primary, shadow) = self.rows.lengths();
                    if primary != shadow {
                        self.diverged(pair, Kind::Length, None, (primary.to_string(), shadow.to_string()));
                    }
                }
                Next::Apart(divergence) => {
                    self.first.get_or_insert(divergence);
                }
                Next::Fault(side, reason) => return Some(self.give_up(side, reason)),
                Next::End => return Some(self.first.take().map_or(Judgement::Equivalent, Judgement::Diverged)),
            }
            return None;
        }
        let primary = self.rows.element(Side::Primary, pair, budget);
        let shadow = self.rows.element(Side::Shadow, pair, budget);
        let (Some((at, primary)), Some((_, shadow))) = (primary, shadow) else {
            self.within = false;
            return None;
        };
        *budget = budget.saturating_sub(ConfusionMatrix::COST);
        let number = |element: crate::compare::part::element::Element<'_>| element.number().filter(|number| !number.is_nan());
        let (Some(primary), Some(shadow)) = (number(primary), number(shadow)) else {
            let side = if number(primary).is_none() { Side::Primary } else { Side::Shadow };
            return Some(self.give_up(side, NO_NUMBER));
        };
        let (primary, shadow) = (name(&self.decision, primary), name(&self.decision, shadow));
        self.matrix.count(primary, shadow);
        if primary != shadow {
            let values = (primary.to_owned(), shadow.to_owned());
            self.diverged(pair, Kind::Label, Some(at), values);
        }
        None
    }

    fn diverged(&mut self, pair: Sides<'_, Content>, kind: Kind, element: Option<u64>, values: (String, String)) {
        if self.first.is_none() {
            let (path, pattern) = self.rows.place(pair, element);
            self.first = Some(Divergence { kind, path, pattern, relative: None, values });
        }
    }

    /// Of a pair that can't be compared nothing is counted.
    fn give_up(&mut self, side: Side, reason: Fault) -> Judgement {
        self.matrix.clear();
        Judgement::Incomparable { side, reason }
    }
}

impl Judge for DecisionJudge {
    fn step(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Option<Judgement> {
        while *budget > 0 {
            if let Some(judgement) = self.turn(pair, budget) {
                return Some(judgement);
            }
        }
        None
    }

    fn decided(&mut self) -> Vec<Decided> {
        self.matrix.take()
    }
}

/// What a number leads to.
fn name(decision: &Decision, number: f64) -> &str {
    let range = decision.thresholds.partition_point(|threshold| number >= *threshold);
    decision.names.get(range).map(|name| &**name).unwrap_or_default()
}
