//! What is simulated, how often, and what comes out.

use std::time::Duration;

use gnomon::gate::State;

use crate::key_figures::{self, KeyFigures};
use crate::progress::Progress;
use crate::simulation::{Setting, Turn, after_the_turn, alarms, first_verdict, runs, window_alarms};

/// The chance of a false alarm that a gate has by default.
pub const ALPHA: f64 = 0.05;

/// The guardrail's defaults.
pub const GUARDRAIL_ALPHA: f64 = 0.001;
pub const GUARDRAIL_MIN_TRIALS: u64 = 20;

/// Its default window, and a short one.
pub const WINDOWS: [Duration; 2] = [Duration::from_secs(600), Duration::from_secs(60)];

/// Good answers before a canary turns bad, and how fast answers come.
pub const GOOD: u64 = 100_000;
pub const PER_SECOND: f64 = 100.0;

/// Runs of the independent simulation that [`REFERENCE`] comes from.
pub const REFERENCE_RUNS: usize = 300;

/// First verdicts with a look after every trial up to [`REFERENCE_HORIZON`], from a simulation written before the shipped code, in another
/// language, with other random numbers: limit, true rate, shares of runs that fail and pass, median trials to the verdict.
pub const REFERENCE: [(f64, f64, f64, f64, Option<u64>); 12] = [
    (0.01, 0.0, 0.0, 1.0, Some(391)),
    (0.01, 0.005, 0.0, 1.0, Some(1548)),
    (0.01, 0.01, 0.04, 0.063, None),
    (0.01, 0.02, 1.0, 0.0, Some(827)),
    (0.01, 0.05, 1.0, 0.0, Some(76)),
    (0.05, 0.02, 0.0, 1.0, Some(242)),
    (0.05, 0.05, 0.047, 0.033, None),
    (0.05, 0.1, 1.0, 0.0, Some(143)),
    (0.5, 0.45, 0.003, 0.85, Some(658)),
    (0.5, 0.5, 0.037, 0.047, None),
    (0.5, 0.6, 0.997, 0.003, Some(151)),
    (0.5, 0.7, 1.0, 0.0, Some(34)),
];
pub const REFERENCE_HORIZON: u64 = 20_000;

/// Limits with true rates above them. The last one is that of a paired gate.
const ABOVE: [(f64, &[f64]); 3] = [
    (0.01, &[0.0125, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5]),
    (0.05, &[0.06, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5]),
    (0.5, &[0.55, 0.575, 0.6, 0.65, 0.7, 0.8, 0.9]),
];

/// Rates after the turn, at a limit of 1 %.
const TURNS: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// How much is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Runs of each scenario.
    pub runs: usize,
    /// Trials of a run on the limit, and of one after the turn.
    pub horizon: u64,
    /// Windows on the limit, and trials in each.
    pub windows: usize,
    pub window_trials: u64,
}

pub const FULL: Size = Size { runs: 1_000, horizon: 100_000, windows: 10_000, window_trials: 6_000 };

/// For a test: figures are rough.
pub const QUICK: Size = Size { runs: 60, horizon: 5_000, windows: 200, window_trials: 1_000 };

/// First verdicts of runs of one setting, that of the same row of [`REFERENCE`].
#[derive(Debug)]
pub struct Verdicts {
    pub fails: f64,
    pub passes: f64,
    /// Trials to the first verdict of runs that had one, ascending.
    pub trials: Vec<u64>,
}

/// When runs of one setting raised an alarm, if they did.
#[derive(Debug)]
pub struct Alarms {
    pub setting: Setting,
    pub gate: Times,
    /// Those of a z-test that looks as often.
    pub z_test: Times,
}

/// When runs in which a canary turned bad raised an alarm.
#[derive(Debug)]
pub struct Turned {
    /// Rate of bad trials after the turn.
    pub rate: f64,
    pub whole: Times,
    /// The guardrail with each of [`WINDOWS`].
    pub guardrail: [Times; 2],
}

/// Numbers of trials, ascending, out of so many runs: the other runs never got there.
#[derive(Debug)]
pub struct Times {
    pub runs: usize,
    pub trials: Vec<u64>,
}

impl Times {
    /// Of each of those who watched the same runs.
    fn of<const WATCHERS: usize>(all: &[[Option<u64>; WATCHERS]]) -> [Self; WATCHERS] {
        std::array::from_fn(|watcher| {
            let mut trials: Vec<u64> = all.iter().filter_map(|times| times[watcher]).collect();
            trials.sort_unstable();
            Self { runs: all.len(), trials }
        })
    }

    /// The share of runs that got there within so many trials.
    pub fn within(&self, trials: u64) -> f64 {
        self.trials.partition_point(|time| *time <= trials) as f64 / self.runs as f64
    }

    /// Trials within which this share of all runs got there.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        self.trials.get(((self.runs as f64 * share).ceil() as usize).saturating_sub(1)).copied()
    }
}

/// All that is reported.
#[derive(Debug)]
pub struct Figures {
    pub size: Size,
    pub table: Vec<Verdicts>,
    /// On the limit, gates over the whole experiment.
    pub on_the_limit: Vec<Alarms>,
    /// On the limit, the guardrail in one window: the setting, and the share of windows with an alarm.
    pub windows: Vec<(Setting, f64)>,
    /// Above the limit.
    pub above: Vec<Alarms>,
    /// After a long good history.
    pub turned: Vec<Turned>,
    /// Of gates that set a canary against the baseline.
    pub keys: KeyFigures,
}

/// Runs everything.
pub fn figures(size: Size) -> Figures {
    let limits = ABOVE.map(|(limit, _)| limit);
    let above: Vec<(f64, f64)> = ABOVE.iter().flat_map(|(limit, rates)| rates.iter().map(|rate| (*limit, *rate))).collect();
    let scenarios = REFERENCE.len() + limits.len() + above.len() + TURNS.len() + key_figures::ROWS;
    let progress = Progress::new(scenarios * size.runs + limits.len() * size.windows);
    let mut scenario = 0;
    let mut next = || {
        scenario += 1;
        scenario
    };
    let gate = |limit, rate| Setting { limit, rate, alpha: ALPHA };
    let table = REFERENCE.iter().map(|row| verdicts(gate(row.0, row.1), next(), size, &progress)).collect();
    let on_the_limit = limits.iter().map(|limit| all_alarms(gate(*limit, *limit), next(), size, size.horizon, &progress)).collect();
    let windows = limits.map(|limit| Setting { alpha: GUARDRAIL_ALPHA, ..gate(limit, limit) });
    let windows = windows.map(|setting| (setting, window_share(setting, next(), size, &progress))).to_vec();
    let above = above.iter().map(|(limit, rate)| all_alarms(gate(*limit, *rate), next(), size, REFERENCE_HORIZON, &progress)).collect();
    let turned = TURNS.iter().map(|rate| all_turned(gate(0.01, *rate), next(), size, &progress)).collect();
    let keys = key_figures::figures(size, &progress);
    Figures { size, table, on_the_limit, windows, above, turned, keys }
}

fn verdicts(setting: Setting, scenario: u64, size: Size, progress: &Progress) -> Verdicts {
    let all = runs(scenario, size.runs, progress, |mut random| first_verdict(setting, REFERENCE_HORIZON, &mut random));
    let share = |wanted| all.iter().flatten().filter(|(state, _)| *state == wanted).count() as f64 / size.runs as f64;
    let mut trials: Vec<u64> = all.iter().flatten().map(|(_, trials)| *trials).collect();
    trials.sort_unstable();
    Verdicts { fails: share(State::Fail), passes: share(State::Pass), trials }
}

fn all_alarms(setting: Setting, scenario: u64, size: Size, horizon: u64, progress: &Progress) -> Alarms {
    let all = runs(scenario, size.runs, progress, |mut random| alarms(setting, horizon, &mut random));
    let [gate, z_test] = Times::of(&all);
    Alarms { setting, gate, z_test }
}

fn all_turned(setting: Setting, scenario: u64, size: Size, progress: &Progress) -> Turned {
    let turn = Turn {
        good: GOOD,
        per_second: PER_SECOND,
        setting,
        guardrail_alpha: GUARDRAIL_ALPHA,
        guardrail_min_trials: GUARDRAIL_MIN_TRIALS,
        windows: WINDOWS,
    };
    let all = runs(scenario, size.runs, progress, |mut random| after_the_turn(turn, size.horizon, &mut random));
    let [whole, long, short] = Times::of(&all);
    Turned { rate: setting.rate, whole, guardrail: [long, short] }
}

fn window_share(setting: Setting, scenario: u64, size: Size, progress: &Progress) -> f64 {
    let alarms =
        runs(scenario, size.windows, progress, |mut random| window_alarms(setting, size.window_trials, GUARDRAIL_MIN_TRIALS, &mut random));
    alarms.iter().filter(|alarm| **alarm).count() as f64 / size.windows as f64
}

/// The standard error of a share of so many runs.
fn error(share: f64, runs: f64) -> f64 {
    (share * (1.0 - share) / runs).sqrt()
}

/// Whether a share of runs is more than promised, beyond what chance explains (four standard errors).
pub fn beyond(share: f64, promised: f64, runs: usize) -> bool {
    share > promised + 4.0 * error(promised, runs as f64)
}

/// What of the figures is not as promised, or not as the reference says, beyond what chance explains (four standard errors).
pub fn disagreements(figures: &Figures) -> Vec<String> {
    let mut found = key_figures::disagreements(&figures.keys);
    for (verdicts, reference) in figures.table.iter().zip(REFERENCE) {
        let (limit, rate) = (reference.0, reference.1);
        let (ours, theirs) = (figures.size.runs as f64, REFERENCE_RUNS as f64);
        for (what, share, expected) in [("fail", verdicts.fails, reference.2), ("pass", verdicts.passes, reference.3)] {
            // Two runs of each kind more, so that none of few says something, too.
            let pooled = (share * ours + expected * theirs + 2.0) / (ours + theirs + 4.0);
            if (share - expected).abs() > 4.0 * error(pooled, ours).hypot(error(pooled, theirs)) {
                found.push(format!("limit {limit}, rate {rate}: {share} of runs {what}, the reference says {expected}"));
            }
        }
        if let Some(expected) = reference.4 {
            let decided = verdicts.trials.len() as f64;
            let around = 4.0 * error(0.5, decided.max(1.0)).hypot(error(0.5, theirs));
            let at = |share: f64| verdicts.trials.get(((decided * share) as usize).min(verdicts.trials.len().saturating_sub(1))).copied();
            let (low, high) = (at((0.5 - around).max(0.0)).unwrap_or(0), at((0.5 + around).min(1.0)).unwrap_or(0));
            if !(low..=high).contains(&expected) {
                found.push(format!("limit {limit}, rate {rate}: the median is between {low} and {high}, the reference says {expected}"));
            }
        }
    }
    let alarms = figures.on_the_limit.iter().map(|alarms| (alarms.setting, alarms.gate.within(u64::MAX), figures.size.runs));
    let windows = figures.windows.iter().map(|(setting, share)| (*setting, *share, figures.size.windows));
    for (Setting { limit, alpha, .. }, share, runs) in alarms.chain(windows) {
        if beyond(share, alpha, runs) {
            found.push(format!("limit {limit}: {share} of runs on the limit raise an alarm, more than {alpha}"));
        }
    }
    found
}
