//! A value with its path, and the checks of every object: unknown keys, duplicate keys, `null`, missing keys.
//!
//! A reader returns `None` only after it has reported a problem. So a structure first reads all its parts, and then uses `?` on each.

use std::collections::BTreeSet;

use super::{nearest, place};
use crate::config::problem::Problem;
use crate::config::raw::{self, Node};

/// The problems found so far.
pub(super) type Problems = Vec<Problem>;

/// The texts seen so far, to find duplicates. One type for all uses, because each type of set adds 4 KiB to the filter.
pub(super) type Seen<'a> = BTreeSet<&'a str>;

/// A value and its path.
#[derive(Clone, Debug)]
pub(super) struct Value<'a> {
    pub(super) node: &'a Node,
    pub(super) path: String,
}

impl<'a> Value<'a> {
    /// Returns the value of the whole configuration.
    pub(super) fn root(node: &'a Node) -> Self {
        Self { node, path: String::new() }
    }

    /// Reports that this value is wrong. Always returns `None`.
    pub(super) fn refuse<T>(&self, hint: impl AsRef<str>, problems: &mut Problems) -> Option<T> {
        self.report(None, hint.as_ref(), problems);
        None
    }

    /// Reports that this value is wrong, but shows `found` instead of it. Always returns `None`.
    pub(super) fn refuse_as<T>(&self, found: impl AsRef<str>, hint: impl AsRef<str>, problems: &mut Problems) -> Option<T> {
        self.report(Some(found.as_ref()), hint.as_ref(), problems);
        None
    }

    // Not inlined into a hundred callers, to keep the filter small.
    #[inline(never)]
    fn report(&self, found: Option<&str>, hint: &str, problems: &mut Problems) {
        let path = if self.path.is_empty() { "$".to_owned() } else { self.path.clone() };
        let found = found.map_or_else(|| self.node.to_string(), str::to_owned);
        problems.push(Problem { path, found, hint: hint.to_owned() });
    }

    /// Reads a text.
    pub(super) fn text(&self, problems: &mut Problems) -> Option<&'a str> {
        match self.node {
            Node::Text(text) => Some(text),
            _ => {
                self.report_type("give a text", problems);
                None
            }
        }
    }

    /// Reports a value of the wrong type, with what makes it one of the type in `hint`.
    #[inline(never)]
    fn report_type(&self, hint: &str, problems: &mut Problems) {
        let more = match (hint, self.node) {
            // How it was written is lost: 2.0 reads as 2, and True as true.
            ("give a text", Node::Number(_) | Node::Bool(_)) if self.path.ends_with(".model_version") => {
                ": put it in quotes, as your model writes it".to_owned()
            }
            ("give a text", Node::Number(_) | Node::Bool(_)) => ": put it in quotes".to_owned(),
            ("give a list", node) => place::list(&self.path, node),
            ("give an object", _) => match place::example(&self.path) {
                "" => String::new(),
                example => [", such as ", example].concat(),
            },
            _ => String::new(),
        };
        self.report(None, &[hint, &more].concat(), problems);
    }

    /// Reads a text that is not empty and has no control characters.
    pub(super) fn line(&self, problems: &mut Problems) -> Option<&'a str> {
        match self.text(problems)? {
            "" => self.refuse("give a text that is not empty", problems),
            text if text.chars().any(char::is_control) => self.refuse("give a text without control characters", problems),
            text => Some(text),
        }
    }

    /// Reads `true` or `false`.
    pub(super) fn boolean(&self, problems: &mut Problems) -> Option<bool> {
        match self.node {
            Node::Bool(value) => Some(*value),
            _ => self.refuse_plain("give true or false", problems),
        }
    }

    /// Reports that this is no number, or not `true` or `false`. Always returns `None`.
    pub(super) fn refuse_plain<T>(&self, hint: &str, problems: &mut Problems) -> Option<T> {
        self.report_plain(hint, problems);
        None
    }

    #[inline(never)]
    fn report_plain(&self, hint: &str, problems: &mut Problems) {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| b"0123456789+-.eE".contains(&byte));
        let is_quoted = |text: &str| matches!(text, "true" | "false") || is_number(text);
        let end = if self.node.as_text().is_some_and(is_quoted) { ", without quotes" } else { "" };
        self.report(None, &[hint, end].concat(), problems);
    }

    /// Reads every item of a list with `read`, also after an item with a problem.
    pub(super) fn list<T>(&self, problems: &mut Problems, mut read: impl FnMut(&Value<'a>, &mut Problems) -> Option<T>) -> Option<Vec<T>> {
        let items = self.items(problems)?;
        let mut all = Vec::new();
        for item in &items {
            all.extend(read(item, problems));
        }
        (all.len() == items.len()).then_some(all)
    }

    /// Returns `read`, or reports that this list has more than `most` items.
    pub(super) fn at_most<T>(&self, most: usize, what: &str, read: Option<T>, problems: &mut Problems) -> Option<T> {
        match self.node {
            Node::Array(items) if items.len() > most => {
                let found = format!("{} {what}", items.len());
                self.refuse_as(found, format!("give at most {most}: each has series of its own"), problems)
            }
            _ => read,
        }
    }

    /// Returns the items of a list.
    pub(super) fn items(&self, problems: &mut Problems) -> Option<Vec<Value<'a>>> {
        match self.node {
            Node::Array(items) => Some(items.iter().enumerate().map(|(index, node)| self.item(index, node)).collect()),
            _ => {
                self.report_type("give a list", problems);
                None
            }
        }
    }

    /// Reads an object and reports all keys but `keys`.
    pub(super) fn object(&self, keys: &[&str], problems: &mut Problems) -> Option<Object<'a>> {
        self.members(&|key| (!keys.contains(&key)).then(|| unknown(key, keys, &self.path)), problems)
    }

    /// Reads an object. Reports every key for which `strange` returns a hint, every duplicate key, and every `null`.
    pub(super) fn members(&self, strange: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) -> Option<Object<'a>> {
        let Node::Object(pairs) = self.node else {
            self.report_type("give an object", problems);
            return None;
        };
        let object = Object { path: self.path.clone(), pairs };
        let mut seen = Seen::new();
        for (key, node) in pairs {
            let member = object.member(key, node);
            if let Some(hint) = strange(key) {
                member.refuse::<()>(hint, problems);
            } else if !seen.insert(key.as_str()) {
                member.refuse::<()>("this key is there more than once: keep one of them", problems);
            } else if matches!(node, Node::Null) {
                member.refuse::<()>("null stands for nothing here: give a value or leave the key out", problems);
            }
        }
        Some(object)
    }

    /// Returns the first value of `key`, if this is an object with that key. Reports nothing.
    pub(super) fn child(&self, key: &str) -> Option<Value<'a>> {
        match self.node {
            Node::Object(pairs) => Object { path: self.path.clone(), pairs }.get(key),
            _ => None,
        }
    }

    /// Reads the value with `read`; `None` if it is `null`, which has been reported with its object.
    pub(super) fn read<T>(&self, problems: &mut Problems, read: impl FnOnce(&Value<'a>, &mut Problems) -> Option<T>) -> Option<T> {
        if matches!(self.node, Node::Null) { None } else { read(self, problems) }
    }

    fn item(&self, index: usize, node: &'a Node) -> Value<'a> {
        Value { node, path: format!("{}[{index}]", self.path) }
    }
}

/// Returns the hint for a key that is not among `keys`, those of the object at `path`.
#[cold]
#[inline(never)]
pub(super) fn unknown(key: &str, keys: &[&str], path: &str) -> String {
    let places = place::belongs(key, path);
    match nearest::nearest(key, keys) {
        Some((_, near)) if places.is_empty() => ["unknown key: did you mean ", near, "?"].concat(),
        Some((0 | 1, near)) => ["unknown key: did you mean ", near, "? (", key, " belongs in ", &places, ")"].concat(),
        _ if !places.is_empty() => ["unknown key here: ", key, " belongs in ", &places].concat(),
        _ => match nearest::nearest(key, &place::all_keys()) {
            Some((_, near)) => ["unknown key: did you mean ", near, "? It belongs in ", &place::belongs(near, path)].concat(),
            None => ["unknown key: the keys here are ", &keys.join(", ")].concat(),
        },
    }
}

/// An object and its path.
#[derive(Clone, Debug)]
pub(super) struct Object<'a> {
    path: String,
    pub(super) pairs: &'a [(String, Node)],
}

impl<'a> Object<'a> {
    /// Returns the first value of `key`.
    #[inline(never)]
    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        self.pairs.iter().find(|(name, _)| name == key).map(|(name, node)| self.member(name, node))
    }

    /// Reads the value of a required key.
    pub(super) fn required<T>(
        &self,
        key: &str,
        problems: &mut Problems,
        read: impl FnOnce(&Value<'a>, &mut Problems) -> Option<T>,
    ) -> Option<T> {
        self.required_as(key, "", problems, read)
    }

    /// Reads the value of a required key. If it is missing, the hint goes on with `give`, or with an example of the object if that is empty.
    pub(super) fn required_as<T>(
        &self,
        key: &str,
        give: &str,
        problems: &mut Problems,
        read: impl FnOnce(&Value<'a>, &mut Problems) -> Option<T>,
    ) -> Option<T> {
        read(&self.needed(key, give, problems)?, problems)
    }

    /// Returns the value of a required key; `None` if it is missing, which is reported, or `null`, which has been reported.
    #[inline(never)]
    fn needed(&self, key: &str, give: &str, problems: &mut Problems) -> Option<Value<'a>> {
        let found = self.get(key);
        if found.is_some() {
            return found.filter(|value| !matches!(value.node, Node::Null));
        }
        let (joint, more) = match (give, place::example(&self.path)) {
            ("", "") => ("", ""),
            ("", example) => (", as in ", example),
            _ => (": ", give),
        };
        self.missing(key, &["this key is required", joint, more].concat(), problems)
    }

    /// Reads the value of an optional key; `default` if the key is missing.
    pub(super) fn or<T>(
        &self,
        key: &str,
        default: T,
        problems: &mut Problems,
        read: impl FnOnce(&Value<'a>, &mut Problems) -> Option<T>,
    ) -> Option<T> {
        match self.get(key) {
            Some(value) => value.read(problems, read),
            None => Some(default),
        }
    }

    /// Reads the value of an optional key; `Some(None)` if the key is missing.
    pub(super) fn maybe<T>(
        &self,
        key: &str,
        problems: &mut Problems,
        read: impl FnOnce(&Value<'a>, &mut Problems) -> Option<T>,
    ) -> Option<Option<T>> {
        self.or(key, None, problems, |value, problems| read(value, problems).map(Some))
    }

    /// Reports that `key` is missing. Always returns `None`.
    pub(super) fn missing<T>(&self, key: &str, hint: &str, problems: &mut Problems) -> Option<T> {
        self.member(key, &Node::Null).refuse_as("nothing", hint, problems)
    }

    /// Returns `node`, the value of `key`, with its path.
    pub(super) fn member<'b>(&self, key: &str, node: &'b Node) -> Value<'b> {
        let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        let path = match (plain, self.path.is_empty()) {
            (true, true) => raw::cut(key),
            (true, false) => format!("{}.{}", self.path, raw::cut(key)),
            (false, _) => format!("{}[{}]", self.path, raw::cut(&format!("{key:?}"))),
        };
        Value { node, path }
    }
}
