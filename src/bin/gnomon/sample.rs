//! One value of one series, wherever it comes from.

use std::collections::BTreeMap;

use crate::shown::plain;

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
    /// Returns a sample. What its labels say may reach a terminal, so it is made plain.
    pub fn new(name: &str, labels: &BTreeMap<String, String>, value: f64) -> Self {
        let labels = labels.iter().map(|(name, value)| (plain(name), plain(value))).collect();
        Self { name: plain(name), labels, value }
    }

    /// Returns the value of a label; one that is missing is empty, as Prometheus has it.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// Returns the value as a count, see [`whole`].
    pub fn count(&self) -> Option<u64> {
        whole(self.value)
    }
}

/// Returns a value as a whole number; `None` unless it is one from 0 to 2^53, up to which a double holds every one.
pub fn whole(value: f64) -> Option<u64> {
    ((0.0..=9_007_199_254_740_992.0).contains(&value) && value.fract() == 0.0).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn whole_numbers_are_counts() {
        for (value, count) in [(0.0, 0), (-0.0, 0), (1.0, 1), (1e15, 1_000_000_000_000_000)] {
            assert_eq!(whole(value), Some(count));
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.5, 1.5, 1e16] {
            assert_eq!(whole(value), None, "{value}");
        }
    }
}
