//! Gates that set a canary against the baseline, at several workers: that a key is one trial whoever sees its events, and that no reader takes
//! figures of different moments for a verdict.

use std::time::Duration;

use serde_json::{Value, json};

use crate::gated::{MOST, canary, come_between, of_user, start};
use crate::network::{Answer, Reply};
use crate::random::SplitMix64;
use crate::setup::With;
use crate::verdicts::{FAIL, PASS};
use crate::world::{Place, World};

/// A canary with this share, and a gate on refusals.
fn against_baseline(percent: f64) -> Value {
    let gate = json!({"name": "errors", "of": "v2", "measure": "worse_than_baseline", "event": "refused", "limit": 50});
    canary(json!([gate])).with("/routes/0/split/canaries/0/percent", percent)
}

/// Names of users of the canary and of the baseline.
fn users(world: &mut World, place: Place, variant: &str, number: usize) -> Vec<String> {
    let names = (0..).map(|number| format!("user-{number}"));
    names.filter(|name| world.ask(place, of_user(name, 200)) == variant).take(number).collect()
}

/// Workers that see events at the same moment: of one key one of them counts, of several keys each.
#[test]
fn a_key_is_one_trial_whoever_sees_its_events() {
    for seed in 0..60 {
        let configuration = against_baseline(50.0);
        let (mut world, one) = start(&configuration);
        let more = (0..2).map(|_| world.load_worker(&configuration.to_string()).expect("accepted"));
        let places = [vec![one], more.collect()].concat();
        let old = users(&mut world, one, "v1", 6);
        let mut random = SplitMix64::new(seed);
        let mut seen = Vec::new();
        for round in 0..12 {
            let asked: Vec<String> = places.iter().map(|_| random.pick(&old).clone()).collect();
            let exchanges: Vec<_> =
                places.iter().zip(&asked).map(|(place, user)| world.up_to_its_end(*place, of_user(user, 404))).collect();
            world.end_together(&exchanges, seed * 100 + round);
            seen.extend(asked);
            seen.sort_unstable();
            seen.dedup();
            let told = world.gate("exp", "errors", "all");
            assert_eq!((told.bad, told.trials, told.limits), (0, seen.len() as u64, Some(500_000 * seen.len() as u64)), "seed {seed}");
            world.check_verdicts();
        }
        world.settle();
        world.check();
    }
}

/// Two of two at a share of 5 %, and then one of 401: at no time does that make the gate fail. The bad ones read after, by the limits of the
/// trials before, would.
#[test]
fn evidence_of_failure_takes_no_limits_of_fewer_trials() {
    for at in 0..MOST {
        let (mut world, place) = start(&against_baseline(5.0));
        let new = users(&mut world, place, "v2", 2);
        world.ask(place, of_user(&new[0], 404));
        let written = come_between(&world, at, |metrics, gate| metrics.count_events_elsewhere(gate, 1, 400, 50_000));
        world.ask(place, of_user(&new[1], 404));
        assert!(!written.lock().expect("nobody panics").contains(&FAIL), "before access {at}: a state that never was");
        world.check_balance();
    }
}

/// None of five at a share of 50 %, and then three of three: at no time does that make the gate pass. The limits of all trials read after, for
/// the trials before, would.
#[test]
fn evidence_of_passing_takes_no_limits_of_more_trials() {
    for at in 0..MOST {
        let (mut world, place) = start(&against_baseline(50.0));
        let old = users(&mut world, place, "v1", 5);
        for user in &old[1..] {
            world.ask(place, of_user(user, 404));
        }
        let written = come_between(&world, at, |metrics, gate| metrics.count_events_elsewhere(gate, 3, 3, 500_000));
        world.ask(place, of_user(&old[0], 404));
        assert!(!written.lock().expect("nobody panics").contains(&PASS), "before access {at}: a state that never was");
        world.check_balance();
    }
}

/// The time that a client takes to send its request is not the model's.
#[test]
fn latencies_begin_with_the_last_byte_of_the_request() {
    let slow = json!({"name": "slow", "of": "v2", "measure": "slower_than", "threshold": "50ms", "limit": 1});
    for trailers in [false, true] {
        for (upload, answer, expected) in [(200, 20, (0, 1)), (0, 80, (1, 1))] {
            let (mut world, place) = start(&canary(json!([slow])));
            world.serve("v2", move |_| Reply::Whole(Answer::json("{}").after(Duration::from_millis(answer))));
            let request = of_user("any", 200).header("x-pin", "v2").pieces(vec![b"a".to_vec(), b"b".to_vec()]);
            let request = if trailers { request.trailer("x-sum", "1") } else { request };
            let exchange = world.open(place, request);
            world.step(exchange);
            world.step(exchange);
            world.advance(Duration::from_millis(upload));
            world.play(exchange);
            world.settle();
            let told = world.gate("exp", "slow", "all");
            assert_eq!((told.bad, told.trials), expected, "{upload} {answer}");
            world.check();
        }
    }
}

/// An answer that does not wait for the whole request is no trial of a latency.
#[test]
fn an_answer_before_the_last_byte_of_the_request_has_no_latency() {
    let slow = json!({"name": "slow", "of": "v2", "measure": "slower_than", "threshold": "50ms", "limit": 1});
    let (mut world, place) = start(&canary(json!([slow])));
    let request = of_user("any", 200).header("x-pin", "v2").pieces(vec![b"a".to_vec(), b"b".to_vec()]);
    let exchange = world.open(place, request);
    world.step(exchange);
    world.answer_early(exchange, Reply::Whole(Answer::json("{}")));
    world.play(exchange);
    world.settle();
    assert_eq!(world.gate("exp", "slow", "all").trials, 0);
    world.check();
}
