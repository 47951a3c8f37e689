//! Unpacks an answer's body before its protocol reads it: undoes content codings and joins a stream of events, in slices.

use core::mem;
use core::task::{Poll, ready};

use crate::capture::{Body, Bounds, Overflow};
use crate::compare::answer::{Answer, Unread};
use crate::compare::read::openai::beginning::is_stream;
use crate::compare::read::openai::gather::Gathering;
use crate::encoding::Decoder;
use crate::encoding::decoding::Decoding;

/// Bytes of a stream that are joined: what the host's buffer for a whole answer holds.
const MAX_STREAM: usize = 32 << 20;

/// A body being unpacked.
#[derive(Debug)]
pub enum Unpacking {
    /// It is decoded.
    Whole(Decoding),
    /// It is joined if it is a stream, and decoded before if it is encoded.
    Joined(Joining),
}

/// An answer being joined if it is a stream.
#[derive(Debug)]
pub struct Joining {
    body: Body,
    decoder: Option<Decoder>,
    /// Bytes that were handed on.
    done: usize,
    gathering: Gathering,
}

impl Unpacking {
    /// Of `answer`, which is joined if it is a stream and `joins`; `None` if there is nothing to do.
    ///
    /// # Errors
    /// If a content coding is not known.
    pub fn new(answer: &Answer, joins: bool, bounds: &Bounds) -> Result<Option<Self>, Unread> {
        let body = answer.body.clone()?;
        let decoder = Decoder::new(&answer.content_encoding).map_err(Unread::Encoded)?;
        let whole = 0..body.bytes().len();
        Ok(match decoder {
            None if !joins || !is_stream(body.bytes(), &answer.content_type) => None,
            Some(decoder) if !joins => Some(Self::Whole(Decoding::new(decoder, body, whole, bounds))),
            decoder => {
                let gathering = Gathering::new(&answer.content_type, &bounds.ledger, bounds.body);
                Some(Self::Joined(Joining { body, decoder, done: 0, gathering }))
            }
        })
    }

    /// Goes on for about `budget` bytes. Ready with the unpacked body; `Pending`: the budget was not enough; call again.
    ///
    /// # Errors
    /// If it is not well formed, or more than there is room for.
    pub fn step(&mut self, budget: &mut usize) -> Poll<Result<Body, Unread>> {
        match self {
            Self::Whole(decoding) => decoding.step(budget).map_err(Unread::from),
            Self::Joined(joining) => {
                ready!(joining.step(budget))?;
                let done = Gathering::new(b"", &Default::default(), 0);
                Poll::Ready(mem::replace(&mut joining.gathering, done).finish())
            }
        }
    }
}

impl Joining {
    /// Hands bytes on. Ready once all of them are.
    fn step(&mut self, budget: &mut usize) -> Poll<Result<(), Unread>> {
        let (gathering, done) = (&mut self.gathering, &mut self.done);
        let Some(decoder) = &mut self.decoder else {
            let bytes = self.body.bytes();
            let end = done.saturating_add(*budget).min(bytes.len());
            *budget = budget.saturating_sub(end.saturating_sub(*done));
            gathering.push(bytes.get(*done..end).unwrap_or_default())?;
            *done = end;
            return if end == bytes.len() { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        let mut refused = None;
        let decoded = decoder.step(self.body.bytes(), budget, &mut |piece| {
            *done = done.saturating_add(piece.len());
            let pushed = if *done > MAX_STREAM { Err(Unread::Overflow(Overflow::Body)) } else { gathering.push(piece) };
            match pushed {
                // Bytes that are not encoded as they should be are the fault that comes first, whatever the decoded ones say, so that slices
                // do not matter. (The gathering keeps its fault.)
                Ok(()) | Err(Unread::Malformed(_)) => Ok(()),
                Err(unread) => {
                    refused = Some(unread);
                    Err(unread.reason())
                }
            }
        });
        match refused {
            Some(unread) => Poll::Ready(Err(unread)),
            None => decoded.map_err(Unread::Encoded),
        }
    }
}
