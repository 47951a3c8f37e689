//! Series at the host: defining them, and the few that are not named by the configuration alone.

use std::cell::OnceCell;

use proxy_wasm::hostcalls;

use super::{expect, shared};
use crate::engine::event::Event;
use crate::engine::learned::Sum;
use crate::engine::plan::Plan;
use crate::labels::Anomaly;
use crate::stats::lasting::{self, Fate};
use crate::stats::learned::OTHER;
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

/// Sees to series of earlier configurations of `plugin` that `plan` no longer has: see [`lasting`]. What another plugin has is left to that: a
/// route may have moved there.
pub fn retire(plugin: &str, plan: &Plan) {
    let mut marks: Vec<String> = plan.config.routes.iter().map(|route| lasting::mark(&route.experiment)).collect();
    marks.dedup();
    let lasts = |line: &str| marks.iter().any(|mark| line.contains(mark));
    let list_of = |plugin: &str| format!("gnomon/v1/lasting/{plugin}");
    let gone = shared::replace_lines(&list_of(plugin), &plan.lasting, lasts);
    let plugins = shared::add_lines("gnomon/v1/plugins", [plugin], usize::MAX);
    let others = plugins.iter().filter(|other| *other != plugin && !gone.is_empty());
    let elsewhere: Vec<String> = others.flat_map(|other| shared::add_lines(&list_of(other), [], 0)).collect();
    for line in gone.iter().filter(|line| !elsewhere.contains(line)) {
        let Some((fate, name)) = Fate::of(line) else { continue };
        let id = define(fate.kind(), name);
        if fate == Fate::Shown || fate == Fate::Latch && !lasts(line) {
            expect(hostcalls::record_metric(id, 0));
        }
    }
}

/// Registers the values of `sum` as far as there is room, over all workers and updates, and tells the engine.
pub fn learn(sum: Sum) -> Event {
    let new: Vec<&str> = sum.values.iter().map(String::as_str).filter(|value| *value != OTHER).collect();
    let known = shared::add_lines(&registry(&sum.learned.registry), new, sum.learned.most);
    let keep = |value: &String| if known.contains(value) { value.clone() } else { OTHER.to_owned() };
    let values: Vec<String> = sum.values.iter().map(keep).collect();
    let series = define(MetricType::Counter, &sum.learned.name(&values));
    Event::Learned { sum, known, values, series }
}

/// The values in a registry.
pub fn registered(name: &str) -> Vec<String> {
    shared::add_lines(&registry(name), [], 0)
}

fn registry(name: &str) -> String {
    format!("gnomon/v1/{name}")
}
