//! Judging a gate: reading its counters at the host, which are those of all workers, and showing the state that follows from them.
//!
//! A worker that changes a state reads the counters again, until the state that is shown follows from them (or up to a bound, see
//! [`Writes`](super::bound::Writes)). So the last of several workers puts right what another wrote from older counters.

use std::rc::Rc;

use super::bound::{BoundGate, GateInSlice};
use super::line;
use crate::engine::callback::Callback;
use crate::gate::{Rate, Reading, State, Terms, over_slices};
use crate::limits::LOOKS_AFTER_WRITES;
use crate::stats::gates::GateShown;
use crate::stats::{MetricId, Statistics};

/// What a gate is judged after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// This worker has counted a trial of it.
    Trial {
        /// Whether it was a bad one.
        bad: bool,
    },
    /// Anything else.
    Other,
}

/// What the host's series say of a gate in one slice.
struct GateReading {
    counters: Reading,
    /// `gnomon_gate_limit_ppm`, `gnomon_gate_alpha_ppm` and `gnomon_gate_min_trials`: those of the youngest configuration; `None` once it
    /// has no such gate.
    terms: Option<Terms>,
    /// `gnomon_gate_failures_total`
    failures: u64,
    /// `gnomon_gate_state`
    state: u64,
    /// `gnomon_guardrail_tripped`, where there is one.
    tripped: u64,
    /// Whether its variant is routed like another one.
    misrouted: bool,
}

impl GateReading {
    /// Bad trials are read before and after trials, so that the true number of bad ones among these trials lies between; so is the sum of
    /// their limits.
    fn take(gate: &GateInSlice, statistics: &mut dyn Statistics) -> Self {
        let series = gate.series;
        let limits = series.limits.map(|limits| statistics.read(limits));
        let bad = statistics.read(series.bad);
        let trials = statistics.read(series.trials);
        let counters = Reading::new(bad, trials, statistics.read(series.bad));
        let counters = match series.limits.zip(limits) {
            Some((series, before)) => counters.with_limits(before, statistics.read(series)),
            None => counters,
        };
        // A worker that finds a failure counts it before it shows it.
        let state = statistics.read(series.shown.state);
        let failures = statistics.read(series.failures);
        let [limit, alpha, min_trials] = shown_terms(series.terms, statistics);
        let rate = |ppm| u32::try_from(ppm).ok().and_then(Rate::new);
        let terms = rate(limit).zip(rate(alpha)).map(|(limit, alpha)| Terms { limit, alpha, min_trials });
        let tripped = gate.guard.as_ref().map_or(0, |guard| statistics.read(guard.tripped));
        let misrouted = gate.misrouted.as_ref().is_some_and(|misrouted| misrouted.is_found(statistics));
        Self { counters, terms, failures, state, tripped, misrouted }
    }

    /// The counter that the host does not keep, as far as this reading tells: what was counted is not there.
    fn hidden(&self, gate: &GateInSlice, after: After) -> Option<&'static str> {
        let counts = self.counters.most;
        if after == (After::Trial { bad: true }) {
            gate.loses_bad.set(counts.bad() == 0);
        }
        if after != After::Other && counts.trials() == 0 {
            Some("gnomon_gate_trials_total")
        } else if self.counters.fewest.lacks_limits() {
            Some("gnomon_gate_limit_sum_ppm_total")
        } else {
            gate.loses_bad.get().then_some("gnomon_gate_bad_total")
        }
    }
}

/// Shows the terms of the gates of a route, what they require, and the states that follow, when a configuration takes the gates over.
pub fn take_over(gates: &[Rc<BoundGate>], callback: &mut Callback<'_>) {
    gates.iter().for_each(|gate| shown(gate).for_each(|shown| callback.statistics.set(shown.requires, gate.requires as u64)));
    for (gate, slice) in gates.iter().flat_map(|gate| gate.slices.iter().map(move |slice| (gate, slice))) {
        show_terms(slice, callback.statistics);
        judge(gate, slice, After::Other, true, callback);
    }
    // The slices may be others than before.
    gates.iter().for_each(|gate| judge_slices(gate, callback.statistics));
}

/// What is shown of a gate in each slice, and over all if it has several.
fn shown(gate: &BoundGate) -> impl Iterator<Item = GateShown> {
    gate.slices.iter().map(|slice| slice.series.shown).chain(gate.summary.as_ref().map(|summary| summary.shown))
}

/// Whether the host keeps what [`take_over`] has shown, where that is not 0.
pub fn are_kept(gates: &[Rc<BoundGate>], statistics: &mut dyn Statistics) -> bool {
    let mut is_kept = |(series, value)| value == 0 || statistics.read(series) > 0;
    let mut requires = gates.iter().flat_map(|gate| shown(gate).map(|shown| (shown.requires, gate.requires as u64)));
    requires.all(&mut is_kept)
        && gates.iter().flat_map(|gate| &gate.slices).all(|slice| slice.series.terms.into_iter().zip(terms_of(slice)).all(&mut is_kept))
}

/// Judges the gates of a route anew.
pub fn judge_all(gates: &[Rc<BoundGate>], callback: &mut Callback<'_>) {
    for (gate, slice) in gates.iter().flat_map(|gate| gate.slices.iter().map(move |slice| (gate, slice))) {
        judge(gate, slice, After::Other, false, callback);
    }
}

/// Shows the terms that this configuration judges a gate by. Other workers may judge it meanwhile, and must not fail it by a mixture of old
/// and new terms. So until all are set, no number of trials is enough.
fn show_terms(gate: &GateInSlice, statistics: &mut dyn Statistics) {
    let mine = terms_of(gate);
    let shown = gate.series.terms.map(|series| statistics.read(series));
    if shown != mine {
        let [limit, alpha, min_trials] = gate.series.terms;
        let [limit_is, alpha_is, min_trials_is] = mine;
        for (series, value) in [(min_trials, u64::MAX), (limit, limit_is), (alpha, alpha_is), (min_trials, min_trials_is)] {
            statistics.set(series, value);
        }
    }
}

/// The terms of this configuration, in the order of their series.
fn terms_of(gate: &GateInSlice) -> [u64; 3] {
    [gate.terms.limit.ppm().into(), gate.terms.alpha.ppm().into(), gate.terms.min_trials]
}

/// The terms that are shown. Another VM may be setting them just now, in the order of [`show_terms`]. If two readings agree, all values are
/// of one configuration. If none do, no number of trials is enough.
fn shown_terms([limit, alpha, min_trials]: [MetricId; 3], statistics: &mut dyn Statistics) -> [u64; 3] {
    let mut terms = [0, 0, u64::MAX];
    for _ in 0..LOOKS_AFTER_WRITES {
        let before = (statistics.read(limit), statistics.read(min_trials));
        let alpha = statistics.read(alpha);
        let after = statistics.read(min_trials);
        let limit = statistics.read(limit);
        if before == (limit, after) {
            return [limit, alpha, after];
        }
        terms = [limit, alpha, u64::MAX];
    }
    terms
}

/// Judges a gate in one of its slices. `serves`: whether the gate's configuration serves, so that its guardrails act.
///
/// Nothing is decided by counters that are hidden.
pub fn judge(gate: &BoundGate, slice: &GateInSlice, after: After, serves: bool, callback: &mut Callback<'_>) {
    let mut slices_change = false;
    slice.writes.until_settled(|| {
        let reading = GateReading::take(slice, callback.statistics);
        let hidden = reading.hidden(slice, after);
        if let Some(guard) = slice.guard.as_ref().filter(|_| serves && reading.tripped == 0 && hidden.is_none()) {
            guard.check(&slice.labels, reading.counters, callback);
        }
        let Some(terms) = reading.terms else {
            // The gate has left the configuration.
            if reading.state != 0 {
                callback.statistics.set(slice.series.shown.state, 0);
            }
            return false;
        };
        if let Some(series) = hidden.filter(|_| !gate.told_hidden.replace(true)) {
            let [experiment, route, name, ..] = &slice.labels;
            line::hidden(&format!("{series} of {experiment} {route} {name}"), callback);
        }
        let changed = show_state(slice, &reading, terms, hidden.is_some(), callback);
        // The first trial of `other` changes the state over all slices, but not its own.
        slices_change |= changed || reading.counters.most.trials() > 0 && gate.is_first_of_other(slice);
        changed
    });
    if slices_change {
        judge_slices(gate, callback.statistics);
    }
}

/// Shows the state that follows from a reading. Returns whether another one was shown before.
///
/// The state follows from the series beside it, `terms` among them, also where an older configuration still counts.
fn show_state(gate: &GateInSlice, reading: &GateReading, terms: Terms, is_hidden: bool, callback: &mut Callback<'_>) -> bool {
    // (A plain gate shows its state where a gate of several slices shows the one over all. Either may have been the other before.)
    let failed = reading.failures > 0 || State::of(reading.state) == State::Fail;
    let state = match terms.judge(reading.counters, failed) {
        // What has failed has failed.
        State::Pass | State::Fail if is_hidden && !failed => State::Undecided,
        // Another variant may have answered.
        State::Pass if reading.misrouted => State::Undecided,
        state => state,
    };
    if state == State::Fail && reading.failures == 0 {
        callback.statistics.add(gate.series.failures, 1);
    }
    if state == State::Fail && !failed && !gate.logged.replace(true) {
        line::show(&gate.labels, &terms, reading.counters.fewest, ("state", "fail"), callback);
    }
    let changes = reading.state != state as u64;
    if changes {
        callback.statistics.set(gate.series.shown.state, state as u64);
    }
    changes
}

impl BoundGate {
    /// Whether `slice` is `other`, and this worker learns only now that it has trials.
    fn is_first_of_other(&self, slice: &GateInSlice) -> bool {
        let is_last = self.slices.last().is_some_and(|last| std::ptr::eq(last, slice));
        self.summary.as_ref().is_some_and(|summary| is_last && !summary.others.replace(true))
    }
}

/// Shows the state of a gate over its slices, if it has several.
fn judge_slices(gate: &BoundGate, statistics: &mut dyn Statistics) {
    let (Some(summary), [slices @ .., other]) = (&gate.summary, gate.slices.as_slice()) else { return };
    summary.writes.until_settled(|| {
        let states: Vec<State> = slices.iter().map(|slice| State::of(statistics.read(slice.series.shown.state))).collect();
        let other_state = State::of(statistics.read(other.series.shown.state));
        let others = statistics.read(other.series.trials);
        let shown = statistics.read(summary.shown.state);
        let state = over_slices(states, other_state, others > 0) as u64;
        // A fail is for good, also if its slice has left the configuration.
        let changes = shown != state && State::of(shown) != State::Fail;
        if changes {
            statistics.set(summary.shown.state, state);
        }
        changes
    });
}
