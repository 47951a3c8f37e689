//! The gates of a route, bound to the series that they count in.

use std::cell::Cell;
use std::rc::Rc;

use super::guardrail::{Guard, Shares};
use super::line::LABELS;
use super::warmup::WarmUp;
use crate::config::{Gate, GateSubject, Guardrail, Measure, Name, Route};
use crate::gate::Terms;
use crate::limits::LOOKS_AFTER_WRITES;
use crate::slice;
use crate::stats::MetricId;
use crate::stats::definer::Definer;
use crate::stats::gates::GateSeries;

/// A gate at work.
#[derive(Debug)]
pub struct BoundGate {
    /// Whose rate of bad trials it limits.
    pub of: GateSubject,
    /// Which trials.
    pub measure: Measure,
    /// For each slice of the route one, or one for all.
    slices: Vec<GateInSlice>,
}

/// A gate in one slice.
#[derive(Debug)]
pub struct GateInSlice {
    /// The values of its [`LABELS`].
    pub labels: [Name; 5],
    /// By what it judges.
    pub terms: Terms,
    /// Where it counts.
    pub series: GateSeries,
    /// Writes of the gauge of its state.
    pub writes: Writes,
    /// Whether this worker has logged that it fails.
    pub logged: Cell<bool>,
    /// The state over all slices, of a gate that has several.
    pub summary: Option<Rc<GateSummary>>,
    /// The canary that it may cut off.
    pub guard: Option<Guard>,
}

/// The state of a gate over its slices.
#[derive(Debug)]
pub struct GateSummary {
    /// The gauge that shows it.
    pub state: MetricId,
    /// Writes of that gauge.
    pub writes: Writes,
    /// The series of the slices, in their order; those of `other` are the last.
    pub slices: Vec<GateSeries>,
    /// Whether `other` is known to have trials.
    pub others: Cell<bool>,
}

/// How often in a row a gauge was written and did not show it.
#[derive(Debug, Default)]
pub struct Writes {
    in_vain: Cell<u32>,
}

impl Writes {
    /// Calls `put_right` until it says that it found nothing to change. Another worker may have written in between what it found; but Envoy
    /// drops what its `stats_matcher` excludes, and such a gauge never shows anything, so there is a bound.
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
    /// Gates of it.
    pub gates: Vec<Rc<BoundGate>>,
    /// Gates that set its answers, or another shadow's, against those of a control.
    pub triplets: Vec<Triplet>,
    /// Its warm-up, if it has one.
    pub warm_up: Option<WarmUp>,
}

/// A gate that sets the answers of a candidate against those of a control.
#[derive(Clone, Debug)]
pub struct Triplet {
    /// The candidate's place among the shadows of the route.
    pub candidate: usize,
    /// The control's place.
    pub control: usize,
    /// The gate.
    pub gate: Rc<BoundGate>,
}

impl SubjectGates {
    /// Those of `all` gates of a route that are of `subject`.
    pub fn new(all: &[Rc<BoundGate>], subject: GateSubject, warm_up: Option<WarmUp>) -> Self {
        let gates = all.iter().filter(|gate| gate.of == subject).cloned().collect();
        let triplet = |gate: &Rc<BoundGate>| match (gate.of, gate.measure) {
            (GateSubject::Shadow(candidate), Measure::WorseThanControl { control })
                if [candidate, control].map(GateSubject::Shadow).contains(&subject) =>
            {
                Some(Triplet { candidate, control, gate: gate.clone() })
            }
            _ => None,
        };
        Self { gates, triplets: all.iter().filter_map(triplet).collect(), warm_up }
    }

    /// Whether no gate has to do with the subject.
    pub fn is_empty(&self) -> bool {
        self.gates.is_empty() && self.triplets.is_empty()
    }
}

impl BoundGate {
    /// All gates of a route, whose variants get `shares`.
    pub fn all(definer: &mut Definer, route: &Route, shares: &Rc<Shares>) -> Vec<Rc<Self>> {
        let bound = route.gates.iter().enumerate().filter_map(|(index, gate)| {
            let guardrail = route.guardrail.as_ref().filter(|guardrail| guardrail.gates.contains(&index));
            let slices = in_slices(definer, route, gate, guardrail, shares)?;
            Some(Rc::new(Self { of: gate.of, measure: gate.measure, slices }))
        });
        bound.collect()
    }

    /// Where the trials of `slice` (see [`slice::names`]) count.
    pub fn in_slice(&self, slice: usize) -> Option<&GateInSlice> {
        if let [all] = self.slices.as_slice() { Some(all) } else { self.slices.get(slice) }
    }

    /// In the order of the slices.
    pub fn slices(&self) -> &[GateInSlice] {
        &self.slices
    }
}

impl GateInSlice {
    /// Whether its slice is `other`, the last one of a gate that has several.
    pub fn is_other(&self) -> bool {
        let [.., slice] = &self.labels;
        self.summary.is_some() && **slice == *"other"
    }
}

/// A gate in each slice of the route, or in one for all; `None` for a subject that the route does not have.
fn in_slices(
    definer: &mut Definer,
    route: &Route,
    gate: &Gate,
    guardrail: Option<&Guardrail>,
    shares: &Rc<Shares>,
) -> Option<Vec<GateInSlice>> {
    let subject = match gate.of {
        GateSubject::Variant(index) => &route.split.as_ref()?.variants.get(index)?.name,
        GateSubject::Shadow(index) => &route.shadows.get(index)?.name,
    };
    let labels = |slice: &Name| [route.experiment.clone(), route.name.clone(), gate.name.clone(), subject.clone(), slice.clone()];
    let slices = slice::names(route.slices.as_ref().filter(|_| gate.each_slice));
    let series: Vec<GateSeries> = slices.iter().map(|slice| GateSeries::define(definer, &named(&labels(slice)))).collect();
    let summary = gate.each_slice.then(|| {
        let state = GateSeries::define_overall(definer, &named(&labels(&"all".into())));
        Rc::new(GateSummary { state, writes: Writes::default(), slices: series.clone(), others: Cell::default() })
    });
    let shared = |terms: Terms| Terms { alpha: terms.alpha.shared(slices.len()), ..terms };
    let guard = |slice: &Name| {
        let (guardrail, GateSubject::Variant(variant)) = (guardrail?, gate.of) else { return None };
        Some(Guard {
            terms: shared(Terms { alpha: guardrail.alpha, min_trials: guardrail.min_trials, ..gate.terms }),
            window: guardrail.window,
            key: labels(slice).join("/"),
            begun: Cell::default(),
            variant,
            tripped: shares.tripped(variant)?,
            shares: shares.clone(),
        })
    };
    let bound = slices.iter().zip(&series).map(|(slice, series)| GateInSlice {
        labels: labels(slice),
        terms: shared(gate.terms),
        series: *series,
        writes: Writes::default(),
        logged: Cell::default(),
        summary: summary.clone(),
        guard: guard(slice),
    });
    Some(bound.collect())
}

/// The values of labels with their names.
fn named(labels: &[Name; 5]) -> [(&'static str, &str); 5] {
    let [experiment, route, gate, subject, slice] = LABELS;
    let [experiment_is, route_is, gate_is, subject_is, slice_is] = labels;
    [(experiment, experiment_is), (route, route_is), (gate, gate_is), (subject, subject_is), (slice, slice_is)]
}
