//! A worker without a host: it tells the engine what happens and keeps what comes of it.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::engine::effect::{ClusterOf, Dispatch, Effect, Line};
use crate::engine::ending::Ending;
use crate::engine::event::{Arrival, Event};
use crate::engine::head::{Head, Reply};
use crate::engine::ids::{PairId, RootId, StreamId};
use crate::engine::intake::{self, Source};
use crate::http::Fields;
use crate::stats::WorkerSeries;
use crate::stats::memory::Memory;
use crate::timestamp::Timestamp;

/// It keeps the copies that were to be dispatched, and the lines that were logged.
pub struct Worker {
    pub engine: Engine,
    series: WorkerSeries,
    /// The statistics and the shared data, which several workers may have in common.
    host: Rc<RefCell<Memory>>,
    /// How often shared data had been read when the configuration was taken.
    loads: usize,
    pub now: Timestamp,
    pub copies: Vec<Dispatch>,
    pub evidence: Vec<Value>,
    pub headers: Vec<String>,
    pub wakes: usize,
    /// The cluster that the host names with the headers of a request.
    pub chosen: Option<String>,
    /// The cluster that answers; `None`: Envoy answers itself.
    pub cluster: Option<String>,
    /// At how many ends of streams the engine wanted to know it.
    pub looks: usize,
    /// Whether it wants to know it at the end of the stream that the last event was of.
    look: bool,
    /// What was said of the configuration.
    pub lines: Vec<Line>,
    pub kept: bool,
    pub released: bool,
}

pub const ROOT: RootId = 1;

/// The headers of a request to [`ROOT`].
pub fn arrival(stream: StreamId, fields: Fields, end: bool) -> Arrival {
    Arrival { root: ROOT, stream, fields, end, cluster: None }
}

pub fn config(change: Value) -> Value {
    let mut config = json!({
        "version": 1, "experiment": "e",
        "routes": [{"name": "r", "protocol": "json", "match": {"path": {"prefix": "/v1/"}},
            "shadows": [{"name": "s", "cluster": "shadow", "percent": 100, "timeout": "2s"}]}],
        "evidence": {"per_second": 100},
    });
    merge(&mut config, change);
    config
}

/// Puts `change` over `value`: objects member by member, all else whole.
pub fn merge(value: &mut Value, change: Value) {
    match (value, change) {
        (Value::Object(value), Value::Object(change)) => {
            for (name, change) in change {
                merge(value.entry(name).or_insert(Value::Null), change);
            }
        }
        (value, change) => *value = change,
    }
}

/// [`config`] with `change` put over its only shadow.
pub fn with_shadow(change: Value) -> Value {
    let mut all = config(json!({}));
    merge(&mut all["routes"][0]["shadows"][0], change);
    all
}

/// So long after the Unix epoch.
pub fn at(span: Duration) -> Timestamp {
    Timestamp::from_epoch(span)
}

impl Worker {
    /// The only worker of a proxy.
    pub fn new(config: Value) -> Self {
        Self::on(Memory::default(), config)
    }

    /// The only worker of a proxy that has these statistics and shared data.
    pub fn on(host: Memory, config: Value) -> Self {
        Self::of(Rc::new(RefCell::new(host)), at(Duration::from_secs(1_000_000)), config)
    }

    /// One more worker of the proxy that `other` works for, at the same time.
    pub fn beside(other: &Self, config: Value) -> Self {
        Self::of(other.host.clone(), other.now, config)
    }

    /// The first worker of a proxy that was started anew, with the shared data of `before`.
    pub fn after(before: Self, config: Value) -> Self {
        let shared = std::mem::take(&mut before.host.borrow_mut().shared);
        Self::on(Memory { shared, ..Memory::default() }, config)
    }

    fn of(host: Rc<RefCell<Memory>>, now: Timestamp, config: Value) -> Self {
        let series = WorkerSeries::define(&mut *host.borrow_mut());
        let mut worker = Self {
            engine: Engine::new(series.clone(), 7),
            series,
            host,
            loads: 0,
            now,
            copies: Vec::new(),
            evidence: Vec::new(),
            headers: Vec::new(),
            wakes: 0,
            chosen: None,
            cluster: None,
            looks: 0,
            look: false,
            lines: Vec::new(),
            kept: false,
            released: false,
        };
        worker.configure(ROOT, config);
        worker
    }

    pub fn configure(&mut self, root: RootId, config: Value) {
        let text = config.to_string();
        let source = Source { root, plugin: "plugin", text: text.as_bytes(), variable: &variable };
        let intake = intake::take(source, &self.series, &mut *self.host.borrow_mut());
        self.lines = intake.lines;
        self.handle(Event::Configured(intake.configured.expect("a configuration that is taken")));
        self.loads = self.host.borrow().loads;
    }

    pub fn handle(&mut self, event: Event) {
        let mut effects = VecDeque::from(self.engine.on(event, self.now, &mut *self.host.borrow_mut()));
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Wake => self.wakes += 1,
                Effect::Dispatch(copy) => self.copies.push(copy),
                Effect::Evidence(line) => self.evidence.push(serde_json::from_str(&line).unwrap()),
                Effect::Tell(line) => self.lines.push(line),
                Effect::RemoveRequestHeader(name) => self.headers.push(format!("-{name}")),
                Effect::SetRequestHeader(name, value) => self.headers.push(format!("{name}: {value}")),
                Effect::SetResponseHeader(name, value) => self.headers.push(format!("response {name}: {value}")),
                Effect::KeepRoot => self.kept = true,
                Effect::ReleaseRoot => self.released = true,
                Effect::Follow(follow) => self.look = follow.cluster != ClusterOf::Nothing,
            }
        }
    }

    /// What the host has.
    pub fn host(&self) -> Ref<'_, Memory> {
        self.host.borrow()
    }

    pub fn host_mut(&self) -> RefMut<'_, Memory> {
        self.host.borrow_mut()
    }

    /// The values of counters and gauges, by name.
    pub fn series(&self) -> BTreeMap<String, i64> {
        self.host().values.clone()
    }

    /// How often shared data was read since the last configuration was taken.
    pub fn loads(&self) -> usize {
        self.host().loads - self.loads
    }

    /// How many series were defined whose names contain all of `parts`; one that was defined twice counts twice.
    pub fn defined(&self, parts: &[&str]) -> usize {
        self.host().defined.iter().filter(|(_, name)| parts.iter().all(|part| name.contains(part))).count()
    }

    /// Lets time pass.
    pub fn pass(&mut self, span: Duration) {
        self.now = self.now.after(span);
    }

    pub fn request(&mut self, root: RootId, stream: StreamId, extra: &[(&str, &str)], end: bool) {
        let fields = [(":method", "POST"), (":path", "/v1/x"), (":authority", "a"), ("x-request-id", "id")].iter().chain(extra);
        let fields: Fields = fields.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let cluster = self.chosen.clone().map(String::into_bytes);
        self.handle(Event::RequestHeaders(Arrival { root, stream, fields, end, cluster }));
    }

    /// Stream 1: a request that is complete with these headers, which take the place of the usual ones.
    pub fn request_of(&mut self, headers: &[(&str, &str)]) {
        let usual = [(":method", "POST"), (":path", "/v1/x"), (":authority", "a"), ("x-request-id", "id")];
        let usual = usual.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
        let fields = usual.chain(headers).map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let cluster = self.chosen.clone().map(String::into_bytes);
        self.handle(Event::RequestHeaders(Arrival { cluster, ..arrival(1, fields, true) }));
    }

    pub fn upload(&mut self, stream: StreamId, chunk: &str, end: bool) {
        self.handle(Event::RequestBody { stream, chunk: chunk.into(), end });
    }

    pub fn answer(&mut self, stream: StreamId, status: u16, body: &str) {
        self.handle(Event::ResponseHeaders { stream, head: head(status) });
        self.handle(Event::ResponseBody { stream, chunk: body.into() });
    }

    /// The client has its whole answer.
    pub fn end(&mut self, stream: StreamId) {
        let look = std::mem::take(&mut self.look);
        self.looks += usize::from(look);
        if let Some(cluster) = self.cluster.clone().filter(|_| look) {
            self.handle(Event::AnsweredBy { stream, cluster });
        }
        let ending = Ending::Answered { at: self.now, grpc_status: None };
        self.handle(Event::StreamEnd { stream, ending, first_byte: None });
    }

    pub fn work(&mut self) {
        while self.wakes > 0 {
            self.wakes = 0;
            self.handle(Event::Work { root: ROOT });
        }
    }

    /// Sends what waits; the host takes each copy, with tokens from `token` on.
    pub fn send(&mut self, token: u32) -> usize {
        self.work();
        let pairs = self.take_copies();
        for (token, pair) in (token..).zip(&pairs) {
            self.handle(Event::Dispatched { pair: *pair, result: Ok(token) });
        }
        pairs.len()
    }

    /// The pairs whose copies were to be dispatched. The copies are dropped, as the shell does once the host has them.
    pub fn take_copies(&mut self) -> Vec<PairId> {
        std::mem::take(&mut self.copies).into_iter().map(|copy| copy.pair).collect()
    }

    pub fn shadow(&mut self, token: u32, status: u16, body: &str) {
        let reply = Reply { head: head(status), from_upstream: true, body: Some(body.into()) };
        self.handle(Event::ShadowAnswered { token, reply: Some(reply) });
        self.work();
    }

    /// A request and its copy, both answered.
    pub fn pair(&mut self, stream: StreamId, primary: (u16, &str), shadow: (u16, &str)) {
        self.request(ROOT, stream, &[], false);
        self.upload(stream, "{}", true);
        self.answer(stream, primary.0, primary.1);
        self.end(stream);
        if self.send(stream) == 1 {
            self.shadow(stream, shadow.0, shadow.1);
        }
    }

    /// The series whose names contain all of `parts`, summed.
    pub fn sum(&self, parts: &[&str]) -> i64 {
        self.host().sum(parts)
    }

    /// How many values the histograms whose names contain all of `parts` were given.
    pub fn recorded(&self, parts: &[&str]) -> usize {
        let host = self.host();
        host.recorded.iter().filter(|(name, _)| parts.iter().all(|part| name.contains(part))).map(|(_, values)| values.len()).sum()
    }

    pub fn outcomes(&self) -> BTreeMap<String, i64> {
        let outcome = |name: &str| name.rsplit("outcome=.=").next().unwrap().trim_end_matches(";.;").to_owned();
        let mut outcomes = BTreeMap::new();
        for (name, value) in self.host().values.iter().filter(|(name, _)| name.starts_with("gnomon_shadow_outcomes_total")) {
            *outcomes.entry(outcome(name)).or_default() += value;
        }
        outcomes
    }

    /// What must hold when nothing is under way: every sampled request has one outcome, all that was taken is given back.
    pub fn assert_at_rest(&self) {
        assert_eq!(self.outcomes().values().sum::<i64>(), self.sum(&["gnomon_sampled_total"]), "sampled against {:?}", self.outcomes());
        for gauge in ["gnomon_open_pairs", "gnomon_captured_bytes", "gnomon_anomalies_total"] {
            assert_eq!(self.sum(&[gauge]), 0, "{gauge}");
        }
        assert!(self.engine.pairs.is_empty() && self.engine.exchanges.is_empty() && self.engine.calls.is_empty());
    }

    pub fn assert_outcome(&self, want: &str) {
        assert_eq!(self.outcomes(), BTreeMap::from([(want.to_owned(), 1)]));
        self.assert_at_rest();
    }
}

/// The environment of the VM.
fn variable(name: &str) -> Option<String> {
    (name == "SHADOW_AUTH").then(|| "Bearer shadow".to_owned())
}

pub fn head(status: u16) -> Head {
    Head { status, content_type: b"application/json".to_vec(), ..Head::default() }
}
