//! Series and their labels: all there from the start, and safe and bounded where their values come from traffic.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::series::{absent, incomplete};
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

/// A configuration with every statistic.
const COMPLETE: &str = include_str!("../data/statistics-complete.json");

/// What shows the configuration, and so is not 0.
const SHOWN: [&str; 9] = [
    "gnomon_configuration",
    "gnomon_build_info",
    "gnomon_split_ppm",
    "gnomon_gate_limit_ppm",
    "gnomon_gate_alpha_ppm",
    "gnomon_gate_min_trials",
    "gnomon_gate_requires",
    "gnomon_experiment_info",
    "gnomon_started_microseconds",
];

#[test]
fn a_complete_configuration_defines_the_contract_at_zero() {
    let configuration: Value = serde_json::from_str(COMPLETE).expect("JSON");
    let (world, _) = start(&configuration);
    let proxy = world.proxy();
    assert_eq!(absent(proxy.metrics.all()), Vec::<&str>::new(), "the contract has these, and the filter has not");
    assert_eq!(incomplete(proxy.metrics.all()), Vec::<String>::new());
    for series in proxy.metrics.all().filter(|series| !SHOWN.contains(&series.stat)) {
        assert_eq!(proxy.metrics.sum(series.stat, &[]), 0, "{series:?}");
    }
}

#[test]
fn series_are_those_of_the_routes_slices_and_subjects() {
    let mut world = agreeing(1);
    let slices = json!({"header": "x-region", "values": ["eu", "us"]});
    world.load(&shadowed().with("/routes/0/slices", slices).to_string()).expect("accepted");
    let proxy = world.proxy();
    let values = |stat, label| {
        let values: BTreeSet<String> = proxy.metrics.select(stat, &[]).map(|(series, _)| series.label(label).to_owned()).collect();
        values.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(values("gnomon_sampled_total", "shadow"), ["copy"]);
    assert_eq!(values("gnomon_responses_total", "variant"), ["none"]);
    assert_eq!(values("gnomon_pairs_total", "slice"), ["eu", "other", "us"]);
    assert_eq!(values("gnomon_tokens_total", "subject"), ["copy", "none"]);
    assert_eq!(values("gnomon_model_versions_total", "model_version"), ["other"], "until a version is met");
    assert_eq!(values("gnomon_first_byte_duration_microseconds", "subject"), ["none"]);
    assert_eq!(values("gnomon_decisions_total", "shadow"), [""; 0], "the task names no answers");
}
