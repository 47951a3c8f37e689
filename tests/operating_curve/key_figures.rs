//! What is simulated of gates that set a canary against the baseline, how often, and what comes out.

use gnomon::gate::{Rate, Terms};

use crate::figures::{ALPHA, GUARDRAIL_ALPHA, GUARDRAIL_MIN_TRIALS, PER_SECOND, Size, WINDOWS, beyond};
use crate::key_simulation::{Found, Scenario, Step, Users, Way, run};
use crate::progress::Progress;
use crate::simulation::runs;

/// Scenarios have numbers of their own after those of other gates, so that neither changes the other's random numbers.
const FIRST_SCENARIO: u64 = 1_000;

/// Users whose requests follow Zipf's law, and of a few of whom nearly all events are.
pub const CROWD: Users = Users::Crowd { users: 10_000, exponent: 1.1, uneven: true };
/// The same, but each request has the same chance of an event.
const BUSY: Users = Users::Crowd { users: 10_000, exponent: 1.1, uneven: false };
/// Users who are alike, so that in the end all of them have had an event.
const ALIKE: Users = Users::Crowd { users: 10_000, exponent: 0.0, uneven: false };
/// More users than there are bits to remember them by.
const MANY: Users = Users::Crowd { users: 200_000, exponent: 0.0, uneven: false };
const ONE: Users = Users::Crowd { users: 1, exponent: 0.0, uneven: false };

const EQUAL: [f64; 3] = [1.0; 3];
const HALF: u32 = 500_000;

/// Shares of a canary that answers 404 to all.
pub const SHARES: [u32; 7] = [50_000, 100_000, 250_000, HALF, 750_000, 900_000, 990_000];

/// The canary's answers until the gate fails and until the guardrail cuts it off, at each of [`SHARES`], if nothing else is a trial. By
/// another language, from the formula:
///
/// ```python
/// def least(p, alpha, n):
///     while sum((m / (1 - p + m * p)) ** n for m in (1.5, 2, 4, 8)) / 4 < 1 / alpha: n += 1
///     return n
/// [[least(p, alpha, n) for p in (.05, .1, .25, .5, .75, .9, .99)] for alpha, n in ((.05, 1), (.001, 20))]
/// ```
const LEAST: [[u64; 7]; 2] = [[3, 3, 4, 7, 16, 42, 427], [20, 20, 20, 20, 33, 88, 909]];

/// One scenario and its runs: for each run, when each of the scenario's ways found what it looks for.
#[derive(Debug)]
pub struct Row {
    pub what: &'static str,
    pub who: &'static str,
    pub scenario: Scenario,
    pub runs: Vec<Vec<Option<Found>>>,
}

impl Row {
    fn of(&self, way: Way) -> Option<impl Iterator<Item = Option<Found>>> {
        let at = self.scenario.ways.iter().position(|it| *it == way)?;
        Some(self.runs.iter().map(move |run| run[at]))
    }

    /// The share of runs in which this way found what it looks for, if it looked.
    pub fn share(&self, way: Way) -> Option<f64> {
        Some(self.of(way)?.flatten().count() as f64 / self.runs.len() as f64)
    }

    /// This number is reached within this share of all runs.
    pub fn quantile(&self, way: Way, share: f64, number: impl Fn(&Found) -> u64) -> Option<u64> {
        let mut numbers: Vec<u64> = self.of(way)?.flatten().map(|found| number(&found)).collect();
        numbers.sort_unstable();
        numbers.get(((self.runs.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied()
    }
}

/// All that is reported.
#[derive(Debug)]
pub struct KeyFigures {
    /// Models that are equal.
    pub equal: Vec<Row>,
    /// A canary that answers 404 to all: at each of [`SHARES`] rows for a baseline without and with a few, new users and a crowd.
    pub refusing: Vec<[Row; 4]>,
    /// A canary with a higher rate than the baseline.
    pub worse: Vec<Row>,
    /// Equal models under a limit that lets them pass.
    pub passing: Vec<Row>,
    /// Where the first events of users mislead: several proxies count the same users, or most users have had theirs.
    pub misled: Vec<Row>,
}

/// Runs one scenario after the other.
struct Runner<'a> {
    size: Size,
    scenario: u64,
    progress: &'a Progress,
}

impl Runner<'_> {
    /// `part`: the part of the usual number of runs.
    fn row(&mut self, (what, who): (&'static str, &'static str), part: f64, scenario: Scenario) -> Row {
        self.scenario += 1;
        let count = (self.size.runs as f64 * part) as usize;
        let runs = runs(self.scenario, count, self.progress, |mut random| run(&scenario, &mut random));
        // As if all had run.
        (count..self.size.runs).for_each(|_| self.progress.step());
        Row { what, who, scenario, runs }
    }
}

fn scenario(users: Users, steps: impl Into<Vec<Step>>, limit: u32, ways: &[Way]) -> Scenario {
    let limit = Rate::new(limit).expect("between 0 and 1");
    Scenario {
        users,
        steps: steps.into(),
        gate: Terms { limit, alpha: Rate::ALPHA, min_trials: 0 },
        guardrail: Terms { limit, alpha: Rate::GUARDRAIL_ALPHA, min_trials: GUARDRAIL_MIN_TRIALS },
        window: WINDOWS[0],
        per_second: PER_SECOND,
        ways: ways.to_vec(),
        proxies: 1,
    }
}

/// One request in a hundred may have the event.
fn step(events: u64, canary: u32, happens: [f64; 3]) -> Step {
    Step { events, requests: 100.0, canaries: [canary, 0], happens, cut_off: false }
}

/// How many rows there are.
pub const ROWS: usize = 9 + 4 * SHARES.len() + 4 + 2 + 8;

/// Runs everything.
pub fn figures(size: Size, progress: &Progress) -> KeyFigures {
    let runner = &mut Runner { size, scenario: FIRST_SCENARIO, progress };
    let equal = equal(runner);
    let refusing = SHARES.map(|share| refusing(runner, share)).into();
    let mut worse = Vec::new();
    for (times, what) in [(2.0, "twice the rate"), (5.0, "five times the rate")] {
        for (share, who) in [(50_000, "5 %"), (HALF, "50 %")] {
            let step = Step { requests: 100.0 / times, ..step(100_000, share, [1.0 / times, 1.0, 0.0]) };
            worse.push(runner.row((what, who), 1.0, scenario(Users::New, [step], HALF, &[Way::ByKey])));
        }
    }
    let passing = [(50_000, "5 %"), (HALF, "50 %")].map(|(share, who)| {
        let scenario = scenario(Users::New, [step(20_000, share, EQUAL)], 600_000, &[Way::Passes]);
        runner.row(("equal, limit 60 %: passes", who), 0.5, scenario)
    });
    KeyFigures { equal, refusing, worse, passing: passing.into(), misled: misled(runner) }
}

fn equal(runner: &mut Runner<'_>) -> Vec<Row> {
    let events = runner.size.horizon / 10;
    let ways = [Way::ByKey, Way::Passes, Way::Product, Way::ByEvent];
    let moving_ways = [Way::ByKey, Way::Product, Way::ByEvent, Way::CurrentShare, Way::MeanShare];
    let steady = [step(events, 50_000, EQUAL)];
    let moving = |share| step(events / 10, share, EQUAL);
    // In a burst all requests have the event.
    let burst = Step { requests: 1.0, ..step(events / 5, HALF, EQUAL) };
    let moving = [50_000, 250_000, HALF].map(moving).into_iter().chain([burst]).chain([HALF, 250_000, 50_000].map(moving));
    let moving: Vec<Step> = moving.collect();
    let two = |cut_off| Step { canaries: [100_000, 400_000], cut_off, ..step(events / 2, 0, EQUAL) };
    let two = [two(false), two(true)];
    let mut rows = vec![
        runner.row(("share 5 %", "new"), 1.0, scenario(Users::New, steady, HALF, &ways)),
        runner.row(("share 5 %, `key: request`", "any"), 1.0, scenario(Users::ByRequest, steady, HALF, &ways)),
        runner.row(("share 5 %", "crowd"), 1.0, scenario(CROWD, steady, HALF, &ways)),
    ];
    for (who, users) in [("new", Users::New), ("crowd", CROWD)] {
        rows.push(runner.row(("share moves, with a burst", who), 1.0, scenario(users, moving.clone(), HALF, &moving_ways)));
    }
    for (who, users) in [("new", Users::New), ("crowd", CROWD)] {
        rows.push(runner.row(("two canaries, one cut off", who), 1.0, scenario(users, two, HALF, &ways)));
    }
    let many = [step(15 * events, 50_000, EQUAL)];
    rows.push(runner.row(("share 5 %, all have events", "200 000"), 0.2, scenario(MANY, many, HALF, &[Way::ByKey, Way::ByEvent])));
    let one = [step(1_000, HALF, EQUAL)];
    rows.push(runner.row(("share 50 %, 1 000 events", "one"), 1.0, scenario(ONE, one, HALF, &[Way::ByKey, Way::ByEvent])));
    rows
}

fn refusing(runner: &mut Runner<'_>, share: u32) -> [Row; 4] {
    [(0.0, Users::New), (0.0, BUSY), (0.01, Users::New), (0.01, BUSY)].map(|(baseline, users)| {
        let step = Step { requests: 1.0, ..step(100_000, share, [baseline, 1.0, 0.0]) };
        runner.row(("404 to all", ""), 1.0, scenario(users, [step], HALF, &[Way::ByKey, Way::Guardrail]))
    })
}

/// Requests that may have the event, of users who all have it in the end.
const BUSY_EVENTS: u64 = 50_000;

fn misled(runner: &mut Runner<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    let steady = [step(runner.size.horizon / 10, 50_000, EQUAL)];
    for (proxies, who) in [(2, "2 proxies"), (5, "5 proxies"), (20, "20 proxies")] {
        let several = Scenario { proxies, ..scenario(CROWD, steady, HALF, &[Way::ByKey, Way::ByProxies]) };
        rows.push(runner.row(("equal at 5 %, a crowd at several proxies", who), 1.0, several));
    }
    let late = Step { requests: 1.0, ..step(20_000, 50_000, [0.01, 1.0, 0.0]) };
    let turns = |events| [step(events, 50_000, EQUAL), late];
    let better = [step(BUSY_EVENTS, HALF, [1.0, 0.5, 0.0])];
    let equal = [step(BUSY_EVENTS, HALF, EQUAL)];
    for (what, who, steps, limit) in [
        ("404 to all at 5 %", "equal for 30 000 events", &turns(30_000)[..], HALF),
        ("404 to all at 5 %", "equal for 100 000 events", &turns(100_000), HALF),
        ("half the rate at 50 %", "50 000 events", &better, HALF),
        ("half the rate at 50 %", "the same, limit 40 %", &better, 400_000),
        ("equal at 50 %", "50 000 events", &equal, HALF),
    ] {
        rows.push(runner.row((what, who), 0.1, scenario(ALIKE, steps, limit, &[Way::ByKey, Way::Guardrail])));
    }
    rows
}

/// What of the figures is not as promised, beyond what chance explains, or not as another computation has it.
pub fn disagreements(figures: &KeyFigures) -> Vec<String> {
    let mut found = misled_guardrails(&figures.misled);
    for row in &figures.misled {
        if let Some(share) = row.share(Way::ByProxies).filter(|share| beyond(*share, ALPHA, row.runs.len())) {
            found.push(format!("{}, {}: the mean of the proxies fails in {share} of runs with equal models", row.what, row.who));
        }
    }
    for row in &figures.equal {
        for way in [Way::ByKey, Way::Passes] {
            if let Some(share) = row.share(way).filter(|share| beyond(*share, ALPHA, row.runs.len())) {
                found.push(format!("{}, {}: {way:?} in {share} of runs with equal models, more than {ALPHA}", row.what, row.who));
            }
        }
        found.extend(against_products(row));
    }
    if let Some(share) = figures.equal.last().and_then(|one| one.share(Way::ByKey)).filter(|share| *share > 0.0) {
        found.push(format!("one client fails the gate in {share} of runs"));
    }
    for (place, rows) in figures.refusing.iter().enumerate() {
        for (way, least) in [(Way::ByKey, LEAST[0][place]), (Way::Guardrail, LEAST[1][place])] {
            // Where the baseline has no such event, nothing depends on chance but how soon the answers come.
            for row in &rows[..2] {
                let [few, many] = [0.0, 1.0].map(|share| row.quantile(way, share, |found| found.trials));
                if [few, many] != [Some(least); 2] {
                    found.push(format!("404 to all at {}: {way:?} after {few:?} to {many:?} trials, not {least}", SHARES[place]));
                }
            }
        }
        for row in rows.iter().filter(|_| SHARES[place] <= 750_000) {
            if row.quantile(Way::Guardrail, 0.5, |found| found.bad).is_none_or(|bad| bad > 60) {
                found.push(format!("404 to all at {}: not cut off within some tens of answers", SHARES[place]));
            }
        }
    }
    found
}

/// The guardrail must find what turns bad late, and leave canaries alone that are no worse, also once most users have had the event.
fn misled_guardrails(rows: &[Row]) -> Vec<String> {
    let [.., late, better, _, equal] = rows else { return vec!["no runs of busy users".to_owned()] };
    let windows = BUSY_EVENTS as f64 * 100.0 / PER_SECOND / WINDOWS[0].as_secs_f64();
    let share = |row: &Row| row.share(Way::Guardrail).unwrap_or(f64::NAN);
    let mut found = Vec::new();
    if share(late) < 1.0 {
        found.push(format!("{}, {}: cut off in {} of runs", late.what, late.who, share(late)));
    }
    for row in [better, equal] {
        if beyond(share(row), windows * GUARDRAIL_ALPHA, row.runs.len()) {
            found.push(format!("{}, {}: cut off in {} of runs", row.what, row.who, share(row)));
        }
    }
    found
}

/// The mean of the limits must never fail a gate before the product over all trials does; where the limit stays it is the same.
fn against_products(row: &Row) -> Option<String> {
    let trials = |found: Option<Found>| found.map_or(u64::MAX, |found| found.trials);
    let is_steady = row.scenario.steps.iter().all(|step| step.canaries == row.scenario.steps[0].canaries);
    let mut both = row.of(Way::ByKey)?.map(trials).zip(row.of(Way::Product)?.map(trials));
    let (shipped, product) = both.find(|(shipped, product)| shipped < product || is_steady && shipped != product)?;
    Some(format!("{}, {}: fails after {shipped} trials, the product over all trials after {product}", row.what, row.who))
}
