//! Numbers of JSON texts: equality within a tolerance, and a total order for matching.
//!
//! A number is a double, as in JavaScript and for Python's `float`. A number too large for a double is infinite. Integers beyond 2^53,
//! which doubles can't tell apart, are compared by their digits. JSON allows no leading zeros, so equal integers have equal texts.

use core::cmp::Ordering;

use super::reader::MAX_DECIMAL;
use super::value::{Tag, Value};
use crate::config::{GivenTolerance, Tolerance};

/// 2^53: up to here every integer is exact as a double.
pub const EXACT: f64 = 9_007_199_254_740_992.0;

/// Returns the value of a number; infinite if it is too large for a double.
pub fn double(number: Value<'_>) -> f64 {
    if number.text.len() > MAX_DECIMAL {
        // Only integers are that long, and they have no leading zeros.
        return if number.text.first() == Some(&b'-') { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    core::str::from_utf8(number.text).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// Returns the value of a number rounded to single precision, as in a tensor of FP32.
#[inline]
pub fn single(number: Value<'_>) -> f64 {
    f64::from(double(number) as f32)
}

/// Returns the cost of comparing two numbers, in bytes of a budget. Numbers with more digits than a double has may need slow parsing, which
/// takes up to 100 ns a byte.
#[inline]
pub fn cost(left: Value<'_>, right: Value<'_>) -> usize {
    let length = left.text.len().saturating_add(right.text.len());
    if (FEW_DIGITS..MAX_DECIMAL.saturating_mul(2)).contains(&length) { length.saturating_mul(SLOWNESS) } else { length }
}

/// Bytes of two numbers below which parsing is never slow. Programs write at most 25 bytes for a number.
const FEW_DIGITS: usize = 64;

/// Cost of a byte that is parsed slowly, in bytes of a budget.
const SLOWNESS: usize = 32;

/// Returns the tolerance of two numbers about which no datatype says more than JSON does. Numbers that both sides write as integers are ids
/// and counts: what is not given is 0.
#[inline]
pub fn tolerance(left: Value<'_>, right: Value<'_>, given: GivenTolerance) -> Tolerance {
    let are_integers = left.tag == Tag::Integer && right.tag == Tag::Integer;
    given.or(if are_integers { Tolerance::EXACT } else { Tolerance::JSON })
}

/// Whether two numbers are equal within `tolerance`.
#[inline]
pub fn equal(left: Value<'_>, right: Value<'_>, tolerance: Tolerance) -> bool {
    left.text == right.text || close(left, right, tolerance)
}

fn close(left: Value<'_>, right: Value<'_>, tolerance: Tolerance) -> bool {
    let (a, b) = (double(left), double(right));
    if left.tag == Tag::Integer && right.tag == Tag::Integer && (is_large(left, a) || is_large(right, b)) {
        return false;
    }
    close_doubles(a, b, tolerance)
}

/// Whether two doubles are equal within `tolerance`; `NaN` equals `NaN`.
#[inline]
pub fn close_doubles(a: f64, b: f64, tolerance: Tolerance) -> bool {
    if a.is_finite() && b.is_finite() { within(a, b, tolerance) } else { a == b || (a.is_nan() && b.is_nan()) }
}

/// Whether `|a-b| <= absolute` or `|a-b| <= relative * max(|a|,|b|)`, for finite numbers.
#[inline]
fn within(a: f64, b: f64, tolerance: Tolerance) -> bool {
    let gap = (a - b).abs();
    let largest = a.abs().max(b.abs());
    if gap.is_finite() {
        gap <= tolerance.absolute || gap <= tolerance.relative * largest
    } else {
        // Two huge numbers of unlike sign: their difference is too large for a double, but half of it is not.
        let half = (a / 2.0 - b / 2.0).abs();
        half <= tolerance.absolute / 2.0 || half <= tolerance.relative * (largest / 2.0)
    }
}

/// Whether the magnitude of an integer is beyond 2^53. `double` is its rounded value. 2^53 + 1 ends in 3, but rounds to 2^53.
fn is_large(integer: Value<'_>, double: f64) -> bool {
    double.abs() > EXACT || (double.abs() == EXACT && integer.text.last() == Some(&b'3'))
}

/// Returns `|a-b| / max(|a|,|b|)`, if it is finite.
pub fn relative_difference(a: f64, b: f64) -> Option<f64> {
    let largest = a.abs().max(b.abs());
    let gap = (a - b).abs();
    let difference = if gap.is_finite() { gap / largest } else { (a / largest - b / largest).abs() };
    difference.is_finite().then_some(difference)
}

/// Compares two numbers in a total order: by value, `NaN` last. From 2^53 on, numbers of the same double are ordered too: decimals first,
/// then integers by their digits.
pub fn order(left: Value<'_>, right: Value<'_>) -> Ordering {
    if left.text == right.text {
        return Ordering::Equal;
    }
    let (a, b) = (double(left), double(right));
    match a.partial_cmp(&b) {
        Some(Ordering::Equal) => order_exactly(left, right, a),
        Some(unequal) => unequal,
        None => a.is_nan().cmp(&b.is_nan()),
    }
}

/// Compares two numbers whose `double` is the same.
fn order_exactly(left: Value<'_>, right: Value<'_>, double: f64) -> Ordering {
    if double.abs() < EXACT {
        return Ordering::Equal;
    }
    match (left.tag, right.tag) {
        (Tag::Integer, Tag::Integer) => {
            let magnitude = left.text.len().cmp(&right.text.len()).then_with(|| left.text.cmp(right.text));
            if double < 0.0 { magnitude.reverse() } else { magnitude }
        }
        (Tag::Integer, _) => Ordering::Greater,
        (_, Tag::Integer) => Ordering::Less,
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::{Ordering, Tag, Value, order};
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Rows of equal numbers, in ascending order.
    const NUMBERS: [&[&str]; 18] = [
        &["-1e999", "-Infinity"],
        &["-1000000000000000000000000000000"],
        &["-9007199254740994"],
        &["-9007199254740993"],
        &["-9007199254740991", "-9007199254740991.0"],
        &["-1.5", "-15e-1"],
        &["-1", "-1.0"],
        &["0", "-0", "0.0", "-0.0", "1e-999"],
        &["5e-324"],
        &["1", "1.0", "1e0"],
        &["9007199254740991"],
        &["9007199254740992.0"],
        &["9007199254740992"],
        &["9007199254740993"],
        &["9007199254740994.0"],
        &["9007199254740994"],
        &["Infinity", "1e999"],
        &["NaN"],
    ];

    #[test]
    fn order_is_total() {
        let value = |text: &'static str| {
            let tag = if text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) { Tag::Integer } else { Tag::Decimal };
            Value { tag, text: text.as_bytes() }
        };
        let ranked = || NUMBERS.iter().enumerate().flat_map(|(rank, row)| row.iter().map(move |text| (rank, *text)));
        for (left, a) in ranked() {
            for (right, b) in ranked() {
                assert_eq!(order(value(a), value(b)), left.cmp(&right), "{a} against {b}");
            }
        }
        assert_eq!(order(value("-77777777777777777777"), value("-777777777777777777777")), Ordering::Greater);
    }
}
