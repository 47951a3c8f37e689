//! The answer to a client as it passes: bytes as they come, or, of a stream of generated text, the text that they join to.

use super::event::Head;
use super::pair;
use crate::capture::{Capture, Ledger, Overflow};
use crate::compare::form::{self, Endpoint};
use crate::compare::openai::stream::Joiner;
use crate::compare::{Answer, Unread};
use crate::config::{Limits, Protocol};

/// An answer as far as it has come.
#[derive(Debug)]
pub struct Incoming {
    /// What its headers say.
    pub head: Head,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// With how long it may become.
    Raw(Capture, usize),
    Joined(Box<Joiner>),
}

impl Incoming {
    /// One that begins with `head`. A stream whose events are encoded is taken as it comes, and joined when it is compared.
    pub fn new(head: Head, protocol: Protocol, endpoint: Endpoint, ledger: &Ledger, limits: Limits) -> Self {
        let is_stream = form::is_stream(protocol, endpoint, &head.content_type);
        let body = if is_stream && head.content_encoding.is_empty() {
            Body::Joined(Box::new(Joiner::new(ledger, limits.body)))
        } else {
            Body::Raw(Capture::new(ledger), limits.of_answer(is_stream))
        };
        Self { head, body }
    }

    /// Takes the next piece; whether more is wanted.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        match &mut self.body {
            Body::Raw(capture, limit) => capture.push(chunk, *limit).is_ok(),
            Body::Joined(joiner) => joiner.push(chunk).is_ok(),
        }
    }

    /// The answer as it is compared.
    pub fn finish(self) -> Answer {
        match self.body {
            Body::Raw(capture, _) => pair::answer(self.head, capture.into_body().map_err(Unread::Overflow)),
            Body::Joined(joiner) => Answer { content_type: b"application/json".to_vec(), ..pair::answer(self.head, joiner.finish()) },
        }
    }
}

/// The answer of a stream that was broken off.
pub fn none() -> Answer {
    pair::answer(Head::default(), Err(Unread::Overflow(Overflow::Body)))
}
