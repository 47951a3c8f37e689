//! What must hold after every scenario, whatever happened in it.

use std::collections::BTreeMap;

use proxy_wasm::types::LogLevel;

use serde_json::Value;

use crate::contract::CONTRACT;
use crate::metrics;
use crate::series::incomplete;
use crate::world::World;

impl World {
    /// The outcomes of a shadow that have been counted, with their numbers.
    pub fn outcomes(&self, shadow: &str) -> BTreeMap<String, u64> {
        self.counted("gnomon_shadow_outcomes_total", &[("shadow", shadow)], "outcome")
    }

    /// A statistic by the values of one label, without those that are 0.
    pub fn counted(&self, stat: &str, labels: &[(&str, &str)], by: &str) -> BTreeMap<String, u64> {
        let proxy = self.proxy();
        let mut counts = BTreeMap::new();
        for (series, value) in proxy.metrics.select(stat, labels) {
            if let metrics::Value::Counter(count @ 1..) | metrics::Value::Gauge(count @ 1..) = value {
                *counts.entry(series.label(by).to_owned()).or_default() += count;
            }
        }
        counts
    }

    /// What counters had counted that the host forgot.
    fn lost(&self, stat: &str, labels: &[(&str, &str)]) -> u64 {
        let proxy = self.proxy();
        let counts = proxy.metrics.lost(stat).filter(|(series, _)| metrics::has(series, labels)).map(|(_, value)| match value {
            metrics::Value::Counter(count) => *count,
            _ => 0,
        });
        counts.sum()
    }

    /// At any time: each sampled request has one outcome or is open, and no gauge has gone below zero.
    pub fn check_balance(&self) {
        let proxy = self.proxy();
        let seed = self.seed;
        let mut balances: BTreeMap<[&str; 3], [u64; 3]> = BTreeMap::new();
        for (place, stat) in ["gnomon_sampled_total", "gnomon_open_pairs", "gnomon_shadow_outcomes_total"].into_iter().enumerate() {
            for (series, value) in proxy.metrics.select(stat, &[]).chain(proxy.metrics.lost(stat)) {
                let (metrics::Value::Counter(count) | metrics::Value::Gauge(count)) = value else { continue };
                let shadow = ["experiment", "route", "shadow"].map(|label| series.label(label));
                let balance = balances.entry(shadow).or_default();
                balance[place] = balance[place].wrapping_add(*count);
            }
        }
        for (shadow, [sampled, open, ended]) in balances {
            let what = format!("of {shadow:?} {sampled} were sampled, {ended} have an outcome, {open} are open");
            assert_eq!(ended.wrapping_add(open), sampled, "seed {seed}: {what}");
        }
        for gauge in CONTRACT.iter().filter(|statistic| statistic.kind == "gauge") {
            for (series, value) in proxy.metrics.select(&gauge.name, &[]) {
                assert!(
                    !matches!(value, metrics::Value::Gauge(value) if *value > u64::MAX / 2),
                    "seed {seed}: {series:?} is below zero: {value:?}"
                );
            }
        }
        assert_eq!(proxy.metrics.sum("gnomon_anomalies_total", &[]), 0, "seed {seed}: the filter survived an internal error");
        drop(proxy);
        self.check_gates();
    }

    /// At rest: nothing is held, all counters agree with each other, and every exchange was left alone.
    pub fn check(&self) {
        self.check_balance();
        let seed = self.seed;
        for gauge in ["gnomon_open_pairs", "gnomon_captured_bytes"] {
            assert_eq!(self.sum(gauge, &[]), 0, "seed {seed}: {gauge} is not back at zero");
        }
        self.check_words();
        self.check_verdicts();
        let all = |stat, labels: &[(&str, &str)]| self.sum(stat, labels) + self.lost(stat, labels);
        let compared = all("gnomon_shadow_outcomes_total", &[("outcome", "compared")]);
        assert_eq!(all("gnomon_pairs_total", &[]), compared, "seed {seed}: pairs against outcomes");
        let diverged = all("gnomon_pairs_total", &[("verdict", "diverged")]);
        assert_eq!(all("gnomon_divergences_total", &[]), diverged, "seed {seed}: kinds against verdicts");
        assert_eq!(all("gnomon_divergent_paths_total", &[]), diverged, "seed {seed}: paths against verdicts");
        if self.exchanges.iter().all(|exchange| exchange.ended) {
            let [requests, responses] = ["gnomon_requests_total", "gnomon_responses_total"].map(|stat| all(stat, &[]));
            assert_eq!(requests, responses, "seed {seed}: requests against responses");
        }
        self.check_lines();
    }

    /// Where there is one series of a label with words, there is one for each word of the contract. (That there are no others is checked when
    /// a series is defined.)
    fn check_words(&self) {
        assert_eq!(incomplete(self.proxy().metrics.all()), Vec::<String>::new(), "seed {}", self.seed);
    }

    /// Every line at level `warn` that is not about the configuration is one JSON object: evidence, counted, what a gate came to, or a split that is not followed. No
    /// payload shows up anywhere.
    fn check_lines(&self) {
        let read = |line: String| -> Value {
            let value = serde_json::from_str(&line).ok().filter(Value::is_object);
            value.unwrap_or_else(|| panic!("seed {}: not a line of evidence: {line}", self.seed))
        };
        let lines = self.lines(LogLevel::Warn).into_iter().filter(|line| !line.starts_with("configuration of ")).map(read);
        let (of_gates, evidence): (Vec<Value>, Vec<Value>) =
            lines.filter(|line| line["misrouted"].is_null()).partition(|line| !line["gate"].is_null());
        assert_eq!(evidence.len() as u64, self.sum("gnomon_evidence_total", &[("outcome", "logged")]), "seed {}: evidence", self.seed);
        let failed = of_gates.iter().filter(|line| line["state"] == "fail").count();
        let failures = self.sum("gnomon_gate_failures_total", &[]) + self.lost("gnomon_gate_failures_total", &[]);
        assert_eq!(failed as u64, failures, "seed {}: lines on gates that failed", self.seed);
        let leaked = self.proxy().log.iter().find(|line| line.text.contains("payload")).map(|line| line.text.clone());
        assert_eq!(leaked, None, "seed {}: payload in the log", self.seed);
    }
}
