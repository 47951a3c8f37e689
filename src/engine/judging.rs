//! Judging gates from what the host's statistics say, and showing it.
//!
//! What is changed is asked for again, until what is shown is what follows from the counters (or nothing helps, see [`super::meter::Writes`]):
//! so of workers that judge at the same time the last one puts right what another wrote from older counters.

use std::rc::Rc;

use super::effect::{Effect, Effects};
use super::event::Time;
use super::evidence;
use super::gates::{Look, Question};
use super::meter::{GateInSlice, GateSummary, Guard};
use super::plan::RoutePlan;
use crate::gate::window::WindowStart;
use crate::gate::{Counts, Rate, Reading, State, Terms, over_slices};

/// Shows by what the gates of a route judge, what its variants get, and the states.
pub fn show(route: &RoutePlan, out: &mut Effects) {
    out.push(Effect::ShowSplit { shares: route.shares.clone(), all: true });
    let meters = || route.gates.iter().flat_map(|gate| gate.meters());
    for meter in meters() {
        out.push(Effect::Ask(Question::Terms(meter.clone())));
    }
    // Its slices may be others than before.
    for overall in meters().filter_map(|meter| meter.overall.as_ref().filter(|_| meter.is_other())) {
        out.push(Effect::Ask(Question::Slices(overall.clone())));
    }
}

/// Shows by what this configuration judges a gate. Others may judge it meanwhile, and must not fail it by old and new terms mixed: until all
/// are set, no number of trials is enough.
pub fn take_over(meter: Rc<GateInSlice>, before: [u64; 3], out: &mut Effects) {
    let terms = shown(&meter.terms);
    if before != terms {
        let [limit, alpha, min_trials] = meter.series.terms;
        let [limit_is, alpha_is, min_trials_is] = terms;
        let steps = [(min_trials, u64::MAX), (limit, limit_is), (alpha, alpha_is), (min_trials, min_trials_is)];
        out.list.extend(steps.map(|(series, value)| Effect::Set(series, value)));
    }
    out.push(Effect::Ask(Question::GateInSlice(meter)));
}

/// How terms are exported.
fn shown(terms: &Terms) -> [u64; 3] {
    [terms.limit.ppm().into(), terms.alpha.ppm().into(), terms.min_trials]
}

/// What [`shown`] was made of; `None` of what is no terms.
fn read([limit, alpha, min_trials]: [u64; 3]) -> Option<Terms> {
    let rate = |ppm| u32::try_from(ppm).ok().and_then(Rate::new);
    Some(Terms { limit: rate(limit)?, alpha: rate(alpha)?, min_trials })
}

/// Cuts off the canary that a gate guards, if the counters say so. A configuration guards the requests that it serves, by its own terms, also
/// where others are shown: a younger one may never get to serve.
pub fn guard(meter: &Rc<GateInSlice>, guard: &Guard, look: Look, now: Time, out: &mut Effects) {
    if look.tripped > 0 || trip_if(meter, guard, look.reading.fewest, "experiment", out) {
        return;
    }
    let mine = WindowStart::new(look.reading, now, guard.window);
    match guard.begun.get().and_then(|begun| begun.until(&mine, look.reading)) {
        Some(recent) => _ = trip_if(meter, guard, recent, "window", out),
        None => out.push(Effect::Ask(Question::Window { meter: meter.clone(), reading: look.reading, mine })),
    }
}

/// The window that a gate's counters, as read, are in began with `begun`.
pub fn begin_window(meter: &GateInSlice, reading: Reading, begun: WindowStart, now: Time, out: &mut Effects) {
    let Some(guard) = &meter.guard else { return };
    guard.begun.set(Some(begun));
    let recent = begun.until(&WindowStart::new(reading, now, guard.window), reading).unwrap_or_default();
    trip_if(meter, guard, recent, "window", out);
}

/// Puts what is shown of a gate right.
pub fn judge(meter: &Rc<GateInSlice>, look: Look, out: &mut Effects) {
    // What is judged follows from the figures beside it, also where an older configuration still counts.
    let Some(terms) = read(look.terms) else {
        // The gate left the configuration between this worker's look and what it showed then.
        if look.state != 0 {
            out.push(Effect::Set(meter.series.state, 0));
        }
        return;
    };
    // (A plain gate shows its state where a gate of several slices shows the one over all. Either may have been the other before.)
    let failed = look.failures > 0 || State::of(look.state) == State::Fail;
    let state = terms.judge(look.reading, failed);
    if state == State::Fail && look.failures == 0 {
        out.add(meter.series.failures, 1);
    }
    if state == State::Fail && !failed && !meter.told.replace(true) {
        evidence::show_gate(meter, &terms, look.reading.fewest, ("state", "fail"), out);
    }
    let changes = look.state != state as u64;
    if !changes {
        meter.writes.settled();
    } else {
        out.push(Effect::Set(meter.series.state, state as u64));
        if meter.writes.one_more() {
            out.push(Effect::Ask(Question::GateInSlice(meter.clone())));
        }
    }
    // (The first trial of `other` changes the state over all slices, but not its own.)
    if let Some(overall) = &meter.overall
        && (changes || meter.is_other() && look.reading.most.trials() > 0 && !overall.others.replace(true))
    {
        out.push(Effect::Ask(Question::Slices(overall.clone())));
    }
}

/// Puts the state over all slices right.
pub fn judge_slices(overall: &Rc<GateSummary>, shown: u64, states: &[u64], others: u64, out: &mut Effects) {
    let mut states = states.iter().map(|state| State::of(*state));
    let other = states.next_back().unwrap_or_default();
    let state = over_slices(states, other, others > 0) as u64;
    // A fail is for good, also if its slice has left the configuration.
    if shown == state || State::of(shown) == State::Fail {
        return overall.writes.settled();
    }
    out.push(Effect::Set(overall.state, state));
    if overall.writes.one_more() {
        out.push(Effect::Ask(Question::Slices(overall.clone())));
    }
}

/// Cuts the canary off that `guard` guards if these trials make it fail; whether it is cut off.
fn trip_if(meter: &GateInSlice, guard: &Guard, counts: Counts, over: &str, out: &mut Effects) -> bool {
    let Some(share) = guard.shares.get(guard.variant).filter(|share| !share.cut_off.get()) else { return true };
    let fails = guard.terms.fails(counts);
    if fails {
        share.cut_off.set(true);
        out.push(Effect::Set(guard.tripped, 1));
        out.push(Effect::ShowSplit { shares: guard.shares.clone(), all: false });
        evidence::show_gate(meter, &guard.terms, counts, (evidence::GUARDRAIL, over), out);
    }
    fails
}
