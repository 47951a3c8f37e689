//! Copies that are not what the client sent, or that are made only if its request says so.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::worker::{ROOT, Worker, config, merge, with_shadow};
use crate::engine::ending::Ending;
use crate::engine::event::Event;

#[test]
fn large_copies_go_one_at_a_time_and_their_memory_is_counted() {
    let mut all = with_shadow(json!({"request": {"model": "other"}}));
    merge(&mut all, json!({"limits": {"memory": "4MiB", "body": "1MiB"}}));
    let mut worker = Worker::new(all);
    let body = format!(r#"{{"model":"m","text":"{}"}}"#, "x".repeat(300 << 10));
    for stream in 1..=3 {
        worker.request(ROOT, stream, &[], false);
        worker.upload(stream, &body, true);
    }
    let mut turns = 0;
    while worker.wakes > 0 {
        worker.wakes = 0;
        worker.handle(Event::Work { root: ROOT });
        assert!(worker.copies.len() <= 1);
        if let Some(copy) = worker.copies.first() {
            assert_eq!(copy.body.bytes().len(), body.len() + "other".len() - 1);
            assert!(worker.engine.ledger.used() >= copy.body.bytes().len());
        }
        for (token, pair) in (turns * 10..).zip(worker.take_copies()) {
            worker.handle(Event::Dispatched { pair, result: Ok(token) });
        }
        turns += 1;
    }
    assert!(turns > 12, "a body is searched for its model in slices: {turns} turns");
    assert_eq!(worker.sum(&["gnomon_captured_bytes"]), 0);
    assert_eq!(worker.engine.calls.len(), 3);
}

#[test]
fn a_copy_without_room_for_another_model_is_not_sent() {
    let mut all = with_shadow(json!({"request": {"model": "other"}}));
    merge(&mut all, json!({"limits": {"memory": "16B", "body": "16B"}}));
    let mut worker = Worker::new(all);
    worker.request(ROOT, 1, &[], false);
    worker.upload(1, r#"{"model":"m"}"#, true);
    worker.work();
    assert_eq!(worker.outcomes()["unsent_memory"], 1);
}

/// Copies are made of requests that ask for the model `big`.
pub fn conditional(change: Value) -> Value {
    let mut all = with_shadow(json!({"when": {"body": [{"path": "model", "exact": "big"}]}}));
    merge(&mut all, change);
    all
}

pub const BIG: &str = r#"{"model":"big"}"#;
pub const SMALL: &str = r#"{"model":"small"}"#;

impl Worker {
    /// How many requests count as sampled, and how many pairs as open.
    pub fn sampled_and_open(&self) -> (i64, i64) {
        (self.sum(&["gnomon_sampled_total"]), self.sum(&["gnomon_open_pairs"]))
    }
}

#[test]
fn a_request_counts_as_sampled_once_it_qualifies() {
    let mut worker = Worker::new(conditional(json!({})));
    worker.request(ROOT, 1, &[], false);
    worker.upload(1, BIG, true);
    assert_eq!(worker.sampled_and_open(), (0, 0));
    assert_eq!(worker.send(1), 1);
    assert_eq!(worker.sampled_and_open(), (1, 1));
    worker.shadow(1, 200, "{}");
    worker.answer(1, 200, "{}");
    worker.end(1);
    worker.assert_outcome("compared");
}

#[test]
fn a_request_that_does_not_qualify_was_never_sampled() {
    for body in [SMALL, "{}", "[]", ""] {
        for answered_first in [false, true] {
            let mut worker = Worker::new(conditional(json!({})));
            worker.request(ROOT, 1, &[], false);
            worker.upload(1, body, true);
            if answered_first {
                worker.answer(1, 200, "{}");
                worker.end(1);
            }
            assert_eq!(worker.send(1), 0);
            assert_eq!(worker.sum(&["gnomon_captured_bytes"]), 0, "what was captured is given back at once");
            if !answered_first {
                worker.answer(1, 200, "{}");
                worker.end(1);
            }
            assert_eq!(worker.sampled_and_open(), (0, 0));
            assert!(worker.evidence.is_empty());
            assert_eq!(worker.sum(&["gnomon_unjudged_total"]), 0);
            worker.assert_at_rest();
        }
    }
}

#[test]
fn a_request_that_can_not_be_judged_counts_as_sampled() {
    let left = |stream| Event::StreamEnd { stream, ending: Ending::ClientLeft, first_byte: None };
    let limits = json!({"limits": {"body": "40B", "memory": "60B", "pairs": 2}});
    type Life = fn(&mut Worker);
    let lives: [(Life, &str); 7] = [
        (|worker| worker.upload(1, &" ".repeat(41), true), "unsent_body"),
        (
            |worker| {
                worker.request(ROOT, 2, &[], false);
                worker.upload(2, &" ".repeat(30), false);
                worker.upload(1, &" ".repeat(31), true);
            },
            "unsent_memory",
        ),
        (|worker| worker.upload(1, "{", false), "cancelled"),
        (
            |worker| {
                worker.answer(1, 500, "");
                worker.end(1);
            },
            "primary_failed",
        ),
        (|worker| worker.request(ROOT, 3, &[("content-length", "41")], false), "unsent_body"),
        (|worker| worker.request(ROOT, 3, &[("connection", "upgrade"), ("upgrade", "websocket")], false), "unsent_upgrade"),
        (
            |worker| {
                worker.request(ROOT, 2, &[], false);
                worker.request(ROOT, 3, &[], false);
            },
            "unsent_in_flight",
        ),
    ];
    for (life, want) in lives {
        let mut worker = Worker::new(conditional(limits.clone()));
        worker.request(ROOT, 1, &[], false);
        assert_eq!(worker.sampled_and_open(), (0, 0));
        life(&mut worker);
        if want == "cancelled" {
            worker.handle(left(1));
        }
        assert_eq!(worker.outcomes(), BTreeMap::from([(want.to_owned(), 1)]));
        assert_eq!(worker.sampled_and_open(), (1, 0));
        (1..=3).for_each(|stream| worker.handle(left(stream)));
        worker.work();
        worker.assert_at_rest();
    }
}

#[test]
fn a_request_that_is_not_yet_judged_when_its_vm_ends_counts_as_sampled() {
    let mut worker = Worker::new(conditional(json!({})));
    worker.request(ROOT, 1, &[], false);
    worker.upload(1, BIG, true);
    worker.answer(1, 200, "{}");
    worker.end(1);
    worker.handle(Event::Retire { root: ROOT });
    worker.assert_outcome("replaced");
}

#[test]
fn an_old_root_context_that_only_judges_ends_when_it_has() {
    let mut worker = Worker::new(conditional(json!({})));
    worker.request(ROOT, 1, &[], false);
    worker.upload(1, SMALL, true);
    worker.answer(1, 200, "{}");
    worker.end(1);
    worker.configure(2, config(json!({"experiment": "f"})));
    worker.handle(Event::Retire { root: ROOT });
    assert!(worker.kept && !worker.released);
    worker.work();
    assert!(worker.released);
    worker.assert_at_rest();
}

#[test]
fn a_breaker_is_asked_once_the_conditions_hold() {
    let mut worker = Worker::new(conditional(json!({})));
    for stream in 1..=12 {
        worker.request(ROOT, stream, &[], false);
        worker.upload(stream, if stream == 11 { SMALL } else { BIG }, true);
        worker.answer(stream, 200, "{}");
        worker.end(stream);
        if worker.send(stream) == 1 {
            worker.shadow(stream, 500, "");
        }
    }
    assert_eq!(worker.outcomes(), BTreeMap::from([("shadow_failed".to_owned(), 10), ("unsent_breaker_open".to_owned(), 1)]));
    worker.assert_at_rest();
}

#[test]
fn a_body_is_judged_in_slices_and_not_while_the_request_passes() {
    let mut worker = Worker::new(conditional(json!({})));
    let body = format!(r#"{{"model":"big","text":"{}"}}"#, "x".repeat(300 << 10));
    worker.request(ROOT, 1, &[], false);
    worker.upload(1, &body, true);
    let mut turns = 0;
    while worker.wakes > 0 {
        worker.wakes = 0;
        worker.handle(Event::Work { root: ROOT });
        turns += 1;
        let judged = i64::from(!worker.copies.is_empty());
        assert_eq!(worker.sampled_and_open(), (judged, judged));
    }
    assert_eq!((turns, worker.copies.len()), (5, 1));
    assert_eq!(worker.copies[0].body.bytes(), body.as_bytes());
}

#[test]
fn requests_that_do_not_qualify_hold_no_copy_back() {
    let mut worker = Worker::new(conditional(json!({})));
    for stream in 1..=40 {
        worker.request(ROOT, stream, &[], false);
        worker.upload(stream, if stream % 20 == 0 { BIG } else { SMALL }, true);
    }
    assert_eq!(worker.send(1), 2);
    assert_eq!(worker.sampled_and_open(), (2, 2));
}

#[test]
fn copies_are_worked_on_one_after_the_other() {
    let mut worker = Worker::new(with_shadow(json!({"request": {"model": "other"}})));
    let long = format!(r#"{{"model":"m","text":"{}"}}"#, "x".repeat(300 << 10));
    for (stream, body) in [(1, long.as_str()), (2, BIG)] {
        worker.request(ROOT, stream, &[], false);
        worker.upload(stream, body, true);
    }
    worker.work();
    let lengths: Vec<usize> = worker.copies.iter().map(|copy| copy.body.bytes().len()).collect();
    assert_eq!(lengths, [long.len() + "other".len() - 1, r#"{"model":"other"}"#.len()], "no second body is begun before the first is done");
}

#[test]
fn cheap_questions_come_before_the_body_is_read() {
    let mut worker = Worker::new(with_shadow(json!({"max_in_flight": 1, "request": {"model": "other"}})));
    let long = format!(r#"{{"model":"m","text":"{}"}}"#, "x".repeat(300 << 10));
    for (stream, body) in [(1, BIG), (2, &long), (3, &long)] {
        worker.request(ROOT, stream, &[], false);
        worker.upload(stream, body, true);
    }
    worker.wakes = 0;
    worker.handle(Event::Work { root: ROOT });
    assert_eq!((worker.copies.len(), worker.wakes), (1, 0), "one turn does for all three");
    assert_eq!(worker.outcomes(), BTreeMap::from([("unsent_in_flight".to_owned(), 2)]));
}

#[test]
fn members_are_set_and_removed_and_the_json_of_binary_tensors_keeps_its_length() {
    let request = json!({"model": "n", "body": {"set": {"stream": false}, "remove": ["stream_options"]}});
    let mut worker = Worker::new(with_shadow(json!({"request": request})));
    worker.request(ROOT, 1, &[("inference-header-content-length", "36")], false);
    worker.upload(1, "{\"stream_options\":{},\"model\":\"long\"}\u{0}tensor", true);
    worker.work();
    let copy = &worker.copies[0];
    let header = |name: &str| copy.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    assert_eq!(copy.body.bytes(), b"{\"model\":\"n\",\"stream\":false}\0tensor");
    assert_eq!([header("inference-header-content-length"), header("content-length")], [Some("28"), Some("35")]);
}

#[test]
fn grpc_goes_to_a_cluster_of_its_own() {
    let mut worker = Worker::new(with_shadow(json!({"cluster": {"http": "rest", "grpc": "grpc"}})));
    worker.request(ROOT, 1, &[("content-type", "application/json")], true);
    worker.request(ROOT, 2, &[("content-type", "application/grpc")], true);
    worker.work();
    assert_eq!(worker.copies.iter().map(|copy| copy.cluster.as_str()).collect::<Vec<_>>(), ["rest", "grpc"]);
}

#[test]
fn headers_come_from_the_environment() {
    let headers = json!({"from_env": {"authorization": "SHADOW_AUTH", "x-key": "UNSET"}});
    let mut worker = Worker::new(with_shadow(json!({"request": {"headers": headers}})));
    worker.request(ROOT, 1, &[("authorization", "Bearer live")], true);
    worker.work();
    let names = ["authorization", "x-key"];
    let found: Vec<_> = worker.copies[0].headers.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect();
    assert_eq!(found, [("authorization".to_owned(), "Bearer shadow".to_owned())]);
    assert_eq!((worker.lines.len(), format!("{:?}", worker.lines[0]).contains("UNSET")), (1, true));
    assert!(!format!("{:?}", worker.engine).contains("Bearer shadow"));
}

#[test]
fn conditions_and_breakers_go_together_over_time() {
    let mut worker = Worker::new(conditional(json!({})));
    for stream in 1..=10 {
        worker.request(ROOT, stream, &[], false);
        worker.upload(stream, BIG, true);
        worker.answer(stream, 200, "{}");
        worker.end(stream);
        worker.send(stream);
        worker.shadow(stream, 500, "");
    }
    worker.pass(Duration::from_secs(5));
    for (stream, body) in [(11, SMALL), (12, BIG)] {
        worker.request(ROOT, stream, &[], false);
        worker.upload(stream, body, true);
    }
    assert_eq!(worker.send(12), 1, "what does not qualify is no probe");
    worker.shadow(12, 200, "{}");
    assert_eq!(worker.sum(&["gnomon_breaker_open"]), 0);
}

/// Slices by the member `tier`, with another shadow that gets the same.
fn sliced(change: Value) -> Value {
    let mut all = with_shadow(change);
    let route = &mut all["routes"][0];
    merge(route, json!({"slices": {"body": "user.tier", "values": ["gold", "2"]}}));
    let mut second = route["shadows"][0].clone();
    merge(&mut second, json!({"name": "second", "role": "control"}));
    route["shadows"].as_array_mut().unwrap().push(second);
    all
}

#[test]
fn all_copies_of_a_request_belong_to_the_slice_that_its_body_names() {
    for (body, slice) in [
        (r#"{"user":{"tier":"gold"}}"#, "gold"),
        (r#"{"user":{"tier":2.0}}"#, "2"),
        (r#"{"user":{"tier":"lead"}}"#, "other"),
        ("", "other"),
    ] {
        // The request counts, and not what the copy has instead.
        let changes = json!({"request": {"body": {"set": {"user": {"tier": "lead"}}}}});
        let mut worker = Worker::new(sliced(changes));
        worker.request(ROOT, 1, &[], false);
        worker.upload(1, body, true);
        assert_eq!(worker.send(1), 2);
        worker.shadow(1, 200, "{}");
        worker.shadow(2, 200, "{}");
        worker.answer(1, 200, "{}");
        worker.end(1);
        worker.work();
        worker.assert_at_rest();
        let slice = format!("slice=.={slice};.;");
        for (stat, what) in [("gnomon_shadow_outcomes_total", "compared"), ("gnomon_pairs_total", "identical")] {
            assert_eq!((worker.sum(&[stat]), worker.sum(&[stat, &slice, what])), (2, 2), "{stat} of {body}");
        }
    }
}

#[test]
fn what_is_never_sent_is_not_read_for_its_slice() {
    let gold = r#"{"user":{"tier":"gold"}}"#;
    let limits = json!({"limits": {"body": "100B"}});
    type Life = fn(&mut Worker, &str);
    let lives: [(Life, &str); 3] = [
        (|worker, gold| worker.upload(1, &format!("{gold:<101}"), true), "unsent_body"),
        (
            |worker, gold| {
                worker.upload(1, gold, true);
                worker.handle(Event::Retire { root: ROOT });
            },
            "replaced",
        ),
        (
            |worker, gold| {
                worker.upload(1, gold, true);
                assert_eq!(worker.send(1), 2);
                worker.request(ROOT, 2, &[], false);
                worker.upload(2, gold, true);
                assert_eq!(worker.send(3), 0);
            },
            "unsent_in_flight",
        ),
    ];
    for (life, want) in lives {
        let mut all = sliced(json!({"max_in_flight": 1}));
        merge(&mut all, limits.clone());
        let mut worker = Worker::new(all);
        worker.request(ROOT, 1, &[], false);
        life(&mut worker, gold);
        assert_eq!(worker.sum(&["gnomon_shadow_outcomes_total", "slice=.=other;.;", want]), 2, "{:?}", worker.outcomes());
        assert_eq!(worker.sum(&["gnomon_shadow_outcomes_total"]), 2);
    }
}

#[test]
fn a_slice_is_looked_for_in_slices_and_not_while_the_request_passes() {
    let mut worker = Worker::new(sliced(json!({})));
    let body = format!(r#"{{"text":"{}","user":{{"tier":"gold"}}}}"#, "x".repeat(300 << 10));
    worker.request(ROOT, 1, &[], false);
    worker.upload(1, &body, true);
    let mut turns = 0;
    while worker.wakes > 0 {
        worker.wakes = 0;
        worker.handle(Event::Work { root: ROOT });
        turns += 1;
    }
    assert_eq!((turns, worker.copies.len()), (10, 2));
    assert!(worker.copies.iter().all(|copy| copy.body.bytes() == body.as_bytes()));
}
