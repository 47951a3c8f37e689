//! Copies that are never sent: too much is under way, the host does not take them, or there is nothing that could be copied.

use serde_json::{Value, json};

use crate::network::{Cluster, Reply};
use crate::outcomes::{json_answer, only};
use crate::setup::{QUESTION, SCORE, SHADOW, With, says, shadowed, start};
use crate::traffic::Request;
use crate::world::World;

#[test]
fn a_copy_that_the_host_would_not_take_is_unsent() {
    let mut many = Request::post("r1", QUESTION);
    for n in 0..1100 {
        many = many.header(&format!("x-header-{n}"), "value");
    }
    let big = Request::post("r1", QUESTION).header("x-big", "v".repeat(1 << 20));
    for request in [many, big] {
        let (mut world, place) = start(&shadowed());
        world.exchange(place, request);
        world.check();
        assert_eq!(world.outcomes("copy"), only("unsent_refused", 1));
        assert!(world.calls("shadow").is_empty());
    }
    let (mut world, place) = start(&shadowed());
    world.proxy().network.set("shadow", Cluster::NoHosts);
    world.exchange(place, Request::post("r1", QUESTION));
    world.check();
    assert_eq!(world.outcomes("copy"), only("unsent_refused", 1));
}

#[test]
fn a_missing_cluster_is_told_apart_and_may_come_later() {
    let (mut world, place) = start(&shadowed());
    world.proxy().network.remove("shadow");
    world.exchange(place, Request::post("r1", QUESTION));
    assert_eq!(world.outcomes("copy"), only("unsent_no_cluster", 1));
    world.serve("shadow", |_| says(SCORE, 5));
    world.exchange(place, Request::post("r2", QUESTION));
    world.check();
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 1), ("unsent_no_cluster".to_owned(), 1)].into());
}

#[test]
fn a_copy_refused_after_its_stream_holds_nothing() {
    let (mut world, place) = start(&shadowed());
    world.serve("primary", |_| says(SCORE, 0));
    world.proxy().network.remove("shadow");
    world.exchange(place, Request::post("r1", QUESTION));
    world.check();
    assert_eq!(world.outcomes("copy"), only("unsent_no_cluster", 1));
}

/// Five requests at once while the shadow takes its time.
fn crowd(configuration: &Value) -> World {
    let (mut world, place) = start(configuration);
    world.serve("shadow", |_| says(SCORE, 500));
    world.serve("primary", |_| says(SCORE, 600));
    for n in 0..5 {
        let exchange = world.open(place, Request::post(&format!("r{n}"), QUESTION));
        world.play(exchange);
    }
    world.settle();
    world.check();
    world
}

#[test]
fn what_goes_over_a_bound_is_unsent() {
    let world = crowd(&shadowed().with(&format!("{SHADOW}/max_in_flight"), 2));
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 2), ("unsent_in_flight".to_owned(), 3)].into());

    let world = crowd(&shadowed().with("/limits", json!({"pairs": 3})));
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 3), ("unsent_in_flight".to_owned(), 2)].into());
}

#[test]
fn captured_bytes_are_bounded_over_all_requests() {
    let room = format!("{}B", QUESTION.len() * 3 - 1);
    let (mut world, place) = start(&shadowed().with("/limits", json!({"memory": room, "body": "100B"})));
    let uploads: Vec<_> = (0..3)
        .map(|n| {
            let exchange = world.open(place, Request::post(&format!("r{n}"), "").pieces(vec![QUESTION.into(), Vec::new()]));
            world.step(exchange);
            world.step(exchange);
            exchange
        })
        .collect();
    assert_eq!(world.outcomes("copy"), only("unsent_memory", 1), "the third body has no room");
    assert_eq!(world.sum("gnomon_captured_bytes", &[]), QUESTION.len() as u64 * 2);
    for exchange in uploads {
        world.play(exchange);
    }
    world.settle();
    world.check();
    assert_eq!(world.calls("shadow").len(), 2);
}

#[test]
fn a_body_over_the_limit_is_not_copied() {
    let (mut world, place) = start(&shadowed().with("/limits", json!({"body": "1KiB"})));
    let exchange = world.exchange(place, Request::post("r1", "").pieces(vec![b"[0".to_vec(), vec![b' '; 2000], b"]".to_vec()]));
    world.check();
    assert_eq!(world.exchanges[exchange].client.body, SCORE.as_bytes());
    assert_eq!(world.outcomes("copy"), only("unsent_body", 1));
    assert!(world.calls("shadow").is_empty());
}

#[test]
fn upgrades_and_connect_are_not_copied() {
    let any = shadowed().with("/routes/0/match", json!({"methods": ["GET", "POST", "CONNECT"]}));
    let upgrade =
        |method| Request::new(method, "/infer").header("x-request-id", "r").header("connection", "Upgrade").header("upgrade", "websocket");
    for request in [upgrade("GET"), Request::new("CONNECT", "/infer").header("x-request-id", "r")] {
        let (mut world, place) = start(&any);
        world.serve("primary", |_| Reply::Half(json_answer().status(101)));
        world.exchange(place, request);
        world.check();
        assert_eq!(world.counted("gnomon_responses_total", &[], "class"), only("2xx", 1));
        assert_eq!(world.outcomes("copy"), only("unsent_upgrade", 1));
        assert!(world.calls("shadow").is_empty());
    }
}
