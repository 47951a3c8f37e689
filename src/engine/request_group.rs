//! What the copies of one request share.

use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};

/// The copies of one request.
#[derive(Default)]
pub struct RequestGroup {
    /// Whether the facts of the client's answer have been counted: several shadows may compare it.
    pub facts_counted: Cell<bool>,
    /// Shadows whose answers were compared, by their place among those of the route, and whether they diverged.
    compared: Cell<Vec<(usize, bool)>>,
}

impl RequestGroup {
    /// Notes that the answer of the shadow at `place` was compared. Returns those that were compared before it.
    pub fn compared(&self, place: usize, diverged: bool) -> Vec<(usize, bool)> {
        let before = self.compared.take();
        let mut all = before.clone();
        all.push((place, diverged));
        self.compared.set(all);
        before
    }
}

impl Debug for RequestGroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("RequestGroup")
    }
}
