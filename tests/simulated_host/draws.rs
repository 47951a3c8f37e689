//! Who answers and who is copied: the split, its pins and its header, and the draw of the sample.

use serde_json::json;

use crate::setup::{QUESTION, SHADOW, With, shadowed, split, start};
use crate::traffic::Request;

#[test]
fn without_a_request_id_the_draw_is_random() {
    let (mut world, place) = start(&shadowed().with(&format!("{SHADOW}/percent"), 50));
    for _ in 0..64 {
        world.exchange(place, Request::post("", QUESTION).without("x-request-id"));
    }
    world.check();
    let sampled = world.sum("gnomon_sampled_total", &[]);
    assert!((1..64).contains(&sampled), "{sampled} of 64");
}

#[test]
fn a_smaller_sample_lies_within_a_larger_one() {
    let two = json!([
        {"name": "half", "cluster": "shadow", "percent": 50},
        {"name": "tenth", "cluster": "shadow", "percent": 10, "role": "control"},
    ]);
    let (mut world, place) = start(&shadowed().with("/routes/0/shadows", two));
    let mut counts = [0, 0];
    for n in 0..100 {
        let before = world.calls("shadow").len();
        world.exchange(place, Request::post(&format!("request {n}"), QUESTION));
        let names: Vec<_> = world.calls("shadow")[before..].iter().filter_map(|call| call.request.header("x-gnomon-shadow")).collect();
        let has = |name: &str| names.iter().any(|it| it == name);
        assert!(!has("tenth") || has("half"), "request {n} went to {names:?}");
        counts[0] += usize::from(has("half"));
        counts[1] += usize::from(has("tenth"));
    }
    world.check();
    assert!((30..70).contains(&counts[0]) && (1..25).contains(&counts[1]), "{counts:?}");
}

#[test]
fn the_split_decides_who_answers_and_a_client_does_not() {
    for (percent, variant) in [(0.0, "v1"), (100.0, "v2")] {
        let (mut world, place) = start(&split(percent));
        let request =
            Request::post("r1", QUESTION).header("x-user-id", "u1").header("x-gnomon-variant", "v3").header("x-gnomon-variant", "v4");
        let exchange = world.exchange(place, request);
        world.check();
        let seen = &world.exchanges[exchange];
        let values: Vec<_> = seen.upstream.fields.iter().filter(|(name, _)| name == "x-gnomon-variant").collect();
        assert_eq!(values.len(), 1);
        assert_eq!((values[0].1.as_slice(), seen.cluster.as_str()), (variant.as_bytes(), variant));
        assert_eq!(world.sum("gnomon_requests_total", &[("variant", variant), ("reason", "weight")]), 1);
        assert_eq!(world.sum("gnomon_responses_total", &[("variant", variant), ("class", "2xx")]), 1);
        // Only the baseline's requests are copied.
        assert_eq!(world.sum("gnomon_sampled_total", &[]), u64::from(variant == "v1"));
        assert_eq!(seen.client.header("x-gnomon-variant"), None);
    }
}

#[test]
fn a_pin_wins_and_a_missing_key_goes_to_the_baseline() {
    let configuration = split(100.0)
        .with("/routes/0/split/pins", json!([{"header": "x-model-pin", "exact": "one", "variant": "v1"}]))
        .with("/routes/0/split/expose", true);
    let (mut world, place) = start(&configuration);
    let user = |request: Request| request.header("x-user-id", b"\xff\xfe");
    for (request, variant, reason) in [
        (user(Request::post("r1", QUESTION)).header("x-model-pin", "one"), "v1", "pin"),
        (user(Request::post("r2", QUESTION)), "v2", "weight"),
        (Request::post("r3", QUESTION), "v1", "keyless"),
        (Request::post("r4", QUESTION).header("x-user-id", ""), "v1", "keyless"),
    ] {
        let before = world.sum("gnomon_requests_total", &[("variant", variant), ("reason", reason)]);
        let exchange = world.exchange(place, request);
        assert_eq!(world.exchanges[exchange].cluster, variant, "{reason}");
        assert_eq!(world.exchanges[exchange].client.header("x-gnomon-variant").as_deref(), Some(variant), "{reason}");
        assert_eq!(world.sum("gnomon_requests_total", &[("variant", variant), ("reason", reason)]), before + 1, "{reason}");
    }
    world.check();
}

#[test]
fn a_forged_header_is_removed_from_every_request() {
    let (mut world, place) = start(&split(50.0));
    let requests = [
        Request::new("GET", "/other").header("x-gnomon-variant", "v2"),
        Request::post("r", QUESTION).header("x-gnomon-shadow", "copy").header("x-gnomon-variant", "v2"),
    ];
    for request in requests {
        let exchange = world.exchange(place, request);
        assert_eq!(world.exchanges[exchange].upstream.header("x-gnomon-variant"), None);
    }
    world.check();
}
