//! `compare.task`: the part of an answer that is compared, and whether the protocol has that part.

use std::rc::Rc;

use super::condition::one_of;
use super::units;
use super::value::{Object, Problems, Seen, Value};
use crate::config::raw::Node;
use crate::config::{Decision, Labels, Protocol, Task, Texts};
use crate::limits::{MAX_ANSWER_NAMES, MAX_LABEL};
use crate::path::PathPattern;

/// Most classes in `names` and `top`. ImageNet has 1000 classes, or 1001 with the background.
const MAX_CLASSES: usize = 1024;

const WORDS: &str = "auto, labels, scores, regression, embedding, text, structure";

/// Tasks that have settings.
const KINDS: [&str; 6] = ["labels", "scores", "regression", "embedding", "text", "decision"];

/// Reads `task` of a route with this protocol.
pub(super) fn task(value: &Value<'_>, protocol: Protocol, problems: &mut Problems) -> Option<Task> {
    let task = match value.node {
        Node::Text(word) => plain(word, value, problems),
        Node::Object(_) => with_settings(value, problems),
        _ => value.refuse(format!("give one of {WORDS}, or an object with one task and its settings"), problems),
    }?;
    match never_works(&task, protocol) {
        Some(hint) => value.refuse(hint, problems),
        None => Some(task),
    }
}

/// Reads a task that is given by its name alone. All its settings are defaults.
fn plain(word: &str, value: &Value<'_>, problems: &mut Problems) -> Option<Task> {
    const DECISION: &str = "this task needs settings: {decision: {path: …, thresholds: [0.7], names: [approve, block]}}";
    match word {
        "auto" => Some(Task::Auto),
        "structure" => Some(Task::Structure),
        "decision" => value.refuse(DECISION, problems),
        kind if KINDS.contains(&kind) => of_kind(kind, &Value { node: &Node::Object(Vec::new()), ..value.clone() }, problems),
        _ => value.refuse(format!("give one of {WORDS}, or {{decision: …}}"), problems),
    }
}

/// Reads a task that is given as an object with one key.
fn with_settings(value: &Value<'_>, problems: &mut Problems) -> Option<Task> {
    const HINT: &str = "these tasks have no settings: write the word alone, task: auto or task: structure";
    if let Some(word) = value.child("auto").or(value.child("structure")) {
        return word.refuse(HINT, problems);
    }
    let object = value.object(&KINDS, problems)?;
    let (kind, settings) = one_of(value, &object, &KINDS, problems)?;
    of_kind(kind, &settings, problems)
}

/// Reads the settings of a task of this kind, one of [`KINDS`].
fn of_kind(kind: &str, settings: &Value<'_>, problems: &mut Problems) -> Option<Task> {
    match kind {
        "labels" => labels(settings, problems).map(Task::Labels),
        "scores" => path_alone(settings, problems).map(|path| Task::Scores { path }),
        "regression" => path_alone(settings, problems).map(|path| Task::Regression { path }),
        "embedding" => embedding(settings, problems),
        "text" => text(settings, problems),
        _ => decision(settings, problems).map(Task::Decision),
    }
}

/// Returns why answers of this protocol never have what the task compares.
fn never_works(task: &Task, protocol: Protocol) -> Option<&'static str> {
    match (protocol, task) {
        (Protocol::Auto | Protocol::OpenAi, _) | (_, Task::Auto) => None,
        (Protocol::Opaque, _) => {
            Some("opaque answers are bytes, in which nothing can be found: choose another protocol, or leave task out")
        }
        (_, Task::Structure) => Some("only answers of protocol openai have this structure: choose that, or auto"),
        (Protocol::Json, Task::Labels(Labels { path: None, .. })) => {
            Some("any JSON has no rows of its own: say where labels are, {labels: {path: …}}")
        }
        (Protocol::Json, Task::Embedding { path: None, .. }) => {
            Some("any JSON has no rows of its own: say where vectors are, {embedding: {path: …}}")
        }
        _ => None,
    }
}

fn labels(value: &Value<'_>, problems: &mut Problems) -> Option<Labels> {
    let object = value.object(&["path", "top", "overlap", "names"], problems)?;
    let path = path_of(&object, problems);
    let top = object.or("top", 1, problems, |value, problems| rank(value, MAX_CLASSES, problems));
    // If `top` has a problem, it sets no bound on the overlap.
    let most = top.unwrap_or(MAX_CLASSES);
    let overlap = object.or("overlap", most, problems, |value, problems| rank(value, most, problems));
    let names = object.or("names", Vec::new(), problems, |value, problems| {
        let names = names(value, Value::line, problems)?;
        if names.len() > MAX_CLASSES {
            let hint = format!("give at most {MAX_CLASSES}; without names an index is its own");
            return value.refuse_as(format!("{} names", names.len()), hint, problems);
        }
        Some(names)
    });
    Some(Labels { path: path?, top: top?, overlap: overlap?, names: names? })
}

/// Reads a whole number from 1 to `most`.
fn rank(value: &Value<'_>, most: usize, problems: &mut Problems) -> Option<usize> {
    let rank = units::whole(value, 1, problems).and_then(|rank| usize::try_from(rank).ok())?;
    if rank <= most { Some(rank) } else { value.refuse(format!("give a whole number from 1 to {most}"), problems) }
}

/// Reads a list of different texts, each with `read`.
fn names<'a>(value: &Value<'a>, read: fn(&Value<'a>, &mut Problems) -> Option<&'a str>, problems: &mut Problems) -> Option<Vec<Rc<str>>> {
    let mut seen = Seen::new();
    value.list(problems, |item, problems| {
        let name = read(item, problems)?;
        if seen.insert(name) { Some(name.into()) } else { item.refuse("this name is there more than once: choose another", problems) }
    })
}

fn path_alone(value: &Value<'_>, problems: &mut Problems) -> Option<Option<PathPattern>> {
    path_of(&value.object(&["path"], problems)?, problems)
}

fn path_of(object: &Object<'_>, problems: &mut Problems) -> Option<Option<PathPattern>> {
    object.maybe("path", problems, units::path)
}

fn embedding(value: &Value<'_>, problems: &mut Problems) -> Option<Task> {
    let object = value.object(&["path", "cosine"], problems)?;
    let path = path_of(&object, problems);
    let cosine = object.or("cosine", Task::COSINE, problems, |value, problems| match value.node {
        Node::Number(cosine) if (-1.0..=1.0).contains(cosine) => Some(*cosine),
        _ => value.refuse("give a number from -1 to 1", problems),
    });
    Some(Task::Embedding { path: path?, cosine: cosine? })
}

fn text(value: &Value<'_>, problems: &mut Problems) -> Option<Task> {
    let object = value.object(&["path", "whitespace", "json"], problems)?;
    let path = path_of(&object, problems);
    let json = object.or("json", false, problems, Value::boolean);
    let normalize =
        object.or("whitespace", false, problems, |value, problems| units::word(value, &[("exact", false), ("normalised", true)], problems));
    Some(Task::Text { path: path?, texts: Texts { normalize: normalize?, json: json? } })
}

fn decision(value: &Value<'_>, problems: &mut Problems) -> Option<Decision> {
    let object = value.object(&["path", "thresholds", "names", "and"], problems)?;
    let path = object.required("path", problems, units::path);
    let thresholds = object.required("thresholds", problems, thresholds);
    let names = object.required("names", problems, |value, problems| names(value, outcome, problems));
    let scores = object.or("and", false, problems, |value, problems| units::word(value, &[("scores", true)], problems));
    let (path, thresholds, names, scores) = (path?, thresholds?, names?, scores?);
    if names.len() != thresholds.len().saturating_add(1) {
        let (found, hint) =
            (format!("{} names", names.len()), "give one name more than thresholds: the first is that of numbers below them all");
        return object.get("names").and_then(|value| value.refuse_as(found, hint, problems));
    }
    Some(Decision { path, thresholds, names, scores })
}

fn thresholds(value: &Value<'_>, problems: &mut Problems) -> Option<Vec<f64>> {
    let mut least = f64::NEG_INFINITY;
    let thresholds = value.list(problems, |item, problems| {
        let threshold = units::number(item, problems)?;
        if threshold <= least {
            return item.refuse("thresholds ascend: give a number above the one before", problems);
        }
        least = threshold;
        Some(threshold)
    })?;
    if (1..MAX_ANSWER_NAMES).contains(&thresholds.len()) {
        return Some(thresholds);
    }
    let hint = format!("give 1 to {}: each outcome has series of its own", MAX_ANSWER_NAMES.saturating_sub(1));
    value.refuse_as(format!("{} thresholds", thresholds.len()), hint, problems)
}

/// Reads the name of a decision, which becomes a label value without any change.
fn outcome<'a>(value: &Value<'a>, problems: &mut Problems) -> Option<&'a str> {
    let name = value.line(problems)?;
    if !name.chars().all(|c| matches!(c, ' '..='~') && !matches!(c, ';' | '=' | '\\')) {
        value.refuse("it becomes a label value: give printable ASCII without ;, = and \\", problems)
    } else if name.len() > MAX_LABEL {
        value.refuse(format!("it becomes a label value: give at most {MAX_LABEL} characters"), problems)
    } else if name == "other" {
        value.refuse("other is reserved: choose another name", problems)
    } else {
        Some(name)
    }
}
