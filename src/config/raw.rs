//! A configuration as written: nothing lost, nothing judged.
//!
//! A [`Node`] keeps the order of keys and their duplicates, so that [`super::parse`] can report all there is to report. It is read
//! through serde, so the same type comes from JSON in the filter and from YAML in the native binary; what a copy's body is to hold goes
//! back to JSON. It knows no configuration key.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Characters of a value that are shown in a problem.
const SHOWN: usize = 60;

/// Whole numbers below this are exact as doubles, whoever wrote them.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value of a configuration text.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number; Istio's are doubles anyway.
    Number(f64),
    /// A text.
    Text(String),
    /// A list.
    Array(Vec<Node>),
    /// Keys and values in the order written, duplicates included.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads JSON text.
    ///
    /// # Errors
    /// Why it is not JSON, with line and column; so is nesting deeper than 128 levels.
    pub fn from_json(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }

    /// Of a JSON object that can't be read whole (too deep, a number out of range): just what it has under `key`. Any other value as it is.
    pub fn only(text: &[u8], key: &'static str) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let node = reader.deserialize_any(NodeVisitor { only: Some(key) }).ok()?;
        reader.end().is_ok().then_some(node)
    }

    /// Compact JSON text of this value; whole numbers have no decimal point, however they were written.
    ///
    /// # Errors
    /// Why there is none that says the same: an inexact number, one that JSON does not have, or a key that is there twice.
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

    /// The first value of `key`, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Node::Object(pairs) => pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// This value's text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What a person is shown of a value: short, on one line, and of lists and objects only that they are one (they may hold credentials).
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

/// The first characters of `text`, with `…` if there are more.
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

/// `text` as a string of JSON.
pub fn quoted(text: &str) -> String {
    // Writing a text into memory can't fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// The JSON text of a number, if there is one that says the same.
fn number(value: f64) -> Result<String, String> {
    if !value.is_finite() {
        Err("JSON has no such number".to_owned())
    } else if value.fract() != 0.0 {
        Ok(format!("{value:?}"))
    } else if value.abs() < EXACT {
        // Without the sign of -0.
        Ok((value + 0.0).to_string())
    } else {
        Err("whole numbers of 2^53 and beyond are not exact here".to_owned())
    }
}

/// It takes whatever there is: a visitor that refuses types brings their formatting into the filter, 25 KiB.
struct NodeVisitor {
    /// Of the members of the outermost object only those of this name are kept.
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

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
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
