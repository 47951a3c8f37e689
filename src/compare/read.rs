//! Whoever turns an answer into content.
//!
//! [`wire_format`] says how the answers of a pair are read, [`unpack`] undoes content codings and joins streams, and then one [`reader`]
//! reads each: [`any_json`], [`kserve_v1`], [`open_inference`], [`open_inference_grpc`] or [`openai`]. Several of them tell a `version`.
//! [`error_inside`] looks at the beginning of an answer alone.

use crate::capture::{Body, Bounds};
use crate::compare::answer::Answer;
use crate::compare::read::reader::Reader;
use crate::json::document::DocumentReader;

pub mod any_json;
pub mod error_inside;
pub mod kserve_v1;
pub mod mistake;
pub mod open_inference;
pub mod open_inference_grpc;
pub mod openai;
pub mod reader;
pub mod unpack;
mod version;
pub mod wire_format;

use any_json::AnyJsonReader;
use kserve_v1::KserveV1Reader;
use open_inference::OpenInferenceReader;
use open_inference_grpc::ModelInferReader;
use openai::OpenAiReader;
use wire_format::WireFormat;

/// What reads the body of `answer` in `wire_format`.
pub fn reader_of(wire_format: WireFormat, answer: &Answer, body: Body, bounds: &Bounds) -> Box<dyn Reader> {
    match wire_format {
        WireFormat::OpenAi => Box::new(OpenAiReader::new(body)),
        WireFormat::OpenInference => Box::new(OpenInferenceReader::new(body, &answer.inference_header_length)),
        WireFormat::OpenInferenceGrpc => Box::new(ModelInferReader::new(answer, body, bounds.clone())),
        WireFormat::KserveV1 => Box::new(KserveV1Reader::new(body)),
        WireFormat::Json | WireFormat::Opaque => Box::new(AnyJsonReader(DocumentReader::whole(body))),
    }
}
