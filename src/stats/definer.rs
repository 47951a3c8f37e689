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
}

impl<'a> Definer<'a> {
    /// Returns a definer that has defined nothing yet.
    pub fn new(statistics: &'a mut dyn Statistics) -> Self {
        Self { statistics, retained: Vec::new() }
    }

    /// Defines the series `name` with these labels.
    pub fn define(&mut self, kind: MetricType, name: &str, labels: &[(&str, &str)]) -> MetricId {
        self.statistics.define(kind, &names::series(name, labels))
    }

    /// Defines the series `name` with these labels. It outlives the configuration as `retention` says.
    pub fn retained(&mut self, retention: Retention, name: &str, labels: &[(&str, &str)]) -> MetricId {
        self.retained.push(retention.line(&names::series(name, labels)));
        self.define(retention.kind(), name, labels)
    }
}
