//! What comes of copies that were sent: every outcome, what must happen for it, and that it is counted once.

use std::time::Duration;

use serde_json::json;

use crate::metrics::Value;
use crate::network::{Answer, Reply};
use crate::setup::{QUESTION, SCORE, With, says, shadowed, start, status};
use crate::traffic::Request;
use crate::world::World;

/// One request with these replies of primary and shadow; gives the world after it.
fn pair(configuration: &serde_json::Value, primary: Reply, shadow: Reply) -> World {
    let (mut world, place) = start(configuration);
    world.serve("primary", move |_| primary.clone());
    world.serve("shadow", move |_| shadow.clone());
    world.exchange(place, Request::post("r1", QUESTION));
    world.check();
    assert_eq!(world.sum("gnomon_sampled_total", &[("shadow", "copy")]), 1);
    world
}

/// One outcome alone, so often.
pub fn only(outcome: &str, count: u64) -> std::collections::BTreeMap<String, u64> {
    [(outcome.to_owned(), count)].into()
}

/// A healthy model's answer.
pub fn json_answer() -> Answer {
    Answer::json(SCORE)
}

#[test]
fn equal_close_and_different_answers_are_compared() {
    let cases = [
        (SCORE, "identical", "", ""),
        (r#"{"score":0.5,  "model":"fraud","note":"payload"}"#, "equivalent", "", ""),
        (r#"{"model":"fraud","score":0.50000001,"note":"payload"}"#, "equivalent", "", ""),
        (r#"{"model":"fraud","score":0.7,"note":"payload"}"#, "diverged", "number", "score"),
        (r#"{"model":"fraud","score":"0.5","note":"payload"}"#, "diverged", "type", "score"),
        (r#"{"model":"fraud","note":"payload"}"#, "diverged", "missing", "score"),
        (r#"{"model":"fraud","score":null,"note":"payload"}"#, "diverged", "null", "score"),
        (r#"{"model":"fraud","score":0.5,"note":"payload 2"}"#, "diverged", "text", "note"),
        (r#"{"a":1,"model":"fraud","score":0.5,"note":"payload"}"#, "diverged", "extra", "a"),
    ];
    for (body, verdict, kind, path) in cases {
        let world = pair(&shadowed(), says(SCORE, 2), says(body, 5));
        assert_eq!(world.outcomes("copy"), only("compared", 1), "{body}");
        assert_eq!(world.counted("gnomon_pairs_total", &[("slice", "all")], "verdict"), only(verdict, 1), "{body}");
        if verdict == "diverged" {
            assert_eq!(world.counted("gnomon_divergences_total", &[], "kind"), only(kind, 1), "{body}");
            assert_eq!(world.counted("gnomon_divergent_paths_total", &[], "path"), only(path, 1), "{body}");
        }
    }
}

#[test]
fn different_success_codes_diverge_in_status() {
    let world = pair(&shadowed(), says(SCORE, 2), Reply::Whole(json_answer().status(201)));
    assert_eq!(world.counted("gnomon_divergences_total", &[], "kind"), only("status", 1));
}

#[test]
fn the_order_in_which_the_answers_come_does_not_matter() {
    for (primary, shadow) in [(1, 900), (900, 1), (500, 500)] {
        let world = pair(&shadowed(), says(SCORE, primary), says(SCORE, shadow));
        assert_eq!(world.outcomes("copy"), only("compared", 1), "{primary} ms against {shadow} ms");
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_incomparable() {
    let long = format!(r#"{{"score":{}0.5}}"#, " ".repeat(2048));
    let small = shadowed().with("/limits", json!({"body": "1KiB"}));
    let encoded = || json_answer().header("content-encoding", "unheard-of");
    let cases = [
        ("the shadow's JSON is broken", shadowed(), says(SCORE, 2), says(r#"{"score":"#, 5)),
        ("the primary's JSON is broken", shadowed(), says(r#"{"score":"#, 2), says(SCORE, 5)),
        ("the shadow's answer is long", small.clone(), says(SCORE, 2), says(&long, 5)),
        ("the primary's answer is long", small, says(&long, 2), says(SCORE, 5)),
        ("the shadow's is encoded", shadowed(), says(SCORE, 2), Reply::Whole(encoded())),
        ("the primary's is encoded", shadowed(), Reply::Whole(encoded()), says(SCORE, 5)),
    ];
    for (what, configuration, primary, shadow) in cases {
        let world = pair(&configuration, primary, shadow);
        assert_eq!(world.outcomes("copy"), only("incomparable", 1), "{what}");
    }
}

#[test]
fn a_shadow_can_fail_in_many_ways() {
    let too_long = "0".repeat((32 << 20) + 1);
    let own_504 = Reply::Whole(json_answer().status(504));
    let grpc = |code| Reply::Whole(json_answer().header("content-type", "application/grpc").trailer("grpc-status", code));
    let cases = [
        ("500", status(500), "shadow_failed", "5xx"),
        ("302", status(302), "shadow_failed", "3xx"),
        ("400", status(400), "shadow_failed", "4xx"),
        ("401", status(401), "shadow_failed", "401"),
        ("403", status(403), "shadow_failed", "403"),
        ("404", status(404), "shadow_failed", "404"),
        ("a server's own 504", own_504, "shadow_failed", "5xx"),
        ("half an answer", Reply::Half(json_answer()), "shadow_failed", "reset"),
        ("over 32 MiB", says(&too_long, 5), "shadow_failed", "reset"),
        ("nobody listens", Reply::Refused, "shadow_failed", "local"),
        ("429", status(429), "shadow_overloaded", "429"),
        ("gRPC INTERNAL", grpc("13"), "shadow_failed", "5xx"),
        ("gRPC RESOURCE_EXHAUSTED", grpc("8"), "shadow_overloaded", "429"),
        ("no answer", Reply::Silent, "timed_out", "timeout"),
        ("a late answer", says(SCORE, 2001), "timed_out", "timeout"),
        ("an answer that stalls", Reply::Stalls(json_answer()), "timed_out", "timeout"),
    ];
    for (what, shadow, outcome, class) in cases {
        let world = pair(&shadowed(), says(SCORE, 2), shadow.clone());
        assert_eq!(world.outcomes("copy"), only(outcome, 1), "{what}");
        assert_eq!(world.counted("gnomon_shadow_responses_total", &[], "class"), only(class, 1), "{what}");
        for failed in [status(500), Reply::Half(json_answer()), Reply::Refused] {
            let world = pair(&shadowed(), failed, shadow.clone());
            assert_eq!(world.outcomes("copy"), only("both_failed", 1), "{what}, and the primary failed");
        }
    }
}

#[test]
fn a_request_that_both_refuse_alike_says_nothing_of_either() {
    for (primary, shadow, outcome) in [
        (status(400), status(422), "both_refused"),
        (status(401), status(401), "both_refused"),
        (status(429), status(429), "both_refused"),
        (status(404), status(400), "both_failed"),
        (status(404), Reply::Refused, "both_failed"),
        (status(404), says(SCORE, 5), "primary_failed"),
    ] {
        let world = pair(&shadowed(), primary.clone(), shadow.clone());
        assert_eq!(world.outcomes("copy"), only(outcome, 1), "{primary:?} {shadow:?}");
    }
}

#[test]
fn a_failed_primary_is_not_compared() {
    let cases = [
        ("500", status(500), "5xx"),
        ("404", status(404), "4xx"),
        ("broken off", Reply::Half(json_answer()), "reset"),
        ("stalled", Reply::Stalls(json_answer()), "reset"),
        ("nobody listens", Reply::Refused, "5xx"),
        ("no answer", Reply::Silent, "5xx"),
    ];
    for (what, primary, class) in cases {
        let world = pair(&shadowed(), primary, says(SCORE, 5));
        assert_eq!(world.outcomes("copy"), only("primary_failed", 1), "{what}");
        assert_eq!(world.counted("gnomon_responses_total", &[], "class"), only(class, 1), "{what}");
    }
}

#[test]
fn grpc_answers_count_by_their_status() {
    let question = || {
        Request::new("POST", "/inference.GRPCInferenceService/ModelInfer")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("x-request-id", "r1")
            .body("\0\0\0\0\0")
    };
    let answer = || Answer::json("").header("content-type", "application/grpc");
    let cases = [
        ("0", "0", "2xx", "compared"),
        ("5", "0", "4xx", "primary_failed"),
        ("14", "0", "5xx", "primary_failed"),
        ("8", "0", "4xx", "primary_failed"),
        ("3", "9", "4xx", "both_refused"),
        ("8", "8", "4xx", "both_refused"),
        ("3", "5", "4xx", "both_failed"),
    ];
    for (code, shadow, class, outcome) in cases {
        for trailers_only in [false, true] {
            let (mut world, place) = start(&shadowed());
            let primary = if trailers_only { answer().header("grpc-status", code) } else { answer().trailer("grpc-status", code) };
            world.serve("primary", move |_| Reply::Whole(primary.clone()));
            world.serve("shadow", move |_| Reply::Whole(answer().trailer("grpc-status", shadow)));
            world.exchange(place, question());
            world.check();
            assert_eq!(world.counted("gnomon_responses_total", &[], "class"), only(class, 1), "{code}, trailers only: {trailers_only}");
            assert_eq!(world.outcomes("copy"), only(outcome, 1), "{code}, trailers only: {trailers_only}");
            assert_eq!(world.calls("shadow")[0].request.header("te").as_deref(), Some("trailers"));
        }
    }
}

#[test]
fn a_client_that_leaves_cancels_the_pair() {
    // Between any two steps of an exchange: 3 of the request, and the answer in pieces.
    for steps in 1..8 {
        let (mut world, place) = start(&shadowed());
        world.serve("primary", |_| Reply::Whole(json_answer().piece(10)));
        let request = Request::post("r1", "").pieces(vec![QUESTION[..10].into(), QUESTION[10..].into()]);
        let exchange = world.open(place, request);
        for _ in 0..steps {
            world.step(exchange);
        }
        world.advance(Duration::from_millis(1));
        world.client_leaves(exchange);
        world.settle();
        world.check();
        assert_eq!(world.outcomes("copy"), only("cancelled", 1), "after {steps} steps");
        assert_eq!(world.counted("gnomon_responses_total", &[], "class"), only("cancelled", 1), "after {steps} steps");
    }
}

#[test]
fn a_failed_shadow_of_a_client_that_left_is_cancelled() {
    for shadow in [status(500), Reply::Silent, Reply::Half(json_answer())] {
        let (mut world, place) = start(&shadowed());
        world.serve("shadow", move |_| shadow.clone());
        let exchange = world.open(place, Request::post("r1", QUESTION));
        world.send_request(exchange);
        world.client_leaves(exchange);
        world.settle();
        world.check();
        assert_eq!(world.outcomes("copy"), only("cancelled", 1));
    }
}

/// Two answers of about 900 KiB that differ, if at all, at their very end.
fn long(last: &str) -> String {
    format!("[{}{last}]", "0.25, ".repeat(150_000))
}

#[test]
fn long_answers_are_compared_in_turns() {
    for (last, verdict) in [("1.0", "equivalent"), ("2", "diverged")] {
        let (one, other) = (long("1"), long(last));
        let world = pair(&shadowed(), says(&one, 2), says(&other, 5));
        assert_eq!(world.counted("gnomon_pairs_total", &[], "verdict"), only(verdict, 1));
    }
}

#[test]
fn latencies_are_measured_to_the_last_byte() {
    let world = pair(&shadowed(), says(SCORE, 20), says(SCORE, 35));
    let proxy = world.proxy();
    for (stat, milliseconds) in [("gnomon_response_duration_microseconds", 20), ("gnomon_shadow_duration_microseconds", 35)] {
        let samples: Vec<u64> = proxy
            .metrics
            .select(stat, &[])
            .flat_map(|(_, value)| match value {
                Value::Histogram(samples) => samples.clone(),
                _ => Vec::new(),
            })
            .collect();
        assert_eq!(samples.len(), 1, "{stat}");
        assert!((milliseconds * 1000..milliseconds * 1000 + 1000).contains(&samples[0]), "{stat}: {samples:?}");
    }
}

#[test]
fn an_answer_before_the_end_of_the_request_leaves_nothing_to_copy() {
    for (code, outcome) in [(401, "primary_failed"), (200, "unsent_body")] {
        let (mut world, place) = start(&shadowed());
        let exchange = world.open(place, Request::post("r1", "").pieces(vec![b"a".to_vec(), b"b".to_vec()]));
        world.step(exchange);
        world.step(exchange);
        world.answer_early(exchange, status(code));
        world.play(exchange);
        world.settle();
        world.check();
        assert_eq!(world.outcomes("copy"), only(outcome, 1), "{code}");
    }
}

#[test]
fn an_upgrade_that_nobody_asked_for() {
    let world = pair(&shadowed(), Reply::Half(json_answer().status(101)), says(SCORE, 5));
    assert_eq!(world.outcomes("copy").values().sum::<u64>(), 1);
}

#[test]
fn a_stream_that_ends_before_the_filter_sees_it_is_nothing() {
    let (mut world, place) = start(&shadowed());
    world.reject_before_the_filter(place, Request::post("r1", QUESTION));
    world.exchange(place, Request::post("r2", QUESTION));
    world.check();
    assert_eq!(world.sum("gnomon_requests_total", &[]), 1);
}
