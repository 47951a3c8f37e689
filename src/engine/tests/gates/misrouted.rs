//! Splits that the routes of the proxy don't follow: when that is found, what is said, and what does not pass any more.

use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{FAIL, PASS, TO_FAIL, TO_PASS, UNDECIDED, errors, lines, merge, route, told};
use crate::engine::effect::Line;
use crate::engine::tests::worker::{ROOT, Worker};
use crate::stats::memory::Memory;

/// A route whose variants `v1`, `v2` and `v3` are chosen by the header `x-pin`, with a gate on the failures of each.
fn pinned(change: Value) -> Value {
    let pins = ["v1", "v2", "v3"].map(|variant| json!({"header": "x-pin", "exact": variant, "variant": variant}));
    let mut split = json!({
        "baseline": "v1", "canaries": [{"name": "v2", "percent": 0}, {"name": "v3", "percent": 0}], "key": "request",
        "pins": pins,
    });
    merge(&mut split, change);
    let gates = ["v1", "v2", "v3"].map(|variant| errors(json!({"name": format!("errors-{variant}"), "of": variant})));
    let control = json!({"name": "copies", "of": "s", "measure": "failed", "limit": 50});
    route(json!({"split": split, "gates": [gates[0], gates[1], gates[2], control],
        "shadows": [{"name": "s", "cluster": "shadow", "percent": 100, "timeout": "2s", "of": ["v1"]}]}))
}

/// A request of a variant, which `cluster` answers, or nobody that is known.
fn answer(worker: &mut Worker, variant: &str, cluster: Option<&str>, status: u16) {
    worker.cluster = cluster.map(str::to_owned);
    worker.request(ROOT, 1, &[("x-pin", variant)], true);
    worker.answer(1, status, "");
    worker.end(1);
}

/// So many rounds, 10 s apart, in each of which each variant gets an answer of its cluster.
fn rounds(worker: &mut Worker, rounds: usize, routes: &[(&str, &str)]) {
    for _ in 0..rounds {
        routes.iter().for_each(|(variant, cluster)| answer(worker, variant, Some(cluster), 200));
        worker.pass(Duration::from_secs(10));
    }
}

fn misrouted(worker: &Worker) -> [i64; 3] {
    ["v1", "v2", "v3"].map(|variant| worker.sum(&["gnomon_split_misrouted", &format!("variant=.={variant};")]))
}

fn states(worker: &Worker) -> [i64; 3] {
    ["errors-v1", "errors-v2", "errors-v3"].map(|gate| told(worker, gate, "all").2)
}

const MISROUTED: [(&str, &str); 3] = [("v1", "a"), ("v2", "a"), ("v3", "c")];

#[test]
fn nothing_of_variants_that_one_cluster_answers_passes() {
    let mut worker = Worker::new(pinned(json!({})));
    assert_eq!((misrouted(&worker), worker.defined(&["gnomon_split_misrouted"])), ([0; 3], 3));
    rounds(&mut worker, 3, &MISROUTED);
    (0..TO_PASS).for_each(|_| ["v1", "v2", "v3"].into_iter().for_each(|variant| answer(&mut worker, variant, None, 200)));
    assert_eq!((misrouted(&worker), states(&worker), lines(&worker, "misrouted").len()), ([0; 3], [PASS; 3], 0));
    worker.cluster = Some("a".to_owned());
    worker.pass(Duration::from_secs(10));
    rounds(&mut worker, 1, &MISROUTED);
    assert_eq!((misrouted(&worker), states(&worker)), ([1, 1, 0], [UNDECIDED, UNDECIDED, PASS]));
    let [line] = lines(&worker, "misrouted")[..] else { panic!("{:?}", worker.evidence) };
    assert_eq!(*line, json!({"experiment": "e", "route": "r", "misrouted": "a", "variants": ["v1", "v2"], "hint": line["hint"]}));
    assert!(line["hint"].as_str().unwrap().contains("routes match x-gnomon-variant"), "{line}");

    // For good, also if the routes are put right, and in other workers and younger configurations.
    rounds(&mut worker, 9, &[("v1", "a"), ("v2", "b"), ("v3", "c")]);
    let mut other = Worker::beside(&worker, pinned(json!({"salt": "other"})));
    rounds(&mut other, TO_PASS, &[("v1", "a"), ("v2", "b")]);
    assert_eq!((misrouted(&other), states(&other)), ([1, 1, 0], [UNDECIDED, UNDECIDED, PASS]));
    // It may still fail.
    (0..9 * TO_FAIL).for_each(|_| answer(&mut other, "v2", None, 500));
    assert_eq!(states(&other), [UNDECIDED, FAIL, PASS]);
    // One more variant is found later, and said.
    rounds(&mut worker, 5, &[("v1", "c"), ("v3", "c")]);
    assert_eq!((misrouted(&worker), states(&worker)[2], lines(&worker, "misrouted").len()), ([1; 3], UNDECIDED, 2));
    rounds(&mut worker, 9, &[("v1", "c"), ("v3", "c")]);
    assert_eq!(lines(&worker, "misrouted").len(), 2);
}

#[test]
fn a_new_experiment_starts_afresh() {
    let mut worker = Worker::new(pinned(json!({})));
    rounds(&mut worker, 4, &MISROUTED);
    assert_eq!(misrouted(&worker), [1, 1, 0]);
    let mut next = pinned(json!({}));
    next["experiment"] = json!("f");
    worker.configure(ROOT, next);
    assert_eq!(misrouted(&worker), [0; 3], "also that of the old one");
    rounds(&mut worker, 2, &MISROUTED);
    assert_eq!(misrouted(&worker), [0; 3], "what was seen before does not count");
}

#[test]
fn what_is_meant_is_no_mistake() {
    for count in [0, 4] {
        let mut worker = Worker::new(pinned(json!({})));
        rounds(&mut worker, count, &MISROUTED);
        assert_eq!(misrouted(&worker)[0], i64::from(count > 0));
        worker.configure(ROOT, pinned(json!({"same_cluster": true})));
        rounds(&mut worker, TO_PASS, &MISROUTED);
        assert_eq!((misrouted(&worker), states(&worker)), ([0; 3], [PASS; 3]));
    }
}

#[test]
fn a_look_is_rare_and_a_variant_without_answers_is_not_judged() {
    let mut worker = Worker::new(pinned(json!({})));
    for second in 0..60 {
        answer(&mut worker, "v1", Some("a"), 200);
        // Its canary answers nothing that comes from an upstream.
        answer(&mut worker, "v2", None, 503);
        assert_eq!(worker.looks, 2 * (second / 10 + 1));
        worker.pass(Duration::from_secs(1));
    }
    assert_eq!(misrouted(&worker), [0; 3]);
    // A clock that was set back does not blind it.
    worker.now = worker.now.before(Duration::from_secs(3600));
    rounds(&mut worker, 3, &MISROUTED);
    assert_eq!(misrouted(&worker), [0; 3]);
    rounds(&mut worker, 1, &MISROUTED);
    assert_eq!(misrouted(&worker), [1, 1, 0]);
}

#[test]
fn only_a_split_with_a_choice_is_looked_at() {
    for split in [json!(null), json!({"baseline": "v1"})] {
        let mut all = route(json!({}));
        if !split.is_null() {
            all["routes"][0]["split"] = split;
            all["routes"][0]["shadows"][0]["of"] = json!(["v1"]);
        }
        let mut worker = Worker::new(all);
        answer(&mut worker, "v1", Some("a"), 200);
        assert_eq!(worker.looks, 0);
    }
}

/// The worker that found it remembers it, where the host does not keep the gauge.
#[test]
fn what_the_host_does_not_keep_is_found_once() {
    let host = Memory { dropped: Some("gnomon_split_misrouted"), ..Memory::default() };
    let mut worker = Worker::on(host, pinned(json!({})));
    rounds(&mut worker, 20, &MISROUTED);
    assert_eq!((misrouted(&worker), states(&worker), lines(&worker, "misrouted").len()), ([0; 3], [UNDECIDED, UNDECIDED, PASS], 1));
    let said = worker.lines.iter().filter(|line| matches!(line, Line::Error(line) if line.starts_with("gnomon_split_misrouted of e r: ")));
    assert_eq!(said.count(), 1, "{:?}", worker.lines);
}
