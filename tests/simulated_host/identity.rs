//! Who counts, since when, by which configuration and within which bound: the figures that tell proxies and their lives apart.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Value, json};

use crate::gated::{canary, errors};
use crate::setup::{QUESTION, SCORE, With, agreeing, another, says, shadowed, start};
use crate::traffic::Request;
use crate::world::{Place, World};

/// More host calls about what workers share than a configuration takes in these tests.
const MOST: usize = 60;

/// The configurations of the route that are shown now, with their owners.
fn shown(world: &World) -> Vec<[String; 2]> {
    let by = |label| world.counted("gnomon_experiment_info", &[("experiment", "exp"), ("route", "fraud")], label);
    let configs: BTreeMap<String, u64> = by("config");
    assert!(configs.values().all(|count| *count == 1), "{configs:?}");
    configs.into_keys().zip(by("owner").into_keys()).map(|(config, owner)| [config, owner]).collect()
}

fn owned(owner: &str) -> Value {
    shadowed().with("/routes/0/owner", owner)
}

/// Starts another worker with `configuration`. Before call `at` of it about what workers share, `meanwhile` happens; whether there was such a
/// call.
fn load_between(world: &mut World, configuration: &str, at: usize, meanwhile: impl Fn(&mut World) + 'static) -> (Place, bool) {
    let (mut calls, happened) = (0, Rc::new(Cell::new(false)));
    let here = happened.clone();
    let when = move |function: &str| {
        calls += usize::from(function != "proxy_define_metric" && (function.contains("metric") || function.contains("shared_data")));
        calls == at + 1
    };
    world.come_between(when, move |world| {
        if !here.replace(true) {
            meanwhile(world);
        }
    });
    let place = world.load_worker(configuration).expect("accepted");
    world.stop_interleaving();
    (place, happened.get())
}

#[test]
fn one_configuration_is_shown_for_each_route() {
    for new_vm in [false, true] {
        let (mut world, mut place) = start(&shadowed());
        let first = shown(&world);
        assert_eq!((first.len(), &*first[0][1]), (1, "none"));
        let mut seen = first.clone();
        // The last two differ from others in their spelling alone.
        let spelled = shadowed().to_string().replace("\"version\":1", "\"version\": 1.0 ");
        for next in [owned("ml-fraud@example.com").to_string(), owned("a cache.team").to_string(), another(), spelled] {
            let old = place;
            place = if new_vm { world.load(&next) } else { world.update(old, &next) }.expect("accepted");
            if new_vm {
                world.retire(old.vm);
            }
            let now = shown(&world);
            assert_eq!(now.len(), 1, "new VM: {new_vm}, {next}");
            seen.extend(now);
        }
        let owners: Vec<&str> = seen.iter().map(|[_, owner]| owner.as_str()).collect();
        assert_eq!(owners, ["none", "ml-fraud@example.com", "a cache_team", "none", "none"]);
        let different: BTreeSet<_> = seen.iter().map(|[config, _]| config).collect();
        assert_eq!((different.len(), &seen[4]), (4, &seen[0]));
    }
}

#[test]
fn a_refused_configuration_changes_nothing() {
    for on_invalid in ["pass", "reject"] {
        let (mut world, place) = start(&owned("team"));
        let before = shown(&world);
        let wrong = owned("a;b").with("/on_invalid", on_invalid).to_string();
        let _ = if on_invalid == "pass" { world.load(&wrong) } else { world.update(place, &wrong) };
        assert_eq!(shown(&world), before, "{on_invalid}");
    }
}

#[test]
fn routes_and_plugins_that_go_take_their_configuration_with_them() {
    let (mut world, place) = start(&owned("team"));
    let other = world.load_beside(place, "other", &owned("team").to_string()).expect("accepted");
    let without = json!({"version": 1, "experiment": "exp", "routes": []}).to_string();
    let place = world.update(place, &without).expect("accepted");
    assert_eq!(shown(&world).len(), 1, "the other plugin has the route");
    world.update(other, &without).expect("accepted");
    assert_eq!(shown(&world), Vec::<[String; 2]>::new());
    let elsewhere = owned("team").with("/experiment", "exp-2").to_string();
    world.update(place, &elsewhere).expect("accepted");
    assert_eq!(world.sum("gnomon_experiment_info", &[]), 1);
}

/// One worker is late with a configuration, while another one already takes the next.
#[test]
fn a_late_worker_does_not_show_an_earlier_configuration() {
    let mut between = 0;
    for at in 0..MOST {
        let (mut world, first) = start(&shadowed());
        let next = owned("team").to_string();
        let (late, happened) = load_between(&mut world, &another(), at, move |world| {
            world.update(first, &owned("team").to_string()).expect("accepted");
        });
        world.update(late, &next).expect("accepted");
        let now = shown(&world);
        assert!(now.len() == 1 && now[0][1] == "team", "before call {at}: {now:?}");
        between += usize::from(happened);
    }
    assert!((8..MOST).contains(&between), "{between} host calls are too few, or more than are tried");
}

/// The same with another experiment: what the earlier one shows tells rules that it lives.
#[test]
fn a_late_worker_does_not_bring_an_earlier_experiment_back() {
    let gated = canary(json!([errors()]));
    let (earlier, next) = (gated.clone().with("/evidence", json!({"per_second": 2})), gated.clone().with("/experiment", "exp-2"));
    let mut between = 0;
    for at in 0..MOST {
        let (mut world, first) = start(&gated);
        let update = next.to_string();
        let (late, happened) = load_between(&mut world, &earlier.to_string(), at, move |world| {
            world.update(first, &update).expect("accepted");
        });
        world.update(late, &next.to_string()).expect("accepted");
        for stat in ["gnomon_experiment_info", "gnomon_gate_limit_ppm", "gnomon_gate_requires", "gnomon_split_ppm"] {
            let of = |experiment| world.sum(stat, &[("experiment", experiment)]);
            assert!(of("exp") == 0 && of("exp-2") > 0, "before call {at}: {stat} {}", of("exp"));
        }
        between += usize::from(happened);
    }
    assert!((8..MOST).contains(&between), "{between} host calls are too few, or more than are tried");
}

const STARTED: &str = "gnomon_started_microseconds";

#[test]
fn a_proxy_has_begun_once() {
    let (mut world, first) = start(&shadowed());
    let started = world.sum(STARTED, &[]);
    assert!(started > 0);
    let mut place = first;
    for way in ["a new VM", "the same VM", "a VM built anew", "a new VM"] {
        world.proxy().now += 60_000_000_000;
        world.load_worker(&shadowed().to_string()).expect("accepted");
        place = world.go_on(place, way, &owned(&way.replace(' ', "-")).to_string());
        assert_eq!(world.sum(STARTED, &[]), started, "{way}");
    }
}

#[test]
fn workers_that_start_together_agree_when() {
    let mut between = 0;
    for at in 0..MOST {
        let mut world = agreeing(1);
        let seen = Rc::new(Cell::new(0));
        let there = seen.clone();
        let (_, happened) = load_between(&mut world, &shadowed().to_string(), at, move |world| {
            world.proxy().now += 1_000_000;
            world.load_worker(&shadowed().to_string()).expect("accepted");
            there.set(world.sum(STARTED, &[]));
        });
        assert!(seen.get() > 0 || !happened, "before call {at}");
        if happened {
            assert_eq!(world.sum(STARTED, &[]), seen.get(), "before call {at}: it has changed");
        }
        between += usize::from(happened);
    }
    assert!((8..MOST).contains(&between), "{between} host calls are too few, or more than are tried");
}

const MIB: u64 = 1 << 20;

#[test]
fn the_bound_of_captured_bytes_is_that_of_workers_that_capture() {
    let limit = |world: &World| world.sum("gnomon_captured_limit_bytes", &[]);
    let bounded = |memory: &str| shadowed().with("/limits", json!({"memory": memory})).to_string();
    let (mut world, first) = start(&shadowed());
    let second = world.load_worker(&shadowed().to_string()).expect("accepted");
    assert_eq!(limit(&world), 0, "nobody has captured anything");
    world.exchange(first, Request::post("r1", QUESTION));
    assert_eq!(limit(&world), 16 * MIB);
    world.exchange(second, Request::post("r2", QUESTION));
    world.exchange(first, Request::post("r3", QUESTION));
    assert_eq!(limit(&world), 32 * MIB);
    let first = world.update(first, &bounded("4MiB")).expect("accepted");
    assert_eq!(limit(&world), 20 * MIB, "at once");
    let beside = world.load_beside(second, "other", &bounded("8MiB")).expect("accepted");
    assert_eq!(limit(&world), 12 * MIB, "the bound of the last configuration is that of the VM");
    world.unload(second);
    assert_eq!(limit(&world), 12 * MIB, "one is still at work");
    world.unload(beside);
    assert_eq!(limit(&world), 4 * MIB);
    let new = world.load(&bounded("4MiB")).expect("accepted");
    world.retire(first.vm);
    assert_eq!(limit(&world), 0);
    world.exchange(new, Request::post("r4", QUESTION));
    assert_eq!(limit(&world), 4 * MIB);
    world.check();
}

/// The other plugin of the VM does nothing: its configuration was refused.
#[test]
fn a_root_that_waits_keeps_the_bound_until_it_ends() {
    let limit = |world: &World| world.sum("gnomon_captured_limit_bytes", &[]);
    let (mut world, place) = start(&shadowed());
    world.load_beside(place, "other", "{}").expect("accepted");
    world.serve("shadow", |_| says(SCORE, 1000));
    world.exchange_without_rest(place, Request::post("r1", QUESTION));
    world.unload(place);
    assert_eq!((world.is_alive(place), limit(&world)), (true, 16 * MIB));
    world.settle();
    world.check();
    assert_eq!((world.is_alive(place), limit(&world)), (false, 0));
}
