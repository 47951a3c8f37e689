//! The trials of the current window of wall-clock time: a long good history would mute evidence of a sudden failure, so a guardrail also
//! judges recent trials alone.
//!
//! Windows begin at multiples of their length since the epoch. The first look in one keeps what the counters are; later looks get what came
//! since. The chance of a false alarm is at most alpha for each window. Windows do not overlap: a failure that begins late in one is judged
//! afresh in the next.
//!
//! A snapshot is a look, so trials between the beginning of a window and its first look count for no window: look after every trial and it
//! is one. When the clock jumps into another window, forwards or back, that window begins anew; within one it may jump as it likes. Counters
//! that are behind the snapshot belong to a restarted proxy: a new snapshot. Where snapshots are kept is not decided here.

use std::time::Duration;

use super::{Counts, Reading};
use crate::timestamp::Timestamp;

/// What the counters of a gate were when a window was first looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowStart {
    /// Whole windows between the epoch and this one.
    pub window: u64,
    /// As many bad trials as it can have been, so that as few came since.
    pub bad: u64,
    /// Trials.
    pub trials: u64,
}

impl WindowStart {
    /// Of a reading at `now`, in windows of `length`; one of length 0 never ends.
    pub fn new(reading: Reading, now: Timestamp, length: Duration) -> Self {
        Self { window: now.window(length), bad: reading.most.bad, trials: reading.most.trials }
    }

    /// As bytes that [`WindowStart::read`] understands.
    pub fn written(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        for (place, number) in bytes.chunks_exact_mut(8).zip([self.window, self.bad, self.trials]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// What [`WindowStart::written`] has written; `None` of any other bytes.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&[window, bad, trials], []) = bytes.as_chunks() else { return None };
        let [window, bad, trials] = [window, bad, trials].map(u64::from_le_bytes);
        Some(Self { window, bad, trials })
    }

    /// Bad trials (as few as it can have been) and trials from this snapshot to `later`, which is one of the same gate, of counters read as
    /// `reading`; `None` if the window is another one, or the counters went back: then `later` begins it.
    pub fn until(&self, later: &Self, reading: Reading) -> Option<Counts> {
        if self.window != later.window {
            return None;
        }
        let bad = reading.fewest.bad.checked_sub(self.bad)?;
        Some(Counts::new(bad, reading.fewest.trials.checked_sub(self.trials)?))
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const LENGTH: Duration = Duration::from_secs(600);

    /// Looks at these times, in seconds, with these bad trials and trials: what each look sees. The first in a window keeps its snapshot.
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
    fn it_sees_what_came_since_the_first_look() {
        let seen = looks(LENGTH, &[(6_100, 3, 900), (6_101, 3, 901), (6_102, 5, 910), (6_599, 9, 999)]);
        assert_eq!(seen, [(0, 0), (0, 1), (2, 10), (6, 99)]);
    }

    #[test]
    fn the_next_one_begins_at_a_multiple_of_its_length() {
        let seen = looks(LENGTH, &[(6_590, 0, 10), (6_599, 4, 20), (6_600, 5, 21), (6_601, 6, 22), (9_000, 7, 23)]);
        assert_eq!(seen, [(0, 0), (4, 10), (0, 0), (1, 1), (0, 0)]);
    }

    #[test]
    fn counters_that_went_back_begin_it_anew() {
        let seen = looks(LENGTH, &[(0, 5, 100), (1, 6, 101), (2, 0, 3), (3, 2, 6)]);
        assert_eq!(seen, [(0, 0), (1, 1), (0, 0), (2, 3)]);
        // Trials have caught up with the snapshot, bad ones have not.
        let seen = looks(LENGTH, &[(0, 50, 100), (1, 1, 150), (2, 2, 152)]);
        assert_eq!(seen, [(0, 0), (0, 0), (1, 2)]);
    }

    #[test]
    fn a_clock_that_jumps_back_begins_it_anew_only_in_another_window() {
        let seen = looks(LENGTH, &[(1_199, 0, 10), (601, 1, 12), (599, 1, 13), (1_000, 2, 14), (1_001, 3, 15)]);
        assert_eq!(seen, [(0, 0), (1, 2), (0, 0), (0, 0), (1, 1)]);
    }

    #[test]
    fn it_sees_as_few_bad_trials_as_it_can_have_been() {
        let snapshot = |reading| WindowStart::new(reading, Timestamp::default(), LENGTH);
        let later = Reading::new(15, 110, 17);
        let counts = snapshot(Reading::new(10, 100, 12)).until(&snapshot(later), later);
        assert_eq!(counts, Some(Counts::new(3, 10)));
    }

    #[test]
    fn no_time_and_no_length_is_too_much() {
        assert_eq!(looks(Duration::ZERO, &[(0, 1, 2), (u64::MAX, 2, 4)]), [(0, 0), (1, 2)]);
        let all = Reading::new(u64::MAX, u64::MAX, u64::MAX);
        let latest = Timestamp::from_epoch(Duration::MAX);
        let last = |reading| WindowStart::new(reading, latest, Duration::MAX);
        assert_eq!(last(Reading::default()).until(&last(all), all), Some(Counts::new(u64::MAX, u64::MAX)));
        assert_eq!(WindowStart::new(all, latest, Duration::from_micros(1)).window, u64::MAX);
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let snapshot = WindowStart { window: 1, bad: u64::MAX, trials: 1 << 40 };
        assert_eq!(WindowStart::read(&snapshot.written()), Some(snapshot));
        for bytes in [&b""[..], &[0; 8], &[0; 23], &[0; 25], &[0; 32]] {
            assert_eq!(WindowStart::read(bytes), None, "{bytes:?}");
        }
    }
}
