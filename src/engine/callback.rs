//! What the engine has at hand during one callback of the host: the time, the host's statistics, and a list of what else is to be done.

use std::time::Duration;

use super::effect::Effect;
use crate::labels::Anomaly;
use crate::stats::{MetricId, Statistics};
use crate::timestamp::{Timestamp, micros};

/// One callback of the host.
pub struct Callback<'a> {
    /// When it is.
    pub now: Timestamp,
    /// The host's statistics and shared data.
    pub statistics: &'a mut dyn Statistics,
    effects: Vec<Effect>,
}

impl<'a> Callback<'a> {
    /// A callback at `now`, of which nothing has come yet.
    pub fn new(now: Timestamp, statistics: &'a mut dyn Statistics) -> Self {
        Self { now, statistics, effects: Vec::new() }
    }

    /// What the shell is to do after the callback, in this order.
    pub fn into_effects(self) -> Vec<Effect> {
        self.effects
    }

    pub(super) fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Adds one to a counter. That there is no such series is an anomaly.
    pub(super) fn count(&mut self, counter: Option<MetricId>) {
        match counter {
            Some(id) => self.statistics.add(id, 1),
            None => self.statistics.anomaly(Anomaly::UnknownSeries),
        }
    }

    pub(super) fn add(&mut self, series: MetricId, by: i64) {
        self.statistics.add(series, by);
    }

    /// Records a span in a histogram of microseconds.
    pub(super) fn record(&mut self, histogram: MetricId, span: Duration) {
        self.statistics.record(histogram, micros(span));
    }
}
