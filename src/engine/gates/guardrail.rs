//! Guardrails: a gate of a canary that fails takes the canary's traffic away, and gives it to the baseline.
//!
//! That a canary is cut off is a gauge at the host, which every worker reads before it decides a split.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::assigned::Assigned;
use super::line;
use crate::config::{Name, Route, Split, Variant};
use crate::engine::callback::Callback;
use crate::gate::window::{WindowStart, WindowTally};
use crate::gate::{Counts, Rate, Reading, Terms};
use crate::limits::LOOKS_AFTER_WRITES;
use crate::stats::definer::Definer;
use crate::stats::gates::ShareSeries;
use crate::stats::shared::{PREFIX, update};
use crate::stats::{MetricId, Statistics};

/// A canary that one slice of a gate guards.
#[derive(Debug)]
pub struct Guard {
    /// The limit, alpha and least number of trials that the canary is cut off by.
    pub terms: Terms,
    /// The length of the windows that are judged beside the whole experiment.
    pub window: Duration,
    /// Whether trials are first events of keys: then each window has first events of its own.
    pub by_key: bool,
    /// The counters that the current window began with, as far as this worker knows.
    pub begun: Cell<Option<WindowStart>>,
    /// The canary's place in `shares`.
    pub variant: usize,
    /// `gnomon_guardrail_tripped` of the canary.
    pub tripped: MetricId,
    /// The shares of all variants of the route.
    pub shares: Rc<Shares>,
}

impl Guard {
    /// Cuts the canary off if its gate fails by a `reading` of its counters, over the whole experiment or over the current window alone.
    ///
    /// A configuration guards the requests that it serves by its own terms, also where others are shown: a younger one may never get to
    /// serve. `labels` are those of the gate.
    pub fn check(&self, labels: &[Name; 5], reading: Reading, callback: &mut Callback<'_>) {
        if self.cuts_off(labels, reading.fewest, "experiment", callback) || self.by_key {
            return;
        }
        let now = WindowStart::new(reading, callback.now, self.window);
        let recent = self.begun.get().and_then(|begun| begun.until(&now, reading)).unwrap_or_else(|| {
            let begun = window_start(labels, now, reading, callback.statistics);
            self.begun.set(Some(begun));
            begun.until(&now, reading).unwrap_or_default()
        });
        self.cuts_off(labels, recent, "window", callback);
    }

    /// Counts an event at canary or baseline, with the limit of its trial, if it is the first one of its key in the current window. Cuts the
    /// canary off if its gate fails by these events alone.
    pub fn count_event(&self, labels: &[Name; 5], assigned: Assigned, (limit, is_bad): (Rate, bool), callback: &mut Callback<'_>) {
        let window = callback.now.window(self.window);
        let recent = format!("{PREFIX}recent/{}", labels.join("/"));
        if !assigned.is_first(&recent, callback.statistics, |bit, page| bit.mark_in(window, page)) {
            return;
        }
        let mut counts = Counts::default();
        update(callback.statistics, &recent, |bytes| {
            let tally = WindowTally::after(bytes, window, limit, is_bad);
            counts = tally.counts();
            Some(tally.written().to_vec())
        });
        self.cuts_off(labels, counts, "window", callback);
    }

    /// Cuts the canary off if these trials make its gate fail. Returns whether it is cut off.
    fn cuts_off(&self, labels: &[Name; 5], counts: Counts, over: &str, callback: &mut Callback<'_>) -> bool {
        let Some(share) = self.shares.of(self.variant).filter(|share| !share.cut_off.get()) else { return true };
        let fails = self.terms.fails(counts);
        if fails {
            share.cut_off.set(true);
            callback.statistics.set(self.tripped, 1);
            self.shares.show(Shown::CutOff, callback.statistics);
            line::show(labels, &self.terms, counts, (line::GUARDRAIL, over), callback);
        }
        fails
    }
}

/// The counters that the current window of the gate with these `labels` began with: those that are kept for all workers, unless they are of
/// another window than `now`, or the gate's counters were reset since. Then `now` is kept.
fn window_start(labels: &[Name; 5], now: WindowStart, reading: Reading, statistics: &mut dyn Statistics) -> WindowStart {
    let mut begun = now;
    update(statistics, &format!("{PREFIX}window/{}", labels.join("/")), |bytes| {
        let there = WindowStart::read(bytes).filter(|there| there.until(&now, reading).is_some());
        begun = there.unwrap_or(now);
        there.is_none().then(|| now.written().to_vec())
    });
    begun
}

/// Whether the proxy routes a variant like another one.
#[derive(Clone, Debug)]
pub struct Misrouted {
    /// `gnomon_split_misrouted`
    gauge: MetricId,
    /// Whether this worker has found it: the host may not keep the gauge.
    found: Rc<Cell<bool>>,
}

impl Misrouted {
    /// Whether this worker or another one has found it.
    pub fn is_found(&self, statistics: &mut dyn Statistics) -> bool {
        self.found.get() || statistics.read(self.gauge) > 0
    }

    /// Shows whether it is so. Returns whether the host keeps that.
    pub fn show(&self, found: bool, statistics: &mut dyn Statistics) -> bool {
        self.found.set(found);
        statistics.set(self.gauge, found.into());
        !found || statistics.read(self.gauge) > 0
    }
}

/// The shares of the variants of a route, in the order of its split; none without a split.
#[derive(Debug, Default)]
pub struct Shares(Vec<Share>);

/// The share of one variant.
#[derive(Debug)]
struct Share {
    /// As configured, in parts per million.
    ppm: u32,
    series: ShareSeries,
    misrouted: Misrouted,
    /// A latch: whether this worker has seen that the variant is cut off. The gauge is not read again.
    cut_off: Cell<bool>,
}

/// Which of the gauges `gnomon_split_ppm` are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Those of all variants.
    All,
    /// Those that a cut-off changes: the baseline's and those of canaries that are cut off. The others may be a younger configuration's.
    CutOff,
}

impl Share {
    fn new(ppm: u32, series: ShareSeries, cut_off: bool) -> Self {
        let misrouted = Misrouted { gauge: series.misrouted, found: Rc::default() };
        Self { ppm, series, misrouted, cut_off: Cell::new(cut_off) }
    }
}

impl Shares {
    /// Binds the shares of `split`.
    pub fn new(definer: &mut Definer, route: &Route, split: &Split) -> Self {
        let share = |(index, variant): (usize, &Variant)| {
            Share::new(variant.ppm, ShareSeries::define(definer, route, &variant.name, index > 0), false)
        };
        Self(split.variants.iter().enumerate().map(share).collect())
    }

    /// `gnomon_guardrail_tripped` of a variant, if it is a canary.
    pub fn tripped(&self, variant: usize) -> Option<MetricId> {
        self.of(variant)?.series.tripped
    }

    /// Of each variant, whether the proxy routes it like another one.
    pub fn misrouted(&self) -> impl Iterator<Item = Misrouted> + '_ {
        self.0.iter().map(|share| share.misrouted.clone())
    }

    /// Whether this worker knows that a variant is cut off.
    pub fn is_cut_off(&self, variant: usize) -> bool {
        self.of(variant).is_some_and(|share| share.cut_off.get())
    }

    fn of(&self, variant: usize) -> Option<&Share> {
        self.0.get(variant)
    }

    /// Learns from the host which canaries are cut off, and shows the shares that are left if one of them is new: the worker that cut it
    /// off may have shown the shares of an older configuration.
    pub fn follow(&self, statistics: &mut dyn Statistics) {
        if self.learn(statistics) {
            self.show(Shown::CutOff, statistics);
        }
    }

    /// Learns from the host which canaries are cut off. Returns whether one of them is new to this worker.
    fn learn(&self, statistics: &mut dyn Statistics) -> bool {
        let mut any = false;
        for share in self.0.iter().filter(|share| !share.cut_off.get()) {
            let is_cut_off = share.series.tripped.is_some_and(|gauge| statistics.read(gauge) > 0);
            share.cut_off.set(is_cut_off);
            any |= is_cut_off;
        }
        any
    }

    /// Sets `gnomon_split_ppm`, and again if a canary was cut off meanwhile: another worker may have set it from what it knew.
    pub fn show(&self, which: Shown, statistics: &mut dyn Statistics) {
        self.learn(statistics);
        for _ in 0..LOOKS_AFTER_WRITES {
            for ((index, share), ppm) in self.0.iter().enumerate().zip(self.left()) {
                if which == Shown::All || index == 0 || share.cut_off.get() {
                    statistics.set(share.series.shown, ppm.into());
                }
            }
            if !self.learn(statistics) {
                return;
            }
        }
    }

    /// Whether the host keeps what [`Self::show`] has shown of variants that have a share.
    pub fn are_kept(&self, statistics: &mut dyn Statistics) -> bool {
        let shown: Vec<u64> = self.0.iter().map(|share| statistics.read(share.series.shown)).collect();
        // Another worker may have cut a canary off meanwhile.
        self.follow(statistics);
        shown.into_iter().zip(self.left()).all(|(shown, left)| shown > 0 || left == 0)
    }

    /// The share of each variant, in parts per million. Canaries that are cut off get nothing; their shares go to the baseline, the first.
    fn left(&self) -> Vec<u32> {
        let lost = self.0.iter().filter(|share| share.cut_off.get()).map(|share| share.ppm).fold(0, u32::saturating_add);
        let left = |(index, share): (usize, &Share)| match index {
            0 => share.ppm.saturating_add(lost),
            _ if share.cut_off.get() => 0,
            _ => share.ppm,
        };
        self.0.iter().enumerate().map(left).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_shares_of_those_cut_off_go_to_the_baseline() {
        let series = ShareSeries { shown: 0, tripped: None, misrouted: 0 };
        for (cut_off, expected) in [
            (vec![], [900_000, 70_000, 30_000]),
            (vec![1], [970_000, 0, 30_000]),
            (vec![2], [930_000, 70_000, 0]),
            (vec![1, 2], [1_000_000, 0, 0]),
        ] {
            let share = |(index, ppm)| Share::new(ppm, series, cut_off.contains(&index));
            let shares = Shares([900_000, 70_000, 30_000].into_iter().enumerate().map(share).collect());
            assert_eq!(shares.left(), expected, "{cut_off:?}");
        }
    }
}
