//! Gates, guardrail, slices and warm-up as they arrive.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::gate::{Rate, Terms};
use crate::subject::Requires;

fn rate(ppm: u32) -> Rate {
    Rate::new(ppm).unwrap()
}

#[test]
fn gates_arrive() {
    let route = &good(FULL).routes[0];
    let gate = |name: &str, of, measure, limit_ppm| Gate {
        name: name.into(),
        of,
        measure,
        terms: Terms { limit: rate(limit_ppm), alpha: rate(50_000), min_trials: 0 },
        requires: Requires::Pass,
        each_slice: false,
    };
    let (shadow, canary) = (GateSubject::Shadow(0), GateSubject::Variant(1));
    let expected = [
        Gate {
            terms: Terms { limit: rate(20_000), alpha: rate(10_000), min_trials: 100 },
            each_slice: true,
            requires: Requires::Nothing,
            ..gate("agreement", shadow, Measure::Diverged, 20_000)
        },
        gate("slow", canary, Measure::SlowerThan(Duration::from_millis(250)), 50_000),
        Gate { requires: Requires::NoFail, ..gate("latency", shadow, Measure::SlowerThanPrimary(Duration::ZERO), 1) },
        Gate {
            terms: Terms { limit: rate(100_000), alpha: rate(50_000), min_trials: 20 },
            ..gate("coverage", shadow, Measure::Coverage, 100_000)
        },
    ];
    assert_eq!(route.gates, expected);
    let expected = Guardrail { gates: vec![1], alpha: rate(100), min_trials: 5, window: Duration::from_secs(60) };
    assert_eq!(route.guardrail, Some(expected));
}

#[test]
fn gates_have_the_documented_defaults() {
    let route = route_of(
        r#", "split": {"baseline": "v1", "canaries": [{"name": "v2", "percent": 1}], "key": "request"},
        "compare": {"task": "labels"}, "slices": {"body": "user.region"},
        "shadows": [{"name": "c", "cluster": "c", "percent": 1, "role": "control"}, {"name": "s", "cluster": "c", "percent": 1}],
        "gates": [{"name": "a", "of": "s", "measure": "worse_than_control", "limit": 50},
                  {"name": "b", "of": "s", "measure": "flipped", "limit": 50},
                  {"name": "c", "of": "s", "measure": "costlier_than_primary", "margin": "12.5%", "limit": "50%"},
                  {"name": "d", "of": "v2", "measure": "first_byte_slower_than", "threshold": "1s", "limit": 50}],
        "guardrail": {"gates": ["d"]}"#,
    );
    let found: Vec<_> = route.gates.iter().map(|gate| (gate.of, gate.measure)).collect();
    let expected = [
        (GateSubject::Shadow(1), Measure::WorseThanControl { control: 0 }),
        (GateSubject::Shadow(1), Measure::Flipped(Direction::Both)),
        (GateSubject::Shadow(1), Measure::CostlierThanPrimary { percent: 12.5 }),
        (GateSubject::Variant(1), Measure::FirstByteSlowerThan(Duration::from_secs(1))),
    ];
    assert_eq!(found, expected);
    assert!(route.gates.iter().all(|gate| (gate.terms.alpha, gate.terms.min_trials, gate.each_slice) == (rate(50_000), 0, false)));
    let expected = Guardrail { gates: vec![3], alpha: rate(1_000), min_trials: 20, window: Duration::from_secs(600) };
    assert_eq!(route.guardrail, Some(expected));
    assert_eq!(route.slices, Some(Slices { by: SliceBy::Body(path("user.region")), values: vec![] }));
    assert_eq!((&route.shadows[1].warmup, &route.split.as_ref().unwrap().variants[1].warmup), (&None, &None));

    let plain = route_of("");
    assert_eq!((&*plain.gates, &plain.guardrail), (&[][..], &None));
}

/// Every measure, with what equal models do.
#[test]
fn what_a_gate_requires_follows_from_its_measure() {
    let default = |of: &str, measure: &str| {
        let route = route_of(&format!(
            r#", "split": {{"baseline": "v1", "canaries": [{{"name": "v2", "percent": 1}}], "key": "request"}}, "compare": {{"task": "labels"}},
            "shadows": [{{"name": "c", "cluster": "c", "percent": 1, "role": "control"}}, {{"name": "s", "cluster": "c", "percent": 1}}],
            "gates": [{{"name": "a", "of": "{of}", "limit": 50, "measure": {measure}}}]"#
        ));
        route.gates[0].requires
    };
    for (of, measure, expected) in [
        ("s", r#""diverged""#, Requires::Pass),
        ("s", r#""worse_than_control""#, Requires::NoFail),
        ("s", r#""failed""#, Requires::Pass),
        ("v2", r#""failed""#, Requires::Pass),
        ("v2", r#""worse_than_baseline", "event": "refused""#, Requires::NoFail),
        ("v2", r#""slower_than", "threshold": "1s""#, Requires::Pass),
        ("s", r#""slower_than_primary", "margin": "1ms""#, Requires::NoFail),
        ("s", r#""costlier_than_primary", "margin": 1"#, Requires::NoFail),
        ("s", r#""coverage""#, Requires::Pass),
        ("s", r#""flipped""#, Requires::Pass),
        ("v2", r#""first_byte_slower_than", "threshold": "1s""#, Requires::Pass),
        ("s", r#""coverage", "requires": "no-fail""#, Requires::NoFail),
        ("s", r#""worse_than_control", "requires": "pass""#, Requires::Pass),
        ("s", r#""diverged", "requires": "none""#, Requires::Nothing),
    ] {
        assert_eq!(default(of, measure), expected, "{measure}");
    }
}

#[test]
fn gates_are_bounded() {
    let numbered = |count: usize| {
        let more: Vec<String> = (1..count).map(|i| format!(r#"{{"name": "g{i}", "of": "s", "measure": "failed", "limit": 1}}"#)).collect();
        gates(r#""of": "s", "measure": "failed", "limit": 1"#).replace("}]}]}", &format!("}}, {}]}}]}}", more.join(", ")))
    };
    assert_eq!(good(&numbered(32)).routes[0].gates.len(), 32);
    assert_eq!(paths(&numbered(33)), ["routes[0].gates"]);
}
