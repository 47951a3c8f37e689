//! Counting the trials of gates, each of which is judged at once.

use std::rc::Rc;

use super::assigned::Assigned;
use super::bound::{BoundGate, GateInSlice, SubjectGates, Trials};
use super::judge::{self, After};
use super::key_trials::KeyTrials;
use super::measure::{self, AnswerResult, ShadowResult};
use super::order::{Order, Ticket};
use super::pair_trials::Answered;
use crate::config::{Event, GateSubject, Measure, Task};
use crate::engine::callback::Callback;
use crate::engine::request_group::RequestGroup;
use crate::labels::{Class, End, Outcome};
use crate::timestamp::Timestamp;

/// The parts of a pair that its gates need beside its result.
#[derive(Clone, Copy, Debug)]
pub struct PairOf<'a> {
    /// The shadow's place among those of the route.
    pub place: usize,
    /// The task that the route's answers are compared by.
    pub task: &'a Task,
    /// The slice of the request.
    pub slice: usize,
    /// The copies of the request.
    pub group: &'a RequestGroup,
}

/// The parts of a live request that gates need beside its result.
#[derive(Clone, Copy, Debug)]
pub struct AnswerOf {
    /// The variant's place in [`crate::engine::plan::RoutePlan::variants`].
    pub variant: usize,
    /// What gates that set a canary against the baseline need, if the variant was chosen by chance, such a gate asks, and there was room.
    pub key: Option<KeyOf>,
    /// The slice of the request.
    pub slice: usize,
    /// Whether the variant's configuration serves, so that its guardrails act.
    pub serves: bool,
}

/// The key of a live request, and its place among all requests.
#[derive(Clone, Copy, Debug)]
pub struct KeyOf {
    /// The key by which the variant was chosen.
    pub assigned: Assigned,
    /// When the request began.
    pub began: Timestamp,
    /// Its number in the order of the route.
    pub ticket: Ticket,
}

/// What a gate that sets a canary against the baseline learns of an answer of either.
#[derive(Debug)]
pub struct Happened {
    gate: Rc<BoundGate>,
    of: AnswerOf,
    /// Whether its event happened. If not, that is told only of a split that the mesh makes.
    has_event: bool,
}

/// A request of a route with these gates begins, whose events may count: returns what is kept of its key; `None` if there is no room for it
/// among those that are waited for.
pub fn begin(gates: &[Rc<BoundGate>], assigned: Assigned, order: &Order<Happened>, callback: &mut Callback<'_>) -> Option<KeyOf> {
    let warm_ups = gates.iter().filter_map(|gate| gate.against_baseline.as_ref()?.warm_up());
    warm_ups.for_each(|warm_up| _ = warm_up.leaves_out(false, callback));
    Some(KeyOf { assigned, began: callback.now, ticket: order.begin(callback.now)? })
}

impl SubjectGates {
    /// Counts an answer of a variant to a client.
    pub fn count_answer(&self, of: AnswerOf, answer: &AnswerResult, callback: &mut Callback<'_>) {
        if self.leaves_out(answer.class != Class::Cancelled, callback) {
            return;
        }
        for gate in &self.gates {
            gate.count(measure::of_answer(gate.measure, answer), of.slice, of.serves, callback);
        }
    }

    /// The events that have happened to an answer of a variant, but for how it ended. Nothing is told of one whose client left.
    pub fn events(&self, of: AnswerOf, answer: &AnswerResult) -> Vec<Happened> {
        let is_known = |event| !matches!(event, Event::Ended(_)) || answer.class != Class::Success;
        let has = |event| (answer.class != Class::Cancelled && is_known(event)).then(|| measure::happened(event, answer));
        self.happened(of, has)
    }

    /// The events that have happened to a generated answer of a variant by the way it ended.
    pub fn end_events(&self, of: AnswerOf, end: End) -> Vec<Happened> {
        self.happened(of, |event| if let Event::Ended(way) = event { Some(measure::ended(way, end)) } else { None })
    }

    /// What `has` tells the gates that set a canary against the baseline: whether their events happened, or `None` if that is not known.
    fn happened(&self, of: AnswerOf, has: impl Fn(Event) -> Option<bool>) -> Vec<Happened> {
        let told = self.gates.iter().filter_map(|gate| {
            let Measure::WorseThanBaseline(event) = gate.measure else { return None };
            let has_event = has(event)?;
            let is_told = has_event || matches!(gate.against_baseline, Some(Trials::OfPairs(_)));
            is_told.then(|| Happened { gate: gate.clone(), of, has_event })
        });
        told.collect()
    }

    /// Counts a pair of a shadow that has its outcome. A triplet is counted with the second of its two shadows.
    pub fn count_pair(&self, pair: PairOf<'_>, result: &ShadowResult<'_>, callback: &mut Callback<'_>) {
        if self.leaves_out(result.reply.is_some(), callback) {
            return;
        }
        for gate in &self.gates {
            gate.count(measure::of_shadow(gate.measure, pair.task, result), pair.slice, false, callback);
        }
        let is_triplet = |gate: &Rc<BoundGate>| matches!(gate.measure, Measure::WorseThanControl { .. });
        let compared = result.report.filter(|_| result.outcome == Outcome::Compared && self.gates.iter().any(is_triplet));
        let Some(report) = compared else { return };
        let mut compared = pair.group.compared.take();
        compared.push((pair.place, measure::diverged(report)));
        let of = |place: usize| compared.iter().find(|(of, _)| *of == place).map(|(_, diverged)| *diverged);
        for gate in &self.gates {
            if let (GateSubject::Shadow(candidate), Measure::WorseThanControl { control }) = (gate.of, gate.measure)
                && let (Some(candidate), Some(control)) = (of(candidate), of(control))
            {
                gate.count(measure::of_triplet(candidate, control), pair.slice, false, callback);
            }
        }
        pair.group.compared.set(compared);
    }

    /// Whether no gate counts an answer or a pair, because there is no gate or the subject still warms up.
    fn leaves_out(&self, tells_of_model: bool, callback: &mut Callback<'_>) -> bool {
        self.gates.is_empty() || self.warm_up.as_ref().is_some_and(|warm_up| warm_up.leaves_out(tells_of_model, callback))
    }
}

impl Happened {
    /// Counts what is a trial, unless the canary had not warmed up when the request began.
    pub fn count(&self, callback: &mut Callback<'_>) {
        let Self { gate, of, has_event } = self;
        let (Some(key), Some(trials)) = (of.key, &gate.against_baseline) else { return };
        if trials.warm_up().is_some_and(|warm_up| !warm_up.was_over(key.began)) {
            return;
        }
        match trials {
            Trials::OfKeys(trials) if !trials.are_over() => self.count_first(trials, key.assigned, callback),
            Trials::OfKeys(_) => {}
            Trials::OfPairs(trials) => {
                if trials.is_first(key.assigned, callback.statistics) {
                    let answered = Answered { by_canary: self.is_at_canary(), has_event: *has_event };
                    let slice = if gate.slices.len() > 1 { of.slice } else { 0 };
                    gate.count(trials.next(slice, answered), of.slice, of.serves, callback);
                }
            }
        }
    }

    fn is_at_canary(&self) -> bool {
        self.gate.of == GateSubject::Variant(self.of.variant)
    }

    /// Counts the event, if it is the first one of its key: in the experiment, and for a guardrail in the current window.
    fn count_first(&self, trials: &KeyTrials, assigned: Assigned, callback: &mut Callback<'_>) {
        let Self { gate, of, .. } = self;
        let is_bad = self.is_at_canary();
        if trials.is_first(assigned, callback.statistics) {
            gate.count(Some(is_bad), of.slice, of.serves, callback);
        }
        let slice = gate.slice(of.slice).filter(|_| of.serves);
        if let Some((slice, guard)) = slice.and_then(|slice| Some((slice, slice.guard.as_ref()?))) {
            guard.count_event(&slice.labels, assigned, (trials.limit, is_bad), callback);
        }
    }
}

impl BoundGate {
    /// The gate in the slice at `place` (see [`crate::slice::names`]), or in the only one.
    fn slice(&self, place: usize) -> Option<&GateInSlice> {
        if let [all] = self.slices.as_slice() { Some(all) } else { self.slices.get(place) }
    }

    /// Counts a trial in `slice` (see [`crate::slice::names`]) and judges the gate; `bad` is `None` of a request that is no trial. A bad
    /// trial is counted as a trial first, so that no reader ever sees more bad trials than trials; before that comes its limit, if it has
    /// one of its own.
    fn count(&self, bad: Option<bool>, slice: usize, serves: bool, callback: &mut Callback<'_>) {
        let (Some(bad), Some(slice)) = (bad, self.slice(slice)) else { return };
        if let (Some(limits), Some(trials)) = (slice.series.limits, &self.against_baseline) {
            callback.statistics.add(limits, trials.limit().ppm().into());
        }
        callback.statistics.add(slice.series.trials, 1);
        if bad {
            callback.statistics.add(slice.series.bad, 1);
        }
        judge::judge(self, slice, After::Trial { bad }, serves, callback);
    }
}
