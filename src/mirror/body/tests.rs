//! Changes of bodies, in slices of several sizes, and compared with the same changes by another parser.

mod conditions;
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

/// Shapes the copy of a request with these headers, with a budget of `slice` bytes for each call.
pub fn shaped(changes: &CopyRequest, headers: &[(&str, &str)], bytes: &[u8], slice: usize) -> Shaped {
    let (headers, body) = (fields(headers), body(bytes));
    let mut shaping = Shaping::default();
    loop {
        if let Poll::Ready(shaped) = shaping.shape(changes, &Request::new(&headers), &body, &mut slice.clone()) {
            return shaped.unwrap();
        }
    }
}

/// Returns the bytes of the copy, which are the same for slices of any size.
pub fn copy(changes: &CopyRequest, bytes: &[u8]) -> Vec<u8> {
    let whole = shaped(changes, &[], bytes, usize::MAX);
    for slice in [1, 2, 3, 17] {
        assert_eq!(shaped(changes, &[], bytes, slice), whole, "{} in slices of {slice}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(whole.json_length, None);
    whole.bytes.unwrap_or_else(|| bytes.to_vec())
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
        let copy = shaped(&changes, &[(LENGTH, &json.len().to_string())], &bytes, usize::MAX);
        assert_eq!(copy.bytes.as_deref(), Some(&*[expected.as_bytes(), tail].concat()), "{json}");
        assert_eq!(copy.json_length, Some(expected.len()), "{json}");
    }
}

#[test]
fn a_wrong_length_of_the_json_leaves_the_body_alone() {
    let json = r#"{"model":"old"}"#;
    for length in ["16", "14", "0", "-15", "+15", "15.0", "", " 15", "x", "99999999999999999999999"] {
        let copy = shaped(&changes(Some("new"), &[("a", "1")], &[]), &[(LENGTH, length)], json.as_bytes(), usize::MAX);
        assert_eq!(copy, Shaped::default(), "{length}");
    }
    let right = shaped(&changes(Some("new"), &[], &[]), &[(LENGTH, "15")], json.as_bytes(), usize::MAX);
    assert_eq!(right.bytes.as_deref(), Some(&br#"{"model":"new"}"#[..]));
}

#[test]
fn only_the_json_before_binary_tensors_is_judged() {
    let when = [BodyCondition { path: PathPattern::parse("a").unwrap(), test: BodyTest::Number(1.0) }];
    for (headers, expected) in [(vec![(LENGTH, "7")], true), (vec![(LENGTH, "8")], false), (vec![(LENGTH, "x")], false), (vec![], false)] {
        let (fields, body) = (fields(&headers), body(b"{\"a\":1}\x00\xff"));
        let judged = Shaping::default().qualifies(&when, &Request::new(&fields), &body, &mut usize::MAX.clone());
        assert_eq!(judged, Poll::Ready(expected), "{headers:?}");
    }
}

#[test]
fn a_body_read_for_conditions_is_not_read_again() {
    let text = format!(r#"{{"a":1,"long":"{}","model":"old"}}"#, "x".repeat(10_000));
    let (body, request) = (body(text.as_bytes()), Request::new(&[]));
    let mut shaping = Shaping::default();
    let when = [BodyCondition { path: PathPattern::parse("a").unwrap(), test: BodyTest::Number(1.0) }];
    assert_eq!(shaping.qualifies(&when, &request, &body, &mut 5_000), Poll::Pending);
    assert_eq!(shaping.qualifies(&when, &request, &body, &mut 10_000), Poll::Ready(true));
    let Poll::Ready(Ok(shaped)) = shaping.shape(&changes(Some("new"), &[], &[]), &request, &body, &mut 1_000) else { panic!("not done") };
    assert!(shaped.bytes.unwrap().ends_with(br#""model":"new"}"#));
}

#[test]
fn without_conditions_or_changes_nothing_is_read() {
    let (body, request) = (body(b"{}"), Request::new(&[]));
    assert_eq!(Shaping::default().qualifies(&[], &request, &body, &mut 0), Poll::Ready(true));
    assert_eq!(Shaping::default().shape(&CopyRequest::default(), &request, &body, &mut 0), Poll::Ready(Ok(Shaped::default())));
}
