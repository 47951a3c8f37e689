//! Series whose label values come from bodies: the first few values get series of their own, all others count as `other`.
//!
//! Which values are among the first is kept by the host for all workers and updates, in a registry for each [`Learned`]. A series lives
//! only as long as some VM has defined it, so all that are registered are defined anew with each configuration. Learning further ones is
//! the engine's business.

use std::rc::Rc;

use super::{Define, MetricId, MetricType, names};
use crate::config::Task;
use crate::limits::{MAX_ANSWER_NAMES, MAX_MODEL_VERSIONS, MAX_PATHS};

/// The label value that stands for all beyond the first few.
pub const OTHER: &str = "other";

/// Defines the series of a configuration.
pub struct Definer<'a> {
    /// Defines one series.
    pub define: Define<'a>,
    /// The values in the registry of that name.
    pub registered: &'a dyn Fn(&str) -> Vec<String>,
    /// How many [`Learned`] there are so far.
    pub learned: usize,
    /// Lines on series that outlive the configuration, see [`super::lasting`].
    pub lasting: Vec<String>,
}

/// Series of one name that differ in labels with values from bodies.
#[derive(Debug)]
pub struct Learned {
    /// Its place among all of the configuration.
    pub index: usize,
    /// What all of its series begin with.
    beginning: String,
    /// The labels with values from bodies.
    labels: &'static [&'static str],
    /// The registry of its values.
    pub registry: String,
    /// How many values may be in it; none: they are all in the configuration.
    pub most: usize,
    /// Values that were known when the configuration was taken.
    pub known: Vec<String>,
    /// Series of these and of [`OTHER`].
    pub series: Vec<(Vec<String>, MetricId)>,
}

impl Learned {
    /// `gnomon_divergent_paths_total`, with the labels of a shadow.
    pub fn paths(definer: &mut Definer, labels: &[(&str, &str)]) -> Rc<Self> {
        Self::define(definer, "gnomon_divergent_paths_total", labels, &["path"], "paths", Values::First(MAX_PATHS))
    }

    /// `gnomon_model_versions_total`, with the labels of a variant or shadow.
    pub fn versions(definer: &mut Definer, labels: &[(&str, &str)]) -> Rc<Self> {
        let first = Values::First(MAX_MODEL_VERSIONS);
        Self::define(definer, "gnomon_model_versions_total", labels, &["model_version"], "versions", first)
    }

    /// `gnomon_decisions_total`, with the labels of a shadow, if `task` names answers.
    pub fn answers(definer: &mut Definer, labels: &[(&str, &str)], task: &Task) -> Option<Rc<Self>> {
        let values = match task {
            Task::Decision(decision) => Values::These(&decision.names),
            Task::Labels(labels) if (1..=MAX_ANSWER_NAMES).contains(&labels.names.len()) => Values::These(&labels.names),
            Task::Labels(_) => Values::First(MAX_ANSWER_NAMES),
            _ => return None,
        };
        Some(Self::define(definer, "gnomon_decisions_total", labels, &["primary_answer", "shadow_answer"], "answers", values))
    }

    fn define(
        definer: &mut Definer,
        name: &str,
        fixed: &[(&str, &str)],
        labels: &'static [&'static str],
        kind: &str,
        values: Values<'_>,
    ) -> Rc<Self> {
        let subject = fixed.iter().map(|(_, value)| *value).collect::<Vec<_>>().join("/");
        let registry = format!("{kind}/{subject}");
        let (known, most) = match values {
            Values::First(most) => ((definer.registered)(&registry), most),
            Values::These(names) => (names.iter().map(|name| names::value(name)).collect(), 0),
        };
        let index = definer.learned;
        definer.learned = index.saturating_add(1);
        let mut learned = Self { index, beginning: names::series(name, fixed), labels, registry, most, known, series: Vec::new() };
        for values in learned.combinations() {
            let id = (definer.define)(MetricType::Counter, &learned.name(&values));
            learned.series.push((values, id));
        }
        Rc::new(learned)
    }

    /// The name of the series of `values`, one clean value for each label.
    pub fn name(&self, values: &[String]) -> String {
        let labels: Vec<(&str, &str)> = self.labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
        format!("{}{}", self.beginning, names::series("", &labels))
    }

    /// All known values and [`OTHER`], for one label or for two.
    fn combinations(&self) -> Vec<Vec<String>> {
        let each = || self.known.iter().cloned().chain([OTHER.to_owned()]);
        match self.labels {
            [_] => each().map(|value| vec![value]).collect(),
            _ => each().flat_map(|first| each().map(move |second| vec![first.clone(), second])).collect(),
        }
    }
}

/// Which values have series of their own.
enum Values<'a> {
    /// The first so many that come.
    First(usize),
    /// These.
    These(&'a [Rc<str>]),
}
