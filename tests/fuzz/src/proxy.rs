//! Two workers of one proxy, which have statistics and shared data in common, and events in any order: requests and their answers, copies,
//! configurations that are taken, refused and ended, and time that passes.

use std::collections::VecDeque;
use std::time::Duration;

use gnomon::engine::Engine;
use gnomon::engine::effect::Effect;
use gnomon::engine::ending::Ending;
use gnomon::engine::event::{Arrival, CallError, Event};
use gnomon::engine::head::{Head, Reply};
use gnomon::engine::ids::{CallToken, PairId, RootId, StreamId};
use gnomon::engine::intake::{Source, take};
use gnomon::gate::{Counts, Rate, State, Terms};
use gnomon::http::Fields;
use gnomon::stats::WorkerSeries;
use gnomon::stats::memory::Memory;
use gnomon::timestamp::Timestamp;

/// Configurations that follow each other: the same experiment with other terms, without its gates, another experiment whose split is
/// observed, and one that is refused.
const CONFIGURATIONS: [&str; 4] = [
    r#""experiment": "e", "routes": [{"name": "r", "slices": {"header": "x-region", "values": ["eu"]},
        "split": {"baseline": "v1", "canaries": [{"name": "v2", "percent": 50, "warmup": {"pairs": 2}}], "key": {"header": "x-user"}},
        "shadows": [{"name": "s", "cluster": "c", "percent": 100}, {"name": "n", "cluster": "c", "percent": 60, "role": "control"}],
        "gates": [{"name": "errors", "of": "v2", "measure": "failed", "limit": 20, "alpha": 0.3, "each_slice": true},
                  {"name": "worse", "of": "v2", "measure": "worse_than_baseline", "event": "failed", "limit": 50, "alpha": 0.3},
                  {"name": "empty", "of": "v2", "measure": "worse_than_baseline", "event": "empty", "limit": 50, "alpha": 0.3},
                  {"name": "agree", "of": "s", "measure": "diverged", "limit": 50, "alpha": 0.3},
                  {"name": "noise", "of": "s", "measure": "worse_than_control", "limit": 50, "alpha": 0.3}],
        "guardrail": {"gates": ["errors"], "alpha": 0.2, "window": "1m"}}]"#,
    r#""experiment": "e", "routes": [{"name": "r",
        "split": {"baseline": "v1", "canaries": [{"name": "v2", "percent": 90}], "key": {"header": "x-user"}},
        "shadows": [{"name": "s", "cluster": "c", "percent": 100, "when": {"body": [{"path": "a", "exact": 1}]}}],
        "gates": [{"name": "errors", "of": "v2", "measure": "failed", "limit": 60, "alpha": 0.1}],
        "guardrail": {"gates": ["errors"], "min_trials": 3}}]"#,
    r#""experiment": "next", "routes": [{"name": "r",
        "observe": {"baseline": "v1", "variants": [{"name": "v1", "cluster": {"exact": "a"}}, {"name": "v2", "cluster": {"exact": "b"}}],
                    "bucket": {"key": {"header": "x-user"}}},
        "shadows": [{"name": "s", "cluster": "c", "percent": 100}],
        "gates": [{"name": "covered", "of": "s", "measure": "coverage", "limit": 50, "alpha": 0.3},
                  {"name": "pairs", "of": "v2", "measure": "worse_than_baseline", "event": "failed", "limit": 50, "alpha": 0.3}]}]"#,
    r#""experiment": "e", "routes": [{"name": "", "surprise": true}]"#,
];

/// Bodies of requests and of answers.
const BODIES: [&str; 4] = [r#"{"a":1}"#, r#"{"a":2}"#, "{", ""];

const STATUSES: [u16; 4] = [200, 503, 404, 429];

/// Clusters that the host names.
const CLUSTERS: [&str; 4] = ["a", "b", "c", ""];

const STREAMS: StreamId = 6;

/// One VM.
struct Worker {
    engine: Engine,
    series: WorkerSeries,
    /// The root context that serves, and those that wait for their answers.
    serves: RootId,
    waiting: Vec<RootId>,
    calls: Vec<CallToken>,
    copies: Vec<PairId>,
    woken: bool,
}

/// Each pair of bytes of the input is one event; the lowest bit of the first says at which worker.
pub fn check(data: &[u8]) {
    let mut host = Memory::default();
    let mut now = Timestamp::from_epoch(Duration::from_secs(1_700_000_000));
    let mut workers = [Worker::new(&mut host), Worker::new(&mut host)];
    for worker in &mut workers {
        worker.configure(CONFIGURATIONS[0], now, &mut host);
    }
    let mut latched = Vec::new();
    for &[what, how] in data.as_chunks().0 {
        if what >> 1 == 0 {
            now = now.after(Duration::from_millis(u64::from(how) * 300));
        }
        workers[usize::from(what & 1)].take(what >> 1, how, now, &mut host);
        check_accounts(&host);
        check_gates(&host, &mut latched);
    }
    let [first, second] = workers;
    for worker in [first, second] {
        worker.end(now, &mut host);
    }
    check_accounts(&host);
    for gauge in ["gnomon_open_pairs", "gnomon_captured_bytes", "gnomon_breaker_open"] {
        assert_eq!(host.sum(&[gauge]), 0, "{gauge} is left");
    }
}

impl Worker {
    fn new(host: &mut Memory) -> Self {
        let series = WorkerSeries::define(host);
        let engine = Engine::new(series.clone(), 7);
        Self { engine, series, serves: 0, waiting: Vec::new(), calls: Vec::new(), copies: Vec::new(), woken: false }
    }

    /// The next root context gets a configuration, and the one before is to end.
    fn configure(&mut self, members: &str, now: Timestamp, host: &mut Memory) {
        let (before, next) = (self.serves, self.serves + 1);
        let text = format!(r#"{{"version": 1, {members}}}"#);
        let source = Source { root: next, plugin: "p", text: text.as_bytes(), variable: &|_| None };
        let intake = take(source, &self.series, host);
        assert!(intake.configured.is_some() && (intake.lines.is_empty() || before > 0));
        self.serves = next;
        self.tell(Event::Configured(intake.configured.unwrap()), now, host);
        if before > 0 {
            self.waiting.push(before);
            self.tell(Event::Retire { root: before }, now, host);
        }
    }

    fn tell(&mut self, event: Event, now: Timestamp, host: &mut Memory) {
        let mut effects = VecDeque::from(self.engine.on(event, now, host));
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Wake => self.woken = true,
                Effect::Dispatch(copy) => self.copies.push(copy.pair),
                _ => {}
            }
        }
    }

    fn take(&mut self, what: u8, how: u8, now: Timestamp, host: &mut Memory) {
        let stream = StreamId::from(how >> 4) % STREAMS;
        let body = BODIES[usize::from(how & 3)].as_bytes().to_vec();
        let head = || Head { status: STATUSES[usize::from(how >> 2 & 3)], content_type: b"application/json".to_vec(), ..Head::default() };
        match what % 12 {
            0 => self.tell(Event::AnsweredBy { stream, cluster: CLUSTERS[usize::from(how & 3)].to_owned() }, now, host),
            1 | 2 => self.tell(Event::RequestHeaders(arrival(self.serves, stream, how)), now, host),
            3 => self.tell(Event::RequestBody { stream, chunk: body, end: how & 4 > 0 }, now, host),
            4 => self.tell(Event::ResponseHeaders { stream, head: head() }, now, host),
            5 => self.tell(Event::ResponseBody { stream, chunk: body }, now, host),
            6 => self.tell(Event::StreamEnd { stream, ending: ending(how, now), first_byte: None }, now, host),
            7 => self.work(how & 4 == 0, now, host),
            8 | 9 if !self.calls.is_empty() => {
                let token = self.calls.swap_remove(usize::from(how) % self.calls.len());
                let reply = (how & 0x80 == 0).then(|| Reply { head: head(), from_upstream: how & 0x40 == 0, body: Some(body) });
                self.tell(Event::ShadowAnswered { token, reply }, now, host);
            }
            10 => self.whole(stream, how, now, host),
            11 if how < 16 => self.configure(CONFIGURATIONS[usize::from(how & 3)], now, host),
            _ => {}
        }
    }

    /// A whole exchange without its copies.
    fn whole(&mut self, stream: StreamId, how: u8, now: Timestamp, host: &mut Memory) {
        let stream = STREAMS + stream;
        self.tell(Event::RequestHeaders(arrival(self.serves, stream, how | 4)), now, host);
        let head = Head { status: STATUSES[usize::from(how >> 2 & 1)], ..Head::default() };
        self.tell(Event::ResponseHeaders { stream, head }, now, host);
        self.tell(Event::StreamEnd { stream, ending: Ending::Answered { at: now, grpc_status: None }, first_byte: None }, now, host);
    }

    /// All root contexts do what waits for them; the host takes the copies or refuses them.
    fn work(&mut self, takes: bool, now: Timestamp, host: &mut Memory) {
        if !std::mem::take(&mut self.woken) {
            return;
        }
        for root in self.waiting.clone().into_iter().chain([self.serves]) {
            self.tell(Event::Work { root }, now, host);
        }
        for pair in std::mem::take(&mut self.copies) {
            let token = u32::try_from(pair).unwrap();
            self.calls.extend(takes.then_some(token));
            let result = if takes { Ok(token) } else { Err(CallError::Refused) };
            self.tell(Event::Dispatched { pair, result }, now, host);
        }
    }

    /// The VM ends: streams break off, and no answer comes any more.
    fn end(mut self, now: Timestamp, host: &mut Memory) {
        for stream in 0..2 * STREAMS {
            self.tell(Event::StreamEnd { stream, ending: Ending::Broken, first_byte: None }, now, host);
        }
        self.work(false, now, host);
        self.tell(Event::Retire { root: self.serves }, now, host);
        for pair in std::mem::take(&mut self.copies) {
            self.tell(Event::Dispatched { pair, result: Err(CallError::Refused) }, now, host);
        }
    }
}

fn arrival(root: RootId, stream: StreamId, how: u8) -> Arrival {
    let region = if how & 1 > 0 { "eu" } else { "us" };
    let user = how.to_string();
    let fields =
        [(":method", "POST"), (":path", "/v1/x"), (":authority", "a"), ("x-request-id", &user), ("x-user", &user), ("x-region", region)];
    let fields: Fields = fields.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec();
    let cluster = Some(CLUSTERS[usize::from(how & 3)].as_bytes().to_vec());
    Arrival { root, stream, fields, end: how & 4 > 0, cluster }
}

fn ending(how: u8, now: Timestamp) -> Ending {
    match how & 3 {
        0 | 1 => Ending::Answered { at: now, grpc_status: None },
        2 => Ending::ClientLeft,
        _ => Ending::Broken,
    }
}

/// Every sampled request has one outcome or is open, and nothing that can't be has happened.
fn check_accounts(host: &Memory) {
    for shadow in ["shadow=.=s;", "shadow=.=n;"] {
        let sum = |stat| host.sum(&[stat, shadow]);
        assert_eq!(sum("gnomon_shadow_outcomes_total") + sum("gnomon_open_pairs"), sum("gnomon_sampled_total"), "{shadow}");
    }
    assert_eq!(host.sum(&["gnomon_anomalies_total"]), 0, "an anomaly");
    assert!(host.sum(&["gnomon_captured_bytes"]) >= 0);
}

/// Each gate shows the state that follows from the figures beside it, and one that has failed says so for good.
fn check_gates(host: &Memory, latched: &mut Vec<String>) {
    let read = |stat: &str, labels: &str| host.values.get(&format!("{stat}{labels}")).copied().unwrap_or_default();
    for labels in host.values.keys().filter_map(|name| name.strip_prefix("gnomon_gate_trials_total")) {
        let (bad, trials) = (read("gnomon_gate_bad_total", labels), read("gnomon_gate_trials_total", labels));
        assert!(bad <= trials, "{labels}: {bad} bad of {trials}");
        let failures = read("gnomon_gate_failures_total", labels);
        let rate = |stat| u32::try_from(read(stat, labels)).ok().and_then(Rate::new);
        let state = read("gnomon_gate_state", labels);
        let (Some(limit), Some(alpha)) = (rate("gnomon_gate_limit_ppm"), rate("gnomon_gate_alpha_ppm")) else {
            assert_eq!(state, 0, "{labels} shows a state without terms");
            continue;
        };
        let terms = Terms { limit, alpha, min_trials: read("gnomon_gate_min_trials", labels).cast_unsigned() };
        let counts = Counts::new(bad.cast_unsigned(), trials.cast_unsigned());
        let limits = host.values.get(&format!("gnomon_gate_limit_sum_ppm_total{labels}"));
        let counts = limits.map_or(counts, |limits| counts.with_limits(limits.cast_unsigned()));
        assert_eq!(state, terms.judge(counts.into(), failures > 0) as i64, "{labels}: {bad} bad of {trials}, {failures} failures");
        assert!(state == State::Fail as i64 || !latched.iter().any(|gate| gate == labels), "{labels} has failed and says so no more");
        if state == State::Fail as i64 && !latched.iter().any(|gate| gate == labels) {
            latched.push(labels.to_owned());
        }
    }
}
