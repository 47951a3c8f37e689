//! Bodies with content codings, and compressed gRPC messages.

use std::task::Poll;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::model_infer::{CALL, frame, request};
use super::{LENGTH, body, changes, reason, shaped};
use crate::capture::{Bounds, Ledger, Overflow};
use crate::config::{BodyCondition, BodyTest, CopyRequest, SliceBy, Slices};
use crate::http::{Request, fields};
use crate::mirror::body::{Shaped, Shaping};
use crate::path::PathPattern;

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/data/encodings/", $name)).as_slice()
    };
}

/// An object with the member `model_name`.
const PLAIN: &[u8] = data!("answer.json");

/// Encodings of [`PLAIN`], each with the value of `content-encoding`.
const ENCODED: [(&str, &[u8]); 8] = [
    ("gzip", data!("answer.gz")),
    ("X-GZIP", data!("named.gz")),
    ("deflate", data!("answer.zlib")),
    ("deflate", data!("answer.deflate")),
    ("br", data!("answer.br")),
    ("zstd", data!("answer.zst")),
    ("br, gzip", data!("answer.br.gz")),
    ("identity,utf-8, zstd, deflate, br, gzip", data!("answer.zst.deflate.br.gz")),
];

/// Encodes `bytes` without compression: a single block of deflate data.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u16).to_le_bytes();
    [&[1][..], &length, &length.map(|byte| !byte), bytes].concat()
}

fn when(path: &str, test: BodyTest) -> Vec<BodyCondition> {
    vec![BodyCondition { path: PathPattern::parse(path).unwrap(), test }]
}

/// The header fields, the body and the slice of a copy.
#[derive(Debug, PartialEq)]
struct Made {
    qualifies: bool,
    slice: Option<usize>,
    copy: Result<Shaped, String>,
}

/// All that is asked about a body, in turns with a budget of `turn` bytes.
fn made(
    when: &[BodyCondition],
    slices: Option<&Slices>,
    changes: &CopyRequest,
    codings: &str,
    bytes: &[u8],
    turn: usize,
) -> Result<Made, String> {
    let (fields, body) = (fields(&[("content-encoding", codings)]), body(bytes));
    let mut shaping = super::shaping();
    let request = Request::new(&fields);
    let qualifies = loop {
        if let Poll::Ready(qualifies) = shaping.qualifies(when, &request, &body, &mut turn.clone()) {
            break qualifies.map_err(reason)?;
        }
    };
    let slice = loop {
        if let Poll::Ready(slice) = shaping.slice(slices, &request, &body, &mut turn.clone()) {
            break slice.unwrap();
        }
    };
    let copy = loop {
        if let Poll::Ready(copy) = shaping.shape(changes, false, &request, &body, &mut turn.clone()) {
            break copy.map_err(reason);
        }
    };
    Ok(Made { qualifies, slice, copy })
}

#[test]
fn a_body_is_decoded_for_whatever_needs_it_and_for_nothing_else() {
    let holds = when("model_name", BodyTest::Exact("m".to_owned()));
    let slices = Slices { by: SliceBy::Body(PathPattern::parse("model_name").unwrap()), values: vec!["x".into(), "m".into()] };
    let remove = changes(None, &[], &["model_name"]);
    let removed = [&b"{"[..], PLAIN.strip_prefix(br#"{"model_name":"m","#).unwrap()].concat();
    let nothing = CopyRequest::default();
    for (codings, bytes) in ENCODED {
        for (when, slices, changes, want) in [
            (&holds[..], None, &nothing, PLAIN),
            (&[], Some(&slices), &nothing, PLAIN),
            (&[], None, &remove, &removed),
            (&holds, Some(&slices), &remove, &removed),
            (&[], None, &nothing, bytes),
        ] {
            let undone: &[&str] = if want == bytes { &[] } else { &["content-encoding"] };
            let copy = Ok(Shaped { body: body(want), json_length: None, undone, is_changed: want != bytes });
            let expected = Made { qualifies: true, slice: slices.map(|_| 1), copy };
            for turn in [usize::MAX, 4096, 5] {
                assert_eq!(made(when, slices, changes, codings, bytes, turn).as_ref(), Ok(&expected), "{codings}, {turn} at a time");
            }
        }
    }
}

#[test]
fn what_can_not_be_decoded_is_not_judged_and_has_no_copy() {
    let (holds, remove, nothing) = (when("a", BodyTest::Number(1.0)), changes(None, &[], &["a"]), CopyRequest::default());
    let slices = Slices { by: SliceBy::Body(PathPattern::parse("a").unwrap()), values: vec!["1".into()] };
    let truncated = &data!("answer.gz")[..1000];
    for (codings, bytes, why) in [
        ("gzip", &br#"{"a":1}"#[..], "not decoded as content-encoding says: the encoded body is truncated (it begins like JSON)"),
        ("gzip", br#"{"a":1, "b":2}"#, "not decoded as content-encoding says: the encoded body is corrupt (it begins like JSON)"),
        ("gzip", truncated, "not decoded as content-encoding says: the encoded body is truncated"),
        ("br, gzip", data!("answer.gz"), "not decoded as content-encoding says: the encoded body is corrupt"),
        ("aws-chunked", b"7\r\n{\"a\":1}\r\n0\r\n", "not decoded as content-encoding says: unknown content coding"),
        ("snappy", br#"{"a":1}"#, "not decoded as content-encoding says: unknown content coding (it begins like JSON)"),
        ("br,br,br,br,br", b"x", "not decoded as content-encoding says: too many content codings"),
        ("gzip", data!("answer.gz.gz"), "gzip data without content-encoding, not JSON"),
        ("", data!("answer.gz"), "gzip data without content-encoding, not JSON"),
        ("none", b"a=1", "malformed JSON: no value where one belongs at byte 0"),
    ] {
        assert_eq!(made(&holds, None, &nothing, codings, bytes, 99), Err(why.to_owned()), "{codings}");
        let made_for = |slices, changes| made(&[], slices, changes, codings, bytes, 99).unwrap();
        assert_eq!(made_for(None, &remove).copy, Err(why.to_owned()), "{codings}");
        let sliced = made_for(Some(&slices), &nothing);
        assert_eq!((sliced.slice, sliced.copy.is_ok()), (Some(1), true), "{codings}: in the slice `other`, and sent");
    }
    for codings in ["identity", "none", "UTF-8"] {
        let shaped = shaped(&remove, &[("content-encoding", codings)], br#"{"a":1}"#, 99).unwrap();
        assert_eq!((shaped.body.bytes(), shaped.undone.len()), (&b"{}"[..], 0), "{codings} is no coding");
    }
}

#[test]
fn a_request_without_a_body_has_nothing_to_decode() {
    for codings in ["gzip", "unheard of"] {
        let shaped = shaped(&changes(Some("new"), &[("a", "1")], &[]), &[("content-encoding", codings)], b"", 1);
        assert_eq!(shaped, Ok(Shaped::default()), "{codings}");
        assert!(!made(&when("a", BodyTest::Number(1.0)), None, &CopyRequest::default(), codings, b"", 1).unwrap().qualifies);
    }
}

#[test]
fn the_length_of_json_before_tensors_is_that_of_the_decoded_body() {
    let encoded = stored(b"{\"model\":\"old\"}\0\xff");
    let headers = [(LENGTH, "15"), ("content-encoding", "deflate")];
    let shaped = shaped(&changes(Some("newer"), &[], &[]), &headers, &encoded, usize::MAX).unwrap();
    assert_eq!(shaped.body.bytes(), b"{\"model\":\"newer\"}\0\xff");
    assert_eq!((shaped.json_length, shaped.undone), (Some(17), &["content-encoding"][..]));
}

/// A gRPC body with `message` compressed.
fn compressed(message: &[u8]) -> Vec<u8> {
    let mut body = frame(&stored(message));
    body[0] = 1;
    body
}

#[test]
fn a_compressed_message_is_decompressed() {
    let message = |model| request(model)[5..].to_vec();
    let both: &[&str] = &["content-encoding", "grpc-encoding"];
    for (grpc_encoding, codings, bytes, want, undone) in [
        ("deflate", "", compressed(&message("old")), request("new"), both),
        ("deflate", "deflate", stored(&compressed(&message("old"))), request("new"), both),
        ("gzip", "deflate", stored(&request("old")), request("new"), &["content-encoding"]),
        ("gzip", "", request("old"), request("new"), &[]),
        ("deflate", "", compressed(b"\x12\x01x"), frame(b"\x12\x01x"), both),
        ("deflate", "", compressed(b""), frame(b""), both),
    ] {
        let headers = [CALL[0], CALL[1], ("grpc-encoding", grpc_encoding), ("content-encoding", codings)];
        for turn in [usize::MAX, 3] {
            let shaped = shaped(&changes(Some("new"), &[], &[]), &headers, &bytes, turn).unwrap();
            assert_eq!(
                shaped,
                Shaped { body: body(&want), json_length: None, undone, is_changed: want != bytes },
                "{grpc_encoding} {codings}"
            );
        }
    }
}

#[test]
fn a_message_that_can_not_be_decompressed_has_no_copy() {
    let mut foreign = frame(b"not compressed");
    foreign[0] = 1;
    for (grpc_encoding, bytes, why) in [
        ("", compressed(b""), "a compressed gRPC message without grpc-encoding"),
        ("identity", compressed(b""), "a compressed gRPC message without grpc-encoding"),
        ("snappy", compressed(b""), "unknown content coding"),
        ("gzip", foreign, "the encoded body is corrupt"),
    ] {
        let headers = [CALL[0], CALL[1], ("grpc-encoding", grpc_encoding)];
        assert_eq!(shaped(&changes(Some("new"), &[], &[]), &headers, &bytes, 9), Err(why.to_owned()));
        assert_eq!(shaped(&CopyRequest::default(), &headers, &bytes, 0).unwrap().body.bytes(), bytes, "it is sent where nothing changes");
    }
}

#[test]
fn what_is_decoded_is_bounded_and_on_the_ledger() {
    let (encoded, model) = (body(data!("answer.gz")), changes(None, &[("a", "1")], &[]));
    let compressed = body(&compressed(&request("old")[5..]));
    let http = fields(&[("content-encoding", "gzip")]);
    let grpc = fields(&[CALL[0], CALL[1], ("grpc-encoding", "deflate")]);
    for (fields, encoded, changes) in [(&http, &encoded, &model), (&grpc, &compressed, &changes(Some("new"), &[], &[]))] {
        for (memory, limit, want) in [(1 << 20, 10, Overflow::Body), (10, 1 << 20, Overflow::Memory)] {
            let ledger = Ledger::new(memory);
            let mut shaping = Shaping::new(Bounds { ledger: ledger.clone(), body: limit });
            let shaped = shaping.shape(changes, false, &Request::new(fields), encoded, &mut usize::MAX.clone());
            assert_eq!(shaped.map_err(reason), Poll::Ready(Err(format!("{want:?}"))));
            assert_eq!(ledger.used(), 0);
        }
    }
    let ledger = Ledger::new(1 << 20);
    let mut shaping = Shaping::new(Bounds { ledger: ledger.clone(), body: 1 << 20 });
    let request = Request::new(&http);
    assert_eq!(shaping.shape(&model, false, &request, &encoded, &mut 9_000), Poll::Pending);
    assert!(ledger.used() > 1_000);
    let Poll::Ready(Ok(shaped)) = shaping.shape(&model, false, &request, &encoded, &mut 1_000_000) else { panic!("not done") };
    assert_eq!(ledger.used(), PLAIN.len() + shaped.body.bytes().len());
    drop((shaping, shaped));
    assert_eq!(ledger.used(), 0);
}
