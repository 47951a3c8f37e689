//! Series and their labels: all there from the start, and safe and bounded where their values come from traffic.

use serde_json::json;

use crate::setup::{QUESTION, With, agreeing, another, says, shadowed, start};
use crate::traffic::Request;
use crate::world::World;

#[test]
fn slices_follow_a_header() {
    let slices = json!({"header": "x-region", "values": ["eu", "us"]});
    let (mut world, place) = start(&shadowed().with("/routes/0/slices", slices));
    for (n, region) in ["eu", "us", "mars", "eu", "payload;.;x=.=y"].iter().enumerate() {
        world.exchange(place, Request::post(&format!("r{n}"), QUESTION).header("x-region", region));
    }
    world.exchange(place, Request::post("last", QUESTION));
    world.check();
    let expected = [("eu".to_owned(), 2), ("other".to_owned(), 3), ("us".to_owned(), 1)].into();
    assert_eq!(world.counted("gnomon_shadow_outcomes_total", &[("outcome", "compared")], "slice"), expected);
}

#[test]
fn names_that_the_mesh_would_mangle_are_quoted() {
    let (mut world, place) = start(&shadowed());
    world.serve("primary", |_| says("{}", 2));
    world.serve("shadow", |request| says(&String::from_utf8_lossy(&request.body), 2));
    for (number, name) in ["cache", "my_tag", "component", "wasm_filter", "tags"].into_iter().enumerate() {
        world.exchange(place, Request::post(&format!("r{number}"), &format!("{{\"{name}\": {{\"a\": 1}}}}")));
    }
    world.check();
    let paths: Vec<_> = world.counted("gnomon_divergent_paths_total", &[], "path").into_keys().collect();
    assert_eq!(paths, [r#"["cache"]"#, r#"["component"]"#, r#"["my_tag"]"#, r#"["wasm_filter"]"#, "tags"]);
}

#[test]
fn names_from_bodies_are_made_safe_and_bounded() {
    let (mut world, place) = start(&shadowed());
    world.serve("primary", |_| says("{}", 2));
    world.serve("shadow", |request| says(&String::from_utf8_lossy(&request.body), 2));
    for n in 0..30 {
        world.exchange(place, Request::post(&format!("r{n}"), &format!("{{\"member {n};.;x=.={}\\u00e9\": 1}}", "y".repeat(200))));
    }
    world.check();
    let paths = world.counted("gnomon_divergent_paths_total", &[], "path");
    assert!(paths.len() <= 17, "16 paths and `other`: {paths:?}");
    assert!(paths.get("other").is_some_and(|count| *count == 14), "{paths:?}");
    for path in paths.keys() {
        assert!(path.len() <= 128 && path.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b";=\\".contains(&byte)), "{path}");
    }
}

#[test]
fn the_divergent_paths_with_a_series_stay_the_same() {
    let (mut world, place) = start(&shadowed());
    world.serve("primary", |_| says("{}", 2));
    world.serve("shadow", |request| says(&String::from_utf8_lossy(&request.body), 2));
    let diverge = |world: &mut World, place, number| {
        world.exchange(place, Request::post("r", &format!("{{\"member-{number}\": 1}}")));
    };
    for number in 0..20 {
        diverge(&mut world, place, number);
    }
    let new = world.load(&another()).expect("accepted");
    world.retire(place.vm);
    for number in (0..20).rev() {
        diverge(&mut world, new, number);
    }
    world.check();
    let paths = world.counted("gnomon_divergent_paths_total", &[], "path");
    assert_eq!(paths.len(), 17, "{paths:?}");
    assert_eq!((paths["member-0"], paths["member-15"], paths["other"]), (2, 2, 8));
}

#[test]
fn every_series_exists_at_zero_before_the_first_request() {
    let mut world = agreeing(1);
    let slices = json!({"header": "x-region", "values": ["eu", "us"]});
    world.load(&shadowed().with("/routes/0/slices", slices).to_string()).expect("accepted");
    let proxy = world.proxy();
    let count = |stat| proxy.metrics.select(stat, &[]).count();
    assert_eq!(count("gnomon_sampled_total"), 1);
    assert_eq!(count("gnomon_shadow_responses_total"), 11);
    assert_eq!(count("gnomon_responses_total"), 6, "one variant: none");
    assert!(count("gnomon_shadow_outcomes_total") >= 3 * 17, "three slices");
    assert_eq!(count("gnomon_pairs_total"), 3 * 3, "three slices, three verdicts");
    assert_eq!(count("gnomon_evidence_total"), 2);
    assert_eq!(count("gnomon_tokens_total"), 2 * 2, "prompt and completion, of the clients' answers and of the shadow's");
    assert_eq!(count("gnomon_answers_total"), 2 * 8);
    assert_eq!(count("gnomon_model_versions_total"), 2, "other, until a version is met");
    assert_eq!(count("gnomon_first_byte_duration_microseconds"), 1);
    assert_eq!(count("gnomon_decisions_total"), 0, "the task names no answers");
}
