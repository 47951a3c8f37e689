//! The interface of a content coding: bytes in, bytes out, and a measure of the work.

use crate::fault::Fault;

/// Largest window, in bytes: how far back encoded data may refer. RFC 9659 sets this limit for zstd in HTTP.
pub const MAX_WINDOW: usize = 8 << 20;

/// Cost of an encoded byte that yields no decoded byte, in bytes of a budget. Such bytes describe tables: as little as eight bytes describe
/// a table that takes some microseconds to build.
const TABLE_WORK: usize = 32;

pub(super) const GARBAGE: Fault = "bytes follow the end of the encoded body";
pub(super) const CORRUPT: Fault = "the encoded body is corrupt";
pub(super) const CHECKSUM: Fault = "the encoded body has a wrong checksum";
pub(super) const WINDOW: Fault = "the encoded body needs too large a window";

/// Decodes one coding.
pub(super) trait Coding {
    /// Decodes from the beginning of `input` to the beginning of `output`, which is not empty. `more` says whether bytes may follow
    /// `input`.
    ///
    /// A call reads as much or writes as much as possible. If it does neither and there is no more input, the input is truncated. There are
    /// no calls after the one that reports the end.
    fn advance(&mut self, input: &[u8], more: bool, output: &mut [u8]) -> Result<Progress, Fault>;

    /// Returns the decoded bytes that are held back because more may follow them, unless they are more than `most`. There are no calls
    /// after this.
    fn held(&mut self, _most: usize) -> Vec<u8> {
        Vec::new()
    }
}

/// What one call of [`Coding::advance`] has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub(super) read: usize,
    pub(super) written: usize,
    /// The cost of work beyond reading and writing, in bytes of a budget.
    pub(super) extra: usize,
    /// Whether the end of the encoded data was read and all decoded data is written.
    pub(super) ended: bool,
}

impl Progress {
    /// Returns this progress with the cost of tables added, for codings whose data describes tables. Each byte read beyond the bytes
    /// written counts as a part of a table. Usual data yields about as many bytes as it has, or more.
    pub(super) fn weighed(self) -> Self {
        Self { extra: self.read.saturating_sub(self.written).saturating_mul(TABLE_WORK), ..self }
    }
}
