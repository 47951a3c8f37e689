//! What is kept of a stream grows within its bounds.

use crate::capture::{Capture, Ledger, Overflow};
use crate::compare::answer::Unread;
use crate::compare::read::openai::members::MAX_TOOLS;
use crate::json::tape::Document;

/// Most values of members left unread that are joined. Of a stream with more it is only kept that there were more.
const MAX_VALUES: usize = 1024;

/// The bounds of what is kept, all choices together.
#[derive(Debug)]
pub struct Grow {
    ledger: Ledger,
    /// Longest text, and what it still may grow by.
    limit: usize,
    room: usize,
    calls: usize,
    values: usize,
}

impl Grow {
    /// For at most `limit` bytes of text, which is on `ledger`.
    pub fn new(ledger: &Ledger, limit: usize) -> Self {
        Self { ledger: ledger.clone(), limit, room: limit, calls: 0, values: 0 }
    }

    /// No text.
    pub fn nothing(&self) -> Capture {
        Capture::new(&self.ledger)
    }

    /// Appends the string at `node`, as it is spelled.
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn by(&mut self, text: &mut Capture, document: &Document, node: Option<u32>) -> Result<(), Unread> {
        self.by_bytes(text, node.map(|node| document.value(node).text).unwrap_or_default())
    }

    /// Appends `more`.
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn by_bytes(&mut self, text: &mut Capture, more: &[u8]) -> Result<(), Unread> {
        self.room = self.room.checked_sub(more.len()).ok_or(Unread::Overflow(Overflow::Body))?;
        text.push(more, self.limit).map_err(Unread::Overflow)
    }

    /// Drops a text, whose room is free again.
    pub fn drop_text(&mut self, text: Capture) {
        self.room = self.room.saturating_add(text.bytes().len());
    }

    /// Counts a tool call.
    ///
    /// # Errors
    /// If there are too many.
    pub fn begin_call(&mut self) -> Result<(), Unread> {
        self.calls = self.calls.saturating_add(1);
        if self.calls > MAX_TOOLS { Err(Unread::Malformed("too many tool calls")) } else { Ok(()) }
    }

    /// Counts a value that is left unread; whether there is room for it.
    pub fn begin_value(&mut self) -> bool {
        self.values = self.values.saturating_add(1);
        !self.is_over()
    }

    /// A value is replaced, and counts no longer.
    pub fn end_value(&mut self) {
        self.values = self.values.saturating_sub(1);
    }

    /// Whether there was any such value.
    pub fn has_values(&self) -> bool {
        self.values > 0
    }

    /// Whether there were more of them than are kept.
    pub fn is_over(&self) -> bool {
        self.values > MAX_VALUES
    }

    /// Bytes that it takes to write down what is kept, each of its parts with `frame` bytes around it.
    pub fn written(&self, choices: usize, frame: usize) -> usize {
        let frames = choices.saturating_add(self.calls).saturating_add(self.values.min(MAX_VALUES)).saturating_add(1);
        self.limit.saturating_sub(self.room).saturating_add(frames.saturating_mul(frame))
    }
}
