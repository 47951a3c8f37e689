//! The shadow side: copies that wait, are sent and are answered, and pairs that come to their outcome. It runs in callbacks of the root
//! context, beside the live requests.

use std::rc::Rc;
use std::task::{Poll, ready};

use super::Engine;
use super::breaker::Finding;
use super::effect::{Dispatch, Effect, Effects};
use super::event::{CallError, PairId, RootId, ShadowReply, Time};
use super::evidence::Note;
use super::pair::{self, CopyState, Latencies, Pair, Primary, Reply, Upload};
use super::plan::BoundShadow;
use crate::capture::{Body, Capture, Ledger, Overflow};
use crate::compare::Comparison;
use crate::compare::read::reader::Bounds;
use crate::compare::read::wire_format::{self, WireFormat};
use crate::http::Request;
use crate::labels::{Anomaly, Outcome, ShadowClass};
use crate::limits::{COMPARED_AT_ONCE, COMPARED_PER_CALLBACK, DISPATCHED_PER_CALLBACK, DISPATCHES_PER_CALLBACK, SEARCHED_PER_CALLBACK};
use crate::mirror;
use crate::mirror::body::{NoRoom, Shaped, Shaping};
use crate::mirror::headers::{Lengths, copy_headers};

impl Engine {
    /// Takes on a new pair, which is counted as open if it is sampled already.
    pub(super) fn open_pair(&mut self, pair: Pair, out: &mut Effects) -> PairId {
        let id = self.next_pair;
        self.next_pair = self.next_pair.wrapping_add(1);
        if pair.sampled {
            count_open(&pair.target, out);
        }
        self.pairs.insert(id, pair);
        id
    }

    /// Ends a pair in `outcome`. Had its conditions still to be judged, they never will: so it was sampled.
    pub(super) fn close_pair(&mut self, id: PairId, outcome: Outcome, note: Note, now: Time, out: &mut Effects) {
        let Some(pair) = self.pairs.remove(&id) else { return };
        if pair.sampled {
            out.add(pair.target.series.open_pairs, -1);
        } else {
            out.add(pair.target.series.sampled, 1);
        }
        self.conclude(&pair, outcome, note, now, out);
        self.release_if_idle(pair.target.root, out);
    }

    /// Counts the one outcome of a sampled request at one shadow.
    pub(super) fn conclude(&mut self, pair: &Pair, outcome: Outcome, note: Note, now: Time, out: &mut Effects) {
        let slice = pair.target.series.slices.get(pair.slice);
        out.count(slice.and_then(|slice| slice.outcomes.of(outcome)));
        self.try_pair(pair, outcome, out);
        self.show_failure(pair, outcome, note, now, out);
    }

    pub(super) fn queue_copy(&mut self, id: PairId, upload: Rc<Upload>, now: Time) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        pair.copy = CopyState::Queued { upload, shaping: Shaping::default(), since: now };
        let due = pair.target.root;
        if let Some(root) = self.roots.get_mut(&due) {
            root.outbox.push_back(id);
        }
        self.due = Some(due);
    }

    /// One turn of work: sends some copies, compares a little, and asks for another turn if anything is left.
    pub(super) fn work(&mut self, root: RootId, now: Time, out: &mut Effects) {
        let mut turn = Turn { read: SEARCHED_PER_CALLBACK, sent: DISPATCHED_PER_CALLBACK };
        for _ in 0..DISPATCHES_PER_CALLBACK {
            if turn.read == 0 || turn.sent == 0 {
                break;
            }
            let Some(id) = self.roots.get_mut(&root).and_then(|root| root.outbox.pop_front()) else { break };
            if self.send(id, &mut turn, now, out).is_pending()
                && let Some(root) = self.roots.get_mut(&root)
            {
                root.outbox.push_front(id);
            }
        }
        self.compare(root, now, out);
        self.due = Some(root);
    }

    /// Works on the comparisons of a root context for a while.
    pub(super) fn compare(&mut self, root: RootId, now: Time, out: &mut Effects) {
        let mut budget = COMPARED_PER_CALLBACK;
        while budget > 0 {
            let Some((id, mut comparison)) = self.roots.get_mut(&root).and_then(|root| root.comparisons.pop_front()) else { break };
            match comparison.step(&mut budget) {
                Poll::Ready(report) => self.judged(id, report, now, out),
                Poll::Pending => {
                    if let Some(root) = self.roots.get_mut(&root) {
                        root.comparisons.push_front((id, comparison));
                    }
                }
            }
        }
    }

    /// Sends a queued copy, if nothing stands against it. `Pending`: the turn was over before that was clear; call again.
    fn send(&mut self, id: PairId, turn: &mut Turn, now: Time, out: &mut Effects) -> Poll<()> {
        if !ready!(self.qualifies(id, turn, out)) {
            self.drop_pair(id, out);
            return Poll::Ready(());
        }
        let Some(pair) = self.pairs.get_mut(&id) else { return Poll::Ready(()) };
        let target = pair.target.clone();
        let CopyState::Queued { upload, shaping, since } = &mut pair.copy else { return Poll::Ready(()) };
        let (upload, since) = (upload.clone(), *since);
        let request = Request::new(&upload.fields);
        // The cheap questions first.
        let shadow = self.shadows.entry((target.root, target.index)).or_default();
        let unsent = if shadow.in_flight >= target.shadow.max_in_flight {
            Some(Outcome::UnsentInFlight)
        } else if !shadow.breaker.admits(now) {
            Some(Outcome::UnsentBreakerOpen)
        } else {
            None
        };
        if let Some(outcome) = unsent {
            self.close_pair(id, outcome, Note::default(), now, out);
            return Poll::Ready(());
        }
        if let Some(slice) = ready!(shaping.slice(target.route.slices.as_ref(), &request, &upload.body, &mut turn.read)) {
            pair.slice = slice;
        }
        let shaped = ready!(shaping.shape(&target.shadow.request, &request, &upload.body, &mut turn.read));
        let Some((body, json)) = body(shaped, &upload, &self.ledger) else {
            self.close_pair(id, Outcome::UnsentMemory, Note::default(), now, out);
            return Poll::Ready(());
        };
        turn.sent = turn.sent.saturating_sub(body.bytes().len());
        let lengths = Lengths { body: body.bytes().len(), json };
        match copy_headers(&target.shadow, &target.split_headers, &target.environment, &request, lengths) {
            Ok(headers) => {
                let cluster = mirror::cluster(&target.shadow, &request).to_owned();
                self.sent(id, since, now);
                out.push(Effect::Dispatch(Dispatch { pair: id, cluster, headers, body, timeout: target.shadow.timeout }));
            }
            Err(refused) => self.close_pair(id, Outcome::UnsentRefused, Note::said(refused.0), now, out),
        }
        Poll::Ready(())
    }

    /// Whether a queued copy is to be made at all: then it is sampled. `Pending`: the turn was over before that was clear; call again.
    fn qualifies(&mut self, id: PairId, turn: &mut Turn, out: &mut Effects) -> Poll<bool> {
        let Some(pair) = self.pairs.get_mut(&id) else { return Poll::Ready(false) };
        let CopyState::Queued { upload, shaping, .. } = &mut pair.copy else { return Poll::Ready(true) };
        if pair.sampled {
            return Poll::Ready(true);
        }
        let request = Request::new(&upload.fields);
        pair.sampled = ready!(shaping.qualifies(&pair.target.shadow.when, &request, &upload.body, &mut turn.read));
        if pair.sampled {
            count_open(&pair.target, out);
        }
        Poll::Ready(pair.sampled)
    }

    /// Forgets a pair that was never sampled.
    fn drop_pair(&mut self, id: PairId, out: &mut Effects) {
        if let Some(pair) = self.pairs.remove(&id) {
            self.release_if_idle(pair.target.root, out);
        }
    }

    /// Takes note that a copy goes out.
    fn sent(&mut self, id: PairId, since: Time, now: Time) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let shadow = self.shadows.entry((pair.target.root, pair.target.index)).or_default();
        let probe = shadow.breaker.admit(now) == Some(true);
        shadow.in_flight = shadow.in_flight.saturating_add(1);
        pair.copy = CopyState::InFlight { since, sent: now, probe };
    }

    pub(super) fn dispatched(&mut self, id: PairId, result: Result<u32, CallError>, now: Time, out: &mut Effects) {
        match result {
            Ok(token) => {
                self.calls.insert(token, id);
            }
            Err(error) => {
                let Some(pair) = self.pairs.get(&id) else { return };
                let target = pair.target.clone();
                let probe = matches!(pair.copy, CopyState::InFlight { probe: true, .. });
                self.call_over(&target);
                self.learn(&target, Finding::Nothing, probe, now, out);
                let (outcome, said) = match error {
                    CallError::NoCluster => (Outcome::UnsentNoCluster, "this proxy has no such cluster"),
                    CallError::Refused => (Outcome::UnsentRefused, "the cluster has no healthy host, or its circuit breaker is open"),
                };
                self.close_pair(id, outcome, Note::said(said), now, out);
            }
        }
    }

    pub(super) fn shadow_answered(&mut self, token: u32, mut reply: Option<ShadowReply>, now: Time, out: &mut Effects) {
        let Some(id) = self.calls.remove(&token) else { return out.anomalies.push(Anomaly::UnknownCall) };
        let Some(pair) = self.pairs.get_mut(&id) else { return out.anomalies.push(Anomaly::UnknownCall) };
        let CopyState::InFlight { since, sent, probe } = pair.copy else { return out.anomalies.push(Anomaly::UnknownCall) };
        let target = pair.target.clone();
        let is_stream =
            reply.as_ref().is_some_and(|reply| wire_format::is_stream(target.route.protocol, pair.endpoint, &reply.head.content_type));
        let body = reply.as_mut().and_then(|reply| reply.body.take()).ok_or(Overflow::Body);
        let body = body.and_then(|bytes| Capture::whole(bytes, target.limits.of_answer(is_stream), &self.ledger));
        let elapsed = now.saturating_sub(sent);
        let reply = Reply::read(reply, body, elapsed, target.shadow.timeout);
        out.count(target.series.responses.of(reply.class));
        if !matches!(reply.class, ShadowClass::Reset | ShadowClass::Timeout | ShadowClass::Local) {
            out.record(target.series.duration, elapsed);
        }
        self.call_over(&target);
        if reply.class == ShadowClass::Success {
            // The shadow works, whatever the client's answer comes to, and whenever.
            self.learn(&target, Finding::Works, probe, now, out);
        }
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.copy = CopyState::Answered { since, at: now, reply, took: elapsed, probe };
        }
        self.settle(id, now, out);
        self.work(target.root, now, out);
    }

    pub(super) fn primary_answered(&mut self, id: PairId, primary: Primary, now: Time, out: &mut Effects) {
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.primary = Some(primary);
        }
        self.settle(id, now, out);
    }

    /// Takes a pair on if both its sides are known: to its outcome, or to its comparison.
    fn settle(&mut self, id: PairId, now: Time, out: &mut Effects) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let (Some(primary), CopyState::Answered { since, at, reply, took, probe }) = (&pair.primary, &pair.copy) else { return };
        let (primary, since, at, reply, probe, target) = (primary.clone(), *since, *at, reply.clone(), *probe, pair.target.clone());
        let took = *took;
        let endpoint = pair.endpoint;
        if reply.class != ShadowClass::Success {
            self.learn(&target, pair::finding(primary.class), probe, now, out);
        }
        if let Some(outcome) = pair::outcome(primary.class, reply.class) {
            let note = Note { status: reply.status, grpc_status: reply.grpc_status, class: Some(reply.class), said: None };
            return self.close_pair(id, outcome, note, now, out);
        }
        let Some(completed) = primary.completed else {
            out.anomalies.push(Anomaly::Unsettled);
            return self.close_pair(id, Outcome::Incomparable, Note::default(), now, out);
        };
        let latencies = Latencies { primary: completed.saturating_sub(since), shadow: at.saturating_sub(since), took };
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.copy = CopyState::Comparing(latencies);
            pair.primary = None;
        }
        let wire_format = WireFormat::of(target.route.protocol, endpoint, &primary.answer.content_type);
        let bounds = Bounds { ledger: self.ledger.clone(), body: target.limits.body };
        let mut comparison = Comparison::new(wire_format, target.compare.clone(), bounds, primary.answer, reply.answer);
        // What a comparison holds from when it begins is on no account, and may be megabytes for each coding of an answer: so only the
        // first in the queue has begun.
        let is_first = self.roots.get(&target.root).is_none_or(|root| root.comparisons.is_empty());
        if is_first && let Poll::Ready(report) = comparison.step(&mut COMPARED_AT_ONCE.clone()) {
            return self.judged(id, report, now, out);
        }
        if let Some(root) = self.roots.get_mut(&target.root) {
            root.comparisons.push_back((id, comparison));
        }
        self.due = Some(target.root);
    }

    fn call_over(&mut self, target: &BoundShadow) {
        let state = self.shadow(target);
        state.in_flight = state.in_flight.saturating_sub(1);
    }

    /// Tells a shadow's breaker, and the gauge if it opened or closed.
    fn learn(&mut self, target: &BoundShadow, finding: Finding, probe: bool, now: Time, out: &mut Effects) {
        let breaker = &mut self.shadow(target).breaker;
        let before = breaker.is_open();
        breaker.learn(finding, probe, now);
        match (before, breaker.is_open()) {
            (false, true) => out.add(target.series.breaker_open, 1),
            (true, false) => out.add(target.series.breaker_open, -1),
            _ => {}
        }
    }
}

/// What one turn of work may still spend on copies, in bytes of bodies.
struct Turn {
    /// Read for what the copies depend on.
    read: usize,
    /// Sent.
    sent: usize,
}

/// Counts a pair as sampled and open.
fn count_open(target: &BoundShadow, out: &mut Effects) {
    out.add(target.series.sampled, 1);
    out.add(target.series.open_pairs, 1);
}

/// The body of a copy, with what its headers say of its JSON: the request's, or another one, which is put on `ledger`; `None` if there is
/// no memory for that.
fn body(shaped: Result<Shaped, NoRoom>, upload: &Upload, ledger: &Ledger) -> Option<(Body, Option<usize>)> {
    let Shaped { bytes, json_length } = shaped.ok()?;
    let body = match bytes {
        Some(bytes) => Capture::whole(bytes, usize::MAX, ledger).ok()?,
        None => upload.body.clone(),
    };
    Some((body, json_length))
}
