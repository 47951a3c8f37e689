//! The `gzip` coding (RFC 1952): one or more members, each with a header, deflate data, and a trailer with the data's checksum and length.
//!
//! The fields of a header (a file's name, a comment, a time) are skipped. Its checksum is checked if it has one.

use super::coding::{CHECKSUM, CORRUPT, Coding, GARBAGE, Progress};
use super::deflate::Inflate;
use crate::fault::Fault;
use crc32fast::Hasher;
use miniz_oxide::DataFormat;

/// The first byte of a member.
const MAGIC: u8 = 0x1f;

/// Flags that must not be set.
const RESERVED: u8 = 0xe0;

/// The optional parts of a header in their order, each with its flag.
const OPTIONAL: [(u8, MemberPart); 4] =
    [(1 << 2, MemberPart::ExtraLength), (1 << 3, MemberPart::Name), (1 << 4, MemberPart::Comment), (1 << 1, MemberPart::HeaderChecksum)];

/// The `gzip` coding.
pub(super) struct Gzip {
    part: MemberPart,
    /// The bytes that have arrived of a part of fixed size.
    fixed: Vec<u8>,
    /// The flags of the optional parts that are yet to come.
    flags: u8,
    /// The checksum of the header, later of the data.
    checksum: Hasher,
    /// Decoded bytes of the member, modulo 2^32.
    length: u32,
    data: Inflate,
    /// Whether a member has begun.
    members: bool,
}

/// The part of a member that comes next.
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

    /// Goes on with the next optional part of the header, or with the data.
    fn next_part(&mut self) {
        let next = OPTIONAL.into_iter().find(|(flag, _)| self.flags & flag != 0);
        let (flag, part) = next.unwrap_or((0, MemberPart::Data));
        self.flags &= !flag;
        self.part = part;
        if part == MemberPart::Data {
            self.checksum = Hasher::new();
            self.length = 0;
            self.data.restart();
        }
    }

    /// Reads a part other than the data, as far as it has arrived. Returns how many bytes it read.
    fn header(&mut self, input: &[u8]) -> Result<usize, Fault> {
        match self.part {
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
                gzip.next_part();
                Ok(())
            }),
            MemberPart::ExtraLength => self.fixed::<2>(input, |gzip, bytes| {
                gzip.checksum.update(&bytes);
                match u16::from_le_bytes(bytes) {
                    0 => gzip.next_part(),
                    length => gzip.part = MemberPart::Extra(length.into()),
                }
                Ok(())
            }),
            MemberPart::Extra(left) => {
                let extra = input.get(..left).unwrap_or(input);
                self.checksum.update(extra);
                match left.saturating_sub(extra.len()) {
                    0 => self.next_part(),
                    left => self.part = MemberPart::Extra(left),
                }
                Ok(extra.len())
            }
            MemberPart::Name | MemberPart::Comment => {
                let end = input.iter().position(|byte| *byte == 0);
                let text = end.and_then(|end| input.get(..=end)).unwrap_or(input);
                self.checksum.update(text);
                if end.is_some() {
                    self.next_part();
                }
                Ok(text.len())
            }
            MemberPart::HeaderChecksum => self.fixed::<2>(input, |gzip, bytes| {
                let [low, high, ..] = gzip.checksum.clone().finalize().to_le_bytes();
                gzip.next_part();
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

    /// Collects a part of `N` bytes and passes it to `whole` once it is complete. Returns how many bytes it read.
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
        self.length = self.length.wrapping_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        if progress.ended {
            self.part = MemberPart::Trailer;
        }
        Ok(Progress { ended: false, ..progress })
    }
}
