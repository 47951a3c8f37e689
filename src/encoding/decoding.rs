//! Decodes a body, or a part of one, into memory on a ledger.

use std::mem;
use std::ops::Range;
use std::task::{Poll, ready};

use super::Decoder;
use crate::capture::{Body, Bounds, Capture, Overflow};
use crate::fault::Fault;

/// Encoded bytes that are being decoded.
#[derive(Debug)]
pub struct Decoding {
    body: Body,
    /// The encoded bytes of the body.
    place: Range<usize>,
    decoder: Decoder,
    decoded: Capture,
    limit: usize,
}

/// Why there is no decoded body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecoded {
    /// There is no room for it.
    Overflow(Overflow),
    /// The bytes are not encoded as the decoder expects.
    Malformed(Fault),
}

impl Decoding {
    /// Decodes the bytes of `body` at `place` by `decoder`, within `bounds`.
    pub fn new(decoder: Decoder, body: Body, place: Range<usize>, bounds: &Bounds) -> Self {
        Self { body, place, decoder, decoded: Capture::new(&bounds.ledger), limit: bounds.body }
    }

    /// Goes on for about `budget` bytes (see [`Decoder::step`]). Ready with the decoded body; `Pending`: the budget was not enough; call
    /// again.
    ///
    /// # Errors
    /// If the bytes can't be decoded, or there is no room for what they mean.
    pub fn step(&mut self, budget: &mut usize) -> Poll<Result<Body, Undecoded>> {
        let (decoded, limit, mut overflow) = (&mut self.decoded, self.limit, None);
        let encoded = self.body.bytes().get(self.place.clone()).unwrap_or_default();
        let ended = ready!(self.decoder.step(encoded, budget, &mut |piece| {
            decoded.push(piece, limit).map_err(|why| {
                overflow = Some(why);
                "no room for the decoded body"
            })
        }));
        let decoded = mem::replace(decoded, Capture::new(&Default::default()));
        Poll::Ready(match (overflow, ended) {
            (Some(why), _) => Err(Undecoded::Overflow(why)),
            (None, Err(fault)) => Err(Undecoded::Malformed(fault)),
            (None, Ok(())) => decoded.into_body().map_err(Undecoded::Overflow),
        })
    }
}
