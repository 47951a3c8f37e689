//! Slices by a value of the body.

use std::task::Poll;

use proptest::prelude::*;
use serde_json::Value;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{LENGTH, body, shaping};
use crate::config::{BodyCondition, BodyTest, CopyRequest, SliceBy, Slices};
use crate::http::{Request, fields};
use crate::mirror::body::Shaped;
use crate::path::PathPattern;

fn by_body(path: &str, values: &[&str]) -> Slices {
    let values = values.iter().map(|value| (*value).into()).collect();
    Slices { by: SliceBy::Body(PathPattern::parse(path).unwrap()), values }
}

/// Returns the index of the slice of a request with these headers, with a budget of `turn` bytes for each call.
fn found(slices: &Slices, headers: &[(&str, &str)], bytes: &[u8], turn: usize) -> usize {
    let (headers, body, mut shaping) = (fields(headers), body(bytes), shaping());
    loop {
        if let Poll::Ready(slice) = shaping.slice(Some(slices), &Request::new(&headers), &body, &mut turn.clone()) {
            return slice.unwrap().unwrap();
        }
    }
}

/// Returns the name of the slice, which is the same for every budget.
fn slice<'a>(slices: &'a Slices, bytes: &[u8]) -> &'a str {
    let whole = found(slices, &[], bytes, usize::MAX);
    for turn in [1, 2, 9] {
        assert_eq!(found(slices, &[], bytes, turn), whole, "{} in turns of {turn}", String::from_utf8_lossy(bytes));
    }
    slices.values.get(whole).map_or("other", |value| value)
}

const NAMES: [&str; 8] = ["eu", "us", "true", "false", "0", "2", "100", "9007199254740992"];

#[test]
fn a_value_is_a_configured_name_or_other() {
    for (path, text, expected) in [
        ("a", r#"{"a":"us"}"#, "us"),
        ("a", r#"{"a":"u\u0073"}"#, "us"),
        ("a", r#"{"a":"US"}"#, "other"),
        ("a", r#"{"a":"us "}"#, "other"),
        ("a", r#"{"a":"u"}"#, "other"),
        ("a", r#"{"a":""}"#, "other"),
        ("user.region", r#"{"user":{"region":"eu"},"region":"us"}"#, "eu"),
        ("user.region", r#"{"user":"eu"}"#, "other"),
        ("user[1].region", r#"{"user":[{"region":"eu"},{"region":"us"}]}"#, "us"),
        ("user[1]", r#"{"user":["eu"]}"#, "other"),
        (r#"["the region"]"#, r#"{"the region":"eu"}"#, "eu"),
        ("[0]", r#"["eu","us"]"#, "eu"),
        ("a", r#"{"a":true}"#, "true"),
        ("a", r#"{"a":false}"#, "false"),
        ("a", r#"{"a":"true"}"#, "true"),
        ("a", r#"{"a":2}"#, "2"),
        ("a", r#"{"a":2.0}"#, "2"),
        ("a", r#"{"a":20e-1}"#, "2"),
        ("a", r#"{"a":1e2}"#, "100"),
        ("a", r#"{"a":"2"}"#, "2"),
        ("a", r#"{"a":"2.0"}"#, "other"),
        ("a", r#"{"a":2.5}"#, "other"),
        ("a", r#"{"a":-2}"#, "other"),
        ("a", r#"{"a":-2.0}"#, "other"),
        ("a", r#"{"a":0.0}"#, "0"),
        ("a", r#"{"a":-0.0}"#, "other"),
        ("a", r#"{"a":1e-999}"#, "0"),
        // From 2^53 up a decimal may be rounded.
        ("a", r#"{"a":9007199254740992}"#, "9007199254740992"),
        ("a", r#"{"a":9007199254740993.0}"#, "other"),
        ("a", r#"{"a":NaN}"#, "other"),
        ("a", r#"{"a":Infinity}"#, "other"),
        ("a", r#"{"a":null}"#, "other"),
        ("a", r#"{"a":["eu"]}"#, "other"),
        ("a", r#"{"a":{"eu":1}}"#, "other"),
        ("a", "{}", "other"),
        ("a", "null", "other"),
        // Of duplicates the last one counts.
        ("a", r#"{"a":"eu","a":"us"}"#, "us"),
        ("a", r#"{"a":"eu","\u0061":null}"#, "other"),
        ("a.b", r#"{"a":{"b":"eu"},"a":{"b":"eu","b":"us"}}"#, "us"),
        // What is no JSON.
        ("a", "", "other"),
        ("a", r#"{"a":"eu""#, "other"),
        ("a", r#"{"a":"eu"}}"#, "other"),
        ("a", "a=eu", "other"),
        ("a", "\0\0\0\0\x0a{\"a\":\"eu\"}", "other"),
    ] {
        assert_eq!(slice(&by_body(path, &NAMES), text.as_bytes()), expected, "{path} of {text}");
    }
}

#[test]
fn only_the_json_before_binary_tensors_is_read() {
    let bytes = b"{\"a\":\"eu\"}\x00\xff";
    for (headers, expected) in [(vec![(LENGTH, "10")], 0), (vec![(LENGTH, "11")], 1), (vec![(LENGTH, "x")], 1), (vec![], 1)] {
        assert_eq!(found(&by_body("a", &["eu"]), &headers, bytes, usize::MAX), expected, "{headers:?}");
    }
}

#[test]
fn where_slices_are_not_by_the_body_nothing_is_read() {
    let (body, request) = (body(b"{}"), Request::new(&[]));
    let by_header = Slices { by: SliceBy::Header("x-region".into()), values: vec!["eu".into()] };
    for slices in [None, Some(&by_header)] {
        assert_eq!(shaping().slice(slices, &request, &body, &mut 0), Poll::Ready(Ok(None)));
    }
}

#[test]
fn what_was_read_for_the_slice_is_read_once() {
    let text = format!(r#"{{"a":2.0,"long":"{}"}}"#, "x".repeat(10_000));
    let (body, request, slices) = (body(text.as_bytes()), Request::new(&[]), by_body("a", &["2"]));
    let mut shaping = shaping();
    let when = [BodyCondition { path: PathPattern::parse("a").unwrap(), test: BodyTest::Number(2.0) }];
    assert_eq!(shaping.qualifies(&when, &request, &body, &mut 20_000), Poll::Ready(Ok(true)));
    assert_eq!(shaping.slice(Some(&slices), &request, &body, &mut 1_000), Poll::Ready(Ok(Some(0))));
    assert_eq!(shaping.slice(Some(&slices), &request, &body, &mut 0), Poll::Ready(Ok(Some(0))), "it is known");
    let unchanged = Shaped { body: body.clone(), ..Shaped::default() };
    assert_eq!(shaping.shape(&CopyRequest::default(), false, &request, &body, &mut 0), Poll::Ready(Ok(unchanged)));
}

#[test]
fn a_turn_looks_at_no_more_than_its_budget_allows() {
    let text = format!("{{{},\"b\":\"eu\"}}", vec![r#""a":0"#; 100_000].join(","));
    let (body, mut shaping, slices) = (body(text.as_bytes()), shaping(), by_body("b", &["eu"]));
    let mut turns = 1;
    while shaping.slice(Some(&slices), &Request::new(&[]), &body, &mut 10_000).is_pending() {
        turns += 1;
    }
    assert!(turns > text.len() / 10_000 + 80, "{turns} turns");
}

/// Returns the name that a value, read by another parser, stands for.
fn reads(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => {
            number.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0).map(|number| format!("{number:.0}"))
        }
        _ => None,
    }
}

proptest! {
    #[test]
    fn values_read_as_another_parser_finds(
        value in prop_oneof!["[a-c2]{0,2}".prop_map(Value::from), any::<bool>().prop_map(Value::from), (-3..4_i64).prop_map(Value::from),
            (-6..7).prop_map(|half| Value::from(f64::from(half) / 2.0)), Just(Value::Null), Just(Value::from(vec![1]))],
        names in prop::sample::subsequence(vec!["a", "b2", "c", "true", "false", "0", "1", "2", "3"], 0..9),
        turn in 1_usize..30,
    ) {
        // (A decimal -0.0 is no whole number from 0 up.)
        prop_assume!(value.as_f64().is_none_or(|number| number != 0.0 || number.is_sign_positive()));
        let text = format!(r#"{{"x":[{value}]}}"#);
        let want = reads(&value).and_then(|text| names.iter().position(|name| *name == text)).unwrap_or(names.len());
        prop_assert_eq!(found(&by_body("x[0]", &names), &[], text.as_bytes(), turn), want);
    }
}
