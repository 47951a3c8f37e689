//! Warns of changes between two configurations that change the meaning of counters of a running experiment.
//!
//! Counters outlive a configuration. If the new configuration has other limits, timeouts, comparisons or slices under the same experiment,
//! old and new counts get mixed. The operator is warned, but nothing is refused: a stricter limit in the middle of an experiment may be
//! intended. Gates and shadows that are new or gone cause no warning, because their counters begin or end with them.
//!
//! This code runs once per update, so it is optimised for size: its functions are not inlined.

use std::rc::Rc;
use std::time::Duration;

use super::parse::event::{event_text, failures_text};
use super::parse::gate::{direction_word, measure_word};
use super::{Config, Gate, GateSubject, Guardrail, Measure, Observe, Route, Text};
use crate::gate::Rate;

/// A value as the operator writes it.
#[derive(PartialEq)]
enum Said<'a> {
    Word(&'a str),
    Words(String),
    /// A number and its unit.
    Number(f64, &'static str),
}

/// The end of every warning: the consequences, and what to do.
const ADVICE: &str =
    " under the same experiment: what was counted stays, and a failed gate stays failed: give a new experiment to start afresh";

/// Returns a line for each change of a gate, a guardrail, observed variants, a shadow's timeout, a protocol, a comparison or slices between `before` and
/// `after`, in routes with the same name and experiment.
#[cold]
pub fn changes(before: &Config, after: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    for after in &after.routes {
        let same = |before: &&Rc<Route>| before.experiment == after.experiment && before.name == after.name;
        let Some(before) = before.routes.iter().find(same) else { continue };
        for gate in &after.gates {
            if let Some(other) = before.gates.iter().find(|other| other.name == gate.name) {
                tell(&mut lines, after, ["gate ", &gate.name], &of_gates((before, other), (after, gate)));
            }
        }
        if let (Some(before), Some(guardrail)) = (&before.guardrail, &after.guardrail) {
            tell(&mut lines, after, ["guardrail", ""], &of_guardrails(before, guardrail));
        }
        tell(&mut lines, after, ["variants", ""], &of_variants(before, after));
        for shadow in &after.shadows {
            if let Some(other) = before.shadows.iter().find(|other| other.name == shadow.name) {
                let mut told = String::new();
                compare(&mut told, "timeout", milliseconds(other.timeout), milliseconds(shadow.timeout));
                tell(&mut lines, after, ["shadow ", &shadow.name], &told);
            }
        }
        for (what, is_same) in [
            ("protocol", before.protocol == after.protocol),
            ("compare", before.compare == after.compare),
            ("slices", before.slices == after.slices),
        ] {
            tell(&mut lines, after, [what, ""], if is_same { "" } else { "changed" });
        }
    }
    lines
}

/// Adds a line with the changes `how`, if there are any.
#[cold]
#[inline(never)]
fn tell(lines: &mut Vec<String>, route: &Route, [kind, name]: [&str; 2], how: &str) {
    if !how.is_empty() {
        lines.push(["route ", &route.name, ", ", kind, name, ": ", how, ADVICE].concat());
    }
}

/// Returns the changes of a gate; an empty text if there are none.
#[cold]
#[inline(never)]
fn of_gates((route_before, before): (&Route, &Gate), (route_after, after): (&Route, &Gate)) -> String {
    let mut told = String::new();
    compare(&mut told, "of", subject(route_before, before.of), subject(route_after, after.of));
    compare(&mut told, "measure", Said::Word(measure_word(before.measure)), Said::Word(measure_word(after.measure)));
    let (setting_before, (name, setting_after)) = (setting(route_before, before.measure), setting(route_after, after.measure));
    if setting_before.0 == name {
        compare(&mut told, name, setting_before.1, setting_after);
    }
    compare(&mut told, "limit", limit(before), limit(after));
    compare_terms(&mut told, (before.terms.alpha, before.terms.min_trials), (after.terms.alpha, after.terms.min_trials));
    compare(&mut told, "each_slice", truth(before.each_slice), truth(after.each_slice));
    told
}

/// Returns the changes of who is counted as which variant, where the mesh splits or did; an empty text if there are none. Weights and
/// percentages are to move, and variants to come and go.
#[cold]
#[inline(never)]
fn of_variants(before: &Route, after: &Route) -> String {
    let mut told = String::new();
    match (&before.observe, &after.observe) {
        (Some(before), Some(after)) => {
            let baseline = |observe: &Observe| observe.variants.first().map(|variant| variant.name.to_string()).unwrap_or_default();
            compare(&mut told, "baseline", Said::Words(baseline(before)), Said::Words(baseline(after)));
            for (variant, cluster) in clusters(after) {
                if let Some((_, other)) = clusters(before).into_iter().find(|(name, _)| *name == variant) {
                    compare(&mut told, &["cluster of ", variant].concat(), Said::Words(other), Said::Words(cluster));
                }
            }
        }
        (None, Some(_)) if before.split.is_some() => compare(&mut told, "chosen", Said::Word("by split"), Said::Word("by the mesh")),
        (Some(_), None) if after.split.is_some() => compare(&mut told, "chosen", Said::Word("by the mesh"), Said::Word("by split")),
        _ => {}
    }
    told
}

/// Returns the name of each variant with the condition on its cluster.
fn clusters(observe: &Observe) -> Vec<(&str, String)> {
    let written = |text: &Text| match text {
        Text::Exact(text) => text.clone(),
        Text::Prefix(text) => [text, "…"].concat(),
        Text::Suffix(text) => ["…", text].concat(),
    };
    let name = |index: &usize| observe.variants.get(*index).map_or("", |variant| &*variant.name);
    observe.clusters.iter().map(|(text, index)| (name(index), written(text))).collect()
}

/// Returns the changes of a guardrail; an empty text if there are none. The set of guarded gates does not matter to counters.
#[cold]
#[inline(never)]
fn of_guardrails(before: &Guardrail, after: &Guardrail) -> String {
    let mut told = String::new();
    compare_terms(&mut told, (before.alpha, before.min_trials), (after.alpha, after.min_trials));
    compare(&mut told, "window", milliseconds(before.window), milliseconds(after.window));
    told
}

/// Adds the changes of alpha and `min_trials`, which gates and guardrails have in common.
fn compare_terms(told: &mut String, before: (Rate, u64), after: (Rate, u64)) {
    compare(told, "alpha", part(before.0, WHOLE, ""), part(after.0, WHOLE, ""));
    compare(told, "min_trials", Said::Number(before.1 as f64, ""), Said::Number(after.1 as f64, ""));
}

/// Adds the change of a setting, if there is one.
#[inline(never)]
fn compare(told: &mut String, name: &str, before: Said<'_>, after: Said<'_>) {
    if before == after {
        return;
    }
    told.push_str(if told.is_empty() { "" } else { ", " });
    told.push_str(name);
    for (word, said) in [(" from ", before), (" to ", after)] {
        told.push_str(word);
        match said {
            Said::Word(word) => told.push_str(word),
            Said::Words(words) => told.push_str(&words),
            Said::Number(number, unit) => {
                told.push_str(&number.to_string());
                told.push_str(unit);
            }
        }
    }
}

/// Returns the name and the value of the setting of a measure; empty texts if it has none.
fn setting(route: &Route, measure: Measure) -> (&'static str, Said<'_>) {
    match measure {
        Measure::SlowerThan(threshold) | Measure::FirstByteSlowerThan(threshold) => ("threshold", milliseconds(threshold)),
        Measure::SlowerThanPrimary(margin) => ("margin", milliseconds(margin)),
        Measure::CostlierThanPrimary { percent } => ("margin", Said::Number(percent, "%")),
        Measure::WorseThanControl { control } => ("control", subject(route, GateSubject::Shadow(control))),
        Measure::Flipped(direction) => ("direction", Said::Word(direction_word(direction))),
        Measure::Failed(failures) => ("counts", Said::Words(failures_text(failures))),
        Measure::WorseThanBaseline(event) => ("event", Said::Words(event_text(event))),
        Measure::Diverged | Measure::Coverage => ("", Said::Word("")),
    }
}

/// Returns the name of a variant or shadow.
#[cold]
#[inline(never)]
fn subject(route: &Route, subject: GateSubject) -> Said<'_> {
    let name = match subject {
        GateSubject::Variant(index) => route.variant(index),
        GateSubject::Shadow(index) => route.shadows.get(index).map(|shadow| &shadow.name),
    };
    Said::Word(name.map_or("", |name| name))
}

/// Returns the limit in percent, as the operator gave it.
fn limit(gate: &Gate) -> Said<'static> {
    let limit = gate.terms.limit;
    part(if gate.measure == Measure::Coverage { limit.complement() } else { limit }, PERCENT, "%")
}

/// Parts per million in a percent.
const PERCENT: f64 = 10_000.0;

/// Parts per million in a whole.
const WHOLE: f64 = 1_000_000.0;

fn part(rate: Rate, scale: f64, unit: &'static str) -> Said<'static> {
    Said::Number(f64::from(rate.ppm()) / scale, unit)
}

fn milliseconds(duration: Duration) -> Said<'static> {
    Said::Number(duration.as_millis() as u64 as f64, "ms")
}

fn truth(truth: bool) -> Said<'static> {
    Said::Word(if truth { "true" } else { "false" })
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::changes;
    use crate::config::Config;
    use crate::config::parse::parse;

    const ROUTE: &str = r#"{"name": "fraud",
        "split": {"baseline": "v1", "canaries": [{"name": "v2", "percent": 5}, {"name": "v3", "percent": 5}], "key": "request"},
        "shadows": [{"name": "s", "cluster": "c", "percent": 1}, {"name": "t", "cluster": "c", "percent": 1},
                    {"name": "again", "cluster": "c", "percent": 1, "role": "control"}],
        "compare": {"task": {"decision": {"path": "a", "thresholds": [1], "names": ["no", "yes"]}}, "absolute": 0.1},
        "slices": {"header": "x-region", "values": ["eu"]},
        "gates": [{"name": "errors", "of": "v2", "measure": "failed", "limit": 0.5},
                  {"name": "slow", "of": "v2", "measure": "slower_than", "threshold": "250ms", "limit": 5},
                  {"name": "worse", "of": "v2", "measure": "worse_than_baseline", "event": "failed", "limit": 50},
                  {"name": "late", "of": "s", "measure": "slower_than_primary", "margin": "20ms", "limit": 50},
                  {"name": "cost", "of": "s", "measure": "costlier_than_primary", "margin": 10, "limit": 50},
                  {"name": "noise", "of": "s", "measure": "worse_than_control", "limit": 50},
                  {"name": "flips", "of": "s", "measure": "flipped", "limit": 1},
                  {"name": "coverage", "of": "s", "measure": "coverage", "limit": 90}],
        "guardrail": {"gates": ["errors"], "alpha": 0.001, "window": "10m"}}"#;

    /// A configuration with `route` behind one that is always the same.
    fn config(route: &str) -> Config {
        let text = format!(
            r#"{{"version": 1, "experiment": "e", "routes": [{{"name": "first", "match": {{"path": {{"exact": "/"}}}}}}, {route}]}}"#
        );
        parse(text.as_bytes()).unwrap_or_else(|refused| panic!("{text}: {:#?}", refused.problems))
    }

    /// The lines for a route in which each of `edits` has replaced a text.
    fn lines(edits: &[(&str, &str)]) -> Vec<String> {
        let edited = edits.iter().fold(ROUTE.to_owned(), |route, (text, by)| {
            assert!(route.contains(text), "{text}");
            route.replacen(text, by, 1)
        });
        changes(&config(ROUTE), &config(&edited))
    }

    #[test]
    fn a_line_says_where_and_from_what_to_what() {
        let lines = lines(&[(r#""limit": 0.5"#, r#""limit": 1"#)]);
        let expected = "route fraud, gate errors: limit from 0.5% to 1% under the same experiment: what was counted stays, and a failed gate \
                        stays failed: give a new experiment to start afresh";
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn every_change_of_what_is_judged_is_told() {
        for (text, by, expected) in [
            (
                r#""failed", "limit": 0.5"#,
                r#""slower_than", "threshold": "1s", "limit": 0.5"#,
                "gate errors: measure from failed to slower_than",
            ),
            (r#""errors", "of": "v2""#, r#""errors", "of": "v3""#, "gate errors: of from v2 to v3"),
            (r#""250ms""#, r#""1s""#, "gate slow: threshold from 250ms to 1000ms"),
            (
                r#""event": "failed""#,
                r#""event": {"slower_than": "1s"}"#,
                "gate worse: event from failed 5xx reset error to slower_than 1000ms",
            ),
            (
                r#""event": "failed""#,
                r#""event": "failed", "counts": ["error", "404"]"#,
                "gate worse: event from failed 5xx reset error to failed 404 error",
            ),
            (
                r#""failed", "limit": 0.5"#,
                r#""failed", "counts": ["4xx", "5xx", "3xx", "429"], "limit": 0.5"#,
                "gate errors: counts from 5xx reset error to 5xx 4xx 429 3xx",
            ),
            (r#""20ms""#, r#""0ms""#, "gate late: margin from 20ms to 0ms"),
            (r#""margin": 10"#, r#""margin": 12.5"#, "gate cost: margin from 10% to 12.5%"),
            (r#""flipped""#, r#""flipped", "direction": "up""#, "gate flips: direction from both to up"),
            (r#""limit": 90"#, r#""limit": "80%""#, "gate coverage: limit from 90% to 80%"),
            (r#""limit": 5}"#, r#""limit": 5, "alpha": 0.01}"#, "gate slow: alpha from 0.05 to 0.01"),
            (r#""limit": 5}"#, r#""limit": 5, "min_trials": 100}"#, "gate slow: min_trials from 0 to 100"),
            (r#""limit": 5}"#, r#""limit": 5, "each_slice": true}"#, "gate slow: each_slice from false to true"),
            (r#""limit": 5}"#, r#""limit": 6, "alpha": 0.01}"#, "gate slow: limit from 5% to 6%, alpha from 0.05 to 0.01"),
            (r#""name": "fraud""#, r#""name": "fraud", "protocol": "openai""#, "protocol: changed"),
            (r#""values": ["eu"]"#, r#""values": ["eu", "us"]"#, "slices: changed"),
            (r#""header": "x-region""#, r#""body": "region""#, "slices: changed"),
            (r#""t", "cluster": "c","#, r#""t", "cluster": "c", "timeout": "90s","#, "shadow t: timeout from 2000ms to 90000ms"),
            (r#""absolute": 0.1"#, r#""absolute": 0.2"#, "compare: changed"),
            (r#""thresholds": [1]"#, r#""thresholds": [2]"#, "compare: changed"),
            (r#""alpha": 0.001"#, r#""alpha": 0.002"#, "guardrail: alpha from 0.001 to 0.002"),
            (r#""10m""#, r#""10m", "min_trials": 5"#, "guardrail: min_trials from 20 to 5"),
            (r#""10m""#, r#""60s""#, "guardrail: window from 600000ms to 60000ms"),
        ] {
            let lines = lines(&[(text, by)]);
            assert!(lines.len() == 1 && lines[0].starts_with(&format!("route fraud, {expected} under the same")), "{expected}: {lines:?}");
        }
    }

    #[test]
    fn another_control_is_another_measure() {
        let swapped =
            [(r#""role": "control""#, r#""role": "candidate""#), (r#""t", "cluster": "c","#, r#""t", "cluster": "c", "role": "control","#)];
        let lines = lines(&swapped);
        assert!(lines.len() == 1 && lines[0].contains("gate noise: control from again to t under"), "{lines:?}");
    }

    #[test]
    fn who_is_counted_as_a_variant_is_told() {
        const OBSERVED: &str = r#"{"name": "fraud", "observe": {"baseline": "v1", "variants": [
            {"name": "v1", "cluster": {"exact": "a"}}, {"name": "v2", "cluster": {"prefix": "b"}}]}}"#;
        const SPLIT: &str = r#"{"name": "fraud", "split": {"baseline": "v1"}}"#;
        let third = OBSERVED.replace("]}}", r#", {"name": "v3", "cluster": {"suffix": "c"}}]}}"#);
        for (before, after, expected) in [
            (OBSERVED, &*OBSERVED.replace(r#""exact": "a""#, r#""suffix": "a""#), "cluster of v1 from a to …a"),
            (OBSERVED, &OBSERVED.replace(r#""prefix": "b""#, r#""prefix": "c""#), "cluster of v2 from b… to c…"),
            (OBSERVED, &OBSERVED.replace(r#""baseline": "v1""#, r#""baseline": "v2""#), "baseline from v1 to v2"),
            (OBSERVED, SPLIT, "chosen from by the mesh to by split"),
            (SPLIT, OBSERVED, "chosen from by split to by the mesh"),
            (OBSERVED, &third, ""),
            (&third, OBSERVED, ""),
            (OBSERVED, r#"{"name": "fraud"}"#, ""),
            (OBSERVED, &OBSERVED.replace("]}}", r#"], "bucket": {"key": "request"}}}"#), ""),
        ] {
            let lines = changes(&config(before), &config(after));
            let wanted = format!("route fraud, variants: {expected} under the same");
            assert!(lines.len() == usize::from(!expected.is_empty()) && lines.iter().all(|line| line.starts_with(&wanted)), "{lines:?}");
        }
    }

    #[test]
    fn several_changes_are_several_lines() {
        let lines = lines(&[(r#""limit": 0.5"#, r#""limit": 1"#), (r#""250ms""#, r#""1s""#), ("0.001", "0.1"), ("[1]", "[2]")]);
        let begin = |line: &String| line.split(": ").next().unwrap().to_owned();
        let expected = ["route fraud, gate errors", "route fraud, gate slow", "route fraud, guardrail", "route fraud, compare"];
        assert_eq!(lines.iter().map(begin).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_changes_no_figure_is_not_told() {
        for edits in [
            &[][..],
            // Written otherwise.
            &[(r#""limit": 0.5"#, r#""limit": "0.50%""#), (r#""margin": 10"#, r#""margin": "10%""#)],
            &[(r#""10m""#, r#""600s""#), (r#""limit": 50}"#, r#""limit": 50.0, "alpha": 0.05, "each_slice": false}"#)],
            // Another experiment, or another route.
            &[(r#""limit": 0.5"#, r#""limit": 1"#), (r#""name": "fraud""#, r#""name": "fraud", "experiment": "f""#)],
            &[(r#""limit": 0.5"#, r#""limit": 1"#), (r#""name": "fraud""#, r#""name": "fraud-2""#)],
            // A gate that comes and another that goes.
            &[(r#""name": "slow""#, r#""name": "slower""#), (r#""limit": 5}"#, r#""limit": 6}"#)],
            // The guardrail guards another gate.
            &[(r#""gates": ["errors"]"#, r#""gates": ["slow"]"#)],
            // The same subjects in another place.
            &[(
                r#"{"name": "s", "cluster": "c", "percent": 1},"#,
                r#"{"name": "new", "cluster": "c", "percent": 1}, {"name": "s", "cluster": "c", "percent": 1},"#,
            )],
            // All that is neither judged nor compared.
            &[(r#""percent": 5"#, r#""percent": 6"#), (r#""cluster": "c""#, r#""cluster": "d", "max_in_flight": 2"#)],
        ] {
            assert_eq!(lines(edits), [""; 0], "{edits:?}");
        }
    }
}
