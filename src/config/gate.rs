//! Validated gates, guardrails, warm-ups and slices.
//!
//! The documentation of each [`Measure`] says which requests are trials, and which trials are bad. The engine counts trials and judges the
//! counters.

use std::rc::Rc;
use std::time::Duration;

use super::name::Name;
use crate::gate::{Rate, Terms};
use crate::path::PathPattern;

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
    /// Whether each slice is judged on its own, with an equal part of alpha, but at least one millionth.
    pub each_slice: bool,
}

/// The variant or shadow that a gate judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateSubject {
    /// Index into [`super::Split::variants`].
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
    /// Trials are answers; bad are those that failed.
    Failed,
    /// Trials are 2xx answers; bad are those that took longer than this.
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
    /// Trials are a variant's streams; bad are those whose first byte took longer than this.
    FirstByteSlowerThan(Duration),
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
