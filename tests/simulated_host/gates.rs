//! What the shell tells of answers and copies reaches the gates: that they count at all. What they count and say is tested in the core.

use std::time::Duration;

use serde_json::{Value, json};

use crate::facts::{streamed, whole};
use crate::gated::{canary, errors, pinned, start};
use crate::network::{Answer, Message, Reply};
use crate::setup::{QUESTION, SCORE, SHADOW, With, agreeing, shadowed};
use crate::traffic::Request;
use crate::verdicts::{FAIL, Told, UNDECIDED};
use crate::world::World;

fn told(world: &World, gate: &str) -> Told {
    world.gate("exp", gate, "all")
}

/// Bad trials and all trials.
fn counts(world: &World, gate: &str) -> (u64, u64) {
    (told(world, gate).bad, told(world, gate).trials)
}

#[test]
fn every_way_in_which_an_answer_ends_is_a_trial_or_none() {
    let (mut world, place) = start(&canary(json!([errors().with("/min_trials", 6)])));
    let fails = |code| Answer::json("").header("content-type", "application/grpc").trailer("grpc-status", code);
    let grpc = || pinned(200).without("content-type").header("content-type", "application/grpc");
    for (request, reply, bad, trials) in [
        (pinned(200), None, 0, 1),
        (pinned(503), None, 1, 2),
        (pinned(404), None, 1, 3),
        (pinned(200).without("x-pin").header("x-pin", "v1"), None, 1, 3),
        (pinned(200), Some(Reply::Half(Answer::json(SCORE))), 2, 4),
        (grpc(), Some(Reply::Whole(fails("0"))), 2, 5),
        (grpc(), Some(Reply::Whole(fails("13"))), 3, 6),
    ] {
        if let Some(reply) = reply {
            world.serve("v2", move |_| reply.clone());
        }
        assert_eq!(told(&world, "errors").state, UNDECIDED);
        world.ask(place, request);
        assert_eq!(counts(&world, "errors"), (bad, trials));
    }
    assert_eq!((told(&world, "errors").state, told(&world, "errors").failures), (FAIL, 1), "at once");
    let leaves = world.open(place, pinned(503));
    world.send_request(leaves);
    world.client_leaves(leaves);
    world.settle();
    world.check();
    assert_eq!(counts(&world, "errors"), (3, 6), "who left is no trial");
}

/// From the request headers to the first byte of the body, of a stream, and to the end of the answer.
#[test]
fn answers_and_their_first_bytes_are_timed() {
    let slow = json!({"name": "slow", "of": "v2", "measure": "slower_than", "threshold": "50ms", "limit": 1});
    let first = slow.clone().with("/name", "first").with("/measure", "first_byte_slower_than");
    let (mut world, place) = start(&canary(json!([slow, first])).with("/routes/0/protocol", "openai"));
    for (answer, slow, first) in [
        (streamed("noon").after(Duration::from_millis(20)), (0, 1), (0, 1)),
        (streamed("noon").after(Duration::from_millis(80)), (1, 2), (1, 2)),
        (whole("noon").after(Duration::from_millis(80)), (2, 3), (1, 2)),
    ] {
        world.serve("v2", move |_| Reply::Whole(answer.clone()));
        world.ask(place, pinned(200));
        assert_eq!((counts(&world, "slow"), counts(&world, "first")), (slow, first));
    }
    world.settle();
    world.check();
}

/// Each of these is one request with its copy.
#[test]
fn what_becomes_of_a_copy_is_a_trial_of_each_measure_that_it_tells_of() {
    let gate = |measure: &str| json!({"name": measure.replace('_', "-"), "of": "copy", "measure": measure, "limit": 90});
    let gates = json!([
        gate("diverged"),
        gate("failed"),
        gate("coverage"),
        gate("slower_than").with("/threshold", "100ms"),
        gate("slower_than_primary").with("/margin", "20ms"),
    ]);
    let answer = |body: &str, milliseconds| Reply::Whole(Answer::json(body).after(Duration::from_millis(milliseconds)));
    let (none, good, bad) = ((0, 0), (0, 1), (1, 1));
    for (what, shadow, expected) in [
        ("equal", answer(SCORE, 2), [good, good, good, good, none]),
        ("another, and slow", answer(r#"{"score":0.9}"#, 150), [bad, good, good, bad, bad]),
        ("no JSON", answer("{", 2), [none, bad, bad, good, none]),
        ("503", Reply::Whole(Answer::json("").status(503)), [none, bad, bad, none, none]),
        ("429", Reply::Whole(Answer::json("").status(429)), [none, none, bad, none, none]),
        ("half an answer", Reply::Half(Answer::json(SCORE)), [none, bad, bad, none, none]),
        ("nobody listens", Reply::Refused, [none, bad, bad, none, none]),
        ("a timeout", Reply::Silent, [none, bad, bad, bad, bad]),
    ] {
        let (mut world, place) = crate::setup::start(&shadowed().with("/routes/0/gates", gates.clone()));
        world.serve("shadow", move |_| shadow.clone());
        world.exchange(place, Request::post("r", QUESTION));
        world.check();
        let counted = ["diverged", "failed", "coverage", "slower-than", "slower-than-primary"].map(|gate| counts(&world, gate));
        assert_eq!(counted, expected, "{what}");
    }
}

/// What the request's header asks a model for: `same`, `other`, `status` or `silent`, and after how many milliseconds.
fn wanted(request: &Message, header: &str) -> Reply {
    let text = request.header(header).expect("each request says");
    let (what, after) = text.split_once(' ').expect("what and when");
    let answer = |body: &str| Answer::json(body).after(Duration::from_millis(after.parse().expect("milliseconds")));
    match what {
        "same" => Reply::Whole(answer(SCORE)),
        "other" => Reply::Whole(answer(r#"{"score":0.9}"#)),
        "status" => Reply::Whole(answer("{}").status(503)),
        _ => Reply::Silent,
    }
}

/// `copy` is the candidate, `control` gets every request too.
fn with_control() -> Value {
    let control = json!({"name": "control", "role": "control", "cluster": "control", "percent": 100, "timeout": "2s"});
    let candidate = shadowed().pointer(SHADOW).expect("a shadow").clone();
    let noise = json!({"name": "noise", "of": "copy", "measure": "worse_than_control", "limit": 50});
    shadowed().with("/routes/0/shadows", json!([candidate, control])).with("/routes/0/gates", json!([noise]))
}

/// Of requests that overlap each other no answer is taken for another's.
#[test]
fn triplets_are_not_mixed_up() {
    let mut world = agreeing(1);
    for (cluster, header) in [("primary", "x-primary"), ("shadow", "x-candidate"), ("control", "x-control")] {
        world.serve(cluster, move |request| wanted(request, header));
    }
    let place = world.load(&with_control().to_string()).expect("accepted");
    let mut expected = (0, 0);
    for n in 0..60_u32 {
        let candidate = ["same", "other", "status"][(n % 3) as usize];
        let control = ["same", "other", "silent"][(n / 3 % 3) as usize];
        match (candidate, control) {
            ("other", "same") => expected = (expected.0 + 1, expected.1 + 1),
            ("same", "other") => expected.1 += 1,
            _ => {}
        }
        let said = [format!("same {}", n * 7 % 50), format!("{candidate} {}", n * 13 % 50), format!("{control} {}", n * 29 % 50)];
        let headers = ["x-primary", "x-candidate", "x-control"].into_iter().zip(said);
        let request = headers.fold(Request::post(&format!("r{n}"), QUESTION), |request, (name, said)| request.header(name, said));
        let exchange = world.open(place, request);
        world.play(exchange);
        world.advance(Duration::from_millis(3));
    }
    world.settle();
    let breaker = world.outcomes("control").get("unsent_breaker_open").copied().unwrap_or(0);
    assert_eq!((counts(&world, "noise"), breaker), (expected, 0));
    world.check();
}
