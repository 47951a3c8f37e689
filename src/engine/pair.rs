//! One sampled request at one shadow: its states, and the outcome that follows from them. Nothing is counted here.

use std::rc::Rc;
use std::time::Duration;

use super::Table;
use super::breaker::Finding;
use super::gates::measure::ShadowResult;
use super::head::{Head, Reply};
use super::ids::PairId;
use super::note::Note;
use super::plan::{BoundShadow, BoundVariant};
use super::request_group::RequestGroup;
use crate::capture::{Body, Overflow};
use crate::compare::read::wire_format::Endpoint;
use crate::compare::{Answer, Report, Unread};
use crate::http::Fields;
use crate::labels::{Class, Outcome, ShadowClass};
use crate::limits::TIMER_SLACK;
use crate::mirror::{self, body::Shaping};
use crate::timestamp::Timestamp;

/// An open pair.
#[derive(Debug)]
pub struct Pair {
    /// The shadow.
    pub shadow: Rc<BoundShadow>,
    /// Which of [`crate::stats::ShadowSeries::slices`].
    pub slice: usize,
    /// Whether the pair counts as sampled. A pair with conditions on the request's body does so once they hold.
    pub sampled: bool,
    /// `x-request-id`, for evidence.
    pub request_id: String,
    /// What the request asked for.
    pub endpoint: Endpoint,
    /// The variant that answers the client. Of a split that is observed it is known once the answer is over.
    pub variant: Rc<BoundVariant>,
    /// Whether nothing is known of the variant yet. Until then even a pair that gets no copy has no outcome: it may be that the shadow is not
    /// for its request.
    pub awaits_variant: bool,
    /// The state that all pairs of the request share.
    pub group: Rc<RequestGroup>,
    /// How the client was answered, once its stream is over; `None` again once the comparison, which takes it, has begun.
    pub primary: Option<Primary>,
    /// The state of the copy.
    pub copy: CopyState,
}

/// How the client was answered.
#[derive(Clone, Debug)]
pub struct Primary {
    /// The class of the answer.
    pub class: Class,
    /// Its status (see [`crate::labels::effective_status`]); 0 if it was not complete.
    pub status: u16,
    /// The answer as it is compared.
    pub answer: Answer,
    /// When its last byte passed, if it was complete.
    pub completed: Option<Timestamp>,
}

/// The state of a copy.
#[derive(Debug)]
pub enum CopyState {
    /// The request body is not complete.
    Uploading,
    /// The copy waits to be sent.
    Queued {
        /// The request.
        upload: Rc<Upload>,
        /// How far it is decided whether the request qualifies, and how the copy looks.
        shaping: Box<Shaping>,
        /// When the request body was complete: both latencies start here.
        since: Timestamp,
    },
    /// The copy was sent, and has no answer.
    InFlight {
        /// As in [`CopyState::Queued`].
        since: Timestamp,
        /// When the copy was sent.
        sent: Timestamp,
        /// Whether the copy probes an open breaker.
        probe: bool,
    },
    /// The copy was answered, or its call failed.
    Answered {
        /// As in [`CopyState::Queued`].
        since: Timestamp,
        /// When the answer came.
        at: Timestamp,
        /// The answer.
        reply: ClassifiedReply,
        /// The time from sending the copy to its answer.
        took: Duration,
        /// Whether the copy probed an open breaker.
        probe: bool,
    },
    /// No copy was made, for this reason, and the pair awaits its variant.
    Unsent(Outcome, Note),
    /// The answers are being compared.
    Comparing(Latencies),
    /// The answers have been compared.
    Compared(Latencies, Box<Report>),
}

/// A complete request, shared by its copies.
#[derive(Debug)]
pub struct Upload {
    /// Its header fields as the client sent them.
    pub fields: Fields,
    /// Its body.
    pub body: Body,
}

/// The answer to a copy, classified.
#[derive(Clone, Debug)]
pub struct ClassifiedReply {
    /// The class of the answer.
    pub class: ShadowClass,
    /// Its `grpc-status`.
    pub grpc_status: Option<String>,
    /// The answer as it is compared; its status is 0 if there was no answer.
    pub answer: Answer,
}

/// The `grpc-message` of Envoy's own answer to a gRPC call that timed out.
const GRPC_TIMEOUT: &[u8] = b"upstream request timeout";

/// Latencies of both answers to their last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// Of the primary, from the complete request body.
    pub primary: Duration,
    /// Of the shadow, from the complete request body.
    pub shadow: Duration,
    /// Of the shadow, from when its copy was sent.
    pub took: Duration,
}

impl Pair {
    /// Whether the shadow is not for requests of the variant that answered.
    pub fn is_of_other_variant(&self) -> bool {
        !mirror::is_for(&self.shadow.settings, self.variant.place)
    }

    /// The pair as gates see it, when it ends in `outcome`.
    pub fn result(&self, outcome: Outcome) -> ShadowResult<'_> {
        let timeout = self.shadow.settings.timeout;
        let nothing = ShadowResult { outcome, reply: None, primary: None, shadow: None, timeout, report: None };
        let good = |latencies: &Latencies| ShadowResult {
            reply: Some((ShadowClass::Success, latencies.took)),
            primary: Some(latencies.primary),
            shadow: Some(latencies.shadow),
            ..nothing
        };
        match &self.copy {
            CopyState::Uploading | CopyState::Queued { .. } | CopyState::InFlight { .. } | CopyState::Unsent(..) => nothing,
            CopyState::Answered { since, reply, took, .. } => {
                let primary = self.primary.as_ref().filter(|primary| primary.class == Class::Success);
                let primary = primary.and_then(|primary| primary.completed).map(|at| at.since(*since));
                ShadowResult { reply: Some((reply.class, *took)), primary, ..nothing }
            }
            CopyState::Comparing(latencies) => good(latencies),
            CopyState::Compared(latencies, report) => ShadowResult { report: Some(report), ..good(latencies) },
        }
    }
}

impl Primary {
    /// The class that the answer would have if it were a shadow's, of a 4xx alone.
    pub fn refusal(&self) -> Option<ShadowClass> {
        (self.class == Class::ClientError).then(|| ShadowClass::of(self.status))
    }
}

impl ClassifiedReply {
    /// Classifies the host's `reply`, which came `elapsed` after the copy was sent; `body` is its captured body.
    ///
    /// A call that was reset, or timed out after headers, has no reply: then only the time tells which. Envoy's own answers (502 and 503:
    /// no HTTP or not connected, 504: timed out; for gRPC the same in `grpc-message`) lack `x-envoy-upstream-service-time`.
    pub fn read(reply: Option<Reply>, body: Result<Body, Overflow>, elapsed: Duration, timeout: Duration) -> Self {
        let body = body.map_err(Unread::Overflow);
        let Some(Reply { head, from_upstream, .. }) = reply else {
            let slack = timeout.checked_div(10).unwrap_or_default().min(TIMER_SLACK);
            let class = if elapsed.saturating_add(slack) >= timeout { ShadowClass::Timeout } else { ShadowClass::Reset };
            return Self { class, grpc_status: None, answer: Head::default().answer(body) };
        };
        let effective = head.effective_status();
        let grpc_error = head.is_grpc() && head.status == 200 && effective >= 400;
        let class = match head.status {
            504 if !from_upstream => ShadowClass::Timeout,
            502 | 503 if !from_upstream => ShadowClass::Local,
            _ if !from_upstream && grpc_error && head.grpc_message == GRPC_TIMEOUT => ShadowClass::Timeout,
            _ if !from_upstream && grpc_error => ShadowClass::Local,
            _ => ShadowClass::of(effective),
        };
        let grpc_status = head.grpc_status.as_deref().map(|text| String::from_utf8_lossy(text).into_owned());
        Self { class, grpc_status, answer: head.answer(body) }
    }
}

/// Whether a copy was made for one of these of `all` pairs, or may be, so that the client's answer is needed.
pub fn have_copies(all: &Table<PairId, Pair>, these: &[PairId]) -> bool {
    these.iter().any(|id| all.get(id).is_some_and(|pair| !matches!(pair.copy, CopyState::Unsent(..))))
}

/// The outcome of a pair by the classes of its two answers; `None`: they are to be compared. `refusal` is [`Primary::refusal`].
pub fn outcome(primary: Class, refusal: Option<ShadowClass>, shadow: ShadowClass) -> Option<Outcome> {
    match (primary, shadow) {
        (Class::Cancelled, _) => Some(Outcome::Cancelled),
        _ if refusal == Some(shadow) => Some(Outcome::BothRefused),
        (Class::Success, ShadowClass::Success) => None,
        (Class::Success, ShadowClass::Timeout) => Some(Outcome::TimedOut),
        (Class::Success, ShadowClass::TooManyRequests) => Some(Outcome::ShadowOverloaded),
        (Class::Success, _) => Some(Outcome::ShadowFailed),
        (_, ShadowClass::Success) => Some(Outcome::PrimaryFailed),
        _ => Some(Outcome::BothFailed),
    }
}

/// What the breaker learns when the shadow failed: that it fails, if the primary succeeded; otherwise nothing, because the request may be to
/// blame.
pub fn finding(primary: Class) -> Finding {
    if primary == Class::Success { Finding::Fails } else { Finding::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Label;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const TIMEOUT: Duration = Duration::from_secs(2);

    fn reply(status: u16, from_upstream: bool, grpc_status: Option<&str>) -> Reply {
        let content_type = if grpc_status.is_some() { "application/grpc" } else { "application/json" };
        let head = Head {
            status,
            content_type: content_type.into(),
            grpc_status: grpc_status.map(|text| text.as_bytes().to_vec()),
            ..Head::default()
        };
        Reply { head, from_upstream, body: Some(Vec::new()) }
    }

    #[test]
    fn replies_are_classified() {
        let soon = Duration::from_millis(3);
        let mut late = reply(200, false, Some("14"));
        late.head.grpc_message = GRPC_TIMEOUT.to_vec();
        for (given, elapsed, want) in [
            (None, soon, "reset"),
            (None, TIMEOUT, "timeout"),
            (None, Duration::from_millis(1950), "timeout"),
            (None, Duration::from_millis(1850), "reset"),
            (Some(reply(200, true, None)), soon, "2xx"),
            (Some(reply(504, false, None)), TIMEOUT, "timeout"),
            (Some(reply(504, true, None)), soon, "5xx"),
            (Some(reply(503, false, None)), soon, "local"),
            (Some(reply(502, false, None)), soon, "local"),
            (Some(reply(503, true, None)), soon, "5xx"),
            (Some(reply(429, true, None)), soon, "429"),
            (Some(reply(200, true, Some("0"))), soon, "2xx"),
            (Some(reply(200, true, Some("8"))), soon, "429"),
            (Some(reply(200, false, Some("14"))), soon, "local"),
            (Some(late), Duration::from_millis(1900), "timeout"),
        ] {
            let what = format!("{given:?} after {elapsed:?}");
            assert_eq!(ClassifiedReply::read(given, Err(Overflow::Body), elapsed, TIMEOUT).class.label(), want, "{what}");
        }
    }

    #[test]
    fn a_failing_shadow_is_judged_by_its_primary() {
        for class in Class::ALL {
            let want = if *class == Class::Success { Finding::Fails } else { Finding::Nothing };
            assert_eq!(finding(*class), want, "{class:?}");
        }
    }

    #[test]
    fn the_first_outcome_that_holds_counts() {
        use Class::{Cancelled, Redirect, Reset, ServerError, Success};
        for (primary, shadow, want) in [
            (Success, ShadowClass::Success, None),
            (Success, ShadowClass::Timeout, Some("timed_out")),
            (Success, ShadowClass::TooManyRequests, Some("shadow_overloaded")),
            (Success, ShadowClass::Local, Some("shadow_failed")),
            (Success, ShadowClass::NotFound, Some("shadow_failed")),
            (Redirect, ShadowClass::Redirect, Some("both_failed")),
            (ServerError, ShadowClass::Success, Some("primary_failed")),
            (ServerError, ShadowClass::Timeout, Some("both_failed")),
            (Reset, ShadowClass::TooManyRequests, Some("both_failed")),
            (Cancelled, ShadowClass::Timeout, Some("cancelled")),
            (Cancelled, ShadowClass::Success, Some("cancelled")),
        ] {
            assert_eq!(outcome(primary, None, shadow).map(Label::label), want, "{primary:?} {shadow:?}");
        }
    }

    #[test]
    fn equal_refusals_are_no_failures() {
        use ShadowClass::{ClientError, Forbidden, NotFound, Success, TooManyRequests, Unauthorized};
        let refusals = [Unauthorized, Forbidden, NotFound, TooManyRequests, ClientError];
        for refusal in refusals {
            for shadow in ShadowClass::ALL {
                let want = match shadow {
                    Success => "primary_failed",
                    shadow if *shadow == refusal => "both_refused",
                    _ => "both_failed",
                };
                assert_eq!(outcome(Class::ClientError, Some(refusal), *shadow).map(Label::label), Some(want), "{refusal:?} {shadow:?}");
            }
        }
    }
}
