//! Joins what servers say in more places than one. Where the places say the same, it is said once.

use crate::capture::{Capture, Overflow};
use crate::compare::answer::Unread;
use crate::compare::read::openai::stream::grow::Grow;
use crate::compare::read::openai::stream::write::{put, source};
use crate::json::tape::Document;
use crate::json::text::is_same;

/// What a model thought, in each place where it may stand.
#[derive(Debug)]
pub struct Thoughts {
    /// In parts of the content.
    pub content: Capture,
    reasoning: Capture,
    /// Kept once it comes in other pieces than `reasoning`: most servers that have both repeat each piece.
    reasoning_content: Option<Capture>,
}

impl Thoughts {
    pub fn new(grow: &Grow) -> Self {
        Self { content: grow.nothing(), reasoning: grow.nothing(), reasoning_content: None }
    }

    pub fn is_empty(&self) -> bool {
        let texts = [Some(&self.content), Some(&self.reasoning), self.reasoning_content.as_ref()];
        texts.into_iter().flatten().all(|text| text.bytes().is_empty())
    }

    /// Takes in a piece: the strings `reasoning` and `reasoning_content` of a message.
    pub fn append(&mut self, document: &Document, pieces: [Option<u32>; 2], grow: &mut Grow) -> Result<(), Unread> {
        let [one, other] = pieces.map(|piece| piece.map(|node| document.value(node).text).unwrap_or_default());
        if self.reasoning_content.is_none() && !is_same(one, other) {
            let mut until_now = grow.nothing();
            grow.by_bytes(&mut until_now, self.reasoning.bytes())?;
            self.reasoning_content = Some(until_now);
        }
        grow.by_bytes(&mut self.reasoning, one)?;
        self.reasoning_content.as_mut().map_or(Ok(()), |text| grow.by_bytes(text, other))
    }

    /// Writes the member that tells all of it, if there is any.
    pub fn write(self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        if self.is_empty() {
            return Ok(());
        }
        let has_other_name = self.content.bytes().is_empty() && self.reasoning.bytes().is_empty();
        put(out, if has_other_name { ",\"reasoning_content\":" } else { ",\"reasoning\":" });
        write_once([Some(self.content), Some(self.reasoning), self.reasoning_content].into_iter().flatten().collect(), out)
    }
}

/// Writes a string of these texts, but not of one that is the same as one before it.
pub fn write_once(texts: Vec<Capture>, out: &mut Vec<u8>) -> Result<(), Overflow> {
    let mut found: Vec<Capture> = Vec::new();
    for text in texts {
        if !found.iter().any(|known| is_same(known.bytes(), text.bytes())) {
            found.push(text);
        }
    }
    put(out, "\"");
    for text in found {
        source(text, out)?;
    }
    put(out, "\"");
    Ok(())
}
