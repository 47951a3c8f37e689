//! Points in time and durations, as people write them.

use std::time::{Duration, UNIX_EPOCH};

/// Returns a duration such as `90s`, `30m` or `2h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "give a duration such as 90s, 30m or 2h".into())
}

/// Returns a point in time in seconds since 1970: RFC 3339, or that number itself.
pub fn instant(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    number.or_else(|| rfc3339(text)).ok_or_else(|| "give a time such as 2026-11-30T12:00:00Z, or seconds since 1970".into())
}

/// Reads RFC 3339, with `Z` or an offset such as `+02:00`.
fn rfc3339(text: &str) -> Option<f64> {
    let (time, offset) = match text.strip_suffix(['Z', 'z']) {
        Some(time) => (time, 0.0),
        None => {
            let (time, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            let [hours, minutes] = [hours, minutes].map(|digits| digits.parse::<u8>().ok().filter(|_| digits.len() == 2));
            let seconds =
                f64::from(hours.filter(|hours| *hours < 24)?) * 3600.0 + f64::from(minutes.filter(|minutes| *minutes < 60)?) * 60.0;
            let sign = match offset.as_bytes().first()? {
                b'+' => 1.0,
                b'-' => -1.0,
                _ => return None,
            };
            (time, sign * seconds)
        }
    };
    let time = humantime::parse_rfc3339(&format!("{time}Z")).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs_f64() - offset)
}

/// Reads a date of HTTP, in seconds since 1970: `Mon, 30 Nov 2026 12:00:00 GMT` (IMF-fixdate, RFC 9110, section 5.6.7).
pub fn http_date(text: &str) -> Option<f64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split(' ').collect();
    let [_, day, month, year, time, "GMT"] = words[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)?.checked_add(1)?;
    rfc3339(&format!("{year}-{month:02}-{day}T{time}Z"))
}

/// Returns a point in time as RFC 3339 writes it, in UTC, to the second.
pub fn written(seconds: f64) -> String {
    let span = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    UNIX_EPOCH.checked_add(span).map_or_else(|| format!("{seconds}"), |time| humantime::format_rfc3339_seconds(time).to_string())
}

/// Returns a duration in words, to the second.
pub fn span(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, seconds) in [
            ("0", 0.0),
            ("1796000000.5", 1_796_000_000.5),
            ("2026-11-30T12:00:00Z", 1_796_040_000.0),
            ("2026-11-30T12:00:00.25Z", 1_796_040_000.25),
            ("2026-11-30T14:30:00+02:30", 1_796_040_000.0),
            ("2026-11-30T11:00:00-01:00", 1_796_040_000.0),
        ] {
            assert_eq!(instant(text), Ok(seconds), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "-1",
            "NaN",
            "inf",
            "2026-11-30",
            "2026-11-30T12:00:00",
            "2026-11-30T12:00:00+2",
            "2026-13-01T00:00:00Z",
            "é+02:00",
        ] {
            assert!(instant(text).is_err(), "{text}");
        }
        assert_eq!(written(1_796_040_000.9), "2026-11-30T12:00:00Z");
    }

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(http_date("Mon, 30 Nov 2026 12:00:00 GMT"), Some(1_796_040_000.0));
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0.0));
        for text in
            ["", "Mon, 30 Nov 2026 12:00:00", "Mon, 30 Foo 2026 12:00:00 GMT", "Mon, 31 Nov 2026 12:00:00 GMT", "2026-11-30T12:00:00Z"]
        {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for text in ["", "0s", "2", "-2h", "two hours"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
