//! Reading JSON, against `serde_json`.

use std::rc::Rc;

use gnomon::capture::Held;
use gnomon::fault::Fault;
use gnomon::json::number::double;
use gnomon::json::reader::TapeReader;
use gnomon::json::tape::{Document, first_child};
use gnomon::json::text::next_code;
use gnomon::json::value::Tag;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::{in_slices, split_head};

/// Bounds that `serde_json` does not have, or not the same.
const BOUNDS: [Fault; 2] = ["JSON is nested deeper than 64 levels", "a number is too long"];

/// The first byte chooses the size of the slices; the rest is the text.
pub fn check(data: &[u8]) {
    let ([slice], text) = split_head(data);
    let whole = read(text, usize::MAX);
    let sliced = read(text, 1 + usize::from(slice));
    assert_eq!(sliced.as_ref().err(), whole.as_ref().err());
    // Ignoring values, serde_json has no bounds, and asks neither for UTF-8 nor for whole surrogate pairs.
    let is_json = std::str::from_utf8(text).is_ok() && serde_json::from_slice::<IgnoredAny>(text).is_ok();
    match &whole {
        Ok(_) => assert!(is_json || has_python_numbers(text), "accepted, but no JSON"),
        Err(fault) => assert!(!is_json || BOUNDS.contains(fault), "JSON, but refused: {fault}"),
    }
    let (Ok(whole), Ok(sliced)) = (whole, sliced) else { return };
    assert_eq!(whole.tape.count(), sliced.tape.count());
    if let Ok(value) = serde_json::from_slice::<Value>(text) {
        assert!(means(&whole, 0, &value), "not the same value");
        assert!(means(&sliced, 0, &value), "not the same value in slices");
    }
}

/// The document that `text` is.
pub fn read(text: &[u8], budget: usize) -> Result<Document, Fault> {
    let mut reader = TapeReader::default();
    let (end, _) = in_slices(budget, text.len().saturating_mul(2) + 64, |left| reader.step(text, left));
    end.map(|()| Document { body: Rc::new(Held::from(text.to_vec())), tape: std::mem::take(&mut reader.tape) })
}

fn has_python_numbers(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.contains("NaN") || text.contains("Infinity")
}

/// Whether the value at node `at` is `value`, in which names are unique.
fn means(document: &Document, at: u32, value: &Value) -> bool {
    let found = document.value(at);
    match (found.tag, value) {
        (Tag::Null, Value::Null) | (Tag::False, Value::Bool(false)) | (Tag::True, Value::Bool(true)) => true,
        (Tag::Integer | Tag::Decimal, Value::Number(number)) => {
            // Not built to, serde_json does not round correctly.
            let (ours, theirs) = (double(found), number.as_f64().unwrap());
            ours == theirs || (ours - theirs).abs() <= 1e-15 * ours.abs().max(theirs.abs()) + 1e-320
        }
        (Tag::Plain | Tag::Escaped, Value::String(text)) => {
            let mut place = 0;
            std::iter::from_fn(|| next_code(found.text, &mut place)).eq(text.chars().map(u32::from))
        }
        (Tag::Array, Value::Array(elements)) => {
            let mut next = first_child(at);
            let same = elements.iter().all(|element| {
                let element_at = next;
                next = document.after(next);
                means(document, element_at, element)
            });
            same && next == document.after(at) && document.children(at) as usize == elements.len()
        }
        (Tag::Object, Value::Object(members)) => {
            members.iter().all(|(name, value)| document.member(at, name).is_some_and(|member| means(document, member, value)))
        }
        _ => false,
    }
}
