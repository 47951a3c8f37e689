//! The statistics of a proxy: one value per name for all workers, as Envoy's root scope keeps them.
//!
//! A series that is not in the contract of statistics, as [`CONTRACT`] has it, is a violation.

use std::collections::{BTreeMap, BTreeSet};

use proxy_wasm::types::{MetricType, Status};

use crate::contract::CONTRACT;
use crate::series::Series;

/// Whether a series has all of `labels`.
pub fn has(series: &Series, labels: &[(&str, &str)]) -> bool {
    labels.iter().all(|wanted| series.labels.iter().any(|(name, value)| (*name, value.as_str()) == *wanted))
}

/// The contract's word for a type.
fn word(kind: MetricType) -> String {
    format!("{kind:?}").to_lowercase()
}

/// What a series has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Counter(u64),
    Gauge(u64),
    Histogram(Vec<u64>),
}

/// All series of the proxy.
#[derive(Debug, Default)]
pub struct Metrics {
    values: BTreeMap<String, Value>,
    /// The series of each statistic, with their names.
    series: BTreeMap<&'static str, BTreeMap<String, Series>>,
    /// Series that no VM has any more: they can still be read here, but begin at 0 when they are defined again.
    forgotten: BTreeSet<String>,
    /// What counters had counted that were.
    lost: Vec<(Series, Value)>,
    /// Series whose names contain this text lose every write, as in Envoy those that a stats matcher excludes.
    pub hidden: Option<&'static str>,
}

impl Metrics {
    /// Brings a series into being. An error is a breach of the contract, which the host itself would not notice.
    pub fn define(&mut self, kind: MetricType, name: &str) -> Result<(), String> {
        let zero = match kind {
            MetricType::Counter => Value::Counter(0),
            MetricType::Gauge => Value::Gauge(0),
            _ => Value::Histogram(Vec::new()),
        };
        if self.forgotten.remove(name)
            && let Some(value) = self.values.get_mut(name)
        {
            let had = std::mem::replace(value, zero);
            if kind == MetricType::Counter {
                self.lost.push((Series::parse(&word(kind), name)?, had));
            }
        } else if !self.values.contains_key(name) {
            self.values.insert(name.to_owned(), zero);
            let series = Series::parse(&word(kind), name)?;
            self.series.entry(series.stat).or_default().insert(name.to_owned(), series);
        }
        Ok(())
    }

    fn hides(&self, name: &str) -> bool {
        self.hidden.is_some_and(|part| name.contains(part))
    }

    /// As Envoy: a counter only grows, a gauge below zero wraps, a histogram has no increments.
    pub fn increment(&mut self, name: &str, offset: i64) -> Result<(), Status> {
        let hidden = self.hides(name);
        match self.values.get_mut(name).ok_or(Status::NotFound)? {
            Value::Counter(_) if hidden && offset > 0 => {}
            Value::Gauge(_) if hidden => {}
            Value::Counter(value) if offset > 0 => *value += offset.unsigned_abs(),
            Value::Gauge(value) => *value = value.wrapping_add_signed(offset),
            _ => return Err(Status::BadArgument),
        }
        Ok(())
    }

    /// As Envoy: adds to a counter, sets a gauge, samples a histogram.
    pub fn record(&mut self, name: &str, sample: u64) -> Result<(), Status> {
        let hidden = self.hides(name);
        match self.values.get_mut(name).ok_or(Status::NotFound)? {
            _ if hidden => {}
            Value::Counter(value) => *value += sample,
            Value::Gauge(value) => *value = sample,
            Value::Histogram(samples) => samples.push(sample),
        }
        Ok(())
    }

    /// The value that all workers see; a histogram has none.
    pub fn get(&self, name: &str) -> Result<u64, Status> {
        match self.values.get(name).ok_or(Status::NotFound)? {
            Value::Counter(value) | Value::Gauge(value) => Ok(*value),
            Value::Histogram(_) => Err(Status::BadArgument),
        }
    }

    /// No VM has this series any more.
    pub fn forget(&mut self, name: String) {
        self.forgotten.insert(name);
    }

    /// Counters of `stat` that were forgotten and defined again, with what they had counted.
    pub fn lost(&self, stat: &str) -> impl Iterator<Item = (&Series, &Value)> {
        self.lost.iter().filter(move |(series, _)| series.stat == stat).map(|(series, value)| (series, value))
    }

    /// Every series that was ever defined.
    pub fn all(&self) -> impl Iterator<Item = &Series> {
        self.series.values().flat_map(BTreeMap::values)
    }

    /// Lets another worker count trials of a gate, and then the bad ones of them; `labels` are the gate's, as they are spelled in names.
    pub fn count_elsewhere(&mut self, labels: &str, bad: u64, trials: u64) {
        for (stat, count) in [("gnomon_gate_trials_total", trials), ("gnomon_gate_bad_total", bad)] {
            self.record(&format!("{stat}{labels}"), count).expect("the gate is configured");
        }
    }

    /// That of a gate whose trials have this limit of their own, in millionths.
    pub fn count_events_elsewhere(&mut self, labels: &str, bad: u64, trials: u64, limit: u64) {
        self.record(&format!("gnomon_gate_limit_sum_ppm_total{labels}"), limit * trials).expect("the gate is configured");
        self.count_elsewhere(labels, bad, trials);
    }

    /// Every series of `stat` that has all of `labels`.
    pub fn select<'a>(&'a self, stat: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (&'a Series, &'a Value)> {
        let chosen = self.series.get(stat).into_iter().flatten().filter(move |(_, series)| has(series, labels));
        chosen.map(|(name, series)| (series, &self.values[name]))
    }

    /// The sum over counters and gauges of `stat` that have all of `labels`; samples of a histogram count one each.
    pub fn sum(&self, stat: &str, labels: &[(&str, &str)]) -> u64 {
        assert!(CONTRACT.iter().any(|statistic| statistic.name == stat), "no such statistic: {stat}");
        let amount = |value: &Value| match value {
            Value::Counter(value) | Value::Gauge(value) => *value,
            Value::Histogram(samples) => samples.len() as u64,
        };
        self.select(stat, labels).map(|(_, value)| amount(value)).fold(0, u64::wrapping_add)
    }

    /// All values, for comparing two runs.
    pub fn snapshot(&self) -> BTreeMap<String, Value> {
        self.values.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_behave_as_in_envoy() {
        let mut metrics = Metrics::default();
        metrics.define(MetricType::Gauge, "gnomon_captured_bytes").unwrap();
        metrics.define(MetricType::Counter, "gnomon_anomalies_totalwhat=.=reentrant;.;").unwrap();
        metrics.increment("gnomon_captured_bytes", -1).unwrap();
        assert_eq!(metrics.get("gnomon_captured_bytes"), Ok(u64::MAX));
        assert_eq!(metrics.increment("gnomon_anomalies_totalwhat=.=reentrant;.;", 0), Err(Status::BadArgument));
        assert_eq!(metrics.increment("other", 1), Err(Status::NotFound));
        metrics.define(MetricType::Gauge, "gnomon_captured_bytes").unwrap();
        assert_eq!(metrics.get("gnomon_captured_bytes"), Ok(u64::MAX), "defined again, not reset");
    }

    #[test]
    fn what_was_forgotten_begins_anew() {
        let mut metrics = Metrics::default();
        let name = "gnomon_anomalies_totalwhat=.=reentrant;.;";
        metrics.define(MetricType::Counter, name).unwrap();
        metrics.record(name, 3).unwrap();
        metrics.forget(name.to_owned());
        assert_eq!((metrics.get(name), metrics.lost("gnomon_anomalies_total").count()), (Ok(3), 0));
        metrics.define(MetricType::Counter, name).unwrap();
        assert_eq!(metrics.get(name), Ok(0));
        assert_eq!(metrics.lost("gnomon_anomalies_total").map(|(_, value)| value.clone()).collect::<Vec<_>>(), [Value::Counter(3)]);
        metrics.record(name, 1).unwrap();
        metrics.define(MetricType::Counter, name).unwrap();
        assert_eq!(metrics.get(name), Ok(1), "defined by another VM, not forgotten");
    }
}
