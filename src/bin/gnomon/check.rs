//! `gnomon check FILE…` finds the Gnomon configurations in manifests and Envoy files, and reports a line for each problem, found by the
//! filter's own parser, each warning, and each good file. It uses no network.
//!
//! Reading order: [`documents`] (text to values), [`protobuf_json`] and [`text_test`] (what files of Envoy and Kubernetes have in common),
//! [`found`] (a configuration in a file), [`manifest`] and [`envoy`] (find configurations), [`world`] (all files together), [`report`] (the lines).
//!
//! Warnings, a module for each topic: [`gates`] and [`settings`] of the configuration itself; of what it stands in, which [`surroundings`]
//! brings together: [`environment`], [`clusters`] and [`mesh_clusters`], [`statistics`], [`routing`] ([`envoy_routes`], [`mesh_routes`],
//! [`standing`]), [`observed`], [`istio`]; of what else is in the same proxy: [`plugins`]; what a pod pays: [`resources`]; of what is new since the files before
//! ([`against`], [`workloads`]).

mod against;
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
mod report;
mod resources;
mod routing;
mod settings;
mod standing;
mod statistics;
mod surroundings;
mod text_test;
mod workloads;
mod world;

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use gnomon::config::Config;
use gnomon::config::parse::Refused;
use gnomon::config::raw::Node;

use self::against::{Before, Now};
use self::found::Found;
use self::report::{Report, Wanted};
use self::world::World;
use crate::problem::Problem;

const ABOUT: &str = "Checks Gnomon configurations: WasmPlugin, TrafficExtension, EnvoyExtensionPolicy and Envoy files, or a bare one";
const AFTER: &str = "Exits 1 if there is any problem, 0 if there is none; warnings do not count.

Example, before a merge:
  git show main:fraud.yaml | gnomon check fraud.yaml --against -";

/// The name of the standard input among files.
const STANDARD_INPUT: &str = "-";

/// Returns the command line.
pub fn command() -> Command {
    let files = Arg::new("file").value_name("FILE").required(true).num_args(1..).value_parser(value_parser!(PathBuf));
    let against = Arg::new("against").long("against").value_name("OLD").action(ArgAction::Append).value_parser(value_parser!(PathBuf));
    let workers = Arg::new("workers").long("workers").value_name("N").value_parser(value_parser!(u16).range(1..=1024));
    let series = Arg::new("series").long("series").action(ArgAction::SetTrue);
    Command::new("check")
        .about(ABOUT)
        .after_help(AFTER)
        .arg(files.help("YAML (any number of documents) or JSON; - for the standard input"))
        .arg(workers.help("How many workers a proxy has (its concurrency), for its memory [default: what the files say, or 2]"))
        .arg(series.help("Counts the series that each proxy has for Prometheus, from the start and at most"))
        .arg(against.help("What is applied now: tells what FILE changes for experiments that go on; may be given again"))
}

/// Runs the command, and returns how the process exits.
pub fn run(arguments: &ArgMatches) -> ExitCode {
    let paths = |name| arguments.get_many::<PathBuf>(name).into_iter().flatten().cloned().collect::<Vec<_>>();
    let (new, old) = (paths("file"), paths("against"));
    if new.iter().chain(&old).filter(|path| path.as_os_str() == STANDARD_INPUT).count() > 1 {
        let problem = Problem::usage("- is given twice, but the standard input can be read once: put one of them into a file");
        problem.tell("check");
        return ExitCode::from(problem.code());
    }
    let workers = arguments.get_one::<u16>("workers").map(|number| usize::from(*number));
    let wanted = Wanted { workers, series: arguments.get_flag("series") };
    let (text, problems) = check(new.into_iter().map(File::read).collect(), old.into_iter().map(File::read).collect(), wanted);
    match (std::io::stdout().lock().write_all(text.as_bytes()), problems) {
        (Ok(()), 0) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// A file that was read.
struct File {
    path: PathBuf,
    /// Its documents, or why there are none.
    documents: Result<Vec<Node>, String>,
}

impl File {
    fn read(path: PathBuf) -> Self {
        let is_input = path.as_os_str() == STANDARD_INPUT;
        let mut text = Vec::new();
        let read = if is_input { std::io::stdin().lock().read_to_end(&mut text).map(|_| text) } else { std::fs::read(&path) };
        let documents = read
            .map_err(|error| format!("this file can't be read: {error}"))
            .and_then(|text| documents::read(&text).map_err(|error| format!("neither YAML nor JSON: {error}")));
        Self { path: if is_input { "standard input".into() } else { path }, documents }
    }

    fn documents(&self) -> &[Node] {
        self.documents.as_deref().unwrap_or_default()
    }
}

/// Checks each of the `new` files, what they say together, and what they change of the `old` ones. Returns the lines to print, and the number of
/// problems.
fn check(new: Vec<File>, old: Vec<File>, wanted: Wanted) -> (String, usize) {
    let (found, found_before) = (judge_all(&new), judge_all(&old));
    let world = World::new(new.iter().flat_map(File::documents), good(&found));
    let world_before = World::new(old.iter().flat_map(File::documents), good(&found_before));
    let before = Before::new(&world_before, found_before.iter().flatten().map(|(found, _)| found), good(&found_before).collect());
    let configs: Vec<&Config> = good(&found).collect();
    let all_good = configs.len() == found.iter().flatten().count();
    let now = Now { configs, all_good, world: &world };

    let mut report = Report::new(now, before, found.iter().any(|found| !found.is_empty()), wanted);
    for old in &old {
        if let Err(why) = &old.documents {
            report.problem(&old.path, why);
        }
    }
    for (file, found) in new.iter().zip(&found) {
        match &file.documents {
            Ok(documents) => report.file(&file.path, documents, found),
            Err(why) => report.problem(&file.path, why),
        }
    }
    (report.text, report.problems)
}

/// A configuration in a file, and what the filter's parser says of it.
type Judged<'a> = (Found<'a>, Result<Result<Config, Refused>, &'static str>);

fn judge_all(files: &[File]) -> Vec<Vec<Judged<'_>>> {
    files.iter().map(|file| judge(file.documents())).collect()
}

/// Returns the configurations without problems.
fn good<'j>(judged: &'j [Vec<Judged<'_>>]) -> impl Iterator<Item = &'j Config> {
    judged.iter().flatten().filter_map(|(_, config)| config.as_ref().ok()?.as_ref().ok())
}

/// Finds and judges every configuration in the documents of a file.
fn judge(documents: &[Node]) -> Vec<Judged<'_>> {
    let found = find(documents).into_iter();
    found.map(|found| (found.source.judge(), found)).map(|(judged, found)| (found, judged)).collect()
}

/// Returns every Gnomon configuration in the documents of a file.
fn find(documents: &[Node]) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        manifest::find(document, &format!("document {}", index.saturating_add(1)), &mut found);
    }
    found
}
