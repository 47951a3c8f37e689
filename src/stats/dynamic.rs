//! Series whose label values come from bodies. The first few values get series of their own; all others count as `other`.
//!
//! Each [`DynamicSeries`] has a registry of these first values. It is in the host's shared data, so all workers and configurations share
//! it. A series lives only while some VM has defined it, so each configuration defines the series of all registered values again.

use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};
use std::rc::Rc;

use super::definer::Definer;
use super::names;
use super::port::{MetricId, MetricType, Statistics};
use super::shared::{PREFIX, add_lines};
use crate::config::Task;
use crate::limits::{MAX_ANSWER_NAMES, MAX_MODEL_VERSIONS, MAX_PATHS};

/// The label value that stands for all values without series of their own.
pub const OTHER: &str = "other";

/// Series that differ only in labels with values from bodies.
pub struct DynamicSeries {
    /// The beginning of the name of every series.
    beginning: String,
    /// The labels with values from bodies.
    labels: &'static [&'static str],
    /// The key of the registry.
    registry: String,
    /// Most values in the registry; 0 if the configuration lists the values.
    most: usize,
    known: Cell<KnownValues>,
}

/// The values and series that this worker knows.
#[derive(Debug, Default)]
struct KnownValues {
    values: Vec<String>,
    /// Values of the labels, each in `values` or [`OTHER`], with the id of their series.
    series: Vec<(Vec<String>, MetricId)>,
    /// Whether the registry has no room for further values.
    full: bool,
}

impl Debug for DynamicSeries {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.beginning)
    }
}

/// The values that have series of their own.
enum Values<'a> {
    /// The first values that occur, at most this many.
    First(usize),
    /// The values that the configuration lists.
    Listed(&'a [Rc<str>]),
}

impl DynamicSeries {
    /// Defines `gnomon_divergent_paths_total` with the labels of a shadow.
    pub fn paths(definer: &mut Definer, labels: &[(&str, &str)]) -> Self {
        Self::define(definer, "gnomon_divergent_paths_total", labels, &["path"], "paths", Values::First(MAX_PATHS))
    }

    /// Defines `gnomon_model_versions_total` with the labels of a variant or shadow.
    pub fn versions(definer: &mut Definer, labels: &[(&str, &str)]) -> Self {
        let first = Values::First(MAX_MODEL_VERSIONS);
        Self::define(definer, "gnomon_model_versions_total", labels, &["model_version"], "versions", first)
    }

    /// Defines `gnomon_decisions_total`, the confusion matrix, with the labels of a shadow; `None` unless `task` has labels or decisions.
    pub fn answers(definer: &mut Definer, labels: &[(&str, &str)], task: &Task) -> Option<Self> {
        let values = match task {
            Task::Decision(decision) => Values::Listed(&decision.names),
            Task::Labels(labels) if (1..=MAX_ANSWER_NAMES).contains(&labels.names.len()) => Values::Listed(&labels.names),
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
    ) -> Self {
        let subject = fixed.iter().map(|(_, value)| *value).collect::<Vec<_>>().join("/");
        let registry = format!("{PREFIX}{kind}/{subject}");
        let (values, most) = match values {
            Values::First(most) => (add_lines(definer.statistics, &registry, [], 0), most),
            Values::Listed(names) => (names.iter().map(|name| names::value(name)).collect(), 0),
        };
        let new = Self { beginning: names::series(name, fixed), labels, registry, most, known: Cell::default() };
        let series = new.combinations(&values).into_iter().map(|values| {
            let id = definer.statistics.define(MetricType::Counter, &new.name(&values));
            (values, id)
        });
        let series = series.collect();
        new.known.set(KnownValues { values, series, full: false });
        new
    }

    /// Adds `by` to the series of `values`: one value for each label, as it stands in a body. A value that this worker does not know is
    /// registered if there is room.
    pub fn count(&self, values: &[&str], by: i64, statistics: &mut dyn Statistics) {
        let mut known = self.known.take();
        let closed = known.full || self.most == 0;
        let resolve = |value: &&str| {
            let value = names::value(value);
            if closed && !known.values.contains(&value) { OTHER.to_owned() } else { value }
        };
        let values: Vec<String> = values.iter().map(resolve).collect();
        match known.series.iter().find(|(of, _)| *of == values) {
            Some((_, id)) => statistics.add(*id, by),
            None => self.register(&mut known, &values, by, statistics),
        }
        self.known.set(known);
    }

    /// Registers `values` as far as the registry has room, and adds `by` to their series.
    fn register(&self, known: &mut KnownValues, values: &[String], by: i64, statistics: &mut dyn Statistics) {
        let new: Vec<&str> = values.iter().map(String::as_str).filter(|value| *value != OTHER).collect();
        let registered = add_lines(statistics, &self.registry, new, self.most);
        let kept = values.iter().map(|value| if registered.contains(value) { value.clone() } else { OTHER.to_owned() });
        let kept: Vec<String> = kept.collect();
        let id = statistics.define(MetricType::Counter, &self.name(&kept));
        statistics.add(id, by);
        // A registry that could not be read or written looks empty: it does not tell whether there is room.
        if registered.is_empty() {
            return;
        }
        known.full |= kept != values;
        known.values = registered;
        if !known.series.iter().any(|(of, _)| *of == kept) {
            known.series.push((kept, id));
        }
    }

    /// Returns the name of the series of `values`: one value for each label, as [`names::value`] returns it.
    fn name(&self, values: &[String]) -> String {
        let labels: Vec<(&str, &str)> = self.labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
        format!("{}{}", self.beginning, names::series("", &labels))
    }

    /// Returns every combination of `values` and [`OTHER`], for one label or for two.
    fn combinations(&self, values: &[String]) -> Vec<Vec<String>> {
        let each = || values.iter().cloned().chain([OTHER.to_owned()]);
        match self.labels {
            [_] => each().map(|value| vec![value]).collect(),
            _ => each().flat_map(|first| each().map(move |second| vec![first.clone(), second])).collect(),
        }
    }
}
