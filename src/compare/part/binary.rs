//! Tensors in binary form: elements in a row, little-endian, `BYTES` with four bytes of length before each.
//!
//! It reads elements, and checks the lengths of `BYTES` once, so that reading them later can't fail.

use core::task::Poll;

use crate::compare::part::element::Element;
use crate::compare::part::tensor::{COUNT, Datatype, Range};
use crate::fault::Fault;

/// Bytes of length before each element of `BYTES`.
const LENGTH: usize = 4;

/// What looking at one element of `BYTES` costs.
const ELEMENT: usize = 8;

/// The element of `datatype` at `at` in `bytes`, and where it ends; `None` if there is not a whole one.
#[inline]
pub fn element(bytes: &[u8], at: usize, datatype: Datatype) -> Option<(Element<'_>, usize)> {
    let rest = bytes.get(at..)?;
    let Some(width) = datatype.width() else {
        let length = u32::from_le_bytes(*rest.first_chunk()?) as usize;
        let end = at.checked_add(LENGTH)?.checked_add(length)?;
        return Some((Element::Bytes(bytes.get(at.checked_add(LENGTH)?..end)?), end));
    };
    let element = match datatype {
        Datatype::Bool => Element::Bool(*rest.first()? != 0),
        Datatype::Uint8 => Element::Integer(u8::from_le_bytes(*rest.first_chunk()?).into()),
        Datatype::Uint16 => Element::Integer(u16::from_le_bytes(*rest.first_chunk()?).into()),
        Datatype::Uint32 => Element::Integer(u32::from_le_bytes(*rest.first_chunk()?).into()),
        Datatype::Uint64 => Element::Integer(u64::from_le_bytes(*rest.first_chunk()?).into()),
        Datatype::Int8 => Element::Integer(i8::from_le_bytes(*rest.first_chunk()?).into()),
        Datatype::Int16 => Element::Integer(i16::from_le_bytes(*rest.first_chunk()?).into()),
        Datatype::Int32 => Element::Integer(i32::from_le_bytes(*rest.first_chunk()?).into()),
        Datatype::Int64 => Element::Integer(i64::from_le_bytes(*rest.first_chunk()?).into()),
        Datatype::Fp16 => Element::Float(half(u16::from_le_bytes(*rest.first_chunk()?))),
        Datatype::Bf16 => Element::Float(brain(u16::from_le_bytes(*rest.first_chunk()?))),
        Datatype::Fp32 => Element::Float(f32::from_le_bytes(*rest.first_chunk()?).into()),
        Datatype::Fp64 => Element::Float(f64::from_le_bytes(*rest.first_chunk()?)),
        Datatype::Bytes => return None,
    };
    Some((element, at.checked_add(width)?))
}

/// A number of IEEE 754's binary16: one bit of sign, five of exponent, ten of fraction.
#[inline]
pub fn half(bits: u16) -> f64 {
    let magnitude = match (u32::from(bits >> 10) & 0x1f, u32::from(bits) & 0x3ff) {
        (0, fraction) => f64::from(fraction) / f64::from(1 << 24),
        (0x1f, fraction) => f64::from(f32::from_bits(0x7f80_0000 | (fraction << 13))),
        // The bias of a single's exponent is 127, that of a half's 15.
        (exponent, fraction) => f64::from(f32::from_bits((exponent.wrapping_add(112) << 23) | (fraction << 13))),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

/// A bfloat16: the upper half of a single.
#[inline]
pub fn brain(bits: u16) -> f64 {
    f32::from_bits(u32::from(bits) << 16).into()
}

/// A check of `BYTES` under way: whether so many elements fill the range.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    at: usize,
    end: usize,
    left: u64,
}

impl Lengths {
    /// Of `elements` in `range`.
    pub fn new(range: Range, elements: u64) -> Self {
        Self { at: range.start, end: range.end, left: elements }
    }

    /// Checks on for about `budget` bytes. Ready when all is well; `Pending`: the budget was not enough; call again.
    ///
    /// # Errors
    /// If a length goes beyond the range, or there are not so many elements.
    pub fn step(&mut self, body: &[u8], budget: &mut usize) -> Poll<Result<(), Fault>> {
        let bytes = body.get(..self.end).unwrap_or_default();
        while *budget > 0 {
            if self.at >= self.end {
                return Poll::Ready(if self.left == 0 { Ok(()) } else { Err(COUNT) });
            }
            let (_, end) = element(bytes, self.at, Datatype::Bytes).ok_or("a string goes beyond its tensor")?;
            self.left = self.left.checked_sub(1).ok_or(COUNT)?;
            self.at = end;
            *budget = budget.saturating_sub(ELEMENT);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::{COUNT, Datatype, Lengths, Poll, Range, brain, element, half};

    /// A floating-point number by IEEE 754's definition, of so many bits of exponent and fraction.
    fn by_definition(bits: u16, exponent_bits: u32, fraction_bits: u32) -> f64 {
        let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
        let exponent = i32::from(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
        let fraction = f64::from(bits & ((1 << fraction_bits) - 1)) / f64::from(1 << fraction_bits);
        let bias = (1 << (exponent_bits - 1)) - 1;
        match exponent {
            0 => sign * fraction * 2_f64.powi(1 - bias),
            _ if exponent == 2 * bias + 1 && fraction == 0.0 => sign * f64::INFINITY,
            _ if exponent == 2 * bias + 1 => f64::NAN,
            _ => sign * (1.0 + fraction) * 2_f64.powi(exponent - bias),
        }
    }

    #[test]
    fn every_sixteen_bit_float_is_what_its_definition_says() {
        for bits in 0..=u16::MAX {
            for (found, wanted) in [(half(bits), by_definition(bits, 5, 10)), (brain(bits), by_definition(bits, 8, 7))] {
                assert!(found.to_bits() == wanted.to_bits() || (found.is_nan() && wanted.is_nan()), "{bits:#x}: {found} is not {wanted}");
            }
        }
    }

    #[test]
    fn elements_are_read() {
        use Datatype::*;
        for (datatype, bytes, want) in [
            (Bool, &[2][..], "Bool(true)"),
            (Bool, &[0], "Bool(false)"),
            (Uint8, &[0xff], "Integer(255)"),
            (Int8, &[0xff], "Integer(-1)"),
            (Uint16, &[1, 0xff], "Integer(65281)"),
            (Int16, &[1, 0xff], "Integer(-255)"),
            (Uint32, &[1, 0, 0, 0xff], "Integer(4278190081)"),
            (Int32, &[1, 0, 0, 0xff], "Integer(-16777215)"),
            (Uint64, &[0xff; 8], "Integer(18446744073709551615)"),
            (Int64, &[0, 0, 0, 0, 0, 0, 0, 0x80], "Integer(-9223372036854775808)"),
            (Fp16, &[0, 0x3c], "Float(1.0)"),
            (Bf16, &[0x80, 0x3f], "Float(1.0)"),
            (Fp32, &[0, 0, 0x20, 0xc0], "Float(-2.5)"),
            (Fp64, &[0, 0, 0, 0, 0, 0, 4, 0xc0], "Float(-2.5)"),
            (Bytes, &[2, 0, 0, 0, 7, 8], "Bytes([7, 8])"),
            (Bytes, &[0, 0, 0, 0], "Bytes([])"),
        ] {
            let (found, end) = element(bytes, 0, datatype).unwrap();
            assert_eq!((format!("{found:?}").as_str(), end), (want, bytes.len()), "{datatype:?}");
            let cut = &bytes[..bytes.len() - 1];
            assert!(element(cut, 0, datatype).is_none(), "{datatype:?}");
        }
        assert!(element(&[0xff; 8], 0, Bytes).is_none());
        assert!(element(&[], usize::MAX, Bytes).is_none());
    }

    #[test]
    fn lengths_must_fill_the_range() {
        const BODY: &[u8] = b"....\x01\0\0\0a\0\0\0\0\x02\0\0\0bc....";
        for (range, elements, want) in [
            (4..19, 3, Ok(())),
            (4..19, 2, Err(COUNT)),
            (4..19, 4, Err(COUNT)),
            (4..18, 3, Err("a string goes beyond its tensor")),
            (4..21, 3, Err("a string goes beyond its tensor")),
            (4..4, 0, Ok(())),
            (4..4, 1, Err(COUNT)),
            (4..19, u64::MAX, Err(COUNT)),
        ] {
            for budget in [1, usize::MAX] {
                let mut lengths = Lengths::new(Range { start: range.start, end: range.end }, elements);
                let found = loop {
                    if let Poll::Ready(found) = lengths.step(BODY, &mut budget.clone()) {
                        break found;
                    }
                };
                assert_eq!(found, want, "{range:?} {elements}");
            }
        }
    }
}
