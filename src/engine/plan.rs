//! A configuration made ready for work: its parts bound to the series they count in.

use std::rc::Rc;

use super::event::RootId;
use super::meter::{BoundGate, Warm};
use crate::config::{Compare, Config, Evidence, GateSubject, Limits, Measure, Name, Route, Shadow, Warmup};
use crate::http::{Fields, Request};
use crate::mirror::environment::{self, Secret};
use crate::route;
use crate::stats::gates::Share;
use crate::stats::learned::Definer;
use crate::stats::{self, Define, MetricId, ShadowSeries, VariantSeries};

/// What one root context does.
#[derive(Debug)]
pub struct Plan {
    /// The root context.
    pub root: RootId,
    /// Its configuration.
    pub config: Config,
    /// In the order of the configuration.
    pub routes: Vec<RoutePlan>,
    /// Lines on its series that outlive it, see [`stats::lasting`].
    pub lasting: Vec<String>,
    /// Lines for the operator: headers that copies must do without, because their environment variables hold nothing fit for them.
    pub missing: Vec<String>,
}

/// One route.
#[derive(Debug)]
pub struct RoutePlan {
    /// Its configuration.
    pub route: Rc<Route>,
    /// Who may answer, in the order of [`crate::config::Split::variants`]; one for a route without split.
    pub variants: Vec<Rc<BoundVariant>>,
    /// In the order of the configuration.
    pub shadows: Vec<Rc<BoundShadow>>,
    /// In the order of the configuration.
    pub gates: Vec<Rc<BoundGate>>,
    /// What each variant gets; empty for a route without split.
    pub shares: Rc<[Share]>,
}

/// A variant, or all that answer on a route without split.
#[derive(Debug)]
pub struct BoundVariant {
    /// Its name, `none` without split.
    pub name: Name,
    /// Where it counts.
    pub series: VariantSeries,
    /// Gates of it.
    pub gates: Vec<Rc<BoundGate>>,
    /// Its warm-up, if it has one.
    pub warm: Option<Rc<Warm>>,
}

/// One shadow of one route.
#[derive(Debug)]
pub struct BoundShadow {
    /// The root context it belongs to.
    pub root: RootId,
    /// Its place among all shadows of the configuration.
    pub index: usize,
    /// Its place among those of its route.
    pub place: usize,
    /// Its route.
    pub route: Rc<Route>,
    /// How its answers are compared.
    pub compare: Rc<Compare>,
    /// Its configuration.
    pub shadow: Rc<Shadow>,
    /// Headers that never reach a copy.
    pub split_headers: Rc<[Rc<str>]>,
    /// Headers that copies get from the environment.
    pub environment: Vec<(Rc<str>, Secret)>,
    /// Bounds that apply.
    pub limits: Limits,
    /// What is logged.
    pub evidence: Evidence,
    /// Where it counts.
    pub series: ShadowSeries,
    /// Gates of it.
    pub gates: Vec<Rc<BoundGate>>,
    /// Gates that set its answers, or another shadow's, against those of a control.
    pub triplets: Vec<Triplet>,
    /// Its warm-up, if it has one.
    pub warm: Option<Rc<Warm>>,
}

/// A gate that sets a candidate against a control.
#[derive(Clone, Debug)]
pub struct Triplet {
    /// The candidate's place among the shadows of the route.
    pub candidate: usize,
    /// The control's.
    pub control: usize,
    /// The gate.
    pub gate: Rc<BoundGate>,
}

/// The variant of a route without split.
const UNSPLIT: &str = "none";

impl Plan {
    /// Binds `config` to its series. `registered` gives the values in a registry of that name, `variable` reads the environment (see
    /// [`environment::headers`]).
    pub fn new(
        root: RootId,
        config: Config,
        define: Define,
        registered: &dyn Fn(&str) -> Vec<String>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let definer = &mut Definer { define, registered, learned: 0, lasting: Vec::new() };
        let split_headers = config.split_headers.as_slice().into();
        let mut missing = Vec::new();
        let mut shadows_before = 0_usize;
        let mut routes = Vec::new();
        for route in &config.routes {
            let surroundings = Surroundings { root, config: &config, split_headers: &split_headers, route, shadows_before, variable };
            routes.push(surroundings.route(definer, &mut missing));
            shadows_before = shadows_before.saturating_add(route.shadows.len());
        }
        let lasting = std::mem::take(&mut definer.lasting);
        Self { root, config, routes, lasting, missing }
    }

    /// The gauges that tell which canaries of a request's route are cut off.
    pub fn guards(&self, fields: &Fields) -> impl Iterator<Item = MetricId> {
        let may_be_guarded = self.routes.iter().any(|route| route.shares.len() > 1);
        let route = may_be_guarded.then(|| route::find(&self.config, &Request::new(fields))).flatten();
        let route = route.and_then(|index| self.routes.get(index));
        route.into_iter().flat_map(|route| route.shares.iter()).filter_map(|share| share.tripped)
    }
}

/// What a route is bound in.
struct Surroundings<'a> {
    root: RootId,
    config: &'a Config,
    split_headers: &'a Rc<[Rc<str>]>,
    route: &'a Rc<Route>,
    /// Shadows of the routes before it.
    shadows_before: usize,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Surroundings<'_> {
    fn route(&self, definer: &mut Definer, missing: &mut Vec<String>) -> RoutePlan {
        let route = self.route;
        let split = route.split.as_ref();
        let shares = split.map(|split| stats::gates::shares(definer, route, split));
        let shares: Rc<[Share]> = shares.unwrap_or_default().into();
        let gates = BoundGate::all(definer, self.root, route, &shares);
        let named = split.map(|split| split.variants.iter().map(|variant| (variant.name.clone(), variant.warmup)).collect());
        let named: Vec<(Name, Option<Warmup>)> = named.unwrap_or_else(|| vec![(Name::from(UNSPLIT), None)]);
        let variants = named.into_iter().enumerate().map(|(index, (name, warmup))| {
            let series = VariantSeries::define(definer, route, &name);
            let warm = Warm::new(definer, route, &name, warmup);
            Rc::new(BoundVariant { name, series, gates: of(&gates, GateSubject::Variant(index)), warm })
        });
        let variants = variants.collect();
        let shadows = route.shadows.iter().enumerate().map(|(place, shadow)| self.target(place, shadow, &gates, definer, missing));
        let shadows = shadows.collect();
        RoutePlan { route: route.clone(), variants, shadows, gates, shares }
    }

    fn target(
        &self,
        place: usize,
        shadow: &Rc<Shadow>,
        gates: &[Rc<BoundGate>],
        definer: &mut Definer,
        missing: &mut Vec<String>,
    ) -> Rc<BoundShadow> {
        let (config, route) = (self.config, self.route);
        Rc::new(BoundShadow {
            root: self.root,
            index: self.shadows_before.saturating_add(place),
            place,
            route: route.clone(),
            compare: route.compare.clone(),
            shadow: shadow.clone(),
            split_headers: self.split_headers.clone(),
            environment: environment::headers(&route.name, shadow, self.variable, missing),
            limits: config.limits,
            evidence: config.evidence,
            series: ShadowSeries::define(definer, route, shadow),
            gates: of(gates, GateSubject::Shadow(place)),
            triplets: triplets(gates).filter(|triplet| [triplet.candidate, triplet.control].contains(&place)).collect(),
            warm: Warm::new(definer, route, &shadow.name, shadow.warmup),
        })
    }
}

fn of(gates: &[Rc<BoundGate>], subject: GateSubject) -> Vec<Rc<BoundGate>> {
    gates.iter().filter(|gate| gate.of == subject).cloned().collect()
}

fn triplets(gates: &[Rc<BoundGate>]) -> impl Iterator<Item = Triplet> {
    gates.iter().filter_map(|gate| match (gate.of, gate.measure) {
        (GateSubject::Shadow(candidate), Measure::WorseThanControl { control }) => Some(Triplet { candidate, control, gate: gate.clone() }),
        _ => None,
    })
}
