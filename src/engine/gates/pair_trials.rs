//! Which answers of a canary and of the baseline are trials of a gate that sets the two against each other, where the mesh splits by weights.
//!
//! The filter does not know the weights, and they move. But two requests that follow each other meet the same ones: if they go to different
//! variants, the canary is as likely to have the first of them as the second, whatever happens meanwhile to load or clients. So the requests
//! of a worker are taken two by two, in the order in which they begin. Of two that went to canary and baseline, and of which exactly one had
//! the event, it is the canary's with a chance of one half, if the canary is no worse.
//!
//! Where the mesh goes by keys, a request is sent by chance if it is the first one of its key, and only such are taken.
//!
//! In the order of answers it would be otherwise: where one of the two takes longer, its answers meet later ones of the other, and at the
//! beginning of an outage of both all events are those of the faster one. The tests show it.

use std::cell::Cell;
use std::rc::Rc;

use super::assigned::Assigned;
use super::warmup::WarmUp;
use crate::gate::Rate;
use crate::gate::first_events::KeyBit;
use crate::stats::Statistics;
use crate::stats::shared::PREFIX;

/// The trials of one gate.
#[derive(Debug)]
pub struct PairTrials {
    /// The limit of each trial under this configuration: the gate's, because both sides of a pair are as likely to be the canary's.
    pub limit: Rate,
    /// The warm-up of the canary, if it has one.
    pub warm_up: Option<Rc<WarmUp>>,
    /// The first of two requests, in each slice of the gate.
    waiting: Vec<Cell<Option<Answered>>>,
    /// The beginning of the keys of shared data under which the gate remembers whose requests it has seen, where the mesh goes by keys.
    pages: String,
}

/// A request that was answered by the canary or by the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Whether the canary answered.
    pub by_canary: bool,
    /// Whether the event happened to the answer.
    pub has_event: bool,
}

impl PairTrials {
    /// Binds the trials of a gate with this limit in so many slices. `labels` are the gate's, but for the slice.
    pub fn new(limit: Rate, labels: &[&str], slices: usize, warm_up: Option<Rc<WarmUp>>) -> Self {
        let waiting = (0..slices).map(|_| Cell::default()).collect();
        Self { limit, warm_up, waiting, pages: format!("{PREFIX}events/{}", labels.join("/")) }
    }

    /// Takes the next request in the slice at this place. Returns whether it and the one before it are a bad trial; `None`: they are no
    /// trial.
    pub fn next(&self, slice: usize, answered: Answered) -> Option<bool> {
        let waiting = self.waiting.get(slice)?;
        let Some(first) = waiting.take() else {
            waiting.set(Some(answered));
            return None;
        };
        let is_trial = first.by_canary != answered.by_canary && first.has_event != answered.has_event;
        is_trial.then_some(if first.by_canary { first.has_event } else { answered.has_event })
    }

    /// Whether a request is the first one of its key in the experiment. Another one is in no pair: a key stays at its variant, so that with
    /// all of its requests one client with many, or with none of the events, would tell the two sides apart.
    pub fn is_first(&self, assigned: Assigned, statistics: &mut dyn Statistics) -> bool {
        assigned.is_first(&self.pages, statistics, KeyBit::mark)
    }
}

#[cfg(test)]
mod tests;
