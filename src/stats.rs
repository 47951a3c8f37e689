//! The exported series: which ones a configuration has, and their ids at the host.
//!
//! Every series that a configuration can name is defined at once, at 0, when the configuration is taken: a counter that is born at 1
//! loses its first increase in Prometheus. The engine then counts by id, and counts nothing itself: state that matters lives in the host,
//! where the counts of all workers add up.

pub mod definer;
pub mod dynamic;
pub mod gates;
pub mod memory;
pub mod names;
pub mod port;
pub mod retention;
pub mod shared;

use std::marker::PhantomData;
use std::rc::Rc;

use crate::compare::Kind;
use crate::config::{Name, Protocol, Route, Shadow};
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
    fn define(statistics: &mut dyn Statistics, name: &str, labels: &[(&str, &str)], label: &'static str) -> Self {
        let ids = L::ALL.iter().map(|value| {
            let mut all = labels.to_vec();
            all.push((label, value.label()));
            statistics.define(MetricType::Counter, &names::series(name, &all))
        });
        Self { ids: ids.collect(), label: PhantomData }
    }

    /// The series of `value`; there always is one.
    pub fn of(&self, value: L) -> Option<MetricId> {
        self.ids.get(value.index()).copied()
    }
}

/// Series that every worker has, whatever its configuration.
#[derive(Clone, Debug)]
pub struct WorkerSeries {
    /// `gnomon_captured_bytes`
    pub captured_bytes: MetricId,
    /// `gnomon_evidence_total`
    pub evidence: Family<Line>,
    /// `gnomon_anomalies_total`
    pub anomalies: Family<Anomaly>,
    /// `gnomon_build_info`
    pub build_info: MetricId,
}

impl WorkerSeries {
    /// Defines them.
    pub fn define(statistics: &mut dyn Statistics) -> Self {
        Self {
            captured_bytes: statistics.define(MetricType::Gauge, "gnomon_captured_bytes"),
            evidence: Family::define(statistics, "gnomon_evidence_total", &[], "outcome"),
            anomalies: Family::define(statistics, "gnomon_anomalies_total", &[], "what"),
            build_info: statistics.define(MetricType::Gauge, &names::series("gnomon_build_info", &[("what", env!("CARGO_PKG_VERSION"))])),
        }
    }
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
    /// What the answers tell beside their values.
    pub facts: SubjectSeries,
}

impl VariantSeries {
    /// Defines those of `variant` (`none` for a route without split).
    pub fn define(definer: &mut Definer, route: &Route, variant: &str) -> Self {
        let labels = [("experiment", &*route.experiment), ("route", &*route.name), ("variant", variant)];
        let facts = SubjectSeries::define(definer, route, variant);
        let statistics = &mut *definer.statistics;
        let first_byte = may_generate(route).then(|| {
            let labels = [("experiment", &*route.experiment), ("route", &*route.name), ("subject", variant)];
            statistics.define(MetricType::Histogram, &names::series("gnomon_first_byte_duration_microseconds", &labels))
        });
        Self {
            requests: Family::define(statistics, "gnomon_requests_total", &labels, "reason"),
            responses: Family::define(statistics, "gnomon_responses_total", &labels, "class"),
            duration: statistics.define(MetricType::Histogram, &names::series("gnomon_response_duration_microseconds", &labels)),
            first_byte,
            facts,
        }
    }
}

/// Whether the answers of a route may be generated text, which has tokens and an end, and may come as a stream.
fn may_generate(route: &Route) -> bool {
    matches!(route.protocol, Protocol::OpenAi | Protocol::Auto)
}

/// Series of what the answers of a variant or a shadow tell, as far as the route's protocol may know it.
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
        let labels = [("experiment", &*route.experiment), ("route", &*route.name), ("subject", subject)];
        let generates = may_generate(route);
        let has_versions = !matches!(route.protocol, Protocol::Json | Protocol::Opaque);
        let versions = has_versions.then(|| DynamicSeries::versions(definer, &labels));
        let statistics = &mut *definer.statistics;
        Self {
            tokens: generates.then(|| Family::define(statistics, "gnomon_tokens_total", &labels, "token")),
            ends: generates.then(|| Family::define(statistics, "gnomon_answers_total", &labels, "kind")),
            versions,
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
    /// Those by slice, in the order of the configuration, then `other`.
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
    /// What the answers tell beside their values.
    pub facts: SubjectSeries,
    /// `gnomon_open_pairs`
    pub open_pairs: MetricId,
    /// `gnomon_breaker_open`
    pub breaker_open: MetricId,
}

impl ShadowSeries {
    /// Defines those of `shadow`.
    pub fn define(definer: &mut Definer, route: &Route, shadow: &Shadow) -> Self {
        let labels = [("experiment", &*route.experiment), ("route", &*route.name), ("shadow", &*shadow.name)];
        let facts = SubjectSeries::define(definer, route, &shadow.name);
        let paths = DynamicSeries::paths(definer, &labels);
        let decided = DynamicSeries::answers(definer, &labels, &route.compare.task);
        let statistics = &mut *definer.statistics;
        let slices = slice::names(route.slices.as_ref()).into_iter().map(|slice| {
            let mut labels = labels.to_vec();
            labels.push(("slice", &slice));
            SliceSeries {
                outcomes: Family::define(statistics, "gnomon_shadow_outcomes_total", &labels, "outcome"),
                pairs: Family::define(statistics, "gnomon_pairs_total", &labels, "verdict"),
                name: slice.clone(),
            }
        });
        let slices = slices.collect();
        Self {
            paths,
            decided,
            facts,
            sampled: statistics.define(MetricType::Counter, &names::series("gnomon_sampled_total", &labels)),
            slices,
            responses: Family::define(statistics, "gnomon_shadow_responses_total", &labels, "class"),
            duration: statistics.define(MetricType::Histogram, &names::series("gnomon_shadow_duration_microseconds", &labels)),
            divergences: Family::define(statistics, "gnomon_divergences_total", &labels, "kind"),
            open_pairs: statistics.define(MetricType::Gauge, &names::series("gnomon_open_pairs", &labels)),
            breaker_open: statistics.define(MetricType::Gauge, &names::series("gnomon_breaker_open", &labels)),
        }
    }
}

/// What a proxy does with the last configuration that it got: the values of `gnomon_configuration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It runs as configured.
    Accepted = 1,
    /// The last configuration was refused; the one before goes on.
    LastGood = 2,
    /// The last configuration was refused and there was none before: everything passes untouched.
    Untouched = 3,
}

impl WorkerSeries {
    /// Shows what runs here; `plugin` is Envoy's name of the plugin.
    pub fn show(&self, plugin: &str, applied: Applied, statistics: &mut dyn Statistics) {
        statistics.set(self.build_info, 1);
        let name = names::series("gnomon_configuration", &[("plugin", &names::value(plugin))]);
        let gauge = statistics.define(MetricType::Gauge, &name);
        statistics.set(gauge, applied as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn kinds_stand_in_the_order_of_their_enum() {
        for (place, value) in Kind::ALL.iter().enumerate() {
            assert_eq!(value.index(), place, "{} is not where its index says", value.label());
        }
    }
}
