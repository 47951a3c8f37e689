//! Warm-up: the first answers or pairs of a subject count in every figure, but for no gate.

use std::time::Duration;

use serde_json::{Value, json};

use crate::gated::{canary, errors, guarded, labels, pinned, start};
use crate::setup::{QUESTION, SHADOW, With, shadowed};
use crate::traffic::Request;
use crate::world::World;

fn warming(warmup: Value) -> Value {
    canary(json!([errors()])).with("/routes/0/split/canaries/0/warmup", warmup)
}

fn left_out(world: &World) -> u64 {
    world.sum("gnomon_warmup_total", &[("experiment", "exp")])
}

fn trials(world: &World) -> u64 {
    world.gate("exp", "errors", "all").trials
}

#[test]
fn the_first_answers_count_for_no_gate() {
    let configuration = warming(json!({"pairs": 5}));
    let (mut world, one) = start(&configuration);
    let two = world.load_worker(&configuration.to_string()).expect("accepted");
    for n in 0..5 {
        assert_eq!((left_out(&world), trials(&world)), (n, 0));
        world.fail(if n % 2 == 0 { one } else { two }, 1);
    }
    assert_eq!((left_out(&world), trials(&world)), (5, 0), "none of them is a trial");
    for place in [one, two, one] {
        world.succeed(place, 1);
    }
    assert_eq!((left_out(&world), trials(&world)), (5, 3));
    assert_eq!(world.sum("gnomon_responses_total", &[("variant", "v2")]), 8, "all of them are counted");
    world.settle();
    world.check();
}

#[test]
fn it_may_be_a_time() {
    let configuration = warming(json!("30s"));
    let (mut world, one) = start(&configuration);
    let two = world.load_worker(&configuration.to_string()).expect("accepted");
    world.advance(Duration::from_secs(3600));
    world.fail(one, 1);
    world.advance(Duration::from_secs(28));
    world.fail(two, 1);
    assert_eq!((left_out(&world), trials(&world)), (2, 0), "from the first answer on, in every worker");
    world.advance(Duration::from_secs(3));
    world.succeed(two, 1);
    world.succeed(one, 1);
    assert_eq!((left_out(&world), trials(&world)), (2, 2));
    world.settle();
    world.check();
}

#[test]
fn who_starts_later_goes_on_with_it() {
    for warmup in [json!({"pairs": 5}), json!("30s")] {
        for way in ["a new VM", "the same VM", "a VM built anew"] {
            let configuration = warming(warmup.clone());
            let (mut world, old) = start(&configuration);
            world.fail(old, 3);
            world.advance(Duration::from_secs(20));
            let next = configuration.with("/evidence", json!({"per_second": 2})).to_string();
            let place = world.go_on(old, way, &next);
            world.fail(place, 2);
            assert_eq!((left_out(&world), trials(&world)), (5, 0), "{warmup}, {way}");
            world.advance(Duration::from_secs(11));
            world.succeed(place, 2);
            assert_eq!((left_out(&world), trials(&world)), (5, 2), "{warmup}, {way}");
            world.settle();
            world.check();
        }
    }
}

#[test]
fn a_new_experiment_warms_up_anew() {
    let configuration = warming(json!({"pairs": 2}));
    let (mut world, old) = start(&configuration);
    world.fail(old, 3);
    let place = world.update(old, &configuration.with("/experiment", "exp-2").to_string()).expect("accepted");
    world.fail(place, 3);
    assert_eq!(world.sum("gnomon_warmup_total", &[("experiment", "exp-2")]), 2);
    assert_eq!(world.gate("exp-2", "errors", "all").trials, 1);
    world.check();
}

#[test]
fn a_clock_that_is_set_back_never_makes_it_endless() {
    let (mut world, place) = start(&warming(json!("30s")));
    world.fail(place, 1);
    world.proxy().now -= 3_600_000_000_000;
    world.fail(place, 1);
    world.advance(Duration::from_secs(31));
    world.succeed(place, 2);
    assert!(trials(&world) >= 1, "an hour ahead, it has begun anew or is over");
    world.check();
}

#[test]
fn a_guardrail_waits_for_it_too() {
    let configuration = guarded(json!([errors()])).with("/routes/0/split/canaries/0/warmup", json!({"pairs": 30}));
    let (mut world, place) = start(&configuration);
    world.fail(place, 49);
    assert_eq!(world.sum("gnomon_guardrail_tripped", &[]), 0);
    world.fail(place, 1);
    assert_eq!(world.sum("gnomon_guardrail_tripped", &[]), 1, "20 after the first 30");
    world.check();
}

#[test]
fn workers_that_end_it_at_the_same_time_leave_out_hardly_more() {
    for seed in 0..30 {
        let configuration = warming(json!({"pairs": 4}));
        let (mut world, one) = start(&configuration);
        let more = (0..2).map(|_| world.load_worker(&configuration.to_string()).expect("accepted"));
        let places = [vec![one], more.collect()].concat();
        for round in 0..4 {
            let exchanges: Vec<_> = places.iter().map(|place| world.up_to_its_end(*place, pinned(200))).collect();
            world.end_together(&exchanges, seed * 10 + round);
            assert_eq!(left_out(&world) + trials(&world), 3 * (round + 1), "each is one or the other");
        }
        assert!((4..=6).contains(&left_out(&world)), "seed {seed}: {}", left_out(&world));
        world.settle();
        world.check();
    }
}

#[test]
fn a_shadow_warms_up_by_its_pairs() {
    let gates = json!([
        {"name": "agreement", "of": "copy", "measure": "diverged", "limit": 2},
        {"name": "coverage", "of": "copy", "measure": "coverage", "limit": 90},
    ]);
    let configuration = shadowed().with(&format!("{SHADOW}/warmup"), json!({"pairs": 3})).with("/routes/0/gates", gates);
    let (mut world, place) = crate::setup::start(&configuration);
    for n in 0..5 {
        world.exchange(place, Request::post(&format!("r{n}"), QUESTION));
    }
    for gate in ["agreement", "coverage"] {
        assert_eq!(world.gate("exp", gate, "all").trials, 2, "{gate}");
    }
    assert_eq!(world.sum("gnomon_warmup_total", &[("subject", "copy")]), 3);
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 5)].into());
    world.check();
}

#[test]
fn only_who_warms_up_has_its_series() {
    let (world, _) = start(&canary(json!([errors()])));
    assert_eq!(world.proxy().metrics.select("gnomon_warmup_total", &[]).count(), 0);
    let (world, _) = start(&warming(json!("1m")));
    let proxy = world.proxy();
    let subjects: Vec<_> = proxy.metrics.select("gnomon_warmup_total", &[]).map(|(series, _)| series.label("subject").to_owned()).collect();
    assert_eq!(subjects, ["v2"]);
    assert_eq!(proxy.metrics.get(&format!("gnomon_gate_trials_total{}", labels("errors", "v2", "all"))), Ok(0));
}
