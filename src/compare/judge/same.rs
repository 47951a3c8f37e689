//! Whether two elements are equal, whatever form each of them is in.

use core::task::Poll;

use crate::compare::judge::place::excerpt;
use crate::compare::judge::text_match::TextMatch;
use crate::compare::judgement::{Gap, Kind};
use crate::compare::part::element::Element;
use crate::config::Tolerance;
use crate::json::number;
use crate::json::number::{EXACT, close_doubles, relative_difference};
use crate::json::value::{Tag, Value};

/// Whether two elements are equal, numbers within `tolerance`. Texts are compared in one go. Where they can be long, compare them
/// by [`Element::text`] and [`TextMatch`], in slices.
///
/// # Errors
/// What differs: number, text, boolean, null (exactly one is) or type.
pub fn same(primary: Element<'_>, shadow: Element<'_>, tolerance: Tolerance) -> Result<(), Kind> {
    if let (Some(a), Some(b)) = (primary.text(), shadow.text()) {
        let equal = TextMatch::new(false).step(a, b, &mut usize::MAX.clone());
        return if equal == Poll::Ready(true) { Ok(()) } else { Err(Kind::Text) };
    }
    let (equal, kind) = match (primary.boolean(), shadow.boolean()) {
        _ if primary.is_null() || shadow.is_null() => (primary.is_null() && shadow.is_null(), Kind::Null),
        (Some(a), Some(b)) => (a == b, Kind::Boolean),
        _ if primary.is_number() && shadow.is_number() => (same_number(primary, shadow, tolerance), Kind::Number),
        _ => (false, Kind::Type),
    };
    if equal { Ok(()) } else { Err(kind) }
}

/// How far two numbers lie apart that are not equal within `tolerance`; `None` if one is no number.
pub fn gap(primary: Element<'_>, shadow: Element<'_>, tolerance: Tolerance) -> Option<Gap> {
    let (a, b) = (primary.number()?, shadow.number()?);
    let whole = whole(primary).zip(whole(shadow));
    // Doubles can't tell large whole numbers apart, which are compared exactly.
    let exactly = whole.filter(|&(a, b)| a != i128::MAX && b != i128::MAX).and_then(|(a, b)| a.checked_sub(b));
    #[expect(clippy::cast_precision_loss, reason = "a difference is shown, not compared")]
    let absolute = exactly.map_or((a - b).abs(), |difference| difference.unsigned_abs() as f64);
    let relative = if exactly.is_some() { Some(absolute / a.abs().max(b.abs())) } else { relative_difference(a, b) };
    let tolerance = if whole.is_some_and(|(a, b)| is_large(a) || is_large(b)) { Tolerance::EXACT } else { tolerance };
    Some(Gap { absolute: Some(absolute).filter(|gap| gap.is_finite()), relative, tolerance: Some(tolerance) })
}

/// Numbers are equal as doubles within the tolerance, as in JSON. Two whole numbers of which one is beyond 2^53 are equal only exactly.
fn same_number(primary: Element<'_>, shadow: Element<'_>, tolerance: Tolerance) -> bool {
    if let (Element::Json(a), Element::Json(b)) = (primary, shadow) {
        return number::equal(a, b, tolerance);
    }
    match (whole(primary), whole(shadow)) {
        (Some(a), Some(b)) if a == b => true,
        (Some(a), Some(b)) if is_large(a) || is_large(b) => false,
        _ => match (primary.number(), shadow.number()) {
            (Some(a), Some(b)) => close_doubles(a, b, tolerance),
            _ => false,
        },
    }
}

/// The value of a whole number. In JSON it can be larger than any in binary form: then it is the largest there is.
fn whole(element: Element<'_>) -> Option<i128> {
    match element {
        Element::Integer(number) => Some(number),
        Element::Json(Value { tag: Tag::Integer, text }) if text.len() > MAX_DIGITS => Some(i128::MAX),
        Element::Json(Value { tag: Tag::Integer, text }) => Some(core::str::from_utf8(text).ok()?.parse().unwrap_or(i128::MAX)),
        _ => None,
    }
}

/// No `i128` is longer.
const MAX_DIGITS: usize = 40;

fn is_large(number: i128) -> bool {
    number.unsigned_abs() > EXACT as u128
}

/// An element for evidence: as in the body, or as JSON would have it.
pub fn shown(element: Element<'_>) -> String {
    match element {
        Element::Json(value) if matches!(value.tag, Tag::Plain | Tag::Escaped) => quoted(value.text),
        Element::Json(value) | Element::Single(value) => excerpt(value.text),
        Element::Float(number) => excerpt(format!("{number:?}").as_bytes()),
        Element::Integer(number) => number.to_string(),
        Element::Bool(value) => value.to_string(),
        Element::Bytes(bytes) => quoted(bytes),
    }
}

fn quoted(text: &[u8]) -> String {
    excerpt(format!("\"{}\"", excerpt(text)).as_bytes())
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::{Element, Kind, Tag, Tolerance, Value, same};

    fn json(text: &'static str) -> Element<'static> {
        let (tag, text) = match text {
            "null" => (Tag::Null, text),
            "true" => (Tag::True, text),
            "false" => (Tag::False, text),
            _ if text.starts_with('"') => (if text.contains('\\') { Tag::Escaped } else { Tag::Plain }, &text[1..text.len() - 1]),
            _ if text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) => (Tag::Integer, text),
            _ => (Tag::Decimal, text),
        };
        Element::Json(Value { tag, text: text.as_bytes() })
    }

    #[test]
    fn elements_of_any_form_are_compared() {
        use Element::{Bool, Bytes, Float, Integer};
        const EXACT: Tolerance = Tolerance { absolute: 0.0, relative: 0.0 };
        const ONE: Tolerance = Tolerance { absolute: 1.0, relative: 0.0 };
        let (number, text, boolean) = (Err(Kind::Number), Err(Kind::Text), Err(Kind::Boolean));
        for (primary, shadow, tolerance, want) in [
            (Float(0.5), json("0.5"), EXACT, Ok(())),
            (Float(0.5), json("5e-1"), EXACT, Ok(())),
            (Float(0.5), json("1.5"), EXACT, number),
            (Float(0.5), json("1.5"), ONE, Ok(())),
            (Float(f64::NAN), Float(f64::NAN), EXACT, Ok(())),
            (Float(f64::NAN), json("NaN"), EXACT, Ok(())),
            (Float(f64::NAN), Float(0.0), ONE, number),
            (Float(f64::INFINITY), json("Infinity"), EXACT, Ok(())),
            (Float(f64::INFINITY), json("-Infinity"), ONE, number),
            (Float(f64::INFINITY), Float(f64::MAX), ONE, number),
            (Float(0.0), Float(-0.0), EXACT, Ok(())),
            (Float(3.0), Integer(3), EXACT, Ok(())),
            (Integer(3), Integer(4), ONE, Ok(())),
            (Integer(3), Integer(4), EXACT, number),
            (Integer(3), json("3.0"), EXACT, Ok(())),
            (Integer(3), json("4"), ONE, Ok(())),
            (Integer(9_007_199_254_740_993), json("9007199254740993"), EXACT, Ok(())),
            (Integer(9_007_199_254_740_993), json("9007199254740992"), ONE, number),
            (Integer(-9_007_199_254_740_993), Integer(-9_007_199_254_740_992), ONE, number),
            (Integer(9_007_199_254_740_992), Integer(9_007_199_254_740_991), ONE, Ok(())),
            (Integer(u64::MAX.into()), json("18446744073709551615"), EXACT, Ok(())),
            (Integer(u64::MAX.into()), json("18446744073709551614"), ONE, number),
            (Integer(i64::MIN.into()), json("-9223372036854775808"), EXACT, Ok(())),
            (Integer(1), json("99999999999999999999999999999999999999999999999999"), ONE, number),
            (Integer(1), json("-170141183460469231731687303715884105729"), ONE, number),
            (json("1"), json("1.0"), EXACT, Ok(())),
            (Bool(true), json("true"), EXACT, Ok(())),
            (Bool(true), json("false"), ONE, boolean),
            (json("false"), json("true"), EXACT, boolean),
            (Bool(true), Integer(1), ONE, Err(Kind::Type)),
            (json("null"), json("null"), EXACT, Ok(())),
            (json("null"), Float(f64::NAN), EXACT, Err(Kind::Null)),
            (Bytes(b"a"), json("null"), EXACT, Err(Kind::Null)),
            (Bytes("Zürich\n".as_bytes()), json("\"Z\\u00fcrich\\n\""), EXACT, Ok(())),
            (Bytes(b"cat"), json("\"cat\""), EXACT, Ok(())),
            (Bytes(b"cat"), json("\"cats\""), EXACT, text),
            (Bytes(b"a\\n"), json("\"a\\n\""), EXACT, text),
            (Bytes(b"a\\n"), json("\"a\\\\n\""), EXACT, Ok(())),
            (Bytes(b"\xff\xfe"), Bytes(b"\xff\xfe"), EXACT, Ok(())),
            (Bytes(b"\xff\xfe"), Bytes(b"\xff\xff"), EXACT, text),
            (Bytes(b"\xed\xa0\x80"), json("\"\\ud800\""), EXACT, text),
            (Bytes(b"1"), Integer(1), EXACT, Err(Kind::Type)),
            (json("\"1\""), json("1"), EXACT, Err(Kind::Type)),
        ] {
            assert_eq!(same(primary, shadow, tolerance), want, "{primary:?} against {shadow:?}");
            assert_eq!(same(shadow, primary, tolerance), want, "{shadow:?} against {primary:?}");
        }
    }
}
