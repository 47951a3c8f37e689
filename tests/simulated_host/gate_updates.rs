//! Gates when the configuration changes, also while answers of the one before are on their way, at the worst moment that there is.

use std::cell::Cell;

use proxy_wasm::types::LogLevel;
use serde_json::{Value, json};

use crate::gated::{canary, errors, guarded, pinned, start};
use crate::setup::With;
use crate::verdicts::{FAIL, PASS, Told, UNDECIDED};
use crate::world::{Place, World};

/// More host calls than a callback of these tests has.
const MOST: usize = 60;

fn told(world: &World) -> Told {
    world.gate("exp", "errors", "all")
}

#[test]
fn a_new_experiment_starts_afresh() {
    for new_vm in [false, true] {
        let configuration = canary(json!([errors()]));
        let (mut world, old) = start(&configuration);
        world.fail(old, 3);
        let next = configuration.with("/experiment", "exp-2").to_string();
        let place = if new_vm { world.load(&next) } else { world.update(old, &next) }.expect("accepted");
        if new_vm {
            world.retire(old.vm);
        }
        world.succeed(place, 1);
        let fresh = world.gate("exp-2", "errors", "all");
        assert_eq!((fresh.bad, fresh.trials, fresh.failures, fresh.state), (0, 1, 0, UNDECIDED), "new VM: {new_vm}");
        let gone = told(&world);
        assert_eq!((gone.limit, gone.alpha, gone.min_trials, gone.state), (0, 0, 0, 0), "new VM: {new_vm}: gauges of what is gone");
        assert_eq!((gone.bad, gone.trials), (3, 3), "counters never go back");
        world.settle();
        world.check();
    }
}

#[test]
fn a_gate_that_comes_back_is_what_it_was() {
    for new_vm in [false, true] {
        let configuration = canary(json!([errors()]));
        let (mut world, first) = start(&configuration);
        let another = |world: &mut World, old: Place, next: &Value| {
            let next = next.to_string();
            if !new_vm {
                return world.update(old, &next).expect("accepted");
            }
            let place = world.load(&next).expect("accepted");
            world.retire(old.vm);
            place
        };
        world.fail(first, 3);
        let without = another(&mut world, first, &canary(json!([])));
        assert_eq!((told(&world).limit, told(&world).state), (0, 0), "it is gone, new VM: {new_vm}");
        world.fail(without, 2);
        assert_eq!(told(&world).trials, 3, "nobody counts for it");
        world.count_elsewhere(0, 10_000);
        let back = another(&mut world, without, &configuration);
        assert_eq!((told(&world).limit, told(&world).state), (10_000, FAIL), "it failed in this experiment, new VM: {new_vm}");
        world.succeed(back, 1);
        assert_eq!((told(&world).trials, told(&world).state), (10_004, FAIL));
        world.settle();
        world.check();
    }
}

#[test]
fn another_limit_in_the_same_experiment_is_taken_and_told() {
    for new_vm in [false, true] {
        let (mut world, old) = start(&canary(json!([errors()])));
        world.fail(old, 2);
        world.succeed(old, 8);
        assert_eq!(told(&world).state, UNDECIDED);
        let before = world.lines(LogLevel::Warn).len();
        let next = canary(json!([errors().with("/limit", 0.5)])).to_string();
        if new_vm {
            world.load(&next).expect("accepted");
            world.retire(old.vm);
        } else {
            world.update(old, &next).expect("accepted");
        }
        assert_eq!((told(&world).limit, told(&world).state), (5_000, told(&world).naive_state().expect("not near")), "new VM: {new_vm}");
        let lines = &world.lines(LogLevel::Warn)[before..];
        assert!(lines.iter().any(|line| line.contains("errors") && line.contains("limit")), "new VM: {new_vm}: {lines:?}");
    }
}

/// What an old root context still counts is judged by what is shown now, so that states follow from the figures beside them.
#[test]
fn answers_that_end_after_an_update_are_judged_by_the_new_terms() {
    for (member, value) in [("limit", json!(0.5)), ("alpha", json!(0.06))] {
        for new_vm in [false, true] {
            let (mut world, old) = start(&canary(json!([errors()])));
            world.fail(old, 1);
            let last = world.up_to_its_end(old, pinned(503));
            let next = canary(json!([errors().with(&format!("/{member}"), value.clone())])).to_string();
            if new_vm {
                world.load(&next).expect("accepted");
                world.retire(old.vm);
            } else {
                world.update(old, &next).expect("accepted");
            }
            assert_eq!(told(&world).state, UNDECIDED);
            world.step(last);
            assert_eq!((told(&world).bad, told(&world).trials), (2, 2));
            assert_eq!(told(&world).state, FAIL, "two of two are enough at this {member}, new VM: {new_vm}");
            world.settle();
            world.check();
        }
    }
}

/// An answer ends that makes a gate pass; before host call `at` of that a new VM takes `next`. Whether there was such a call.
fn update_between(world: &mut World, last: usize, at: usize, next: &Value) -> bool {
    let mut calls = 0;
    let when = move |_: &str| {
        calls += 1;
        calls == at + 1
    };
    let (next, happened) = (next.to_string(), std::rc::Rc::new(Cell::new(false)));
    let here = happened.clone();
    world.come_between(when, move |world| {
        here.set(true);
        world.load(&next).expect("accepted");
    });
    world.step(last);
    world.stop_interleaving();
    happened.get()
}

#[test]
fn a_worker_in_the_middle_of_judging_does_not_undo_an_update() {
    let next = [canary(json!([errors().with("/limit", 0.5)])), canary(json!([])), canary(json!([errors()])).with("/experiment", "exp-2")];
    for next in next {
        let mut between = 0;
        for at in 0..MOST {
            let (mut world, old) = start(&canary(json!([errors()])));
            world.count_elsewhere(0, 390);
            let last = world.up_to_its_end(old, pinned(200));
            let happened = update_between(&mut world, last, at, &next);
            world.retire(old.vm);
            world.check();
            between += usize::from(happened);
        }
        assert!((8..MOST).contains(&between), "{between} host calls are too few, or more than are tried");
    }
}

/// Answers of the configuration before may be the ones that cut a canary off.
#[test]
fn a_cut_off_by_an_old_answer_shows_the_new_shares() {
    for new_vm in [false, true] {
        let canaries = |percent: u64| json!([{"name": "v2", "percent": 30}, {"name": "v3", "percent": percent}]);
        let configuration = guarded(json!([errors()])).with("/routes/0/split/canaries", canaries(30));
        let (mut world, old) = start(&configuration);
        world.fail(old, 19);
        let last = world.up_to_its_end(old, pinned(503));
        let next = configuration.with("/routes/0/split/canaries", canaries(40)).to_string();
        let place = if new_vm { world.load(&next) } else { world.update(old, &next) }.expect("accepted");
        if new_vm {
            world.retire(old.vm);
        }
        world.step(last);
        assert_eq!(world.sum("gnomon_guardrail_tripped", &[]), 1, "new VM: {new_vm}");
        assert_eq!(world.ask(place, pinned(200)), "v1", "new VM: {new_vm}");
        let shares = world.counted("gnomon_split_ppm", &[], "variant");
        assert_eq!(shares, [("v1".to_owned(), 600_000), ("v3".to_owned(), 400_000)].into(), "new VM: {new_vm}");
        world.settle();
        world.check();
    }
}

/// The canary that an old answer would cut off is gone.
#[test]
fn an_old_answer_brings_no_variant_back() {
    let (mut world, old) = start(&guarded(json!([errors()])));
    world.fail(old, 19);
    let last = world.up_to_its_end(old, pinned(503));
    let place = world.update(old, &canary(json!([])).with("/routes/0/split/canaries/0/percent", 0).to_string()).expect("accepted");
    world.step(last);
    assert_eq!(world.counted("gnomon_split_ppm", &[], "variant"), [("v1".to_owned(), 1_000_000)].into());
    world.ask(place, pinned(200));
    world.settle();
    world.check();
}

/// As when a route moves from one plugin to another: both have it for a while.
#[test]
fn a_gate_that_another_plugin_no_longer_has_goes_on() {
    for (member, value) in [("/experiment", "exp-2"), ("/routes/0/name", "elsewhere")] {
        let configuration = guarded(json!([errors()]));
        let (mut world, place) = start(&configuration);
        let shares = |world: &World| world.counted("gnomon_split_ppm", &[("experiment", "exp"), ("route", "fraud")], "variant");
        let other = world.load_beside(place, "other", &configuration.to_string()).expect("accepted");
        world.fail(place, 1);
        let (before, shared) = (told(&world), shares(&world));
        let other = world.update(other, &canary(json!([])).with(member, value).to_string()).expect("accepted");
        assert_eq!((told(&world), shares(&world)), (before, shared), "another {member}");
        world.fail(place, 19);
        assert_eq!(told(&world).state, FAIL, "another {member}");
        assert_eq!(world.sum("gnomon_guardrail_tripped", &[("experiment", "exp"), ("route", "fraud")]), 1, "another {member}");
        assert_eq!(world.ask(place, pinned(503)), "v1", "another {member}");
        assert_eq!(world.ask(other, pinned(200)), "v2", "another {member}: it is not cut off there");
        world.settle();
        world.check();
    }
}

#[test]
fn another_measure_goes_on_with_the_counters() {
    let (mut world, old) = start(&canary(json!([errors()])));
    world.count_elsewhere(0, 395);
    world.succeed(old, 1);
    assert_eq!(told(&world).state, PASS);
    let slow = json!({"name": "errors", "of": "v2", "measure": "slower_than", "threshold": "1ms", "limit": 1});
    let place = world.update(old, &canary(json!([slow])).to_string()).expect("accepted");
    assert_eq!(told(&world).state, PASS, "what was counted counts");
    world.succeed(place, 1);
    assert_eq!(told(&world).state, UNDECIDED, "an answer in 2 ms is a bad trial now");
    world.succeed(place, 40);
    assert_eq!(told(&world).state, FAIL);
    world.settle();
    world.check();
}
