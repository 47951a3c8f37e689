//! Configurations that follow each other, and the end of a VM, with copies in flight.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::worker::{ROOT, Worker, config};
use crate::engine::effect::Line;
use crate::engine::event::Event;

#[test]
fn a_configuration_that_comes_back_takes_the_place_of_its_waiting_twin() {
    let mut worker = Worker::new(config(json!({})));
    let other = config(json!({"experiment": "f"}));
    for (root, next) in [(1, other.clone()), (2, config(json!({}))), (3, other)] {
        if root != 2 {
            worker.request(root, root, &[], true);
            worker.handle(Event::Work { root });
            worker.send(root);
            worker.answer(root, 200, "{}");
            worker.end(root);
        }
        worker.configure(root + 1, next);
        worker.handle(Event::Retire { root });
    }
    assert_eq!(worker.outcomes(), BTreeMap::from([("replaced".to_owned(), 1)]), "the host has dropped the first one's call");
    assert!(!worker.released);
    worker.shadow(3, 200, "{}");
    assert!(worker.released);
    worker.assert_at_rest();
}

#[test]
fn an_old_root_context_waits_for_its_answers_if_a_younger_one_lives() {
    let mut worker = Worker::new(config(json!({})));
    worker.request(ROOT, 1, &[], true);
    worker.send(1);
    worker.answer(1, 200, "{}");
    worker.end(1);
    worker.configure(2, config(json!({"experiment": "f"})));
    worker.handle(Event::Retire { root: ROOT });
    assert!(worker.kept && !worker.released);
    worker.shadow(1, 200, "{}");
    assert!(worker.released);
    worker.assert_outcome("compared");
}

#[test]
fn when_the_vm_ends_a_waiting_root_context_counts_too() {
    for older_first in [false, true] {
        let mut worker = Worker::new(config(json!({})));
        worker.configure(2, config(json!({"experiment": "f"})));
        for root in [1, 2] {
            worker.request(root, root, &[], true);
            worker.handle(Event::Work { root });
            worker.send(root);
            worker.answer(root, 200, "{}");
            worker.end(root);
        }
        for root in if older_first { [1, 2] } else { [2, 1] } {
            worker.handle(Event::Retire { root });
        }
        assert!(!worker.released, "only the active root context may be released");
        assert_eq!(worker.sum(&["replaced"]), 2);
        worker.assert_at_rest();
    }
}

#[test]
fn a_pair_with_both_answers_is_compared_even_as_the_vm_ends() {
    let mut worker = Worker::new(config(json!({})));
    worker.request(ROOT, 1, &[], true);
    worker.send(1);
    worker.shadow(1, 200, "{}");
    worker.answer(1, 200, "{}");
    worker.end(1);
    worker.handle(Event::Retire { root: ROOT });
    worker.assert_outcome("compared");
}

#[test]
fn the_last_root_context_of_a_vm_counts_what_will_never_be_answered() {
    let mut worker = Worker::new(config(json!({})));
    for stream in 1..=10 {
        worker.pair(stream, (200, "{}"), (500, ""));
    }
    worker.host_mut().values.clear();
    worker.pass(Duration::from_secs(6));
    worker.request(ROOT, 20, &[], true);
    worker.send(20);
    worker.answer(20, 200, "{}");
    worker.end(20);
    worker.handle(Event::Retire { root: ROOT });
    assert!(!worker.kept);
    assert_eq!(worker.sum(&["gnomon_breaker_open"]), -1, "its open breaker goes with it");
    worker.assert_outcome("replaced");
}

#[test]
fn a_root_context_that_is_configured_again_gives_its_open_breakers_back() {
    let mut worker = Worker::new(config(json!({})));
    for stream in 1..=10 {
        worker.pair(stream, (200, "{}"), (500, ""));
    }
    assert_eq!(worker.sum(&["gnomon_breaker_open"]), 1);
    worker.configure(ROOT, config(json!({})));
    assert_eq!(worker.sum(&["gnomon_breaker_open"]), 0);
}

#[test]
fn series_of_earlier_experiments_are_told_of_once() {
    let of = |experiment: &str| config(json!({"experiment": experiment}));
    let told = |worker: &Worker| -> Vec<String> {
        let texts = worker.lines.iter().filter_map(|line| if let Line::Warning(text) = line { Some(text.clone()) } else { None });
        texts.filter(|text| text.contains("are still exported")).collect()
    };
    let mut worker = Worker::new(of("e"));
    let mut other = Worker::beside(&worker, of("e"));
    let names: BTreeSet<String> = worker.host().defined.iter().map(|(_, name)| name.clone()).collect();
    let each = names.iter().filter(|name| name.contains("experiment=.=e;")).count();
    for (root, experiment, earlier) in (2..).zip(["e", "f", "f", "g", "e", "e"]).zip([0, 1, 0, 2, 2, 0]).map(|((root, e), n)| (root, e, n))
    {
        worker.configure(root, of(experiment));
        other.configure(root, of(experiment));
        assert_eq!((told(&worker).len(), told(&other).len()), (usize::from(earlier > 0), 0), "{experiment}: {:?}", worker.lines);
        let count = format!("{} or more series of {earlier} earlier experiment(s)", earlier * each);
        assert!(told(&worker).iter().all(|text| text.contains(&count)), "{count}: {:?}", worker.lines);
    }
    let young = Worker::beside(&worker, of("h"));
    assert_eq!(told(&young), Vec::<String>::new(), "a new VM has none of them");
}
