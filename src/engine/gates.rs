//! Counting for gates.
//!
//! A gate is judged after every trial, from the host's counters, which are those of all workers. Reading them takes host calls, so the
//! engine asks ([`Question`]) and goes on when it is told ([`Reply`]): what then follows is in `judging`.

use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};
use std::rc::Rc;

use super::effect::{Effect, Effects};
use super::event::Time;
use super::measure::{self, Answered};
use super::meter::{GateInSlice, GateSummary, Warm};
use super::pair::Pair;
use super::plan::{BoundShadow, BoundVariant};
use super::{Engine, judging};
use crate::config::Warmup;
use crate::gate::Reading;
use crate::gate::window::WindowStart;
use crate::labels::{Class, Outcome};

/// What of the host's statistics the engine needs to know.
#[derive(Debug)]
pub enum Question {
    /// By what a gate is judged so far, before this configuration takes it over.
    Terms(Rc<GateInSlice>),
    /// The counters of a gate.
    GateInSlice(Rc<GateInSlice>),
    /// The states of all slices of a gate.
    Slices(Rc<GateSummary>),
    /// The snapshot that a gate's window begins with: the one that is kept if it is of the same window, otherwise `mine`, which is kept.
    Window {
        /// The gate.
        meter: Rc<GateInSlice>,
        /// What its counters are.
        reading: Reading,
        /// What this worker would begin the window with.
        mine: WindowStart,
    },
    /// How far a warm-up is.
    Warmup(Trials),
}

/// What the host's statistics say.
#[derive(Debug)]
pub enum Reply {
    /// Of [`Question::Terms`]: as in [`Look::terms`].
    Terms(Rc<GateInSlice>, [u64; 3]),
    /// Of [`Question::GateInSlice`].
    GateInSlice(Rc<GateInSlice>, Look),
    /// Of [`Question::Slices`]: the state shown over all, those of the slices in their order, and the trials of the last of them.
    Slices(Rc<GateSummary>, u64, Vec<u64>, u64),
    /// Of [`Question::Window`]: what it begins with.
    Window(Rc<GateInSlice>, Reading, WindowStart),
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
    /// Whether it warms it up: a copy that was not sent, and an answer that nobody waited for, tell nothing of a model.
    warms: bool,
    /// Gates of which it is a trial, and whether a hit.
    found: Vec<(Rc<GateInSlice>, bool)>,
    /// For gates that set candidate and control against each other.
    triplet: Option<Part>,
}

/// One shadow's answer as a part of a triplet.
#[derive(Debug)]
struct Part {
    target: Rc<BoundShadow>,
    slice: usize,
    siblings: Rc<RequestGroup>,
    diverged: bool,
}

/// What the copies of one request share.
#[derive(Default)]
pub struct RequestGroup {
    /// Whether what the client's answer tells has been counted.
    pub told: Cell<bool>,
    /// Places of the shadows whose answers were compared, and whether they diverged.
    compared: Cell<Vec<(usize, bool)>>,
}

impl Debug for RequestGroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("RequestGroup")
    }
}

impl Engine {
    /// An answer to a client is over.
    pub(super) fn try_answer(&mut self, answerer: &BoundVariant, slice: usize, answered: &Answered, out: &mut Effects) {
        if answerer.gates.is_empty() {
            return;
        }
        let found = answerer.gates.iter().filter_map(|gate| {
            let hit = measure::of_answer(gate.measure, answered)?;
            Some((gate.meter(slice)?.clone(), hit))
        });
        let found = found.collect();
        let warms = answered.class != Class::Cancelled;
        self.count(Trials { warm: answerer.warm.clone(), warms, found, triplet: None }, out);
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
        let triplet = compared.map(|report| Part {
            target: target.clone(),
            slice: pair.slice,
            siblings: pair.siblings.clone(),
            diverged: measure::diverged(report),
        });
        self.count(Trials { warm: target.warm.clone(), warms: it.reply.is_some(), found, triplet }, out);
    }

    /// Counts trials, unless they may be of a warm-up: then that is asked for first.
    fn count(&mut self, trials: Trials, out: &mut Effects) {
        if trials.warm.as_ref().is_some_and(|warm| !warm.over.get()) {
            return out.push(Effect::Ask(Question::Warmup(trials)));
        }
        for (meter, hit) in trials.found {
            count_trial(meter, hit, out);
        }
        let Some(Part { target, slice, siblings, diverged }) = trials.triplet else { return };
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
            Reply::Terms(meter, before) => judging::take_over(meter, before, out),
            Reply::GateInSlice(meter, look) => {
                // (One that has been taken out of service has no requests left to guard.)
                let serves = |root| self.roots.get(&root).is_some_and(|root| !root.retiring);
                if let Some(guard) = meter.guard.as_ref().filter(|guard| serves(guard.root)) {
                    judging::guard(&meter, guard, look, now, out);
                }
                judging::judge(&meter, look, out);
            }
            Reply::Slices(overall, shown, states, others) => judging::judge_slices(&overall, shown, &states, others, out),
            Reply::Window(meter, reading, begun) => judging::begin_window(&meter, reading, begun, now, out),
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
        if trials.warms {
            out.add(warm.series.left_out, 1);
            if since.is_none() {
                out.push(Effect::Set(warm.series.began, now));
            }
        }
    }
}

/// Counts one trial: before its hit, so that no reader ever sees more bad events than trials.
fn count_trial(meter: Rc<GateInSlice>, hit: bool, out: &mut Effects) {
    out.add(meter.series.trials, 1);
    if hit {
        out.add(meter.series.bad, 1);
    }
    out.push(Effect::Ask(Question::GateInSlice(meter)));
}
