//! What the gates of a route ask of the answers to clients, beside their class. Each of it costs something, so it is found only if asked.

use crate::config::{Event, Failures, GateSubject, Measure, Route};

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
    /// What the gates of `route` ask.
    pub fn of(route: &Route) -> Self {
        let of_variants = route.gates.iter().filter(|gate| matches!(gate.of, GateSubject::Variant(_)));
        of_variants.fold(Self::default(), |asks, gate| asks.and(gate.measure))
    }

    fn and(self, measure: Measure) -> Self {
        match measure {
            Measure::Failed(failures) => Self { error: self.error || failures.overlaps(Failures::ERROR), ..self },
            Measure::SlowerThan(_) | Measure::FirstByteSlowerThan(_) => Self { request_end: true, ..self },
            Measure::WorseThanBaseline(event) => {
                let asks = match event {
                    Event::Failed(failures) => self.and(Measure::Failed(failures)),
                    Event::Error => Self { error: true, ..self },
                    Event::SlowerThan(_) | Event::FirstByteSlowerThan(_) => Self { request_end: true, ..self },
                    Event::Ended(_) => Self { end: true, ..self },
                    Event::Refused => self,
                };
                Self { key: true, ..asks }
            }
            _ => self,
        }
    }
}
