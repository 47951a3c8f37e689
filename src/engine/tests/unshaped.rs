//! Bodies that have to be decoded for conditions and changes, and bodies that these are not for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::shaping::{BIG, SMALL, conditional};
use super::worker::{ROOT, Worker, arrival, merge, with_shadow};
use crate::engine::event::Event;

#[test]
fn a_request_whose_conditions_can_not_be_judged_is_counted_beside_the_sampled_ones() {
    let mut worker = Worker::new(conditional(json!({})));
    assert_eq!(worker.defined(&["gnomon_unjudged_total"]), 1, "it is there at 0");
    let bodies = [" ", "no JSON", "{\"model\":\"big\"}\0", "\0{", "{\"model\":\"\n\"}"];
    for (stream, body) in (1..).zip(bodies) {
        worker.request(ROOT, stream, &[("content-type", "application/json")], false);
        worker.upload(stream, body, true);
        assert_eq!(worker.send(stream), 0);
        worker.answer(stream, 200, "{}");
        worker.end(stream);
        assert_eq!(worker.sum(&["gnomon_unjudged_total"]), i64::from(stream), "{body:?}");
        assert_eq!(worker.sampled_and_open(), (0, 0));
        worker.pass(Duration::from_secs(if stream == 4 { 60 } else { 1 }));
    }
    worker.assert_at_rest();
    assert_eq!(worker.evidence.len(), 2, "a line at once, and again after a minute");
    let line = &worker.evidence[0];
    assert_eq!((&line["outcome"], &line["said"]), (&json!("unjudged"), &json!("JSON ends early at byte 1")));
    assert!(line["hint"].as_str().is_some_and(|hint| hint.contains("gnomon_unjudged_total")));
}

/// Encodes `text` without compression: a single block of deflate data.
fn deflated(text: &str) -> Vec<u8> {
    let length = (text.len() as u16).to_le_bytes();
    [&[1][..], &length, &length.map(|byte| !byte), text.as_bytes()].concat()
}

/// Makes the copies of a request with this body in the coding `deflate`.
fn deflate(worker: &mut Worker, text: &str) {
    worker.request(ROOT, 1, &[("content-encoding", "deflate")], false);
    worker.handle(Event::RequestBody { stream: 1, chunk: deflated(text), end: true });
    worker.work();
}

#[test]
fn an_encoded_body_is_judged_and_changed_decoded() {
    let mut worker = Worker::new(conditional(json!({})));
    deflate(&mut worker, BIG);
    let copy = &worker.copies[0];
    assert_eq!(copy.body.bytes(), BIG.as_bytes());
    let header = |name: &str| copy.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    assert_eq!([header("content-encoding"), header("content-length")], [None, Some("15")]);
    assert_eq!(worker.sampled_and_open(), (1, 1));

    let mut worker = Worker::new(conditional(json!({})));
    deflate(&mut worker, SMALL);
    assert_eq!((worker.copies.len(), worker.sampled_and_open(), worker.sum(&["gnomon_unjudged_total"])), (0, (0, 0), 0));

    let mut worker = Worker::new(with_shadow(json!({"timeout": "1s"})));
    deflate(&mut worker, BIG);
    let copy = &worker.copies[0];
    assert_eq!(copy.body.bytes(), deflated(BIG), "nobody asked for it");
    assert!(copy.headers.contains(&("content-encoding".to_owned(), "deflate".to_owned())));
}

#[test]
fn a_body_that_finds_no_room_once_it_is_decoded_is_not_sent() {
    // 25 bytes that mean 82: a model, and a member of 60 `x`.
    let encoded = b"\xabV\xca\xcdOI\xcdQ\xb2RJ\xcaLW\xd2QJ\x04\xb2*(\x00J\xb5\x00";
    let shadows = [
        json!({"when": {"body": [{"path": "model", "exact": "big"}]}}),
        json!({"request": {"model": "small"}}),
        json!({"request": {"body": {"remove": ["a"]}}}),
    ];
    for (limits, want, said) in [
        (json!({"body": "60B"}), "unsent_body", "longer than limits.body once it is decoded"),
        (json!({"body": "100B", "memory": "100B"}), "unsent_memory", ""),
    ] {
        for shadow in &shadows {
            let mut all = with_shadow(shadow.clone());
            merge(&mut all, json!({ "limits": limits }));
            let mut worker = Worker::new(all);
            worker.request(ROOT, 1, &[("content-encoding", "deflate")], false);
            worker.handle(Event::RequestBody { stream: 1, chunk: encoded.to_vec(), end: true });
            worker.work();
            assert_eq!((worker.outcomes(), worker.copies.len()), (BTreeMap::from([(want.to_owned(), 1)]), 0), "{shadow}");
            assert_eq!((worker.sampled_and_open(), worker.sum(&["gnomon_captured_bytes"])), ((1, 0), 0));
            assert_eq!(worker.evidence[0].get("said").and_then(Value::as_str).unwrap_or_default(), said);
        }
    }
}

#[test]
fn no_copy_goes_out_without_its_changes() {
    let changes = [json!({"model": "small"}), json!({"body": {"set": {"seed": 7}}}), json!({"body": {"remove": ["seed"]}})];
    for request in &changes {
        for (body, content_type, said) in [
            ("a=1", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded, not JSON"),
            ("--x", "multipart/form-data; boundary=x", "multipart/form-data, not JSON"),
            ("{\"a\":1}\0", "application/json", "malformed JSON: something after the end (a NUL) at byte 7"),
            ("[1]", "application/json", "JSON that is no object and has no members"),
            ("\0\0\0\0\0", "application/grpc", "a gRPC message, not JSON"),
        ] {
            let mut worker = Worker::new(with_shadow(json!({ "request": request })));
            worker.request(ROOT, 1, &[("content-type", content_type)], false);
            worker.upload(1, body, true);
            worker.answer(1, 200, "{}");
            worker.end(1);
            assert_eq!(worker.send(1), 0, "{request} {body:?}");
            worker.assert_outcome("unsent_unshaped");
            let line = &worker.evidence[0];
            assert_eq!((&line["outcome"], &line["said"]), (&json!("unsent_unshaped"), &json!(said)));
            assert!(line["hint"].as_str().is_some_and(|hint| hint.contains("request.model")));
        }
        let mut worker = Worker::new(with_shadow(json!({ "request": request })));
        worker.request(ROOT, 1, &[("content-encoding", "gzip")], true);
        assert_eq!(worker.send(1), 1, "a request without a body has nothing to change");
    }
}

#[test]
fn a_model_is_added_where_each_request_names_one() {
    for (protocol, path, want) in [
        ("openai", "/v1/x", r#"{"a":1,"model":"small"}"#),
        ("auto", "/v1/chat/completions", r#"{"a":1,"model":"small"}"#),
        ("auto", "/v1/models/m:predict", r#"{"a":1}"#),
        ("auto", "/v1/x", r#"{"a":1}"#),
        ("json", "/v1/chat/completions", r#"{"a":1}"#),
        ("open-inference", "/v1/v2/models/m/infer", r#"{"a":1}"#),
    ] {
        let mut all = with_shadow(json!({"request": {"model": "small"}}));
        all["routes"][0]["protocol"] = protocol.into();
        let mut worker = Worker::new(all);
        let fields = [(":method", "POST"), (":path", path), (":authority", "a")].map(|(name, value)| (name.to_owned(), value.into()));
        worker.handle(Event::RequestHeaders(arrival(1, fields.to_vec(), false)));
        worker.upload(1, r#"{"a":1}"#, true);
        worker.work();
        assert_eq!(String::from_utf8_lossy(worker.copies[0].body.bytes()), want, "{protocol} {path}");
    }
}
