//! Another model in a gRPC `ModelInfer` request of the Open Inference Protocol.
//!
//! The body is one message, a `ModelInferRequest`, whose field 1 is the name of the model. A compressed message, several of them, what is
//! malformed, and a request that names no model, are left as they are.

use core::task::Poll;
use std::ops::Range;

use super::cut::Cut;
use crate::grpc::Frame;
use crate::http::{MODEL_INFER, Request, is_grpc};
use crate::protobuf::Value;
use crate::{grpc, protobuf};

/// `model_name` in `ModelInferRequest`.
const MODEL_NAME: u32 = 1;

/// What that field begins with: its number, and that bytes follow.
const TAG: u8 = 0x0a;

/// What reading one field costs, in bytes read.
const FIELD: usize = 8;

/// Whether `request` is a `ModelInfer` call.
pub fn is_model_infer(request: &Request) -> bool {
    request.path() == MODEL_INFER && is_grpc(request.header("content-type").unwrap_or_default())
}

/// A search for the name of the model, as far as it has come.
#[derive(Debug, Default)]
pub struct ModelName {
    /// Where the next field begins.
    at: usize,
    /// The field with the name: of several, which protobuf allows, the last one counts.
    found: Option<Range<usize>>,
}

impl ModelName {
    /// What to cut out of `body` for a copy to `model`. `Pending`: the budget was not enough; call again.
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

/// A field with `model` in `place`, and the length that the message has then; `None` if it would be too long.
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
