//! Gates that set a canary against the baseline: which events are trials, by what limit, and what comes of them.

use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::guardrail::tripped;
use super::{FAIL, UNDECIDED, lines, merge, route, shown, told};
use crate::engine::effect::Line;
use crate::engine::ending::Ending;
use crate::engine::event::Event;
use crate::engine::tests::worker::{ROOT, Worker, head};
use crate::stats::memory::Memory;

const CHAT: &str = "/v1/chat/completions";

/// A route that is split by `x-user`, half and half, with one gate on this event. `change` is put over the route.
fn split(event: Value, change: Value) -> Value {
    let gate = json!({"name": "worse", "of": "v2", "measure": "worse_than_baseline", "event": event, "limit": 50});
    let split = json!({"baseline": "v1", "canaries": [{"name": "v2", "percent": 50}], "key": {"header": "x-user"},
        "pins": [{"header": "x-pin", "exact": "v2", "variant": "v2"}]});
    let mut all = route(json!({"protocol": "auto", "shadows": [], "split": split, "gates": [gate]}));
    merge(&mut all["routes"][0], change);
    all
}

/// A request of this user, answered with these bytes. Returns the variant.
fn answer(worker: &mut Worker, path: &str, headers: &[(&str, &str)], status: u16, body: &str) -> String {
    worker.headers.clear();
    let headers: Vec<(&str, &str)> = [(":path", path)].iter().chain(headers).copied().collect();
    worker.request_of(&headers);
    worker.answer(1, status, body);
    worker.end(1);
    worker.headers.iter().find_map(|header| header.strip_prefix("x-gnomon-variant: ")).unwrap().to_owned()
}

fn by_user(worker: &mut Worker, user: &str, status: u16) -> String {
    answer(worker, "/v1/x", &[("x-user", user)], status, "{}")
}

/// The names of users, whom the split with these shares gives to `v1` and to `v2`.
fn users(worker: &mut Worker, variant: &str, how_many: usize) -> Vec<String> {
    let names = (0..).map(|number| format!("user-{number}"));
    names.filter(|name| by_user(worker, name, 200) == variant).take(how_many).collect()
}

/// Bad trials, trials and state of the gate, and the sum of the limits of its trials.
fn of_gate(worker: &Worker) -> ((i64, i64, i64), i64) {
    (told(worker, "worse", "all"), shown(worker, "gnomon_gate_limit_sum_ppm_total", "worse", "all"))
}

#[test]
fn the_first_event_of_a_key_is_a_trial() {
    let mut worker = Worker::new(split(json!("refused"), json!({})));
    let (old, new) = (users(&mut worker, "v1", 2), users(&mut worker, "v2", 2));
    assert_eq!(of_gate(&worker), ((0, 0, UNDECIDED), 0), "nothing happened yet");
    by_user(&mut worker, &old[0], 404);
    assert_eq!(of_gate(&worker), ((0, 1, UNDECIDED), 500_000), "at the baseline");
    by_user(&mut worker, &new[0], 400);
    assert_eq!(of_gate(&worker), ((1, 2, UNDECIDED), 1_000_000), "at the canary");
    for status in [404, 429, 200, 503] {
        by_user(&mut worker, &old[0], status);
        by_user(&mut worker, &new[0], status);
        by_user(&mut worker, &new[1], 503);
    }
    assert_eq!(of_gate(&worker), ((1, 2, UNDECIDED), 1_000_000), "the same keys again, or no such event");
    let mut beside = Worker::beside(&worker, split(json!("refused"), json!({})));
    by_user(&mut beside, &new[0], 404);
    by_user(&mut beside, &old[1], 404);
    assert_eq!(of_gate(&beside), ((1, 3, UNDECIDED), 1_500_000), "all workers know of all keys");
    assert_eq!(beside.sum(&["gnomon_anomalies_total"]), 0);
}

#[test]
fn what_the_split_did_not_assign_is_no_trial() {
    let mut worker = Worker::new(split(json!("refused"), json!({})));
    for headers in [&[][..], &[("x-user", "")], &[("x-pin", "v2"), ("x-user", "alice")], &[("x-pin", "v2")]] {
        answer(&mut worker, "/v1/x", headers, 404, "");
    }
    assert_eq!(of_gate(&worker), ((0, 0, UNDECIDED), 0));
    // Each request is a key of its own.
    let mut worker = Worker::new(split(json!("refused"), json!({"split": {"key": "request"}})));
    for _ in 0..3 {
        answer(&mut worker, "/v1/x", &[], 404, "");
    }
    assert_eq!(of_gate(&worker).0.1, 3);
}

#[test]
fn where_one_of_the_two_gets_no_keys_there_is_no_trial() {
    for percent in [0, 100] {
        let canaries = json!([{"name": "v2", "percent": percent}]);
        let mut worker = Worker::new(split(json!("refused"), json!({"split": {"canaries": canaries}})));
        for user in ["alice", "bob", "carol"] {
            by_user(&mut worker, user, 404);
        }
        assert_eq!(of_gate(&worker), ((0, 0, UNDECIDED), 0), "{percent}");
    }
}

/// The limit of a trial is the canary's share of its own and the baseline's when the request was assigned.
#[test]
fn the_limit_goes_with_the_shares() {
    let canaries = |percent, other| json!({"split": {"canaries": [{"name": "v2", "percent": percent}, {"name": "v3", "percent": other}]}});
    let mut worker = Worker::new(split(json!("refused"), canaries(10, 60)));
    let old = users(&mut worker, "v1", 3);
    let other = users(&mut worker, "v3", 1);
    by_user(&mut worker, &old[0], 404);
    by_user(&mut worker, &other[0], 404);
    assert_eq!(of_gate(&worker), ((0, 1, UNDECIDED), 250_000), "another canary has nothing to do with it");
    // Begun under the old shares, and over under the new ones.
    worker.request_of(&[(":path", "/v1/x"), ("x-user", &old[1])]);
    worker.configure(ROOT + 1, split(json!("refused"), canaries(20, 60)));
    worker.answer(1, 404, "");
    worker.end(1);
    assert_eq!(of_gate(&worker), ((0, 2, UNDECIDED), 500_000));
}

#[test]
fn a_canary_that_refuses_all_is_found_by_its_share_of_the_refusals() {
    let guardrail = json!({"guardrail": {"gates": ["worse"], "min_trials": 0}});
    let mut worker = Worker::new(split(json!("refused"), guardrail.clone()));
    let (old, new) = (users(&mut worker, "v1", 30), users(&mut worker, "v2", 30));
    // One client with a thousand bad requests is one trial.
    (0..1_000).for_each(|_| _ = by_user(&mut worker, &new[0], 404));
    assert_eq!((of_gate(&worker).0, tripped(&worker, "v2")), ((1, 1, UNDECIDED), 0));
    for user in &new[1..] {
        by_user(&mut worker, user, 404);
    }
    let (bad, trials, state) = of_gate(&worker).0;
    assert_eq!((state, tripped(&worker, "v2")), (FAIL, 1));
    assert!(bad == trials && bad <= 15, "{bad} of {trials}");
    let [line] = lines(&worker, "guardrail")[..] else { panic!("{:?}", worker.evidence) };
    assert_eq!(line["limit_ppm"], 500_000);
    let counted = of_gate(&worker);
    for user in &old {
        by_user(&mut worker, user, 404);
    }
    assert_eq!(of_gate(&worker), counted, "once it is cut off there is nothing to compare");

    let mut worker = Worker::new(split(json!("refused"), guardrail));
    for (one, other) in old.iter().zip(&new) {
        by_user(&mut worker, one, 404);
        by_user(&mut worker, other, 404);
    }
    assert_eq!((of_gate(&worker), tripped(&worker, "v2")), (((30, 60, UNDECIDED), 30_000_000), 0), "it is no worse");
}

/// The users of a long history in which both refuse alike: so many of the baseline, and of the canary.
fn history(worker: &mut Worker, (old, new): (usize, usize)) -> (Vec<String>, Vec<String>) {
    let (old, new) = (users(worker, "v1", old), users(worker, "v2", new));
    for (one, other) in old.iter().zip(&new) {
        by_user(worker, one, 404);
        by_user(worker, other, 404);
    }
    (old, new)
}

fn guarded() -> Value {
    split(json!("refused"), json!({"guardrail": {"gates": ["worse"], "min_trials": 0, "window": "10m"}}))
}

/// A long history mutes the evidence of the whole experiment, and not that of a window, also if all users have had their first event.
#[test]
fn a_window_has_first_events_of_its_own() {
    let mut worker = Worker::new(guarded());
    let (_, new) = history(&mut worker, (400, 400));
    let before = of_gate(&worker).0;
    assert!(before.0 * 2 == before.1 && before.1 > 780, "{before:?}");
    worker.pass(Duration::from_mins(10));
    let mut needed = 0;
    for user in new.iter().flat_map(|user| [user, user]) {
        if tripped(&worker, "v2") == 0 {
            by_user(&mut worker, user, 404);
            needed += 1;
        }
    }
    let [line] = lines(&worker, "guardrail")[..] else { panic!("{:?}", worker.evidence) };
    let told = ["bad", "trials", "limit_ppm"].map(|member| line[member].as_i64());
    assert_eq!((line["guardrail"].as_str(), told), (Some("window"), [Some(15), Some(15), Some(500_000)]));
    assert_eq!((needed, of_gate(&worker).0), (29, before), "each asked twice; for the experiment they are no trials");
}

/// Once the baseline's users have had their events, those that are left are the better canary's.
#[test]
fn a_canary_that_is_better_is_not_cut_off_by_the_events_that_are_left() {
    let mut worker = Worker::new(guarded());
    let (old, new) = history(&mut worker, (400, 200));
    for user in &old[200..] {
        by_user(&mut worker, user, 404);
    }
    worker.pass(Duration::from_mins(10));
    let late = users(&mut worker, "v2", 260);
    for (one, other) in old.iter().zip(late[200..].iter().chain(&new)).take(60) {
        by_user(&mut worker, one, 404);
        by_user(&mut worker, other, 404);
    }
    assert_eq!((tripped(&worker, "v2"), lines(&worker, "guardrail").len()), (0, 0));
}

#[test]
fn nothing_counts_while_the_canary_warms_up() {
    let canaries = json!([{"name": "v2", "percent": 50, "warmup": {"pairs": 2}}]);
    let mut worker = Worker::new(split(json!("refused"), json!({"split": {"canaries": canaries}})));
    for user in ["u-1", "u-2", "u-3", "u-4", "u-5", "u-6", "u-7", "u-8"] {
        if worker.sum(&["gnomon_warmup_total"]) < 2 {
            by_user(&mut worker, user, 404);
            assert_eq!(of_gate(&worker), ((0, 0, UNDECIDED), 0), "{user}");
        }
    }
    let (old, new) = (users(&mut worker, "v1", 1), users(&mut worker, "v2", 1));
    by_user(&mut worker, &old[0], 404);
    by_user(&mut worker, &new[0], 404);
    assert_eq!(of_gate(&worker).0, (1, 2, UNDECIDED), "no event of a key in the warm-up is remembered");
}

/// Evidence holds in the order in which requests were assigned, and not in that of their answers.
#[test]
fn an_event_waits_for_the_requests_before_it() {
    let mut worker = Worker::new(split(json!("refused"), json!({"guardrail": {"gates": ["worse"], "min_trials": 0}})));
    let (old, new) = (users(&mut worker, "v1", 30), users(&mut worker, "v2", 30));
    let both: Vec<&String> = old.iter().zip(&new).flat_map(|(one, other)| [one, other]).collect();
    // Both refuse alike, but the baseline takes its time.
    for (stream, user) in (1..).zip(&both) {
        worker.request(ROOT, stream, &[("x-user", user)], true);
        if stream % 2 == 0 {
            worker.answer(stream, 404, "");
            worker.end(stream);
        }
    }
    assert_eq!(of_gate(&worker).0, (0, 0, UNDECIDED), "the first request is still open");
    for stream in (1..60).step_by(2) {
        worker.pass(Duration::from_millis(100));
        worker.answer(stream, 404, "");
        worker.end(stream);
        let seen = i64::from(stream + 1);
        assert_eq!(of_gate(&worker).0, (seen / 2, seen, UNDECIDED));
    }
    assert_eq!(tripped(&worker, "v2"), 0);
}

/// From the last byte of the request: a client may take as long as it likes to send it.
#[test]
fn latencies_begin_when_the_request_is_complete() {
    let change = json!({"gates": [
        {"name": "worse", "of": "v2", "measure": "worse_than_baseline", "event": {"slower_than": "100ms"}, "limit": 50},
        {"name": "slow", "of": "v1", "measure": "slower_than", "threshold": "100ms", "limit": 50}]});
    for (upload, answer, expected) in [(10_000, 100, 0), (0, 101, 1)] {
        let mut worker = Worker::new(split(json!("refused"), change.clone()));
        let old = users(&mut worker, "v1", 1);
        let trials = told(&worker, "slow", "all").1;
        worker.request(ROOT, 1, &[("x-user", &old[0])], false);
        worker.pass(Duration::from_millis(upload));
        worker.handle(Event::RequestEnd { stream: 1 });
        worker.pass(Duration::from_millis(answer));
        worker.answer(1, 200, "{}");
        worker.end(1);
        assert_eq!(told(&worker, "slow", "all"), (expected, trials + 1, UNDECIDED), "{upload}");
        assert_eq!(of_gate(&worker).0.1, expected, "{upload}");
        let took = *worker
            .host()
            .recorded
            .iter()
            .find(|(name, _)| name.starts_with("gnomon_response_duration") && name.contains("v1"))
            .unwrap()
            .1
            .last()
            .unwrap();
        assert_eq!(took, (upload + answer) * 1_000, "the histogram begins with the headers");
    }
    // The last piece of a request may be the one that does not fit.
    let shadow = json!({"name": "s", "cluster": "c", "percent": 100, "of": ["v1"]});
    let mut all = split(json!("refused"), change.clone());
    merge(&mut all, json!({"limits": {"body": "10B"}}));
    merge(&mut all["routes"][0], json!({"shadows": [shadow]}));
    let mut worker = Worker::new(all);
    let old = users(&mut worker, "v1", 1);
    let trials = told(&worker, "slow", "all").1;
    worker.request(ROOT, 1, &[("x-user", &old[0])], false);
    worker.upload(1, "more than ten bytes", true);
    worker.answer(1, 200, "{}");
    worker.end(1);
    assert_eq!(told(&worker, "slow", "all").1, trials + 1);
    // An answer that does not wait for the whole request has no such time.
    for ends_later in [false, true] {
        let mut worker = Worker::new(split(json!("refused"), change.clone()));
        let old = users(&mut worker, "v1", 1);
        let trials = told(&worker, "slow", "all").1;
        worker.request(ROOT, 1, &[("x-user", &old[0])], false);
        worker.answer(1, 200, "{}");
        if ends_later {
            worker.handle(Event::RequestEnd { stream: 1 });
        }
        worker.end(1);
        assert_eq!(told(&worker, "slow", "all").1, trials, "{ends_later}");
    }
}

fn chat(message: &Value, finish: &str) -> String {
    json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]}).to_string()
}

#[test]
fn how_an_answer_ends_is_an_event() {
    let text = json!({"role": "assistant", "content": "hello"});
    let stream = |finish: &str| {
        let [delta, end] = [json!({"content": "hello"}), json!({})];
        let events = [(delta, Value::Null), (end, json!(finish))];
        let events = events.map(|(delta, finish)| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}));
        events.map(|event| format!("data: {event}\n\n")).concat() + "data: [DONE]\n\n"
    };
    let long = json!({"role": "assistant", "content": "x".repeat(300_000)});
    for (event, body, expected) in [
        ("length", chat(&text, "length"), 1),
        ("length", chat(&text, "stop"), 0),
        ("length", chat(&long, "length"), 1),
        ("length", stream("length"), 1),
        ("length", stream("stop"), 0),
        ("empty", chat(&json!({"role": "assistant", "content": ""}), "stop"), 1),
        ("empty", chat(&json!({"role": "assistant", "content": null, "reasoning": "hm"}), "stop"), 1),
        ("empty", chat(&text, "stop"), 0),
        ("refusal", chat(&json!({"role": "assistant", "content": null, "refusal": "no"}), "stop"), 1),
        ("refusal", chat(&text, "stop"), 0),
        ("length", "{not json".to_owned(), 0),
    ] {
        let mut worker = Worker::new(split(json!(event), json!({"match": {"path": {"prefix": "/v1/"}}})));
        answer(&mut worker, CHAT, &[("x-user", "alice")], 200, &body);
        worker.work();
        let beginning: String = body.chars().take(80).collect();
        assert_eq!(of_gate(&worker).0.1, expected, "{event} {beginning}");
        answer(&mut worker, CHAT, &[("x-user", "alice")], 200, &body);
        worker.work();
        assert_eq!(of_gate(&worker).0.1, expected, "{event} {beginning}, once more");
        worker.assert_at_rest();
    }
}

#[test]
fn an_answer_that_is_over_the_limit_or_left_is_not_read() {
    let mut all = split(json!("length"), json!({}));
    all["limits"] = json!({"body": "1KiB"});
    let mut worker = Worker::new(all);
    let long = chat(&json!({"role": "assistant", "content": "x".repeat(2_000)}), "length");
    answer(&mut worker, CHAT, &[("x-user", "alice")], 200, &long);
    worker.request_of(&[(":path", CHAT), ("x-user", "bob")]);
    worker.answer(1, 200, &chat(&json!({"content": "x"}), "length"));
    worker.handle(Event::StreamEnd { stream: 1, ending: Ending::ClientLeft, first_byte: None });
    worker.work();
    assert_eq!(of_gate(&worker).0.1, 0);
    worker.assert_at_rest();
}

#[test]
fn an_error_inside_of_a_2xx_is_a_failure() {
    let failed = json!({"name": "errors", "of": "v1", "measure": "failed", "limit": 50});
    let only_5xx = json!({"name": "broken", "of": "v1", "measure": "failed", "counts": ["5xx"], "limit": 50});
    let worse = json!({"name": "worse", "of": "v2", "measure": "worse_than_baseline", "event": "error", "limit": 50});
    for (path, body, expected) in [
        (CHAT, r#"{"error":{"message":"no"}}"#, 1),
        (CHAT, "data: {\"choices\":[]}\n\ndata: {\"error\":{\"code\":500}}\n\n", 1),
        (CHAT, r#"{"choices":[],"error":null}"#, 0),
        ("/v1/models/iris:predict", r#"{"error":"not ready"}"#, 1),
        ("/v1/models/iris:predict", r#"{"predictions":[1]}"#, 0),
        ("/v2/models/iris/infer", r#"{"error":"not ready"}"#, 1),
        ("/v1/anything", r#"{"error":"a field of its own"}"#, 0),
    ] {
        let mut worker =
            Worker::new(split(json!("error"), json!({"match": {"path": {"prefix": "/"}}, "gates": [failed, only_5xx, worse]})));
        let old = users(&mut worker, "v1", 1);
        let trials = told(&worker, "errors", "all").1;
        answer(&mut worker, path, &[("x-user", &old[0])], 200, body);
        assert_eq!(told(&worker, "errors", "all"), (expected, trials + 1, UNDECIDED), "{path} {body}");
        assert_eq!(told(&worker, "broken", "all"), (0, trials + 1, UNDECIDED), "{path} {body}");
        assert_eq!(of_gate(&worker).0, (0, expected, UNDECIDED), "{path} {body}");
    }
}

/// The answer with an error passes before its pieces are told apart.
#[test]
fn an_error_is_found_in_pieces() {
    let gate = json!({"name": "worse", "of": "v2", "measure": "failed", "limit": 50});
    let mut worker = Worker::new(split(json!("error"), json!({"gates": [gate], "split": {"canaries": [{"name": "v2", "percent": 100}]}})));
    worker.request_of(&[(":path", CHAT), ("x-user", "alice")]);
    worker.handle(Event::ResponseHeaders { stream: 1, head: head(200) });
    for byte in r#"{ "object": "error", "error": {"code": 1} }"#.bytes() {
        worker.handle(Event::ResponseBody { stream: 1, chunk: vec![byte] });
    }
    worker.end(1);
    assert_eq!(told(&worker, "worse", "all"), (1, 1, UNDECIDED));
}

/// Trials of a younger or an older process may be there without their limits.
#[test]
fn a_sum_of_limits_that_is_hidden_decides_nothing() {
    let host = Memory { dropped: Some("gnomon_gate_limit_sum_ppm_total"), ..Memory::default() };
    let mut worker = Worker::on(host, split(json!("refused"), json!({})));
    let new = users(&mut worker, "v2", 60);
    new.iter().for_each(|user| _ = by_user(&mut worker, user, 404));
    assert_eq!(of_gate(&worker), ((60, 60, UNDECIDED), 0));
    let said = |worker: &Worker| {
        worker
            .lines
            .iter()
            .filter(|line| matches!(line, Line::Error(line) if line.starts_with("gnomon_gate_limit_sum_ppm_total of e r worse: ")))
            .count()
    };
    assert_eq!(said(&worker), 1);
    // Nor does who finds such trials.
    let mut beside = Worker::beside(&worker, split(json!("refused"), json!({})));
    assert_eq!((of_gate(&beside), said(&beside)), (((60, 60, UNDECIDED), 0), 1));
    by_user(&mut beside, &new[0], 404);
    assert_eq!((of_gate(&beside), said(&beside)), (((60, 60, UNDECIDED), 0), 1));
}

/// Trials of both kinds have their limits counted, so that the mean is right whoever splits, and in whatever order.
#[test]
fn equal_models_are_undecided_whoever_splits_in_one_experiment() {
    let guardrail = json!({"guardrail": {"gates": ["worse"], "min_trials": 0}});
    let by_gnomon = split(json!("refused"), guardrail);
    let cluster = |name: &str| json!({"name": name, "cluster": {"exact": name}});
    let mut by_mesh = split(json!("refused"), json!({"observe": {"baseline": "v1", "variants": [cluster("v1"), cluster("v2")]}}));
    by_mesh["routes"][0].as_object_mut().unwrap().remove("split");
    let (mut worker, mut next) = (Worker::new(by_gnomon.clone()), 0);
    let (old, new) = (users(&mut worker, "v1", 60), users(&mut worker, "v2", 60));
    for is_by_mesh in [true, false, true, false] {
        worker.configure(ROOT, if is_by_mesh { by_mesh.clone() } else { by_gnomon.clone() });
        for round in 0..20 {
            let at_canary = round % 2 == 0;
            if is_by_mesh {
                for (cluster, has_event) in [("v1", !at_canary), ("v2", at_canary)] {
                    worker.request_of(&[(":path", "/v1/x")]);
                    worker.answer(1, if has_event { 404 } else { 200 }, "");
                    worker.handle(Event::AnsweredBy { stream: 1, cluster: cluster.to_owned() });
                    worker.end(1);
                }
            } else {
                by_user(&mut worker, &if at_canary { &new } else { &old }[next], 404);
                next += 1;
            }
        }
        let ((bad, trials, state), limits) = of_gate(&worker);
        assert_eq!((bad * 2, state, limits, tripped(&worker, "v2")), (trials, UNDECIDED, trials * 500_000, 0));
    }
}
