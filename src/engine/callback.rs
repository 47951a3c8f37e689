//! One callback of the host: the time, the host's statistics, and the effects that the engine asks for.

use std::time::Duration;

use super::effect::Effect;
use crate::labels::Anomaly;
use crate::stats::{MetricId, Statistics};
use crate::timestamp::{Timestamp, micros};

/// One callback of the host.
pub struct Callback<'a> {
    /// The time of the callback.
    pub now: Timestamp,
    /// The host's statistics and shared data.
    pub statistics: &'a mut dyn Statistics,
    /// What the shell is to do after the callback, in this order.
    pub effects: Vec<Effect>,
}

impl Callback<'_> {
    /// Adds one to a counter. A counter that does not exist is an anomaly.
    pub fn count(&mut self, counter: Option<MetricId>) {
        match counter {
            Some(id) => self.statistics.add(id, 1),
            None => self.statistics.anomaly(Anomaly::UnknownSeries),
        }
    }

    /// Records a span in a histogram of microseconds.
    pub fn record(&mut self, histogram: MetricId, span: Duration) {
        self.statistics.record(histogram, micros(span));
    }
}
