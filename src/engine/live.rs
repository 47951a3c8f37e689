//! The live side: what is done while a client's request and its answer pass. Nothing here waits, and nothing changes them but the split
//! header (and `x-gnomon-shadow` where copies are not trusted).

use std::rc::Rc;

use super::Engine;
use super::effect::{Effect, Effects, Follow};
use super::event::{Arrival, Ending, Head, PairId, StreamId, Time};
use super::evidence::Note;
use super::gates::RequestGroup;
use super::incoming::{self, Incoming};
use super::measure::Answered;
use super::pair::{CopyState, Pair, Primary, Upload};
use super::plan::{BoundShadow, BoundVariant, Plan, RoutePlan};
use crate::capture::{Capture, Overflow};
use crate::compare::read::wire_format::{self, Endpoint};
use crate::config::Protocol;
use crate::http::{Fields, Request, is_event_stream};
use crate::labels::{Class, Outcome};
use crate::mirror;
use crate::{route, split};

/// A client's request and its answer, while the stream lasts.
#[derive(Debug)]
pub struct Exchange {
    plan: Rc<Plan>,
    answerer: Rc<BoundVariant>,
    /// As far as headers tell.
    slice: usize,
    protocol: Protocol,
    endpoint: Endpoint,
    /// When the request headers came.
    started: Time,
    /// The response header that shows the variant.
    expose: Option<(Rc<str>, crate::config::Name)>,
    /// What the shell tells of the stream.
    follow: Follow,
    upload: Uploading,
    /// The answer as far as it has come.
    answer: Option<Incoming>,
    /// Open pairs of this request.
    pairs: Vec<PairId>,
}

/// How far the request is.
#[derive(Debug)]
enum Uploading {
    /// It is captured for its copies.
    Captured { fields: Fields, body: Capture },
    /// It is complete, or no copy wants it any more.
    Over,
}

impl Engine {
    pub(super) fn request_headers(&mut self, arrival: Arrival, now: Time, out: &mut Effects) {
        let Arrival { root, stream, fields, end, tripped } = arrival;
        let Some(plan) = self.plan(root) else { return };
        let request = Request::new(&fields);
        for header in plan.config.split_headers.iter().filter(|header| request.header(header).is_some()) {
            out.push(Effect::RemoveRequestHeader(header.clone()));
        }
        if mirror::is_copy(&request) {
            if plan.config.trust_copies {
                return;
            }
            out.push(Effect::RemoveRequestHeader(mirror::SHADOW_HEADER.into()));
        }
        let Some(route) = route::find(&plan.config, &request).and_then(|index| plan.routes.get(index)) else { return };
        let cut_off = route.shares.iter().filter(|share| share.is_tripped(&tripped) && !share.cut_off.replace(true));
        if cut_off.count() > 0 {
            // Whoever cut it off may have shown the shares of an older configuration.
            out.push(Effect::ShowSplit { shares: route.shares.clone(), all: false });
        }
        let decision = split::decide(route.route.split.as_ref(), &request, self.random.next());
        let decision = decision.unless(route.shares.get(decision.variant).is_some_and(|share| share.cut_off.get()));
        let Some(answerer) = route.variants.get(decision.variant) else { return };
        out.count(answerer.series.requests.of(decision.reason));
        let split = route.route.split.as_ref();
        if let Some(split) = split {
            out.push(Effect::SetRequestHeader(split.header.clone(), answerer.name.clone()));
        }
        let expose = split.filter(|split| split.expose).map(|split| (split.header.clone(), answerer.name.clone()));
        let answerer = answerer.clone();
        let (protocol, endpoint) = (route.route.protocol, Endpoint::of(request.path()));
        let slice = mirror::slice(route.route.slices.as_ref(), &request);
        let pairs = self.sample(route, &request, endpoint, (decision.variant, slice), now, out);
        let upload = match pairs.as_slice() {
            [] => Uploading::Over,
            _ => Uploading::Captured { fields, body: Capture::new(&self.ledger) },
        };
        let follow = Follow {
            request_body: !pairs.is_empty() && !end,
            response_headers: !pairs.is_empty() || expose.is_some() || wire_format::may_stream(protocol, endpoint),
            response_body: !pairs.is_empty(),
            first_byte: wire_format::may_stream(protocol, endpoint),
        };
        let exchange =
            Exchange { plan: plan.clone(), answerer, slice, protocol, endpoint, started: now, expose, follow, upload, answer: None, pairs };
        self.exchanges.insert(stream, exchange);
        out.push(Effect::Follow(follow));
        if end {
            self.request_complete(stream, now);
        }
    }

    /// Draws the request for each shadow of its route, and opens a pair for each copy that may be made.
    fn sample(
        &mut self,
        route: &RoutePlan,
        request: &Request,
        endpoint: Endpoint,
        (variant, slice): (usize, usize),
        now: Time,
        out: &mut Effects,
    ) -> Vec<PairId> {
        let mut pairs = Vec::new();
        let Some(answerer) = route.variants.get(variant).filter(|_| !route.shadows.is_empty()) else { return pairs };
        let siblings = Rc::new(RequestGroup::default());
        let draw = mirror::draw(&route.route, request, self.random.next());
        for target in route.shadows.iter().filter(|target| mirror::sampled(&target.shadow, draw, variant)) {
            let pair = Pair {
                target: target.clone(),
                slice,
                sampled: target.shadow.when.is_empty(),
                request_id: request.header("x-request-id").map(|id| String::from_utf8_lossy(id).into_owned()).unwrap_or_default(),
                endpoint,
                answerer: answerer.clone(),
                siblings: siblings.clone(),
                primary: None,
                copy: CopyState::Uploading,
            };
            match self.unsent(target, request, now) {
                Some(outcome) => {
                    out.add(target.series.sampled, 1);
                    self.conclude(&pair, outcome, Note::default(), now, out);
                }
                None => pairs.push(self.open_pair(pair, out)),
            }
        }
        pairs
    }

    /// Why no copy can be made of a request, as far as its headers tell.
    fn unsent(&mut self, target: &BoundShadow, request: &Request, now: Time) -> Option<Outcome> {
        let length = request.header("content-length").and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
        if mirror::is_upgrade(request) {
            Some(Outcome::UnsentUpgrade)
        } else if length.is_some_and(|length| length > target.limits.body) {
            Some(Outcome::UnsentBody)
        } else if target.shadow.when.is_empty() && !self.shadow(target).breaker.admits(now) {
            // (Where there are conditions, it is asked once they hold.)
            Some(Outcome::UnsentBreakerOpen)
        } else if self.pairs.len() >= target.limits.pairs {
            Some(Outcome::UnsentInFlight)
        } else {
            None
        }
    }

    pub(super) fn request_body(&mut self, stream: StreamId, chunk: &[u8], end: bool, now: Time, out: &mut Effects) {
        let Some(exchange) = self.exchanges.get_mut(&stream) else { return };
        let Uploading::Captured { body, .. } = &mut exchange.upload else { return };
        match body.push(chunk, exchange.plan.config.limits.body) {
            Ok(()) if end => self.request_complete(stream, now),
            Ok(()) => {}
            Err(overflow) => {
                exchange.upload = Uploading::Over;
                let response_headers = exchange.expose.is_some() || exchange.follow.first_byte;
                exchange.follow = Follow { request_body: false, response_headers, response_body: false, ..exchange.follow };
                out.push(Effect::Follow(exchange.follow));
                let outcome = match overflow {
                    Overflow::Body => Outcome::UnsentBody,
                    Overflow::Memory => Outcome::UnsentMemory,
                };
                for id in std::mem::take(&mut exchange.pairs) {
                    self.close_pair(id, outcome, Note::default(), now, out);
                }
            }
        }
    }

    /// The request is complete: its copies are due.
    pub(super) fn request_complete(&mut self, stream: StreamId, now: Time) {
        let Some(exchange) = self.exchanges.get_mut(&stream) else { return };
        let Uploading::Captured { fields, body } = std::mem::replace(&mut exchange.upload, Uploading::Over) else { return };
        let Ok(body) = body.into_body() else { return };
        let upload = Rc::new(Upload { fields, body });
        for id in exchange.pairs.clone() {
            self.queue_copy(id, upload.clone(), now);
        }
    }

    pub(super) fn response_headers(&mut self, stream: StreamId, head: Head, out: &mut Effects) {
        let Some(exchange) = self.exchanges.get_mut(&stream) else { return };
        if let Some((header, variant)) = exchange.expose.take() {
            out.push(Effect::SetResponseHeader(header, variant));
        }
        let (protocol, endpoint, limits) = (exchange.protocol, exchange.endpoint, exchange.plan.config.limits);
        // Of a stream the end matters in any case: whether the client left before it or after.
        if !exchange.follow.response_body && wire_format::is_stream(protocol, endpoint, &head.content_type) {
            exchange.follow.response_body = true;
            out.push(Effect::Follow(exchange.follow));
        }
        exchange.answer = Some(Incoming::new(head, protocol, endpoint, &self.ledger, limits));
    }

    pub(super) fn response_body(&mut self, stream: StreamId, chunk: &[u8], out: &mut Effects) {
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
            out.push(Effect::Follow(exchange.follow));
        }
    }

    pub(super) fn stream_end(&mut self, stream: StreamId, ending: Ending, first_byte: Option<Time>, now: Time, out: &mut Effects) {
        let Some(Exchange { answerer, slice, started, upload, answer, pairs, .. }) = self.exchanges.remove(&stream) else { return };
        let ending = match &answer {
            Some(answer) if ending == Ending::ClientLeft && answer.is_over() => Ending::Answered { at: now, grpc_status: None },
            _ => ending,
        };
        let streams = answer.as_ref().is_some_and(|answer| is_event_stream(&answer.head.content_type));
        let primary = primary(answer, ending, pairs.is_empty());
        out.count(answerer.series.responses.of(primary.class));
        let took = primary.completed.map(|at| at.saturating_sub(started));
        if let Some(took) = took {
            out.record(answerer.series.duration, took);
        }
        let first_byte = first_byte.filter(|_| streams && primary.class == Class::Success).map(|at| at.saturating_sub(started));
        if let (Some(took), Some(series)) = (first_byte, answerer.series.first_byte) {
            out.record(series, took);
        }
        self.try_answer(&answerer, slice, &Answered { class: primary.class, took, first_byte }, out);
        let never_complete = matches!(upload, Uploading::Captured { .. });
        for id in pairs {
            if never_complete {
                let (outcome, note) = match primary.class {
                    Class::Cancelled => (Outcome::Cancelled, Note::default()),
                    Class::Success => (Outcome::UnsentBody, Note::said("the answer was complete before the request body")),
                    _ => (Outcome::PrimaryFailed, Note::default()),
                };
                self.close_pair(id, outcome, note, now, out);
            } else {
                self.primary_answered(id, primary.clone(), now, out);
            }
        }
    }
}

/// How the client was answered, seen from the end of its stream; `unpaired` if no copy waits for that.
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
