//! The trials of the current window of wall-clock time. A long good history makes the e-value so small that a sudden failure takes long to
//! show, so a guardrail also judges recent trials alone.
//!
//! Windows begin at multiples of their length since the epoch. The first look in a window takes a snapshot of the counters. Later looks
//! count the trials since the snapshot. The chance of a false alarm is at most alpha for each window. Windows do not overlap: a failure
//! that begins late in a window is judged afresh in the next one.
//!
//! Trials between the beginning of a window and its snapshot count for no window. If every trial is followed by a look, that is one trial.
//! When the clock jumps into another window, forwards or back, that window gets a new snapshot. Jumps within a window don't matter.
//! Counters below the snapshot belong to a restarted proxy, so they get a new snapshot too. The caller keeps the snapshots.
//!
//! Where only the first event of a key is a trial, the trials since a snapshot would mislead: once most keys of the worse variant have had
//! their event, late first events are those of the better one. So there each window has first events of its own, and a [`WindowTally`].

use std::time::Duration;

use super::{Counts, Rate, Reading};
use crate::timestamp::Timestamp;

/// A snapshot of a gate's counters at the first look in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowStart {
    /// The number of the window, counted from 0 at the epoch.
    pub window: u64,
    /// The most bad trials that were read, so that the number of bad trials since is not too large.
    pub bad: u64,
    /// The number of all trials.
    pub trials: u64,
    /// The least sum that was read of the limits of these trials, in parts per million; 0 of a gate whose trials have one limit.
    pub limits: u64,
}

impl WindowStart {
    /// Returns the snapshot of a reading at `now`. Windows have this `length`; a window of length 0 never ends.
    pub fn new(reading: Reading, now: Timestamp, length: Duration) -> Self {
        let Counts { bad, trials, limits } = reading.most;
        Self { window: now.window(length), bad, trials, limits: limits.unwrap_or_default() }
    }

    /// Returns the snapshot as bytes for [`WindowStart::read`]: four little-endian numbers of 64 bits.
    pub fn written(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (place, number) in bytes.chunks_exact_mut(8).zip([self.window, self.bad, self.trials, self.limits]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Returns the snapshot that [`WindowStart::written`] made `bytes` of; `None` if they have another length.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&[window, bad, trials, limits], []) = bytes.as_chunks() else { return None };
        let [window, bad, trials, limits] = [window, bad, trials, limits].map(u64::from_le_bytes);
        Some(Self { window, bad, trials, limits })
    }

    /// Returns the fewest possible bad trials and the trials from this snapshot to `later`, a snapshot of `reading` of the same gate.
    ///
    /// `None` if `later` is in another window, or the counters went back. The caller then keeps `later` instead of this snapshot.
    pub fn until(&self, later: &Self, reading: Reading) -> Option<Counts> {
        if self.window != later.window {
            return None;
        }
        let bad = reading.fewest.bad.checked_sub(self.bad)?;
        let counts = Counts::new(bad, reading.fewest.trials.checked_sub(self.trials)?);
        match reading.fewest.limits {
            Some(limits) => Some(counts.with_limits(limits.checked_sub(self.limits)?)),
            None => Some(counts),
        }
    }
}

/// The trials of one window, which are counted by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowTally(WindowStart);

impl WindowTally {
    /// Returns the tally after one more trial in `window`, with its limit. `bytes` are those of the tally before; one of another window
    /// begins anew.
    pub fn after(bytes: &[u8], window: u64, limit: Rate, is_bad: bool) -> Self {
        let before = WindowStart::read(bytes).filter(|before| before.window == window);
        let WindowStart { bad, trials, limits, .. } = before.unwrap_or(WindowStart { window, bad: 0, trials: 0, limits: 0 });
        Self(WindowStart {
            window,
            bad: bad.saturating_add(is_bad.into()),
            trials: trials.saturating_add(1),
            limits: limits.saturating_add(limit.ppm.into()),
        })
    }

    /// Returns the counts of the trials.
    pub fn counts(&self) -> Counts {
        Counts::new(self.0.bad, self.0.trials).with_limits(self.0.limits)
    }

    /// Returns the tally as bytes for [`WindowTally::after`].
    pub fn written(&self) -> [u8; 32] {
        self.0.written()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const LENGTH: Duration = Duration::from_secs(600);

    /// Looks at times in seconds, with the counters of bad trials and of trials at that time. Returns what each look sees: bad trials and
    /// trials since the snapshot.
    fn looks(length: Duration, looks: &[(u64, u64, u64)]) -> Vec<(u64, u64)> {
        let mut kept: Option<WindowStart> = None;
        let look = |&(at, bad, trials): &(u64, u64, u64)| {
            let reading = Counts::new(bad, trials).into();
            let now = WindowStart::new(reading, Timestamp::from_epoch(Duration::from_secs(at)), length);
            let counts = kept.and_then(|kept| kept.until(&now, reading)).unwrap_or_else(|| {
                kept = Some(now);
                Counts::default()
            });
            (counts.bad(), counts.trials())
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn a_look_sees_the_trials_since_the_first_look_in_the_window() {
        let seen = looks(LENGTH, &[(6_100, 3, 900), (6_101, 3, 901), (6_102, 5, 910), (6_599, 9, 999)]);
        assert_eq!(seen, [(0, 0), (0, 1), (2, 10), (6, 99)]);
    }

    #[test]
    fn a_window_begins_at_a_multiple_of_its_length() {
        let seen = looks(LENGTH, &[(6_590, 0, 10), (6_599, 4, 20), (6_600, 5, 21), (6_601, 6, 22), (9_000, 7, 23)]);
        assert_eq!(seen, [(0, 0), (4, 10), (0, 0), (1, 1), (0, 0)]);
    }

    #[test]
    fn counters_that_went_back_begin_the_window_anew() {
        let seen = looks(LENGTH, &[(0, 5, 100), (1, 6, 101), (2, 0, 3), (3, 2, 6)]);
        assert_eq!(seen, [(0, 0), (1, 1), (0, 0), (2, 3)]);
        // Trials have caught up with the snapshot, bad ones have not.
        let seen = looks(LENGTH, &[(0, 50, 100), (1, 1, 150), (2, 2, 152)]);
        assert_eq!(seen, [(0, 0), (0, 0), (1, 2)]);
    }

    #[test]
    fn a_clock_that_jumps_back_begins_only_another_window_anew() {
        let seen = looks(LENGTH, &[(1_199, 0, 10), (601, 1, 12), (599, 1, 13), (1_000, 2, 14), (1_001, 3, 15)]);
        assert_eq!(seen, [(0, 0), (1, 2), (0, 0), (0, 0), (1, 1)]);
    }

    #[test]
    fn a_look_sees_the_fewest_possible_bad_trials() {
        let snapshot = |reading| WindowStart::new(reading, Timestamp::default(), LENGTH);
        let later = Reading::new(15, 110, 17);
        let counts = snapshot(Reading::new(10, 100, 12)).until(&snapshot(later), later);
        assert_eq!(counts, Some(Counts::new(3, 10)));
    }

    #[test]
    fn a_look_sees_the_most_that_the_limits_of_its_trials_may_add_up_to() {
        let snapshot = |reading| WindowStart::new(reading, Timestamp::default(), LENGTH);
        let reading = |bad, trials, before, after| Reading::new(bad, trials, bad).with_limits(before, after);
        let later = reading(15, 110, 1_050, 1_100);
        let begun = snapshot(reading(10, 100, 990, 1_010));
        assert_eq!(begun.until(&snapshot(later), later), Some(Counts::new(5, 10).with_limits(110)));
        let reset = reading(15, 110, 900, 900);
        assert_eq!(begun.until(&snapshot(reset), reset), None, "a sum that went back");
    }

    #[test]
    fn the_largest_and_smallest_times_lengths_and_counters_work() {
        assert_eq!(looks(Duration::ZERO, &[(0, 1, 2), (u64::MAX, 2, 4)]), [(0, 0), (1, 2)]);
        let all = Reading::new(u64::MAX, u64::MAX, u64::MAX);
        let latest = Timestamp::from_epoch(Duration::MAX);
        let last = |reading| WindowStart::new(reading, latest, Duration::MAX);
        assert_eq!(last(Reading::default()).until(&last(all), all), Some(Counts::new(u64::MAX, u64::MAX)));
        assert_eq!(WindowStart::new(all, latest, Duration::from_micros(1)).window, u64::MAX);
    }

    #[test]
    fn a_tally_is_of_one_window() {
        let [half, tenth] = [500_000, 100_000].map(|ppm| Rate::new(ppm).unwrap());
        let first = WindowTally::after(&[], 7, half, true);
        let second = WindowTally::after(&first.written(), 7, tenth, false);
        assert_eq!(second.counts(), Counts::new(1, 2).with_limits(600_000));
        let next = WindowTally::after(&second.written(), 8, tenth, false);
        assert_eq!(next.counts(), Counts::new(0, 1).with_limits(100_000));
        assert_eq!(WindowTally::after(&next.written(), 7, half, false).counts(), Counts::new(0, 1).with_limits(500_000));
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written() {
        let snapshot = WindowStart { window: 1, bad: u64::MAX, trials: 1 << 40, limits: 7 };
        assert_eq!(WindowStart::read(&snapshot.written()), Some(snapshot));
        for bytes in [&b""[..], &[0; 8], &[0; 24], &[0; 31], &[0; 33]] {
            assert_eq!(WindowStart::read(bytes), None, "{bytes:?}");
        }
    }
}
