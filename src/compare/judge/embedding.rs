//! The task `embedding`: whether vectors point the same way.
//!
//! Two vectors are equal if their cosine, the dot product over the product of the lengths, is at least the given one. The sums are taken in
//! doubles, in the order of the elements. Vectors with the same elements are always equal; `NaN` equals `NaN`. Vectors that have no
//! direction (all zero, or with an element or a square that is no finite double) are equal only if all their elements are.

use core::task::Poll;
use std::rc::Rc;

use crate::compare::judge::row_judge::{Found, RowFault, RowJudge, RowTask};
use crate::compare::judge::rows::Rows;
use crate::compare::judge::rows::row::Unit;
use crate::compare::judgement::{Divergence, Gap, Kind};
use crate::compare::part::content::{Content, Parts};
use crate::compare::side::{Side, Sides};
use crate::config::Compare;
use crate::fault::Fault;
use crate::path::PathPattern;

const NO_VECTOR: Fault = "a row is no vector of numbers: see the path of compare.task";

/// Compares the direction of vectors.
#[derive(Debug)]
pub struct EmbeddingTask {
    /// Least cosine of two vectors that are equal.
    cosine: f64,
    /// The sums over the vectors at hand, as far as they have been read.
    sums: Sums,
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

impl EmbeddingTask {
    /// Of vectors at `path`, or where answers like the primary's have them, which are equal from `cosine` up; without what `plan` ignores.
    pub fn judge(path: Option<&PathPattern>, cosine: f64, primary: &Parts, plan: &Rc<Compare>) -> RowJudge {
        RowJudge::new(Box::new(Self { cosine, sums: Sums::NONE }), Rows::new(path, Unit::Vector, primary, plan))
    }

    /// Judges two vectors that have been read.
    fn compare(&self, sums: Sums, rows: &Rows, pair: Sides<'_, Content>) -> Option<Divergence> {
        let cosine = sums.cosine();
        if sums.same || cosine.is_some_and(|cosine| cosine >= self.cosine) {
            return None;
        }
        let shown = cosine.map(|cosine| cosine.to_string()).unwrap_or_default();
        let gap = cosine.map(|cosine| Gap { relative: Some(1.0 - cosine), ..Gap::default() });
        Some(Divergence { gap, ..rows.divergence(pair, None, Kind::Number, (shown.clone(), shown)) })
    }
}

impl RowTask for EmbeddingTask {
    fn looks_at_all(&self) -> bool {
        false
    }

    fn begin(&mut self, rows: &Rows, pair: Sides<'_, Content>, found: &mut Found) -> Result<(), RowFault> {
        self.sums = Sums::NONE;
        match rows.lengths() {
            (0, _) | (1, 0 | 1) => Err((Side::Primary, NO_VECTOR)),
            (_, 0) => Err((Side::Shadow, NO_VECTOR)),
            _ => {
                if let Some(divergence) = rows.unlike_lengths(pair, Kind::Dimension) {
                    found.differences.add(|| divergence);
                }
                Ok(())
            }
        }
    }

    fn step(&mut self, rows: &mut Rows, pair: Sides<'_, Content>, found: &mut Found, budget: &mut usize) -> Poll<Result<(), RowFault>> {
        if rows.lengths().0 != rows.lengths().1 {
            return Poll::Ready(Ok(()));
        }
        let mut sums = self.sums;
        while *budget > 0 {
            let (primary, shadow) = (rows.element(Side::Primary, pair, budget), rows.element(Side::Shadow, pair, budget));
            let (Some((_, primary)), Some((_, shadow))) = (primary, shadow) else {
                if let Some(divergence) = self.compare(sums, rows, pair) {
                    found.differences.add(|| divergence);
                }
                return Poll::Ready(Ok(()));
            };
            let primary = primary.number().ok_or((Side::Primary, NO_VECTOR))?;
            sums.add(primary, shadow.number().ok_or((Side::Shadow, NO_VECTOR))?);
        }
        self.sums = sums;
        Poll::Pending
    }
}
