//! What is told of a pair beside its outcome.

use crate::labels::ShadowClass;

/// What is known of a copy that failed or was not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The status; 0 if there was none.
    pub status: u16,
    /// The `grpc-status`.
    pub grpc_status: Option<String>,
    /// The class of the answer.
    pub class: Option<ShadowClass>,
    /// What the host or the comparison said.
    pub said: Option<String>,
}

impl Note {
    /// A note of what was said.
    pub fn said(text: impl Into<String>) -> Self {
        Self { said: Some(text.into()), ..Self::default() }
    }
}
