//! The figures of gates that set a canary against the baseline, as a section of the page.

use crate::figures::ALPHA;
use crate::key_figures::{KeyFigures, Row, SHARES};
use crate::key_simulation::{Found, Way};
use crate::page::{head, percent, row, trials};

/// The section.
pub fn section(figures: &KeyFigures) -> String {
    let alpha = percent(ALPHA);
    format!(
        "## Canary against baseline

`worse_than_baseline` with a limit of 50 %. The filter's code assigns the users, tells first events, sets the limits and judges. Users are
*new* each time, or a *crowd* of 10 000 by Zipf's law (exponent 1.1), few of whom cause nearly all events.

### False alarms: the models are equal

Shares of runs in which the gate ever fails ({alpha} % is promised), and in which naive tests do: one takes each event for a trial, the
others take the share of the moment, or that over all requests so far, for the limit of all trials. The share moves from 5 to 25 and 50 %
and back, with a burst of events at 50 %. Of two canaries, 10 and 40 %, the second is cut off midway. 200 000 users are more than the gate
remembers. One client with a thousand bad requests is one trial.

{equal}
### Detection

The canary's bad answers until the gate fails and until the guardrail cuts it off (`alpha` 0.1 %, `min_trials` 20), median / 9 of 10, if it answers 404 to all, and
the baseline to none or to 1 % of requests. Near 100 % nearly all events are the canary's anyway, so each tells little: compare up to 75 %,
and guard `failed` beyond. In a crowd (here all are alike but for their numbers of requests) a user's later answers are no trials.

{refusing}
Events at both, and all requests, until the gate fails if the baseline's rate is 1 % and the canary's is higher, and until equal models
pass a limit of 60 % (median / 9 of 10).

{worse}
### Where first events mislead

*Several proxies.* Each remembers users for itself. If the requests of one user reach several, that user counts at each of them. What a
proxy says of its own counts holds; the sum over proxies fails good canaries too often. So the recording rules take the mean of the proxies' e-values.

*Users who all have the event.* A user has one first event in an experiment. Once most have had theirs (here 10 000 alike, one event per
second), the gate hardly gets trials, and does not find a canary that turns bad late. The guardrail does: each of its windows has first
events of its own. By a limit below 50 % the gate fails any canary in the end, also one that is *better*.

{misled}",
        equal = equal(&figures.equal),
        refusing = refusing(&figures.refusing),
        worse = worse(figures),
        misled = misled(&figures.misled),
    )
}

fn shares(row: &Row, ways: &[Way]) -> Vec<String> {
    ways.iter().map(|way| row.share(*way).map_or("-".to_owned(), |share| format!("{:.1} %", 100.0 * share))).collect()
}

fn equal(rows: &[Row]) -> String {
    let heads = ["situation", "users", "gate", "each event", "share of the moment", "mean share"];
    let mut table = head(heads.map(str::to_owned));
    for it in rows {
        let shares = shares(it, &[Way::ByKey, Way::ByEvent, Way::CurrentShare, Way::MeanShare]);
        row(&mut table, [it.what, it.who].map(str::to_owned).into_iter().chain(shares));
    }
    table
}

/// Median and 90 % quantile.
fn both(it: &Row, way: Way, number: fn(&Found) -> u64) -> String {
    let [median, most] = [0.5, 0.9].map(|share| trials(it.quantile(way, share, number)));
    format!("{median} / {most}")
}

fn refusing(all: &[[Row; 4]]) -> String {
    let heads = ["share", "gate, none", "guardrail, none", "crowd, none", "gate, 1 %", "guardrail, 1 %", "crowd, 1 %"];
    let mut table = head(heads.map(str::to_owned));
    for (share, [none, none_of_crowd, few, few_of_crowd]) in SHARES.into_iter().zip(all) {
        let cells = [(none, none_of_crowd), (few, few_of_crowd)].into_iter().flat_map(|(new, crowd)| {
            [(new, Way::ByKey), (new, Way::Guardrail), (crowd, Way::Guardrail)].map(|(it, way)| both(it, way, |found| found.bad))
        });
        row(&mut table, [format!("{} %", percent(f64::from(share) / 1e6))].into_iter().chain(cells));
    }
    table
}

fn worse(figures: &KeyFigures) -> String {
    let mut table = head(["canary", "share", "events", "requests"].map(str::to_owned));
    let rows = figures.worse.iter().map(|row| (row, Way::ByKey)).chain(figures.passing.iter().map(|row| (row, Way::Passes)));
    for (it, way) in rows {
        let numbers = [both(it, way, |found| found.events), both(it, way, |found| found.requests)];
        row(&mut table, [it.what, it.who].map(str::to_owned).into_iter().chain(numbers));
    }
    table
}

fn misled(rows: &[Row]) -> String {
    let mut table = head(["canary", "where", "the gate fails", "the mean of the proxies", "cut off"].map(str::to_owned));
    for it in rows {
        row(&mut table, [it.what, it.who].map(str::to_owned).into_iter().chain(shares(it, &[Way::ByKey, Way::ByProxies, Way::Guardrail])));
    }
    table
}
