//! The task `labels`: whether each row says the same.
//!
//! The label of a row is its string, boolean or whole number, as text: a model that answers `7` agrees with one that answers `7.0` or
//! `"7"`. The label of a vector of numbers is the index of the largest; of equal numbers the first counts. A vector with a `NaN` has none:
//! nobody knows what the model meant by it.
//! An index or a whole number gets the name that the operator has given the class of that number, if there is one. A vector of strings is a
//! list of labels, the best first. A vector of one element is that element: the index of a binary classifier's only score would tell
//! nothing (see [`super::decision`] for such scores).
//!
//! With `top` above one the `top` best labels of each side are compared, whatever their order. Both sides must share `overlap` of them, or
//! all if there are fewer. The confusion matrix counts the best label of each row, also of rows behind the first that differs.

mod ranking;

use core::task::Poll;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::compare::judge::confusion_matrix::ConfusionMatrix;
use crate::compare::judge::labels::ranking::{Label, Ranking};
use crate::compare::judge::place::excerpt;
use crate::compare::judge::row_judge::{Found, RowFault, RowJudge, RowTask};
use crate::compare::judge::rows::Rows;
use crate::compare::judge::rows::row::Unit;
use crate::compare::judgement::Kind;
use crate::compare::part::content::{Content, Parts};
use crate::compare::side::{Side, Sides};
use crate::config::{Compare, Labels};

/// Compares the labels of rows.
#[derive(Debug)]
pub struct LabelsTask {
    labels: Labels,
    /// The rows at hand, as far as they have been read.
    primary: Ranking,
    shadow: Ranking,
    /// Which of them is being read.
    side: Side,
}

impl LabelsTask {
    /// As `labels` says, of answers like the primary's, without what `plan` ignores.
    pub fn judge(labels: Labels, primary: &Parts, plan: &Rc<Compare>) -> RowJudge {
        let rows = Rows::new(labels.path.as_ref(), Unit::Label, primary, plan);
        let (primary, shadow) = (Ranking::default(), Ranking::default());
        RowJudge::new(Box::new(Self { labels, primary, shadow, side: Side::Primary }), rows)
    }

    /// Compares two rows that have been read.
    fn compare(&mut self, rows: &Rows, pair: Sides<'_, Content>, found: &mut Found, budget: &mut usize) -> Result<(), RowFault> {
        let lengths = (self.primary.scores(), self.shadow.scores());
        let primary = self.primary.take_labels(&self.labels.names).map_err(|reason| (Side::Primary, reason))?;
        let shadow = self.shadow.take_labels(&self.labels.names).map_err(|reason| (Side::Shadow, reason))?;
        *budget = budget.saturating_sub(ConfusionMatrix::COST.saturating_mul(primary.len().saturating_add(shadow.len())));
        if let (Some(primary), Some(shadow)) = (primary.first(), shadow.first()) {
            found.matrix.count(&primary.text, &shadow.text);
        }
        if found.differences.is_full() {
            return Ok(());
        }
        let (primary_set, shadow_set) = (distinct(&primary), distinct(&shadow));
        let required = self.labels.overlap.min(primary_set.len().max(shadow_set.len()));
        let shared = primary_set.iter().filter(|label| shadow_set.contains(*label)).count();
        match lengths {
            (Some(primary), Some(shadow)) if primary != shadow => {
                found.differences.add(|| rows.divergence(pair, None, Kind::Dimension, (primary.to_string(), shadow.to_string())));
            }
            _ if shared < required => {
                found.differences.add(|| rows.divergence(pair, None, Kind::Label, (listed(&primary), listed(&shadow))));
            }
            _ => {}
        }
        Ok(())
    }
}

impl RowTask for LabelsTask {
    fn looks_at_all(&self) -> bool {
        true
    }

    fn begin(&mut self, rows: &Rows, _: Sides<'_, Content>, _: &mut Found) -> Result<(), RowFault> {
        let (primary, shadow) = rows.lengths();
        (self.primary, self.shadow) = (Ranking::new(primary, self.labels.top), Ranking::new(shadow, self.labels.top));
        self.side = Side::Primary;
        Ok(())
    }

    fn step(&mut self, rows: &mut Rows, pair: Sides<'_, Content>, found: &mut Found, budget: &mut usize) -> Poll<Result<(), RowFault>> {
        let (side, of_outputs) = (self.side, rows.are_of_outputs());
        let ranking = match side {
            Side::Primary => &mut self.primary,
            Side::Shadow => &mut self.shadow,
        };
        while *budget > 0 {
            match (rows.element(side, pair, budget), side) {
                (Some(element), _) => ranking.add(element, of_outputs, budget).map_err(|reason| (side, reason))?,
                (None, Side::Primary) => {
                    self.side = Side::Shadow;
                    return Poll::Pending;
                }
                (None, Side::Shadow) => return Poll::Ready(self.compare(rows, pair, found, budget)),
            }
        }
        Poll::Pending
    }
}

/// The labels of a list, each once: two classes may have one name.
fn distinct(labels: &[Label]) -> BTreeSet<&Label> {
    let mut set = BTreeSet::new();
    set.extend(labels);
    set
}

/// Labels for evidence.
fn listed(labels: &[Label]) -> String {
    let texts: Vec<&str> = labels.iter().map(|label| label.text.as_str()).collect();
    excerpt(texts.join(", ").as_bytes())
}
