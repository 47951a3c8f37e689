//! Counting the trials of gates, each of which is judged at once.

use std::rc::Rc;

use super::assigned::Assigned;
use super::bound::{BoundGate, GateInSlice, SubjectGates};
use super::judge::{self, After};
use super::measure::{self, AnswerResult, ShadowResult};
use crate::config::{Event, GateSubject, Measure, Task};
use crate::engine::callback::Callback;
use crate::engine::request_group::RequestGroup;
use crate::labels::{Class, End, Outcome};

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
    /// The key by which the split chose the variant, if it did so by chance.
    pub assigned: Option<Assigned>,
    /// The slice of the request.
    pub slice: usize,
    /// Whether the variant's configuration serves, so that its guardrails act.
    pub serves: bool,
}

impl SubjectGates {
    /// Counts an answer of a variant to a client.
    pub fn count_answer(&self, of: AnswerOf, answer: &AnswerResult, callback: &mut Callback<'_>) {
        if self.leaves_out(answer.class != Class::Cancelled, callback) {
            return;
        }
        for gate in &self.gates {
            match gate.measure {
                Measure::WorseThanBaseline(event) => gate.count_event(measure::happened(event, answer), of, callback),
                measure => gate.count(measure::of_answer(measure, answer), of.slice, of.serves, callback),
            }
        }
    }

    /// Counts how a generated answer of a variant to a client ended.
    pub fn count_end(&self, of: AnswerOf, end: End, callback: &mut Callback<'_>) {
        for gate in &self.gates {
            if let Measure::WorseThanBaseline(Event::Ended(way)) = gate.measure {
                gate.count_event(measure::ended(way, end), of, callback);
            }
        }
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

impl BoundGate {
    /// Counts an event at canary or baseline, if it `happened` and is the first one of its key: in the experiment, and for a guardrail in the
    /// current window.
    fn count_event(&self, happened: bool, of: AnswerOf, callback: &mut Callback<'_>) {
        let (true, Some(assigned), Some(trials)) = (happened, of.assigned, &self.key_trials) else { return };
        if !trials.are_on(callback) {
            return;
        }
        let is_bad = self.of == GateSubject::Variant(of.variant);
        if trials.is_first(assigned, callback.statistics) {
            self.count(Some(is_bad), of.slice, of.serves, callback);
        }
        let slice = self.slice(of.slice).filter(|_| of.serves);
        if let Some((slice, guard)) = slice.and_then(|slice| Some((slice, slice.guard.as_ref()?))) {
            guard.count_event(&slice.labels, assigned, (trials.limit, is_bad), callback);
        }
    }

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
