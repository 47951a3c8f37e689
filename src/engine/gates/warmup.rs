//! Warm-up: the first part of an experiment, in which a model loads, compiles or fills its caches. No gate counts it.

use std::cell::Cell;
use std::rc::Rc;

use crate::config::{Route, Warmup};
use crate::engine::callback::Callback;
use crate::stats::definer::Definer;
use crate::stats::gates::WarmupSeries;
use crate::timestamp::Timestamp;

/// The warm-up of one variant or shadow.
#[derive(Debug)]
pub struct WarmUp {
    /// The length of the warm-up.
    length: Warmup,
    /// The ids of its series.
    series: WarmupSeries,
    /// A latch: when this worker has seen that the warm-up is over.
    over: Cell<Option<Timestamp>>,
}

impl WarmUp {
    /// The warm-up of `subject`, if it has one.
    pub fn new(definer: &mut Definer, route: &Route, subject: &str, length: Option<Warmup>) -> Option<Rc<Self>> {
        let length = length?;
        Some(Rc::new(Self { length, series: WarmupSeries::define(definer, route, subject), over: Cell::default() }))
    }

    /// Whether an answer or a pair is left out, because the warm-up lasts. If it `tells_of_model`, it counts as left out, and the first one
    /// begins the warm-up. A copy that was not sent tells nothing of a model, nor does an answer whose client left.
    pub fn leaves_out(&self, tells_of_model: bool, callback: &mut Callback<'_>) -> bool {
        if self.over.get().is_some() {
            return false;
        }
        let (began, left_out) = (callback.statistics.read(self.series.began), callback.statistics.read(self.series.left_out));
        let now = callback.now.millis();
        // A clock that was set back begins the warm-up anew.
        let since = now.checked_sub(began).filter(|_| began > 0);
        let over = match self.length {
            Warmup::Time(length) => since.is_some_and(|since| u128::from(since) >= length.as_millis()),
            Warmup::Pairs(pairs) => left_out >= pairs,
        };
        if over {
            self.over.set(Some(callback.now));
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

    /// Whether the warm-up was over at that time, as far as this worker has looked.
    pub fn was_over(&self, at: Timestamp) -> bool {
        self.over.get().is_some_and(|over| over <= at)
    }
}
