//! Warm-up: the first part of what a subject does counts for no gate.

use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{ANY, answers, bad, canary, errors, good, of_errors, of_shadow, route, told};
use crate::engine::ending::Ending;
use crate::engine::event::{CallError, Event};
use crate::engine::tests::worker::{ROOT, Worker, at};
use crate::timestamp::Timestamp;

fn warming(warmup: Value) -> Value {
    let mut all = canary(json!([errors(json!({}))]));
    all["routes"][0]["split"]["canaries"][0]["warmup"] = warmup;
    all
}

fn left_out(worker: &Worker) -> i64 {
    worker.sum(&["gnomon_warmup_total", "subject=.=v2;"])
}

fn began(worker: &Worker) -> i64 {
    worker.sum(&["gnomon_warmup_began_milliseconds", "subject=.=v2;"])
}

fn milliseconds(time: Timestamp) -> i64 {
    time.millis() as i64
}

#[test]
fn the_first_answers_count_for_no_gate_and_for_all_else() {
    let mut worker = Worker::new(warming(json!({"pairs": 20})));
    bad(&mut worker, 20);
    assert_eq!((of_errors(&worker), left_out(&worker)), ((0, 0, 0), 20));
    assert_eq!(worker.sum(&["gnomon_responses_total", "variant=.=v2;", "class=.=5xx"]), 20);
    good(&mut worker, 3);
    bad(&mut worker, 1);
    assert_eq!((of_errors(&worker), left_out(&worker)), ((1, 4, 0), 20));
}

#[test]
fn a_time_begins_with_the_first_answer_and_ends_to_the_millisecond() {
    let mut worker = Worker::new(warming("30s".into()));
    assert_eq!(began(&worker), 0);
    worker.pass(Duration::from_secs(1_000));
    let begun = worker.now;
    for (after, trials) in [(0, 0), (1, 0), (29_999, 0), (30_000, 1), (30_001, 2)] {
        worker.now = begun.after(Duration::from_millis(after));
        good(&mut worker, 1);
        assert_eq!((of_errors(&worker).1, began(&worker)), (trials, milliseconds(begun)), "{after}");
    }
    assert_eq!(left_out(&worker), 3);
}

#[test]
fn a_clock_that_is_set_back_begins_it_anew_and_ends_it_all_the_same() {
    let mut worker = Worker::new(warming("30s".into()));
    let begun = worker.now;
    good(&mut worker, 1);
    worker.now = begun.before(Duration::from_secs(5_000));
    good(&mut worker, 1);
    assert_eq!((began(&worker), left_out(&worker)), (milliseconds(begun) - 5_000_000, 2));
    worker.pass(Duration::from_secs(29));
    good(&mut worker, 1);
    assert_eq!(of_errors(&worker).1, 0);
    worker.pass(Duration::from_secs(1));
    good(&mut worker, 1);
    assert_eq!(of_errors(&worker).1, 1);
    // Once it is over it stays so, for who has seen it.
    worker.now = begun.before(Duration::from_secs(9_000));
    good(&mut worker, 1);
    assert_eq!((of_errors(&worker).1, left_out(&worker)), (2, 3));
}

#[test]
fn a_clock_at_either_end_of_time_harms_nobody() {
    for first in [Duration::ZERO, Duration::MAX].map(at) {
        let mut worker = Worker::new(warming("30s".into()));
        worker.now = first;
        good(&mut worker, 2);
        worker.now = at(Duration::from_secs(1_000_000));
        good(&mut worker, 1);
        worker.pass(Duration::from_secs(30));
        good(&mut worker, 1);
        assert_eq!((of_errors(&worker).1, left_out(&worker)), (1, 3), "{first:?}");
    }
}

/// It is in the statistics, not in a worker: whoever starts later goes on with it, and a new experiment begins it anew.
#[test]
fn whoever_starts_later_goes_on_with_it() {
    let mut worker = Worker::new(warming(json!({"pairs": 4})));
    good(&mut worker, 3);
    worker.configure(ROOT, warming(json!({"pairs": 4})));
    good(&mut worker, 3);
    assert_eq!((of_errors(&worker).1, left_out(&worker)), (2, 4));
    worker.configure(ROOT, warming(json!({"pairs": 6})));
    good(&mut worker, 3);
    assert_eq!((of_errors(&worker).1, left_out(&worker)), (3, 6), "a longer one goes on");
    let mut other = warming(json!({"pairs": 4}));
    other["experiment"] = "f".into();
    worker.configure(ROOT, other);
    good(&mut worker, 5);
    let told = |stat| worker.sum(&[stat, "experiment=.=f;"]);
    assert_eq!((told("gnomon_gate_trials_total"), told("gnomon_warmup_total")), (1, 4));
}

#[test]
fn a_guardrail_waits_for_it() {
    let mut configuration = warming(json!({"pairs": 50}));
    configuration["routes"][0]["guardrail"] = json!({"gates": ["errors"]});
    let mut worker = Worker::new(configuration);
    bad(&mut worker, 69);
    assert_eq!(worker.sum(&["gnomon_guardrail_tripped"]), 0);
    bad(&mut worker, 1);
    assert_eq!(worker.sum(&["gnomon_guardrail_tripped"]), 1);
}

#[test]
fn a_shadow_warms_up_by_its_answers_whatever_becomes_of_them() {
    let mut configuration = route(json!({"gates": [of_shadow("agreement", "diverged", 50.0), of_shadow("coverage", "coverage", 50.0)]}));
    configuration["routes"][0]["shadows"][0]["warmup"] = json!({"pairs": 3});
    let mut worker = Worker::new(configuration);
    worker.pair(1, (200, "1"), (200, "2"));
    worker.pair(1, (200, "1"), (503, ""));
    worker.pair(1, (503, ""), (200, "1"));
    let counts = |worker: &Worker| ["agreement", "coverage"].map(|gate| told(worker, gate, "all"));
    assert_eq!(counts(&worker), [(0, 0, 0); 2]);
    assert_eq!((worker.sum(&["gnomon_warmup_total", "subject=.=s;"]), worker.sum(&["gnomon_pairs_total"])), (3, 1));
    worker.pair(1, (200, "1"), (200, "2"));
    assert_eq!(counts(&worker), [(1, 1, 0), (0, 1, 0)]);
    worker.assert_at_rest();
}

/// A pod that starts late is no warmer for the copies that could not be sent to it.
#[test]
fn what_is_not_sent_and_who_does_not_wait_warm_nothing_up() {
    let mut configuration = warming(json!({"pairs": 3}));
    configuration["routes"][0]["gates"] = json!([errors(json!({})), of_shadow("coverage", "coverage", 50.0)]);
    let shadow = json!({"name": "s", "cluster": "c", "percent": 100, "of": ["v1", "v2"], "warmup": {"pairs": 3}});
    configuration["routes"][0]["shadows"] = json!([shadow]);
    let mut worker = Worker::new(configuration);
    for stream in 1..=5 {
        worker.request(ROOT, stream, &[], true);
        worker.work();
        for pair in worker.take_copies() {
            worker.handle(Event::Dispatched { pair, result: Err(CallError::NoCluster) });
        }
        worker.handle(Event::StreamEnd { stream, ending: Ending::ClientLeft, first_byte: None });
    }
    assert_eq!(worker.sum(&["outcome=.=unsent_no_cluster"]), 5);
    assert_eq!((worker.sum(&["gnomon_warmup_total"]), worker.sum(&["gnomon_gate_trials_total"])), (0, 0));
}

#[test]
fn what_has_no_gate_warms_nothing_up() {
    let mut configuration = warming(json!({"pairs": 3}));
    configuration["routes"][0]["gates"] = json!([]);
    let unwarmed = Worker::new(canary(json!([errors(json!({}))])));
    assert_eq!(unwarmed.defined(&["gnomon_warmup"]), 0, "only who warms up has its series");
    let mut worker = Worker::new(configuration);
    answers(&mut worker, ANY, 200, 5);
    assert_eq!((left_out(&worker), began(&worker)), (0, 0));
    worker.configure(ROOT, warming(json!({"pairs": 3})));
    answers(&mut worker, ANY, 200, 5);
    assert_eq!((of_errors(&worker).1, left_out(&worker)), (2, 3));
}
