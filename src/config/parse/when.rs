//! `when`: conditions on the body of a request, which must hold for it to be copied.

use super::condition::one_of;
use super::units;
use super::value::{Problems, Value};
use crate::config::raw::Node;
use crate::config::{BodyCondition, BodyTest};

const TESTS: [&str; 4] = ["exact", "prefix", "at_most", "at_least"];

/// Reads the conditions, all of which must hold.
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
    let path = object.required("path", problems, units::one_path);
    let test = one_of(value, &object, &TESTS, problems).and_then(|(key, value)| match key {
        "exact" => exact(&value, problems),
        "prefix" => match value.text(problems)? {
            "" => value.refuse("every text has an empty prefix: give a text that is not empty", problems),
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
