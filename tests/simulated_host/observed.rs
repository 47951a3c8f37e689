//! A split that the router makes by weights: who is counted for what, which copies are made, and what that costs.

use serde_json::{Value, json};

use crate::network::{Answer, Reply};
use crate::setup::{QUESTION, SCORE, SHADOW, With, agreeing, shadowed};
use crate::traffic::Request;
use crate::world::{Place, World};

/// Variants `v1` and `v2` at the clusters of these names, and a gate that sets them against each other.
fn observed() -> Value {
    let variant = |name: &str| json!({"name": name, "cluster": {"exact": name}});
    let gate = json!({"name": "worse", "of": "v2", "measure": "worse_than_baseline", "event": "failed", "limit": 50});
    shadowed()
        .with("/routes/0/observe", json!({"baseline": "v1", "variants": [variant("v1"), variant("v2")]}))
        .with("/routes/0/gates", json!([gate]))
}

/// A header by which routes keep a key at one variant. (The router of the simulated host takes a split header for the name of a cluster.)
fn sticky() -> Value {
    observed().with("/routes/0/observe/bucket", json!({"key": {"header": "x-user-id"}, "header": "x-bucket"}))
}

/// A proxy whose router takes these clusters in turn.
fn start(configuration: &Value, weighted: &[&'static str]) -> (World, Place) {
    let mut world = agreeing(1);
    world.weighted = weighted.to_vec();
    world.split_headers.push("x-bucket".to_owned());
    let place = world.load(&configuration.to_string()).expect("the configuration is accepted");
    (world, place)
}

fn requests(world: &World, variant: &str) -> [u64; 2] {
    ["gnomon_requests_total", "gnomon_responses_total"].map(|stat| world.sum(stat, &[("variant", variant)]))
}

fn outcomes(world: &World) -> Vec<(String, u64)> {
    world.outcomes("copy").into_iter().collect()
}

#[test]
fn each_answer_counts_for_the_cluster_that_gave_it() {
    let (mut world, place) = start(&observed(), &["v1", "v2", "v1", "elsewhere"]);
    for _ in 0..8 {
        world.exchange(place, Request::post("r", QUESTION));
    }
    // Its cluster does not exist, and Envoy answers itself.
    assert_eq!(["v1", "v2", "none"].map(|variant| requests(&world, variant)), [[4, 4], [2, 2], [2, 2]]);
    assert_eq!(world.sum("gnomon_responses_total", &[("variant", "none"), ("class", "5xx")]), 2);
    assert_eq!((world.calls("shadow").len(), outcomes(&world)), (4, vec![("compared".to_owned(), 4)]), "the baseline's alone are copied");
    world.check();
}

#[test]
fn a_reply_of_the_proxys_own_counts_for_the_cluster_that_it_could_not_reach() {
    let (mut world, place) = start(&observed(), &["v1", "v2"]);
    world.serve("v2", |_| Reply::Refused);
    for _ in 0..20 {
        world.exchange(place, Request::post("r", QUESTION));
    }
    assert_eq!(world.sum("gnomon_responses_total", &[("variant", "v2"), ("class", "5xx")]), 10);
    let gate = world.gate("exp", "worse", "all");
    assert_eq!((gate.bad, gate.trials, gate.limits), (10, 10, Some(5_000_000)));
    world.check();
}

#[test]
fn a_client_that_leaves_counts_for_the_cluster_that_it_was_sent_to() {
    let (mut world, place) = start(&observed(), &["v2", "v1"]);
    for _ in 0..2 {
        let exchange = world.open(place, Request::post("r", QUESTION));
        world.step(exchange);
        world.exchanges[exchange].client_leaves();
        world.step(exchange);
    }
    world.settle();
    let cancelled = |variant| world.sum("gnomon_responses_total", &[("variant", variant), ("class", "cancelled")]);
    assert_eq!((["v1", "v2"].map(cancelled), world.gate("exp", "worse", "all").trials), ([1, 1], 0));
    world.check();
}

#[test]
fn a_bucket_header_is_set_and_the_answer_tells_who_gave_it() {
    let (mut world, place) = start(&sticky(), &["v1", "v2"]);
    let asked = |user: &str| Request::post("r", QUESTION).header("x-user-id", user).header("x-bucket", "0000");
    for (user, bucket) in [("user-1", "4756"), ("user-2", "8188")] {
        let exchange = world.exchange(place, asked(user));
        assert_eq!(world.exchanges[exchange].upstream.header("x-bucket").as_deref(), Some(bucket), "{user}");
    }
    assert_eq!(outcomes(&world), [("compared".to_owned(), 1), ("other_variant".to_owned(), 1)]);
    assert!(world.calls("shadow").iter().all(|call| call.request.header("x-bucket").is_none()));
    for request in [asked("user-1").header("x-gnomon-shadow", "copy"), Request::post("r", QUESTION).header("x-bucket", "0000")] {
        let exchange = world.exchange(place, request);
        assert_eq!(world.exchanges[exchange].upstream.header("x-bucket"), None);
    }
    world.check();
}

/// Reading the cluster costs a host call; what nobody needs is not read.
#[test]
fn the_cluster_is_read_once_for_each_decision_that_needs_it() {
    let of_all = observed().with(&format!("{SHADOW}/of"), json!(["v1", "v2"]));
    let without_shadows = observed().with("/routes/0/shadows", json!([]));
    for (configuration, expected) in [(shadowed(), 0), (observed(), 2), (of_all, 2), (without_shadows, 1), (sticky(), 1)] {
        let (mut world, place) = start(&configuration, &["v1"]);
        world.serve("v1", |_| Reply::Whole(Answer::json(SCORE)));
        let asked = |world: &World| world.proxy().host_calls.get("proxy_get_property").copied().unwrap_or(0);
        let before = asked(&world);
        world.exchange(place, Request::post("r", QUESTION).header("x-user-id", "u"));
        assert_eq!(asked(&world) - before, expected, "{configuration}");
        world.check();
    }
}
