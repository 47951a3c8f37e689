//! What every content coding is to the chain of them: bytes in, bytes out, and a measure of the work.

use crate::fault::Fault;

/// Widest window (how far back encoded data may refer) in bytes: what RFC 9659 has every reader of zstd accept, and no writer exceed.
pub const MAX_WINDOW: usize = 8 << 20;

/// What an encoded byte that yields nothing costs of a budget: a table takes some microseconds to build and as little as eight bytes to
/// describe.
const TABLE_WORK: usize = 32;

pub(super) const GARBAGE: Fault = "bytes follow the end of the encoded body";
pub(super) const CORRUPT: Fault = "the encoded body is corrupt";
pub(super) const CHECKSUM: Fault = "the encoded body has a wrong checksum";
pub(super) const WINDOW: Fault = "the encoded body needs too large a window";

/// Undoes one coding.
pub(super) trait Coding {
    /// Decodes from the beginning of `input` to the beginning of `output`, which has room. `more`: bytes follow `input`, perhaps.
    ///
    /// Reads all it can, or fills all it can. Neither, though there is no more input, means that the input is truncated. Once ended it
    /// is not called again.
    fn advance(&mut self, input: &[u8], more: bool, output: &mut [u8]) -> Result<Progress, Fault>;
}

/// What a coding has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub(super) read: usize,
    pub(super) written: usize,
    /// Work beyond reading and writing, in bytes that could have been read or written instead.
    pub(super) extra: usize,
    /// The end of the encoded data was read and all of it is written.
    pub(super) ended: bool,
}

impl Progress {
    /// Of a coding whose tables are described within its data: data that describes much and yields little is work all the same. Honest data
    /// yields at least about as much as was read.
    pub(super) fn weighed(self) -> Self {
        Self { extra: self.read.saturating_sub(self.written).saturating_mul(TABLE_WORK), ..self }
    }
}
