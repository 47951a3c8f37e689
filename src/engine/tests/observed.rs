//! A split that the mesh makes: what is counted for whom, which requests are copied, and what becomes of copies of another variant's.

use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::worker::{ROOT, Worker, config, head, merge};
use crate::engine::ending::Ending;
use crate::engine::event::{CallError, Event};

const STABLE: &str = "outbound|80||stable.ml";
const CANARY: &str = "outbound|80||canary.ml";

/// The usual configuration with observed variants `stable` and `canary`, and `change` put over its only route.
fn observed(change: Value) -> Value {
    let cluster = |name: &str| json!({"name": name, "cluster": {"prefix": format!("outbound|80||{name}.")}});
    let mut all = config(json!({}));
    all["routes"][0]["observe"] = json!({"baseline": "stable", "variants": [cluster("canary"), cluster("stable")]});
    merge(&mut all["routes"][0], change);
    all
}

/// With a bucket header by `x-user`, so that nothing is known of the variant before the answer.
fn sticky(change: Value) -> Value {
    let mut all = observed(json!({"observe": {"bucket": {"key": {"header": "x-user"}, "salt": "fraud"}}}));
    merge(&mut all["routes"][0], change);
    all
}

/// The stream ends, with what the host names as its cluster.
fn end(worker: &mut Worker, cluster: Option<&str>, ending: Ending) {
    if let Some(cluster) = cluster {
        worker.handle(Event::AnsweredBy { stream: 1, cluster: cluster.to_owned() });
    }
    worker.handle(Event::StreamEnd { stream: 1, ending, first_byte: None });
}

fn answered(worker: &Worker) -> Ending {
    Ending::Answered { at: worker.now, grpc_status: None }
}

/// A request for which the host has chosen one cluster, and which another one answers.
fn request(worker: &mut Worker, chosen: Option<&str>, cluster: Option<&str>) {
    worker.chosen = chosen.map(str::to_owned);
    worker.request(ROOT, 1, &[], true);
    worker.answer(1, 200, "{}");
    let ending = answered(worker);
    end(worker, cluster, ending);
}

/// Requests and answers of each variant, `none` the last.
fn counted(worker: &Worker) -> [(i64, i64); 3] {
    ["stable", "canary", "none"].map(|variant| {
        let variant = format!("variant=.={variant};");
        (worker.sum(&["gnomon_requests_total", &variant, "observed"]), worker.sum(&["gnomon_responses_total", &variant]))
    })
}

#[test]
fn who_answered_is_known_by_its_cluster() {
    let mut worker = Worker::new(observed(json!({"shadows": []})));
    assert_eq!(worker.defined(&["gnomon_requests_total", "variant=.=none;", "observed"]), 1, "from the start");
    for series in ["gnomon_split_ppm", "gnomon_split_misrouted", "gnomon_guardrail_tripped"] {
        assert_eq!(worker.defined(&[series]), 0, "{series} is of splits of our own");
    }
    worker.request(ROOT, 1, &[], true);
    assert_eq!(counted(&worker), [(0, 0); 3], "nobody knows yet");
    let broken = Ending::Broken;
    end(&mut worker, Some(STABLE), broken);
    assert_eq!(counted(&worker), [(1, 1), (0, 0), (0, 0)], "a reply of Envoy's own, such as of a cluster without hosts");
    for (cluster, ending) in [(Some(CANARY), Ending::ClientLeft), (Some("other"), Ending::ClientLeft), (None, Ending::Broken)] {
        worker.request(ROOT, 1, &[], true);
        end(&mut worker, cluster, ending);
    }
    assert_eq!(counted(&worker), [(1, 1), (1, 1), (2, 2)]);
    (0..5).for_each(|_| request(&mut worker, Some(STABLE), Some(CANARY)));
    assert_eq!(counted(&worker), [(1, 1), (6, 6), (2, 2)], "not by what was chosen first");
    assert_eq!(worker.sum(&["gnomon_requests_total"]), 9);
    assert_eq!(worker.recorded(&["gnomon_response_duration_microseconds", "variant=.=canary;"]), 5);
    assert!(worker.headers.is_empty(), "{:?}", worker.headers);
    worker.assert_at_rest();
}

#[test]
fn a_request_is_copied_for_the_variant_that_the_host_has_chosen() {
    for (of, chosen, copies) in [
        (None, Some(STABLE), 1),
        (None, Some(CANARY), 0),
        (None, Some("other"), 0),
        (None, None, 0),
        (Some(json!(["canary"])), Some(CANARY), 1),
        (Some(json!(["canary", "stable"])), Some(CANARY), 1),
    ] {
        let mut all = observed(json!({}));
        if let Some(of) = &of {
            all["routes"][0]["shadows"][0]["of"] = of.clone();
        }
        let mut worker = Worker::new(all);
        request(&mut worker, chosen, chosen);
        assert_eq!(worker.send(5), copies, "{of:?} {chosen:?}");
        if copies == 1 {
            worker.shadow(5, 200, "{}");
            assert_eq!(worker.sum(&["gnomon_shadow_outcomes_total", "compared"]), 1);
        }
        assert_eq!(worker.sum(&["gnomon_sampled_total"]), copies as i64);
        worker.assert_at_rest();
    }
}

/// Wherever the copy is by then.
#[test]
fn a_copy_of_another_variants_request_has_an_outcome_of_its_own() {
    let coverage = json!({"gates": [{"name": "covered", "of": "s", "measure": "coverage", "limit": 90, "min_trials": 0},
                                    {"name": "slow", "of": "s", "measure": "slower_than", "threshold": "1ms", "limit": 50}]});
    for (what, answer, sent, shadow_first) in [
        ("the request was never complete", None, false, false),
        ("the copy still waits", Some(200), false, false),
        ("the copy is under way", Some(200), true, false),
        ("the copy is under way, and the client's answer is a failure", Some(500), true, false),
        ("the shadow was the first to answer", Some(200), true, true),
    ] {
        let mut worker = Worker::new(observed(coverage.clone()));
        worker.chosen = Some(STABLE.to_owned());
        worker.request(ROOT, 1, &[], false);
        worker.upload(1, "{", answer.is_some());
        if sent {
            assert_eq!(worker.send(5), 1, "{what}");
        }
        if shadow_first {
            worker.shadow(5, 200, "{}");
        }
        answer.into_iter().for_each(|status| worker.answer(1, status, "{}"));
        let ending = if answer.is_some() { answered(&worker) } else { Ending::ClientLeft };
        end(&mut worker, Some(CANARY), ending);
        assert_eq!(worker.send(6), 0, "{what}: nothing is sent for it any more");
        if sent && !shadow_first {
            assert_eq!(worker.sum(&["gnomon_open_pairs"]), 1, "{what}: its answer comes");
            worker.shadow(5, 503, "{}");
        }
        assert_eq!(worker.outcomes().into_iter().collect::<Vec<_>>(), [("other_variant".to_owned(), 1)], "{what}");
        assert_eq!(worker.sum(&["gnomon_gate_trials_total"]), 0, "{what}: no trial of any gate");
        assert!(worker.evidence.is_empty(), "{what}: it is nobody's failure");
        worker.assert_at_rest();
    }
}

#[test]
fn a_request_that_was_not_judged_by_its_body_is_not_sampled_for_another_variant() {
    let mut all = observed(json!({}));
    all["routes"][0]["shadows"][0]["when"] = json!({"body": [{"path": "a", "exact": 1}]});
    let mut worker = Worker::new(all);
    worker.chosen = Some(STABLE.to_owned());
    worker.request(ROOT, 1, &[], false);
    worker.upload(1, r#"{"a": 1}"#, true);
    worker.answer(1, 200, "{}");
    let ending = answered(&worker);
    end(&mut worker, Some(CANARY), ending);
    assert_eq!((worker.send(5), worker.sum(&["gnomon_sampled_total"])), (0, 0));
    worker.assert_at_rest();
}

#[test]
fn the_bucket_header_is_the_filters_own() {
    let mut worker = Worker::new(sticky(json!({})));
    // The bucket of alice is 416409 (Python's xxhash).
    worker.request(ROOT, 1, &[("x-user", "alice"), ("x-gnomon-bucket", "0000")], true);
    assert_eq!(worker.headers, ["-x-gnomon-bucket", "x-gnomon-bucket: 4164"]);
    for (headers, expected) in [
        (&[("x-gnomon-bucket", "0000")][..], &["-x-gnomon-bucket"][..]),
        (&[("x-user", "alice"), ("x-gnomon-shadow", "s"), ("x-gnomon-bucket", "0000")], &["-x-gnomon-bucket"]),
        (&[("x-user", "alice"), (":path", "/elsewhere"), ("x-gnomon-bucket", "0000")], &["-x-gnomon-bucket"]),
        (&[(":path", "/elsewhere")], &[]),
    ] {
        worker.headers.clear();
        worker.request_of(headers);
        assert_eq!(worker.headers, expected, "{headers:?}");
    }
    assert_eq!(worker.send(5), 2);
    assert!(worker.copies.iter().flat_map(|copy| &copy.headers).all(|(name, _)| name != "x-gnomon-bucket"));
}

#[test]
fn where_a_header_is_set_only_the_answer_tells_the_variant() {
    let mut worker = Worker::new(sticky(json!({})));
    for (token, cluster) in (5..).zip([Some(STABLE), Some(CANARY), None]) {
        // What the host has chosen before it saw the header is out of date.
        worker.chosen = Some(CANARY.to_owned());
        worker.request(ROOT, 1, &[("x-user", "alice")], true);
        assert_eq!(worker.send(token), 1, "every request loads the shadow");
        worker.answer(1, 200, "{}");
        let ending = answered(&worker);
        end(&mut worker, cluster, ending);
        worker.shadow(token, 200, "{}");
    }
    assert_eq!(worker.outcomes().into_iter().collect::<Vec<_>>(), [("compared".to_owned(), 1), ("other_variant".to_owned(), 2)]);
    worker.assert_at_rest();
}

/// A request that gets no copy may be another variant's, too.
#[test]
fn a_request_without_a_copy_has_its_outcome_once_the_variant_is_known() {
    let upgrade: &[(&str, &str)] = &[("connection", "upgrade"), ("upgrade", "websocket")];
    let (long, plain): (&[_], &[_]) = (&[("content-length", "2000000")], &[]);
    for (cluster, is_other) in [(STABLE, false), (CANARY, true)] {
        for (headers, body, refused, outcome) in [
            (upgrade, "", None, "unsent_upgrade"),
            (long, "", None, "unsent_body"),
            (plain, "too long", None, "unsent_body"),
            (plain, "{}", Some(CallError::NoCluster), "unsent_no_cluster"),
        ] {
            let mut all = sticky(json!({}));
            all["limits"] = json!({"body": "4B"});
            let mut worker = Worker::new(all);
            worker.request(ROOT, 1, headers, false);
            worker.upload(1, body, true);
            worker.work();
            for pair in worker.take_copies() {
                worker.handle(Event::Dispatched { pair, result: Err(refused.unwrap()) });
            }
            assert_eq!((worker.sum(&["gnomon_open_pairs"]), worker.outcomes().len()), (1, 0), "{outcome}");
            let status = if outcome == "unsent_upgrade" { 101 } else { 200 };
            worker.handle(Event::ResponseHeaders { stream: 1, head: head(status) });
            let ending = if status == 101 { Ending::Broken } else { answered(&worker) };
            end(&mut worker, Some(cluster), ending);
            worker.assert_outcome(if is_other { "other_variant" } else { outcome });
            assert_eq!(worker.sum(&["gnomon_responses_total", "class=.=2xx"]), 1, "{outcome}");
        }
    }
}

#[test]
fn the_first_obstacle_of_a_copy_is_its_outcome() {
    let shadows = ["s", "t"].map(|name| json!({"name": name, "cluster": name, "percent": 100}));
    let mut all = sticky(json!({"shadows": shadows}));
    all["limits"] = json!({"body": "4B"});
    let mut worker = Worker::new(all);
    for round in 0..11 {
        worker.request(ROOT, 1, &[], false);
        worker.upload(1, if round < 10 { "{}" } else { "too long" }, true);
        let sent = worker.send(2 * round);
        worker.answer(1, 200, "{}");
        let ending = answered(&worker);
        end(&mut worker, Some(STABLE), ending);
        // The breaker of `s` opens.
        (0..sent as u32).for_each(|copy| worker.shadow(2 * round + copy, if copy == 0 { 503 } else { 200 }, "{}"));
    }
    let outcomes = ["shadow_failed", "compared", "unsent_breaker_open", "unsent_body"];
    let expected = [("s", [10, 0, 1, 0]), ("t", [0, 10, 0, 1])];
    for (shadow, expected) in expected {
        let told =
            |outcome: &str| worker.sum(&["gnomon_shadow_outcomes_total", &format!("shadow=.={shadow};"), &format!("outcome=.={outcome};")]);
        assert_eq!(outcomes.map(told), expected, "{shadow}");
    }
}

/// There is no room to wait for the answer, which may be another variant's.
#[test]
fn a_request_beyond_the_bound_on_pairs_is_no_trial_while_its_variant_is_unknown() {
    let coverage = json!({"gates": [{"name": "covered", "of": "s", "measure": "coverage", "limit": 90, "min_trials": 0}]});
    for (mut all, trials) in [(sticky(coverage.clone()), 0), (observed(coverage), 1)] {
        all["limits"] = json!({"pairs": 1});
        let mut worker = Worker::new(all);
        worker.chosen = Some(STABLE.to_owned());
        (1..=2).for_each(|stream| worker.request(ROOT, stream, &[("x-user", "alice")], true));
        assert_eq!(worker.outcomes().into_iter().collect::<Vec<_>>(), [("unsent_in_flight".to_owned(), 1)]);
        assert_eq!(worker.sum(&["gnomon_gate_trials_total"]), trials);
    }
}

#[test]
fn what_ends_with_its_vm_waits_for_no_variant() {
    let mut worker = Worker::new(sticky(json!({})));
    worker.request(ROOT, 1, &[], true);
    assert_eq!(worker.send(5), 1);
    worker.handle(Event::Retire { root: ROOT });
    assert_eq!(worker.outcomes().into_iter().collect::<Vec<_>>(), [("replaced".to_owned(), 1)]);
    worker.handle(Event::StreamEnd { stream: 1, ending: Ending::Broken, first_byte: None });
    worker.assert_outcome("replaced");
}

#[test]
fn a_shadow_that_is_left_alone_gets_no_copy_while_another_one_does() {
    let shadows = ["s", "t"].map(|name| json!({"name": name, "cluster": name, "percent": 100}));
    let mut worker = Worker::new(sticky(json!({"shadows": shadows})));
    let outcomes = |worker: &Worker, outcome: &str| worker.sum(&["gnomon_shadow_outcomes_total", &format!("outcome=.={outcome};")]);
    for round in 0..11 {
        worker.request(ROOT, 1, &[], false);
        // By then the shadow would be tried again.
        worker.pass(Duration::from_secs(if round < 10 { 0 } else { 6 }));
        worker.upload(1, "{}", true);
        assert_eq!(worker.send(2 * round), if round < 10 { 2 } else { 1 });
        worker.answer(1, 200, "{}");
        let ending = answered(&worker);
        end(&mut worker, Some(STABLE), ending);
        let of_t = if round < 10 {
            worker.shadow(2 * round, 503, "");
            2 * round + 1
        } else {
            2 * round
        };
        worker.shadow(of_t, 200, "{}");
    }
    assert_eq!(["shadow_failed", "unsent_breaker_open", "compared"].map(|outcome| outcomes(&worker, outcome)), [10, 1, 11]);
    worker.handle(Event::Retire { root: ROOT });
    worker.assert_at_rest();
}

#[test]
fn facts_of_an_answer_are_those_of_the_variant_that_gave_it() {
    const CHAT: &str = r#"{"choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4}}"#;
    let shadow = json!([{"name": "s", "cluster": "shadow", "percent": 100, "of": ["stable", "canary"]}]);
    let mut worker = Worker::new(observed(json!({"protocol": "openai", "shadows": shadow})));
    for (token, cluster, tokens) in [(5, STABLE, [4, 0]), (6, CANARY, [4, 4])] {
        worker.chosen = Some(STABLE.to_owned());
        worker.request(ROOT, 1, &[(":path", "/v1/chat/completions")], false);
        worker.upload(1, "{}", true);
        worker.send(token);
        worker.answer(1, 200, CHAT);
        let ending = answered(&worker);
        end(&mut worker, Some(cluster), ending);
        worker.shadow(token, 200, CHAT);
        let told = |subject: &str| worker.sum(&["gnomon_tokens_total", &format!("subject=.={subject};"), "completion"]);
        assert_eq!([told("stable"), told("canary")], tokens);
    }
}
