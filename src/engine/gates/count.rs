//! Counting the trials of gates, each of which is judged at once.

use std::rc::Rc;

use super::assigned::Assigned;
use super::bound::{BoundGate, GateInSlice, SubjectGates};
use super::judge::{self, After};
use super::measure::{self, AnswerResult, ShadowResult};
use super::order::{Order, Ticket};
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
    /// The variant's place in the split.
    pub variant: usize,
    /// What gates that set a canary against the baseline need, if the split chose the variant by chance and such a gate asks.
    pub key: Option<KeyOf>,
    /// The slice of the request.
    pub slice: usize,
    /// Whether the variant's configuration serves, so that its guardrails act.
    pub serves: bool,
}

/// The key of a live request, and its place among all requests.
#[derive(Clone, Copy, Debug)]
pub struct KeyOf {
    /// The key by which the split chose the variant.
    pub assigned: Assigned,
    /// When the request began.
    pub began: Timestamp,
    /// Its number in the order of the route.
    pub ticket: Ticket,
}

/// An event that has happened at canary or baseline.
#[derive(Debug)]
pub struct Happened {
    gate: Rc<BoundGate>,
    of: AnswerOf,
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

    /// A request begins whose events may count: returns what is kept of its key.
    pub fn begin(&self, assigned: Assigned, order: &Order<Happened>, callback: &mut Callback<'_>) -> KeyOf {
        self.gates.iter().filter_map(|gate| gate.key_trials.as_ref()).for_each(|trials| trials.look(callback));
        KeyOf { assigned, began: callback.now, ticket: order.begin(callback.now) }
    }

    /// The events that have happened to an answer of a variant, but for how it ended.
    pub fn events(&self, of: AnswerOf, answer: &AnswerResult) -> Vec<Happened> {
        self.happened(of, |event| measure::happened(event, answer))
    }

    /// The events that have happened to a generated answer of a variant by the way it ended.
    pub fn end_events(&self, of: AnswerOf, end: End) -> Vec<Happened> {
        self.happened(of, |event| matches!(event, Event::Ended(way) if measure::ended(way, end)))
    }

    fn happened(&self, of: AnswerOf, has: impl Fn(Event) -> bool) -> Vec<Happened> {
        let gates = self.gates.iter().filter(|gate| matches!(gate.measure, Measure::WorseThanBaseline(event) if has(event)));
        gates.map(|gate| Happened { gate: gate.clone(), of }).collect()
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
    /// Counts the event, if it is the first one of its key: in the experiment, and for a guardrail in the current window.
    pub fn count(&self, callback: &mut Callback<'_>) {
        let Self { gate, of } = self;
        let (Some(key), Some(trials)) = (of.key, &gate.key_trials) else { return };
        if !trials.are_on(key.began) {
            return;
        }
        let is_bad = gate.of == GateSubject::Variant(of.variant);
        if trials.is_first(key.assigned, callback.statistics) {
            gate.count(Some(is_bad), of.slice, of.serves, callback);
        }
        let slice = gate.slice(of.slice).filter(|_| of.serves);
        if let Some((slice, guard)) = slice.and_then(|slice| Some((slice, slice.guard.as_ref()?))) {
            guard.count_event(&slice.labels, key.assigned, (trials.limit, is_bad), callback);
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
        if let (Some(limits), Some(trials)) = (slice.series.limits, &self.key_trials) {
            callback.statistics.add(limits, trials.limit.ppm().into());
        }
        callback.statistics.add(slice.series.trials, 1);
        if bad {
            callback.statistics.add(slice.series.bad, 1);
        }
        judge::judge(self, slice, After::Trial { bad }, serves, callback);
    }
}
