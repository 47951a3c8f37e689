//! The live side: what is done while a client's request and its answer pass. Nothing here waits, and nothing changes them but the split
//! header (and `x-gnomon-shadow` where copies are not trusted).

use std::rc::Rc;

use super::Engine;
use super::callback::Callback;
use super::effect::{Effect, Follow};
use super::ending::Ending;
use super::event::Arrival;
use super::evidence::Note;
use super::gates::judge;
use super::gates::measure::AnswerResult;
use super::head::Head;
use super::ids::{PairId, StreamId};
use super::incoming::{self, Incoming};
use super::pair::{CopyState, Pair, Primary, Upload};
use super::plan::{BoundShadow, BoundVariant, Plan, RoutePlan};
use super::request_group::RequestGroup;
use crate::capture::{Bounds, Capture, Overflow};
use crate::compare::read::wire_format::{self, Endpoint};
use crate::http::{Fields, Request};
use crate::labels::{Class, Outcome};
use crate::mirror::{self, body::Shaping};
use crate::timestamp::Timestamp;
use crate::{route, slice, split};

/// A client's request and its answer, while the stream lasts.
#[derive(Debug)]
pub struct Exchange {
    plan: Rc<Plan>,
    variant: Rc<BoundVariant>,
    /// The slice of the request by its headers.
    slice: usize,
    /// When the request headers came.
    started: Timestamp,
    /// The response header that shows the variant.
    expose: Option<(Rc<str>, crate::config::Name)>,
    /// The events that the shell sends of the rest of the stream.
    follow: Follow,
    /// The route and the variant, by their places, if the cluster that answers is looked at.
    look: Option<(usize, usize)>,
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
        for header in plan.config.split_headers.iter().filter(|header| request.header(header).is_some()) {
            callback.effects.push(Effect::RemoveRequestHeader(header.clone()));
        }
        if mirror::is_copy(&request) {
            if plan.config.trust_copies {
                return;
            }
            callback.effects.push(Effect::RemoveRequestHeader(mirror::SHADOW_HEADER.into()));
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
        let slice = slice::by_headers(route.route.slices.as_ref(), &request);
        let pairs = self.sample(route, &request, endpoint, (decision.variant, slice), callback);
        let upload = match pairs.as_slice() {
            [] => Uploading::Over,
            _ => Uploading::Captured { fields, body: Capture::new(&self.ledger) },
        };
        // The end of a stream tells whether the client left before or after it, also if there are no copies.
        let may_stream = wire_format::is_openai(route.route.protocol, endpoint);
        let look = route.routing.is_due(decision.variant, callback.now).then_some((index, decision.variant));
        let follow = Follow {
            request_body: !pairs.is_empty() && !end,
            response_headers: !pairs.is_empty() || expose.is_some() || may_stream,
            response_body: !pairs.is_empty() || may_stream,
            may_stream,
            cluster: look.is_some(),
        };
        let started = callback.now;
        let exchange = Exchange { plan: plan.clone(), variant, slice, started, expose, follow, look, upload, answer: None, pairs };
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
                let may_stream = exchange.follow.may_stream;
                let response_headers = exchange.expose.is_some() || may_stream;
                exchange.follow = Follow { request_body: false, response_headers, response_body: may_stream, ..exchange.follow };
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
        exchange.answer = Some(Incoming::new(head, exchange.follow.may_stream, &self.ledger, exchange.plan.config.limits));
    }

    pub(super) fn response_body(&mut self, stream: StreamId, chunk: &[u8], callback: &mut Callback<'_>) {
        let Some(exchange) = self.exchanges.get_mut(&stream) else { return };
        let Some(answer) = &mut exchange.answer else { return };
        // Pairs may have ended since: a copy that could not be sent needs no answer to be compared with.
        let wanted = exchange.pairs.iter().any(|id| self.pairs.contains_key(id));
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
        let Some(Exchange { plan, started, look: Some((route, variant)), .. }) = self.exchanges.get(&stream) else { return };
        let Some(route) = plan.routes.get(*route) else { return };
        if route.routing.look(*variant, cluster, *started, callback) {
            judge::judge_all(&route.gates, callback);
        }
    }

    pub(super) fn stream_end(&mut self, stream: StreamId, ending: Ending, first_byte: Option<Timestamp>, callback: &mut Callback<'_>) {
        let Some(Exchange { plan, variant, slice, started, upload, mut answer, pairs, .. }) = self.exchanges.remove(&stream) else {
            return;
        };
        if let Some(answer) = &mut answer {
            answer.end();
        }
        let ending = match &answer {
            Some(answer) if ending == Ending::ClientLeft && answer.is_over() => Ending::Answered { at: callback.now, grpc_status: None },
            _ => ending,
        };
        let streams = answer.as_ref().is_some_and(Incoming::is_stream);
        let primary = primary(answer, ending, pairs.is_empty());
        callback.count(variant.series.responses.of(primary.class));
        let took = primary.completed.map(|at| at.since(started));
        if let Some(took) = took {
            callback.record(variant.series.duration, took);
        }
        let first_byte = first_byte.filter(|_| streams && primary.class == Class::Success).map(|at| at.since(started));
        if let (Some(took), Some(series)) = (first_byte, variant.series.first_byte) {
            callback.record(series, took);
        }
        let serves = self.roots.get(&plan.root).is_some_and(|root| !root.retiring);
        let result = AnswerResult { class: primary.class, took, first_byte };
        variant.gates.count_answer(slice, &result, serves, callback);
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
}

/// How the client was answered, known at the end of its stream. `unpaired`: no pair waits for the answer.
fn primary(answer: Option<Incoming>, ending: Ending, unpaired: bool) -> Primary {
    let broken = |class| Primary { class, answer: incoming::none(), completed: None };
    match (answer, ending) {
        (Some(mut answer), Ending::Answered { at, grpc_status }) => {
            answer.head.grpc_status = grpc_status.or(answer.head.grpc_status);
            let class = Class::of(answer.head.effective_status());
            Primary { class, answer: answer.finish(), completed: Some(at) }
        }
        // An upgraded connection has no end of its own. (Upgrades are never copied: a 101 to anything else is broken.)
        (Some(Incoming { head: Head { status: 101, .. }, .. }), _) if unpaired => broken(Class::Success),
        (_, Ending::ClientLeft) => broken(Class::Cancelled),
        (_, Ending::Redirected) => broken(Class::Redirect),
        _ => broken(Class::Reset),
    }
}
