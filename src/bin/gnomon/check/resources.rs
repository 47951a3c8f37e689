//! What a configuration costs each pod: memory, and series for Prometheus.

use std::collections::{BTreeMap, BTreeSet};

use gnomon::config::Config;
use gnomon::config::raw::Node;
use gnomon::engine::plan::Plan;
use gnomon::limits::{MAX_ANSWER_NAMES, MAX_MODEL_VERSIONS, MAX_PATHS};
use gnomon::stats::memory::Memory;
use gnomon::stats::{Applied, MetricType, WorkerSeries};

use super::documents;
use super::protobuf_json::{field, pick, text};
use super::world::World;

/// Memory in bytes by which an idle proxy with the filter is larger than the same one without any Wasm, whatever the number of its workers
/// (`docs/copies.md`, "What it needs").
const IDLE: usize = 60 << 20;

/// Workers of a sidecar of Istio with its usual limit of two CPUs.
const USUAL_WORKERS: usize = 2;

/// The annotation of pods with settings of their proxy.
const ANNOTATION: &str = "proxy.istio.io/config";

/// Buckets of histograms in the files of this project; Prometheus gets one more, `+Inf`, a sum and a count.
const BUCKETS: usize = 17;

/// How many workers a proxy has.
#[derive(Clone, Copy, Debug)]
pub enum Workers {
    /// The command line or a file says so.
    Known(usize),
    /// Nothing says how many.
    Assumed,
}

impl Workers {
    /// Returns what is `given`, or else the largest number of the files.
    pub fn of(given: Option<usize>, world: &World<'_>) -> Self {
        let in_files = || world.documents().flat_map(concurrency).max();
        given.or_else(in_files).map_or(Self::Assumed, Self::Known)
    }

    /// Returns what a pod needs if each worker needs this many bytes, in words.
    pub fn pod(self, worker: usize) -> String {
        let (number, known) = match self {
            Self::Known(number) => (number, ""),
            Self::Assumed => (USUAL_WORKERS, ", assumed: give --workers"),
        };
        let bytes = worker.saturating_mul(number).saturating_add(IDLE);
        let plural = if number == 1 { "" } else { "s" };
        format!("{} per pod ({} idle, {number} worker{plural}{known})", mebibytes(bytes), mebibytes(IDLE))
    }
}

/// Returns the numbers of workers that a document sets. 0 stands for one for each CPU of the node, which no file tells.
fn concurrency(document: &Node) -> Vec<usize> {
    let number = |node: &Node| match field(node, "concurrency") {
        Some(Node::Number(number)) => whole(*number),
        _ => None,
    };
    let mut annotated = Vec::new();
    pick(document, &|node| node.get(ANNOTATION).is_some(), &mut annotated);
    let texts = annotated.into_iter().filter_map(|node| text(node, ANNOTATION));
    let annotations = texts.filter_map(|text| documents::read(text.as_bytes()).ok()).flatten();
    let own = Some(document).filter(|node| matches!(text(node, "kind"), Some("ProxyConfig" | "EnvoyProxy")));
    let default = field(document, "meshConfig").and_then(|mesh| field(mesh, "defaultConfig"));
    let direct = own.and_then(|node| field(node, "spec")).into_iter().chain(default);
    annotations.filter_map(|node| number(&node)).chain(direct.filter_map(number)).collect()
}

/// Returns a number as it is written, if it is a whole one above 0.
fn whole(number: f64) -> Option<usize> {
    number.to_string().parse().ok().filter(|number| *number > 0)
}

/// Returns a line for each part of the series that a proxy has because of `config`: from the start, and at most.
pub fn series(config: &Config) -> Vec<String> {
    let mut memory = Memory::default();
    WorkerSeries::define(&mut memory).show("", Applied::Accepted, &mut memory);
    Plan::new(0, config.clone(), &mut memory, &|_| None);
    let names: BTreeSet<(&str, bool)> =
        memory.defined.iter().map(|(kind, name)| (&**name, matches!(kind, MetricType::Histogram))).collect();

    let mut parts: BTreeMap<Option<&str>, (usize, usize)> = BTreeMap::new();
    for (name, is_histogram) in &names {
        let (first, most) = parts.entry(route(name)).or_default();
        let now = if *is_histogram { BUCKETS.saturating_add(3) } else { 1 };
        *first = first.saturating_add(now);
        *most = most.saturating_add(now).saturating_add(later(name, &names));
    }
    let all = parts.values().fold((0_usize, 0_usize), |sum, part| (sum.0.saturating_add(part.0), sum.1.saturating_add(part.1)));
    let range = |(first, most): (usize, usize)| if first == most { first.to_string() } else { format!("{first} to {most}") };
    let line = |(route, part): (&Option<&str>, &(usize, usize))| {
        let of = route.map_or_else(|| "the filter itself".to_owned(), |route| format!("route {route}"));
        format!("series in each proxy: {} of {of}", range(*part))
    };
    parts.iter().map(line).chain([format!("series in each proxy: {} in all", range(all))]).collect()
}

/// Returns the route in the full name of a series.
fn route(name: &str) -> Option<&str> {
    Some(name.split_once("route=.=")?.1.split_once(";.;")?.0)
}

/// Returns how many series may come up beside this one, which takes what has no series of its own.
fn later(name: &str, all: &BTreeSet<(&str, bool)>) -> usize {
    let others = || {
        let shadow = name.split_once("primary_answer").map_or(name, |(shadow, _)| shadow);
        all.iter().filter(|(other, _)| other.starts_with(shadow)).count()
    };
    let is = |metric: &str| name.starts_with(metric);
    match () {
        () if is("gnomon_divergent_paths_total") => MAX_PATHS,
        () if is("gnomon_model_versions_total") => MAX_MODEL_VERSIONS,
        // A configuration that lists the answers has all their series from the start.
        () if is("gnomon_decisions_total") && others() == 1 => {
            let answers = MAX_ANSWER_NAMES.saturating_add(1);
            answers.saturating_mul(answers).saturating_sub(1)
        }
        () => 0,
    }
}

/// Returns `bytes` as a text in MiB, rounded up.
pub fn mebibytes(bytes: usize) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
