//! A proxy whose routes don't follow the split: the shell asks which cluster answered, of answers that came from one.

use std::time::Duration;

use serde_json::json;

use crate::gated::{canary, errors, start};
use crate::network::{Answer, Reply};
use crate::setup::{QUESTION, SCORE, With};
use crate::traffic::Request;
use crate::verdicts::{PASS, UNDECIDED};
use crate::world::{Place, World};

/// Long enough for a verdict, at the limit of [`errors`], in so many rounds of 100 ms.
const ROUNDS: usize = 450;

/// A request of each variant, over and over, by two workers in turn.
fn load(world: &mut World, places: [Place; 2]) {
    for round in 0..ROUNDS {
        for variant in ["v1", "v2"] {
            world.ask(places[round % 2], Request::post("r", QUESTION).header("x-pin", variant));
        }
        world.advance(Duration::from_millis(100));
    }
    world.settle();
    world.check();
}

fn misrouted(world: &World) -> [u64; 2] {
    ["v1", "v2"].map(|variant| world.sum("gnomon_split_misrouted", &[("experiment", "exp"), ("variant", variant)]))
}

#[test]
fn a_canary_that_another_variant_answers_for_does_not_pass() {
    for (clusters, replies, same_cluster, expected, state) in [
        // No cluster is called like a variant, so that all requests go to `primary`.
        (&["primary"][..], true, false, [1, 1], UNDECIDED),
        (&["primary"], true, true, [0, 0], PASS),
        (&["primary", "v1", "v2"], true, false, [0, 0], PASS),
        (&["primary", "v1"], true, false, [0, 0], PASS),
        // What Envoy answers itself tells of no cluster.
        (&["primary"], false, false, [0, 0], UNDECIDED),
    ] {
        let mut world = World::new(1);
        for cluster in clusters {
            world.serve(cluster, move |_| if replies { Reply::Whole(Answer::json(SCORE)) } else { Reply::Refused });
        }
        let text = canary(json!([errors()])).with("/routes/0/split/same_cluster", same_cluster).to_string();
        let places = [world.load(&text).expect("accepted"), world.load_worker(&text).expect("accepted")];
        load(&mut world, places);
        let gate = world.gate("exp", "errors", "all");
        assert_eq!((misrouted(&world), gate.trials), (expected, ROUNDS as u64), "{clusters:?}");
        assert!(!replies || gate.state == state, "{clusters:?}: {gate:?}");
        let lines = world.lines(proxy_wasm::types::LogLevel::Warn);
        let lines = lines.iter().filter(|line| line.contains(r#""misrouted":"primary","route""#)).count();
        assert_eq!(lines as u64, expected[0], "the first worker that finds it says so");
    }
}

#[test]
fn a_look_costs_two_host_calls_every_ten_seconds() {
    let (mut world, place) = start(&canary(json!([errors()])));
    let asked = |world: &World| world.proxy().host_calls.get("proxy_get_property").copied().unwrap_or(0);
    let before = asked(&world);
    for _ in 0..100 {
        world.ask(place, Request::post("r", QUESTION).header("x-pin", "v2"));
    }
    assert_eq!(asked(&world) - before, 2);
    world.advance(Duration::from_secs(10));
    world.ask(place, Request::post("r", QUESTION).header("x-pin", "v2"));
    assert_eq!(asked(&world) - before, 4);
}
