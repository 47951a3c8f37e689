//! Gathers an answer while its bytes come: as it is, or joined if it is a stream.

use core::task::Poll;

use crate::capture::{Body, Capture, Ledger};
use crate::compare::answer::Unread;
use crate::compare::read::openai::beginning::Beginning;
use crate::compare::read::openai::stream::Joiner;

/// An answer that is being gathered.
#[derive(Debug)]
pub struct Gathering {
    ledger: Ledger,
    limit: usize,
    /// What came so far, until that tells whether it is a stream.
    beginning: Option<Beginning>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Whole(Capture),
    Stream(Box<Joiner>),
}

impl Gathering {
    /// Of an answer with this content type that has at most `limit` bytes, or so much text if it is a stream. All that is kept of it is on
    /// `ledger`, but for the few bytes that tell what it is.
    pub fn new(content_type: &[u8], ledger: &Ledger, limit: usize) -> Self {
        let beginning = Some(Beginning::new(content_type));
        Self { ledger: ledger.clone(), limit, beginning, form: Form::Whole(Capture::new(ledger)) }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// If the answer is, or was already, given up.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Unread> {
        if let Some(beginning) = &mut self.beginning {
            let Poll::Ready(is_stream) = beginning.push(piece) else { return Ok(()) };
            self.told(is_stream)?;
        }
        self.form.push(piece, self.limit)
    }

    /// What the answer is has been told.
    fn told(&mut self, is_stream: bool) -> Result<(), Unread> {
        if is_stream {
            self.form = Form::Stream(Box::new(Joiner::new(&self.ledger, self.limit)));
        }
        self.beginning.take().map_or(Ok(()), |beginning| self.form.push(beginning.bytes(), self.limit))
    }

    /// The answer in one piece.
    ///
    /// # Errors
    /// If it was given up, or it is a stream that is not what its protocol says.
    pub fn finish(mut self) -> Result<Body, Unread> {
        if let Some(beginning) = &self.beginning {
            self.told(beginning.is_typed() && !beginning.bytes().is_empty())?;
        }
        match self.form {
            Form::Whole(capture) => capture.into_body().map_err(Unread::Overflow),
            Form::Stream(joiner) => joiner.finish(),
        }
    }
}

impl Form {
    fn push(&mut self, piece: &[u8], limit: usize) -> Result<(), Unread> {
        match self {
            Form::Whole(capture) => capture.push(piece, limit).map_err(Unread::Overflow),
            Form::Stream(joiner) => joiner.push(piece),
        }
    }
}
