//! The data of tensors in gRPC answers: checked against shape and datatype, and typed contents read element by element.
//!
//! Raw contents are what the protocol has over HTTP as binary data: elements in a row. Typed contents are an `InferTensorContents` message
//! with a list of numbers, strings or booleans for each group of datatypes. A list of numbers may be packed into one run, which all writers
//! do, or into several, or each number may be a field of its own; readers have to take any mixture. One run of FP32 or FP64 is the same
//! bytes as raw contents, and taken for such.

use super::response::FIELD;
use crate::compare::content::Fault;
use crate::compare::tensor::binary::{self, Lengths};
use crate::compare::tensor::{COUNT, Data, Datatype, Element, Range, Tensor};
use crate::protobuf::{Field, Fields, Value, field, varint};

/// What passing an element costs, in bytes touched.
const ELEMENT: usize = 4;

/// Most fields in typed contents that hold no element: unknown ones, and empty runs. The next element must be near.
const MAX_FOREIGN: u32 = 64;

const OTHER: Fault = "an output's contents are not of its datatype";
const CUT: Fault = "an output's data is cut off within an element";

/// The fields of `InferTensorContents`.
const TYPED: core::ops::RangeInclusive<u32> = 1..=8;

/// The field of `InferTensorContents` that holds elements of `datatype`. 16-bit floats have none.
fn field_of(datatype: Datatype) -> Option<u32> {
    Some(match datatype {
        Datatype::Bool => 1,
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 => 2,
        Datatype::Int64 => 3,
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 => 4,
        Datatype::Uint64 => 5,
        Datatype::Fp32 => 6,
        Datatype::Fp64 => 7,
        Datatype::Bytes => 8,
        Datatype::Fp16 | Datatype::Bf16 => return None,
    })
}

/// The next element of `datatype` in typed contents, which are in `body`; `None` behind the last one.
///
/// `rest` is what of the message lies behind the packed run that `at` is in; at first, and between fields, it begins at `at`. Both are
/// moved on.
///
/// # Errors
/// If the contents are malformed, or the element does not fit its datatype.
#[inline]
pub fn next<'a>(body: &'a [u8], rest: &mut Range, at: &mut usize, datatype: Datatype) -> Result<Option<Element<'a>>, Fault> {
    let own = field_of(datatype);
    loop {
        if *at < rest.start {
            let (element, end) = packed(body.get(..rest.start).unwrap_or_default(), *at, datatype)?;
            *at = end;
            return Ok(Some(element));
        }
        if *at >= rest.end {
            return Ok(None);
        }
        let (Field { number, value }, end) = field(body.get(..rest.end).unwrap_or_default(), *at)?;
        rest.start = end;
        *at = end;
        let element = match value {
            _ if Some(number) != own => continue,
            Value::Bytes(place) if datatype == Datatype::Bytes => Element::Bytes(body.get(place).unwrap_or_default()),
            Value::Bytes(run) => {
                *at = run.start;
                continue;
            }
            Value::Varint(number) if !datatype.is_float() && datatype != Datatype::Bytes => whole(number, datatype)?,
            Value::Four(place) if datatype == Datatype::Fp32 => packed(body, place.start, datatype)?.0,
            Value::Eight(place) if datatype == Datatype::Fp64 => packed(body, place.start, datatype)?.0,
            _ => continue,
        };
        return Ok(Some(element));
    }
}

/// The number at `at` in a run of them that ends where `bytes` do, and where it ends.
fn packed(bytes: &[u8], at: usize, datatype: Datatype) -> Result<(Element<'_>, usize), Fault> {
    if datatype.is_float() {
        return binary::element(bytes, at, datatype).ok_or(CUT);
    }
    let (number, end) = varint(bytes, at)?;
    Ok((whole(number, datatype)?, end))
}

/// What a number on the wire is as an element: readers of 32-bit fields drop the upper half, and any number but 0 is true.
fn whole(number: u64, datatype: Datatype) -> Result<Element<'static>, Fault> {
    let (signed, unsigned) = (number as i32, number as u32);
    let (value, fits): (i128, bool) = match datatype {
        Datatype::Bool => return Ok(Element::Bool(number != 0)),
        Datatype::Int8 => (signed.into(), i8::try_from(signed).is_ok()),
        Datatype::Int16 => (signed.into(), i16::try_from(signed).is_ok()),
        Datatype::Int32 => (signed.into(), true),
        Datatype::Uint8 => (unsigned.into(), u8::try_from(unsigned).is_ok()),
        Datatype::Uint16 => (unsigned.into(), u16::try_from(unsigned).is_ok()),
        Datatype::Uint32 => (unsigned.into(), true),
        Datatype::Int64 => ((number as i64).into(), true),
        _ => (number.into(), true),
    };
    if fits { Ok(Element::Integer(value)) } else { Err("an element does not fit its datatype") }
}

/// Checks that a tensor's data is what its shape and datatype ask for.
#[derive(Debug)]
pub struct Check {
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
    /// Typed elements are being counted, as far as `at`; see [`next`] for `rest`.
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

impl Check {
    /// Of this tensor, whose data is binary or typed contents.
    pub fn new(tensor: Tensor) -> Self {
        Self { tensor, stage: Stage::Begin }
    }

    /// Does a little, and pays for it; the tensor once it is checked.
    ///
    /// # Errors
    /// If the data is malformed, or not what shape and datatype ask for.
    pub fn step(&mut self, body: &[u8], budget: &mut usize) -> Result<Option<Tensor>, Fault> {
        let done = match &mut self.stage {
            Stage::Begin => self.begin(budget)?,
            Stage::Fields(fields, found) => {
                *budget = budget.saturating_sub(FIELD);
                match fields.next(body)? {
                    Some(field) => found.take(field, self.tensor.datatype).map(|()| false)?,
                    None => {
                        let found = core::mem::take(found);
                        self.after_fields(found, budget)?
                    }
                }
            }
            Stage::Strings(lengths) => lengths.step(body, budget)?,
            Stage::Elements { rest, at, left } => {
                *budget = budget.saturating_sub(ELEMENT);
                let is_over = next(body, rest, at, self.tensor.datatype)?.is_none();
                if !is_over {
                    *left = left.checked_sub(1).ok_or(COUNT)?;
                } else if *left > 0 {
                    return Err(COUNT);
                }
                is_over
            }
        };
        Ok(done.then(|| self.tensor.clone()))
    }
}

impl Check {
    /// Takes up what the data asks for; whether nothing is left to be checked.
    fn begin(&mut self, budget: &mut usize) -> Result<bool, Fault> {
        *budget = budget.saturating_sub(FIELD);
        let elements = self.tensor.elements();
        match (self.tensor.data, self.tensor.datatype.width()) {
            (Data::Binary(place), Some(width)) => {
                let length = place.end.saturating_sub(place.start) as u64;
                return if elements.saturating_mul(width as u64) == length { Ok(true) } else { Err(COUNT) };
            }
            (Data::Binary(place), None) => self.stage = Stage::Strings(Lengths::new(place, elements)),
            (Data::Contents(place), _) if elements == 0 || field_of(self.tensor.datatype).is_some() => {
                self.stage = Stage::Fields(Fields { at: place.start, end: place.end }, Found::default());
            }
            _ => return Err("16-bit floats outside raw contents"),
        }
        Ok(false)
    }

    /// Takes up what the fields of typed contents ask for; whether nothing is left to be checked.
    fn after_fields(&mut self, found: Found, budget: &mut usize) -> Result<bool, Fault> {
        if let Some(run) = found.run.filter(|_| found.own == 1 && self.tensor.datatype.is_float()) {
            self.tensor.data = Data::Binary(run);
        }
        let Data::Contents(place) = self.tensor.data else { return self.begin(budget) };
        self.stage = Stage::Elements { rest: place, at: place.start, left: self.tensor.elements() };
        Ok(false)
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
