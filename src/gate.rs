//! Verdicts from two counters, valid however often one looks.
//!
//! A gate sees trials, some of which are bad, and a limit on their rate. Dashboards and controllers look again and again, which makes a
//! test for a fixed number of trials raise false alarms. So gates weigh evidence by *e-processes*. For a multiplier `m` of the limit's odds,
//!
//! ```text
//! E_m = m^bad / (1 - limit + m * limit)^trials
//! ```
//!
//! is the likelihood ratio of the rate with `m` times the odds of the limit, against the limit. For `m > 1` it is a test supermartingale
//! while the true rate is at most the limit, for `m < 1` while it is at least that; so is a mean of several. By Ville's inequality
//! (J. Ville, *Étude critique de la notion de collectif*, 1939) the chance that it ever reaches `1 / alpha` is then at most `alpha`.
//!
//! `ln E_m` is linear in the counters: neither the order of the trials nor how they are spread over workers matters, and recording rules come
//! to the same from summed counters. Trials are taken to be independent. Which requests are trials, and which are bad, is not decided here, and a state
//! is remembered by whoever asks.

pub mod window;

use crate::limits::BUCKETS;

/// Multiples of the limit's odds of which evidence of failure is the mean.
const WORSE: [f64; 4] = [1.5, 2.0, 4.0, 8.0];

/// Multiples of the limit's odds of which evidence of passing is the mean. That of 0 is what lets a spotless record pass soon.
const BETTER: [f64; 4] = [2.0 / 3.0, 0.5, 0.25, 0.0];

/// Parts per million in a whole.
const WHOLE: f64 = BUCKETS as f64;

/// A rate strictly between 0 and 1: a limit, or the chance of a false alarm (alpha).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    ppm: u32,
}

impl Rate {
    /// The alpha of a gate that gives none: one wrong verdict in twenty experiments right on the limit.
    pub const ALPHA: Self = Self { ppm: 50_000 };

    /// The alpha of a guardrail that gives none. It is a chance for each of its windows, of which there are many.
    pub const GUARDRAIL_ALPHA: Self = Self { ppm: 1_000 };

    /// A rate of so many parts per million, from 1 to 999 999.
    pub const fn new(ppm: u32) -> Option<Self> {
        if ppm > 0 && (ppm as u64) < BUCKETS { Some(Self { ppm }) } else { None }
    }

    /// In parts per million.
    pub const fn ppm(self) -> u32 {
        self.ppm
    }

    /// What is left to a whole: a rate of at least 90 % of one kind is a limit of 10 % on the other.
    pub const fn complement(self) -> Self {
        Self { ppm: (BUCKETS as u32).saturating_sub(self.ppm) }
    }

    /// The alpha of each of `slices`, so that all together raise a false alarm with at most this chance. Rounded down, but at least a
    /// millionth: with an alpha of 0 nothing could ever be decided.
    pub fn shared(self, slices: usize) -> Self {
        let slices = u32::try_from(slices).unwrap_or(u32::MAX);
        Self { ppm: self.ppm.checked_div(slices).unwrap_or(self.ppm).max(1) }
    }
}

/// Bad trials and all trials of one gate. Never more bad trials than trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    bad: u64,
    trials: u64,
}

impl Counts {
    /// Takes more bad trials than trials for as many as there are trials. Two counters can't be read at one moment, and of the trials that were
    /// read no more than all can have been bad.
    pub fn new(bad: u64, trials: u64) -> Self {
        Self { bad: bad.min(trials), trials }
    }

    /// Trials that were bad.
    pub fn bad(self) -> u64 {
        self.bad
    }

    /// All trials.
    pub fn trials(self) -> u64 {
        self.trials
    }
}

/// Counters that others go on raising, trials before bad, read as bad, trials, bad. The true number of bad among these trials is at least
/// the first, and at most the last and one more for each worker that is between its two writes, which looks again itself. Each kind of
/// evidence uses the one that makes it weaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// As few bad trials as it can have been: for evidence of failure.
    pub fewest: Counts,
    /// As many bad trials as were read: for evidence of passing.
    pub most: Counts,
}

impl Reading {
    /// What was read, in this order.
    pub fn new(bad_before: u64, trials: u64, bad_after: u64) -> Self {
        Self { fewest: Counts::new(bad_before, trials), most: Counts::new(bad_after, trials) }
    }
}

impl From<Counts> for Reading {
    /// Of counters that nobody raises meanwhile.
    fn from(counts: Counts) -> Self {
        Self { fewest: counts, most: counts }
    }
}

/// The natural logarithm of the evidence that the rate is above `limit`.
pub fn ln_fail(counts: Counts, limit: Rate) -> f64 {
    ln_mean(WORSE.map(|multiplier| ln_ratio(multiplier, counts, limit)))
}

/// The natural logarithm of the evidence that the rate is below `limit`.
pub fn ln_pass(counts: Counts, limit: Rate) -> f64 {
    ln_mean(BETTER.map(|multiplier| ln_ratio(multiplier, counts, limit)))
}

/// `ln E_m`. Minus infinity if a trial was bad and `multiplier` is 0, finite otherwise: the counters are below 2^64.
fn ln_ratio(multiplier: f64, counts: Counts, limit: Rate) -> f64 {
    // 0 * ln(0) is not a number; m^0 is 1.
    let gained = if counts.bad == 0 { 0.0 } else { counts.bad as f64 * multiplier.ln() };
    gained - counts.trials as f64 * ln_changed((multiplier - 1.0) * f64::from(limit.ppm))
}

/// The logarithm of a whole that changes by `ppm`, exact also where little is left of it, or changed.
fn ln_changed(ppm: f64) -> f64 {
    if ppm < -0.5 * WHOLE { ((WHOLE + ppm) / WHOLE).ln() } else { (ppm / WHOLE).ln_1p() }
}

/// The logarithm of the mean of what these are the logarithms of. At least one of them is finite.
fn ln_mean(logarithms: [f64; 4]) -> f64 {
    let largest = logarithms.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logarithms.into_iter().map(|logarithm| (logarithm - largest).exp()).sum();
    largest + (sum / 4.0).ln()
}

/// What a gate says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not enough data, or a rate near the limit.
    #[default]
    Undecided = 0,
    /// The rate is below the limit, by what is known now.
    Pass = 1,
    /// The rate is above the limit. For good: whoever asks again says so.
    Fail = 2,
}

impl State {
    /// The state that is exported as `value`.
    pub fn of(value: u64) -> Self {
        match value {
            2 => Self::Fail,
            1 => Self::Pass,
            _ => Self::Undecided,
        }
    }
}

/// By what a gate judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// On the rate of bad trials.
    pub limit: Rate,
    /// The chance of a false alarm, however long one looks, and likewise that of a false pass.
    pub alpha: Rate,
    /// Before so many trials nothing is decided.
    pub min_trials: u64,
}

impl Terms {
    /// The state now. A gate that failed before stays failed; one that passed does not stay passed, and may fail later.
    pub fn judge(&self, reading: Reading, failed_before: bool) -> State {
        if failed_before || self.fails(reading.fewest) {
            State::Fail
        } else if self.suffices(ln_pass(reading.most, self.limit), reading.most) {
            State::Pass
        } else {
            State::Undecided
        }
    }

    /// Whether these counts alone make it fail.
    pub fn fails(&self, counts: Counts) -> bool {
        self.suffices(ln_fail(counts, self.limit), counts)
    }

    fn suffices(&self, ln_evidence: f64, counts: Counts) -> bool {
        counts.trials >= self.min_trials && ln_evidence >= -(f64::from(self.alpha.ppm) / WHOLE).ln()
    }
}

/// The state of a gate over slices, from those of the configured values and from that of `other`, which keeps it from passing only if it
/// has trials: a value that never comes must be noticed, an unexpected one that never comes is as it should be.
pub fn over_slices(values: impl IntoIterator<Item = State>, other: State, other_has_trials: bool) -> State {
    let worst = |one: State, another: State| match (one, another) {
        (State::Fail, _) | (_, State::Fail) => State::Fail,
        (State::Pass, State::Pass) => State::Pass,
        _ => State::Undecided,
    };
    values.into_iter().chain(other_has_trials.then_some(other)).reduce(worst).unwrap_or_default()
}

#[cfg(test)]
mod tests;
