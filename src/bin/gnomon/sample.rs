//! One value of one series, wherever it comes from.

use std::collections::BTreeMap;

/// A value of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The series' name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// Returns the value of a label; one that is missing is empty, as Prometheus has it.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// Returns the value as a count; `None` if it is no number from 0 up. Fractions are cut off.
    pub fn count(&self) -> Option<u64> {
        // A double holds every whole number up to 2^53.
        (self.value >= 0.0).then_some(self.value as u64)
    }
}
