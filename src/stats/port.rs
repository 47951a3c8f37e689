//! The port to the host's statistics and shared data: all that the core asks of a host while it works on an event.
//!
//! Series and shared data are those of the whole proxy: of all workers, VMs and configurations. Another worker may come between any two
//! calls, so nothing that was read need still hold when the next call is made.
//!
//! A call never comes back into the core: in Envoy only `get_shared_data` enters the VM at all, and there only the allocator.

use crate::labels::Anomaly;

/// The host's id of a series.
pub type MetricId = u32;

/// How a series moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// Only up.
    Counter,
    /// Up and down.
    Gauge,
    /// A distribution of whole numbers.
    Histogram,
}

/// Which write of a key a value is: the number that a compare-and-swap compares.
pub type Version = u32;

/// How a write of shared data went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The value stands there now.
    Done,
    /// Another worker has written since the version that was given.
    Conflict,
    /// The host refused it.
    Refused,
}

/// The host's statistics and shared data. A call that the host refuses although it never should is counted as [`Anomaly::HostCall`] by the
/// implementation.
pub trait Statistics {
    /// Defines the series `name` and returns its id. Defined again it is the same series under another id, and no id is ever freed.
    fn define(&mut self, kind: MetricType, name: &str) -> MetricId;

    /// Moves a counter or a gauge.
    fn add(&mut self, series: MetricId, by: i64);

    /// Sets a gauge.
    fn set(&mut self, gauge: MetricId, value: u64);

    /// Records a value in a histogram.
    fn record(&mut self, histogram: MetricId, value: u64);

    /// The value of a counter or a gauge, as it is now over all workers; 0 if the host does not tell.
    fn read(&mut self, series: MetricId) -> u64;

    /// The shared data under `key`, with its version; `None` if there never was any.
    fn load(&mut self, key: &str) -> Option<(Vec<u8>, Version)>;

    /// Writes shared data if `version` is still the one that stands there; without a version in any case. A host ignores the version where
    /// the key is absent.
    fn store(&mut self, key: &str, bytes: &[u8], version: Option<Version>) -> Stored;

    /// Counts an internal error.
    fn anomaly(&mut self, what: Anomaly);
}
