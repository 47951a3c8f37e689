//! `compare`: tolerances, ignored paths, arrays without order.

use super::units;
use super::value::{Problems, Value};
use crate::config::raw::Node;
use crate::config::{Compare, GivenTolerance, Task, Unordered};
use crate::path::PathPattern;

/// What a route without `compare` does.
pub(super) fn default() -> Compare {
    Compare { task: Task::Auto, default: GivenTolerance::default(), tolerances: Vec::new(), ignore: Vec::new(), unordered: Vec::new() }
}

/// `compare`.
pub(super) fn compare(value: &Value<'_>, problems: &mut Problems) -> Option<Compare> {
    let object = value.object(&["absolute", "relative", "tolerances", "ignore", "unordered"], problems)?;
    let absolute = object.maybe("absolute", problems, units::tolerance);
    let relative = object.maybe("relative", problems, units::tolerance);
    let above = GivenTolerance { absolute: absolute.unwrap_or_default(), relative: relative.unwrap_or_default() };
    let tolerances = object
        .or("tolerances", Vec::new(), problems, |value, problems| value.list(problems, |item, problems| tolerance(item, above, problems)));
    let ignore = object.or("ignore", Vec::new(), problems, |value, problems| value.list(problems, path));
    let unordered = object.or("unordered", Vec::new(), problems, |value, problems| value.list(problems, unordered));
    let default = GivenTolerance { absolute: absolute?, relative: relative? };
    Some(Compare { task: Task::Auto, default, tolerances: tolerances?, ignore: ignore?, unordered: unordered? })
}

/// A tolerance of its own for some paths; what it leaves out is as `above`.
fn tolerance(value: &Value<'_>, above: GivenTolerance, problems: &mut Problems) -> Option<(PathPattern, GivenTolerance)> {
    let object = value.object(&["path", "absolute", "relative"], problems)?;
    let path = object.required("path", problems, path);
    let absolute = object.maybe("absolute", problems, units::tolerance);
    let relative = object.maybe("relative", problems, units::tolerance);
    Some((path?, GivenTolerance { absolute: absolute?.or(above.absolute), relative: relative?.or(above.relative) }))
}

fn unordered(value: &Value<'_>, problems: &mut Problems) -> Option<Unordered> {
    if let Node::Text(_) = value.node {
        return path(value, problems).map(|path| Unordered { path, by: None });
    }
    let object = value.object(&["path", "by"], problems)?;
    let path = object.required("path", problems, path);
    let by = object.maybe("by", problems, |value, problems| value.line(problems).map(str::to_owned));
    Some(Unordered { path: path?, by: by? })
}

fn path(value: &Value<'_>, problems: &mut Problems) -> Option<PathPattern> {
    let text = value.text(problems)?;
    PathPattern::parse(text).map_or_else(|error| value.refuse(error, problems), Some)
}
