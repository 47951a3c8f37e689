//! The series of a subject's gates at several lives of proxies.

use std::collections::{BTreeMap, BTreeSet};

use gnomon::gate::lives::Lives;
use gnomon::gate::{Counts, Rate, Terms};
use gnomon::subject::{ALL, Gate, Requires, Slice};

use super::Proxy;
use crate::problem::Problem;

/// The series of a gate in one slice, by name.
type Series = BTreeMap<String, u64>;

/// Gate and slice.
type Key = (String, String);

const LIMIT: &str = "gnomon_gate_limit_ppm";
const LIMIT_SUM: &str = "gnomon_gate_limit_sum_ppm_total";
const TRIALS: &str = "gnomon_gate_trials_total";

/// The series without which a gate can't be judged.
const NEEDED: [&str; 7] =
    [LIMIT, LIMIT_SUM, TRIALS, "gnomon_gate_alpha_ppm", "gnomon_gate_bad_total", "gnomon_gate_failures_total", "gnomon_gate_min_trials"];

/// The series of the gates of one subject.
pub struct SubjectSeries<'a> {
    /// Of each life.
    lives: Vec<(&'a Proxy, BTreeMap<Key, Series>)>,
}

impl<'a> SubjectSeries<'a> {
    /// Returns the series with these labels, which name the subject.
    pub fn new(lives: &[&'a Proxy], labels: &[(&str, &str)]) -> Self {
        let gates = |proxy: &Proxy| {
            let mut gates: BTreeMap<Key, Series> = BTreeMap::new();
            for sample in proxy.of(labels).filter(|sample| sample.name.starts_with("gnomon_gate_")) {
                let series = gates.entry((sample.label("gate").to_owned(), sample.label("slice").to_owned())).or_default();
                series.extend(sample.count().map(|count| (sample.name.clone(), count)));
            }
            gates
        };
        Self { lives: lives.iter().map(|proxy| (*proxy, gates(proxy))).collect() }
    }

    /// Returns the proxies that have any of the gates now.
    pub fn serving(&self) -> Vec<&'a Proxy> {
        self.lives.iter().filter(|(_, gates)| gates.values().any(is_shown)).map(|(proxy, _)| *proxy).collect()
    }

    /// Returns the gates that any proxy has now. One whose limit is missing may be one of them.
    pub fn gates(&self, flaws: &mut Vec<String>, notes: &mut Vec<String>) -> Result<Vec<Gate>, Problem> {
        let shown = |series: &Series| is_shown(series) || series.contains_key(TRIALS) && !series.contains_key(LIMIT);
        let keys = || self.lives.iter().flat_map(|(_, gates)| gates).filter(|(_, series)| shown(series)).map(|(key, _)| key);
        let mut gates = Vec::new();
        for name in keys().map(|(gate, _)| gate).collect::<BTreeSet<&String>>() {
            let slices: BTreeSet<&String> = keys().filter(|(gate, _)| gate == name).map(|(_, slice)| slice).collect();
            // With `each_slice` the state over all is in slice `all`.
            let is_by_slices = slices.iter().any(|slice| *slice != ALL);
            let slices = slices.into_iter().filter(|slice| !is_by_slices || *slice != ALL);
            let slices = slices.map(|slice| self.slice(name, slice, flaws)).collect();
            let has_failed = self.of(name, ALL).any(|(_, series)| series.get("gnomon_gate_state") == Some(&2));
            if has_failed && !self.is_one() {
                notes.push(format!("gate {name} has failed at a proxy by its own counts; here the counts of all decide"));
            }
            let failed_before = has_failed && is_by_slices && self.is_one();
            gates.push(Gate { name: name.clone(), requires: self.requires(name)?, slices, failed_before });
        }
        Ok(gates)
    }

    /// Whether there is one life. Its latch is of these counts; that of one of several is of another test.
    fn is_one(&self) -> bool {
        self.lives.len() == 1
    }

    /// Returns the series of a gate in one slice.
    fn of(&self, gate: &str, slice: &str) -> impl Iterator<Item = (&'a Proxy, &Series)> {
        let key = (gate.to_owned(), slice.to_owned());
        self.lives.iter().filter_map(move |(proxy, gates)| Some((*proxy, gates.get(&key)?)))
    }

    /// Returns a gate in one slice: the counts of each life, and the terms if all that have the gate agree.
    fn slice(&self, gate: &str, slice: &str, flaws: &mut Vec<String>) -> Slice {
        let count = |series: &Series, name: &str| series.get(name).copied().unwrap_or_default();
        for (proxy, series) in self.of(gate, slice) {
            let lacking = NEEDED.iter().filter(|name| !series.contains_key(**name));
            flaws.extend(lacking.map(|name| format!("{}: {name} is missing for gate {gate} in slice {slice}", proxy.from)));
        }
        let terms = self.of(gate, slice).filter(|(_, series)| is_shown(series));
        let terms: BTreeSet<Option<Terms>> = terms.map(|(_, series)| terms_of(series)).collect();
        // (One of which a series is missing is told above.)
        let is_out_of_range =
            |series: &Series| is_shown(series) && terms_of(series).is_none() && NEEDED.iter().all(|name| series.contains_key(*name));
        for (proxy, _) in self.of(gate, slice).filter(|(_, series)| is_out_of_range(series)) {
            let text = "gnomon_gate_limit_ppm or gnomon_gate_alpha_ppm is out of range";
            flaws.push(format!("{}: {text} for gate {gate} in slice {slice}", proxy.from));
        }
        if terms.len() > 1 {
            flaws.push(format!("the proxies judge gate {gate} in slice {slice} by different terms: their configurations differ"));
        }
        // Where trials have one limit, nothing is added up.
        let own_limits = self.of(gate, slice).any(|(_, series)| count(series, LIMIT_SUM) > 0);
        let life = |series: &Series| {
            let counts = Counts::new(count(series, "gnomon_gate_bad_total"), count(series, TRIALS));
            if own_limits { counts.with_limits(count(series, LIMIT_SUM)) } else { counts }
        };
        let has_failed = |series: &Series| count(series, "gnomon_gate_failures_total") > 0 || count(series, "gnomon_gate_state") == 2;
        Slice {
            name: slice.to_owned(),
            terms: if terms.len() == 1 { terms.first().copied().flatten() } else { None },
            lives: Lives(self.of(gate, slice).map(|(_, series)| life(series)).collect()),
            failed_before: self.is_one() && self.of(gate, slice).any(|(_, series)| has_failed(series)),
        }
    }

    /// Returns what a gate has to do with the state of its subject: the strictest that a proxy says.
    fn requires(&self, gate: &str) -> Result<Requires, Problem> {
        let own = self.lives.iter().flat_map(|(_, gates)| gates).filter(|((name, _), _)| name == gate);
        let strictest = own.filter_map(|(_, series)| series.get("gnomon_gate_requires")).max();
        strictest.and_then(|value| Requires::of(*value)).ok_or_else(|| {
            let versions: BTreeSet<String> =
                self.lives.iter().flat_map(|(proxy, _)| proxy.names("gnomon_build_info", "what", &[])).collect();
            let versions: Vec<String> = versions.into_iter().collect();
            let text = "gnomon_gate_requires is missing or its value is not known: this filter is too old or too new for this command";
            Problem::input(format!("gate {gate}: {text} (filter {}, gnomon {})", versions.join(", "), env!("CARGO_PKG_VERSION")))
        })
    }
}

/// Whether a proxy has the gate now: one that is gone shows a limit of 0.
fn is_shown(series: &Series) -> bool {
    series.get(LIMIT).is_some_and(|limit| *limit > 0)
}

/// Returns what a gate is judged by; `None` if that is not all there.
fn terms_of(series: &Series) -> Option<Terms> {
    let rate = |name: &str| Rate::new(u32::try_from(*series.get(name)?).ok()?);
    Some(Terms { limit: rate(LIMIT)?, alpha: rate("gnomon_gate_alpha_ppm")?, min_trials: *series.get("gnomon_gate_min_trials")? })
}
