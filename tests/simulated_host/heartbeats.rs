//! Heartbeats: what tells a proxy whose filter is gone from one without requests.

use std::time::Duration;

use crate::setup::{QUESTION, another, shadowed, start};
use crate::traffic::Request;
use crate::world::{Place, World};

/// How many heartbeats a minute brings.
fn beats(world: &mut World) -> u64 {
    let before = world.sum("gnomon_heartbeats_total", &[]);
    world.advance(Duration::from_secs(60));
    world.sum("gnomon_heartbeats_total", &[]) - before
}

/// A request to a route, or to none.
fn ask(world: &mut World, place: Place, route: &str) {
    world.ask(place, Request::post(route, QUESTION));
    world.settle();
}

#[test]
fn every_worker_that_has_had_a_request_has_six_a_minute() {
    let (mut world, first) = start(&shadowed());
    let second = world.load_worker(&shadowed().to_string()).expect("accepted");
    assert_eq!(beats(&mut world), 0, "nobody has had a request");
    ask(&mut world, first, "r");
    assert_eq!(beats(&mut world), 6);
    ask(&mut world, second, "none");
    assert_eq!(beats(&mut world), 12, "a request that no route takes counts, too");
    world.retire(first.vm);
    assert_eq!(beats(&mut world), 6);
}

#[test]
fn a_worker_beats_on_under_another_configuration_and_a_refused_one() {
    for (text, name) in [(another(), "another"), ("{}".to_owned(), "refused")] {
        let (mut world, old) = start(&shadowed());
        ask(&mut world, old, "r");
        let place = world.update(old, &text).expect("accepted");
        assert_eq!(beats(&mut world), 6, "{name}, before its first request");
        ask(&mut world, place, "r");
        assert_eq!(beats(&mut world), 6, "{name}");
    }
}
