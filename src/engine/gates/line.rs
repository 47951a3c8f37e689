//! The log line of a gate that fails or cuts a canary off. Such lines are few, because both are for good, so none is suppressed.

use crate::config::Name;
use crate::engine::callback::Callback;
use crate::engine::effect::{Effect, Line};
use crate::engine::log_line::LogLine;
use crate::gate::{Counts, Terms, ln_fail};

/// The labels of a gate's series and the members of its log line: experiment, route, gate, subject and slice.
pub const LABELS: [&str; 5] = ["experiment", "route", "gate", "subject", "slice"];

/// The member of a line that says over which trials a canary was cut off: `experiment` or `window`.
pub const GUARDRAIL: &str = "guardrail";

/// What an operator is told of figures that the host does not keep.
const HIDDEN: &str = "the proxy does not keep the figures of this filter, because a stats matcher hides them. Workers tell each other by \
                      them: gates stay undecided, failures are not latched, guardrails cut nothing off, warm-ups do not end. Let all of \
                      wasmcustom.gnomon_ through. Envoy: {prefix: wasmcustom.gnomon_} in stats_config.stats_matcher.inclusion_list, or out \
                      of its exclusion_list. Istio: wasmcustom.gnomon_ in the annotation sidecar.istio.io/statsInclusionPrefixes, or in \
                      proxyStatsMatcher.inclusionPrefixes";

/// Logs that the host does not keep figures. `of` says which or whose.
pub fn hidden(of: &str, callback: &mut Callback<'_>) {
    callback.effects.push(Effect::Tell(Line::Error(format!("{of}: {HIDDEN}"))));
}

/// Logs that the gate with these `labels` fails by `counts`, or cuts its canary off. `what` is the member that says which, and its value.
pub fn show(labels: &[Name; 5], terms: &Terms, counts: Counts, what: (&'static str, &str), callback: &mut Callback<'_>) {
    let mut line = LogLine::default();
    for (name, value) in LABELS.into_iter().zip(labels) {
        line.text(name, value);
    }
    let e_value = ln_fail(counts, terms.limit).exp().min(f64::MAX);
    line.text(what.0, what.1);
    line.number("bad", counts.bad());
    line.number("trials", counts.trials());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a million")]
    line.number("limit_ppm", counts.limit_ppm(terms.limit).round() as u32);
    line.float("e_value", e_value.round());
    line.float("e_value_needed", (1e6 / f64::from(terms.alpha.ppm())).round());
    if what.0 == GUARDRAIL {
        line.text("hint", "this canary gets no more traffic from this proxy until the experiment changes");
    }
    callback.effects.push(Effect::Evidence(line.written()));
}
