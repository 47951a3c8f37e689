//! What of a request's body decides about its copy, and what the copy has otherwise.

use std::cell::OnceCell;
use std::rc::Rc;

use gnomon::capture::{Body, Capture};
use gnomon::config::Shadow;
use gnomon::http::{Fields, JSON_LENGTH_HEADER, Request};
use gnomon::json::tape::Document;
use gnomon::json::value::Tag;
use gnomon::mirror::body::{Shaped, Shaping};
use gnomon::{grpc, protobuf};

use crate::json::read;
use crate::{in_slices, open_ledger, pick, route, split_head, split_line};

/// What the first byte of an input chooses from: `when` and `request` of a shadow.
pub const SHADOWS: [&str; 6] = [
    r#""when": {"body": [{"path": "model", "exact": "big"}]}, "request": {"model": "small"}"#,
    r#""when": {"body": [{"path": "a[0].b", "at_most": 512}, {"path": "user", "prefix": "eu-"}]}, "request": {"model": "s\"é"}"#,
    r#""request": {"model": "m", "body": {"set": {"stream": false, "seed": 7, "x": {"y": [null, 0.5]}}, "remove": ["stream_options", "a"]}}"#,
    r#""when": {"body": [{"path": "stream", "exact": true}]}, "request": {"body": {"set": {"stream": false}}}"#,
    r#""when": {"body": [{"path": "a[1]", "at_least": 0.5}]}, "request": {"body": {"remove": ["a", "b", "model"]}}"#,
    r#""when": {"body": [{"path": "a", "exact": 1}]}, "request": {"model": "a-name-that-is-longer-than-a-hundred-and-twenty-seven-bytes-so-that-its-length-takes-two-bytes-to-write-as-protobuf-writes-such-numbers"}"#,
];

/// What the third byte chooses from. Of a request with a tail the first line says how many bytes of JSON follow.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Json,
    WithTail,
    ModelInfer,
}

const KINDS: [Kind; 3] = [Kind::Json, Kind::WithTail, Kind::ModelInfer];

thread_local! {
    static PARSED: OnceCell<Vec<Rc<Shadow>>> = const { OnceCell::new() };
}

/// The second byte chooses the size of the slices.
pub fn check(data: &[u8]) {
    let ([shadow, slice, kind], input) = split_head(data);
    let shadow = PARSED.with(|parsed| pick(parsed.get_or_init(shadows), shadow).clone());
    let kind = *pick(&KINDS, kind);
    let (length, bytes) = if kind == Kind::WithTail { split_line(input) } else { (&[][..], input) };
    let fields = headers(kind, length);
    let ledger = open_ledger();
    let body = Capture::whole(bytes.to_vec(), usize::MAX, &ledger).unwrap();
    let whole = worked(&shadow, &fields, &body, usize::MAX);
    assert_eq!(worked(&shadow, &fields, &body, 1 + usize::from(slice)), whole, "other slices, another copy");
    check_copy(&shadow, kind, length, bytes, &whole.1);
    drop(body);
    assert_eq!(ledger.used(), 0, "bytes are left on the ledger");
}

fn shadows() -> Vec<Rc<Shadow>> {
    let shadow = |members: &&str| {
        let route = route(&format!(r#""shadows": [{{"name": "s", "cluster": "c", "percent": 1, {members}}}]"#));
        route.shadows[0].clone()
    };
    SHADOWS.iter().map(shadow).collect()
}

fn headers(kind: Kind, length: &[u8]) -> Fields {
    let field = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    match kind {
        Kind::Json => vec![field(":path", b"/v1/chat/completions")],
        Kind::WithTail => vec![field(":path", b"/v2/models/m/infer"), field(JSON_LENGTH_HEADER, length)],
        Kind::ModelInfer => {
            vec![field(":path", b"/inference.GRPCInferenceService/ModelInfer"), field("content-type", b"application/grpc")]
        }
    }
}

/// Whether the request qualifies, and the body of its copy.
fn worked(shadow: &Shadow, fields: &Fields, body: &Body, budget: usize) -> (bool, Shaped) {
    let most = (body.bytes().len() + 1024) * 64;
    let request = Request::new(fields);
    let mut shaping = Shaping::default();
    let (qualifies, _) = in_slices(budget, most, |left| shaping.qualifies(&shadow.when, &request, body, left));
    let (shaped, _) = in_slices(budget, most, |left| shaping.shape(&shadow.request, &request, body, left));
    (qualifies, shaped.expect("there is room"))
}

/// A changed body is as well-formed as the request's was, and says what the shadow's configuration asks for.
fn check_copy(shadow: &Shadow, kind: Kind, length: &[u8], before: &[u8], shaped: &Shaped) {
    let Some(after) = &shaped.bytes else {
        assert_eq!(shaped.json_length, None);
        return;
    };
    let changes = &shadow.request;
    if let (Kind::ModelInfer, Some(model)) = (kind, &changes.model) {
        assert_eq!(model_name(after), Some(model.as_bytes()));
        return;
    }
    let (was, is) = match kind {
        Kind::WithTail => (std::str::from_utf8(length).unwrap().parse().unwrap(), shaped.json_length.expect("the header changes, too")),
        _ => (before.len(), after.len()),
    };
    assert_eq!(before[was..], after[is..], "what is behind the JSON has changed");
    let document = read(&after[..is], usize::MAX).expect("what was JSON still is");
    assert_eq!(document.value(0).tag, Tag::Object);
    for name in &changes.body_remove {
        assert!(!has(&document, name), "{name} is still there");
    }
    for (name, value) in &changes.body_set {
        let source = document.member(0, name).map(|at| document.source(at));
        assert!(source == Some(value.as_bytes()) || too_many(&document), "{name} is not set");
    }
}

/// Names are only looked up in objects of up to so many members.
fn too_many(document: &Document) -> bool {
    document.children(0) > 1000
}

fn has(document: &Document, name: &str) -> bool {
    document.member(0, name).is_some()
}

/// The name of the model in a ModelInfer request that is one whole message.
fn model_name(body: &[u8]) -> Option<&[u8]> {
    let message = grpc::unary(body).ok()?.message;
    let (mut at, mut name) = (message.start, None);
    while at < body.len() {
        let (field, end) = protobuf::field(body, at).ok()?;
        if let (1, protobuf::Value::Bytes(place)) = (field.number, field.value) {
            name = Some(&body[place]);
        }
        at = end;
    }
    name
}
