//! Counting for gates, and judging them.
//!
//! A gate is judged after every trial, from the host's counters, which are those of all workers. Reading them takes host calls, so the
//! engine asks ([`Question`]) and goes on when it is told ([`Reply`]). What it then changes it asks for again, until what is shown is what
//! follows from the counters: so of workers that judge at the same time the last one puts right what another wrote from older counters.

use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};
use std::rc::Rc;

use super::effect::{Effect, Effects};
use super::event::Time;
use super::measure::{self, Answered};
use super::meter::{Guard, Meter, Overall, Warm};
use super::pair::Pair;
use super::plan::{Answerer, RoutePlan, Target};
use super::{Engine, evidence};
use crate::config::Warmup;
use crate::gate::window::Snapshot;
use crate::gate::{Counts, Rate, Reading, State, Terms, over_slices};
use crate::outcome::Outcome;

/// What of the host's statistics the engine needs to know.
#[derive(Debug)]
pub enum Question {
    /// By what a gate is judged so far, before this configuration takes it over.
    Terms(Rc<Meter>),
    /// The counters of a gate.
    Meter(Rc<Meter>),
    /// The states of all slices of a gate.
    Slices(Rc<Overall>),
    /// The snapshot that a gate's window begins with: the one that is kept if it is of the same window, otherwise `mine`, which is kept.
    Window {
        /// The gate.
        meter: Rc<Meter>,
        /// What its counters are.
        reading: Reading,
        /// What this worker would begin the window with.
        mine: Snapshot,
    },
    /// How far a warm-up is.
    Warmup(Trials),
}

/// What the host's statistics say.
#[derive(Debug)]
pub enum Reply {
    /// Of [`Question::Terms`]: as in [`Look::terms`].
    Terms(Rc<Meter>, [u64; 3]),
    /// Of [`Question::Meter`].
    Meter(Rc<Meter>, Look),
    /// Of [`Question::Slices`]: the state shown over all, those of the slices in their order, and the trials of the last of them.
    Slices(Rc<Overall>, u64, Vec<u64>, u64),
    /// Of [`Question::Window`]: what it begins with.
    Window(Rc<Meter>, Reading, Snapshot),
    /// Of [`Question::Warmup`]: when it began, in milliseconds since the epoch (0: not yet), and what it has left out.
    Warmup(Trials, u64, u64),
}

/// What is shown of a gate.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Its counters.
    pub reading: Reading,
    /// `gnomon_gate_limit_ppm`, `gnomon_gate_alpha_ppm` and `gnomon_gate_min_trials`: those of the youngest configuration, 0 once it has no
    /// such gate.
    pub terms: [u64; 3],
    /// `gnomon_gate_failures_total`
    pub failures: u64,
    /// `gnomon_gate_state`
    pub state: u64,
    /// `gnomon_guardrail_tripped`, where there is one.
    pub tripped: u64,
}

/// What one answer or pair adds to gates.
#[derive(Debug)]
pub struct Trials {
    /// Of the variant or shadow.
    pub warm: Option<Rc<Warm>>,
    /// Gates of which it is a trial, and whether a hit.
    found: Vec<(Rc<Meter>, bool)>,
    /// For gates that set candidate and control against each other.
    triplet: Option<Third>,
}

/// One shadow's answer as a part of a triplet.
#[derive(Debug)]
struct Third {
    target: Rc<Target>,
    slice: usize,
    siblings: Rc<Siblings>,
    diverged: bool,
}

/// What the copies of one request share.
#[derive(Default)]
pub struct Siblings {
    /// Whether what the client's answer tells has been counted.
    pub told: Cell<bool>,
    /// Places of the shadows whose answers were compared, and whether they diverged.
    compared: Cell<Vec<(usize, bool)>>,
}

impl Debug for Siblings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Siblings")
    }
}

impl Engine {
    /// An answer to a client is over.
    pub(super) fn try_answer(&mut self, answerer: &Answerer, slice: usize, answered: &Answered, out: &mut Effects) {
        if answerer.gates.is_empty() {
            return;
        }
        let found = answerer.gates.iter().filter_map(|gate| {
            let hit = measure::of_answer(gate.measure, answered)?;
            Some((gate.meter(slice)?.clone(), hit))
        });
        let found = found.collect();
        self.count(Trials { warm: answerer.warm.clone(), found, triplet: None }, out);
    }

    /// A sampled request at a shadow has its outcome.
    pub(super) fn try_pair(&mut self, pair: &Pair, outcome: Outcome, out: &mut Effects) {
        let target = &pair.target;
        if target.gates.is_empty() && target.triplets.is_empty() {
            return;
        }
        let it = pair.shadowed(outcome);
        let found = target.gates.iter().filter_map(|gate| {
            let hit = measure::of_shadow(gate.measure, &target.compare.task, &it)?;
            Some((gate.meter(pair.slice)?.clone(), hit))
        });
        let found = found.collect();
        let compared = it.report.filter(|_| outcome == Outcome::Compared && !target.triplets.is_empty());
        let triplet = compared.map(|report| Third {
            target: target.clone(),
            slice: pair.slice,
            siblings: pair.siblings.clone(),
            diverged: measure::diverged(report),
        });
        self.count(Trials { warm: target.warm.clone(), found, triplet }, out);
    }

    /// Counts trials, unless they may be of a warm-up: then that is asked for first.
    fn count(&mut self, trials: Trials, out: &mut Effects) {
        if trials.warm.as_ref().is_some_and(|warm| !warm.over.get()) {
            return out.push(Effect::Ask(Question::Warmup(trials)));
        }
        for (meter, hit) in trials.found {
            count_trial(meter, hit, out);
        }
        let Some(Third { target, slice, siblings, diverged }) = trials.triplet else { return };
        let mut compared = siblings.compared.take();
        for triplet in &target.triplets {
            let other = if triplet.candidate == target.place { triplet.control } else { triplet.candidate };
            let Some((_, other)) = compared.iter().find(|(place, _)| *place == other) else { continue };
            let (candidate, control) = if triplet.candidate == target.place { (diverged, *other) } else { (*other, diverged) };
            if let (Some(hit), Some(meter)) = (measure::of_triplet(candidate, control), triplet.gate.meter(slice)) {
                count_trial(meter.clone(), hit, out);
            }
        }
        compared.push((target.place, diverged));
        siblings.compared.set(compared);
    }

    /// The host has told what it was asked.
    pub(super) fn told(&mut self, reply: Reply, now: Time, out: &mut Effects) {
        match reply {
            Reply::Terms(meter, before) => take_over(meter, before, out),
            Reply::Meter(meter, look) => judge(&meter, look, now, out),
            Reply::Slices(overall, shown, states, others) => judge_slices(&overall, shown, &states, others, out),
            Reply::Window(meter, reading, begun) => {
                let Some(guard) = &meter.guard else { return };
                guard.begun.set(Some(begun));
                let recent = begun.until(&Snapshot::new(reading, now, guard.window), reading).unwrap_or_default();
                trip_if(&meter, guard, recent, "window", out);
            }
            Reply::Warmup(trials, began, left_out) => self.warming(trials, began, left_out, now, out),
        }
    }

    /// Leaves trials out while the warm-up lasts.
    fn warming(&mut self, trials: Trials, began: u64, left_out: u64, now: Time, out: &mut Effects) {
        let Some(warm) = &trials.warm else { return };
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        // A clock that was set back begins it anew.
        let since = now.checked_sub(began).filter(|_| began > 0);
        let over = match warm.length {
            Warmup::Time(length) => since.is_some_and(|since| u128::from(since) >= length.as_millis()),
            Warmup::Pairs(pairs) => left_out >= pairs,
        };
        if over {
            warm.over.set(true);
            return self.count(trials, out);
        }
        out.add(warm.series.left_out, 1);
        if since.is_none() {
            out.push(Effect::Set(warm.series.began, now));
        }
    }
}

/// Shows by what the gates of a route judge, what its variants get, and the states.
pub fn show(route: &RoutePlan, out: &mut Effects) {
    out.push(Effect::ShowSplit(route.shares.clone()));
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
fn take_over(meter: Rc<Meter>, before: [u64; 3], out: &mut Effects) {
    let terms = shown(&meter.terms);
    if before != terms {
        let [limit, alpha, min_trials] = meter.series.terms;
        let [limit_is, alpha_is, min_trials_is] = terms;
        let steps = [(min_trials, u64::MAX), (limit, limit_is), (alpha, alpha_is), (min_trials, min_trials_is)];
        out.list.extend(steps.map(|(series, value)| Effect::Set(series, value)));
    }
    out.push(Effect::Ask(Question::Meter(meter)));
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

/// Counts one trial: before its hit, so that no reader ever sees more hits than trials.
fn count_trial(meter: Rc<Meter>, hit: bool, out: &mut Effects) {
    out.add(meter.series.trials, 1);
    if hit {
        out.add(meter.series.hits, 1);
    }
    out.push(Effect::Ask(Question::Meter(meter)));
}

/// Cuts off what a gate guards, and puts what is shown of it right.
fn judge(meter: &Rc<Meter>, look: Look, now: Time, out: &mut Effects) {
    // What is judged follows from the figures beside it, also where an older configuration still counts.
    let Some(terms) = read(look.terms) else {
        // The gate left the configuration between this worker's look and what it showed then.
        if look.state != 0 {
            out.push(Effect::Set(meter.series.state, 0));
        }
        return;
    };
    // Whom to cut off, and by what, is for the younger one to say.
    if terms == meter.terms
        && let Some(guard) = &meter.guard
        && look.tripped == 0
        && !trip_if(meter, guard, look.reading.fewest, "experiment", out)
    {
        let mine = Snapshot::new(look.reading, now, guard.window);
        match guard.begun.get().and_then(|begun| begun.until(&mine, look.reading)) {
            Some(recent) => _ = trip_if(meter, guard, recent, "window", out),
            None => out.push(Effect::Ask(Question::Window { meter: meter.clone(), reading: look.reading, mine })),
        }
    }
    let failed = look.failures > 0;
    let state = terms.judge(look.reading, failed);
    if state == State::Fail && !failed {
        out.add(meter.series.failures, 1);
        evidence::show_gate(meter, &terms, look.reading.fewest, ("state", "fail"), out);
    }
    let changes = look.state != state as u64;
    if changes {
        out.push(Effect::Set(meter.series.state, state as u64));
        out.push(Effect::Ask(Question::Meter(meter.clone())));
    }
    // (The first trial of `other` changes the state over all slices, but not its own.)
    if let Some(overall) = meter.overall.as_ref().filter(|_| changes || meter.is_other()) {
        out.push(Effect::Ask(Question::Slices(overall.clone())));
    }
}

fn judge_slices(overall: &Rc<Overall>, shown: u64, states: &[u64], others: u64, out: &mut Effects) {
    let mut states = states.iter().map(|state| State::of(*state));
    let other = states.next_back().unwrap_or_default();
    let state = over_slices(states, other, others > 0) as u64;
    if shown != state {
        out.push(Effect::Set(overall.state, state));
        out.push(Effect::Ask(Question::Slices(overall.clone())));
    }
}

/// Cuts the canary off that `guard` guards if these trials make it fail; whether they do.
fn trip_if(meter: &Meter, guard: &Guard, counts: Counts, over: &str, out: &mut Effects) -> bool {
    let fails = guard.terms.fails(counts);
    if fails {
        out.push(Effect::Set(guard.tripped, 1));
        out.push(Effect::ShowSplit(guard.shares.clone()));
        evidence::show_gate(meter, &guard.terms, counts, (evidence::GUARDRAIL, over), out);
    }
    fails
}
