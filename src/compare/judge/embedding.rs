//! The task `embedding`: whether vectors point the same way.
//!
//! Two vectors are equal if their cosine, the dot product over the product of the lengths, is at least the given one; the sums are taken
//! in doubles, in the order of the elements. Vectors that have no direction (all zero, or with an element or a square that is no finite
//! double) are equal only if all their elements are; `NaN` equals `NaN`. So are vectors with the same elements always.

use std::rc::Rc;

use crate::compare::judge::rows::Rows;
use crate::compare::judge::rows::row::{Next, Unit};
use crate::compare::judge::task::Judge;
use crate::compare::judgement::{Divergence, Judgement, Kind};
use crate::compare::part::content::{Content, Parts};
use crate::compare::side::{Side, Sides};
use crate::config::Compare;
use crate::fault::Fault;
use crate::path::PathPattern;

const NO_VECTOR: Fault = "a row is no vector of numbers: see the path of compare.task";

/// Compares the direction of vectors.
#[derive(Debug)]
pub struct EmbeddingJudge {
    rows: Rows,
    /// Least cosine of two vectors that are equal.
    cosine: f64,
    /// The vectors at hand, as far as they have been read; `None` between rows.
    sums: Option<Sums>,
}

/// Sums over the elements of two vectors.
#[derive(Clone, Copy, Debug)]
struct Sums {
    product: f64,
    primary: f64,
    shadow: f64,
    /// Whether all elements are equal.
    same: bool,
}

impl Sums {
    const NONE: Self = Self { product: 0.0, primary: 0.0, shadow: 0.0, same: true };

    fn add(&mut self, primary: f64, shadow: f64) {
        self.product += primary * shadow;
        self.primary += primary * primary;
        self.shadow += shadow * shadow;
        self.same &= primary == shadow || (primary.is_nan() && shadow.is_nan());
    }

    /// The cosine, if both vectors have a direction. Rounding may take it past one.
    fn cosine(self) -> Option<f64> {
        // Two roots, because the product of the squares may be too large, or too small, where they are not.
        let cosine = self.product / (self.primary.sqrt() * self.shadow.sqrt());
        cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0))
    }
}

impl EmbeddingJudge {
    /// Of vectors at `path`, or where answers like the primary's have them, which are equal from `cosine` up; without
    /// what `plan` ignores.
    pub fn new(path: Option<&PathPattern>, cosine: f64, primary: &Parts, plan: &Rc<Compare>) -> Self {
        Self { rows: Rows::new(path, Unit::Vector, primary, plan), cosine, sums: None }
    }

    fn turn(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Option<Judgement> {
        let Some(sums) = &mut self.sums else {
            return match self.rows.next(pair, budget) {
                Next::Busy => None,
                Next::Row => self.begin(pair),
                Next::Apart(divergence) => Some(Judgement::Diverged(divergence)),
                Next::Fault(side, reason) => Some(Judgement::Incomparable { side, reason }),
                Next::End => Some(Judgement::Equivalent),
            };
        };
        while *budget > 0 {
            let primary = self.rows.element(Side::Primary, pair, budget);
            let shadow = self.rows.element(Side::Shadow, pair, budget);
            let (Some((_, primary)), Some((_, shadow))) = (primary, shadow) else {
                let sums = *sums;
                self.sums = None;
                return self.end(pair, sums);
            };
            match (primary.number(), shadow.number()) {
                (Some(primary), Some(shadow)) => sums.add(primary, shadow),
                (None, _) => return Some(Judgement::Incomparable { side: Side::Primary, reason: NO_VECTOR }),
                _ => return Some(Judgement::Incomparable { side: Side::Shadow, reason: NO_VECTOR }),
            }
        }
        None
    }

    /// Takes up two rows, if they are vectors of the same length.
    fn begin(&mut self, pair: Sides<'_, Content>) -> Option<Judgement> {
        let (primary, shadow) = self.rows.lengths();
        self.sums = Some(Sums::NONE);
        match (primary, shadow) {
            (0 | 1, _) => Some(Judgement::Incomparable { side: Side::Primary, reason: NO_VECTOR }),
            (_, 0 | 1) => Some(Judgement::Incomparable { side: Side::Shadow, reason: NO_VECTOR }),
            _ if primary != shadow => Some(self.diverged(pair, Kind::Dimension, None, (primary.to_string(), shadow.to_string()))),
            _ => None,
        }
    }

    /// Judges two vectors that have been read.
    fn end(&self, pair: Sides<'_, Content>, sums: Sums) -> Option<Judgement> {
        let cosine = sums.cosine();
        if sums.same || cosine.is_some_and(|cosine| cosine >= self.cosine) {
            return None;
        }
        let shown = cosine.map(|cosine| cosine.to_string()).unwrap_or_default();
        Some(self.diverged(pair, Kind::Number, cosine.map(|cosine| 1.0 - cosine), (shown.clone(), shown)))
    }

    fn diverged(&self, pair: Sides<'_, Content>, kind: Kind, relative: Option<f64>, values: (String, String)) -> Judgement {
        let (path, pattern) = self.rows.place(pair, None);
        Judgement::Diverged(Divergence { kind, path, pattern, relative, values })
    }
}

impl Judge for EmbeddingJudge {
    fn step(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Option<Judgement> {
        while *budget > 0 {
            if let Some(judgement) = self.turn(pair, budget) {
                return Some(judgement);
            }
        }
        None
    }
}
