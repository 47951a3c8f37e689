//! What a rollout controller is told of a variant or shadow: one state for all its gates and all proxies, and why.
//!
//! The recording rule `gnomon:subject:state` says the same of the same figures. Nothing here passes on missing data: what has no gate that
//! must pass, or a gate without trials, is undecided.

use std::fmt::{self, Display, Formatter};

use crate::gate::lives::Lives;
use crate::gate::{State, Terms, over_slices};

/// The slice of the gates that are judged over all requests.
pub const ALL: &str = "all";

/// The slice of the requests with no configured value.
pub const OTHER: &str = "other";

/// What has to be true of a gate for its subject to be given more: the values of `gnomon_gate_requires`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requires {
    /// Nothing: the gate is only shown.
    Nothing = 0,
    /// The gate has not failed.
    NoFail = 1,
    /// The gate passes.
    Pass = 2,
}

impl Requires {
    /// Returns what `gnomon_gate_requires` exports as `value`; `None` for any other number.
    pub fn of(value: u64) -> Option<Self> {
        [Self::Nothing, Self::NoFail, Self::Pass].into_iter().find(|requires| *requires as u64 == value)
    }
}

/// A gate in one slice, over all proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// [`ALL`], a configured value, or [`OTHER`].
    pub name: String,
    /// What it is judged by; `None`: the proxies don't agree, so that nothing can be decided.
    pub terms: Option<Terms>,
    /// The counts of each life of a proxy, those that are over included.
    pub lives: Lives,
    /// Whether it has failed before, over all proxies; what a proxy's own latch says counts only of one life.
    pub failed_before: bool,
}

impl Slice {
    /// Returns the state of the gate in this slice. `misrouted`: whether its subject is a variant whose requests went to another one too.
    pub fn state(&self, misrouted: bool) -> State {
        match (self.terms, self.failed_before) {
            (_, true) => State::Fail,
            (None, false) => State::Undecided,
            (Some(terms), false) => match self.lives.judge(&terms, false) {
                State::Pass if misrouted => State::Undecided,
                state => state,
            },
        }
    }
}

/// A gate that a proxy still has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// What it has to do with the state of its subject.
    pub requires: Requires,
    /// Its slices: [`ALL`] alone, or with `each_slice` every one but that.
    pub slices: Vec<Slice>,
    /// With `each_slice`: whether it has failed before, perhaps in a slice that is gone.
    pub failed_before: bool,
}

impl Gate {
    /// Returns the state over all slices. `misrouted`: whether its subject is a variant whose requests went to another one too.
    pub fn state(&self, misrouted: bool) -> State {
        let state = |slice: &Slice| slice.state(misrouted);
        let values = self.slices.iter().filter(|slice| slice.name != OTHER).map(state);
        let other = self.slices.iter().find(|slice| slice.name == OTHER);
        let has_trials = other.is_some_and(|other| other.lives.total().trials() > 0);
        // (A slice that has failed has failed, also if its counters are gone.)
        let counts = has_trials || other.is_some_and(|other| other.failed_before);
        let over = over_slices(values, other.map(state).unwrap_or_default(), counts);
        if self.failed_before { State::Fail } else { over }
    }
}

/// A variant or shadow, with all that its state depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its gates, those with [`Requires::Nothing`] included.
    pub gates: Vec<Gate>,
    /// How many proxies serve the experiment now.
    pub proxies: u64,
    /// At how many of them a guardrail has cut the subject off.
    pub cut_off: u64,
    /// The variants of the route whose requests were routed like those of another one at a proxy (`gnomon_split_misrouted`).
    pub misrouted: Vec<String>,
    /// The values of `gnomon_configuration` of proxies of the experiment that are not 1.
    pub configurations: Vec<u64>,
}

/// Why a subject has the state that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A gate that must pass or must not fail has failed.
    Failed(String),
    /// A guardrail has cut the subject off at more than half of the proxies, or at fewer of them.
    CutOff {
        /// At how many.
        at: u64,
        /// Of how many that serve the experiment.
        of: u64,
    },
    /// A gate that must pass has not.
    Undecided(String),
    /// No gate must pass.
    NothingMustPass,
    /// A variant's requests were routed like those of another one.
    Misrouted(String),
    /// A proxy does not run as configured: the value of its `gnomon_configuration`.
    Configuration(u64),
    /// All gates that must pass do.
    Passed(Vec<String>),
}

impl Subject {
    /// Returns the state, and every reason for it.
    pub fn state(&self) -> (State, Vec<Reason>) {
        let misrouted = self.misrouted.contains(&self.name);
        self.state_by(|gate| gate.state(misrouted))
    }

    /// Returns the state that follows from these states of its gates, and every reason for it.
    pub fn state_by(&self, state_of: impl Fn(&Gate) -> State) -> (State, Vec<Reason>) {
        let of = |state, requires: fn(Requires) -> bool| {
            let gates = self.gates.iter().filter(|gate| requires(gate.requires) && state_of(gate) == state);
            gates.map(|gate| gate.name.clone()).collect::<Vec<_>>()
        };
        let failed = of(State::Fail, |requires| requires != Requires::Nothing).into_iter().map(Reason::Failed);
        let is_most = self.cut_off.saturating_mul(2) > self.proxies;
        let failures: Vec<Reason> = failed.chain(self.is_cut_off().filter(|_| is_most)).collect();
        if !failures.is_empty() {
            return (State::Fail, failures);
        }
        let undecided = of(State::Undecided, |requires| requires == Requires::Pass).into_iter().map(Reason::Undecided);
        let mut reasons: Vec<Reason> = undecided.chain(self.held()).collect();
        let must_pass = || self.gates.iter().filter(|gate| gate.requires == Requires::Pass);
        if must_pass().next().is_none() {
            reasons.insert(0, Reason::NothingMustPass);
        }
        if !reasons.is_empty() {
            return (State::Undecided, reasons);
        }
        (State::Pass, vec![Reason::Passed(must_pass().map(|gate| gate.name.clone()).collect())])
    }

    /// Returns what keeps the subject from passing, whatever its gates say.
    pub fn held(&self) -> Vec<Reason> {
        let misrouted = self.misrouted.iter().cloned().map(Reason::Misrouted);
        let configurations = self.configurations.iter().copied().map(Reason::Configuration);
        misrouted.chain(configurations).chain(self.is_cut_off()).collect()
    }

    fn is_cut_off(&self) -> Option<Reason> {
        (self.cut_off > 0).then_some(Reason::CutOff { at: self.cut_off, of: self.proxies })
    }
}

impl Display for Reason {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(gate) => write!(formatter, "gate {gate} has failed"),
            Self::CutOff { at, of } => write!(formatter, "a guardrail has cut it off at {at} of {of} proxies"),
            Self::Undecided(gate) => write!(formatter, "gate {gate} must pass and is undecided"),
            Self::NothingMustPass => formatter.write_str("no gate of it must pass (requires: pass)"),
            Self::Misrouted(variant) => write!(formatter, "a proxy routes requests of {variant} like those of another variant"),
            Self::Configuration(2) => formatter.write_str("a proxy has refused its last configuration and goes on with the one before"),
            Self::Configuration(3) => formatter.write_str("a proxy has refused its configuration, so that all requests pass it untouched"),
            Self::Configuration(value) => write!(formatter, "a proxy does not run as configured (gnomon_configuration is {value})"),
            Self::Passed(gates) => write!(formatter, "all gates that must pass do: {}", gates.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
