//! Why the body of a request can't be read, or its copy not be made.

use crate::capture::Overflow;
use crate::encoding::decoding::Undecoded;
use crate::fault::Fault;

/// Why the body of a request can't be read, or its copy not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// There is no room for the decoded or the changed body.
    Overflow(Overflow),
    /// It is not what conditions or changes are for. Says what it is, for evidence lines.
    Unfit(String),
}

impl From<Fault> for Obstacle {
    fn from(fault: Fault) -> Self {
        Obstacle::Unfit(fault.to_owned())
    }
}

impl From<Undecoded> for Obstacle {
    fn from(undecoded: Undecoded) -> Self {
        match undecoded {
            Undecoded::Overflow(overflow) => Obstacle::Overflow(overflow),
            Undecoded::Malformed(fault) => fault.into(),
        }
    }
}
