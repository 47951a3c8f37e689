//! Tests of subjects: a table of what each state needs, with its reasons.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::gate::{Counts, Rate};

fn terms() -> Terms {
    Terms { limit: Rate::new(10_000).unwrap(), alpha: Rate::ALPHA, min_trials: 0 }
}

/// A gate with a limit of 1 % in one slice.
fn gate(name: &str, requires: Requires, bad: u64, trials: u64) -> Gate {
    Gate { name: name.into(), requires, slices: vec![slice(ALL, bad, trials)], failed_before: false }
}

fn slice(name: &str, bad: u64, trials: u64) -> Slice {
    Slice { name: name.into(), terms: Some(terms()), lives: Lives(vec![Counts::new(bad, trials)]), failed_before: false }
}

fn subject(gates: Vec<Gate>) -> Subject {
    Subject { name: "v2".into(), gates, proxies: 3, ..Subject::default() }
}

#[track_caller]
fn assert_state(subject: &Subject, state: State, reasons: &[&str]) {
    let (is, why) = subject.state();
    assert_eq!((is, why.iter().map(Reason::to_string).collect::<Vec<_>>()), (state, reasons.iter().map(|why| (*why).to_owned()).collect()));
}

const GOOD: (u64, u64) = (0, 1000);
const BAD: (u64, u64) = (100, 1000);
const FEW: (u64, u64) = (0, 10);

#[test]
fn gates_decide_as_they_require() {
    use Requires::{NoFail, Nothing, Pass};
    let name = |requires| match requires {
        Pass => "must",
        NoFail => "may",
        Nothing => "free",
    };
    let failed = ["gate may has failed"];
    for (gates, state, reasons) in [
        (&[][..], State::Undecided, &["no gate of it must pass (requires: pass)"][..]),
        (&[(NoFail, GOOD), (Nothing, GOOD)], State::Undecided, &["no gate of it must pass (requires: pass)"]),
        (&[(NoFail, BAD)], State::Fail, &failed),
        (&[(NoFail, BAD), (Pass, GOOD)], State::Fail, &failed),
        (&[(NoFail, BAD), (Pass, FEW)], State::Fail, &failed),
        (&[(Pass, BAD), (NoFail, BAD)], State::Fail, &["gate must has failed", "gate may has failed"]),
        (&[(Pass, GOOD)], State::Pass, &["all gates that must pass do: must"]),
        (&[(Pass, GOOD), (NoFail, FEW), (Nothing, BAD)], State::Pass, &["all gates that must pass do: must"]),
        (&[(Pass, GOOD), (Pass, FEW)], State::Undecided, &["gate must must pass and is undecided"]),
        (&[(Pass, (0, 0))], State::Undecided, &["gate must must pass and is undecided"]),
    ] {
        let gates = gates.iter().map(|(requires, (bad, trials))| gate(name(*requires), *requires, *bad, *trials)).collect();
        assert_state(&subject(gates), state, reasons);
    }
}

#[test]
fn nothing_passes_where_proxies_are_not_as_they_should_be() {
    let good = || subject(vec![gate("errors", Requires::Pass, 0, 1000)]);
    let cut_off = |cut_off| Subject { cut_off, ..good() };
    assert_state(&cut_off(1), State::Undecided, &["a guardrail has cut it off at 1 of 3 proxies"]);
    assert_state(&Subject { proxies: 2, ..cut_off(1) }, State::Undecided, &["a guardrail has cut it off at 1 of 2 proxies"]);
    assert_state(&cut_off(2), State::Fail, &["a guardrail has cut it off at 2 of 3 proxies"]);
    let misrouted = |variant: &str| Subject { misrouted: vec![variant.into()], ..good() };
    assert_state(&misrouted("v1"), State::Undecided, &["a proxy routes requests of v1 like those of another variant"]);
    let why = ["gate errors must pass and is undecided", "a proxy routes requests of v2 like those of another variant"];
    assert_state(&misrouted("v2"), State::Undecided, &why);
    for (value, why) in [(0, "(gnomon_configuration is 0)"), (2, "goes on with the one before"), (3, "all requests pass it untouched")] {
        let (state, reasons) = Subject { configurations: vec![value], ..good() }.state();
        assert!(state == State::Undecided && reasons.len() == 1 && reasons[0].to_string().ends_with(why), "{reasons:?}");
    }
    let bad = vec![gate("errors", Requires::Pass, 100, 1000)];
    assert_state(&Subject { gates: bad, ..misrouted("v2") }, State::Fail, &["gate errors has failed"]);
}

#[test]
fn a_gate_is_judged_by_its_slices() {
    let by = |slices: &[(&str, (u64, u64))]| Gate {
        slices: slices.iter().map(|(name, (bad, trials))| slice(name, *bad, *trials)).collect(),
        ..gate("fairness", Requires::Pass, 0, 0)
    };
    for (slices, state) in [
        (&[("eu", GOOD), ("us", GOOD), (OTHER, (0, 0))][..], State::Pass),
        (&[("eu", GOOD), ("us", GOOD), (OTHER, (0, 1))], State::Undecided),
        (&[("eu", GOOD), ("us", GOOD), (OTHER, GOOD)], State::Pass),
        (&[("eu", GOOD), ("us", (0, 0)), (OTHER, (0, 0))], State::Undecided),
        (&[("eu", GOOD), ("us", BAD), (OTHER, (0, 0))], State::Fail),
        (&[("eu", GOOD), ("us", GOOD), (OTHER, BAD)], State::Fail),
        (&[(OTHER, GOOD)], State::Pass),
        (&[(OTHER, (0, 0))], State::Undecided),
        (&[], State::Undecided),
    ] {
        assert_eq!(by(slices).state(false), state, "{slices:?}");
    }
}

#[test]
fn what_failed_stays_failed() {
    let good = gate("errors", Requires::Pass, 0, 1000);
    let latched = Slice { failed_before: true, ..slice(ALL, 0, 0) };
    let unknown = Slice { terms: None, ..latched.clone() };
    for slices in [vec![latched], vec![unknown.clone()], vec![slice("eu", 0, 1000), Slice { name: OTHER.into(), ..unknown.clone() }]] {
        assert_eq!(Gate { slices, ..good.clone() }.state(false), State::Fail);
    }
    assert_eq!(Gate { failed_before: true, ..good.clone() }.state(true), State::Fail);
    let without = Slice { terms: None, ..slice(ALL, 0, 1000) };
    assert_eq!(Gate { slices: vec![without], ..good }.state(false), State::Undecided, "proxies that don't agree");
}

#[test]
fn what_is_exported_is_read() {
    for requires in [Requires::Nothing, Requires::NoFail, Requires::Pass] {
        assert_eq!(Requires::of(requires as u64), Some(requires));
    }
    assert_eq!(Requires::of(3), None);
}
