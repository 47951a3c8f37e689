//! The answer to a client as it passes: its bytes, or the joined text of a stream of generated text.

use super::head::Head;
use crate::capture::{Capture, Ledger, Overflow};
use crate::compare::read::error_inside::ErrorLook;
use crate::compare::read::openai::gather::Gathering;
use crate::compare::read::openai::watch::Watch;
use crate::compare::read::wire_format::WireFormat;
use crate::compare::{Answer, Unread};
use crate::config::Limits;
use crate::encoding::is_plain;

/// An answer as far as it has come.
#[derive(Debug)]
pub struct Incoming {
    /// What its headers say.
    pub head: Head,
    /// Watches an answer that may be a stream.
    watch: Option<Watch>,
    /// Looks for an error in a whole answer, if a gate asks.
    error_look: Option<ErrorLook>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// The bytes, and how many there may be.
    Raw(Capture, usize),
    /// An answer that is joined while it comes, if it is a stream.
    Gathering(Box<Gathering>),
    /// No pair waits for the body.
    Unwanted,
}

impl Incoming {
    /// An answer that begins with `head`. One that `may_stream` is joined as it comes, unless it has a content coding: then it is captured as
    /// it comes, and joined when it is compared. An error inside of it is looked for if it comes in the format `may_fail`.
    pub fn new(head: Head, may_stream: bool, may_fail: Option<WireFormat>, ledger: &Ledger, limits: Limits) -> Self {
        let body = if may_stream && is_plain(&head.content_encoding) {
            Body::Gathering(Box::new(Gathering::new(&head.content_type, ledger, limits.body)))
        } else {
            Body::Raw(Capture::new(ledger), limits.of_answer(may_stream))
        };
        let watch = may_stream.then(|| Watch::new(&head.content_type, &head.content_encoding));
        let error_look = may_fail.and_then(|wire_format| ErrorLook::new(wire_format, &head.content_encoding));
        Self { head, watch, error_look, body }
    }

    /// Drops the body. From now on only the end of a stream is watched, and an error looked for.
    pub fn drop_body(&mut self) {
        self.body = Body::Unwanted;
    }

    /// Takes the next piece. Returns whether one more is wanted.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        let watched = self.watch.as_mut().is_some_and(|watch| watch.push(chunk));
        let looked_at = self.error_look.as_mut().is_some_and(|look| look.push(chunk));
        let taken = match &mut self.body {
            Body::Raw(capture, limit) => capture.push(chunk, *limit).is_ok(),
            Body::Gathering(gathering) => gathering.push(chunk).is_ok(),
            Body::Unwanted => false,
        };
        taken || watched || looked_at
    }

    /// It ends here, or its client has left.
    pub fn end(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.end();
        }
    }

    /// Whether it is a stream of generated text, as far as is known.
    pub fn is_stream(&self) -> bool {
        self.watch.as_ref().is_some_and(Watch::is_stream)
    }

    /// Whether it is a stream that has said all that it had to say. Clients then leave without waiting for the connection's own end.
    pub fn is_over(&self) -> bool {
        self.watch.as_ref().is_some_and(Watch::has_ended)
    }

    /// Whether it has an error inside, as far as that was looked for.
    pub fn has_error(&mut self) -> bool {
        let is_error = self.error_look.take().is_some_and(ErrorLook::finds_error);
        is_error || self.watch.as_ref().is_some_and(Watch::has_failed)
    }

    /// The answer as it is compared.
    pub fn finish(self) -> Answer {
        match self.body {
            Body::Raw(capture, _) => self.head.answer(capture.into_body().map_err(Unread::Overflow)),
            Body::Gathering(gathering) => self.head.answer(gathering.finish()),
            Body::Unwanted => none(),
        }
    }
}

/// The answer of a stream that was broken off.
pub fn none() -> Answer {
    Head::default().answer(Err(Unread::Overflow(Overflow::Body)))
}
