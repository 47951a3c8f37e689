//! Candidate and control set against each other, whichever is in first.

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{FAIL, TO_FAIL, UNDECIDED, merge, route, shown, told};
use crate::engine::ending::Ending;
use crate::engine::event::Event;
use crate::engine::head::Reply;
use crate::engine::tests::worker::{ROOT, Worker, arrival, head};

/// Two candidates, the second of which is copied less often, and a control between them.
fn configuration(change: Value) -> Value {
    let shadow = |name, percent: u32, role| json!({"name": name, "cluster": name, "percent": percent, "role": role});
    let shadows = json!([shadow("a", 100, "candidate"), shadow("c", 100, "control"), shadow("b", 100, "candidate")]);
    let gate = |name, of| json!({"name": name, "of": of, "measure": "worse_than_control", "limit": 50});
    let mut all = json!({"shadows": shadows, "gates": [gate("noise-a", "a"), gate("noise-b", "b")]});
    merge(&mut all, change);
    route(all)
}

/// The token of the copy to a shadow: the copies of a request are sent in the order of the configuration.
fn token(stream: u32, shadow: char) -> u32 {
    10 * stream + "acb".find(shadow).unwrap() as u32
}

/// A request with its copies sent, which the client has got the answer `1` to.
fn begin(worker: &mut Worker, stream: u32, fields: &[(&str, &str)]) {
    worker.request(ROOT, stream, fields, true);
    assert_eq!(worker.send(10 * stream), 3);
    worker.answer(stream, 200, "1");
    worker.end(stream);
}

/// The shadows answer in this order; those with a star diverge, those with a minus fail, those with a question mark can't be read.
fn shadows(worker: &mut Worker, stream: u32, order: &str) {
    for told in order.split(' ') {
        let token = token(stream, told.chars().next().unwrap());
        match &told[1..] {
            "*" => worker.shadow(token, 200, "2"),
            "-" => worker.shadow(token, 500, ""),
            "?" => worker.shadow(token, 200, "{"),
            _ => worker.shadow(token, 200, "1"),
        }
    }
}

fn counts(worker: &Worker) -> [(i64, i64); 2] {
    ["noise-a", "noise-b"].map(|gate| told(worker, gate, "all")).map(|(bad, trials, _)| (bad, trials))
}

#[test]
fn exactly_one_of_both_has_to_diverge_in_any_order() {
    for (order, expected) in [
        ("a c b", [(0, 0), (0, 0)]),
        ("a* c b", [(1, 1), (0, 0)]),
        ("c a* b", [(1, 1), (0, 0)]),
        ("a c* b", [(0, 1), (0, 1)]),
        ("c* b a", [(0, 1), (0, 1)]),
        ("b* a c*", [(0, 1), (0, 0)]),
        ("a* b* c", [(1, 1), (1, 1)]),
        ("c b* a*", [(1, 1), (1, 1)]),
        ("a* c* b*", [(0, 0), (0, 0)]),
        // One that is missing is no trial, and takes no other along.
        ("a- c b*", [(0, 0), (1, 1)]),
        ("a* c- b*", [(0, 0), (0, 0)]),
        ("c* b- a", [(0, 1), (0, 0)]),
        ("c- a- b-", [(0, 0), (0, 0)]),
        ("a* c? b", [(0, 0), (0, 0)]),
        ("c* a? b", [(0, 0), (0, 1)]),
    ] {
        let mut worker = Worker::new(configuration(json!({})));
        begin(&mut worker, 1, &[]);
        shadows(&mut worker, 1, order);
        assert_eq!(counts(&worker), expected, "{order}");
        worker.assert_at_rest();
    }
}

#[test]
fn the_primary_may_be_the_last_to_answer() {
    let mut worker = Worker::new(configuration(json!({})));
    worker.request(ROOT, 1, &[], true);
    worker.send(10);
    shadows(&mut worker, 1, "c a* b");
    assert_eq!(counts(&worker), [(0, 0), (0, 0)]);
    worker.answer(1, 200, "1");
    worker.end(1);
    worker.work();
    assert_eq!(counts(&worker), [(1, 1), (0, 0)]);
}

#[test]
fn without_a_good_primary_there_is_no_trial() {
    for answer in [Some((500, "1")), Some((200, "{")), None] {
        let mut worker = Worker::new(configuration(json!({})));
        worker.request(ROOT, 1, &[], true);
        worker.send(10);
        match answer {
            Some((status, body)) => {
                worker.answer(1, status, body);
                worker.end(1);
            }
            None => worker.handle(Event::StreamEnd { stream: 1, ending: Ending::ClientLeft, first_byte: None }),
        }
        shadows(&mut worker, 1, "a* c b");
        assert_eq!(counts(&worker), [(0, 0), (0, 0)], "{answer:?}");
        worker.assert_at_rest();
    }
}

#[test]
fn answers_of_different_requests_are_never_set_against_each_other() {
    let mut worker = Worker::new(configuration(json!({})));
    for stream in [1, 2] {
        begin(&mut worker, stream, &[]);
    }
    shadows(&mut worker, 1, "a*");
    shadows(&mut worker, 2, "c");
    assert_eq!(counts(&worker), [(0, 0), (0, 0)]);
    shadows(&mut worker, 2, "a b");
    shadows(&mut worker, 1, "c* b");
    assert_eq!(counts(&worker), [(0, 0), (0, 1)]);
    worker.assert_at_rest();
}

#[test]
fn a_control_that_gets_fewer_requests_makes_fewer_trials() {
    let mut all = configuration(json!({}));
    all["routes"][0]["shadows"][1]["percent"] = 40.into();
    let mut worker = Worker::new(all);
    for stream in 1..=100 {
        let fields = [
            (":method", "POST".to_owned()),
            (":path", "/v1/x".to_owned()),
            (":authority", "a".to_owned()),
            ("x-request-id", format!("id-{stream}")),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.into_bytes()));
        worker.handle(Event::RequestHeaders(arrival(stream, fields.into(), true)));
        let copies = worker.send(10 * stream);
        worker.answer(stream, 200, "1");
        worker.end(stream);
        // The candidate's is the first copy, and the only one that diverges.
        for copy in 0..copies as u32 {
            worker.shadow(10 * stream + copy, 200, if copy == 0 { "2" } else { "1" });
        }
    }
    let sampled = worker.sum(&["gnomon_sampled_total", "shadow=.=c;"]);
    assert!((20..60).contains(&sampled), "{sampled}");
    assert_eq!(counts(&worker)[0], (sampled, sampled));
    worker.assert_at_rest();
}

#[test]
fn answers_that_come_after_an_update_count_and_show_nothing_of_a_gate_that_is_gone() {
    for (next, limit, state) in [(configuration(json!({})), 500_000, FAIL), (configuration(json!({"gates": []})), 0, UNDECIDED)] {
        let mut worker = Worker::new(configuration(json!({})));
        (1..=TO_FAIL as u32).for_each(|stream| begin(&mut worker, stream, &[]));
        worker.configure(2, next);
        (1..=TO_FAIL as u32).for_each(|stream| shadows(&mut worker, stream, "a* c b"));
        assert_eq!(counts(&worker), [(7, 7), (0, 0)]);
        assert_eq!((shown(&worker, "gnomon_gate_limit_ppm", "noise-a", "all"), told(&worker, "noise-a", "all").2), (limit, state));
    }
}

#[test]
fn a_triplet_counts_in_the_slice_of_its_request() {
    let slices = json!({"header": "x-region", "values": ["eu", "us"]});
    let gate = json!({"name": "noise-a", "of": "a", "measure": "worse_than_control", "limit": 50, "each_slice": true});
    let mut worker = Worker::new(configuration(json!({"slices": slices, "gates": [gate]})));
    for (stream, region) in [(1, "us"), (2, "asia"), (3, "us")] {
        begin(&mut worker, stream, &[("x-region", region)]);
        shadows(&mut worker, stream, if stream == 3 { "c* a b" } else { "c a* b" });
    }
    let counts = ["eu", "us", "other", "all"].map(|slice| told(&worker, "noise-a", slice));
    assert_eq!(counts, [(0, 0, UNDECIDED), (1, 2, UNDECIDED), (1, 1, UNDECIDED), (0, 0, UNDECIDED)]);
}

/// While either of both warms up there is no trial.
#[test]
fn both_must_be_warm() {
    for (warming, trials) in [("a", 1), ("c", 1), ("b", 3)] {
        let mut all = configuration(json!({}));
        let place = "acb".find(warming).unwrap();
        all["routes"][0]["shadows"][place]["warmup"] = json!({"pairs": 2});
        let mut worker = Worker::new(all);
        for (stream, order) in [(1, "a* c b"), (2, "c a* b"), (3, "a* c b")] {
            begin(&mut worker, stream, &[]);
            shadows(&mut worker, stream, order);
        }
        assert_eq!(counts(&worker)[0], (trials, trials), "{warming}");
        assert_eq!(worker.sum(&["gnomon_warmup_total"]), 2, "{warming}");
    }
}

#[test]
fn a_lost_answer_is_no_trial() {
    let mut worker = Worker::new(configuration(json!({})));
    begin(&mut worker, 1, &[]);
    worker.handle(Event::ShadowAnswered { token: token(1, 'c'), reply: None });
    let unread = Reply { head: head(200), from_upstream: true, body: None };
    worker.handle(Event::ShadowAnswered { token: token(1, 'b'), reply: Some(unread) });
    shadows(&mut worker, 1, "a*");
    assert_eq!(counts(&worker), [(0, 0), (0, 0)]);
    worker.assert_at_rest();
}
