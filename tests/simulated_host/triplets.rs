//! Candidate, control and primary: a trial needs both shadows' answers compared, in whatever order they come.

use std::time::Duration;

use serde_json::{Value, json};

use crate::gated::labels;
use crate::network::{Answer, Message, Reply};
use crate::setup::{QUESTION, SCORE, SHADOW, With, agreeing, another, shadowed};
use crate::traffic::Request;
use crate::verdicts::FAIL;
use crate::world::{Place, World};

/// `copy` is the candidate, `control` gets every request too.
fn configuration() -> Value {
    let control = json!({"name": "control", "role": "control", "cluster": "control", "percent": 100, "timeout": "2s"});
    let candidate = shadowed().pointer(SHADOW).expect("a shadow").clone();
    let noise = json!({"name": "noise", "of": "copy", "measure": "worse_than_control", "limit": 50});
    shadowed().with("/routes/0/shadows", json!([candidate, control])).with("/routes/0/gates", json!([noise]))
}

/// What the request's header asks a model for: `same`, `other`, `status`, `unreadable`, `silent`, and after how many milliseconds.
fn wanted(request: &Message, header: &str) -> Reply {
    let text = request.header(header).expect("each request says");
    let (what, after) = text.split_once(' ').expect("what and when");
    let answer = |body: &str| Answer::json(body).after(Duration::from_millis(after.parse().expect("milliseconds")));
    match what {
        "same" => Reply::Whole(answer(SCORE)),
        "other" => Reply::Whole(answer(r#"{"score":0.9}"#)),
        "status" => Reply::Whole(answer("{}").status(503)),
        "unreadable" => Reply::Whole(answer("{")),
        _ => Reply::Silent,
    }
}

fn start() -> (World, Place) {
    let mut world = agreeing(1);
    for (cluster, header) in [("primary", "x-primary"), ("shadow", "x-candidate"), ("control", "x-control")] {
        world.serve(cluster, move |request| wanted(request, header));
    }
    let place = world.load(&configuration().to_string()).expect("accepted");
    (world, place)
}

fn request(id: &str, [primary, candidate, control]: [&str; 3]) -> Request {
    Request::post(id, QUESTION).header("x-primary", primary).header("x-candidate", candidate).header("x-control", control)
}

fn counts(world: &World) -> (u64, u64) {
    let told = world.gate("exp", "noise", "all");
    (told.bad, told.trials)
}

/// Every order in which three answers can come.
const ORDERS: [[u32; 3]; 6] = [[5, 10, 15], [5, 15, 10], [10, 5, 15], [10, 15, 5], [15, 5, 10], [15, 10, 5]];

#[test]
fn one_of_two_that_diverged_is_a_trial_in_any_order() {
    for order in ORDERS {
        for (candidate, control, bad, trials) in [
            ("other", "same", 1, 1),
            ("same", "other", 0, 1),
            ("same", "same", 0, 0),
            ("other", "other", 0, 0),
            ("status", "same", 0, 0),
            ("same", "status", 0, 0),
            ("other", "status", 0, 0),
            ("status", "other", 0, 0),
            ("other", "unreadable", 0, 0),
            ("unreadable", "other", 0, 0),
            ("other", "silent", 0, 0),
            ("silent", "other", 0, 0),
        ] {
            let (mut world, place) = start();
            let [primary, first, second] = order;
            let said = [format!("same {primary}"), format!("{candidate} {first}"), format!("{control} {second}")];
            world.exchange(place, request("r", [&said[0], &said[1], &said[2]]));
            assert_eq!(counts(&world), (bad, trials), "{candidate} and {control} in order {order:?}");
            world.check();
        }
    }
}

#[test]
fn without_a_good_primary_there_is_no_trial() {
    for primary in ["status 5", "status 20", "unreadable 5"] {
        let (mut world, place) = start();
        world.exchange(place, request("r", [primary, "other 10", "same 15"]));
        assert_eq!(counts(&world), (0, 0), "{primary}");
        world.check();
    }
}

#[test]
fn a_client_that_leaves_takes_its_triplet_along() {
    let (mut world, place) = start();
    let exchange = world.open(place, request("r", ["same 500", "other 10", "same 15"]));
    world.send_request(exchange);
    world.advance(Duration::from_millis(100));
    world.client_leaves(exchange);
    world.settle();
    assert_eq!(counts(&world), (0, 0));
    world.check();
}

/// Of requests that overlap each other no answer is taken for another's.
#[test]
fn triplets_are_not_mixed_up() {
    let (mut world, place) = start();
    let mut expected = (0, 0);
    for n in 0..60_u32 {
        let candidate = ["same", "other", "status"][(n % 3) as usize];
        let control = ["same", "other", "silent"][(n / 3 % 3) as usize];
        match (candidate, control) {
            ("other", "same") => expected = (expected.0 + 1, expected.1 + 1),
            ("same", "other") => expected.1 += 1,
            _ => {}
        }
        let said = [format!("same {}", n * 7 % 50), format!("{candidate} {}", n * 13 % 50), format!("{control} {}", n * 29 % 50)];
        let exchange = world.open(place, request(&format!("r{n}"), [&said[0], &said[1], &said[2]]));
        world.play(exchange);
        world.advance(Duration::from_millis(3));
    }
    world.settle();
    let breaker = world.outcomes("control").get("unsent_breaker_open").copied().unwrap_or(0);
    assert_eq!((counts(&world), breaker), (expected, 0));
    world.check();
}

#[test]
fn a_control_that_gets_fewer_requests_makes_fewer_trials() {
    let (mut world, old) = start();
    let place = world.update(old, &configuration().with("/routes/0/shadows/1/percent", 40).to_string()).expect("accepted");
    for n in 0..100 {
        world.exchange_without_rest(place, request(&format!("r{n}"), ["same 2", "other 3", "same 4"]));
    }
    world.settle();
    let sampled = world.sum("gnomon_sampled_total", &[("shadow", "control")]);
    assert!((20..60).contains(&sampled));
    assert_eq!(counts(&world), (sampled, sampled));
    assert_eq!(world.gate("exp", "noise", "all").state, FAIL);
    world.check();
}

#[test]
fn answers_that_come_after_an_update_still_count() {
    let (mut world, old) = start();
    world.exchange_without_rest(old, request("r", ["same 2", "other 500", "same 900"]));
    world.update(old, &configuration().with("/evidence", json!({"per_second": 2})).to_string()).expect("accepted");
    world.settle();
    assert_eq!(counts(&world), (1, 1));
    world.check();
}

/// The old root context judges for a configuration that no longer has the gate: it counts, but shows nothing.
#[test]
fn answers_for_a_gate_that_is_gone_show_nothing() {
    let (mut world, old) = start();
    world.exchange_without_rest(old, request("r", ["same 2", "other 500", "same 900"]));
    world.update(old, &another()).expect("accepted");
    world.settle();
    let proxy = world.proxy();
    for gauge in ["gnomon_gate_limit_ppm", "gnomon_gate_state"] {
        assert_eq!(proxy.metrics.get(&format!("{gauge}{}", labels("noise", "copy", "all"))), Ok(0), "{gauge}");
    }
    drop(proxy);
    world.check();
}
