//! Statistics and shared data in memory, for tests, fuzzing and simulations. Unlike at a real host, nothing changes between two calls.

use std::collections::BTreeMap;

use super::names;
use super::port::{MetricId, MetricType, Statistics, Stored, Version};
use crate::labels::{Anomaly, Label};

/// A host in memory, of one worker or of several that take turns.
#[derive(Debug, Default)]
pub struct Memory {
    /// The types and names of series, by id. A series that was defined several times has several ids.
    pub defined: Vec<(MetricType, String)>,
    /// The values of counters and gauges that were changed, by name.
    pub values: BTreeMap<String, i64>,
    /// The values recorded in histograms, by name.
    pub recorded: BTreeMap<String, Vec<u64>>,
    /// The shared data, by key.
    pub shared: BTreeMap<String, (Vec<u8>, Version)>,
    /// How often shared data was read.
    pub loads: usize,
    /// Counters and gauges whose names contain this text lose every write, as in Envoy those that `stats_matcher` excludes.
    pub dropped: Option<&'static str>,
}

impl Memory {
    /// Returns the sum of the counters and gauges whose names contain all of `parts`.
    pub fn sum(&self, parts: &[&str]) -> i64 {
        self.values.iter().filter(|(name, _)| parts.iter().all(|part| name.contains(part))).map(|(_, value)| value).sum()
    }

    fn name(&self, series: MetricId) -> Option<&str> {
        self.defined.get(usize::try_from(series).ok()?).map(|(_, name)| name.as_str())
    }

    fn value(&mut self, series: MetricId) -> Option<&mut i64> {
        let name = self.name(series).filter(|name| !self.dropped.is_some_and(|part| name.contains(part)))?.to_owned();
        Some(self.values.entry(name).or_default())
    }
}

impl Statistics for Memory {
    fn define(&mut self, kind: MetricType, name: &str) -> MetricId {
        self.defined.push((kind, name.to_owned()));
        MetricId::try_from(self.defined.len().saturating_sub(1)).unwrap_or(MetricId::MAX)
    }

    fn add(&mut self, series: MetricId, by: i64) {
        if let Some(value) = self.value(series) {
            *value = value.saturating_add(by);
        }
    }

    fn set(&mut self, gauge: MetricId, value: u64) {
        if let Some(there) = self.value(gauge) {
            *there = value.cast_signed();
        }
    }

    fn record(&mut self, histogram: MetricId, value: u64) {
        if let Some(name) = self.name(histogram).map(str::to_owned) {
            self.recorded.entry(name).or_default().push(value);
        }
    }

    fn read(&mut self, series: MetricId) -> u64 {
        self.name(series).and_then(|name| self.values.get(name)).map_or(0, |value| value.cast_unsigned())
    }

    fn load(&mut self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.loads = self.loads.saturating_add(1);
        self.shared.get(key).cloned()
    }

    fn store(&mut self, key: &str, bytes: &[u8], version: Option<Version>) -> Stored {
        let there = self.shared.get(key).map(|(_, version)| *version);
        if there.is_some() && version.is_some() && there != version {
            return Stored::Conflict;
        }
        self.shared.insert(key.to_owned(), (bytes.to_vec(), there.unwrap_or_default().saturating_add(1)));
        Stored::Done
    }

    fn anomaly(&mut self, what: Anomaly) {
        let name = names::series("gnomon_anomalies_total", &[("what", what.label())]);
        let count = self.values.entry(name).or_default();
        *count = count.saturating_add(1);
    }
}
