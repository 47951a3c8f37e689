//! A gate in one slice, with what it says and what would decide it.

use gnomon::gate::State;
use gnomon::gate::Terms;
use gnomon::gate::interval::{Interval, interval};
use gnomon::gate::lives::Lives;
use gnomon::gate::outlook::Outlook;
use gnomon::subject::{ALL, Gate, OTHER, Requires, Slice};

use super::Found;

/// A gate in one slice.
#[derive(Clone, Debug)]
pub struct Row {
    /// The gate's name.
    pub gate: String,
    /// The slice.
    pub slice: String,
    /// What the gate has to do with the state of its subject.
    pub requires: Requires,
    /// The state that counts.
    pub state: State,
    /// The counts; none for the state over all slices.
    pub lives: Lives,
    /// What it is judged by; `None`: the proxies don't agree, or it is the state over all slices.
    pub terms: Option<Terms>,
    /// The rates that its trials leave possible.
    pub interval: Option<Interval>,
    /// What would decide it; of a gate that has not failed.
    pub outlook: Option<Outlook>,
    /// Whether this is the state over all slices.
    pub is_over_slices: bool,
    /// Whether the split of its subject is misrouted.
    is_misrouted: bool,
}

impl Row {
    /// Returns the rows of a gate. One with `each_slice` begins with the state over all.
    pub fn all(gate: &Gate, found: &Found) -> Vec<Self> {
        let over = gate.slices.iter().all(|slice| slice.name != ALL).then(|| Self::new(gate, found, None));
        over.into_iter().chain(gate.slices.iter().map(|slice| Self::new(gate, found, Some(slice)))).collect()
    }

    fn new(gate: &Gate, found: &Found, slice: Option<&Slice>) -> Self {
        let name = slice.map_or(ALL, |slice| &slice.name);
        let (lives, terms) = slice.map(|slice| (slice.lives.clone(), slice.terms)).unwrap_or_default();
        let state = found.state(&gate.name, name);
        let interval = terms.and_then(|terms| interval(&lives, terms.alpha));
        let outlook = terms.filter(|_| state != State::Fail).map(|terms| Outlook::new(&lives, &terms));
        let is_misrouted = found.subject.misrouted.contains(&found.subject.name);
        let (requires, is_over_slices) = (gate.requires, slice.is_none());
        Self {
            gate: gate.name.clone(),
            slice: name.to_owned(),
            requires,
            state,
            lives,
            terms,
            interval,
            outlook,
            is_over_slices,
            is_misrouted,
        }
    }

    /// Returns the share of trials that were bad; `None` without trials.
    pub fn rate(&self) -> Option<f64> {
        let total = self.lives.total();
        (total.trials() > 0).then(|| total.bad() as f64 / total.trials() as f64)
    }

    /// Returns the mean limit of the trials in parts per million.
    pub fn limit_ppm(&self) -> Option<f64> {
        Some(self.lives.total().limit_ppm(self.terms?.limit))
    }

    /// Says what would decide the gate, or what keeps it from being decided.
    pub fn words(&self) -> String {
        if self.state == State::Fail {
            return "it stays failed until the experiment's id changes".into();
        }
        if self.is_over_slices {
            return "fails if one slice fails, passes when all pass".into();
        }
        if self.slice == OTHER && self.lives.total().trials() == 0 {
            return "counts only once it has a trial".into();
        }
        let Some(Outlook { good, bad }) = self.outlook else {
            return "what it is judged by is missing, or differs from proxy to proxy".into();
        };
        if self.lives.lack_limits() {
            return "gnomon_gate_limit_sum_ppm_total is missing, so nothing follows from its trials".into();
        }
        let pass = match (self.state, good) {
            (State::Pass, _) => None,
            _ if self.is_misrouted => Some("it can't pass while its split is misrouted".to_owned()),
            (_, Some(0)) => Some("its counts would do, but it is not said to pass".to_owned()),
            (_, Some(more)) => Some(format!("{more} more without a bad one would pass")),
            (_, None) => Some("it has no trial yet".to_owned()).filter(|_| self.lives.total().trials() == 0),
        };
        let fail =
            bad.map(|more| if more == 1 { "1 more bad one would fail".to_owned() } else { format!("{more} bad ones in a row would fail") });
        pass.into_iter().chain(fail).collect::<Vec<_>>().join("; ")
    }
}
