//! Reads the JSON of a body into a [`Document`], in slices.

use core::task::{Poll, ready};

use super::reader::TapeReader;
use super::tape::Document;
use crate::capture::Body;
use crate::fault::Fault;

/// Reads a body, or the beginning of one, as JSON.
#[derive(Debug)]
pub struct DocumentReader {
    body: Body,
    /// Bytes of JSON that the body begins with.
    length: usize,
    reader: TapeReader,
}

impl DocumentReader {
    /// Of a body that is JSON in its first `length` bytes.
    pub fn new(body: Body, length: usize) -> Self {
        Self { body, length, reader: TapeReader::default() }
    }

    /// Of a body that is all JSON.
    pub fn whole(body: Body) -> Self {
        let length = body.bytes().len();
        Self::new(body, length)
    }

    /// Reads on for about `budget` bytes. `Pending`: the budget was not enough; call again.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn step(&mut self, budget: &mut usize) -> Poll<Result<Document, Fault>> {
        let text = self.body.bytes().get(..self.length).unwrap_or_default();
        ready!(self.reader.step(text, budget))?;
        let tape = core::mem::take(&mut self.reader.tape);
        Poll::Ready(Ok(Document { body: self.body.clone(), tape }))
    }
}
