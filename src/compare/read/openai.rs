//! OpenAI's interface: completions, of chats and of plain text, and embeddings.
//!
//! An answer's own shape says what it is, not the path it came from: a completion has `choices`, embeddings have `data`. Whole answers are
//! read here; [`stream`] joins streams into such. Tokens, how an answer ended and the model are told beside; whatever else servers add does
//! not count.

pub mod beginning;
mod embeddings;
mod events;
pub mod gather;
mod members;
pub mod stream;
pub mod watch;

use core::task::{Poll, ready};

use crate::capture::Body;
use crate::compare::answer::IMPOSSIBLE;
use crate::compare::part::choice::Choice;
use crate::compare::part::content::{Content, Facts, Parts};
use crate::compare::read::openai::embeddings::Embeddings;
use crate::compare::read::openai::members::{Items, MAX_CHOICES, MAX_TOOLS, elements, legacy_tool, member, text, texts, tool, whole};
use crate::compare::read::reader::Reader;
use crate::fault::Fault;
use crate::json::document::DocumentReader;
use crate::json::tape::Document;
use crate::json::text::{next_code, reads};
use crate::json::value::Value;
use crate::labels::End;
use crate::limits::MAX_LABEL;

/// What reading one choice costs.
const CHOICE: usize = 1024;

/// Reads an answer of OpenAI's interface.
#[derive(Debug)]
pub struct OpenAiReader(Stage);

#[derive(Debug)]
enum Stage {
    Document(DocumentReader),
    Choices {
        document: Document,
        items: Items,
        found: Vec<Choice>,
    },
    Embeddings {
        document: Document,
        embeddings: Embeddings,
    },
    /// It is over.
    Over,
}

impl OpenAiReader {
    /// Of a whole answer, or one that has been joined.
    pub fn new(body: Body) -> Self {
        Self(Stage::Document(DocumentReader::whole(body)))
    }

    /// Does a little. Ready once the answer is read.
    fn turn(&mut self, budget: &mut usize) -> Poll<Result<Content, Fault>> {
        match &mut self.0 {
            Stage::Document(reader) => {
                self.0 = begin(ready!(reader.step(budget))?)?;
                return Poll::Pending;
            }
            Stage::Choices { document, items, found } => {
                if let Some((node, place)) = items.next(document) {
                    *budget = budget.saturating_sub(CHOICE);
                    found.push(choice(document, node, place)?);
                    return Poll::Pending;
                }
            }
            Stage::Embeddings { document, embeddings } => ready!(embeddings.step(document, budget))?,
            Stage::Over => {}
        }
        Poll::Ready(match core::mem::replace(&mut self.0, Stage::Over) {
            Stage::Choices { document, found, .. } => with_choices(document, found),
            Stage::Embeddings { document, embeddings } => {
                let facts = facts(&document, None);
                embeddings.finish().map(|embeddings| Content { document, parts: Parts::Embeddings(embeddings), facts })
            }
            Stage::Document(_) | Stage::Over => Err(IMPOSSIBLE),
        })
    }
}

impl Reader for OpenAiReader {
    fn step(&mut self, budget: &mut usize) -> Poll<Result<Content, Fault>> {
        while *budget > 0 {
            if let Poll::Ready(content) = self.turn(budget)? {
                return Poll::Ready(Ok(content));
            }
            *budget = budget.saturating_sub(1);
        }
        Poll::Pending
    }
}

/// The stage that comes after the document is read.
fn begin(document: Document) -> Result<Stage, Fault> {
    if let Some(array) = member(&document, 0, "choices")? {
        let items = Items::new(&document, array)?;
        if items.remaining as usize > MAX_CHOICES {
            return Err("too many choices");
        }
        return Ok(Stage::Choices { document, items, found: Vec::new() });
    }
    if let Some(array) = member(&document, 0, "data")? {
        let embeddings = Embeddings::new(Items::new(&document, array)?)?;
        return Ok(Stage::Embeddings { document, embeddings });
    }
    let is_error = member(&document, 0, "error")?.is_some();
    Err(if is_error { "an error instead of an answer" } else { "neither choices nor data" })
}

fn with_choices(document: Document, found: Vec<Choice>) -> Result<Content, Fault> {
    // They are few, and as a rule in order.
    let mut ordered: Vec<Choice> = Vec::with_capacity(found.len());
    for choice in found {
        let place = ordered.partition_point(|before| before.index < choice.index);
        ordered.insert(place, choice);
    }
    if ordered.is_sorted_by(|one, next| one.index < next.index) {
        let end = ordered.iter().map(|choice| end(&document, choice)).min_by_key(|end| ENDS.iter().position(|known| known == end));
        let facts = facts(&document, end);
        return Ok(Content { document, parts: Parts::Choices(ordered), facts });
    }
    Err("two choices with one index")
}

fn choice(document: &Document, node: u32, place: u32) -> Result<Choice, Fault> {
    let index = whole(document, node, "index")?.unwrap_or(u64::from(place));
    let finish = text(document, node, "finish_reason")?;
    let Some(message) = member(document, node, "message")? else {
        if member(document, node, "text")?.is_none() {
            return Err("a choice has neither message nor text");
        }
        let content = texts(document, node, "text")?;
        return Ok(Choice { index, place, is_chat: false, content, refusal: None, finish, tools: Vec::new() });
    };
    let calls = elements(document, message, "tool_calls")?;
    let mut tools = calls.take(MAX_TOOLS).map(|call| tool(document, call)).collect::<Result<Vec<_>, _>>()?;
    if tools.len() == MAX_TOOLS {
        return Err("too many tool calls");
    }
    tools.extend(legacy_tool(document, message)?);
    let content = texts(document, message, "content")?;
    Ok(Choice { index, place, is_chat: true, content, refusal: text(document, message, "refusal")?, finish, tools })
}

/// Of several choices the answer ended as the one whose end comes first here.
const ENDS: [End; 7] = [End::Refusal, End::ContentFilter, End::ToolCalls, End::Length, End::Empty, End::Stop, End::Other];

/// How one choice ended.
fn end(document: &Document, choice: &Choice) -> End {
    let says = |reason: &str| choice.finish.is_some_and(|finish| reads(document.value(finish), reason));
    if choice.refusal.is_some() || says("refusal") {
        End::Refusal
    } else if says("content_filter") {
        End::ContentFilter
    } else if says("tool_calls") || says("function_call") || (says("stop") && !choice.tools.is_empty()) {
        // Where the request demands a certain tool, the reason is `stop`.
        End::ToolCalls
    } else if says("length") {
        End::Length
    } else if choice.content.is_empty() && choice.tools.is_empty() {
        End::Empty
    } else if says("stop") {
        End::Stop
    } else {
        End::Other
    }
}

/// What an answer tells beside. Servers that count or name nothing are no reason not to compare.
fn facts(document: &Document, end: Option<End>) -> Facts {
    let usage = member(document, 0, "usage").ok().flatten();
    let tokens = |name: &str| usage.and_then(|usage| whole(document, usage, name).ok().flatten());
    let model = text(document, 0, "model").ok().flatten().map(|model| beginning(document.value(model)));
    Facts { end, tokens: tokens("prompt_tokens").map(|prompt| (prompt, tokens("completion_tokens").unwrap_or(0))), model_version: model }
}

/// As much of a string as a label shows, and a little more, so that what is cut there looks cut.
fn beginning(text: Value<'_>) -> String {
    let mut at = 0;
    let codes = core::iter::from_fn(|| next_code(text.text, &mut at)).take(MAX_LABEL.saturating_mul(2));
    codes.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
