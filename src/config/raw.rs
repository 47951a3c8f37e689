//! A configuration as it is written, before any validation.
//!
//! A [`Node`] keeps the order of keys and duplicate keys, so that [`super::parse`] can report them. It is read through serde, from JSON in
//! the filter and from YAML in the native binary. Values for the body of a copy are written back as JSON.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Most characters of a value that are shown in a problem.
const SHOWN: usize = 60;

/// 2^53: whole numbers below this are exact as doubles.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value of a configuration text.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number. Istio's numbers are doubles anyway.
    Number(f64),
    /// A text.
    Text(String),
    /// A list.
    Array(Vec<Node>),
    /// Keys with their values, in the order of the text, duplicates included.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads JSON text.
    ///
    /// # Errors
    /// Why the text is not JSON, with line and column; also if it is nested deeper than 128 levels.
    pub fn from_json(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }

    /// Reads JSON text, but of an object only the values of `key`. This works for objects that can't be read as a whole, because they are
    /// nested too deep or have numbers out of range.
    pub fn only(text: &[u8], key: &'static str) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let node = reader.deserialize_any(NodeVisitor { only: Some(key) }).ok()?;
        reader.end().is_ok().then_some(node)
    }

    /// Returns this value as compact JSON text. Whole numbers have no decimal point, however they were written.
    ///
    /// # Errors
    /// Why JSON can't express the value: an inexact number, a number that JSON does not have, or a duplicate key.
    pub fn to_json(&self) -> Result<String, String> {
        let mut json = String::new();
        self.write(&mut json)?;
        Ok(json)
    }

    fn write(&self, json: &mut String) -> Result<(), String> {
        match self {
            Node::Null => json.push_str("null"),
            Node::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
            Node::Number(value) => json.push_str(&number(*value)?),
            Node::Text(text) => json.push_str(&quoted(text)),
            Node::Array(items) => {
                json.push('[');
                for (at, item) in items.iter().enumerate() {
                    json.push_str(if at > 0 { "," } else { "" });
                    item.write(json)?;
                }
                json.push(']');
            }
            Node::Object(pairs) => {
                let mut seen = BTreeSet::new();
                if let Some((key, _)) = pairs.iter().find(|(key, _)| !seen.insert(key.as_str())) {
                    return Err(format!("the key {} is there more than once", cut(&format!("{key:?}"))));
                }
                json.push('{');
                for (at, (key, value)) in pairs.iter().enumerate() {
                    json.push_str(if at > 0 { "," } else { "" });
                    json.push_str(&quoted(key));
                    json.push(':');
                    value.write(json)?;
                }
                json.push('}');
            }
        }
        Ok(())
    }

    /// Returns the first value of `key`, if this is an object with that key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Node::Object(pairs) => pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Returns the text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Shows a value in a problem: short, and on one line. The contents of lists and objects are not shown, because they may be credentials.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Null => f.write_str("null"),
            Node::Bool(value) => write!(f, "{value}"),
            Node::Number(value) => f.write_str(&cut(&value.to_string())),
            Node::Text(text) => f.write_str(&cut(&format!("{text:?}"))),
            Node::Array(items) if items.is_empty() => f.write_str("an empty list"),
            Node::Array(_) => f.write_str("a list"),
            Node::Object(pairs) if pairs.is_empty() => f.write_str("an empty object"),
            Node::Object(_) => f.write_str("an object"),
        }
    }
}

/// Returns the first characters of `text`, with `…` if there are more.
pub(super) fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor { only: None })
    }
}

/// Returns `text` as a JSON string.
pub fn quoted(text: &str) -> String {
    // Writing a text into memory can't fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// Returns the JSON text of a number, or why JSON can't express it.
fn number(value: f64) -> Result<String, String> {
    if !value.is_finite() {
        Err("JSON has no such number".to_owned())
    } else if value.fract() != 0.0 {
        Ok(format!("{value:?}"))
    } else if value.abs() < EXACT {
        // Adding 0 drops the sign of -0.
        Ok((value + 0.0).to_string())
    } else {
        Err("whole numbers of 2^53 and beyond are not exact here".to_owned())
    }
}

/// Reads values of every type. A visitor that refuses types would add 25 KiB to the filter, for formatting them.
struct NodeVisitor {
    /// If given, only members of this name are kept of the outermost object.
    only: Option<&'static str>,
}

#[expect(clippy::cast_precision_loss, reason = "a configuration has no use for integers beyond 2^53")]
impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            if self.only.is_none_or(|only| key == only) {
                pairs.push((key, access.next_value()?));
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Node::Object(pairs))
    }
}
