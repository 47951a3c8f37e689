//! The `deflate` coding: a zlib stream (RFC 1950), or bare deflate data (RFC 1951), which some servers send under the same name.
//!
//! The first two bytes tell the two apart, by the rule that browsers and curl follow.

use super::coding::{CORRUPT, Coding, Progress};
use crate::fault::Fault;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

/// Decodes deflate data with or without zlib's header and checksum.
pub(super) struct Inflate(Box<InflateState>);

impl Inflate {
    pub(super) fn new(format: DataFormat) -> Self {
        Self(InflateState::new_boxed(format))
    }

    /// Starts over, with bare deflate data.
    pub(super) fn restart(&mut self) {
        self.0.reset(DataFormat::Raw);
    }
}

impl Coding for Inflate {
    fn advance(&mut self, input: &[u8], _more: bool, output: &mut [u8]) -> Result<Progress, Fault> {
        let result = inflate(&mut self.0, input, output, MZFlush::None);
        let progress = Progress { read: result.bytes_consumed, written: result.bytes_written, ..Progress::default() }.weighed();
        match result.status {
            Ok(MZStatus::StreamEnd) => Ok(Progress { ended: true, ..progress }),
            // A buffer error only means that nothing could be read or written.
            Ok(MZStatus::Ok) | Err(MZError::Buf) => Ok(progress),
            _ => Err(CORRUPT),
        }
    }
}

/// The `deflate` coding.
pub(super) struct Deflate {
    /// The first two bytes, as far as they are not yet decoded.
    head: Vec<u8>,
    /// The decoder of the data; `None` until the first two bytes are known.
    data: Option<Inflate>,
}

impl Deflate {
    pub(super) fn new() -> Self {
        Self { head: Vec::new(), data: None }
    }
}

impl Coding for Deflate {
    fn advance(&mut self, input: &[u8], more: bool, output: &mut [u8]) -> Result<Progress, Fault> {
        let Some(data) = &mut self.data else {
            let head = input.get(..2_usize.saturating_sub(self.head.len())).unwrap_or(input);
            self.head.extend_from_slice(head);
            if let [first, second] = *self.head {
                self.data = Some(Inflate::new(if is_zlib(first, second) { DataFormat::Zlib } else { DataFormat::Raw }));
            }
            return Ok(Progress { read: head.len(), ..Progress::default() });
        };
        if !self.head.is_empty() {
            let progress = data.advance(&self.head, true, output)?;
            self.head.drain(..progress.read.min(self.head.len()));
            if progress.written > 0 || progress.ended {
                // The bytes of the head were counted when they were collected.
                return Ok(Progress { read: 0, ..progress });
            }
        }
        data.advance(input, more, output)
    }
}

/// Whether these two bytes begin a zlib stream: method 8, a window of at most 32 KiB, a multiple of 31, no dictionary (RFC 1950, section
/// 2.2).
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && first >> 4 <= 7 && u16::from_be_bytes([first, second]).is_multiple_of(31) && second & 0x20 == 0
}
