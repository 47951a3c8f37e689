//! The figures as a page of tables.

use std::fmt::Write;
use std::time::Duration;

use crate::figures::{
    ALPHA, Alarms, Figures, GOOD, GUARDRAIL_ALPHA, GUARDRAIL_MIN_TRIALS, PER_SECOND, REFERENCE, REFERENCE_HORIZON, REFERENCE_RUNS, Times,
    Turned, WINDOWS,
};
use crate::key_page;

/// Numbers of trials up to which false alarms are counted, and rates of traffic per second.
const LOOKS: [u64; 4] = [100, 1_000, 10_000, 100_000];
const TRAFFIC: [f64; 3] = [1.0, 10.0, 100.0];

/// The whole page.
pub fn page(figures: &Figures) -> String {
    let Figures { size, .. } = figures;
    let [alpha, guardrail_alpha] = [ALPHA, GUARDRAIL_ALPHA].map(percent);
    let horizon = grouped(REFERENCE_HORIZON);
    let good = grouped(GOOD);
    let runs = grouped(size.runs as u64);
    format!(
        "# How gates behave: their operating curve

Written by `./scripts/operating-curve`, which runs the code of the filter's gates (`src/gate.rs`) on made-up trials; don't edit. Each line is {runs}
runs, with a look after *every* trial: nobody can look more often. Trials are independent here. Real ones are less so (one client's
repeated requests), and then evidence is worth less than the gate takes it for.

A gate without history, `alpha` {alpha} %, unless something else is said. A limit of 50 % is that of a *paired* measure
(`worse_than_control`, `slower_than_primary`), whose trials are the discordant pairs alone: divide trials and times by the share of pairs that
are. Where 5 % of pairs are discordant, 140 trials are 2 800 pairs.

## How to choose

* *The limit* of a gate lies between twice the rate that is normal and half of the one that hurts. For limits up to 10 % it then takes, divided
  by the limit as a share, some 4 trials until a spotless subject passes, 18 until one with half the limit passes, and 8 until one with twice
  the limit fails (medians): at 1 % 400, 1 800 and 800, at 10 % (`coverage` of 90) 40, 180 and 80.
* *`alpha`* costs little: evidence grows exponentially, so a fifth of it takes about half as many trials again, not five times as many.
* *`min_trials`* is not needed for the promised chances where trials are independent. Where few clients send most requests, let it be a few
  hundred.
* *The window* of a guardrail should hold some hundred trials at one proxy. Shorter ones notice sooner, and raise false alarms more often.

![False alarms, detection and long histories](operating-curve.svg)

## False alarms: the rate is on the limit

Shares of runs that had an alarm within so many trials. The gate promises at most {alpha} %, however long one looks. Beside it: a one-sided z-test at 5 %, made for one look at a number of trials
that is fixed beforehand, and looked at as often (from the trial on by which five bad trials are expected).

{false_alarms}
In one window of the guardrail (`alpha` {guardrail_alpha} %, `min_trials` {GUARDRAIL_MIN_TRIALS}), {window_trials} trials each, {windows} windows, and what
that comes to in a day. Each guarded gate has this chance of its own; that of the whole experiment, once, comes on top. So two gates whose
rates are right on their limits cut off a good canary at most {two_gates} times a day by windows of 10 min. Below the limit it is far rarer.

{windowed}
## Detection: the rate is above the limit

Trials until the gate fails, of all runs (up to {horizon} trials), and how long that takes at so many trials per second; `-`: fewer runs than
that failed. Near the limit the z-test is quicker: that is what its false alarms buy. Close to it a gate stays undecided for very long: it
weighs rates with odds 1.5 times the limit's and more, and below 1.2 times hardly ever decides.

{detection}
## A good history: a canary that turns bad after {good} good answers

At a limit of 1 %, {per_second} answers per second, and so many bad ones among them from one moment on: trials, and time, until the gate over the
whole experiment fails (`alpha` {alpha} %), and until a guardrail does (`alpha` {guardrail_alpha} %), which looks at the current window beside it. The moment is at random in a window, so
there are good answers in it, too, which mute the evidence; a window that ends meanwhile begins afresh. A shorter window is quicker as
long as it holds enough trials (here 6 000), and runs the risk of a false alarm more often.

{turned}
{keys}
## First verdicts, held against an independent simulation

Pass or fail, whichever came first within {horizon} trials; the median is that of the runs that had a verdict. The reference: a simulation written before
the filter's code, in another language, with {REFERENCE_RUNS} runs (a share near 5 % is known to about 2.5 points either way). The script fails if
they differ by more than chance explains.

{comparison}",
        false_alarms = false_alarms(figures),
        windowed = windowed(figures),
        windows = grouped(size.windows as u64),
        two_gates = a_day(2.0 * GUARDRAIL_ALPHA, WINDOWS[0]),
        window_trials = grouped(size.window_trials),
        detection = detection(&figures.above),
        per_second = PER_SECOND,
        turned = turned(&figures.turned),
        keys = key_page::section(&figures.keys),
        comparison = comparison(figures),
    )
}

fn false_alarms(figures: &Figures) -> String {
    let looks: Vec<u64> = LOOKS.into_iter().filter(|looks| *looks <= figures.size.horizon).collect();
    let heads = looks.iter().map(|looks| format!("{} trials", grouped(*looks)));
    let mut table = head(["limit", "test"].map(str::to_owned).into_iter().chain(heads));
    for alarms in &figures.on_the_limit {
        for (name, times) in [("gate", &alarms.gate), ("z-test", &alarms.z_test)] {
            let limit = format!("{} %", percent(alarms.setting.limit));
            let shares = looks.iter().map(|looks| format!("{:.1} %", 100.0 * times.within(*looks)));
            row(&mut table, [limit, name.to_owned()].into_iter().chain(shares));
        }
    }
    table
}

fn windowed(figures: &Figures) -> String {
    let heads = WINDOWS.map(|window| format!("a day, of {} min", window.as_secs() / 60));
    let mut table = head(["limit", "windows with an alarm"].map(str::to_owned).into_iter().chain(heads));
    let measured = figures.windows.iter().map(|(setting, share)| (format!("{} %", percent(setting.limit)), *share));
    for (limit, share) in measured.chain([("promised: at most".to_owned(), GUARDRAIL_ALPHA)]) {
        row(&mut table, [limit, format!("{:.2} %", 100.0 * share)].into_iter().chain(WINDOWS.map(|window| a_day(share, window))));
    }
    table
}

/// How many windows of a day have what this share of them has.
fn a_day(share: f64, window: Duration) -> String {
    format!("{:.2}", share * 86_400.0 / window.as_secs_f64())
}

fn detection(all: &[Alarms]) -> String {
    let heads = ["limit", "true rate", "fail", "median", "9 of 10"].map(str::to_owned).into_iter();
    let traffic = TRAFFIC.map(|rate| format!("median at {rate}/s"));
    let mut table = head(heads.chain(traffic).chain(["z-test, median".to_owned()]));
    for Alarms { setting, gate, z_test } in all {
        let [median, most] = [0.5, 0.9].map(|share| gate.quantile(share));
        let shares = [setting.limit, setting.rate].map(|share| format!("{} %", percent(share)));
        let fail = format!("{:.1} %", 100.0 * gate.within(u64::MAX));
        let times = TRAFFIC.map(|rate| median.map_or("-".to_owned(), |trials| duration(trials as f64 / rate)));
        let cells = shares.into_iter().chain([fail, trials(median), trials(most)]).chain(times);
        row(&mut table, cells.chain([trials(z_test.quantile(0.5))]));
    }
    table
}

fn turned(all: &[Turned]) -> String {
    let window = |at: usize| format!("window of {} min: median", WINDOWS[at].as_secs() / 60);
    let most = || "9 of 10".to_owned();
    let heads = ["rate after".to_owned(), "whole experiment: median".to_owned(), most(), window(0), most(), window(1), most()];
    let mut table = head(heads);
    for Turned { rate, whole, guardrail: [long, short] } in all {
        let timed = |times: &Times, share| {
            times.quantile(share).map_or("-".to_owned(), |trials| format!("{} ({})", grouped(trials), duration(trials as f64 / PER_SECOND)))
        };
        let times = [whole, long, short].into_iter().flat_map(|times| [timed(times, 0.5), timed(times, 0.9)]);
        row(&mut table, [format!("{} %", percent(*rate))].into_iter().chain(times));
    }
    table
}

/// The table of first verdicts beside the reference.
pub fn comparison(figures: &Figures) -> String {
    let heads = ["limit", "true rate", "fail", "reference", "pass", "reference", "median trials", "reference"];
    let mut table = head(heads.map(str::to_owned));
    for (verdicts, (limit, rate, fails, passes, median)) in figures.table.iter().zip(REFERENCE) {
        // Of the few runs on the limit that had a verdict the median says nothing.
        let ours = median.and(verdicts.trials.get(verdicts.trials.len() / 2).copied());
        let [limit, rate] = [limit, rate].map(|share| format!("{} %", percent(share)));
        let [fail, fails, pass, passes] = [verdicts.fails, fails, verdicts.passes, passes].map(|share| format!("{:.1} %", 100.0 * share));
        row(&mut table, [limit, rate, fail, fails, pass, passes, trials(ours), trials(median)]);
    }
    table
}

pub fn head(cells: impl IntoIterator<Item = String>) -> String {
    let mut table = String::new();
    let cells: Vec<String> = cells.into_iter().collect();
    row(&mut table, cells.iter().cloned());
    row(&mut table, cells.iter().map(|_| "---".to_owned()));
    table
}

pub fn row(table: &mut String, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    writeln!(table, "| {} |", cells.join(" | ")).expect("a string takes all");
}

pub fn trials(number: Option<u64>) -> String {
    number.map_or("-".to_owned(), grouped)
}

/// Without zeros at the end.
pub fn percent(share: f64) -> String {
    format!("{}", (share * 1e6).round() / 1e4)
}

/// With a space before every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let spaced = digits.char_indices().flat_map(|(at, digit)| {
        let space = at > 0 && (digits.len() - at).is_multiple_of(3);
        space.then_some(' ').into_iter().chain([digit])
    });
    spaced.collect()
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}
