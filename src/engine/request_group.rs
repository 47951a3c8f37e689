//! What the copies of one request share.

use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};

/// The copies of one request.
#[derive(Default)]
pub struct RequestGroup {
    /// Whether the facts of the client's answer have been counted. Several shadows may compare that answer, and it counts once.
    pub facts_counted: Cell<bool>,
    /// The shadows whose answers were compared, by their place among those of the route, and whether each diverged.
    pub compared: Cell<Vec<(usize, bool)>>,
}

impl Debug for RequestGroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("RequestGroup")
    }
}
