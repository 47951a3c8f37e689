//! What the host's statistics say of gates, and the shares of a split.
//!
//! Counters at the host are those of all workers; each call reads one of them, while others go on counting.

use proxy_wasm::hostcalls;

use super::{expect, metrics, shared};
use crate::engine::gates::{Look, Question, Reply};
use crate::engine::meter::GateInSlice;
use crate::gate::Reading;
use crate::labels::Anomaly;
use crate::limits::LOOKS_AFTER_WRITES;
use crate::stats::MetricId;
use crate::stats::gates::{Share, after_trips};

/// Looks up what the engine wants to know.
pub fn answer(question: Question) -> Reply {
    match question {
        Question::Terms(meter) => {
            let terms = meter.series.terms.map(read);
            Reply::Terms(meter, terms)
        }
        Question::GateInSlice(meter) => {
            let look = look(&meter);
            Reply::GateInSlice(meter, look)
        }
        Question::Slices(overall) => {
            let states = overall.slices.iter().map(|slice| read(slice.state)).collect();
            let others = overall.slices.last().map_or(0, |other| read(other.trials));
            let shown = read(overall.state);
            Reply::Slices(overall, shown, states, others)
        }
        Question::Window { meter, reading, mine } => {
            let key = meter.guard.as_ref().map(|guard| guard.key.as_str()).unwrap_or_default();
            let begun = shared::window(key, mine, reading);
            Reply::Window(meter, reading, begun)
        }
        Question::Warmup(trials) => {
            let series = trials.warm.as_ref().map(|warm| warm.series);
            let (began, left_out) = series.map_or((0, 0), |series| (read(series.began), read(series.left_out)));
            Reply::Warmup(trials, began, left_out)
        }
    }
}

/// Hits before and after trials, so that the true number of bad events among these trials lies between.
fn look(meter: &GateInSlice) -> Look {
    let series = meter.series;
    let (bad, trials, bad_again) = (read(series.bad), read(series.trials), read(series.bad));
    // A worker that finds a failure counts it before it shows it.
    let (state, failures) = (read(series.state), read(series.failures));
    Look {
        reading: Reading::new(bad, trials, bad_again),
        terms: terms(series.terms),
        failures,
        state,
        tripped: meter.guard.as_ref().map_or(0, |guard| read(guard.tripped)),
    }
}

/// By what a gate is judged. Another VM may be setting that just now, in the order of `judging::take_over`: what is read in this order, and
/// twice where it must be, is of one age. Should that not come about, no number of trials is enough.
fn terms([limit, alpha, min_trials]: [MetricId; 3]) -> [u64; 3] {
    let mut terms = [0, 0, u64::MAX];
    for _ in 0..LOOKS_AFTER_WRITES {
        let before = (read(limit), read(min_trials));
        let alpha = read(alpha);
        let after = read(min_trials);
        let limit = read(limit);
        if before == (limit, after) {
            return [limit, alpha, after];
        }
        terms = [limit, alpha, u64::MAX];
    }
    terms
}

/// Those of `guards` that are above 0.
pub fn tripped(guards: impl IntoIterator<Item = MetricId>) -> Vec<MetricId> {
    guards.into_iter().filter(|guard| read(*guard) > 0).collect()
}

/// Sets `gnomon_split_ppm`, until nothing was cut off meanwhile: another worker may have set it from what it knew. `all`, or only what a
/// cut-off changes: the rest may be a younger configuration's.
pub fn show_split(shares: &[Share], all: bool) {
    let now = || tripped(shares.iter().filter_map(|share| share.tripped));
    let mut known = now();
    loop {
        let ppm = after_trips(shares, |share| share.is_tripped(&known));
        for (index, (share, ppm)) in shares.iter().zip(ppm).enumerate() {
            if all || index == 0 || share.is_tripped(&known) {
                expect(hostcalls::record_metric(share.shown, ppm.into()));
            }
        }
        let now = now();
        if now == known {
            return;
        }
        known = now;
    }
}

/// The value of a counter or gauge.
fn read(id: MetricId) -> u64 {
    hostcalls::get_metric(id).unwrap_or_else(|_| {
        metrics::anomaly(Anomaly::HostCall);
        0
    })
}
