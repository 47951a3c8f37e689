//! A configuration made ready for work: its parts bound to the series they count in.

use std::rc::Rc;

use super::event::RootId;
use crate::config::{Compare, Config, Evidence, Limits, Name, Route, Shadow};
use crate::mirror::environment::{self, Secret};
use crate::stats::learned::Definer;
use crate::stats::{Define, ShadowSeries, VariantSeries};

/// What one root context does.
#[derive(Debug)]
pub struct Plan {
    /// The root context.
    pub root: RootId,
    /// Its configuration.
    pub config: Config,
    /// In the order of the configuration.
    pub routes: Vec<RoutePlan>,
    /// Lines for the operator: headers that copies must do without, because their environment variables hold nothing fit for them.
    pub missing: Vec<String>,
}

/// One route.
#[derive(Debug)]
pub struct RoutePlan {
    /// Its configuration.
    pub route: Rc<Route>,
    /// Who may answer, in the order of [`crate::config::Split::variants`]; one for a route without split.
    pub variants: Vec<Rc<Answerer>>,
    /// In the order of the configuration.
    pub shadows: Vec<Rc<Target>>,
}

/// A variant, or all that answer on a route without split.
#[derive(Debug)]
pub struct Answerer {
    /// Its name, `none` without split.
    pub name: Name,
    /// Where it counts.
    pub series: VariantSeries,
}

/// One shadow of one route.
#[derive(Debug)]
pub struct Target {
    /// The root context it belongs to.
    pub root: RootId,
    /// Its place among all shadows of the configuration.
    pub index: usize,
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
        let definer = &mut Definer { define, registered, learned: 0 };
        let split_headers: Rc<[Rc<str>]> = config.split_headers.iter().cloned().collect();
        let mut index = 0_usize;
        let (mut routes, mut missing) = (Vec::new(), Vec::new());
        for route in config.routes.iter().map(Rc::clone) {
            let names = match &route.split {
                Some(split) => split.variants.iter().map(|variant| variant.name.clone()).collect(),
                None => vec![Name::from(UNSPLIT)],
            };
            let variants = names.into_iter().map(|name| Rc::new(Answerer { series: VariantSeries::define(definer, &route, &name), name }));
            let variants = variants.collect();
            let shadows = route.shadows.iter().map(|shadow| {
                let series = ShadowSeries::define(definer, &route, shadow);
                index = index.saturating_add(1);
                Rc::new(Target {
                    root,
                    index,
                    route: route.clone(),
                    compare: route.compare.clone(),
                    shadow: shadow.clone(),
                    split_headers: split_headers.clone(),
                    environment: environment::headers(&route.name, shadow, variable, &mut missing),
                    limits: config.limits,
                    evidence: config.evidence,
                    series,
                })
            });
            let shadows = shadows.collect();
            routes.push(RoutePlan { variants, shadows, route });
        }
        Self { root, config, routes, missing }
    }
}
