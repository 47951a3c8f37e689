//! Configurations that change while answers of the one before are on their way, at the worst moment that there is.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::gated::{canary, errors, guarded, pinned, start};
use crate::setup::With;
use crate::verdicts::{FAIL, PASS, UNDECIDED};
use crate::world::World;

/// More host calls than a callback of these tests has.
const MOST: usize = 60;

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

#[test]
fn another_measure_goes_on_with_the_counters() {
    let (mut world, old) = start(&canary(json!([errors()])));
    world.count_elsewhere(0, 395);
    world.succeed(old, 1);
    assert_eq!(world.gate("exp", "errors", "all").state, PASS);
    let slow = json!({"name": "errors", "of": "v2", "measure": "slower_than", "threshold": "1ms", "limit": 1});
    let place = world.update(old, &canary(json!([slow])).to_string()).expect("accepted");
    assert_eq!(world.gate("exp", "errors", "all").state, PASS, "what was counted counts");
    world.succeed(place, 1);
    assert_eq!(world.gate("exp", "errors", "all").state, UNDECIDED, "an answer in 2 ms is a hit now");
    world.succeed(place, 40);
    assert_eq!(world.gate("exp", "errors", "all").state, FAIL);
    world.settle();
    world.check();
}
