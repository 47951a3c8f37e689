//! Keeps or resets series that a new configuration no longer has.
//!
//! The findings of an experiment on a gate are kept until the experiment is over. The host forgets a series that no VM defines, so these
//! series are defined again. Gauges that show the configuration are reset, so that they don't show the old one.
//!
//! The host's shared data has a line of text for each of these series, for VMs that start later.

use foldhash::fast::FixedState;
use hashbrown::HashSet;

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
    /// A gauge with a label that each configuration has another value of. It is set to 0 at once and forgotten, because there may be any
    /// number of them.
    Current,
}

impl Retention {
    /// Returns the type of the series.
    pub fn kind(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Latch | Self::Shown | Self::Current => MetricType::Gauge,
        }
    }

    const fn mark(self) -> &'static str {
        match self {
            Self::Counter => "counter ",
            Self::Latch => "latch ",
            Self::Shown => "shown ",
            Self::Current => "current ",
        }
    }

    /// Returns the line for the series with the full name `name`.
    pub fn line(self, name: &str) -> String {
        [self.mark(), name].concat()
    }

    /// Returns the retention and the full name of the series of a line; `None` if the text is no such line.
    pub fn of(line: &str) -> Option<(Self, &str)> {
        let all = [Self::Counter, Self::Latch, Self::Shown, Self::Current];
        all.into_iter().find_map(|retention| Some((retention, line.strip_prefix(retention.mark())?)))
    }
}

/// Replaces the lines of the old configuration of `plugin` (Envoy's name of the plugin) by those of the new one, `retained`, and keeps or
/// resets the series that the new configuration no longer has. Returns whether the lines could be written.
///
/// `experiments` are those of the new configuration: the lines of their series are kept.
pub fn retire<'a>(statistics: &mut dyn Statistics, plugin: &str, retained: &[String], experiments: impl Iterator<Item = &'a str>) -> bool {
    let mut marks: Vec<String> = experiments.map(mark).collect();
    marks.dedup();
    let goes_on = |line: &str| marks.iter().any(|mark| line.contains(mark));
    let stays = |line: &str| goes_on(line) && !line.starts_with(Retention::Current.mark());
    let (gone, is_written) = replace_lines(statistics, &list_of(plugin), retained, stays);
    reset(statistics, plugin, &gone, goes_on);
    is_written
}

/// Resets what `plugin` has shown of a configuration with the lines `retained`, if a younger one has taken its place meanwhile: another worker
/// may have reset the series before this one has shown them.
pub fn settle(statistics: &mut dyn Statistics, plugin: &str, retained: &[String]) {
    let list = add_lines(statistics, &list_of(plugin), [], 0);
    let list: HashSet<&str, FixedState> = list.iter().map(String::as_str).collect();
    let gone: Vec<String> = retained.iter().filter(|line| !list.contains(line.as_str())).cloned().collect();
    if !gone.is_empty() {
        reset(statistics, plugin, &gone, |_| false);
    }
}

/// Keeps or resets the series of the lines `gone`, which `plugin` no longer has. A series that another plugin has is left alone, because its
/// route may have moved to that plugin.
fn reset(statistics: &mut dyn Statistics, plugin: &str, gone: &[String], goes_on: impl Fn(&str) -> bool) {
    let plugins = add_lines(statistics, &format!("{PREFIX}plugins"), [plugin], usize::MAX);
    let mut elsewhere: Vec<String> = Vec::new();
    for other in plugins.iter().filter(|other| *other != plugin && !gone.is_empty()) {
        elsewhere.extend(add_lines(statistics, &list_of(other), [], 0));
    }
    for line in gone.iter().filter(|line| !elsewhere.contains(line)) {
        let Some((retention, name)) = Retention::of(line) else { continue };
        let series = statistics.define(retention.kind(), name);
        if matches!(retention, Retention::Shown | Retention::Current) || retention == Retention::Latch && !goes_on(line) {
            statistics.set(series, 0);
        }
    }
}

/// Returns the key of the list of a plugin.
fn list_of(plugin: &str) -> String {
    format!("{PREFIX}lasting/{plugin}")
}

/// Returns a text that only the lines of series of `experiment` contain.
fn mark(experiment: &str) -> String {
    names::series("", &[("experiment", experiment)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::contended::Contended;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for retention in [Retention::Counter, Retention::Latch, Retention::Shown, Retention::Current] {
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
    /// Series of each retention, of experiment `e`.
    const SERIES: [(Retention, &str); 3] = [
        (Retention::Counter, "gnomon_aexperiment=.=e;.;"),
        (Retention::Latch, "gnomon_bexperiment=.=e;.;"),
        (Retention::Shown, "gnomon_cexperiment=.=e;.;"),
    ];

    fn lines() -> Vec<String> {
        SERIES.map(|(retention, name)| retention.line(name)).into()
    }

    /// A proxy whose plugin `p` has these series, each with the value 7.
    fn start(mut host: Contended) -> Contended {
        for (retention, name) in SERIES {
            let id = host.define(retention.kind(), name);
            host.add(id, 7);
        }
        retire(&mut host, "p", &lines(), ["e"].into_iter());
        host.memory.defined.clear();
        host
    }

    fn values(host: &Contended) -> [i64; 3] {
        SERIES.map(|(_, name)| host.memory.values[name])
    }

    fn defined(host: &Contended) -> Vec<&str> {
        host.memory.defined.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn a_series_that_is_gone_is_kept_as_long_as_its_experiment() {
        let mut host = start(Contended::default());
        retire(&mut host, "p", &lines(), ["e"].into_iter());
        assert_eq!((values(&host), defined(&host)), ([7, 7, 7], vec![]), "nothing is gone");
        for update in 1..3 {
            retire(&mut host, "p", &[], ["e"].into_iter());
            assert_eq!((values(&host), host.memory.defined.len()), ([7, 7, 0], 3 * update), "defined again by each configuration");
        }
        retire(&mut host, "p", &lines()[..1], ["e"].into_iter());
        assert_eq!((values(&host), host.memory.defined.len()), ([7, 7, 0], 8), "one of them is back");
        retire(&mut host, "p", &[], ["f"].into_iter());
        assert_eq!(values(&host), [7, 0, 0], "a counter never goes back");
        host.memory.defined.clear();
        retire(&mut host, "p", &[], ["e"].into_iter());
        assert_eq!(defined(&host), Vec::<&str>::new(), "what was over is forgotten");
    }

    /// Configurations come and go: each has a series of its own.
    #[test]
    fn what_is_current_is_shown_of_one_configuration_and_not_remembered() {
        let mut host = Contended::default();
        let current = |config: u32| format!("gnomon_dexperiment=.=e;.;config=.={config};.;");
        let take = |host: &mut Contended, config: u32| {
            let line = Retention::Current.line(&current(config));
            assert!(retire(host, "p", std::slice::from_ref(&line), ["e"].into_iter()));
            line
        };
        let show = |host: &mut Contended, config: u32, line: &String| {
            let gauge = host.define(MetricType::Gauge, &current(config));
            host.set(gauge, 1);
            settle(host, "p", std::slice::from_ref(line));
        };
        for config in 0..5 {
            let line = take(&mut host, config);
            show(&mut host, config, &line);
            assert_eq!((host.memory.sum(&["gnomon_d"]), host.memory.values[&current(config)]), (1, 1));
            assert_eq!(host.memory.list("gnomon/v1/lasting/p").len(), 1);
        }
        // Another worker takes the next one before this one has shown its own.
        let (late, next) = (take(&mut host, 5), take(&mut host, 6));
        show(&mut host, 5, &late);
        show(&mut host, 6, &next);
        assert_eq!((host.memory.sum(&["gnomon_d"]), host.memory.values[&current(6)]), (1, 1));
    }

    #[test]
    fn a_series_that_another_plugin_has_is_left_alone() {
        let mut host = start(Contended::default());
        retire(&mut host, "q", &lines()[2..], ["e"].into_iter());
        retire(&mut host, "p", &[], ["f"].into_iter());
        assert_eq!(values(&host), [7, 0, 7]);
        retire(&mut host, "q", &[], ["f"].into_iter());
        assert_eq!(values(&host), [7, 0, 0]);
    }

    /// A younger VM of the same plugin, with a configuration of its own.
    #[test]
    fn lines_that_another_vm_writes_meanwhile_are_not_lost() {
        let theirs = Retention::Counter.line("gnomon_dexperiment=.=e;.;");
        let (line, mut written) = (theirs.clone(), false);
        let mut host = start(Contended::with(move |memory, key| {
            if key.ends_with("lasting/p") && memory.shared.contains_key(key) && !written {
                written = true;
                memory.append(key, &line);
            }
        }));
        retire(&mut host, "p", &lines()[1..], ["e"].into_iter());
        assert_eq!(host.memory.list("gnomon/v1/lasting/p"), [&lines()[1..], &lines()[..1], &[theirs]].concat());
        assert_eq!(defined(&host), [SERIES[0].1, "gnomon_dexperiment=.=e;.;"]);
        assert_eq!((values(&host), host.anomalies()), ([7, 7, 7], 0));
    }

    #[test]
    fn what_cannot_be_remembered_is_counted_and_gauges_say_nothing_all_the_same() {
        let mut host = start(Contended::default());
        host.refuses = true;
        assert!(!retire(&mut host, "p", &[], ["f"].into_iter()));
        assert_eq!((values(&host), defined(&host).len(), host.anomalies()), ([7, 0, 0], 3, 1));
        assert_eq!(host.memory.list("gnomon/v1/lasting/p"), lines());
    }
}
