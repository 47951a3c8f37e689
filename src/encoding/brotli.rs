//! The `br` coding: brotli (RFC 7932).
//!
//! The large windows some encoders offer are no part of that RFC and refused, and so is its own largest, 16 MiB, which no encoder takes by
//! default: its state would be twice as large. Brotli has no checksum.

use super::coding::{CORRUPT, Coding, Progress, WINDOW};
use crate::fault::Fault;
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

/// The `br` coding.
pub(super) struct Brotli {
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
    begun: bool,
}

impl Brotli {
    pub(super) fn new() -> Self {
        let allocator = StandardAlloc::default;
        Self { state: Box::new(BrotliState::new_strict(allocator(), allocator(), allocator())), begun: false }
    }
}

impl Coding for Brotli {
    fn advance(&mut self, input: &[u8], _more: bool, output: &mut [u8]) -> Result<Progress, Fault> {
        if let (false, Some(first)) = (self.begun, input.first()) {
            // The window's size as RFC 7932, section 9.1, writes it: these four bits are 16 MiB.
            if first & 0x0f == 0x0f {
                return Err(WINDOW);
            }
            self.begun = true;
        }
        let (mut unread, mut read) = (input.len(), 0);
        let (mut room, mut written, mut total) = (output.len(), 0, 0);
        let state = &mut self.state;
        let result = BrotliDecompressStream(&mut unread, &mut read, input, &mut room, &mut written, output, &mut total, state);
        let ended = match result {
            BrotliResult::ResultSuccess => true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => false,
            BrotliResult::ResultFailure => return Err(CORRUPT),
        };
        Ok(Progress { read, written, ended, ..Progress::default() }.weighed())
    }
}
