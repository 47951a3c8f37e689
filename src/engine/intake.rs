//! Takes or refuses the configuration of a root context, with log lines for the operator.

use std::rc::Rc;

use super::effect::Line;
use super::event::Configured;
use super::ids::RootId;
use super::plan::Plan;
use crate::config::Config;
use crate::config::changes::changes;
use crate::config::parse::{Refused, parse};
use crate::stats::shared::{PREFIX, update};
use crate::stats::{Applied, Statistics, WorkerSeries, retention};
use xxhash_rust::xxh64::xxh64;

/// What follows from an empty name of the plugin.
const NAMELESS: &str = "give it one in config.name of the filter: gnomon_configuration shows it as plugin=\"_\", and a second one without a \
                        name in this proxy would go on with this one's configuration after a mistake";

/// The configuration that a root context is given, as text.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The root context.
    pub root: RootId,
    /// Envoy's name of the plugin.
    pub plugin: &'a str,
    /// The text of the configuration.
    pub text: &'a [u8],
    /// Reads a variable of the VM's environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// What a root context does with its configuration.
#[derive(Debug)]
pub struct Intake {
    /// What the root context is to do; `None`: the host is to refuse the configuration, and the one before goes on.
    pub configured: Option<Configured>,
    /// Lines for the operator.
    pub lines: Vec<Line>,
}

/// Takes the configuration of `source` as a whole, or refuses it with all its problems. After a refusal the last good configuration of the
/// plugin goes on, if this proxy has accepted any. With `on_invalid: reject` the host refuses the configuration, too.
pub fn take(source: Source<'_>, series: &WorkerSeries, statistics: &mut dyn Statistics) -> Intake {
    // The text of the last configuration that was accepted for the plugin.
    let last_good = format!("{PREFIX}configuration/{}", source.plugin);
    match parse(source.text) {
        Ok(config) => {
            // Only the worker that replaces the last text logs the changes.
            let mut lines = Vec::new();
            update(statistics, &last_good, |last| {
                if last == source.text {
                    return None;
                }
                let changes = parse(last).map(|last| changes(&last, &config)).unwrap_or_default();
                lines = changes.iter().map(|change| Line::Warning(source.says(change))).collect();
                lines.extend(source.plugin.is_empty().then(|| Line::Warning(source.says(&NAMELESS))));
                Some(source.text.to_vec())
            });
            source.start(config, Applied::Accepted, lines, statistics)
        }
        Err(refused) => {
            let last_good = statistics.load(&last_good).and_then(|(text, _)| parse(&text).ok());
            refuse(source, &refused, last_good, series, statistics)
        }
    }
}

/// Goes on with the last good configuration, if there is one.
fn refuse(
    source: Source<'_>,
    refused: &Refused,
    last_good: Option<Config>,
    series: &WorkerSeries,
    statistics: &mut dyn Statistics,
) -> Intake {
    let what = match &last_good {
        _ if refused.reject => ", on_invalid: reject",
        Some(_) => ": the last good one goes on",
        None => ": all requests pass untouched",
    };
    let count = refused.problems.len();
    let mut lines: Vec<Line> = refused.problems.iter().map(|problem| Line::Error(source.says(problem))).collect();
    lines.push(Line::Error(format!("configuration of {} refused, {count} problem(s){what}", source.name())));
    match last_good {
        Some(config) if !refused.reject => return source.start(config, Applied::LastGood, lines, statistics),
        Some(_) => _ = series.show(source.plugin, Applied::LastGood, statistics),
        None => {}
    }
    Intake { configured: (!refused.reject).then(|| source.configured(None, Applied::Untouched)), lines }
}

impl<'a> Source<'a> {
    /// Binds a configuration to its series.
    fn start(self, config: Config, applied: Applied, mut lines: Vec<Line>, statistics: &mut dyn Statistics) -> Intake {
        let mut plan = Plan::new(self.root, config, statistics, self.variable);
        let experiments = plan.config.routes.iter().map(|route| &*route.experiment);
        if !retention::retire(statistics, self.plugin, &plan.retained, experiments) {
            plan.retained.clear();
        }
        lines.extend(plan.missing.iter().map(|missing| Line::Error(self.says(missing))));
        Intake { configured: Some(self.configured(Some(Rc::new(plan)), applied)), lines }
    }

    fn configured(self, plan: Option<Rc<Plan>>, applied: Applied) -> Configured {
        let key = xxh64(self.text, xxh64(self.plugin.as_bytes(), 0));
        Configured { root: self.root, plan, key, plugin: self.plugin.to_owned(), applied }
    }

    fn says(self, what: &impl std::fmt::Display) -> String {
        format!("configuration of {}: {what}", self.name())
    }

    fn name(self) -> &'a str {
        if self.plugin.is_empty() { "a plugin without a name" } else { self.plugin }
    }
}
