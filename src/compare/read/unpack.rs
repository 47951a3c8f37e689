//! What an answer's body is before its protocol reads it: content codings undone, a stream of events joined, in slices.

use crate::capture::{Body, Capture};
use crate::compare::answer::{Answer, Unread};
use crate::compare::read::openai::stream::Joiner;
use crate::compare::read::reader::Bounds;
use crate::encoding::Decoder;

/// Bytes of a stream that are joined: what the host's buffer for a whole answer holds.
const MAX_STREAM: usize = 32 << 20;

/// A body being unpacked.
#[derive(Debug)]
pub struct Unpacking {
    body: Body,
    decoder: Option<Decoder>,
    /// Bytes that came out so far; of a body without codings, bytes handed on.
    done: usize,
    sink: Sink,
    limit: usize,
}

/// Where the bytes go.
#[derive(Debug)]
enum Sink {
    Whole(Capture),
    Stream(Box<Joiner>),
}

impl Unpacking {
    /// Of `answer`, which is joined if it is a `stream`; `None` if there is nothing to do.
    ///
    /// # Errors
    /// If a content coding is not known.
    pub fn new(answer: &Answer, stream: bool, bounds: &Bounds) -> Result<Option<Self>, Unread> {
        let body = answer.body.clone()?;
        let decoder = Decoder::new(&answer.content_encoding).map_err(Unread::Encoded)?;
        let sink = match (stream, &decoder) {
            (true, _) => Sink::Stream(Box::new(Joiner::new(&bounds.ledger, bounds.body))),
            (false, Some(_)) => Sink::Whole(Capture::new(&bounds.ledger)),
            (false, None) => return Ok(None),
        };
        Ok(Some(Self { body, decoder, done: 0, sink, limit: bounds.body }))
    }

    /// Goes on for about `budget` bytes; the unpacked body once it is there.
    ///
    /// # Errors
    /// If it is not well formed, or more than there is room for.
    pub fn step(&mut self, budget: &mut usize) -> Result<Option<Body>, Unread> {
        if !self.advance(budget)? {
            return Ok(None);
        }
        let sink = core::mem::replace(&mut self.sink, Sink::Whole(Capture::new(&Default::default())));
        match sink {
            Sink::Whole(capture) => capture.into_body().map_err(Unread::Overflow).map(Some),
            Sink::Stream(joiner) => joiner.finish().map(Some),
        }
    }

    fn advance(&mut self, budget: &mut usize) -> Result<bool, Unread> {
        let (sink, limit, done) = (&mut self.sink, self.limit, &mut self.done);
        let Some(decoder) = &mut self.decoder else {
            let bytes = self.body.bytes();
            let end = done.saturating_add(*budget).min(bytes.len());
            *budget = budget.saturating_sub(end.saturating_sub(*done));
            sink.push(bytes.get(*done..end).unwrap_or_default(), limit)?;
            *done = end;
            return Ok(end == bytes.len());
        };
        let mut refused = None;
        let decoded = decoder.step(self.body.bytes(), budget, &mut |piece| {
            *done = done.saturating_add(piece.len());
            let pushed = if *done > MAX_STREAM { Err(Unread::Overflow(crate::capture::Overflow::Body)) } else { sink.push(piece, limit) };
            pushed.map_err(|unread| {
                refused = Some(unread);
                unread.reason()
            })
        });
        match (decoded, refused) {
            (_, Some(unread)) => Err(unread),
            (Ok(ended), None) => Ok(ended),
            (Err(fault), None) => Err(Unread::Encoded(fault)),
        }
    }
}

impl Sink {
    fn push(&mut self, piece: &[u8], limit: usize) -> Result<(), Unread> {
        match self {
            Sink::Whole(capture) => capture.push(piece, limit).map_err(Unread::Overflow),
            Sink::Stream(joiner) => joiner.push(piece),
        }
    }
}
