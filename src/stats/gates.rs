//! Series of gates, of guardrails and of warm-ups.

use super::definer::Definer;
use super::retention::Retention;
use super::{MetricId, labels_of};
use crate::config::Route;

/// Series of one gate in one slice.
#[derive(Clone, Copy, Debug)]
pub struct GateSeries {
    /// `gnomon_gate_bad_total`
    pub bad: MetricId,
    /// `gnomon_gate_trials_total`. A bad trial is counted here before it is counted as bad.
    pub trials: MetricId,
    /// `gnomon_gate_limit_sum_ppm_total`, if the trials have limits of their own. A trial's limit is added here before it is counted. (Other
    /// gates have the series, too, at 0: so whoever reads it can tell what it says from what is missing.)
    pub limits: Option<MetricId>,
    /// `gnomon_gate_failures_total`. Above 0 the gate has failed, whatever its other counters say later. It is above 1 if several workers
    /// found the failure at the same time. A worker that has not seen the failure can't undo it here, as it could in the gauge of the
    /// state.
    pub failures: MetricId,
    /// `gnomon_gate_limit_ppm`, `gnomon_gate_alpha_ppm` and `gnomon_gate_min_trials`
    pub terms: [MetricId; 3],
    /// `gnomon_gate_state` and `gnomon_gate_requires`
    pub shown: GateShown,
}

/// What is shown of a gate in one slice, and over all slices in slice `all`. Over several slices a gate has no terms there: a limit above 0
/// says that the counters beside it are judged.
#[derive(Clone, Copy, Debug)]
pub struct GateShown {
    /// `gnomon_gate_state`
    pub state: MetricId,
    /// `gnomon_gate_requires`
    pub requires: MetricId,
}

/// The labels of a gate's series, in order.
pub type GateLabels<'a> = [(&'static str, &'a str); 5];

impl GateSeries {
    /// Defines the series with these labels. `own_limits`: whether each trial has a limit of its own.
    pub fn define(definer: &mut Definer, labels: &GateLabels<'_>, own_limits: bool) -> Self {
        let mut define = |retention, name| definer.retained(retention, name, labels);
        let limits = define(Retention::Counter, "gnomon_gate_limit_sum_ppm_total");
        Self {
            limits: own_limits.then_some(limits),
            bad: define(Retention::Counter, "gnomon_gate_bad_total"),
            trials: define(Retention::Counter, "gnomon_gate_trials_total"),
            failures: define(Retention::Counter, "gnomon_gate_failures_total"),
            terms: ["gnomon_gate_limit_ppm", "gnomon_gate_alpha_ppm", "gnomon_gate_min_trials"].map(|name| define(Retention::Shown, name)),
            shown: GateShown::define(definer, labels),
        }
    }
}

impl GateShown {
    /// Defines the gauges with these labels.
    pub fn define(definer: &mut Definer, labels: &GateLabels<'_>) -> Self {
        let [state, requires] = ["gnomon_gate_state", "gnomon_gate_requires"].map(|name| definer.retained(Retention::Shown, name, labels));
        Self { state, requires }
    }
}

/// Series of the warm-up of one variant or shadow.
#[derive(Clone, Copy, Debug)]
pub struct WarmupSeries {
    /// `gnomon_warmup_total`: answers or pairs of the warm-up, which no gate counts.
    pub left_out: MetricId,
    /// `gnomon_warmup_began_milliseconds`: the time of the first answer or pair, since the Unix epoch; 0 before it.
    pub began: MetricId,
}

impl WarmupSeries {
    /// Defines the series of `subject`, a variant or shadow.
    pub fn define(definer: &mut Definer, route: &Route, subject: &str) -> Self {
        let labels = labels_of(route, "subject", subject);
        Self {
            left_out: definer.retained(Retention::Counter, "gnomon_warmup_total", &labels),
            began: definer.retained(Retention::Latch, "gnomon_warmup_began_milliseconds", &labels),
        }
    }
}

/// Series of one variant of a split.
#[derive(Clone, Copy, Debug)]
pub struct ShareSeries {
    /// `gnomon_split_ppm`: the share of requests that the variant gets now, in parts per million.
    pub shown: MetricId,
    /// `gnomon_guardrail_tripped` of a canary: 1 once it is cut off. (The baseline has the series, too, at 0: so whoever reads it can tell
    /// the baseline from a canary whose series is missing.)
    pub tripped: Option<MetricId>,
    /// `gnomon_split_misrouted`: 1 once the proxy was seen to route requests of the variant and of another one alike.
    pub misrouted: MetricId,
}

impl ShareSeries {
    /// Defines the series of `variant`.
    pub fn define(definer: &mut Definer, route: &Route, variant: &str, is_canary: bool) -> Self {
        let labels = labels_of(route, "variant", variant);
        let mut define = |retention, name| definer.retained(retention, name, &labels);
        let tripped = define(Retention::Latch, "gnomon_guardrail_tripped");
        Self {
            shown: define(Retention::Shown, "gnomon_split_ppm"),
            misrouted: define(Retention::Latch, "gnomon_split_misrouted"),
            tripped: is_canary.then_some(tripped),
        }
    }
}
