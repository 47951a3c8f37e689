//! Tests of intervals: against a look at every rate of a fine grid.

use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::gate::{Counts, ln_fail, ln_pass};

fn of(bad: u64, trials: u64, alpha: u32) -> (u32, u32) {
    let interval = interval(&Lives(vec![Counts::new(bad, trials)]), Rate::new(alpha).unwrap()).unwrap();
    (interval.low, interval.high)
}

/// The ends, found by a look at each rate of the grid.
fn scanned(counts: Counts, alpha: Rate, grid: impl Iterator<Item = u32>) -> (u32, u32) {
    let mut ends = (0, 1_000_000);
    for rate in grid.filter_map(Rate::new) {
        let most = 2.0 / (f64::from(alpha.ppm()) / 1e6);
        if ln_fail(counts, rate).exp() >= most {
            ends.0 = ends.0.max(rate.ppm());
        }
        if ln_pass(counts, rate).exp() >= most {
            ends.1 = ends.1.min(rate.ppm());
        }
    }
    ends
}

#[test]
fn an_interval_is_what_a_scan_finds() {
    for (bad, trials) in [(0, 0), (0, 1), (1, 1), (0, 300), (3, 300), (30, 300), (299, 300), (300, 300), (700, 70_000)] {
        for alpha in [1, 1_000, 50_000, 999_999] {
            // Every rate near the ends, and every thousandth elsewhere.
            let (low, high) = of(bad, trials, alpha);
            let near = |end: u32| end.saturating_sub(50)..end.saturating_add(50);
            let grid = near(low).chain(near(high)).chain((0..1_000_000).step_by(1_000)).chain([1, 999_999]);
            assert_eq!(scanned(Counts::new(bad, trials), Rate::new(alpha).unwrap(), grid), (low, high), "{bad} of {trials}, {alpha}");
        }
    }
}

#[test]
fn without_trials_every_rate_is_possible() {
    assert_eq!(of(0, 0, 50_000), (0, 1_000_000));
    assert_eq!(interval(&Lives::default(), Rate::ALPHA), Some(Interval { low: 0, high: 1_000_000 }));
}

#[test]
fn proxies_that_contradict_each_other_leave_no_rate() {
    let life = |bad| Counts::new(bad, 1_000).with_limits(1_000 * 500_000);
    assert_eq!(interval(&Lives(vec![life(0), life(1_000)]), Rate::ALPHA), None);
    let alike = interval(&Lives(vec![life(100), life(100)]), Rate::ALPHA).unwrap();
    assert!(alike.low < 100_000 && 100_000 < alike.high && alike.high < 200_000, "{alike:?}");
}

proptest! {
    #[test]
    fn the_rate_that_was_seen_is_always_possible(bad in 0..5_000_u64, more in 0..5_000_000_u64, alpha in 1..1_000_000_u32) {
        let (low, high) = of(bad, bad + more, alpha);
        let seen = bad as f64 / (bad + more).max(1) as f64 * 1e6;
        prop_assert!(f64::from(low) <= seen && seen <= f64::from(high) || bad + more == 0, "{low} {seen} {high}");
    }
}
