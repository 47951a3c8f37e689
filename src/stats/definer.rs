//! Defining the series of one configuration.

use super::names;
use super::port::{MetricId, MetricType, Statistics};
use super::retention::Retention;

/// Defines series at the host, and remembers those that outlive the configuration.
pub struct Definer<'a> {
    /// The host's statistics.
    pub statistics: &'a mut dyn Statistics,
    /// A line for each series that outlives the configuration, see [`super::retention`].
    pub retained: Vec<String>,
    /// How many series of each experiment were defined.
    pub experiments: Vec<(String, usize)>,
}

impl<'a> Definer<'a> {
    /// Returns a definer that has defined nothing yet.
    pub fn new(statistics: &'a mut dyn Statistics) -> Self {
        Self { statistics, retained: Vec::new(), experiments: Vec::new() }
    }

    /// Defines the series `name` with these labels.
    pub fn define(&mut self, kind: MetricType, name: &str, labels: &[(&str, &str)]) -> MetricId {
        if let Some((_, experiment)) = labels.iter().find(|(label, _)| *label == "experiment") {
            match self.experiments.iter_mut().find(|(known, _)| known == experiment) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => self.experiments.push(((*experiment).to_owned(), 1)),
            }
        }
        self.statistics.define(kind, &names::series(name, labels))
    }

    /// Defines the series `name` with these labels. It outlives the configuration as `retention` says.
    pub fn retained(&mut self, retention: Retention, name: &str, labels: &[(&str, &str)]) -> MetricId {
        self.retained.push(retention.line(&names::series(name, labels)));
        self.define(retention.kind(), name, labels)
    }
}
