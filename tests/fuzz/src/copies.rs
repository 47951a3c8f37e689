//! What of a request's body decides about its copy, and what the copy has otherwise.

use std::cell::OnceCell;
use std::rc::Rc;

use gnomon::capture::{Body, Bounds, Capture, Ledger};
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
    Encoded,
}

const KINDS: [Kind; 4] = [Kind::Json, Kind::WithTail, Kind::ModelInfer, Kind::Encoded];

/// Most bytes of a decoded body.
const BODY: usize = 64 << 10;

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
    let whole = worked(&shadow, &fields, &body, &ledger, usize::MAX);
    assert_eq!(worked(&shadow, &fields, &body, &ledger, 1 + usize::from(slice)), whole, "other slices, another copy");
    if let Some(shaped) = &whole.1 {
        check_copy(&shadow, kind, length, bytes, shaped);
    }
    drop((body, whole));
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
            vec![
                field(":path", b"/inference.GRPCInferenceService/ModelInfer"),
                field("content-type", b"application/grpc"),
                field("grpc-encoding", b"deflate"),
            ]
        }
        Kind::Encoded => vec![field(":path", b"/v1/chat/completions"), field("content-encoding", b"deflate")],
    }
}

/// Whether the request qualifies, and the body of its copy. (Not why not: of a malformed body that is too long once it is decoded, the slices
/// decide which of the two is found first.)
fn worked(shadow: &Shadow, fields: &Fields, body: &Body, ledger: &Ledger, budget: usize) -> (Option<bool>, Option<Shaped>) {
    let most = (body.bytes().len() + BODY + 1024) * 64;
    let request = Request::new(fields);
    let mut shaping = Shaping::new(Bounds { ledger: ledger.clone(), body: BODY });
    let (qualifies, _) = in_slices(budget, most, |left| shaping.qualifies(&shadow.when, &request, body, left));
    let (shaped, _) = in_slices(budget, most, |left| shaping.shape(&shadow.request, false, &request, body, left));
    (qualifies.ok(), shaped.ok())
}

/// The body of a copy is well-formed, and says what the shadow's configuration asks for: no body that can't be changed has a copy.
fn check_copy(shadow: &Shadow, kind: Kind, length: &[u8], before: &[u8], shaped: &Shaped) {
    let (after, changes) = (shaped.body.bytes(), &shadow.request);
    if before.is_empty() {
        return assert!(after.is_empty(), "a request without a body has a copy without one");
    }
    let of_members = !changes.body_set.is_empty() || !changes.body_remove.is_empty();
    if let (Kind::ModelInfer, Some(model), false) = (kind, &changes.model, of_members) {
        return assert!(model_name(after).is_none_or(|name| name == model.as_bytes()), "another model");
    }
    let is = match kind {
        Kind::WithTail => {
            let was: usize = std::str::from_utf8(length).unwrap().parse().unwrap();
            let is = shaped.json_length.unwrap_or(was);
            assert_eq!(before[was..], after[is..], "what is behind the JSON has changed");
            is
        }
        _ => after.len(),
    };
    if is == 0 {
        return;
    }
    let after = after.strip_prefix(b"\xef\xbb\xbf").unwrap_or(after);
    let is = is - (shaped.body.bytes().len() - after.len());
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
