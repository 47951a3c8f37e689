//! What must not matter: who counts, and in which order.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{ANY, FAIL, PASS, UNDECIDED, answers, bad, canary, count_elsewhere, errors, good, lines, of_errors, shown};
use crate::engine::tests::worker::{ROOT, Worker};
use crate::timestamp::Timestamp;

/// The workers of one proxy, which share its statistics and its shared data.
struct Proxy {
    workers: Vec<Worker>,
    now: Timestamp,
}

impl Proxy {
    fn new(configuration: &Value, workers: usize) -> Self {
        let first = Worker::new(configuration.clone());
        let mut proxy = Self { now: first.now, workers: vec![first] };
        (1..workers).for_each(|_| proxy.start(configuration));
        proxy
    }

    /// One worker more.
    fn start(&mut self, configuration: &Value) {
        self.workers[0].now = self.now;
        self.workers.push(Worker::beside(&self.workers[0], configuration.clone()));
    }

    /// A worker, `seconds` later.
    fn worker(&mut self, index: usize, seconds: u64) -> &mut Worker {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.workers[index].now = self.now;
        &mut self.workers[index]
    }

    /// The values under the keys of shared data that begin with `beginning`.
    fn shared(&self, beginning: &str) -> BTreeMap<String, Vec<u8>> {
        let host = self.workers[0].host();
        let there = host.shared.iter().filter(|(key, _)| key.starts_with(beginning));
        there.map(|(key, (bytes, _))| (key.clone(), bytes.clone())).collect()
    }

    fn lines(&self, member: &str) -> usize {
        self.workers.iter().map(|worker| lines(worker, member).len()).sum()
    }
}

const REGIONS: [&str; 3] = ["eu", "us", "asia"];

/// A guarded gate in three slices that decides soon, with windows of ten minutes.
fn everything() -> Value {
    let mut all =
        canary(json!([errors(json!({"each_slice": true, "alpha": 0.6})), errors(json!({"name": "whole", "alpha": 0.2, "limit": 40}))]));
    let route = &mut all["routes"][0];
    route["slices"] = json!({"header": "x-region", "values": ["eu", "us"]});
    route["guardrail"] = json!({"gates": ["errors", "whole"], "alpha": 0.05, "min_trials": 3});
    route["split"]["canaries"][0]["warmup"] = json!({"pairs": 5});
    all
}

/// One answer: of which region, bad or good, by which worker, after how many seconds.
fn trial() -> impl Strategy<Value = (usize, bool, usize, u64)> {
    (0..3_usize, any::<bool>(), 0..3_usize, prop_oneof![4 => Just(0_u64), 1 => 0..400_u64])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// After each answer, all that is shown is what one worker alone would show, and each line is logged by one worker alone.
    #[test]
    fn it_does_not_matter_who_counts(trials in prop::collection::vec(trial(), 1..60), starts_at in any::<prop::sample::Index>()) {
        let configuration = everything();
        let (mut one, mut many) = (Proxy::new(&configuration, 1), Proxy::new(&configuration, 2));
        let starts_at = starts_at.index(trials.len());
        for (place, (region, is_bad, worker, seconds)) in trials.into_iter().enumerate() {
            if place == starts_at {
                many.start(&configuration);
                // Whoever starts looks, and so may begin a window.
                one.worker(0, 0).configure(ROOT, configuration.clone());
            }
            let worker = worker % many.workers.len();
            for worker in [one.worker(0, seconds), many.worker(worker, seconds)] {
                answers(worker, ("x-region", REGIONS[region]), if is_bad { 500 } else { 200 }, 1);
            }
            prop_assert_eq!(one.workers[0].series(), many.workers[worker].series());
            prop_assert_eq!(one.shared("gnomon/v1/window/"), many.shared("gnomon/v1/window/"));
            for member in ["state", "guardrail"] {
                prop_assert_eq!(one.lines(member), many.lines(member));
            }
        }
    }

    /// Judged at the end, a gate says the same of the same trials.
    #[test]
    fn their_order_does_not_matter(
        (trials, shuffled) in prop::collection::vec(any::<bool>(), 1..50).prop_flat_map(|trials| (Just(trials.clone()), Just(trials).prop_shuffle())),
        limit in 1..100_u32,
    ) {
        let configuration = canary(json!([errors(json!({"min_trials": trials.len(), "limit": limit}))]));
        let [one, another] = [trials, shuffled].map(|trials| {
            let mut worker = Worker::new(configuration.clone());
            for is_bad in trials {
                answers(&mut worker, ANY, if is_bad { 500 } else { 200 }, 1);
            }
            (worker.series(), worker.evidence)
        });
        prop_assert_eq!(one, another);
    }

    /// Never more bad trials than trials, slices add up, and a fail stays.
    #[test]
    fn what_is_shown_is_consistent_after_every_answer(trials in prop::collection::vec(trial(), 1..80)) {
        let mut proxy = Proxy::new(&everything(), 3);
        let mut failed = 0;
        for (answered, (region, is_bad, worker, seconds)) in (1..).zip(trials) {
            let worker = proxy.worker(worker, seconds);
            answers(worker, ("x-region", REGIONS[region]), if is_bad { 500 } else { 200 }, 1);
            let sum = |stat, gate| worker.sum(&[stat, &format!("gate=.={gate};")]);
            for stat in ["gnomon_gate_bad_total", "gnomon_gate_trials_total"] {
                prop_assert_eq!(sum(stat, "errors"), sum(stat, "whole"));
            }
            let answers_of_it = worker.sum(&["gnomon_responses_total", "variant=.=v2;"]);
            prop_assert!(answers_of_it <= answered && sum("gnomon_gate_bad_total", "whole") <= sum("gnomon_gate_trials_total", "whole"));
            prop_assert_eq!(sum("gnomon_gate_trials_total", "whole") + worker.sum(&["gnomon_warmup_total"]), answers_of_it);
            let slices = ["eu", "us", "other"].map(|slice| shown(worker, "gnomon_gate_state", "errors", slice));
            let overall = shown(worker, "gnomon_gate_state", "errors", "all");
            prop_assert_eq!(overall == FAIL, slices.contains(&FAIL));
            prop_assert!(overall != PASS || slices[..2] == [PASS, PASS]);
            let fails = slices.into_iter().filter(|state| *state == FAIL).count();
            prop_assert!(fails >= failed, "2 is never overwritten");
            failed = fails;
            prop_assert_eq!(sum("gnomon_gate_failures_total", "errors"), failed as i64);
        }
    }
}

#[test]
fn counters_and_limits_may_be_extreme() {
    const HUGE: i64 = 1_000_000_000_000;
    for (limit, bad, trials, state) in [
        (0.0001, 0, HUGE, PASS),
        (0.0001, HUGE, HUGE, FAIL),
        (0.0001, HUGE / 1_000_000, HUGE, UNDECIDED),
        (0.0001, 0, 0, UNDECIDED),
        (99.9999, HUGE, HUGE, FAIL),
        (99.9999, 0, HUGE, PASS),
        (50.0, HUGE / 2, HUGE, UNDECIDED),
        // More bad trials than trials, which only a host that lost some can show, are as many.
        (50.0, HUGE, 10, FAIL),
        (0.0001, i64::MAX - 1, i64::MAX - 1, FAIL),
    ] {
        let mut configuration = canary(json!([errors(json!({"limit": limit}))]));
        configuration["routes"][0]["guardrail"] = json!({"gates": ["errors"], "min_trials": 0});
        let mut worker = Worker::new(configuration);
        count_elsewhere(&worker, bad, trials);
        good(&mut worker, 1);
        assert_eq!(of_errors(&worker), (bad, trials + 1, state), "{limit}: {bad} of {trials}");
        let expected = i64::from(state == FAIL && trials > 10);
        assert_eq!(worker.sum(&["gnomon_guardrail_tripped"]), expected, "{limit}: {bad} of {trials}");
    }
    // One bad answer in a million is allowed: two in a row are not.
    let mut worker = Worker::new(canary(json!([errors(json!({"limit": 0.0001}))])));
    bad(&mut worker, 1);
    assert_eq!(of_errors(&worker).2, UNDECIDED);
    bad(&mut worker, 1);
    assert_eq!(of_errors(&worker).2, FAIL);
}
