//! The key that a split has assigned by chance, and whether a request or an event is the first one of it.

use crate::config::{Key, Observe, Route};
use crate::gate::first_events::KeyBit;
use crate::http::Request;
use crate::split::{Decision, Reason, key};
use crate::stats::Statistics;
use crate::stats::shared::update;

/// The key by which a request was assigned to its variant by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// A key that other requests may have, too.
    Key(KeyBit),
    /// The id of the request, or a random number.
    Request,
}

impl Assigned {
    /// Returns the key of a request of `route` by which its split came to `decision`, or by which the mesh keeps it at one variant; `None` if
    /// something else decided. Weights of a mesh draw for each request anew.
    pub fn of(route: &Route, request: &Request, decision: Decision) -> Option<Self> {
        let by_chance = match (&route.split, &route.observe) {
            (Some(split), _) => split.key.as_ref().filter(|_| decision.reason == Reason::Weight)?,
            (None, Some(Observe { bucket: Some(bucket), .. })) => &bucket.key,
            (None, observed) => observed.as_ref().map(|_| &Key::Request)?,
        };
        match by_chance {
            Key::Request => Some(Assigned::Request),
            by => key::value(by, request).map(|key| Assigned::Key(KeyBit::of(key))),
        }
    }

    /// Whether a request or an event is the first one of its key, as `mark` tells from the pages kept under names that begin with `pages`.
    pub fn is_first(self, pages: &str, statistics: &mut dyn Statistics, mark: impl Fn(KeyBit, &[u8]) -> Option<Vec<u8>>) -> bool {
        let Assigned::Key(bit) = self else { return true };
        let mut is_first = false;
        let done = update(statistics, &format!("{pages}/{}", bit.page), |page| {
            let marked = mark(bit, page);
            is_first = marked.is_some();
            marked
        });
        is_first && done
    }
}
