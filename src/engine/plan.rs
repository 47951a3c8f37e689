//! A configuration made ready for work: its parts bound to the series they count in.

use std::cell::Cell;
use std::rc::Rc;

use super::breaker::{Breaker, Finding};
use super::callback::Callback;
use super::gates::bound::{BoundGate, SubjectGates};
use super::gates::count::{AnswerOf, Happened};
use super::gates::guardrail::Shares;
use super::gates::misrouted::Routing;
use super::gates::order::Order;
use super::gates::warmup::WarmUp;
use super::ids::RootId;
use crate::config::{Config, GateSubject, Name, Route, Shadow};
use crate::labels::{Outcome, ShadowClass};
use crate::mirror::environment::{self, Secret};
use crate::stats::definer::Definer;
use crate::stats::{self, MetricId, ShadowSeries, Statistics, VariantSeries};
use crate::timestamp::Timestamp;

/// What one root context does.
#[derive(Debug)]
pub struct Plan {
    /// The root context.
    pub root: RootId,
    /// Its configuration.
    pub config: Rc<Config>,
    /// Its routes, in the order of the configuration.
    pub routes: Vec<RoutePlan>,
    /// Whether the cluster that the host has chosen is to be told with the headers of a request.
    pub reads_cluster: bool,
    /// Lines on its series that outlive it, see [`crate::stats::retention`]; none if they can't be written.
    pub retained: Vec<String>,
    /// `gnomon_experiment_info` of each route.
    pub info: Vec<MetricId>,
    /// How many series each of its experiments has so far.
    pub experiments: Vec<(String, usize)>,
    /// Lines for the operator on headers that copies lack, because their environment variables hold no header value.
    pub missing: Vec<String>,
}

/// One route.
#[derive(Debug)]
pub struct RoutePlan {
    /// Its configuration.
    pub route: Rc<Route>,
    /// The variants that may answer, in the order of [`Route::variants`]. A route without them has one, which answers all requests; a route
    /// that observes them has one more, for requests of which it is not known who answers.
    pub variants: Vec<Rc<BoundVariant>>,
    /// Its shadows, in the order of the configuration.
    pub shadows: Vec<Rc<BoundShadow>>,
    /// Its gates, in the order of the configuration.
    pub gates: Vec<Rc<BoundGate>>,
    /// The shares of its variants; none for a route without split.
    pub shares: Rc<Shares>,
    /// The order of its requests, for gates that set a canary against the baseline.
    pub order: Order<Happened>,
    /// Whether the proxy routes its variants to clusters of their own.
    pub routing: Routing,
}

/// A variant.
#[derive(Debug)]
pub struct BoundVariant {
    /// Its place in [`RoutePlan::variants`].
    pub place: usize,
    /// Its name; `none` without a split, and where it is not known who answers.
    pub name: Name,
    /// The ids of its series.
    pub series: VariantSeries,
    /// Its gates.
    pub gates: SubjectGates,
}

/// One shadow of one route.
#[derive(Debug)]
pub struct BoundShadow {
    /// The root context it belongs to.
    pub root: RootId,
    /// Its place among those of its route.
    pub place: usize,
    /// Its route.
    pub route: Rc<Route>,
    /// Its configuration.
    pub settings: Rc<Shadow>,
    /// The configuration that it is part of.
    pub config: Rc<Config>,
    /// Headers that copies get from the environment.
    pub environment: Vec<(Rc<str>, Secret)>,
    /// The ids of its series.
    pub series: ShadowSeries,
    /// Its gates.
    pub gates: SubjectGates,
    /// Copies of this worker that have no answer yet.
    pub in_flight: Cell<u32>,
    /// The breaker of this worker.
    pub breaker: Cell<Breaker>,
    /// The last failure that this worker logged, and when; `None` after a success.
    pub logged_failure: Cell<Option<(Outcome, Option<ShadowClass>, Timestamp)>>,
    /// When this worker last logged that conditions could not be judged.
    pub logged_unjudged: Cell<Option<Timestamp>>,
}

/// The name of no variant.
const NONE: &str = "none";

impl Plan {
    /// Counts events of an answer on the route at this place, and those that have waited for it.
    pub fn count_events(&self, route: usize, of: AnswerOf, events: Vec<Happened>, callback: &mut Callback<'_>) {
        let (Some(route), Some(key)) = (self.routes.get(route), of.key) else { return };
        for event in route.order.end(key.ticket, events, callback.now) {
            event.count(callback);
        }
    }

    /// Binds `config` to its series. `variable` reads the environment (see [`environment::headers`]).
    pub fn new(root: RootId, config: Config, statistics: &mut dyn Statistics, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let config = Rc::new(config);
        let mut binder =
            Binder { root, config: config.clone(), definer: Definer::new(statistics), variable, missing: Vec::new(), info: Vec::new() };
        let routes = config.routes.iter().map(|route| binder.route(route)).collect();
        let Binder { definer: Definer { retained, experiments, .. }, missing, info, .. } = binder;
        let reads_cluster = config.routes.iter().any(|route| route.copies_by_cluster());
        Self { root, config, routes, reads_cluster, retained, info, experiments, missing }
    }
}

/// Binds the parts of one configuration.
struct Binder<'a> {
    root: RootId,
    config: Rc<Config>,
    definer: Definer<'a>,
    variable: &'a dyn Fn(&str) -> Option<String>,
    /// As in [`Plan`].
    missing: Vec<String>,
    /// As in [`Plan`].
    info: Vec<MetricId>,
}

impl Binder<'_> {
    fn route(&mut self, route: &Rc<Route>) -> RoutePlan {
        let definer = &mut self.definer;
        self.info.push(stats::define_info(definer, route, &self.config.hash));
        let shares = Rc::new(route.split.as_ref().map(|split| Shares::new(definer, route, split)).unwrap_or_default());
        let named = route.variants();
        let warm_ups: Vec<_> = named.iter().map(|(name, warmup)| WarmUp::new(definer, route, name, *warmup)).collect();
        let gates = BoundGate::all(definer, route, &shares, &warm_ups);
        let mut variants = Vec::new();
        for ((name, _), warm_up) in named.into_iter().zip(warm_ups) {
            let gates = SubjectGates::new(&gates, GateSubject::Variant(variants.len()), warm_up);
            variants.push(bound_variant(definer, route, variants.len(), name, gates));
        }
        if route.split.is_none() {
            let gates = SubjectGates::unknown(variants.iter().map(|variant| variant.gates.asks));
            variants.push(bound_variant(definer, route, variants.len(), &Name::from(NONE), gates));
        }
        let shadows = route.shadows.iter().enumerate().map(|(place, shadow)| Rc::new(self.shadow(route, place, shadow, &gates))).collect();
        let routing = Routing::new(route, &shares);
        RoutePlan { route: route.clone(), variants, shadows, gates, shares, order: Order::default(), routing }
    }

    fn shadow(&mut self, route: &Rc<Route>, place: usize, shadow: &Rc<Shadow>, gates: &[Rc<BoundGate>]) -> BoundShadow {
        let definer = &mut self.definer;
        BoundShadow {
            root: self.root,
            place,
            route: route.clone(),
            settings: shadow.clone(),
            config: self.config.clone(),
            environment: environment::headers(&route.name, shadow, self.variable, &mut self.missing),
            series: ShadowSeries::define(definer, route, shadow),
            gates: SubjectGates::new(gates, GateSubject::Shadow(place), WarmUp::new(definer, route, &shadow.name, shadow.warmup)),
            in_flight: Cell::default(),
            breaker: Cell::default(),
            logged_failure: Cell::default(),
            logged_unjudged: Cell::default(),
        }
    }
}

fn bound_variant(definer: &mut Definer, route: &Route, place: usize, name: &Name, gates: SubjectGates) -> Rc<BoundVariant> {
    Rc::new(BoundVariant { place, name: name.clone(), series: VariantSeries::define(definer, route, name), gates })
}

impl BoundShadow {
    /// Why no copy may go out now; `None` if one may.
    pub fn refuses(&self, now: Timestamp) -> Option<Outcome> {
        if self.in_flight.get() >= self.settings.max_in_flight {
            Some(Outcome::UnsentInFlight)
        } else if !self.breaker.get().admits(now) {
            Some(Outcome::UnsentBreakerOpen)
        } else {
            None
        }
    }

    /// A copy goes out. Returns whether it probes an open breaker.
    pub fn copy_sent(&self, now: Timestamp) -> bool {
        self.in_flight.set(self.in_flight.get().saturating_add(1));
        let mut breaker = self.breaker.get();
        let probe = breaker.admit(now) == Some(true);
        self.breaker.set(breaker);
        probe
    }

    /// A copy that went out has its answer, or will never have one.
    pub fn call_over(&self) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
    }

    /// Records a finding for the breaker, and shows in the gauge whether the breaker opened or closed.
    pub fn record(&self, finding: Finding, probe: bool, callback: &mut Callback<'_>) {
        let before = self.breaker.get();
        let mut breaker = before;
        breaker.record(finding, probe, callback.now);
        self.breaker.set(breaker);
        let change = i64::from(breaker.is_open()).saturating_sub(before.is_open().into());
        if change != 0 {
            callback.statistics.add(self.series.breaker_open, change);
        }
    }
}
