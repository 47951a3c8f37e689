//! Counting the trials of gates, each of which is judged at once.

use super::bound::{GateInSlice, SubjectGates};
use super::judge;
use super::measure::{self, AnswerResult, ShadowResult};
use crate::config::Task;
use crate::engine::callback::Callback;
use crate::engine::request_group::RequestGroup;
use crate::labels::{Class, Outcome};

/// Which shadow a pair is of.
#[derive(Clone, Copy, Debug)]
pub struct PairOf<'a> {
    /// The shadow's place among those of the route.
    pub place: usize,
    /// What the route's answers are compared as.
    pub task: &'a Task,
    /// The slice of the request.
    pub slice: usize,
    /// The copies of the request.
    pub group: &'a RequestGroup,
}

impl SubjectGates {
    /// Counts an answer of a variant to a client. `serves`: whether the configuration does, and its guardrails with it.
    pub fn count_answer(&self, slice: usize, answer: &AnswerResult, serves: bool, callback: &mut Callback<'_>) {
        if self.is_empty() || self.leaves_out(answer.class != Class::Cancelled, callback) {
            return;
        }
        for gate in &self.gates {
            if let (Some(bad), Some(gate)) = (measure::of_answer(gate.measure, answer), gate.in_slice(slice)) {
                count_trial(gate, bad, serves, callback);
            }
        }
    }

    /// Counts a pair of a shadow that has its outcome.
    pub fn count_pair(&self, pair: PairOf<'_>, result: &ShadowResult<'_>, callback: &mut Callback<'_>) {
        if self.is_empty() || self.leaves_out(result.reply.is_some(), callback) {
            return;
        }
        for gate in &self.gates {
            if let (Some(bad), Some(gate)) = (measure::of_shadow(gate.measure, pair.task, result), gate.in_slice(pair.slice)) {
                count_trial(gate, bad, false, callback);
            }
        }
        let compared = result.report.filter(|_| result.outcome == Outcome::Compared && !self.triplets.is_empty());
        if let Some(report) = compared {
            self.count_triplets(pair, measure::diverged(report), callback);
        }
    }

    /// Counts the triplets that are complete with the answer of one more shadow.
    fn count_triplets(&self, pair: PairOf<'_>, diverged: bool, callback: &mut Callback<'_>) {
        let before = pair.group.compared(pair.place, diverged);
        for triplet in &self.triplets {
            let is_candidate = triplet.candidate == pair.place;
            let other = if is_candidate { triplet.control } else { triplet.candidate };
            let Some((_, other)) = before.iter().find(|(place, _)| *place == other) else { continue };
            let (candidate, control) = if is_candidate { (diverged, *other) } else { (*other, diverged) };
            if let (Some(bad), Some(gate)) = (measure::of_triplet(candidate, control), triplet.gate.in_slice(pair.slice)) {
                count_trial(gate, bad, false, callback);
            }
        }
    }

    fn leaves_out(&self, tells_of_model: bool, callback: &mut Callback<'_>) -> bool {
        self.warm_up.as_ref().is_some_and(|warm_up| warm_up.leaves_out(tells_of_model, callback))
    }
}

/// Counts one trial. It is counted before it is counted as bad, so that no reader ever sees more bad trials than trials.
fn count_trial(gate: &GateInSlice, bad: bool, serves: bool, callback: &mut Callback<'_>) {
    callback.statistics.add(gate.series.trials, 1);
    if bad {
        callback.statistics.add(gate.series.bad, 1);
    }
    judge::judge(gate, serves, callback);
}
