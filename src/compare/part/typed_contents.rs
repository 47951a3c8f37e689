//! Elements in typed contents: an `InferTensorContents` message of the Open Inference Protocol over gRPC.

use crate::compare::part::binary;
use crate::compare::part::element::Element;
use crate::compare::part::tensor::{Datatype, Range};
use crate::fault::Fault;
use crate::protobuf::{Field, Value, field, varint};

const CUT: Fault = "an output's data is cut off within an element";

/// The fields of `InferTensorContents`.
pub const TYPED: core::ops::RangeInclusive<u32> = 1..=8;

/// The field of `InferTensorContents` that holds elements of `datatype`. 16-bit floats have none.
pub fn field_of(datatype: Datatype) -> Option<u32> {
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
/// `at` is where the next element is. `rest` is the part of the message behind the packed run that `at` is in; at first, and between
/// fields, it begins at `at`. Both are moved on.
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
