//! When this proxy began to count: the mark by which rules tell one life of its counters from the next.

use super::port::{MetricId, Statistics};
use super::shared::{PREFIX, update};
use crate::limits::STARTED_TOGETHER;
use crate::timestamp::Timestamp;

/// Sets `gauge` to `now`, in microseconds since the Unix epoch, if it is 0: a worker or VM before has set it otherwise. Of several workers
/// that find 0 at the same moment the first one to write shared data says when. What it has written longer ago than
/// [`STARTED_TOGETHER`] is of an earlier life: shared data outlives the VMs, and the gauge goes with the last of them.
pub fn show(gauge: MetricId, now: Timestamp, statistics: &mut dyn Statistics) {
    if statistics.read(gauge) > 0 {
        return;
    }
    let mut started = now;
    update(statistics, &format!("{PREFIX}started"), |written| {
        let told = std::str::from_utf8(written).ok().and_then(|text| text.parse().ok()).map(Timestamp::from_micros);
        let told = told.filter(|told| now.since(*told).max(told.since(now)) <= STARTED_TOGETHER);
        started = told.unwrap_or(now);
        told.is_none().then(|| now.micros().to_string().into_bytes())
    });
    if statistics.read(gauge) == 0 {
        statistics.set(gauge, started.micros());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stats::MetricType;
    use crate::stats::memory::Memory;
    use crate::stats::tests::contended::Contended;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const KEY: &str = "gnomon/v1/started";
    const GAUGE: &str = "gnomon_started_microseconds";

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch(Duration::from_secs(seconds))
    }

    /// What a worker shows that begins at this time.
    fn shown(host: &mut Contended, now: Timestamp) -> i64 {
        let gauge = host.define(MetricType::Gauge, GAUGE);
        show(gauge, now, host);
        host.memory.values[GAUGE]
    }

    #[test]
    fn the_first_one_says_when() {
        let mut host = Contended::default();
        for now in [100, 99, 100, 101, 5000] {
            assert_eq!(shown(&mut host, at(now)), 100_000_000, "at {now}");
        }
        assert_eq!(host.stores, 1);
    }

    /// The other one is faster in writing, and may have shown it, too.
    #[test]
    fn of_two_at_the_same_moment_one_says_when() {
        for shows in [false, true] {
            let mut host = Contended::with(move |memory: &mut Memory, key| {
                memory.shared.entry(key.to_owned()).or_insert((b"99999999".to_vec(), 1));
                if shows {
                    memory.values.insert(GAUGE.to_owned(), 99_999_999);
                }
            });
            assert_eq!(shown(&mut host, at(100)), 99_999_999, "shows: {shows}");
            assert_eq!(host.memory.list(KEY), ["99999999"]);
        }
    }

    #[test]
    fn the_gauge_wins_over_shared_data() {
        for shared in [None, Some("1"), Some("")] {
            let mut host = Contended::default();
            host.memory.values.insert(GAUGE.to_owned(), 7);
            shared.into_iter().for_each(|text| host.memory.append(KEY, text));
            assert_eq!((shown(&mut host, at(100)), host.stores), (7, 0), "{shared:?}");
        }
    }

    /// The gauge is gone with all VMs, and shared data is still there.
    #[test]
    fn a_later_life_is_another_one() {
        for (told, now, expected) in [
            ("100000000", 110, 100_000_000),
            ("100000000", 111, 111_000_000),
            ("100000000", 90, 100_000_000),
            ("100000000", 89, 89_000_000),
            ("nonsense", 100, 100_000_000),
            ("-1", 100, 100_000_000),
            ("99999999999999999999", 100, 100_000_000),
        ] {
            let mut host = Contended::default();
            host.memory.append(KEY, told);
            assert_eq!(shown(&mut host, at(now)), expected, "{told} at {now}");
        }
    }

    #[test]
    fn without_shared_data_each_worker_still_finds_the_gauge() {
        let mut host = Contended::refusing();
        assert_eq!((shown(&mut host, at(100)), shown(&mut host, at(101)), host.anomalies()), (100_000_000, 100_000_000, 1));
    }
}
