//! The life of sampled requests: events in, effects out.
//!
//! [`Engine::on`] is total: no I/O, no clock, no panic. One engine serves all root contexts of a VM, so that bounds hold for the worker
//! and root contexts of an older configuration end in peace. It keeps only what is under way; what matters is counted at the host.
//! Nothing here decides what to sample, copy or conclude from two answers: that is in [`crate::mirror`] and [`crate::compare`].

pub mod breaker;
mod copies;
pub mod effect;
pub mod event;
mod evidence;
pub mod gates;
mod incoming;
mod judging;
pub mod learned;
mod live;
pub mod measure;
pub mod meter;
pub mod pair;
pub mod plan;
mod report;
mod roots;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::rc::Rc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use xxhash_rust::xxh64::xxh64;

use crate::capture::Ledger;
use crate::compare::Comparison;
use crate::labels::{Outcome, ShadowClass};
use crate::stats::WorkerSeries;
use breaker::Breaker;
use effect::{Effect, Effects};
use event::{Event, PairId, RootId, StreamId, Time};
use learned::Lesson;
use pair::Pair;
use plan::Plan;

/// Tables keyed by ids that the host or the engine gives out. The seed of their hasher is one that no client can know.
type Table<K, V> = HashMap<K, V, FixedState>;

/// All that is under way in one VM.
#[derive(Debug)]
pub struct Engine {
    series: WorkerSeries,
    ledger: Ledger,
    /// Captured bytes that the host's gauge knows of.
    reported: usize,
    roots: Table<RootId, Root>,
    exchanges: Table<StreamId, live::Exchange>,
    pairs: Table<PairId, Pair>,
    calls: Table<u32, PairId>,
    shadows: Table<(RootId, usize), Shadow>,
    lessons: Table<(RootId, usize), Lesson>,
    next_pair: PairId,
    random: Random,
    throttle: evidence::Throttle,
    /// The root context that has got work during the current event.
    due: Option<RootId>,
}

/// One root context.
#[derive(Debug)]
struct Root {
    /// Equal for root contexts that the host takes for one another.
    key: u64,
    /// What it does; `None`: nothing, but it keeps the VM alive.
    plan: Option<Rc<Plan>>,
    /// Copies to send, oldest first.
    outbox: VecDeque<PairId>,
    /// Comparisons to work off, oldest first.
    comparisons: VecDeque<(PairId, Comparison)>,
    /// Whether [`Event::Work`] is on its way.
    woken: bool,
    /// Whether the host waits for it to end.
    retiring: bool,
}

/// What a worker remembers of one shadow.
#[derive(Debug, Default)]
struct Shadow {
    in_flight: u32,
    breaker: Breaker,
    /// The failure shown last, and when.
    shown: Option<((Outcome, Option<ShadowClass>), Time)>,
}

impl Engine {
    /// An engine with nothing under way. `seed` is for random draws and for hashing.
    pub fn new(series: WorkerSeries, seed: u64) -> Self {
        let hasher = || FixedState::with_seed(seed);
        Self {
            series,
            ledger: Ledger::default(),
            reported: 0,
            roots: Table::with_hasher(hasher()),
            exchanges: Table::with_hasher(hasher()),
            pairs: Table::with_hasher(hasher()),
            calls: Table::with_hasher(hasher()),
            shadows: Table::with_hasher(hasher()),
            lessons: Table::with_hasher(hasher()),
            next_pair: 0,
            random: Random::new(seed),
            throttle: evidence::Throttle::default(),
            due: None,
        }
    }

    /// Takes note of `event` at the time `now`.
    pub fn on(&mut self, event: Event, now: Time) -> Vec<Effect> {
        let out = &mut Effects::default();
        match event {
            Event::Configured { plan, key } => self.configured(plan.root, Some(plan), key, out),
            Event::Untouched { root, key } => self.configured(root, None, key, out),
            Event::RequestHeaders(arrival) => self.request_headers(arrival, now, out),
            Event::RequestBody { stream, chunk, end } => self.request_body(stream, &chunk, end, now, out),
            Event::RequestTrailers { stream } => self.request_complete(stream, now),
            Event::ResponseHeaders { stream, head } => self.response_headers(stream, head, out),
            Event::ResponseBody { stream, chunk } => self.response_body(stream, &chunk, out),
            Event::StreamEnd { stream, ending, first_byte } => self.stream_end(stream, ending, first_byte, now, out),
            Event::Work { root } => self.woken(root, now, out),
            Event::Dispatched { pair, result } => self.dispatched(pair, result, now, out),
            Event::ShadowAnswered { token, reply } => self.shadow_answered(token, reply, now, out),
            Event::Learned { sum, known, values, series } => self.learn_series(&sum, known, values, series, out),
            Event::Told(reply) => self.told(reply, now, out),
            Event::Retire { root } => self.retire(root, now, out),
        }
        self.wake_due(out);
        self.report(out);
        std::mem::take(&mut out.list)
    }

    /// The configuration of a root context; none if it has none that is valid.
    fn plan(&self, root: RootId) -> Option<Rc<Plan>> {
        self.roots.get(&root).and_then(|root| root.plan.clone())
    }

    fn shadow(&mut self, target: &plan::BoundShadow) -> &mut Shadow {
        self.shadows.entry((target.root, target.index)).or_default()
    }

    /// Asks for a turn of work for the root context that has got some, unless one is on its way.
    fn wake_due(&mut self, out: &mut Effects) {
        let Some(id) = self.due.take() else { return };
        let Some(root) = self.roots.get_mut(&id) else { return };
        let idle = root.outbox.is_empty() && root.comparisons.is_empty();
        if !root.woken && !idle {
            root.woken = true;
            out.push(Effect::Wake);
        }
    }

    /// Reports a change of the captured bytes, and anomalies.
    fn report(&mut self, out: &mut Effects) {
        let used = self.ledger.used();
        let change = i64::try_from(used).unwrap_or(i64::MAX).saturating_sub(i64::try_from(self.reported).unwrap_or(i64::MAX));
        if change != 0 {
            out.add(self.series.captured_bytes, change);
            self.reported = used;
        }
        for anomaly in std::mem::take(&mut out.anomalies) {
            if let Some(id) = self.series.anomalies.of(anomaly) {
                out.add(id, 1);
            }
        }
    }
}

/// Random numbers for draws that no key decides: the hash of a counter under a seed that a client can't know.
#[derive(Debug)]
struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    fn next(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        xxh64(&self.drawn.to_le_bytes(), self.seed)
    }
}
