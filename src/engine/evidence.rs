//! Log lines that tell an operator why pairs diverge or fail: one JSON object each, rate limited. Values from bodies are in them only if
//! the configuration says so.

use std::time::Duration;

use super::Engine;
use super::callback::Callback;
use super::effect::Effect;
use super::log_line::LogLine;
use super::note::Note;
use super::pair::{CopyState, Pair};
use crate::compare::{Divergence, Kind};
use crate::labels::{Label, Line, Outcome, ShadowClass};
use crate::limits::{EVIDENCE_REMINDER, MAX_LABEL};
use crate::timestamp::{Timestamp, micros};

/// The number of lines logged since `since`, for a second at most.
#[derive(Debug, Default)]
pub struct Throttle {
    since: Timestamp,
    lines: u32,
}

impl Throttle {
    /// Whether one more line may be logged at `now`, at most `per_second`.
    fn allows(&mut self, per_second: u32, now: Timestamp) -> bool {
        if now < self.since || now.since(self.since) >= Duration::from_secs(1) {
            *self = Self { since: now, lines: 0 };
        }
        let allowed = self.lines < per_second;
        self.lines = self.lines.saturating_add(u32::from(allowed));
        allowed
    }
}

impl Engine {
    /// A line for a copy that failed or was not sent: on a change of outcome or of what the shadow said, and again at most once a minute.
    pub(super) fn show_failure(&mut self, pair: &Pair, outcome: Outcome, note: Note, callback: &mut Callback<'_>) {
        use Outcome::{BothRefused, Cancelled, OtherVariant, PrimaryFailed, Replaced};
        if matches!(outcome, PrimaryFailed | BothRefused | Cancelled | Replaced | OtherVariant) {
            return;
        }
        let (now, last) = (callback.now, &pair.shadow.logged_failure);
        if outcome == Outcome::Compared {
            return last.set(None);
        }
        if last.get().is_some_and(|(logged, class, at)| (logged, class) == (outcome, note.class) && is_recent(at, now)) {
            return;
        }
        if !self.may_show(pair.shadow.config.evidence.per_second, callback) {
            return;
        }
        last.set(Some((outcome, note.class, now)));
        let mut line = begin(pair);
        line.text("outcome", outcome.label());
        if note.status != 0 {
            line.number("status", note.status);
        }
        if let Some(grpc_status) = &note.grpc_status {
            line.text("grpc_status", &cut(grpc_status));
        }
        if let Some(hint) = hint(pair, outcome, note.class) {
            line.text("hint", hint);
        }
        if let Some(said) = note.said {
            line.text("said", &said);
        }
        callback.effects.push(Effect::Evidence(line.written()));
    }

    /// A line for a request whose body leaves open whether it meets a shadow's conditions, at most once a minute. `reason` says why.
    pub(super) fn show_unjudged(&mut self, pair: &Pair, reason: &str, callback: &mut Callback<'_>) {
        let last = &pair.shadow.logged_unjudged;
        if last.get().is_some_and(|at| is_recent(at, callback.now)) || !self.may_show(pair.shadow.config.evidence.per_second, callback) {
            return;
        }
        last.set(Some(callback.now));
        let mut line = begin(pair);
        line.text("outcome", "unjudged");
        line.text("hint", "conditions in when are for JSON bodies; the request was not sampled, see gnomon_unjudged_total");
        line.text("said", reason);
        callback.effects.push(Effect::Evidence(line.written()));
    }

    /// A line for a diverged pair.
    pub(super) fn show_divergence(&mut self, pair: &Pair, divergence: &Divergence, callback: &mut Callback<'_>) {
        let evidence = pair.shadow.config.evidence;
        if !self.may_show(evidence.per_second, callback) {
            return;
        }
        let mut line = begin(pair);
        line.text("kind", divergence.kind.label());
        line.text("path", &cut(&divergence.path));
        let paths: Vec<String> = divergence.paths.iter().map(|path| cut(path)).collect();
        line.texts("paths", &paths);
        line.number("differences", divergence.count);
        if let Some(tool) = &divergence.tool {
            line.text("tool", &cut(tool));
        }
        let gap = divergence.gap.unwrap_or_default();
        for (name, value) in [
            ("absolute_difference", gap.absolute),
            ("relative_difference", gap.relative),
            ("absolute_tolerance", gap.tolerance.map(|tolerance| tolerance.absolute)),
            ("relative_tolerance", gap.tolerance.map(|tolerance| tolerance.relative)),
        ] {
            if let Some(value) = value {
                line.float(name, value);
            }
        }
        if let CopyState::Comparing(latencies) = pair.copy {
            line.number("primary_microseconds", micros(latencies.primary));
            line.number("shadow_microseconds", micros(latencies.shadow));
        }
        // At the root the values are whole bodies, except for a status.
        if evidence.values && (divergence.path != "$" || divergence.kind == Kind::Status) {
            line.text("primary_value", &divergence.values.0);
            line.text("shadow_value", &divergence.values.1);
        }
        callback.effects.push(Effect::Evidence(line.written()));
    }

    /// Whether one more line may be logged now, which is counted. Most are not, so this is asked before a line is made.
    fn may_show(&mut self, per_second: u32, callback: &mut Callback<'_>) -> bool {
        let logged = self.throttle.allows(per_second, callback.now);
        callback.count(self.series.evidence.of(if logged { Line::Logged } else { Line::Suppressed }));
        logged
    }
}

/// Whether a line that was logged `at` some time need not be repeated yet.
fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now >= at && now.since(at) < EVIDENCE_REMINDER
}

/// What every line of a pair begins with.
fn begin(pair: &Pair) -> LogLine {
    let slice = pair.shadow.series.slices.get(pair.slice).map(|slice| &*slice.name);
    let mut line = LogLine::default();
    line.text("experiment", &pair.shadow.route.experiment);
    line.text("route", &pair.shadow.route.name);
    line.text("shadow", &pair.shadow.settings.name);
    line.text("slice", slice.unwrap_or_default());
    line.text("request_id", &cut(&pair.request_id));
    line
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_LABEL).collect()
}

/// Advice on a copy that failed or was not sent, if there is any.
fn hint(pair: &Pair, outcome: Outcome, class: Option<ShadowClass>) -> Option<&'static str> {
    let by_class = |class| match class {
        ShadowClass::Unauthorized | ShadowClass::Forbidden if !pair.shadow.settings.request.keep_credentials => {
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
        Outcome::UnsentUnshaped => {
            Some("request.model and request.body can't be applied to this body, and a copy without them says nothing")
        }
        Outcome::WrongVersion => Some("the shadow does not serve the version that expect.model_version names"),
        Outcome::TimedOut => Some("the shadow was slower than its timeout"),
        _ => class.and_then(by_class),
    }
}
