//! A canary that fails a guarded gate: no more traffic from the next request on, in every worker, also in those that start later.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::gated::{canary, errors, guarded, of_user, pinned, start};
use crate::setup::With;
use crate::verdicts::{FAIL, UNDECIDED};
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

/// Two canaries, of which the first is guarded.
fn two_canaries() -> Value {
    let canaries = json!([{"name": "v2", "percent": 30}, {"name": "v3", "percent": 30}]);
    guarded(json!([errors()])).with("/routes/0/split/canaries", canaries)
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
fn one_line_tells_why() {
    let (mut world, place) = start(&guarded(json!([errors()])));
    world.fail(place, ENOUGH);
    let lines: Vec<String> = world.proxy().log.iter().map(|line| line.text.clone()).filter(|line| line.contains("guardrail")).collect();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    for part in ["errors", "v2", "fraud", "exp", "20"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    world.succeed(place, 20);
    world.load_worker(&guarded(json!([errors()])).to_string()).expect("accepted");
    let again = world.proxy().log.iter().filter(|line| line.text.contains("guardrail")).count();
    assert_eq!(again, 1, "once");
    world.check();
}

#[test]
fn others_keep_who_they_had() {
    let (mut world, place) = start(&two_canaries());
    let before = assignments(&mut world, place);
    assert_eq!(shares(&world), [("v1".to_owned(), 400_000), ("v2".to_owned(), 300_000), ("v3".to_owned(), 300_000)].into());
    world.fail(place, ENOUGH + 20);
    assert_eq!(tripped(&world), 1);
    assert_eq!(shares(&world), [("v1".to_owned(), 700_000), ("v3".to_owned(), 300_000)].into());
    let expected: Vec<String> = before.iter().map(|variant| variant.replace("v2", "v1")).collect();
    assert!(["v1", "v2", "v3"].iter().all(|variant| before.iter().any(|it| it == variant)));
    assert_eq!(assignments(&mut world, place), expected);
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

#[test]
fn another_percentage_does_not_end_it() {
    let configuration = guarded(json!([errors()]));
    let (mut world, old) = start(&configuration);
    world.fail(old, ENOUGH);
    let next = configuration.with("/routes/0/split/canaries/0/percent", 80);
    let place = world.update(old, &next.to_string()).expect("accepted");
    assert_eq!((world.ask(place, pinned(200)).as_str(), shares(&world).len()), ("v1", 1));
    world.settle();
    world.check();
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

/// A listener that drains, or one that Envoy goes on with because it refused the next, serves by the configuration before.
#[test]
fn the_configuration_before_goes_on_to_guard_what_it_serves() {
    let configuration = guarded(json!([errors()]));
    for (member, value) in [("/routes/0/experiment", json!("exp-2")), ("/routes/0/gates/0/limit", json!(3)), ("/routes/0/gates", json!([]))]
    {
        for cut_off_before in [false, true] {
            let (mut world, old) = start(&configuration);
            if cut_off_before {
                world.fail(old, ENOUGH);
            }
            let mut next = configuration.clone().with(member, value.clone());
            if member.ends_with("gates") {
                next["routes"][0].as_object_mut().unwrap().remove("guardrail");
            }
            world.load(&next.to_string()).expect("accepted");
            if !cut_off_before {
                assert_eq!(world.ask(old, pinned(200)), "v2");
                world.fail(old, ENOUGH);
            }
            assert_eq!(world.ask(old, pinned(200)), "v1", "another {member}, cut off before: {cut_off_before}");
            world.settle();
        }
    }
}

#[test]
fn a_new_experiment_ends_it() {
    for new_vm in [false, true] {
        let configuration = guarded(json!([errors()]));
        let (mut world, old) = start(&configuration);
        world.fail(old, ENOUGH);
        let next = configuration.with("/routes/0/experiment", "exp-2").to_string();
        let place = if new_vm { world.load(&next) } else { world.update(old, &next) }.expect("accepted");
        if new_vm {
            world.retire(old.vm);
        }
        assert_eq!(world.ask(place, pinned(200)), "v2", "new VM: {new_vm}");
        assert_eq!(world.sum("gnomon_split_ppm", &[("experiment", "exp-2"), ("variant", "v2")]), 500_000);
        assert_eq!(world.sum("gnomon_guardrail_tripped", &[("experiment", "exp-2")]), 0);
        world.settle();
        world.check();
    }
}

#[test]
fn requests_that_the_canary_has_are_left_to_it() {
    let configuration = guarded(json!([errors()]));
    let (mut world, place) = start(&configuration);
    let upload = world.open(place, pinned(200).pieces(vec![b"{\"a\":".to_vec(), b"1}".to_vec()]));
    world.step(upload);
    world.fail(place, ENOUGH);
    world.play(upload);
    world.settle();
    assert_eq!((world.exchanges[upload].cluster.as_str(), world.exchanges[upload].client.status()), ("v2", 200));
    assert_eq!(world.gate("exp", "errors", "all").trials, ENOUGH as u64 + 1);
    world.check();
}

#[test]
fn it_has_an_alpha_and_least_trials_of_its_own() {
    let own = guarded(json!([errors()])).with("/routes/0/guardrail/min_trials", 0);
    let (mut world, place) = start(&own);
    world.fail(place, 4);
    assert_eq!((world.gate("exp", "errors", "all").state, tripped(&world)), (FAIL, 0), "sure enough for a verdict");
    world.fail(place, 1);
    assert_eq!(tripped(&world), 1);
    let late = guarded(json!([errors().with("/min_trials", 1000)]));
    let (mut world, place) = start(&late);
    world.fail(place, ENOUGH);
    assert_eq!((world.gate("exp", "errors", "all").state, tripped(&world)), (UNDECIDED, 1), "the gate's own least does not bind it");
    world.settle();
    world.check();
}

#[test]
fn only_guarded_gates_cut_off() {
    let other = errors().with("/name", "lenient").with("/limit", 99);
    let configuration = canary(json!([errors(), other])).with("/routes/0/guardrail", json!({"gates": ["lenient"]}));
    let (mut world, place) = start(&configuration);
    world.fail(place, 60);
    assert_eq!((world.gate("exp", "errors", "all").state, tripped(&world)), (FAIL, 0));
    assert_eq!(world.ask(place, pinned(200)), "v2");
    world.settle();
    world.check();
}

#[test]
fn one_slice_is_enough() {
    let each = errors().with("/each_slice", true);
    let configuration = guarded(json!([each])).with("/routes/0/slices", json!({"header": "x-region", "values": ["eu", "us"]}));
    let (mut world, place) = start(&configuration);
    for _ in 0..60 {
        world.ask(place, pinned(200).header("x-region", "eu"));
    }
    for _ in 0..ENOUGH {
        assert_eq!(tripped(&world), 0);
        world.ask(place, pinned(503).header("x-region", "us"));
    }
    assert_eq!((tripped(&world), world.ask(place, pinned(200).header("x-region", "eu")).as_str()), (1, "v1"));
    world.settle();
    world.check();
}
