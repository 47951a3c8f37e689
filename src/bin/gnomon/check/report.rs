//! The lines that a check prints.

use std::fmt::{Display, Write};
use std::path::Path;

use gnomon::config::Config;
use gnomon::config::raw::Node;

use super::against::{Before, Now};
use super::found::Found;
use super::plugins::Placed;
use super::resources::{Workers, mebibytes, series};
use super::{Judged, gates, observed, plugins, surroundings, workloads};

/// Memory per worker, in bytes, above which there is a warning. Every worker of every proxy may need it.
const MUCH_MEMORY: usize = 64 << 20;

const NOTHING_FOUND: &str = "no Gnomon configuration in this file: give one that has a Gnomon plugin, or a bare configuration";
const NOTHING_CHECKED: &str = "warning: nothing was checked: there is no Gnomon plugin in this file";
const READ_BESIDE: &str = "no Gnomon plugin in this file: it was read for the others";

/// What is told besides problems and warnings.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// How many workers a proxy has, if it was given.
    pub workers: Option<usize>,
    /// Whether to count series.
    pub series: bool,
}

/// The result of a check.
pub struct Report<'f, 'a> {
    /// The lines to print.
    pub text: String,
    /// The number of problems.
    pub problems: usize,
    /// Whether any of the files has a configuration.
    has_found: bool,
    now: Now<'f, 'a>,
    before: Before<'f>,
    workers: Workers,
    has_series: bool,
    /// The plugins that were reported, for those that disturb each other.
    seen: Vec<Placed<'f, 'a>>,
}

impl<'f, 'a> Report<'f, 'a> {
    /// Returns a report on nothing yet. `has_found`: whether any of the files has a configuration.
    pub fn new(now: Now<'f, 'a>, before: Before<'f>, has_found: bool, wanted: Wanted) -> Self {
        let workers = Workers::of(wanted.workers, now.world);
        Self { text: String::new(), problems: 0, has_found, now, before, workers, has_series: wanted.series, seen: Vec::new() }
    }

    /// Reports on a file with these documents, in which these configurations were found.
    pub fn file(&mut self, file: &Path, documents: &[Node], found: &'f [Judged<'a>]) {
        let before = self.problems;
        workloads::all(documents, |place, workload| self.workload(file, place, &workload));
        if found.is_empty() {
            // A file with other manifests is only warned of, because it may be checked together with those of a plugin.
            let others = !documents.is_empty() && documents.iter().all(|document| matches!(document, Node::Object(_)));
            let line = if self.has_found { READ_BESIDE } else { NOTHING_CHECKED };
            return if others { self.line(file, line) } else { self.problem(file, NOTHING_FOUND) };
        }
        let good: Vec<String> = found.iter().filter_map(|judged| self.configuration(file, judged)).collect();
        if self.problems == before {
            self.line(file, format_args!("good: {}", good.join("; ")));
            let configs = found.iter().filter_map(|(_, config)| config.as_ref().ok()?.as_ref().ok());
            let lines: Vec<String> = configs.filter(|_| self.has_series).flat_map(series).collect();
            lines.iter().for_each(|line| self.line(file, line));
        }
    }

    /// Reports all that a workload changes for experiments.
    fn workload(&mut self, file: &Path, place: &str, workload: &workloads::Workload<'_>) {
        let place = format!("{place}, {workload}");
        let (problems, warning) = self.now.judge(workload, &self.before);
        for warning in self.now.stray(workload).into_iter().chain(warning) {
            self.warning(file, &place, warning);
        }
        problems.iter().for_each(|problem| self.problem(file, format_args!("{place}: {problem}")));
    }

    /// Reports all warnings and problems of one configuration. Returns its hash and its memory if it has no problems.
    fn configuration(&mut self, file: &Path, (found, judged): &'f Judged<'a>) -> Option<String> {
        let place = &found.place;
        let world = self.now.world;
        let config = judged.as_ref().ok().and_then(|config| config.as_ref().ok());
        let placed = Placed { place: format!("{}: {place}", file.display()), found, config };
        let beside = self.seen.iter().map(|other| plugins::warnings(&placed, other, world)).find(|lines| !lines.is_empty());
        beside.into_iter().flatten().for_each(|warning| self.warning(file, place, warning));
        self.seen.push(placed);
        let own = found.warnings.iter().map(|warning| (*warning).to_owned());
        for warning in own.chain(surroundings::warnings(found, config, world)) {
            self.warning(file, place, warning);
        }
        match judged {
            Ok(Ok(config)) => {
                observed::problems(found, config).iter().for_each(|problem| self.problem(file, format_args!("{place}: {problem}")));
                Some(self.taken(file, found, config))
            }
            Ok(Err(refused)) => {
                refused.problems.iter().for_each(|problem| self.problem(file, format_args!("{place}: {problem}")));
                None
            }
            Err(why) => {
                self.problem(file, format_args!("{place}: configuration: {why}"));
                None
            }
        }
    }

    /// Reports all warnings of a configuration without problems. Returns its hash and its memory.
    fn taken(&mut self, file: &Path, found: &Found<'_>, config: &Config) -> String {
        let lacks = found.environment.iter().flat_map(|environment| environment.lacks(config));
        for warning in lacks.chain(gates::warnings(config)).chain(self.before.changes(config)) {
            self.warning(file, &found.place, warning);
        }
        let need = config.worst_case_memory();
        if need > MUCH_MEMORY {
            let text = format!("every worker may need {} of memory: lower limits.memory or limits.body", mebibytes(need));
            self.warning(file, &found.place, text);
        }
        format!("configuration {}, at most {} of memory per worker, {}", config.hash, mebibytes(need), self.workers.pod(need))
    }

    fn warning(&mut self, file: &Path, place: &str, text: impl Display) {
        self.line(file, format_args!("{place}: warning: {text}"));
    }

    /// Reports a problem, which makes the check fail.
    pub fn problem(&mut self, file: &Path, text: impl Display) {
        self.problems = self.problems.saturating_add(1);
        self.line(file, text);
    }

    fn line(&mut self, file: &Path, text: impl Display) {
        // Writing to a String can't fail.
        let _ = writeln!(self.text, "{}: {text}", file.display());
    }
}
