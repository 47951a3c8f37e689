//! OpenAI's interface: completions, of chats and of plain text, and embeddings.
//!
//! An answer's own shape says what it is, not the path it came from: a completion has `choices`, embeddings have `data`. Whole answers are
//! read here; [`stream`] joins streams into such. Tokens, how an answer ended and the model are told beside. Of what else servers add, members
//! that stand where content does are held as they are ([`crate::compare::part::leftover`]); no others count.

pub mod beginning;
mod chunk;
mod embeddings;
pub mod events;
pub mod gather;
mod members;
mod message;
pub mod stream;
pub mod watch;

use core::task::{Poll, ready};

use crate::capture::Body;
use crate::compare::answer::IMPOSSIBLE;
use crate::compare::part::choice::Choice;
use crate::compare::part::content::{Content, Facts, Parts};
use crate::compare::part::leftover::Leftovers;
use crate::compare::read::openai::embeddings::Embeddings;
use crate::compare::read::openai::members::{Items, MAX_CHOICES, may_be_error, member, whole};
use crate::compare::read::openai::message::choice;
use crate::compare::read::openai::stream::JOINED_PARTLY;
use crate::compare::read::reader::Reader;
use crate::fault::Fault;
use crate::json::document::DocumentReader;
use crate::json::tape::Document;
use crate::json::text::{next_code, reads};
use crate::json::value::{Tag, Value};
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
        leftovers: Leftovers,
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
            Stage::Choices { document, items, found, leftovers } => {
                if let Some((node, place)) = items.next(document) {
                    *budget = budget.saturating_sub(CHOICE);
                    found.push(choice(document, node, place, leftovers)?);
                    return Poll::Pending;
                }
            }
            Stage::Embeddings { document, embeddings } => ready!(embeddings.step(document, budget))?,
            Stage::Over => {}
        }
        Poll::Ready(match core::mem::replace(&mut self.0, Stage::Over) {
            Stage::Choices { document, found, leftovers, .. } => with_choices(document, found, leftovers),
            Stage::Embeddings { document, embeddings } => {
                let facts = facts(&document, None);
                let finished = embeddings.finish();
                finished.map(|(tensors, leftovers)| Content { document, parts: Parts::Embeddings(tensors), facts, leftovers })
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
    if may_be_error(&document, 0)? {
        return Err("an error instead of an answer");
    }
    if let Some(array) = member(&document, 0, "choices")? {
        let items = Items::new(&document, array)?;
        if items.remaining as usize > MAX_CHOICES {
            return Err("too many choices");
        }
        let mut leftovers = Leftovers::default();
        if member(&document, 0, "object")?.is_some_and(|object| reads(document.value(object), JOINED_PARTLY)) {
            leftovers.is_over = true;
        }
        return Ok(Stage::Choices { document, items, found: Vec::new(), leftovers });
    }
    if let Some(array) = member(&document, 0, "data")? {
        let embeddings = Embeddings::new(Items::new(&document, array)?)?;
        return Ok(Stage::Embeddings { document, embeddings });
    }
    Err("neither choices nor data")
}

fn with_choices(document: Document, found: Vec<Choice>, leftovers: Leftovers) -> Result<Content, Fault> {
    // They are few, and as a rule in order.
    let mut ordered: Vec<Choice> = Vec::with_capacity(found.len());
    for choice in found {
        let place = ordered.partition_point(|before| before.index < choice.index);
        ordered.insert(place, choice);
    }
    if ordered.is_sorted_by(|one, next| one.index < next.index) {
        let end = ordered.iter().map(|choice| end(&document, choice)).min_by_key(|end| ENDS.iter().position(|known| known == end));
        let facts = facts(&document, end);
        return Ok(Content { document, parts: Parts::Choices(ordered), facts, leftovers });
    }
    Err("two choices with one index")
}

/// Of several choices the answer ended as the one whose end comes first here.
const ENDS: [End; 8] = [End::Refusal, End::ContentFilter, End::ToolCalls, End::ThoughtOnly, End::Length, End::Empty, End::Stop, End::Other];

/// How one choice ended.
fn end(document: &Document, choice: &Choice) -> End {
    let is_empty = choice.content.is_empty() && choice.tools.is_empty();
    let says = |reason: &str| choice.finish.is_some_and(|finish| reads(document.value(finish), reason));
    if !choice.refusal.is_empty() || says("refusal") {
        End::Refusal
    } else if says("content_filter") {
        End::ContentFilter
    } else if says("tool_calls") || says("function_call") || (says("stop") && !choice.tools.is_empty()) {
        // Where the request demands a certain tool, the reason is `stop`.
        End::ToolCalls
    } else if is_empty && choice.has_thought {
        // Also if it was cut while it thought.
        End::ThoughtOnly
    } else if says("length") {
        End::Length
    } else if is_empty {
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
    let count = |object: Option<u32>, name: &str| object.and_then(|object| whole(document, object, name).ok().flatten());
    let prompt = count(usage, "prompt_tokens");
    let details = usage.and_then(|usage| member(document, usage, "completion_tokens_details").ok().flatten());
    // SGLang counts them beside the others.
    let reasoning_tokens = count(details, "reasoning_tokens").or(count(usage, "reasoning_tokens"));
    let model = member(document, 0, "model").ok().flatten().map(|model| document.value(model));
    let model = model.filter(|model| !model.tag.is_container() && !matches!(model.tag, Tag::False | Tag::True) && !model.text.is_empty());
    Facts {
        end,
        tokens: prompt.map(|prompt| (prompt, count(usage, "completion_tokens").unwrap_or(0))),
        reasoning_tokens,
        model_version: model.map(beginning),
    }
}

/// As much of a string as a label shows, and a little more, so that what is cut there looks cut.
fn beginning(text: Value<'_>) -> String {
    let mut at = 0;
    let codes = core::iter::from_fn(|| next_code(text.text, &mut at)).take(MAX_LABEL.saturating_mul(2));
    codes.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
