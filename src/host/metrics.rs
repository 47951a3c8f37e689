//! Series at the host: defining them, and the few that are not named by the configuration alone.

use std::cell::OnceCell;

use proxy_wasm::hostcalls;

use super::{expect, shared};
use crate::config::{Config, Route, Shadow};
use crate::engine::plan::Target;
use crate::limits::MAX_PATHS;
use crate::outcome::Anomaly;
use crate::stats::{self, MetricId, MetricType, WorkerSeries};

thread_local! {
    static WORKER: OnceCell<WorkerSeries> = const { OnceCell::new() };
}

/// What this proxy does with the last configuration it got: the values of `gnomon_configuration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs as configured.
    Accepted = 1,
    /// That one was refused; the one before goes on.
    LastGood = 2,
    /// That one was refused and there was none before: everything passes untouched.
    Untouched = 3,
}

/// Defines a series and returns its id.
pub fn define(kind: MetricType, name: &str) -> MetricId {
    use proxy_wasm::types::MetricType as Host;
    let kind = match kind {
        MetricType::Counter => Host::Counter,
        MetricType::Gauge => Host::Gauge,
        MetricType::Histogram => Host::Histogram,
    };
    // The SDK never returns an error here; should it, the id of no series makes counting an anomaly.
    hostcalls::define_metric(kind, name).unwrap_or(MetricId::MAX)
}

/// The series that every worker has.
pub fn worker() -> WorkerSeries {
    WORKER.with(|series| series.get_or_init(|| WorkerSeries::define(&mut define)).clone())
}

/// Counts an internal error.
pub fn anomaly(what: Anomaly) {
    if let Some(id) = worker().anomalies.of(what) {
        let _ = hostcalls::increment_metric(id, 1);
    }
}

/// Sets the gauges that tell what runs here; `plugin` is Envoy's name of the plugin.
pub fn tell_state(plugin: &str, state: State) {
    expect(hostcalls::record_metric(worker().build_info, 1));
    expect(hostcalls::record_metric(define(MetricType::Gauge, &stats::configuration(plugin)), state as u64));
}

/// Sets `gnomon_split_ppm`: the shares of `config`, and 0 for every variant that an earlier configuration of `plugin` had.
pub fn tell_split(plugin: &str, config: &Config) {
    let shares = stats::split_ppm(config);
    let names = shares.iter().map(|(name, _)| name.as_str());
    let known = shared::add_lines(&format!("gnomon/v1/split/{plugin}"), names, usize::MAX);
    for gone in known.iter().filter(|name| !shares.iter().any(|(share, _)| share == *name)) {
        expect(hostcalls::record_metric(define(MetricType::Gauge, gone), 0));
    }
    for (name, ppm) in shares {
        expect(hostcalls::record_metric(define(MetricType::Gauge, &name), ppm.into()));
    }
}

/// Gives `path`, a clean label value, a series of its own if it is among the first [`MAX_PATHS`] of the shadow, over all workers and
/// updates.
pub fn register_path(target: &Target, path: &str) -> Option<MetricId> {
    let (route, shadow) = (&target.route, &target.shadow);
    let registered = shared::add_lines(&path_registry(route, shadow), [path], MAX_PATHS);
    let is_registered = registered.iter().any(|known| known == path);
    is_registered.then(|| define(MetricType::Counter, &stats::divergent_path(route, &shadow.name, path)))
}

/// The paths that have a series of their own.
pub fn registered_paths(route: &Route, shadow: &Shadow) -> Vec<String> {
    shared::add_lines(&path_registry(route, shadow), [], MAX_PATHS)
}

fn path_registry(route: &Route, shadow: &Shadow) -> String {
    format!("gnomon/v1/paths/{}/{}/{}", route.experiment, route.name, shadow.name)
}
