//! The exported series: which ones a configuration has, and their ids at the host.
//!
//! Every series that a configuration can name is defined at once, at 0, when the configuration is taken: a counter that is born at 1
//! loses its first increase in Prometheus. The engine then counts by id, and counts nothing itself: state that matters lives in the host,
//! where the counts of all workers add up.

pub mod gates;
pub mod lasting;
pub mod learned;
pub mod names;

use std::marker::PhantomData;
use std::rc::Rc;

use crate::compare::Kind;
use crate::config::{Name, Protocol, Route, Shadow};
use crate::labels::{Anomaly, Class, End, Label, Line, Outcome, ShadowClass, Token, Verdict};
use crate::mirror;
use crate::split::Reason;
use learned::{Definer, Learned};

/// How a series moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// Only up.
    Counter,
    /// Up and down.
    Gauge,
    /// A distribution of whole numbers.
    Histogram,
}

/// The host's id of a series.
pub type MetricId = u32;

/// Defines a series at the host. Defining one again gives the same series under another id, and neither id is ever freed.
pub type Define<'a> = &'a mut dyn FnMut(MetricType, &str) -> MetricId;

/// One series for each value of a label.
#[derive(Clone, Debug)]
pub struct Family<L> {
    ids: Rc<[MetricId]>,
    label: PhantomData<L>,
}

impl<L: Label> Family<L> {
    fn define(define: Define, name: &str, labels: &[(&str, &str)], label: &'static str) -> Self {
        let ids = L::ALL.iter().map(|value| {
            let mut all = labels.to_vec();
            all.push((label, value.label()));
            define(MetricType::Counter, &names::series(name, &all))
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
    pub fn define(define: Define) -> Self {
        Self {
            captured_bytes: define(MetricType::Gauge, "gnomon_captured_bytes"),
            evidence: Family::define(define, "gnomon_evidence_total", &[], "outcome"),
            anomalies: Family::define(define, "gnomon_anomalies_total", &[], "what"),
            build_info: define(MetricType::Gauge, &names::series("gnomon_build_info", &[("what", env!("CARGO_PKG_VERSION"))])),
        }
    }
}

/// Series of one variant, or of a route without split.
#[derive(Clone, Debug)]
pub struct VariantSeries {
    /// `gnomon_requests_total`
    pub requests: Family<Reason>,
    /// `gnomon_responses_total`
    pub responses: Family<Class>,
    /// `gnomon_response_duration_microseconds`
    pub duration: MetricId,
    /// `gnomon_first_byte_duration_microseconds`, where answers may be streams.
    pub first_byte: Option<MetricId>,
    /// What answers tell.
    pub told: SubjectSeries,
}

impl VariantSeries {
    /// Defines those of `variant` (`none` for a route without split).
    pub fn define(definer: &mut Definer, route: &Route, variant: &str) -> Self {
        let labels = [("experiment", &*route.experiment), ("route", &*route.name), ("variant", variant)];
        let told = SubjectSeries::define(definer, route, variant);
        let define = &mut *definer.define;
        let first_byte = may_generate(route).then(|| {
            let labels = [("experiment", &*route.experiment), ("route", &*route.name), ("subject", variant)];
            define(MetricType::Histogram, &names::series("gnomon_first_byte_duration_microseconds", &labels))
        });
        Self {
            requests: Family::define(define, "gnomon_requests_total", &labels, "reason"),
            responses: Family::define(define, "gnomon_responses_total", &labels, "class"),
            duration: define(MetricType::Histogram, &names::series("gnomon_response_duration_microseconds", &labels)),
            first_byte,
            told,
        }
    }
}

/// Whether the answers of a route may be generated text, which has tokens and an end, and may come as a stream.
fn may_generate(route: &Route) -> bool {
    matches!(route.protocol, Protocol::OpenAi | Protocol::Auto)
}

/// Series of what the answers of a variant or a shadow tell, as far as the route's protocol may know it.
#[derive(Clone, Debug)]
pub struct SubjectSeries {
    /// `gnomon_tokens_total`
    pub tokens: Option<Family<Token>>,
    /// `gnomon_answers_total`
    pub ends: Option<Family<End>>,
    /// `gnomon_model_versions_total`
    pub versions: Option<Rc<Learned>>,
}

impl SubjectSeries {
    fn define(definer: &mut Definer, route: &Route, subject: &str) -> Self {
        let labels = [("experiment", &*route.experiment), ("route", &*route.name), ("subject", subject)];
        let generates = may_generate(route);
        let has_versions = !matches!(route.protocol, Protocol::Json | Protocol::Opaque);
        let versions = has_versions.then(|| Learned::versions(definer, &labels));
        let define = &mut *definer.define;
        Self {
            tokens: generates.then(|| Family::define(define, "gnomon_tokens_total", &labels, "token")),
            ends: generates.then(|| Family::define(define, "gnomon_answers_total", &labels, "kind")),
            versions,
        }
    }
}

/// Series of one shadow and slice.
#[derive(Clone, Debug)]
pub struct SliceSeries {
    /// The value of the `slice` label.
    pub name: Name,
    /// `gnomon_shadow_outcomes_total`
    pub outcomes: Family<Outcome>,
    /// `gnomon_pairs_total`
    pub pairs: Family<Verdict>,
}

/// Series of one shadow.
#[derive(Clone, Debug)]
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
    pub paths: Rc<Learned>,
    /// `gnomon_decisions_total`, for tasks that name answers.
    pub decided: Option<Rc<Learned>>,
    /// What answers tell.
    pub told: SubjectSeries,
    /// `gnomon_open_pairs`
    pub open_pairs: MetricId,
    /// `gnomon_breaker_open`
    pub breaker_open: MetricId,
}

impl ShadowSeries {
    /// Defines those of `shadow`.
    pub fn define(definer: &mut Definer, route: &Route, shadow: &Shadow) -> Self {
        let labels = [("experiment", &*route.experiment), ("route", &*route.name), ("shadow", &*shadow.name)];
        let told = SubjectSeries::define(definer, route, &shadow.name);
        let paths = Learned::paths(definer, &labels);
        let decided = Learned::answers(definer, &labels, &route.compare.task);
        let define = &mut *definer.define;
        let slices = mirror::slice_names(route.slices.as_ref()).into_iter().map(|slice| {
            let mut labels = labels.to_vec();
            labels.push(("slice", &slice));
            SliceSeries {
                outcomes: Family::define(define, "gnomon_shadow_outcomes_total", &labels, "outcome"),
                pairs: Family::define(define, "gnomon_pairs_total", &labels, "verdict"),
                name: slice.clone(),
            }
        });
        let slices = slices.collect();
        Self {
            paths,
            decided,
            told,
            sampled: define(MetricType::Counter, &names::series("gnomon_sampled_total", &labels)),
            slices,
            responses: Family::define(define, "gnomon_shadow_responses_total", &labels, "class"),
            duration: define(MetricType::Histogram, &names::series("gnomon_shadow_duration_microseconds", &labels)),
            divergences: Family::define(define, "gnomon_divergences_total", &labels, "kind"),
            open_pairs: define(MetricType::Gauge, &names::series("gnomon_open_pairs", &labels)),
            breaker_open: define(MetricType::Gauge, &names::series("gnomon_breaker_open", &labels)),
        }
    }
}

/// The name of the `gnomon_configuration` gauge of the plugin `plugin` (Envoy's name of it).
pub fn configuration(plugin: &str) -> String {
    names::series("gnomon_configuration", &[("plugin", &names::value(plugin))])
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn in_order<L: Label>() {
        for (place, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.index(), place, "{} is not where its index says", value.label());
        }
    }

    #[test]
    fn labels_stand_in_the_order_of_their_enum() {
        in_order::<Outcome>();
        in_order::<Verdict>();
        in_order::<Class>();
        in_order::<ShadowClass>();
        in_order::<Anomaly>();
        in_order::<Line>();
        in_order::<End>();
        in_order::<Token>();
        in_order::<Kind>();
        in_order::<Reason>();
    }
}
