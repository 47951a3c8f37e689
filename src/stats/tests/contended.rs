//! A host whose other workers come between two calls, or that refuses what is written: for tests of what shares data.

use crate::labels::Anomaly;
use crate::stats::memory::Memory;
use crate::stats::port::{MetricId, MetricType, Statistics, Stored, Version};

/// What other workers do before a write of shared data; the text is the key.
type Meanwhile = Box<dyn FnMut(&mut Memory, &str)>;

/// [`Memory`] that is shared with others.
#[derive(Default)]
pub struct Contended {
    /// What is there.
    pub memory: Memory,
    /// What others do before each write.
    meanwhile: Option<Meanwhile>,
    /// Whether every write is refused.
    pub refuses: bool,
    /// How often a write was tried.
    pub stores: usize,
}

impl Contended {
    /// One where others do this before each write.
    pub fn with(meanwhile: impl FnMut(&mut Memory, &str) + 'static) -> Self {
        Self { meanwhile: Some(Box::new(meanwhile)), ..Self::default() }
    }

    /// One where others add a line of their own to the list before each of the first `times` writes.
    pub fn adding_lines(mut times: usize) -> Self {
        let mut lines = (0..).map(|number| format!("theirs-{number}"));
        Self::with(move |memory, key| {
            if times > 0 {
                times -= 1;
                memory.append(key, &lines.next().unwrap());
            }
        })
    }

    /// One that refuses every write.
    pub fn refusing() -> Self {
        Self { refuses: true, ..Self::default() }
    }

    /// From now on nobody comes between.
    pub fn calm(&mut self) {
        (self.meanwhile, self.refuses) = (None, false);
    }

    /// How many internal errors were counted.
    pub fn anomalies(&self) -> i64 {
        self.memory.sum(&["gnomon_anomalies_total", "what=.=host_call;"])
    }
}

impl Memory {
    /// The lines of the list under a key.
    pub fn list(&self, key: &str) -> Vec<String> {
        let bytes = self.shared.get(key).map(|(bytes, _)| bytes.as_slice()).unwrap_or_default();
        String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
    }

    /// Adds a line to the list under a key, whoever else does.
    pub fn append(&mut self, key: &str, line: &str) {
        let mut list = self.list(key);
        list.push(line.to_owned());
        self.store(key, list.join("\n").as_bytes(), None);
    }
}

impl Statistics for Contended {
    fn define(&mut self, kind: MetricType, name: &str) -> MetricId {
        self.memory.define(kind, name)
    }

    fn add(&mut self, series: MetricId, by: i64) {
        self.memory.add(series, by);
    }

    fn set(&mut self, gauge: MetricId, value: u64) {
        self.memory.set(gauge, value);
    }

    fn record(&mut self, histogram: MetricId, value: u64) {
        self.memory.record(histogram, value);
    }

    fn read(&mut self, series: MetricId) -> u64 {
        self.memory.read(series)
    }

    fn load(&mut self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.memory.load(key)
    }

    fn store(&mut self, key: &str, bytes: &[u8], version: Option<Version>) -> Stored {
        self.stores += 1;
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile(&mut self.memory, key);
        }
        if self.refuses { Stored::Refused } else { self.memory.store(key, bytes, version) }
    }

    fn anomaly(&mut self, what: Anomaly) {
        self.memory.anomaly(what);
    }
}
