//! From figures to a decision: which subjects are meant, what each of them is told, and what that rests on.

mod row;

use std::collections::{BTreeMap, BTreeSet};

use gnomon::gate::State;
use gnomon::subject::{ALL, Gate, Requires, Subject};

pub use self::row::Row;
use crate::problem::Problem;
use crate::shown;

/// What somebody asks about.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The experiment.
    pub experiment: String,
    /// A cluster; `None`: the only one.
    pub cluster: Option<String>,
    /// A route; `None`: all.
    pub route: Option<String>,
    /// A variant or shadow; `None`: all that have gates.
    pub subject: Option<String>,
    /// A gate, whose own state is then the answer; `None`: the state of the subject.
    pub gate: Option<String>,
}

/// What a source tells of one subject.
#[derive(Clone, Debug)]
pub struct Found {
    /// The cluster; empty where there is none.
    pub cluster: String,
    /// The route.
    pub route: String,
    /// The subject with its gates and their counts.
    pub subject: Subject,
    /// The states of its gates, by gate and slice; of a gate with `each_slice` also that of slice `all`.
    pub states: BTreeMap<(String, String), State>,
    /// What `gnomon:subject:state` says, if it has been asked.
    pub said: Option<State>,
    /// What else the rules say, and the best state that it allows.
    pub beside: Vec<(State, String)>,
    /// Whether the rules have a cut-off on record: `gnomon:subject_cut_off:max`.
    pub is_cut_off: bool,
    /// What is missing or contradicts itself. Nothing passes with one of these.
    pub flaws: Vec<String>,
}

/// All that a source tells at one point in time.
#[derive(Clone, Debug)]
pub struct Look {
    /// The subjects of the experiment.
    pub found: Vec<Found>,
    /// What makes all of them doubtful.
    pub flaws: Vec<String>,
    /// What is worth knowing besides.
    pub notes: Vec<String>,
    /// What the figures are.
    pub audit: Audit,
}

/// Where figures come from, and of what versions.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The time of the figures, in seconds since 1970.
    pub time: f64,
    /// Who was asked.
    pub origin: Origin,
    /// The versions of the filters.
    pub filters: BTreeSet<String>,
    /// The version of the recording rules; `None`: none were used.
    pub rules: Option<String>,
    /// The configurations at work.
    pub configurations: Vec<Configuration>,
}

/// Who was asked.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A Prometheus: its URL and the queries.
    Prometheus {
        /// The URL without its query.
        url: String,
        /// All queries.
        queries: Vec<String>,
    },
    /// Texts of proxies: where each is from, and when that proxy began to count, in microseconds since 1970.
    Proxies(Vec<(String, Option<u64>)>),
}

/// A configuration at work: `gnomon_experiment_info`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Configuration {
    /// The cluster; empty where there is none.
    pub cluster: String,
    /// The route.
    pub route: String,
    /// The hash of the configuration.
    pub config: String,
    /// The owner; `none` if there is none.
    pub owner: String,
    /// At how many proxies it is at work.
    pub proxies: u64,
}

impl Configuration {
    /// Says at how many proxies it is at work.
    pub fn at(&self) -> String {
        if self.proxies == 1 { "1 proxy".into() } else { format!("{} proxies", self.proxies) }
    }
}

/// What somebody who asked is told.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The worst state of all subjects.
    pub state: State,
    /// Each of them.
    pub subjects: Vec<Told>,
    /// What is worth knowing besides.
    pub notes: Vec<String>,
    /// What it rests on.
    pub audit: Audit,
}

/// What is told of one subject.
#[derive(Clone, Debug)]
pub struct Told {
    /// The cluster; empty where there is none.
    pub cluster: String,
    /// The route.
    pub route: String,
    /// The subject's name.
    pub subject: String,
    /// Its state, or that of the one gate that was asked about.
    pub state: State,
    /// Whether the rules say 2 of the subject and have a reason for it on record: what a rollback may rest on.
    pub has_failed_by_rules: bool,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// Its gates, slice by slice.
    pub rows: Vec<Row>,
}

impl Decision {
    /// Returns what `look` says about the subjects that are meant.
    pub fn new(selection: &Selection, look: Look) -> Result<Self, Problem> {
        let Look { found, flaws, mut notes, audit } = look;
        let is = |asked: &Option<String>, name: &str| asked.as_deref().is_none_or(|asked| asked == name);
        let meant = |found: &&Found| {
            let has_gate = || found.subject.gates.iter().any(|gate| is(&selection.gate, &gate.name));
            is(&selection.cluster, &found.cluster)
                && is(&selection.route, &found.route)
                && is(&selection.subject, &found.subject.name)
                && has_gate()
        };
        let chosen: Vec<&Found> = found.iter().filter(meant).collect();
        let clusters: BTreeSet<&str> = chosen.iter().map(|found| found.cluster.as_str()).collect();
        if clusters.len() > 1 {
            let names = shown::names(clusters.iter().map(|name| if name.is_empty() { "(no cluster)" } else { name }));
            let text =
                format!("experiment {} runs in several clusters: {names}; say which by --cluster", shown::name(&selection.experiment));
            return Err(Problem::usage(text));
        }
        let subjects: Vec<Told> = chosen.iter().map(|found| Told::new(found, selection.gate.as_deref(), &flaws)).collect();
        let Some(state) = subjects.iter().map(|told| told.state).reduce(worse) else { return Err(not_there(selection, &found)) };
        let rows = || subjects.iter().flat_map(|told| &told.rows);
        if rows().all(|row| row.lives.total().trials() == 0) {
            notes.push("no traffic: no gate has counted a trial yet".into());
        }
        Ok(Self { state, subjects, notes, audit })
    }
}

/// Returns the worse of two states: a fail first, then what is undecided.
fn worse(one: State, another: State) -> State {
    match (one, another) {
        (State::Fail, _) | (_, State::Fail) => State::Fail,
        (State::Pass, State::Pass) => State::Pass,
        _ => State::Undecided,
    }
}

/// Says that nothing in the experiment is what was asked for, and what there is.
fn not_there(selection: &Selection, found: &[Found]) -> Problem {
    let asked = [("cluster", &selection.cluster), ("route", &selection.route), ("subject", &selection.subject), ("gate", &selection.gate)];
    let asked: Vec<String> = asked.iter().filter_map(|(what, name)| Some(format!("{what} {}", shown::name(name.as_ref()?)))).collect();
    let there: Vec<String> = found.iter().map(Found::place).collect();
    let there = if there.is_empty() { "nothing".into() } else { there.join("; ") };
    let (experiment, asked) = (shown::name(&selection.experiment), asked.join(", "));
    Problem::input(format!("experiment {experiment} has no {asked} with a gate; there is {there}"))
}

impl Found {
    /// Returns where the subject is, and its gates.
    fn place(&self) -> String {
        let gates: Vec<String> = self.subject.gates.iter().map(|gate| shown::name(&gate.name)).collect();
        let cluster = if self.cluster.is_empty() { String::new() } else { format!("cluster {}, ", shown::name(&self.cluster)) };
        let (route, subject) = (shown::name(&self.route), shown::name(&self.subject.name));
        format!("{cluster}route {route}, subject {subject}, gates {}", gates.join(" "))
    }

    /// Returns the state of a gate in a slice; one that is missing is undecided.
    pub fn state(&self, gate: &str, slice: &str) -> State {
        self.states.get(&(gate.to_owned(), slice.to_owned())).copied().unwrap_or_default()
    }

    /// Returns the state of the subject, and the reasons in words.
    fn judge(&self) -> (State, Vec<String>) {
        let (own, reasons) = self.own();
        match self.contradiction(own, &reasons) {
            // The figures beside it must allow a pass. Whatever they say, they don't make one.
            Some(contradiction) => (if self.said == Some(State::Fail) { State::Fail } else { State::Undecided }, vec![contradiction]),
            None => (own, reasons),
        }
    }

    /// Says how `gnomon:subject:state` contradicts the state that follows from all else.
    fn contradiction(&self, own: State, reasons: &[String]) -> Option<String> {
        let said = self.said.filter(|said| *said != own)?;
        let beside = if own == State::Pass { "nothing else here says why".to_owned() } else { reasons.join("; ") };
        Some(format!("gnomon:subject:state is {} ({}), but {beside}", said as u64, word(said)))
    }

    /// Returns the state of one gate alone, and the reasons in words. It passes only if nothing else holds its subject back.
    fn judge_gate(&self, gate: &str) -> (State, Vec<String>) {
        let state = self.state(gate, ALL);
        let words = format!("gate {gate} {}", if state == State::Undecided { "is undecided" } else { said_of(state) });
        if state != State::Pass {
            return (state, vec![words]);
        }
        let held = self.subject.held().into_iter().map(|reason| reason.to_string());
        let beside = self.beside.iter().map(|(_, reason)| reason.clone());
        let (own, reasons) = self.own();
        let mut held: Vec<String> = held.chain(beside).collect();
        if held.is_empty() {
            held.extend(self.contradiction(own, &reasons));
        }
        if held.is_empty() { (state, vec![words]) } else { (State::Undecided, held) }
    }

    /// Whether the rules say 2, and why: a gate that is not only shown has failed, or a cut-off is on record.
    fn has_failed_by_rules(&self) -> bool {
        let failed = |gate: &Gate| gate.requires != Requires::Nothing && self.state(&gate.name, ALL) == State::Fail;
        self.said == Some(State::Fail) && (self.is_cut_off || self.subject.gates.iter().any(failed))
    }

    /// Returns the state that follows from the states of the gates and all that stands beside them, and the reasons in words.
    fn own(&self) -> (State, Vec<String>) {
        let (by_gates, reasons) = self.subject.state_by(|gate| self.state(&gate.name, ALL));
        let state = self.beside.iter().map(|(state, _)| *state).fold(by_gates, worse);
        let of_gates = reasons.iter().filter(|_| state == by_gates).map(ToString::to_string);
        let beside = self.beside.iter().filter(|(allowed, _)| *allowed == state).map(|(_, reason)| reason.clone());
        (state, of_gates.chain(beside).collect())
    }
}

impl Told {
    fn new(found: &Found, gate: Option<&str>, flaws: &[String]) -> Self {
        let (state, reasons) = match gate {
            None => found.judge(),
            Some(gate) => found.judge_gate(gate),
        };
        let doubts: Vec<String> = flaws.iter().chain(&found.flaws).cloned().collect();
        let (state, reasons) = match state {
            State::Pass if !doubts.is_empty() => (State::Undecided, doubts),
            _ => (state, reasons.into_iter().chain(doubts).collect()),
        };
        let rows = found.subject.gates.iter().filter(|one| gate.is_none_or(|gate| one.name == gate));
        let rows = rows.flat_map(|gate| Row::all(gate, found)).collect();
        Self {
            cluster: found.cluster.clone(),
            route: found.route.clone(),
            subject: found.subject.name.clone(),
            state,
            has_failed_by_rules: found.has_failed_by_rules(),
            reasons,
            rows,
        }
    }
}

fn said_of(state: State) -> &'static str {
    if state == State::Fail { "has failed" } else { "passes" }
}

/// Returns the word for a state.
pub fn word(state: State) -> &'static str {
    match state {
        State::Pass => "pass",
        State::Fail => "fail",
        State::Undecided => "undecided",
    }
}
