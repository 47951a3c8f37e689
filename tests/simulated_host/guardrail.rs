//! A canary that fails a guarded gate: no more traffic from the next request on, in every worker, also in those that start later.

use std::collections::BTreeMap;

use serde_json::json;

use crate::gated::{canary, errors, guarded, of_user, pinned, start};
use crate::setup::With;
use crate::world::{Place, World};

/// Failures that cut off by default: at a limit of 1 % fewer would do, but fewer are not judged.
const ENOUGH: usize = 20;

fn tripped(world: &World) -> u64 {
    world.sum("gnomon_guardrail_tripped", &[("experiment", "exp"), ("variant", "v2")])
}

fn shares(world: &World) -> BTreeMap<String, u64> {
    world.counted("gnomon_split_ppm", &[("experiment", "exp")], "variant")
}

fn reasons(world: &World) -> BTreeMap<String, u64> {
    world.counted("gnomon_requests_total", &[], "reason")
}

/// Who gets what.
fn assignments(world: &mut World, place: Place) -> Vec<String> {
    (0..60).map(|n| world.ask(place, of_user(&format!("user-{n}"), 200))).collect()
}

#[test]
fn a_canary_that_fails_gets_nothing_more_from_the_next_request_on() {
    let configuration = guarded(json!([errors()]));
    let (mut world, one) = start(&configuration);
    let two = world.load_worker(&configuration.to_string()).expect("accepted");
    for n in 0..ENOUGH {
        assert_eq!(tripped(&world), 0, "after {n}");
        let place = if n % 2 == 0 { one } else { two };
        assert_eq!(world.ask(place, pinned(503)), "v2", "after {n}");
    }
    assert_eq!(tripped(&world), 1);
    assert_eq!(shares(&world), [("v1".to_owned(), 1_000_000)].into());
    for place in [one, two] {
        assert_eq!(world.ask(place, pinned(200)), "v1", "a pin is no way round it");
        let users: Vec<String> = assignments(&mut world, place);
        assert!(users.iter().all(|variant| variant == "v1"), "{users:?}");
    }
    let reasons = reasons(&world);
    assert_eq!(reasons["pin"], ENOUGH as u64);
    assert!((2 + 40..2 + 80).contains(&reasons["guardrail"]), "the canary's own half: {reasons:?}");
    assert_eq!(reasons["weight"] + reasons["guardrail"], 122);
    let cut_off = [("variant", "v2"), ("reason", "guardrail")];
    assert_eq!(world.sum("gnomon_requests_total", &cut_off), 0, "they count for the variant that answers");
    world.settle();
    world.check();
}

#[test]
fn whoever_starts_later_obeys() {
    for way in ["a new VM", "the same VM", "a VM built anew", "a worker that starts later"] {
        let configuration = guarded(json!([errors()]));
        let (mut world, old) = start(&configuration);
        world.fail(old, ENOUGH);
        world.count_elsewhere(0, 100_000);
        let next = configuration.clone().with("/evidence", json!({"per_second": 2})).to_string();
        let place = match way {
            "a worker that starts later" => world.load_worker(&configuration.to_string()).expect("accepted"),
            _ => world.go_on(old, way, &next),
        };
        assert_eq!((tripped(&world), shares(&world)), (1, [("v1".to_owned(), 1_000_000)].into()), "{way}");
        assert_eq!(world.ask(place, pinned(200)), "v1", "{way}");
        assert!(assignments(&mut world, place).iter().all(|variant| variant == "v1"), "{way}");
        world.settle();
        world.check();
    }
}

/// Only another experiment lets it in again.
#[test]
fn a_canary_stays_cut_off_without_its_guardrail() {
    for new_vm in [false, true] {
        let (mut world, mut place) = start(&guarded(json!([errors()])));
        world.fail(place, ENOUGH);
        for next in [canary(json!([])), guarded(json!([errors()]))] {
            let (old, next) = (place, next.to_string());
            place = if new_vm { world.load(&next) } else { world.update(old, &next) }.expect("accepted");
            if new_vm {
                world.retire(old.vm);
            }
            assert_eq!((world.ask(place, pinned(200)).as_str(), shares(&world).len()), ("v1", 1), "new VM: {new_vm}");
        }
        assert_eq!(tripped(&world), 1, "new VM: {new_vm}");
        world.settle();
        world.check();
    }
}
