//! Reads the JSON of a body into a [`Document`], in slices.

use super::reader::Reader;
use super::tape::Document;
use crate::capture::Body;
use crate::fault::Fault;

/// Reads a body, or the beginning of one, as JSON.
#[derive(Debug)]
pub struct DocumentReader {
    body: Body,
    /// Bytes of JSON that the body begins with.
    length: usize,
    reader: Reader,
}

impl DocumentReader {
    /// Of a body that is JSON in its first `length` bytes.
    pub fn new(body: Body, length: usize) -> Self {
        Self { body, length, reader: Reader::default() }
    }

    /// Of a body that is all JSON.
    pub fn whole(body: Body) -> Self {
        let length = body.bytes().len();
        Self::new(body, length)
    }

    /// Reads on for about `budget` bytes; `None` when that was not enough.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn step(&mut self, budget: &mut usize) -> Result<Option<Document>, Fault> {
        while *budget > 0 {
            let text = self.body.bytes().get(..self.length).unwrap_or_default();
            if self.reader.step(text, budget)? {
                let tape = core::mem::take(&mut self.reader.tape);
                return Ok(Some(Document { body: self.body.clone(), tape }));
            }
        }
        Ok(None)
    }
}
