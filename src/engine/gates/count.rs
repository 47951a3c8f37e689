//! Counting the trials of gates, each of which is judged at once.

use std::rc::Rc;

use super::bound::{BoundGate, SubjectGates};
use super::judge;
use super::measure::{self, AnswerResult, ShadowResult};
use crate::config::{GateSubject, Measure, Task};
use crate::engine::callback::Callback;
use crate::engine::request_group::RequestGroup;
use crate::labels::{Class, Outcome};

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

impl SubjectGates {
    /// Counts an answer of a variant to a client. `serves`: whether the variant's configuration serves, so that its guardrails act.
    pub fn count_answer(&self, slice: usize, answer: &AnswerResult, serves: bool, callback: &mut Callback<'_>) {
        if self.leaves_out(answer.class != Class::Cancelled, callback) {
            return;
        }
        for gate in &self.gates {
            gate.count(measure::of_answer(gate.measure, answer), slice, serves, callback);
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
    /// Counts a trial in `slice` (see [`crate::slice::names`]) and judges the gate; `bad` is `None` of a request that is no trial. A bad
    /// trial is counted as a trial first, so that no reader ever sees more bad trials than trials.
    fn count(&self, bad: Option<bool>, slice: usize, serves: bool, callback: &mut Callback<'_>) {
        let slice = if let [all] = self.slices.as_slice() { Some(all) } else { self.slices.get(slice) };
        let (Some(bad), Some(slice)) = (bad, slice) else { return };
        callback.statistics.add(slice.series.trials, 1);
        if bad {
            callback.statistics.add(slice.series.bad, 1);
        }
        judge::judge(self, slice, serves, callback);
    }
}
