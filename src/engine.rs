//! The life of sampled requests: events in, effects out.
//!
//! [`Engine::on`] is total: no I/O, no clock, no panic. One engine serves all root contexts of a VM, so that bounds hold for the worker
//! and the pairs of an older configuration still end. The engine keeps only what is under way; all counts are at the host.
//! What to sample and to copy is decided in [`crate::mirror`], how two answers compare in [`crate::compare`].

mod answered;
pub mod breaker;
pub mod callback;
mod copies;
pub mod effect;
pub mod ending;
pub mod event;
mod evidence;
mod exported;
pub mod gates;
pub mod head;
pub mod ids;
mod incoming;
mod inspected;
pub mod intake;
mod live;
mod log_line;
mod note;
pub mod pair;
pub mod plan;
mod report;
pub mod request_group;
mod roots;
#[cfg(test)]
mod tests;
mod wants;

use std::collections::VecDeque;
use std::rc::Rc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use xxhash_rust::xxh64::xxh64;

use crate::capture::Ledger;
use crate::compare::Comparison;
use crate::stats::{Statistics, WorkerSeries};
use crate::timestamp::Timestamp;
use callback::Callback;
use effect::Effect;
use event::Event;
use ids::{CallToken, PairId, RootId, StreamId};
use inspected::Inspected;
use pair::Pair;
use plan::Plan;

/// A table keyed by ids of the host or of the engine. No client can know the seed of its hasher.
type Table<K, V> = HashMap<K, V, FixedState>;

/// All that is under way in one VM.
#[derive(Debug)]
pub struct Engine {
    series: WorkerSeries,
    ledger: Ledger,
    /// `gnomon_captured_bytes` as this worker last moved it.
    reported: usize,
    /// The part of `gnomon_captured_limit_bytes` that is this worker's.
    limit_shown: usize,
    roots: Table<RootId, Root>,
    exchanges: Table<StreamId, live::Exchange>,
    pairs: Table<PairId, Pair>,
    calls: Table<CallToken, PairId>,
    next_pair: PairId,
    random: Random,
    throttle: evidence::Throttle,
    exported: Vec<exported::Exported>,
    /// The root context that got work during the current event.
    due: Option<RootId>,
}

/// One root context.
#[derive(Debug)]
struct Root {
    /// Equal for root contexts that the host takes for one another.
    key: u64,
    /// Its configuration at work. `None` without a valid one: the root context does nothing, but keeps the VM alive.
    plan: Option<Rc<Plan>>,
    /// Copies to send, oldest first.
    outbox: VecDeque<PairId>,
    /// Comparisons to work off, oldest first.
    comparisons: VecDeque<(PairId, Comparison)>,
    /// Answers to read for how they ended, oldest first.
    inspections: VecDeque<Inspected>,
    /// Whether [`Event::Work`] is on its way.
    woken: bool,
    /// Whether the host wants to end the root context, and waits for its pairs.
    retiring: bool,
}

impl Engine {
    /// An engine with nothing under way. `seed` is for random draws and for hashing.
    pub fn new(series: WorkerSeries, seed: u64) -> Self {
        let hasher = || FixedState::with_seed(seed);
        Self {
            series,
            ledger: Ledger::default(),
            reported: 0,
            limit_shown: 0,
            roots: Table::with_hasher(hasher()),
            exchanges: Table::with_hasher(hasher()),
            pairs: Table::with_hasher(hasher()),
            calls: Table::with_hasher(hasher()),
            next_pair: 0,
            random: Random { seed, drawn: 0 },
            throttle: evidence::Throttle::default(),
            exported: Vec::new(),
            due: None,
        }
    }

    /// Handles `event` at the time `now`, and counts in `statistics`. Returns what the shell is to do.
    pub fn on(&mut self, event: Event, now: Timestamp, statistics: &mut dyn Statistics) -> Vec<Effect> {
        let mut callback = Callback { now, statistics, effects: Vec::new() };
        match event {
            Event::Configured(configured) => self.configured(configured, &mut callback),
            Event::RequestHeaders(arrival) => self.request_headers(arrival, &mut callback),
            Event::RequestBody { stream, chunk, end } => self.request_body(stream, &chunk, end, &mut callback),
            Event::RequestEnd { stream } => self.request_complete(stream, now),
            Event::ResponseHeaders { stream, head } => self.response_headers(stream, head, &mut callback),
            Event::ResponseBody { stream, chunk } => self.response_body(stream, &chunk, &mut callback),
            Event::AnsweredBy { stream, cluster } => self.answered_by(stream, &cluster, &mut callback),
            Event::StreamEnd { stream, ending, first_byte } => self.stream_end(stream, ending, first_byte, &mut callback),
            Event::Work { root } => self.woken(root, &mut callback),
            Event::Dispatched { pair, result } => self.dispatched(pair, result, &mut callback),
            Event::ShadowAnswered { token, reply } => self.shadow_answered(token, reply, &mut callback),
            Event::Alive { root } => self.alive(root, &mut callback),
            Event::Retire { root } => self.retire(root, &mut callback),
        }
        self.wake_due(&mut callback);
        self.show_captured(&mut callback);
        callback.effects
    }

    /// Asks for a turn of work for the root context that is due, unless a turn is on its way.
    fn wake_due(&mut self, callback: &mut Callback<'_>) {
        let Some(root) = self.due.take().and_then(|id| self.roots.get_mut(&id)) else { return };
        let idle = root.outbox.is_empty() && root.comparisons.is_empty() && root.inspections.is_empty();
        if !root.woken && !idle {
            root.woken = true;
            callback.effects.push(Effect::Wake);
        }
    }

    /// Counts a heartbeat, but not of a root context that another one has followed.
    fn alive(&self, root: RootId, callback: &mut Callback<'_>) {
        if self.roots.get(&root).is_some_and(|root| !root.retiring) {
            callback.statistics.add(self.series.heartbeats, 1);
        }
    }

    /// Shows how many bytes are captured, if the number has changed.
    fn show_captured(&mut self, callback: &mut Callback<'_>) {
        let used = self.ledger.used();
        if used != self.reported {
            if self.limit_shown == 0 {
                self.show_limit(callback);
            }
            callback.statistics.add(self.series.captured_bytes, change(self.reported, used));
            self.reported = used;
        }
    }

    /// Shows how many bytes this worker may capture: from its first captured bytes on, as long as a configuration is at work. (A host also
    /// configures VMs that never serve a request, and drops some of them without a word.)
    fn show_limit(&mut self, callback: &mut Callback<'_>) {
        let captures = self.limit_shown > 0 || self.ledger.used() > 0;
        let limit = if captures && self.roots.values().any(|root| root.plan.is_some()) { self.ledger.limit() } else { 0 };
        if limit != self.limit_shown {
            callback.statistics.add(self.series.captured_limit_bytes, change(self.limit_shown, limit));
            self.limit_shown = limit;
        }
    }
}

/// Returns `after` less `before`.
fn change(before: usize, after: usize) -> i64 {
    i64::try_from(after).unwrap_or(i64::MAX).saturating_sub(i64::try_from(before).unwrap_or(i64::MAX))
}

/// Random numbers for draws that no key decides: the hash of a counter under a seed that a client can't know.
#[derive(Debug)]
struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        xxh64(&self.drawn.to_le_bytes(), self.seed)
    }
}
