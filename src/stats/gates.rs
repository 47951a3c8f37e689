//! Series of gates, guardrails and warm-up, and the shares of a split, which a guardrail changes.

use std::cell::Cell;

use super::lasting::Fate;
use super::learned::Definer;
use super::{MetricId, names};
use crate::config::{Route, Split, Variant};

/// Series of one gate in one slice.
#[derive(Clone, Copy, Debug)]
pub struct GateSeries {
    /// `gnomon_gate_bad_total`
    pub bad: MetricId,
    /// `gnomon_gate_trials_total`. It is raised before bad are.
    pub trials: MetricId,
    /// `gnomon_gate_failures_total`: how many workers found at once that the gate fails. Above 0 it has failed, whatever its counters say
    /// later: a counter, unlike the gauge of its state, can't be written back by a worker that has not seen it.
    pub failures: MetricId,
    /// `gnomon_gate_limit_ppm`, `gnomon_gate_alpha_ppm` and `gnomon_gate_min_trials`
    pub terms: [MetricId; 3],
    /// `gnomon_gate_state`
    pub state: MetricId,
}

/// The labels of a gate's series, in order.
pub type GateLabels<'a> = [(&'static str, &'a str); 5];

impl GateSeries {
    /// Defines those with these labels.
    pub fn define(definer: &mut Definer, labels: &GateLabels<'_>) -> Self {
        let mut define = |fate, name| definer.lasting(fate, &names::series(name, labels));
        Self {
            bad: define(Fate::Counter, "gnomon_gate_bad_total"),
            trials: define(Fate::Counter, "gnomon_gate_trials_total"),
            failures: define(Fate::Counter, "gnomon_gate_failures_total"),
            terms: ["gnomon_gate_limit_ppm", "gnomon_gate_alpha_ppm", "gnomon_gate_min_trials"].map(|name| define(Fate::Shown, name)),
            state: define(Fate::Shown, "gnomon_gate_state"),
        }
    }

    /// Defines the state over all slices of a gate with these labels.
    pub fn define_overall(definer: &mut Definer, labels: &GateLabels<'_>) -> MetricId {
        definer.lasting(Fate::Shown, &names::series("gnomon_gate_state", labels))
    }
}

/// Series of the warm-up of one variant or shadow.
#[derive(Clone, Copy, Debug)]
pub struct WarmupSeries {
    /// `gnomon_warmup_total`: answers or pairs that no gate counted.
    pub left_out: MetricId,
    /// `gnomon_warmup_began_milliseconds`: when the first of them was, since the Unix epoch; 0: not yet.
    pub began: MetricId,
}

impl WarmupSeries {
    /// Defines those of `subject`.
    pub fn define(definer: &mut Definer, route: &Route, subject: &str) -> Self {
        let labels = [("experiment", &*route.experiment), ("route", &*route.name), ("subject", subject)];
        Self {
            left_out: definer.lasting(Fate::Counter, &names::series("gnomon_warmup_total", &labels)),
            began: definer.lasting(Fate::Latch, &names::series("gnomon_warmup_began_milliseconds", &labels)),
        }
    }
}

/// What one variant of a split gets.
#[derive(Debug)]
pub struct Share {
    /// As configured, in parts per million.
    pub ppm: u32,
    /// `gnomon_split_ppm`
    pub shown: MetricId,
    /// `gnomon_guardrail_tripped`, of a canary.
    pub tripped: Option<MetricId>,
    /// Whether this worker knows that it is cut off: then it is, as long as this configuration serves, whatever becomes of the gauge.
    pub cut_off: Cell<bool>,
}

impl Share {
    /// Whether it is one of a canary whose gauge is among those that are above 0, or is known to be cut off.
    pub fn is_tripped(&self, above_0: &[MetricId]) -> bool {
        self.cut_off.get() || self.tripped.is_some_and(|gauge| above_0.contains(&gauge))
    }
}

/// Defines the shares of `split`, in the order of its variants.
pub fn shares(definer: &mut Definer, route: &Route, split: &Split) -> Vec<Share> {
    let of_variant = |(index, variant): (usize, &Variant)| {
        let labels = [("experiment", &*route.experiment), ("route", &*route.name), ("variant", &*variant.name)];
        let mut define = |fate, name| definer.lasting(fate, &names::series(name, &labels));
        Share {
            ppm: variant.ppm,
            shown: define(Fate::Shown, "gnomon_split_ppm"),
            tripped: (index > 0).then(|| define(Fate::Latch, "gnomon_guardrail_tripped")),
            cut_off: Cell::default(),
        }
    };
    split.variants.iter().enumerate().map(of_variant).collect()
}

/// What each variant gets, in parts per million, while those for which `is_cut_off` says so get nothing: their shares go to the baseline,
/// which is the first.
pub fn after_trips(shares: &[Share], is_cut_off: impl Fn(&Share) -> bool) -> Vec<u32> {
    let lost: u32 = shares.iter().skip(1).filter(|share| is_cut_off(share)).map(|share| share.ppm).fold(0, u32::saturating_add);
    let after = |(index, share): (usize, &Share)| match index {
        0 => share.ppm.saturating_add(lost),
        _ if is_cut_off(share) => 0,
        _ => share.ppm,
    };
    shares.iter().enumerate().map(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_shares_of_those_cut_off_go_to_the_baseline() {
        let share = |(index, ppm): (usize, &u32)| Share { ppm: *ppm, shown: 0, tripped: Some(index as MetricId), cut_off: Cell::default() };
        let shares: Vec<Share> = [900_000, 70_000, 30_000].iter().enumerate().map(share).collect();
        for (cut, expected) in [
            (vec![], [900_000, 70_000, 30_000]),
            (vec![1], [970_000, 0, 30_000]),
            (vec![2], [930_000, 70_000, 0]),
            (vec![1, 2], [1_000_000, 0, 0]),
        ] {
            assert_eq!(after_trips(&shares, |share| share.is_tripped(&cut)), expected, "{cut:?}");
        }
    }
}
