//! The task `labels`: whether each row says the same.
//!
//! The label of a row is its string, boolean or whole number, as text: a model that answers `7` agrees with one that answers `7.0` or
//! `"7"`. The label of a vector of numbers is the index of the largest; of equal numbers the first counts, and `NaN` is never the largest.
//! An index and a whole number have the name that the operator gives the class of that number, if there is one. A vector of strings is a list of labels, the best first. A vector of one element is
//! that element: the one score of a binary classifier has no index to be told by (see [`super::decision`] for those).
//!
//! With `top` above one the best so many of each side are set against each other, whatever their order; how many of them both must have is
//! `overlap`, or as many as there are if those are fewer. The matrix counts the best one of each row, of all rows, even behind the first
//! that differs.

mod ranking;

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::compare::judge::confusion_matrix::ConfusionMatrix;
use crate::compare::judge::labels::ranking::{Label, Ranking};
use crate::compare::judge::place::excerpt;
use crate::compare::judge::rows::Rows;
use crate::compare::judge::rows::row::{Next, Unit};
use crate::compare::judge::task::Judge;
use crate::compare::judgement::{Decided, Divergence, Judgement, Kind};
use crate::compare::part::content::{Content, Parts};
use crate::compare::side::{Side, Sides};
use crate::config::{Compare, Labels};
use crate::fault::Fault;

/// Compares the labels of rows.
#[derive(Debug)]
pub struct LabelsJudge {
    labels: Labels,
    rows: Rows,
    /// The rows at hand, as far as they have been read.
    row: Option<Reading>,
    matrix: ConfusionMatrix,
    /// The first difference.
    first: Option<Divergence>,
}

/// Two rows being read.
#[derive(Debug)]
struct Reading {
    primary: Ranking,
    shadow: Ranking,
    side: Side,
}

impl LabelsJudge {
    /// As `labels` says, of answers like the primary's, without what `plan` ignores.
    pub fn new(labels: Labels, primary: &Parts, plan: &Rc<Compare>) -> Self {
        let rows = Rows::new(labels.path.as_ref(), Unit::Label, primary, plan);
        Self { labels, rows, row: None, matrix: ConfusionMatrix::default(), first: None }
    }

    fn turn(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Option<Judgement> {
        let Some(row) = &mut self.row else {
            return match self.rows.next(pair, budget) {
                Next::Busy => None,
                Next::Row => {
                    let (primary, shadow) = self.rows.lengths();
                    let (primary, shadow) = (Ranking::new(primary, self.labels.top), Ranking::new(shadow, self.labels.top));
                    self.row = Some(Reading { primary, shadow, side: Side::Primary });
                    None
                }
                Next::Apart(divergence) => {
                    self.first.get_or_insert(divergence);
                    None
                }
                Next::Fault(side, reason) => Some(self.give_up(side, reason)),
                Next::End => Some(self.first.take().map_or(Judgement::Equivalent, Judgement::Diverged)),
            };
        };
        let (side, of_outputs) = (row.side, self.rows.are_of_outputs());
        let ranking = match side {
            Side::Primary => &mut row.primary,
            Side::Shadow => &mut row.shadow,
        };
        while *budget > 0 {
            let Some((index, element)) = self.rows.element(side, pair, budget) else {
                if side == Side::Primary {
                    row.side = Side::Shadow;
                    return None;
                }
                return self.compare(pair, budget).err();
            };
            if let Err(reason) = ranking.add((index, element), of_outputs, budget) {
                return Some(self.give_up(side, reason));
            }
        }
        None
    }

    /// Compares two rows that have been read.
    fn compare(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Result<(), Judgement> {
        let Some(Reading { primary, shadow, .. }) = self.row.take() else { return Ok(()) };
        let lengths = (primary.scores(), shadow.scores());
        let named = |ranking: Ranking| ranking.labels(&self.labels.names);
        let (primary, shadow) = match (named(primary), named(shadow)) {
            (Err(reason), _) => return Err(self.give_up(Side::Primary, reason)),
            (_, Err(reason)) => return Err(self.give_up(Side::Shadow, reason)),
            (Ok(primary), Ok(shadow)) => (primary, shadow),
        };
        *budget = budget.saturating_sub(ConfusionMatrix::COST.saturating_mul(primary.len().saturating_add(shadow.len())));
        if let (Some(primary), Some(shadow)) = (primary.first(), shadow.first()) {
            self.matrix.count(&primary.text, &shadow.text);
        }
        if self.first.is_none() {
            let (primary_set, shadow_set) = (distinct(&primary), distinct(&shadow));
            let required = self.labels.overlap.min(primary_set.len().max(shadow_set.len()));
            let shared = primary_set.iter().filter(|label| shadow_set.contains(*label)).count();
            let (kind, values) = match lengths {
                (Some(primary), Some(shadow)) if primary != shadow => (Kind::Dimension, (primary.to_string(), shadow.to_string())),
                _ if shared < required => (Kind::Label, (listed(&primary), listed(&shadow))),
                _ => return Ok(()),
            };
            let (path, pattern) = self.rows.place(pair, None);
            self.first = Some(Divergence { kind, path, pattern, relative: None, values });
        }
        Ok(())
    }

    /// Of a pair that can't be compared nothing is counted.
    fn give_up(&mut self, side: Side, reason: Fault) -> Judgement {
        self.matrix.clear();
        Judgement::Incomparable { side, reason }
    }
}

impl Judge for LabelsJudge {
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
