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
const SLOW_EVENTS: [(&str, fn(Duration) -> Event); 2] =
    [("slower_than", Event::SlowerThan), ("first_byte_slower_than", Event::FirstByteSlowerThan)];

const EVENT_HINT: &str = "give failed, refused, error, empty, refusal, length, {slower_than: 250ms} or {first_byte_slower_than: 1s}";

/// Reads `counts`: a list of words, among them at least one. `404` and `429` may be numbers, as YAML reads them.
pub(super) fn failures(value: &Value<'_>, problems: &mut Problems) -> Option<Failures> {
    let mut all: Option<Failures> = None;
    value.list(problems, |item, problems| {
        let failure = match item.node {
            Node::Number(404.0) => Failures::NOT_FOUND,
            Node::Number(429.0) => Failures::TOO_MANY_REQUESTS,
            _ => units::word(item, &FAILURES, problems)?,
        };
        if all.is_some_and(|all| all.overlaps(failure)) {
            return item.refuse("this is there more than once: keep one", problems);
        }
        all = Some(all.map_or(failure, |all| all.with(failure)));
        Some(())
    })?;
    all.map_or_else(|| value.refuse("give at least one of 5xx, reset, 4xx, 404, 429, 3xx and error", problems), Some)
}

/// Reads `event`: a word, or an object with the threshold.
pub(super) fn event(value: &Value<'_>, problems: &mut Problems) -> Option<Event> {
    match value.node {
        Node::Text(text) => match EVENTS.iter().find(|(word, _)| word == text) {
            Some((_, event)) => Some(*event),
            None => value.refuse(EVENT_HINT, problems),
        },
        Node::Object(_) => {
            let object = value.object(&SLOW_EVENTS.map(|(word, _)| word), problems)?;
            let mut given = SLOW_EVENTS.iter().filter_map(|(word, event)| Some((object.get(word)?, event)));
            let (Some((threshold, event)), None) = (given.next(), given.next()) else { return value.refuse(EVENT_HINT, problems) };
            threshold.read(problems, |value, problems| units::span(value, 1, problems)).map(event)
        }
        _ => value.refuse(EVENT_HINT, problems),
    }
}

/// Reports an event that `of` or answers of `protocol` don't have.
pub(super) fn fit(event: Event, of: GateSubject, object: &Object<'_>, protocol: Protocol, problems: &mut Problems) -> Option<()> {
    const SHADOW: &str = "this measure is for canaries: a shadow is compared with the primary request by request, as by diverged";
    match of {
        GateSubject::Shadow(_) => return object.get("measure")?.refuse(SHADOW, problems),
        GateSubject::Variant(0) => return object.get("of")?.refuse("this is the baseline itself: name a canary", problems),
        GateSubject::Variant(_) => {}
    }
    let has_it = match event {
        Event::Failed(failures) => return fit_failures(failures, of, object, protocol, problems),
        Event::Refused | Event::SlowerThan(_) => true,
        Event::Error => has_errors(protocol),
        Event::FirstByteSlowerThan(_) | Event::Ended(_) => matches!(protocol, Protocol::Auto | Protocol::OpenAi),
    };
    if has_it { Some(()) } else { object.get("event")?.refuse("answers of this protocol have no such event: choose another one", problems) }
}

/// Reports `counts` of a shadow, and errors inside of answers of a `protocol` that has none.
pub(super) fn fit_failures(
    failures: Failures,
    of: GateSubject,
    object: &Object<'_>,
    protocol: Protocol,
    problems: &mut Problems,
) -> Option<()> {
    let Some(counts) = object.get("counts") else { return Some(()) };
    match of {
        GateSubject::Shadow(_) => counts.refuse("a shadow's failures follow from its outcomes: leave counts out", problems),
        GateSubject::Variant(_) if failures.overlaps(Failures::ERROR) && !has_errors(protocol) => {
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
