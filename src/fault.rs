//! Reasons why bytes can't be read.

/// Why bytes can't be read in the format that they should have, as text for evidence lines.
pub type Fault = &'static str;
