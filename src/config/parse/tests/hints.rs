//! Each problem says what to do.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::config::problem::Problem;

/// Asserts that one problem is at `path`, and that its value and its hint contain these texts.
fn assert_hint(text: &str, path: &str, found: &str, hint: &str) {
    let problems = refused(text).problems;
    let problem = problems.iter().find(|problem| problem.path == path).unwrap_or_else(|| panic!("{path}: {problems:#?}"));
    assert!(problem.found.contains(found), "{problem}");
    assert!(problem.hint.contains(hint), "{problem}");
    assert!(problem.to_string().chars().count() < 300, "{problem}");
}

#[test]
fn hints_say_what_to_do() {
    for (text, path, found, hint) in [
        (shadow(r#", "time_out": "1s""#), "routes[0].shadows[0].time_out", "\"1s\"", "did you mean timeout?"),
        (shadow(r#", "maxInFlight": 1"#), "routes[0].shadows[0].maxInFlight", "1", "did you mean max_in_flight?"),
        (split(r#", "percent": 5"#), "routes[0].split.percent", "5", "percent belongs in routes[].split.canaries[]"),
        (route(r#", "timeout": "1s""#), "routes[0].timeout", "1s", "timeout belongs in routes[].shadows[]"),
        (route(r#", "percentage": 1"#), "routes[0].percentage", "1", "did you mean percent? It belongs in routes[].split.canaries[] or"),
        (route(r#", "limits": {"timeout": "1s"}"#), "routes[0].limits", "an object", "limits belongs in the outermost object"),
        (full_with("\"pairs\": 9", "\"timeout\": \"1s\""), "limits.timeout", "1s", "timeout belongs in routes[].shadows[]"),
        (
            gates(r#""of": "v2", "measure": "failed", "limit": 1, "guardrail": {}"#),
            "routes[0].gates[0].guardrail",
            "an",
            "belongs in routes[]",
        ),
        (
            gates(r#""of": "v2", "measure": "failed", "limits": 1"#),
            "routes[0].gates[0].limits",
            "1",
            "did you mean limit? (limits belongs in the outermost object)",
        ),
        (route(r#", "split": {"baseline": "v1", "key": "x-user-id"}"#), "routes[0].split.key", "x-user-id", "{header: x-user-id}"),
        (
            gates(r#""of": "v2", "measure": "failed", "limit": 1, "requires": "no_fail""#),
            "routes[0].gates[0].requires",
            "no_fail",
            "give one of pass, no-fail, none",
        ),
        (route(r#", "requires": "pass""#), "routes[0].requires", "pass", "requires belongs in routes[].gates[]"),
        (route(r#", "owner": "a=b""#), "routes[0].owner", "a=b", "printable ASCII characters without ; = \\"),
        (route(r#", "owner": 7"#), "routes[0].owner", "7", "put it in quotes"),
        (route(r#", "sample_by": "x user"#).replace("x user", "x user\""), "routes[0].sample_by", "x user", "{header: …}"),
        (split("").replace("\"request\"", &format!("\"{}\"", "x".repeat(2_000))), "routes[0].split.key", "xxx", "xxx…}, {cookie"),
        (route(r#", "match": {"path": "/v2/"}"#), "routes[0].match.path", "/v2/", "{prefix: \"/v2/\"}"),
        (route(r#", "match": ["/v2/"]"#), "routes[0].match[0]", "/v2/", "such as {path: {prefix: /v2/models/fraud/}}"),
        (route(r#", "slices": "x-region""#), "routes[0].slices", "x-region", "{header: x-region, values: [eu, us]}"),
        (split(r#", "pins": {"header": "a"}"#), "routes[0].split.pins", "an object", "put [ ] around this"),
        (
            shadow(r#", "of": "v1""#).replace(r#""shadows""#, r#""split": {"baseline": "v1"}, "shadows""#),
            "routes[0].shadows[0].of",
            "v1",
            "[\"v1\"]",
        ),
        (full_with("1.0", "\"1\""), "version", "\"1\"", "version: 1"),
        (shadow(r#", "max_in_flight": "32""#), "routes[0].shadows[0].max_in_flight", "\"32\"", "without quotes"),
        (route(r#", "compare": {"absolute": "1e-3"}"#), "routes[0].compare.absolute", "1e-3", "without quotes"),
        (full_with("\"values\": true", "\"values\": \"true\""), "evidence.values", "\"true\"", "without quotes"),
        (
            route(r#", "gates": [{"name": "g", "of": "v1", "measure": "failed", "limit": 1}]"#),
            "routes[0].gates[0].of",
            "\"v1\"",
            "add split: {baseline: v1} to the route",
        ),
        (
            shadow(r#"}], "gates": [{"name": "g", "of": "baseline", "measure": "failed", "limit": 1"#),
            "routes[0].gates[0].of",
            "\"baseline\"",
            "give one of s; for a gate of the answers to clients add split: {baseline: baseline}",
        ),
        (
            gates(r#""of": "s", "measure": "first_byte_slower_than", "threshold": "1s", "limit": 1"#),
            "routes[0].gates[0].measure",
            "first_byte",
            "comes whole",
        ),
        (full_with("\"limits\"", "\"zzz\""), "zzz", "an object", "version, on_invalid, experiment, trust_copies, routes, limits, evidence"),
        (route(r#", "protocol": "kserve""#), "routes[0].protocol", "\"kserve\"", "json, kserve-v1, open-inference, openai, opaque"),
        (route(r#", "compare": {"task": "decision"}"#), "routes[0].compare.task", "\"decision\"", "thresholds: [0.7]"),
        (route(r#", "compare": {"task": "label"}"#), "routes[0].compare.task", "\"label\"", "labels, scores"),
        (
            shadow(r#", "expect": {"model_version": 2}"#),
            "routes[0].shadows[0].expect.model_version",
            "2",
            "give a text: put it in quotes, as your model writes it",
        ),
        (
            shadow(r#", "request": {"headers": {"from_env": {"authorization": "Bearer s3cret"}}}"#),
            "routes[0].shadows[0].request.headers.from_env.authorization",
            "a text",
            "environment variable",
        ),
        (
            shadow(r#", "request": {"body": {"set": {"a": {"b": 1, "b": 2}}}}"#),
            "routes[0].shadows[0].request.body.set.a",
            "an object",
            "the key \"b\" is there more than once",
        ),
        (
            shadow("").replace(r#""cluster": "c""#, r#""cluster": {"http": "c"}"#),
            "routes[0].shadows[0].cluster.grpc",
            "nothing",
            "where both are the same",
        ),
        (gates(r#""of": "v9", "measure": "failed", "limit": 1"#), "routes[0].gates[0].of", "\"v9\"", "v1, v2, s"),
        (gates(r#""of": "v2", "measure": "failed", "limit": 0"#), "routes[0].gates[0].limit", "0", "no number of trials"),
        (gates(r#""of": "v2", "measure": "failed", "limit": 100"#), "routes[0].gates[0].limit", "100", "no rate is above 100"),
        (gates(r#""of": "s", "measure": "coverage", "limit": 0"#), "routes[0].gates[0].limit", "0", "this decides nothing"),
        (gates(r#""of": "s", "measure": "coverage", "limit": 100"#), "routes[0].gates[0].limit", "100", "no number of trials"),
        (gates(r#""of": "s", "measure": "worse_than_control", "limit": 50"#), "routes[0].gates[0].measure", "worse", "role: control"),
        (full_with("\"alpha\": 0.01", "\"alpha\": 0.000002"), "routes[0].gates[0].alpha", "0.000002", "at least 0.000003"),
        (full_with("[\"slow\"]", "[\"coverage\"]"), "routes[0].guardrail.gates[0]", "\"coverage\"", "of a shadow"),
        (full_with("[\"slow\"]", "[\"fast\"]"), "routes[0].guardrail.gates[0]", "\"fast\"", "agreement, slow, latency"),
        (full_with("\"fraud-2026-11\"", "2026"), "experiment", "2026", "put it in quotes"),
        (full_with("fraud-2026-11", &"x".repeat(200)), "experiment", "xxxxxxxx…", "1 to 32"),
        (full_with(r#"["v1", "v3"]"#, r#"["v9"]"#), "routes[0].shadows[0].of[0]", "\"v9\"", "v1, v2, v3"),
        (
            shadow(r#", "request": {"headers": {"set": {"authorization": "secret\n"}}}"#),
            "routes[0].shadows[0].request.headers.set.authorization",
            "a text",
            "line breaks",
        ),
    ] {
        assert_hint(&text, path, found, hint);
    }
}

/// Asserts that the problem at `path`, which begins at the base, has exactly this hint. `base` and `edit` are those of `refused.txt`.
fn assert_whole(base: &str, edit: &str, path: &str, hint: &str) {
    let (text, start) = edited(base, edit);
    let problems = refused(&text).problems;
    let at = |problem: &&Problem| problem.path == format!("{start}{path}");
    let problem = problems.iter().find(at).unwrap_or_else(|| panic!("{start}{path}: {problems:#?}"));
    assert_eq!(problem.hint, hint, "{edit}");
    assert!(problem.to_string().chars().count() < 300, "{problem}");
}

/// A key that belongs elsewhere is no other key that looks like it, unless one letter makes it so.
#[test]
fn misplaced_keys_are_told_their_place() {
    for (base, key, place) in [
        ("route", "decision", "routes[].compare.task"),
        ("split", "decision", "routes[].compare.task"),
        ("route", "labels", "routes[].compare.task"),
        ("shadow", "text", "routes[].compare.task"),
        ("route", "structure", "routes[].compare.task"),
        ("route", "same_cluster", "routes[].split"),
        ("split", "cluster", "routes[].observe.variants[] or routes[].shadows[]"),
        ("route", "percent", "routes[].split.canaries[] or routes[].shadows[]"),
        ("route", "path", "routes[].match or routes[].shadows[].when.body[] or routes[].shadows[].request"),
        ("route", "salt", "routes[].split or routes[].observe.bucket"),
        ("observe", "key", "routes[].observe.bucket"),
        ("observe", "warmup", "routes[].observe.variants[]"),
        ("split", "of", "routes[].shadows[] or routes[].gates[]"),
    ] {
        assert_whole(base, &format!(r#""{key}": {{}}"#), &format!(".{key}"), &format!("unknown key here: {key} belongs in {place}"));
    }
    for key in ["decision", "scores", "text", "embedding", "regression", "structure"] {
        let in_compare = format!(r#""compare": {{"{key}": {{}}}}"#);
        let hint = format!("unknown key here: {key} belongs in routes[].compare.task");
        assert_whole("route", &in_compare, &format!(".compare.{key}"), &hint);
        let in_gate = format!(r#""of": "v2", "measure": "failed", "limit": 1, "{key}": {{}}"#);
        assert_whole("gates", &in_gate, &format!(".gates[0].{key}"), &hint);
    }
    let header = "unknown key: did you mean headers? (header belongs in routes[].split or routes[].split.key or routes[].split.pins[])";
    assert_whole("route", r#""match": {"header": []}"#, ".match.header", header);
}

#[test]
fn what_others_decide_is_left_to_them() {
    const WEIGHTS: &str = "with observe the weights of the mesh decide who answers: leave it out, or use split, with which Gnomon decides";
    for key in ["pins", "percent", "weight", "weights", "expose", "same_cluster"] {
        assert_whole("observe", &format!(r#""{key}": 1"#), &format!(".{key}"), WEIGHTS);
    }
    for (edit, path, hint) in [
        (r#""exact": "b"} => "exact": "b"}, "percent": 5"#, ".variants[1].percent", WEIGHTS),
        (
            r#""canaries": []"#,
            ".canaries",
            "write all variants under variants, the baseline, too, each with the cluster that it answers from",
        ),
        (r#""v1", "variants" => "v3", "variants""#, ".baseline", "this is none of the variants: give one of v1, v2"),
        (r#"{"exact": "b"} => "b""#, ".variants[1].cluster", r#"give one of {exact: "b"}, {prefix: "b"}, {suffix: "b"}"#),
        (
            r#"{"exact": "a"} => {"prefix": ""}"#,
            ".variants[1].cluster",
            "this is never seen: v1 stands before it and takes all these clusters: move this variant up, or end the other's text where the \
             names part, as with a dot",
        ),
        (r#""bucket": {"key": "uid"}"#, ".bucket.key", "give one of {header: uid}, {cookie: …}, {query: …}, or the word request"),
    ] {
        assert_whole("observe", edit, path, hint);
    }
    let both = r#""split": {"baseline": "v1"}, "observe": {}"#;
    assert_whole("route", both, ".observe", "with split Gnomon chooses the variant, with observe the mesh does: leave one of them out");
    let of = r#""shadows": [{"name": "s", "cluster": "c", "percent": 1, "of": ["v1"]}]"#;
    assert_whole("route", of, ".shadows[0].of", "of needs split or observe: without one of them nothing tells variants apart");
}

#[test]
fn values_of_another_type_are_told_how_to_be_written() {
    const QUOTES: &str = "give a text: put it in quotes";
    const FAILURES: &str = "give one of 5xx, reset, 4xx, 404, 429, 3xx, error";
    const REQUEST: &str = "write the word alone: request";
    const GATES: &str = "give a list, such as [{name: errors, of: v2, measure: failed, limit: 1%}]";
    for (base, edit, path, hint) in [
        ("full", r#""fraud-2026-11" => 2026"#, "experiment", QUOTES),
        ("full", r#""us"] => true]"#, "routes[0].slices.values[1]", QUOTES),
        ("route", r#""sample_by": {"request": true}"#, ".sample_by", REQUEST),
        ("split", r#""request" => {"request": {}}"#, ".key", REQUEST),
        ("split", r#""request" => {"request": null}"#, ".key", REQUEST),
        ("shadow", r#""role": {"control": true}"#, ".role", "give one of candidate, control"),
        ("shadow", r#""percent": 1 => "percent": "0.5""#, ".percent", r#"leave the quotes out, or add the percent sign: "0.5%""#),
        ("shadow", r#""timeout": 1"#, ".timeout", "give a duration such as 500ms, 2s or 1m, at most 5m"),
        ("split", r#""pins": {"header": "a"}"#, ".pins", "give a list: put [ ] around this, or - before it"),
        ("split", r#""pins": {"a": "b"}"#, ".pins", "give a list, such as [{header: x-pin, exact: v2, variant: v2}]"),
        ("split", r#"[{"name": "v2", "percent": 1}] => {"v2": "5%"}"#, ".canaries", "give a list, such as [{name: v2, percent: 5%}]"),
        ("split", r#"[{"name": "v2", "percent": 1}] => "v2""#, ".canaries", "give a list, such as [{name: v2, percent: 5%}]"),
        ("route", r#""gates": {"errors": {"of": "v2"}}"#, ".gates", GATES),
        ("route", r#""match": {"headers": {"x": "y"}}"#, ".match.headers", "give a list, such as [{name: x-tenant, exact: acme}]"),
        ("route", r#""match": [{"headers": {"x": "y"}}]"#, ".match[0].headers", "give a list, such as [{name: x-tenant, exact: acme}]"),
        ("route", r#""match": {"methods": "PUT"}"#, ".match.methods", r#"give a list: put [ ] around it, ["PUT"]"#),
        ("route", r#""match": {"methods": "PUT, POST"}"#, ".match.methods", "give a list: put [ ] around it"),
        ("route", r#""compare": {"ignore": {"id": true}}"#, ".compare.ignore", "give a list, such as [id]"),
        ("route", r#""compare": {"unordered": "tags"}"#, ".compare.unordered", "give a list, such as [tags, {path: results, by: id}]"),
        ("full", r#""routes": [{ => "routes": {"fraud": 1}, "limits": [{"#, "routes", "give a list, such as [{name: fraud}]"),
    ] {
        assert_whole(base, edit, path, hint);
    }
    for (limit, shown) in [("0.01", "0.01%"), ("5", "5%")] {
        let gate = format!(r#""of": "s", "measure": "costlier_than_primary", "limit": "{limit}", "margin": "{limit}""#);
        for key in ["limit", "margin"] {
            let hint = format!("leave the quotes out, or add the percent sign: \"{shown}\"");
            assert_whole("gates", &gate, &format!(".gates[0].{key}"), &hint);
        }
    }
    for (counts, at, hint) in [
        (r#"[500]"#, "[0]", "give 5xx: single statuses are 404 and 429 alone"),
        (r#"["5xx", "403"]"#, "[1]", "give 4xx: single statuses are 404 and 429 alone"),
        (r#"["3XX"]"#, "[0]", "give 3xx: single statuses are 404 and 429 alone"),
        (r#"500"#, "", "give [5xx]: single statuses are 404 and 429 alone"),
        (r#""503""#, "", "give [5xx]: single statuses are 404 and 429 alone"),
        (r#""5xx""#, "", r#"give a list: put [ ] around it, ["5xx"]"#),
        (r#"404"#, "", "give a list: put [ ] around it"),
        (r#""4xx, 5xx""#, "", "give a list: put [ ] around it"),
        (r#"{"5xx": true}"#, "", "give a list, such as [5xx, reset, error]"),
        (r#"[200]"#, "[0]", FAILURES),
        (r#"[5000]"#, "[0]", FAILURES),
        (r#"[true]"#, "[0]", FAILURES),
    ] {
        let gate = format!(r#""of": "v2", "measure": "failed", "limit": 1, "counts": {counts}"#);
        assert_whole("gates", &gate, &format!(".gates[0].counts{at}"), hint);
    }
}

#[test]
fn settings_of_gates_are_told_where_they_go() {
    const WITH_EVENT: &str = "counts goes with event: failed: write that event, or leave counts out";
    for (keys, key, hint) in [
        (r#""measure": "worse_than_baseline", "event": "refused", "counts": ["4xx"]"#, "counts", WITH_EVENT),
        (r#""measure": "worse_than_baseline", "event": {"slower_than": "1s"}, "counts": 1"#, "counts", WITH_EVENT),
        (
            r#""measure": "failed", "event": "refused""#,
            "event",
            "event goes with measure worse_than_baseline: leave it out, or choose that",
        ),
        (
            r#""measure": "coverage", "counts": ["5xx"]"#,
            "counts",
            "counts goes with measure failed, or worse_than_baseline with event: failed: leave it out, or choose that",
        ),
        (
            r#""measure": "failed", "threshold": "1s""#,
            "threshold",
            "threshold goes with measure slower_than or first_byte_slower_than: leave it out, or choose that",
        ),
        (
            r#""measure": "worse_than_baseline""#,
            "event",
            "this key is required: give failed, refused, error, empty, refusal, length, {slower_than: 250ms} or {first_byte_slower_than: 1s}",
        ),
        (r#""measure": "slower_than""#, "threshold", "this key is required: give a duration such as 250ms"),
        (r#""measure": "slower_than_primary""#, "margin", "this key is required: give a duration such as 20ms"),
        (r#""measure": "costlier_than_primary""#, "margin", "this key is required: give a percentage such as 10%"),
        (r#""measure": "failed""#, "limit", "this key is required: give a percentage such as 1%"),
        (
            r#""alpha": 0.1"#,
            "measure",
            "this key is required: give one of diverged, worse_than_control, worse_than_baseline, failed, slower_than, \
             slower_than_primary, costlier_than_primary, coverage, flipped, first_byte_slower_than",
        ),
    ] {
        assert_whole("gates", &format!(r#""of": "v2", {keys}"#), &format!(".gates[0].{key}"), hint);
    }
    assert_whole("gates", r#""measure": "failed""#, ".gates[0].of", "this key is required: give one of v1, v2, s");
    let alone = r#""gates": [{"name": "g", "measure": "failed", "limit": 1}]"#;
    assert_whole("route", alone, ".gates[0].of", "this key is required: give the name of a variant or shadow");
    assert_eq!(
        paths(&gates(r#""of": "v2", "measure": "worse_than_baseline", "limit": 1, "event": "fail", "counts": ["5xx"]"#)),
        ["routes[0].gates[0].event"]
    );
}

/// An example has the key that is missing.
#[test]
fn missing_keys_are_shown_in_an_example() {
    for (base, edit, path, hint) in [
        ("shadow", r#""percent": 1 => "of": []"#, ".percent", "this key is required, as in {name: v2-copy, cluster: v2, percent: 10%}"),
        ("shadow", r#""expect": {}"#, ".expect.model_version", "this key is required, as in {model_version: \"2\"}"),
        ("route", r#""split": {}"#, ".split.baseline", "this key is required, as in {baseline: v1}"),
        ("shadow", r#""warmup": {}"#, ".warmup.pairs", "this key is required"),
        (
            "route",
            r#""compare": {"task": {"decision": {"path": "a"}}}"#,
            ".compare.task.decision.names",
            "this key is required, as in {path: score, thresholds: [0.7], names: [approve, block]}",
        ),
    ] {
        assert_whole(base, edit, path, hint);
    }
}
