//! The port to the host's statistics and shared data. The core calls nothing else of the host while it handles an event.
//!
//! All workers, VMs and configurations of a proxy share the series and the shared data. Another worker may change them between any two
//! calls.
//!
//! A call never re-enters the core: in Envoy only `get_shared_data` enters the VM at all, and only to allocate memory.

use crate::labels::Anomaly;

/// The host's id of a series.
pub type MetricId = u32;

/// The type of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// A number that only rises.
    Counter,
    /// A number that rises and falls.
    Gauge,
    /// A distribution of whole numbers.
    Histogram,
}

/// The version of the value of a key, for compare-and-swap. Each write changes it.
pub type Version = u32;

/// The result of a write of shared data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The value was written.
    Done,
    /// Nothing was written, because another worker wrote after the given version.
    Conflict,
    /// The host refused the write.
    Refused,
}

/// The host's statistics and shared data. Implementations count a call that the host refuses unexpectedly as [`Anomaly::HostCall`].
pub trait Statistics {
    /// Defines the series with the full name `name` and returns its id. Defining a series again gives it another id. No id is ever freed.
    fn define(&mut self, kind: MetricType, name: &str) -> MetricId;

    /// Moves a counter or a gauge.
    fn add(&mut self, series: MetricId, by: i64);

    /// Sets a gauge.
    fn set(&mut self, gauge: MetricId, value: u64);

    /// Records a value in a histogram.
    fn record(&mut self, histogram: MetricId, value: u64);

    /// Returns the current value of a counter or a gauge, over all workers; 0 if the host refuses to tell it.
    fn read(&mut self, series: MetricId) -> u64;

    /// Returns the shared data under `key` with its version; `None` if nothing was ever written there.
    fn load(&mut self, key: &str) -> Option<(Vec<u8>, Version)>;

    /// Writes shared data by compare-and-swap: only if the data under `key` still has this `version`. Without a version it always writes. A
    /// host ignores the version if the key is absent.
    fn store(&mut self, key: &str, bytes: &[u8], version: Option<Version>) -> Stored;

    /// Counts an internal error.
    fn anomaly(&mut self, what: Anomaly);
}
