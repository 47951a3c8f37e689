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
            let varying = labels.iter().copied().zip(values.iter().map(String::as_str));
            let id = definer.define(MetricType::Counter, name, &fixed.iter().copied().chain(varying).collect::<Vec<_>>());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::memory::Memory;
    use crate::stats::tests::contended::Contended;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const LABELS: [(&str, &str); 2] = [("route", "r"), ("shadow", "s")];
    const REGISTRY: &str = "gnomon/v1/paths/r/s";

    fn paths(host: &mut dyn Statistics) -> DynamicSeries {
        DynamicSeries::paths(&mut Definer::new(host), &LABELS)
    }

    /// How often a path was counted.
    fn counted(host: &Memory, path: &str) -> i64 {
        host.sum(&["gnomon_divergent_paths_total", &format!("path=.={path};")])
    }

    #[test]
    fn the_last_place_is_of_who_comes_first() {
        let mut host = Contended::adding_lines(1);
        (1..MAX_PATHS).for_each(|number| host.memory.append(REGISTRY, &format!("p{number}")));
        let paths = paths(&mut host);
        paths.count(&["ours"], 1, &mut host);
        assert_eq!((counted(&host.memory, "ours"), counted(&host.memory, OTHER)), (0, 1));
        assert_eq!(host.memory.list(REGISTRY).len(), MAX_PATHS);
        let loads = host.memory.loads;
        paths.count(&["another"], 2, &mut host);
        paths.count(&["theirs-0"], 4, &mut host);
        assert_eq!((counted(&host.memory, "theirs-0"), counted(&host.memory, OTHER)), (4, 3));
        assert_eq!(host.memory.loads, loads + 1, "it is full: of what is not in it nobody asks again");
    }

    /// Workers that know nothing of each other, each with more values than there is room for.
    #[test]
    fn a_registry_never_gets_longer_than_it_may() {
        let mut host = Contended::default();
        let workers = [0, 1, 2].map(|_| paths(&mut host));
        for number in 0..MAX_PATHS {
            for (worker, paths) in workers.iter().enumerate() {
                paths.count(&[&format!("w{worker}-{number}")], 1, &mut host);
                paths.count(&["common"], 1, &mut host);
            }
        }
        let registered = host.memory.list(REGISTRY);
        assert_eq!(registered.len(), MAX_PATHS);
        let with_series: i64 = registered.iter().map(|path| counted(&host.memory, path)).sum();
        assert_eq!((counted(&host.memory, "common"), with_series), (48, 48 + 15));
        assert_eq!(counted(&host.memory, OTHER), 48 - 15);
        assert_eq!(paths(&mut host).known.take().series.len(), MAX_PATHS + 1, "who starts later defines all of them");
    }

    #[test]
    fn what_cannot_be_registered_counts_as_other_until_it_can() {
        for mut host in [Contended::adding_lines(usize::MAX), Contended::refusing()] {
            let paths = paths(&mut host);
            host.memory.shared.clear();
            paths.count(&["ours"], 1, &mut host);
            assert_eq!((counted(&host.memory, "ours"), counted(&host.memory, OTHER), host.anomalies()), (0, 1, 1));
            host.calm();
            paths.count(&["ours"], 1, &mut host);
            assert_eq!((counted(&host.memory, "ours"), counted(&host.memory, OTHER), host.anomalies()), (1, 1, 1));
        }
    }

    #[test]
    fn of_two_labels_each_is_registered_as_far_as_there_is_room() {
        let mut host = Contended::default();
        let registry = "gnomon/v1/answers/r/s";
        (1..MAX_ANSWER_NAMES).for_each(|number| host.memory.append(registry, &format!("n{number}")));
        let labels = crate::config::Labels { path: None, top: 1, overlap: 1, names: Vec::new() };
        let answers = DynamicSeries::answers(&mut Definer::new(&mut host), &LABELS, &Task::Labels(labels)).unwrap();
        answers.count(&["n1", "last"], 1, &mut host);
        answers.count(&["late", "last"], 1, &mut host);
        for (primary, shadow, count) in [("n1", "last", 1), (OTHER, "last", 1), ("late", "last", 0)] {
            let both = [format!("primary_answer=.={primary};"), format!("shadow_answer=.={shadow};")];
            assert_eq!(host.memory.sum(&[&both[0], &both[1]]), count, "{primary} {shadow}");
        }
        assert_eq!(host.memory.list(registry).len(), MAX_ANSWER_NAMES);
    }
}
