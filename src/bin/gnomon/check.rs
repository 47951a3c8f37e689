//! `gnomon check FILE…` finds the Gnomon configurations in manifests and Envoy files, and reports a line for each problem, found by the
//! filter's own parser, each warning, and each good file. It uses no network.
//!
//! Reading order: [`documents`] (text to values), [`protobuf_json`] and [`text_test`] (what files of Envoy and Kubernetes have in common),
//! [`found`] (a configuration in a file), [`manifest`] and [`envoy`] (find configurations), [`world`] (all files together), then the report
//! here.
//!
//! Warnings, a module for each topic: [`gates`] and [`settings`] of the configuration itself; of what it stands in, which [`surroundings`]
//! brings together: [`environment`], [`clusters`] and [`mesh_clusters`], [`statistics`], [`routing`] ([`envoy_routes`], [`mesh_routes`],
//! [`standing`]), [`observed`], [`istio`]; of what else is in the same proxy: [`plugins`].

mod clusters;
mod documents;
mod environment;
mod envoy;
mod envoy_routes;
mod found;
mod gates;
mod istio;
mod manifest;
mod mesh_clusters;
mod mesh_routes;
mod observed;
mod plugins;
mod protobuf_json;
mod routing;
mod settings;
mod standing;
mod statistics;
mod surroundings;
mod text_test;
mod world;

use std::fmt::{Display, Write};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use gnomon::config::Config;
use gnomon::config::parse::Refused;
use gnomon::config::raw::Node;

use self::found::Found;
use self::plugins::Placed;
use self::world::World;

/// Memory per worker, in bytes, above which there is a warning. Every worker of every proxy may need it.
const MUCH_MEMORY: usize = 64 << 20;

const NOTHING_FOUND: &str = "no Gnomon configuration in this file: give one that has a Gnomon plugin, or a bare configuration";
const NOTHING_CHECKED: &str = "warning: nothing was checked: there is no Gnomon plugin in this file";
const READ_BESIDE: &str = "no Gnomon plugin in this file: it was read for the others";

const ABOUT: &str = "Checks Gnomon configurations: WasmPlugin, TrafficExtension, EnvoyExtensionPolicy and Envoy files, or a bare one";
const AFTER: &str = "Exits 1 if there is any problem, 0 if there is none; warnings do not count.";

/// Returns the command line.
pub fn command() -> Command {
    let files = Arg::new("file").value_name("FILE").required(true).num_args(1..).value_parser(value_parser!(PathBuf));
    Command::new("check").about(ABOUT).after_help(AFTER).arg(files.help("YAML (any number of documents) or JSON"))
}

/// Runs the command, and returns how the process exits.
pub fn run(arguments: &ArgMatches) -> ExitCode {
    let files: Vec<PathBuf> = arguments.get_many("file").into_iter().flatten().cloned().collect();
    let report = check(&files);
    match (std::io::stdout().lock().write_all(report.text.as_bytes()), report.problems) {
        (Ok(()), 0) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The result of a check.
#[derive(Debug, Default)]
struct Report {
    /// The lines to print.
    text: String,
    /// The number of problems.
    problems: usize,
    /// Whether any of the files has a configuration.
    has_found: bool,
}

/// Checks each of `files`, and what they say together.
fn check(files: &[PathBuf]) -> Report {
    let read: Vec<Result<Vec<Node>, String>> = files.iter().map(|file| read(file)).collect();
    let documents = || read.iter().flatten().flatten();
    let found: Vec<Vec<Judged<'_>>> = read.iter().map(|read| judge(read.as_deref().unwrap_or_default())).collect();
    let good = found.iter().flatten().filter_map(|(_, config)| config.as_ref().ok()?.as_ref().ok());
    let world = World::new(documents(), good);
    let mut report = Report { has_found: found.iter().any(|found| !found.is_empty()), ..Report::default() };
    let mut seen = Vec::new();
    for ((file, read), found) in files.iter().zip(&read).zip(&found) {
        match read {
            Ok(documents) => report.file(file, documents, found, &world, &mut seen),
            Err(why) => report.problem(file, why),
        }
    }
    report
}

/// A configuration in a file, and what the filter's parser says of it.
type Judged<'a> = (Found<'a>, Result<Result<Config, Refused>, &'static str>);

fn read(file: &Path) -> Result<Vec<Node>, String> {
    let text = std::fs::read(file).map_err(|error| format!("this file can't be read: {error}"))?;
    documents::read(&text).map_err(|error| format!("neither YAML nor JSON: {error}"))
}

/// Finds and judges every configuration in the documents of a file.
fn judge(documents: &[Node]) -> Vec<Judged<'_>> {
    let found = find(documents).into_iter();
    found.map(|found| (found.source.judge(), found)).map(|(judged, found)| (found, judged)).collect()
}

impl Report {
    fn file<'f, 'a>(
        &mut self,
        file: &Path,
        documents: &[Node],
        found: &'f [Judged<'a>],
        world: &World<'a>,
        seen: &mut Vec<Placed<'f, 'a>>,
    ) {
        if found.is_empty() {
            // A file with other manifests is only warned of, because it may be checked together with those of a plugin.
            let others = !documents.is_empty() && documents.iter().all(|document| matches!(document, Node::Object(_)));
            let line = if self.has_found { READ_BESIDE } else { NOTHING_CHECKED };
            return if others { self.line(file, line) } else { self.problem(file, NOTHING_FOUND) };
        }
        let before = self.problems;
        let good: Vec<String> = found.iter().filter_map(|judged| self.configuration(file, judged, world, seen)).collect();
        if self.problems == before {
            self.line(file, format_args!("good: {} of memory per worker", good.join(" and ")));
        }
    }

    /// Reports all warnings and problems of one configuration. Returns its hash and its memory per worker if it has no problems.
    fn configuration<'f, 'a>(
        &mut self,
        file: &Path,
        (found, judged): &'f Judged<'a>,
        world: &World<'a>,
        seen: &mut Vec<Placed<'f, 'a>>,
    ) -> Option<String> {
        let place = &found.place;
        let config = judged.as_ref().ok().and_then(|config| config.as_ref().ok());
        let placed = Placed { place: format!("{}: {place}", file.display()), found, config };
        let beside = seen.iter().map(|other| plugins::warnings(&placed, other, world)).find(|lines| !lines.is_empty());
        beside.into_iter().flatten().for_each(|warning| self.warning(file, place, warning));
        seen.push(placed);
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

    /// Reports all warnings of a configuration without problems. Returns its hash and its memory per worker.
    fn taken(&mut self, file: &Path, found: &Found<'_>, config: &Config) -> String {
        let lacks = found.environment.iter().flat_map(|environment| environment.lacks(config));
        for warning in lacks.chain(gates::warnings(config)) {
            self.warning(file, &found.place, warning);
        }
        let need = config.worst_case_memory();
        if need > MUCH_MEMORY {
            let text = format!("every worker may need {} of memory: lower limits.memory or limits.body", mebibytes(need));
            self.warning(file, &found.place, text);
        }
        format!("configuration {}, at most {}", config.hash, mebibytes(need))
    }

    fn warning(&mut self, file: &Path, place: &str, text: impl Display) {
        self.line(file, format_args!("{place}: warning: {text}"));
    }

    fn problem(&mut self, file: &Path, text: impl Display) {
        self.problems = self.problems.saturating_add(1);
        self.line(file, text);
    }

    fn line(&mut self, file: &Path, text: impl Display) {
        // Writing to a String can't fail.
        let _ = writeln!(self.text, "{}: {text}", file.display());
    }
}

/// Returns every Gnomon configuration in the documents of a file.
fn find(documents: &[Node]) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        manifest::find(document, &format!("document {}", index.saturating_add(1)), &mut found);
    }
    found
}

/// Returns `bytes` as a text in MiB, rounded up.
fn mebibytes(bytes: usize) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
