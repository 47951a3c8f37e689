//! The rates that a gate's trials leave possible, for tables and pictures. Verdicts don't need them.

use super::Rate;
use super::lives::Lives;
use crate::limits::BUCKETS;

/// Rates in parts per million. They are a *confidence sequence*: that the true rate is always between them, at every look, has at least the
/// chance 1 - alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The largest rate below that is ruled out, or 0.
    pub low: u32,
    /// The smallest rate above that is ruled out, or a million.
    pub high: u32,
}

/// Returns the rates that neither kind of evidence has ruled out: those at which both e-values are under 2 / alpha. `None` if the lives of
/// trials with limits of their own contradict each other.
///
/// The evidence of a rate above `r` falls as `r` rises, that of one below rises. So both ends are found by bisection.
pub fn interval(lives: &Lives, alpha: Rate) -> Option<Interval> {
    let ruled_out = std::f64::consts::LN_2 - alpha.share().ln();
    let rate = |ppm| Rate::new(ppm);
    let may_be_more =
        |ppm| rate(ppm).is_some_and(|rate| lives.ln_e_value(|counts| super::ln_fail(counts.without_limits(), rate)) >= ruled_out);
    let may_be_less =
        |ppm| rate(ppm).is_none_or(|rate| lives.ln_e_value(|counts| super::ln_pass(counts.without_limits(), rate)) >= ruled_out);
    let low = first_from(1, |ppm| !may_be_more(ppm)).saturating_sub(1);
    let high = first_from(1, may_be_less);
    (low <= high).then_some(Interval { low, high })
}

/// Returns the first number of parts per million, from `least` up to a million, that `holds`, as it does for all larger ones.
fn first_from(least: u32, holds: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (least, BUCKETS as u32);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { high = middle } else { low = middle.saturating_add(1) }
    }
    low
}

#[cfg(test)]
mod tests;
