//! A host that is shared with other workers.

pub mod contended;
