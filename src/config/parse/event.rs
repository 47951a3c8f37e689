//! `counts` and `event` of a gate: which answers are failures, and what happens to answers at canary and baseline.

use std::time::Duration;

use super::units;
use super::value::{Object, Problems, Value};
use crate::config::raw::Node;
use crate::config::{Ended, Event, Failures, GateSubject, Protocol};

const FAILURES: [(&str, Failures); 7] = [
    ("5xx", Failures::SERVER_ERROR),
    ("reset", Failures::RESET),
    ("4xx", Failures::CLIENT_ERROR),
    ("404", Failures::NOT_FOUND),
    ("429", Failures::TOO_MANY_REQUESTS),
    ("3xx", Failures::REDIRECT),
    ("error", Failures::ERROR),
];

/// The events that a word names.
const EVENTS: [(&str, Event); 6] = [
    ("failed", Event::Failed(Failures::DEFAULT)),
    ("refused", Event::Refused),
    ("error", Event::Error),
    ("empty", Event::Ended(Ended::Empty)),
    ("refusal", Event::Ended(Ended::Refusal)),
    ("length", Event::Ended(Ended::Length)),
];

/// The events that have a threshold.
const SLOW_EVENTS: [&str; 2] = ["slower_than", "first_byte_slower_than"];

/// The hint for `event`.
pub(super) const EVENT_HINT: &str =
    "give failed, refused, error, empty, refusal, length, {slower_than: 250ms} or {first_byte_slower_than: 1s}";

/// What the answers of a route may be.
#[derive(Clone, Copy)]
pub(super) struct Answers {
    /// Their protocol; `auto` if its value has problems.
    pub(super) protocol: Protocol,
    /// Whether they may be generated text; `true` if protocol or paths have problems.
    pub(super) generates: bool,
}

/// Reads `counts`: a list of words, among them at least one. `404` and `429` may be numbers, as YAML reads them.
pub(super) fn failures(value: &Value<'_>, problems: &mut Problems) -> Option<Failures> {
    const SINGLE: &str = ": single statuses are 404 and 429 alone";
    let mut all: Option<Failures> = None;
    if let Some(class) = class(value.node) {
        return value.refuse(["give [", class, "]", SINGLE].concat(), problems);
    }
    value.list(problems, |item, problems| {
        let failure = match item.node {
            Node::Number(404.0) => Failures::NOT_FOUND,
            Node::Number(429.0) => Failures::TOO_MANY_REQUESTS,
            _ => match class(item.node) {
                Some(class) => return item.refuse(["give ", class, SINGLE].concat(), problems),
                None => units::word(item, &FAILURES, problems)?,
            },
        };
        if all.is_some_and(|all| all.overlaps(failure)) {
            return item.refuse("this is there more than once: keep one", problems);
        }
        all = Some(all.map_or(failure, |all| all.with(failure)));
        Some(())
    })?;
    all.map_or_else(|| value.refuse("give at least one of 5xx, reset, 4xx, 404, 429, 3xx and error", problems), Some)
}

/// Returns the word for the class of what looks like a status, such as `500` or `5XX`; `None` if it is a word that counts itself, or if its
/// class does not count.
#[cold]
#[inline(never)]
fn class(node: &Node) -> Option<&'static str> {
    let text = match node {
        Node::Text(text) => &**text,
        Node::Number(_) => &node.to_string(),
        _ => return None,
    };
    match text.as_bytes() {
        _ if FAILURES.iter().any(|(word, _)| *word == text) => None,
        [b'3', _, _] => Some("3xx"),
        [b'4', _, _] => Some("4xx"),
        [b'5', _, _] => Some("5xx"),
        _ => None,
    }
}

/// Reads `event`: a word, or an object with the threshold.
pub(super) fn event(value: &Value<'_>, problems: &mut Problems) -> Option<Event> {
    match value.node {
        Node::Text(text) => match EVENTS.iter().find(|(word, _)| word == text) {
            Some((_, event)) => Some(*event),
            None => value.refuse(EVENT_HINT, problems),
        },
        Node::Object(_) => {
            let object = value.object(&SLOW_EVENTS, problems)?;
            let threshold =
                |value: Value<'_>, problems: &mut Problems| value.read(problems, |value, problems| units::span(value, 1, problems));
            match SLOW_EVENTS.map(|word| object.get(word)) {
                [Some(value), None] => threshold(value, problems).map(Event::SlowerThan),
                [None, Some(value)] => threshold(value, problems).map(Event::FirstByteSlowerThan),
                _ => value.refuse(EVENT_HINT, problems),
            }
        }
        _ => value.refuse(EVENT_HINT, problems),
    }
}

/// Reports an event that `of` or the answers of the route don't have.
pub(super) fn fit(event: Event, of: GateSubject, object: &Object<'_>, answers: Answers, problems: &mut Problems) -> Option<()> {
    const SHADOW: &str = "this measure is for canaries: a shadow is compared with the primary request by request, as by diverged";
    match of {
        GateSubject::Shadow(_) => return object.get("measure")?.refuse(SHADOW, problems),
        GateSubject::Variant(0) => return object.get("of")?.refuse("this is the baseline itself: name a canary", problems),
        GateSubject::Variant(_) => {}
    }
    let hint = match event {
        Event::Failed(failures) => return fit_failures(failures, of, object, answers, problems),
        Event::Error if !has_errors(answers.protocol) => "answers of this protocol have no errors inside a 2xx: choose another event",
        Event::FirstByteSlowerThan(_) | Event::Ended(_) if !answers.generates => {
            "answers of this route are not generated: this event needs protocol openai, or auto and a path of OpenAI's"
        }
        _ => return Some(()),
    };
    object.get("event")?.refuse(hint, problems)
}

/// Reports `counts` of a shadow, and errors inside of answers of a protocol that has none.
pub(super) fn fit_failures(
    failures: Failures,
    of: GateSubject,
    object: &Object<'_>,
    answers: Answers,
    problems: &mut Problems,
) -> Option<()> {
    let Some(counts) = object.get("counts") else { return Some(()) };
    match of {
        GateSubject::Shadow(_) => counts.refuse("a shadow's failures follow from its outcomes: leave counts out", problems),
        GateSubject::Variant(_) if failures.overlaps(Failures::ERROR) && !has_errors(answers.protocol) => {
            counts.refuse("answers of this protocol have no errors inside a 2xx: leave error out", problems)
        }
        GateSubject::Variant(_) => Some(()),
    }
}

/// Whether an answer of class 2xx may be an error all the same.
fn has_errors(protocol: Protocol) -> bool {
    !matches!(protocol, Protocol::Json | Protocol::Opaque)
}

/// Returns what [`failures`] reads as `failures`.
pub(in crate::config) fn failures_text(failures: Failures) -> String {
    let words: Vec<&str> = FAILURES.iter().filter(|(_, failure)| failures.overlaps(*failure)).map(|(word, _)| *word).collect();
    words.join(" ")
}

/// Returns the word of `event`, and its setting as the operator writes it.
pub(in crate::config) fn event_text(event: Event) -> String {
    let slow = |word: &str, threshold: Duration| format!("{word} {}ms", threshold.as_millis());
    match event {
        Event::Failed(failures) => format!("failed {}", failures_text(failures)),
        Event::SlowerThan(threshold) => slow("slower_than", threshold),
        Event::FirstByteSlowerThan(threshold) => slow("first_byte_slower_than", threshold),
        _ => EVENTS.iter().find(|(_, other)| *other == event).map_or("", |(word, _)| word).to_owned(),
    }
}
