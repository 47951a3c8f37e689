//! Compares JSON inside texts: the arguments of tools, and answers that are JSON themselves. All of it goes on in slices.
//!
//! A text is JSON as a whole, or in a fence of Markdown, as many models write it.

use core::task::{Poll, ready};
use std::rc::Rc;

use crate::capture::Held;
use crate::compare::judge::document::walk::{Stop, Walk};
use crate::compare::judgement::{Differences, Kind};
use crate::compare::part::text::Text;
use crate::compare::side::Sides;
use crate::json::document::DocumentReader;
use crate::json::reader::is_bound;
use crate::json::tape::Document;

/// What two texts mean that are not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Any JSON, as the arguments of a tool should be: those that are none are compared as texts.
    Arguments,
    /// Objects or arrays; other texts are compared as texts.
    Text,
    /// Objects or arrays; of other texts the wording does not count.
    Structure,
}

/// What a text is.
#[derive(Debug)]
enum Read {
    /// JSON; and whether it stands in a fence, in which no program reads it as JSON.
    Json(Document, bool),
    /// Not JSON.
    Prose,
    /// JSON beyond the reader's bounds.
    Unread,
}

/// A comparison of two texts under way that are not the same.
#[derive(Debug)]
pub struct JsonMatch {
    meaning: Meaning,
    state: State,
    /// What the two documents are walked by.
    walk: Walk,
}

#[derive(Debug)]
enum State {
    New,
    /// The primary's is being read.
    Primary(Reading),
    /// The primary's is read, and the shadow's is being read.
    Shadow(Read, Reading),
    /// Both are JSON.
    Walk(Document, Document),
}

impl JsonMatch {
    /// Of two texts that mean something; `walk` is for the documents in them.
    pub fn new(meaning: Meaning, walk: Walk) -> Self {
        Self { meaning, state: State::New, walk }
    }

    /// Compares on for about `budget` bytes. `Pending`: the budget was not enough; call again.
    ///
    /// # Errors
    /// What differs between the texts. What differs in the JSON they hold is in `differences` instead.
    pub fn step(
        &mut self,
        primary: Text<'_>,
        shadow: Text<'_>,
        differences: &mut Differences,
        budget: &mut usize,
    ) -> Poll<Result<(), Kind>> {
        let containers = self.meaning != Meaning::Arguments;
        while *budget > 0 {
            self.state = match &mut self.state {
                State::New => State::Primary(Reading::new(primary, containers)),
                State::Primary(reading) => {
                    let read = ready!(reading.step(primary, budget));
                    State::Shadow(read, Reading::new(shadow, containers))
                }
                State::Shadow(read, reading) => {
                    let shadow = ready!(reading.step(shadow, budget));
                    match (core::mem::replace(read, Read::Prose), shadow) {
                        (Read::Json(primary, a), Read::Json(shadow, b)) if a == b => State::Walk(primary, shadow),
                        (primary, shadow) => return Poll::Ready(self.meaning.of_texts(&primary, &shadow)),
                    }
                }
                State::Walk(primary, shadow) => {
                    return self.walk.step(Sides { primary, shadow }, differences, budget).map(|_: Stop| Ok(()));
                }
            };
        }
        Poll::Pending
    }
}

impl Meaning {
    /// What differs between two texts that are not both JSON in the same way.
    fn of_texts(self, primary: &Read, shadow: &Read) -> Result<(), Kind> {
        match (self, primary, shadow) {
            (Meaning::Structure, Read::Prose, Read::Prose) => Ok(()),
            (Meaning::Structure, Read::Unread, Read::Unread) | (Meaning::Text, ..) => Err(Kind::Text),
            (Meaning::Structure, ..) => Err(Kind::Type),
            (Meaning::Arguments, ..) => Err(Kind::Tools),
        }
    }
}

/// The reading of a text as JSON.
#[derive(Debug)]
enum Reading {
    /// White space before it is being passed over, to see whether an object or an array begins there, or a fence. With how far.
    Begin(usize),
    /// It is being written out without escapes. With how far it has been read, and what has been written.
    Unescape(usize, Vec<u8>),
    /// It is being read; and whether it stands in a fence.
    Read(DocumentReader, bool),
}

impl Reading {
    /// Of a text. `containers`: nothing but an object or an array counts.
    fn new(text: Text<'_>, containers: bool) -> Self {
        if containers { Reading::Begin(0) } else { Self::unescape(text, 0) }
    }

    fn unescape(text: Text<'_>, at: usize) -> Self {
        let mut written = Vec::new();
        // Growing later would move it within one step.
        let _ = written.try_reserve_exact(text.length().saturating_sub(at));
        Reading::Unescape(at, written)
    }

    /// Goes on for about `budget` bytes. `Pending`: the budget was not enough; call again.
    fn step(&mut self, text: Text<'_>, budget: &mut usize) -> Poll<Read> {
        while *budget > 0 {
            match self {
                Reading::Begin(at) => {
                    let from = *at;
                    let code = text.next_code(at).and_then(char::from_u32);
                    *budget = budget.saturating_sub(at.saturating_sub(from).max(1));
                    match code {
                        Some(' ' | '\t' | '\n' | '\r') => {}
                        Some('{' | '[' | '`') => *self = Self::unescape(text, from),
                        _ => return Poll::Ready(Read::Prose),
                    }
                }
                Reading::Unescape(at, written) => {
                    let from = *at;
                    let code = text.next_code(at);
                    *budget = budget.saturating_sub(at.saturating_sub(from).max(1));
                    match code {
                        Some(code) => write(code, written),
                        None => {
                            let mut written = core::mem::take(written);
                            let fenced = open_fence(&mut written);
                            *self = Reading::Read(DocumentReader::whole(Rc::new(Held::from(written))), fenced);
                        }
                    }
                }
                Reading::Read(reader, fenced) => {
                    let fenced = *fenced;
                    return reader.step(budget).map(|read| match read {
                        Ok(document) if fenced && !document.value(0).tag.is_container() => Read::Prose,
                        Ok(document) => Read::Json(document, fenced),
                        Err(fault) if is_bound(fault) => Read::Unread,
                        Err(_) => Read::Prose,
                    });
                }
            }
        }
        Poll::Pending
    }
}

/// Most bytes of the line that opens a fence, and of what closes it with the white space around.
const MAX_FENCE: usize = 64;

/// Takes the fence away around a text, if there is one: what opens it becomes white space. Returns whether there is one.
fn open_fence(written: &mut Vec<u8>) -> bool {
    let line = written.iter().take(MAX_FENCE).position(|&byte| byte == b'\n');
    let Some(info) = line.and_then(|end| written.get(..end)?.strip_prefix(b"```")) else { return false };
    if !info.trim_ascii().iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    let tail = written.len().saturating_sub(MAX_FENCE);
    let end = written.get(tail..).unwrap_or_default().trim_ascii_end().strip_suffix(b"```").map(|rest| tail.saturating_add(rest.len()));
    let Some(end) = end.filter(|&end| end > line.unwrap_or(0)) else { return false };
    written.truncate(end);
    written.iter_mut().take(line.unwrap_or(0)).for_each(|byte| *byte = b' ');
    true
}

/// Appends a code point. Half of a surrogate pair can't be written as such; spelled as an escape it means the same within a JSON string.
/// What stands for a byte that is no UTF-8 stays such a byte.
fn write(code: u32, written: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(character) => written.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None if code > u32::from(char::MAX) => written.push(0xff),
        None => written.extend_from_slice(format!("\\u{code:04x}").as_bytes()),
    }
}
