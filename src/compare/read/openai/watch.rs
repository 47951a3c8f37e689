//! Watches an answer pass: whether it is a stream, and whether it has said all that it had to say.
//!
//! Clients leave a stream as soon as they have its last event, without waiting for the end of the connection. Nothing else tells such a
//! client from one that gave up.

use core::task::Poll;

use crate::capture::{Body, Ledger};
use crate::compare::read::openai::beginning::Beginning;
use crate::compare::read::openai::chunk::Chunk;
use crate::compare::read::openai::events::Events;
use crate::compare::read::openai::members::{MAX_CHOICES, elements, is_error, text, whole};
use crate::encoding::Decoder;
use crate::fault::Fault;
use crate::json::reader::TapeReader;
use crate::json::tape::Document;
use crate::limits::COMPARED_PER_CALLBACK;

/// Most bytes of one event.
const LONGEST_EVENT: usize = 128 << 10;

/// Decoded bytes of an encoded stream that are watched. The memory of a decoder may grow with them, and is on no ledger.
const MOST_DECODED: usize = 1 << 20;

/// What may be decoded at once when an answer ends. There is no later: nearly always little is left.
const AT_THE_END: usize = 4 * COMPARED_PER_CALLBACK;

/// Why a decoder is stopped.
const ENOUGH: Fault = "no more of it is watched";

/// Watches one answer.
#[derive(Debug)]
pub struct Watch {
    decoder: Option<Decoder>,
    seen: Seen,
}

/// What has been seen of the answer without codings.
#[derive(Debug)]
struct Seen {
    /// What came so far, until that tells whether it is a stream.
    beginning: Option<Beginning>,
    is_stream: bool,
    events: Events,
    /// The choices that began, by their index, and whether each has ended.
    choices: Vec<(u64, bool)>,
    /// Whether the stream said that it is over, or that it failed.
    is_done: bool,
    /// Whether it said that it failed.
    has_failed: bool,
    /// How many bytes have come.
    length: usize,
    /// Whether no more bytes are looked at.
    is_over: bool,
}

impl Watch {
    /// Of an answer with this `content-type` and `content-encoding`.
    pub fn new(content_type: &[u8], content_encoding: &[u8]) -> Self {
        let beginning = Beginning::new(content_type);
        let decoder = Decoder::new(content_encoding);
        let seen = Seen {
            is_stream: beginning.is_typed(),
            beginning: Some(beginning),
            events: Events::new(&Ledger::new(LONGEST_EVENT.saturating_mul(2)), LONGEST_EVENT),
            choices: Vec::new(),
            is_done: false,
            has_failed: false,
            length: 0,
            is_over: decoder.is_err(),
        };
        Self { decoder: decoder.unwrap_or_default(), seen }
    }

    /// Takes the next piece. Returns whether one more is wanted.
    pub fn push(&mut self, piece: &[u8]) -> bool {
        let Self { decoder, seen } = self;
        match decoder {
            _ if seen.is_over => {}
            None => seen.push(piece),
            Some(decoder) => {
                if decoder.feed(piece, &mut COMPARED_PER_CALLBACK.clone(), &mut |decoded| seen.decoded(decoded)).is_err() {
                    seen.is_over = true;
                }
            }
        }
        !self.seen.is_over
    }

    /// The answer ends here, or its client has left.
    pub fn end(&mut self) {
        let Self { decoder, seen } = self;
        if let (Some(decoder), false) = (decoder, seen.is_over) {
            let _ = decoder.rest(&mut AT_THE_END.clone(), &mut |decoded| seen.decoded(decoded));
        }
        // The client may have left before the blank line behind the last event.
        if let (false, Some(data)) = (seen.is_over, seen.events.end()) {
            let _ = seen.event(data);
        }
        seen.is_over = true;
    }

    /// Whether the answer is a stream, as far as is known.
    pub fn is_stream(&self) -> bool {
        self.seen.is_stream
    }

    /// Whether the answer is a stream with an error among its events.
    pub fn has_failed(&self) -> bool {
        self.seen.has_failed
    }

    /// Whether the answer is a stream of which all events have passed: it said so, or each choice that began has ended.
    pub fn has_ended(&self) -> bool {
        let Seen { is_stream, choices, is_done, .. } = &self.seen;
        *is_stream && (*is_done || !choices.is_empty() && choices.iter().all(|&(_, has_ended)| has_ended))
    }
}

impl Seen {
    fn decoded(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.push(piece);
        if self.is_over || self.length > MOST_DECODED { Err(ENOUGH) } else { Ok(()) }
    }

    fn push(&mut self, piece: &[u8]) {
        if let Some(beginning) = &mut self.beginning {
            let Poll::Ready(is_stream) = beginning.push(piece) else { return };
            self.is_stream = is_stream;
            let before = self.beginning.take();
            self.keep(before.as_ref().map(Beginning::bytes).unwrap_or_default());
        }
        self.keep(piece);
    }

    fn keep(&mut self, mut piece: &[u8]) {
        self.length = self.length.saturating_add(piece.len());
        self.is_over |= !self.is_stream;
        while !self.is_over {
            match self.events.next(&mut piece) {
                Ok(Some(data)) => self.is_over |= self.event(data).is_err() || self.is_done,
                Ok(None) => break,
                Err(_) => {
                    // Nobody knows what it says.
                    (self.is_over, self.choices) = (true, Vec::new());
                }
            }
        }
    }

    fn event(&mut self, data: Body) -> Result<(), Fault> {
        match Chunk::read(data, TapeReader::default())? {
            Chunk::Heartbeat => {}
            Chunk::Done => self.is_done = true,
            Chunk::Piece(document) if is_error(&document, 0)? => (self.is_done, self.has_failed) = (true, true),
            Chunk::Piece(document) => self.piece(&document)?,
        }
        Ok(())
    }

    fn piece(&mut self, document: &Document) -> Result<(), Fault> {
        for (place, choice) in (0..).zip(elements(document, 0, "choices")?) {
            let index = whole(document, choice, "index")?.unwrap_or(place);
            let ends = text(document, choice, "finish_reason")?.is_some();
            let began = self.choices.len();
            match self.choices.iter_mut().find(|(known, _)| *known == index) {
                Some((_, has_ended)) => *has_ended |= ends,
                None if began < MAX_CHOICES => self.choices.push((index, ends)),
                None => return Err(ENOUGH),
            }
        }
        Ok(())
    }
}
