//! Defining the series of one configuration.

use super::port::{MetricId, MetricType, Statistics};
use super::retention::Retention;

/// Defines series at the host, and remembers those that outlive the configuration.
pub struct Definer<'a> {
    /// Where they are defined.
    pub statistics: &'a mut dyn Statistics,
    /// Lines on the series that outlive the configuration, see [`super::retention`].
    pub retained: Vec<String>,
}

impl<'a> Definer<'a> {
    /// One that has defined nothing yet.
    pub fn new(statistics: &'a mut dyn Statistics) -> Self {
        Self { statistics, retained: Vec::new() }
    }

    /// Defines the series `name`.
    pub fn define(&mut self, kind: MetricType, name: &str) -> MetricId {
        self.statistics.define(kind, name)
    }

    /// Defines the series `name`, which `retention` says the future of.
    pub fn retained(&mut self, retention: Retention, name: &str) -> MetricId {
        self.retained.push(retention.line(name));
        self.define(retention.kind(), name)
    }
}
