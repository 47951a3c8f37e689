//! The host's statistics and shared data, through the SDK: see [`crate::stats::port`].

use std::cell::OnceCell;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{MetricType as HostType, Status};

use crate::labels::Anomaly;
use crate::stats::WorkerSeries;
use crate::stats::port::{MetricId, MetricType, Statistics, Stored, Version};

thread_local! {
    static WORKER: OnceCell<WorkerSeries> = const { OnceCell::new() };
}

/// The host.
pub struct Host;

/// The series that every worker has.
pub fn worker() -> WorkerSeries {
    WORKER.with(|series| series.get_or_init(|| WorkerSeries::define(&mut Host)).clone())
}

/// Counts a host call that failed although it never should.
pub fn expect<T, E>(result: Result<T, E>) {
    if result.is_err() {
        Host.anomaly(Anomaly::HostCall);
    }
}

impl Statistics for Host {
    fn define(&mut self, kind: MetricType, name: &str) -> MetricId {
        let kind = match kind {
            MetricType::Counter => HostType::Counter,
            MetricType::Gauge => HostType::Gauge,
            MetricType::Histogram => HostType::Histogram,
        };
        // The SDK never returns an error here; should it, the id of no series makes counting an anomaly.
        hostcalls::define_metric(kind, name).unwrap_or(MetricId::MAX)
    }

    fn add(&mut self, series: MetricId, by: i64) {
        expect(hostcalls::increment_metric(series, by));
    }

    fn set(&mut self, gauge: MetricId, value: u64) {
        expect(hostcalls::record_metric(gauge, value));
    }

    fn record(&mut self, histogram: MetricId, value: u64) {
        expect(hostcalls::record_metric(histogram, value));
    }

    fn read(&mut self, series: MetricId) -> u64 {
        hostcalls::get_metric(series).unwrap_or_else(|_| {
            self.anomaly(Anomaly::HostCall);
            0
        })
    }

    fn load(&mut self, key: &str) -> Option<(Vec<u8>, Version)> {
        match hostcalls::get_shared_data(key) {
            Ok((bytes, Some(version))) => Some((bytes.unwrap_or_default(), version)),
            _ => None,
        }
    }

    fn store(&mut self, key: &str, bytes: &[u8], version: Option<Version>) -> Stored {
        match hostcalls::set_shared_data(key, Some(bytes), version) {
            Ok(()) => Stored::Done,
            Err(Status::CasMismatch) => Stored::Conflict,
            Err(_) => Stored::Refused,
        }
    }

    fn anomaly(&mut self, what: Anomaly) {
        if let Some(id) = worker().anomalies.of(what) {
            let _ = hostcalls::increment_metric(id, 1);
        }
    }
}
