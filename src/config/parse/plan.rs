//! `compare`: the task, tolerances, ignored paths, unordered arrays.

use super::value::{Problems, Value};
use super::{task, units};
use crate::config::raw::Node;
use crate::config::{Compare, GivenTolerance, Protocol, Task, Unordered};
use crate::path::PathPattern;

/// Returns the comparison of a route without `compare`.
pub(super) fn default() -> Compare {
    Compare { default: GivenTolerance::default(), ..Compare::exact() }
}

const REASONING: &str =
    "only tasks auto and text of protocol openai compare what a model thought: leave reasoning out, or choose one of them";

/// Reads `compare` of a route with this protocol.
pub(super) fn compare(value: &Value<'_>, protocol: Protocol, problems: &mut Problems) -> Option<Compare> {
    let object = value.object(&["task", "absolute", "relative", "tolerances", "ignore", "unordered", "reasoning"], problems)?;
    let task = object.or("task", Task::Auto, problems, |value, problems| task::task(value, protocol, problems));
    let absolute = object.maybe("absolute", problems, units::tolerance);
    let relative = object.maybe("relative", problems, units::tolerance);
    let above = GivenTolerance { absolute: absolute.unwrap_or_default(), relative: relative.unwrap_or_default() };
    let tolerances = object
        .or("tolerances", Vec::new(), problems, |value, problems| value.list(problems, |item, problems| tolerance(item, above, problems)));
    let ignore = object.or("ignore", Vec::new(), problems, |value, problems| value.list(problems, units::path));
    let unordered = object.or("unordered", Vec::new(), problems, |value, problems| value.list(problems, unordered));
    let reasoning = object.or("reasoning", false, problems, |value, problems| value.boolean(problems));
    let default = GivenTolerance { absolute: absolute?, relative: relative? };
    let (task, unordered) = (task?, unordered?);
    if let (Some(true), Some(value)) = (reasoning, object.get("reasoning"))
        && (!matches!(protocol, Protocol::Auto | Protocol::OpenAi) || !matches!(task, Task::Auto | Task::Text { path: None, .. }))
    {
        return value.refuse(REASONING, problems);
    }
    if let (Some(hint), Some(value), false) = (order_counts(&task, protocol), object.get("unordered"), unordered.is_empty()) {
        return value.refuse(hint, problems);
    }
    Some(Compare { task, default, tolerances: tolerances?, ignore: ignore?, unordered, reasoning: reasoning? })
}

/// Returns why `unordered` has no effect with this task and protocol, if that is certain. Only JSON values can be compared without order.
fn order_counts(task: &Task, protocol: Protocol) -> Option<&'static str> {
    let has_path = matches!(task, Task::Scores { path: Some(_) } | Task::Regression { path: Some(_) } | Task::Text { path: Some(_), .. });
    match (protocol, task) {
        (_, Task::Labels(_) | Task::Decision(_) | Task::Embedding { .. }) => {
            Some("rows are compared in their order with this task: leave unordered out, or choose task auto, scores, regression or text")
        }
        (Protocol::OpenInference, _) => Some("elements of tensors are compared in their order: leave unordered out"),
        (Protocol::OpenAi, _) if !has_path => Some("choices are compared by their index: leave unordered out"),
        (Protocol::Opaque, _) => Some("opaque answers are bytes, which have their order: leave unordered out, or choose another protocol"),
        _ => None,
    }
}

/// Reads a path with its tolerance. Missing parts of the tolerance are those of `above`.
fn tolerance(value: &Value<'_>, above: GivenTolerance, problems: &mut Problems) -> Option<(PathPattern, GivenTolerance)> {
    let object = value.object(&["path", "absolute", "relative"], problems)?;
    let path = object.required("path", problems, units::path);
    let absolute = object.maybe("absolute", problems, units::tolerance);
    let relative = object.maybe("relative", problems, units::tolerance);
    Some((path?, GivenTolerance { absolute: absolute?.or(above.absolute), relative: relative?.or(above.relative) }))
}

fn unordered(value: &Value<'_>, problems: &mut Problems) -> Option<Unordered> {
    if let Node::Text(_) = value.node {
        return units::path(value, problems).map(|path| Unordered { path, by: None });
    }
    let object = value.object(&["path", "by"], problems)?;
    let path = object.required("path", problems, units::path);
    let by = object.maybe("by", problems, |value, problems| value.line(problems).map(str::to_owned));
    Some(Unordered { path: path?, by: by? })
}
