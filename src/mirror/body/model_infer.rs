//! Changes the model in a gRPC `ModelInfer` request of the Open Inference Protocol.
//!
//! The body is one `ModelInferRequest`. Its field 1 is the name of the model. A compressed message is decompressed, and stays so in the
//! copy. A message that names no model is left as it is.

use core::task::{Poll, ready};
use std::ops::Range;

use super::cut::{Cut, length_after};
use super::obstacle::Obstacle;
use crate::capture::{Body, Bounds, Overflow};
use crate::encoding::Decoder;
use crate::encoding::decoding::Decoding;
use crate::http::{MODEL_INFER, Request, is_grpc};
use crate::protobuf::Value;
use crate::{grpc, protobuf};

/// `model_name` in `ModelInferRequest`.
const MODEL_NAME: u32 = 1;

/// The tag of the field `model_name`: its number, and wire type 2.
const TAG: u8 = 0x0a;

/// Cost of reading one field, in bytes of a budget.
const FIELD: usize = 8;

/// Whether `request` is a `ModelInfer` call.
pub fn is_model_infer(request: &Request) -> bool {
    request.path() == MODEL_INFER && is_grpc(request.header("content-type").unwrap_or_default())
}

/// The unfinished search for the name of the model.
#[derive(Debug, Default)]
pub enum ModelName {
    /// Nothing has been looked at.
    #[default]
    New,
    /// The message is being decompressed.
    Decoding(Decoding),
    /// Its fields are being read.
    Reading(Search),
}

/// The unfinished search in a message.
#[derive(Debug)]
pub struct Search {
    /// What holds the message.
    body: Body,
    /// The offset of the message: behind its head, or 0 for one that was decompressed.
    start: usize,
    /// The offset of the next field.
    at: usize,
    /// The offsets of the field with the name. If there are several, which protobuf allows, the last one counts.
    found: Option<Range<usize>>,
}

impl ModelName {
    /// Returns the cuts for a copy of `request` that names `model`, and the body that they are to be made in: `body`, which is `request`'s
    /// without content codings, or the message of it without compression. `Pending` means that the budget was used up and the caller has to
    /// call again.
    ///
    /// # Errors
    /// If `body` is not one whole message, or can't be decompressed within `bounds`.
    pub fn step(
        &mut self,
        request: &Request,
        body: &Body,
        model: &str,
        bounds: &Bounds,
        budget: &mut usize,
    ) -> Poll<Result<(Body, Vec<Cut>), Obstacle>> {
        loop {
            match self {
                ModelName::New => *self = Self::begun(request, body, bounds)?,
                ModelName::Decoding(decoding) => *self = Self::reading(ready!(decoding.step(budget))?, 0),
                ModelName::Reading(search) => {
                    ready!(search.step(budget))?;
                    return Poll::Ready(search.cuts(model).map(|cuts| (search.body.clone(), cuts)));
                }
            }
        }
    }

    fn begun(request: &Request, body: &Body, bounds: &Bounds) -> Result<Self, Obstacle> {
        let frame = grpc::unary(body.bytes())?;
        if !frame.compressed {
            return Ok(Self::reading(body.clone(), frame.message.start));
        }
        let decoder = Decoder::new(request.header("grpc-encoding").unwrap_or_default())?.ok_or(grpc::NO_ENCODING)?;
        Ok(ModelName::Decoding(Decoding::new(decoder, body.clone(), frame.message, bounds)))
    }

    fn reading(body: Body, start: usize) -> Self {
        ModelName::Reading(Search { body, start, at: start, found: None })
    }
}

impl Search {
    /// Reads the fields. Ready once all of them are read.
    fn step(&mut self, budget: &mut usize) -> Poll<Result<(), Obstacle>> {
        let body = self.body.bytes();
        while self.at < body.len() {
            if *budget == 0 {
                return Poll::Pending;
            }
            *budget = budget.saturating_sub(FIELD);
            let (field, end) = protobuf::field(body, self.at)?;
            if field.number == MODEL_NAME && matches!(field.value, Value::Bytes(_)) {
                self.found = Some(self.at..end);
            }
            self.at = end;
        }
        Poll::Ready(Ok(()))
    }

    /// Returns the cuts that replace the found field by one with `model`, and give the message a head with its length.
    fn cuts(&self, model: &str) -> Result<Vec<Cut>, Obstacle> {
        let decompressed = self.start == 0;
        let field = self.found.clone().map(|place| Cut { place, with: field(model) });
        if field.is_none() && !decompressed {
            return Ok(Vec::new());
        }
        let field = field.into_iter().collect::<Vec<_>>();
        let length = length_after(self.body.bytes().len().saturating_sub(self.start), &field);
        let length = u32::try_from(length).map_err(|_| Obstacle::Overflow(Overflow::Body))?.to_be_bytes();
        let head = Cut { place: 0..self.start, with: [&[0][..], &length].concat() };
        Ok([vec![head], field].concat())
    }
}

/// Returns the field `model_name` with `model`.
fn field(model: &str) -> Vec<u8> {
    let mut field = vec![TAG];
    let mut rest = model.len();
    while rest >= 0x80 {
        field.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    field.push(rest as u8);
    field.extend_from_slice(model.as_bytes());
    field
}
