//! Checks the data of tensors in gRPC answers against shape and datatype.
//!
//! Raw contents are what the protocol has over HTTP as binary data: elements in a row. Typed contents are an `InferTensorContents` message
//! with a list of numbers, strings or booleans for each group of datatypes. A list of numbers may be packed into one run, which all writers
//! do, or into several, or each number may be a field of its own; readers have to take any mixture. One run of FP32 or FP64 is the same
//! bytes as raw contents, and taken for such.

use core::task::{Poll, ready};

use crate::compare::part::binary::Lengths;
use crate::compare::part::tensor::{COUNT, Data, Datatype, Range, Tensor};
use crate::compare::part::typed_contents;
use crate::compare::part::typed_contents::{TYPED, field_of};
use crate::fault::Fault;
use crate::protobuf::{Field, Fields, Value};

/// What reading a field costs, in bytes touched.
pub const FIELD: usize = 8;

/// What passing an element costs, in bytes touched.
const ELEMENT: usize = 4;

/// Most fields in typed contents that hold no element: unknown ones, and empty runs. The next element must be near.
const MAX_FOREIGN: u32 = 64;

const OTHER: Fault = "an output's contents are not of its datatype";

/// Checks that a tensor's data is what its shape and datatype ask for.
#[derive(Debug)]
pub struct TensorCheck {
    tensor: Tensor,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nothing has been looked at.
    Begin,
    /// The fields of typed contents are being read.
    Fields(Fields, Found),
    /// The lengths of raw `BYTES` are being read.
    Strings(Lengths),
    /// Typed elements are being counted, as far as `at`; see [`typed_contents::next`] for `rest`.
    Elements { rest: Range, at: usize, left: u64 },
}

/// What the fields of typed contents are.
#[derive(Debug, Default)]
struct Found {
    /// How many hold elements.
    own: usize,
    /// How many hold none.
    foreign: u32,
    /// The last packed run.
    run: Option<Range>,
}

impl TensorCheck {
    /// Of this tensor, whose data is binary or typed contents.
    pub fn new(tensor: Tensor) -> Self {
        Self { tensor, stage: Stage::Begin }
    }

    /// Does a little, and pays for it. Ready with the tensor once it is checked; `Pending`: call again.
    ///
    /// # Errors
    /// If the data is malformed, or not what shape and datatype ask for.
    pub fn step(&mut self, body: &[u8], budget: &mut usize) -> Poll<Result<Tensor, Fault>> {
        ready!(self.turn(body, budget))?;
        Poll::Ready(Ok(self.tensor.clone()))
    }

    fn turn(&mut self, body: &[u8], budget: &mut usize) -> Poll<Result<(), Fault>> {
        match &mut self.stage {
            Stage::Begin => self.begin(budget),
            Stage::Fields(fields, found) => {
                *budget = budget.saturating_sub(FIELD);
                if let Some(field) = fields.next(body)? {
                    found.take(field, self.tensor.datatype)?;
                    return Poll::Pending;
                }
                let found = core::mem::take(found);
                self.after_fields(found, budget)
            }
            Stage::Strings(lengths) => lengths.step(body, budget),
            Stage::Elements { rest, at, left } => {
                *budget = budget.saturating_sub(ELEMENT);
                if typed_contents::next(body, rest, at, self.tensor.datatype)?.is_some() {
                    *left = left.checked_sub(1).ok_or(COUNT)?;
                    return Poll::Pending;
                }
                Poll::Ready(if *left == 0 { Ok(()) } else { Err(COUNT) })
            }
        }
    }

    /// Begins the check that the data asks for. Ready if there is none.
    fn begin(&mut self, budget: &mut usize) -> Poll<Result<(), Fault>> {
        *budget = budget.saturating_sub(FIELD);
        let elements = self.tensor.elements();
        match (self.tensor.data, self.tensor.datatype.width()) {
            (Data::Binary(place), Some(width)) => {
                let length = place.end.saturating_sub(place.start) as u64;
                return Poll::Ready(if elements.saturating_mul(width as u64) == length { Ok(()) } else { Err(COUNT) });
            }
            (Data::Binary(place), None) => self.stage = Stage::Strings(Lengths::new(place, elements)),
            (Data::Contents(place), _) if elements == 0 || field_of(self.tensor.datatype).is_some() => {
                self.stage = Stage::Fields(Fields { at: place.start, end: place.end }, Found::default());
            }
            _ => return Poll::Ready(Err("16-bit floats outside raw contents")),
        }
        Poll::Pending
    }

    /// Begins the check that the fields of typed contents ask for. Ready if there is none.
    fn after_fields(&mut self, found: Found, budget: &mut usize) -> Poll<Result<(), Fault>> {
        if let Some(run) = found.run.filter(|_| found.own == 1 && self.tensor.datatype.is_float()) {
            self.tensor.data = Data::Binary(run);
        }
        let Data::Contents(place) = self.tensor.data else { return self.begin(budget) };
        self.stage = Stage::Elements { rest: place, at: place.start, left: self.tensor.elements() };
        Poll::Pending
    }
}

impl Found {
    /// Takes in a field of the contents of a tensor of `datatype`.
    fn take(&mut self, field: Field, datatype: Datatype) -> Result<(), Fault> {
        let is_own = Some(field.number) == field_of(datatype);
        let is_number = datatype != Datatype::Bytes;
        match field.value {
            Value::Bytes(run) if is_own && is_number && !run.is_empty() => self.run = Some(Range { start: run.start, end: run.end }),
            Value::Bytes(_) if is_own && !is_number => {}
            Value::Varint(_) if is_own && is_number && !datatype.is_float() => {}
            Value::Four(_) if is_own && datatype == Datatype::Fp32 => {}
            Value::Eight(_) if is_own && datatype == Datatype::Fp64 => {}
            Value::Bytes(run) if !is_own && TYPED.contains(&field.number) && !run.is_empty() => return Err(OTHER),
            _ if self.foreign >= MAX_FOREIGN => return Err("too many fields without elements in an output's contents"),
            _ => {
                self.foreign = self.foreign.saturating_add(1);
                return Ok(());
            }
        }
        self.own = self.own.saturating_add(1);
        Ok(())
    }
}
