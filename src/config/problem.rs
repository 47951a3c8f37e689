//! What is wrong with a configuration, for the person who wrote it.

use std::fmt;

/// One problem: where, what was found, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the configuration: `routes[0].shadows[1].timeout`; `$` for the whole.
    pub path: String,
    /// What was found there, cut short.
    pub found: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}: {}", self.path, self.found, self.hint)
    }
}
