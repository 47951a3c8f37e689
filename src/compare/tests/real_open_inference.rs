//! Answers of real servers, NVIDIA Triton and MLServer (`tests/data/answers/README.md` says how they came about): each pair, and what is to
//! become of it.

use super::*;
use crate::config::{Task, Texts};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Head and body of an answer.
type Recorded = (&'static str, &'static [u8]);

/// The baseline's and the candidate's answer.
macro_rules! real {
    ($case:literal) => {
        [
            (
                include_str!(concat!("../../../tests/data/answers/", $case, ".baseline.head")),
                include_bytes!(concat!("../../../tests/data/answers/", $case, ".baseline.body")).as_slice(),
            ),
            (
                include_str!(concat!("../../../tests/data/answers/", $case, ".candidate.head")),
                include_bytes!(concat!("../../../tests/data/answers/", $case, ".candidate.body")).as_slice(),
            ),
        ]
    };
}

/// Pairs with the verdict of the default task, or kind and path of the first difference: worked out by a program that shares nothing with
/// this one (Python's `json` and `struct`).
const PAIRS: &[([Recorded; 2], &str)] = &[
    (real!("triton/bf16-far-binary"), "number at outputs[0].data[0]"),
    (real!("triton/bf16-near-binary"), "equivalent"),
    (real!("triton/bool-changed-binary"), "boolean at outputs[0].data[1]"),
    (real!("triton/bool-changed-json"), "boolean at outputs[0].data[1]"),
    (real!("triton/bytes-changed-binary"), "text at outputs[0].data[2]"),
    (real!("triton/bytes-changed-json"), "text at outputs[0].data[2]"),
    (real!("triton/fp16-far-binary"), "number at outputs[0].data[0]"),
    (real!("triton/fp16-near-binary"), "equivalent"),
    (real!("triton/fp32-empty-binary"), "equivalent"),
    (real!("triton/fp32-empty-json"), "equivalent"),
    (real!("triton/fp32-far-binary"), "number at outputs[0].data[3]"),
    (real!("triton/fp32-far-json"), "number at outputs[0].data[3]"),
    (real!("triton/fp32-long-far-binary"), "number at outputs[0].data[1023]"),
    (real!("triton/fp32-long-far-json"), "number at outputs[0].data[1023]"),
    (real!("triton/fp32-long-near-binary"), "equivalent"),
    (real!("triton/fp32-near-binary"), "equivalent"),
    (real!("triton/fp32-near-json"), "equivalent"),
    (real!("triton/fp32-special-binary"), "equivalent"),
    (real!("triton/fp64-far-binary"), "number at outputs[0].data[1]"),
    (real!("triton/fp64-far-json"), "number at outputs[0].data[1]"),
    (real!("triton/fp64-near-binary"), "equivalent"),
    (real!("triton/fp64-near-json"), "equivalent"),
    (real!("triton/int16-changed-binary"), "number at outputs[0].data[3]"),
    (real!("triton/int16-changed-json"), "number at outputs[0].data[3]"),
    (real!("triton/int32-changed-binary"), "number at outputs[0].data[3]"),
    (real!("triton/int32-changed-json"), "number at outputs[0].data[3]"),
    (real!("triton/int32-shape-binary"), "shape at outputs[0].shape"),
    (real!("triton/int32-shape-json"), "shape at outputs[0].shape"),
    (real!("triton/int64-changed-binary"), "number at outputs[0].data[3]"),
    (real!("triton/int64-changed-json"), "number at outputs[0].data[3]"),
    (real!("triton/int8-changed-binary"), "number at outputs[0].data[3]"),
    (real!("triton/int8-changed-json"), "number at outputs[0].data[3]"),
    (real!("triton/species-batch-binary"), "text at outputs[1].data[1]"),
    (real!("triton/species-batch-json"), "text at outputs[1].data[1]"),
    (real!("triton/species-binary-deflate"), "text at outputs[1].data[1]"),
    (real!("triton/species-binary-gzip"), "text at outputs[1].data[1]"),
    (real!("triton/species-classification-binary"), "text at outputs[0].data[0]"),
    (real!("triton/species-classification-json"), "text at outputs[0].data[0]"),
    (real!("triton/species-flipped-binary"), "text at outputs[1].data[0]"),
    (real!("triton/species-flipped-json"), "text at outputs[1].data[0]"),
    (real!("triton/species-json-deflate"), "text at outputs[1].data[1]"),
    (real!("triton/species-json-gzip"), "text at outputs[1].data[1]"),
    (real!("triton/species-mixed"), "text at outputs[1].data[1]"),
    (real!("triton/species-same-binary"), "number at outputs[0].data[0]"),
    (real!("triton/species-same-json"), "number at outputs[0].data[0]"),
    (real!("triton/uint16-changed-binary"), "number at outputs[0].data[3]"),
    (real!("triton/uint16-changed-json"), "number at outputs[0].data[3]"),
    (real!("triton/uint32-changed-binary"), "number at outputs[0].data[3]"),
    (real!("triton/uint32-changed-json"), "number at outputs[0].data[3]"),
    (real!("triton/uint64-changed-binary"), "number at outputs[0].data[3]"),
    (real!("triton/uint64-changed-json"), "number at outputs[0].data[3]"),
    (real!("triton/uint8-changed-binary"), "number at outputs[0].data[3]"),
    (real!("triton/uint8-changed-json"), "number at outputs[0].data[3]"),
    (real!("mlserver/digits-agree-json"), "number at outputs[1].data[0]"),
    (real!("mlserver/digits-batch-gzip"), "number at outputs[0].data[2]"),
    (real!("mlserver/digits-batch-json"), "number at outputs[0].data[2]"),
    (real!("mlserver/digits-flipped-json"), "number at outputs[0].data[0]"),
    (real!("mlserver/digits-label-flipped-json"), "number at outputs[0].data[0]"),
    (real!("mlserver/digits-label-same-json"), "equivalent"),
    (real!("mlserver/digits-scores-json"), "number at outputs[0].data[0]"),
    (real!("mlserver/digits-unnamed"), "equivalent"),
    (real!("mlserver/digits-unsure-json"), "number at outputs[1].data[0]"),
    (real!("mlserver/size-agree-json"), "number at outputs[0].data[0]"),
    (real!("mlserver/words-agree-json"), "number at outputs[1].data[0]"),
    (real!("mlserver/words-flipped-json"), "text at outputs[0].data[0]"),
    (real!("mlserver/words-label-flipped-json"), "text at outputs[0].data[0]"),
    (real!("mlserver/words-label-same-json"), "equivalent"),
];

fn recorded((head, body): Recorded) -> Answer {
    let field = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().as_bytes().to_vec()
    };
    let content_encoding = field("content-encoding");
    Answer {
        content_type: field("content-type"),
        content_encoding,
        inference_header_length: field("inference-header-content-length"),
        ..answer(body)
    }
}

fn report(pair: [Recorded; 2], task: Task) -> Report {
    let [primary, shadow] = pair.map(recorded);
    let plan = Compare { task, default: GivenTolerance::default(), ..Compare::exact() };
    let wire_format = WireFormat::of(Protocol::Auto, Endpoint::Infer, &primary.content_type);
    done(Comparison::new(wire_format, Rc::new(plan), bounds(), primary, shadow).step(&mut usize::MAX.clone()))
}

#[test]
fn each_pair_has_its_verdict() {
    for (pair, want) in PAIRS {
        let report = report(*pair, Task::Auto);
        assert_eq!(say(&report.judgement), *want, "{}", pair[0].0);
        assert_eq!([report.primary.model_version.as_deref(), report.shadow.model_version.as_deref()], [Some("1"), Some("2")]);
    }
}

/// A server may answer one client in JSON and the shadow's in binary form: that is no difference.
#[test]
fn json_and_binary_answers_are_compared() {
    for (binary, json, want) in [
        (real!("triton/bool-changed-binary"), real!("triton/bool-changed-json"), "boolean at outputs[0].data[1]"),
        (real!("triton/bytes-changed-binary"), real!("triton/bytes-changed-json"), "text at outputs[0].data[2]"),
        (real!("triton/fp32-empty-binary"), real!("triton/fp32-empty-json"), "equivalent"),
        (real!("triton/fp32-far-binary"), real!("triton/fp32-far-json"), "number at outputs[0].data[3]"),
        (real!("triton/fp32-long-far-binary"), real!("triton/fp32-long-far-json"), "number at outputs[0].data[1023]"),
        (real!("triton/fp32-near-binary"), real!("triton/fp32-near-json"), "equivalent"),
        (real!("triton/fp64-far-binary"), real!("triton/fp64-far-json"), "number at outputs[0].data[1]"),
        (real!("triton/fp64-near-binary"), real!("triton/fp64-near-json"), "equivalent"),
        (real!("triton/int16-changed-binary"), real!("triton/int16-changed-json"), "number at outputs[0].data[3]"),
        (real!("triton/int32-changed-binary"), real!("triton/int32-changed-json"), "number at outputs[0].data[3]"),
        (real!("triton/int32-shape-binary"), real!("triton/int32-shape-json"), "shape at outputs[0].shape"),
        (real!("triton/int64-changed-binary"), real!("triton/int64-changed-json"), "number at outputs[0].data[3]"),
        (real!("triton/int8-changed-binary"), real!("triton/int8-changed-json"), "number at outputs[0].data[3]"),
        (real!("triton/species-batch-binary"), real!("triton/species-batch-json"), "text at outputs[1].data[1]"),
        (real!("triton/species-classification-binary"), real!("triton/species-classification-json"), "text at outputs[0].data[0]"),
        (real!("triton/species-flipped-binary"), real!("triton/species-flipped-json"), "text at outputs[1].data[0]"),
        (real!("triton/species-same-binary"), real!("triton/species-same-json"), "number at outputs[0].data[0]"),
        (real!("triton/uint16-changed-binary"), real!("triton/uint16-changed-json"), "number at outputs[0].data[3]"),
        (real!("triton/uint32-changed-binary"), real!("triton/uint32-changed-json"), "number at outputs[0].data[3]"),
        (real!("triton/uint64-changed-binary"), real!("triton/uint64-changed-json"), "number at outputs[0].data[3]"),
        (real!("triton/uint8-changed-binary"), real!("triton/uint8-changed-json"), "number at outputs[0].data[3]"),
    ] {
        for pair in [[binary[0], json[1]], [json[0], binary[1]]] {
            assert_eq!(say(&report(pair, Task::Auto).judgement), want, "{}", binary[0].0);
        }
        assert_eq!(say(&report([binary[0], json[0]], Task::Auto).judgement), "equivalent", "{}", binary[0].0);
    }
}

#[test]
fn tasks_look_at_their_part() {
    let nothing = "Primary: nothing in it that the task looks at";
    let (scores, regression, text) = (
        Task::Scores { path: None },
        Task::Regression { path: None },
        Task::Text { path: None, texts: Texts { normalize: false, json: false } },
    );
    for (pair, task, want) in [
        (real!("triton/species-batch-binary"), &scores, "number at outputs[0].data[0]"),
        (real!("triton/species-batch-binary"), &regression, "number at outputs[2].data[1]"),
        (real!("triton/species-batch-binary"), &text, "text at outputs[1].data[1]"),
        (real!("triton/species-same-binary"), &text, "equivalent"),
        (real!("triton/int64-changed-json"), &scores, nothing),
        (real!("triton/bytes-changed-json"), &regression, nothing),
        (real!("mlserver/size-agree-json"), &text, nothing),
        (real!("mlserver/words-agree-json"), &text, "equivalent"),
        (real!("mlserver/words-flipped-json"), &text, "text at outputs[0].data[0]"),
        (real!("mlserver/words-flipped-json"), &scores, "number at outputs[1].data[0]"),
        (real!("mlserver/digits-label-flipped-json"), &regression, "number at outputs[0].data[0]"),
        (real!("mlserver/digits-label-same-json"), &regression, "equivalent"),
    ] {
        assert_eq!(say(&report(pair, task.clone()).judgement), want, "{task:?} {}", pair[0].0);
    }
}
