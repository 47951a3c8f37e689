//! The live side: what is done while a client's request passes; `answered` does the same for its answer. Nothing in these two waits, and
//! nothing changes request and answer but the split header (and `x-gnomon-shadow` where copies are not trusted).

use std::rc::Rc;

use super::Engine;
use super::callback::Callback;
use super::effect::{ClusterOf, Effect, Follow};
use super::event::Arrival;
use super::gates::assigned::Assigned;
use super::gates::count::{self, AnswerOf};
use super::ids::{PairId, StreamId};
use super::incoming::Incoming;
use super::note::Note;
use super::pair::{self, CopyState, Pair, Upload};
use super::plan::{BoundShadow, BoundVariant, Plan, RoutePlan};
use super::request_group::RequestGroup;
use super::wants::Wants;
use crate::capture::{Bounds, Capture, Overflow};
use crate::compare::read::wire_format::{self, Endpoint};
use crate::config::Observe;
use crate::http::{Fields, Request};
use crate::labels::Outcome;
use crate::mirror::{self, body::Shaping};
use crate::split::{self, Reason, observed};
use crate::timestamp::Timestamp;
use crate::{route, slice};

/// A client's request and its answer, while the stream lasts.
#[derive(Debug)]
pub struct Exchange {
    pub(super) plan: Rc<Plan>,
    /// The place of the route in the plan.
    pub(super) route: usize,
    /// The variant that answers. Of a split that is observed that is none until the cluster is known, at the end.
    pub(super) variant: Rc<BoundVariant>,
    /// What gates need to know of the request.
    pub(super) of: AnswerOf,
    pub(super) endpoint: Endpoint,
    /// When the request headers came.
    pub(super) started: Timestamp,
    /// When the request was complete, if anybody wants to know, and no answer came before.
    pub(super) complete: Option<Timestamp>,
    /// The response header that shows the variant.
    pub(super) expose: Option<(Rc<str>, crate::config::Name)>,
    pub(super) wants: Wants,
    /// The events that the shell sends of the rest of the stream.
    pub(super) follow: Follow,
    pub(super) upload: Uploading,
    /// The answer as far as it has come.
    pub(super) answer: Option<Incoming>,
    /// Open pairs of this request.
    pub(super) pairs: Vec<PairId>,
}

/// The state of the request.
#[derive(Debug)]
pub(super) enum Uploading {
    /// The request is captured for its copies.
    Captured { fields: Fields, body: Capture },
    /// The request is complete, or no copy waits for it.
    Over,
}

impl Exchange {
    /// The request is complete. An answer that has begun did not wait for that.
    fn is_complete(&mut self, now: Timestamp) {
        if self.answer.is_none() && self.complete.is_none() {
            self.complete = Some(now);
        }
    }
}

impl Engine {
    pub(super) fn request_headers(&mut self, arrival: Arrival, callback: &mut Callback<'_>) {
        let Arrival { root, stream, fields, end, cluster } = arrival;
        let Some(plan) = self.roots.get(&root).and_then(|root| root.plan.clone()) else { return };
        let request = Request::new(&fields);
        if take_off(&plan, &request, callback) {
            return;
        }
        let Some(index) = route::find(&plan.config, &request) else { return };
        let Some(route) = plan.routes.get(index) else { return };
        let Some((decision, variant)) = self.decide(route, &request, callback) else { return };
        let expose = route.route.split.as_ref().filter(|split| split.expose).map(|split| (split.header.clone(), variant.name.clone()));
        let endpoint = Endpoint::of(request.path());
        let assigned = if variant.gates.asks.key { Assigned::of(&route.route, &request, decision) } else { None };
        let key = assigned.and_then(|assigned| count::begin(&route.gates, assigned, &route.order, callback));
        let slice = slice::by_headers(route.route.slices.as_ref(), &request);
        let of = AnswerOf { variant: decision.variant, key, slice, serves: true };
        let answers = match &route.route.observe {
            None => Some(decision.variant),
            Some(Observe { bucket: Some(_), .. }) => None,
            Some(observe) => Some(observed::variant(observe, cluster.as_deref())),
        };
        let pairs = self.sample(route, &request, endpoint, (&variant, answers, slice), callback);
        let copies = pair::have_copies(&self.pairs, &pairs);
        let wants = wants(route, of, endpoint, (copies, expose.is_some()), callback.now);
        let upload = if copies { Uploading::Captured { fields, body: Capture::new(&self.ledger) } } else { Uploading::Over };
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

    /// Decides which variant answers, counts the request, and sets the header that the routes of the proxy go by. Of a split that is
    /// observed nobody knows yet who answers, and the request is counted when somebody has.
    fn decide(&mut self, route: &RoutePlan, request: &Request, callback: &mut Callback<'_>) -> Option<(split::Decision, Rc<BoundVariant>)> {
        if let Some(observe) = &route.route.observe {
            if let Some(bucket) = &observe.bucket
                && let Some(value) = observed::bucket_value(bucket, request, self.random.next())
            {
                callback.effects.push(Effect::SetRequestHeader(bucket.header.clone(), value));
            }
            let unknown = observed::unknown(observe);
            return Some((split::Decision { variant: unknown, reason: Reason::Observed }, route.variants.get(unknown)?.clone()));
        }
        route.shares.follow(callback.statistics);
        let split = route.route.split.as_ref();
        let decision = split::decide(split, request, self.random.next());
        let decision = decision.unless(route.shares.is_cut_off(decision.variant));
        let variant = route.variants.get(decision.variant)?.clone();
        callback.count(variant.series.requests.of(decision.reason));
        if let Some(split) = split {
            callback.effects.push(Effect::SetRequestHeader(split.header.clone(), variant.name.clone()));
        }
        Some((decision, variant))
    }

    /// Draws the request for each shadow of its route, and opens a pair for each copy that may be made. `answers` is the place of the variant
    /// that answers, as far as it is known.
    fn sample(
        &mut self,
        route: &RoutePlan,
        request: &Request,
        endpoint: Endpoint,
        (variant, answers, slice): (&Rc<BoundVariant>, Option<usize>, usize),
        callback: &mut Callback<'_>,
    ) -> Vec<PairId> {
        let mut pairs = Vec::new();
        if route.shadows.is_empty() {
            return pairs;
        }
        let group = Rc::new(RequestGroup::default());
        let draw = mirror::draw(&route.route, request, self.random.next());
        for shadow in route.shadows.iter().filter(|shadow| mirror::sampled(&shadow.settings, draw, answers)) {
            let pair = Pair {
                shadow: shadow.clone(),
                slice,
                sampled: shadow.settings.when.is_empty(),
                request_id: request.header("x-request-id").map(|id| String::from_utf8_lossy(id).into_owned()).unwrap_or_default(),
                endpoint,
                variant: variant.clone(),
                awaits_variant: answers.is_none(),
                group: group.clone(),
                primary: None,
                copy: CopyState::Uploading,
            };
            match self.unsent(shadow, request, callback.now) {
                None => pairs.push(self.open_pair(pair, callback)),
                // (There is no room for a pair that waits.)
                Some(outcome) if answers.is_some() || outcome == Outcome::UnsentInFlight => {
                    callback.statistics.add(shadow.series.sampled, 1);
                    self.conclude(&pair, outcome, Note::default(), callback);
                }
                Some(outcome) => {
                    let copy = CopyState::Unsent(outcome, Note::default());
                    pairs.push(self.open_pair(Pair { copy, ..pair }, callback));
                }
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
        if end {
            exchange.is_complete(callback.now);
        }
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
                for id in exchange.pairs.clone() {
                    self.close_pair(id, outcome, Note::default(), callback);
                }
            }
        }
    }

    /// Queues the copies of a complete request.
    pub(super) fn request_complete(&mut self, stream: StreamId, now: Timestamp) {
        let Some(exchange) = self.exchanges.get_mut(&stream) else { return };
        exchange.is_complete(now);
        let Uploading::Captured { fields, body } = std::mem::replace(&mut exchange.upload, Uploading::Over) else { return };
        let Ok(body) = body.into_body() else { return };
        let upload = Rc::new(Upload { fields, body });
        let bounds = Bounds { ledger: self.ledger.clone(), body: exchange.plan.config.limits.body };
        let mut root = self.roots.get_mut(&exchange.plan.root);
        for id in &exchange.pairs {
            let pair = self.pairs.get_mut(id).filter(|pair| matches!(pair.copy, CopyState::Uploading));
            if let (Some(pair), Some(root)) = (pair, &mut root) {
                pair.copy = CopyState::Queued { upload: upload.clone(), shaping: Box::new(Shaping::new(bounds.clone())), since: now };
                root.outbox.push_back(*id);
                self.due = Some(pair.shadow.root);
            }
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
        end: asks.end && may_stream && of.key.is_some(),
        request_end: asks.request_end,
        cluster: match &route.route.observe {
            Some(_) => ClusterOf::Request,
            None if route.routing.is_due(of.variant, now) => ClusterOf::Answer,
            None => ClusterOf::Nothing,
        },
    }
}
