//! Why bytes can't be read as what they should be.

/// The reason, in words for evidence.
pub type Fault = &'static str;
