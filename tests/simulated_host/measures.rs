//! What is a trial of each measure of a shadow, and what a bad one.

use std::time::Duration;

use serde_json::{Value, json};

use crate::network::{Answer, Reply};
use crate::setup::{QUESTION, SCORE, SHADOW, With, agreeing, shadowed};
use crate::told::{streamed, whole};
use crate::traffic::Request;

const OTHER: &str = r#"{"score":0.9}"#;

/// A 200 with this body after so many milliseconds.
fn good(body: &str, milliseconds: u64) -> Reply {
    Reply::Whole(Answer::json(body).after(Duration::from_millis(milliseconds)))
}

fn bad(status: u16, milliseconds: u64) -> Reply {
    Reply::Whole(Answer::json("{}").status(status).after(Duration::from_millis(milliseconds)))
}

/// Bad trials and all trials of a gate `g` on the shadow after one request, to which primary and shadow say this.
fn counts(gate: &Value, more: Value, primary: &Reply, shadow: &Reply) -> (u64, u64) {
    let whole = json!({"name": "g", "of": "copy", "limit": 10});
    let mut configuration = shadowed().with("/routes/0/gates", json!([merged(whole, gate)]));
    configuration = merged(configuration, &json!({"limits": {"body": "4KiB"}}));
    for (pointer, value) in more.as_object().expect("pointers") {
        configuration = configuration.with(pointer, value.clone());
    }
    let mut world = agreeing(1);
    for (cluster, reply) in [("primary", primary.clone()), ("shadow", shadow.clone())] {
        world.serve(cluster, move |_| reply.clone());
    }
    let place = world.load(&configuration.to_string()).expect("accepted");
    assert_eq!(world.sum("gnomon_configuration", &[]), 1, "refused: {:?}", world.proxy().log);
    world.exchange(place, Request::post("r", QUESTION));
    world.check();
    let told = world.gate("exp", "g", "all");
    (told.bad, told.trials)
}

fn merged(mut value: Value, more: &Value) -> Value {
    for (name, member) in more.as_object().expect("an object") {
        value[name] = member.clone();
    }
    value
}

const NONE: (u64, u64) = (0, 0);
const GOOD: (u64, u64) = (0, 1);
const BAD: (u64, u64) = (1, 1);

fn check(gate: Value, more: Value, cases: &[(Reply, Reply, (u64, u64))]) {
    for (primary, shadow, expected) in cases {
        assert_eq!(counts(&gate, more.clone(), primary, shadow), *expected, "{gate}: {primary:?} and {shadow:?}");
    }
}

#[test]
fn diverged_is_of_compared_pairs() {
    check(
        json!({"measure": "diverged"}),
        json!({}),
        &[
            (good(SCORE, 2), good(SCORE, 2), GOOD),
            (good(SCORE, 2), good(OTHER, 2), BAD),
            (good(SCORE, 2), bad(503, 2), NONE),
            (good(SCORE, 2), good("{", 2), NONE),
            (good("{", 2), good(OTHER, 2), NONE),
            (bad(503, 2), good(OTHER, 2), NONE),
            (good(SCORE, 2), Reply::Silent, NONE),
        ],
    );
}

#[test]
fn failed_is_of_what_the_shadow_alone_is_to_blame_for() {
    let long = format!("[{}1]", "1, ".repeat(3000));
    check(
        json!({"measure": "failed"}),
        json!({}),
        &[
            (good(SCORE, 2), good(SCORE, 2), GOOD),
            (good(SCORE, 2), good(OTHER, 2), GOOD),
            (good(SCORE, 2), bad(503, 2), BAD),
            (good(SCORE, 2), bad(404, 2), BAD),
            (good(SCORE, 2), Reply::Silent, BAD),
            (good(SCORE, 2), Reply::Refused, BAD),
            (good(SCORE, 2), Reply::Half(Answer::json(SCORE)), BAD),
            (good(SCORE, 2), good("{", 2), BAD),
            (good(SCORE, 2), good(&long, 2), BAD),
            (good(&long, 2), good(SCORE, 2), NONE),
            (good("{", 2), good(SCORE, 2), NONE),
            (good(SCORE, 2), bad(429, 2), NONE),
            (bad(503, 2), bad(503, 2), NONE),
            (bad(503, 2), good(SCORE, 2), NONE),
        ],
    );
}

#[test]
fn slower_than_takes_a_timeout_for_slow() {
    check(
        json!({"measure": "slower_than", "threshold": "100ms"}),
        json!({}),
        &[
            (good(SCORE, 2), good(SCORE, 50), GOOD),
            (good(SCORE, 2), good(SCORE, 150), BAD),
            (good(SCORE, 500), good(SCORE, 50), GOOD),
            (good(SCORE, 2), Reply::Silent, BAD),
            (good(SCORE, 2), bad(503, 150), NONE),
        ],
    );
}

#[test]
fn slower_than_primary_takes_only_what_is_further_apart_than_the_margin() {
    check(
        json!({"measure": "slower_than_primary", "margin": "20ms"}),
        json!({}),
        &[
            (good(SCORE, 10), good(SCORE, 15), NONE),
            (good(SCORE, 15), good(SCORE, 10), NONE),
            (good(SCORE, 10), good(SCORE, 50), BAD),
            (good(SCORE, 10), good(OTHER, 50), BAD),
            (good(SCORE, 50), good(SCORE, 10), GOOD),
            (good(SCORE, 50), good("{", 10), GOOD),
            (good(SCORE, 10), Reply::Silent, BAD),
            (good(SCORE, 1900), Reply::Silent, BAD),
            (good(SCORE, 1990), Reply::Silent, NONE),
            (good(SCORE, 3000), Reply::Silent, NONE),
            (good(SCORE, 10), bad(503, 50), NONE),
            (bad(503, 10), good(SCORE, 50), NONE),
        ],
    );
}

#[test]
fn coverage_is_of_all_that_was_sampled() {
    check(
        json!({"measure": "coverage", "limit": 90}),
        json!({}),
        &[
            (good(SCORE, 2), good(OTHER, 2), GOOD),
            (good(SCORE, 2), bad(503, 2), BAD),
            (good(SCORE, 2), Reply::Silent, BAD),
            (good(SCORE, 2), good("{", 2), BAD),
            (bad(503, 2), good(SCORE, 2), BAD),
        ],
    );
    let (shadow, limit) = (format!("{SHADOW}/cluster"), json!({"measure": "coverage", "limit": 90}));
    assert_eq!(counts(&limit, json!({shadow: "nowhere"}), &good(SCORE, 2), &good(SCORE, 2)), BAD, "a cluster that is not there");
}

#[test]
fn costlier_than_primary_needs_both_usages() {
    let tokens = |prompt: u64, completion: u64| {
        let choice = json!({"index": 0, "message": {"role": "assistant", "content": "noon"}, "finish_reason": "stop"});
        let usage = json!({"prompt_tokens": prompt, "completion_tokens": completion});
        good(&json!({"model": "m", "choices": [choice], "usage": usage}).to_string(), 2)
    };
    let untold = || good(&json!({"choices": [{"index": 0, "message": {"content": "noon"}, "finish_reason": "stop"}]}).to_string(), 2);
    check(
        json!({"measure": "costlier_than_primary", "margin": 10}),
        json!({"/routes/0/protocol": "openai"}),
        &[
            (tokens(50, 50), tokens(50, 60), NONE),
            (tokens(50, 50), tokens(50, 61), BAD),
            (tokens(50, 50), tokens(60, 51), BAD),
            (tokens(50, 61), tokens(50, 50), GOOD),
            (tokens(50, 60), tokens(50, 50), NONE),
            (tokens(50, 50), untold(), NONE),
            (untold(), tokens(50, 80), NONE),
            (tokens(50, 50), bad(503, 2), NONE),
            // 21 and 55 tokens, and 21 and 34.
            (Reply::Whole(streamed("noon")), Reply::Whole(whole("noon")), BAD),
        ],
    );
}

#[test]
fn flipped_is_one_trial_for_a_pair_in_the_given_direction() {
    let task = json!({"task": {"decision": {"path": "scores[*]", "thresholds": [0.3, 0.7], "names": ["approve", "ask", "block"]}}});
    let scores = |scores: &[f64]| good(&json!({"scores": scores}).to_string(), 2);
    for (direction, up, down, both) in [("up", BAD, GOOD, BAD), ("down", GOOD, BAD, BAD), ("both", BAD, BAD, BAD)] {
        check(
            json!({"measure": "flipped", "direction": direction}),
            json!({"/routes/0/protocol": "json", "/routes/0/compare": task}),
            &[
                (scores(&[0.1, 0.5]), scores(&[0.2, 0.6]), GOOD),
                (scores(&[0.1, 0.5]), scores(&[0.1, 0.8]), up),
                (scores(&[0.1, 0.5]), scores(&[0.5, 0.8]), up),
                (scores(&[0.1, 0.5]), scores(&[0.1, 0.1]), down),
                (scores(&[0.1, 0.5]), scores(&[0.5, 0.1]), both),
                (scores(&[0.1, 0.5]), bad(503, 2), NONE),
            ],
        );
    }
}

/// A copy that is never sent is in slice `other`: nobody reads its body.
#[test]
fn slices_may_be_by_what_the_body_says() {
    let each = |name: &str, measure: &str| json!({"name": name, "of": "copy", "measure": measure, "limit": 10, "each_slice": true});
    let configuration = shadowed()
        .with("/routes/0/slices", json!({"body": "region", "values": ["eu"]}))
        .with("/routes/0/gates", json!([each("agreement", "diverged"), each("coverage", "coverage").with("/limit", 90)]))
        .with("/limits", json!({"body": "100B"}));
    let mut world = agreeing(1);
    let place = world.load(&configuration.to_string()).expect("accepted");
    let long = format!(r#"{{"region":"eu","pad":"{}"}}"#, "x".repeat(100));
    for (n, body) in [r#"{"region":"eu"}"#, r#"{"region":"eu"}"#, r#"{"region":"mars"}"#, "{}", &long].into_iter().enumerate() {
        world.exchange(place, Request::post(&format!("r{n}"), body));
    }
    let counts = |gate: &str, slice: &str| {
        let told = world.gate("exp", gate, slice);
        (told.bad, told.trials)
    };
    assert_eq!([counts("agreement", "eu"), counts("agreement", "other")], [(0, 2), (0, 2)]);
    assert_eq!([counts("coverage", "eu"), counts("coverage", "other")], [(0, 2), (1, 3)], "the long one was not sent");
    world.check();
}
