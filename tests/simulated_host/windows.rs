//! The guardrail's windows: recent trials alone, from one snapshot for all workers, whatever clocks and counters do.

use std::time::Duration;

use serde_json::json;

use crate::gated::{errors, guarded, pinned, start};
use crate::random::SplitMix64;
use crate::world::{Place, World};

/// The default.
const WINDOW: Duration = Duration::from_secs(600);

/// Trials that a window must have; with so many failures it cuts off.
const ENOUGH: usize = 20;

/// Requests that a history as long as this would make necessary.
const HISTORY: u64 = 100_000;

fn tripped(world: &World) -> bool {
    world.sum("gnomon_guardrail_tripped", &[("variant", "v2")]) == 1
}

/// Sets the clock so far into a window, `windows` after that of the epoch.
fn set_clock(world: &World, windows: u64, into: Duration) {
    world.proxy().now = (WINDOW.as_nanos() as u64) * windows + into.as_nanos() as u64;
}

/// A proxy whose canary was good for long, with its clock at the beginning of a window that nobody has looked into.
fn with_history() -> (World, Place) {
    let (mut world, place) = start(&guarded(json!([errors()])));
    world.succeed(place, 1);
    world.count_elsewhere(0, HISTORY);
    set_clock(&world, 3_000_000, Duration::from_secs(1));
    (world, place)
}

/// Failures until the canary is cut off, by workers in turn.
fn failures_until_cut_off(world: &mut World, places: &[Place]) -> usize {
    for n in 0..2_000 {
        if tripped(world) {
            return n;
        }
        assert_eq!(world.ask(places[n % places.len()], pinned(503)), "v2");
    }
    panic!("never cut off");
}

#[test]
fn a_long_good_history_hides_no_outage() {
    let (mut world, place) = with_history();
    world.succeed(place, 1);
    assert_eq!(failures_until_cut_off(&mut world, &[place]), ENOUGH);
    let line = world.proxy().log.iter().map(|line| line.text.clone()).find(|line| line.contains("guardrail")).expect("a line");
    assert!(line.contains("window"), "{line}");
    world.settle();
    world.check();
}

#[test]
fn workers_share_a_window() {
    let (mut world, one) = with_history();
    // It looks when it starts, and so begins the window for both.
    let two = world.load_worker(&guarded(json!([errors()])).to_string()).expect("accepted");
    assert_eq!(failures_until_cut_off(&mut world, &[one, two]), ENOUGH);
    world.check();
}

#[test]
fn who_starts_in_the_middle_of_a_window_goes_on_with_it() {
    for way in ["a new VM", "the same VM", "a VM built anew"] {
        let (mut world, old) = with_history();
        world.succeed(old, 1);
        world.fail(old, 12);
        let next = crate::setup::With::with(guarded(json!([errors()])), "/evidence", json!({"per_second": 2})).to_string();
        let place = world.go_on(old, way, &next);
        assert_eq!(failures_until_cut_off(&mut world, &[place]), ENOUGH - 12, "{way}");
        world.settle();
        world.check();
    }
}

#[test]
fn the_next_window_begins_anew() {
    let (mut world, place) = with_history();
    world.succeed(place, 1);
    world.fail(place, ENOUGH - 1);
    set_clock(&world, 3_000_001, Duration::from_secs(1));
    world.succeed(place, 1);
    world.fail(place, ENOUGH - 1);
    assert!(!tripped(&world), "neither window has enough");
    world.fail(place, 1);
    assert!(tripped(&world));
    world.settle();
    world.check();
}

/// The counters of a proxy begin at 0 while what is shared is still there: its snapshots are of no use.
#[test]
fn counters_that_went_back_begin_it_anew() {
    let (mut world, old) = with_history();
    world.succeed(old, 1);
    world.retire(old.vm);
    world.proxy().metrics.restart();
    world.count_elsewhere(0, HISTORY / 2);
    let place = world.load(&guarded(json!([errors()])).to_string()).expect("accepted");
    assert_eq!(failures_until_cut_off(&mut world, &[place]), ENOUGH);
    world.check();
}

#[test]
fn a_clock_that_jumps_does_no_harm() {
    let (mut world, place) = with_history();
    let mut random = SplitMix64::new(7);
    for _ in 0..60 {
        let window = *random.pick(&[0, 1, 2_999_999, 3_000_000, 3_000_001, 30_000_000]);
        set_clock(&world, window, Duration::from_secs(random.below(600)));
        world.fail(place, random.below(4) as usize);
        assert!(!tripped(&world), "no window has had enough");
    }
    // It stays in a window and jumps about in that.
    set_clock(&world, 5_000_000, Duration::from_secs(300));
    world.succeed(place, 1);
    for n in 0..ENOUGH {
        assert!(!tripped(&world), "after {n}");
        set_clock(&world, 5_000_000, Duration::from_secs(random.below(590)));
        world.fail(place, 1);
    }
    assert!(tripped(&world));
    world.settle();
    world.check();
}

/// Three workers look into a new window at the same moment: they agree on what it begins with.
#[test]
fn workers_that_begin_a_window_at_the_same_time_agree() {
    for seed in 0..30 {
        let (mut world, one) = with_history();
        let more = (0..2).map(|_| world.load_worker(&guarded(json!([errors()])).to_string()).expect("accepted"));
        let places = [vec![one], more.collect()].concat();
        let first: Vec<_> = places.iter().map(|place| world.up_to_its_end(*place, pinned(200))).collect();
        world.end_together(&first, seed);
        let mut failures = 0;
        while !tripped(&world) {
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
