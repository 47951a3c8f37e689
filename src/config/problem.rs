//! Problems of a configuration, for its author.

use std::fmt;

/// A problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path of the wrong value, such as `routes[0].shadows[1].timeout`; `$` for the whole configuration.
    pub path: String,
    /// The value, cut short.
    pub found: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}: {}", self.path, self.found, self.hint)
    }
}
