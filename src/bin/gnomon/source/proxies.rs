//! What proxies say of themselves: one or several texts of Envoy's `/stats/prometheus`, judged as the filter does.

mod gates;

use std::collections::{BTreeMap, BTreeSet};

use gnomon::subject::{ALL, Subject};

use self::gates::SubjectSeries;
use crate::decision::{Audit, Configuration, Found, Look, Origin, Selection};
use crate::problem::Problem;
use crate::sample::Sample;
use crate::shown;

/// The series beside those of gates by which is judged.
const JUDGED: [&str; 5] =
    ["gnomon_configuration", "gnomon_experiment_info", "gnomon_guardrail_tripped", "gnomon_split_misrouted", "gnomon_started_microseconds"];

/// What one proxy says.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where its text is from.
    pub from: String,
    /// Gnomon's series.
    pub samples: Vec<Sample>,
}

impl Proxy {
    /// Returns when the proxy began to count, in microseconds since 1970.
    fn started(&self) -> Option<u64> {
        let sample = self.samples.iter().find(|sample| sample.name == "gnomon_started_microseconds")?;
        sample.count().filter(|started| *started > 0)
    }

    /// Returns its samples with these labels.
    fn of<'a>(&'a self, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(|sample| labels.iter().all(|(name, value)| sample.label(name) == *value))
    }

    /// Returns the values of a label of the series called `name` whose value is above 0.
    fn names(&self, name: &str, label: &str, within: &[(&str, &str)]) -> BTreeSet<String> {
        let samples = self.of(within).filter(|sample| sample.name == name && sample.count().is_some_and(|count| count > 0));
        samples.map(|sample| sample.label(label).to_owned()).collect()
    }

    /// Returns route and subject of every gate of an experiment, also of those that are gone.
    fn subjects(&self, experiment: &str) -> BTreeSet<(String, String)> {
        let gates =
            self.samples.iter().filter(|sample| sample.name.starts_with("gnomon_gate_") && sample.label("experiment") == experiment);
        gates.map(|sample| (sample.label("route").to_owned(), sample.label("subject").to_owned())).collect()
    }

    /// Says which values are unreadable by which an experiment is judged.
    fn unreadable(&self, experiment: &str) -> impl Iterator<Item = String> {
        let is_judged = |name: &str| name.starts_with("gnomon_gate_") || JUDGED.contains(&name);
        let judged =
            self.samples.iter().filter(move |sample| is_judged(&sample.name) && ["", experiment].contains(&sample.label("experiment")));
        let bad = judged.filter(|sample| sample.count().is_none());
        bad.map(|sample| {
            let of = ["route", "subject", "variant", "gate", "slice"].map(|label| (label, sample.label(label)));
            let of: String = of.iter().filter(|(_, value)| !value.is_empty()).map(|(label, value)| format!(", {label} {value}")).collect();
            format!("{}: {} is {}, which is no whole number from 0 up{of}", self.from, sample.name, sample.value)
        })
    }

    /// Says which series are missing that a proxy has with any gate of this experiment and route.
    fn lacks(&self, within: &[(&str, &str)], flaws: &mut Vec<String>) {
        let has = |name: &str, within: &[(&str, &str)]| self.of(within).any(|sample| sample.name == name);
        let shown = [("gnomon_experiment_info", !self.names("gnomon_experiment_info", "config", within).is_empty())];
        let both = ["gnomon_guardrail_tripped", "gnomon_split_misrouted"].map(|name| (name, has(name, within)));
        let split = both.iter().any(|(_, has)| *has).then_some(both);
        let all = shown.into_iter().chain([("gnomon_configuration", has("gnomon_configuration", &[]))]).chain(split.into_iter().flatten());
        flaws.extend(all.filter(|(_, has)| !has).map(|(name, _)| format!("{}: {name} is missing", self.from)));
    }
}

/// Returns what `proxies` say of an experiment at `time`, in seconds since 1970. Two texts of one life of a proxy count once.
pub fn look(proxies: Vec<Proxy>, selection: &Selection, time: f64) -> Result<Look, Problem> {
    let experiment = selection.experiment.as_str();
    let mut notes = Vec::new();
    let lives = distinct(&proxies, &mut notes)?;
    let mut found = Vec::new();
    for (route, subject) in lives.iter().flat_map(|proxy| proxy.subjects(experiment)).collect::<BTreeSet<_>>() {
        found.extend(self::found(&lives, experiment, &route, &subject, &mut notes)?);
    }
    if found.is_empty() {
        return Err(nothing(&proxies, experiment));
    }
    for proxy in lives.iter().filter(|proxy| proxy.subjects(experiment).is_empty()) {
        notes.push(format!("{}: no gate of experiment {experiment}", proxy.from));
    }
    let versions = proxies.iter().flat_map(|proxy| proxy.names("gnomon_build_info", "what", &[]));
    let audit = Audit {
        time,
        filters: versions.collect(),
        rules: None,
        configurations: configurations(&lives, experiment),
        origin: Origin::Proxies(proxies.iter().map(|proxy| (proxy.from.clone(), proxy.started())).collect()),
    };
    let flaws = proxies.iter().flat_map(|proxy| proxy.unreadable(experiment)).collect();
    Ok(Look { found, flaws, notes, audit })
}

/// Returns the last text of each life. Texts of several proxies must say which life they are of.
fn distinct<'a>(proxies: &'a [Proxy], notes: &mut Vec<String>) -> Result<Vec<&'a Proxy>, Problem> {
    let mut lives: Vec<&Proxy> = Vec::new();
    for proxy in proxies {
        let started = proxy.started();
        if proxies.len() > 1 && started.is_none() {
            let text = format!(
                "{}: there is no gnomon_started_microseconds, without which several texts can't be told apart: the filter is too old, so give one text",
                proxy.from
            );
            return Err(Problem::input(text));
        }
        match lives.iter_mut().find(|other| started.is_some() && other.started() == started) {
            Some(other) => {
                notes.push(format!("{} and {} are of one proxy: only the later one counts", other.from, proxy.from));
                // Counters only rise.
                let sum = |proxy: &Proxy| {
                    proxy.samples.iter().filter(|sample| sample.name == "gnomon_requests_total").map(|sample| sample.value).sum::<f64>()
                };
                if sum(proxy) >= sum(other) {
                    *other = proxy;
                }
            }
            None => lives.push(proxy),
        }
    }
    Ok(lives)
}

/// Says that no proxy has a gate of the experiment, and what there is.
fn nothing(proxies: &[Proxy], experiment: &str) -> Problem {
    let names = |name, label| proxies.iter().flat_map(move |proxy| proxy.names(name, label, &[])).collect::<BTreeSet<String>>();
    let all = proxies.iter().flat_map(|proxy| &proxy.samples).map(|sample| sample.label("experiment"));
    let there: BTreeSet<&str> = all.filter(|name| !name.is_empty()).collect();
    let from: Vec<&str> = proxies.iter().map(|proxy| proxy.from.as_str()).collect();
    let from = from.join(", ");
    if there.contains(experiment) {
        return Problem::not_yet(format!("{from}: experiment {experiment} has no gate: nothing can be decided"));
    }
    if there.is_empty() {
        let versions = names("gnomon_build_info", "what");
        let versions = shown::names(versions.iter().map(String::as_str));
        return Problem::not_yet(format!("{from}: no experiment at all: the filter ({versions}) has no configuration"));
    }
    let (experiment, there) = (shown::name(experiment), shown::names(there));
    Problem::not_yet(format!("{from}: no such experiment: {experiment}; there are: {there}"))
}

/// Returns all that the proxies say of one subject; `None`: it has no gate any more.
fn found(lives: &[&Proxy], experiment: &str, route: &str, name: &str, notes: &mut Vec<String>) -> Result<Option<Found>, Problem> {
    let within = [("experiment", experiment), ("route", route)];
    let series = SubjectSeries::new(lives, &[("experiment", experiment), ("route", route), ("subject", name)]);
    let mut flaws = Vec::new();
    let gates = series.gates(&mut flaws, notes)?;
    if gates.is_empty() {
        return Ok(None);
    }
    let serving = series.serving();
    serving.iter().for_each(|proxy| proxy.lacks(&within, &mut flaws));
    let cut_off = serving.iter().filter(|proxy| proxy.names("gnomon_guardrail_tripped", "variant", &within).contains(name));
    let misrouted: BTreeSet<String> = lives.iter().flat_map(|proxy| proxy.names("gnomon_split_misrouted", "variant", &within)).collect();
    let configurations = lives.iter().flat_map(|proxy| &proxy.samples).filter(|sample| sample.name == "gnomon_configuration");
    let subject = Subject {
        name: name.to_owned(),
        gates,
        proxies: serving.len() as u64,
        cut_off: cut_off.count() as u64,
        misrouted: misrouted.into_iter().collect(),
        configurations: configurations.filter_map(Sample::count).filter(|value| *value != 1).collect(),
    };
    let is_misrouted = subject.misrouted.contains(&subject.name);
    let mut states = BTreeMap::new();
    for gate in &subject.gates {
        states.extend(gate.slices.iter().map(|slice| ((gate.name.clone(), slice.name.clone()), slice.state(is_misrouted))));
        states.insert((gate.name.clone(), ALL.to_owned()), gate.state(is_misrouted));
    }
    Ok(Some(Found {
        cluster: String::new(),
        route: route.to_owned(),
        subject,
        states,
        said: None,
        beside: Vec::new(),
        is_cut_off: false,
        flaws,
    }))
}

/// Returns the configurations of the experiment at work.
fn configurations(lives: &[&Proxy], experiment: &str) -> Vec<Configuration> {
    let infos =
        lives.iter().flat_map(|proxy| &proxy.samples).filter(|sample| sample.name == "gnomon_experiment_info" && sample.value > 0.0);
    Configuration::count(infos.filter(|sample| sample.label("experiment") == experiment))
}

impl Configuration {
    /// Returns the configurations that these samples of `gnomon_experiment_info` name, each with its number of proxies.
    pub fn count<'a>(infos: impl Iterator<Item = &'a Sample>) -> Vec<Self> {
        let mut counted: BTreeMap<[String; 4], u64> = BTreeMap::new();
        for sample in infos {
            let proxies = counted.entry(["cluster", "route", "config", "owner"].map(|label| sample.label(label).to_owned())).or_default();
            *proxies = proxies.saturating_add(1);
        }
        counted.into_iter().map(|([cluster, route, config, owner], proxies)| Self { cluster, route, config, owner, proxies }).collect()
    }
}
