//! Gates, guardrail, warm-up and slices as validated: limits on rates, and what they are rates of.
//!
//! Which requests are trials of a measure, and which of these are bad, is said here; the engine counts them and judges from the counters.

use std::rc::Rc;
use std::time::Duration;

use super::name::Name;
use crate::gate::{Rate, Terms};
use crate::path::PathPattern;

/// A limit on a rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Its name, different from those of the route's other gates.
    pub name: Name,
    /// Whose rate it limits.
    pub of: GateSubject,
    /// Which rate.
    pub measure: Measure,
    /// By what it judges. The limit of [`Measure::Coverage`] is what the operator's one leaves to a whole, so that a gate of any measure passes
    /// below and fails above it. The chance of a wrong verdict is that of all slices together.
    pub terms: Terms,
    /// Whether each slice is judged on its own, with an equal part of that chance, which is at least one millionth.
    pub each_slice: bool,
}

/// Whose rate a gate limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateSubject {
    /// Index into [`super::Split::variants`].
    Variant(usize),
    /// Index into [`super::Route::shadows`].
    Shadow(usize),
}

/// Which rate a gate limits. The parser holds each to the subjects that it fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Of a shadow's compared pairs, those that diverged.
    Diverged,
    /// Of the requests whose answers from candidate and control were both compared and of which exactly one diverged, those where the
    /// candidate did.
    WorseThanControl {
        /// Index of the route's control in [`super::Route::shadows`].
        control: usize,
    },
    /// Of the answers, those that failed.
    Failed,
    /// Of the 2xx answers, those that took longer than this.
    SlowerThan(Duration),
    /// Of a shadow's pairs whose latencies differ by more than this, those where the shadow was slower.
    SlowerThanPrimary(Duration),
    /// Of a shadow's pairs whose tokens differ by more than the margin, those where the shadow took more.
    CostlierThanPrimary {
        /// The margin as a percentage of the smaller number of tokens; not negative, finite.
        percent: f64,
    },
    /// Of the requests sampled for a shadow, those that were not compared.
    Coverage,
    /// Of a shadow's pairs that have a label or decision, those where it changed.
    Flipped(Direction),
    /// Of a variant's streams, those whose first byte took longer than this.
    FirstByteSlowerThan(Duration),
}

/// Which changes of a decision count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To a later name of [`super::Decision::names`].
    Up,
    /// To an earlier one.
    Down,
    /// Any.
    Both,
}

/// When canaries get no more traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardrail {
    /// Indices into [`super::Route::gates`], never empty; each is of a canary.
    pub gates: Vec<usize>,
    /// The guardrail's own chance of a false alarm, for all slices together.
    pub alpha: Rate,
    /// Trials before which nothing is cut off, in whatever is judged.
    pub min_trials: u64,
    /// Length of the windows that are judged beside the whole experiment, from a second to [`crate::limits::MAX_SPAN`].
    pub window: Duration,
}

/// The first part of an experiment, which no gate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmup {
    /// So long; above zero, at most [`crate::limits::MAX_SPAN`].
    Time(Duration),
    /// So many pairs of a shadow, or answers of a canary; above zero.
    Pairs(u64),
}

/// How pairs are segmented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slices {
    /// Where a request's value is taken from.
    pub by: SliceBy,
    /// Values with a slice of their own; any other is `other`.
    pub values: Vec<Name>,
}

/// Where the value that segments requests is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SliceBy {
    /// The first value of a request header (lower case).
    Header(Rc<str>),
    /// A string, boolean or whole number of the request's JSON body; a path without `[*]`. It is read when a copy is about to be sent: what
    /// never gets that far (an upgrade, a body that is too large, a shadow that is left alone or busy) counts as `other`, and so does a body
    /// that is no JSON.
    Body(PathPattern),
}
