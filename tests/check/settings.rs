//! Warnings of settings without effect, of shares where percent is meant, and of slices.

use crate::run::{assert_warned, check, file, warnings};

const SHADOW: &str = "shadows: [{name: s, cluster: c, percent: 10}]";

/// What is warned of a configuration with this route, in a test of this name.
fn of_route(test: &str, route: &str) -> Vec<String> {
    warnings([file(test, "settings.yaml", &format!("version: 1\nexperiment: e\nroutes:\n- {{name: r, {route}}}\n"))])
}

const DECISION: &str = "path: 'outputs[0].data[*]', thresholds: [0.5], names: [a, b]";

#[test]
fn settings_of_compare_without_effect_are_told() {
    let decision = |rest: &str| format!("task: {{decision: {{{DECISION}}}}}, {rest}");
    let scores = |rest: &str| format!("task: {{scores: {{path: 'outputs[0].data[*]'}}}}, {rest}");
    let idle = |key: &str| format!("routes[0].compare.{key} has no effect: ");
    let (decided, unmet) = ("decisions are the same or not", "the task looks at its own path alone");
    let tolerances = "tolerances: [{path: 'outputs[0].data', absolute: 1}]";
    for (compare, expected) in [
        ("absolute: 1, ignore: [a], tolerances: [{path: a, absolute: 1}]".to_owned(), vec![]),
        (decision("absolute: 1"), vec![idle("absolute") + decided]),
        (decision(&format!("relative: 1, {tolerances}")), vec![idle("relative") + decided, idle("tolerances") + decided]),
        (format!("task: {{decision: {{{DECISION}, and: scores}}}}, absolute: 1, {tolerances}"), vec![]),
        (decision("ignore: ['outputs[0].data[3]']"), vec![]),
        (decision("ignore: ['outputs[*]', outputs, $]"), vec![]),
        (decision("ignore: ['outputs[1]', model]"), vec![idle("ignore[0]") + unmet, idle("ignore[1]") + unmet]),
        ("task: labels, absolute: 0".to_owned(), vec![idle("absolute") + "labels are the same or not"]),
        ("task: labels, ignore: ['outputs[1]']".to_owned(), vec![]),
        ("task: embedding, relative: 1".to_owned(), vec![idle("relative") + "vectors are compared by their cosine"]),
        ("task: text, absolute: 1".to_owned(), vec![idle("absolute") + "texts are the same or not"]),
        ("task: {text: {json: true}}, absolute: 1".to_owned(), vec![]),
        ("task: structure, absolute: 1".to_owned(), vec![]),
        (scores(tolerances), vec![]),
        (scores("tolerances: [{path: 'predictions[*]', absolute: 1}]"), vec![idle("tolerances[0]") + unmet]),
        (scores("unordered: [predictions]"), vec![idle("unordered[0]") + unmet]),
        (scores("ignore: ['outputs[*].shape']"), vec![idle("ignore[0]") + unmet]),
        ("task: {scores: {path: outputs}}, ignore: ['outputs[*].shape']".to_owned(), vec![]),
    ] {
        let expected: Vec<&str> = expected.iter().map(|text| &**text).collect();
        assert_warned(&of_route("idle", &format!("{SHADOW}, compare: {{{compare}}}")), &expected, &compare);
    }
    let opaque = format!("protocol: opaque, {SHADOW}, compare: {{absolute: 1, ignore: [$, a]}}");
    assert_warned(
        &of_route("idle", &opaque),
        &["compare.absolute has no effect: opaque", "compare.ignore[1] has no effect: opaque"],
        "opaque",
    );
    assert_warned(&of_route("idle", "compare: {absolute: 1}"), &["compare has no effect on a route without shadows"], "no shadows");
}

#[test]
fn shares_where_percent_is_meant_are_told() {
    let gate = |measure: &str| {
        format!(
            "shadows: [{{name: s, cluster: c, percent: 10}}], gates: [{{name: c, of: s, measure: coverage, limit: 90}}, {{name: g, of: s, {measure}}}]"
        )
    };
    let canary = |percent: &str| format!("split: {{baseline: v1, canaries: [{{name: v2, percent: {percent}}}], key: request}}");
    for (route, expected) in [
        (gate("measure: diverged, limit: 0.05"), "routes[0].gates[1].limit: 0.05 is 0.05 %, not 5 %: write \"0.05%\" if that is meant"),
        (gate("measure: diverged, limit: 0.07"), "limit: 0.07 is 0.07 %, not 7 %: write \"0.07%\""),
        (gate("measure: diverged, limit: 0.1"), ""),
        (gate("measure: diverged, limit: 2"), ""),
        (gate("measure: coverage, limit: 0.9"), "limit: 0.9 is 0.9 %, not 90 %"),
        (gate("measure: costlier_than_primary, margin: 0.1, limit: 50"), "margin: 0.1 is 0.1 %, not 10 %"),
        (gate("measure: costlier_than_primary, margin: 0, limit: 50"), ""),
        ("shadows: [{name: s, cluster: c, percent: 0.5}]".to_owned(), "routes[0].shadows[0].percent: 0.5 is 0.5 %, not 50 %"),
        ("shadows: [{name: s, cluster: c, percent: 0}]".to_owned(), ""),
        ("shadows: [{name: s, cluster: c, percent: 1}]".to_owned(), ""),
        (canary("0.05"), "routes[0].split.canaries[0].percent: 0.05 is 0.05 %, not 5 %: write \"0.05%\" if that is meant"),
        (canary("1.5"), ""),
    ] {
        let expected: &[&str] = if expected.is_empty() { &[] } else { &[expected] };
        assert_warned(&of_route("shares", &route), expected, &route);
    }
}

/// A percentage with its sign is meant.
#[test]
fn a_percent_sign_is_never_warned_of() {
    let text = "version: 1\nexperiment: e\nroutes:\n- {name: r, shadows: [{name: s, cluster: c, percent: 0.05%}], gates: [{name: g, of: s, measure: failed, limit: 0.01%}]}\n";
    let run = check([file("settings", "sign.yaml", text)]);
    assert!(run.lines.iter().all(|line| !line.contains("if that is meant")), "{:#?}", run.lines);
}

#[test]
fn slices_without_values_are_told() {
    for (slices, expected) in [
        ("{header: x-tier}", &["routes[0].slices has no values, so all requests are in the slice other"][..]),
        ("{header: x-tier, values: []}", &["routes[0].slices has no values"]),
        ("{body: user.tier, values: [gold]}", &[]),
    ] {
        assert_warned(&of_route("slices", &format!("slices: {slices}")), expected, slices);
    }
}
