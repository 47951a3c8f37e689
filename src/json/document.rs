//! Reads a body, or its beginning, into a [`Document`], in slices.

use core::task::{Poll, ready};

use super::reader::TapeReader;
use super::tape::Document;
use crate::capture::Body;
use crate::fault::Fault;

/// Reads the JSON of a body.
#[derive(Debug)]
pub struct DocumentReader {
    body: Body,
    /// How many bytes at the beginning of the body are JSON.
    length: usize,
    reader: TapeReader,
}

impl DocumentReader {
    /// Returns a reader of a body whose first `length` bytes are JSON. A byte order mark may come first.
    pub fn new(body: Body, length: usize) -> Self {
        let reader = TapeReader::behind_mark(body.bytes().get(..length).unwrap_or_default());
        Self { body, length, reader }
    }

    /// Returns a reader of a body that is all JSON.
    pub fn whole(body: Body) -> Self {
        let length = body.bytes().len();
        Self::new(body, length)
    }

    /// Returns the offset in the body up to which it has been read.
    pub fn at(&self) -> usize {
        self.reader.at()
    }

    /// Reads about `budget` more bytes. `Pending` means that the budget was used up and the caller has to call again.
    ///
    /// # Errors
    /// Why the text is no JSON.
    pub fn step(&mut self, budget: &mut usize) -> Poll<Result<Document, Fault>> {
        let text = self.body.bytes().get(..self.length).unwrap_or_default();
        ready!(self.reader.step(text, budget))?;
        let tape = core::mem::take(&mut self.reader.tape);
        Poll::Ready(Ok(Document { body: self.body.clone(), tape }))
    }
}
