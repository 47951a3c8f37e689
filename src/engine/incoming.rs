//! The answer to a client as it passes: bytes as they come, or, of a stream of generated text, the text that they join to.

use super::event::Head;
use super::pair;
use crate::capture::{Capture, Ledger, Overflow};
use crate::compare::form::{Endpoint, Form};
use crate::compare::openai::stream::Joiner;
use crate::compare::{Answer, Unread};
use crate::config::{Limits, Protocol};
use crate::request::is_event_stream;

/// An answer as far as it has come.
#[derive(Debug)]
pub struct Incoming {
    /// What its headers say.
    pub head: Head,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Raw(Capture),
    Joined(Box<Joiner>),
}

impl Incoming {
    /// One that begins with `head`. A stream whose events are encoded is taken as it comes, and joined when it is compared.
    pub fn new(head: Head, protocol: Protocol, endpoint: Endpoint, ledger: &Ledger, limits: Limits) -> Self {
        let is_generated = Form::of(protocol, endpoint, &head.content_type) == Form::OpenAi;
        let joins = is_generated && is_event_stream(&head.content_type) && head.content_encoding.is_empty();
        let body = if joins { Body::Joined(Box::new(Joiner::new(ledger, limits.body))) } else { Body::Raw(Capture::new(ledger)) };
        Self { head, body }
    }

    /// Takes the next piece; whether more is wanted.
    pub fn push(&mut self, chunk: &[u8], limits: Limits) -> bool {
        match &mut self.body {
            Body::Raw(capture) => capture.push(chunk, limits.of_answer(&self.head.content_type)).is_ok(),
            Body::Joined(joiner) => joiner.push(chunk).is_ok(),
        }
    }

    /// The answer as it is compared.
    pub fn finish(self) -> Answer {
        match self.body {
            Body::Raw(capture) => pair::answer(self.head, capture.into_body().map_err(Unread::Overflow)),
            Body::Joined(joiner) => Answer { content_type: b"application/json".to_vec(), ..pair::answer(self.head, joiner.finish()) },
        }
    }
}

/// The answer of a stream that was broken off.
pub fn none() -> Answer {
    pair::answer(Head::default(), Err(Unread::Overflow(Overflow::Body)))
}
