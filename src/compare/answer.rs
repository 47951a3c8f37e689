//! An answer as it comes to be compared: what matters of its head, and its body.

use crate::capture::{Body, Overflow};
use crate::encoding::decoding::Undecoded;
use crate::fault::Fault;

/// The reason that is not the answer's: this proxy has no memory left to read it.
pub const NO_ROOM: Fault = "no room for it in limits.memory";

/// The reason that is a mistake of Gnomon's: a state that can't be. It ends a comparison all the same, as incomparable.
pub const IMPOSSIBLE: Fault = "a state that can't be";

/// One side of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status, 2xx here.
    pub status: u16,
    /// `content-type`, raw.
    pub content_type: Vec<u8>,
    /// `content-encoding`, raw; empty or `identity` for a plain body.
    pub content_encoding: Vec<u8>,
    /// `inference-header-content-length`, raw: how many bytes of JSON stand before binary tensors; empty without them.
    pub inference_header_length: Vec<u8>,
    /// `grpc-encoding`, raw: how compressed gRPC messages are encoded.
    pub grpc_encoding: Vec<u8>,
    /// The body as received, or why there is none.
    pub body: Result<Body, Unread>,
}

/// Why an answer has no body that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It was given up while it came.
    Overflow(Overflow),
    /// Its content coding can't be undone.
    Encoded(Fault),
    /// It is a stream that is not what its protocol says.
    Malformed(Fault),
}

impl Unread {
    /// For evidence.
    pub fn reason(self) -> Fault {
        match self {
            Unread::Overflow(Overflow::Body) => "longer than limits.body",
            Unread::Overflow(Overflow::Memory) => NO_ROOM,
            Unread::Encoded(fault) | Unread::Malformed(fault) => fault,
        }
    }
}

impl From<Undecoded> for Unread {
    fn from(undecoded: Undecoded) -> Self {
        match undecoded {
            Undecoded::Overflow(overflow) => Unread::Overflow(overflow),
            Undecoded::Malformed(fault) => Unread::Encoded(fault),
        }
    }
}

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Self {
        Unread::Malformed(fault)
    }
}
