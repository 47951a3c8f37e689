//! The reader against `serde_json`, on text that is JSON, nearly JSON, and no JSON.

use super::TapeReader;
use crate::capture::Held;
use crate::fault::Fault;
use crate::json::tape::{Document, first_child};
use crate::json::text::next_code;
use crate::json::value::Tag;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn read_sliced(text: &[u8], slice: usize) -> Result<Document, Fault> {
    let mut reader = TapeReader::default();
    while reader.step(text, &mut slice.clone())?.is_pending() {}
    Ok(Document { body: Held::from(text.to_vec()).into(), tape: reader.tape })
}

fn read(text: &[u8]) -> Result<Document, Fault> {
    read_sliced(text, usize::MAX)
}

/// Returns the value at a node as a value of `serde_json`.
fn value(document: &Document, at: u32) -> Value {
    let found = document.value(at);
    let text = || {
        let mut from = 0;
        std::iter::from_fn(|| next_code(found.text, &mut from)).map(|code| char::from_u32(code).unwrap()).collect::<String>()
    };
    match found.tag {
        Tag::Null => Value::Null,
        Tag::False | Tag::True => Value::Bool(found.tag == Tag::True),
        // The test is about the token, not its value. (By default serde_json does not round to the nearest double.)
        Tag::Integer | Tag::Decimal => serde_json::from_slice(found.text).unwrap(),
        Tag::Plain | Tag::Escaped => Value::String(text()),
        Tag::Array => {
            let mut child = first_child(at);
            let elements = (0..document.children(at)).map(|_| take(document, &mut child)).collect();
            assert_eq!(child, document.after(at));
            Value::Array(elements)
        }
        Tag::Object => {
            let mut child = first_child(at);
            let members: Map<String, Value> = (0..document.children(at))
                .map(|_| {
                    let name = take(document, &mut child);
                    (name.as_str().unwrap().to_owned(), take(document, &mut child))
                })
                .collect();
            assert_eq!(child, document.after(at));
            Value::Object(members)
        }
    }
}

/// Returns the value at `child`, and moves `child` to the next one.
fn take(document: &Document, child: &mut u32) -> Value {
    let at = *child;
    *child = document.after(at);
    value(document, at)
}

/// Whether only this reader accepts a text that `serde_json` refuses: numbers too large for a double, lone surrogates, and Python's
/// extensions.
fn is_extension(text: &[u8], error: &serde_json::Error) -> bool {
    let message = error.to_string();
    let names = [b"NaN".as_slice(), b"Infinity"].iter().any(|name| text.windows(name.len()).any(|window| window == *name));
    names
        || message.starts_with("number out of range")
        || message.contains("surrogate")
        || message.starts_with("unexpected end of hex escape")
}

fn check(text: &[u8]) -> Result<(), TestCaseError> {
    match (read(text), serde_json::from_slice::<Value>(text)) {
        (Ok(document), Ok(expected)) => {
            let found = value(&document, 0);
            prop_assert_eq!(&found, &expected);
            prop_assert!(document.tape.count() <= text.len());
            prop_assert_eq!(document.source(0), text.trim_ascii());
        }
        (Err(fault), Ok(_)) => prop_assert_eq!(fault, "JSON is nested deeper than 64 levels"),
        (Ok(_), Err(error)) => prop_assert!(is_extension(text, &error), "accepted: {:?}", error),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

#[test]
fn extensions_are_accepted() {
    for text in ["NaN", "Infinity", "-Infinity", " [NaN,-Infinity , Infinity]", r#""\ud800""#, r#""\udc00\ud800x""#, "1e999", "-1E+999"] {
        assert!(read(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    let refused = [
        "",
        " ",
        "-",
        "+1",
        "01",
        "-01",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        "--1",
        "-NaN",
        "+Infinity",
        "-Infinit",
        "nan",
        "Nan",
        "inf",
        "tru",
        "True",
        "nul",
        "'a'",
        "\"",
        "\"\\\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\U0041\"",
        "\"\t\"",
        "\"\u{0}\"",
        "[",
        "]",
        "{",
        "}",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "[}",
        "{]",
        "[1}",
        "1 2",
        "[] []",
        "nullx",
        "\u{feff}1",
        "\u{a0}1",
        "//x\n1",
        "[1,\u{c}2]",
    ];
    for text in refused {
        assert!(read(text.as_bytes()).is_err(), "{text:?}");
    }
}

#[test]
fn every_byte_is_met_in_strings() {
    for byte in 0..=u8::MAX {
        for text in [vec![b'"', byte, b'"'], vec![b'"', b'a', byte, b'b', b'"'], vec![b'"', b'\\', byte, b'"']] {
            assert_eq!(read(&text).is_ok(), serde_json::from_slice::<Value>(&text).is_ok(), "{byte:#x}");
        }
    }
}

#[test]
fn only_utf8_is_accepted_in_strings() {
    let quoted = |bytes: &[u8]| [b"\"", bytes, b"\""].concat();
    // Every sequence of two bytes, and every first two of longer ones.
    for first in 0x80..=0xff {
        for second in 0x80..=0xff {
            for bytes in [
                vec![first],
                vec![first, second],
                vec![first, second, 0x80],
                vec![first, second, 0xbf, 0x80],
                vec![first, second, 0x80, b'a'],
            ] {
                assert_eq!(read(&quoted(&bytes)).is_ok(), std::str::from_utf8(&bytes).is_ok(), "{bytes:x?}");
            }
        }
    }
}

#[test]
fn tapes_of_many_chunks_hold_together() {
    let text = format!("[{}[[\"end\"]]]", "[1,{\"a\":null}],".repeat(10_000));
    let document = read(text.as_bytes()).unwrap();
    assert_eq!(value(&document, 0), serde_json::from_str::<Value>(&text).unwrap());
}

/// Returns texts that are JSON, or nearly.
fn nearly_json() -> impl Strategy<Value = String> {
    let parts = vec![
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"a\":",
        "1",
        "-",
        "0",
        ".",
        "e",
        "E+",
        "true",
        "false",
        "null",
        "NaN",
        "Infinity",
        " ",
        "\n",
        "\\",
        "\\n",
        "\\u00e9",
        "\\ud83d",
        "\\ude00",
        "é",
        "😀",
        "[1,2]",
        "{\"a\":1}",
        "1.5e-3",
        "9007199254740993",
        "1e400",
        "\u{1}",
    ];
    prop::collection::vec(select(parts), 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reads_what_serde_json_reads(text in nearly_json()) {
        check(text.as_bytes())?;
        check(format!("[{text}]").as_bytes())?;
        check(format!("\"{text}\"").as_bytes())?;
        check(format!("{{\"a\":{text}}}").as_bytes())?;
    }

    #[test]
    fn reads_mutated_json_as_serde_json_does(at in any::<prop::sample::Index>(), byte in any::<u8>(), kind in 0..3) {
        let mut text = br#" {"a\n\u00e9": [1, -2.5e+3, 0.1E5, "x\\y\ud83d\ude00"], "": {"b": [true, false, null], "c": {}}, "d": [[], [[]]]} "#.to_vec();
        let at = at.index(text.len());
        match kind {
            0 => text[at] = byte,
            1 => text.insert(at, byte),
            _ => drop(text.remove(at)),
        }
        check(&text)?;
    }

    #[test]
    fn reads_any_bytes_without_panic(bytes: Vec<u8>) {
        check(&bytes)?;
    }

    #[test]
    fn slices_change_nothing(text in nearly_json(), slice in 1_usize..8) {
        let text = format!("[{text}]");
        let (whole, sliced) = (read(text.as_bytes()), read_sliced(text.as_bytes(), slice));
        prop_assert_eq!(whole.as_ref().err(), sliced.as_ref().err());
        if let (Ok(whole), Ok(sliced)) = (whole, sliced) {
            prop_assert_eq!(format!("{:?}", whole.tape), format!("{:?}", sliced.tape));
        }
    }
}
