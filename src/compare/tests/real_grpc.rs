//! Answers of real servers to `ModelInfer`, in pairs: Triton's with raw contents, MLServer's with typed and with raw ones. What is expected
//! was worked out with numpy and the classes that protobuf makes of the protocol.

use std::rc::Rc;

use super::{answer, bounds, done, say};
use crate::compare::Comparison;
use crate::compare::answer::Answer;
use crate::compare::judge::outputs::OutputsJudge;
use crate::compare::judge::task::Judge;
use crate::compare::judgement::Report;
use crate::compare::part::content::{Content, Facts};
use crate::compare::read::open_inference::OpenInferenceReader;
use crate::compare::read::open_inference_grpc::ModelInferReader;
use crate::compare::read::reader::Reader;
use crate::compare::read::wire_format::{Endpoint, WireFormat};
use crate::compare::side::Sides;
use crate::config::{Compare, GivenTolerance, Protocol};
use crate::http::MODEL_INFER;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What a server recorded under this name has answered.
macro_rules! body {
    ($name:literal, $version:literal) => {
        include_bytes!(concat!("../../../tests/data/answers/", $name, ".", $version, ".body")).as_slice()
    };
}

/// The answers of both versions of a model.
macro_rules! recorded {
    ($name:literal) => {
        ($name, body!($name, "baseline"), body!($name, "candidate"))
    };
}

/// The same answer over gRPC and over HTTP, that with its head.
macro_rules! both_ways {
    ($grpc:literal, $http:literal) => {
        (
            $grpc,
            body!($grpc, "baseline"),
            body!($http, "baseline"),
            include_str!(concat!("../../../tests/data/answers/", $http, ".baseline.head")),
        )
    };
}

fn grpc(body: &[u8], grpc_encoding: &str) -> Answer {
    Answer { content_type: b"application/grpc".to_vec(), grpc_encoding: grpc_encoding.as_bytes().to_vec(), ..answer(body) }
}

/// What an operator has who says nothing: the tolerances of the datatypes.
fn plan() -> Rc<Compare> {
    Compare { default: GivenTolerance::default(), ..Compare::exact() }.into()
}

fn compare(primary: Answer, shadow: Answer) -> Report {
    let wire_format = WireFormat::of(Protocol::Auto, Endpoint::of(MODEL_INFER), &primary.content_type);
    done(Comparison::new(wire_format, plan(), bounds(), primary, shadow).step(&mut usize::MAX.clone()))
}

#[test]
fn triton() {
    check(&[
        (recorded!("triton/bf16-far-grpc"), "number at outputs[0].data[0]"),
        (recorded!("triton/bf16-near-grpc"), "equivalent"),
        (recorded!("triton/bool-changed-grpc"), "boolean at outputs[0].data[1]"),
        (recorded!("triton/bytes-changed-grpc"), "text at outputs[0].data[2]"),
        (recorded!("triton/fp16-far-grpc"), "number at outputs[0].data[0]"),
        (recorded!("triton/fp16-near-grpc"), "equivalent"),
        (recorded!("triton/fp32-empty-grpc"), "equivalent"),
        (recorded!("triton/fp32-far-grpc"), "number at outputs[0].data[3]"),
        (recorded!("triton/fp32-long-far-grpc"), "number at outputs[0].data[1023]"),
        (recorded!("triton/fp32-near-grpc"), "equivalent"),
        (recorded!("triton/fp32-special-grpc"), "equivalent"),
        (recorded!("triton/fp64-far-grpc"), "number at outputs[0].data[1]"),
        (recorded!("triton/fp64-near-grpc"), "equivalent"),
        (recorded!("triton/int16-changed-grpc"), "number at outputs[0].data[3]"),
        (recorded!("triton/int32-changed-grpc"), "number at outputs[0].data[3]"),
        (recorded!("triton/int32-shape-grpc"), "shape at outputs[0].shape"),
        (recorded!("triton/int64-changed-grpc"), "number at outputs[0].data[3]"),
        (recorded!("triton/int8-changed-grpc"), "number at outputs[0].data[3]"),
        (recorded!("triton/species-batch-grpc"), "text at outputs[1].data[1]"),
        (recorded!("triton/species-classification-grpc"), "text at outputs[0].data[0]"),
        (recorded!("triton/species-flipped-grpc"), "text at outputs[1].data[0]"),
        (recorded!("triton/species-same-grpc"), "number at outputs[0].data[0]"),
        (recorded!("triton/uint16-changed-grpc"), "number at outputs[0].data[3]"),
        (recorded!("triton/uint32-changed-grpc"), "number at outputs[0].data[3]"),
        (recorded!("triton/uint64-changed-grpc"), "number at outputs[0].data[3]"),
        (recorded!("triton/uint8-changed-grpc"), "number at outputs[0].data[3]"),
    ]);
}

#[test]
fn mlserver() {
    check(&[
        (recorded!("mlserver/digits-agree-grpc-raw"), "number at outputs[1].data[0]"),
        (recorded!("mlserver/digits-agree-grpc"), "number at outputs[1].data[0]"),
        (recorded!("mlserver/digits-batch-grpc-raw"), "number at outputs[0].data[2]"),
        (recorded!("mlserver/digits-batch-grpc"), "number at outputs[0].data[2]"),
        (recorded!("mlserver/digits-flipped-grpc-raw"), "number at outputs[0].data[0]"),
        (recorded!("mlserver/digits-flipped-grpc"), "number at outputs[0].data[0]"),
        (recorded!("mlserver/digits-label-flipped-grpc-raw"), "number at outputs[0].data[0]"),
        (recorded!("mlserver/digits-label-flipped-grpc"), "number at outputs[0].data[0]"),
        (recorded!("mlserver/digits-label-same-grpc-raw"), "equivalent"),
        (recorded!("mlserver/digits-label-same-grpc"), "equivalent"),
        (recorded!("mlserver/digits-scores-grpc-raw"), "number at outputs[0].data[0]"),
        (recorded!("mlserver/digits-scores-grpc"), "number at outputs[0].data[0]"),
        (recorded!("mlserver/digits-unsure-grpc-raw"), "number at outputs[1].data[0]"),
        (recorded!("mlserver/digits-unsure-grpc"), "number at outputs[1].data[0]"),
        (recorded!("mlserver/size-agree-grpc-raw"), "number at outputs[0].data[0]"),
        (recorded!("mlserver/size-agree-grpc"), "number at outputs[0].data[0]"),
        (recorded!("mlserver/words-agree-grpc-raw"), "number at outputs[1].data[0]"),
        (recorded!("mlserver/words-agree-grpc"), "number at outputs[1].data[0]"),
        (recorded!("mlserver/words-flipped-grpc-raw"), "text at outputs[0].data[0]"),
        (recorded!("mlserver/words-flipped-grpc"), "text at outputs[0].data[0]"),
        (recorded!("mlserver/words-label-flipped-grpc-raw"), "text at outputs[0].data[0]"),
        (recorded!("mlserver/words-label-flipped-grpc"), "text at outputs[0].data[0]"),
        (recorded!("mlserver/words-label-same-grpc-raw"), "equivalent"),
        (recorded!("mlserver/words-label-same-grpc"), "equivalent"),
    ]);
}

/// A name, and the answers of both versions of a model.
type Recorded = (&'static str, &'static [u8], &'static [u8]);

fn check(pairs: &[(Recorded, &str)]) {
    for ((name, primary, shadow), want) in pairs {
        let report = compare(grpc(primary, ""), grpc(shadow, ""));
        assert_eq!(say(&report.judgement), *want, "{name}");
        let version = |version: &str| Facts { model_version: Some(version.to_owned()), ..Facts::default() };
        assert_eq!((report.primary, report.shadow), (version("1"), version("2")), "{name}");
    }
}

#[test]
fn compressed_by_triton() {
    for ((name, primary, shadow), encoding) in
        [(recorded!("triton/species-grpc-gzip"), "gzip"), (recorded!("triton/species-grpc-deflate"), "deflate")]
    {
        let judge = |primary, shadow| say(&compare(primary, shadow).judgement);
        assert_eq!(judge(grpc(primary, encoding), grpc(shadow, encoding)), "text at outputs[1].data[1]", "{name}");
        assert_eq!(judge(grpc(primary, encoding), grpc(primary, encoding)), "identical", "{name}");
        // One of the two compressed: the same message.
        let plain = body!("triton/species-batch-grpc", "baseline");
        assert_eq!(judge(grpc(plain, ""), grpc(primary, encoding)), "equivalent", "{name}");
        assert_eq!(judge(grpc(plain, ""), grpc(primary, "snappy")), "Shadow: unknown content coding", "{name}");
    }
}

#[test]
fn over_grpc_and_http_tensors_are_the_same() {
    for (name, grpc_body, http_body, head) in [
        both_ways!("triton/bool-changed-grpc", "triton/bool-changed-json"),
        both_ways!("triton/bool-changed-grpc", "triton/bool-changed-binary"),
        both_ways!("triton/bytes-changed-grpc", "triton/bytes-changed-json"),
        both_ways!("triton/bytes-changed-grpc", "triton/bytes-changed-binary"),
        both_ways!("triton/fp32-empty-grpc", "triton/fp32-empty-json"),
        both_ways!("triton/fp32-empty-grpc", "triton/fp32-empty-binary"),
        both_ways!("triton/fp32-near-grpc", "triton/fp32-near-json"),
        both_ways!("triton/fp32-near-grpc", "triton/fp32-near-binary"),
        both_ways!("triton/fp32-long-far-grpc", "triton/fp32-long-far-json"),
        both_ways!("triton/fp32-long-far-grpc", "triton/fp32-long-far-binary"),
        both_ways!("triton/fp64-near-grpc", "triton/fp64-near-json"),
        both_ways!("triton/fp64-near-grpc", "triton/fp64-near-binary"),
        both_ways!("triton/int8-changed-grpc", "triton/int8-changed-json"),
        both_ways!("triton/int8-changed-grpc", "triton/int8-changed-binary"),
        both_ways!("triton/int16-changed-grpc", "triton/int16-changed-json"),
        both_ways!("triton/int16-changed-grpc", "triton/int16-changed-binary"),
        both_ways!("triton/int32-changed-grpc", "triton/int32-changed-json"),
        both_ways!("triton/int32-changed-grpc", "triton/int32-changed-binary"),
        both_ways!("triton/int32-shape-grpc", "triton/int32-shape-json"),
        both_ways!("triton/int32-shape-grpc", "triton/int32-shape-binary"),
        both_ways!("triton/int64-changed-grpc", "triton/int64-changed-json"),
        both_ways!("triton/int64-changed-grpc", "triton/int64-changed-binary"),
        both_ways!("triton/uint8-changed-grpc", "triton/uint8-changed-json"),
        both_ways!("triton/uint8-changed-grpc", "triton/uint8-changed-binary"),
        both_ways!("triton/uint16-changed-grpc", "triton/uint16-changed-json"),
        both_ways!("triton/uint16-changed-grpc", "triton/uint16-changed-binary"),
        both_ways!("triton/uint32-changed-grpc", "triton/uint32-changed-json"),
        both_ways!("triton/uint32-changed-grpc", "triton/uint32-changed-binary"),
        both_ways!("triton/uint64-changed-grpc", "triton/uint64-changed-json"),
        both_ways!("triton/uint64-changed-grpc", "triton/uint64-changed-binary"),
        both_ways!("triton/species-batch-grpc", "triton/species-batch-json"),
        both_ways!("triton/species-batch-grpc", "triton/species-batch-binary"),
        both_ways!("triton/species-classification-grpc", "triton/species-classification-json"),
        both_ways!("triton/species-classification-grpc", "triton/species-classification-binary"),
        both_ways!("triton/fp16-near-grpc", "triton/fp16-near-binary"),
        both_ways!("triton/bf16-near-grpc", "triton/bf16-near-binary"),
        both_ways!("triton/fp32-special-grpc", "triton/fp32-special-binary"),
        both_ways!("mlserver/digits-batch-grpc", "mlserver/digits-batch-json"),
        both_ways!("mlserver/digits-batch-grpc-raw", "mlserver/digits-batch-json"),
        both_ways!("mlserver/digits-scores-grpc", "mlserver/digits-scores-json"),
        both_ways!("mlserver/digits-scores-grpc-raw", "mlserver/digits-scores-json"),
        both_ways!("mlserver/size-agree-grpc", "mlserver/size-agree-json"),
        both_ways!("mlserver/size-agree-grpc-raw", "mlserver/size-agree-json"),
        both_ways!("mlserver/words-flipped-grpc", "mlserver/words-flipped-json"),
        both_ways!("mlserver/words-flipped-grpc-raw", "mlserver/words-flipped-json"),
        both_ways!("mlserver/words-label-same-grpc", "mlserver/words-label-same-json"),
        both_ways!("mlserver/words-label-same-grpc-raw", "mlserver/words-label-same-json"),
    ] {
        let length = head.lines().find_map(|line| line.strip_prefix("inference-header-content-length: ")).unwrap_or_default();
        let answer = grpc(grpc_body, "");
        let body = |answer: &Answer| answer.body.clone().unwrap();
        let over_grpc = whole(ModelInferReader::new(&answer, body(&answer), bounds()));
        let over_http = whole(OpenInferenceReader::new(body(&self::answer(http_body)), length.as_bytes()));
        for (primary, shadow) in [(&over_grpc, &over_http), (&over_http, &over_grpc)] {
            let judgement = done(OutputsJudge::new(plan()).step(Sides { primary, shadow }, &mut usize::MAX.clone()));
            assert_eq!(say(&judgement), "equivalent", "{name}");
        }
        assert_eq!(over_grpc.facts, over_http.facts, "{name}");
    }
}

fn whole(mut reader: impl Reader) -> Content {
    done(reader.step(&mut usize::MAX.clone())).unwrap()
}
