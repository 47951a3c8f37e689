//! Gates of a canary to which the mesh sends requests: of its answers alone, and against the baseline by pairs of requests.

use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{FAIL, PASS, TO_FAIL, TO_PASS, UNDECIDED, errors, merge, route, shown, told};
use crate::engine::ending::Ending;
use crate::engine::event::Event;
use crate::engine::ids::StreamId;
use crate::engine::tests::worker::{ROOT, Worker};
use crate::limits::MAX_ORDERED;

/// A route that observes `v1`, `v2` and `v3` at clusters of the same names, with these gates and `change` put over it.
fn observed(gates: Value, change: Value) -> Value {
    let variants: Vec<Value> = ["v1", "v2", "v3"].map(|name| json!({"name": name, "cluster": {"exact": name}})).into();
    let mut all = route(json!({"protocol": "auto", "shadows": [], "gates": gates, "observe": {"baseline": "v1", "variants": variants}}));
    merge(&mut all["routes"][0], change);
    all
}

fn worse(event: Value) -> Value {
    json!({"name": "worse", "of": "v2", "measure": "worse_than_baseline", "event": event, "limit": 50})
}

fn begin(worker: &mut Worker, stream: StreamId) {
    worker.request(ROOT, stream, &[], true);
}

/// The stream ends with this answer of a cluster.
fn end(worker: &mut Worker, stream: StreamId, cluster: &str, status: u16) {
    worker.answer(stream, status, "");
    worker.handle(Event::AnsweredBy { stream, cluster: cluster.to_owned() });
    worker.handle(Event::StreamEnd { stream, ending: Ending::Answered { at: worker.now, grpc_status: None }, first_byte: None });
}

fn answer(worker: &mut Worker, cluster: &str, status: u16) {
    begin(worker, 1);
    end(worker, 1, cluster, status);
}

fn left(worker: &mut Worker, cluster: &str) {
    begin(worker, 1);
    worker.handle(Event::AnsweredBy { stream: 1, cluster: cluster.to_owned() });
    worker.handle(Event::StreamEnd { stream: 1, ending: Ending::ClientLeft, first_byte: None });
}

/// Bad trials, trials and state of `worse`.
fn of_worse(worker: &Worker) -> (i64, i64, i64) {
    told(worker, "worse", "all")
}

#[test]
fn a_gate_counts_the_answers_of_its_variants_cluster() {
    let of_baseline = json!({"name": "baseline", "of": "v1", "measure": "failed", "limit": 50});
    let mut worker = Worker::new(observed(json!([errors(json!({})), of_baseline]), json!({})));
    for cluster in ["v1", "v3", "elsewhere"] {
        (0..TO_FAIL).for_each(|_| answer(&mut worker, cluster, 503));
    }
    assert_eq!((told(&worker, "errors", "all"), told(&worker, "baseline", "all").2), ((0, 0, UNDECIDED), FAIL));
    left(&mut worker, "v2");
    (0..TO_PASS).for_each(|_| answer(&mut worker, "v2", 200));
    assert_eq!(told(&worker, "errors", "all"), (0, TO_PASS as i64, PASS));
    (0..20).for_each(|_| answer(&mut worker, "v2", 503));
    assert_eq!(told(&worker, "errors", "all").2, FAIL);
}

#[test]
fn a_warm_up_begins_with_the_first_answer_of_the_canary() {
    let variants = json!([{"name": "v1", "cluster": {"exact": "v1"}}, {"name": "v2", "cluster": {"exact": "v2"}, "warmup": "30s"}]);
    let gates = json!([errors(json!({})), worse(json!("failed"))]);
    let mut worker = Worker::new(observed(gates, json!({"observe": {"variants": variants}})));
    let both = |worker: &mut Worker| {
        answer(worker, "v1", 200);
        answer(worker, "v2", 503);
    };
    both(&mut worker);
    worker.pass(Duration::from_secs(29));
    both(&mut worker);
    begin(&mut worker, 2);
    worker.pass(Duration::from_secs(2));
    end(&mut worker, 2, "v1", 503);
    assert_eq!((told(&worker, "errors", "all").1, of_worse(&worker).1), (0, 0));
    both(&mut worker);
    assert_eq!(
        (told(&worker, "errors", "all"), of_worse(&worker)),
        ((1, 1, UNDECIDED), (1, 1, UNDECIDED)),
        "what began before is in no pair"
    );
}

#[test]
fn a_pair_in_which_one_has_the_event_is_a_trial() {
    let mut worker = Worker::new(observed(json!([worse(json!("failed"))]), json!({})));
    assert_eq!(shown(&worker, "gnomon_gate_limit_ppm", "worse", "all"), 500_000);
    for (first, second, expected) in [
        (("v1", 200), ("v2", 503), (1, 1)),
        (("v2", 503), ("v1", 200), (2, 2)),
        (("v2", 200), ("v1", 503), (2, 3)),
        (("v1", 503), ("v2", 503), (2, 3)),
        (("v1", 200), ("v2", 200), (2, 3)),
        (("v2", 503), ("v2", 503), (2, 3)),
        (("v1", 503), ("v1", 200), (2, 3)),
    ] {
        answer(&mut worker, first.0, first.1);
        // Of these nobody knows what they would have been: they are in no pair, and in nobody's way.
        left(&mut worker, "v1");
        left(&mut worker, "v2");
        answer(&mut worker, "elsewhere", 503);
        answer(&mut worker, "v3", 503);
        answer(&mut worker, second.0, second.1);
        assert_eq!(of_worse(&worker), (expected.0, expected.1, UNDECIDED), "{first:?} {second:?}");
        assert_eq!(shown(&worker, "gnomon_gate_limit_sum_ppm_total", "worse", "all"), expected.1 * 500_000, "each with the gate's limit");
    }
    for _ in 0..2 * TO_FAIL {
        answer(&mut worker, "v1", 200);
        answer(&mut worker, "v2", 503);
    }
    assert_eq!(of_worse(&worker).2, FAIL);
    for _ in 0..100 {
        answer(&mut worker, "v1", 503);
        answer(&mut worker, "v2", 200);
    }
    assert_eq!(of_worse(&worker).2, FAIL, "for good");
}

#[test]
fn canaries_have_pairs_of_their_own() {
    let of_v3 = json!({"name": "third", "of": "v3", "measure": "worse_than_baseline", "event": "failed", "limit": 50});
    let mut worker = Worker::new(observed(json!([worse(json!("failed")), of_v3]), json!({})));
    answer(&mut worker, "v2", 503);
    answer(&mut worker, "v3", 503);
    assert_eq!((of_worse(&worker).1, told(&worker, "third", "all").1), (0, 0), "canaries are not set against each other");
    answer(&mut worker, "v1", 200);
    assert_eq!((of_worse(&worker), told(&worker, "third", "all")), ((1, 1, UNDECIDED), (1, 1, UNDECIDED)));
}

/// Whoever answers first.
#[test]
fn requests_are_paired_in_the_order_in_which_they_begin() {
    let mut worker = Worker::new(observed(json!([worse(json!("failed"))]), json!({})));
    (1..=4).for_each(|stream| begin(&mut worker, stream));
    end(&mut worker, 4, "v2", 503);
    end(&mut worker, 2, "v2", 503);
    end(&mut worker, 3, "v1", 200);
    assert_eq!(of_worse(&worker).1, 0, "the first request has no answer yet");
    end(&mut worker, 1, "v2", 503);
    assert_eq!(of_worse(&worker), (1, 1, UNDECIDED), "two of the canary, then one of each");
}

/// However many requests wait for the one that hangs.
#[test]
fn events_of_a_canary_that_hangs_are_counted() {
    let most = StreamId::try_from(MAX_ORDERED).unwrap();
    let mut worker = Worker::new(observed(json!([worse(json!("failed"))]), json!({})));
    (0..most + 100).for_each(|stream| begin(&mut worker, stream));
    (0..most + 100).filter(|stream| stream % 2 == 1).for_each(|stream| end(&mut worker, stream, "v1", 200));
    assert_eq!(of_worse(&worker).1, 0, "the first one is the canary's");
    worker.pass(Duration::from_secs(60));
    (0..most + 100).filter(|stream| stream % 2 == 0).for_each(|stream| end(&mut worker, stream, "v2", 504));
    assert_eq!(of_worse(&worker), (i64::from(most) / 2, i64::from(most) / 2, FAIL), "but for those that found no room");
    answer(&mut worker, "v1", 200);
    answer(&mut worker, "v2", 504);
    assert_eq!(of_worse(&worker).1, i64::from(most) / 2 + 1, "there is room again");
}

#[test]
fn each_slice_pairs_its_own_requests() {
    let gate = json!({"each_slice": true});
    let mut each = worse(json!("failed"));
    merge(&mut each, gate);
    let slices = json!({"slices": {"header": "x-region", "values": ["eu", "us"]}});
    let mut worker = Worker::new(observed(json!([each]), slices));
    for (region, cluster, status) in [("eu", "v2", 503), ("us", "v2", 503), ("us", "v1", 200), ("eu", "v1", 200), ("asia", "v1", 503)] {
        worker.request(ROOT, 1, &[("x-region", region)], true);
        end(&mut worker, 1, cluster, status);
    }
    let trials = |slice| told(&worker, "worse", slice);
    assert_eq!(["eu", "us", "other"].map(trials), [(1, 1, UNDECIDED), (1, 1, UNDECIDED), (0, 0, UNDECIDED)]);
}

/// Where routes keep a key at one variant, one client that always fails is one event, one that never does is one partner, and a request
/// without a key is at its variant not by chance.
#[test]
fn a_key_that_stays_at_its_variant_is_in_one_pair() {
    let sticky = json!({"observe": {"bucket": {"key": {"header": "x-user"}}}});
    let mut worker = Worker::new(observed(json!([worse(json!("failed"))]), sticky));
    let mut ask = |user: &str, cluster: &str, status| {
        worker.request(ROOT, 1, &[("x-user", user)], true);
        end(&mut worker, 1, cluster, status);
        of_worse(&worker)
    };
    ask("alice", "v2", 503);
    assert_eq!(ask("bob", "v1", 200), (1, 1, UNDECIDED));
    for number in 0..20 {
        ask("alice", "v2", 503);
        ask("", "v2", 503);
        assert_eq!(ask("bob", "v1", 200), (1, 1, UNDECIDED));
        ask("bob", "v1", 503);
        assert_eq!(ask(&format!("new-{number}"), "v1", 200), (1, 1, UNDECIDED), "nobody is new at the canary");
    }
    ask("carol", "v2", 503);
    assert_eq!(ask("dave", "v1", 200), (2, 2, UNDECIDED));
    ask("erin", "v2", 200);
    ask("erin", "v2", 503);
    assert_eq!(ask("frank", "v1", 200), (2, 2, UNDECIDED), "by their first requests alone");
}

#[test]
fn answers_are_read_for_how_they_ended_whoever_gave_them() {
    const CHAT: &str = "/v1/chat/completions";
    let body = |text: &str| format!(r#"{{"choices": [{{"index": 0, "message": {{"content": "{text}"}}, "finish_reason": "stop"}}]}}"#);
    let mut worker = Worker::new(observed(json!([worse(json!("empty"))]), json!({})));
    let mut ask = |path: &str, cluster: &str, status: u16, body: &str| {
        worker.request_of(&[(":path", path)]);
        worker.answer(1, status, body);
        worker.handle(Event::AnsweredBy { stream: 1, cluster: cluster.to_owned() });
        worker.handle(Event::StreamEnd { stream: 1, ending: Ending::Answered { at: worker.now, grpc_status: None }, first_byte: None });
        worker.work();
        of_worse(&worker)
    };
    ask(CHAT, "v2", 200, &body(""));
    assert_eq!(ask(CHAT, "v1", 200, &body("a")), (1, 1, UNDECIDED));
    ask(CHAT, "v2", 200, &body(""));
    assert_eq!(ask("/v1/other", "v1", 200, "{}"), (1, 1, UNDECIDED), "that is no generated answer, and in no pair");
    assert_eq!(ask(CHAT, "v3", 200, &body("")), (1, 1, UNDECIDED));
    assert_eq!(ask(CHAT, "v1", 503, ""), (2, 2, UNDECIDED), "a failure is not empty");
    assert_eq!(worker.sum(&["gnomon_anomalies_total"]), 0);
}
