//! The exported series of a configuration, and their ids at the host.
//!
//! Every series that a configuration can name is defined, at 0, when the configuration is taken. A counter that starts at 1 would lose its
//! first increase in Prometheus. The engine counts by id and keeps no counts itself: the host has them, where those of all workers add up.

pub mod definer;
pub mod dynamic;
pub mod gates;
pub mod memory;
pub mod names;
pub mod port;
pub mod retention;
pub mod shared;
pub mod started;

use std::marker::PhantomData;
use std::rc::Rc;

use crate::compare::Kind;
use crate::config::{Name, Route, Shadow};
use crate::labels::{Anomaly, Class, End, Label, Line, Outcome, ShadowClass, Token, Verdict};
use crate::slice;
use crate::split::Reason;
use definer::Definer;
use dynamic::DynamicSeries;
pub use port::{MetricId, MetricType, Statistics};

/// One series for each value of a label.
#[derive(Clone, Debug)]
pub struct Family<L> {
    ids: Rc<[MetricId]>,
    label: PhantomData<L>,
}

impl<L: Label> Family<L> {
    fn define(definer: &mut Definer, name: &str, labels: &[(&str, &str)], label: &'static str) -> Self {
        let ids = L::ALL.iter().map(|value| definer.define(MetricType::Counter, name, &[labels, &[(label, value.label())]].concat()));
        Self { ids: ids.collect(), label: PhantomData }
    }

    /// Returns the id of the series of `value`, which always exists.
    pub fn of(&self, value: L) -> Option<MetricId> {
        self.ids.get(value.index()).copied()
    }
}

/// Returns the labels of a series of `route`: its experiment, its name, and one more label.
fn labels_of<'a>(route: &'a Route, label: &'static str, value: &'a str) -> [(&'static str, &'a str); 3] {
    [("experiment", &route.experiment), ("route", &route.name), (label, value)]
}

/// The `owner` of a route that names none.
const NOBODY: &str = "none";

/// Defines `gnomon_experiment_info` of `route` in a configuration with this hash.
pub fn define_info(definer: &mut Definer, route: &Route, hash: &str) -> MetricId {
    let owner = names::value(route.owner.as_deref().unwrap_or(NOBODY));
    let labels = [("experiment", &*route.experiment), ("route", &route.name), ("config", hash), ("owner", &owner)];
    definer.retained(retention::Retention::Current, "gnomon_experiment_info", &labels)
}

/// Series that every worker has, whatever its configuration.
#[derive(Clone, Debug)]
pub struct WorkerSeries {
    /// `gnomon_captured_bytes`
    pub captured_bytes: MetricId,
    /// `gnomon_captured_limit_bytes`
    pub captured_limit_bytes: MetricId,
    /// `gnomon_started_microseconds`
    pub started: MetricId,
    /// `gnomon_evidence_total`
    pub evidence: Family<Line>,
    /// `gnomon_anomalies_total`
    pub anomalies: Family<Anomaly>,
    /// `gnomon_heartbeats_total`
    pub heartbeats: MetricId,
    /// `gnomon_build_info`
    pub build_info: MetricId,
}

impl WorkerSeries {
    /// Defines the series.
    pub fn define(statistics: &mut dyn Statistics) -> Self {
        let definer = &mut Definer::new(statistics);
        Self {
            captured_bytes: definer.define(MetricType::Gauge, "gnomon_captured_bytes", &[]),
            captured_limit_bytes: definer.define(MetricType::Gauge, "gnomon_captured_limit_bytes", &[]),
            started: definer.define(MetricType::Gauge, "gnomon_started_microseconds", &[]),
            evidence: Family::define(definer, "gnomon_evidence_total", &[], "outcome"),
            heartbeats: definer.define(MetricType::Counter, "gnomon_heartbeats_total", &[]),
            anomalies: Family::define(definer, "gnomon_anomalies_total", &[], "what"),
            build_info: definer.define(MetricType::Gauge, "gnomon_build_info", &[("what", env!("CARGO_PKG_VERSION"))]),
        }
    }

    /// Shows the version of the filter and what it does with the last configuration of `plugin` (Envoy's name of the plugin). Returns whether
    /// the host keeps that: Envoy drops the series that its `stats_matcher` excludes.
    pub fn show(&self, plugin: &str, applied: Applied, statistics: &mut dyn Statistics) -> bool {
        statistics.set(self.build_info, 1);
        let name = names::series("gnomon_configuration", &[("plugin", &names::value(plugin))]);
        let gauge = statistics.define(MetricType::Gauge, &name);
        statistics.set(gauge, applied as u64);
        [self.build_info, gauge].into_iter().all(|gauge| statistics.read(gauge) > 0)
    }
}

/// What a proxy does with the last configuration that it got: the values of `gnomon_configuration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The proxy uses the configuration.
    Accepted = 1,
    /// The proxy refused the configuration, and goes on with the one before.
    LastGood = 2,
    /// The proxy refused the configuration and had none before: all requests pass untouched.
    Untouched = 3,
}

/// Series of one variant, or of a route without split.
#[derive(Debug)]
pub struct VariantSeries {
    /// `gnomon_requests_total`
    pub requests: Family<Reason>,
    /// `gnomon_responses_total`
    pub responses: Family<Class>,
    /// `gnomon_response_duration_microseconds`
    pub duration: MetricId,
    /// `gnomon_first_byte_duration_microseconds`, where answers may be streams.
    pub first_byte: Option<MetricId>,
    /// Series of the variant's answers that shadows have too.
    pub facts: SubjectSeries,
}

impl VariantSeries {
    /// Defines the series of `variant` (`none` for a route without split).
    pub fn define(definer: &mut Definer, route: &Route, variant: &str) -> Self {
        let labels = labels_of(route, "variant", variant);
        let of_subject = labels_of(route, "subject", variant);
        Self {
            facts: SubjectSeries::define(definer, route, variant),
            first_byte: route
                .may_generate()
                .then(|| definer.define(MetricType::Histogram, "gnomon_first_byte_duration_microseconds", &of_subject)),
            requests: Family::define(definer, "gnomon_requests_total", &labels, "reason"),
            responses: Family::define(definer, "gnomon_responses_total", &labels, "class"),
            duration: definer.define(MetricType::Histogram, "gnomon_response_duration_microseconds", &labels),
        }
    }
}

/// Series of the tokens, ends and model versions in the answers of a variant or a shadow; `None` where the route's answers have none.
#[derive(Debug)]
pub struct SubjectSeries {
    /// `gnomon_tokens_total`
    pub tokens: Option<Family<Token>>,
    /// `gnomon_answers_total`
    pub ends: Option<Family<End>>,
    /// `gnomon_model_versions_total`
    pub versions: Option<DynamicSeries>,
}

impl SubjectSeries {
    fn define(definer: &mut Definer, route: &Route, subject: &str) -> Self {
        let labels = labels_of(route, "subject", subject);
        let generates = route.may_generate();
        Self {
            versions: route.may_tell_version().then(|| DynamicSeries::versions(definer, &labels)),
            tokens: generates.then(|| Family::define(definer, "gnomon_tokens_total", &labels, "token")),
            ends: generates.then(|| Family::define(definer, "gnomon_answers_total", &labels, "kind")),
        }
    }
}

/// Series of one shadow and slice.
#[derive(Debug)]
pub struct SliceSeries {
    /// The value of the `slice` label.
    pub name: Name,
    /// `gnomon_shadow_outcomes_total`
    pub outcomes: Family<Outcome>,
    /// `gnomon_pairs_total`
    pub pairs: Family<Verdict>,
}

/// Series of one shadow.
#[derive(Debug)]
pub struct ShadowSeries {
    /// `gnomon_sampled_total`
    pub sampled: MetricId,
    /// `gnomon_unjudged_total`
    pub unjudged: MetricId,
    /// The series by slice, in the order of [`crate::slice::names`].
    pub slices: Vec<SliceSeries>,
    /// `gnomon_shadow_responses_total`
    pub responses: Family<ShadowClass>,
    /// `gnomon_shadow_duration_microseconds`
    pub duration: MetricId,
    /// `gnomon_divergences_total`
    pub divergences: Family<Kind>,
    /// `gnomon_divergent_paths_total`
    pub paths: DynamicSeries,
    /// `gnomon_decisions_total`, for tasks that name answers.
    pub decided: Option<DynamicSeries>,
    /// Series of the shadow's answers that variants have too.
    pub facts: SubjectSeries,
    /// `gnomon_open_pairs`
    pub open_pairs: MetricId,
    /// `gnomon_breaker_open`
    pub breaker_open: MetricId,
}

impl ShadowSeries {
    /// Defines the series of `shadow`.
    pub fn define(definer: &mut Definer, route: &Route, shadow: &Shadow) -> Self {
        let labels = labels_of(route, "shadow", &shadow.name);
        let slices = slice::names(route.slices.as_ref()).into_iter().map(|name| {
            let labels = [&labels[..], &[("slice", &*name)]].concat();
            SliceSeries {
                outcomes: Family::define(definer, "gnomon_shadow_outcomes_total", &labels, "outcome"),
                pairs: Family::define(definer, "gnomon_pairs_total", &labels, "verdict"),
                name: name.clone(),
            }
        });
        Self {
            slices: slices.collect(),
            facts: SubjectSeries::define(definer, route, &shadow.name),
            paths: DynamicSeries::paths(definer, &labels),
            decided: DynamicSeries::answers(definer, &labels, &route.compare.task),
            sampled: definer.define(MetricType::Counter, "gnomon_sampled_total", &labels),
            unjudged: definer.define(MetricType::Counter, "gnomon_unjudged_total", &labels),
            responses: Family::define(definer, "gnomon_shadow_responses_total", &labels, "class"),
            duration: definer.define(MetricType::Histogram, "gnomon_shadow_duration_microseconds", &labels),
            divergences: Family::define(definer, "gnomon_divergences_total", &labels, "kind"),
            open_pairs: definer.define(MetricType::Gauge, "gnomon_open_pairs", &labels),
            breaker_open: definer.define(MetricType::Gauge, "gnomon_breaker_open", &labels),
        }
    }
}

#[cfg(test)]
mod tests;
