//! What the engine wants done, as data: the shell carries it out after the engine is released.

use std::rc::Rc;
use std::time::Duration;

use super::event::PairId;
use super::gates::Question;
use super::learned::Sum;
use crate::capture::Body;
use crate::config::Name;
use crate::labels::Anomaly;
use crate::stats::MetricId;
use crate::stats::gates::Share;

/// One thing to do.
#[derive(Debug)]
pub enum Effect {
    /// Take a header off the request.
    RemoveRequestHeader(Rc<str>),
    /// Set a header of the request.
    SetRequestHeader(Rc<str>, Name),
    /// Set a header of the response.
    SetResponseHeader(Rc<str>, Name),
    /// Tell the engine about the rest of this stream.
    Follow(Follow),
    /// Move a counter or gauge.
    Add(MetricId, i64),
    /// Record a value in a histogram.
    Record(MetricId, u64),
    /// Set a gauge.
    Set(MetricId, u64),
    /// Set `gnomon_split_ppm`, after what guardrails have cut off, and again if more was cut off meanwhile.
    ShowSplit {
        /// What the variants get.
        shares: Rc<[Share]>,
        /// Of all of them; otherwise of the baseline and of those that are cut off.
        all: bool,
    },
    /// Tell, at once and before all other effects, with [`super::event::Event::Told`].
    Ask(Question),
    /// Register values from bodies as far as there is room, and tell with [`super::event::Event::Learned`].
    Learn(Sum),
    /// Have [`super::event::Event::Work`] come to the root context concerned soon, outside the current callback.
    Wake,
    /// Send a copy.
    Dispatch(Dispatch),
    /// Log a line of evidence.
    Evidence(String),
    /// The root context is still needed: it must not end yet.
    KeepRoot,
    /// The active root context, kept before, may end.
    ReleaseRoot,
}

/// What the engine wants to know of the rest of a stream, beside its headers, trailers and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The request body.
    pub request_body: bool,
    /// The response headers when they come; otherwise at the end of the stream.
    pub response_headers: bool,
    /// The response body.
    pub response_body: bool,
    /// When the first byte of the response body passes.
    pub first_byte: bool,
}

/// A copy to send.
#[derive(Debug)]
pub struct Dispatch {
    /// The pair it belongs to.
    pub pair: PairId,
    /// The cluster it goes to.
    pub cluster: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Body,
    /// When the host is to give up.
    pub timeout: Duration,
}

/// The effects of one event, in order.
#[derive(Debug, Default)]
pub struct Effects {
    pub(super) list: Vec<Effect>,
    pub(super) anomalies: Vec<Anomaly>,
}

impl Effects {
    pub(super) fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// Counts in a series; a missing one is an anomaly.
    pub(super) fn count(&mut self, series: Option<MetricId>) {
        match series {
            Some(id) => self.add(id, 1),
            None => self.anomalies.push(Anomaly::UnknownSeries),
        }
    }

    pub(super) fn add(&mut self, series: MetricId, by: i64) {
        self.push(Effect::Add(series, by));
    }

    /// Records a time in microseconds.
    pub(super) fn record(&mut self, series: MetricId, time: Duration) {
        self.push(Effect::Record(series, micros(time)));
    }
}

/// A time in whole microseconds.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
