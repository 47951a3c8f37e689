//! Series of gates, of guardrails and of warm-ups.

use super::definer::Definer;
use super::retention::Retention;
use super::{MetricId, names};
use crate::config::Route;

/// Series of one gate in one slice.
#[derive(Clone, Copy, Debug)]
pub struct GateSeries {
    /// `gnomon_gate_bad_total`
    pub bad: MetricId,
    /// `gnomon_gate_trials_total`. A bad trial is counted here first.
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
        let mut define = |retention, name| definer.retained(retention, &names::series(name, labels));
        Self {
            bad: define(Retention::Counter, "gnomon_gate_bad_total"),
            trials: define(Retention::Counter, "gnomon_gate_trials_total"),
            failures: define(Retention::Counter, "gnomon_gate_failures_total"),
            terms: ["gnomon_gate_limit_ppm", "gnomon_gate_alpha_ppm", "gnomon_gate_min_trials"].map(|name| define(Retention::Shown, name)),
            state: define(Retention::Shown, "gnomon_gate_state"),
        }
    }

    /// Defines the state over all slices of a gate with these labels.
    pub fn define_overall(definer: &mut Definer, labels: &GateLabels<'_>) -> MetricId {
        definer.retained(Retention::Shown, &names::series("gnomon_gate_state", labels))
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
            left_out: definer.retained(Retention::Counter, &names::series("gnomon_warmup_total", &labels)),
            began: definer.retained(Retention::Latch, &names::series("gnomon_warmup_began_milliseconds", &labels)),
        }
    }
}

/// Series of one variant of a split.
#[derive(Clone, Copy, Debug)]
pub struct ShareSeries {
    /// `gnomon_split_ppm`: the share of requests that the variant gets now, in parts per million.
    pub shown: MetricId,
    /// `gnomon_guardrail_tripped` of a canary: 1 once it is cut off.
    pub tripped: Option<MetricId>,
}

impl ShareSeries {
    /// Defines those of `variant`.
    pub fn define(definer: &mut Definer, route: &Route, variant: &str, is_canary: bool) -> Self {
        let labels = [("experiment", &*route.experiment), ("route", &*route.name), ("variant", variant)];
        let mut define = |retention, name| definer.retained(retention, &names::series(name, &labels));
        Self {
            shown: define(Retention::Shown, "gnomon_split_ppm"),
            tripped: is_canary.then(|| define(Retention::Latch, "gnomon_guardrail_tripped")),
        }
    }
}
