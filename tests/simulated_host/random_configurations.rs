//! The configurations that random schedules choose from.

use serde_json::{Value, json};

use crate::setup::{SHADOW, With, shadowed, split};

/// Configurations that differ in all that matters to the life of a pair; the last one is refused.
pub fn configurations() -> Vec<Value> {
    let control = json!({"name": "control", "role": "control", "cluster": "v1", "percent": 40, "timeout": "500ms"});
    let two = |value: Value| {
        let first = value.pointer(SHADOW).expect("a shadow").clone();
        value.with("/routes/0/shadows", json!([first, control.clone()]))
    };
    vec![
        observed().with(&format!("{SHADOW}/request"), json!({"body": {"set": {"seed": 7}}})),
        observed().with("/routes/0/observe/bucket", json!({"key": {"header": "x-user-id"}, "header": "x-gnomon-variant"})),
        shadowed(),
        two(split(30.0)).with("/routes/0/slices", json!({"header": "x-region", "values": ["eu"]})),
        two(shadowed()).with("/limits", json!({"memory": "2500B", "body": "2KiB"})),
        split(50.0).with(&format!("{SHADOW}/max_in_flight"), 2).with(&format!("{SHADOW}/percent"), 60).with("/trust_copies", false),
        shadowed()
            .with(&format!("{SHADOW}/timeout"), "20ms")
            .with(&format!("{SHADOW}/request"), json!({"model": "other"}))
            .with("/limits", json!({"pairs": 5})),
        two(shadowed())
            .with(&format!("{SHADOW}/when"), json!({"body": [{"path": "inputs[1]", "at_least": 2}]}))
            .with(&format!("{SHADOW}/request"), json!({"body": {"set": {"seed": 7}, "remove": ["note"]}}))
            .with("/limits", json!({"memory": "4KiB", "body": "2KiB", "pairs": 6})),
        two(shadowed())
            .with("/routes/0/protocol", "openai")
            .with(&format!("{SHADOW}/expect"), json!({"model_version": "m-1"}))
            .with("/limits", json!({"memory": "8KiB", "body": "1KiB"})),
        shadowed().with("/experiment", "exp-2").with("/evidence", json!({"per_second": 3, "values": true})),
        gated(5.0),
        gated(0.5),
        // Alpha alone is another.
        gated(5.0).with("/routes/0/gates/0/alpha", 0.4),
        gated(5.0).with("/experiment", "exp-2"),
        shadowed().with("/routes/0/surprise", true),
    ]
}

/// Variants by the clusters that answer, with gates.
fn observed() -> Value {
    let variant = |name: &str| json!({"name": name, "cluster": {"exact": name}});
    shadowed()
        .with("/routes/0/observe", json!({"baseline": "v1", "variants": [variant("v1"), variant("v2")]}))
        .with("/routes/0/observe/variants/1/warmup", json!({"pairs": 2}))
        .with("/routes/0/slices", json!({"header": "x-region", "values": ["eu"]}))
        .with(
            "/routes/0/gates",
            json!([
                {"name": "errors", "of": "v2", "measure": "failed", "limit": 5},
                {"name": "paired", "of": "v2", "measure": "worse_than_baseline", "event": "failed", "limit": 50, "each_slice": true},
                {"name": "coverage", "of": "copy", "measure": "coverage", "limit": 50, "min_trials": 5},
            ]),
        )
}

/// Gates of every kind, with a guardrail and warm-ups; the errors of the canary are limited.
fn gated(limit: f64) -> Value {
    let control = json!({"name": "control", "role": "control", "cluster": "v1", "percent": 70, "timeout": "500ms"});
    let candidate = split(60.0).pointer(SHADOW).expect("a shadow").clone().with("/warmup", "2s");
    let gates = json!([
        {"name": "errors", "of": "v2", "measure": "failed", "limit": limit},
        {"name": "slow", "of": "v2", "measure": "slower_than", "threshold": "20ms", "limit": 30, "each_slice": true},
        {"name": "worse", "of": "v2", "measure": "worse_than_baseline", "event": "failed", "limit": 50},
        {"name": "slower", "of": "v2", "measure": "worse_than_baseline", "event": {"slower_than": "5ms"}, "limit": limit, "each_slice": true},
        {"name": "first", "of": "v1", "measure": "first_byte_slower_than", "threshold": "1ms", "limit": 50},
        {"name": "agreement", "of": "copy", "measure": "diverged", "limit": 60, "each_slice": true},
        {"name": "noise", "of": "copy", "measure": "worse_than_control", "limit": 50},
        {"name": "health", "of": "copy", "measure": "failed", "limit": 10},
        {"name": "coverage", "of": "copy", "measure": "coverage", "limit": 50, "min_trials": 5},
        {"name": "latency", "of": "copy", "measure": "slower_than_primary", "margin": "1ms", "limit": 50},
        {"name": "cost", "of": "copy", "measure": "costlier_than_primary", "margin": 10, "limit": 50},
    ]);
    split(60.0)
        .with("/routes/0/shadows", json!([candidate, control]))
        .with("/routes/0/slices", json!({"header": "x-region", "values": ["eu"]}))
        .with("/routes/0/split/canaries/0/warmup", json!({"pairs": 2}))
        .with("/routes/0/split/pins", json!([{"header": "x-pin", "exact": "v2", "variant": "v2"}]))
        .with("/routes/0/gates", gates)
        .with("/routes/0/guardrail", json!({"gates": ["errors", "slow", "worse"], "min_trials": 4, "window": "2s"}))
}
