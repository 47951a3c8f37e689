//! The statistics of a proxy: one value per name for all workers, as Envoy's root scope keeps them, and the reading of names.
//!
//! A name is `gnomon_…` and then `label=.=value;.;` for each label. [`CONTRACT`] is the table of statistics with their labels; a
//! series that is not in it is a violation.

use std::collections::{BTreeMap, BTreeSet};

use proxy_wasm::types::{MetricType, Status};

/// Every statistic: name, type, labels in order.
pub const CONTRACT: &[(&str, MetricType, &[&str])] = &[
    ("gnomon_requests_total", MetricType::Counter, &["experiment", "route", "variant", "reason"]),
    ("gnomon_responses_total", MetricType::Counter, &["experiment", "route", "variant", "class"]),
    ("gnomon_response_duration_microseconds", MetricType::Histogram, &["experiment", "route", "variant"]),
    ("gnomon_sampled_total", MetricType::Counter, &["experiment", "route", "shadow"]),
    ("gnomon_shadow_outcomes_total", MetricType::Counter, &["experiment", "route", "shadow", "slice", "outcome"]),
    ("gnomon_shadow_responses_total", MetricType::Counter, &["experiment", "route", "shadow", "class"]),
    ("gnomon_shadow_duration_microseconds", MetricType::Histogram, &["experiment", "route", "shadow"]),
    ("gnomon_pairs_total", MetricType::Counter, &["experiment", "route", "shadow", "slice", "verdict"]),
    ("gnomon_divergences_total", MetricType::Counter, &["experiment", "route", "shadow", "kind"]),
    ("gnomon_divergent_paths_total", MetricType::Counter, &["experiment", "route", "shadow", "path"]),
    ("gnomon_tokens_total", MetricType::Counter, &["experiment", "route", "subject", "token"]),
    ("gnomon_answers_total", MetricType::Counter, &["experiment", "route", "subject", "kind"]),
    ("gnomon_model_versions_total", MetricType::Counter, &["experiment", "route", "subject", "model_version"]),
    ("gnomon_decisions_total", MetricType::Counter, &["experiment", "route", "shadow", "primary_answer", "shadow_answer"]),
    ("gnomon_first_byte_duration_microseconds", MetricType::Histogram, &["experiment", "route", "subject"]),
    ("gnomon_split_ppm", MetricType::Gauge, &["experiment", "route", "variant"]),
    ("gnomon_gate_bad_total", MetricType::Counter, GATE),
    ("gnomon_gate_trials_total", MetricType::Counter, GATE),
    ("gnomon_gate_failures_total", MetricType::Counter, GATE),
    ("gnomon_gate_limit_ppm", MetricType::Gauge, GATE),
    ("gnomon_gate_alpha_ppm", MetricType::Gauge, GATE),
    ("gnomon_gate_min_trials", MetricType::Gauge, GATE),
    ("gnomon_gate_state", MetricType::Gauge, GATE),
    ("gnomon_guardrail_tripped", MetricType::Gauge, &["experiment", "route", "variant"]),
    ("gnomon_warmup_total", MetricType::Counter, &["experiment", "route", "subject"]),
    ("gnomon_warmup_began_milliseconds", MetricType::Gauge, &["experiment", "route", "subject"]),
    ("gnomon_open_pairs", MetricType::Gauge, &["experiment", "route", "shadow"]),
    ("gnomon_captured_bytes", MetricType::Gauge, &[]),
    ("gnomon_breaker_open", MetricType::Gauge, &["experiment", "route", "shadow"]),
    ("gnomon_evidence_total", MetricType::Counter, &["outcome"]),
    ("gnomon_configuration", MetricType::Gauge, &["plugin"]),
    ("gnomon_build_info", MetricType::Gauge, &["what"]),
    ("gnomon_anomalies_total", MetricType::Counter, &["what"]),
];

/// Labels of what one gate counts and says of one slice.
const GATE: &[&str] = &["experiment", "route", "gate", "subject", "slice"];

/// A parsed name: the statistic and the values of its labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    pub stat: &'static str,
    pub labels: Vec<(&'static str, String)>,
}

impl Series {
    /// Reads a flat name; an error says how it breaks the contract.
    pub fn parse(kind: MetricType, name: &str) -> Result<Self, String> {
        let Some(&(stat, expected, labels)) = CONTRACT.iter().find(|(stat, ..)| name.starts_with(stat)) else {
            return Err(format!("the statistic {name} is not in the table"));
        };
        if kind != expected {
            return Err(format!("{stat} is defined as a {kind:?}, not as a {expected:?}"));
        }
        let mut rest = &name[stat.len()..];
        let mut values = Vec::new();
        for &label in labels {
            let value = rest.strip_prefix(label).and_then(|rest| rest.strip_prefix("=.=")).and_then(|rest| rest.split_once(";.;"));
            let Some((value, tail)) = value else { return Err(format!("{name} lacks the label {label} in its place")) };
            if value.is_empty() || value.chars().count() > 128 {
                return Err(format!("{name}: the value of {label} is empty or too long"));
            }
            values.push((label, value.to_owned()));
            rest = tail;
        }
        if rest.is_empty() { Ok(Self { stat, labels: values }) } else { Err(format!("{name} has more labels than the table says")) }
    }

    /// Whether the series has all of `labels`.
    pub fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|wanted| self.labels.iter().any(|(name, value)| (*name, value.as_str()) == *wanted))
    }

    /// The value of a label, or nothing.
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| *label == name).map_or("", |(_, value)| value)
    }
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
                self.lost.push((Series::parse(kind, name)?, had));
            }
        } else if !self.values.contains_key(name) {
            self.values.insert(name.to_owned(), zero);
            let series = Series::parse(kind, name)?;
            self.series.entry(series.stat).or_default().insert(name.to_owned(), series);
        }
        Ok(())
    }

    /// As Envoy: a counter only grows, a gauge below zero wraps, a histogram has no increments.
    pub fn increment(&mut self, name: &str, offset: i64) -> Result<(), Status> {
        match self.values.get_mut(name).ok_or(Status::NotFound)? {
            Value::Counter(value) if offset > 0 => *value += offset.unsigned_abs(),
            Value::Gauge(value) => *value = value.wrapping_add_signed(offset),
            _ => return Err(Status::BadArgument),
        }
        Ok(())
    }

    /// As Envoy: adds to a counter, sets a gauge, samples a histogram.
    pub fn record(&mut self, name: &str, sample: u64) -> Result<(), Status> {
        match self.values.get_mut(name).ok_or(Status::NotFound)? {
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

    /// All begin again at 0, as in a proxy that was restarted.
    pub fn restart(&mut self) {
        for value in self.values.values_mut() {
            match value {
                Value::Counter(value) | Value::Gauge(value) => *value = 0,
                Value::Histogram(samples) => samples.clear(),
            }
        }
    }

    /// Trials and bad of a gate that another worker counts, in its order; `labels` are the gate's, as they are spelled in names.
    pub fn count_elsewhere(&mut self, labels: &str, bad: u64, trials: u64) {
        for (stat, count) in [("gnomon_gate_trials_total", trials), ("gnomon_gate_bad_total", bad)] {
            self.record(&format!("{stat}{labels}"), count).expect("the gate is configured");
        }
    }

    /// Every series of `stat` that has all of `labels`.
    pub fn select<'a>(&'a self, stat: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (&'a Series, &'a Value)> {
        let chosen = self.series.get(stat).into_iter().flatten().filter(move |(_, series)| series.has(labels));
        chosen.map(|(name, series)| (series, &self.values[name]))
    }

    /// The sum over counters and gauges of `stat` that have all of `labels`; samples of a histogram count one each.
    pub fn sum(&self, stat: &str, labels: &[(&str, &str)]) -> u64 {
        assert!(CONTRACT.iter().any(|(name, ..)| *name == stat), "no such statistic: {stat}");
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
        metrics.define(MetricType::Counter, "gnomon_anomalies_totalwhat=.=x;.;").unwrap();
        metrics.increment("gnomon_captured_bytes", -1).unwrap();
        assert_eq!(metrics.get("gnomon_captured_bytes"), Ok(u64::MAX));
        assert_eq!(metrics.increment("gnomon_anomalies_totalwhat=.=x;.;", 0), Err(Status::BadArgument));
        assert_eq!(metrics.increment("other", 1), Err(Status::NotFound));
        metrics.define(MetricType::Gauge, "gnomon_captured_bytes").unwrap();
        assert_eq!(metrics.get("gnomon_captured_bytes"), Ok(u64::MAX), "defined again, not reset");
    }

    #[test]
    fn what_was_forgotten_begins_anew() {
        let mut metrics = Metrics::default();
        let name = "gnomon_anomalies_totalwhat=.=x;.;";
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

    #[test]
    fn names_are_held_to_the_table() {
        for (kind, name) in [
            (MetricType::Counter, "gnomon_unknown_total"),
            (MetricType::Gauge, "gnomon_anomalies_totalwhat=.=x;.;"),
            (MetricType::Counter, "gnomon_anomalies_total"),
            (MetricType::Counter, "gnomon_anomalies_totalwhat=.=x;.;plugin=.=y;.;"),
            (MetricType::Counter, "gnomon_anomalies_totalwhat=.=;.;"),
        ] {
            assert!(Series::parse(kind, name).is_err(), "{name}");
        }
        let series = Series::parse(MetricType::Counter, "gnomon_sampled_totalexperiment=.=e;.;route=.=r;.;shadow=.=s;.;").unwrap();
        assert_eq!((series.stat, series.label("shadow")), ("gnomon_sampled_total", "s"));
    }
}
