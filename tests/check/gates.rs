//! Warnings of gates and guardrails.

use crate::run::{assert_warned, check, example, file, warnings};

/// A candidate that stops answering has no more pairs that could diverge.
#[test]
fn gates_without_coverage_are_warned_of() {
    let config = |gates: &str| {
        format!(
            "version: 1\nexperiment: e\nroutes:\n- name: r\n  shadows: [{{name: a, cluster: c, percent: 1}}, {{name: b, cluster: c, percent: 1}}, {{name: d, cluster: c, percent: 1, role: control}}]\n  gates: [{gates}]\n"
        )
    };
    let diverged = |name: &str, of: &str| format!("{{name: {name}, of: {of}, measure: diverged, limit: 2}}");
    let coverage = "{name: c, of: a, measure: coverage, limit: 90}";
    for (name, gates, warned) in [
        ("none", String::new(), None),
        ("bare", diverged("x", "a"), Some("a")),
        ("covered", format!("{}, {coverage}", diverged("x", "a")), None),
        ("other", format!("{}, {}, {coverage}", diverged("x", "a"), diverged("z", "b")), Some("b")),
        ("control", diverged("x", "d"), None),
    ] {
        let run = check([file("coverage", &format!("{name}.yaml"), &config(&gates))]);
        assert_eq!((run.code, run.lines.len()), (Some(0), 1 + usize::from(warned.is_some())), "{name}: {:?}", run.lines);
        if let Some(shadow) = warned {
            assert!(
                run.lines[0].contains(&format!("warning: routes[0].gates: {shadow} has no gate with measure coverage")),
                "{:?}",
                run.lines
            );
        }
    }
}

/// Nothing shows that there were data, if all gates have only not to fail.
#[test]
fn a_subject_of_which_no_gate_has_to_pass_is_warned_of() {
    let config = |gates: &str| {
        format!(
            "version: 1\nexperiment: e\nroutes:\n- name: r\n  split: {{baseline: a, canaries: [{{name: b, percent: 1}}], key: request}}\n  shadows: [{{name: s, cluster: c, percent: 1}}, {{name: d, cluster: c, percent: 1, role: control}}]\n  gates: [{{name: c, of: s, measure: coverage, limit: 90, requires: none}}, {{name: e, of: s, measure: failed, limit: 1}}, {gates}]\n"
        )
    };
    let refused = "name: g, of: b, measure: worse_than_baseline, event: refused, limit: 50";
    for (gates, warned) in [
        (format!("{{{refused}}}"), vec!["b"]),
        (format!("{{{refused}, requires: pass}}"), vec![]),
        (format!("{{{refused}}}, {{name: h, of: b, measure: failed, limit: 1}}"), vec![]),
        (format!("{{{refused}}}, {{name: h, of: b, measure: failed, limit: 1, requires: none}}"), vec!["b"]),
        ("{name: g, of: a, measure: failed, limit: 1, requires: none}".to_owned(), vec![]),
        ("{name: g, of: d, measure: slower_than_primary, margin: 1ms, limit: 50}".to_owned(), vec![]),
    ] {
        let found = warnings([file("held", "a.yaml", &config(&gates))]);
        let expected: Vec<String> = warned.iter().map(|name| format!("none of {name}'s gates has to pass")).collect();
        assert_eq!(found.len(), expected.len(), "{gates}: {found:?}");
        assert!(found.iter().zip(&expected).all(|(line, expected)| line.contains(expected)), "{gates}: {found:?}");
        let by_mesh = config(&gates).replace(
            "split: {baseline: a, canaries: [{name: b, percent: 1}], key: request}",
            "observe: {baseline: a, variants: [{name: a, cluster: {exact: a}}, {name: b, cluster: {exact: b}}]}",
        );
        assert_eq!(warnings([file("held", "o.yaml", &by_mesh)]).len(), expected.len(), "{gates}");
    }
    let all = config("{name: g, of: b, measure: failed, limit: 1}")
        .replace("of: s, measure: failed, limit: 1", "of: s, measure: failed, limit: 1, requires: no-fail");
    let found = warnings([file("held", "s.yaml", &all)]);
    assert!(found.len() == 1 && found[0].contains("none of s's gates has to pass"), "{found:?}");
}

/// Answers that fail are neither fast nor slow: only a gate that counts them can cut off a canary that has an outage.
#[test]
fn a_guardrail_that_sees_no_failures_is_warned_of() {
    let config = |gates: &str| {
        format!(
            "version: 1\nexperiment: e\nroutes:\n- name: r\n  split: {{baseline: a, canaries: [{{name: b, percent: 1}}], key: request}}\n  gates: [{{name: errors, of: b, measure: failed, limit: 1}}, {{name: slow, of: b, measure: slower_than, threshold: 1s, limit: 1}}, {{name: missing, of: b, measure: failed, counts: [404], limit: 1}}, {{name: worse, of: b, measure: worse_than_baseline, event: failed, limit: 50}}, {{name: refused, of: b, measure: worse_than_baseline, event: refused, limit: 50}}]\n  guardrail: {{gates: [{gates}]}}\n"
        )
    };
    for (gates, warned) in
        [("errors", false), ("errors, slow", false), ("worse", false), ("slow", true), ("missing", true), ("refused", true)]
    {
        let run = check([file("unguarded", "a.yaml", &config(gates))]);
        assert_eq!((run.code, run.lines.len()), (Some(0), 1 + usize::from(warned)), "{gates}: {:?}", run.lines);
        assert_eq!(
            run.lines[0].contains("warning: routes[0].guardrail: none of its gates of b has measure failed and counts 5xx"),
            warned,
            "{:?}",
            run.lines
        );
    }
    let found = warnings([example("full.json")]);
    assert!(found.iter().any(|line| line.contains("none of its gates of v2 has measure failed")), "{found:?}");
}

/// Of two equal models half of the trials of a paired measure are bad.
#[test]
fn paired_measures_with_a_limit_below_half_are_warned_of() {
    let config = |gate: &str| {
        format!(
            "version: 1\nexperiment: e\nroutes:\n- name: r\n  shadows: [{{name: a, cluster: c, percent: 1}}, {{name: b, cluster: c, percent: 1, role: control}}]\n  gates: [{{name: c, of: a, measure: coverage, limit: 90}}, {{name: g, of: a, {gate}}}]\n"
        )
    };
    for (gate, warned) in [
        ("measure: worse_than_control, limit: 49.9999", true),
        ("measure: worse_than_control, limit: 50", false),
        ("measure: slower_than_primary, margin: 0ms, limit: 2", true),
        ("measure: slower_than_primary, margin: 0ms, limit: 60", false),
        ("measure: costlier_than_primary, margin: 10, limit: 2", true),
        ("measure: costlier_than_primary, margin: 10, limit: 50", false),
        ("measure: diverged, limit: 2", false),
        ("measure: slower_than, threshold: 1s, limit: 2", false),
    ] {
        let run = check([file("paired", "a.yaml", &config(gate))]);
        assert_eq!((run.code, run.lines.len()), (Some(0), 1 + usize::from(warned)), "{gate}: {:?}", run.lines);
        let expected = "warning: routes[0].gates[1]: if both models are equal, half of g's trials are bad: with a limit below 50 it fails";
        assert_eq!(run.lines[0].contains(expected), warned, "{:?}", run.lines);
    }
}

/// Of two equal models the canary has half of the events, at equal shares.
#[test]
fn a_canary_that_has_to_be_better_is_warned_of() {
    for (limit, warned) in [("49.9999", true), ("50", false), ("60", false)] {
        let text = format!(
            "version: 1\nexperiment: e\nroutes:\n- name: r\n  split: {{baseline: a, canaries: [{{name: b, percent: 1}}], key: request}}\n  gates: [{{name: g, of: b, measure: worse_than_baseline, event: refused, limit: {limit}, requires: pass}}]\n"
        );
        let run = check([file("better", "a.yaml", &text)]);
        assert_eq!((run.code, run.lines.len()), (Some(0), 1 + usize::from(warned)), "{limit}: {:?}", run.lines);
        let expected =
            "warning: routes[0].gates[0]: if both models are equal, g fails: a limit below 50 asks for a better canary, and fails";
        assert_eq!(run.lines[0].contains(expected), warned, "{:?}", run.lines);
    }
}

/// Before a rollout the canary has no share: only a baseline without one is told.
#[test]
fn a_canary_without_a_baseline_to_compare_with_is_warned_of() {
    for (canaries, expected) in [
        ("{name: b, percent: 0}", &[][..]),
        ("{name: b, percent: 99}", &[]),
        ("{name: b, percent: 100}", &["routes[0].gates[0]: the baseline has no share of the requests, so g never has a trial"]),
        ("{name: b, percent: 40}, {name: c, percent: 60}", &["so g never has a trial"]),
        ("{name: b, percent: 0}, {name: c, percent: 100}", &[]),
    ] {
        let text = format!(
            "version: 1\nexperiment: e\nroutes:\n- name: r\n  split: {{baseline: a, canaries: [{canaries}], key: request}}\n  gates: [{{name: g, of: b, measure: worse_than_baseline, event: refused, limit: 60, requires: pass}}]\n"
        );
        assert_warned(&warnings([file("alone", "a.yaml", &text)]), expected, canaries);
    }
}

/// The guardrail judges what its gates count, and they leave the warm-up out.
#[test]
fn a_guardrail_that_is_blind_for_long_is_warned_of() {
    let config = |warmup: &str, guarded: &str| {
        format!(
            "version: 1\nexperiment: e\nroutes:\n- name: r\n  split: {{baseline: a, canaries: [{{name: b, percent: 1, warmup: {warmup}}}, {{name: d, percent: 1}}], key: request}}\n  gates: [{{name: errors, of: b, measure: failed, limit: 1}}, {{name: others, of: d, measure: failed, limit: 1}}]\n  guardrail: {{gates: [{guarded}]}}\n"
        )
    };
    for (warmup, guarded, warned) in [
        ("300s", "errors", false),
        ("300001ms", "errors", true),
        ("24m", "errors, others", true),
        ("24m", "others", false),
        ("{pairs: 1000}", "errors", false),
    ] {
        let run = check([file("warmup", "a.yaml", &config(warmup, guarded))]);
        assert_eq!((run.code, run.lines.len()), (Some(0), 1 + usize::from(warned)), "{warmup} {guarded}: {:?}", run.lines);
        let expected = "warning: routes[0].guardrail: b warms up for more than 5 minutes, and an outage in that time does not cut it off";
        assert_eq!(run.lines[0].contains(expected), warned, "{:?}", run.lines);
    }
}
