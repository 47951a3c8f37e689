//! Runs of `worse_than_baseline` on made-up events. What assigns users, remembers whose events were seen, sets the limit of each trial and
//! judges is the shipped code; only the users and their events are not.

use std::rc::Rc;
use std::time::Duration;

use gnomon::config::{Key, Split, Variant};
use gnomon::gate::first_events::KeyBit;
use gnomon::gate::lives::Lives;
use gnomon::gate::window::WindowTally;
use gnomon::gate::{Counts, Rate, Reading, State, Terms, shared_limit};
use gnomon::http::Request;
use gnomon::split::{BASELINE, Reason, decide};
use gnomon::timestamp::Timestamp;

use crate::simulation::Random;

/// Shares are in parts per million.
const WHOLE: u32 = 1_000_000;

/// Pages of one proxy in which users are remembered.
const PAGES: usize = 32;

/// The place of the canary that the gate judges among the variants.
const CANARY: usize = 1;

/// Who sends the requests that may have the event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Users {
    /// A new user each time.
    New,
    /// Nobody in particular: the key of the split is the request.
    ByRequest,
    /// So many. The weight of the n-th is 1/n to this power, times a factor of its own if events are `uneven`.
    Crowd { users: usize, exponent: f64, uneven: bool },
}

/// A part of a run. Requests that can't have the event at any variant are only counted.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Requests that may have the event.
    pub events: u64,
    /// All requests, for each of these.
    pub requests: f64,
    /// The shares of two canaries; the gate is of the first.
    pub canaries: [u32; 2],
    /// The chances that such a request has the event at the baseline and at the canaries.
    pub happens: [f64; 3],
    /// Whether a guardrail has cut off the second canary.
    pub cut_off: bool,
}

/// Who looks at the trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The shipped gate: the first event of each key, each with its own limit.
    ByKey,
    /// Whether the same gate passes.
    Passes,
    /// The same trials, judged by the exact product of the ratios of all trials, in other words than the shipped ones.
    Product,
    /// The shipped rules for several proxies: the mean of their e-values.
    ByProxies,
    /// Each event is a trial.
    ByEvent,
    /// The first event of each key, with the share of the moment as the one limit.
    CurrentShare,
    /// The first event of each key, with the share over all requests so far as the one limit.
    MeanShare,
    /// The shipped guardrail, which looks at the first events of the current window beside the whole run.
    Guardrail,
}

/// All that a run depends on, but for chance.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub users: Users,
    pub steps: Vec<Step>,
    pub gate: Terms,
    pub guardrail: Terms,
    pub window: Duration,
    /// Requests per second.
    pub per_second: f64,
    pub ways: Vec<Way>,
    /// Proxies, each of which remembers users for itself and takes its part of the requests.
    pub proxies: usize,
}

/// When somebody who looks at a run sees what they look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// All requests until then.
    pub requests: u64,
    /// All events until then, at canary and baseline.
    pub events: u64,
    /// The trials among them.
    pub trials: u64,
    /// The canary's events until then.
    pub bad: u64,
}

/// The weights of users, added up.
struct Crowd(Vec<f64>);

impl Crowd {
    fn new(users: Users, random: &mut Random) -> Self {
        let Users::Crowd { users, exponent, uneven } = users else { return Self(Vec::new()) };
        let mut sum = 0.0;
        let weights = (1..=users).map(|rank| {
            // Of a few users nearly everything goes wrong, of most hardly anything.
            let own = if uneven { random.share().powi(4) } else { 1.0 };
            sum += own / (rank as f64).powf(exponent);
            sum
        });
        Self(weights.collect())
    }

    fn draw(&self, random: &mut Random) -> Option<u64> {
        let at = self.0.last()? * random.share();
        Some(self.0.partition_point(|sum| *sum <= at) as u64)
    }
}

/// Counts as the gate keeps them.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    bad: u64,
    trials: u64,
    limits: u64,
}

impl Tally {
    fn add(&mut self, limit: Rate, is_bad: bool) {
        self.limits += u64::from(limit.ppm());
        self.trials += 1;
        self.bad += u64::from(is_bad);
    }

    fn counts(self) -> Counts {
        Counts::new(self.bad, self.trials)
    }

    fn with_limits(self) -> Reading {
        Reading::new(self.bad, self.trials, self.bad).with_limits(self.limits, self.limits)
    }
}

/// The products of the ratios of all trials, one for each multiplier, as logarithms.
#[derive(Clone, Copy, Debug, Default)]
struct Products([f64; 4]);

impl Products {
    fn add(&mut self, limit: Rate, is_bad: bool) {
        let limit = f64::from(limit.ppm()) / f64::from(WHOLE);
        for (product, odds) in self.0.iter_mut().zip([1.5_f64, 2.0, 4.0, 8.0]) {
            let ratio = if is_bad { odds } else { 1.0 } / (1.0 - limit + odds * limit);
            *product += ratio.ln();
        }
    }

    fn reach(self, alpha: Rate) -> bool {
        self.0.map(f64::exp).iter().sum::<f64>() / 4.0 >= f64::from(WHOLE) / f64::from(alpha.ppm())
    }
}

/// What there is at one moment of a run.
struct Run<'a> {
    scenario: &'a Scenario,
    pages: Vec<Vec<u8>>,
    by_key: Tally,
    /// The part of each proxy.
    by_proxy: Vec<Tally>,
    by_event: Tally,
    products: Products,
    /// The first events of the current window, and the pages in which its users are remembered.
    recent: Option<WindowTally>,
    recent_pages: Vec<Vec<u8>>,
    requests: f64,
    /// The canary's share, times requests.
    shares: f64,
    found: Vec<Option<Found>>,
}

/// The split of a step. Users are assigned by a salt, which is another one in each run.
fn split(step: &Step, users: Users, salt: &str) -> Split {
    let [one, other] = step.canaries;
    let variants = [WHOLE - one - other, one, other];
    let variant = |(index, ppm)| Variant { name: format!("v{index}").into(), ppm, warmup: None };
    Split {
        variants: variants.into_iter().enumerate().map(variant).collect(),
        key: Some(if users == Users::ByRequest { Key::Request } else { Key::Header(Rc::from("x-user")) }),
        salt: salt.to_owned(),
        pins: Vec::new(),
        header: Rc::from("x-gnomon-variant"),
        expose: false,
        same_cluster: false,
    }
}

/// For each of those who look, when they find what they look for.
pub fn run(scenario: &Scenario, random: &mut Random) -> Vec<Option<Found>> {
    let salt = random.next().to_string();
    let crowd = Crowd::new(scenario.users, random);
    let mut run = Run {
        scenario,
        pages: vec![Vec::new(); PAGES * scenario.proxies],
        by_key: Tally::default(),
        by_proxy: vec![Tally::default(); scenario.proxies],
        by_event: Tally::default(),
        products: Products::default(),
        recent: None,
        recent_pages: vec![Vec::new(); PAGES],
        requests: 0.0,
        shares: 0.0,
        found: vec![None; scenario.ways.len()],
    };
    let mut number = 0;
    for step in &scenario.steps {
        let split = split(step, scenario.users, &salt);
        for _ in 0..step.events {
            number += 1;
            let key = crowd.draw(random).unwrap_or(number).to_string().into_bytes();
            run.request(step, &split, key, random);
            if run.found.iter().all(Option::is_some) {
                return run.found;
            }
        }
    }
    run.found
}

impl Run<'_> {
    fn request(&mut self, step: &Step, split: &Split, key: Vec<u8>, random: &mut Random) {
        let by_request = split.key == Some(Key::Request);
        let headers = [(if by_request { "x-request-id" } else { "x-user" }.to_owned(), key)];
        let decision = decide(Some(split), &Request::new(&headers), 0);
        let decision = decision.unless(step.cut_off && decision.variant > CANARY);
        let share = |variant: usize| split.variants[variant].ppm;
        self.requests += step.requests;
        self.shares += step.requests * f64::from(share(CANARY)) / f64::from(share(CANARY) + share(BASELINE));
        let happens = random.share() < step.happens[decision.variant];
        if !happens || decision.variant > CANARY || decision.reason != Reason::Weight {
            return;
        }
        let limit = shared_limit(self.scenario.gate.limit, share(CANARY), share(BASELINE)).expect("both get keys");
        let is_bad = decision.variant == CANARY;
        self.by_event.add(limit, is_bad);
        let proxy = if self.scenario.proxies > 1 { (random.share() * self.scenario.proxies as f64) as usize } else { 0 };
        let is_trial = by_request || self.is_first(&headers[0].1, proxy);
        if is_trial {
            self.by_key.add(limit, is_bad);
            self.by_proxy[proxy].add(limit, is_bad);
            self.products.add(limit, is_bad);
        }
        if self.scenario.ways.contains(&Way::Guardrail) {
            self.count_recent(KeyBit::of(&headers[0].1), limit, is_bad);
        }
        self.look(is_trial, limit);
    }

    /// Counts an event of the current window, if it is the first one of its key there.
    fn count_recent(&mut self, bit: KeyBit, limit: Rate, is_bad: bool) {
        let now = Duration::from_secs_f64(self.requests / self.scenario.per_second);
        let window = Timestamp::from_epoch(now).window(self.scenario.window);
        if let Some(marked) = bit.mark_in(window, &self.recent_pages[bit.page]) {
            self.recent_pages[bit.page] = marked;
            let before = self.recent.map(|tally| tally.written());
            self.recent = Some(WindowTally::after(before.as_ref().map_or(&[], |bytes| bytes), window, limit, is_bad));
        }
    }

    /// Whether this is the first event of a key at this proxy.
    fn is_first(&mut self, key: &[u8], proxy: usize) -> bool {
        let bit = KeyBit::of(key);
        let page = &mut self.pages[proxy * PAGES + bit.page];
        let marked = bit.mark(page);
        let is_first = marked.is_some();
        *page = marked.unwrap_or_else(|| std::mem::take(page));
        is_first
    }

    /// Looks at the trials, after each of them. `limit` is that of the last one.
    fn look(&mut self, is_trial: bool, limit: Rate) {
        let Scenario { gate, guardrail, .. } = *self.scenario;
        let (by_key, products) = (self.by_key, self.products);
        let reading = by_key.with_limits();
        let recent = self.recent.map(|tally| tally.counts()).unwrap_or_default();
        let found = Found { requests: self.requests as u64, events: self.by_event.trials, trials: by_key.trials, bad: self.by_event.bad };
        for (way, when) in self.scenario.ways.iter().zip(&mut self.found) {
            if when.is_some() || !is_trial && !matches!(way, Way::ByEvent | Way::Guardrail) {
                continue;
            }
            let at = |limit| Terms { limit, ..gate }.fails(by_key.counts());
            let seen = match way {
                Way::ByKey => gate.judge(reading, false) == State::Fail,
                Way::Passes => gate.judge(reading, false) == State::Pass,
                Way::ByProxies => {
                    let lives = self.by_proxy.iter().map(|tally| tally.with_limits().fewest);
                    Lives(lives.collect()).judge(&gate, false) == State::Fail
                }
                Way::Product => products.reach(gate.alpha),
                Way::ByEvent => gate.fails(self.by_event.with_limits().fewest),
                Way::CurrentShare => at(limit),
                Way::MeanShare => {
                    let share = (self.shares / self.requests * f64::from(WHOLE)) as u32;
                    at(shared_limit(gate.limit, share, WHOLE - share).expect("both got keys"))
                }
                Way::Guardrail => guardrail.fails(reading.fewest) || guardrail.fails(recent),
            };
            *when = seen.then_some(found);
        }
    }
}
