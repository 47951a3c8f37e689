//! What the answers of a pair tell beside their verdict: tokens, ends, versions, what became of what.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::worker::{ROOT, Worker, config, merge, with_shadow};
use crate::engine::event::Event;

/// The usual configuration with `change` put over its only route.
fn route(change: Value) -> Value {
    let mut all = config(json!({}));
    merge(&mut all["routes"][0], change);
    all
}

/// The usual configuration, read as Open Inference Protocol, with a shadow that is expected to serve `version`.
fn expecting(version: &str) -> Value {
    let mut all = with_shadow(json!({"expect": {"model_version": version}}));
    all["routes"][0]["protocol"] = "open-inference".into();
    all
}

/// An answer of the Open Inference Protocol by some version of a model.
fn inferred(version: Value, score: f64) -> String {
    let output = json!({"name": "score", "datatype": "FP32", "shape": [1], "data": [score]});
    json!({"model_name": "m", "model_version": version, "outputs": [output]}).to_string()
}

/// A completion that took `tokens` for prompt and completion.
fn completion(finish: &str, tokens: (u64, u64)) -> String {
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": "noon"}, "finish_reason": finish});
    json!({"choices": [choice], "usage": {"prompt_tokens": tokens.0, "completion_tokens": tokens.1}}).to_string()
}

/// A series by the label that tells it from its sisters, without those that are 0.
fn by(worker: &Worker, stat: &str, also: &str, label: &str) -> BTreeMap<String, i64> {
    let value = |name: &str| name.split_once(&format!("{label}=.=")).and_then(|(_, rest)| rest.split_once(";.;")).unwrap().0.to_owned();
    let series = worker.series().into_iter().filter(|(name, _)| name.starts_with(stat) && name.contains(also));
    series.map(|(name, count)| (value(&name), count)).collect()
}

fn counts<const N: usize>(counts: [(&str, i64); N]) -> BTreeMap<String, i64> {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

/// A request of which two copies are made; statuses and bodies of the primary and of both shadows.
fn triplet(worker: &mut Worker, stream: u32, primary: (u16, &str), shadows: [(u16, &str); 2]) {
    worker.request(ROOT, stream, &[], true);
    assert_eq!(worker.send(stream * 10), 2);
    worker.answer(stream, primary.0, primary.1);
    worker.end(stream);
    for (token, (status, body)) in (stream * 10..).zip(shadows) {
        worker.shadow(token, status, body);
    }
}

fn two_shadows() -> Value {
    let shadow = |name| json!({"name": name, "cluster": "shadow", "percent": 100});
    route(json!({"protocol": "openai", "shadows": [shadow("s"), shadow("w")]}))
}

#[test]
fn a_primary_tells_once_however_many_shadows_it_is_compared_with() {
    let mut worker = Worker::new(two_shadows());
    let (primary, longer) = (completion("stop", (7, 3)), completion("length", (7, 5)));
    for stream in [1, 2] {
        triplet(&mut worker, stream, (200, &primary), [(200, &primary), (200, &longer)]);
    }
    worker.assert_at_rest();
    for (subject, tokens, end) in [("none", 3, "stop"), ("s", 3, "stop"), ("w", 5, "length")] {
        let subject = format!("subject=.={subject};");
        assert_eq!(
            by(&worker, "gnomon_tokens_total", &subject, "token"),
            counts([("prompt", 14), ("completion", 2 * tokens)]),
            "{subject}"
        );
        assert_eq!(by(&worker, "gnomon_answers_total", &subject, "kind"), counts([(end, 2)]), "{subject}");
    }
}

#[test]
fn thinking_is_a_cost_and_no_answer() {
    let thought = |text: &str| {
        let message = json!({"role": "assistant", "content": null, "reasoning": text});
        let usage = json!({"prompt_tokens": 7, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 4}});
        json!({"choices": [{"index": 0, "message": message, "finish_reason": "length"}], "usage": usage}).to_string()
    };
    let mut worker = Worker::new(route(json!({"protocol": "openai"})));
    worker.pair(1, (200, &thought("hm")), (200, &thought("well")));
    worker.assert_outcome("compared");
    assert_eq!(worker.sum(&["gnomon_pairs_total", "equivalent"]), 1);
    for subject in ["subject=.=none;", "subject=.=s;"] {
        let tokens = counts([("prompt", 7), ("completion", 5), ("reasoning", 4)]);
        assert_eq!(by(&worker, "gnomon_tokens_total", subject, "token"), tokens, "{subject}");
        assert_eq!(by(&worker, "gnomon_answers_total", subject, "kind"), counts([("thought_only", 1)]), "{subject}");
    }
}

#[test]
fn what_nobody_reads_makes_no_pair_and_is_named() {
    let spoken =
        |audio: &str| json!({"choices": [{"message": {"content": null, "audio": {"data": audio}}, "finish_reason": "stop"}]}).to_string();
    let mut worker = Worker::new(route(json!({"protocol": "openai"})));
    worker.pair(1, (200, &spoken("a")), (200, &spoken("b")));
    worker.assert_outcome("incomparable");
    let said = &worker.evidence[0]["said"];
    assert_eq!(said, "choices[0].message.audio: differs, and nobody reads it: see compare.ignore");
    assert_eq!(worker.sum(&["gnomon_answers_total", "invalid"]), 0);
}

#[test]
fn a_comparison_that_reads_nothing_leaves_the_primary_to_the_next() {
    let mut worker = Worker::new(two_shadows());
    let answer = completion("stop", (7, 3));
    triplet(&mut worker, 1, (200, &answer), [(201, &answer), (200, &answer)]);
    assert_eq!(worker.sum(&["gnomon_divergences_total", "kind=.=status"]), 1);
    assert_eq!(worker.sum(&["gnomon_tokens_total", "subject=.=none;", "prompt"]), 7);
}

#[test]
fn an_answer_that_cannot_be_read_is_an_invalid_one_of_its_own_side() {
    let answer = completion("stop", (7, 3));
    for (primary, shadow, sides) in [("{", &*answer, [1, 0]), (&*answer, "{", [0, 1]), ("{", "[", [1, 1])] {
        let mut worker = Worker::new(route(json!({"protocol": "openai"})));
        worker.pair(1, (200, primary), (200, shadow));
        worker.assert_outcome("incomparable");
        let invalid = ["none", "s"].map(|subject| worker.sum(&["gnomon_answers_total", &format!("subject=.={subject};"), "invalid"]));
        assert_eq!(invalid, sides);
        assert_eq!(
            worker.sum(&["gnomon_answers_total", "kind=.=stop"]),
            2 - sides.iter().sum::<i64>(),
            "the other side tells all the same"
        );
    }
}

#[test]
fn a_number_of_tokens_that_cannot_be_is_not_counted() {
    let mut worker = Worker::new(route(json!({"protocol": "openai"})));
    worker.pair(1, (200, &completion("stop", (7, 3))), (200, &completion("stop", (u64::from(u32::MAX) + 1, 3))));
    worker.assert_outcome("compared");
    assert_eq!(by(&worker, "gnomon_tokens_total", "subject=.=s;", "token"), counts([("completion", 3)]));
}

#[test]
fn a_version_without_a_name_is_one_like_any_other() {
    let mut worker = Worker::new(route(json!({"protocol": "kserve-v1"})));
    let predicted = |version: &str| json!({"model_version": version, "predictions": [1]}).to_string();
    for (stream, version) in [(1, ""), (2, "b")] {
        worker.pair(stream, (200, &predicted("a")), (200, &predicted(version)));
    }
    assert_eq!(by(&worker, "gnomon_model_versions_total", "subject=.=s;", "model_version"), counts([("_", 1), ("b", 1)]));
}

#[test]
fn an_answer_of_another_version_makes_no_pair() {
    let (two, three) = (inferred("2".into(), 0.5), inferred("3".into(), 0.5));
    let (other, nameless) = (inferred("3".into(), 0.9), inferred(Value::Null, 0.9));
    for (primary, shadow, want, said) in [
        (&*three, &*two, "compared", ""),
        (&two, &three, "wrong_version", "model version 3"),
        (&three, &three, "wrong_version", "model version 3"),
        (&two, &other, "wrong_version", "model version 3"),
        (&two, &nameless, "wrong_version", "the answer names no model version"),
        ("{", &three, "incomparable", ""),
        (&two, "{", "incomparable", ""),
    ] {
        let mut worker = Worker::new(expecting("2"));
        worker.pair(1, (200, primary), (200, shadow));
        worker.assert_outcome(want);
        assert_eq!(worker.sum(&["gnomon_pairs_total"]), i64::from(want == "compared"));
        assert_eq!(worker.sum(&["gnomon_divergences_total"]) + worker.sum(&["gnomon_divergent_paths_total"]), 0);
        let versions = [primary, shadow].iter().filter(|answer| answer.contains(r#"_version":""#)).count();
        assert_eq!(worker.sum(&["gnomon_model_versions_total"]), versions as i64, "each answer tells its version all the same");
        if want == "wrong_version" {
            let line = &worker.evidence[0];
            assert_eq!((&line["outcome"], &line["said"]), (&json!(want), &json!(said)));
            assert!(line["hint"].as_str().unwrap().contains("expect.model_version"));
        }
    }
}

#[test]
fn answers_of_unlike_status_are_not_read_for_their_version() {
    let mut worker = Worker::new(expecting("2"));
    worker.pair(1, (200, &inferred("2".into(), 0.5)), (201, &inferred("3".into(), 0.5)));
    worker.assert_outcome("compared");
    assert_eq!(worker.sum(&["gnomon_divergences_total", "status"]), 1);
}

#[test]
fn a_wrong_version_decides_nothing_and_is_shown_once_a_minute() {
    let mut all = expecting("2");
    all["routes"][0]["compare"] =
        json!({"task": {"decision": {"path": "outputs[*].data[*]", "thresholds": [0.7], "names": ["approve", "block"]}}});
    let mut worker = Worker::new(all);
    for stream in 1..=3 {
        worker.pair(stream, (200, &inferred("2".into(), 0.5)), (200, &inferred("3".into(), 0.9)));
    }
    assert_eq!(worker.outcomes(), counts([("wrong_version", 3)]));
    assert_eq!(worker.sum(&["gnomon_decisions_total"]), 0);
    assert_eq!(worker.evidence.len(), 1);
    worker.pass(Duration::from_secs(61));
    worker.pair(4, (200, &inferred("2".into(), 0.5)), (200, &inferred("3".into(), 0.9)));
    assert_eq!(worker.evidence.len(), 2);
    worker.assert_at_rest();
}

/// `gnomon_decisions_total` by what became of what.
fn decisions(worker: &Worker) -> Vec<(String, String, i64)> {
    let series = worker.series().into_iter().filter(|(name, _)| name.starts_with("gnomon_decisions_total"));
    let read = |(name, count): (String, i64)| {
        let (_, answers) = name.split_once("primary_answer=.=").unwrap();
        let (primary, shadow) = answers.trim_end_matches(";.;").split_once(";.;shadow_answer=.=").unwrap();
        (primary.to_owned(), shadow.to_owned(), count)
    };
    series.map(read).collect()
}

fn decided<const N: usize>(cells: [(&str, &str, i64); N]) -> Vec<(String, String, i64)> {
    cells.map(|(primary, shadow, count)| (primary.to_owned(), shadow.to_owned(), count)).into()
}

/// A pair of KServe's answers.
fn predict(worker: &mut Worker, stream: u32, primary: Value, shadow: Value) {
    let [primary, shadow] = [primary, shadow].map(|predictions| json!({"predictions": predictions}).to_string());
    worker.pair(stream, (200, &primary), (200, &shadow));
}

#[test]
fn decisions_are_counted_by_what_became_of_what() {
    let decision = json!({"path": "predictions[*]", "thresholds": [0.7], "names": ["approve", "block"]});
    let mut worker = Worker::new(route(json!({"protocol": "kserve-v1", "compare": {"task": {"decision": decision}}})));
    assert_eq!(worker.defined(&["gnomon_decisions_total"]), 9, "with `other`, from the start");
    predict(&mut worker, 1, json!([0.1, 0.9, 0.8, 0.2, 0.3]), json!([0.9, 0.9, 0.1, 0.3, 0.8]));
    predict(&mut worker, 2, json!([0.1]), json!([0.1]));
    let want = decided([("approve", "approve", 2), ("approve", "block", 2), ("block", "approve", 1), ("block", "block", 1)]);
    assert_eq!(decisions(&worker), want);
    assert!(!worker.host().shared.keys().any(|key| key.starts_with("gnomon/v1/answers")), "the configuration names all answers");
    assert_eq!((worker.sum(&["gnomon_pairs_total", "diverged"]), worker.sum(&["gnomon_pairs_total", "identical"])), (1, 1));
}

#[test]
fn labels_without_names_are_the_first_that_come() {
    let all = route(json!({"protocol": "kserve-v1", "compare": {"task": "labels"}}));
    let mut worker = Worker::new(all.clone());
    assert_eq!(worker.defined(&["gnomon_decisions_total"]), 1, "other");
    for n in 0..10_u32 {
        predict(&mut worker, 1 + n, json!([format!("l{n}")]), json!(["l0"]));
    }
    predict(&mut worker, 20, json!(["l9", "l1"]), json!(["l8", "l1"]));
    let mut want: Vec<_> = (0..8).map(|n| (format!("l{n}"), "l0".to_owned(), 1)).chain(decided([("l1", "l1", 1)])).collect();
    want.extend(decided([("other", "l0", 2), ("other", "other", 1)]));
    want.sort();
    assert_eq!(decisions(&worker), want);
    let registrations = worker.loads();
    predict(&mut worker, 30, json!(["l9"]), json!(["l0"]));
    assert_eq!(worker.loads(), registrations, "what is known is not asked for again");

    let next = Worker::after(worker, all);
    let all = next.defined(&["gnomon_decisions_total", "=.=l7;"]);
    assert_eq!(all, 17, "each of nine to each of nine, of which l7 is in 9 + 9 - 1");
}

#[test]
fn labels_whose_names_are_given_have_series_of_their_own() {
    let labels = json!({"names": ["setosa", "virginica; the last"]});
    let mut worker = Worker::new(route(json!({"protocol": "kserve-v1", "compare": {"task": {"labels": labels}}})));
    predict(&mut worker, 1, json!([[0.1, 0.9], [0.9, 0.1]]), json!([[0.9, 0.1], [0.9, 0.1]]));
    assert_eq!(decisions(&worker), decided([("setosa", "setosa", 1), ("virginica_ the last", "setosa", 1)]));
}

#[test]
fn only_the_first_versions_have_series_of_their_own() {
    let open = route(json!({"protocol": "open-inference"}));
    let mut worker = Worker::new(open.clone());
    let serve = |worker: &mut Worker, stream, version: &str| {
        let answer = inferred(version.into(), 0.5);
        worker.pair(stream, (200, &inferred(Value::Null, 0.5)), (200, &answer));
    };
    for (stream, version) in (1..).zip(["a;b", "other", "a;b", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v8", "v2"]) {
        serve(&mut worker, stream, version);
    }
    let mut want = counts([("a_b", 2), ("v2", 2), ("v8", 2), ("other", 2)]);
    want.extend(["v3", "v4", "v5", "v6", "v7"].map(|version| (version.to_owned(), 1)));
    assert_eq!(by(&worker, "gnomon_model_versions_total", "subject=.=s;", "model_version"), want);
    assert_eq!(worker.loads(), 9, "each of eight, and one too many; `other` itself is no value");

    // In a new VM the eight are known from the start, and one beyond is asked for once.
    let mut next = Worker::after(worker, open.clone());
    next.configure(2, open);
    assert_eq!(next.defined(&["subject=.=s;.;model_version=.=v8;"]), 2, "by each configuration");
    next.handle(Event::Retire { root: ROOT });
    for (stream, version) in (1..).zip(["v8", "a;b", "v9", "v10"]) {
        next.request(2, stream, &[], true);
        next.handle(Event::Work { root: 2 });
        let pair = next.take_copies()[0];
        next.handle(Event::Dispatched { pair, result: Ok(stream) });
        next.answer(stream, 200, &inferred(version.into(), 0.5));
        next.end(stream);
        next.shadow(stream, 200, &inferred(version.into(), 0.5));
    }
    assert_eq!(by(&next, "gnomon_model_versions_total", "subject=.=s;", "model_version"), counts([("v8", 1), ("a_b", 1), ("other", 2)]));
    let none = by(&next, "gnomon_model_versions_total", "subject=.=none;", "model_version");
    assert_eq!(none, counts([("v8", 1), ("a_b", 1), ("v9", 1), ("v10", 1)]), "each subject has a registry of its own");
}
