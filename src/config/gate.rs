//! Validated gates, guardrails, warm-ups and slices.
//!
//! The documentation of each [`Measure`] says which requests are trials, and which trials are bad. The engine counts trials and judges the
//! counters.

use std::rc::Rc;
use std::time::Duration;

use super::name::Name;
use crate::gate::{Rate, Terms};
use crate::path::PathPattern;
use crate::subject::Requires;

/// A limit on the rate of bad trials.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The gate's name, different from those of the route's other gates.
    pub name: Name,
    /// The variant or shadow that the gate judges.
    pub of: GateSubject,
    /// What a trial is, and a bad one.
    pub measure: Measure,
    /// Limit, alpha and least number of trials. For [`Measure::Coverage`] the limit is 1 minus the configured one, so that gates of all
    /// measures pass below and fail above their limit. Alpha is for all slices together.
    pub terms: Terms,
    /// What has to be true of the gate for its subject to be given more.
    pub requires: Requires,
    /// Whether each slice is judged on its own, with an equal part of alpha, but at least one millionth.
    pub each_slice: bool,
}

/// The variant or shadow that a gate judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateSubject {
    /// Index into [`super::Route::variants`].
    Variant(usize),
    /// Index into [`super::Route::shadows`].
    Shadow(usize),
}

/// What a trial of a gate is, and a bad one. The parser refuses measures that don't fit the gate's variant or shadow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Trials are a shadow's compared pairs; bad are those that diverged.
    Diverged,
    /// The sequential test on discordant pairs (McNemar's). Trials are requests for which the pairs of candidate and control were both
    /// compared and exactly one of the two diverged; bad are those where the candidate's pair diverged.
    WorseThanControl {
        /// Index of the route's control in [`super::Route::shadows`].
        control: usize,
    },
    /// Trials are answers; bad are those that failed. What a failure of a variant is can be set; that of a shadow follows from its outcomes.
    Failed(Failures),
    /// Trials are events at a canary and at the baseline, the first one of each key; bad are those at the canary.
    WorseThanBaseline(Event),
    /// Trials are 2xx answers; bad are those that took longer than this. The time of a variant's answer begins with the last byte of the
    /// request, that of a shadow's with the dispatch of the copy.
    SlowerThan(Duration),
    /// Trials are a shadow's pairs whose latencies differ by more than this; bad are those where the shadow was slower.
    SlowerThanPrimary(Duration),
    /// Trials are a shadow's pairs whose numbers of tokens differ by more than the margin; bad are those where the shadow's number was
    /// larger.
    CostlierThanPrimary {
        /// The margin as a percentage of the smaller number of tokens; not negative, finite.
        percent: f64,
    },
    /// Trials are requests sampled for a shadow; bad are those that were not compared.
    Coverage,
    /// Trials are a shadow's pairs with a label or decision; bad are those where it changed in this direction.
    Flipped(Direction),
    /// Trials are a variant's streams; bad are those whose first byte took longer than this from the last byte of the request.
    FirstByteSlowerThan(Duration),
}

impl Measure {
    /// What a gate with this measure requires unless the configuration says so. Equal models are bad in half of the trials of some measures,
    /// or have no trial at all: they don't pass, they only do not fail.
    pub fn requires(self) -> Requires {
        match self {
            Self::WorseThanControl { .. } | Self::WorseThanBaseline(_) | Self::SlowerThanPrimary(_) | Self::CostlierThanPrimary { .. } => {
                Requires::NoFail
            }
            _ => Requires::Pass,
        }
    }
}

/// A set of kinds of answers that count as failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures(u8);

impl Failures {
    /// Answers of class 5xx, Envoy's own too.
    pub const SERVER_ERROR: Self = Self(1);
    /// Answers that upstream or Envoy broke off.
    pub const RESET: Self = Self(1 << 1);
    /// Answers of class 4xx.
    pub const CLIENT_ERROR: Self = Self(1 << 2);
    /// Answers with status 404.
    pub const NOT_FOUND: Self = Self(1 << 3);
    /// Answers with status 429.
    pub const TOO_MANY_REQUESTS: Self = Self(1 << 4);
    /// Answers of class 3xx.
    pub const REDIRECT: Self = Self(1 << 5);
    /// Answers of class 2xx with an error object or an error event inside.
    pub const ERROR: Self = Self(1 << 6);
    /// What fails if nothing is set.
    pub const DEFAULT: Self = Self::SERVER_ERROR.with(Self::RESET).with(Self::ERROR);

    /// Returns the set of the kinds in either set.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets have a kind in common.
    pub const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// What happens to an answer to a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// It fails.
    Failed(Failures),
    /// It is of class 4xx.
    Refused,
    /// It is of class 2xx, and has an error object or an error event inside.
    Error,
    /// It is of class 2xx, and takes longer than this from the last byte of the request.
    SlowerThan(Duration),
    /// It is a stream of class 2xx, whose first byte takes longer than this from the last byte of the request.
    FirstByteSlowerThan(Duration),
    /// It is a generated answer that ends so.
    Ended(Ended),
}

/// How a generated answer ends badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With neither text nor tool calls, whether or not the model thought.
    Empty,
    /// With a refusal.
    Refusal,
    /// At the limit of tokens.
    Length,
}

/// Which changes of a label or decision are bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A change to a later name of [`super::Decision::names`].
    Up,
    /// A change to an earlier name of [`super::Decision::names`].
    Down,
    /// Any change.
    Both,
}

/// The gates and terms by which canaries are cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardrail {
    /// The guarded gates, as indices into [`super::Route::gates`]; never empty. Each is of a canary.
    pub gates: Vec<usize>,
    /// The guardrail's own chance of a false alarm, for all slices together.
    pub alpha: Rate,
    /// The number of trials, in a window or the whole experiment, before which nothing is cut off.
    pub min_trials: u64,
    /// The length of the windows that are judged beside the whole experiment, from a second to [`crate::limits::MAX_SPAN`].
    pub window: Duration,
}

/// How long an experiment warms up. Gates count nothing before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmup {
    /// A time; above zero, at most [`crate::limits::MAX_SPAN`].
    Time(Duration),
    /// A number of pairs of a shadow, or of answers of a canary; above zero.
    Pairs(u64),
}

/// How requests are divided into slices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slices {
    /// The part of a request that has the value.
    pub by: SliceBy,
    /// The values with a slice of their own. All other values are in the slice `other`.
    pub values: Vec<Name>,
}

/// The part of a request that has the value by which requests are divided into slices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SliceBy {
    /// The first value of a request header (lower case).
    Header(Rc<str>),
    /// A string, boolean or whole number in the request's JSON body, at a path without `[*]`. It is read just before a copy is sent.
    /// Requests of which no copy gets that far are in the slice `other`: an upgrade, too large a body, an open breaker, too many copies in
    /// flight. So are bodies without JSON.
    Body(PathPattern),
}
