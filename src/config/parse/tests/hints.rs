//! Each problem says what to do.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

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
            "did you mean limit? (limits belongs in",
        ),
        (route(r#", "split": {"baseline": "v1", "key": "x-user-id"}"#), "routes[0].split.key", "x-user-id", "{header: x-user-id}"),
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
        (shadow(r#", "expect": {"model_version": 2}"#), "routes[0].shadows[0].expect.model_version", "2", "put it in quotes, \"2\""),
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
        (route(r#", "observe": {}"#), "routes[0].observe", "an empty object", "does not know it yet"),
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
        let problems = refused(&text).problems;
        let problem = problems.iter().find(|problem| problem.path == path).unwrap_or_else(|| panic!("{path}: {problems:#?}"));
        assert!(problem.found.contains(found), "{problem}");
        assert!(problem.hint.contains(hint), "{problem}");
        assert!(problem.to_string().chars().count() < 300, "{problem}");
    }
}
