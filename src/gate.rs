//! Verdicts from two counters, valid however often one looks.
//!
//! A gate has trials, some of which are bad, and a limit on the rate of bad trials. Dashboards and controllers look at a gate again and
//! again. A test for a fixed number of trials would then raise false alarms. So gates use sequential tests: *e-processes*, whose values are
//! *e-values*. For a multiplier `m` of the limit's odds, the e-value
//!
//! ```text
//! E_m = m^bad / (1 - limit + m * limit)^trials
//! ```
//!
//! is the likelihood ratio of two rates: the rate with `m` times the odds of the limit, against the limit. For `m > 1`, `E_m` is a test
//! supermartingale while the true rate is at most the limit; for `m < 1`, while the true rate is at least the limit. The mean of several
//! such `E_m` is one too. By Ville's inequality (J. Ville, *Étude critique de la notion de collectif*, 1939) the chance that a test
//! supermartingale ever reaches `1 / alpha` is at most `alpha`. Trials are assumed to be independent.
//!
//! `ln E_m` is linear in the counters. So neither the order of the trials nor their spread over workers matters, and recording rules get
//! the same result from summed counters.
//!
//! The caller decides which requests are trials and which trials are bad, and remembers the state.

pub mod first_events;
pub mod interval;
pub mod lives;
pub mod outlook;
pub mod window;

use crate::limits::BUCKETS;

/// Multipliers of the limit's odds. The e-value against a rate within the limit (for [`State::Fail`]) is the mean over them.
const WORSE: [f64; 4] = [1.5, 2.0, 4.0, 8.0];

/// Multipliers of the limit's odds. The e-value against a rate beyond the limit (for [`State::Pass`]) is the mean over them. The multiplier
/// 0 lets a gate without bad trials pass soon.
const BETTER: [f64; 4] = [2.0 / 3.0, 0.5, 0.25, 0.0];

/// Parts per million in a whole.
const WHOLE: f64 = BUCKETS as f64;

/// The largest rate in parts per million.
const MOST_PPM: u32 = BUCKETS as u32 - 1;

/// A rate strictly between 0 and 1: a limit, or the chance of a false alarm (alpha).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    ppm: u32,
}

impl Rate {
    /// The default alpha of gates, 0.05: one wrong verdict in twenty experiments whose rate is exactly the limit.
    pub const ALPHA: Self = Self { ppm: 50_000 };

    /// The default alpha of guardrails, 0.001. It holds for each window of a guardrail, and there are many windows.
    pub const GUARDRAIL_ALPHA: Self = Self { ppm: 1_000 };

    /// Returns the rate of `ppm` parts per million; `None` unless `ppm` is from 1 to 999 999.
    pub const fn new(ppm: u32) -> Option<Self> {
        if ppm > 0 && (ppm as u64) < BUCKETS { Some(Self { ppm }) } else { None }
    }

    /// Returns the rate in parts per million.
    pub const fn ppm(self) -> u32 {
        self.ppm
    }

    /// Returns the rate as a share of 1.
    pub fn share(self) -> f64 {
        f64::from(self.ppm) / WHOLE
    }

    /// Returns 1 minus this rate: "at least 90 % good" is the same as "at most 10 % bad".
    pub const fn complement(self) -> Self {
        Self { ppm: (BUCKETS as u32).saturating_sub(self.ppm) }
    }

    /// Returns the alpha of each of `slices`, so that the chance of a false alarm in any slice is at most this rate (Bonferroni). It is
    /// rounded down, but is at least one millionth, because nothing could be decided with an alpha of 0.
    pub fn shared(self, slices: usize) -> Self {
        let slices = u32::try_from(slices).unwrap_or(u32::MAX);
        Self { ppm: self.ppm.checked_div(slices).unwrap_or(self.ppm).max(1) }
    }
}

/// The number of bad trials and of all trials of one gate. There are never more bad trials than trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    bad: u64,
    trials: u64,
    /// The sum of the limits of the trials in parts per million, if each has its own.
    limits: Option<u64>,
}

impl Counts {
    /// Returns counts with `bad` cut to `trials`. `bad` may be larger, because two counters can't be read at the same moment.
    pub fn new(bad: u64, trials: u64) -> Self {
        Self { bad: bad.min(trials), trials, limits: None }
    }

    /// Returns these counts of trials that have limits of their own, which add up to `sum` parts per million.
    ///
    /// Each limit has to be known before its trial. The e-values are then computed with the mean of the limits. Because `ln(1 - p + m p)` is
    /// concave in `p`, they are at most those of the product over all trials, so that their promise holds.
    pub fn with_limits(self, sum: u64) -> Self {
        Self { limits: Some(sum), ..self }
    }

    /// Returns these counts without what their trials' own limits add up to.
    fn without_limits(self) -> Self {
        Self { limits: None, ..self }
    }

    /// Returns the limit of these trials in parts per million: the mean of their own limits, or else `limit`.
    pub fn limit_ppm(self, limit: Rate) -> f64 {
        match self.limits {
            // (Read at another moment than the trials, the sum may be too large for them.)
            Some(sum) if self.trials > 0 => (sum as f64 / self.trials as f64).min(WHOLE - 1.0),
            _ => limit.ppm.into(),
        }
    }

    /// Whether these trials have limits of their own, and none was counted: no limit is 0.
    pub fn lacks_limits(self) -> bool {
        self.trials > 0 && self.limits == Some(0)
    }

    /// Returns the number of bad trials.
    pub fn bad(self) -> u64 {
        self.bad
    }

    /// Returns the number of all trials.
    pub fn trials(self) -> u64 {
        self.trials
    }
}

/// Counters of a gate, read while other workers raise them. A worker raises the trials first, then the bad trials. So a reader reads the
/// bad trials, the trials, and the bad trials again. The true number of bad trials among the trials is at least the first reading. It is at
/// most the last reading plus one for each worker that has raised only the trials yet; such a worker judges the gate itself afterwards.
/// Each e-value uses the number that makes it smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The counts with the fewest possible bad trials, for [`ln_fail`].
    pub fewest: Counts,
    /// The counts with the most bad trials that were read, for [`ln_pass`].
    pub most: Counts,
}

impl Reading {
    /// Returns the reading of counters that were read in the order of the arguments.
    pub fn new(bad_before: u64, trials: u64, bad_after: u64) -> Self {
        Self { fewest: Counts::new(bad_before, trials), most: Counts::new(bad_after, trials) }
    }

    /// Returns this reading of trials that have limits of their own. A worker raises the sum of the limits before the trials. So the sum
    /// read `after` everything else is at least that of the trials, and the one read `before` at most.
    pub fn with_limits(self, before: u64, after: u64) -> Self {
        Self { fewest: self.fewest.with_limits(after), most: self.most.with_limits(before) }
    }
}

impl From<Counts> for Reading {
    /// Returns the reading of counters that nobody raises in the meantime.
    fn from(counts: Counts) -> Self {
        Self { fewest: counts, most: counts }
    }
}

/// Returns the natural logarithm of the e-value for a rate above `limit`, or above the limits that the trials have themselves.
pub fn ln_fail(counts: Counts, limit: Rate) -> f64 {
    ln_mean(&WORSE.map(|multiplier| ln_ratio(multiplier, counts, limit)))
}

/// Returns the natural logarithm of the e-value for a rate below `limit`, or below the limits that the trials have themselves.
pub fn ln_pass(counts: Counts, limit: Rate) -> f64 {
    ln_mean(&BETTER.map(|multiplier| ln_ratio(multiplier, counts, limit)))
}

/// Returns the limit on the share of a canary in the events of one kind at the canary and the baseline, if keys are assigned to them at
/// random, `canary` and `baseline` parts each. `limit` holds for equal parts: at 50 % the canary may be as bad as the baseline.
///
/// With the canary's share `p` and the odds `o` of `limit` it is `p o / (p o + 1 - p)`, rounded up to a millionth. `None` if one of the two
/// gets no keys, because then nothing can be compared.
pub fn shared_limit(limit: Rate, canary: u32, baseline: u32) -> Option<Rate> {
    let bad = u64::from(canary).checked_mul(limit.ppm.into())?;
    let good = u64::from(baseline).checked_mul(limit.complement().ppm.into())?;
    if bad == 0 || good == 0 {
        return None;
    }
    let ppm = bad.checked_mul(BUCKETS)?.div_ceil(bad.checked_add(good)?);
    Rate::new(u32::try_from(ppm).ok()?.min(MOST_PPM))
}

/// Returns `ln E_m`. It is minus infinity if a trial was bad and `multiplier` is 0, and finite otherwise, because counters are below 2^64.
fn ln_ratio(multiplier: f64, counts: Counts, limit: Rate) -> f64 {
    // m^0 is 1 for every m, but 0 * ln(0) is not a number.
    let gained = if counts.bad == 0 { 0.0 } else { counts.bad as f64 * multiplier.ln() };
    gained - counts.trials as f64 * ln_changed((multiplier - 1.0) * counts.limit_ppm(limit))
}

/// Returns `ln(1 + ppm / 1 000 000)`, precise also near `ln(0)` and `ln(1)`.
fn ln_changed(ppm: f64) -> f64 {
    if ppm < -0.5 * WHOLE { ((WHOLE + ppm) / WHOLE).ln() } else { (ppm / WHOLE).ln_1p() }
}

/// Returns the logarithm of the mean of numbers from their logarithms, at least one of which is finite.
fn ln_mean(logarithms: &[f64]) -> f64 {
    let largest = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logarithms.iter().map(|logarithm| (logarithm - largest).exp()).sum();
    largest + (sum / logarithms.len() as f64).ln()
}

/// The state of a gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// There are too few trials, or the rate is near the limit.
    #[default]
    Undecided = 0,
    /// The rate is below the limit. Later trials may change this state.
    Pass = 1,
    /// The rate is above the limit. A failed gate stays failed.
    Fail = 2,
}

impl State {
    /// Returns the state that is exported as `value`.
    pub fn of(value: u64) -> Self {
        match value {
            2 => Self::Fail,
            1 => Self::Pass,
            _ => Self::Undecided,
        }
    }
}

/// The parameters of a gate's test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Terms {
    /// The limit on the rate of bad trials.
    pub limit: Rate,
    /// The chance of ever failing wrongly, and the chance of ever passing wrongly, however often the gate is judged.
    pub alpha: Rate,
    /// The number of trials before which nothing is decided.
    pub min_trials: u64,
}

impl Terms {
    /// Returns the state for `reading`. A gate that `failed_before` stays failed. A gate that passed may become undecided or fail later.
    pub fn judge(&self, reading: Reading, failed_before: bool) -> State {
        if failed_before || self.fails(reading.fewest) {
            State::Fail
        } else if self.suffices(ln_pass(reading.most, self.limit), reading.most) {
            State::Pass
        } else {
            State::Undecided
        }
    }

    /// Whether these counts alone make the gate fail.
    pub fn fails(&self, counts: Counts) -> bool {
        self.suffices(ln_fail(counts, self.limit), counts)
    }

    /// Whether there are enough trials and the e-value has reached `1 / alpha`. Nothing follows from trials without their limits.
    fn suffices(&self, ln_e_value: f64, counts: Counts) -> bool {
        !counts.lacks_limits() && counts.trials >= self.min_trials && ln_e_value >= -self.alpha.share().ln()
    }
}

/// Returns the state of a gate with `each_slice` over all its slices: failed if one has failed, passed if all have passed. `values` are the
/// states of the slices of configured values, which requests are expected to have. `other` is the state of the slice of all other values.
/// It counts only if it has trials, because no request is expected there.
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
