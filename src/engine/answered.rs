//! The live side: what is done while the answer to a client passes, and once it is over.

use super::Engine;
use super::callback::Callback;
use super::effect::{ClusterOf, Effect, Follow};
use super::ending::Ending;
use super::gates::count::AnswerOf;
use super::gates::judge;
use super::gates::measure::AnswerResult;
use super::head::Head;
use super::ids::StreamId;
use super::incoming::{self, Incoming};
use super::inspected::Inspected;
use super::live::{Exchange, Uploading};
use super::note::Note;
use super::pair::{self, Primary};
use crate::capture::Bounds;
use crate::compare::inspection::Inspection;
use crate::compare::read::wire_format::WireFormat;
use crate::labels::{Class, Outcome};
use crate::split::{Reason, observed};
use crate::timestamp::Timestamp;

impl Engine {
    pub(super) fn response_headers(&mut self, stream: StreamId, head: Head, callback: &mut Callback<'_>) {
        let Some(exchange) = self.exchanges.get_mut(&stream) else { return };
        if let Some((header, variant)) = exchange.expose.take() {
            callback.effects.push(Effect::SetResponseHeader(header, variant));
        }
        let route = exchange.plan.routes.get(exchange.route).filter(|_| exchange.wants.error);
        let may_fail = route.map(|route| WireFormat::of(route.route.protocol, exchange.endpoint, &head.content_type));
        exchange.answer = Some(Incoming::new(head, exchange.wants.stream_end, may_fail, &self.ledger, exchange.plan.config.limits));
    }

    pub(super) fn response_body(&mut self, stream: StreamId, chunk: &[u8], callback: &mut Callback<'_>) {
        let Some(exchange) = self.exchanges.get_mut(&stream) else { return };
        let Some(answer) = &mut exchange.answer else { return };
        // Pairs may have ended since: a copy that could not be sent needs no answer to be compared with.
        if !exchange.wants.end && !pair::have_copies(&self.pairs, &exchange.pairs) {
            answer.drop_body();
        }
        if !answer.push(chunk) {
            let request_body = matches!(exchange.upload, Uploading::Captured { .. });
            exchange.follow = Follow { request_body, response_headers: true, response_body: false, ..exchange.follow };
            callback.effects.push(Effect::Follow(exchange.follow));
        }
    }

    /// Takes the look at the cluster that answered. What it was routed by is as old as the request. Of a split that is observed it tells the
    /// variant.
    pub(super) fn answered_by(&mut self, stream: StreamId, cluster: &str, callback: &mut Callback<'_>) {
        let Some(Exchange { plan, route, variant, of, started, wants, .. }) = self.exchanges.get_mut(&stream) else { return };
        let Some(route) = plan.routes.get(*route) else { return };
        if let Some(observe) = &route.route.observe {
            let place = observed::variant(observe, Some(cluster.as_bytes()));
            let Some(seen) = route.variants.get(place) else { return };
            (of.variant, *variant) = (place, seen.clone());
        } else if wants.cluster == ClusterOf::Answer && route.routing.look(of.variant, cluster, *started, callback) {
            judge::judge_all(&route.gates, callback);
        }
    }

    pub(super) fn stream_end(&mut self, stream: StreamId, ending: Ending, first_byte: Option<Timestamp>, callback: &mut Callback<'_>) {
        let Some(mut exchange) = self.exchanges.remove(&stream) else { return };
        if let Some(answer) = &mut exchange.answer {
            answer.end();
        }
        let ending = match &exchange.answer {
            Some(answer) if ending == Ending::ClientLeft && answer.is_over() => Ending::Answered { at: callback.now, grpc_status: None },
            _ => ending,
        };
        let first_byte = first_byte.filter(|_| exchange.answer.as_ref().is_some_and(Incoming::is_stream));
        let has_error = exchange.answer.as_mut().is_some_and(Incoming::has_error);
        let primary = primary(exchange.answer.take(), ending, !pair::have_copies(&self.pairs, &exchange.pairs));
        let first_byte = first_byte.filter(|_| primary.class == Class::Success);
        self.count_answer(&exchange, &primary, first_byte, has_error, callback);
        let Exchange { upload, pairs, variant, .. } = exchange;
        let never_complete = matches!(upload, Uploading::Captured { .. });
        for id in pairs {
            if !self.variant_known(id, &variant, callback) {
                continue;
            }
            if never_complete {
                let (outcome, note) = match primary.class {
                    Class::Cancelled => (Outcome::Cancelled, Note::default()),
                    Class::Success => (Outcome::UnsentBody, Note::said("the answer was complete before the request body")),
                    _ => (Outcome::PrimaryFailed, Note::default()),
                };
                self.close_pair(id, outcome, note, callback);
            } else {
                self.primary_answered(id, primary.clone(), callback);
            }
        }
    }

    /// Counts an answer to a client, for its variant and for the gates.
    fn count_answer(
        &mut self,
        exchange: &Exchange,
        primary: &Primary,
        first_byte: Option<Timestamp>,
        has_error: bool,
        callback: &mut Callback<'_>,
    ) {
        let Exchange { plan, variant, started, complete, .. } = exchange;
        if exchange.wants.cluster == ClusterOf::Request {
            callback.count(variant.series.requests.of(Reason::Observed));
        }
        callback.count(variant.series.responses.of(primary.class));
        if let Some(at) = primary.completed {
            callback.record(variant.series.duration, at.since(*started));
        }
        if let (Some(at), Some(series)) = (first_byte, variant.series.first_byte) {
            callback.record(series, at.since(*started));
        }
        let serves = self.roots.get(&plan.root).is_some_and(|root| !root.retiring);
        let of = AnswerOf { serves, ..exchange.of };
        let took = |at: Option<Timestamp>| Some(at?.since((*complete)?));
        let (took, first_byte) = (took(primary.completed), took(first_byte));
        let result = AnswerResult { class: primary.class, status: primary.status, has_error, took, first_byte };
        variant.gates.count_answer(of, &result, callback);
        let events = variant.gates.events(of, &result);
        if exchange.wants.end && variant.gates.asks.end && primary.class == Class::Success {
            let bounds = Bounds { ledger: self.ledger.clone(), body: plan.config.limits.body };
            let inspection = Inspection::new(WireFormat::OpenAi, bounds, primary.answer.clone());
            let (plan, route, variant) = (plan.clone(), exchange.route, variant.clone());
            self.begin_inspection(Inspected { plan, route, variant, of, events, inspection }, callback);
        } else {
            plan.count_events(exchange.route, of, events, callback);
        }
    }
}

/// How the client was answered, known at the end of its stream. `unpaired`: no pair waits for the answer.
fn primary(answer: Option<Incoming>, ending: Ending, unpaired: bool) -> Primary {
    let broken = |class| Primary { class, status: 0, answer: incoming::none(), completed: None };
    match (answer, ending) {
        (Some(mut answer), Ending::Answered { at, grpc_status }) => {
            answer.head.grpc_status = grpc_status.or(answer.head.grpc_status);
            let status = answer.head.effective_status();
            Primary { class: Class::of(status), status, answer: answer.finish(), completed: Some(at) }
        }
        // An upgraded connection has no end of its own. (Upgrades are never copied: a 101 to anything else is broken.)
        (Some(Incoming { head: Head { status: 101, .. }, .. }), _) if unpaired => broken(Class::Success),
        (_, Ending::ClientLeft) => broken(Class::Cancelled),
        (_, Ending::Redirected) => broken(Class::Redirect),
        _ => broken(Class::Reset),
    }
}
