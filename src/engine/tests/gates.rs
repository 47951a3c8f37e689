//! Gates at work: what is counted, what is shown, and when.

use std::time::Duration;

mod against_baseline;
mod guardrail;
mod misrouted;
mod observed;
mod properties;
mod triplets;
mod updates;
mod warmup;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::worker::{ROOT, Worker, config, merge};
use crate::engine::effect::Line;
use crate::engine::ending::Ending;
use crate::engine::event::Event;
use crate::stats::memory::Memory;

const UNDECIDED: i64 = 0;
const PASS: i64 = 1;
const FAIL: i64 = 2;

/// So many answers, all good or all bad, are enough at a limit of 50 % and an alpha of 5 %: see the table in `crate::gate::tests`.
const TO_PASS: usize = 6;
const TO_FAIL: usize = 7;

/// The usual configuration with `change` put over its only route.
fn route(change: Value) -> Value {
    let mut all = config(json!({}));
    merge(&mut all["routes"][0], change);
    all
}

/// A route without shadows, of which canary `v2` answers all requests, with these gates.
fn canary(gates: Value) -> Value {
    let split = json!({"baseline": "v1", "canaries": [{"name": "v2", "percent": 100}], "key": "request"});
    route(json!({"shadows": [], "split": split, "gates": gates}))
}

/// A gate `errors` on answers of `v2` that fail, with a limit of 50 %, with `change` put over it.
fn errors(change: Value) -> Value {
    let mut gate = json!({"name": "errors", "of": "v2", "measure": "failed", "limit": 50});
    merge(&mut gate, change);
    gate
}

/// A gate of the only shadow.
fn of_shadow(name: &str, measure: &str, limit: f64) -> Value {
    json!({"name": name, "of": "s", "measure": measure, "limit": limit})
}

/// So many requests with this header, which the client gets this answer to.
fn answers(worker: &mut Worker, header: (&str, &str), status: u16, how_many: usize) {
    for _ in 0..how_many {
        worker.request(ROOT, 1, &[header], true);
        worker.answer(1, status, "");
        worker.end(1);
    }
}

const ANY: (&str, &str) = ("x-any", "any");

fn good(worker: &mut Worker, how_many: usize) {
    answers(worker, ANY, 200, how_many);
}

fn bad(worker: &mut Worker, how_many: usize) {
    answers(worker, ANY, 503, how_many);
}

/// Sets the counters of the only gate, as if other workers had counted for it, and judged nothing.
fn count_elsewhere(worker: &Worker, bad: i64, trials: i64) {
    let mut host = worker.host_mut();
    for (stat, count) in [("gnomon_gate_bad_total", bad), ("gnomon_gate_trials_total", trials)] {
        let (_, name) = host.defined.iter().find(|(_, name)| name.starts_with(stat)).unwrap().clone();
        host.values.insert(name, count);
    }
}

/// The value of a gate's series in a slice.
fn shown(worker: &Worker, stat: &str, gate: &str, slice: &str) -> i64 {
    worker.sum(&[stat, &format!("gate=.={gate};"), &format!("slice=.={slice};")])
}

/// Bad trials, trials and state of a gate in a slice.
fn told(worker: &Worker, gate: &str, slice: &str) -> (i64, i64, i64) {
    let told = |stat| shown(worker, stat, gate, slice);
    (told("gnomon_gate_bad_total"), told("gnomon_gate_trials_total"), told("gnomon_gate_state"))
}

/// Bad trials, trials and state of `errors`.
fn of_errors(worker: &Worker) -> (i64, i64, i64) {
    told(worker, "errors", "all")
}

/// Lines on gates, by the member that tells what they are of.
fn lines<'a>(worker: &'a Worker, member: &str) -> Vec<&'a Value> {
    worker.evidence.iter().filter(|line| line.get(member).is_some()).collect()
}

#[test]
fn by_what_a_gate_judges_is_shown_from_the_start() {
    let coverage =
        json!({"name": "covered", "of": "s", "measure": "coverage", "limit": 90, "alpha": 0.01, "min_trials": 7, "requires": "none"});
    let each =
        json!({"name": "each", "of": "s", "measure": "diverged", "limit": 2.5, "alpha": 0.03, "each_slice": true, "requires": "no-fail"});
    let slices = json!({"header": "x-region", "values": ["eu", "us"]});
    let worker = Worker::new(route(json!({"gates": [of_shadow("plain", "failed", 1.0), coverage, each], "slices": slices})));
    for (gate, slice, terms) in [
        ("plain", "all", [10_000, 50_000, 0, 2]),
        ("covered", "all", [100_000, 10_000, 7, 0]),
        ("each", "eu", [25_000, 10_000, 0, 1]),
        ("each", "us", [25_000, 10_000, 0, 1]),
        ("each", "other", [25_000, 10_000, 0, 1]),
        ("each", "all", [0, 0, 0, 1]),
    ] {
        let stats = ["gnomon_gate_limit_ppm", "gnomon_gate_alpha_ppm", "gnomon_gate_min_trials", "gnomon_gate_requires"];
        assert_eq!(stats.map(|stat| shown(&worker, stat, gate, slice)), terms, "{gate} {slice}");
        assert_eq!(told(&worker, gate, slice), (0, 0, UNDECIDED), "{gate} {slice}");
    }
    let defined = |stat: &str| worker.defined(&[stat]);
    assert_eq!(["gnomon_gate_bad_total", "gnomon_gate_limit_ppm", "gnomon_gate_state", "gnomon_gate_requires"].map(defined), [5, 5, 6, 6]);
}

#[test]
fn every_answer_of_its_subject_is_a_trial_and_no_other() {
    let baseline = json!({"name": "old", "of": "v1", "measure": "failed", "limit": 50});
    let mut configuration = canary(json!([errors(json!({})), baseline]));
    configuration["routes"][0]["split"]["pins"] = json!([{"header": "x-any", "exact": "v1", "variant": "v1"}]);
    let mut worker = Worker::new(configuration);
    good(&mut worker, 2);
    bad(&mut worker, 1);
    answers(&mut worker, ANY, 404, 1);
    answers(&mut worker, ("x-any", "v1"), 500, 1);
    assert_eq!((of_errors(&worker), told(&worker, "old", "all")), ((1, 4, UNDECIDED), (1, 1, UNDECIDED)));
    for ending in [Ending::Broken, Ending::ClientLeft] {
        worker.request(ROOT, 1, &[], true);
        worker.handle(Event::StreamEnd { stream: 1, ending, first_byte: None });
    }
    assert_eq!(of_errors(&worker), (2, 5, UNDECIDED), "who left is no trial");
    assert_eq!(worker.sum(&["gnomon_anomalies_total"]), 0);
}

#[test]
fn a_pass_is_not_for_good_and_a_fail_is() {
    let mut worker = Worker::new(canary(json!([errors(json!({}))])));
    good(&mut worker, TO_PASS - 1);
    assert_eq!(of_errors(&worker), (0, 5, UNDECIDED));
    good(&mut worker, 1);
    assert_eq!(of_errors(&worker), (0, 6, PASS));
    bad(&mut worker, 1);
    assert_eq!(of_errors(&worker), (1, 7, UNDECIDED));
    good(&mut worker, 10);
    assert_eq!(of_errors(&worker), (1, 17, PASS));
    bad(&mut worker, 40);
    assert_eq!((of_errors(&worker), worker.sum(&["gnomon_gate_failures_total"])), ((41, 57, FAIL), 1), "also after a pass");
    good(&mut worker, 500);
    assert_eq!((of_errors(&worker), worker.sum(&["gnomon_gate_failures_total"])), ((41, 557, FAIL), 1));
    let [line] = lines(&worker, "state")[..] else { panic!("{:?}", worker.evidence) };
    assert_eq!(
        (&line["state"], &line["gate"], &line["subject"], &line["slice"]),
        (&"fail".into(), &"errors".into(), &"v2".into(), &"all".into())
    );
    assert_eq!((&line["limit_ppm"], &line["e_value_needed"]), (&500_000.into(), &20.0.into()));
    let [bad, trials, e_value] = ["bad", "trials", "e_value"].map(|member| line[member].as_f64().unwrap());
    assert!(bad < 41.0 && trials == bad + 16.0 && e_value >= 20.0, "{line}");
}

#[test]
fn a_gate_fails_with_the_trial_that_is_enough_and_not_before_min_trials() {
    for (min_trials, trials) in [(0, TO_FAIL), (TO_FAIL, TO_FAIL), (12, 12)] {
        let mut worker = Worker::new(canary(json!([errors(json!({"min_trials": min_trials}))])));
        bad(&mut worker, trials - 1);
        assert_eq!(of_errors(&worker).2, UNDECIDED, "{min_trials}");
        bad(&mut worker, 1);
        assert_eq!(of_errors(&worker).2, FAIL, "{min_trials}");
    }
}

#[test]
fn latencies_of_answers_and_first_bytes_are_measured_from_the_request() {
    let slow = json!({"name": "slow", "of": "v2", "measure": "slower_than", "threshold": "100ms", "limit": 50});
    let first = json!({"name": "first", "of": "v2", "measure": "first_byte_slower_than", "threshold": "50ms", "limit": 50});
    let mut configuration = canary(json!([slow, first]));
    configuration["routes"][0]["protocol"] = "openai".into();
    let mut worker = Worker::new(configuration);
    for (content_type, first_byte, took) in [("text/event-stream", 51, 101), ("text/event-stream", 50, 100), ("application/json", 99, 200)]
    {
        worker.request(ROOT, 1, &[], true);
        let begun = worker.now;
        let mut head = super::head(200);
        head.content_type = content_type.into();
        worker.handle(Event::ResponseHeaders { stream: 1, head });
        let ending = Ending::Answered { at: begun.after(Duration::from_millis(took)), grpc_status: None };
        worker.handle(Event::StreamEnd { stream: 1, ending, first_byte: Some(begun.after(Duration::from_millis(first_byte))) });
    }
    assert_eq!((told(&worker, "slow", "all"), told(&worker, "first", "all")), ((2, 3, UNDECIDED), (1, 2, UNDECIDED)));
}

#[test]
fn one_pair_counts_for_every_gate_of_its_shadow() {
    let cost = json!({"name": "cost", "of": "s", "measure": "costlier_than_primary", "margin": 10, "limit": 50});
    let late = json!({"name": "late", "of": "s", "measure": "slower_than_primary", "margin": "20ms", "limit": 50});
    let slow = json!({"name": "slow", "of": "s", "measure": "slower_than", "threshold": "1s", "limit": 50});
    let gates = json!([
        of_shadow("agreement", "diverged", 50.0),
        of_shadow("errors", "failed", 50.0),
        of_shadow("coverage", "coverage", 50.0),
        cost,
        late,
        slow
    ]);
    let mut worker = Worker::new(route(json!({"protocol": "openai", "gates": gates})));
    let said = |text: &str, tokens: u64| {
        let choice = json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
        json!({"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": tokens}}).to_string()
    };
    let (noon, night) = (said("noon", 3), said("night", 9));
    let counts = |worker: &Worker| {
        ["agreement", "errors", "coverage", "cost", "late", "slow"].map(|gate| told(worker, gate, "all")).map(|told| (told.0, told.1))
    };
    worker.pair(1, (200, &noon), (200, &noon));
    assert_eq!(counts(&worker), [(0, 1), (0, 1), (0, 1), (0, 0), (0, 0), (0, 1)]);
    worker.pair(1, (200, &noon), (200, &night));
    assert_eq!(counts(&worker), [(1, 2), (0, 2), (0, 2), (1, 1), (0, 0), (0, 2)]);
    worker.pair(1, (200, &noon), (503, ""));
    assert_eq!(counts(&worker), [(1, 2), (1, 3), (1, 3), (1, 1), (0, 0), (0, 2)]);
    worker.pair(1, (200, &noon), (200, "{"));
    assert_eq!(counts(&worker), [(1, 2), (2, 4), (2, 4), (1, 1), (0, 0), (0, 3)]);
    worker.pair(1, (503, ""), (200, &noon));
    assert_eq!(counts(&worker), [(1, 2), (2, 4), (3, 5), (1, 1), (0, 0), (0, 4)]);
    // A request that both refuse alike is no trial of anything.
    worker.pair(1, (404, ""), (404, ""));
    assert_eq!(counts(&worker), [(1, 2), (2, 4), (3, 5), (1, 1), (0, 0), (0, 4)]);
    // The primary waits for nothing; the shadow's host gives up after two seconds.
    worker.request(ROOT, 1, &[], true);
    worker.send(1);
    worker.answer(1, 200, &noon);
    worker.end(1);
    worker.pass(Duration::from_secs(2));
    worker.handle(Event::ShadowAnswered { token: 1, reply: None });
    assert_eq!(counts(&worker), [(1, 2), (3, 5), (4, 6), (1, 1), (1, 1), (1, 5)]);
    // Never sent, and sampled all the same.
    worker.request(ROOT, 1, &[("upgrade", "websocket"), ("connection", "upgrade")], true);
    worker.answer(1, 101, "");
    worker.end(1);
    assert_eq!(counts(&worker), [(1, 2), (3, 5), (5, 7), (1, 1), (1, 1), (1, 5)]);
    worker.assert_at_rest();
}

/// What a comparison finds reaches the measures that go by decisions.
#[test]
fn a_pair_that_flips_is_one_trial_in_the_direction_of_its_gate() {
    let flips = |direction| json!({"name": direction, "of": "s", "measure": "flipped", "direction": direction, "limit": 50});
    let task = json!({"decision": {"path": "scores[*]", "thresholds": [0.3, 0.7], "names": ["approve", "ask", "block"]}});
    let gates = json!([flips("up"), flips("down"), flips("both")]);
    let mut worker = Worker::new(route(json!({"compare": {"task": task}, "gates": gates})));
    let scores = |scores: [f64; 2]| json!({"scores": scores}).to_string();
    for (shadow, up, down, both) in
        [([0.2, 0.6], (0, 1), (0, 1), (0, 1)), ([0.5, 0.8], (1, 2), (0, 2), (1, 2)), ([0.1, 0.1], (1, 3), (1, 3), (2, 3))]
    {
        worker.pair(1, (200, &scores([0.1, 0.5])), (200, &scores(shadow)));
        let counts = ["up", "down", "both"].map(|gate| told(&worker, gate, "all")).map(|(bad, trials, _)| (bad, trials));
        assert_eq!(counts, [up, down, both], "{shadow:?}");
    }
}

const REGIONS: [&str; 2] = ["eu", "us"];

/// The gate `errors` on each slice, with `change` put over it.
fn sliced(change: Value) -> Value {
    let mut gate = errors(json!({"each_slice": true}));
    merge(&mut gate, change);
    let mut all = canary(json!([gate]));
    all["routes"][0]["slices"] = json!({"header": "x-region", "values": REGIONS});
    all
}

#[test]
fn a_trial_counts_in_its_own_slice_alone() {
    let mut worker = Worker::new(sliced(json!({})));
    let state = |worker: &Worker| shown(worker, "gnomon_gate_state", "errors", "all");
    for (region, status) in [("eu", 200), ("us", 503), ("us", 200), ("asia", 503), ("EU", 200), ("all", 200), ("other", 200)] {
        answers(&mut worker, ("x-region", region), status, 1);
    }
    answers(&mut worker, ANY, 200, 1);
    assert_eq!(
        [&REGIONS[..], &["other", "all"]].concat().iter().map(|slice| told(&worker, "errors", slice)).collect::<Vec<_>>(),
        [(0, 1, UNDECIDED), (1, 2, UNDECIDED), (1, 5, UNDECIDED), (0, 0, UNDECIDED)]
    );
    assert_eq!(state(&worker), UNDECIDED);
    // Without `each_slice` all slices are one.
    let mut worker = Worker::new(sliced(json!({"each_slice": false})));
    for region in ["eu", "us", "asia"] {
        answers(&mut worker, ("x-region", region), 503, 1);
    }
    assert_eq!(of_errors(&worker), (3, 3, UNDECIDED));
    assert_eq!(worker.sum(&["gnomon_gate_trials_total"]), 3);
}

#[test]
fn slices_pass_together_and_fail_alone() {
    let mut worker = Worker::new(sliced(json!({})));
    let states = |worker: &Worker| ["eu", "us", "other", "all"].map(|slice| shown(worker, "gnomon_gate_state", "errors", slice));
    // (With a third of the chance of a false alarm it takes some more.)
    answers(&mut worker, ("x-region", "eu"), 200, 30);
    assert_eq!(states(&worker), [PASS, UNDECIDED, UNDECIDED, UNDECIDED]);
    answers(&mut worker, ("x-region", "us"), 200, 30);
    assert_eq!(states(&worker), [PASS, PASS, UNDECIDED, PASS], "what never came blocks nothing");
    answers(&mut worker, ANY, 200, 1);
    assert_eq!(states(&worker), [PASS, PASS, UNDECIDED, UNDECIDED], "its first trial does");
    answers(&mut worker, ANY, 200, 30);
    assert_eq!(states(&worker), [PASS; 4]);
    answers(&mut worker, ("x-region", "us"), 503, 4);
    assert_eq!(states(&worker), [PASS, PASS, PASS, PASS]);
    answers(&mut worker, ("x-region", "us"), 503, 200);
    assert_eq!(states(&worker), [PASS, FAIL, PASS, FAIL]);
    answers(&mut worker, ("x-region", "us"), 200, 2_000);
    assert_eq!(states(&worker), [PASS, FAIL, PASS, FAIL]);
    assert_eq!(states(&Worker::beside(&worker, sliced(json!({})))), [PASS, FAIL, PASS, FAIL], "a worker that starts later finds the same");
    let [line] = lines(&worker, "state")[..] else { panic!("{:?}", worker.evidence) };
    assert_eq!(line["slice"], "us");
    for (slice, terms) in [("eu", 16_666), ("all", 0)] {
        assert_eq!(shown(&worker, "gnomon_gate_alpha_ppm", "errors", slice), terms);
    }
}

#[test]
fn what_is_never_read_counts_in_the_slice_other() {
    let gate = json!({"name": "covered", "of": "s", "measure": "coverage", "limit": 50, "each_slice": true});
    let slices = json!({"body": "region", "values": REGIONS});
    let mut configuration = route(json!({"gates": [gate], "slices": slices}));
    configuration["limits"] = json!({"body": "100B"});
    let mut worker = Worker::new(configuration);
    for (body, shadow) in [(r#"{"region": "us"}"#, 200), (r#"{"region": "us"}"#, 503), (r#"{"region": "asia"}"#, 200), ("{", 200)] {
        worker.request(ROOT, 1, &[], false);
        worker.upload(1, body, true);
        assert_eq!(worker.send(1), 1);
        worker.answer(1, 200, "{}");
        worker.end(1);
        worker.shadow(1, shadow, "{}");
    }
    worker.request(ROOT, 1, &[("upgrade", "websocket"), ("connection", "upgrade")], true);
    worker.end(1);
    worker.request(ROOT, 1, &[], false);
    worker.upload(1, &format!(r#"{{"region": "us", "pad": "{}"}}"#, "x".repeat(100)), true);
    worker.end(1);
    assert_eq!(["eu", "us", "other"].map(|slice| told(&worker, "covered", slice)), [(0, 0, 0), (1, 2, 0), (2, 4, 0)]);
    worker.assert_at_rest();
}

/// Envoy drops what its `stats_matcher` excludes: such a gauge stays 0 whatever is written. Nobody may wait for it.
#[test]
fn a_gauge_that_keeps_nothing_ends_no_worker() {
    for dropped in ["gnomon_gate_state", "slice=.=all;", "gnomon_gate_failures_total"] {
        let mut worker = Worker::new(sliced(json!({})));
        worker.host_mut().dropped = Some(dropped);
        for region in REGIONS {
            answers(&mut worker, ("x-region", region), 200, 30);
        }
        answers(&mut worker, ANY, 503, 30);
        assert_eq!(told(&worker, "errors", "other").1, 30, "{dropped}");
    }
}

/// That is said, once for each configuration.
#[test]
fn figures_that_the_host_does_not_keep_are_told_of() {
    for (dropped, expected) in [
        (None, 0),
        (Some("gnomon_"), 1),
        (Some("gnomon_build_info"), 1),
        (Some("gnomon_configuration"), 1),
        (Some("gnomon_gate_"), 1),
        (Some("gnomon_gate_limit_ppm"), 1),
        (Some("gnomon_gate_alpha_ppm"), 1),
        (Some("gnomon_gate_min_trials"), 1),
        (Some("gnomon_gate_requires"), 1),
        (Some("gnomon_started_microseconds"), 1),
        (Some("gnomon_split_ppm"), 1),
        (Some("gnomon_gate_failures_total"), 0),
        (Some("gnomon_pairs_total"), 0),
    ] {
        let mut worker = Worker::on(Memory { dropped, ..Memory::default() }, sliced(json!({"min_trials": 1})));
        for _ in 0..2 {
            let said = worker.lines.iter().filter(|line| matches!(line, Line::Error(line) if line.contains("a stats matcher hides them")));
            assert_eq!((said.count(), worker.sum(&["gnomon_anomalies_total"])), (expected, 0), "{dropped:?}: {:?}", worker.lines);
            good(&mut worker, 1);
            worker.configure(ROOT, sliced(json!({"min_trials": 1})));
        }
    }
}

/// Counters can't be read back before they have counted. A gate that loses one is not judged, and that is said once.
#[test]
fn a_gate_whose_counters_are_hidden_decides_nothing() {
    let guarded = |gates: Value| {
        let mut all = canary(gates);
        all["routes"][0]["guardrail"] = json!({"gates": ["errors"]});
        all
    };
    for (dropped, good_ones, expected, lines) in [
        ("gnomon_gate_trials_total", 0, (30, 0, UNDECIDED), 1),
        ("gnomon_gate_bad_total", 0, (0, 30, UNDECIDED), 1),
        // Good ones do not hide what was lost.
        ("gnomon_gate_bad_total", 300, (0, 330, UNDECIDED), 1),
        // (The guardrail cuts the canary off.)
        ("gnomon_pairs_total", 0, (20, 20, FAIL), 0),
    ] {
        let host = Memory { dropped: Some(dropped), ..Memory::default() };
        let mut worker = Worker::on(host, guarded(json!([errors(json!({}))])));
        bad(&mut worker, 30);
        good(&mut worker, good_ones);
        assert_eq!(of_errors(&worker), expected, "{dropped}");
        let said = worker.lines.iter().filter(|line| matches!(line, Line::Error(line) if line.starts_with(dropped)));
        assert_eq!(said.count(), lines, "{dropped}: {:?}", worker.lines);
        assert_eq!(worker.sum(&["gnomon_guardrail_tripped"]), i64::from(lines == 0), "{dropped}");
        // Once they are kept, they count.
        worker.host_mut().dropped = None;
        bad(&mut worker, 1000);
        assert_eq!(of_errors(&worker).2, FAIL, "{dropped}");
    }
}
