//! What proxies say of themselves: one or several texts of Envoy's `/stats/prometheus`, judged as the filter does.

use std::collections::{BTreeMap, BTreeSet};

use gnomon::gate::lives::Lives;
use gnomon::gate::{Counts, Rate, Terms};
use gnomon::subject::{ALL, Gate, Requires, Slice, Subject};

use crate::decision::{Audit, Configuration, Found, Look, Origin, Selection};
use crate::problem::Problem;
use crate::sample::Sample;

/// What one proxy says.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where its text is from.
    pub from: String,
    /// Gnomon's series.
    pub samples: Vec<Sample>,
}

/// The series of a gate in one slice, by name.
type Series = BTreeMap<String, u64>;

/// Gate and slice.
type Key = (String, String);

/// The series without which a gate can't be judged.
const NEEDED: [&str; 6] = [
    "gnomon_gate_alpha_ppm",
    "gnomon_gate_bad_total",
    "gnomon_gate_failures_total",
    "gnomon_gate_limit_ppm",
    "gnomon_gate_min_trials",
    "gnomon_gate_trials_total",
];

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
        let samples = self.of(within).filter(|sample| sample.name == name && sample.value > 0.0);
        samples.map(|sample| sample.label(label).to_owned()).collect()
    }

    /// Returns the series of a subject's gates.
    fn gates(&self, within: &[(&str, &str)]) -> BTreeMap<Key, Series> {
        let mut gates: BTreeMap<Key, Series> = BTreeMap::new();
        for sample in self.of(within).filter(|sample| sample.name.starts_with("gnomon_gate_")) {
            let series = gates.entry((sample.label("gate").to_owned(), sample.label("slice").to_owned())).or_default();
            series.extend(sample.count().map(|count| (sample.name.clone(), count)));
        }
        gates
    }
}

/// Returns what `proxies` say of an experiment at `time`, in seconds since 1970. Two texts of one life of a proxy count once.
pub fn look(proxies: Vec<Proxy>, selection: &Selection, time: f64) -> Result<Look, Problem> {
    let experiment = selection.experiment.as_str();
    let mut notes = Vec::new();
    let lives = distinct(&proxies, &mut notes)?;
    let routes: BTreeSet<(String, String)> = lives.iter().flat_map(|proxy| subjects(proxy, experiment)).collect();
    if routes.is_empty() {
        return Err(nothing(&proxies, experiment));
    }
    for proxy in lives.iter().filter(|proxy| subjects(proxy, experiment).is_empty()) {
        notes.push(format!("{}: no gate of experiment {experiment}", proxy.from));
    }
    let found = routes.iter().map(|(route, subject)| found(&lives, experiment, route, subject, &mut notes)).collect::<Result<_, _>>()?;
    let versions = proxies.iter().flat_map(|proxy| proxy.names("gnomon_build_info", "what", &[]));
    let audit = Audit {
        time,
        filters: versions.collect(),
        rules: None,
        configurations: configurations(&lives, experiment),
        origin: Origin::Proxies(proxies.iter().map(|proxy| (proxy.from.clone(), proxy.started())).collect()),
    };
    Ok(Look { found, flaws: Vec::new(), notes, audit })
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

/// Returns route and subject of every gate that a proxy still has: one that is gone shows a limit of 0.
fn subjects(proxy: &Proxy, experiment: &str) -> BTreeSet<(String, String)> {
    let limits = proxy.samples.iter().filter(|sample| sample.name == "gnomon_gate_limit_ppm" && sample.value > 0.0);
    let own = limits.filter(|sample| sample.label("experiment") == experiment);
    own.map(|sample| (sample.label("route").to_owned(), sample.label("subject").to_owned())).collect()
}

/// Says that no proxy has a gate of the experiment, and what there is.
fn nothing(proxies: &[Proxy], experiment: &str) -> Problem {
    let names = |name, label| proxies.iter().flat_map(move |proxy| proxy.names(name, label, &[])).collect::<BTreeSet<String>>();
    let all = proxies.iter().flat_map(|proxy| &proxy.samples).map(|sample| sample.label("experiment"));
    let there: BTreeSet<&str> = all.filter(|name| !name.is_empty()).collect();
    let from: Vec<&str> = proxies.iter().map(|proxy| proxy.from.as_str()).collect();
    let from = from.join(", ");
    if there.contains(experiment) {
        let lacks_limits = proxies.iter().flat_map(|proxy| &proxy.samples).all(|sample| sample.name != "gnomon_gate_limit_ppm");
        let beside = if lacks_limits { "; if it has some, gnomon_gate_limit_ppm is missing here" } else { "" };
        return Problem::not_yet(format!("{from}: experiment {experiment} has no gate: nothing can be decided{beside}"));
    }
    if there.is_empty() {
        let versions: Vec<String> = names("gnomon_build_info", "what").into_iter().collect();
        return Problem::not_yet(format!("{from}: no experiment at all: the filter ({}) has no configuration", versions.join(", ")));
    }
    let there: Vec<&str> = there.into_iter().collect();
    Problem::not_yet(format!("{from}: no such experiment: {experiment}; there are: {}", there.join(", ")))
}

/// Returns all that the proxies say of one subject.
fn found(lives: &[&Proxy], experiment: &str, route: &str, subject: &str, notes: &mut Vec<String>) -> Result<Found, Problem> {
    let within = [("experiment", experiment), ("route", route)];
    let by_proxy: Vec<BTreeMap<Key, Series>> =
        lives.iter().map(|proxy| proxy.gates(&[("experiment", experiment), ("route", route), ("subject", subject)])).collect();
    let is_shown = |series: &Series| series.get("gnomon_gate_limit_ppm").is_some_and(|limit| *limit > 0);
    let shown: BTreeSet<&Key> = by_proxy.iter().flatten().filter(|(_, series)| is_shown(series)).map(|(key, _)| key).collect();
    let mut flaws = Vec::new();
    let mut gates: Vec<Gate> = Vec::new();
    for name in shown.iter().map(|(gate, _)| gate).collect::<BTreeSet<&String>>() {
        let slices: Vec<&String> = shown.iter().filter(|(gate, _)| gate == name).map(|(_, slice)| slice).collect();
        // With `each_slice` the state over all is in slice `all`.
        let is_by_slices = slices.iter().any(|slice| *slice != ALL);
        let slices = slices.into_iter().filter(|slice| !is_by_slices || *slice != ALL);
        let slices = slices.map(|slice| self::slice(lives, &by_proxy, (name, slice), &mut flaws)).collect();
        let overall = |series: &Series| series.get("gnomon_gate_state") == Some(&2);
        let latched = by_proxy.iter().filter_map(|gates| gates.get(&(name.clone(), ALL.to_owned()))).any(overall);
        let requires = requires(lives, &by_proxy, name)?;
        gates.push(Gate { name: name.clone(), requires, slices, failed_before: latched && is_by_slices && lives.len() == 1 });
        if latched && lives.len() > 1 {
            notes.push(format!("gate {name} of {subject} has failed at a proxy by its own counts; here the counts of all decide"));
        }
    }
    let serving = lives.iter().zip(&by_proxy).filter(|(_, gates)| gates.values().any(is_shown)).map(|(proxy, _)| proxy);
    let cut_off = serving.clone().filter(|proxy| proxy.names("gnomon_guardrail_tripped", "variant", &within).contains(subject));
    let misrouted: BTreeSet<String> = lives.iter().flat_map(|proxy| proxy.names("gnomon_split_misrouted", "variant", &within)).collect();
    let configurations = lives.iter().flat_map(|proxy| &proxy.samples).filter(|sample| sample.name == "gnomon_configuration");
    let subject = Subject {
        name: subject.to_owned(),
        gates,
        proxies: serving.clone().count() as u64,
        cut_off: cut_off.count() as u64,
        misrouted: misrouted.into_iter().collect(),
        configurations: configurations.filter_map(Sample::count).filter(|value| *value != 1).collect(),
    };
    let is_misrouted = subject.misrouted.contains(&subject.name);
    let of_slices = |gate: &Gate| {
        gate.slices.iter().map(|slice| ((gate.name.clone(), slice.name.clone()), slice.state(is_misrouted))).collect::<Vec<_>>()
    };
    let overall = |gate: &Gate| ((gate.name.clone(), ALL.to_owned()), gate.state(is_misrouted));
    let states = subject.gates.iter().flat_map(of_slices).chain(subject.gates.iter().map(overall)).collect();
    Ok(Found { cluster: String::new(), route: route.to_owned(), subject, states, said: None, flaws })
}

/// Returns a gate in one slice: the counts of each life, and the terms if all that have the gate agree.
fn slice(lives: &[&Proxy], by_proxy: &[BTreeMap<Key, Series>], (gate, slice): (&String, &String), flaws: &mut Vec<String>) -> Slice {
    let key = (gate.clone(), slice.clone());
    let mut terms: BTreeSet<Option<[u64; 3]>> = BTreeSet::new();
    let mut counts = Vec::new();
    let mut has_failed = false;
    for (proxy, series) in lives.iter().zip(by_proxy).filter_map(|(proxy, gates)| Some((proxy, gates.get(&key)?))) {
        for lacking in NEEDED.iter().filter(|name| !series.contains_key(**name)) {
            flaws.push(format!("{}: {lacking} is missing for gate {gate} in slice {slice}", proxy.from));
        }
        let get = |name: &str| series.get(name).copied();
        let limit = get("gnomon_gate_limit_ppm");
        if limit.is_some_and(|limit| limit > 0) {
            let shown = limit.zip(get("gnomon_gate_alpha_ppm")).zip(get("gnomon_gate_min_trials"));
            terms.insert(shown.map(|((limit, alpha), min_trials)| [limit, alpha, min_trials]));
        }
        let count = |name| get(name).unwrap_or_default();
        let life = Counts::new(count("gnomon_gate_bad_total"), count("gnomon_gate_trials_total"));
        counts.push(get("gnomon_gate_limit_sum_ppm_total").map_or(life, |sum| life.with_limits(sum)));
        has_failed |= count("gnomon_gate_failures_total") > 0 || count("gnomon_gate_state") == 2;
    }
    if terms.len() > 1 {
        flaws.push(format!("the proxies judge gate {gate} in slice {slice} by different terms: their configurations differ"));
    }
    let rate = |ppm: u64| u32::try_from(ppm).ok().and_then(Rate::new);
    let only = if terms.len() == 1 { terms.first().copied().flatten() } else { None };
    let terms = only.and_then(|[limit, alpha, min_trials]| Some(Terms { limit: rate(limit)?, alpha: rate(alpha)?, min_trials }));
    // A proxy's latch is of its own counts. Those of several are another test.
    Slice { name: slice.clone(), terms, lives: Lives(counts), failed_before: has_failed && lives.len() == 1 }
}

/// Returns what a gate has to do with the state of its subject: the strictest that a proxy says.
fn requires(lives: &[&Proxy], by_proxy: &[BTreeMap<Key, Series>], gate: &String) -> Result<Requires, Problem> {
    let own = by_proxy.iter().flatten().filter(|((name, _), _)| name == gate);
    let strictest = own.filter_map(|(_, series)| series.get("gnomon_gate_requires")).max();
    strictest.and_then(|value| Requires::of(*value)).ok_or_else(|| {
        let versions: BTreeSet<String> = lives.iter().flat_map(|proxy| proxy.names("gnomon_build_info", "what", &[])).collect();
        let versions: Vec<String> = versions.into_iter().collect();
        let text = "gnomon_gate_requires is missing or no word of it is known: this filter is too old or too new for this command";
        Problem::input(format!("gate {gate}: {text} (filter {}, gnomon {})", versions.join(", "), env!("CARGO_PKG_VERSION")))
    })
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
