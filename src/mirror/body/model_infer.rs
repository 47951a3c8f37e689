//! Another model in a gRPC `ModelInfer` request of the Open Inference Protocol.
//!
//! The body is one length-prefixed message, a `ModelInferRequest`, whose field 1 is the name of the model. The reader below knows of protobuf
//! only how to pass from one field to the next. A compressed message, several of them, what is malformed, and a request that names no
//! model, are left as they are.

use std::ops::Range;

use super::Cut;
use crate::request::{Request, is_grpc};

const PATH: &[u8] = b"/inference.GRPCInferenceService/ModelInfer";

/// `model_name` in `ModelInferRequest`.
const MODEL_NAME: u64 = 1;

/// Bytes before a message: one that says whether it is compressed, and its length.
const PREFIX: usize = 5;

/// What reading one field costs, in bytes read.
const FIELD: usize = 8;

/// Whether `request` is a `ModelInfer` call.
pub fn is_model_infer(request: &Request) -> bool {
    request.path() == PATH && is_grpc(request.header("content-type").unwrap_or_default())
}

/// A search for the name of the model, as far as it has come.
#[derive(Debug, Default)]
pub struct ModelName {
    /// Where the next field begins.
    at: usize,
    /// The length and bytes of the name: of several, which protobuf allows, the last one counts.
    found: Option<Range<usize>>,
}

impl ModelName {
    /// What to cut out of `body` for a copy to `model`; `None` when `budget` was not enough.
    pub fn step(&mut self, body: &[u8], model: &str, budget: &mut usize) -> Option<Vec<Cut>> {
        if self.at == 0 {
            if !is_one_message(body) {
                return Some(Vec::new());
            }
            self.at = PREFIX;
        }
        while self.at < body.len() {
            if *budget == 0 {
                return None;
            }
            *budget = budget.saturating_sub(FIELD);
            let Some(field) = Field::read(body, self.at) else { return Some(Vec::new()) };
            if field.number == MODEL_NAME && field.is_bytes {
                self.found = Some(field.value.clone());
            }
            self.at = field.value.end;
        }
        Some(self.found.take().and_then(|place| cuts(body, place, model)).unwrap_or_default())
    }
}

/// Whether `body` is one message that is not compressed.
fn is_one_message(body: &[u8]) -> bool {
    match body.split_at_checked(PREFIX) {
        Some(([0, length @ ..], message)) => u32::try_from(message.len()).is_ok_and(|found| length == found.to_be_bytes()),
        _ => false,
    }
}

/// `model` in `place`, and the length that the message has then; `None` if it would be too long.
fn cuts(body: &[u8], place: Range<usize>, model: &str) -> Option<Vec<Cut>> {
    let mut with = Vec::new();
    let mut rest = model.len();
    while rest >= 0x80 {
        with.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    with.push(rest as u8);
    with.extend_from_slice(model.as_bytes());
    let length = body.len().saturating_sub(PREFIX).saturating_sub(place.len()).saturating_add(with.len());
    let length = u32::try_from(length).ok()?.to_be_bytes();
    Some(vec![Cut { place: 1..PREFIX, with: length.to_vec() }, Cut { place, with }])
}

/// A field of a message.
struct Field {
    number: u64,
    /// Whether it is a string, bytes or a message: something with a length.
    is_bytes: bool,
    /// Its value, with its length if it has one.
    value: Range<usize>,
}

impl Field {
    /// The field that begins at `at`; `None` if it is malformed or goes over the end. (Groups are no longer in use and not understood.)
    fn read(body: &[u8], at: usize) -> Option<Self> {
        let (tag, start) = varint(body, at)?;
        let number = Some(tag >> 3).filter(|number| (1..1 << 29).contains(number))?;
        let end = match tag & 7 {
            0 => varint(body, start)?.1,
            1 => start.checked_add(8)?,
            2 => {
                let (length, start) = varint(body, start)?;
                start.checked_add(usize::try_from(length).ok()?)?
            }
            5 => start.checked_add(4)?,
            _ => return None,
        };
        (end <= body.len()).then_some(Self { number, is_bytes: tag & 7 == 2, value: start..end })
    }
}

/// The number at `at`, and where it ends.
fn varint(body: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for (index, byte) in body.get(at..)?.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        let shift = u32::try_from(index).ok()?.checked_mul(7)?;
        number |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte & 0x80 == 0 {
            return Some((number, at.checked_add(index)?.checked_add(1)?));
        }
    }
    None
}
