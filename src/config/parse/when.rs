//! `when`: what a request's body must be like to be copied.

use super::condition::one_of;
use super::units;
use super::value::{Problems, Value};
use crate::config::raw::Node;
use crate::config::{BodyCondition, BodyTest};
use crate::path::{PathPattern, Step};

const TESTS: [&str; 4] = ["exact", "prefix", "at_most", "at_least"];

/// The conditions, of which all must hold.
pub(super) fn when(value: &Value<'_>, problems: &mut Problems) -> Option<Vec<BodyCondition>> {
    let object = value.object(&["body"], problems)?;
    object.required("body", problems, |body, problems| {
        let conditions = body.list(problems, condition)?;
        if conditions.is_empty() {
            return body.refuse("give at least one condition, or leave when out to copy whatever is drawn", problems);
        }
        Some(conditions)
    })
}

fn condition(value: &Value<'_>, problems: &mut Problems) -> Option<BodyCondition> {
    let object = value.object(&["path", "exact", "prefix", "at_most", "at_least"], problems)?;
    let path = object.required("path", problems, path);
    let test = one_of(value, &object, &TESTS, problems).and_then(|(key, value)| match key {
        "exact" => exact(&value, problems),
        "prefix" => match value.text(problems)? {
            "" => value.refuse("every text begins so: give a text that is not empty", problems),
            text => Some(BodyTest::Prefix(text.to_owned())),
        },
        "at_most" => units::number(&value, problems).map(BodyTest::AtMost),
        _ => units::number(&value, problems).map(BodyTest::AtLeast),
    });
    Some(BodyCondition { path: path?, test: test? })
}

fn exact(value: &Value<'_>, problems: &mut Problems) -> Option<BodyTest> {
    match value.node {
        Node::Text(text) => Some(BodyTest::Exact(text.clone())),
        Node::Bool(boolean) => Some(BodyTest::Boolean(*boolean)),
        Node::Number(number) if number.is_finite() => Some(BodyTest::Number(*number)),
        _ => value.refuse("give a text, a number, true or false", problems),
    }
}

/// A path to one value.
fn path(value: &Value<'_>, problems: &mut Problems) -> Option<PathPattern> {
    let path = units::path(value, problems)?;
    if path.steps().is_empty() {
        value.refuse("give the path of a member, such as model: the whole body is an object", problems)
    } else if path.steps().contains(&Step::AnyIndex) {
        value.refuse("a condition looks at one value: give an index instead of [*]", problems)
    } else {
        Some(path)
    }
}
