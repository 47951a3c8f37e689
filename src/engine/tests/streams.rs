//! Answers that are streams of generated text: joined while they come, or when they are compared.

use std::time::Duration;

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::worker::{ROOT, Worker, arrival, config, head, merge};
use crate::engine::ending::Ending;
use crate::engine::event::Event;
use crate::engine::head::{Head, Reply};
use crate::engine::ids::StreamId;

const TEXT: &str = "Der Schatten fällt nach Norden.";

/// The usual configuration, with `protocol` and `limits`.
fn generating(protocol: &str, limits: Value) -> Value {
    let mut all = config(json!({"limits": limits}));
    merge(&mut all["routes"][0], json!({"protocol": protocol}));
    all
}

fn event_stream() -> Head {
    Head { content_type: b"text/event-stream; charset=utf-8".to_vec(), ..head(200) }
}

/// A completion as a stream of one event for each character, 21 + 34 tokens long.
fn streamed(text: &str) -> String {
    let event = |value: Value| format!("data: {value}\n\n");
    let chunk = |delta: Value, finish: Value| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    let mut all: String = text.chars().map(|c| event(chunk(json!({"content": c}), Value::Null))).collect();
    all += &event(chunk(json!({}), "stop".into()));
    all += &event(json!({"choices": [], "usage": {"prompt_tokens": 21, "completion_tokens": 34}}));
    all + "data: [DONE]\n\n"
}

/// The same in one piece.
fn whole(text: &str) -> String {
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    json!({"choices": [choice], "usage": {"prompt_tokens": 21, "completion_tokens": 34}}).to_string()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut out = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    out.extend(miniz_oxide::deflate::compress_to_vec(text.as_bytes(), 6));
    out.extend(crc32fast::hash(text.as_bytes()).to_le_bytes());
    out.extend((text.len() as u32).to_le_bytes());
    out
}

/// A frame that has not ended, of one block that is not compressed.
fn zstd(text: &str) -> Vec<u8> {
    let block = ((text.len() as u32) << 3).to_le_bytes();
    [b"\x28\xb5\x2f\xfd\x00\x28", &block[..3], text.as_bytes()].concat()
}

/// A request that is answered in pieces of `size` bytes, and its copy, answered whole.
fn pair(worker: &mut Worker, stream: StreamId, primary: (Head, &[u8]), size: usize, shadow: (Head, &[u8])) {
    worker.request(ROOT, stream, &[], true);
    assert_eq!(worker.send(stream), 1);
    worker.handle(Event::ResponseHeaders { stream, head: primary.0 });
    for piece in primary.1.chunks(size) {
        worker.handle(Event::ResponseBody { stream, chunk: piece.to_vec() });
    }
    worker.end(stream);
    let reply = Reply { head: shadow.0, from_upstream: true, body: Some(shadow.1.to_vec()) };
    worker.handle(Event::ShadowAnswered { token: stream, reply: Some(reply) });
    worker.work();
}

/// What a single pair came to: its verdict, or else its outcome.
fn verdict(worker: &Worker) -> String {
    worker.assert_at_rest();
    let outcomes: Vec<_> = worker.outcomes().into_keys().collect();
    let verdicts = ["identical", "equivalent", "diverged"].into_iter().filter(|verdict| worker.sum(&["gnomon_pairs_total", verdict]) == 1);
    if outcomes == ["compared"] { verdicts.collect() } else { outcomes.concat() }
}

#[test]
fn a_stream_says_what_its_deltas_say_together() {
    let (stream, other) = (streamed(TEXT), streamed("Nein."));
    let (text, another) = (whole(TEXT), whole("Nein."));
    for (primary, shadow, want) in [
        ((event_stream(), &stream), (head(200), &text), "equivalent"),
        ((head(200), &text), (event_stream(), &stream), "equivalent"),
        ((event_stream(), &stream), (event_stream(), &stream), "identical"),
        ((event_stream(), &stream), (head(200), &another), "diverged"),
        ((head(200), &text), (event_stream(), &other), "diverged"),
        ((event_stream(), &stream), (event_stream(), &other), "diverged"),
    ] {
        for size in [1, 2, 7, 100, usize::MAX] {
            let mut worker = Worker::new(generating("openai", json!({})));
            pair(&mut worker, 1, (primary.0.clone(), primary.1.as_bytes()), size, (shadow.0.clone(), shadow.1.as_bytes()));
            assert_eq!(verdict(&worker), want, "in pieces of {size}");
            for (subject, token, tokens) in
                [("none", "prompt", 21), ("s", "prompt", 21), ("none", "completion", 34), ("s", "completion", 34)]
            {
                assert_eq!(worker.sum(&["gnomon_tokens_total", &format!("subject=.={subject};"), token]), tokens);
            }
            assert_eq!(worker.sum(&["gnomon_answers_total", "stop"]), 2);
        }
    }
}

#[test]
fn the_text_of_a_stream_is_bounded_and_not_its_bytes() {
    let (stream, text) = (streamed(TEXT), whole(TEXT));
    assert!(stream.len() > 2000 && text.len() < 250);
    for (body, want) in [("250B", "equivalent"), ("31B", "incomparable")] {
        let mut worker = Worker::new(generating("openai", json!({"body": body, "memory": "64KiB"})));
        pair(&mut worker, 1, (event_stream(), stream.as_bytes()), 50, (head(200), text.as_bytes()));
        assert_eq!(verdict(&worker), want, "primary with {body}");
        let mut worker = Worker::new(generating("openai", json!({"body": body, "memory": "64KiB"})));
        pair(&mut worker, 1, (head(200), text.as_bytes()), 50, (event_stream(), stream.as_bytes()));
        assert_eq!(verdict(&worker), want, "shadow with {body}");
    }
}

#[test]
fn a_stream_that_no_protocol_joins_is_bounded_by_its_bytes() {
    let (stream, text) = (streamed(TEXT), whole(TEXT));
    for (protocol, body, want) in [("opaque", "4KiB", "diverged"), ("opaque", "250B", "incomparable"), ("auto", "250B", "incomparable")] {
        let limits = json!({"body": body, "memory": "64KiB"});
        let mut worker = Worker::new(generating(protocol, limits.clone()));
        pair(&mut worker, 1, (event_stream(), stream.as_bytes()), 50, (head(200), text.as_bytes()));
        assert_eq!(verdict(&worker), want, "primary, {protocol}, {body}");
        let mut worker = Worker::new(generating(protocol, limits));
        pair(&mut worker, 1, (head(200), text.as_bytes()), 50, (event_stream(), stream.as_bytes()));
        assert_eq!(verdict(&worker), want, "shadow, {protocol}, {body}");
    }
}

#[test]
fn a_malformed_stream_is_an_invalid_answer_of_its_own_side() {
    let (stream, text) = (streamed(TEXT), whole(TEXT));
    let half = &stream[..stream.len() / 2];
    for bad in [half, "data: {\n\n", "data: [DONE]\n\n", "", "data: {\"error\": {\"message\": \"no\"}}\n\n"] {
        for (side, primary, shadow) in
            [("none", (event_stream(), bad), (head(200), &*text)), ("s", (head(200), &*text), (event_stream(), bad))]
        {
            let mut worker = Worker::new(generating("openai", json!({})));
            pair(&mut worker, 1, (primary.0, primary.1.as_bytes()), 9, (shadow.0, shadow.1.as_bytes()));
            assert_eq!(verdict(&worker), "incomparable", "{bad}");
            assert_eq!(worker.sum(&["gnomon_answers_total", &format!("subject=.={side};"), "invalid"]), 1, "{bad} at {side}");
            assert_eq!(worker.sum(&["gnomon_answers_total"]), 2, "the other side tells how it ended");
            let said = worker.evidence[0]["said"].as_str().unwrap();
            assert!(said.starts_with(if side == "s" { "shadow: " } else { "primary: " }), "{said}");
        }
    }
}

#[test]
fn an_encoded_stream_is_decoded_and_joined_once_it_is_whole() {
    let (stream, text) = (streamed(TEXT), whole(TEXT));
    let packed = gzip(&stream);
    let encoded = Head { content_encoding: b"gzip".to_vec(), ..event_stream() };
    let damaged = &packed[..packed.len() - 9];
    for (body, want, invalid) in [(&*packed, "equivalent", 0), (damaged, "incomparable", 0), (&gzip("data: {\n\n"), "incomparable", 1)] {
        let mut worker = Worker::new(generating("openai", json!({})));
        pair(&mut worker, 1, (encoded.clone(), body), 5, (head(200), text.as_bytes()));
        assert_eq!((&*verdict(&worker), worker.sum(&["gnomon_answers_total", "invalid"])), (want, invalid));
        let mut worker = Worker::new(generating("openai", json!({})));
        pair(&mut worker, 1, (head(200), text.as_bytes()), 5, (encoded.clone(), body));
        assert_eq!((&*verdict(&worker), worker.sum(&["gnomon_answers_total", "invalid"])), (want, invalid));
    }
    let identity = Head { content_encoding: b"identity".to_vec(), ..event_stream() };
    let mut worker = Worker::new(generating("openai", json!({})));
    pair(&mut worker, 1, (identity, stream.as_bytes()), 5, (head(200), text.as_bytes()));
    assert_eq!(verdict(&worker), "equivalent");
}

#[test]
fn what_is_held_of_a_stream_is_its_text() {
    let stream = streamed(TEXT).replace("data: [DONE]", "").replace("\"stop\"", "null");
    let mut worker = Worker::new(generating("openai", json!({})));
    worker.request(ROOT, 1, &[], true);
    worker.send(1);
    worker.handle(Event::ResponseHeaders { stream: 1, head: event_stream() });
    worker.handle(Event::ResponseBody { stream: 1, chunk: stream.clone().into() });
    let held = worker.sum(&["gnomon_captured_bytes"]);
    assert!((TEXT.len() as i64..300).contains(&held), "{held} bytes of {}", stream.len());
    worker.handle(Event::StreamEnd { stream: 1, ending: Ending::ClientLeft, first_byte: None });
    worker.shadow(1, 200, "{}");
    worker.assert_outcome("cancelled");
}

/// A stream of which the client takes `stream` in pieces of `size` bytes, and then leaves. Returns the class of the answer.
fn left_after(stream: &[u8], head: &Head, size: usize, percent: u32) -> &'static str {
    let mut all = generating("openai", json!({}));
    merge(&mut all["routes"][0]["shadows"][0], json!({"percent": percent}));
    let mut worker = Worker::new(all);
    worker.request(ROOT, 1, &[], true);
    worker.handle(Event::ResponseHeaders { stream: 1, head: head.clone() });
    for piece in stream.chunks(size) {
        worker.handle(Event::ResponseBody { stream: 1, chunk: piece.to_vec() });
    }
    if percent == 100 {
        worker.send(1);
    }
    worker.handle(Event::StreamEnd { stream: 1, ending: Ending::ClientLeft, first_byte: Some(worker.now) });
    let class = if worker.sum(&["gnomon_responses_total", "2xx"]) == 1 { "2xx" } else { "cancelled" };
    assert_eq!(worker.sum(&["gnomon_responses_total", class]), 1);
    assert_eq!(worker.recorded(&["gnomon_first_byte_duration_microseconds"]), usize::from(class == "2xx"));
    if percent == 100 {
        worker.shadow(1, 200, &whole(TEXT));
        worker.work();
        if class == "cancelled" {
            worker.assert_outcome("cancelled");
        }
    }
    assert_eq!(worker.sum(&["gnomon_captured_bytes"]), 0);
    class
}

/// Clients hang up as soon as they have read the last event: OpenAI's own after `[DONE]`, others after the last `finish_reason`.
#[test]
fn a_client_that_leaves_after_the_end_of_a_stream_has_its_answer() {
    let whole_stream = streamed(TEXT);
    let finished = whole_stream.split_inclusive("\"stop\"").next().unwrap().to_owned() + "}]}\n\n";
    let finish = |index: u32| format!("data: {{\"choices\":[{{\"index\":{index},\"delta\":{{}},\"finish_reason\":\"length\"}}]}}\n\n");
    let delta = |index: u32| format!("data: {{\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"x\"}}}}]}}\n\n");
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
    let late = "x".repeat(9000);
    for (stream, class) in [
        (whole_stream.clone(), "2xx"),
        (whole_stream.replace('\n', "\r\n"), "2xx"),
        (whole_stream.replace('\n', "\r"), "2xx"),
        (whole_stream.replace("data: [", "data:["), "2xx"),
        (whole_stream.trim_end().to_owned(), "2xx"),
        (whole_stream.clone() + "data: [DONE], [DO", "2xx"),
        (whole_stream.clone() + ": bye", "2xx"),
        (whole_stream.replace("data: [DONE]\n\n", ""), "2xx"),
        (finished.clone(), "2xx"),
        (finished.trim_end().to_owned(), "2xx"),
        (finished.clone() + ": ping\n\n", "2xx"),
        (finished.clone() + &usage[..20], "2xx"),
        (finished.clone() + &usage[..20].replace('[', "[]}"), "2xx"),
        (delta(0) + &delta(1) + &finish(1) + &finish(0) + usage, "2xx"),
        ("data: {\"error\":{\"message\":\"no\"}}\n\n".to_owned() + "data: [DONE]\n\n", "2xx"),
        (delta(0) + &delta(1) + &finish(1), "cancelled"),
        (finished.replace("\"stop\"", "null"), "cancelled"),
        (finished[..finished.len() - 5].to_owned(), "cancelled"),
        (whole_stream.replace("data: [DONE]", ": [DONE]").replace("\"stop\"", "null"), "cancelled"),
        (delta(0) + &format!(": {late}\n\n"), "cancelled"),
        (delta(0) + &finish(0) + &format!(": {late}\n\n"), "2xx"),
        (delta(0).replace('x', &late) + &finish(0), "2xx"),
        (delta(0) + &finish(0).replace("{}", &format!("{{\"content\":\"{late}\"}}")), "2xx"),
        (delta(0) + &delta(1) + &delta(0).replace('x', &late) + &finish(0), "cancelled"),
        (delta(0) + "data: [DONE", "cancelled"),
        (String::new(), "cancelled"),
    ] {
        for size in [1, 7, 5000, usize::MAX] {
            for percent in [0, 100] {
                assert_eq!(left_after(stream.as_bytes(), &event_stream(), size, percent), class, "{stream} in {size}, {percent} %");
            }
        }
    }
}

#[test]
fn an_encoded_stream_tells_its_end_too() {
    let encoded = |coding: &str| Head { content_encoding: coding.into(), ..event_stream() };
    // Of an encoder that was flushed but not ended there is no trailer yet.
    let packed = gzip(&streamed(TEXT));
    let unended = &packed[..packed.len() - 8];
    for percent in [0, 100] {
        for size in [1, 100, usize::MAX] {
            assert_eq!(left_after(&packed, &encoded("gzip"), size, percent), "2xx", "{size}, {percent} %");
            assert_eq!(left_after(unended, &encoded("gzip"), size, percent), "2xx", "{size}, {percent} %");
            assert_eq!(left_after(&packed[..packed.len() / 2], &encoded("gzip"), size, percent), "cancelled", "{size}, {percent} %");
        }
        let long = streamed(&TEXT.repeat(100));
        assert!(long.len() > 200_000);
        for size in [100, usize::MAX] {
            assert_eq!(left_after(&gzip(&long), &encoded("gzip"), size, percent), "2xx", "{size}, {percent} %");
            assert_eq!(left_after(&zstd(&streamed(TEXT)), &encoded("zstd"), size, percent), "2xx", "{size}, {percent} %");
            assert_eq!(left_after(&zstd(&streamed(TEXT)[..1000]), &encoded("zstd"), size, percent), "cancelled", "{size}, {percent} %");
        }
        assert_eq!(left_after(streamed(TEXT).as_bytes(), &encoded("none"), 10, percent), "2xx");
        assert_eq!(left_after(&packed, &encoded("dcb"), 10, percent), "cancelled", "unknown");
        assert_eq!(left_after(&packed, &encoded("br"), 10, percent), "cancelled", "another coding");
    }
}

#[test]
fn the_first_bytes_tell_a_stream_whatever_its_type() {
    let (stream, text) = (streamed(TEXT), whole(TEXT));
    for content_type in ["", "text/plain", "application/json", "application/x-ndjson", "text/event-stream"] {
        let typed = Head { content_type: content_type.into(), ..head(200) };
        for (primary, shadow) in [(&stream, &text), (&text, &stream), (&stream, &stream), (&text, &text)] {
            for size in [1, 4, usize::MAX] {
                let mut worker = Worker::new(generating("openai", json!({})));
                pair(&mut worker, 1, (typed.clone(), primary.as_bytes()), size, (typed.clone(), shadow.as_bytes()));
                let want = if primary == shadow { "identical" } else { "equivalent" };
                assert_eq!(verdict(&worker), want, "{content_type} {primary:.9} {shadow:.9} in {size}");
            }
        }
        assert_eq!(left_after(stream.as_bytes(), &typed, 3, 0), "2xx", "{content_type}");
        assert_eq!(left_after(&gzip(&stream), &Head { content_encoding: b"gzip".to_vec(), ..typed }, 3, 100), "2xx", "{content_type}");
    }
    let mut worker = Worker::new(generating("openai", json!({"body": "250B", "memory": "64KiB"})));
    pair(&mut worker, 1, (head(200), stream.as_bytes()), 4096, (head(200), stream.as_bytes()));
    assert_eq!(verdict(&worker), "identical", "its text is within the limit, its bytes are not");
}

#[test]
fn the_first_byte_of_a_stream_is_recorded_if_it_is_one_and_succeeds() {
    for (protocol, path, mut head, body, status, want) in [
        ("openai", "/v1/x", event_stream(), "data: {}\n\n", 200, 1),
        ("openai", "/v1/x", event_stream(), "", 200, 1),
        ("openai", "/v1/x", event_stream(), "{}", 200, 0),
        ("openai", "/v1/x", head(200), "data: {}\n\n", 200, 1),
        ("openai", "/v1/x", head(200), "{}", 200, 0),
        ("auto", "/v1/chat/completions", head(200), ": ping\n\n", 200, 1),
        ("openai", "/v1/x", event_stream(), "data: {}\n\n", 503, 0),
    ] {
        head.status = status;
        let mut worker = Worker::new(generating(protocol, json!({})));
        let fields = [(":method", "POST"), (":path", path)].map(|(name, value)| (name.to_owned(), value.into())).to_vec();
        worker.handle(Event::RequestHeaders(arrival(1, fields, true)));
        worker.handle(Event::ResponseHeaders { stream: 1, head });
        worker.handle(Event::ResponseBody { stream: 1, chunk: body.into() });
        let first_byte = Some(worker.now.after(Duration::from_millis(5)));
        worker.pass(Duration::from_millis(10));
        let ending = Ending::Answered { at: worker.now, grpc_status: None };
        worker.handle(Event::StreamEnd { stream: 1, ending, first_byte });
        assert_eq!(worker.recorded(&["gnomon_first_byte_duration_microseconds", "subject=.=none;"]), want, "{protocol} {body} {status}");
    }
    for protocol in ["json", "opaque", "kserve-v1", "open-inference"] {
        let worker = Worker::new(generating(protocol, json!({})));
        assert_eq!(worker.defined(&["first_byte"]) + worker.defined(&["gnomon_tokens"]), 0, "{protocol}");
    }
}
