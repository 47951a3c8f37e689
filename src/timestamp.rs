//! Points in time. Spans are [`Duration`]s, so the compiler tells points and spans apart.

use std::time::Duration;

/// A point in time by the wall clock, in microseconds since the Unix epoch. The clock may jump, forwards or back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    micros: u64,
}

impl Timestamp {
    /// Returns the point `span` after the Unix epoch, cut to whole microseconds. The latest possible point is in the year 586 524.
    pub fn from_epoch(span: Duration) -> Self {
        Self { micros: micros(span) }
    }

    /// Returns the point so many microseconds after the Unix epoch.
    pub fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// Returns the whole microseconds since the Unix epoch.
    pub fn micros(self) -> u64 {
        self.micros
    }

    /// Returns the span since `earlier`; zero if the clock was set back in between.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }

    /// Returns the point `span` later, or the latest possible one.
    pub fn after(self, span: Duration) -> Self {
        Self { micros: self.micros.saturating_add(micros(span)) }
    }

    /// Returns the point `span` earlier, or the epoch.
    pub fn before(self, span: Duration) -> Self {
        Self { micros: self.micros.saturating_sub(micros(span)) }
    }

    /// Returns the whole milliseconds since the Unix epoch.
    pub fn millis(self) -> u64 {
        self.micros / 1000
    }

    /// Returns the number of the window of `length` that this point is in, counted from 0 at the epoch. If `length` is shorter than a
    /// microsecond, there is only window 0.
    pub fn window(self, length: Duration) -> u64 {
        self.micros.checked_div(micros(length)).unwrap_or(0)
    }
}

/// Returns `span` in whole microseconds, or `u64::MAX` if it is longer.
pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_epoch(Duration::from_micros(micros))
    }

    #[test]
    fn a_span_is_never_negative() {
        assert_eq!(at(5_000).since(at(3_000)), Duration::from_millis(2));
        assert_eq!(at(3_000).since(at(5_000)), Duration::ZERO);
    }

    #[test]
    fn points_stay_between_the_epoch_and_the_latest() {
        assert_eq!(at(1).before(Duration::from_secs(1)), Timestamp::default());
        assert_eq!(at(1).after(Duration::MAX), at(u64::MAX));
        assert_eq!(at(7).after(Duration::from_micros(3)).before(Duration::from_micros(10)), Timestamp::default());
    }

    #[test]
    fn milliseconds_and_microseconds_are_whole() {
        assert_eq!(at(1_999_999).millis(), 1_999);
        assert_eq!(micros(Duration::from_nanos(1_999)), 1);
        assert_eq!(micros(Duration::MAX), u64::MAX);
    }

    #[test]
    fn windows_begin_at_multiples_of_their_length() {
        for (micros, length, window) in [(5_999_999, 6_000_000, 0), (6_000_000, 6_000_000, 1), (13_000_000, 6_000_000, 2), (9, 0, 0)] {
            assert_eq!(at(micros).window(Duration::from_micros(length)), window, "{micros} in {length}");
        }
    }
}
