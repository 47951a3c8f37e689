//! Whether a request is a trial of a gate, and whether that trial is bad: plain functions of what became of the request. They count
//! nothing.

use std::time::Duration;

use crate::compare::answer::NO_ROOM;
use crate::compare::judgement::Decided;
use crate::compare::{Judgement, Kind, Report, Side};
use crate::config::{Decision, Direction, Ended, Event, Failures, Measure, Task};
use crate::labels::{Class, End, Outcome, ShadowClass};

/// What became of an answer to a client.
#[derive(Clone, Copy, Debug)]
pub struct AnswerResult {
    /// Its class.
    pub class: Class,
    /// Its status (see [`crate::labels::effective_status`]); 0 if it was not complete.
    pub status: u16,
    /// Whether it has an error object or an error event inside, as far as that was looked for.
    pub has_error: bool,
    /// The time from the last byte of the request to that of the answer, if both were complete.
    pub took: Option<Duration>,
    /// The time from the last byte of the request to the first one of the answer, if the answer was a stream.
    pub first_byte: Option<Duration>,
}

/// A sampled request at one shadow, once it has its outcome.
#[derive(Clone, Copy, Debug)]
pub struct ShadowResult<'a> {
    /// The outcome of the pair.
    pub outcome: Outcome,
    /// The class of the shadow's answer, and how long it took from the dispatch; `None` if the copy has no answer.
    pub reply: Option<(ShadowClass, Duration)>,
    /// How long the client's answer took from the complete request, if it was a good one.
    pub primary: Option<Duration>,
    /// How long the shadow's answer took from the complete request, if both answers were good.
    pub shadow: Option<Duration>,
    /// The shadow's timeout, from the dispatch.
    pub timeout: Duration,
    /// What the comparison found, if there was one.
    pub report: Option<&'a Report>,
}

/// Whether an answer is a bad trial of a variant's gate; `None`: it is no trial.
pub fn of_answer(measure: Measure, answered: &AnswerResult) -> Option<bool> {
    let good = answered.class == Class::Success;
    match measure {
        Measure::Failed(_) if answered.class == Class::Cancelled => None,
        Measure::Failed(failures) => Some(failed(failures, answered)),
        Measure::SlowerThan(threshold) => answered.took.filter(|_| good).map(|took| took > threshold),
        Measure::FirstByteSlowerThan(threshold) => answered.first_byte.filter(|_| good).map(|first_byte| first_byte > threshold),
        Measure::Diverged
        | Measure::SlowerThanPrimary(_)
        | Measure::CostlierThanPrimary { .. }
        | Measure::Coverage
        | Measure::Flipped(_)
        | Measure::WorseThanControl { .. }
        | Measure::WorseThanBaseline(_) => None,
    }
}

/// Whether an answer is one of these failures.
fn failed(failures: Failures, answered: &AnswerResult) -> bool {
    let of_class = match answered.class {
        Class::ServerError => Failures::SERVER_ERROR,
        Class::Reset => Failures::RESET,
        Class::Redirect => Failures::REDIRECT,
        Class::ClientError if answered.status == 404 => Failures::CLIENT_ERROR.with(Failures::NOT_FOUND),
        Class::ClientError if answered.status == 429 => Failures::CLIENT_ERROR.with(Failures::TOO_MANY_REQUESTS),
        Class::ClientError => Failures::CLIENT_ERROR,
        Class::Success if answered.has_error => Failures::ERROR,
        Class::Success | Class::Cancelled => return false,
    };
    failures.overlaps(of_class)
}

/// Whether an event happened to an answer. Of how a generated answer ended nothing is known here: see [`ended`].
pub fn happened(event: Event, answered: &AnswerResult) -> bool {
    match event {
        Event::Failed(failures) => failed(failures, answered),
        Event::Error => failed(Failures::ERROR, answered),
        Event::Refused => answered.class == Class::ClientError,
        Event::SlowerThan(threshold) => of_answer(Measure::SlowerThan(threshold), answered) == Some(true),
        Event::FirstByteSlowerThan(threshold) => of_answer(Measure::FirstByteSlowerThan(threshold), answered) == Some(true),
        Event::Ended(_) => false,
    }
}

/// Whether a generated answer of this `end` ended in this way.
pub fn ended(way: Ended, end: End) -> bool {
    match way {
        Ended::Empty => matches!(end, End::Empty | End::ThoughtOnly),
        Ended::Refusal => end == End::Refusal,
        Ended::Length => end == End::Length,
    }
}

/// Whether a request at a shadow is a bad trial of the shadow's gate; `None`: it is no trial. `task` is what the route's answers are
/// compared as.
pub fn of_shadow(measure: Measure, task: &Task, it: &ShadowResult<'_>) -> Option<bool> {
    // An answer of a version that is not on trial says nothing of the one that is, and a request that is not for this shadow says nothing.
    if it.outcome == Outcome::WrongVersion && measure != Measure::Coverage || it.outcome == Outcome::OtherVariant {
        return None;
    }
    let compared = it.report.filter(|_| it.outcome == Outcome::Compared);
    match measure {
        Measure::Diverged => compared.map(diverged),
        Measure::Failed(_) => match it.outcome {
            Outcome::ShadowFailed | Outcome::TimedOut => Some(true),
            Outcome::Compared => Some(false),
            Outcome::Incomparable => unreadable(it.report?).then_some(true),
            _ => None,
        },
        Measure::SlowerThan(threshold) => match it.reply? {
            (ShadowClass::Success, took) => Some(took > threshold),
            (ShadowClass::Timeout, _) => Some(true),
            _ => None,
        },
        Measure::SlowerThanPrimary(margin) => match (it.primary?, it.shadow, it.reply?) {
            (primary, Some(shadow), (ShadowClass::Success, _)) => {
                apart(primary, shadow, |larger, smaller| larger.saturating_sub(smaller) > margin)
            }
            (primary, _, (ShadowClass::Timeout, _)) => (primary.saturating_add(margin) < it.timeout).then_some(true),
            _ => None,
        },
        Measure::CostlierThanPrimary { percent } => {
            let total = |(prompt, completion): (u64, u64)| prompt.saturating_add(completion);
            let (primary, shadow) = (compared?.primary.tokens.map(total)?, compared?.shadow.tokens.map(total)?);
            // (Not by a factor: 100 * 1.15 is less than 115 in binary fractions.)
            apart(primary, shadow, |larger, smaller| larger.saturating_sub(smaller) as f64 * 100.0 > smaller as f64 * percent)
        }
        Measure::Coverage => match it.outcome {
            Outcome::Compared => Some(false),
            // The request's doing, or an update's.
            Outcome::BothRefused | Outcome::Replaced => None,
            _ => Some(true),
        },
        Measure::Flipped(direction) => flipped(direction, task, compared?),
        Measure::WorseThanControl { .. } | Measure::FirstByteSlowerThan(_) | Measure::WorseThanBaseline(_) => None,
    }
}

/// Whether a request at candidate and control is a bad trial, by whether their answers diverged from the primary's: a sequential test on
/// discordant pairs (McNemar's), of which only the pairs that differ are trials. `None`: it is no trial.
pub fn of_triplet(candidate: bool, control: bool) -> Option<bool> {
    (candidate != control).then_some(candidate)
}

/// Whether the answers differ in what counts.
pub fn diverged(report: &Report) -> bool {
    matches!(report.judgement, Judgement::Diverged(_))
}

/// Whether the shadow's answer is the one that could not be read, and by its own fault.
fn unreadable(report: &Report) -> bool {
    matches!(&report.judgement, Judgement::Incomparable { side: Side::Shadow, reason } if reason != NO_ROOM)
}

/// Whether the shadow's value is the larger one; `None` if the two are too close. `differ` says whether a larger and a smaller value, in
/// this order, are far enough apart.
fn apart<T: Copy + PartialOrd>(primary: T, shadow: T, differ: impl Fn(T, T) -> bool) -> Option<bool> {
    let is_larger = shadow > primary;
    let (larger, smaller) = if is_larger { (shadow, primary) } else { (primary, shadow) };
    differ(larger, smaller).then_some(is_larger)
}

/// Whether a label or decision changed in that direction, in any row. A pair is one trial however many rows it has, because they stand and
/// fall together.
fn flipped(direction: Direction, task: &Task, report: &Report) -> Option<bool> {
    if report.decided.is_empty() {
        return None;
    }
    let changed = |decided: &Decided| match (direction, task) {
        (Direction::Both, _) => decided.primary != decided.shadow,
        (Direction::Up, Task::Decision(decision)) => rank(decision, &decided.primary) < rank(decision, &decided.shadow),
        (Direction::Down, Task::Decision(decision)) => rank(decision, &decided.primary) > rank(decision, &decided.shadow),
        _ => false,
    };
    // Of many labels only the first few are told apart. Where several of the best are compared, the best may be the same.
    let of_several = matches!(task, Task::Labels(labels) if labels.top > 1);
    let by_label = !of_several && matches!(&report.judgement, Judgement::Diverged(found) if found.kind == Kind::Label);
    Some(direction == Direction::Both && by_label || report.decided.iter().any(changed))
}

fn rank(decision: &Decision, name: &str) -> Option<usize> {
    decision.names.iter().position(|known| **known == *name)
}

#[cfg(test)]
mod tests;
