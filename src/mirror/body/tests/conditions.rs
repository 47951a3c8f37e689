//! Conditions on bodies.

use std::task::Poll;

use proptest::prelude::*;
use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{body, reason, shaping};
use crate::config::{BodyCondition, BodyTest};
use crate::http::Request;
use crate::path::{PathPattern, Step};

fn condition(path: &str, test: BodyTest) -> BodyCondition {
    BodyCondition { path: PathPattern::parse(path).unwrap(), test }
}

/// Whether `when` holds for `bytes`, with a budget of `slice` bytes for each call. Returns why, if that can't be judged.
fn judgement(when: &[BodyCondition], bytes: &[u8], slice: usize) -> Result<bool, String> {
    let (body, mut shaping) = (body(bytes), shaping());
    loop {
        if let Poll::Ready(holds) = shaping.qualifies(when, &Request::new(&[]), &body, &mut slice.clone()) {
            return holds.map_err(reason);
        }
    }
}

fn judged(when: &[BodyCondition], bytes: &[u8], slice: usize) -> bool {
    judgement(when, bytes, slice).unwrap()
}

fn holds(when: &[BodyCondition], text: &str) -> bool {
    let whole = judged(when, text.as_bytes(), usize::MAX);
    for slice in [1, 2, 9] {
        assert_eq!(judged(when, text.as_bytes(), slice), whole, "{text} in slices of {slice}");
    }
    whole
}

#[test]
fn a_value_is_what_its_condition_says_or_not() {
    let exact = |text: &str| BodyTest::Exact(text.to_owned());
    let prefix = |text: &str| BodyTest::Prefix(text.to_owned());
    for (path, test, yes, no) in [
        (
            "model",
            exact("chat-70b"),
            vec![r#"{"model":"chat-70b"}"#, r#"{"a":1,"model":"\u0063hat\u002d70b"}"#],
            vec![r#"{"model":"chat-70b2"}"#, r#"{"model":"chat-7"}"#, r#"{"model":["chat-70b"]}"#, r#"{"a":{"model":"chat-70b"}}"#, "{}"],
        ),
        ("a", exact("é\u{1f600}"), vec![r#"{"a":"\u00e9\ud83d\ude00"}"#, r#"{"a":"é😀"}"#], vec![r#"{"a":"\u00e9\ud83d"}"#]),
        ("a", exact(""), vec![r#"{"a":""}"#], vec![r#"{"a":"\u0000"}"#, r#"{"a":null}"#]),
        (
            "model",
            prefix("chat-"),
            vec![r#"{"model":"chat-70b"}"#, r#"{"model":"chat-"}"#, r#"{"model":"ch\u0061t-x"}"#],
            vec![r#"{"model":"chat"}"#, r#"{"model":"chat_\n"}"#, r#"{"model":1}"#],
        ),
        (
            "stream",
            BodyTest::Boolean(true),
            vec![r#"{"stream":true}"#],
            vec![r#"{"stream":false}"#, r#"{"stream":"true"}"#, r#"{"stream":1}"#],
        ),
        ("stream", BodyTest::Boolean(false), vec![r#"{"stream":false}"#], vec![r#"{"stream":true}"#, r#"{"stream":null}"#]),
        (
            "n",
            BodyTest::Number(1.0),
            vec![r#"{"n":1}"#, r#"{"n":1.0}"#, r#"{"n":10e-1}"#],
            vec![r#"{"n":"1"}"#, r#"{"n":1.01}"#, r#"{"n":true}"#],
        ),
        ("n", BodyTest::AtMost(0.5), vec![r#"{"n":0.5}"#, r#"{"n":-1e300}"#], vec![r#"{"n":0.6}"#, r#"{"n":NaN}"#, r#"{"n":"0"}"#]),
        ("n", BodyTest::AtLeast(256.0), vec![r#"{"n":256}"#, r#"{"n":1e999}"#], vec![r#"{"n":255.9}"#, r#"{"n":NaN}"#, r#"{}"#]),
        (
            "a[1].b",
            exact("x"),
            vec![r#"{"a":[0,{"b":"x"},2]}"#],
            vec![r#"{"a":[{"b":"x"}]}"#, r#"{"a":{"1":{"b":"x"}}}"#, r#"{"a":[0,[0]]}"#],
        ),
        ("[0]", BodyTest::Number(7.0), vec!["[7]", "[7,8]"], vec!["[]", "[8,7]", "7", r#"{"0":7}"#]),
        ("[0]", exact("x"), vec![r#"["x"]"#], vec![r#"{"x":1}"#, r#""x""#]),
        // Of duplicates the last one counts.
        ("a", BodyTest::Number(2.0), vec![r#"{"a":1,"a":2}"#], vec![r#"{"a":2,"a":1}"#, r#"{"a":2,"\u0061":{}}"#]),
        ("a.b", BodyTest::Number(2.0), vec![r#"{"a":1,"a":{"b":1,"b":2}}"#], vec![r#"{"a":{"b":2},"a":{}}"#]),
    ] {
        for (texts, expected) in [(yes, true), (no, false)] {
            for text in texts {
                assert_eq!(holds(&[condition(path, test.clone())], text), expected, "{path} {test:?} {text}");
            }
        }
    }
}

#[test]
fn all_conditions_must_hold() {
    let when = [condition("a", BodyTest::AtLeast(1.0)), condition("a", BodyTest::AtMost(2.0)), condition("b", BodyTest::Boolean(true))];
    for (text, expected) in
        [(r#"{"a":1.5,"b":true}"#, true), (r#"{"a":0,"b":true}"#, false), (r#"{"a":3,"b":true}"#, false), (r#"{"a":1.5,"b":false}"#, false)]
    {
        assert_eq!(holds(&when, text), expected, "{text}");
    }
}

#[test]
fn what_is_no_json_can_not_be_judged() {
    let when = [condition("a", BodyTest::Number(1.0))];
    for bytes in [&b" "[..], b"{\"a\":1", b"{\"a\":1}}", b"\x00\x00\x00\x00\x07{\"a\":1}", b"a=1", b"\x1f\x8b"] {
        assert!(judgement(&when, bytes, usize::MAX).is_err(), "{bytes:?}");
    }
    assert!(!judged(&when, b"", usize::MAX), "a request without a body meets no condition");
}

#[test]
fn a_turn_looks_at_no_more_than_its_budget_allows() {
    let text = format!("{{{},\"b\":1}}", vec![r#""a":0"#; 100_000].join(","));
    let (body, mut shaping) = (body(text.as_bytes()), shaping());
    let when = [condition("b", BodyTest::Number(1.0))];
    let mut turns = 1;
    while shaping.qualifies(&when, &Request::new(&[]), &body, &mut 10_000).is_pending() {
        turns += 1;
    }
    assert!(turns > text.len() / 10_000 + 80, "{turns} turns");
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), (0..4).prop_map(Value::from), "[ab]{0,2}".prop_map(Value::from)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3).prop_map(|members| json!(members)),
        ]
    })
}

fn any_test() -> impl Strategy<Value = BodyTest> {
    prop_oneof![
        "[ab]{0,2}".prop_map(BodyTest::Exact),
        "[ab]{1,2}".prop_map(BodyTest::Prefix),
        any::<bool>().prop_map(BodyTest::Boolean),
        (0..4).prop_map(|number| BodyTest::Number(f64::from(number))),
        (0..4).prop_map(|number| BodyTest::AtMost(f64::from(number))),
        (0..4).prop_map(|number| BodyTest::AtLeast(f64::from(number))),
    ]
}

fn any_path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof!["\\.[ab]", "\\[[0-2]\\]"], 0..4).prop_map(|steps| format!("${}", steps.concat()))
}

/// Whether `condition` holds for `body`, which another parser has read.
fn expected(condition: &BodyCondition, body: &Value) -> bool {
    let value = condition.path.steps().iter().try_fold(body, |value, step| match step {
        Step::Member(name) => value.as_object()?.get(name),
        Step::Index(index) => value.as_array()?.get(*index),
        Step::AnyIndex => None,
    });
    let Some(value) = value else { return false };
    match &condition.test {
        BodyTest::Exact(text) => value.as_str() == Some(text),
        BodyTest::Prefix(text) => value.as_str().is_some_and(|value| value.starts_with(text.as_str())),
        BodyTest::Boolean(boolean) => value.as_bool() == Some(*boolean),
        BodyTest::Number(number) => value.as_f64() == Some(*number),
        BodyTest::AtMost(number) => value.as_f64().is_some_and(|value| value <= *number),
        BodyTest::AtLeast(number) => value.as_f64().is_some_and(|value| value >= *number),
    }
}

proptest! {
    #[test]
    fn conditions_hold_as_by_another_parser(
        value in any_value(),
        when in prop::collection::vec((any_path(), any_test()), 1..3),
        slice in 1_usize..30,
    ) {
        let when: Vec<BodyCondition> = when.into_iter().map(|(path, test)| condition(&path, test)).collect();
        let want = when.iter().all(|condition| expected(condition, &value));
        prop_assert_eq!(judged(&when, value.to_string().as_bytes(), slice), want);
    }
}
