//! Conditions on texts, as Envoy, Istio and the Gateway API write them.

use gnomon::config::raw::Node;

use super::protobuf_json::{field, text};

/// A condition on a text.
#[derive(Debug)]
pub struct TextTest<'a> {
    how: How,
    text: &'a str,
    ignores_case: bool,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Exact,
    Prefix,
    Suffix,
    Contains,
    Regex,
}

const WORDS: [(&str, How); 5] =
    [("exact", How::Exact), ("prefix", How::Prefix), ("suffix", How::Suffix), ("contains", How::Contains), ("regex", How::Regex)];

impl<'a> TextTest<'a> {
    /// Reads Envoy's StringMatcher or Istio's StringMatch; `None` if it has a condition of another kind.
    pub fn read(node: &'a Node) -> Option<Self> {
        let ignores_case = field(node, "ignore_case") == Some(&Node::Bool(true));
        let regex = || Some((How::Regex, field(node, "safe_regex").and_then(|regex| text(regex, "regex"))?));
        let (how, text) = WORDS.iter().find_map(|(key, how)| Some((*how, text(node, key)?))).or_else(regex)?;
        Some(Self { how, text, ignores_case })
    }

    /// Reads the older form of a condition on a header, in Envoy's HeaderMatcher: `exact_match` and the like.
    pub fn of_header(node: &'a Node) -> Option<Self> {
        let regex = || Some((How::Regex, field(node, "safe_regex_match").and_then(|regex| text(regex, "regex"))?));
        let old = WORDS.iter().find_map(|(key, how)| Some((*how, text(node, &format!("{key}_match"))?)));
        let (how, text) = old.or_else(regex)?;
        Some(Self { how, text, ignores_case: false })
    }

    /// A text that has to be the same, or to match a regular expression.
    pub fn of_value(text: &'a str, is_regex: bool) -> Self {
        Self { how: if is_regex { How::Regex } else { How::Exact }, text, ignores_case: false }
    }

    /// Whether `text` passes; `None` if that can't be told, because of a regular expression that is not simple.
    pub fn passes(&self, text: &str) -> Option<bool> {
        let lower = |text: &str| if self.ignores_case { text.to_ascii_lowercase() } else { text.to_owned() };
        let (own, text) = (lower(self.text), lower(text));
        Some(match self.how {
            How::Exact => text == own,
            How::Prefix => text.starts_with(&own),
            How::Suffix => text.ends_with(&own),
            How::Contains => text.contains(&own),
            How::Regex => return matches(self.text, &text),
        })
    }

    /// The text that is compared with, for messages.
    pub fn text(&self) -> &'a str {
        self.text
    }
}

/// A character of a regular expression (`None`: any), and whether it may be absent, and repeated.
type Part = (Option<char>, bool, bool);

/// Whether the whole of `text` matches `regex`. Reads texts, escaped punctuation, `.`, `*`, `+`, `?` and alternatives without brackets; returns
/// `None` for all else.
fn matches(regex: &str, text: &str) -> Option<bool> {
    let mut alternatives = Vec::new();
    let mut parts: Vec<Part> = Vec::new();
    let mut chars = regex.strip_prefix('^').unwrap_or(regex).chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '|' => alternatives.push(std::mem::take(&mut parts)),
            '$' if chars.peek().is_none() => {}
            '*' | '+' | '?' => {
                let last = parts.last_mut()?;
                (last.1, last.2) = (char != '+', char != '?');
                // Lazy and possessive forms match the same texts or are no RE2.
                chars.next_if_eq(&'?');
            }
            '.' => parts.push((None, false, false)),
            '\\' => parts.push((Some(chars.next().filter(char::is_ascii_punctuation)?), false, false)),
            '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
            other => parts.push((Some(other), false, false)),
        }
    }
    alternatives.push(parts);
    Some(alternatives.iter().any(|parts| runs(parts, text)))
}

/// Whether the parts match the whole of `text`. Keeps the set of lengths that the parts so far can take up.
fn runs(parts: &[Part], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut here = vec![false; text.len().saturating_add(1)];
    here.iter_mut().take(1).for_each(|start| *start = true);
    for &(wanted, optional, repeats) in parts {
        let mut next = vec![false; here.len()];
        let mut before = false;
        for (at, (was, now)) in here.iter().zip(&mut next).enumerate() {
            // What stands just before this place, if there is anything, is taken by this part.
            let fits = at.checked_sub(1).and_then(|last| text.get(last)).is_some_and(|char| wanted.is_none_or(|wanted| wanted == *char));
            *now = optional && *was || fits && before;
            before = *was || repeats && *now;
        }
        here = next;
    }
    here.last() == Some(&true)
}
