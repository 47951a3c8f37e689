//! The answer to a client as it passes: its bytes, or the joined text of a stream of generated text.

use super::head::Head;
use crate::capture::{Capture, Ledger, Overflow};
use crate::compare::read::openai::stream::Joiner;
use crate::compare::read::wire_format::{self, Endpoint};
use crate::compare::{Answer, Unread};
use crate::config::{Limits, Protocol};

/// An answer as far as it has come.
#[derive(Debug)]
pub struct Incoming {
    /// What its headers say.
    pub head: Head,
    /// The last bytes of a stream of events that is joined; `None` for any other answer.
    tail: Option<Vec<u8>>,
    body: Body,
}

/// Bytes that tell whether a stream has said that it is over: a line `data: [DONE]` and the ends of lines around it.
const TAIL: usize = 24;

#[derive(Debug)]
enum Body {
    /// The bytes, and how many there may be.
    Raw(Capture, usize),
    Joined(Box<Joiner>),
    /// No pair waits for the body.
    Unwanted,
}

impl Incoming {
    /// An answer that begins with `head`. A stream with a content coding is captured as it comes, and joined when it is compared.
    pub fn new(head: Head, protocol: Protocol, endpoint: Endpoint, ledger: &Ledger, limits: Limits) -> Self {
        let is_stream = wire_format::is_stream(protocol, endpoint, &head.content_type);
        let joins = is_stream && head.content_encoding.is_empty();
        let body = if joins {
            Body::Joined(Box::new(Joiner::new(ledger, limits.body)))
        } else {
            Body::Raw(Capture::new(ledger), limits.of_answer(is_stream))
        };
        Self { head, tail: joins.then(Vec::new), body }
    }

    /// Drops the body. From now on only the end of a stream is watched.
    pub fn drop_body(&mut self) {
        self.body = Body::Unwanted;
    }

    /// Takes the next piece. Returns whether one more is wanted.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        if let Some(tail) = &mut self.tail {
            tail.extend_from_slice(chunk.get(chunk.len().saturating_sub(TAIL)..).unwrap_or_default());
            tail.drain(..tail.len().saturating_sub(TAIL));
        }
        let taken = match &mut self.body {
            Body::Raw(capture, limit) => capture.push(chunk, *limit).is_ok(),
            Body::Joined(joiner) => joiner.push(chunk).is_ok(),
            Body::Unwanted => false,
        };
        taken || self.tail.is_some()
    }

    /// Whether a stream has said that it is over. Clients then leave without waiting for the connection's own end.
    pub fn is_over(&self) -> bool {
        let line = self.tail.as_deref().unwrap_or_default().trim_ascii_end().strip_suffix(b"[DONE]").unwrap_or_default();
        line.trim_ascii_end().ends_with(b"data:")
    }

    /// The answer as it is compared.
    pub fn finish(self) -> Answer {
        match self.body {
            Body::Raw(capture, _) => self.head.answer(capture.into_body().map_err(Unread::Overflow)),
            Body::Unwanted => none(),
            Body::Joined(joiner) => Answer { content_type: b"application/json".to_vec(), ..self.head.answer(joiner.finish()) },
        }
    }
}

/// The answer of a stream that was broken off.
pub fn none() -> Answer {
    Head::default().answer(Err(Unread::Overflow(Overflow::Body)))
}
