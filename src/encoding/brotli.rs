//! The `br` coding: brotli (RFC 7932).
//!
//! Windows of 16 MiB, the largest of the RFC, are refused, because the state would be twice as large. No encoder uses them by default. The
//! even larger windows of some encoders are not part of the RFC, and are refused too. Brotli has no checksum.

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
            // In the window size of RFC 7932, section 9.1, these four bits mean 16 MiB.
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
