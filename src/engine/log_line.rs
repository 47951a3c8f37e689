//! A log line for operators: one JSON object.

use std::collections::BTreeMap;

use crate::config::raw::quoted;

/// Members of the object, in the order of their names.
#[derive(Debug, Default)]
pub struct LogLine {
    /// JSON texts.
    members: BTreeMap<&'static str, String>,
}

impl LogLine {
    /// A text.
    pub fn text(&mut self, name: &'static str, value: &str) {
        self.members.insert(name, quoted(value));
    }

    /// Several texts.
    pub fn texts(&mut self, name: &'static str, values: &[String]) {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.members.insert(name, format!("[{}]", values.join(",")));
    }

    /// A whole number.
    pub fn number(&mut self, name: &'static str, value: impl Into<u64>) {
        self.members.insert(name, value.into().to_string());
    }

    /// A number; one that is not finite is `null`, because JSON has none.
    pub fn float(&mut self, name: &'static str, value: f64) {
        self.members.insert(name, if value.is_finite() { format!("{value:?}") } else { "null".to_owned() });
    }

    /// The line.
    pub fn written(&self) -> String {
        let members: Vec<String> = self.members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }
}
