//! A worker without a host: it tells the engine what happens and keeps what comes of it.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use serde_json::{Value, json};
use xxhash_rust::xxh64::xxh64;

use crate::config::parse::parse;
use crate::engine::Engine;
use crate::engine::effect::{Dispatch, Effect};
use crate::engine::event::{Arrival, Ending, Event, Head, PairId, RootId, ShadowReply, StreamId, Time};
use crate::engine::gates::{Look, Question, Reply};
use crate::engine::plan::Plan;
use crate::gate::Counts;
use crate::gate::window::WindowStart;
use crate::http::Fields;
use crate::stats::gates::after_trips;
use crate::stats::learned::OTHER;
use crate::stats::{MetricId, WorkerSeries};

/// It keeps series by name, and the copies that were to be dispatched.
pub struct Worker {
    pub engine: Engine,
    pub names: Vec<String>,
    pub series: BTreeMap<String, i64>,
    /// Values from bodies that have series, by registry, as the host's shared data keeps them.
    pub registries: BTreeMap<String, Vec<String>>,
    /// How often the host was asked for one.
    pub registrations: usize,
    /// Which canaries are cut off.
    pub plans: BTreeMap<RootId, Rc<Plan>>,
    /// With what windows begin, as the host's shared data keeps them.
    pub windows: BTreeMap<String, WindowStart>,
    /// A part of the names of series that the host drops: what is written there is gone.
    pub dropped: Option<&'static str>,
    pub now: Time,
    pub copies: Vec<Dispatch>,
    pub evidence: Vec<Value>,
    pub headers: Vec<String>,
    pub wakes: usize,
    /// Lines on headers that copies must do without.
    pub missing: Vec<String>,
    pub kept: bool,
    pub released: bool,
}

pub const ROOT: RootId = 1;

/// The headers of a request to [`ROOT`], with nothing cut off.
pub fn arrival(stream: StreamId, fields: Fields, end: bool) -> Arrival {
    Arrival { root: ROOT, stream, fields, end, tripped: Vec::new() }
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

impl Worker {
    pub fn new(config: Value) -> Self {
        let mut names = Vec::new();
        let series = WorkerSeries::define(&mut |_, name| define(&mut names, name));
        let mut worker = Self {
            engine: Engine::new(series, 7),
            names,
            series: BTreeMap::new(),
            registries: BTreeMap::new(),
            registrations: 0,
            plans: BTreeMap::new(),
            windows: BTreeMap::new(),
            dropped: None,
            now: Time::from_secs(1_000_000),
            copies: Vec::new(),
            evidence: Vec::new(),
            headers: Vec::new(),
            wakes: 0,
            missing: Vec::new(),
            kept: false,
            released: false,
        };
        worker.configure(ROOT, config);
        worker
    }

    pub fn configure(&mut self, root: RootId, config: Value) {
        let text = config.to_string();
        let key = xxh64(text.as_bytes(), 0);
        let config = parse(text.as_bytes()).unwrap();
        let registries = self.registries.clone();
        let registered = |name: &str| registries.get(name).cloned().unwrap_or_default();
        let plan = Plan::new(root, config, &mut |_, name| define(&mut self.names, name), &registered, &variable);
        self.missing.clone_from(&plan.missing);
        let plan = Rc::new(plan);
        self.plans.insert(root, plan.clone());
        self.on(Event::Configured { plan, key });
    }

    pub fn on(&mut self, event: Event) {
        let mut effects = VecDeque::from(self.engine.on(event, self.now));
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Set(id, _) | Effect::Add(id, _) if self.drops(id) => {}
                Effect::Set(id, value) => _ = self.series.insert(self.names[id as usize].clone(), value as i64),
                Effect::ShowSplit { shares, all } => {
                    let above_0: Vec<MetricId> = shares.iter().filter_map(|share| share.tripped).filter(|id| self.read(*id) > 0).collect();
                    let ppm = after_trips(&shares, |share| share.is_tripped(&above_0));
                    for (index, (share, ppm)) in shares.iter().zip(ppm).enumerate() {
                        if all || index == 0 || share.is_tripped(&above_0) {
                            self.series.insert(self.names[share.shown as usize].clone(), ppm.into());
                        }
                    }
                }
                Effect::Ask(question) => {
                    let reply = self.reply(question);
                    let more = self.engine.on(Event::Told(reply), self.now);
                    more.into_iter().rev().for_each(|effect| effects.push_front(effect));
                }
                Effect::Add(id, by) => *self.series.entry(self.names[id as usize].clone()).or_default() += by,
                Effect::Record(id, _) => *self.series.entry(format!("{}#", self.names[id as usize])).or_default() += 1,
                Effect::Learn(sum) => {
                    self.registrations += 1;
                    let registry = self.registries.entry(sum.learned.registry.clone()).or_default();
                    for value in sum.values.iter().filter(|value| *value != OTHER) {
                        if registry.len() < sum.learned.most && !registry.contains(value) {
                            registry.push(value.clone());
                        }
                    }
                    let keep = |value: &String| if registry.contains(value) { value.clone() } else { OTHER.to_owned() };
                    let values: Vec<String> = sum.values.iter().map(keep).collect();
                    let known = registry.clone();
                    let series = define(&mut self.names, &sum.learned.name(&values));
                    effects.extend(self.engine.on(Event::Learned { sum, known, values, series }, self.now));
                }
                Effect::Wake => self.wakes += 1,
                Effect::Dispatch(copy) => self.copies.push(copy),
                Effect::Evidence(line) => self.evidence.push(serde_json::from_str(&line).unwrap()),
                Effect::RemoveRequestHeader(name) => self.headers.push(format!("-{name}")),
                Effect::SetRequestHeader(name, value) => self.headers.push(format!("{name}: {value}")),
                Effect::SetResponseHeader(name, value) => self.headers.push(format!("response {name}: {value}")),
                Effect::KeepRoot => self.kept = true,
                Effect::ReleaseRoot => self.released = true,
                Effect::Follow(_) => {}
            }
        }
    }

    fn drops(&self, id: MetricId) -> bool {
        self.dropped.is_some_and(|part| self.names[id as usize].contains(part))
    }

    /// The value of a series, as the host has it.
    pub fn read(&self, id: MetricId) -> u64 {
        self.series.get(&self.names[id as usize]).map_or(0, |value| *value as u64)
    }

    /// What the host's statistics say; nobody else counts meanwhile.
    fn reply(&mut self, question: Question) -> Reply {
        match question {
            Question::Terms(meter) => {
                let terms = meter.series.terms.map(|id| self.read(id));
                Reply::Terms(meter, terms)
            }
            Question::GateInSlice(meter) => {
                let series = meter.series;
                let look = Look {
                    reading: Counts::new(self.read(series.bad), self.read(series.trials)).into(),
                    terms: series.terms.map(|id| self.read(id)),
                    failures: self.read(series.failures),
                    state: self.read(series.state),
                    tripped: meter.guard.as_ref().map_or(0, |guard| self.read(guard.tripped)),
                };
                Reply::GateInSlice(meter, look)
            }
            Question::Slices(overall) => {
                let states = overall.slices.iter().map(|slice| self.read(slice.state)).collect();
                let (shown, others) = (self.read(overall.state), self.read(overall.slices.last().unwrap().trials));
                Reply::Slices(overall, shown, states, others)
            }
            Question::Window { meter, reading, mine } => {
                let key = meter.guard.as_ref().unwrap().key.clone();
                let there = self.windows.get(&key).filter(|there| there.until(&mine, reading).is_some());
                let begun = *there.unwrap_or(&mine);
                self.windows.insert(key, begun);
                Reply::Window(meter, reading, begun)
            }
            Question::Warmup(trials) => {
                let series = trials.warm.as_ref().unwrap().series;
                let (began, left_out) = (self.read(series.began), self.read(series.left_out));
                Reply::Warmup(trials, began, left_out)
            }
        }
    }

    pub fn request(&mut self, root: RootId, stream: StreamId, extra: &[(&str, &str)], end: bool) {
        let fields = [(":method", "POST"), (":path", "/v1/x"), (":authority", "a"), ("x-request-id", "id")].iter().chain(extra);
        let fields: Fields = fields.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let guards = self.plans.get(&root).into_iter().flat_map(|plan| plan.guards(&fields));
        let tripped = guards.filter(|guard| self.read(*guard) > 0).collect();
        self.on(Event::RequestHeaders(Arrival { root, stream, fields, end, tripped }));
    }

    pub fn upload(&mut self, stream: StreamId, chunk: &str, end: bool) {
        self.on(Event::RequestBody { stream, chunk: chunk.into(), end });
    }

    pub fn answer(&mut self, stream: StreamId, status: u16, body: &str) {
        self.on(Event::ResponseHeaders { stream, head: head(status) });
        self.on(Event::ResponseBody { stream, chunk: body.into() });
    }

    /// The client has its whole answer.
    pub fn end(&mut self, stream: StreamId) {
        let ending = Ending::Answered { at: self.now, grpc_status: None };
        self.on(Event::StreamEnd { stream, ending, first_byte: None });
    }

    pub fn work(&mut self) {
        while self.wakes > 0 {
            self.wakes = 0;
            self.on(Event::Work { root: ROOT });
        }
    }

    /// Sends what waits; the host takes each copy, with tokens from `token` on.
    pub fn send(&mut self, token: u32) -> usize {
        self.work();
        let pairs = self.take_copies();
        for (token, pair) in (token..).zip(&pairs) {
            self.on(Event::Dispatched { pair: *pair, result: Ok(token) });
        }
        pairs.len()
    }

    /// The pairs whose copies were to be dispatched. The copies are dropped, as the shell does once the host has them.
    pub fn take_copies(&mut self) -> Vec<PairId> {
        std::mem::take(&mut self.copies).into_iter().map(|copy| copy.pair).collect()
    }

    pub fn shadow(&mut self, token: u32, status: u16, body: &str) {
        let reply = ShadowReply { head: head(status), from_upstream: true, body: Some(body.into()) };
        self.on(Event::ShadowAnswered { token, reply: Some(reply) });
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
        self.series.iter().filter(|(name, _)| parts.iter().all(|part| name.contains(part))).map(|(_, value)| value).sum()
    }

    pub fn outcomes(&self) -> BTreeMap<String, i64> {
        let outcome = |name: &str| name.rsplit("outcome=.=").next().unwrap().trim_end_matches(";.;").to_owned();
        let mut outcomes = BTreeMap::new();
        for (name, value) in self.series.iter().filter(|(name, _)| name.starts_with("gnomon_shadow_outcomes_total")) {
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

fn define(names: &mut Vec<String>, name: &str) -> MetricId {
    names.push(name.to_owned());
    (names.len() - 1) as MetricId
}

pub fn head(status: u16) -> Head {
    Head { status, content_type: b"application/json".to_vec(), ..Head::default() }
}
