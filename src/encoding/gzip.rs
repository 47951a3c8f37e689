//! The `gzip` coding (RFC 1952): one or more members, each a header, deflate data, and a trailer with their checksum and length.
//!
//! What a header says (a file's name, a comment, a time) is skipped, but its checksum is checked if it has one.

use super::coding::{CHECKSUM, CORRUPT, Coding, GARBAGE, Progress};
use super::deflate::Inflate;
use crate::fault::Fault;
use crc32fast::Hasher;
use miniz_oxide::DataFormat;

/// The first byte of a member.
const MAGIC: u8 = 0x1f;

const HAS_CHECKSUM: u8 = 1 << 1;
const HAS_EXTRA: u8 = 1 << 2;
const HAS_NAME: u8 = 1 << 3;
const HAS_COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0xe0;

/// The `gzip` coding.
pub(super) struct Gzip {
    part: MemberPart,
    /// Bytes of a part of fixed size, as far as they have come.
    fixed: Vec<u8>,
    flags: u8,
    /// Of the header, then of the data.
    checksum: Hasher,
    length: u32,
    data: Inflate,
    members: bool,
}

/// What comes next in a member, in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MemberPart {
    Fixed,
    ExtraLength,
    Extra(usize),
    Name,
    Comment,
    HeaderChecksum,
    Data,
    Trailer,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Self {
            part: MemberPart::Fixed,
            fixed: Vec::new(),
            flags: 0,
            checksum: Hasher::new(),
            length: 0,
            data: Inflate::new(DataFormat::Raw),
            members: false,
        }
    }

    /// Goes on with the part of the header after `part` that is there.
    fn after(&mut self, part: MemberPart) {
        let has = |flag| self.flags & flag != 0;
        self.part = match part {
            MemberPart::Fixed if has(HAS_EXTRA) => MemberPart::ExtraLength,
            MemberPart::Fixed | MemberPart::ExtraLength | MemberPart::Extra(_) if has(HAS_NAME) => MemberPart::Name,
            MemberPart::Fixed | MemberPart::ExtraLength | MemberPart::Extra(_) | MemberPart::Name if has(HAS_COMMENT) => {
                MemberPart::Comment
            }
            MemberPart::Fixed | MemberPart::ExtraLength | MemberPart::Extra(_) | MemberPart::Name | MemberPart::Comment
                if has(HAS_CHECKSUM) =>
            {
                MemberPart::HeaderChecksum
            }
            _ => MemberPart::Data,
        };
        if self.part == MemberPart::Data {
            self.checksum = Hasher::new();
            self.length = 0;
            self.data.restart();
        }
    }

    /// Reads one part, or what has come of it. Returns what it read.
    fn header(&mut self, input: &[u8]) -> Result<usize, Fault> {
        let part = self.part;
        match part {
            MemberPart::Fixed if self.members && self.fixed.is_empty() && input.first().is_some_and(|first| *first != MAGIC) => {
                Err(GARBAGE)
            }
            MemberPart::Fixed => self.fixed::<10>(input, |gzip, bytes| {
                let [MAGIC, 0x8b, 8, flags, ..] = bytes else { return Err(CORRUPT) };
                if flags & RESERVED != 0 {
                    return Err(CORRUPT);
                }
                gzip.members = true;
                gzip.flags = flags;
                gzip.checksum = Hasher::new();
                gzip.checksum.update(&bytes);
                gzip.after(part);
                Ok(())
            }),
            MemberPart::ExtraLength => self.fixed::<2>(input, |gzip, bytes| {
                gzip.checksum.update(&bytes);
                match u16::from_le_bytes(bytes) {
                    0 => gzip.after(part),
                    length => gzip.part = MemberPart::Extra(length.into()),
                }
                Ok(())
            }),
            MemberPart::Extra(left) => {
                let extra = input.get(..left).unwrap_or(input);
                self.checksum.update(extra);
                match left.saturating_sub(extra.len()) {
                    0 => self.after(part),
                    left => self.part = MemberPart::Extra(left),
                }
                Ok(extra.len())
            }
            MemberPart::Name | MemberPart::Comment => {
                let end = input.iter().position(|byte| *byte == 0);
                let text = end.and_then(|end| input.get(..=end)).unwrap_or(input);
                self.checksum.update(text);
                if end.is_some() {
                    self.after(part);
                }
                Ok(text.len())
            }
            MemberPart::HeaderChecksum => self.fixed::<2>(input, |gzip, bytes| {
                let [low, high, ..] = gzip.checksum.clone().finalize().to_le_bytes();
                gzip.after(part);
                if bytes == [low, high] { Ok(()) } else { Err(CHECKSUM) }
            }),
            MemberPart::Trailer => self.fixed::<8>(input, |gzip, bytes| {
                let [a, b, c, d, length @ ..] = bytes;
                gzip.part = MemberPart::Fixed;
                let right = gzip.checksum.clone().finalize().to_le_bytes() == [a, b, c, d] && gzip.length.to_le_bytes() == length;
                if right { Ok(()) } else { Err(CHECKSUM) }
            }),
            MemberPart::Data => Ok(0),
        }
    }

    /// Collects a part of `N` bytes and gives it to `whole` once it is there.
    fn fixed<const N: usize>(&mut self, input: &[u8], whole: impl FnOnce(&mut Self, [u8; N]) -> Result<(), Fault>) -> Result<usize, Fault> {
        let piece = input.get(..N.saturating_sub(self.fixed.len())).unwrap_or(input);
        self.fixed.extend_from_slice(piece);
        if let Ok(bytes) = <[u8; N]>::try_from(self.fixed.as_slice()) {
            self.fixed.clear();
            whole(self, bytes)?;
        }
        Ok(piece.len())
    }
}

impl Coding for Gzip {
    fn advance(&mut self, input: &[u8], more: bool, output: &mut [u8]) -> Result<Progress, Fault> {
        if self.part != MemberPart::Data {
            let ended = self.members && self.part == MemberPart::Fixed && self.fixed.is_empty() && input.is_empty() && !more;
            return Ok(Progress { read: self.header(input)?, ended, ..Progress::default() });
        }
        let progress = self.data.advance(input, more, output)?;
        let piece = output.get(..progress.written).unwrap_or_default();
        self.checksum.update(piece);
        // The trailer has the length modulo 2^32.
        self.length = self.length.wrapping_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        if progress.ended {
            self.part = MemberPart::Trailer;
        }
        Ok(Progress { ended: false, ..progress })
    }
}
