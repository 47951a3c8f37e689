//! The Open Inference Protocol over gRPC: reads the answer to `ModelInfer`.
//!
//! The body is one message, perhaps compressed; the message is a `ModelInferResponse` (see [`response`]). Its tensors and the version of
//! the model count. Its id, the model's name and its parameters do not; those of a
//! tensor are left unread. Tensors stay where they are, in raw contents or in typed ones (see
//! [`crate::compare::part::typed_contents`]), and are checked there (`check`).

mod check;
pub mod response;
#[cfg(test)]
mod tests;

use core::mem;
use core::ops::Range;
use core::task::{Poll, ready};

use crate::capture::{Body, Capture};
use crate::compare::answer::{Answer, Unread};
use crate::compare::part::content::{Content, Facts, Parts};
use crate::compare::read::open_inference_grpc::response::ResponseReader;
use crate::compare::read::reader::{Bounds, Reader};
use crate::encoding::Decoder;
use crate::fault::Fault;
use crate::grpc;
use crate::json::tape::{Document, Tape};

/// Reads an answer to `ModelInfer`.
#[derive(Debug)]
pub struct ModelInferReader {
    /// What holds the message.
    body: Body,
    bounds: Bounds,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nothing has been looked at. With `grpc-encoding`.
    New(Vec<u8>),
    /// The message, at this place, is being decompressed.
    Decode(Range<usize>, Decoder, Capture),
    /// It is being read.
    Read(ResponseReader),
}

impl ModelInferReader {
    /// Of the body of `answer`.
    pub fn new(answer: &Answer, body: Body, bounds: Bounds) -> Self {
        Self { body, bounds, stage: Stage::New(answer.grpc_encoding.clone()) }
    }

    /// What the head of the message says is to be done.
    fn begin(&self, encoding: &[u8]) -> Result<Stage, Fault> {
        let frame = grpc::unary(self.body.bytes())?;
        if !frame.compressed {
            return Ok(Stage::Read(ResponseReader::new(frame.message.start, frame.message.end)));
        }
        let decoder = Decoder::new(encoding)?.ok_or("a compressed gRPC message without grpc-encoding")?;
        Ok(Stage::Decode(frame.message, decoder, Capture::new(&self.bounds.ledger)))
    }
}

impl Reader for ModelInferReader {
    fn step(&mut self, budget: &mut usize) -> Poll<Result<Content, Fault>> {
        while *budget > 0 {
            match &mut self.stage {
                Stage::New(encoding) => {
                    let encoding = mem::take(encoding);
                    self.stage = self.begin(&encoding)?;
                }
                Stage::Decode(place, decoder, decoded) => {
                    let message = self.body.bytes().get(place.clone()).unwrap_or_default();
                    let limit = self.bounds.body;
                    let mut keep = |piece: &[u8]| decoded.push(piece, limit).map_err(|overflow| Unread::Overflow(overflow).reason());
                    ready!(decoder.step(message, budget, &mut keep))?;
                    let decoded = mem::replace(decoded, Capture::new(&self.bounds.ledger));
                    self.body = decoded.into_body().map_err(|overflow| Unread::Overflow(overflow).reason())?;
                    self.stage = Stage::Read(ResponseReader::new(0, self.body.bytes().len()));
                }
                Stage::Read(reader) => {
                    let response = ready!(reader.step(self.body.bytes(), budget))?;
                    let document = Document { body: self.body.clone(), tape: Tape::default() };
                    let facts = Facts { model_version: response.model_version, ..Facts::default() };
                    return Poll::Ready(Ok(Content {
                        document,
                        parts: Parts::Tensors(response.outputs),
                        facts,
                        leftovers: response.leftovers,
                    }));
                }
            }
        }
        Poll::Pending
    }
}
