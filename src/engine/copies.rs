//! The shadow side: copies that wait, are sent and are answered, and pairs that come to their outcome. It runs in callbacks of the root
//! context, beside the live requests.

use std::rc::Rc;
use std::task::{Poll, ready};

use super::Engine;
use super::breaker::Finding;
use super::callback::Callback;
use super::effect::{Dispatch, Effect};
use super::event::CallError;
use super::evidence::Note;
use super::gates::count::PairOf;
use super::head::Reply;
use super::ids::{CallToken, PairId, RootId};
use super::pair::{self, ClassifiedReply, CopyState, Latencies, Pair, Primary, Upload};
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
use crate::timestamp::Timestamp;

impl Engine {
    /// Takes on a new pair, which is counted as open if it is sampled already.
    pub(super) fn open_pair(&mut self, pair: Pair, callback: &mut Callback<'_>) -> PairId {
        let id = self.next_pair;
        self.next_pair = self.next_pair.wrapping_add(1);
        if pair.sampled {
            count_open(&pair.shadow, callback);
        }
        self.pairs.insert(id, pair);
        id
    }

    /// Ends a pair in `outcome`. Had its conditions still to be judged, they never will: so it was sampled.
    pub(super) fn close_pair(&mut self, id: PairId, outcome: Outcome, note: Note, callback: &mut Callback<'_>) {
        let Some(pair) = self.pairs.remove(&id) else { return };
        if pair.sampled {
            callback.statistics.add(pair.shadow.series.open_pairs, -1);
        } else {
            callback.statistics.add(pair.shadow.series.sampled, 1);
        }
        self.conclude(&pair, outcome, note, callback);
        self.release_if_idle(pair.shadow.root, callback);
    }

    /// Ends a pair that is in a state that can't be, which is a defect of the engine.
    fn close_impossible(&mut self, id: PairId, callback: &mut Callback<'_>) {
        callback.statistics.anomaly(Anomaly::Unsettled);
        self.close_pair(id, Outcome::Incomparable, Note::default(), callback);
    }

    /// Counts the one outcome of a sampled request at one shadow.
    pub(super) fn conclude(&mut self, pair: &Pair, outcome: Outcome, note: Note, callback: &mut Callback<'_>) {
        let shadow = &pair.shadow;
        let slice = shadow.series.slices.get(pair.slice);
        callback.count(slice.and_then(|slice| slice.outcomes.of(outcome)));
        let of = PairOf { place: shadow.place, task: &shadow.compare.task, slice: pair.slice, group: &pair.group };
        shadow.gates.count_pair(of, &pair.result(outcome), callback);
        self.show_failure(pair, outcome, note, callback);
    }

    pub(super) fn queue_copy(&mut self, id: PairId, upload: Rc<Upload>, callback: &mut Callback<'_>) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        pair.copy = CopyState::Queued { upload, shaping: Shaping::default(), since: callback.now };
        let due = pair.shadow.root;
        if let Some(root) = self.roots.get_mut(&due) {
            root.outbox.push_back(id);
        }
        self.due = Some(due);
    }

    /// One turn of work: sends some copies, compares a little, and asks for another turn if anything is left.
    pub(super) fn work(&mut self, root: RootId, callback: &mut Callback<'_>) {
        let mut turn = Turn { read: SEARCHED_PER_CALLBACK, sent: DISPATCHED_PER_CALLBACK };
        for _ in 0..DISPATCHES_PER_CALLBACK {
            if turn.read == 0 || turn.sent == 0 {
                break;
            }
            let Some(id) = self.roots.get_mut(&root).and_then(|root| root.outbox.pop_front()) else { break };
            if self.send(id, &mut turn, callback).is_pending()
                && let Some(root) = self.roots.get_mut(&root)
            {
                root.outbox.push_front(id);
            }
        }
        self.compare(root, callback);
        self.due = Some(root);
    }

    /// Works on the comparisons of a root context for a while.
    pub(super) fn compare(&mut self, root: RootId, callback: &mut Callback<'_>) {
        let mut budget = COMPARED_PER_CALLBACK;
        while budget > 0 {
            let Some((id, mut comparison)) = self.roots.get_mut(&root).and_then(|root| root.comparisons.pop_front()) else { break };
            match comparison.step(&mut budget) {
                Poll::Ready(report) => self.judged(id, report, callback),
                Poll::Pending => {
                    if let Some(root) = self.roots.get_mut(&root) {
                        root.comparisons.push_front((id, comparison));
                    }
                }
            }
        }
    }

    /// Sends a queued copy, if nothing stands against it. `Pending`: the turn was over before that was clear.
    fn send(&mut self, id: PairId, turn: &mut Turn, callback: &mut Callback<'_>) -> Poll<()> {
        let Some(pair) = self.pairs.get_mut(&id) else { return Poll::Ready(()) };
        let shadow = pair.shadow.clone();
        let CopyState::Queued { upload, shaping, since } = &mut pair.copy else {
            self.close_impossible(id, callback);
            return Poll::Ready(());
        };
        let (upload, since) = (upload.clone(), *since);
        let request = Request::new(&upload.fields);
        if !pair.sampled {
            if !ready!(shaping.qualifies(&shadow.settings.when, &request, &upload.body, &mut turn.read)) {
                self.drop_pair(id, callback);
                return Poll::Ready(());
            }
            pair.sampled = true;
            count_open(&shadow, callback);
        }
        // The cheap questions first.
        if let Some(outcome) = self.shadow(&shadow).refuses(shadow.settings.max_in_flight, callback.now) {
            self.close_pair(id, outcome, Note::default(), callback);
            return Poll::Ready(());
        }
        let Some(Pair { slice, copy: CopyState::Queued { shaping, .. }, .. }) = self.pairs.get_mut(&id) else { return Poll::Ready(()) };
        if let Some(by_body) = ready!(shaping.slice(shadow.route.slices.as_ref(), &request, &upload.body, &mut turn.read)) {
            *slice = by_body;
        }
        let shaped = ready!(shaping.shape(&shadow.settings.request, &request, &upload.body, &mut turn.read));
        let Some((body, json)) = body(shaped, &upload, &self.ledger) else {
            self.close_pair(id, Outcome::UnsentMemory, Note::default(), callback);
            return Poll::Ready(());
        };
        turn.sent = turn.sent.saturating_sub(body.bytes().len());
        let lengths = Lengths { body: body.bytes().len(), json };
        match copy_headers(&shadow.settings, &shadow.split_headers, &shadow.environment, &request, lengths) {
            Ok(headers) => {
                let cluster = mirror::cluster(&shadow.settings, &request).to_owned();
                self.sent(id, since, callback.now);
                callback.effects.push(Effect::Dispatch(Dispatch { pair: id, cluster, headers, body, timeout: shadow.settings.timeout }));
            }
            Err(refused) => self.close_pair(id, Outcome::UnsentRefused, Note::said(refused.0), callback),
        }
        Poll::Ready(())
    }

    /// Forgets a pair that was never sampled.
    fn drop_pair(&mut self, id: PairId, callback: &mut Callback<'_>) {
        if let Some(pair) = self.pairs.remove(&id) {
            self.release_if_idle(pair.shadow.root, callback);
        }
    }

    /// Takes note that a copy goes out.
    fn sent(&mut self, id: PairId, since: Timestamp, now: Timestamp) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let state = self.shadows.entry((pair.shadow.root, pair.shadow.index)).or_default();
        let probe = state.breaker.admit(now) == Some(true);
        state.in_flight = state.in_flight.saturating_add(1);
        pair.copy = CopyState::InFlight { since, sent: now, probe };
    }

    pub(super) fn dispatched(&mut self, id: PairId, result: Result<CallToken, CallError>, callback: &mut Callback<'_>) {
        match result {
            Ok(token) => {
                self.calls.insert(token, id);
            }
            Err(error) => {
                let Some(pair) = self.pairs.get(&id) else { return };
                let shadow = pair.shadow.clone();
                let probe = matches!(pair.copy, CopyState::InFlight { probe: true, .. });
                self.call_over(&shadow);
                self.record_for_breaker(&shadow, Finding::Nothing, probe, callback);
                let (outcome, said) = match error {
                    CallError::NoCluster => (Outcome::UnsentNoCluster, "this proxy has no such cluster"),
                    CallError::Refused => (Outcome::UnsentRefused, "the cluster has no healthy host, or its circuit breaker is open"),
                };
                self.close_pair(id, outcome, Note::said(said), callback);
            }
        }
    }

    pub(super) fn shadow_answered(&mut self, token: CallToken, mut reply: Option<Reply>, callback: &mut Callback<'_>) {
        let Some((id, pair)) = self.calls.remove(&token).and_then(|id| Some((id, self.pairs.get_mut(&id)?))) else {
            return callback.statistics.anomaly(Anomaly::UnknownCall);
        };
        let shadow = pair.shadow.clone();
        let CopyState::InFlight { since, sent, probe } = pair.copy else { return self.close_impossible(id, callback) };
        let is_stream =
            reply.as_ref().is_some_and(|reply| wire_format::is_stream(shadow.route.protocol, pair.endpoint, &reply.head.content_type));
        let body = reply.as_mut().and_then(|reply| reply.body.take()).ok_or(Overflow::Body);
        let body = body.and_then(|bytes| Capture::whole(bytes, shadow.limits.of_answer(is_stream), &self.ledger));
        let took = callback.now.since(sent);
        let reply = ClassifiedReply::read(reply, body, took, shadow.settings.timeout);
        let class = reply.class;
        callback.count(shadow.series.responses.of(class));
        if !matches!(class, ShadowClass::Reset | ShadowClass::Timeout | ShadowClass::Local) {
            callback.record(shadow.series.duration, took);
        }
        pair.copy = CopyState::Answered { since, at: callback.now, reply, took, probe };
        self.call_over(&shadow);
        if class == ShadowClass::Success {
            // The shadow works, whatever the client's answer comes to, and whenever.
            self.record_for_breaker(&shadow, Finding::Works, probe, callback);
        }
        self.settle(id, callback);
        self.work(shadow.root, callback);
    }

    pub(super) fn primary_answered(&mut self, id: PairId, primary: Primary, callback: &mut Callback<'_>) {
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.primary = Some(primary);
        }
        self.settle(id, callback);
    }

    /// Takes a pair on if both its sides are known: to its outcome, or to its comparison.
    fn settle(&mut self, id: PairId, callback: &mut Callback<'_>) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let (Some(primary), CopyState::Answered { since, at, reply, took, probe }) = (&pair.primary, &pair.copy) else { return };
        let (since, at, took, probe) = (*since, *at, *took, *probe);
        let (primary, reply, shadow, endpoint) = (primary.clone(), reply.clone(), pair.shadow.clone(), pair.endpoint);
        if reply.class != ShadowClass::Success {
            self.record_for_breaker(&shadow, pair::finding(primary.class), probe, callback);
        }
        if let Some(outcome) = pair::outcome(primary.class, reply.class) {
            let note = Note { status: reply.status, grpc_status: reply.grpc_status, class: Some(reply.class), said: None };
            return self.close_pair(id, outcome, note, callback);
        }
        let Some(completed) = primary.completed else { return self.close_impossible(id, callback) };
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.copy = CopyState::Comparing(Latencies { primary: completed.since(since), shadow: at.since(since), took });
            pair.primary = None;
        }
        let wire_format = WireFormat::of(shadow.route.protocol, endpoint, &primary.answer.content_type);
        let bounds = Bounds { ledger: self.ledger.clone(), body: shadow.limits.body };
        let comparison = Comparison::new(wire_format, shadow.compare.clone(), bounds, primary.answer, reply.answer);
        self.begin_comparison(id, &shadow, comparison, callback);
    }

    /// Does a short comparison at once, and queues all others.
    ///
    /// What a comparison holds from when it begins is on no account, and may be megabytes for each coding of an answer. So only the first one
    /// in the queue has begun.
    fn begin_comparison(&mut self, id: PairId, shadow: &BoundShadow, mut comparison: Comparison, callback: &mut Callback<'_>) {
        let is_first = self.roots.get(&shadow.root).is_none_or(|root| root.comparisons.is_empty());
        if is_first && let Poll::Ready(report) = comparison.step(&mut COMPARED_AT_ONCE.clone()) {
            return self.judged(id, report, callback);
        }
        if let Some(root) = self.roots.get_mut(&shadow.root) {
            root.comparisons.push_back((id, comparison));
        }
        self.due = Some(shadow.root);
    }

    fn call_over(&mut self, shadow: &BoundShadow) {
        let state = self.shadow(shadow);
        state.in_flight = state.in_flight.saturating_sub(1);
    }

    /// Records a finding for a shadow's breaker, and shows in the gauge whether the breaker opened or closed.
    fn record_for_breaker(&mut self, shadow: &BoundShadow, finding: Finding, probe: bool, callback: &mut Callback<'_>) {
        let breaker = &mut self.shadow(shadow).breaker;
        let before = breaker.is_open();
        breaker.record(finding, probe, callback.now);
        match (before, breaker.is_open()) {
            (false, true) => callback.statistics.add(shadow.series.breaker_open, 1),
            (true, false) => callback.statistics.add(shadow.series.breaker_open, -1),
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
fn count_open(shadow: &BoundShadow, callback: &mut Callback<'_>) {
    callback.statistics.add(shadow.series.sampled, 1);
    callback.statistics.add(shadow.series.open_pairs, 1);
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
