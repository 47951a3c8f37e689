//! Warm-up: the first part of an experiment, in which a model loads, compiles or fills its caches. No gate counts it.

use std::cell::Cell;

use crate::config::{Route, Warmup};
use crate::engine::callback::Callback;
use crate::stats::definer::Definer;
use crate::stats::gates::WarmupSeries;

/// The warm-up of one variant or shadow.
#[derive(Debug)]
pub struct WarmUp {
    /// How long it is.
    length: Warmup,
    /// Where it counts.
    series: WarmupSeries,
    /// Whether this worker knows that it is over.
    over: Cell<bool>,
}

impl WarmUp {
    /// The warm-up of `subject`, if it has one.
    pub fn new(definer: &mut Definer, route: &Route, subject: &str, length: Option<Warmup>) -> Option<Self> {
        let length = length?;
        Some(Self { length, series: WarmupSeries::define(definer, route, subject), over: Cell::default() })
    }

    /// Whether an answer or a pair is left out, because the warm-up lasts. It is counted as left out, and begins the warm-up, if it
    /// `tells_of_model`: a copy that was not sent, and an answer that nobody waited for, tell nothing of a model.
    pub fn leaves_out(&self, tells_of_model: bool, callback: &mut Callback<'_>) -> bool {
        if self.over.get() {
            return false;
        }
        let (began, left_out) = (callback.statistics.read(self.series.began), callback.statistics.read(self.series.left_out));
        let now = callback.now.millis();
        // A clock that was set back begins it anew.
        let since = now.checked_sub(began).filter(|_| began > 0);
        let over = match self.length {
            Warmup::Time(length) => since.is_some_and(|since| u128::from(since) >= length.as_millis()),
            Warmup::Pairs(pairs) => left_out >= pairs,
        };
        if over {
            self.over.set(true);
            return false;
        }
        if tells_of_model {
            callback.statistics.add(self.series.left_out, 1);
            if since.is_none() {
                callback.statistics.set(self.series.began, now);
            }
        }
        true
    }
}
