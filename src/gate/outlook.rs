//! What would decide a gate.

use super::lives::Lives;
use super::{Counts, State, Terms};

/// The most further trials that are looked for: more than any gate sees.
const MOST: u64 = 1 << 50;

/// What would change the state of a gate, if all further trials were alike. 0: it has that state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// How many more trials without a bad one would make it pass; `None`: none would.
    pub good: Option<u64>,
    /// How many more bad trials in a row would make it fail; `None`: none would.
    pub bad: Option<u64>,
}

impl Outlook {
    /// Returns what would decide a gate that has not failed before.
    ///
    /// If trials have limits of their own, further ones are taken to come to the life with most trials, and to have the mean of its limits.
    pub fn new(lives: &Lives, terms: &Terms) -> Self {
        if lives.judge(terms, false) == State::Fail {
            return Self { good: None, bad: Some(0) };
        }
        let until = |state, is_bad: bool| least(|more| lives.after(more, is_bad).is_some_and(|lives| lives.judge(terms, false) == state));
        Self { good: until(State::Pass, false), bad: until(State::Fail, true) }
    }
}

impl Lives {
    /// Returns these lives after `more` trials, all bad or all good; `None` if their limits are not known.
    fn after(&self, more: u64, is_bad: bool) -> Option<Self> {
        let bad = if is_bad { more } else { 0 };
        if !self.have_limits() {
            let Counts { bad: before, trials, .. } = self.total();
            return Some(Self(vec![Counts::new(before.saturating_add(bad), trials.saturating_add(more))]));
        }
        let mut lives = self.clone();
        let busiest = lives.0.iter_mut().max_by_key(|life| life.trials)?;
        let trials = busiest.trials.saturating_add(more);
        let sum = u128::from(busiest.limits?).saturating_mul(trials.into()).checked_div(busiest.trials.into())?;
        *busiest = Counts::new(busiest.bad.saturating_add(bad), trials).with_limits(u64::try_from(sum).unwrap_or(u64::MAX));
        Some(lives)
    }
}

/// Returns the least number that `holds`, as it does for all larger ones; `None` if it does for none up to [`MOST`].
fn least(holds: impl Fn(u64) -> bool) -> Option<u64> {
    let mut high = 1;
    while !holds(high) {
        high = Some(high).filter(|high| *high < MOST)?.saturating_mul(2);
    }
    let mut low = 0;
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { high = middle } else { low = middle.saturating_add(1) }
    }
    Some(low)
}

#[cfg(test)]
mod tests;
