//! Which events at a canary and at the baseline are trials of a gate that sets the two against each other.
//!
//! A split assigns keys, not requests: if the canary is no worse, the first event of a key is at the canary with the chance that the split
//! gives the key to it, however clients behave. So only a key's first event in the experiment is a trial. Pins and requests without a key
//! were not assigned by chance, and are none.

use std::rc::Rc;

use super::assigned::Assigned;
use super::guardrail::Shares;
use super::warmup::WarmUp;
use crate::config::{Gate, GateSubject, Route};
use crate::gate::first_events::KeyBit;
use crate::gate::{Rate, shared_limit};
use crate::split::BASELINE;
use crate::stats::Statistics;
use crate::stats::shared::PREFIX;

/// The trials of one gate.
#[derive(Debug)]
pub struct KeyTrials {
    /// The limit of each trial under this configuration.
    pub limit: Rate,
    /// The canary's place in `shares`.
    canary: usize,
    shares: Rc<Shares>,
    /// The warm-up of the canary, if it has one.
    pub warm_up: Option<Rc<WarmUp>>,
    /// The beginning of the keys of shared data under which the gate remembers whose events it has seen.
    pages: String,
}

impl KeyTrials {
    /// Binds the trials of `gate`, which is of a canary; `None` if canary or baseline get no keys. `labels` are the gate's, but for the
    /// slice: a key has one first event in all slices.
    pub fn new(route: &Route, gate: &Gate, labels: &[&str], shares: &Rc<Shares>, warm_up: Option<Rc<WarmUp>>) -> Option<Self> {
        let (Some(split), GateSubject::Variant(canary)) = (&route.split, gate.of) else { return None };
        let share = |index: usize| split.variants.get(index).map(|variant| variant.ppm);
        let limit = shared_limit(gate.terms.limit, share(canary)?, share(BASELINE)?)?;
        Some(Self { limit, canary, shares: shares.clone(), warm_up, pages: format!("{PREFIX}events/{}", labels.join("/")) })
    }

    /// Whether the canary is cut off.
    pub fn are_over(&self) -> bool {
        self.shares.is_cut_off(self.canary)
    }

    /// Whether an event is the first one of its key in the experiment. The next one is not.
    pub fn is_first(&self, assigned: Assigned, statistics: &mut dyn Statistics) -> bool {
        assigned.is_first(&self.pages, statistics, KeyBit::mark)
    }
}
