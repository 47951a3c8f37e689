//! A configuration that is refused: the proxy goes on as before, or passes everything, and says so. Which ones are refused, and what is said
//! of them, is tested in the core.

use proxy_wasm::types::LogLevel;
use serde_json::json;

use crate::setup::{QUESTION, SHADOW, With, agreeing, shadowed, split, start};
use crate::traffic::Request;
use crate::world::{PLUGIN, Place, World};

/// The gauge that says how the last configuration fared.
fn state(world: &World) -> u64 {
    world.sum("gnomon_configuration", &[("plugin", PLUGIN)])
}

fn broken() -> String {
    shadowed().with(&format!("{SHADOW}/percent"), 101).with("/routes/0/surprise", true).to_string()
}

/// One request; says whether it was copied.
fn is_copied(world: &mut World, place: Place) -> bool {
    let before = world.calls("shadow").len();
    let exchange = world.exchange(place, Request::post("r", QUESTION));
    assert_eq!(world.exchanges[exchange].client.status(), 200);
    world.check_balance();
    world.calls("shadow").len() > before
}

#[test]
fn a_good_configuration_is_state_1() {
    let (mut world, place) = start(&shadowed());
    assert_eq!(state(&world), 1);
    assert!(is_copied(&mut world, place));
    assert!(world.lines(LogLevel::Error).is_empty());
    assert_eq!(world.proxy().metrics.select("gnomon_build_info", &[]).count(), 1);
}

/// Envoy drops the series that its stats matcher excludes.
#[test]
fn figures_that_nobody_can_read_are_told_of_and_hurt_nobody() {
    let mut world = agreeing(1);
    world.proxy().metrics.hidden = Some("gnomon_");
    let place = world.load(&shadowed().to_string()).expect("accepted");
    assert!(is_copied(&mut world, place));
    world.check();
    let lines = world.lines(LogLevel::Error);
    assert_eq!(lines.len(), 2, "once in the trial, once here: {lines:?}");
    assert!(lines.iter().all(|line| line.contains("a stats matcher hides them")), "{lines:?}");
}

#[test]
fn a_first_configuration_that_is_refused_passes_everything() {
    let mut world = agreeing(1);
    let place = world.load(&broken()).expect("passes");
    assert_eq!(state(&world), 3);
    assert_eq!(world.lines(LogLevel::Error).len(), 2 * 3, "two problems and what comes of them, in the trial and here");
    // Only a proxy in this state lets a client's own split header through.
    world.split_headers.clear();
    let exchange = world.exchange(place, Request::post("r", QUESTION).header("x-gnomon-variant", "v2"));
    assert_eq!(world.exchanges[exchange].client.status(), 200);
    assert_eq!(world.exchanges[exchange].upstream.header("x-gnomon-variant").as_deref(), Some("v2"));
    assert!(world.calls("shadow").is_empty());
    world.check();
}

#[test]
fn reject_makes_the_host_refuse_and_leaves_the_running_one_alone() {
    let rejected = shadowed().with("/on_invalid", "reject").with("/surprise", 1).to_string();
    let mut world = agreeing(1);
    assert!(world.load(&rejected).is_none());
    let (mut world, place) = start(&shadowed());
    assert!(world.update(place, &rejected).is_none());
    assert_eq!(state(&world), 2);
    assert!(is_copied(&mut world, place));
    world.check();
}

#[test]
fn a_refused_update_goes_on_with_the_last_good_one() {
    for new_vm in [false, true] {
        let (mut world, old) = start(&shadowed());
        let mut place = old;
        for _ in 0..2 {
            let next = if new_vm { world.load(&broken()) } else { world.update(place, &broken()) };
            let next = next.expect("passes");
            if new_vm {
                world.retire(place.vm);
            }
            place = next;
            assert_eq!(state(&world), 2);
            assert!(is_copied(&mut world, place), "new VM: {new_vm}");
        }
        // And back to a good one.
        let next = if new_vm { world.load(&shadowed().to_string()) } else { world.update(place, &shadowed().to_string()) };
        assert_eq!(state(&world), 1);
        assert!(is_copied(&mut world, next.expect("accepted")));
        world.check();
    }
}

#[test]
fn all_workers_count_into_the_same_series() {
    let (mut world, one) = start(&split(0.0));
    let two = world.load_worker(&split(0.0).to_string()).expect("accepted");
    for (n, place) in [one, two, one, two].into_iter().enumerate() {
        world.exchange(place, Request::post(&format!("r{n}"), QUESTION).header("x-user-id", "u"));
    }
    world.check();
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 4)].into());
    assert_eq!(world.sum("gnomon_split_ppm", &[("variant", "v1")]), 1_000_000, "a gauge that is set, not added up");
    assert_eq!(state(&world), 1);
}

#[test]
fn a_variant_that_is_gone_has_no_share() {
    let (mut world, place) = start(&split(30.0));
    assert_eq!(world.sum("gnomon_split_ppm", &[("variant", "v2")]), 300_000);
    let without = shadowed().with("/routes/0/split", json!({"baseline": "v1"}));
    let place = world.update(place, &without.to_string()).expect("accepted");
    assert_eq!(world.sum("gnomon_split_ppm", &[("variant", "v2")]), 0);
    assert_eq!(world.sum("gnomon_split_ppm", &[("variant", "v1")]), 1_000_000);
    // Also if it is a new VM that no longer has it.
    let vm = world.load(&split(30.0).to_string()).expect("accepted");
    world.retire(place.vm);
    assert_eq!(world.sum("gnomon_split_ppm", &[("variant", "v2")]), 300_000);
    world.load(&without.to_string()).expect("accepted");
    world.retire(vm.vm);
    assert_eq!(world.sum("gnomon_split_ppm", &[("variant", "v2")]), 0);
}

#[test]
fn the_first_route_that_matches_wins() {
    let routes = json!([
        {"name": "one", "match": {"path": {"prefix": "/infer/one"}, "authority": {"exact": "FRAUD.example"}}},
        {"name": "two", "match": [{"path": {"exact": "/infer/two"}}, {"headers": [{"name": "x-tenant", "exact": "acme"}]}]},
    ]);
    let (mut world, place) = start(&shadowed().with("/routes", routes));
    for (path, tenant) in [("/infer/one?q", "acme"), ("/infer/two?q", "b"), ("/else", "acme"), ("/else", "b")] {
        world.exchange(place, Request::new("POST", path).header("x-tenant", tenant).header("x-request-id", "r"));
    }
    world.check();
    let expected = [("one".to_owned(), 1), ("two".to_owned(), 2)].into();
    assert_eq!(world.counted("gnomon_requests_total", &[("variant", "none"), ("reason", "unsplit")], "route"), expected);
}
