//! Watches an answer pass: whether it is a stream, and whether it has said all that it had to say.
//!
//! Clients leave a stream as soon as they have its last event, without waiting for the end of the connection. Nothing else tells such a
//! client from one that gave up.

use core::task::Poll;

use crate::capture::Ledger;
use crate::compare::answer::Unread;
use crate::compare::read::openai::beginning::Beginning;
use crate::compare::read::openai::stream::{ENDS_IN_ERROR, Joiner};
use crate::encoding::Decoder;
use crate::limits::COMPARED_PER_CALLBACK;

/// Last bytes of a stream that are kept: room for its last events, with counts and timings.
const TAIL: usize = 4 << 10;

/// Decoded bytes of an encoded stream that are watched. The memory of a decoder may grow with them, and is on no ledger.
const MOST_DECODED: usize = 1 << 20;

/// Watches one answer.
#[derive(Debug)]
pub struct Watch {
    decoder: Option<Decoder>,
    seen: Seen,
}

#[derive(Debug)]
struct Seen {
    /// What came so far, until that tells whether it is a stream.
    beginning: Option<Beginning>,
    is_stream: bool,
    /// The last bytes of a stream, [`TAIL`] at least.
    tail: Vec<u8>,
    /// How many bytes have come.
    length: usize,
    /// Whether no more bytes are looked at.
    is_over: bool,
}

impl Watch {
    /// Of an answer with this `content-type` and `content-encoding`.
    pub fn new(content_type: &[u8], content_encoding: &[u8]) -> Self {
        let beginning = Beginning::new(content_type);
        let is_stream = beginning.is_typed();
        let decoder = Decoder::new(content_encoding);
        let is_over = decoder.is_err();
        let seen = Seen { beginning: Some(beginning), is_stream, tail: Vec::new(), length: 0, is_over };
        Self { decoder: decoder.unwrap_or_default(), seen }
    }

    /// Takes the next piece. Returns whether one more is wanted.
    pub fn push(&mut self, piece: &[u8]) -> bool {
        let Self { decoder, seen } = self;
        match decoder {
            _ if seen.is_over => {}
            None => seen.push(piece),
            Some(decoder) => {
                let fed = decoder.feed(piece, &mut COMPARED_PER_CALLBACK.clone(), &mut |decoded| {
                    seen.push(decoded);
                    if seen.is_over || seen.length > MOST_DECODED { Err("enough") } else { Ok(()) }
                });
                if fed.is_err() {
                    seen.give_up();
                }
            }
        }
        !self.seen.is_over
    }

    /// Whether the answer is a stream, as far as is known.
    pub fn is_stream(&self) -> bool {
        self.seen.is_stream
    }

    /// Whether the answer is a stream whose end has passed.
    pub fn has_ended(&self) -> bool {
        let tail = self.seen.tail.as_slice();
        let tail = if tail.len() < self.seen.length { from_the_first_event(tail) } else { tail };
        // The client may have left before the blank line behind the last event.
        self.seen.is_stream && [&b""[..], b"\n\n"].into_iter().any(|end| end_an_answer(&[tail, end].concat()))
    }
}

impl Seen {
    fn push(&mut self, piece: &[u8]) {
        if let Some(beginning) = &mut self.beginning {
            let Poll::Ready(is_stream) = beginning.push(piece) else { return };
            self.is_stream = is_stream;
            let before = self.beginning.take();
            self.keep(before.as_ref().map(Beginning::bytes).unwrap_or_default());
        }
        self.keep(piece);
        if !self.is_stream {
            self.give_up();
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        self.length = self.length.saturating_add(piece.len());
        self.tail.extend_from_slice(piece.get(piece.len().saturating_sub(TAIL)..).unwrap_or(piece));
        // Not at every piece, so that few bytes are moved.
        if self.tail.len() > TAIL.saturating_mul(2) {
            self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        }
    }

    fn give_up(&mut self) {
        self.is_over = true;
        self.tail = Vec::new();
    }
}

/// What comes behind the first blank line.
fn from_the_first_event(tail: &[u8]) -> &[u8] {
    let ends: [&[u8]; 3] = [b"\n\n", b"\r\n\r\n", b"\r\r"];
    let behind = |end: &&[u8]| tail.windows(end.len()).position(|window| window == *end).map(|at| at.saturating_add(end.len()));
    ends.iter().filter_map(behind).min().and_then(|at| tail.get(at..)).unwrap_or_default()
}

/// Whether the last events of a stream end an answer, be it with an error.
fn end_an_answer(events: &[u8]) -> bool {
    let mut joiner = Joiner::new(&Ledger::new(events.len().saturating_mul(2)), events.len());
    matches!(joiner.push(events).and_then(|()| joiner.finish()), Ok(_) | Err(Unread::Malformed(ENDS_IN_ERROR)))
}
