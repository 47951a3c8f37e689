//! The whole comparison of two answers: every protocol, every task.

use std::cell::OnceCell;
use std::rc::Rc;
use std::task::Poll;

use gnomon::capture::{Capture, Ledger};
use gnomon::compare::read::reader::Bounds;
use gnomon::compare::read::wire_format::WireFormat;
use gnomon::compare::{Answer, Comparison, Judgement};
use gnomon::config::Compare;

use crate::{in_slices, open_ledger, pick, route, split_head, split_line};

/// Between the two answers of an input.
pub const BETWEEN: &[u8] = b"\n=====\n";

/// What the first byte of an input chooses from: the wire format, and the content type of each answer.
pub const FORMATS: [(WireFormat, [&str; 2]); 10] = [
    (WireFormat::Opaque, ["text/html"; 2]),
    (WireFormat::Json, ["application/json"; 2]),
    (WireFormat::KserveV1, ["application/json"; 2]),
    (WireFormat::OpenInference, ["application/json"; 2]),
    // Both answers begin with a line that says how many bytes of JSON follow it.
    (WireFormat::OpenInference, [BINARY; 2]),
    (WireFormat::OpenInferenceGrpc, ["application/grpc"; 2]),
    (WireFormat::OpenAi, ["application/json"; 2]),
    (WireFormat::OpenAi, ["text/event-stream"; 2]),
    (WireFormat::OpenAi, ["application/json", "text/event-stream"]),
    (WireFormat::OpenInference, [BINARY, "application/json"]),
];

const BINARY: &str = "application/octet-stream";

/// What the second byte chooses from: `compare` of a route.
pub const PLANS: [&str; 18] = [
    r#"{}"#,
    r#"{"absolute": 0, "relative": 0}"#,
    r#"{"task": "labels"}"#,
    r#"{"task": {"labels": {"top": 3, "overlap": 2, "names": ["a", "b", "c", "d"]}}}"#,
    r#"{"task": "scores"}"#,
    r#"{"task": "regression", "tolerances": [{"path": "outputs[*].data[*]", "absolute": 1}]}"#,
    r#"{"task": "embedding"}"#,
    r#"{"task": "text"}"#,
    r#"{"task": {"text": {"whitespace": "normalised"}}}"#,
    r#"{"task": "structure"}"#,
    r#"{"task": {"decision": {"path": "outputs[*].data[*]", "thresholds": [0, 0.5], "names": ["a", "b", "c"]}}}"#,
    r#"{"task": {"labels": {"path": "predictions[*].score"}}, "ignore": ["predictions[*].at"]}"#,
    r#"{"task": {"text": {"path": "choices[*].message.content"}}}"#,
    r#"{"task": {"embedding": {"path": "a.b[*]", "cosine": 0.5}}}"#,
    r#"{"ignore": ["id", "outputs[*].data[*]", "a[*].b"], "tolerances": [{"path": "a", "relative": 0.5}]}"#,
    r#"{"unordered": ["a", {"path": "$", "by": "id"}, {"path": "predictions", "by": "id"}]}"#,
    r#"{"reasoning": true, "ignore": ["choices[*].message.audio"]}"#,
    r#"{"task": "text", "reasoning": true}"#,
];

/// What the fourth and the fifth byte choose from: the content coding of an answer; in gRPC that of its message.
pub const CODINGS: [&str; 8] = ["", "gzip", "deflate", "br", "zstd", "x-gzip", "identity", "compress"];

/// Bytes of an unpacked answer.
const BODY: usize = 64 << 10;

thread_local! {
    static PARSED: OnceCell<Vec<Rc<Compare>>> = const { OnceCell::new() };
}

/// The third byte chooses the size of the slices.
pub fn check(data: &[u8]) {
    let ([format, plan, slice, primary_coding, shadow_coding], answers) = split_head(data);
    let (wire_format, types) = *pick(&FORMATS, format);
    let plan = PARSED.with(|parsed| {
        let all = || PLANS.iter().map(|plan| route(&format!(r#""compare": {plan}"#)).compare.clone()).collect();
        pick(parsed.get_or_init(all), plan).clone()
    });
    let (primary, shadow) = halves(answers);
    let ledger = open_ledger();
    let bounds = Bounds { ledger: ledger.clone(), body: BODY };
    let codings = [primary_coding, shadow_coding].map(|coding| *pick(&CODINGS, coding));
    let most = most(data.len());
    let judged = |primary, shadow, budget| {
        let mut comparison = Comparison::new(wire_format, plan.clone(), bounds.clone(), primary, shadow);
        let (report, _) = in_slices(budget, most, |left| comparison.step(left));
        assert_eq!(comparison.step(&mut 1), Poll::Ready(report.clone()), "it does not stay so");
        report
    };

    let primary = answer(wire_format, types[0], codings[0], primary, &ledger);
    let shadow = answer(wire_format, types[1], codings[1], shadow, &ledger);
    let same = primary == shadow;
    let whole = judged(primary.clone(), shadow.clone(), usize::MAX);
    let sliced = judged(primary.clone(), shadow.clone(), 1 + usize::from(slice));
    assert_eq!(sliced, whole, "other slices, another report");
    if same {
        let is_same = matches!(whole.judgement, Judgement::Identical | Judgement::Incomparable { .. });
        assert!(is_same, "the same answers are {:?}", whole.judgement);
    }
    if types[0] == types[1] {
        check_mirrored(&whole.judgement, &judged(shadow, primary, usize::MAX).judgement);
    } else {
        drop((primary, shadow));
    }
    assert_eq!(ledger.used(), 0, "bytes are left on the ledger");
}

/// Set against each other the other way round, two answers agree or not just the same.
fn check_mirrored(forth: &Judgement, back: &Judgement) {
    let agree = |judgement: &Judgement| matches!(judgement, Judgement::Identical | Judgement::Equivalent);
    assert_eq!(agree(forth), agree(back), "{forth:?} and {back:?}");
}

/// More than the work on an input of so many bytes: unpacking is bounded as in the fuzz target for it, and what comes out is sorted.
fn most(length: usize) -> usize {
    (length + 2 * BODY) * 256
}

fn halves(answers: &[u8]) -> (&[u8], &[u8]) {
    match answers.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        Some(at) => (&answers[..at], &answers[at + BETWEEN.len()..]),
        None => (answers, answers),
    }
}

fn answer(wire_format: WireFormat, content_type: &str, coding: &str, half: &[u8], ledger: &Ledger) -> Answer {
    let (length, body) = if content_type == BINARY { split_line(half) } else { (&[][..], half) };
    let (content_encoding, grpc_encoding) = if wire_format == WireFormat::OpenInferenceGrpc { ("", coding) } else { (coding, "") };
    Answer {
        status: 200,
        content_type: content_type.into(),
        content_encoding: content_encoding.into(),
        inference_header_length: length.into(),
        grpc_encoding: grpc_encoding.into(),
        body: Ok(Capture::whole(body.to_vec(), usize::MAX, ledger).unwrap()),
    }
}
