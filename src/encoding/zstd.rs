//! The `zstd` coding (RFC 8878, with the window of RFC 9659): frames, each with a header, blocks, and perhaps a checksum.
//!
//! A block is decoded as a whole once all its bytes have arrived. Decoded bytes are passed on once they have left the frame's window, the
//! last ones at the end of the frame. The sizes that headers claim are checked before the decoder sees them. Frames that need a dictionary
//! are refused. Skippable frames are skipped.

use super::coding::{CHECKSUM, CORRUPT, Coding, GARBAGE, MAX_WINDOW, Progress, WINDOW};
use crate::fault::Fault;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::Read;

const MAGIC: u32 = 0xfd2f_b528;
/// The magic number of skippable frames, whose last four bits may be any.
const SKIPPABLE: u32 = 0x184d_2a50;
/// Most bytes of a block, encoded and decoded.
const MAX_BLOCK: usize = 128 << 10;
/// Cost of the tables of a block or a frame, in bytes of a budget: some microseconds.
const TABLES_WORK: usize = 8 << 10;
/// Decoded bytes that are assumed for each byte of a compressed block, as long as the true number is unknown.
const USUAL_YIELD: usize = 16;

/// The `zstd` coding.
pub(super) struct Zstd {
    decoder: FrameDecoder,
    /// The bytes that have arrived of a frame's header or of a block.
    pending: Vec<u8>,
    part: FramePart,
    /// Decoded bytes of the frame.
    length: u64,
    /// Whether a frame has begun.
    frames: bool,
}

/// The part of the data that comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FramePart {
    FrameHeader,
    /// The rest of a skippable frame: this many bytes.
    Skipped(u64),
    Block(Frame),
}

/// The fields of a frame's header that are used at its end.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Frame {
    has_checksum: bool,
    has_length: bool,
}

impl Zstd {
    pub(super) fn new() -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW as u64);
        Self { decoder, pending: Vec::new(), part: FramePart::FrameHeader, length: 0, frames: false }
    }

    /// Begins the frame whose header is pending. Returns the cost in bytes of a budget.
    fn begin(&mut self) -> Result<usize, Fault> {
        let (magic, rest) = self.pending.split_first_chunk::<4>().ok_or(CORRUPT)?;
        if is_skippable(*magic) {
            let (length, _) = rest.split_first_chunk::<4>().ok_or(CORRUPT)?;
            self.part = FramePart::Skipped(u32::from_le_bytes(*length).into());
        } else {
            let descriptor = Descriptor(*rest.first().ok_or(CORRUPT)?);
            if descriptor.window(rest).ok_or(CORRUPT)? > MAX_WINDOW as u64 {
                return Err(WINDOW);
            }
            self.decoder.reset(self.pending.as_slice()).map_err(|_| CORRUPT)?;
            self.part = FramePart::Block(Frame { has_checksum: descriptor.has_checksum(), has_length: descriptor.length_bytes() > 0 });
            self.length = 0;
        }
        self.pending.clear();
        // The first frame costs nothing, because the decoder had to be made anyway.
        let cost = if self.frames { TABLES_WORK } else { 0 };
        self.frames = true;
        Ok(cost)
    }

    /// Decodes the pending block. Returns the cost in bytes of a budget. For a compressed block it is an estimate, because the number of
    /// its decoded bytes is known only at the end of the frame.
    fn block(&mut self) -> Result<usize, Fault> {
        let (header, content) = self.pending.split_first_chunk::<3>().ok_or(CORRUPT)?;
        let header = BlockHeader(*header);
        let yielded = if header.is_compressed() { content.len().saturating_mul(USUAL_YIELD).min(MAX_BLOCK) } else { header.size() };
        if header.is_compressed() && literals(content) > MAX_BLOCK {
            return Err(CORRUPT);
        }
        self.decoder.decode_blocks(self.pending.as_slice(), BlockDecodingStrategy::UptoBlocks(1)).map_err(|_| CORRUPT)?;
        self.pending.clear();
        if self.decoder.is_finished() {
            return Ok(yielded.min(self.decoder.can_collect()));
        }
        Ok(yielded.saturating_add(TABLES_WORK))
    }

    /// Checks length and checksum of a frame after all its decoded bytes were passed on.
    fn finish(&mut self, frame: Frame) -> Result<(), Fault> {
        if frame.has_length && self.length != self.decoder.content_size() {
            return Err(CORRUPT);
        }
        if frame.has_checksum && self.decoder.get_checksum_from_data() != self.decoder.get_calculated_checksum() {
            return Err(CHECKSUM);
        }
        self.part = FramePart::FrameHeader;
        Ok(())
    }

    /// Returns how many bytes the pending header or block has, or how many are needed to know.
    fn wanted(&self) -> Result<usize, Fault> {
        match (self.part, self.pending.as_slice()) {
            (FramePart::FrameHeader, [a, b, c, d, rest @ ..]) => {
                let magic = [*a, *b, *c, *d];
                if is_skippable(magic) {
                    return Ok(8);
                }
                if u32::from_le_bytes(magic) != MAGIC {
                    return Err(if self.frames { GARBAGE } else { CORRUPT });
                }
                rest.first().map_or(Ok(5), |descriptor| Descriptor(*descriptor).header_bytes())
            }
            (FramePart::FrameHeader, _) => Ok(4),
            (FramePart::Block(frame), [a, b, c, ..]) => BlockHeader([*a, *b, *c]).bytes(frame),
            (FramePart::Block(_), _) => Ok(3),
            (FramePart::Skipped(_), _) => Ok(0),
        }
    }

    /// Reads until a header or a block is complete, and processes it.
    fn read(&mut self, input: &[u8]) -> Result<Progress, Fault> {
        let mut unread = input;
        // The first bytes tell the length, so it is asked for again after each piece.
        loop {
            let missing = self.wanted()?.saturating_sub(self.pending.len());
            if missing == 0 {
                break;
            }
            let (piece, rest) = unread.split_at_checked(missing).unwrap_or((unread, &[]));
            if piece.is_empty() {
                return Ok(Progress { read: input.len(), ..Progress::default() });
            }
            self.pending.extend_from_slice(piece);
            unread = rest;
        }
        let extra = if self.part == FramePart::FrameHeader { self.begin()? } else { self.block()? };
        Ok(Progress { read: input.len().saturating_sub(unread.len()), extra, ..Progress::default() })
    }
}

impl Coding for Zstd {
    fn advance(&mut self, input: &[u8], more: bool, output: &mut [u8]) -> Result<Progress, Fault> {
        let written = self.decoder.read(output).map_err(|_| CORRUPT)?;
        if written > 0 {
            self.length = self.length.saturating_add(written as u64);
            return Ok(Progress { written, ..Progress::default() });
        }
        match self.part {
            FramePart::Block(frame) if self.decoder.is_finished() => self.finish(frame)?,
            FramePart::Skipped(0) => self.part = FramePart::FrameHeader,
            _ => {}
        }
        if let FramePart::Skipped(left) = self.part {
            let skipped = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.part = FramePart::Skipped(left.saturating_sub(skipped as u64));
            return Ok(Progress { read: skipped, ..Progress::default() });
        }
        let between = self.part == FramePart::FrameHeader && self.pending.is_empty();
        let ended = between && self.frames && input.is_empty() && !more;
        Ok(Progress { ended, ..self.read(input)? })
    }

    /// The window of the frame: it leaves the decoder only behind the last block. So an empty last block is put behind those that came.
    fn held(&mut self, most: usize) -> Vec<u8> {
        const LAST_BLOCK: [u8; 3] = [1, 0, 0];
        const CHECKSUM: [u8; 4] = [0; 4];
        let ended = match self.part {
            FramePart::Block(_) if !self.decoder.is_finished() => {
                let block = [LAST_BLOCK.as_slice(), &CHECKSUM].concat();
                self.decoder.decode_blocks(block.as_slice(), BlockDecodingStrategy::UptoBlocks(1)).is_ok()
            }
            _ => false,
        };
        if ended && self.decoder.can_collect() <= most { self.decoder.collect().unwrap_or_default() } else { Vec::new() }
    }
}

fn is_skippable(magic: [u8; 4]) -> bool {
    u32::from_le_bytes(magic) & 0xffff_fff0 == SKIPPABLE
}

/// The first byte of a frame's header after the magic number (RFC 8878, section 3.1.1.1.1).
#[derive(Clone, Copy)]
struct Descriptor(u8);

impl Descriptor {
    fn is_single_segment(self) -> bool {
        self.0 & 0x20 != 0
    }

    fn has_checksum(self) -> bool {
        self.0 & 0x04 != 0
    }

    fn dictionary_bytes(self) -> usize {
        match self.0 & 3 {
            3 => 4,
            bytes => bytes.into(),
        }
    }

    fn length_bytes(self) -> usize {
        match self.0 >> 6 {
            0 => usize::from(self.is_single_segment()),
            power => 1 << power,
        }
    }

    /// Returns the length of the whole header in bytes; an error if a reserved bit is set.
    fn header_bytes(self) -> Result<usize, Fault> {
        let window = usize::from(!self.is_single_segment());
        let bytes = [5, window, self.dictionary_bytes(), self.length_bytes()].into_iter().sum();
        if self.0 & 0x08 == 0 { Ok(bytes) } else { Err(CORRUPT) }
    }

    /// Returns the window size in bytes. `header` begins with this descriptor. `None` if `header` is too short.
    fn window(self, header: &[u8]) -> Option<u64> {
        if self.is_single_segment() {
            let start = self.dictionary_bytes().saturating_add(1);
            let length = header.get(start..start.saturating_add(self.length_bytes()))?;
            let value = length.iter().rev().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
            return Some(if length.len() == 2 { value.saturating_add(256) } else { value });
        }
        let window = u64::from(*header.get(1)?);
        let base = 1_u64 << (window >> 3).saturating_add(10);
        Some(base.saturating_add((base >> 3).saturating_mul(window & 7)))
    }
}

/// The header of a block (RFC 8878, section 3.1.1.2).
#[derive(Clone, Copy)]
struct BlockHeader([u8; 3]);

impl BlockHeader {
    fn value(self) -> u32 {
        let [a, b, c] = self.0;
        u32::from_le_bytes([a, b, c, 0])
    }

    fn is_last(self) -> bool {
        self.value() & 1 != 0
    }

    fn is_compressed(self) -> bool {
        (self.value() >> 1) & 3 == 2
    }

    fn size(self) -> usize {
        usize::try_from(self.value() >> 3).unwrap_or(usize::MAX)
    }

    /// Returns the length in bytes of the block, its header, and for the last block of a frame the checksum; an error if it is too large.
    fn bytes(self, frame: Frame) -> Result<usize, Fault> {
        let repeats_one_byte = (self.value() >> 1) & 3 == 1;
        let content = if repeats_one_byte { 1 } else { self.size() };
        let checksum = if frame.has_checksum && self.is_last() { 4 } else { 0 };
        if self.size() > MAX_BLOCK { Err(CORRUPT) } else { Ok([3, content, checksum].into_iter().sum()) }
    }
}

/// Returns the number of literals that a compressed block declares (RFC 8878, section 3.1.1.3.1.1). The decoder itself does not check that
/// they fit a block.
fn literals(block: &[u8]) -> usize {
    let byte = |at: usize| block.get(at).copied().unwrap_or_default();
    let (kind, format) = (byte(0) & 3, (byte(0) >> 2) & 3);
    let bits: u32 = match (kind, format) {
        (0 | 1, 0 | 2) => return (byte(0) >> 3).into(),
        (0 | 1, 1) => 12,
        (0 | 1, _) => 20,
        (_, 0 | 1) => 10,
        (_, 2) => 14,
        _ => 18,
    };
    let value = u32::from_le_bytes([byte(0), byte(1), byte(2), 0]) >> 4;
    usize::try_from(value & (1_u32 << bits).saturating_sub(1)).unwrap_or(usize::MAX)
}
