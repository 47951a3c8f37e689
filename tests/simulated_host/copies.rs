//! What a copy looks like, and what is done with requests that say they are copies.

use std::time::Duration;

use proxy_wasm::types::LogLevel;
use serde_json::json;

use crate::network::Message;
use crate::setup::{QUESTION, SHADOW, With, shadowed, start};
use crate::traffic::Request;
use crate::world::World;

/// The one copy that the shadow got.
pub fn copy(world: &World) -> Message {
    let calls = world.calls("shadow");
    assert_eq!(calls.len(), 1, "one copy");
    calls[0].request.clone()
}

#[test]
fn the_copy_carries_what_it_should_and_nothing_else() {
    let (mut world, place) = start(&shadowed());
    let request = Request::post("r1", QUESTION)
        .header("traceparent", "00-trace")
        .header("x-forwarded-for", "10.0.0.1")
        .header("x-tenant", b"caf\xe9")
        .header("content-length", QUESTION.len().to_string())
        .header("authorization", "Bearer payload")
        .header("cookie", "a=payload")
        .header("proxy-authorization", "payload")
        .header("x-forwarded-client-cert", "payload")
        .header("connection", "keep-alive")
        .header("keep-alive", "300")
        .header("proxy-connection", "keep-alive")
        .header("te", "trailers")
        .header("transfer-encoding", "chunked")
        .header("expect", "100-continue")
        .header("accept-encoding", "gzip, br")
        .header("x-envoy-retry-on", "5xx")
        .header("x-envoy-upstream-rq-timeout-ms", "1")
        .header("x-gnomon-variant", "forged");
    world.exchange(place, request);
    world.check();
    let copy = copy(&world);
    assert_eq!(copy.body, QUESTION.as_bytes());
    let mut names: Vec<_> = copy.fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        ":authority",
        ":method",
        ":path",
        ":scheme",
        "accept-encoding",
        "content-length",
        "content-type",
        "traceparent",
        "user-agent",
        "x-forwarded-for",
        "x-gnomon-shadow",
        "x-request-id",
        "x-tenant",
    ];
    let names: Vec<_> = names.into_iter().filter(|name| *name != "x-forwarded-proto").collect();
    assert!(
        names == expected || names.iter().filter(|name| **name != "x-tenant").eq(expected.iter().filter(|name| **name != "x-tenant")),
        "{names:?}"
    );
    for (name, value) in [("x-gnomon-shadow", "copy"), ("accept-encoding", "identity"), ("x-request-id", "r1"), (":path", "/infer")] {
        assert_eq!(copy.header(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(copy.header("content-length").as_deref(), Some(&*QUESTION.len().to_string()));
}

#[test]
fn a_copy_differs_as_configured() {
    let configuration = shadowed()
        .with(
            &format!("{SHADOW}/request"),
            json!({
                "path": {"prefix": "/infer", "with": "/v2/infer"},
                "authority": "v2.example",
                "model": "fraud-v2",
                "headers": {"set": {"x-env": "shadow", "authorization": "Bearer own"}, "remove": ["x-billing-id"]},
                "keep_credentials": true,
            }),
        )
        .with(&format!("{SHADOW}/timeout"), "150ms");
    let (mut world, place) = start(&configuration);
    let mut request = Request::post("r1", QUESTION).header("cookie", "c").header("authorization", "theirs").header("x-billing-id", "7");
    request.fields.iter_mut().find(|(name, _)| name == ":path").expect("a path").1 = b"/infer/a?q=/infer".to_vec();
    world.exchange(place, request);
    world.check();
    let call = world.calls("shadow").remove(0);
    assert_eq!(call.timeout, Some(Duration::from_millis(150)));
    for (name, value) in [
        (":path", Some("/v2/infer/a?q=/infer")),
        (":authority", Some("v2.example")),
        ("x-env", Some("shadow")),
        ("authorization", Some("Bearer own")),
        ("cookie", Some("c")),
        ("x-billing-id", None),
    ] {
        assert_eq!(call.request.header(name).as_deref(), value, "{name}");
    }
    let body: serde_json::Value = serde_json::from_slice(&call.request.body).expect("JSON");
    let mut expected: serde_json::Value = serde_json::from_str(QUESTION).expect("JSON");
    expected["model"] = json!("fraud-v2");
    assert_eq!(body, expected);
    assert_eq!(call.request.header("content-length"), Some(call.request.body.len().to_string()));
}

#[test]
fn a_model_is_replaced_where_a_body_names_one() {
    let configuration = shadowed().with(&format!("{SHADOW}/request"), json!({"model": "v2"}));
    for (body, expected) in [
        (r#"{"model":"v1"}"#, r#"{"model":"v2"}"#),
        ("{ \"a\" : {\"model\":\"v1\"}, \"model\" : \"\\u0076\" }", "{ \"a\" : {\"model\":\"v1\"}, \"model\" : \"v2\" }"),
        (r#"{"model":1}"#, r#"{"model":"v2"}"#),
        ("\u{feff}{\"model\":null}", "\u{feff}{\"model\":\"v2\"}"),
        (r#"{"a":1}"#, r#"{"a":1}"#),
        ("", ""),
    ] {
        for cut in [1, 1000] {
            let (mut world, place) = start(&configuration);
            world.exchange(place, Request::post("r1", "").pieces(body.as_bytes().chunks(cut).map(<[u8]>::to_vec).collect()));
            world.check();
            let copy = copy(&world);
            assert_eq!(String::from_utf8_lossy(&copy.body), expected, "in pieces of {cut}");
        }
    }
}

#[test]
fn no_copy_goes_out_with_a_model_that_could_not_be_replaced() {
    let configuration = shadowed().with(&format!("{SHADOW}/request"), json!({"model": "v2"}));
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, said) in [
        (r#"{"model":"v1""#, "JSON ends early at byte 13"),
        (r#"["model","v1"]"#, "JSON that is no object and has no members"),
        (r#""model""#, "JSON that is no object and has no members"),
        (&deep, "JSON is nested deeper than 64 levels at byte 64"),
    ] {
        for cut in [1, 1000] {
            let (mut world, place) = start(&configuration);
            world.exchange(place, Request::post("r1", "").pieces(body.as_bytes().chunks(cut).map(<[u8]>::to_vec).collect()));
            world.check();
            assert!(world.calls("shadow").is_empty());
            assert_eq!(world.outcomes("copy").into_iter().collect::<Vec<_>>(), [("unsent_unshaped".to_owned(), 1)]);
            let lines = world.lines(LogLevel::Warn);
            assert!(lines.len() == 1 && lines[0].contains(said), "{lines:?} lacks {said}");
        }
    }
}

#[test]
fn a_copy_is_not_copied_again() {
    let (mut world, place) = start(&shadowed());
    world.exchange(place, Request::post("r1", QUESTION).header("x-gnomon-shadow", "copy"));
    world.check();
    assert_eq!(world.sum("gnomon_requests_total", &[]), 0);
    assert!(world.calls("shadow").is_empty());
}

#[test]
fn at_the_edge_a_mark_is_not_believed() {
    let (mut world, place) = start(&shadowed().with("/trust_copies", false));
    world.split_headers.push("x-gnomon-shadow".to_owned());
    let exchange = world.exchange(place, Request::post("r1", QUESTION).header("x-gnomon-shadow", "forged"));
    world.check();
    assert_eq!(world.exchanges[exchange].upstream.header("x-gnomon-shadow"), None);
    assert_eq!(copy(&world).header("x-gnomon-shadow").as_deref(), Some("copy"));
}
