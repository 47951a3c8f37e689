//! Compares JSON inside strings of JSON: the arguments of tools, and answers that are JSON themselves. All of it goes on in slices.

use core::task::{Poll, ready};
use std::rc::Rc;

use crate::capture::Held;
use crate::compare::judge::document::walk::{Finding, Leaves, Walk};
use crate::compare::judge::text_match::TextMatch;
use crate::compare::part::text::Text;
use crate::compare::side::Sides;
use crate::config::Compare;
use crate::fault::Fault;
use crate::json::document::DocumentReader;
use crate::json::tape::Document;

/// The reading of a text as JSON.
#[derive(Debug)]
pub enum Embedded {
    /// The text is being written out without escapes. With how far it has been read, and what has been written.
    Unescape(usize, Vec<u8>),
    /// It is being read.
    Read(DocumentReader),
}

impl Embedded {
    /// Of a text.
    pub fn new(text: Text<'_>) -> Self {
        let mut written = Vec::new();
        // Growing later would move it within one step.
        let _ = written.try_reserve_exact(text.length());
        Embedded::Unescape(0, written)
    }

    /// Goes on for about `budget` bytes: the text as JSON. `Pending`: the budget was not enough; call again.
    ///
    /// # Errors
    /// If the text is no JSON.
    pub fn step(&mut self, text: Text<'_>, budget: &mut usize) -> Poll<Result<Document, Fault>> {
        while *budget > 0 {
            match self {
                Embedded::Unescape(at, written) => {
                    let from = *at;
                    let code = text.next_code(at);
                    *budget = budget.saturating_sub(at.saturating_sub(from).max(1));
                    match code {
                        Some(code) => write(code, written),
                        None => *self = Embedded::Read(DocumentReader::whole(Rc::new(Held::from(core::mem::take(written))))),
                    }
                }
                Embedded::Read(reader) => return reader.step(budget),
            }
        }
        Poll::Pending
    }
}

/// Appends a code point. Half of a surrogate pair can't be written as such; spelled as an escape it means the same within a JSON string.
fn write(code: u32, written: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(character) => written.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => written.extend_from_slice(format!("\\u{code:04x}").as_bytes()),
    }
}

/// A comparison of two texts that mean the same if they are the same JSON value: order of keys and white space don't count. A text that is no JSON is compared as text.
#[derive(Debug)]
pub enum ValueMatch {
    /// As texts. With how they are compared as JSON.
    Text(TextMatch, Rc<Compare>),
    /// The texts differ, and the primary's is being read.
    Primary(Embedded, Rc<Compare>),
    /// The primary's is read (there until the walk begins), and the shadow's is being read.
    Shadow(Option<Document>, Embedded, Rc<Compare>),
    /// Both are JSON.
    Walk(Box<Walk>, Document, Document),
}

impl ValueMatch {
    /// Before the first byte. As JSON they are compared as `plan` says.
    pub fn new(plan: Rc<Compare>) -> Self {
        ValueMatch::Text(TextMatch::new(false), plan)
    }

    /// Compares on for about `budget` bytes: whether the texts mean the same. `Pending`: the budget was not enough; call again.
    pub fn step(&mut self, primary: Text<'_>, shadow: Text<'_>, budget: &mut usize) -> Poll<bool> {
        while *budget > 0 {
            let next = match self {
                ValueMatch::Text(text, plan) => {
                    if ready!(text.step(primary, shadow, budget)) {
                        return Poll::Ready(true);
                    }
                    ValueMatch::Primary(Embedded::new(primary), plan.clone())
                }
                ValueMatch::Primary(embedded, plan) => match ready!(embedded.step(primary, budget)) {
                    Ok(document) => ValueMatch::Shadow(Some(document), Embedded::new(shadow), plan.clone()),
                    Err(_) => return Poll::Ready(false),
                },
                ValueMatch::Shadow(primary, embedded, plan) => match (ready!(embedded.step(shadow, budget)), primary.take()) {
                    (Ok(shadow), Some(primary)) => {
                        let walk = Walk::within(plan.clone(), None, Leaves::All);
                        ValueMatch::Walk(Box::new(walk), primary, shadow)
                    }
                    _ => return Poll::Ready(false),
                },
                ValueMatch::Walk(walk, primary, shadow) => {
                    return walk.step(Sides { primary, shadow }, budget).map(|finding| matches!(finding, Finding::Equivalent));
                }
            };
            *self = next;
        }
        Poll::Pending
    }
}

/// A comparison of whether two texts are both JSON objects or arrays, or neither is.
#[derive(Debug)]
pub enum StructureMatch {
    /// The primary's is being read.
    Primary(Embedded),
    /// Whether the primary's is JSON; the shadow's is being read.
    Shadow(bool, Embedded),
}

impl StructureMatch {
    /// Before the first byte.
    pub fn new(primary: Text<'_>) -> Self {
        StructureMatch::Primary(Embedded::new(primary))
    }

    /// Compares on for about `budget` bytes: whether both are JSON or neither. `Pending`: the budget was not enough; call again.
    pub fn step(&mut self, primary: Text<'_>, shadow: Text<'_>, budget: &mut usize) -> Poll<bool> {
        while *budget > 0 {
            match self {
                StructureMatch::Primary(embedded) => {
                    let is_json = is_container(&ready!(embedded.step(primary, budget)));
                    *self = StructureMatch::Shadow(is_json, Embedded::new(shadow));
                }
                StructureMatch::Shadow(is_json, embedded) => {
                    return embedded.step(shadow, budget).map(|read| is_container(&read) == *is_json);
                }
            }
        }
        Poll::Pending
    }
}

fn is_container(read: &Result<Document, Fault>) -> bool {
    read.as_ref().is_ok_and(|document| document.value(0).tag.is_container())
}
