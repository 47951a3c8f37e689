//! Configuration updates and ends of VMs while pairs are in flight.

use std::collections::BTreeSet;
use std::time::Duration;

use proxy_wasm::types::LogLevel;
use serde_json::json;

use crate::network::Reply;
use crate::setup::{QUESTION, SCORE, SHADOW, With, agreeing, another, says, shadowed, start};
use crate::traffic::Request;
use crate::world::PLUGIN;

#[test]
fn an_old_root_gets_its_answers_and_then_ends() {
    let (mut world, old) = start(&shadowed());
    world.serve("shadow", |_| says(SCORE, 1000));
    world.exchange_without_rest(old, Request::post("r1", QUESTION));
    assert_eq!(world.sum("gnomon_open_pairs", &[]), 1, "the shadow takes its time");
    let new = world.update(old, &another()).expect("accepted");
    assert!(world.is_alive(old), "it waits for the answer");
    world.settle();
    assert!(!world.is_alive(old), "it has called done");
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 1)].into());
    world.exchange(new, Request::post("r2", QUESTION));
    world.check();
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 2)].into());
}

#[test]
fn an_old_root_with_nothing_in_flight_ends_at_once() {
    let (mut world, old) = start(&shadowed());
    world.exchange(old, Request::post("r1", QUESTION));
    let new = world.update(old, &another()).expect("accepted");
    assert!(!world.is_alive(old));
    world.exchange(new, Request::post("r2", QUESTION));
    world.check();
}

#[test]
fn an_open_stream_of_an_old_root_still_sends_its_copy() {
    for new_vm in [false, true] {
        let (mut world, old) = start(&shadowed());
        let upload = world.open(old, Request::post("r1", "").pieces(vec![QUESTION[..9].into(), QUESTION[9..].into()]));
        world.step(upload);
        world.step(upload);
        if new_vm {
            world.load(&another()).expect("accepted");
            world.retire(old.vm);
        } else {
            world.update(old, &another()).expect("accepted");
        }
        world.advance(Duration::from_secs(1));
        world.serve("primary", |_| says(SCORE, 500));
        world.play(upload);
        world.settle();
        world.check();
        assert_eq!(world.calls("shadow").len(), 1, "new VM: {new_vm}");
        assert_eq!(world.calls("shadow")[0].request.body, QUESTION.as_bytes());
        assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 1)].into(), "new VM: {new_vm}");
    }
}

#[test]
fn three_roots_in_one_vm_do_not_disturb_each_other() {
    let (mut world, first) = start(&shadowed());
    world.serve("shadow", |_| says(SCORE, 700));
    let mut places = vec![first];
    for n in 0..2 {
        let place = *places.last().expect("one");
        let exchange = world.open(place, Request::post(&format!("r{n}"), QUESTION));
        world.step(exchange);
        world.play(exchange);
        let next = shadowed().with(&format!("{SHADOW}/timeout"), format!("{}s", n + 3));
        places.push(world.update(place, &next.to_string()).expect("accepted"));
    }
    let exchange = world.open(places[2], Request::post("last", QUESTION));
    world.play(exchange);
    world.settle();
    world.check();
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 3)].into());
    let alive: Vec<_> = places.iter().map(|place| world.is_alive(*place)).collect();
    assert_eq!(alive, [false, false, true]);
}

#[test]
fn answers_that_a_dying_vm_waits_for_are_replaced() {
    let (mut world, old) = start(&shadowed());
    world.serve("shadow", |_| Reply::Silent);
    for n in 0..3 {
        world.exchange_without_rest(old, Request::post(&format!("r{n}"), QUESTION));
    }
    world.load(&another()).expect("accepted");
    world.retire(old.vm);
    assert!(!world.is_alive(old));
    world.check();
    assert_eq!(world.outcomes("copy"), [("replaced".to_owned(), 3)].into());
}

#[test]
fn a_copy_not_yet_sent_is_replaced() {
    let (mut world, old) = start(&shadowed());
    world.serve("primary", |_| says(SCORE, 0));
    let exchange = world.open(old, Request::post("r1", QUESTION));
    while !world.exchanges[exchange].ended {
        world.step(exchange);
    }
    // No time has passed: the root has not been woken.
    assert!(world.calls("shadow").is_empty());
    world.retire(old.vm);
    world.settle();
    world.check();
    assert_eq!(world.outcomes("copy"), [("replaced".to_owned(), 1)].into());
}

#[test]
fn a_vm_that_ends_with_an_old_root_waiting_counts_for_both() {
    let (mut world, old) = start(&shadowed());
    world.serve("shadow", |_| Reply::Silent);
    world.exchange_without_rest(old, Request::post("r1", QUESTION));
    let new = world.update(old, &another()).expect("accepted");
    world.exchange_without_rest(new, Request::post("r2", QUESTION));
    assert!(world.is_alive(old));
    world.retire(new.vm);
    world.settle();
    world.check();
    assert_eq!(world.outcomes("copy"), [("replaced".to_owned(), 2)].into());
}

#[test]
fn two_plugins_in_one_vm_end_with_it() {
    let (mut world, one) = start(&shadowed());
    let two = world.load_beside(one, "second", &another().replace("\"fraud\"", "\"second\"")).expect("accepted");
    world.serve("shadow", |_| Reply::Silent);
    for place in [one, two] {
        world.exchange_without_rest(place, Request::post("r1", QUESTION));
    }
    world.retire(one.vm);
    world.settle();
    world.check();
    assert_eq!(world.outcomes("copy"), [("replaced".to_owned(), 2)].into());
}

#[test]
fn a_plugin_that_runs_untouched_disturbs_no_other_in_its_vm() {
    let (mut world, old) = start(&shadowed());
    world.serve("shadow", |_| says(SCORE, 1500));
    world.load_beside(old, "second", "not a configuration").expect("passes");
    world.exchange_without_rest(old, Request::post("r1", QUESTION));
    let new = world.update(old, &another()).expect("accepted");
    world.unload(new);
    world.settle();
    world.check();
    assert!(!world.is_alive(old));
}

#[test]
fn a_configuration_that_comes_and_goes() {
    let (mut world, mut place) = start(&shadowed());
    world.serve("shadow", |_| says(SCORE, 1500));
    for n in 0..5 {
        world.exchange_without_rest(place, Request::post(&format!("r{n}"), QUESTION));
        let next = if n % 2 == 0 { another() } else { shadowed().to_string() };
        place = world.update(place, &next).expect("accepted");
    }
    world.settle();
    world.check_balance();
    world.retire(place.vm);
    world.check();
    assert_eq!(world.outcomes("copy").values().sum::<u64>(), 5);
}

#[test]
fn a_root_with_the_same_text_takes_over_again() {
    let (mut world, first) = start(&shadowed());
    let upload = world.open(first, Request::post("r1", QUESTION));
    world.step(upload);
    let second = world.update(first, &another()).expect("accepted");
    assert_eq!(world.update(second, &shadowed().to_string()), Some(first));
    world.play(upload);
    world.exchange(first, Request::post("r2", QUESTION));
    world.check();
    assert!(world.is_alive(first) && !world.is_alive(second));
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 2)].into());
}

#[test]
fn an_old_root_whose_shadow_never_answers_ends_by_its_timeout() {
    let (mut world, old) = start(&shadowed());
    world.serve("shadow", |_| Reply::Silent);
    world.exchange_without_rest(old, Request::post("r1", QUESTION));
    world.update(old, &another()).expect("accepted");
    world.settle();
    world.check();
    assert!(!world.is_alive(old));
    assert_eq!(world.outcomes("copy"), [("timed_out".to_owned(), 1)].into());
}

#[test]
fn an_old_root_works_off_its_long_comparisons() {
    for new_vm in [false, true] {
        let (mut world, old) = start(&shadowed());
        for cluster in ["primary", "shadow"] {
            let body = format!("[{}{}]", "0.25, ".repeat(150_000), cluster.len());
            world.serve(cluster, move |_| says(&body, 2));
        }
        for n in 0..3 {
            world.exchange_without_rest(old, Request::post(&format!("r{n}"), QUESTION));
        }
        if new_vm {
            world.load(&another()).expect("accepted");
            world.retire(old.vm);
        } else {
            world.update(old, &another()).expect("accepted");
        }
        world.settle();
        world.check();
        let outcomes = world.outcomes("copy");
        assert_eq!(outcomes.values().sum::<u64>(), 3);
        assert!(new_vm || outcomes == [("compared".to_owned(), 3)].into(), "{outcomes:?}");
    }
}

#[test]
fn a_long_primary_outlives_its_root() {
    let (mut world, old) = start(&shadowed());
    world.serve("primary", |_| says(SCORE, 10_000));
    let exchange = world.open(old, Request::post("r1", QUESTION));
    world.play(exchange);
    world.advance(Duration::from_secs(1));
    world.update(old, &another()).expect("accepted");
    world.settle();
    world.check();
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 1)].into());
}

#[test]
fn bounds_are_shared_by_the_roots_of_a_vm() {
    let bounded = shadowed().with("/limits", serde_json::json!({"pairs": 1}));
    let (mut world, old) = start(&bounded);
    world.serve("shadow", |_| says(SCORE, 1000));
    world.exchange_without_rest(old, Request::post("r1", QUESTION));
    let next = bounded.with(&format!("{SHADOW}/timeout"), "3s");
    let new = world.update(old, &next.to_string()).expect("accepted");
    world.exchange(new, Request::post("r2", QUESTION));
    world.check();
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 1), ("unsent_in_flight".to_owned(), 1)].into());
}

#[test]
fn a_new_experiment_starts_afresh() {
    let (mut world, old) = start(&shadowed());
    world.exchange(old, Request::post("r1", QUESTION));
    let new = world.update(old, &shadowed().with("/experiment", "exp-2").to_string()).expect("accepted");
    world.exchange(new, Request::post("r2", QUESTION));
    world.check();
    for experiment in ["exp", "exp-2"] {
        assert_eq!(world.sum("gnomon_sampled_total", &[("experiment", experiment)]), 1);
    }
}

#[test]
fn what_an_update_judges_otherwise_is_told_once_and_taken() {
    let gated = |limit: f64, absolute: f64| {
        let gates = json!([{"name": "agreement", "of": "copy", "measure": "diverged", "limit": limit}]);
        shadowed().with("/routes/0/gates", gates).with("/routes/0/compare", json!({"absolute": absolute}))
    };
    for new_vm in [false, true] {
        let (mut world, old) = start(&gated(0.5, 0.0));
        world.exchange(old, Request::post("r1", QUESTION));
        assert_eq!(world.lines(LogLevel::Warn), [""; 0], "a first configuration changes nothing");
        let next = gated(1.0, 0.2).to_string();
        let place = if new_vm { world.load(&next) } else { world.update(old, &next) }.expect("accepted");
        if new_vm {
            world.retire(old.vm);
        }
        world.load_worker(&next).expect("accepted");
        let lines = world.lines(LogLevel::Warn);
        let begun = ["gate agreement: limit from 0.5% to 1% under", "compare: changed under"];
        for (line, begun) in lines.iter().zip(begun) {
            assert!(line.starts_with(&format!("configuration of {PLUGIN}: route fraud, {begun} the same experiment: ")), "{line}");
        }
        assert_eq!(lines.len(), 2, "once for all workers: {lines:?}");
        world.serve("shadow", |_| says(r#"{"model":"fraud","score":0.6,"note":"payload"}"#, 3));
        world.exchange(place, Request::post("r2", QUESTION));
        world.check();
        let verdicts = world.counted("gnomon_pairs_total", &[], "verdict");
        assert_eq!(verdicts, [("identical".to_owned(), 1), ("equivalent".to_owned(), 1)].into(), "the new one compares, new VM: {new_vm}");
        // The same again is no change, and neither is a new experiment.
        world.load_worker(&gated(1.0, 0.2).to_string()).expect("accepted");
        world.load_worker(&gated(2.0, 0.2).with("/experiment", "exp-2").to_string()).expect("accepted");
        assert_eq!(world.lines(LogLevel::Warn).len(), 2);
    }
}

/// A plugin is added to the list of all while another worker adds one: whichever of its writes of shared data it is held up before.
#[test]
fn what_another_worker_writes_meanwhile_is_not_lost() {
    // Its text, and the list.
    for at in 0..2 {
        let mut world = agreeing(1);
        let first = world.load_worker(&shadowed().to_string()).expect("accepted");
        let mut writes = 0;
        let when = move |function: &str| {
            writes += usize::from(function == "proxy_set_shared_data");
            function == "proxy_set_shared_data" && writes == at + 1
        };
        let other = world.load_worker(&shadowed().to_string()).expect("accepted");
        world.come_between(when, move |world| {
            world.load_beside(first, "meanwhile", &shadowed().to_string()).expect("accepted");
        });
        world.load_beside(other, "held-up", &shadowed().to_string()).expect("accepted");
        world.stop_interleaving();
        let plugins = world.proxy().shared_data.get(b"gnomon/v1/plugins").expect("a list").0;
        let plugins: BTreeSet<&str> = std::str::from_utf8(&plugins).expect("text").lines().collect();
        assert_eq!(plugins, [PLUGIN, "held-up", "meanwhile"].into(), "before write {at}");
    }
}
