//! A configuration made ready for work: its parts bound to the series they count in.

use std::rc::Rc;

use super::gates::bound::{BoundGate, SubjectGates};
use super::gates::guardrail::Shares;
use super::gates::warmup::WarmUp;
use super::ids::RootId;
use crate::config::{Compare, Config, Evidence, GateSubject, Limits, Name, Route, Shadow, Warmup};
use crate::mirror::environment::{self, Secret};
use crate::stats::definer::Definer;
use crate::stats::{ShadowSeries, Statistics, VariantSeries};

/// What one root context does.
#[derive(Debug)]
pub struct Plan {
    /// The root context.
    pub root: RootId,
    /// Its configuration.
    pub config: Config,
    /// In the order of the configuration.
    pub routes: Vec<RoutePlan>,
    /// Lines on its series that outlive it, see [`crate::stats::retention`].
    pub retained: Vec<String>,
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
    pub shares: Rc<Shares>,
}

/// A variant, or all that answer on a route without split.
#[derive(Debug)]
pub struct BoundVariant {
    /// Its name, `none` without split.
    pub name: Name,
    /// Where it counts.
    pub series: VariantSeries,
    /// Its gates.
    pub gates: SubjectGates,
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
    pub settings: Rc<Shadow>,
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
    /// Its gates.
    pub gates: SubjectGates,
}

/// The variant of a route without split.
const UNSPLIT: &str = "none";

impl Plan {
    /// Binds `config` to its series. `variable` reads the environment (see [`environment::headers`]).
    pub fn new(root: RootId, config: Config, statistics: &mut dyn Statistics, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let definer = &mut Definer::new(statistics);
        let split_headers = config.split_headers.as_slice().into();
        let mut missing = Vec::new();
        let mut shadows_before = 0_usize;
        let mut routes = Vec::new();
        for route in &config.routes {
            let surroundings = Surroundings { root, config: &config, split_headers: &split_headers, route, shadows_before, variable };
            routes.push(surroundings.route(definer, &mut missing));
            shadows_before = shadows_before.saturating_add(route.shadows.len());
        }
        let retained = std::mem::take(&mut definer.retained);
        Self { root, config, routes, retained, missing }
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
        let shares = Rc::new(split.map(|split| Shares::new(definer, route, split)).unwrap_or_default());
        let gates = BoundGate::all(definer, route, &shares);
        let named = split.map(|split| split.variants.iter().map(|variant| (variant.name.clone(), variant.warmup)).collect());
        let named: Vec<(Name, Option<Warmup>)> = named.unwrap_or_else(|| vec![(Name::from(UNSPLIT), None)]);
        let variants = named.into_iter().enumerate().map(|(index, (name, warmup))| {
            let series = VariantSeries::define(definer, route, &name);
            let warm_up = WarmUp::new(definer, route, &name, warmup);
            Rc::new(BoundVariant { name, series, gates: SubjectGates::new(&gates, GateSubject::Variant(index), warm_up) })
        });
        let variants = variants.collect();
        let shadows = route.shadows.iter().enumerate().map(|(place, shadow)| self.shadow(place, shadow, &gates, definer, missing));
        let shadows = shadows.collect();
        RoutePlan { route: route.clone(), variants, shadows, gates, shares }
    }

    fn shadow(
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
            settings: shadow.clone(),
            split_headers: self.split_headers.clone(),
            environment: environment::headers(&route.name, shadow, self.variable, missing),
            limits: config.limits,
            evidence: config.evidence,
            series: ShadowSeries::define(definer, route, shadow),
            gates: SubjectGates::new(gates, GateSubject::Shadow(place), WarmUp::new(definer, route, &shadow.name, shadow.warmup)),
        })
    }
}
