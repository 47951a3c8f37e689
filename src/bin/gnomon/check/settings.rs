//! Warnings of settings that are legal, but have no effect, or hardly the effect that their author wants.

use gnomon::config::raw::Node;
use gnomon::config::{Compare, Config, Protocol, Route, Task, Texts};
use gnomon::path::{PathPattern, Step};

use super::protobuf_json::{field, list, text};

/// Returns all warnings of `config`, which is `written` so.
pub fn warnings(config: &Config, written: &Node) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, (route, node)) in config.routes.iter().zip(list(written, "routes")).enumerate() {
        let own = [idle(route, node), shares(node), Vec::from_iter(slices(route))].concat();
        lines.extend(own.into_iter().map(|line| format!("routes[{index}].{line}")));
    }
    lines
}

/// Returns a line for each setting of `compare` that has no effect.
fn idle(route: &Route, node: &Node) -> Vec<String> {
    let Some(Node::Object(written)) = field(node, "compare") else { return Vec::new() };
    if route.shadows.is_empty() {
        return vec![
            "compare has no effect on a route without shadows, where nothing is compared: leave it out, or add a shadow".to_owned(),
        ];
    }
    let compare = &route.compare;
    let mut lines = Vec::new();
    let idle = written.iter().map(|(key, _)| &**key).filter(|key| matches!(*key, "absolute" | "relative" | "tolerances"));
    let why = exact(route);
    for key in idle {
        lines.extend(why.map(|why| format!("compare.{key} has no effect: {why}")));
    }
    if why.is_none() {
        let paths = compare.tolerances.iter().map(|(path, _)| path);
        lines.extend(unmet("tolerances", paths, compare));
    }
    if route.protocol == Protocol::Opaque {
        let paths = compare.ignore.iter().enumerate().filter(|(_, path)| !path.steps().is_empty());
        lines.extend(paths.map(|(at, _)| {
            format!("compare.ignore[{at}] has no effect: opaque answers are bytes, in which nothing can be found: leave it out")
        }));
    } else {
        lines.extend(unmet("ignore", compare.ignore.iter(), compare));
        lines.extend(unmet("unordered", compare.unordered.iter().map(|rule| &rule.path), compare));
    }
    lines
}

/// Returns why a route compares nothing within tolerance, if it does not, and what to do.
fn exact(route: &Route) -> Option<&'static str> {
    match (&route.compare.task, route.protocol) {
        (_, Protocol::Opaque) => Some("opaque answers are bytes, which are identical or not: leave it out, or choose another protocol"),
        (Task::Decision(decision), _) if !decision.scores => {
            Some("decisions are the same or not, whatever the numbers: leave it out, or add and: scores to the decision")
        }
        (Task::Labels(_), _) => Some("labels are the same or not, whatever the scores: leave it out, or choose the task scores"),
        (Task::Embedding { .. }, _) => Some("vectors are compared by their cosine: leave it out, or give task: {embedding: {cosine: …}}"),
        (Task::Text { texts: Texts { json: false, .. }, .. }, _) => Some("texts are the same or not: leave it out, or choose another task"),
        _ => None,
    }
}

/// Returns a line for each of these paths that can't meet the only path that the task looks at.
fn unmet<'a>(key: &str, paths: impl Iterator<Item = &'a PathPattern>, compare: &Compare) -> Vec<String> {
    let scope = match &compare.task {
        Task::Labels(labels) => labels.path.as_ref(),
        Task::Decision(decision) => Some(&decision.path),
        Task::Scores { path } | Task::Regression { path } | Task::Embedding { path, .. } | Task::Text { path, .. } => path.as_ref(),
        Task::Auto | Task::Structure => None,
    };
    let Some(scope) = scope else { return Vec::new() };
    let meets = |(one, other): (&Step, &Step)| match (one, other) {
        (Step::Member(one), Step::Member(other)) => one == other,
        (Step::Index(one), Step::Index(other)) => one == other,
        (Step::AnyIndex, Step::Index(_) | Step::AnyIndex) | (Step::Index(_), Step::AnyIndex) => true,
        _ => false,
    };
    let apart = paths.enumerate().filter(|(_, path)| !path.steps().iter().zip(scope.steps()).all(meets));
    apart
        .map(|(at, _)| {
            format!("compare.{key}[{at}] has no effect: the task looks at its own path alone, which this one does not meet: leave it out")
        })
        .collect()
}

/// Returns a line for each number that was probably meant as a share, not as a percentage. A percentage with its sign is meant.
fn shares(node: &Node) -> Vec<String> {
    let mut lines = Vec::new();
    let mut look = |place: String, node: &Node, key: &str, below: f64| {
        if let Some(Node::Number(number)) = field(node, key)
            && *number > 0.0
            && *number < below
        {
            let share = format!("{:.4}", number * 100.0);
            let share = share.trim_end_matches('0').trim_end_matches('.');
            lines.push(format!("{place}.{key}: {number} is {number} %, not {share} %: write \"{number}%\" if that is meant"));
        }
    };
    for (at, gate) in list(node, "gates").iter().enumerate() {
        let is_coverage = text(gate, "measure") == Some("coverage");
        look(format!("gates[{at}]"), gate, "limit", if is_coverage { 1.0 } else { 0.1 });
        look(format!("gates[{at}]"), gate, "margin", 1.0);
    }
    for (at, shadow) in list(node, "shadows").iter().enumerate() {
        look(format!("shadows[{at}]"), shadow, "percent", 1.0);
    }
    for (at, canary) in field(node, "split").map_or(&[][..], |split| list(split, "canaries")).iter().enumerate() {
        look(format!("split.canaries[{at}]"), canary, "percent", 1.0);
    }
    lines
}

/// Returns a line if all requests are in one slice.
fn slices(route: &Route) -> Option<String> {
    let slices = route.slices.as_ref()?;
    slices
        .values
        .is_empty()
        .then(|| "slices has no values, so all requests are in the slice other: list the values that get a slice of their own".to_owned())
}
