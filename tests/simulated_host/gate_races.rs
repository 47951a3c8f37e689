//! Workers that count and judge at the same time: between any two host calls of one, others may have counted, judged and latched.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::gated::{MOST, canary, come_between, errors, guarded, pinned, start};
use crate::random::SplitMix64;
use crate::setup::With;
use crate::verdicts::{FAIL, PASS, UNDECIDED};
use crate::world::World;

/// No host calls the guest back from within a host call about statistics; should one, the guest goes on, and says so. (The end-to-end tests
/// check after every scenario that the real Envoy does not.)
#[test]
fn a_callback_within_a_host_call_is_survived_and_counted() {
    let (mut world, place) = start(&canary(json!([errors()])));
    let root = place.root;
    world.proxy().nested = Some(Box::new(move || crate::abi::guest::proxy_on_queue_ready(root, 1)));
    let exchange = world.exchange_without_rest(place, pinned(200));
    assert_eq!(world.exchanges[exchange].client.status(), 200);
    assert_eq!(world.sum("gnomon_anomalies_total", &[("what", "reentrant")]), 1);
    assert_eq!(world.gate("exp", "errors", "all").trials, 1, "the callback that was disturbed has done its work");
}

/// Two of two, and then one of 41: at no time does that make a limit of 1 % fail. All trials read before and bad ones read after would.
#[test]
fn evidence_of_failure_takes_no_more_trials_for_bad_than_can_have_been() {
    for at in 0..MOST {
        let (mut world, place) = start(&canary(json!([errors()])));
        world.fail(place, 2);
        come_between(&world, at, |metrics, gate| metrics.count_elsewhere(gate, 1, 41));
        world.ask(place, pinned(200));
        let told = world.gate("exp", "errors", "all");
        assert_eq!((told.failures, told.state), (0, UNDECIDED), "before access {at}: {told:?}");
        world.check_balance();
    }
}

/// None of 388, and then three of three: at no time does that make a limit of 1 % pass. Bad trials read before
/// and all trials read after would.
#[test]
fn evidence_of_passing_takes_no_fewer_trials_for_bad_than_can_have_been() {
    for at in 0..MOST {
        let (mut world, place) = start(&canary(json!([errors()])));
        world.count_elsewhere(0, 387);
        world.succeed(place, 1);
        let written = come_between(&world, at, |metrics, gate| metrics.count_elsewhere(gate, 3, 3));
        world.ask(place, pinned(200));
        assert!(!written.lock().expect("nobody panics").contains(&PASS), "before access {at}: a state that never was");
        world.check_balance();
    }
}

/// One worker is about to say that the gate passes; before any of its host calls another finds that it fails.
#[test]
fn a_fail_is_never_left_overwritten() {
    let mut between = 0;
    for at in 0..MOST {
        let configuration = canary(json!([errors()]));
        let (mut world, one) = start(&configuration);
        let two = world.load_worker(&configuration.to_string()).expect("accepted");
        world.count_elsewhere(0, 390);
        let last = world.up_to_its_end(one, pinned(200));
        let happened = Arc::new(AtomicUsize::new(0));
        let (mut calls, count) = (0, happened.clone());
        let when = move |_: &str| {
            calls += 1;
            calls == at + 1
        };
        world.come_between(when, move |world| {
            count.fetch_add(1, Ordering::Relaxed);
            for _ in 0..40 {
                world.ask_at_once(two, pinned(503));
            }
        });
        world.step(last);
        world.stop_interleaving();
        if happened.load(Ordering::Relaxed) > 0 {
            between += 1;
            assert_eq!(world.gate("exp", "errors", "all").state, FAIL, "before host call {at}");
        } else {
            assert_eq!(world.gate("exp", "errors", "all").state, PASS, "nothing came between");
        }
        world.check();
    }
    assert!((8..MOST).contains(&between), "{between} host calls are too few, or more than are tried");
}

/// Three workers end an answer each at the same moment, many times over.
#[test]
fn workers_that_judge_at_the_same_time_agree() {
    for seed in 0..60 {
        let mut random = SplitMix64::new(seed);
        let gate = errors().with("/limit", *random.pick(&[1, 5, 30]));
        let each = json!({"name": "each", "of": "v2", "measure": "failed", "limit": 10, "each_slice": true});
        let slices = json!({"header": "x-region", "values": ["eu", "us"]});
        let configuration = canary(json!([gate, each])).with("/routes/0/slices", slices);
        let (mut world, one) = start(&configuration);
        let more = (0..2).map(|_| world.load_worker(&configuration.to_string()).expect("accepted"));
        let places = [vec![one], more.collect()].concat();
        let bad = *random.pick(&[0, 2, 30]);
        for round in 0..25 {
            let mut exchanges = Vec::new();
            for place in &places {
                let status = if random.percent(bad) { 503 } else { 200 };
                let region = *random.pick(&["eu", "us", "mars"]);
                exchanges.push(world.up_to_its_end(*place, pinned(status).header("x-region", region)));
            }
            world.end_together(&exchanges, seed * 1000 + round);
            world.check_balance();
            world.check_verdicts();
        }
        assert_eq!(world.gate("exp", "errors", "all").trials, 75);
        world.settle();
        world.check();
    }
}

#[test]
fn workers_that_end_a_warm_up_at_the_same_time_leave_out_hardly_more() {
    for seed in 0..30 {
        let configuration = canary(json!([errors()])).with("/routes/0/split/canaries/0/warmup", json!({"pairs": 4}));
        let left_out = |world: &World| world.sum("gnomon_warmup_total", &[("experiment", "exp")]);
        let (mut world, one) = start(&configuration);
        let more = (0..2).map(|_| world.load_worker(&configuration.to_string()).expect("accepted"));
        let places = [vec![one], more.collect()].concat();
        for round in 0..4 {
            let exchanges: Vec<_> = places.iter().map(|place| world.up_to_its_end(*place, pinned(200))).collect();
            world.end_together(&exchanges, seed * 10 + round);
            assert_eq!(left_out(&world) + world.gate("exp", "errors", "all").trials, 3 * (round + 1), "each is one or the other");
        }
        assert!((4..=6).contains(&left_out(&world)), "seed {seed}: {}", left_out(&world));
        world.settle();
        world.check();
    }
}

/// Three workers look into a new window at the same moment: they agree on what it begins with.
#[test]
fn workers_that_begin_a_window_at_the_same_time_agree() {
    for seed in 0..30 {
        let configuration = guarded(json!([errors()]));
        let (mut world, one) = start(&configuration);
        world.succeed(one, 1);
        world.count_elsewhere(0, 100_000);
        // A good history, and then a window that nobody has looked into.
        world.advance(Duration::from_secs(600));
        let more = (0..2).map(|_| world.load_worker(&configuration.to_string()).expect("accepted"));
        let places = [vec![one], more.collect()].concat();
        let first: Vec<_> = places.iter().map(|place| world.up_to_its_end(*place, pinned(200))).collect();
        world.end_together(&first, seed);
        let mut failures = 0;
        while world.sum("gnomon_guardrail_tripped", &[("variant", "v2")]) == 0 {
            let exchanges: Vec<_> = places.iter().map(|place| world.up_to_its_end(*place, pinned(503))).collect();
            world.end_together(&exchanges, seed * 100 + failures);
            failures += 3;
        }
        // A snapshot is of before, between or after the first three; and the last three came at the same time.
        assert!((18..=21).contains(&failures), "seed {seed}: {failures}");
        world.settle();
        world.check();
    }
}
