//! Runs of gates on made-up trials. The gates are the shipped ones; only where the trials come from is not.
//!
//! A run depends on the seed, its scenario and its number alone, so neither the number of threads nor their order changes a figure.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gnomon::gate::window::WindowStart;
use gnomon::gate::{Counts, Rate, Reading, State, Terms};
use gnomon::timestamp::Timestamp;

use crate::progress::Progress;

/// Of all random numbers; any other does as well.
const SEED: u64 = 0x676e_6f6d_6f6e;

/// Where a gate's limit is, and what the truth is.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub limit: f64,
    pub rate: f64,
    pub alpha: f64,
}

/// A million parts make a whole.
fn ppm(share: f64) -> Rate {
    Rate::new((share * 1e6).round() as u32).expect("between 0 and 1")
}

impl Setting {
    pub fn terms(&self, min_trials: u64) -> Terms {
        Terms { limit: ppm(self.limit), alpha: ppm(self.alpha), min_trials }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Random(u64);

impl Random {
    pub fn new(scenario: u64, run: u64) -> Self {
        let mut start = Self(SEED ^ scenario.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ run.wrapping_mul(0xa076_1d64_78bd_642f));
        Self(start.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from 0 to 1, without 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The results of so many runs, in their order.
pub fn runs<T: Send>(scenario: u64, runs: usize, progress: &Progress, run: impl Fn(Random) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut results = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= runs {
                return results;
            }
            results.push((number, run(Random::new(scenario, number as u64))));
            progress.step();
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut results: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no run panics")).collect()
    });
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The first verdict of a gate that looks after every trial, and after how many, unless there is none within `horizon`.
pub fn first_verdict(setting: Setting, horizon: u64, random: &mut Random) -> Option<(State, u64)> {
    let terms = setting.terms(0);
    let mut bad = 0;
    (1..=horizon).find_map(|trials| {
        bad += u64::from(random.share() < setting.rate);
        let state = terms.judge(Counts::new(bad, trials).into(), false);
        (state != State::Undecided).then_some((state, trials))
    })
}

/// After how many trials the gate fails, and after how many a naive test raises its alarm, on the same trials.
pub fn alarms(setting: Setting, horizon: u64, random: &mut Random) -> [Option<u64>; 2] {
    let terms = setting.terms(0);
    let (mut bad, mut first) = (0, [None; 2]);
    for trials in 1..=horizon {
        bad += u64::from(random.share() < setting.rate);
        if first[0].is_none() && terms.fails(Counts::new(bad, trials)) {
            first[0] = Some(trials);
        }
        if first[1].is_none() && z_test_alarms(setting, bad, trials) {
            first[1] = Some(trials);
        }
        if first.iter().all(Option::is_some) {
            break;
        }
    }
    first
}

/// The 95th percentile of the normal distribution.
const Z: f64 = 1.644_854;

/// The usual rule of thumb for when that distribution is near enough: so many bad trials expected.
const EXPECTED_BAD: f64 = 5.0;

/// A one-sided z-test at 5 %, made for one look at a number of trials fixed beforehand.
fn z_test_alarms(Setting { limit, .. }: Setting, bad: u64, trials: u64) -> bool {
    let expected = trials as f64 * limit;
    expected >= EXPECTED_BAD && bad as f64 - expected >= Z * (expected * (1.0 - limit)).sqrt()
}

/// A canary that turns bad after so many good answers, at a random moment of a guardrail's window.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub good: u64,
    pub per_second: f64,
    /// The rate is the one after the turn; the alpha that of the whole experiment.
    pub setting: Setting,
    pub guardrail_alpha: f64,
    pub guardrail_min_trials: u64,
    pub windows: [Duration; 2],
}

/// A guardrail's current window.
pub struct Window {
    length: Duration,
    begun: Option<WindowStart>,
}

impl Window {
    pub fn new(length: Duration) -> Self {
        Self { length, begun: None }
    }

    /// What came since the first look in it.
    pub fn counts(&mut self, reading: Reading, now: Duration) -> Counts {
        let now = WindowStart::new(reading, Timestamp::from_epoch(now), self.length);
        let counts = self.begun.and_then(|begun| begun.until(&now, reading));
        if counts.is_none() {
            self.begun = Some(now);
        }
        counts.unwrap_or_default()
    }
}

/// After how many trials from the turn on these fail: the gate over the whole experiment, and guardrails, each of which looks at its current
/// window beside it.
pub fn after_the_turn(turn: Turn, horizon: u64, random: &mut Random) -> [Option<u64>; 3] {
    let whole = turn.setting.terms(0);
    let guardrail = Setting { alpha: turn.guardrail_alpha, ..turn.setting }.terms(turn.guardrail_min_trials);
    let mut windows = turn.windows.map(Window::new);
    let begun = turn.windows.into_iter().max().unwrap_or_default().mul_f64(random.share());
    let at = |trials: u64| begun + Duration::from_secs_f64(trials as f64 / turn.per_second);
    // Of good answers no gate fails, so nothing need be judged before the turn.
    for trials in 1..=turn.good {
        for window in &mut windows {
            window.counts(Counts::new(0, trials).into(), at(trials));
        }
    }
    let (mut bad, mut first) = (0, [None; 3]);
    for since in 1..=horizon {
        bad += u64::from(random.share() < turn.setting.rate);
        let counts = Counts::new(bad, turn.good + since);
        let recent = windows.each_mut().map(|window| window.counts(Reading::from(counts), at(turn.good + since)));
        let guarded = |recent| guardrail.fails(recent) || guardrail.fails(counts);
        let fails: [&dyn Fn() -> bool; 3] = [&|| whole.fails(counts), &|| guarded(recent[0]), &|| guarded(recent[1])];
        for (first, fails) in first.iter_mut().zip(fails) {
            if first.is_none() && fails() {
                *first = Some(since);
            }
        }
        if first.iter().all(Option::is_some) {
            break;
        }
    }
    first
}

/// Whether one window with so many trials at the limit raises a false alarm.
pub fn window_alarms(setting: Setting, trials: u64, min_trials: u64, random: &mut Random) -> bool {
    let terms = setting.terms(min_trials);
    let mut bad = 0;
    (1..=trials).any(|trials| {
        bad += u64::from(random.share() < setting.rate);
        terms.fails(Counts::new(bad, trials))
    })
}
