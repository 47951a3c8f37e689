//! Changes the model in a gRPC `ModelInfer` request of the Open Inference Protocol.
//!
//! The body is one `ModelInferRequest`. Its field 1 is the name of the model. A body is not changed if it is compressed or malformed, has
//! several messages, or names no model.

use core::task::Poll;
use std::ops::Range;

use super::cut::Cut;
use crate::grpc::Frame;
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
pub struct ModelName {
    /// The offset of the next field.
    at: usize,
    /// The offsets of the field with the name. If there are several, which protobuf allows, the last one counts.
    found: Option<Range<usize>>,
}

impl ModelName {
    /// Returns the cuts in `body` for a copy that names `model`. `Pending` means that the budget was used up and the caller has to call
    /// again.
    pub fn step(&mut self, body: &[u8], model: &str, budget: &mut usize) -> Poll<Vec<Cut>> {
        if self.at == 0 {
            let Ok(Frame { compressed: false, message }) = grpc::unary(body) else { return Poll::Ready(Vec::new()) };
            self.at = message.start;
        }
        while self.at < body.len() {
            if *budget == 0 {
                return Poll::Pending;
            }
            *budget = budget.saturating_sub(FIELD);
            let Ok((field, end)) = protobuf::field(body, self.at) else { return Poll::Ready(Vec::new()) };
            if field.number == MODEL_NAME && matches!(field.value, Value::Bytes(_)) {
                self.found = Some(self.at..end);
            }
            self.at = end;
        }
        Poll::Ready(self.found.take().and_then(|place| cuts(body, place, model)).unwrap_or_default())
    }
}

/// Returns the cuts that replace the field at `place` by one with `model`, and adapt the length of the message; `None` if the message gets
/// too long.
fn cuts(body: &[u8], place: Range<usize>, model: &str) -> Option<Vec<Cut>> {
    let mut with = vec![TAG];
    let mut rest = model.len();
    while rest >= 0x80 {
        with.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    with.push(rest as u8);
    with.extend_from_slice(model.as_bytes());
    let length = body.len().saturating_sub(grpc::HEAD).saturating_sub(place.len()).saturating_add(with.len());
    let length = u32::try_from(length).ok()?.to_be_bytes();
    Some(vec![Cut { place: 1..grpc::HEAD, with: length.to_vec() }, Cut { place, with }])
}
