//! The gates of a route, bound to their series.

use std::cell::Cell;
use std::rc::Rc;

use super::asks::Asks;
use super::guardrail::{Guard, Misrouted, Shares};
use super::key_trials::KeyTrials;
use super::line::LABELS;
use super::pair_trials::PairTrials;
use super::warmup::WarmUp;
use crate::config::{Gate, GateSubject, Guardrail, Measure, Name, Route};
use crate::gate::{Rate, Terms};
use crate::limits::LOOKS_AFTER_WRITES;
use crate::slice;
use crate::split::BASELINE;
use crate::stats::definer::Definer;
use crate::stats::gates::{GateSeries, GateShown};
use crate::subject::Requires;

/// A gate at work.
#[derive(Debug)]
pub struct BoundGate {
    /// The subject whose rate of bad trials the gate limits.
    pub of: GateSubject,
    /// Decides which requests are trials, and which of them are bad.
    pub measure: Measure,
    /// What has to be true of it for its subject to be given more.
    pub requires: Requires,
    /// Decides which answers are trials, if the gate sets a canary against the baseline and both get some.
    pub against_baseline: Option<Trials>,
    /// One for each slice of the route, with `other` as the last, or one for all.
    pub slices: Vec<GateInSlice>,
    /// The state over all slices, of a gate that has several.
    pub summary: Option<GateSummary>,
    /// Whether this worker has logged that the host does not keep its counters.
    pub told_hidden: Cell<bool>,
}

/// The trials of a gate that sets a canary against the baseline.
#[derive(Debug)]
pub enum Trials {
    /// Of a split: the first events of keys.
    OfKeys(KeyTrials),
    /// Of a split that the mesh makes: pairs of requests.
    OfPairs(PairTrials),
}

impl Trials {
    /// Those of `gate`, whose canary is called `subject`, in so many slices; `None` if the canary and the baseline don't both get keys.
    fn new(
        route: &Route,
        gate: &Gate,
        subject: &Name,
        slices: usize,
        (shares, warm_ups): (&Rc<Shares>, &[Option<Rc<WarmUp>>]),
    ) -> Option<Self> {
        let GateSubject::Variant(canary) = gate.of else { return None };
        let labels: [&str; 4] = [&route.experiment, &route.name, &gate.name, subject];
        let warm_up = warm_ups.get(canary).cloned().flatten();
        match &route.observe {
            Some(_) => Some(Self::OfPairs(PairTrials::new(gate.terms.limit, &labels, slices, warm_up))),
            None => KeyTrials::new(route, gate, &labels, shares, warm_up).map(Self::OfKeys),
        }
    }

    /// The limit of each trial under this configuration. It is counted with the trial, because an experiment may have trials of both kinds.
    pub fn limit(&self) -> Rate {
        match self {
            Trials::OfKeys(trials) => trials.limit,
            Trials::OfPairs(trials) => trials.limit,
        }
    }

    /// The warm-up of the canary, if it has one.
    pub fn warm_up(&self) -> Option<&WarmUp> {
        match self {
            Trials::OfKeys(trials) => trials.warm_up.as_deref(),
            Trials::OfPairs(trials) => trials.warm_up.as_deref(),
        }
    }
}

/// A gate in one slice.
#[derive(Debug)]
pub struct GateInSlice {
    /// The values of its [`LABELS`].
    pub labels: [Name; 5],
    /// The limit, alpha and least number of trials that it is judged by.
    pub terms: Terms,
    /// The ids of its series.
    pub series: GateSeries,
    /// Whether the variant that it is of is routed like another one; `None` for a shadow's gate.
    pub misrouted: Option<Misrouted>,
    /// Writes of the gauge of its state.
    pub writes: Writes,
    /// Whether this worker has logged that the gate fails.
    pub logged: Cell<bool>,
    /// Whether the host has not kept the last bad trial that this worker has counted.
    pub loses_bad: Cell<bool>,
    /// The canary that it may cut off.
    pub guard: Option<Guard>,
}

/// The state of a gate over its slices.
#[derive(Debug)]
pub struct GateSummary {
    /// The gauges in slice `all`.
    pub shown: GateShown,
    /// Writes of the gauge of the state.
    pub writes: Writes,
    /// Whether the slice `other` is known to have trials.
    pub others: Cell<bool>,
}

/// How often in a row a gauge was written and did not show the value.
#[derive(Debug, Default)]
pub struct Writes {
    in_vain: Cell<u32>,
}

impl Writes {
    /// Calls `put_right` until it returns that nothing was to be changed, because another worker may write in between. There is a bound:
    /// Envoy drops series that its `stats_matcher` excludes, and such a gauge never shows a value.
    pub fn until_settled(&self, mut put_right: impl FnMut() -> bool) {
        while put_right() {
            let writes = self.in_vain.get().saturating_add(1);
            self.in_vain.set(writes);
            if writes > LOOKS_AFTER_WRITES {
                return;
            }
        }
        self.in_vain.set(0);
    }
}

/// The gates of one variant or shadow.
#[derive(Debug, Default)]
pub struct SubjectGates {
    /// Gates of the subject, gates of another shadow that have the subject as their control, and gates of canaries that have it as their
    /// baseline.
    pub gates: Vec<Rc<BoundGate>>,
    /// What they ask of the answers of a variant.
    pub asks: Asks,
    /// The warm-up of the subject, if it has one.
    pub warm_up: Option<Rc<WarmUp>>,
}

impl SubjectGates {
    /// Picks the gates of `subject` from `all` gates of its route.
    pub fn new(all: &[Rc<BoundGate>], subject: GateSubject, warm_up: Option<Rc<WarmUp>>) -> Self {
        let is_other_side = |gate: &BoundGate| match gate.measure {
            Measure::WorseThanControl { control } => GateSubject::Shadow(control) == subject,
            Measure::WorseThanBaseline(_) => GateSubject::Variant(BASELINE) == subject,
            _ => false,
        };
        let gates: Vec<Rc<BoundGate>> = all.iter().filter(|gate| gate.of == subject || is_other_side(gate)).cloned().collect();
        // Where canary or baseline get no keys, nothing is asked.
        let has_trials = |gate: &&Rc<BoundGate>| gate.against_baseline.is_some() || !matches!(gate.measure, Measure::WorseThanBaseline(_));
        let asks = gates.iter().filter(has_trials).fold(Asks::default(), |asks, gate| asks.and(gate.measure));
        Self { gates, asks, warm_up }
    }

    /// The gates of a request of which it is not known which variant answers it: none, but all that those of any variant ask.
    pub fn unknown(asks: impl Iterator<Item = Asks>) -> Self {
        Self { asks: asks.fold(Asks::default(), Asks::or), ..Self::default() }
    }
}

impl BoundGate {
    /// All gates of a route, whose variants get `shares` and have `warm_ups`.
    pub fn all(definer: &mut Definer, route: &Route, shares: &Rc<Shares>, warm_ups: &[Option<Rc<WarmUp>>]) -> Vec<Rc<Self>> {
        let bound = route.gates.iter().enumerate().filter_map(|(index, gate)| {
            let guardrail = route.guardrail.as_ref().filter(|guardrail| guardrail.gates.contains(&index));
            Some(Rc::new(Self::new(definer, route, gate, guardrail, (shares, warm_ups))?))
        });
        bound.collect()
    }

    /// Binds a gate in each slice of the route, or in one for all; `None` for a subject that the route does not have.
    fn new(
        definer: &mut Definer,
        route: &Route,
        gate: &Gate,
        guardrail: Option<&Guardrail>,
        (shares, warm_ups): (&Rc<Shares>, &[Option<Rc<WarmUp>>]),
    ) -> Option<Self> {
        let subject = match gate.of {
            GateSubject::Variant(index) => route.variant(index)?,
            GateSubject::Shadow(index) => &route.shadows.get(index)?.name,
        };
        let labels = |slice: &Name| [route.experiment.clone(), route.name.clone(), gate.name.clone(), subject.clone(), slice.clone()];
        let names = slice::names(route.slices.as_ref().filter(|_| gate.each_slice));
        let shared = |terms: Terms| Terms { alpha: terms.alpha.shared(names.len()), ..terms };
        let sets_against_baseline = matches!(gate.measure, Measure::WorseThanBaseline(_));
        let guard = || {
            let (guardrail, GateSubject::Variant(variant)) = (guardrail?, gate.of) else { return None };
            Some(Guard {
                terms: shared(Terms { alpha: guardrail.alpha, min_trials: guardrail.min_trials, ..gate.terms }),
                window: guardrail.window,
                by_key: sets_against_baseline,
                begun: Cell::default(),
                variant,
                tripped: shares.tripped(variant)?,
                shares: shares.clone(),
            })
        };
        let misrouted = match gate.of {
            GateSubject::Variant(variant) => shares.misrouted().nth(variant),
            GateSubject::Shadow(_) => None,
        };
        let slices = names.iter().map(|slice| GateInSlice {
            labels: labels(slice),
            terms: shared(gate.terms),
            series: GateSeries::define(definer, &named(&labels(slice)), sets_against_baseline),
            misrouted: misrouted.clone(),
            writes: Writes::default(),
            logged: Cell::default(),
            loses_bad: Cell::default(),
            guard: guard(),
        });
        let slices: Vec<GateInSlice> = slices.collect();
        let summary = gate.each_slice.then(|| GateSummary {
            shown: GateShown::define(definer, &named(&labels(&"all".into()))),
            writes: Writes::default(),
            others: Cell::default(),
        });
        let against_baseline = sets_against_baseline.then(|| Trials::new(route, gate, subject, slices.len(), (shares, warm_ups))).flatten();
        Some(Self {
            of: gate.of,
            measure: gate.measure,
            requires: gate.requires,
            against_baseline,
            slices,
            summary,
            told_hidden: Cell::default(),
        })
    }
}

/// The values of labels with their names.
fn named(labels: &[Name; 5]) -> [(&'static str, &str); 5] {
    let [experiment, route, gate, subject, slice] = LABELS;
    let [experiment_is, route_is, gate_is, subject_is, slice_is] = labels;
    [(experiment, experiment_is), (route, route_is), (gate, gate_is), (subject, subject_is), (slice, slice_is)]
}
