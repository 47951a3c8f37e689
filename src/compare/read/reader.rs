//! What every reader is: a protocol that reads one answer in slices.

use core::fmt;
use core::fmt::{Debug, Formatter};
use core::task::Poll;

use crate::compare::part::content::Content;
use crate::fault::Fault;

/// A protocol reading one answer.
pub trait Reader {
    /// Reads on for about `budget` bytes, which it takes off it. `Pending`: the budget was not enough; call again.
    ///
    /// # Errors
    /// If the answer can't be read as the protocol says.
    fn step(&mut self, budget: &mut usize) -> Poll<Result<Content, Fault>>;
}

// Not by `Debug` as a supertrait: through this table of methods it would put the formatting of all that a comparison is made of into the
// filter, 120 KiB that nothing calls.
impl Debug for dyn Reader {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}
