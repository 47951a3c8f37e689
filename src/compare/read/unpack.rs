//! Unpacks an answer's body before its protocol reads it: undoes content codings and joins a stream of events, in slices.

use core::task::{Poll, ready};

use crate::capture::{Body, Capture, Overflow};
use crate::compare::answer::{Answer, Unread};
use crate::compare::read::openai::beginning::is_stream;
use crate::compare::read::openai::gather::Gathering;
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
    /// For an answer that is joined if it is a stream.
    Gathering(Box<Gathering>),
}

impl Unpacking {
    /// Of `answer`, which is joined if it is a stream and `joins`; `None` if there is nothing to do.
    ///
    /// # Errors
    /// If a content coding is not known.
    pub fn new(answer: &Answer, joins: bool, bounds: &Bounds) -> Result<Option<Self>, Unread> {
        let body = answer.body.clone()?;
        let decoder = Decoder::new(&answer.content_encoding).map_err(Unread::Encoded)?;
        let sink = match &decoder {
            None if !joins || !is_stream(body.bytes(), &answer.content_type) => return Ok(None),
            Some(_) if !joins => Sink::Whole(Capture::new(&bounds.ledger)),
            _ => Sink::Gathering(Box::new(Gathering::new(&answer.content_type, &bounds.ledger, bounds.body))),
        };
        Ok(Some(Self { body, decoder, done: 0, sink, limit: bounds.body }))
    }

    /// Goes on for about `budget` bytes. Ready with the unpacked body; `Pending`: the budget was not enough; call again.
    ///
    /// # Errors
    /// If it is not well formed, or more than there is room for.
    pub fn step(&mut self, budget: &mut usize) -> Poll<Result<Body, Unread>> {
        ready!(self.advance(budget))?;
        let sink = core::mem::replace(&mut self.sink, Sink::Whole(Capture::new(&Default::default())));
        Poll::Ready(match sink {
            Sink::Whole(capture) => capture.into_body().map_err(Unread::Overflow),
            Sink::Gathering(gathering) => gathering.finish(),
        })
    }

    /// Hands bytes on. Ready once all of them are.
    fn advance(&mut self, budget: &mut usize) -> Poll<Result<(), Unread>> {
        let (sink, limit, done) = (&mut self.sink, self.limit, &mut self.done);
        let Some(decoder) = &mut self.decoder else {
            let bytes = self.body.bytes();
            let end = done.saturating_add(*budget).min(bytes.len());
            *budget = budget.saturating_sub(end.saturating_sub(*done));
            sink.push(bytes.get(*done..end).unwrap_or_default(), limit)?;
            *done = end;
            return if end == bytes.len() { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        let mut refused = None;
        let decoded = decoder.step(self.body.bytes(), budget, &mut |piece| {
            *done = done.saturating_add(piece.len());
            let pushed = if *done > MAX_STREAM { Err(Unread::Overflow(Overflow::Body)) } else { sink.push(piece, limit) };
            pushed.map_err(|unread| {
                refused = Some(unread);
                unread.reason()
            })
        });
        match refused {
            Some(unread) => Poll::Ready(Err(unread)),
            None => decoded.map_err(Unread::Encoded),
        }
    }
}

impl Sink {
    fn push(&mut self, piece: &[u8], limit: usize) -> Result<(), Unread> {
        match self {
            Sink::Whole(capture) => capture.push(piece, limit).map_err(Unread::Overflow),
            Sink::Gathering(gathering) => gathering.push(piece),
        }
    }
}
