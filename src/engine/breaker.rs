//! A breaker per worker and shadow: a shadow that fails ten times in a row is left alone for a while, then probed.

use std::time::Duration;

use crate::limits::{BREAKER_FAILURES, BREAKER_LONGEST_PAUSE, BREAKER_PAUSE};
use crate::timestamp::Timestamp;

/// Whether copies go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Copies go out.
    Closed {
        /// How many copies have failed in a row.
        failures: u32,
    },
    /// No copy goes out until the pause is over. Then one goes, as a probe.
    Open {
        /// When the pause began.
        since: Timestamp,
        /// The length of the pause.
        pause: Duration,
    },
    /// The probe is on its way.
    Probing {
        /// The length of the pause before the probe.
        pause: Duration,
    },
}

/// What a copy says of its shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The shadow works.
    Works,
    /// The shadow fails where the primary does not.
    Fails,
    /// Nothing is known: both failed or refused, or the client went away.
    Nothing,
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Whether a copy may be made ready now.
    pub fn admits(&self, now: Timestamp) -> bool {
        match self {
            Breaker::Closed { .. } => true,
            // A clock that was set back must not prolong the pause.
            Breaker::Open { since, pause } => now < *since || now.since(*since) >= *pause,
            Breaker::Probing { .. } => false,
        }
    }

    /// Lets a copy go out, if one may: `Some(true)` for a probe, `None` if no copy may go.
    pub fn admit(&mut self, now: Timestamp) -> Option<bool> {
        if !self.admits(now) {
            return None;
        }
        let Breaker::Open { pause, .. } = *self else { return Some(false) };
        *self = Breaker::Probing { pause };
        Some(true)
    }

    /// Whether the breaker keeps copies back.
    pub fn is_open(&self) -> bool {
        !matches!(self, Breaker::Closed { .. })
    }

    /// Records how a copy went. Of copies that were sent before the breaker opened only a success counts.
    pub fn record(&mut self, finding: Finding, probe: bool, now: Timestamp) {
        *self = match (finding, *self) {
            (Finding::Works, _) => Breaker::default(),
            (Finding::Fails, Breaker::Closed { failures }) => match failures.saturating_add(1) {
                failures if failures < BREAKER_FAILURES => Breaker::Closed { failures },
                _ => Breaker::Open { since: now, pause: BREAKER_PAUSE },
            },
            (Finding::Fails, Breaker::Probing { pause }) if probe => {
                Breaker::Open { since: now, pause: pause.saturating_mul(2).min(BREAKER_LONGEST_PAUSE) }
            }
            (Finding::Nothing, Breaker::Probing { pause }) if probe => Breaker::Open { since: now.before(pause), pause },
            (_, unchanged) => unchanged,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch(Duration::from_secs(seconds))
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..BREAKER_FAILURES {
            breaker.record(Finding::Fails, false, at(100));
        }
        breaker
    }

    #[test]
    fn ten_failures_in_a_row_open_it() {
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            breaker.record(Finding::Fails, false, at(100));
        }
        assert!(!breaker.is_open());
        breaker.record(Finding::Works, false, at(100));
        for _ in 0..9 {
            breaker.record(Finding::Fails, false, at(100));
            breaker.record(Finding::Nothing, false, at(100));
        }
        assert!(!breaker.is_open(), "a success in between starts the count anew, a finding of nothing does not count");
        breaker.record(Finding::Fails, false, at(100));
        assert_eq!(breaker, Breaker::Open { since: at(100), pause: Duration::from_secs(5) });
    }

    #[test]
    fn one_probe_goes_after_each_pause_and_pauses_double_up_to_a_minute() {
        let mut breaker = opened();
        let mut now = at(100);
        for pause in [5, 10, 20, 40, 60, 60] {
            assert_eq!(breaker.admit(now.after(Duration::from_secs(pause)).before(Duration::from_millis(1))), None);
            now = now.after(Duration::from_secs(pause));
            assert!(breaker.admits(now));
            assert_eq!(breaker.admit(now), Some(true));
            assert_eq!(breaker.admit(now), None, "one probe at a time");
            assert!(!breaker.admits(now) && breaker.is_open());
            breaker.record(Finding::Fails, false, now);
            assert_eq!(breaker.admit(now), None, "a copy sent before says nothing new");
            breaker.record(Finding::Fails, true, now);
        }
        now = now.after(Duration::from_secs(60));
        assert_eq!(breaker.admit(now), Some(true));
        breaker.record(Finding::Works, true, now);
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn a_probe_that_says_nothing_is_followed_by_another() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(105)), Some(true));
        breaker.record(Finding::Nothing, true, at(106));
        assert_eq!(breaker.admit(at(106)), Some(true));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_prolong_a_pause() {
        assert!(opened().admits(at(1)));
    }

    #[test]
    fn a_late_success_closes_it() {
        let mut breaker = opened();
        breaker.record(Finding::Works, false, at(101));
        assert_eq!(breaker.admit(at(101)), Some(false));
    }
}
