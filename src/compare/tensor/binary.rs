//! Tensors in binary form: elements in a row, little-endian, `BYTES` with four bytes of length before each.
//!
//! It reads elements, passes over equal ones at speed, and checks the lengths of `BYTES` once, so that reading them later can't fail.

use super::{Datatype, Element, Range};
use crate::compare::content::Fault;
use crate::compare::json::number::close_doubles;
use crate::config::Tolerance;

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

/// How many elements of `datatype` (of fixed width) at the beginning of both are the same bytes, or floating-point numbers that are equal
/// within `tolerance`: the hot loop of comparing binary tensors.
pub fn pass(primary: &[u8], shadow: &[u8], datatype: Datatype, tolerance: Tolerance) -> usize {
    let close = |a: f64, b: f64| close_doubles(a, b, tolerance);
    match datatype {
        Datatype::Fp16 => count(primary, shadow, |a, b| close(half(u16::from_le_bytes(a)), half(u16::from_le_bytes(b)))),
        Datatype::Bf16 => count(primary, shadow, |a, b| close(brain(u16::from_le_bytes(a)), brain(u16::from_le_bytes(b)))),
        Datatype::Fp32 => count(primary, shadow, |a, b| close(f32::from_le_bytes(a).into(), f32::from_le_bytes(b).into())),
        Datatype::Fp64 => count(primary, shadow, |a, b| close(f64::from_le_bytes(a), f64::from_le_bytes(b))),
        Datatype::Bool | Datatype::Uint8 | Datatype::Int8 => count::<1>(primary, shadow, |_, _| false),
        Datatype::Uint16 | Datatype::Int16 => count::<2>(primary, shadow, |_, _| false),
        Datatype::Uint32 | Datatype::Int32 => count::<4>(primary, shadow, |_, _| false),
        Datatype::Uint64 | Datatype::Int64 => count::<8>(primary, shadow, |_, _| false),
        Datatype::Bytes => 0,
    }
}

#[inline]
fn count<const WIDTH: usize>(primary: &[u8], shadow: &[u8], close: impl Fn([u8; WIDTH], [u8; WIDTH]) -> bool) -> usize {
    let (primary, shadow) = (primary.as_chunks::<WIDTH>().0, shadow.as_chunks::<WIDTH>().0);
    primary.iter().zip(shadow).take_while(|&(a, b)| a == b || close(*a, *b)).count()
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

    /// Checks on for about `budget` bytes; `true` when all is well.
    ///
    /// # Errors
    /// If a length goes beyond the range, or there are not so many elements.
    pub fn step(&mut self, body: &[u8], budget: &mut usize) -> Result<bool, Fault> {
        let bytes = body.get(..self.end).unwrap_or_default();
        while *budget > 0 {
            if self.at >= self.end {
                return if self.left == 0 { Ok(true) } else { Err(super::COUNT) };
            }
            let (_, end) = element(bytes, self.at, Datatype::Bytes).ok_or("a string goes beyond its tensor")?;
            self.left = self.left.checked_sub(1).ok_or(super::COUNT)?;
            self.at = end;
            *budget = budget.saturating_sub(ELEMENT);
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use proptest::prelude::*;

    use super::{Datatype, Element, Lengths, Range, Tolerance, brain, close_doubles, element, half, pass};

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
            (4..19, 3, Ok(true)),
            (4..19, 2, Err(super::super::COUNT)),
            (4..19, 4, Err(super::super::COUNT)),
            (4..18, 3, Err("a string goes beyond its tensor")),
            (4..21, 3, Err("a string goes beyond its tensor")),
            (4..4, 0, Ok(true)),
            (4..4, 1, Err(super::super::COUNT)),
            (4..19, u64::MAX, Err(super::super::COUNT)),
        ] {
            for budget in [1, usize::MAX] {
                let mut lengths = Lengths::new(Range { start: range.start, end: range.end }, elements);
                let found = loop {
                    match lengths.step(BODY, &mut budget.clone()) {
                        Ok(false) => {}
                        found => break found,
                    }
                };
                assert_eq!(found, want, "{range:?} {elements}");
            }
        }
    }

    proptest! {
        #[test]
        fn equal_elements_are_passed(primary: Vec<u8>, flips in prop::collection::vec((any::<usize>(), any::<u8>()), 0..3), which in 0_usize..13) {
            let datatype = Datatype::ALL[which].1;
            let width = datatype.width().unwrap();
            let mut shadow = primary.clone();
            for (at, byte) in flips {
                let at = at % shadow.len().max(1);
                shadow.iter_mut().skip(at).take(1).for_each(|place| *place = byte);
            }
            let tolerance = Tolerance { absolute: 1e-3, relative: 1e-3 };
            let equal = |at: usize| {
                let (from, to) = (at * width, (at + 1) * width);
                if to > primary.len() {
                    return false;
                }
                match (element(&primary, from, datatype), element(&shadow, from, datatype)) {
                    (Some((Element::Float(a), _)), Some((Element::Float(b), _))) => close_doubles(a, b, tolerance),
                    _ => primary[from..to] == shadow[from..to],
                }
            };
            let wanted = (0..).take_while(|&at| equal(at)).count();
            prop_assert_eq!(pass(&primary, &shadow, datatype, tolerance), wanted);
        }
    }
}
