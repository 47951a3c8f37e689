//! Watches an answer pass: whether it is a stream, and whether it has said all that it had to say.
//!
//! Clients leave a stream as soon as they have its last event, without waiting for the end of the connection. Nothing else tells such a
//! client from one that gave up.

use core::task::Poll;

use crate::capture::Ledger;
use crate::compare::read::openai::beginning::Beginning;
use crate::compare::read::openai::chunk::Chunk;
use crate::compare::read::openai::events::{Event, Events};
use crate::compare::read::openai::members::{MAX_CHOICES, elements, is_error, text, whole};
use crate::encoding::Decoder;
use crate::fault::Fault;
use crate::json::reader::TapeReader;
use crate::json::tape::Document;
use crate::limits::{COMPARED_PER_CALLBACK, DECODED_AT_THE_END};

/// Most bytes of one event.
const LONGEST_EVENT: usize = 128 << 10;

/// Decoded bytes of an encoded stream that are watched. The memory of a decoder may grow with them, and is on no ledger.
const MOST_DECODED: usize = 1 << 20;

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
    /// Whether an event could not be read, so that nobody knows what the choices are. Errors are looked for all the same.
    is_unclear: bool,
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
            is_unclear: false,
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
            let _ = decoder.rest(&mut DECODED_AT_THE_END.clone(), &mut |decoded| seen.decoded(decoded));
        }
        // The client may have left before the blank line behind the last event.
        if let (false, Some(event)) = (seen.is_over, seen.events.end()) {
            let _ = seen.event(event);
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
        let Seen { is_stream, choices, is_unclear, is_done, .. } = &self.seen;
        *is_stream && (*is_done || !is_unclear && !choices.is_empty() && choices.iter().all(|&(_, has_ended)| has_ended))
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
                Ok(Some(event)) => self.is_unclear |= self.event(event).is_err(),
                Ok(None) => break,
                Err(_) => self.is_unclear = true,
            }
            self.is_over |= self.is_done;
        }
    }

    fn event(&mut self, Event { data, is_error: is_marked }: Event) -> Result<(), Fault> {
        if is_marked {
            (self.is_done, self.has_failed) = (true, true);
            return Ok(());
        }
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

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const PIECE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    const END: &str = "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}\n\n";
    const ERROR: &str = "data: {\"error\":{\"message\":\"no\"}}\n\n";

    /// Whether the stream has failed, and whether it has ended.
    fn watch(stream: &str, size: usize) -> (bool, bool) {
        let mut watch = Watch::new(b"text/event-stream", b"");
        stream.as_bytes().chunks(size).take_while(|piece| watch.push(piece)).for_each(drop);
        watch.end();
        (watch.has_failed(), watch.has_ended())
    }

    #[test]
    fn errors_are_found_also_behind_what_is_not_read() {
        let long = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "y".repeat(200_000));
        let many: String = (0..300).map(|index| format!("data: {{\"choices\":[{{\"index\":{index}}}]}}\n\n")).collect();
        let odd = ["data: ping\n\n", "data: {oops\n\n", "data: 1\n\n", "data: {\"choices\":1}\n\n", &long, &many];
        for size in [1, 1000, usize::MAX] {
            for before in ["", PIECE, END].into_iter().chain(odd) {
                for error in [
                    ERROR,
                    ERROR.trim_end(),
                    "data: {\"error\":\"no\"}\r\n\r\n",
                    "event: error\ndata: {\"message\":\"no\"}\n\n",
                    "event: error\ndata: no memory\n\n",
                    "data:\nevent:error\n\n",
                    "data: {\"object\":\"error\",\"message\":\"no\"}\n\n",
                    "error: {\"code\":500}\n\n",
                    "error: no",
                ] {
                    assert_eq!(watch(&format!("{before}{error}"), size), (true, true), "{} {error}", before.get(..40).unwrap_or(before));
                }
                let is_odd = odd.contains(&before);
                assert_eq!(watch(&format!("{before}{END}"), size), (false, !is_odd), "{}", before.get(..40).unwrap_or(before));
                assert_eq!(watch(&format!("{before}data: [DONE]\n\n{ERROR}"), size), (false, true));
            }
        }
    }

    #[test]
    fn what_says_that_there_is_no_error_is_none() {
        for none in ["null", "false", "0", "0.03", "500", "\"\"", "{}", "[]", "[1]", "[{}]", "[null]"] {
            let stream = END.replacen('{', &format!("{{\"error\":{none},"), 1);
            assert_eq!(watch(&stream, 7), (false, true), "{none}");
        }
        for some in ["true", "\"no\"", "{\"code\":1}", "[{\"code\":1}]", "[\"no\"]"] {
            let stream = END.replacen('{', &format!("{{\"error\":{some},"), 1);
            assert_eq!(watch(&stream, 7), (true, true), "{some}");
        }
        assert_eq!(watch(&format!("event: errors\n{END}"), 9), (false, true));
    }
}
