//! What the server counts of itself, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use hyper::StatusCode;

use crate::source;
use crate::time;

/// Upper bounds of the buckets of the durations, in seconds.
const BUCKETS: [f64; 8] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 8.0, f64::INFINITY];

/// What the server counts of itself.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Answers by door and status.
    answers: BTreeMap<(String, u16), u64>,
    /// How many decisions took at most the bound of each bucket, those of smaller buckets left out.
    durations: [u64; BUCKETS.len()],
    /// How long all took together, in seconds.
    seconds: f64,
    /// When Prometheus was asked last, in seconds since 1970, and whether it answered.
    last: Option<(f64, bool)>,
}

impl Metrics {
    /// Counts an answer.
    pub fn answered(&mut self, door: &str, status: StatusCode) {
        let count = self.answers.entry((door.to_owned(), status.as_u16())).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts a decision that took `duration`.
    pub fn asked(&mut self, duration: Duration, is_reached: bool) {
        let seconds = duration.as_secs_f64();
        self.seconds += seconds;
        self.last = Some((source::now(), is_reached));
        if let Some((_, count)) = BUCKETS.iter().zip(&mut self.durations).find(|(bound, _)| seconds <= **bound) {
            *count = count.saturating_add(1);
        }
    }

    /// Says when Prometheus was asked last.
    pub fn last_asked(&self) -> String {
        match self.last {
            None => "Prometheus has not been asked yet".into(),
            Some((at, true)) => format!("Prometheus answered at {}", time::written(at)),
            Some((at, false)) => format!("Prometheus did not answer at {}", time::written(at)),
        }
    }

    /// Returns all series.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{line}");
        };
        line("# HELP gnomon_serve_answers_total Answers by door and status.\n# TYPE gnomon_serve_answers_total counter".into());
        for ((door, code), count) in &self.answers {
            line(format!("gnomon_serve_answers_total{{door=\"{door}\",code=\"{code}\"}} {count}"));
        }
        line("# HELP gnomon_serve_decision_seconds How long a decision took.\n# TYPE gnomon_serve_decision_seconds histogram".into());
        let mut sum: u64 = 0;
        for (bound, count) in BUCKETS.iter().zip(&self.durations) {
            sum = sum.saturating_add(*count);
            let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".into() };
            line(format!("gnomon_serve_decision_seconds_bucket{{le=\"{bound}\"}} {sum}"));
        }
        line(format!("gnomon_serve_decision_seconds_sum {}\ngnomon_serve_decision_seconds_count {sum}", self.seconds));
        let answered = self.last.map_or("NaN".to_owned(), |(_, is_reached)| u8::from(is_reached).to_string());
        line("# HELP gnomon_serve_prometheus_up Whether Prometheus answered when it was asked last.\n# TYPE gnomon_serve_prometheus_up gauge".into());
        line(format!("gnomon_serve_prometheus_up {answered}"));
        line("# HELP gnomon_serve_build_info 1, with the version.\n# TYPE gnomon_serve_build_info gauge".into());
        line(format!("gnomon_serve_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
        text
    }
}
