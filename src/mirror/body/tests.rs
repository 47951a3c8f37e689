//! Changes of bodies, in slices of several sizes, and compared with the same changes by another parser.

mod conditions;
mod encoded;
mod members;
mod model_infer;
mod slicing;

use std::task::Poll;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::capture::{Capture, Ledger};
use crate::config::BodyTest;
use crate::http::fields;
use crate::path::PathPattern;

pub fn body(bytes: &[u8]) -> Body {
    let ledger = Ledger::new(usize::MAX);
    Capture::whole(bytes.to_vec(), usize::MAX, &ledger).unwrap()
}

/// Work on a body, with room for as much as there is.
pub fn shaping() -> Shaping {
    Shaping::new(Bounds { ledger: Ledger::new(usize::MAX), body: usize::MAX })
}

/// Shapes the copy of a request with these headers, with a budget of `slice` bytes for each call. Returns why, if it can't be shaped.
pub fn shaped(changes: &CopyRequest, headers: &[(&str, &str)], bytes: &[u8], slice: usize) -> Result<Shaped, String> {
    let (headers, body, mut shaping) = (fields(headers), body(bytes), shaping());
    loop {
        if let Poll::Ready(shaped) = shaping.shape(changes, false, &Request::new(&headers), &body, &mut slice.clone()) {
            return shaped.map_err(reason);
        }
    }
}

pub fn reason(obstacle: Obstacle) -> String {
    match obstacle {
        Obstacle::Unfit(reason) => reason,
        Obstacle::Overflow(overflow) => format!("{overflow:?}"),
    }
}

/// Returns the bytes of the copy, or why there is none, which is the same for slices of any size.
pub fn copied(changes: &CopyRequest, headers: &[(&str, &str)], bytes: &[u8]) -> Result<Vec<u8>, String> {
    let whole = shaped(changes, headers, bytes, usize::MAX);
    for slice in [1, 2, 3, 17] {
        assert_eq!(shaped(changes, headers, bytes, slice), whole, "{} in slices of {slice}", String::from_utf8_lossy(bytes));
    }
    whole.map(|whole| {
        assert_eq!((whole.json_length, whole.undone.len()), (None, 0));
        whole.body.bytes().to_vec()
    })
}

pub fn copy(changes: &CopyRequest, bytes: &[u8]) -> Vec<u8> {
    copied(changes, &[], bytes).unwrap()
}

pub fn changes(model: Option<&str>, set: &[(&str, &str)], remove: &[&str]) -> CopyRequest {
    CopyRequest {
        model: model.map(str::to_owned),
        body_set: set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body_remove: remove.iter().map(|name| (*name).to_owned()).collect(),
        ..CopyRequest::default()
    }
}

const LENGTH: &str = "inference-header-content-length";

#[test]
fn binary_tensors_follow_changed_json_unchanged() {
    let tail = b"\x00\xff{\"model\":\"old\"}";
    for (json, changes, expected) in [
        (r#"{"model":"old"}"#, changes(Some("another"), &[], &[]), r#"{"model":"another"}"#),
        (r#"{"model":"old","id":"1"}"#, changes(Some("m"), &[], &["id"]), r#"{"model":"m"}"#),
        ("{}", changes(None, &[("a", "1")], &[]), r#"{"a":1}"#),
    ] {
        let bytes = [json.as_bytes(), tail].concat();
        let copy = shaped(&changes, &[(LENGTH, &json.len().to_string())], &bytes, usize::MAX).unwrap();
        assert_eq!(copy.body.bytes(), [expected.as_bytes(), tail].concat(), "{json}");
        assert_eq!(copy.json_length, Some(expected.len()), "{json}");
    }
}

#[test]
fn no_copy_has_a_wrong_length_of_the_json() {
    let json = r#"{"model":"old"}"#;
    let (beyond, number) = ("inference-header-content-length goes beyond the body", "inference-header-content-length is no number");
    for (length, why) in [
        ("16", beyond),
        ("99999999999999999999999", beyond),
        ("14", "JSON ends early at byte 14"),
        ("-15", number),
        ("+15", number),
        ("15.0", number),
        (" 1 5", number),
        ("x", number),
    ] {
        let copy = copied(&changes(Some("new"), &[("a", "1")], &[]), &[(LENGTH, length)], json.as_bytes());
        assert_eq!(copy, Err(why.to_owned()), "{length}");
    }
    for length in ["15", " 15 ", "", " "] {
        let right = shaped(&changes(Some("new"), &[], &[]), &[(LENGTH, length)], json.as_bytes(), usize::MAX).unwrap();
        assert_eq!((right.body.bytes(), right.json_length), (&br#"{"model":"new"}"#[..], Some(15)), "{length:?}");
    }
}

#[test]
fn tensors_without_json_take_no_members_and_name_no_model() {
    let tensors = b"{\"model\":1}";
    for (changes, want) in [
        (changes(Some("new"), &[], &["a"]), Ok(tensors.to_vec())),
        (changes(None, &[("a", "1")], &[]), Err("binary tensors without JSON".to_owned())),
    ] {
        assert_eq!(copied(&changes, &[(LENGTH, "0")], tensors), want, "{changes:?}");
        assert_eq!(copied(&changes, &[(LENGTH, "9")], b""), Ok(vec![]), "no body");
    }
}

#[test]
fn only_the_json_before_binary_tensors_is_judged() {
    let when = [BodyCondition { path: PathPattern::parse("a").unwrap(), test: BodyTest::Number(1.0) }];
    for (length, expected) in [
        (Some("7"), Ok(true)),
        (Some("0"), Ok(false)),
        (Some("8"), Err("malformed JSON: something after the end (a NUL) at byte 7")),
        (Some("x"), Err("inference-header-content-length is no number")),
        (None, Err("malformed JSON: something after the end (a NUL) at byte 7")),
    ] {
        let (fields, body) = (fields(&length.map(|length| vec![(LENGTH, length)]).unwrap_or_default()), body(b"{\"a\":1}\x00\xff"));
        let judged = shaping().qualifies(&when, &Request::new(&fields), &body, &mut usize::MAX.clone());
        assert_eq!(judged.map_err(reason), Poll::Ready(expected.map_err(str::to_owned)), "{length:?}");
    }
}

#[test]
fn a_body_read_for_conditions_is_not_read_again() {
    let text = format!(r#"{{"a":1,"long":"{}","model":"old"}}"#, "x".repeat(10_000));
    let (body, request) = (body(text.as_bytes()), Request::new(&[]));
    let mut shaping = shaping();
    let when = [BodyCondition { path: PathPattern::parse("a").unwrap(), test: BodyTest::Number(1.0) }];
    assert_eq!(shaping.qualifies(&when, &request, &body, &mut 5_000), Poll::Pending);
    assert_eq!(shaping.qualifies(&when, &request, &body, &mut 10_000), Poll::Ready(Ok(true)));
    let Poll::Ready(Ok(shaped)) = shaping.shape(&changes(Some("new"), &[], &[]), false, &request, &body, &mut 1_000) else {
        panic!("not done")
    };
    assert!(shaped.body.bytes().ends_with(br#""model":"new"}"#));
}

#[test]
fn without_conditions_or_changes_nothing_is_read() {
    let (body, request) = (body(b"{}"), Request::new(&[]));
    assert_eq!(shaping().qualifies(&[], &request, &body, &mut 0), Poll::Ready(Ok(true)));
    let unchanged = Shaped { body: body.clone(), ..Shaped::default() };
    assert_eq!(shaping().shape(&CopyRequest::default(), true, &request, &body, &mut 0), Poll::Ready(Ok(unchanged)));
}
