//! Reads the data of one event of a stream.

use crate::capture::Body;
use crate::fault::Fault;
use crate::json::reader::TapeReader;
use crate::json::tape::Document;
use crate::json::value::Tag;

/// What an event says.
#[derive(Debug)]
pub enum Chunk {
    /// Nothing: it keeps the connection alive.
    Heartbeat,
    /// That the stream is over.
    Done,
    /// A piece of the answer.
    Piece(Document),
}

impl Chunk {
    /// Of an event with this data. `reader` may have read the beginning of it.
    ///
    /// # Errors
    /// If the data are no JSON.
    pub fn read(data: Body, mut reader: TapeReader) -> Result<Self, Fault> {
        match data.bytes().trim_ascii() {
            b"" => return Ok(Chunk::Heartbeat),
            b"[DONE]" => return Ok(Chunk::Done),
            _ => {}
        }
        while reader.step(data.bytes(), &mut usize::MAX.clone())?.is_pending() {}
        let document = Document { body: data, tape: reader.tape };
        // llama.cpp begins some streams with an event that is `null`.
        Ok(if document.value(0).tag == Tag::Null { Chunk::Heartbeat } else { Chunk::Piece(document) })
    }
}
