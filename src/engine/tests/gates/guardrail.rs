//! Guardrails: when a canary is cut off, what becomes of its requests, and what tells so.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{ANY, FAIL, PASS, TO_FAIL, UNDECIDED, answers, bad, canary, errors, good, lines, merge, of_errors};
use crate::engine::ending::Ending;
use crate::engine::event::Event;
use crate::engine::tests::worker::{ROOT, Worker, at};

/// So many bad answers are enough at a limit of 50 % and the guardrail's alpha of 0.1 %, if it asks for no more.
pub(super) const TO_TRIP: usize = 15;

/// [`canary`] with `errors` and a guardrail on it, with `change` put over that.
pub(super) fn guarded(change: Value) -> Value {
    let mut guardrail = json!({"gates": ["errors"], "min_trials": 0});
    merge(&mut guardrail, change);
    let mut all = canary(json!([errors(json!({}))]));
    all["routes"][0]["guardrail"] = guardrail;
    all
}

pub(super) fn tripped(worker: &Worker, variant: &str) -> i64 {
    worker.sum(&["gnomon_guardrail_tripped", &format!("variant=.={variant};")])
}

pub(super) fn shares(worker: &Worker) -> BTreeMap<String, i64> {
    let by_variant = worker.series().into_iter().filter(|(name, _)| name.starts_with("gnomon_split_ppm"));
    by_variant.map(|(name, ppm)| (name.rsplit("=.=").next().unwrap().trim_end_matches(";.;").to_owned(), ppm)).collect()
}

/// To which variant a request with this header goes, and why.
pub(super) fn decision(worker: &mut Worker, header: (&str, &str)) -> (String, String) {
    let before = worker.series();
    worker.headers.clear();
    worker.request(ROOT, 99, &[header], true);
    worker.handle(Event::StreamEnd { stream: 99, ending: Ending::ClientLeft, first_byte: None });
    let set = worker.headers.iter().find_map(|header| header.strip_prefix("x-gnomon-variant: ")).unwrap().to_owned();
    let after = worker.series();
    let counted = |name: &&String| name.starts_with("gnomon_requests_total") && before.get(*name) != after.get(*name);
    let counted: Vec<&String> = after.keys().filter(counted).collect();
    let [series] = counted[..] else { panic!("{counted:?}") };
    assert!(series.contains(&format!("variant=.={set};")), "{series}");
    (set, series.rsplit("reason=.=").next().unwrap().trim_end_matches(";.;").to_owned())
}

pub(super) fn to(variant: &str, reason: &str) -> (String, String) {
    (variant.to_owned(), reason.to_owned())
}

#[test]
fn a_canary_that_fails_gets_nothing_from_the_next_request_on() {
    let mut worker = Worker::new(guarded(json!({})));
    assert_eq!((tripped(&worker, "v2"), shares(&worker)["v2"]), (0, 1_000_000));
    bad(&mut worker, TO_TRIP - 1);
    assert_eq!((of_errors(&worker).2, tripped(&worker, "v2")), (FAIL, 0), "it has an alpha of its own");
    assert_eq!(decision(&mut worker, ANY), to("v2", "weight"));
    bad(&mut worker, 1);
    assert_eq!(tripped(&worker, "v2"), 1);
    assert_eq!(shares(&worker), [("v1".to_owned(), 1_000_000), ("v2".to_owned(), 0)].into());
    assert_eq!(decision(&mut worker, ANY), to("v1", "guardrail"));
    let trials = of_errors(&worker).1;
    good(&mut worker, 1_000);
    bad(&mut worker, 50);
    assert_eq!((of_errors(&worker).1, tripped(&worker, "v2")), (trials, 1), "the baseline answers");
    let [line] = lines(&worker, "guardrail")[..] else { panic!("{:?}", worker.evidence) };
    let members = ["guardrail", "experiment", "route", "gate", "subject", "slice"].map(|member| line[member].as_str().unwrap());
    assert_eq!(members, ["experiment", "e", "r", "errors", "v2", "all"]);
    let numbers = ["bad", "trials", "limit_ppm", "e_value_needed"].map(|member| line[member].as_f64().unwrap());
    assert_eq!(numbers, [TO_TRIP as f64, TO_TRIP as f64, 500_000.0, 1_000.0]);
    assert!(line["e_value"].as_f64().unwrap() >= 1_000.0 && line["hint"].is_string(), "{line}");
    assert_eq!(lines(&worker, "state").len(), 1);
}

#[test]
fn answers_that_were_under_way_still_count_and_tell_nothing_new() {
    let mut worker = Worker::new(guarded(json!({})));
    for stream in 1..=40 {
        worker.request(ROOT, stream, &[], true);
    }
    for stream in 1..=40 {
        worker.answer(stream, 500, "");
        worker.end(stream);
    }
    assert_eq!(of_errors(&worker), (40, 40, FAIL));
    assert_eq!((lines(&worker, "guardrail").len(), lines(&worker, "state").len()), (1, 1));
}

/// Two canaries of 30 % and 20 %, pins to both, and a key.
fn two_canaries() -> Value {
    let mut all = guarded(json!({}));
    let pin = |variant: &str| json!({"header": "x-pin", "exact": variant, "variant": variant});
    all["routes"][0]["split"] = json!({
        "baseline": "v1", "key": {"header": "x-user"}, "pins": [pin("v2"), pin("v3")],
        "canaries": [{"name": "v2", "percent": 30}, {"name": "v3", "percent": 20}],
    });
    all
}

#[test]
fn pins_and_users_of_it_go_to_the_baseline_and_all_others_stay() {
    let mut worker = Worker::new(two_canaries());
    assert_eq!(worker.defined(&["gnomon_guardrail_tripped"]), 3, "of each variant, guarded or not");
    let users: Vec<String> = (0..60).map(|user| format!("u{user}")).collect();
    let assign = |worker: &mut Worker| users.iter().map(|user| decision(worker, ("x-user", user))).collect::<Vec<_>>();
    let before = assign(&mut worker);
    answers(&mut worker, ("x-pin", "v2"), 502, TO_TRIP);
    assert_eq!([tripped(&worker, "v2"), tripped(&worker, "v3")], [1, 0]);
    let after = assign(&mut worker);
    for (before, after) in before.iter().zip(&after) {
        let expected = if *before == to("v2", "weight") { to("v1", "guardrail") } else { before.clone() };
        assert_eq!(*after, expected);
    }
    for variant in ["v1", "v2", "v3"] {
        assert!(before.contains(&to(variant, "weight")), "{variant} had no user");
    }
    assert_eq!(decision(&mut worker, ("x-pin", "v2")), to("v1", "guardrail"));
    assert_eq!(decision(&mut worker, ("x-pin", "v3")), to("v3", "pin"));
    assert_eq!(decision(&mut worker, ANY), to("v1", "keyless"));
    let expected = [("v1", 800_000), ("v2", 0), ("v3", 200_000)].map(|(variant, ppm)| (variant.to_owned(), ppm));
    assert_eq!(shares(&worker), expected.into());
}

#[test]
fn it_waits_for_its_own_least_trials() {
    for (min_trials, trials) in [(json!(null), 20), (json!(0), TO_TRIP), (json!(40), 40)] {
        let mut configuration = guarded(json!({"min_trials": min_trials}));
        if min_trials.is_null() {
            configuration["routes"][0]["guardrail"].as_object_mut().unwrap().remove("min_trials");
        }
        let mut worker = Worker::new(configuration);
        bad(&mut worker, trials - 1);
        assert_eq!(tripped(&worker, "v2"), 0, "{min_trials}");
        bad(&mut worker, 1);
        assert_eq!(tripped(&worker, "v2"), 1, "{min_trials}");
    }
}

#[test]
fn it_may_cut_off_before_the_gate_fails() {
    let mut configuration = guarded(json!({"alpha": 0.4}));
    configuration["routes"][0]["gates"][0]["alpha"] = 0.001.into();
    let mut worker = Worker::new(configuration);
    bad(&mut worker, TO_FAIL - 1);
    assert_eq!((of_errors(&worker).2, tripped(&worker, "v2")), (UNDECIDED, 1));
}

/// How many bad answers in a row it takes until the canary is cut off.
pub(super) fn until_cut_off(worker: &mut Worker) -> usize {
    (1..2_000)
        .find(|_| {
            bad(worker, 1);
            tripped(worker, "v2") == 1
        })
        .expect("it is cut off at last")
}

#[test]
fn a_long_good_history_hides_nothing_from_the_window() {
    let mut worker = Worker::new(guarded(json!({"window": "10m"})));
    good(&mut worker, 2_000);
    worker.pass(Duration::from_secs(600));
    // The first look in a window is what it begins with.
    good(&mut worker, 1);
    assert_eq!(until_cut_off(&mut worker), TO_TRIP);
    assert_eq!(of_errors(&worker).2, PASS, "over the whole experiment it is a good one");
    let [line] = lines(&worker, "guardrail")[..] else { panic!("{:?}", worker.evidence) };
    assert_eq!((&line["guardrail"], &line["bad"], &line["trials"]), (&"window".into(), &TO_TRIP.into(), &TO_TRIP.into()));
    assert_eq!(decision(&mut worker, ANY), to("v1", "guardrail"));
}

#[test]
fn each_window_begins_anew_and_with_min_trials_of_its_own() {
    let mut worker = Worker::new(guarded(json!({"window": "10m", "min_trials": 30})));
    good(&mut worker, 2_000);
    for _ in 0..5 {
        worker.pass(Duration::from_secs(600));
        good(&mut worker, 1);
        bad(&mut worker, 29);
        assert_eq!(tripped(&worker, "v2"), 0);
    }
    bad(&mut worker, 1);
    assert_eq!(tripped(&worker, "v2"), 1);
}

#[test]
fn a_clock_that_jumps_begins_a_window_and_ends_nothing() {
    let mut worker = Worker::new(guarded(json!({"window": "10m"})));
    let begun = worker.now;
    good(&mut worker, 2_000);
    for jump in [at(Duration::ZERO), begun, at(Duration::from_secs(1)), at(Duration::MAX), begun] {
        worker.now = jump;
        good(&mut worker, 1);
        bad(&mut worker, TO_TRIP - 1);
        assert_eq!(tripped(&worker, "v2"), 0, "{jump:?}");
    }
    bad(&mut worker, 1);
    assert_eq!(tripped(&worker, "v2"), 1);
}

#[test]
fn counters_that_went_back_begin_the_window_anew() {
    let mut worker = Worker::new(guarded(json!({"window": "10m"})));
    good(&mut worker, 100);
    bad(&mut worker, 10);
    worker.pass(Duration::from_secs(600));
    good(&mut worker, 1);
    worker.host_mut().values.retain(|name, _| !name.starts_with("gnomon_gate_bad_total") && !name.starts_with("gnomon_gate_trials_total"));
    good(&mut worker, 50);
    assert_eq!((of_errors(&worker), tripped(&worker, "v2")), ((0, 50, PASS), 0));
    // The first one of the 50 began it. (98 of 147: by an independent implementation. Of all 148 it would take 99.)
    assert_eq!(until_cut_off(&mut worker), 98);
    assert_eq!(lines(&worker, "guardrail")[0]["trials"], 147);
}

#[test]
fn one_slice_is_enough_at_its_share_of_alpha() {
    let mut configuration = guarded(json!({}));
    configuration["routes"][0]["gates"][0]["each_slice"] = true.into();
    configuration["routes"][0]["slices"] = json!({"header": "x-region", "values": ["eu", "us"]});
    let mut worker = Worker::new(configuration);
    answers(&mut worker, ("x-region", "eu"), 200, 500);
    answers(&mut worker, ("x-region", "us"), 500, TO_TRIP);
    assert_eq!(tripped(&worker, "v2"), 0, "a third of the alpha");
    answers(&mut worker, ("x-region", "us"), 500, 3);
    assert_eq!(tripped(&worker, "v2"), 1);
    let [line] = lines(&worker, "guardrail")[..] else { panic!("{:?}", worker.evidence) };
    assert_eq!((&line["slice"], &line["e_value_needed"]), (&"us".into(), &3_003.0.into()));
    assert_eq!(decision(&mut worker, ("x-region", "eu")), to("v1", "guardrail"));
}

#[test]
fn gates_of_one_canary_cut_it_off_once() {
    let mut configuration = guarded(json!({"gates": ["errors", "again"]}));
    configuration["routes"][0]["gates"] =
        json!([errors(json!({})), errors(json!({"name": "again"})), errors(json!({"name": "unguarded", "limit": 1}))]);
    let mut worker = Worker::new(configuration);
    bad(&mut worker, TO_TRIP - 1);
    assert_eq!((tripped(&worker, "v2"), lines(&worker, "state").len()), (0, 3), "the unguarded one cuts off nothing");
    bad(&mut worker, 5);
    assert_eq!((tripped(&worker, "v2"), lines(&worker, "guardrail").len()), (1, 1));
}

#[test]
fn a_copy_is_made_of_what_the_baseline_answers_instead() {
    let mut configuration = guarded(json!({}));
    configuration["routes"][0]["shadows"] = json!([{"name": "s", "cluster": "shadow", "percent": 100, "of": ["v1"]}]);
    let mut worker = Worker::new(configuration);
    bad(&mut worker, TO_TRIP);
    assert_eq!(worker.sum(&["gnomon_sampled_total"]), 0);
    good(&mut worker, 1);
    assert_eq!(worker.sum(&["gnomon_sampled_total"]), 1);
}

#[test]
fn what_was_cut_off_stays_so_until_the_experiment_changes() {
    let mut worker = Worker::new(guarded(json!({})));
    bad(&mut worker, TO_TRIP);
    let mut fewer = guarded(json!({}));
    fewer["routes"][0]["split"]["canaries"][0]["percent"] = 40.into();
    worker.configure(ROOT, fewer.clone());
    assert_eq!(shares(&worker), [("v1".to_owned(), 1_000_000), ("v2".to_owned(), 0)].into());
    assert_eq!(lines(&worker, "guardrail").len(), 1, "a worker that starts tells nothing new");
    fewer["experiment"] = "f".into();
    worker.configure(ROOT, fewer);
    assert_eq!(worker.sum(&["gnomon_split_ppm", "experiment=.=f;", "variant=.=v2;"]), 400_000);
    assert_eq!(worker.sum(&["gnomon_guardrail_tripped", "experiment=.=f;"]), 0);
    assert_eq!(decision(&mut worker, ANY).1, "weight");
}
