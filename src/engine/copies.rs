//! The shadow side: copies are sent and answered, and pairs come to their outcomes. All is done in callbacks of the root context, beside
//! the live requests.

use std::rc::Rc;
use std::task::{Poll, ready};

use super::Engine;
use super::breaker::Finding;
use super::callback::Callback;
use super::effect::{Dispatch, Effect};
use super::event::CallError;
use super::gates::count::PairOf;
use super::head::Reply;
use super::ids::{CallToken, PairId, RootId};
use super::note::Note;
use super::pair::{self, ClassifiedReply, CopyState, Latencies, Pair, Primary};
use super::plan::{BoundShadow, BoundVariant};
use crate::capture::{Bounds, Capture, Overflow};
use crate::compare::Comparison;
use crate::compare::read::wire_format::{self, WireFormat};
use crate::http::Request;
use crate::labels::{Anomaly, Outcome, ShadowClass};
use crate::limits::{COMPARED_AT_ONCE, COMPARED_PER_CALLBACK, DISPATCHED_PER_CALLBACK, DISPATCHES_PER_CALLBACK, SEARCHED_PER_CALLBACK};
use crate::mirror;
use crate::mirror::body::obstacle::Obstacle;
use crate::mirror::headers::copy_headers;

impl Engine {
    /// Takes on a new pair. It counts as open if it is sampled already.
    pub(super) fn open_pair(&mut self, pair: Pair, callback: &mut Callback<'_>) -> PairId {
        let id = self.next_pair;
        self.next_pair = self.next_pair.wrapping_add(1);
        if pair.sampled {
            count_open(&pair.shadow, callback);
        }
        self.pairs.insert(id, pair);
        id
    }

    /// Ends an open pair in `outcome`, or keeps that until its variant is known. A pair that has one to keep keeps it.
    pub(super) fn close_pair(&mut self, id: PairId, outcome: Outcome, note: Note, callback: &mut Callback<'_>) {
        let waits = |pair: &&mut Pair| pair.awaits_variant && outcome != Outcome::Replaced;
        if let Some(pair) = self.pairs.get_mut(&id).filter(waits) {
            if !matches!(pair.copy, CopyState::Unsent(..)) {
                pair.copy = CopyState::Unsent(outcome, note);
            }
        } else if let Some(pair) = self.pairs.remove(&id) {
            self.close_removed(&pair, outcome, note, callback);
        }
    }

    /// Ends a pair that was removed from the table. A pair whose conditions were not judged yet counts as sampled now.
    pub(super) fn close_removed(&mut self, pair: &Pair, outcome: Outcome, note: Note, callback: &mut Callback<'_>) {
        let series = &pair.shadow.series;
        let (series, change) = if pair.sampled { (series.open_pairs, -1) } else { (series.sampled, 1) };
        callback.statistics.add(series, change);
        self.conclude(pair, outcome, note, callback);
        self.release_if_idle(pair.shadow.root, callback);
    }

    /// Ends a pair in an impossible state, which is a defect of the engine.
    fn close_impossible(&mut self, id: PairId, callback: &mut Callback<'_>) {
        callback.statistics.anomaly(Anomaly::Unsettled);
        self.close_pair(id, Outcome::Incomparable, Note::default(), callback);
    }

    /// Counts the one outcome of a sampled request at one shadow. It is no trial if nobody knows whose request it is: the gates of a shadow
    /// judge what it does with those of its variants.
    pub(super) fn conclude(&mut self, pair: &Pair, outcome: Outcome, note: Note, callback: &mut Callback<'_>) {
        let shadow = &pair.shadow;
        let slice = shadow.series.slices.get(pair.slice);
        callback.count(slice.and_then(|slice| slice.outcomes.of(outcome)));
        let of = PairOf { place: shadow.place, task: &shadow.route.compare.task, slice: pair.slice, group: &pair.group };
        if !pair.awaits_variant {
            shadow.gates.count_pair(of, &pair.result(outcome), callback);
        }
        self.show_failure(pair, outcome, note, callback);
    }

    /// One turn of work: sends some copies, compares a little, and asks for another turn if anything is left.
    pub(super) fn work(&mut self, root: RootId, callback: &mut Callback<'_>) {
        let mut turn = Turn { read: SEARCHED_PER_CALLBACK, sent: DISPATCHED_PER_CALLBACK };
        for _ in 0..DISPATCHES_PER_CALLBACK {
            if turn.read == 0 || turn.sent == 0 {
                break;
            }
            let Some(id) = self.roots.get_mut(&root).and_then(|root| root.outbox.pop_front()) else { break };
            match self.send(id, &mut turn, callback) {
                Poll::Ready(None) => {}
                Poll::Ready(Some((outcome, note))) => self.close_pair(id, outcome, note, callback),
                Poll::Pending => {
                    if let Some(root) = self.roots.get_mut(&root) {
                        root.outbox.push_front(id);
                    }
                }
            }
        }
        let mut budget = COMPARED_PER_CALLBACK;
        self.compare(root, &mut budget, callback);
        self.inspect(root, &mut budget, callback);
        self.due = Some(root);
    }

    /// Works on the comparisons of a root context, for about `budget` bytes.
    pub(super) fn compare(&mut self, root: RootId, budget: &mut usize, callback: &mut Callback<'_>) {
        while *budget > 0 {
            let Some((id, mut comparison)) = self.roots.get_mut(&root).and_then(|root| root.comparisons.pop_front()) else { break };
            match comparison.step(budget) {
                Poll::Ready(report) => self.judged(id, report, callback),
                Poll::Pending => {
                    if let Some(root) = self.roots.get_mut(&root) {
                        root.comparisons.push_front((id, comparison));
                    }
                }
            }
        }
    }

    /// Sends a queued copy. Returns the pair's outcome if no copy can be sent. `Pending`: the turn was over before that was clear.
    fn send(&mut self, id: PairId, turn: &mut Turn, callback: &mut Callback<'_>) -> Poll<Option<(Outcome, Note)>> {
        let Some(Pair { shadow, slice, endpoint, sampled, copy, .. }) = self.pairs.get_mut(&id) else { return Poll::Ready(None) };
        let CopyState::Queued { upload, shaping, since } = copy else {
            callback.statistics.anomaly(Anomaly::Unsettled);
            return Poll::Ready(Some((Outcome::Incomparable, Note::default())));
        };
        let request = Request::new(&upload.fields);
        if !*sampled {
            let unjudged = match ready!(shaping.qualifies(&shadow.settings.when, &request, &upload.body, &mut turn.read)) {
                Ok(qualifies) => {
                    *sampled = qualifies;
                    None
                }
                Err(Obstacle::Unfit(reason)) => Some(reason),
                Err(overflow) => return Poll::Ready(Some(unsent(overflow))),
            };
            if !*sampled {
                self.leave_out(id, unjudged, callback);
                return Poll::Ready(None);
            }
            count_open(shadow, callback);
        }
        // The cheap questions first.
        if let Some(outcome) = shadow.refuses(callback.now) {
            return Poll::Ready(Some((outcome, Note::default())));
        }
        match ready!(shaping.slice(shadow.route.slices.as_ref(), &request, &upload.body, &mut turn.read)) {
            Ok(Some(by_body)) => *slice = by_body,
            Ok(None) => {}
            Err(overflow) => return Poll::Ready(Some(unsent(Obstacle::Overflow(overflow)))),
        }
        let adds_model = wire_format::is_openai(shadow.route.protocol, *endpoint);
        let shaped = match ready!(shaping.shape(&shadow.settings.request, adds_model, &request, &upload.body, &mut turn.read)) {
            Ok(shaped) => shaped,
            Err(obstacle) => return Poll::Ready(Some(unsent(obstacle))),
        };
        turn.sent = turn.sent.saturating_sub(shaped.body.bytes().len());
        let headers = match copy_headers(&shadow.settings, &shadow.config.split_headers, &shadow.environment, &request, &shaped) {
            Ok(headers) => headers,
            Err(refused) => return Poll::Ready(Some((Outcome::UnsentRefused, Note::said(refused.0)))),
        };
        let (cluster, timeout) = (mirror::cluster(&shadow.settings, &request).to_owned(), shadow.settings.timeout);
        *copy = CopyState::InFlight { since: *since, sent: callback.now, probe: shadow.copy_sent(callback.now) };
        callback.effects.push(Effect::Dispatch(Dispatch { pair: id, cluster, headers, body: shaped.body, timeout }));
        Poll::Ready(None)
    }

    /// Drops a pair that was never sampled, and so has no outcome: its request does not meet the shadow's conditions, or that can't be
    /// judged for the reason `unjudged`.
    fn leave_out(&mut self, id: PairId, unjudged: Option<String>, callback: &mut Callback<'_>) {
        let Some(pair) = self.pairs.remove(&id) else { return };
        if let Some(reason) = unjudged {
            callback.statistics.add(pair.shadow.series.unjudged, 1);
            self.show_unjudged(&pair, &reason, callback);
        }
        self.release_if_idle(pair.shadow.root, callback);
    }

    pub(super) fn dispatched(&mut self, id: PairId, result: Result<CallToken, CallError>, callback: &mut Callback<'_>) {
        let (outcome, said) = match result {
            Ok(token) => {
                self.calls.insert(token, id);
                return;
            }
            Err(CallError::NoCluster) => (Outcome::UnsentNoCluster, "this proxy has no such cluster"),
            Err(CallError::Refused) => (Outcome::UnsentRefused, "the cluster has no healthy host, or its circuit breaker is open"),
        };
        let Some(Pair { shadow, copy, .. }) = self.pairs.get(&id) else { return };
        shadow.call_over();
        shadow.record(Finding::Nothing, matches!(copy, CopyState::InFlight { probe: true, .. }), callback);
        self.close_pair(id, outcome, Note::said(said), callback);
    }

    pub(super) fn shadow_answered(&mut self, token: CallToken, mut reply: Option<Reply>, callback: &mut Callback<'_>) {
        let Some((id, pair)) = self.calls.remove(&token).and_then(|id| Some((id, self.pairs.get_mut(&id)?))) else {
            return callback.statistics.anomaly(Anomaly::UnknownCall);
        };
        let CopyState::InFlight { since, sent, probe } = pair.copy else { return self.close_impossible(id, callback) };
        let shadow = pair.shadow.clone();
        let may_stream = wire_format::is_openai(shadow.route.protocol, pair.endpoint);
        let body = reply.as_mut().and_then(|reply| Some((reply.body.take()?, &reply.head))).ok_or(Overflow::Body);
        let body = body.and_then(|(bytes, head)| {
            let limit = shadow.config.limits.of_answer(may_stream && head.may_stream(&bytes));
            Capture::whole(bytes, limit, &self.ledger)
        });
        let took = callback.now.since(sent);
        let reply = ClassifiedReply::read(reply, body, took, shadow.settings.timeout);
        let class = reply.class;
        callback.count(shadow.series.responses.of(class));
        if !matches!(class, ShadowClass::Reset | ShadowClass::Timeout | ShadowClass::Local) {
            callback.record(shadow.series.duration, took);
        }
        pair.copy = CopyState::Answered { since, at: callback.now, reply, took, probe };
        shadow.call_over();
        if class == ShadowClass::Success {
            // The shadow works, whatever the client's answer will be.
            shadow.record(Finding::Works, probe, callback);
        }
        self.settle(id, callback);
        self.work(shadow.root, callback);
    }

    /// Learns which variant has answered the client of a pair. If the shadow is not for its requests, the pair ends, unless its copy is
    /// under way: then it ends with that. Returns whether the pair goes on.
    pub(super) fn variant_known(&mut self, id: PairId, variant: &Rc<BoundVariant>, callback: &mut Callback<'_>) -> bool {
        let Some(pair) = self.pairs.get_mut(&id) else { return false };
        (pair.variant, pair.awaits_variant) = (variant.clone(), false);
        let is_other = pair.is_of_other_variant();
        let ends_in = match &mut pair.copy {
            CopyState::Uploading | CopyState::Queued { .. } | CopyState::Unsent(..) if is_other => (Outcome::OtherVariant, Note::default()),
            CopyState::Unsent(outcome, note) => (*outcome, std::mem::take(note)),
            _ => return true,
        };
        if is_other && !pair.sampled {
            self.leave_out(id, None, callback);
        } else {
            self.close_pair(id, ends_in.0, ends_in.1, callback);
        }
        false
    }

    pub(super) fn primary_answered(&mut self, id: PairId, primary: Primary, callback: &mut Callback<'_>) {
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.primary = Some(primary);
            self.settle(id, callback);
        }
    }

    /// Brings a pair with both answers to its outcome or to its comparison.
    fn settle(&mut self, id: PairId, callback: &mut Callback<'_>) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let is_of_other_variant = pair.is_of_other_variant();
        let Pair { shadow, endpoint, primary, copy, .. } = pair;
        let (Some(answered), CopyState::Answered { since, at, reply, took, probe }) = (&primary, &copy) else { return };
        if reply.class != ShadowClass::Success {
            shadow.record(pair::finding(answered.class), *probe, callback);
        }
        if is_of_other_variant {
            return self.close_pair(id, Outcome::OtherVariant, Note::default(), callback);
        }
        if let Some(outcome) = pair::outcome(answered.class, answered.refusal(), reply.class) {
            let note = Note { status: reply.answer.status, grpc_status: reply.grpc_status.clone(), class: Some(reply.class), said: None };
            return self.close_pair(id, outcome, note, callback);
        }
        let Some(completed) = answered.completed else { return self.close_impossible(id, callback) };
        let latencies = Latencies { primary: completed.since(*since), shadow: at.since(*since), took: *took };
        let wire_format = WireFormat::of(shadow.route.protocol, *endpoint, &answered.answer.content_type);
        let bounds = Bounds { ledger: self.ledger.clone(), body: shadow.config.limits.body };
        let (answer, reply) = (answered.answer.clone(), reply.answer.clone());
        let comparison = Comparison::new(wire_format, shadow.route.compare.clone(), bounds, answer, reply);
        let root = shadow.root;
        (*copy, *primary) = (CopyState::Comparing(latencies), None);
        self.begin_comparison(id, root, comparison, callback);
    }

    /// Does a short comparison at once, and queues all others.
    ///
    /// The memory of a comparison that has begun is not on the ledger, and may be megabytes for each coding of an answer. So only the first
    /// one in the queue has begun.
    fn begin_comparison(&mut self, id: PairId, root_id: RootId, mut comparison: Comparison, callback: &mut Callback<'_>) {
        let mut root = self.roots.get_mut(&root_id);
        let is_first = root.as_ref().is_none_or(|root| root.comparisons.is_empty());
        if is_first && let Poll::Ready(report) = comparison.step(&mut COMPARED_AT_ONCE.clone()) {
            return self.judged(id, report, callback);
        }
        if let Some(root) = &mut root {
            root.comparisons.push_back((id, comparison));
        }
        self.due = Some(root_id);
    }
}

/// What one turn of work may still spend on copies, in bytes of bodies.
struct Turn {
    /// For reading what copies depend on.
    read: usize,
    /// For sending.
    sent: usize,
}

/// Counts a pair as sampled and open.
fn count_open(shadow: &BoundShadow, callback: &mut Callback<'_>) {
    callback.statistics.add(shadow.series.sampled, 1);
    callback.statistics.add(shadow.series.open_pairs, 1);
}

/// The outcome of a request of which no copy can be made.
fn unsent(obstacle: Obstacle) -> (Outcome, Note) {
    match obstacle {
        Obstacle::Overflow(Overflow::Body) => (Outcome::UnsentBody, Note::said("longer than limits.body once it is decoded")),
        Obstacle::Overflow(Overflow::Memory) => (Outcome::UnsentMemory, Note::default()),
        Obstacle::Unfit(reason) => (Outcome::UnsentUnshaped, Note::said(reason)),
    }
}
