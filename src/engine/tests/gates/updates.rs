//! Gates and guardrails when the configuration changes, or another worker starts, also while answers are on their way.

use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::guardrail::{TO_TRIP, decision, guarded, shares, to, tripped, until_cut_off};
use super::{
    ANY, FAIL, PASS, TO_PASS, UNDECIDED, answers, bad, canary, count_elsewhere, errors, good, lines, merge, of_errors, shown, sliced,
};
use crate::engine::event::Event;
use crate::engine::tests::worker::{ROOT, Worker};

/// An answer to a request that began before.
fn late(worker: &mut Worker, stream: u32, status: u16) {
    worker.answer(stream, status, "");
    worker.end(stream);
}

#[test]
fn a_worker_that_starts_judges_what_it_finds() {
    for (bad, trials, state) in [(0, 6, PASS), (7, 7, FAIL), (3, 6, UNDECIDED)] {
        let configuration = canary(json!([errors(json!({}))]));
        let worker = Worker::new(configuration.clone());
        count_elsewhere(&worker, bad, trials);
        assert_eq!(of_errors(&worker).2, UNDECIDED);
        Worker::beside(&worker, configuration);
        assert_eq!(of_errors(&worker), (bad, trials, state));
    }
}

#[test]
fn another_limit_judges_what_it_finds_and_an_older_plan_not_by_its_own() {
    let with = |limit: u32| canary(json!([errors(json!({"limit": limit}))]));
    let mut worker = Worker::new(with(50));
    worker.request(ROOT, 9, &[], true);
    bad(&mut worker, 3);
    assert_eq!(of_errors(&worker), (3, 3, UNDECIDED));
    worker.configure(2, with(99));
    assert_eq!(shown(&worker, "gnomon_gate_limit_ppm", "errors", "all"), 990_000);
    // Streams of the older configuration go on: they count, and 8 of 8 would be too many at its limit.
    worker.answer(9, 503, "");
    worker.end(9);
    bad(&mut worker, 4);
    assert_eq!(of_errors(&worker), (8, 8, UNDECIDED));
    assert_eq!(worker.sum(&["gnomon_gate_failures_total"]), 0);
    worker.configure(3, with(1));
    assert_eq!((of_errors(&worker), worker.sum(&["gnomon_gate_failures_total"])), ((8, 8, FAIL), 1), "at once");
    worker.configure(4, with(99));
    assert_eq!(of_errors(&worker), (8, 8, FAIL), "for good, whatever the limit");
}

/// Slices and the whole are one gate: what it was found to be stays, as long as the experiment does.
#[test]
fn a_fail_stays_when_its_slice_leaves_the_configuration() {
    let mut worker = Worker::new(sliced(json!({})));
    answers(&mut worker, ("x-region", "us"), 503, 30);
    assert_eq!(["us", "all"].map(|slice| shown(&worker, "gnomon_gate_state", "errors", slice)), [FAIL, FAIL]);
    let mut without = sliced(json!({}));
    without["routes"][0]["slices"]["values"] = json!(["eu"]);
    worker.configure(2, without);
    assert_eq!(shown(&worker, "gnomon_gate_state", "errors", "all"), FAIL);
    worker.configure(3, sliced(json!({"each_slice": false})));
    assert_eq!((of_errors(&worker), shown(&worker, "gnomon_gate_failures_total", "errors", "all")), ((0, 0, FAIL), 1));
    good(&mut worker, 20);
    assert_eq!(lines(&worker, "state").len(), 1, "it was told when it was found");
    worker.configure(4, sliced(json!({})));
    assert_eq!(shown(&worker, "gnomon_gate_state", "errors", "all"), FAIL);
}

/// In slice `all` it stands of each gate; that a gate lives is shown by a limit in any of its slices.
#[test]
fn what_a_gate_requires_goes_with_it() {
    let requires = |worker: &Worker| ["eu", "other", "all"].map(|slice| shown(worker, "gnomon_gate_requires", "errors", slice));
    let limits = |worker: &Worker| worker.sum(&["gnomon_gate_limit_ppm", "gate=.=errors;"]);
    let mut worker = Worker::new(sliced(json!({})));
    assert_eq!((requires(&worker), limits(&worker)), ([2, 2, 2], 1_500_000));
    worker.configure(2, sliced(json!({"requires": "none"})));
    assert_eq!((requires(&worker), limits(&worker)), ([0, 0, 0], 1_500_000), "it lives");
    worker.configure(3, sliced(json!({"each_slice": false, "requires": "no-fail"})));
    assert_eq!((requires(&worker), limits(&worker)), ([0, 0, 1], 500_000));
    worker.configure(4, canary(json!([])));
    assert_eq!((requires(&worker), limits(&worker)), ([0, 0, 0], 0), "it is gone");
    assert_eq!(worker.sum(&["gnomon_anomalies_total"]), 0);
}

#[test]
fn an_answer_that_ends_after_an_update_is_judged_by_the_new_alpha() {
    let with = |alpha: f64| canary(json!([errors(json!({"alpha": alpha}))]));
    let mut worker = Worker::new(with(0.05));
    worker.request(ROOT, 9, &[], true);
    bad(&mut worker, 3);
    worker.configure(2, with(0.2));
    assert_eq!(of_errors(&worker), (3, 3, UNDECIDED));
    late(&mut worker, 9, 503);
    assert_eq!(of_errors(&worker), (4, 4, FAIL));
}

#[test]
fn another_measure_goes_on_with_the_counters() {
    let slow = json!({"name": "errors", "of": "v2", "measure": "slower_than", "threshold": "1ms", "limit": 50});
    let mut worker = Worker::new(canary(json!([errors(json!({}))])));
    good(&mut worker, TO_PASS);
    worker.configure(ROOT, canary(json!([slow])));
    assert_eq!(of_errors(&worker), (0, 6, PASS), "what was counted counts");
    worker.request(ROOT, 1, &[], true);
    worker.pass(Duration::from_millis(2));
    late(&mut worker, 1, 200);
    assert_eq!(of_errors(&worker), (1, 7, UNDECIDED));
}

/// [`guarded`], with canaries of these percentages: `v2`, which is guarded, and `v3`.
fn two_canaries(v2: u32, v3: u32) -> Value {
    let pin = json!({"header": "x-pin", "exact": "v2", "variant": "v2"});
    let canaries = json!([{"name": "v2", "percent": v2}, {"name": "v3", "percent": v3}]);
    let mut all = guarded(json!({}));
    merge(&mut all["routes"][0]["split"], json!({"pins": [pin], "canaries": canaries}));
    all
}

const PIN: (&str, &str) = ("x-pin", "v2");

#[test]
fn a_cut_off_by_an_old_answer_shows_the_new_shares() {
    let mut worker = Worker::new(two_canaries(30, 30));
    worker.request(ROOT, 9, &[PIN], true);
    answers(&mut worker, PIN, 503, TO_TRIP - 1);
    let mut next = Worker::beside(&worker, two_canaries(30, 40));
    late(&mut worker, 9, 503);
    assert_eq!(tripped(&worker, "v2"), 1);
    assert_eq!(decision(&mut next, PIN), to("v1", "guardrail"));
    let expected = [("v1", 600_000), ("v2", 0), ("v3", 400_000)].map(|(variant, ppm)| (variant.to_owned(), ppm));
    assert_eq!(shares(&worker), expected.into());
}

/// The canary that it would cut off gets nothing any more.
#[test]
fn an_old_answer_brings_no_variant_back() {
    let mut worker = Worker::new(guarded(json!({})));
    worker.request(ROOT, 9, &[], true);
    bad(&mut worker, TO_TRIP - 1);
    let mut without = canary(json!([]));
    without["routes"][0]["split"]["canaries"][0]["percent"] = 0.into();
    worker.configure(2, without);
    late(&mut worker, 9, 503);
    assert_eq!(shares(&worker), [("v1".to_owned(), 1_000_000), ("v2".to_owned(), 0)].into());
}

/// A listener that drains, or one that Envoy goes on with because it refused the next, serves by the configuration before.
#[test]
fn the_configuration_before_goes_on_to_guard_what_it_serves() {
    let unguarded = canary(json!([]));
    let mut lenient = guarded(json!({}));
    lenient["routes"][0]["gates"][0]["limit"] = 99.into();
    let mut other = guarded(json!({}));
    other["experiment"] = "f".into();
    for next in [unguarded, lenient, other] {
        for cut_off_before in [false, true] {
            let mut worker = Worker::new(guarded(json!({})));
            worker.request(ROOT, 9, &[], true);
            bad(&mut worker, if cut_off_before { TO_TRIP } else { 0 });
            Worker::beside(&worker, next.clone());
            if !cut_off_before {
                assert_eq!(until_cut_off(&mut worker), TO_TRIP, "{next}");
            }
            assert_eq!(decision(&mut worker, ANY), to("v1", "guardrail"), "{next}");
            late(&mut worker, 9, 503);
            assert_eq!(lines(&worker, "guardrail").len(), 1, "once: {next}");
        }
    }
}

#[test]
fn a_configuration_that_no_longer_serves_cuts_nobody_off() {
    let mut worker = Worker::new(guarded(json!({})));
    worker.request(ROOT, 9, &[], true);
    bad(&mut worker, TO_TRIP - 1);
    worker.configure(2, canary(json!([])));
    worker.handle(Event::Retire { root: ROOT });
    late(&mut worker, 9, 503);
    assert_eq!((of_errors(&worker).1, tripped(&worker, "v2")), (15, 0));
}

#[test]
fn a_window_is_that_of_all_workers_and_of_who_starts_in_the_middle_of_it() {
    let configuration = guarded(json!({"window": "10m"}));
    let mut one = Worker::new(configuration.clone());
    good(&mut one, 2_000);
    one.pass(Duration::from_secs(600));
    // It looks when it starts, and so begins the window for both.
    let mut two = Worker::beside(&one, configuration.clone());
    bad(&mut one, 5);
    bad(&mut two, 5);
    let mut three = Worker::beside(&two, configuration);
    assert_eq!(until_cut_off(&mut three), TO_TRIP - 10);
}
