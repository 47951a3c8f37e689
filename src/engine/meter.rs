//! Gates bound to the series that they count in. What counts is decided in [`super::measure`], how it is judged in [`super::gates`].

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::event::RootId;
use crate::config::{Gate, GateSubject, Guardrail, Measure, Name, Route, Warmup};
use crate::gate::Terms;
use crate::gate::window::WindowStart;
use crate::limits::LOOKS_AFTER_WRITES;
use crate::mirror;
use crate::stats::MetricId;
use crate::stats::gates::{GateSeries, Share, WarmupSeries};
use crate::stats::learned::Definer;

/// A gate at work.
#[derive(Debug)]
pub struct BoundGate {
    /// Whose rate it limits.
    pub of: GateSubject,
    /// Which rate.
    pub measure: Measure,
    /// For each slice of the route one, or one for all.
    meters: Vec<Rc<GateInSlice>>,
}

/// A gate in one slice.
#[derive(Debug)]
pub struct GateInSlice {
    /// The values of its labels: experiment, route, gate, subject, slice.
    pub labels: [Name; 5],
    /// By what it judges.
    pub terms: Terms,
    /// Where it counts.
    pub series: GateSeries,
    /// Of the gauge of its state.
    pub writes: Writes,
    /// Whether this worker has told that it fails.
    pub told: Cell<bool>,
    /// The state over all slices, of a gate that has several.
    pub overall: Option<Rc<GateSummary>>,
    /// What it may cut off.
    pub guard: Option<Guard>,
}

/// The names of [`GateInSlice::labels`].
pub const LABELS: [&str; 5] = ["experiment", "route", "gate", "subject", "slice"];

/// The state of a gate over its slices.
#[derive(Debug)]
pub struct GateSummary {
    /// Where it is shown.
    pub state: MetricId,
    /// Of that gauge.
    pub writes: Writes,
    /// Those of the slices, in their order; `other` is the last.
    pub slices: Vec<GateSeries>,
    /// Whether that one is known to have trials.
    pub others: Cell<bool>,
}

/// How often a gauge was written in a row without showing it. Another worker may have written in between; but Envoy drops what its
/// `stats_matcher` excludes, and such a gauge never shows anything: so nobody looks again for ever.
#[derive(Debug, Default)]
pub struct Writes {
    in_vain: Cell<u32>,
}

impl Writes {
    /// One more; whether to look again what the gauge shows.
    pub fn one_more(&self) -> bool {
        let writes = self.in_vain.get().saturating_add(1);
        self.in_vain.set(writes);
        writes <= LOOKS_AFTER_WRITES
    }

    /// It shows what it should.
    pub fn settled(&self) {
        self.in_vain.set(0);
    }
}

/// A canary that one slice of a gate guards.
#[derive(Debug)]
pub struct Guard {
    /// By what it is cut off.
    pub terms: Terms,
    /// The length of the windows that are judged beside the whole experiment.
    pub window: Duration,
    /// Under which all workers keep the snapshot that the current window begins with.
    pub key: String,
    /// That snapshot, as far as this worker knows.
    pub begun: Cell<Option<WindowStart>>,
    /// The root context whose requests it guards.
    pub root: RootId,
    /// Which of `shares` it cuts off.
    pub variant: usize,
    /// `gnomon_guardrail_tripped`
    pub tripped: MetricId,
    /// What all variants of its route get.
    pub shares: Rc<[Share]>,
}

/// The warm-up of one variant or shadow.
#[derive(Debug)]
pub struct Warm {
    /// How long it is.
    pub length: Warmup,
    /// Where it counts.
    pub series: WarmupSeries,
    /// Whether it is known to be over.
    pub over: Cell<bool>,
}

impl BoundGate {
    /// All gates of a route, whose variants get `shares`.
    pub fn all(definer: &mut Definer, root: RootId, route: &Route, shares: &Rc<[Share]>) -> Vec<Rc<Self>> {
        let bound = route.gates.iter().enumerate().filter_map(|(index, gate)| {
            let guardrail = route.guardrail.as_ref().filter(|guardrail| guardrail.gates.contains(&index));
            let guardrail = guardrail.map(|guardrail| (root, guardrail));
            Some(Rc::new(Self { of: gate.of, measure: gate.measure, meters: meters(definer, route, gate, guardrail, shares)? }))
        });
        bound.collect()
    }

    /// Where what happens in `slice` (see [`mirror::slice_names`]) counts.
    pub fn meter(&self, slice: usize) -> Option<&Rc<GateInSlice>> {
        if let [all] = self.meters.as_slice() { Some(all) } else { self.meters.get(slice) }
    }

    /// In the order of the slices.
    pub fn meters(&self) -> &[Rc<GateInSlice>] {
        &self.meters
    }
}

impl GateInSlice {
    /// Whether its slice is `other`, the last one of a gate that has several.
    pub fn is_other(&self) -> bool {
        let [.., slice] = &self.labels;
        self.overall.is_some() && **slice == *"other"
    }
}

/// One for each slice, or one; `None` for a subject that the route does not have.
fn meters(
    definer: &mut Definer,
    route: &Route,
    gate: &Gate,
    guardrail: Option<(RootId, &Guardrail)>,
    shares: &Rc<[Share]>,
) -> Option<Vec<Rc<GateInSlice>>> {
    let subject = match gate.of {
        GateSubject::Variant(index) => &route.split.as_ref()?.variants.get(index)?.name,
        GateSubject::Shadow(index) => &route.shadows.get(index)?.name,
    };
    let labels = |slice: &Name| [route.experiment.clone(), route.name.clone(), gate.name.clone(), subject.clone(), slice.clone()];
    let slices = mirror::slice_names(route.slices.as_ref().filter(|_| gate.each_slice));
    let series: Vec<GateSeries> = slices.iter().map(|slice| GateSeries::define(definer, &spelled(&labels(slice)))).collect();
    let overall = gate.each_slice.then(|| {
        let state = GateSeries::define_overall(definer, &spelled(&labels(&"all".into())));
        Rc::new(GateSummary { state, writes: Writes::default(), slices: series.clone(), others: Cell::default() })
    });
    let shared = |terms: Terms| Terms { alpha: terms.alpha.shared(slices.len()), ..terms };
    let guard = |slice: &Name| {
        let ((root, guardrail), GateSubject::Variant(variant)) = (guardrail?, gate.of) else { return None };
        Some(Guard {
            terms: shared(Terms { alpha: guardrail.alpha, min_trials: guardrail.min_trials, ..gate.terms }),
            window: guardrail.window,
            key: labels(slice).join("/"),
            begun: Cell::default(),
            root,
            variant,
            tripped: shares.get(variant)?.tripped?,
            shares: shares.clone(),
        })
    };
    let bound = slices.iter().zip(&series).map(|(slice, series)| {
        let (overall, guard) = (overall.clone(), guard(slice));
        let (terms, writes, told) = (shared(gate.terms), Writes::default(), Cell::default());
        Rc::new(GateInSlice { labels: labels(slice), terms, series: *series, writes, told, overall, guard })
    });
    Some(bound.collect())
}

fn spelled(labels: &[Name; 5]) -> [(&'static str, &str); 5] {
    let [experiment, route, gate, subject, slice] = LABELS;
    let [experiment_is, route_is, gate_is, subject_is, slice_is] = labels;
    [(experiment, experiment_is), (route, route_is), (gate, gate_is), (subject, subject_is), (slice, slice_is)]
}

impl Warm {
    /// The warm-up of `subject`, if it has one.
    pub fn new(definer: &mut Definer, route: &Route, subject: &str, length: Option<Warmup>) -> Option<Rc<Self>> {
        let length = length?;
        Some(Rc::new(Self { length, series: WarmupSeries::define(definer, route, subject), over: Cell::default() }))
    }
}
