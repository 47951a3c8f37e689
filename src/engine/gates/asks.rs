//! What gates ask of an answer to a client, beside its class. Each of it costs something, so it is found only if asked.

use crate::config::{Event, Failures, Measure};

/// What is to be found of an answer to a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Whether it has an error inside of a 2xx.
    pub error: bool,
    /// How a generated answer ended.
    pub end: bool,
    /// When the last byte of the request passed.
    pub request_end: bool,
    /// The key by which a split chose the variant.
    pub key: bool,
}

impl Asks {
    /// Returns these and what `measure` asks of the answers of a variant.
    pub fn and(mut self, measure: Measure) -> Self {
        match measure {
            Measure::Failed(failures) => self.event(Event::Failed(failures)),
            Measure::SlowerThan(threshold) => self.event(Event::SlowerThan(threshold)),
            Measure::FirstByteSlowerThan(threshold) => self.event(Event::FirstByteSlowerThan(threshold)),
            Measure::WorseThanBaseline(event) => {
                self.event(event);
                self.key = true;
            }
            _ => {}
        }
        self
    }

    /// Returns what these ask, or `other`.
    pub fn or(self, other: Self) -> Self {
        Self {
            error: self.error || other.error,
            end: self.end || other.end,
            request_end: self.request_end || other.request_end,
            key: self.key || other.key,
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Failed(failures) => self.error |= failures.overlaps(Failures::ERROR),
            Event::Error => self.error = true,
            Event::SlowerThan(_) | Event::FirstByteSlowerThan(_) => self.request_end = true,
            Event::Ended(_) => self.end = true,
            Event::Refused => {}
        }
    }
}
