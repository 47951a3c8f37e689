//! Passes over elements that are plainly equal: the hot loops of comparing tensors.

use crate::compare::part::binary::{brain, half};
use crate::compare::part::cursor::Cursor;
use crate::compare::part::tensor::{Data, Datatype, Range};
use crate::compare::side::Sides;
use crate::config::Tolerance;
use crate::json::number;
use crate::json::number::close_doubles;
use crate::json::tape::Document;
use crate::json::value::Value;

/// What looking at two numbers of JSON costs beside the text they touch.
const ELEMENT: usize = 8;

/// How many of the next numbers, from these nodes on and at most `most`, are `equal`. It may stop early, for want of budget or at the end
/// of a chunk of nodes.
#[inline]
pub fn pass_numbers(
    pair: Sides<'_, Document>,
    from: (u32, u32),
    most: u32,
    equal: impl Fn(Value<'_>, Value<'_>) -> bool,
    budget: &mut usize,
) -> u32 {
    let nodes = pair.primary.tape.run(from.0).iter().zip(pair.shadow.tape.run(from.1));
    let mut passed: u32 = 0;
    for (&primary, &shadow) in nodes.take(most as usize) {
        let (a, b) = (pair.primary.read(primary), pair.shadow.read(shadow));
        if *budget == 0 || !a.tag.is_number() || !b.tag.is_number() || !equal(a, b) {
            break;
        }
        *budget = budget.saturating_sub(number::cost(a, b).saturating_add(ELEMENT));
        passed = passed.wrapping_add(1);
    }
    passed
}

/// Moves two cursors over elements that are plainly equal, at most `most`, if both are written in the same way. Says how many they were. It
/// may stop early.
pub fn pass_elements(
    pair: Sides<'_, Document>,
    cursors: (&mut Cursor, &mut Cursor),
    most: u32,
    tolerance: Tolerance,
    budget: &mut usize,
) -> u32 {
    let (a, b) = cursors;
    match (a.data, b.data, a.datatype.width()) {
        (Data::Json(_), Data::Json(_), _) => {
            let from = (a.at as u32, b.at as u32);
            let passed = match (a.datatype, b.datatype) {
                (Datatype::Fp32, Datatype::Fp32) => pass_numbers(
                    pair,
                    from,
                    most,
                    |a, b| a.text == b.text || close_doubles(number::single(a), number::single(b), tolerance),
                    budget,
                ),
                (Datatype::Fp32, _) | (_, Datatype::Fp32) => 0,
                _ => pass_numbers(pair, from, most, |a, b| number::equal(a, b, tolerance), budget),
            };
            a.at = a.at.saturating_add(passed as usize);
            b.at = b.at.saturating_add(passed as usize);
            passed
        }
        (Data::Binary(primary), Data::Binary(shadow), Some(width)) if a.datatype == b.datatype => {
            let room = budget.checked_div(width.saturating_mul(2)).unwrap_or(0).min(most as usize).saturating_mul(width);
            let piece = |at: usize, range: Range| Range { start: at, end: at.saturating_add(room).min(range.end) };
            let primary = piece(a.at, primary).of(pair.primary.body.bytes());
            let shadow = piece(b.at, shadow).of(pair.shadow.body.bytes());
            let passed = pass_binary(primary, shadow, a.datatype, tolerance);
            let bytes = passed.saturating_mul(width);
            a.at = a.at.saturating_add(bytes);
            b.at = b.at.saturating_add(bytes);
            *budget = budget.saturating_sub(bytes.saturating_mul(2));
            passed as u32
        }
        _ => 0,
    }
}

/// How many elements of `datatype` (of fixed width) at the beginning of both are the same bytes, or floating-point numbers that are equal
/// within `tolerance`.
fn pass_binary(primary: &[u8], shadow: &[u8], datatype: Datatype, tolerance: Tolerance) -> usize {
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

// In a function of its own the loop is a twentieth faster in Wasm.
#[inline(never)]
fn count<const WIDTH: usize>(primary: &[u8], shadow: &[u8], close: impl Fn([u8; WIDTH], [u8; WIDTH]) -> bool) -> usize {
    let (primary, shadow) = (primary.as_chunks::<WIDTH>().0, shadow.as_chunks::<WIDTH>().0);
    primary.iter().zip(shadow).take_while(|&(a, b)| a == b || close(*a, *b)).count()
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use proptest::prelude::*;

    use super::{Datatype, Tolerance, close_doubles, pass_binary};
    use crate::compare::part::binary::element;
    use crate::compare::part::element::Element;

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
            prop_assert_eq!(pass_binary(&primary, &shadow, datatype, tolerance), wanted);
        }
    }
}
