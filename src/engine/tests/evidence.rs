//! Lines of evidence: what they say, and how many there are.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::worker::{ROOT, Worker, config, merge};

#[test]
fn evidence_says_what_diverged_and_no_more_than_was_asked_for() {
    for values in [false, true] {
        let mut worker = Worker::new(config(json!({"evidence": {"values": values}})));
        worker.pair(1, (200, r#"{"a":{"b c":[1,2]}}"#), (200, r#"{"a":{"b c":[1,4]}}"#));
        let line = &worker.evidence[0];
        assert_eq!(line["experiment"], "e");
        assert_eq!(line["request_id"], "id");
        assert_eq!(line["kind"], "number");
        assert_eq!(line["path"], r#"a["b c"][1]"#);
        assert_eq!(line["relative_difference"], 0.5);
        assert_eq!(line.get("primary_value").is_some(), values);
        assert_eq!(worker.sum(&["gnomon_divergences_total", "kind=.=number"]), 1);
        assert_eq!(worker.sum(&["gnomon_divergent_paths_total", r#"path=.=a["b c"][*];.;"#]), 1);
    }
}

#[test]
fn evidence_never_shows_a_whole_body() {
    let mut worker = Worker::new(config(json!({"evidence": {"values": true}})));
    worker.pair(1, (200, r#""a""#), (200, r#""b""#));
    worker.pair(2, (200, "{}"), (201, "{}"));
    assert_eq!((worker.evidence[0]["path"].as_str(), worker.evidence[0].get("primary_value")), (Some("$"), None));
    assert_eq!((worker.evidence[1]["path"].as_str(), worker.evidence[1]["shadow_value"].as_str()), (Some("$"), Some("201")));
}

#[test]
fn evidence_is_limited() {
    let mut worker = Worker::new(config(json!({"evidence": {"per_second": 2}})));
    worker.pass(Duration::from_millis(900));
    for stream in 1..=5 {
        worker.pass(Duration::from_millis(50)); // over the turn of a second of the clock
        worker.pair(stream, (200, "[1]"), (200, "[2]"));
    }
    assert_eq!(worker.evidence.len(), 2);
    assert_eq!(worker.sum(&["gnomon_evidence_total", "logged"]), 2);
    assert_eq!(worker.sum(&["gnomon_evidence_total", "suppressed"]), 3);
    worker.pass(Duration::from_secs(1));
    worker.pair(6, (200, "[1]"), (200, "[2]"));
    assert_eq!(worker.evidence.len(), 3);
}

#[test]
fn a_failing_shadow_is_shown_once_a_minute() {
    let mut worker = Worker::new(config(json!({})));
    for stream in 1..=3 {
        worker.pair(stream, (200, "{}"), (401, ""));
    }
    assert_eq!(worker.evidence.len(), 1);
    assert_eq!((&worker.evidence[0]["outcome"], &worker.evidence[0]["status"]), (&json!("shadow_failed"), &json!(401)));
    assert!(worker.evidence[0]["hint"].as_str().unwrap().contains("keep_credentials"));
    worker.pair(4, (200, "{}"), (429, ""));
    assert_eq!(worker.evidence.len(), 2, "another outcome is shown at once");
    worker.pair(8, (200, "{}"), (404, ""));
    worker.pair(9, (200, "{}"), (500, ""));
    assert_eq!(worker.evidence.len(), 4, "so is another failure");
    worker.pair(10, (200, "{}"), (429, ""));
    worker.evidence.truncate(2);
    worker.pass(Duration::from_secs(61));
    worker.pair(5, (200, "{}"), (429, ""));
    assert_eq!(worker.evidence.len(), 3);
    worker.pair(6, (200, "{}"), (200, "{}"));
    worker.pair(7, (200, "{}"), (429, ""));
    assert_eq!(worker.evidence.len(), 4, "a failure after a success is a change, too");
}

#[test]
fn a_shadow_that_refuses_as_the_primary_does_has_not_failed() {
    let mut worker = Worker::new(config(json!({})));
    for stream in 1..=12 {
        worker.pair(stream, (404, ""), (404, ""));
    }
    assert_eq!((worker.evidence.len(), worker.sum(&["gnomon_breaker_open"])), (0, 0));
    assert_eq!(worker.outcomes(), BTreeMap::from([("both_refused".to_owned(), 12)]));
}

#[test]
fn a_failure_that_was_not_shown_is_shown_later() {
    let mut worker = Worker::new(config(json!({"evidence": {"per_second": 1}})));
    worker.pair(1, (200, "[1]"), (200, "[2]"));
    worker.pair(2, (200, "{}"), (404, ""));
    assert_eq!(worker.evidence.len(), 1);
    worker.pass(Duration::from_secs(1));
    worker.pair(3, (200, "{}"), (404, ""));
    assert_eq!(worker.evidence[1]["status"], 404);
}

#[test]
fn evidence_says_how_far_numbers_lie_apart_and_how_many_paths_differ() {
    let mut worker = Worker::new(config(json!({})));
    worker.pair(1, (200, r#"{"a":[1.5,7,1,2,3,4]}"#), (200, r#"{"a":[1.0,7,2,3,4,5]}"#));
    worker.pair(2, (200, r#"{"a":[7],"b":"x"}"#), (200, r#"{"a":[8],"b":"x"}"#));
    worker.pair(3, (200, r#"{"b":"x"}"#), (200, r#"{"b":"y"}"#));
    let fields = ["absolute_difference", "relative_difference", "absolute_tolerance", "relative_tolerance", "differences", "paths"];
    let told = |line: usize| fields.map(|field| worker.evidence[line][field].clone());
    assert_eq!(told(0), [json!(0.5), json!(0.5 / 1.5), json!(1e-6), json!(1e-3), json!(5), json!(["a[0]", "a[2]", "a[3]", "a[4]"])]);
    assert_eq!(told(1), [json!(1.0), json!(0.125), json!(0.0), json!(0.0), json!(1), json!(["a[0]"])]);
    assert_eq!(told(2), [Value::Null, Value::Null, Value::Null, Value::Null, json!(1), json!(["b"])]);
}

#[test]
fn evidence_names_the_tool_and_the_place_in_its_arguments() {
    let chat = |city: &str| {
        let arguments = json!({"location": {"city": city}}).to_string();
        let call = json!({"type": "function", "function": {"name": "get_weather", "arguments": arguments}});
        json!({"choices": [{"index": 0, "message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}).to_string()
    };
    let mut all = config(json!({}));
    merge(&mut all["routes"][0], json!({"protocol": "openai"}));
    let mut worker = Worker::new(all);
    worker.pair(1, (200, &chat("Oslo")), (200, &chat("Rome")));
    let line = &worker.evidence[0];
    assert_eq!((&line["kind"], &line["tool"]), (&json!("tools"), &json!("get_weather")));
    assert_eq!(line["path"], "choices[0].message.tool_calls[0].function.arguments.location.city");
    assert!(!line.to_string().contains("Oslo"), "no values");
    let path = "path=.=choices[*].message.tool_calls[*].function.arguments;.;";
    assert_eq!(worker.sum(&["gnomon_divergent_paths_total", path]), 1, "names that models make up are no labels");
}

#[test]
fn a_pair_that_cannot_be_compared_says_where() {
    let mut all = config(json!({}));
    merge(&mut all["routes"][0], json!({"compare": {"task": {"labels": {"path": "s[*]"}}}}));
    let mut worker = Worker::new(all);
    worker.pair(1, (200, r#"{"s":[[1,2],[1,2]]}"#), (200, r#"{"s":[[1,2],[1,NaN]]}"#));
    worker.assert_outcome("incomparable");
    assert!(worker.evidence[0]["said"].as_str().unwrap().starts_with("shadow: s[1]: "), "{}", worker.evidence[0]);
}

#[test]
fn a_pair_has_one_line_at_most() {
    let mut all = config(json!({}));
    let again = json!({"name": "again", "cluster": "shadow", "percent": 100, "expect": {"model_version": "2"}});
    all["routes"][0]["shadows"].as_array_mut().unwrap().push(again);
    let good = |version: &str, score: f64| (200, json!({"predictions": [score], "model_version": version}).to_string());
    merge(&mut all["routes"][0], json!({"protocol": "kserve-v1"}));
    let (nothing, broken) = ((500, String::new()), (200, "{".to_owned()));
    let answers = [good("1", 0.5), good("1", 0.9), good("2", 0.9), good("2", 0.5), nothing, broken];
    for primary in &answers {
        for shadow in &answers {
            let mut worker = Worker::new(all.clone());
            worker.request(ROOT, 1, &[], true);
            assert_eq!(worker.send(10), 2);
            worker.answer(1, primary.0, &primary.1);
            worker.end(1);
            for token in [10, 11] {
                worker.shadow(token, shadow.0, &shadow.1);
            }
            worker.assert_at_rest();
            for name in ["s", "again"] {
                let lines = worker.evidence.iter().filter(|line| line["shadow"] == name).count();
                assert!(lines <= 1, "{primary:?} and {shadow:?}: {:?}", worker.evidence);
            }
        }
    }
}
