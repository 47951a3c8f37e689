//! Replaces the top-level `model` of a JSON body, and disturbs no other byte.
//!
//! A [`ModelFinder`] reads the body in slices, so that no callback has to go over all of it at once. It remembers where the
//! values of `model` are (all of them: which of two duplicates counts is up to the server) and forgets the rest.
//!
//! It is no validator: numbers, words and what is nested need only be well enough formed to tell where they end. What the server refuses
//! in the request it refuses in the copy.

use std::ops::Range;

/// Occurrences of `model` beyond which a body is left as it is: one is usual, and memory must not grow with the body.
const MAX_OCCURRENCES: usize = 8;

/// A scanner for the values of the top-level member `model`.
#[derive(Debug, Default)]
pub struct ModelFinder {
    state: State,
    /// Offset of the next byte.
    offset: usize,
    /// Where the values are, quotes included.
    values: Vec<Range<usize>>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Before the object.
    #[default]
    Start,
    /// After `{`.
    Opened,
    /// After `,`.
    Comma,
    /// In the name of a member.
    Name(Name),
    /// After the name of a member; whether it is `model`.
    Named(bool),
    /// After the colon.
    Colon(bool),
    /// In the value of `model`, which began at `start`.
    Model { start: usize, escaped: bool },
    /// In another string, inside `depth` arrays or objects that are not the top-level one.
    Text { depth: usize, escaped: bool },
    /// In a nested array or object.
    Nested { depth: usize },
    /// In a number or a word.
    Scalar,
    /// After a value.
    Valued,
    /// After the object.
    Closed,
    /// There is nothing to replace.
    Failed,
}

impl ModelFinder {
    /// Reads on in `body`, where it stopped, for at most `most` bytes; whether it is done.
    pub fn read(&mut self, body: &[u8], most: usize) -> bool {
        let rest = body.get(self.offset..).unwrap_or_default();
        self.push(rest.get(..most).unwrap_or(rest));
        matches!(self.state, State::Failed) || self.offset >= body.len()
    }

    fn push(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            self.state = self.after(byte);
            if matches!(self.state, State::Failed) {
                return;
            }
            self.offset = self.offset.saturating_add(1);
        }
    }

    /// Whether what was read is a JSON object that names a model.
    pub fn has_found(&self) -> bool {
        matches!(self.state, State::Closed) && !self.values.is_empty()
    }

    /// `body` (all that was read) with `model` as the value of each `model` found; `None` if there is no memory for it.
    pub fn rewrite(&self, body: &[u8], model: &str) -> Option<Vec<u8>> {
        let model = serde_json::to_vec(model).ok()?;
        let mut rewritten = Vec::new();
        rewritten.try_reserve_exact(body.len().saturating_add(model.len().saturating_mul(self.values.len()))).ok()?;
        let mut rest = 0;
        for value in &self.values {
            rewritten.extend_from_slice(body.get(rest..value.start)?);
            rewritten.extend_from_slice(&model);
            rest = value.end;
        }
        rewritten.extend_from_slice(body.get(rest..)?);
        Some(rewritten)
    }

    fn after(&mut self, byte: u8) -> State {
        match (self.state, byte) {
            (State::Name(name), b'"') if name.escape == Escape::None => State::Named(name.is_model()),
            (State::Name(name), _) => name.after(byte).map_or(State::Failed, State::Name),
            (State::Model { start, escaped: false }, b'"') => self.found(start),
            (State::Model { start, escaped }, _) => State::Model { start, escaped: !escaped && byte == b'\\' },
            (State::Text { depth, escaped: false }, b'"') => inside(depth),
            (State::Text { depth, escaped }, _) => State::Text { depth, escaped: !escaped && byte == b'\\' },
            (State::Nested { depth }, b'"') => State::Text { depth, escaped: false },
            (State::Nested { depth }, b'{' | b'[') => State::Nested { depth: depth.saturating_add(1) },
            (State::Nested { depth }, b'}' | b']') => inside(depth.saturating_sub(1)),
            (State::Nested { .. }, _) => self.state,
            (State::Scalar, b' ' | b'\t' | b'\n' | b'\r') => State::Valued,
            (_, b' ' | b'\t' | b'\n' | b'\r') => self.state,
            (State::Start, b'{') => State::Opened,
            (State::Opened | State::Comma, b'"') => State::Name(Name::default()),
            (State::Named(is_model), b':') => State::Colon(is_model),
            (State::Colon(true), b'"') => State::Model { start: self.offset, escaped: false },
            (State::Colon(false), b'"') => State::Text { depth: 0, escaped: false },
            (State::Colon(false), b'{' | b'[') => State::Nested { depth: 1 },
            (State::Scalar | State::Valued, b',') => State::Comma,
            (State::Scalar | State::Valued | State::Opened, b'}') => State::Closed,
            (State::Colon(false) | State::Scalar, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'+' | b'.') => State::Scalar,
            _ => State::Failed,
        }
    }

    fn found(&mut self, start: usize) -> State {
        if self.values.len() >= MAX_OCCURRENCES {
            return State::Failed;
        }
        self.values.push(start..self.offset.saturating_add(1));
        State::Valued
    }
}

/// After a string or bracket that left `depth` nested arrays or objects open.
fn inside(depth: usize) -> State {
    if depth == 0 { State::Valued } else { State::Nested { depth } }
}

/// The name of a member as far as it has been read. A name may be spelled with escapes (`"\u006dodel"`).
#[derive(Clone, Copy, Debug)]
struct Name {
    /// What is missing of `model`; `None` once the name differs.
    missing: Option<&'static [u8]>,
    escape: Escape,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Escape {
    None,
    /// After a backslash.
    Begun,
    /// After so many digits of `\u` that make this number.
    Hex(u8, u32),
}

impl Default for Name {
    fn default() -> Self {
        Self { missing: Some(b"model"), escape: Escape::None }
    }
}

impl Name {
    fn is_model(self) -> bool {
        self.missing == Some(b"")
    }

    /// The name with one more byte; `None` if it is malformed.
    fn after(self, byte: u8) -> Option<Self> {
        match (self.escape, byte) {
            (Escape::None, b'\\') => Some(Self { escape: Escape::Begun, ..self }),
            (Escape::None, _) => Some(self.with(byte.into())),
            (Escape::Begun, b'u') => Some(Self { escape: Escape::Hex(0, 0), ..self }),
            // None of the short escapes stands for a letter of `model`.
            (Escape::Begun, _) => Some(Self { missing: None, escape: Escape::None }),
            (Escape::Hex(digits, number), _) => {
                let number = number << 4 | char::from(byte).to_digit(16)?;
                let digits = digits.saturating_add(1);
                Some(if digits == 4 { self.with(number) } else { Self { escape: Escape::Hex(digits, number), ..self } })
            }
        }
    }

    fn with(self, character: u32) -> Self {
        let missing = self.missing.and_then(<[u8]>::split_first).filter(|(letter, _)| u32::from(**letter) == character);
        Self { missing: missing.map(|(_, rest)| rest), escape: Escape::None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// Rewrites `body` to the model `new`, read in chunks of each size.
    fn rewrite(body: &str) -> Option<String> {
        let whole = rewrite_in_chunks(body.as_bytes(), usize::MAX, "new");
        for size in 1..=3 {
            assert_eq!(rewrite_in_chunks(body.as_bytes(), size, "new"), whole, "{body} in chunks of {size}");
        }
        whole.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn rewrite_in_chunks(body: &[u8], size: usize, model: &str) -> Option<Vec<u8>> {
        let mut finder = ModelFinder::default();
        while !finder.read(body, size) {}
        finder.has_found().then(|| finder.rewrite(body, model).unwrap())
    }

    #[test]
    fn only_the_value_of_the_top_level_model_changes() {
        for (body, expected) in [
            (r#"{"model":"old"}"#, r#"{"model":"new"}"#),
            (" {\t\"a\" : 1 ,\r\n\"model\" : \"old\" , \"b\":[ ] } \n", " {\t\"a\" : 1 ,\r\n\"model\" : \"new\" , \"b\":[ ] } \n"),
            (r#"{"model":"","model":"x"}"#, r#"{"model":"new","model":"new"}"#),
            (r#"{"model":"a\"b\\","b":"\"}"}"#, r#"{"model":"new","b":"\"}"}"#),
            (r#"{"\u006dod\u0065L":1,"\u006Dod\u0065l":"old"}"#, r#"{"\u006dod\u0065L":1,"\u006Dod\u0065l":"new"}"#),
            (
                r#"{"a":{"model":"x"},"b":[{"model":"y"}],"c":"model","model":"old"}"#,
                r#"{"a":{"model":"x"},"b":[{"model":"y"}],"c":"model","model":"new"}"#,
            ),
            (
                r#"{"a":"},\"model\":\"x","model":"old","b":["]",{"}":"{"}]}"#,
                r#"{"a":"},\"model\":\"x","model":"new","b":["]",{"}":"{"}]}"#,
            ),
            (
                r#"{"models":"x","mode":"y","Model":"z","mo\ndel":"q","model":"old"}"#,
                r#"{"models":"x","mode":"y","Model":"z","mo\ndel":"q","model":"new"}"#,
            ),
            (
                r#"{"a":-1.5E+3,"b":NaN,"c":-Infinity,"d":true,"model":"old"}"#,
                r#"{"a":-1.5E+3,"b":NaN,"c":-Infinity,"d":true,"model":"new"}"#,
            ),
        ] {
            assert_eq!(rewrite(body).as_deref(), Some(expected), "{body}");
        }
    }

    #[test]
    fn a_body_without_such_a_string_is_left_alone() {
        for body in [
            "",
            " ",
            "{}",
            "null",
            r#""model""#,
            r#"[{"model":"old"}]"#,
            r#"{"a":{"model":"old"}}"#,
            r#"{"model":1}"#,
            r#"{"model":null}"#,
            r#"{"model":{"model":"old"}}"#,
            r#"{"model":"old","model":["old"]}"#,
            "\u{feff}{\"model\":\"old\"}",
        ] {
            assert_eq!(rewrite(body), None, "{body}");
        }
    }

    #[test]
    fn a_malformed_body_is_left_alone() {
        for body in [
            r#"{"model":"old""#,
            r#"{"model":"old"#,
            r#"{"model":"old\"}"#,
            r#"{"model":"old"}}"#,
            r#"{"model":"old"} x"#,
            r#"{"model" "old"}"#,
            r#"{"model":"old",}"#,
            r#"{,"model":"old"}"#,
            r#"{"model":"old" "a":1}"#,
            r#"{"model":"old"]"#,
            r#"{"a":,"model":"old"}"#,
            r#"{"a":1 2,"model":"old"}"#,
            r#"{"a":1"b","model":"old"}"#,
            r#"{"a":{"b":1,"model":"old"}"#,
            r#"{"\u00":1,"model":"old"}"#,
            r#"{"\u00g0":1,"model":"old"}"#,
            r#"{model:"old"}"#,
            r#""model":"old"}"#,
            "\0{\"model\":\"old\"}",
        ] {
            assert_eq!(rewrite(body), None, "{body}");
        }
    }

    #[test]
    fn many_duplicates_are_left_alone() {
        let body = |count| format!("{{{}}}", vec![r#""model":"x""#; count].join(","));
        assert_eq!(rewrite(&body(MAX_OCCURRENCES)), Some(body(MAX_OCCURRENCES).replace('x', "new")));
        assert_eq!(rewrite(&body(MAX_OCCURRENCES + 1)), None);
    }

    #[test]
    fn a_body_other_than_the_one_read_is_no_trap() {
        let mut finder = ModelFinder::default();
        finder.push(br#"{"model":"old"}"#);
        assert_eq!(finder.rewrite(b"{}", "new"), None);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            r#"[\\"{}\[\],:model]{0,8}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((any_name(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn any_name() -> impl Strategy<Value = String> {
        prop_oneof![Just("model".to_owned()), r#"[\\"model]{0,6}"#, any::<String>()]
    }

    proptest! {
        #[test]
        fn the_rewritten_body_is_the_same_value_but_for_the_model(
            members in prop::collection::vec((any_name(), any_json()), 0..6),
            old in any::<String>(),
            new in any::<String>(),
            pretty: bool,
            size in 1_usize..20,
        ) {
            let mut value = Value::Object(members.into_iter().collect());
            value["model"] = Value::from(old);
            let body = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
            let rewritten = rewrite_in_chunks(&body, size, &new).unwrap();
            // Read again, because numbers change in the last digit when they are read.
            let mut expected: Value = serde_json::from_slice(&body).unwrap();
            expected["model"] = Value::from(new);
            prop_assert_eq!(serde_json::from_slice::<Value>(&rewritten).unwrap(), expected);
        }

        #[test]
        fn it_applies_only_where_another_parser_finds_such_a_string(
            body in r#"\{(("model"|"a"|"\\u006dodel") ?: ?("x"|1|\[\]|\{"model":"y"\}),?){0,3}\}"#,
        ) {
            if let (Ok(mut value), Some(rewritten)) = (serde_json::from_str::<Value>(&body), rewrite(&body)) {
                prop_assert!(value.get("model").is_some_and(Value::is_string));
                value["model"] = Value::from("new");
                prop_assert_eq!(serde_json::from_str::<Value>(&rewritten).unwrap(), value);
            }
        }

        #[test]
        fn any_bytes_are_no_trap(body in prop::collection::vec(any::<u8>(), 0..60), size in 1_usize..9) {
            rewrite_in_chunks(&body, size, "new");
        }
    }
}
