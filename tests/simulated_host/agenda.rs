//! What is going to happen, in order of time; what happens at the same time comes in an order that the seed decides.

use std::collections::BTreeMap;

use crate::random::SplitMix64;
use crate::shared::Owner;

/// Something that the host will do.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    QueueReady {
        owner: Owner,
        token: u32,
    },
    CallDone {
        owner: Owner,
        token: u32,
    },
    Tick {
        vm: usize,
        root: u32,
        generation: u64,
    },
    /// The next step of an exchange, by its number.
    Step {
        exchange: usize,
    },
    /// The client of an exchange goes away.
    ClientLeaves {
        exchange: usize,
    },
    /// Something that the test itself does, by its number.
    Script {
        number: usize,
    },
}

/// Events by time; the second part of the key is random, the third makes it unique.
pub struct Agenda {
    events: BTreeMap<(u64, u64, u64), Event>,
    random: SplitMix64,
    added: u64,
}

impl Agenda {
    pub fn new(seed: u64) -> Self {
        Self { events: BTreeMap::new(), random: SplitMix64::new(seed), added: 0 }
    }

    pub fn add(&mut self, at: u64, event: Event) {
        self.added += 1;
        self.events.insert((at, self.random.draw(), self.added), event);
    }

    /// Takes the next event that is `possible`, if it is due by `deadline`.
    pub fn next_until(&mut self, deadline: u64, possible: impl Fn(&Event) -> bool) -> Option<(u64, Event)> {
        let mut due = self.events.range(..=(deadline, u64::MAX, u64::MAX));
        let key = due.find(|(_, event)| possible(event)).map(|(key, _)| *key)?;
        self.events.remove(&key).map(|event| (key.0, event))
    }

    /// Whether anything but ticks is to come.
    pub fn busy(&self) -> bool {
        self.events.values().any(|event| !matches!(event, Event::Tick { .. }))
    }
}
