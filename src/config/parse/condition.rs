//! Conditions on requests: texts, headers, and the sets of them under `match`.

use super::header;
use super::value::{Object, Problems, Value};
use crate::config::raw::{self, Node};
use crate::config::{HeaderMatch, HeaderValueMatch, Key, Match, Text};

/// Keys of a condition on a text.
const TEXT: [&str; 3] = ["exact", "prefix", "suffix"];

/// `match`: one set of conditions, or a list of them.
pub(super) fn matches(value: &Value<'_>, problems: &mut Problems) -> Option<Vec<Match>> {
    match value.node {
        Node::Array(sets) if sets.is_empty() => {
            value.refuse("give at least one set of conditions; leave match out to take every POST", problems)
        }
        Node::Array(_) => value.list(problems, set),
        _ => set(value, problems).map(|set| vec![set]),
    }
}

/// Returns the conditions of a route without `match`.
pub(super) fn every_post() -> Match {
    Match { methods: post(), path: None, authority: None, headers: Vec::new() }
}

fn post() -> Vec<String> {
    vec!["POST".to_owned()]
}

fn set(value: &Value<'_>, problems: &mut Problems) -> Option<Match> {
    let object = value.object(&["methods", "path", "authority", "headers"], problems)?;
    let methods = object.or("methods", post(), problems, methods);
    let path = object.maybe("path", problems, path);
    let authority = object.maybe("authority", problems, |value, problems| text(value, problems).map(lower));
    let headers = object.or("headers", Vec::new(), problems, |value, problems| value.list(problems, header));
    Some(Match { methods: methods?, path: path?, authority: authority?, headers: headers? })
}

fn methods(value: &Value<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let methods = value.list(problems, |item, problems| {
        let method = item.text(problems)?;
        if !header::is_token(method) || method.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return item.refuse("give a method in capitals, such as POST", problems);
        }
        Some(method.to_owned())
    })?;
    if methods.is_empty() { value.refuse("give at least one method, or leave methods out for POST", problems) } else { Some(methods) }
}

/// Reads a condition on the path. Reports a condition that no path without its query can meet.
fn path(value: &Value<'_>, problems: &mut Problems) -> Option<Text> {
    let text = text(value, problems)?;
    let path = text.text();
    let rooted = match &text {
        Text::Exact(path) => path.starts_with('/') || path == "*",
        Text::Prefix(path) => path.starts_with('/') || path.is_empty(),
        Text::Suffix(_) => true,
    };
    if !rooted {
        value.refuse_as(format!("{path:?}"), "this never matches: paths begin with /", problems)
    } else if path.contains('?') {
        value.refuse_as(format!("{path:?}"), "this never matches: paths are compared without their query", problems)
    } else {
        Some(text)
    }
}

fn lower(text: Text) -> Text {
    match text {
        Text::Exact(text) => Text::Exact(text.to_ascii_lowercase()),
        Text::Prefix(text) => Text::Prefix(text.to_ascii_lowercase()),
        Text::Suffix(text) => Text::Suffix(text.to_ascii_lowercase()),
    }
}

/// Reads a condition on a text.
pub(super) fn text(value: &Value<'_>, problems: &mut Problems) -> Option<Text> {
    if let Node::Text(_) = value.node {
        return value.refuse(format!("give one of {{exact: {0}}}, {{prefix: {0}}}, {{suffix: {0}}}", value.node), problems);
    }
    let object = value.object(&TEXT, problems)?;
    one_text(value, &object, problems)
}

/// Reads the one condition on a text that `object` must have. `object` may have other keys too.
pub(super) fn one_text(value: &Value<'_>, object: &Object<'_>, problems: &mut Problems) -> Option<Text> {
    let (key, text) = one_of(value, object, &TEXT, problems)?;
    let text = text.text(problems)?.to_owned();
    Some(match key {
        "exact" => Text::Exact(text),
        "prefix" => Text::Prefix(text),
        _ => Text::Suffix(text),
    })
}

fn header(value: &Value<'_>, problems: &mut Problems) -> Option<HeaderMatch> {
    let object = value.object(&["name", "exact", "prefix", "suffix", "present"], problems)?;
    let name = object.required("name", problems, header::name);
    let condition = match one_of(value, &object, &["exact", "prefix", "suffix", "present"], problems) {
        Some(("present", present)) => present.boolean(problems).map(HeaderValueMatch::Present),
        Some(_) => one_text(value, &object, problems).map(HeaderValueMatch::Text),
        None => None,
    };
    Some(HeaderMatch { name: name?, value: condition? })
}

/// Reads the part of a request that is a key.
pub(super) fn key(value: &Value<'_>, problems: &mut Problems) -> Option<Key> {
    match value.node.as_text() {
        Some("request") => return Some(Key::Request),
        Some(name) => {
            let name = if header::is_token(name) { raw::cut(name) } else { "…".to_owned() };
            return value.refuse(format!("give one of {{header: {name}}}, {{cookie: …}}, {{query: …}}, or the word request"), problems);
        }
        None => {}
    }
    if value.child("request").is_some() {
        return value.refuse("write the word alone: request", problems);
    }
    let kinds = ["header", "cookie", "query"];
    let object = value.object(&kinds, problems)?;
    let (kind, value) = one_of(value, &object, &kinds, problems)?;
    match kind {
        "header" => header::name(&value, problems).map(Key::Header),
        "cookie" => match value.text(problems)? {
            cookie if header::is_token(cookie) => Some(Key::Cookie(cookie.to_owned())),
            _ => value.refuse("give the name of a cookie: letters, digits, hyphens and underscores", problems),
        },
        _ => value.line(problems).map(|query| Key::Query(query.to_owned())),
    }
}

/// Returns the one of `keys` that `object` must have, with its value.
pub(super) fn one_of<'a, 'k>(
    value: &Value<'a>,
    object: &Object<'a>,
    keys: &[&'k str],
    problems: &mut Problems,
) -> Option<(&'k str, Value<'a>)> {
    let mut present: Vec<_> = keys.iter().filter_map(|key| object.get(key).map(|value| (*key, value))).collect();
    match (present.pop(), present.is_empty()) {
        (Some((key, found)), true) => found.read(problems, |found, _| Some((key, found.clone()))),
        (Some(_), false) => value.refuse(format!("give only one of {}", keys.join(", ")), problems),
        (None, _) => value.refuse(format!("give one of {}", keys.join(", ")), problems),
    }
}
