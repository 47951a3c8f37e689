//! One gate at several proxies.
//!
//! A *life* of a proxy is the time in which its counters only rise: until it ends or restarts. Counters of a life that is over count on,
//! so that evidence is not lost with a proxy.
//!
//! Trials with one limit add up over all lives, as they do over the workers of one proxy. Trials with limits of their own do not: there
//! only the first event of a user at a proxy is a trial, so a user who reaches several proxies is a trial at each of them, and the sum would
//! fail a model for a few users too often. Each life's e-value alone keeps its promise, and so does the arithmetic mean of e-values,
//! whatever they have to do with each other (V. Vovk and R. Wang, *E-values: calibration, combination and applications*, 2021). Lives
//! without trials are not in the mean, because they would only dilute it.

use super::{Counts, Rate, State, Terms, ln_fail, ln_mean, ln_pass};

/// The counts of a gate in one slice, of each life of a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lives(pub Vec<Counts>);

impl Lives {
    /// Returns the bad trials and the trials of all lives, and the sum of the limits if the trials have their own.
    pub fn total(&self) -> Counts {
        let sum = |of: fn(&Counts) -> u64| self.0.iter().map(of).fold(0, u64::saturating_add);
        let counts = Counts::new(sum(|life| life.bad), sum(|life| life.trials));
        if self.have_limits() { counts.with_limits(sum(|life| life.limits.unwrap_or_default())) } else { counts }
    }

    /// Returns the natural logarithm of the e-value for a rate above `limit`, see [`ln_fail`].
    pub fn ln_fail(&self, limit: Rate) -> f64 {
        self.ln_e_value(|counts| ln_fail(counts, limit))
    }

    /// Returns the natural logarithm of the e-value for a rate below `limit`, see [`ln_pass`].
    pub fn ln_pass(&self, limit: Rate) -> f64 {
        self.ln_e_value(|counts| ln_pass(counts, limit))
    }

    /// Returns the state over all lives. A gate that `failed_before`, as a whole or at one proxy, stays failed. Of one life it is what the
    /// proxy itself says. `min_trials` is held against the trials of all.
    pub fn judge(&self, terms: &Terms, failed_before: bool) -> State {
        let total = self.total();
        let decides = |ln_e_value| !self.lack_limits() && terms.suffices(ln_e_value, total);
        if failed_before || decides(self.ln_fail(terms.limit)) {
            State::Fail
        } else if decides(self.ln_pass(terms.limit)) {
            State::Pass
        } else {
            State::Undecided
        }
    }

    /// Whether the trials of a life have limits that it does not tell. Then nothing follows from them.
    pub fn lack_limits(&self) -> bool {
        self.have_limits() && self.0.iter().any(|life| life.trials > 0 && life.limits.unwrap_or_default() == 0)
    }

    pub(super) fn have_limits(&self) -> bool {
        self.0.iter().any(|life| life.limits.is_some())
    }

    pub(super) fn ln_e_value(&self, of: impl Fn(Counts) -> f64) -> f64 {
        if !self.have_limits() {
            return of(self.total());
        }
        let each: Vec<f64> = self.0.iter().filter(|life| life.trials > 0).map(|life| of(*life)).collect();
        if each.is_empty() { 0.0 } else { ln_mean(&each) }
    }
}

#[cfg(test)]
mod tests;
