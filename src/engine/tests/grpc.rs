//! Calls of gRPC: which of them come to comparison, and what comes of those.

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::worker::{Worker, arrival, config};
use crate::engine::ending::Ending;
use crate::engine::event::Event;
use crate::engine::head::{self, Head};
use crate::http::fields;

/// How a call is answered: a body, and `grpc-status` in the trailers, or in the headers if they are all there is.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Message(&'static [u8], &'static str),
    TrailersOnly(&'static str),
}

/// A `ModelInferResponse` with the output `a`, of this datatype and raw content.
const ONE: &[u8] = b"\0\0\0\0\x14\x2a\x0c\x0a\x01a\x12\x04INT8\x1a\x01\x01\x32\x01\x07\x12\x011";
const OTHER: &[u8] = b"\0\0\0\0\x14\x2a\x0c\x0a\x01a\x12\x04INT8\x1a\x01\x01\x32\x01\x08\x12\x011";

impl Reply {
    fn head(self, with_trailers: bool) -> Head {
        let grpc_status = match self {
            Reply::Message(_, status) if with_trailers => Some(status),
            Reply::Message(..) => None,
            Reply::TrailersOnly(status) => Some(status),
        };
        let grpc_status = grpc_status.map(|status| status.as_bytes().to_vec());
        Head { status: 200, content_type: b"application/grpc".to_vec(), grpc_status, ..Head::default() }
    }

    fn body(self) -> Vec<u8> {
        match self {
            Reply::Message(body, _) => body.to_vec(),
            Reply::TrailersOnly(_) => Vec::new(),
        }
    }
}

/// One call of `path`, answered by both.
fn call(path: &str, primary: Reply, shadow: Reply) -> Worker {
    let mut all = config(json!({}));
    all["routes"][0]["match"] = json!({"path": {"prefix": "/"}});
    all["routes"][0]["protocol"] = Value::from("auto");
    let mut worker = Worker::new(all);
    let request = [(":method", "POST"), (":path", path), (":authority", "a"), ("content-type", "application/grpc"), ("te", "trailers")];
    worker.handle(Event::RequestHeaders(arrival(1, fields(&request), false)));
    worker.upload(1, "\0\0\0\0\0", true);
    worker.handle(Event::ResponseHeaders { stream: 1, head: primary.head(false) });
    worker.handle(Event::ResponseBody { stream: 1, chunk: primary.body() });
    let grpc_status = match primary {
        Reply::Message(_, status) => Some(status.as_bytes().to_vec()),
        Reply::TrailersOnly(_) => None,
    };
    worker.handle(Event::StreamEnd { stream: 1, ending: Ending::Answered { at: worker.now, grpc_status }, first_byte: None });
    worker.work();
    assert!(worker.copies[0].headers.contains(&("te".to_owned(), "trailers".to_owned())));
    assert_eq!(worker.send(1), 1);
    let reply = head::Reply { head: shadow.head(true), from_upstream: true, body: Some(shadow.body()) };
    worker.handle(Event::ShadowAnswered { token: 1, reply: Some(reply) });
    worker.work();
    worker
}

const MODEL_INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

#[test]
fn only_calls_that_went_well_are_compared() {
    use Reply::{Message, TrailersOnly};
    for (primary, shadow, want) in [
        (Message(ONE, "0"), Message(ONE, "0"), "compared"),
        (Message(ONE, "0"), Message(OTHER, "0"), "compared"),
        (Message(ONE, "0"), Message(ONE, "13"), "shadow_failed"),
        (Message(ONE, "13"), Message(ONE, "0"), "primary_failed"),
        (Message(ONE, "2"), Message(ONE, "5"), "both_failed"),
        (Message(ONE, "0"), Message(ONE, "8"), "shadow_overloaded"),
        (Message(ONE, "0"), TrailersOnly("3"), "shadow_failed"),
        (TrailersOnly("3"), Message(ONE, "0"), "primary_failed"),
        (TrailersOnly("5"), TrailersOnly("5"), "both_refused"),
        (TrailersOnly("3"), Message(ONE, "9"), "both_refused"),
        (Message(ONE, "8"), TrailersOnly("8"), "both_refused"),
        (TrailersOnly("3"), TrailersOnly("5"), "both_failed"),
        (TrailersOnly("13"), TrailersOnly("13"), "both_failed"),
        // A call that went well has a message.
        (Message(ONE, "0"), TrailersOnly("0"), "incomparable"),
        (TrailersOnly("0"), Message(ONE, "0"), "incomparable"),
        (Message(ONE, "0"), Message(b"\0\0\0\0\x01", "0"), "incomparable"),
        (Message(ONE, "0"), Message(b"\x01\0\0\0\x01\x07", "0"), "incomparable"),
    ] {
        let worker = call(MODEL_INFER, primary, shadow);
        assert_eq!(worker.outcomes().keys().collect::<Vec<_>>(), [want], "{primary:?} {shadow:?}");
        worker.assert_at_rest();
    }
}

#[test]
fn tensors_are_found_by_their_path() {
    let worker = call(MODEL_INFER, Reply::Message(ONE, "0"), Reply::Message(OTHER, "0"));
    assert_eq!(worker.sum(&["gnomon_divergences_total", "kind=.=number"]), 1);
    assert_eq!(worker.sum(&["gnomon_divergent_paths_total", "path=.=outputs[*].data[*]"]), 1);
    assert_eq!(worker.sum(&["gnomon_model_versions_total", "model_version=.=1"]), 2);
}

#[test]
fn messages_of_other_methods_are_bytes() {
    for (shadow, verdict, kind) in [(ONE, "identical", 0), (OTHER, "diverged", 1)] {
        let worker = call("/inference.GRPCInferenceService/ModelMetadata", Reply::Message(ONE, "0"), Reply::Message(shadow, "0"));
        assert_eq!(worker.sum(&["gnomon_pairs_total", verdict]), 1);
        assert_eq!(worker.sum(&["gnomon_divergences_total", "kind=.=text"]), kind);
        assert_eq!(worker.sum(&["gnomon_divergent_paths_total", "path=.=$"]), kind);
    }
}
