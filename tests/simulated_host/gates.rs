//! Gates over several workers and restarts: one state for all, a fail for good, a pass for as long as it holds.

use std::time::Duration;

use serde_json::json;

use crate::gated::{canary, errors, of_user, pinned, slowly, start};
use crate::network::Reply;
use crate::random::SplitMix64;
use crate::setup::With;
use crate::told::{streamed, whole};
use crate::verdicts::{FAIL, PASS, Told, UNDECIDED};
use crate::world::World;

fn told(world: &World) -> Told {
    world.gate("exp", "errors", "all")
}

#[test]
fn every_series_of_a_gate_is_there_from_the_start() {
    let each = json!({"name": "each", "of": "v2", "measure": "failed", "limit": 2.5, "alpha": 0.03, "min_trials": 7, "each_slice": true});
    let configuration = canary(json!([errors(), each])).with("/routes/0/slices", json!({"header": "x-region", "values": ["eu", "us"]}));
    let (world, _) = start(&configuration);
    assert_eq!(told(&world), Told { limit: 10_000, alpha: 50_000, ..Told::default() });
    for slice in ["eu", "us", "other"] {
        assert_eq!(world.gate("exp", "each", slice), Told { limit: 25_000, alpha: 10_000, min_trials: 7, ..Told::default() });
    }
    assert_eq!(world.gate("exp", "each", "all"), Told::default());
    assert_eq!(world.proxy().metrics.select("gnomon_gate_trials_total", &[]).count(), 4, "none over all slices");
    world.check();
}

#[test]
fn a_gate_says_at_once_what_its_counters_say() {
    let (mut world, place) = start(&canary(json!([errors()])));
    for (status, bad, trials, state) in [(200, 0, 1, UNDECIDED), (503, 1, 2, UNDECIDED), (500, 2, 3, UNDECIDED), (502, 3, 4, FAIL)] {
        world.ask(place, pinned(status));
        let told = told(&world);
        assert_eq!((told.bad, told.trials, told.state), (bad, trials, state), "after {status}");
    }
    assert_eq!(told(&world).failures, 1);
    world.settle();
    world.check();
}

#[test]
fn what_is_no_answer_of_the_subject_is_no_trial() {
    let (mut world, place) = start(&canary(json!([errors()])));
    assert_eq!(world.ask(place, pinned(200).without("x-pin").header("x-pin", "v1")), "v1");
    world.ask(place, pinned(404));
    let leaves = world.open(place, pinned(503));
    world.send_request(leaves);
    world.client_leaves(leaves);
    world.settle();
    world.check();
    let told = told(&world);
    assert_eq!((told.bad, told.trials), (0, 1), "the 404 alone");
}

#[test]
fn slow_answers_are_bad_trials_only_if_they_succeed() {
    let slow = json!({"name": "errors", "of": "v2", "measure": "slower_than", "threshold": "100ms", "limit": 1});
    let (mut world, place) = start(&canary(json!([slow])));
    for (status, takes) in [(200, 50), (200, 150), (503, 50), (503, 150), (404, 150)] {
        world.ask(place, slowly(pinned(status), takes));
    }
    world.settle();
    world.check();
    let told = told(&world);
    assert_eq!((told.bad, told.trials), (1, 2));
}

/// Of streams alone, and from the request headers to the first byte of the body.
#[test]
fn first_bytes_are_those_of_good_streams() {
    let first = json!({"name": "errors", "of": "v2", "measure": "first_byte_slower_than", "threshold": "50ms", "limit": 1});
    let (mut world, place) = start(&canary(json!([first])).with("/routes/0/protocol", "openai"));
    for (answer, bad, trials) in [
        (streamed("noon").after(Duration::from_millis(20)), 0, 1),
        (streamed("noon").after(Duration::from_millis(80)), 1, 2),
        (streamed("noon").after(Duration::from_millis(80)).status(503), 1, 2),
        (whole("noon").after(Duration::from_millis(80)), 1, 2),
    ] {
        world.serve("v2", move |_| Reply::Whole(answer.clone()));
        world.ask(place, pinned(200));
        assert_eq!((told(&world).bad, told(&world).trials), (bad, trials));
    }
    world.settle();
    world.check();
}

#[test]
fn all_workers_see_the_same() {
    let (mut world, one) = start(&canary(json!([errors()])));
    let two = world.load_worker(&canary(json!([errors()])).to_string()).expect("accepted");
    world.fail(one, 1);
    world.fail(two, 1);
    assert_eq!(told(&world).state, UNDECIDED);
    world.fail(one, 1);
    assert_eq!(told(&world).state, FAIL, "by the failures of both");
    world.succeed(two, 1);
    assert_eq!((told(&world).state, told(&world).failures), (FAIL, 1), "the other one knows");
    world.settle();
    world.check();
}

/// The same answers in the same order, by one worker or by several.
#[test]
fn it_does_not_matter_how_many_workers_there_are() {
    for seed in 0..6 {
        let mut answers = SplitMix64::new(seed);
        let answers: Vec<u16> = (0..80).map(|_| if answers.percent(seed * 4) { 503 } else { 200 }).collect();
        let run = |workers: usize| -> Vec<Told> {
            let gate = errors().with("/limit", 10);
            let (mut world, first) = start(&canary(json!([gate])));
            let more = (1..workers).map(|_| world.load_worker(&canary(json!([gate])).to_string()).expect("accepted"));
            let places: Vec<_> = std::iter::once(first).chain(more.collect::<Vec<_>>()).collect();
            let mut random = SplitMix64::new(seed + 100);
            let states = answers.iter().map(|status| {
                world.ask(*random.pick(&places), pinned(*status));
                told(&world)
            });
            let states = states.collect();
            world.settle();
            world.check();
            states
        };
        let alone = run(1);
        for workers in [2, 3, 5] {
            assert_eq!(run(workers), alone, "seed {seed}, {workers} workers");
        }
    }
}

#[test]
fn a_pass_holds_only_as_long_as_its_counters_say_so() {
    let (mut world, place) = start(&canary(json!([errors()])));
    world.count_elsewhere(0, 390);
    assert_eq!(told(&world).state, UNDECIDED);
    world.succeed(place, 1);
    assert_eq!(told(&world).state, PASS);
    world.fail(place, 1);
    assert_eq!(told(&world).state, UNDECIDED, "one failure too many to be sure");
    world.count_elsewhere(0, 400);
    world.succeed(place, 1);
    assert_eq!(told(&world).state, PASS);
    world.count_elsewhere(30, 30);
    world.fail(place, 1);
    assert_eq!(told(&world).state, FAIL, "also after it passed");
    world.settle();
    world.check();
}

#[test]
fn a_fail_is_for_good_whoever_asks() {
    for way in ["a new VM", "the same VM", "a VM built anew", "a worker that starts later"] {
        let configuration = canary(json!([errors()]));
        let (mut world, old) = start(&configuration);
        world.fail(old, 3);
        assert_eq!(told(&world).state, FAIL);
        world.count_elsewhere(0, 100_000);
        // Another text, so that it is another root context.
        let next = configuration.clone().with("/evidence", json!({"per_second": 2})).to_string();
        let place = match way {
            "a worker that starts later" => world.load_worker(&configuration.to_string()).expect("accepted"),
            _ => world.go_on(old, way, &next),
        };
        assert_eq!(told(&world).state, FAIL, "{way}: before any request");
        world.succeed(place, 3);
        assert_eq!(told(&world).naive_state(), Some(PASS));
        assert_eq!((told(&world).state, told(&world).failures), (FAIL, 1), "{way}");
        world.settle();
        world.check();
    }
}

/// What the counters came to while nobody looked is told by the VM that starts next, before its first request.
#[test]
fn a_vm_that_starts_judges_what_it_finds() {
    for (bad, trials, state) in [(0, 400, PASS), (40, 400, FAIL), (4, 400, UNDECIDED)] {
        let configuration = canary(json!([errors()]));
        let (mut world, _) = start(&configuration);
        world.count_elsewhere(bad, trials);
        world.load_worker(&configuration.to_string()).expect("accepted");
        assert_eq!(told(&world).state, state, "{bad} of {trials}");
        world.settle();
        world.check();
    }
}

#[test]
fn each_slice_is_judged_on_its_own() {
    let gate = errors().with("/each_slice", true).with("/limit", 5);
    let configuration = canary(json!([gate])).with("/routes/0/slices", json!({"header": "x-region", "values": ["eu", "us"]}));
    let (mut world, place) = start(&configuration);
    let all = |world: &World| world.gate("exp", "errors", "all").state;
    let state = |world: &World, slice: &str| world.gate("exp", "errors", slice).state;
    let good = |world: &mut World, region: &str, number: usize| {
        for _ in 0..number {
            world.ask(place, pinned(200).header("x-region", region));
        }
    };
    // A spotless record of a third of the alpha passes after 105 trials or so.
    good(&mut world, "eu", 150);
    assert_eq!((state(&world, "eu"), all(&world)), (PASS, UNDECIDED), "the other has no trials");
    good(&mut world, "us", 150);
    assert_eq!((state(&world, "us"), all(&world)), (PASS, PASS));
    good(&mut world, "mars", 1);
    assert_eq!((state(&world, "other"), all(&world)), (UNDECIDED, UNDECIDED), "what nobody named came");
    good(&mut world, "mars", 149);
    assert_eq!(all(&world), PASS);
    for _ in 0..40 {
        world.ask(place, pinned(503).header("x-region", "us"));
    }
    assert_eq!((state(&world, "eu"), state(&world, "us"), all(&world)), (PASS, FAIL, FAIL));
    world.settle();
    world.check();
    // A VM that starts later finds the same.
    world.load_worker(&configuration.to_string()).expect("accepted");
    assert_eq!(all(&world), FAIL);
    world.check();
}

#[test]
fn nothing_is_decided_before_there_are_enough_trials() {
    let (mut world, place) = start(&canary(json!([errors().with("/min_trials", 5)])));
    world.fail(place, 4);
    assert_eq!(told(&world).state, UNDECIDED);
    world.fail(place, 1);
    assert_eq!(told(&world).state, FAIL);
    world.check();
}

#[test]
fn a_route_judges_its_gates_apart() {
    let baseline = json!({"name": "old", "of": "v1", "measure": "failed", "limit": 1});
    let (mut world, place) = start(&canary(json!([errors(), baseline])));
    for n in 0..20 {
        let user = format!("user-{n}");
        let variant = world.ask(place, of_user(&user, 200));
        world.ask(place, of_user(&user, if variant == "v1" { 503 } else { 200 }));
    }
    assert_eq!((told(&world).state, told(&world).bad), (UNDECIDED, 0));
    assert_eq!(world.gate("exp", "old", "all").state, FAIL);
    world.settle();
    world.check();
}
