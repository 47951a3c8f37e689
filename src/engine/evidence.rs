//! Lines that show an operator why: one JSON object each, rate limited, without anything of a body unless asked for.

use std::collections::BTreeMap;

use super::Engine;
use super::effect::{Effect, Effects, micros};
use super::event::{PairId, Time};
use super::meter::{GateInSlice, LABELS};
use super::pair::{CopyState, Pair};
use crate::compare::{Divergence, Kind};
use crate::config::raw::quoted;
use crate::gate::{Counts, Terms, ln_fail};
use crate::labels::{Label, Line};
use crate::labels::{Outcome, ShadowClass};
use crate::limits::{EVIDENCE_REMINDER, MAX_LABEL};

/// The member of a line that tells over what trials a canary was cut off: `experiment` or `window`.
pub const GUARDRAIL: &str = "guardrail";

/// What is known of a copy that failed or was not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The status; 0 if there was none.
    pub status: u16,
    /// The `grpc-status`.
    pub grpc_status: Option<String>,
    /// The class of the answer.
    pub class: Option<ShadowClass>,
    /// What the host or the comparison said.
    pub said: Option<String>,
}

impl Note {
    /// A note of what was said.
    pub fn said(text: impl Into<String>) -> Self {
        Self { said: Some(text.into()), ..Self::default() }
    }
}

/// Lines logged in the second that began with the first of them.
#[derive(Debug, Default)]
pub struct Throttle {
    since: Time,
    lines: u32,
}

impl Throttle {
    /// Whether one more line may be logged at `now`, at most `per_second`.
    fn allows(&mut self, per_second: u32, now: Time) -> bool {
        if now < self.since || now.saturating_sub(self.since) >= Time::from_secs(1) {
            *self = Self { since: now, lines: 0 };
        }
        let allowed = self.lines < per_second;
        self.lines = self.lines.saturating_add(u32::from(allowed));
        allowed
    }
}

impl Engine {
    /// A line for a copy that failed or was not sent: on a change of outcome or of what the shadow said, and again at most once a minute.
    pub(super) fn show_failure(&mut self, pair: &Pair, outcome: Outcome, note: Note, now: Time, out: &mut Effects) {
        if matches!(outcome, Outcome::PrimaryFailed | Outcome::Cancelled | Outcome::Replaced) {
            return;
        }
        let last = &mut self.shadow(&pair.target).shown;
        if outcome == Outcome::Compared {
            *last = None;
            return;
        }
        let recent = |at: Time| now >= at && now.saturating_sub(at) < EVIDENCE_REMINDER;
        if last.is_some_and(|(shown, at)| shown == (outcome, note.class) && recent(at)) {
            return;
        }
        let kind = (outcome, note.class);
        let mut line = head(pair);
        line.insert("outcome", quoted(outcome.label()));
        if note.status != 0 {
            line.insert("status", note.status.to_string());
        }
        if let Some(grpc_status) = &note.grpc_status {
            line.insert("grpc_status", quoted(&cut(grpc_status)));
        }
        if let Some(hint) = hint(pair, outcome, note.class) {
            line.insert("hint", quoted(hint));
        }
        if let Some(said) = note.said {
            line.insert("said", quoted(&said));
        }
        if self.show(pair.target.evidence.per_second, line, now, out) {
            self.shadow(&pair.target).shown = Some((kind, now));
        }
    }

    /// A line for a diverged pair.
    pub(super) fn show_divergence(&mut self, id: PairId, divergence: &Divergence, now: Time, out: &mut Effects) {
        let Some(pair) = self.pairs.get(&id) else { return };
        let evidence = pair.target.evidence;
        let mut line = head(pair);
        line.insert("kind", quoted(divergence.kind.label()));
        line.insert("path", quoted(&cut(&divergence.path)));
        if let Some(relative) = divergence.relative {
            line.insert("relative_difference", if relative.is_finite() { format!("{relative:?}") } else { "null".to_owned() });
        }
        if let CopyState::Comparing(latencies) = pair.copy {
            line.insert("primary_microseconds", micros(latencies.primary).to_string());
            line.insert("shadow_microseconds", micros(latencies.shadow).to_string());
        }
        // At the root the values are the bodies; but for a status.
        if evidence.values && (divergence.path != "$" || divergence.kind == Kind::Status) {
            line.insert("primary_value", quoted(&divergence.values.0));
            line.insert("shadow_value", quoted(&divergence.values.1));
        }
        self.show(evidence.per_second, line, now, out);
    }

    /// Logs a line, if that is allowed now; whether it was.
    fn show(&mut self, per_second: u32, members: BTreeMap<&str, String>, now: Time, out: &mut Effects) -> bool {
        let logged = self.throttle.allows(per_second, now);
        out.count(self.series.evidence.of(if logged { Line::Logged } else { Line::Suppressed }));
        if logged {
            out.push(Effect::Evidence(written(members)));
        }
        logged
    }
}

/// A line for a gate that fails or cuts its canary off, by these counts; `what` says which, and over what. Such lines are few (a fail is for
/// good), so none is suppressed.
pub(super) fn show_gate(meter: &GateInSlice, terms: &Terms, counts: Counts, what: (&'static str, &str), out: &mut Effects) {
    let mut line: BTreeMap<&str, String> = LABELS.into_iter().zip(meter.labels.iter().map(|label| quoted(label))).collect();
    let e_value = ln_fail(counts, terms.limit).exp().min(f64::MAX);
    line.extend([
        (what.0, quoted(what.1)),
        ("bad", counts.bad().to_string()),
        ("trials", counts.trials().to_string()),
        ("limit_ppm", terms.limit.ppm().to_string()),
        ("e_value", format!("{:?}", e_value.round())),
        ("e_value_needed", format!("{:?}", (1e6 / f64::from(terms.alpha.ppm())).round())),
    ]);
    if what.0 == GUARDRAIL {
        line.insert("hint", quoted("this canary gets no more traffic from this proxy until the experiment changes"));
    }
    out.push(Effect::Evidence(written(line)));
}

fn written(members: BTreeMap<&str, String>) -> String {
    let members: Vec<String> = members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// What every line says first: JSON texts by the names of their members.
fn head(pair: &Pair) -> BTreeMap<&'static str, String> {
    let slice = pair.target.series.slices.get(pair.slice).map(|slice| &*slice.name);
    let mut line = BTreeMap::new();
    line.extend([
        ("experiment", quoted(&pair.target.route.experiment)),
        ("route", quoted(&pair.target.route.name)),
        ("shadow", quoted(&pair.target.shadow.name)),
        ("slice", quoted(slice.unwrap_or_default())),
        ("request_id", quoted(&cut(&pair.request_id))),
    ]);
    line
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_LABEL).collect()
}

/// What to do about a copy that failed or was not sent, where that is known.
fn hint(pair: &Pair, outcome: Outcome, class: Option<ShadowClass>) -> Option<&'static str> {
    let by_class = |class| match class {
        ShadowClass::Unauthorized | ShadowClass::Forbidden if !pair.target.shadow.request.keep_credentials => {
            Some("credentials are left out of copies, see keep_credentials")
        }
        ShadowClass::NotFound => Some("the shadow has nothing at this path, see request.path and request.model"),
        ShadowClass::Local => Some("Envoy could not reach the shadow: is it up, and does its cluster have the right port?"),
        ShadowClass::Reset => Some("the shadow broke off, or its answer is over 32 MiB"),
        _ => None,
    };
    match outcome {
        Outcome::UnsentNoCluster => Some("see the clusters of this proxy; in Istio the name is outbound|PORT||HOST"),
        Outcome::UnsentBody => Some("only complete request bodies of up to limits.body are copied"),
        Outcome::UnsentMemory => Some("captured bodies have reached limits.memory"),
        Outcome::UnsentInFlight => Some("the shadow's max_in_flight or limits.pairs is reached: is the shadow slower than the primary?"),
        Outcome::UnsentUpgrade => Some("upgraded connections are never copied"),
        Outcome::UnsentBreakerOpen => Some("the shadow failed ten times in a row and is left alone for a while"),
        Outcome::WrongVersion => Some("the shadow does not serve the version that expect.model_version names"),
        Outcome::TimedOut => Some("the shadow was slower than its timeout"),
        _ => class.and_then(by_class),
    }
}
