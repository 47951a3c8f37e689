//! The live side: what is done while a client's request and its answer pass. Nothing here waits, and nothing changes them but the split
//! header (and `x-gnomon-shadow` where copies are not trusted).

use std::rc::Rc;

use super::Engine;
use super::callback::Callback;
use super::effect::{Effect, Follow};
use super::ending::Ending;
use super::event::Arrival;
use super::evidence::Note;
use super::gates::assigned::Assigned;
use super::gates::count::AnswerOf;
use super::gates::judge;
use super::gates::measure::AnswerResult;
use super::head::Head;
use super::ids::{PairId, StreamId};
use super::incoming::{self, Incoming};
use super::inspected::Inspected;
use super::pair::{CopyState, Pair, Primary, Upload};
use super::plan::{BoundShadow, BoundVariant, Plan, RoutePlan};
use super::request_group::RequestGroup;
use super::wants::Wants;
use crate::capture::{Bounds, Capture, Overflow};
use crate::compare::inspection::Inspection;
use crate::compare::read::wire_format::{self, Endpoint, WireFormat};
use crate::http::{Fields, Request};
use crate::labels::{Class, Outcome};
use crate::mirror::{self, body::Shaping};
use crate::timestamp::Timestamp;
use crate::{route, slice, split};

/// A client's request and its answer, while the stream lasts.
#[derive(Debug)]
pub struct Exchange {
    plan: Rc<Plan>,
    /// The place of the route in the plan.
    route: usize,
    variant: Rc<BoundVariant>,
    /// What gates need to know of the request.
    of: AnswerOf,
    endpoint: Endpoint,
    /// When the request headers came.
    started: Timestamp,
    /// When the request was complete, if anybody wants to know.
    complete: Option<Timestamp>,
    /// The response header that shows the variant.
    expose: Option<(Rc<str>, crate::config::Name)>,
    wants: Wants,
    /// The events that the shell sends of the rest of the stream.
    follow: Follow,
    upload: Uploading,
    /// The answer as far as it has come.
    answer: Option<Incoming>,
    /// Open pairs of this request.
    pairs: Vec<PairId>,
}

/// The state of the request.
#[derive(Debug)]
enum Uploading {
    /// The request is captured for its copies.
    Captured { fields: Fields, body: Capture },
    /// The request is complete, or no copy waits for it.
    Over,
}

impl Engine {
    pub(super) fn request_headers(&mut self, arrival: Arrival, callback: &mut Callback<'_>) {
        let Arrival { root, stream, fields, end } = arrival;
        let Some(plan) = self.roots.get(&root).and_then(|root| root.plan.clone()) else { return };
        let request = Request::new(&fields);
        if take_off(&plan, &request, callback) {
            return;
        }
        let Some(index) = route::find(&plan.config, &request) else { return };
        let Some(route) = plan.routes.get(index) else { return };
        route.shares.follow(callback.statistics);
        let decision = split::decide(route.route.split.as_ref(), &request, self.random.next());
        let decision = decision.unless(route.shares.is_cut_off(decision.variant));
        let Some(variant) = route.variants.get(decision.variant) else { return };
        callback.count(variant.series.requests.of(decision.reason));
        let split = route.route.split.as_ref();
        if let Some(split) = split {
            callback.effects.push(Effect::SetRequestHeader(split.header.clone(), variant.name.clone()));
        }
        let expose = split.filter(|split| split.expose).map(|split| (split.header.clone(), variant.name.clone()));
        let variant = variant.clone();
        let endpoint = Endpoint::of(request.path());
        let assigned = split.filter(|_| variant.gates.asks.key).and_then(|split| Assigned::of(split, &request, decision));
        let slice = slice::by_headers(route.route.slices.as_ref(), &request);
        let of = AnswerOf { variant: decision.variant, assigned, slice, serves: true };
        let pairs = self.sample(route, &request, endpoint, (decision.variant, slice), callback);
        let wants = wants(route, of, endpoint, (!pairs.is_empty(), expose.is_some()), callback.now);
        let upload = match pairs.as_slice() {
            [] => Uploading::Over,
            _ => Uploading::Captured { fields, body: Capture::new(&self.ledger) },
        };
        let (started, plan, follow) = (callback.now, plan.clone(), wants.follow());
        let exchange = Exchange {
            plan,
            route: index,
            variant,
            of,
            endpoint,
            started,
            complete: None,
            expose,
            wants,
            follow,
            upload,
            answer: None,
            pairs,
        };
        self.exchanges.insert(stream, exchange);
        callback.effects.push(Effect::Follow(follow));
        if end {
            self.request_complete(stream, callback.now);
        }
    }

    /// Draws the request for each shadow of its route, and opens a pair for each copy that may be made.
    fn sample(
        &mut self,
        route: &RoutePlan,
        request: &Request,
        endpoint: Endpoint,
        (place, slice): (usize, usize),
        callback: &mut Callback<'_>,
    ) -> Vec<PairId> {
        let mut pairs = Vec::new();
        let Some(variant) = route.variants.get(place).filter(|_| !route.shadows.is_empty()) else { return pairs };
        let group = Rc::new(RequestGroup::default());
        let draw = mirror::draw(&route.route, request, self.random.next());
        for shadow in route.shadows.iter().filter(|shadow| mirror::sampled(&shadow.settings, draw, place)) {
            let pair = Pair {
                shadow: shadow.clone(),
                slice,
                sampled: shadow.settings.when.is_empty(),
                request_id: request.header("x-request-id").map(|id| String::from_utf8_lossy(id).into_owned()).unwrap_or_default(),
                endpoint,
                variant: variant.clone(),
                group: group.clone(),
                primary: None,
                copy: CopyState::Uploading,
            };
            match self.unsent(shadow, request, callback.now) {
                Some(outcome) => {
                    callback.statistics.add(shadow.series.sampled, 1);
                    self.conclude(&pair, outcome, Note::default(), callback);
                }
                None => pairs.push(self.open_pair(pair, callback)),
            }
        }
        pairs
    }

    /// Why no copy can be made of a request, as far as its headers tell.
    fn unsent(&self, shadow: &BoundShadow, request: &Request, now: Timestamp) -> Option<Outcome> {
        let length = request.header("content-length").and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
        if mirror::is_upgrade(request) {
            Some(Outcome::UnsentUpgrade)
        } else if length.is_some_and(|length| length > shadow.config.limits.body) {
            Some(Outcome::UnsentBody)
        } else if shadow.settings.when.is_empty() && !shadow.breaker.get().admits(now) {
            // (A shadow with conditions asks its breaker once they hold.)
            Some(Outcome::UnsentBreakerOpen)
        } else if self.pairs.len() >= shadow.config.limits.pairs {
            Some(Outcome::UnsentInFlight)
        } else {
            None
        }
    }

    pub(super) fn request_body(&mut self, stream: StreamId, chunk: &[u8], end: bool, callback: &mut Callback<'_>) {
        let Some(exchange) = self.exchanges.get_mut(&stream) else { return };
        let Uploading::Captured { body, .. } = &mut exchange.upload else { return };
        match body.push(chunk, exchange.plan.config.limits.body) {
            Ok(()) if end => self.request_complete(stream, callback.now),
            Ok(()) => {}
            Err(overflow) => {
                exchange.upload = Uploading::Over;
                exchange.wants.copies = false;
                exchange.follow = exchange.wants.follow();
                callback.effects.push(Effect::Follow(exchange.follow));
                let outcome = match overflow {
                    Overflow::Body => Outcome::UnsentBody,
                    Overflow::Memory => Outcome::UnsentMemory,
                };
                for id in std::mem::take(&mut exchange.pairs) {
                    self.close_pair(id, outcome, Note::default(), callback);
                }
            }
        }
    }

    /// Queues the copies of a complete request.
    pub(super) fn request_complete(&mut self, stream: StreamId, now: Timestamp) {
        let Some(exchange) = self.exchanges.get_mut(&stream) else { return };
        exchange.complete = Some(now);
        let Uploading::Captured { fields, body } = std::mem::replace(&mut exchange.upload, Uploading::Over) else { return };
        let Ok(body) = body.into_body() else { return };
        let upload = Rc::new(Upload { fields, body });
        let bounds = Bounds { ledger: self.ledger.clone(), body: exchange.plan.config.limits.body };
        let mut root = self.roots.get_mut(&exchange.plan.root);
        for id in &exchange.pairs {
            if let (Some(pair), Some(root)) = (self.pairs.get_mut(id), &mut root) {
                pair.copy = CopyState::Queued { upload: upload.clone(), shaping: Box::new(Shaping::new(bounds.clone())), since: now };
                root.outbox.push_back(*id);
                self.due = Some(pair.shadow.root);
            }
        }
    }

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
        let wanted = exchange.wants.end || exchange.pairs.iter().any(|id| self.pairs.contains_key(id));
        if !wanted {
            answer.drop_body();
        }
        if !answer.push(chunk) {
            let request_body = matches!(exchange.upload, Uploading::Captured { .. });
            exchange.follow = Follow { request_body, response_headers: true, response_body: false, ..exchange.follow };
            callback.effects.push(Effect::Follow(exchange.follow));
        }
    }

    /// Takes the look at the cluster that answered. What it was routed by is as old as the request.
    pub(super) fn answered_by(&mut self, stream: StreamId, cluster: &str, callback: &mut Callback<'_>) {
        let Some(Exchange { plan, route, of, started, wants: Wants { cluster: true, .. }, .. }) = self.exchanges.get(&stream) else {
            return;
        };
        let Some(route) = plan.routes.get(*route) else { return };
        if route.routing.look(of.variant, cluster, *started, callback) {
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
        let primary = primary(exchange.answer.take(), ending, exchange.pairs.is_empty());
        let first_byte = first_byte.filter(|_| primary.class == Class::Success);
        self.count_answer(&exchange, &primary, first_byte, has_error, callback);
        let Exchange { upload, pairs, .. } = exchange;
        let never_complete = matches!(upload, Uploading::Captured { .. });
        for id in pairs {
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
        if exchange.wants.end && primary.class == Class::Success {
            let bounds = Bounds { ledger: self.ledger.clone(), body: plan.config.limits.body };
            let inspection = Inspection::new(WireFormat::OpenAi, bounds, primary.answer.clone());
            let inspected = Inspected { variant: variant.clone(), of, inspection };
            self.begin_inspection(plan.root, plan.config.limits.pairs, inspected, callback);
        }
    }
}

/// Takes off the headers that no client may set. Returns whether the request is a copy, with which nothing is done.
fn take_off(plan: &Plan, request: &Request, callback: &mut Callback<'_>) -> bool {
    for header in plan.config.split_headers.iter().filter(|header| request.header(header).is_some()) {
        callback.effects.push(Effect::RemoveRequestHeader(header.clone()));
    }
    let is_marked = mirror::is_copy(request);
    if is_marked && !plan.config.trust_copies {
        callback.effects.push(Effect::RemoveRequestHeader(mirror::SHADOW_HEADER.into()));
    }
    is_marked && plan.config.trust_copies
}

/// What is wanted of a request and its answer, beside copies and a header on the response.
fn wants(route: &RoutePlan, of: AnswerOf, endpoint: Endpoint, (copies, expose): (bool, bool), now: Timestamp) -> Wants {
    let asks = route.variants.get(of.variant).map(|variant| variant.gates.asks).unwrap_or_default();
    // The end of a stream tells whether the client left before or after it, also if there are no copies.
    let may_stream = wire_format::is_openai(route.route.protocol, endpoint);
    Wants {
        copies,
        expose,
        stream_end: may_stream,
        error: asks.error && wire_format::may_have_error(route.route.protocol, endpoint),
        end: asks.end && may_stream && of.assigned.is_some(),
        request_end: asks.request_end,
        cluster: route.routing.is_due(of.variant, now),
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
