//! Whole lives of requests, told to the engine as events. What is asserted is what can be seen: series, effects on the request, evidence.

use std::time::Duration;

mod evidence;
mod facts;
mod gates;
mod grpc;
mod intake;
mod observed;
mod roots;
mod schedules;
mod shaping;
mod streams;
mod unshaped;
mod worker;

use std::collections::BTreeMap;

use serde_json::json;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::ending::Ending;
use super::event::{CallError, Event};
use super::head::Reply;
use crate::stats::names;
use worker::{ROOT, Worker, arrival, config, head, with_shadow};

#[test]
fn a_pair_is_compared_whoever_answers_first() {
    for shadow_first in [false, true] {
        let mut worker = Worker::new(config(json!({})));
        worker.request(ROOT, 1, &[], false);
        worker.upload(1, r#"{"x""#, false);
        worker.upload(1, ":1}", true);
        assert_eq!(worker.sum(&["gnomon_open_pairs"]), 1);
        assert_eq!(worker.send(5), 1);
        if shadow_first {
            worker.shadow(5, 200, "[1, 2]");
        }
        worker.answer(1, 200, "[1,2]");
        worker.end(1);
        if !shadow_first {
            worker.shadow(5, 200, "[1, 2]");
        }
        worker.work();
        worker.assert_outcome("compared");
        assert_eq!(worker.sum(&["gnomon_pairs_total", "equivalent"]), 1);
        assert_eq!(worker.sum(&["gnomon_requests_total", "unsplit"]), 1);
        assert_eq!(worker.sum(&["gnomon_responses_total", "class=.=2xx"]), 1);
        assert_eq!(worker.sum(&["gnomon_shadow_responses_total", "class=.=2xx"]), 1);
        assert_eq!(worker.recorded(&["gnomon_response_duration_microseconds"]), 1);
        assert_eq!(worker.recorded(&["gnomon_shadow_duration_microseconds"]), 1);
        assert!(worker.headers.is_empty() && worker.evidence.is_empty());
    }
}

#[test]
fn a_copy_is_what_the_client_sent() {
    let mut worker = Worker::new(with_shadow(json!({"request": {"model": "other", "path": {"prefix": "/v1/", "with": "/v2/"}}})));
    worker.request(ROOT, 1, &[("authorization", "secret"), ("x-mine", "1")], false);
    worker.upload(1, r#"{"model":"m"}"#, true);
    worker.work();
    let copy = &worker.copies[0];
    let header = |name: &str| copy.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    assert_eq!(copy.body.bytes(), br#"{"model":"other"}"#);
    assert_eq!([header(":path"), header("x-mine"), header("authorization")], [Some("/v2/x"), Some("1"), None]);
    assert_eq!([header("x-gnomon-shadow"), header("content-length")], [Some("s"), Some("17")]);
    assert_eq!(copy.timeout, Duration::from_secs(2));
}

#[test]
fn the_split_header_is_the_filters_own() {
    let split = json!({"baseline": "v1", "canaries": [{"name": "v2", "percent": 100}], "key": "request", "expose": true});
    let mut all = config(json!({}));
    all["routes"][0]["split"] = split;
    all["routes"][0]["shadows"][0]["of"] = json!(["v2"]);
    let mut worker = Worker::new(all);
    worker.request(ROOT, 1, &[("x-gnomon-variant", "v1")], true);
    worker.handle(Event::ResponseHeaders { stream: 1, head: head(200) });
    worker.end(1);
    assert_eq!(worker.headers, ["-x-gnomon-variant", "x-gnomon-variant: v2", "response x-gnomon-variant: v2"]);
    assert_eq!(worker.sum(&["gnomon_requests_total", "variant=.=v2", "reason=.=weight"]), 1);
    assert_eq!(worker.send(1), 1);
    worker.shadow(1, 200, "");
    worker.assert_outcome("compared");

    worker.headers.clear();
    worker.handle(Event::RequestHeaders(arrival(2, vec![("x-gnomon-variant".into(), vec![b'x'])], true)));
    assert_eq!(worker.headers, ["-x-gnomon-variant"], "it is taken off requests of no route, too");
}

#[test]
fn copies_are_left_alone_unless_they_are_not_to_be_trusted() {
    let mut worker = Worker::new(config(json!({})));
    worker.request(ROOT, 1, &[("x-gnomon-shadow", "s")], true);
    assert!(worker.headers.is_empty() && worker.sum(&["_total"]) == 0);

    let mut worker = Worker::new(config(json!({"trust_copies": false})));
    worker.request(ROOT, 1, &[("x-gnomon-shadow", "s")], true);
    assert_eq!(worker.headers, ["-x-gnomon-shadow"]);
    assert_eq!(worker.sum(&["gnomon_sampled_total"]), 1);
}

#[test]
fn answers_lead_to_outcomes() {
    let ok = (200, "{}");
    for (primary, shadow, want) in [
        (ok, ok, "compared"),
        (ok, (500, ""), "shadow_failed"),
        (ok, (429, ""), "shadow_overloaded"),
        ((500, ""), ok, "primary_failed"),
        ((302, ""), (302, ""), "both_failed"),
        ((400, ""), (422, ""), "both_refused"),
        ((404, ""), (404, ""), "both_refused"),
        ((429, ""), (429, ""), "both_refused"),
        ((404, ""), (400, ""), "both_failed"),
        ((404, ""), ok, "primary_failed"),
        (ok, (404, ""), "shadow_failed"),
        (ok, (200, "{"), "incomparable"),
        ((200, "nonsense"), ok, "incomparable"),
    ] {
        let mut worker = Worker::new(config(json!({})));
        worker.pair(1, primary, shadow);
        worker.assert_outcome(want);
    }
}

#[test]
fn calls_that_fail_lead_to_outcomes() {
    let local = |status| Some(Reply { head: head(status), from_upstream: false, body: Some(Vec::new()) });
    for (reply, after, want, class) in [
        (None, Duration::from_millis(5), "shadow_failed", "reset"),
        (None, Duration::from_secs(2), "timed_out", "timeout"),
        (local(504), Duration::from_secs(2), "timed_out", "timeout"),
        (local(503), Duration::from_millis(1), "shadow_failed", "local"),
    ] {
        let mut worker = Worker::new(config(json!({})));
        worker.request(ROOT, 1, &[], true);
        worker.send(9);
        worker.answer(1, 200, "{}");
        worker.end(1);
        worker.pass(after);
        worker.handle(Event::ShadowAnswered { token: 9, reply });
        worker.assert_outcome(want);
        assert_eq!(worker.sum(&["gnomon_shadow_responses_total", &format!("class=.={class}")]), 1);
    }
    for (error, want) in [(CallError::NoCluster, "unsent_no_cluster"), (CallError::Refused, "unsent_refused")] {
        let mut worker = Worker::new(config(json!({})));
        worker.request(ROOT, 1, &[], true);
        worker.work();
        let pair = worker.take_copies()[0];
        worker.handle(Event::Dispatched { pair, result: Err(error) });
        worker.answer(1, 200, "{}");
        worker.end(1);
        worker.assert_outcome(want);
        assert_eq!(worker.evidence[0]["outcome"], want);
    }
}

#[test]
fn what_goes_over_a_bound_is_not_sent() {
    let small = json!({"limits": {"body": "8B", "memory": "12B", "pairs": 2}});
    let mut worker = Worker::new(config(small));
    worker.request(ROOT, 1, &[], false);
    worker.upload(1, "12345", false);
    worker.upload(1, "6789", false);
    worker.upload(1, "more", true);
    worker.request(ROOT, 2, &[("content-length", "9")], false);
    assert_eq!(worker.outcomes(), BTreeMap::from([("unsent_body".to_owned(), 2)]));
    worker.request(ROOT, 3, &[], false);
    worker.upload(3, "12345678", false);
    worker.request(ROOT, 4, &[], false);
    worker.upload(4, "12345", true);
    assert_eq!(worker.outcomes()["unsent_memory"], 1);
    worker.request(ROOT, 5, &[], false);
    worker.request(ROOT, 6, &[], false);
    assert_eq!(worker.outcomes()["unsent_in_flight"], 1, "two pairs are open");
    worker.request(ROOT, 7, &[("connection", "upgrade"), ("upgrade", "websocket")], false);
    assert_eq!(worker.outcomes()["unsent_upgrade"], 1);
    for stream in 1..8 {
        worker.handle(Event::StreamEnd { stream, ending: Ending::ClientLeft, first_byte: None });
    }
    assert_eq!(worker.outcomes()["cancelled"], 2);
    worker.assert_at_rest();
}

#[test]
fn an_answer_that_no_copy_waits_for_is_not_captured() {
    let mut worker = Worker::new(config(json!({})));
    worker.request(ROOT, 1, &[], true);
    worker.work();
    let pair = worker.take_copies()[0];
    worker.handle(Event::Dispatched { pair, result: Err(CallError::NoCluster) });
    worker.answer(1, 200, "{}");
    assert_eq!(worker.sum(&["gnomon_captured_bytes"]), 0);
}

#[test]
fn an_answer_over_a_bound_is_incomparable() {
    for (limits, primary, shadow) in [
        (json!({"body": "8B"}), "123456789", "{}"),
        (json!({"body": "8B"}), "{}", "123456789"),
        (json!({"body": "8B", "memory": "8B"}), "{     }", "{     }"),
    ] {
        let mut worker = Worker::new(config(json!({"limits": limits})));
        worker.pair(1, (200, primary), (200, shadow));
        worker.assert_outcome("incomparable");
    }
}

#[test]
fn so_many_are_in_flight_and_no_more() {
    let mut worker = Worker::new(with_shadow(json!({"max_in_flight": 2})));
    for stream in 1..4 {
        worker.request(ROOT, stream, &[], true);
    }
    assert_eq!(worker.wakes, 1, "one turn of work is asked for, not three");
    assert_eq!(worker.send(1), 2);
    assert_eq!(worker.outcomes(), BTreeMap::from([("unsent_in_flight".to_owned(), 1)]));
    worker.shadow(1, 200, "");
    worker.request(ROOT, 4, &[], true);
    assert_eq!(worker.send(4), 1);
    assert_eq!(worker.sum(&["gnomon_open_pairs"]), 3, "the answered one waits for its primary");
}

#[test]
fn a_client_that_leaves_counts_for_nobody() {
    let mut worker = Worker::new(config(json!({})));
    worker.request(ROOT, 1, &[], true);
    worker.send(1);
    worker.handle(Event::StreamEnd { stream: 1, ending: Ending::ClientLeft, first_byte: None });
    assert_eq!(worker.sum(&["gnomon_responses_total", "cancelled"]), 1);
    assert_eq!(worker.sum(&["gnomon_open_pairs"]), 1, "its copy is still in flight");
    worker.shadow(1, 500, "");
    worker.assert_outcome("cancelled");
}

#[test]
fn an_answer_before_the_end_of_the_request_leaves_nothing_to_send() {
    for (status, want) in [(200, "unsent_body"), (413, "primary_failed")] {
        let mut worker = Worker::new(config(json!({})));
        worker.request(ROOT, 1, &[], false);
        worker.upload(1, "half", false);
        worker.answer(1, status, "");
        worker.end(1);
        worker.assert_outcome(want);
    }
}

#[test]
fn the_breaker_opens_probes_and_closes() {
    let mut worker = Worker::new(config(json!({})));
    for stream in 1..=10 {
        worker.pair(stream, (200, "{}"), (500, ""));
    }
    assert_eq!(worker.sum(&["gnomon_breaker_open"]), 1);
    worker.pair(11, (200, "{}"), (200, "{}"));
    assert_eq!(worker.outcomes()["unsent_breaker_open"], 1);
    worker.pass(Duration::from_secs(5));
    worker.pair(12, (200, "{}"), (200, "{}"));
    assert_eq!(worker.sum(&["gnomon_breaker_open"]), 0);
    assert_eq!(worker.outcomes()["compared"], 1);
    worker.assert_at_rest();
}

#[test]
fn a_probe_that_works_closes_the_breaker_while_the_client_still_reads() {
    let mut worker = Worker::new(config(json!({})));
    for stream in 1..=10 {
        worker.pair(stream, (200, "{}"), (500, ""));
    }
    worker.pass(Duration::from_secs(5));
    worker.request(ROOT, 11, &[], true);
    worker.send(11);
    worker.shadow(11, 200, "{}");
    assert_eq!(worker.sum(&["gnomon_breaker_open"]), 0);
}

#[test]
fn a_redirect_that_envoy_follows_is_no_failure_of_the_primary_to_answer() {
    let mut worker = Worker::new(config(json!({})));
    worker.request(ROOT, 1, &[], true);
    worker.send(1);
    worker.handle(Event::StreamEnd { stream: 1, ending: Ending::broken_off(b"internal_redirect"), first_byte: None });
    worker.shadow(1, 302, "");
    assert_eq!(worker.sum(&["gnomon_responses_total", "class=.=3xx"]), 1);
    worker.assert_outcome("both_failed");
}

#[test]
fn an_upgrade_that_nobody_asked_for_is_broken() {
    let mut worker = Worker::new(config(json!({})));
    worker.request(ROOT, 1, &[], true);
    worker.send(1);
    worker.handle(Event::ResponseHeaders { stream: 1, head: head(101) });
    worker.handle(Event::StreamEnd { stream: 1, ending: Ending::Broken, first_byte: None });
    worker.shadow(1, 200, "{}");
    worker.assert_outcome("primary_failed");
}

#[test]
fn a_long_comparison_is_worked_off_in_turns() {
    let mut worker = Worker::new(config(json!({})));
    let long: Vec<u32> = (0..40_000).collect();
    let (primary, shadow) = (json!(long).to_string(), json!(long).to_string().replace(',', ", "));
    worker.request(ROOT, 1, &[], true);
    worker.send(1);
    worker.answer(1, 200, &primary);
    worker.end(1);
    let reply = Reply { head: head(200), from_upstream: true, body: Some(shadow.into()) };
    worker.handle(Event::ShadowAnswered { token: 1, reply: Some(reply) });
    let mut turns = 0;
    while worker.wakes > 0 {
        worker.wakes = 0;
        turns += 1;
        worker.handle(Event::Work { root: ROOT });
    }
    assert!(turns > 5, "{turns} turns");
    worker.assert_outcome("compared");
}

#[test]
fn comparisons_begin_one_after_the_other() {
    let mut worker = Worker::new(config(json!({})));
    let long: Vec<u32> = (0..40_000).collect();
    let long = (json!(long).to_string(), json!(long).to_string().replace(',', ", "));
    let pairs = [(1, (long.0.as_str(), long.1.as_str())), (2, ("1", "1.0"))];
    for (stream, (primary, shadow)) in pairs {
        worker.request(ROOT, stream, &[], true);
        worker.send(stream);
        worker.shadow(stream, 200, shadow);
        worker.answer(stream, 200, primary);
    }
    worker.end(1);
    worker.end(2);
    assert_eq!(worker.sum(&["gnomon_pairs_total"]), 0, "each comparison holds memory from when it begins");
    worker.work();
    assert_eq!(worker.sum(&["gnomon_pairs_total"]), 2);
}

#[test]
fn only_the_first_paths_have_series_of_their_own() {
    let mut worker = Worker::new(config(json!({})));
    for round in 0..2 {
        for member in 0..20 {
            let [primary, shadow] = [1, 2].map(|value| format!(r#"{{"m{member}":{value}}}"#));
            worker.pair(1 + round * 20 + member, (200, &primary), (200, &shadow));
        }
    }
    assert_eq!(worker.sum(&["gnomon_divergent_paths_total", "path=.=m0;"]), 2);
    assert_eq!(worker.sum(&["gnomon_divergent_paths_total", "path=.=m16;"]), 0);
    assert_eq!(worker.sum(&["gnomon_divergent_paths_total", "path=.=other;"]), 8);
    assert_eq!(worker.loads(), 17, "the host is asked once for each, and for one too many");

    let next = Worker::after(worker, config(json!({})));
    assert_eq!(next.defined(&["path=.=m15;"]), 1, "a new configuration holds on to the series");
}

#[test]
fn an_answer_nobody_waits_for_is_an_anomaly() {
    let mut worker = Worker::new(config(json!({})));
    worker.handle(Event::ShadowAnswered { token: 77, reply: None });
    assert_eq!(worker.sum(&["gnomon_anomalies_total", &names::series("", &[("what", "unknown_call")])]), 1);
}
