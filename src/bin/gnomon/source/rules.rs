//! What the recording rules in a Prometheus say of an experiment. The decision is theirs, because controllers read it there; what stands
//! beside it must allow it.
//!
//! Reading order: this file (what is asked, and what makes all of it doubtful), [`figures`] (what is said of each subject).

mod figures;

use std::collections::{BTreeMap, BTreeSet};

use self::figures::found;
use super::prometheus::{Prometheus, Queries};
use crate::decision::{Audit, Configuration, Look, Origin, Selection};
use crate::problem::Problem;
use crate::sample::Sample;
use crate::shown;
use crate::time;

/// The version of the rules that this command knows: the label `version` of `gnomon:rules:info`.
const VERSION: &str = "1";

/// The file that has them.
const FILE: &str = "istio/prometheus/rules.yaml";

/// The rules that tell of gates and subjects, by name.
const RULES: &str = "gnomon:gate_bad:sum|gnomon:gate_trials:sum|gnomon:gate_limit:ratio|gnomon:gate_alpha:ratio|gnomon:gate_min_trials:max\
                     |gnomon:gate:state|gnomon:gate_requires:max|gnomon:subject:state|gnomon:subject_cut_off:max|gnomon:subject_held:info";

/// The counts of each life of a proxy.
const LIVES: &str = "gnomon:gate_bad:highest|gnomon:gate_trials:highest|gnomon:gate_limit_sum:highest";

/// Labels that name a gate in a slice.
const GATE: &str = "cluster, experiment, route, gate, subject, slice";

/// Figures of the rules that are older than this many seconds are not those of now. Rules are evaluated every minute or more often.
const OLDEST: f64 = 120.0;

/// Asks a Prometheus about an experiment, at `time` in seconds since 1970.
pub async fn look(prometheus: &Prometheus, selection: &Selection, time: f64) -> Result<Look, Problem> {
    let mut queries = prometheus.at(time);
    let of = format!("experiment={}", quoted(&selection.experiment));
    let rules = version(&queries.ask("gnomon:rules:info").await?, &format!("{} at {}", prometheus.place(), time::written(time)))?;
    let gates = queries.ask(&format!("{{__name__=~\"{RULES}\",{of}}}")).await?;
    if gates.is_empty() {
        return Err(nothing(&mut queries, &selection.experiment).await?);
    }
    // Of trials with limits of their own the sums don't tell enough.
    let lives = queries.ask(&format!("{{__name__=~\"{LIVES}\",{of}}} and on ({GATE}) (gnomon:gate_limit_sum:highest{{{of}}} > 0)")).await?;
    let proxies = "gnomon_experiment_info|gnomon_guardrail_tripped|gnomon_split_misrouted";
    let proxies = queries.ask(&format!("{{__name__=~\"{proxies}\",{of}}} == 1")).await?;
    let at = format!("and on (cluster, job, instance) gnomon_experiment_info{{{of}}} == 1");
    let runs = queries.ask(&format!("{{__name__=~\"gnomon_build_info|gnomon_configuration\"}} {at}")).await?;
    let times = queries.ask(&format!("timestamp(gnomon:subject:state{{{of}}})")).await?;
    let mut flaws: Vec<String> = queries.doubts().collect();
    let subjects = gates.iter().filter(|sample| sample.name == "gnomon:subject:state").count();
    flaws.extend(age(&times, subjects, time));
    flaws.extend(queries.clock);
    let configurations = Configuration::count(proxies.iter().filter(|sample| sample.name == "gnomon_experiment_info"));
    let notes = differing(&configurations);
    let filters = runs.iter().filter(|sample| sample.name == "gnomon_build_info").map(|sample| sample.label("what").to_owned()).collect();
    let origin = Origin::Prometheus { url: prometheus.place(), queries: queries.asked };
    let audit = Audit { time, filters, rules: Some(rules), configurations, origin };
    Ok(Look { found: found(&gates, &lives, &proxies, &runs), flaws, notes, audit })
}

/// Returns, in words, what the rules have decided of an experiment in the 14 days before `time`, in seconds since 1970; nothing of a new one.
///
/// The look goes back, because an id that is used again shows its old state only when its proxies have been scraped.
pub async fn decided(prometheus: &Prometheus, selection: &Selection, time: f64) -> Result<Vec<String>, Problem> {
    let mut queries = prometheus.at(time);
    let place = format!("{} at {}", prometheus.place(), time::written(time));
    version(&queries.ask("gnomon:rules:info").await?, &place)?;
    let labels = [("cluster", &selection.cluster), ("route", &selection.route), ("subject", &selection.subject)];
    let labels = labels.into_iter().filter_map(|(label, value)| Some(format!(",{label}={}", quoted(value.as_ref()?))));
    let of: String = [format!("experiment={}", quoted(&selection.experiment))].into_iter().chain(labels).collect();
    let states = queries.ask(&format!("max_over_time(gnomon:subject:state{{{of}}}[14d])")).await?;
    if let Some(doubt) = queries.doubts().chain(queries.clock.clone()).next() {
        return Err(Problem::input(format!("{place}: {doubt}")));
    }
    let told = |sample: &Sample| {
        let outcome = if sample.value > 1.0 { "fail" } else { "pass" };
        format!("route {}, subject {} ({outcome})", shown::name(sample.label("route")), shown::name(sample.label("subject")))
    };
    Ok(states.iter().filter(|sample| sample.value != 0.0).map(told).collect())
}

/// Returns a text as PromQL writes it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Returns the version of the rules, if this command knows it.
fn version(info: &[Sample], place: &str) -> Result<String, Problem> {
    let versions: BTreeSet<&str> = info.iter().map(|sample| sample.label("version")).collect();
    let versions: Vec<&str> = versions.into_iter().collect();
    match versions[..] {
        [] => {
            Err(Problem::input(format!("{place}: gnomon:rules:info is missing: Gnomon's recording rules are not evaluated; load {FILE}")))
        }
        [VERSION] => Ok(VERSION.to_owned()),
        _ => {
            let found = versions.into_iter().map(shown::name).collect::<Vec<_>>().join(" and ");
            let text = format!(
                "{place}: Gnomon's recording rules are of version {found}, but this command knows {VERSION}: load {FILE} of its release"
            );
            Err(Problem::input(text))
        }
    }
}

/// Says that there are no gates of the experiment, and what there is.
async fn nothing(queries: &mut Queries<'_>, experiment: &str) -> Result<Problem, Problem> {
    let there = queries.ask("group by (experiment) ({__name__=~\"gnomon:subject:state|gnomon_experiment_info\"} > -1)").await?;
    let there: BTreeSet<&str> = there.iter().map(|sample| sample.label("experiment")).collect();
    if there.contains(experiment) {
        let gates = queries.ask(&format!("count(gnomon_gate_limit_ppm{{experiment={}}} > 0)", quoted(experiment))).await?;
        let why = if gates.is_empty() {
            "it has no gate: nothing can be decided"
        } else {
            "its gates are there, but the rules say nothing of them (yet)"
        };
        return Ok(Problem::not_yet(format!("experiment {experiment}: {why}")));
    }
    if !there.is_empty() {
        let (experiment, there) = (shown::name(experiment), shown::names(there));
        return Ok(Problem::not_yet(format!("no such experiment: {experiment}; there are: {there}")));
    }
    let filters = queries.ask("group by (what) (gnomon_build_info)").await?;
    let versions: Vec<&str> = filters.iter().map(|sample| sample.label("what")).collect();
    Ok(Problem::not_yet(if versions.is_empty() {
        "Prometheus has no series of Gnomon: it scrapes no proxy with the filter, or drops the series".to_owned()
    } else {
        format!(
            "no experiment at all: the filters ({}) have no configuration, or are too old for gnomon_experiment_info",
            shown::names(versions)
        )
    }))
}

/// Says how old the figures of so many subjects are, if they are not those of `now`, or if that is not known.
fn age(times: &[Sample], subjects: usize, now: f64) -> Option<String> {
    let oldest = times.iter().map(|sample| sample.value).fold(f64::INFINITY, f64::min);
    if times.len() < subjects || times.iter().any(|sample| !sample.value.is_finite()) {
        return Some("Prometheus does not say of when gnomon:subject:state is (timestamp)".into());
    }
    let age = now - oldest;
    (age > OLDEST).then(|| format!("the rules were last evaluated {age:.0} s before: does Prometheus evaluate them?"))
}

/// Says which routes have several configurations at work.
fn differing(configurations: &[Configuration]) -> Vec<String> {
    let mut by_route: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for one in configurations {
        by_route.entry((&one.cluster, &one.route)).or_default().push(format!("{} at {}", one.config, one.at()));
    }
    let several = by_route.into_iter().filter(|(_, configs)| configs.len() > 1);
    several.map(|((_, route), configs)| format!("route {route} has several configurations at work: {}", configs.join(", "))).collect()
}
