//! Series that matter when a configuration has left them out: what an experiment has found of a gate is kept until the experiment is over,
//! although the host forgets a series that no VM defines; and a gauge that shows the configuration must not go on showing the one before.
//!
//! They are remembered as lines of text, for VMs that are yet to come.

use super::{MetricId, MetricType, learned::Definer};

/// What becomes of a series that a configuration no longer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A counter: it is kept.
    Counter,
    /// A gauge that tells what was found: it is kept until the experiment is over, and then set to 0.
    Latch,
    /// A gauge that shows the configuration: it is set to 0.
    Shown,
}

impl Fate {
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

    /// What a line says.
    pub fn of(line: &str) -> Option<(Self, &str)> {
        [Self::Counter, Self::Latch, Self::Shown].into_iter().find_map(|fate| Some((fate, line.strip_prefix(fate.mark())?)))
    }
}

/// What the lines of all series of `experiment` have in them, and no others.
pub fn mark(experiment: &str) -> String {
    ["experiment=.=", experiment, ";.;"].concat()
}

impl Definer<'_> {
    /// Defines a series that meets this fate.
    pub fn lasting(&mut self, fate: Fate, name: &str) -> MetricId {
        self.lasting.push(fate.line(name));
        (self.define)(fate.kind(), name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_line_says_what_it_was_made_of() {
        for fate in [Fate::Counter, Fate::Latch, Fate::Shown] {
            assert_eq!(Fate::of(&fate.line("gnomon_x")), Some((fate, "gnomon_x")));
        }
        assert_eq!(Fate::of("gnomon_x"), None);
    }

    #[test]
    fn a_line_is_of_one_experiment() {
        let line = Fate::Shown.line("gnomon_xexperiment=.=e2;.;route=.=r;.;");
        let is_of = |experiment| line.contains(&mark(experiment));
        assert!(is_of("e2"));
        assert!(!is_of("e") && !is_of("2") && !is_of("r"));
    }
}
