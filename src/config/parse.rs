//! Validates a raw configuration, or lists all its problems.
//!
//! Each submodule reads one part. A problem in one part does not keep the other parts from being read.

mod condition;
mod copy;
mod cover;
pub(super) mod event;
pub(super) mod gate;
mod guardrail;
mod header;
mod nearest;
mod observe;
mod place;
mod plan;
mod route;
mod shadow;
mod slices;
mod split;
mod task;
mod units;
mod value;
mod variants;
mod warmup;
mod when;

use std::rc::Rc;

use self::value::{Problems, Value};
use super::problem::Problem;
use super::raw::Node;
use super::{Config, Evidence, Limits, Route, hash};
use crate::limits::{MAX_BODY, MAX_MEMORY};

const KEYS: [&str; 7] = ["version", "on_invalid", "experiment", "trust_copies", "routes", "limits", "evidence"];
const LIMITS: Limits = Limits { pairs: 512, memory: 16 << 20, body: 1 << 20 };
const EVIDENCE: Evidence = Evidence { per_second: 1, values: false };

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// All problems, at least one.
    pub problems: Vec<Problem>,
    /// Whether the configuration has a readable `on_invalid: reject`, so that the proxy refuses it too.
    pub reject: bool,
}

/// Parses the JSON text of a configuration.
///
/// # Errors
/// All its problems at once.
pub fn parse(text: &[u8]) -> Result<Config, Refused> {
    let unread = |found: &str, hint: String| {
        let problem = Problem { path: "$".to_owned(), found: found.to_owned(), hint };
        let reject = Node::only(text, "on_invalid").is_some_and(|node| rejects(&node));
        Err(Refused { problems: vec![problem], reject })
    };
    if text.trim_ascii().is_empty() {
        return unread("nothing", "give a configuration: at least version, experiment and routes".to_owned());
    }
    match Node::from_json(text) {
        Ok(node) => validate(&node),
        Err(error) => unread("no JSON", format!("this can't be read ({error}): in Envoy the configuration is JSON text, in a StringValue")),
    }
}

/// Validates a configuration that has already been read.
///
/// # Errors
/// All its problems at once.
pub fn validate(node: &Node) -> Result<Config, Refused> {
    let mut problems = Vec::new();
    match config(&Value::root(node), &mut problems) {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(Refused { problems, reject: rejects(node) }),
    }
}

/// Whether the configuration has `on_invalid: reject`, and no other value of that key beside it.
fn rejects(node: &Node) -> bool {
    let Node::Object(pairs) = node else { return false };
    let mut words = pairs.iter().filter(|(key, _)| key == "on_invalid").map(|(_, value)| value.as_text()).peekable();
    words.peek().is_some() && words.all(|word| word == Some("reject"))
}

fn config(value: &Value<'_>, problems: &mut Problems) -> Option<Config> {
    let object = value.object(&KEYS, problems)?;
    let version = object.required("version", problems, version);
    let on_invalid = object.or("on_invalid", (), problems, |value, problems| units::word(value, &[("pass", ()), ("reject", ())], problems));
    let experiment = object.required("experiment", problems, units::name);
    let trust_copies = object.or("trust_copies", true, problems, Value::boolean);
    let routes = object.required("routes", problems, |value, problems| route::routes(value, experiment.as_ref(), problems));
    let limits = object.or("limits", LIMITS, problems, limits);
    let evidence = object.or("evidence", EVIDENCE, problems, evidence);
    version.and(on_invalid)?;
    let routes = routes?;
    Some(Config {
        experiment: experiment?,
        trust_copies: trust_copies?,
        split_headers: split_headers(&routes),
        routes,
        limits: limits?,
        evidence: evidence?,
        hash: hash::of(value.node),
    })
}

fn version(value: &Value<'_>, problems: &mut Problems) -> Option<()> {
    match value.node {
        Node::Number(1.0) => Some(()),
        Node::Text(text) if text == "1" => value.refuse("write it without quotes: version: 1", problems),
        _ => value.refuse("this build reads version 1", problems),
    }
}

/// Returns the distinct headers that splits and buckets set, in the order of the routes.
fn split_headers(routes: &[Rc<Route>]) -> Vec<Rc<str>> {
    let mut headers: Vec<Rc<str>> = Vec::new();
    let of_bucket = |route: &'_ Rc<Route>| Some(route.observe.as_ref()?.bucket.as_ref()?.header.clone());
    let set = routes.iter().filter_map(|route| route.split.as_ref().map(|split| split.header.clone()).or_else(|| of_bucket(route)));
    for header in set {
        if !headers.contains(&header) {
            headers.push(header);
        }
    }
    headers
}

fn limits(value: &Value<'_>, problems: &mut Problems) -> Option<Limits> {
    let object = value.object(&["pairs", "memory", "body"], problems)?;
    let pairs = object.or("pairs", LIMITS.pairs, problems, |value, problems| {
        units::whole(value, 1, problems).and_then(|pairs| usize::try_from(pairs).ok())
    });
    let memory = object.or("memory", LIMITS.memory, problems, |value, problems| units::size(value, MAX_MEMORY, "at most 256MiB", problems));
    let body = object.or("body", LIMITS.body, problems, |value, problems| units::size(value, MAX_BODY, "at most 16MiB", problems));
    let (pairs, memory, body) = (pairs?, memory?, body?);
    if body > memory {
        const HINT: &str = "limits.body may be at most limits.memory: lower the one or raise the other";
        return match object.get("body") {
            Some(value) => value.refuse(HINT, problems),
            None => object.missing("body", &format!("{HINT} (the default is 1MiB)"), problems),
        };
    }
    Some(Limits { pairs, memory, body })
}

fn evidence(value: &Value<'_>, problems: &mut Problems) -> Option<Evidence> {
    let object = value.object(&["per_second", "values"], problems)?;
    let per_second = object.or("per_second", EVIDENCE.per_second, problems, |value, problems| units::whole(value, 0, problems));
    let values = object.or("values", EVIDENCE.values, problems, Value::boolean);
    Some(Evidence { per_second: per_second?, values: values? })
}

#[cfg(test)]
mod tests;
