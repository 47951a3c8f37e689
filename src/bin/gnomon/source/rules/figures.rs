//! What the rules say of each subject, and where they contradict themselves.

use std::collections::{BTreeMap, BTreeSet};

use gnomon::gate::lives::Lives;
use gnomon::gate::{Counts, Rate, State, Terms};
use gnomon::subject::{ALL, Gate, Requires, Slice, Subject};

use crate::decision::Found;
use crate::sample::{Sample, whole};
use crate::shown;

/// Cluster, route and subject.
type Place = [String; 3];

/// Gate and slice.
type Key = (String, String);

/// What the rules say of one subject.
#[derive(Default)]
struct Values {
    /// By gate and slice, then by the name of the rule.
    gates: BTreeMap<Key, BTreeMap<String, f64>>,
    /// By gate and slice, the counts of each life.
    lives: BTreeMap<Key, BTreeMap<String, BTreeMap<String, f64>>>,
    /// What `gnomon:subject:state` says.
    said: Option<f64>,
    /// Whether a guardrail has cut it off at more than half of the proxies: `gnomon:subject_cut_off:max`.
    is_cut_off: bool,
    /// Why it can't pass: the reasons of `gnomon:subject_held:info`.
    held: BTreeSet<String>,
    flaws: Vec<String>,
}

/// Returns each subject with what all samples say of it.
pub fn found(gates: &[Sample], lives: &[Sample], proxies: &[Sample], runs: &[Sample]) -> Vec<Found> {
    let mut subjects: BTreeMap<Place, Values> = BTreeMap::new();
    let mut seen: BTreeMap<(String, Place, Key), &Sample> = BTreeMap::new();
    for sample in gates {
        let place = place(sample);
        let key = key(sample);
        let values = subjects.entry(place.clone()).or_default();
        if sample.name == "gnomon:subject_held:info" {
            values.held.insert(sample.label("reason").to_owned());
            continue;
        }
        if let Some(other) = seen.insert((sample.name.clone(), place, key.clone()), sample) {
            values.flaws.push(twice(sample, other));
        }
        match sample.name.as_str() {
            // Of two that differ neither counts.
            "gnomon:subject:state" => {
                let is_one = values.said.is_none_or(|said| said == sample.value);
                values.said = Some(if is_one { sample.value } else { f64::NAN });
            }
            "gnomon:subject_cut_off:max" => values.is_cut_off = true,
            _ => {
                values.gates.entry(key).or_default().insert(sample.name.clone(), sample.value);
            }
        }
    }
    for sample in lives {
        let values = subjects.entry(place(sample)).or_default();
        let life = values.lives.entry(key(sample)).or_default().entry(sample.label("started").to_owned()).or_default();
        life.insert(sample.name.clone(), sample.value);
    }
    subjects.into_iter().map(|(place, values)| values.found(place, proxies, runs)).collect()
}

fn place(sample: &Sample) -> Place {
    ["cluster", "route", "subject"].map(|label| sample.label(label).to_owned())
}

fn key(sample: &Sample) -> Key {
    (sample.label("gate").to_owned(), sample.label("slice").to_owned())
}

/// Says in which labels two samples differ that should be one.
fn twice(one: &Sample, other: &Sample) -> String {
    let names: BTreeSet<&String> = one.labels.keys().chain(other.labels.keys()).collect();
    let differ: Vec<&str> = names.into_iter().filter(|name| one.label(name) != other.label(name)).map(String::as_str).collect();
    let how = differ.join(", ");
    format!("{} is there twice, with different values of {how}: ask one Prometheus, or one that removes duplicates", one.name)
}

impl Values {
    fn found(mut self, [cluster, route, name]: Place, proxies: &[Sample], runs: &[Sample]) -> Found {
        let said = match self.said {
            None => {
                self.flaws.push("gnomon:subject:state is missing".into());
                State::Undecided
            }
            Some(value) => state(value).unwrap_or_else(|| {
                self.flaws.push(format!("gnomon:subject:state is {value}, which is no state"));
                State::Undecided
            }),
        };
        let of_gate: BTreeSet<String> = self.gates.keys().map(|(gate, _)| gate.clone()).collect();
        let gates: Vec<Gate> = of_gate.into_iter().map(|gate| self.gate(gate)).collect();
        let figures = std::mem::take(&mut self.gates);
        let states: BTreeMap<Key, State> =
            figures.into_iter().filter_map(|(key, values)| Some((key, state(*values.get("gnomon:gate:state")?)?))).collect();
        gates.iter().for_each(|gate| self.contradictions(gate, &states));
        let own = |sample: &&Sample| sample.label("cluster") == cluster && sample.label("route") == route;
        let count = |name: &'static str| proxies.iter().filter(own).filter(move |sample| sample.name == name);
        let misrouted: BTreeSet<&str> = count("gnomon_split_misrouted").map(|sample| sample.label("variant")).collect();
        let configurations = runs.iter().filter(|sample| sample.name == "gnomon_configuration" && sample.label("cluster") == cluster);
        let configurations: Vec<Option<u64>> = configurations.map(Sample::count).collect();
        if configurations.is_empty() || configurations.contains(&None) {
            let what = if configurations.is_empty() { "missing" } else { "no number" };
            self.flaws.push(format!("gnomon_configuration is {what} at a proxy of the experiment"));
        }
        let proxies = count("gnomon_experiment_info").count() as u64;
        if proxies == 0 {
            let why = "the filter is too old, or no proxy serves it any more";
            self.flaws.push(format!("gnomon_experiment_info is missing for route {}: {why}", shown::name(&route)));
        }
        let subject = Subject {
            gates,
            proxies,
            cut_off: count("gnomon_guardrail_tripped").filter(|sample| sample.label("variant") == name).count() as u64,
            misrouted: misrouted.into_iter().map(str::to_owned).collect(),
            configurations: configurations.into_iter().flatten().filter(|value| *value != 1).collect(),
            name,
        };
        let beside = beside(self.is_cut_off, self.held, &subject);
        Found { cluster, route, subject, states, said: Some(said), beside, is_cut_off: self.is_cut_off, flaws: self.flaws }
    }

    /// Returns a gate with its slices. With `each_slice` its own state stands in slice `all`.
    fn gate(&mut self, name: String) -> Gate {
        let own: Vec<(String, BTreeMap<String, f64>)> =
            self.gates.iter().filter(|((gate, _), _)| *gate == name).map(|((_, slice), values)| (slice.clone(), values.clone())).collect();
        let requires = own.iter().filter_map(|(_, values)| values.get("gnomon:gate_requires:max")).copied().fold(f64::NAN, f64::max);
        let requires = whole(requires).and_then(Requires::of).unwrap_or_else(|| {
            self.flaws.push(format!("gnomon:gate_requires:max is missing, or no requirement, for gate {name}"));
            Requires::Pass
        });
        let states =
            |(_, values): &&(String, BTreeMap<String, f64>)| values.get("gnomon:gate:state").and_then(|value| state(*value)).is_some();
        if !own.iter().any(|(slice, _)| slice == ALL) || !own.iter().all(|of| states(&of)) {
            self.flaws.push(format!("gnomon:gate:state is missing, or no state, for gate {name}"));
        }
        let is_by_slices = own.iter().any(|(slice, _)| slice != ALL);
        let slices =
            own.iter().filter(|(slice, _)| !is_by_slices || slice != ALL).map(|(slice, values)| self.slice(&name, slice, values)).collect();
        Gate { name, requires, slices, failed_before: false }
    }

    /// Says which states of a gate are a pass that does not follow from the counts beside them. Figures of one evaluation agree.
    fn contradictions(&mut self, gate: &Gate, states: &BTreeMap<Key, State>) {
        let passes = |slice: &str| states.get(&(gate.name.clone(), slice.to_owned())) == Some(&State::Pass);
        // (The rules hold a misrouted split against the gate, too: that is told by itself.)
        let by_slices = gate.slices.iter().map(|slice| (slice.name.as_str(), slice.state(false)));
        let all = gate.slices.iter().all(|slice| slice.name != ALL).then(|| (ALL, gate.state(false)));
        for (slice, _) in by_slices.chain(all).filter(|(slice, state)| passes(slice) && *state != State::Pass) {
            let text = "gnomon:gate:state is 1 (pass), but its counts or terms don't allow it";
            self.flaws.push(format!("{text}: gate {} in slice {slice}", gate.name));
        }
    }

    fn slice(&mut self, gate: &str, slice: &str, values: &BTreeMap<String, f64>) -> Slice {
        let flaws = &mut self.flaws;
        let mut get = |name: &str, is_good: &dyn Fn(f64) -> bool| {
            let value = values.get(name).copied().filter(|value| is_good(*value));
            if value.is_none() {
                let what = values.get(name).map_or("missing".to_owned(), |value| format!("{value}"));
                flaws.push(format!("{name} is {what} for gate {gate} in slice {slice}"));
            }
            value
        };
        let [bad, trials, min_trials] = ["gnomon:gate_bad:sum", "gnomon:gate_trials:sum", "gnomon:gate_min_trials:max"]
            .map(|name| get(name, &|value| whole(value).is_some()).map(|value| value as u64));
        let rate = |share: f64| Rate::new((share * 1e6).round() as u32);
        let [limit, alpha] =
            ["gnomon:gate_limit:ratio", "gnomon:gate_alpha:ratio"].map(|name| get(name, &|value| rate(value).is_some()).and_then(rate));
        let terms = limit.zip(alpha).zip(min_trials).map(|((limit, alpha), min_trials)| Terms { limit, alpha, min_trials });
        let sums = || Lives(vec![Counts::new(bad.unwrap_or_default(), trials.unwrap_or_default())]);
        let lives =
            self.lives.get(&(gate.to_owned(), slice.to_owned())).map_or_else(sums, |lives| Lives(lives.values().map(life).collect()));
        Slice { name: slice.to_owned(), terms, lives, failed_before: false }
    }
}

/// Returns what the rules say that `subject` does not tell already.
fn beside(is_cut_off: bool, held: BTreeSet<String>, subject: &Subject) -> Vec<(State, String)> {
    let is_told = |reason: &String| match reason.as_str() {
        "configuration" => !subject.configurations.is_empty(),
        "cut_off" => subject.cut_off > 0,
        "misrouted" => !subject.misrouted.is_empty(),
        _ => false,
    };
    let words = |reason: String| match reason.as_str() {
        "configuration" => "a proxy does not run as configured (gnomon_configuration is missing, or not 1)".to_owned(),
        "cut_off" => "a guardrail has cut it off at a proxy".to_owned(),
        "misrouted" => "a proxy does not route as the split says".to_owned(),
        "label_collision" => "a label that Prometheus gives its targets has the name of one of Gnomon's: rename it".to_owned(),
        "series_missing" => "series of a gate or of a proxy are missing".to_owned(),
        "terms_differ" => "proxies judge a gate by different terms: a change has not reached all of them".to_owned(),
        _ => format!("the rules hold it back: {reason}"),
    };
    let held = held.into_iter().filter(|reason| !is_told(reason)).map(|reason| (State::Undecided, words(reason)));
    let is_news = is_cut_off && subject.cut_off.saturating_mul(2) <= subject.proxies;
    let cut_off = is_news.then(|| (State::Fail, "a guardrail had cut it off at more than half of the proxies".to_owned()));
    cut_off.into_iter().chain(held).collect()
}

/// Returns the counts of one life whose trials have limits of their own.
fn life(values: &BTreeMap<String, f64>) -> Counts {
    let [bad, trials, limits] =
        ["bad", "trials", "limit_sum"].map(|name| values.get(&format!("gnomon:gate_{name}:highest")).copied().unwrap_or_default() as u64);
    Counts::new(bad, trials).with_limits(limits)
}

/// Returns the state that a rule says; `None` for what is no state.
fn state(value: f64) -> Option<State> {
    [State::Undecided, State::Pass, State::Fail].into_iter().find(|state| f64::from(*state as u8) == value)
}
