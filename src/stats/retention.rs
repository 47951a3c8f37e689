//! Keeps or resets series that a new configuration no longer has.
//!
//! The findings of an experiment on a gate are kept until the experiment is over. The host forgets a series that no VM defines, so these
//! series are defined again. Gauges that show the configuration are reset, so that they don't show the old one.
//!
//! The host's shared data has a line of text for each of these series, for VMs that start later.

use super::names;
use super::port::{MetricType, Statistics};
use super::shared::{PREFIX, add_lines, replace_lines};

/// How a series outlives a configuration that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// A counter. It is kept until the experiment is over.
    Counter,
    /// A gauge that shows a finding of an experiment. It is kept until the experiment is over, and then set to 0.
    Latch,
    /// A gauge that shows the configuration. It is set to 0 at once.
    Shown,
}

impl Retention {
    /// Returns the type of the series.
    pub fn kind(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Latch | Self::Shown => MetricType::Gauge,
        }
    }

    const fn mark(self) -> &'static str {
        match self {
            Self::Counter => "counter ",
            Self::Latch => "latch ",
            Self::Shown => "shown ",
        }
    }

    /// Returns the line for the series with the full name `name`.
    pub fn line(self, name: &str) -> String {
        [self.mark(), name].concat()
    }

    /// Returns the retention and the full name of the series of a line; `None` if the text is no such line.
    pub fn of(line: &str) -> Option<(Self, &str)> {
        [Self::Counter, Self::Latch, Self::Shown].into_iter().find_map(|retention| Some((retention, line.strip_prefix(retention.mark())?)))
    }
}

/// Replaces the lines of the old configuration of `plugin` (Envoy's name of the plugin) by those of the new one, `retained`, and keeps or
/// resets the series that the new configuration no longer has.
///
/// `experiments` are those of the new configuration: the lines of their series are kept. A series that another plugin has is left alone,
/// because its route may have moved to that plugin.
pub fn retire<'a>(statistics: &mut dyn Statistics, plugin: &str, retained: &[String], experiments: impl Iterator<Item = &'a str>) {
    let mut marks: Vec<String> = experiments.map(mark).collect();
    marks.dedup();
    let goes_on = |line: &str| marks.iter().any(|mark| line.contains(mark));
    let list_of = |plugin: &str| format!("{PREFIX}lasting/{plugin}");
    let gone = replace_lines(statistics, &list_of(plugin), retained, goes_on);
    let plugins = add_lines(statistics, &format!("{PREFIX}plugins"), [plugin], usize::MAX);
    let mut elsewhere: Vec<String> = Vec::new();
    for other in plugins.iter().filter(|other| *other != plugin && !gone.is_empty()) {
        elsewhere.extend(add_lines(statistics, &list_of(other), [], 0));
    }
    for line in gone.iter().filter(|line| !elsewhere.contains(line)) {
        let Some((retention, name)) = Retention::of(line) else { continue };
        let series = statistics.define(retention.kind(), name);
        if retention == Retention::Shown || retention == Retention::Latch && !goes_on(line) {
            statistics.set(series, 0);
        }
    }
}

/// Returns a text that only the lines of series of `experiment` contain.
fn mark(experiment: &str) -> String {
    names::series("", &[("experiment", experiment)])
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for retention in [Retention::Counter, Retention::Latch, Retention::Shown] {
            assert_eq!(Retention::of(&retention.line("gnomon_x")), Some((retention, "gnomon_x")));
        }
        assert_eq!(Retention::of("gnomon_x"), None);
    }

    #[test]
    fn a_line_belongs_to_one_experiment() {
        let line = Retention::Shown.line("gnomon_xexperiment=.=e2;.;route=.=r;.;");
        let is_of = |experiment| line.contains(&mark(experiment));
        assert!(is_of("e2"));
        assert!(!is_of("e") && !is_of("2") && !is_of("r"));
    }
}
