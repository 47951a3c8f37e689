//! What becomes of series that a configuration no longer has. What an experiment has found of a gate is kept until the experiment is over,
//! although the host forgets a series that no VM defines. A gauge that shows the configuration must not go on showing the one before.
//!
//! Such series are remembered in the host's shared data, one line of text each, for VMs that are yet to come.

use super::names;
use super::port::{MetricType, Statistics};
use super::shared::{PREFIX, add_lines, replace_lines};

/// What becomes of a series that a configuration no longer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// A counter: it is kept until the experiment is over.
    Counter,
    /// A gauge that shows what an experiment has found: it is kept until the experiment is over, and then set to 0.
    Latch,
    /// A gauge that shows the configuration: it is set to 0 at once.
    Shown,
}

impl Retention {
    /// How such a series moves.
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

    /// The line for the series `name`.
    pub fn line(self, name: &str) -> String {
        [self.mark(), name].concat()
    }

    /// The retention and the name of the series that a line stands for; `None` of text that is no such line.
    pub fn of(line: &str) -> Option<(Self, &str)> {
        [Self::Counter, Self::Latch, Self::Shown].into_iter().find_map(|retention| Some((retention, line.strip_prefix(retention.mark())?)))
    }
}

/// Puts the lines `retained` of a new configuration of `plugin` (Envoy's name of it) in place of those of the one before. Series that the new
/// one no longer has are defined again while one of the `experiments` that it has goes on; gauges of them that say nothing any more are set
/// to 0. A series that another plugin has is left alone, because a route may have moved there.
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

/// A text that the lines of all series of `experiment` contain, and no others.
fn mark(experiment: &str) -> String {
    names::series("", &[("experiment", experiment)])
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_line_says_what_it_was_made_of() {
        for retention in [Retention::Counter, Retention::Latch, Retention::Shown] {
            assert_eq!(Retention::of(&retention.line("gnomon_x")), Some((retention, "gnomon_x")));
        }
        assert_eq!(Retention::of("gnomon_x"), None);
    }

    #[test]
    fn a_line_is_of_one_experiment() {
        let line = Retention::Shown.line("gnomon_xexperiment=.=e2;.;route=.=r;.;");
        let is_of = |experiment| line.contains(&mark(experiment));
        assert!(is_of("e2"));
        assert!(!is_of("e") && !is_of("2") && !is_of("r"));
    }
}
