//! What each door answers.

use crate::process::Process;
use crate::prometheus::{SUBJECT, World};
use crate::server::{Reply, Server};

fn with(world: World) -> (Process, Server) {
    let server = Server::new(move |request| world.answer(request));
    (Process::new(&server.url), server)
}

#[test]
fn a_decision_is_answered_at_both_doors() {
    for (world, confirm, rollback, words) in [
        (World::good(), 200, 409, "pass: route fraud, subject v2 (pass): all gates that must pass do: errors\n"),
        (World::new(2, (2, 100, 1000)), 409, 200, "fail: route fraud, subject v2 (fail): gate errors has failed\n"),
        (World::new(0, (0, 0, 76)), 409, 409, "undecided: route fraud, subject v2 (undecided): gate errors must pass and is undecided\n"),
        (World::new(1, (2, 100, 1000)), 409, 409, "undecided: route fraud, subject v2 (undecided): gnomon:subject:state is 1 (pass), but"),
        (World::good().with("gnomon:subject:state", "NaN"), 409, 409, "undecided"),
        (World::good().without("gnomon:rules:info"), 409, 409, "unknown: "),
        (World::default(), 409, 409, "unknown: "),
    ] {
        let (process, _server) = with(world);
        process.hook("/confirm", "").assert(confirm, words);
        process.hook("/rollback", "").assert(rollback, words);
    }
}

/// An id is a new one only if nothing has been decided of it, and all of that is known.
#[test]
fn an_id_is_new_if_nothing_was_decided() {
    let mut partial = World::default();
    partial.add("gnomon:rules:info", "version=1", "1");
    partial.warnings.push("a store is down".into());
    let mut none = World::default();
    none.add("gnomon:rules:info", "version=1", "1");
    for (world, status, words) in [
        (none, 200, "fresh: nothing was decided of experiment fraud-a in 14 days\n"),
        (World::new(0, (0, 0, 76)), 200, "fresh: "),
        (
            World::good(),
            409,
            "used: experiment fraud-a has been decided in the last 14 days: route fraud, subject v2 (pass); give a new id\n",
        ),
        (World::new(2, (2, 100, 1000)), 409, "subject v2 (fail)"),
        (World::good().with("gnomon:subject:state", "NaN"), 409, "used: "),
        (World::good().without("gnomon:rules:info"), 409, "unknown: "),
        (partial, 409, "unknown: "),
    ] {
        let (process, server) = with(world);
        process.hook("/fresh", r#", "route": "fraud", "subject": "v2""#).assert(status, words);
        let asked: Vec<String> = server.requests.lock().unwrap().iter().map(|request| request.parameter("query")).collect();
        let state = r#"max_over_time(gnomon:subject:state{experiment="fraud-a",route="fraud",subject="v2"}[14d])"#;
        assert!(asked.len() == 1 && status == 409 || asked.iter().any(|query| query == state), "{asked:?}");
    }
}

/// A rollback is answered with 200 if the rules say 2 and why; not because one of both stands there.
#[test]
fn a_rollback_needs_a_reason() {
    let none = "no rollback: gnomon:subject:state must be 2";
    let cut_off = |state| {
        let mut world = World::new(state, (1, 0, 1000));
        world.add("gnomon:subject_cut_off:max", SUBJECT, "1");
        world
    };
    let mut tripped = World::new(2, (1, 0, 1000));
    tripped.add("gnomon_guardrail_tripped", "experiment=fraud-a route=fraud variant=v2 instance=a", "1");
    for (world, status, words) in [
        (World::new(2, (1, 0, 1000)), 409, none),
        (World::new(2, (0, 0, 76)), 409, none),
        (World::new(2, (2, 100, 1000)).with("gnomon:gate_requires:max", "0"), 409, none),
        (tripped, 409, none),
        (cut_off(1), 409, "gnomon:subject:state is 1 (pass), but a guardrail had cut it off"),
        (cut_off(2), 200, "a guardrail had cut it off"),
        (World::new(2, (2, 100, 1000)).with("gnomon:gate_requires:max", "1"), 200, "gate errors has failed"),
    ] {
        let (process, _server) = with(world);
        process.hook("/rollback", "").assert(status, words);
    }
    let (process, _server) = with(World::new(0, (2, 100, 1000)));
    process.hook("/rollback", r#", "gate": "errors""#).assert(409, none);
    process.hook("/confirm", r#", "gate": "errors""#).assert(409, "gate errors has failed");
    let (process, _server) = with(World::new(2, (2, 100, 1000)));
    process.hook("/rollback", r#", "gate": "errors""#).assert(200, "gate errors has failed");
}

/// A rollback is never answered with 200 because it could not be asked.
#[test]
fn a_prometheus_that_does_not_answer_decides_nothing() {
    let html = Reply::With(200, "content-type: text/html\r\n".into(), "<html>".into());
    for reply in [Reply::text(500, ""), Reply::text(401, ""), html, Reply::Close, Reply::Half(String::from("{"))] {
        let server = Server::new(move |_| reply.clone());
        let process = Process::new(&server.url);
        for door in ["/confirm", "/rollback", "/fresh"] {
            process.hook(door, "").assert(503, "unknown: ");
        }
    }
    let process = Process::new("http://127.0.0.1:1");
    process.hook("/rollback", "").assert(503, "can't be reached");
    process.request("GET", "/readyz", "").assert(200, "ready; Prometheus did not answer at 20");
    process.request("GET", "/metrics", "").assert(200, "gnomon_serve_prometheus_up 0\n");
}

#[test]
fn metadata_says_what_is_asked() {
    let mut world = World::good();
    let other = "experiment=fraud-a route=fraud subject=v2-copy";
    world.subject(other, 0);
    world.gate(&format!("{other} gate=agreement slice=all"), 0, 2, (0, 10));
    world.subject(&format!("{SUBJECT} cluster=west"), 2);
    world.gate(&format!("{SUBJECT} cluster=west gate=errors slice=all"), 2, 2, (50, 100));
    let (process, _server) = with(world);
    process.hook("/confirm", r#", "cluster": "west""#).assert(409, "fail: route fraud, subject v2 (fail)");
    process.hook("/confirm", r#", "subject": "v2-copy""#).assert(409, "undecided: route fraud, subject v2-copy (undecided)");
    process.hook("/confirm", r#", "subject": "v9""#).assert(409, "unknown: experiment fraud-a has no subject v9");
    process.hook("/confirm", r#", "subject": "v2""#).assert(400, "runs in several clusters");
    process.hook("/confirm", r#", "rout": "fraud""#).assert(400, "metadata.rout is not known");
    process.request("POST", "/confirm", r#"{"metadata": {"route": "fraud"}}"#).assert(400, "metadata.experiment is missing");
    process.request("POST", "/rollback", "experiment=fraud-a").assert(400, "the body is not JSON");
    let log = process.log.lock().unwrap().join("\n");
    assert!(
        log.contains(r#"/confirm experiment="fraud-a" from="ml/fraud in phase Progressing": 409 fail: route fraud, subject v2 (fail)"#),
        "{log}"
    );
}

#[test]
fn other_requests_are_told() {
    let (process, server) = with(World::good());
    process.request("GET", "/", "").assert(404, "there are /confirm, /rollback, /fresh, /livez, /readyz and /metrics");
    process.request("POST", "/confirm/", "").assert(404, "");
    let get = process.request("GET", "/confirm", "");
    get.assert(405, "/confirm takes POST");
    assert!(get.head.contains("allow: POST"), "{get:?}");
    process.request("DELETE", "/metrics", "").assert(405, "/metrics takes GET, HEAD");
    process.request("GET", "/livez?x=1", "").assert(200, "alive");
    let head = process.request("HEAD", "/readyz", "");
    assert!(head.status == 200 && head.body.is_empty(), "{head:?}");
    process.request("GET", "/readyz", "").assert(200, "ready; Prometheus has not been asked yet");
    assert!(server.requests.lock().unwrap().is_empty(), "a probe asks nobody");
    process.hook("/confirm", "").assert(200, "pass");
    assert_eq!(server.requests.lock().unwrap()[0].header("user-agent"), Some("gnomon/0.1.0"));
    let metrics = process.request("GET", "/metrics", "");
    for line in [
        "gnomon_serve_answers_total{door=\"confirm\",code=\"200\"} 1\n",
        "gnomon_serve_answers_total{door=\"confirm\",code=\"405\"} 1\n",
        "gnomon_serve_answers_total{door=\"other\",code=\"404\"} 2\n",
        "gnomon_serve_decision_seconds_count 1\n",
        "gnomon_serve_decision_seconds_bucket{le=\"+Inf\"} 1\n",
        "gnomon_serve_prometheus_up 1\n",
        "gnomon_serve_build_info{version=\"0.1.0\"} 1\n",
    ] {
        metrics.assert(200, line);
    }
}

/// Nothing is kept from one request to the next.
#[test]
fn an_old_pass_is_no_new_one() {
    let passes = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (good, bad, now) = (World::good(), World::new(0, (0, 0, 76)), passes.clone());
    let world = move || if now.load(std::sync::atomic::Ordering::SeqCst) { &good } else { &bad }.clone();
    let server = Server::new(move |request| world().answer(request));
    let process = Process::new(&server.url);
    process.hook("/confirm", "").assert(200, "pass");
    passes.store(false, std::sync::atomic::Ordering::SeqCst);
    process.hook("/confirm", "").assert(409, "undecided");
}
