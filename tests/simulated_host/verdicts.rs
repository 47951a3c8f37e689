//! What must hold of gates, guardrails and warm-ups, whatever happened: of the series alone, by a formula of its own.

use std::collections::BTreeMap;

use crate::metrics::{Metrics, Value};
use crate::series::Series;
use crate::world::World;

/// Values of `gnomon_gate_state`.
pub const UNDECIDED: u64 = 0;
pub const PASS: u64 = 1;
pub const FAIL: u64 = 2;

/// The slice in which a gate that judges each slice says what they come to.
const OVERALL: &str = "all";

/// What one gate counts and says of one slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub bad: u64,
    pub trials: u64,
    /// What the limits of its trials add up to, if each has its own.
    pub limits: Option<u64>,
    /// How many workers found that it failed.
    pub failures: u64,
    /// 0: the configuration does not have it (any more).
    pub limit: u64,
    pub alpha: u64,
    pub min_trials: u64,
    pub state: u64,
}

impl Told {
    fn is_configured(&self) -> bool {
        self.limit > 0
    }

    /// The state by the counters alone, as recording rules compute it; `None` too near to a threshold for two computations to agree.
    pub fn naive_state(&self) -> Option<u64> {
        let [bad, trials, limit, alpha] = [self.bad, self.trials, self.limit, self.alpha].map(|number| number as f64);
        let p = self.limits.filter(|_| self.trials > 0).map_or(limit, |limits| limits as f64 / trials) / 1e6;
        let mean = |multipliers: [f64; 4]| -> f64 {
            let ratio = |m: f64| if m == 0.0 && bad > 0.0 { 0.0 } else { (gain(bad, m) - trials * (1.0 - p + m * p).ln()).exp() };
            multipliers.map(ratio).iter().sum::<f64>() / 4.0
        };
        let needed = 1e6 / alpha;
        let evidence = [(FAIL, mean([1.5, 2.0, 4.0, 8.0])), (PASS, mean([2.0 / 3.0, 0.5, 0.25, 0.0]))];
        if evidence.iter().any(|(_, evidence)| (evidence / needed - 1.0).abs() < 1e-9) {
            return None;
        }
        let found = evidence.into_iter().find(|(_, evidence)| self.trials >= self.min_trials && *evidence >= needed);
        Some(found.map_or(UNDECIDED, |(state, _)| state))
    }
}

fn gain(bad: f64, multiplier: f64) -> f64 {
    if bad == 0.0 { 0.0 } else { bad * multiplier.ln() }
}

/// The gates of all experiments and routes: by experiment, route, gate and subject, then by slice.
type Gates = BTreeMap<[String; 4], BTreeMap<String, Told>>;

fn gates(metrics: &Metrics) -> Gates {
    let mut gates = Gates::new();
    let mut read = |stat: &str, put: fn(&mut Told, u64)| {
        for (series, value) in metrics.select(stat, &[]) {
            let (Value::Counter(value) | Value::Gauge(value)) = value else { continue };
            put(gates.entry(labels(series)).or_default().entry(series.label("slice").to_owned()).or_default(), *value);
        }
    };
    read("gnomon_gate_bad_total", |told, value| told.bad = value);
    read("gnomon_gate_trials_total", |told, value| told.trials = value);
    read("gnomon_gate_limit_sum_ppm_total", |told, value| told.limits = Some(value).filter(|sum| *sum > 0));
    read("gnomon_gate_failures_total", |told, value| told.failures = value);
    read("gnomon_gate_limit_ppm", |told, value| told.limit = value);
    read("gnomon_gate_alpha_ppm", |told, value| told.alpha = value);
    read("gnomon_gate_min_trials", |told, value| told.min_trials = value);
    read("gnomon_gate_state", |told, value| told.state = value);
    gates
}

fn labels(series: &Series) -> [String; 4] {
    ["experiment", "route", "gate", "subject"].map(|label| series.label(label).to_owned())
}

impl World {
    /// What a gate of an experiment tells of a slice; there is only one of that name.
    pub fn gate(&self, experiment: &str, gate: &str, slice: &str) -> Told {
        let gates = gates(&self.proxy().metrics);
        let mut found = gates.iter().filter(|(labels, _)| labels[0] == experiment && labels[2] == gate).filter_map(|it| it.1.get(slice));
        let told = found.next().unwrap_or_else(|| panic!("no gate {gate} of {experiment} has a slice {slice}"));
        assert_eq!(found.next(), None, "another gate {gate} of {experiment}");
        *told
    }

    /// At any time: no more bad trials than trials, no state that is none, and no gate that failed says otherwise.
    pub fn check_gates(&self) {
        let seed = self.seed;
        let gates = gates(&self.proxy().metrics);
        let mut failed = self.failed.borrow_mut();
        for (gate, slices) in &gates {
            let is_configured = slices.values().any(Told::is_configured);
            for (slice, told) in slices {
                assert!(told.bad <= told.trials, "seed {seed}: more bad trials than trials: {gate:?}, {slice}: {told:?}");
                assert!(told.state <= FAIL, "seed {seed}: no state: {gate:?}, {slice}: {told:?}");
                let name = (gate.clone(), slice.clone());
                if is_configured && told.state == FAIL {
                    failed.insert(name);
                } else {
                    assert!(!is_configured || !failed.contains(&name), "seed {seed}: no longer failed: {gate:?}, {slice}: {told:?}");
                }
            }
        }
        let proxy = self.proxy();
        for (series, value) in proxy.metrics.select("gnomon_guardrail_tripped", &[]) {
            assert!(matches!(value, Value::Gauge(0 | 1)), "seed {seed}: {series:?} is {value:?}");
        }
    }

    /// Whether the proxy doesn't route the subject of a gate as the split says. No shadow is called like a variant.
    fn is_misrouted(&self, [experiment, route, _, subject]: &[String; 4]) -> bool {
        let labels = [("experiment", &**experiment), ("route", route), ("variant", subject)];
        self.sum("gnomon_split_misrouted", &labels) > 0
    }

    /// At rest: each state is what the counters say, or latched, and a canary that is cut off has no share.
    pub fn check_verdicts(&self) {
        let seed = self.seed;
        let gates = gates(&self.proxy().metrics);
        for (gate, slices) in &gates {
            let passed = if self.is_misrouted(gate) { UNDECIDED } else { PASS };
            for (slice, told) in slices {
                let what = format!("seed {seed}: {gate:?}, {slice}: {told:?}");
                if !slices.values().any(Told::is_configured) {
                    assert_eq!((told.state, told.alpha, told.min_trials), (0, 0, 0), "{what} is not configured");
                } else if told.is_configured() {
                    let latched = told.failures > 0;
                    let expected = |state| match state {
                        _ if latched => FAIL,
                        PASS => passed,
                        _ => state,
                    };
                    let right = told.naive_state().is_none_or(|state| told.state == expected(state));
                    assert!(right, "{what} should be {:?}", told.naive_state());
                } else {
                    assert_eq!((slice.as_str(), told.trials, told.alpha), (OVERALL, 0, 0), "{what} has no limit");
                    assert_eq!(told.state, over(slices), "{what} over {slices:?}");
                }
            }
        }
        let proxy = self.proxy();
        for (series, value) in proxy.metrics.select("gnomon_guardrail_tripped", &[]) {
            let labels: Vec<_> = series.labels.iter().map(|(label, value)| (*label, value.as_str())).collect();
            // A configuration without guardrail gives the canary its share again, and one that has it back takes it away again.
            if proxy.metrics.sum("gnomon_gate_limit_ppm", &labels[..2]) == 0 {
                continue;
            }
            let share = proxy.metrics.sum("gnomon_split_ppm", &labels);
            assert!(*value == Value::Gauge(0) || share == 0, "seed {seed}: {series:?} is cut off and has {share}");
        }
        for (series, _) in proxy.metrics.select("gnomon_split_ppm", &[]) {
            let of_route = [("experiment", series.label("experiment")), ("route", series.label("route"))];
            let whole = proxy.metrics.sum("gnomon_split_ppm", &of_route);
            assert!(whole == 0 || whole == 1_000_000, "seed {seed}: shares of {of_route:?} add up to {whole}");
        }
    }
}

/// What the slices of a gate come to: `other` counts against a pass only if it has trials.
fn over(slices: &BTreeMap<String, Told>) -> u64 {
    let judged = slices.iter().filter(|(name, told)| *name != OVERALL && told.is_configured());
    let states: Vec<u64> =
        judged.filter(|(name, told)| *name != "other" || told.trials > 0 || told.state == FAIL).map(|it| it.1.state).collect();
    if states.contains(&FAIL) {
        FAIL
    } else if !states.is_empty() && states.iter().all(|state| *state == PASS) {
        PASS
    } else {
        UNDECIDED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(limit: u64, bad: u64, trials: u64) -> Told {
        Told { bad, trials, limit, alpha: 50_000, ..Told::default() }
    }

    /// Figures from the description of the test, by hand.
    #[test]
    fn the_naive_formula_is_right() {
        for (told, state) in [
            (told(10_000, 0, 0), UNDECIDED),
            (told(10_000, 0, 390), UNDECIDED),
            (told(10_000, 0, 391), PASS),
            (told(10_000, 2, 2), UNDECIDED),
            (told(5_000, 2, 2), FAIL),
            (told(10_000, 3, 3), FAIL),
            (Told { min_trials: 4, ..told(10_000, 3, 3) }, UNDECIDED),
            (told(500_000, 2_000_000_000, 2_000_000_000), FAIL),
            (told(999_999, 0, 2_000_000_000), PASS),
        ] {
            assert_eq!(told.naive_state(), Some(state), "{told:?}");
        }
    }

    #[test]
    fn slices_pass_together_and_an_unused_other_does_not_count() {
        let slices = |states: [(&str, u64, u64); 3]| {
            let told = |trials, state| Told { limit: 10_000, state, trials, ..Told::default() };
            over(&states.iter().map(|(name, trials, state)| ((*name).to_owned(), told(*trials, *state))).collect())
        };
        assert_eq!(slices([("eu", 9, PASS), ("us", 9, PASS), ("other", 0, UNDECIDED)]), PASS);
        assert_eq!(slices([("eu", 9, PASS), ("us", 9, PASS), ("other", 1, UNDECIDED)]), UNDECIDED);
        assert_eq!(slices([("eu", 9, PASS), ("us", 0, UNDECIDED), ("other", 0, UNDECIDED)]), UNDECIDED);
        assert_eq!(slices([("eu", 9, PASS), ("us", 9, FAIL), ("other", 0, UNDECIDED)]), FAIL);
    }
}
