//! Joins the pieces of one choice.

use xxhash_rust::xxh64::xxh64;

use crate::capture::{Capture, Overflow};
use crate::compare::answer::Unread;
use crate::compare::part::leftover::is_filled;
use crate::compare::read::openai::members::{Part, REASONING, THOUGHTS, is_text, known, member, part, parts, text};
use crate::compare::read::openai::stream::call::JoinedCalls;
use crate::compare::read::openai::stream::grow::Grow;
use crate::compare::read::openai::stream::joint::Members;
use crate::compare::read::openai::stream::parts::UnreadParts;
use crate::compare::read::openai::stream::said::{Thoughts, write_once};
use crate::compare::read::openai::stream::write::{put, string};
use crate::json::tape::Document;
use crate::json::text::{is_same, next_code};
use crate::json::value::Tag;

/// A choice joined so far.
#[derive(Debug)]
pub struct JoinedChoice {
    /// `index`, or the place in the chunk.
    pub index: u64,
    /// Whether it has a `delta` or a `message`, and whether a `text` without either.
    is_chat: bool,
    is_plain: bool,
    content: Capture,
    /// What is not read of the content.
    parts: UnreadParts,
    /// The member of that name, and what parts of the content say.
    refusal: Capture,
    refusal_parts: Capture,
    thoughts: Thoughts,
    finish: Option<Capture>,
    calls: JoinedCalls,
    /// What is left unread of the choice, and of its message.
    beside: Members,
    inside: Members,
    /// What tells of thinking in another form than text: the member, and a hash of what its pieces said. As a rule it does not count, and
    /// there may be a piece for each token.
    other_thoughts: Vec<(&'static str, u64)>,
    /// Whether any delta has said anything.
    has_deltas: bool,
    /// What a `message` is, which some servers send instead of a `delta`, or beside it.
    messages: Messages,
}

/// What the messages of a choice have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Messages {
    /// There has been none, or one without text.
    Unknown,
    /// One, and no delta that says anything.
    One,
    /// Each is a piece.
    Pieces,
    /// Each is all that there is until then.
    Whole,
}

/// How the text of a message compares to what has been joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// It is the same, or the beginning of it.
    Known,
    /// It goes on behind it, from a place in one of its strings.
    More(usize, usize),
    /// It is another.
    Other,
}

impl JoinedChoice {
    pub fn new(index: u64, grow: &Grow) -> Self {
        Self {
            index,
            is_chat: false,
            is_plain: false,
            content: grow.nothing(),
            parts: UnreadParts::default(),
            refusal: grow.nothing(),
            refusal_parts: grow.nothing(),
            thoughts: Thoughts::new(grow),
            finish: None,
            calls: JoinedCalls::default(),
            beside: Members::default(),
            inside: Members::default(),
            other_thoughts: Vec::new(),
            has_deltas: false,
            messages: Messages::Unknown,
        }
    }

    /// Whether it says nothing yet.
    fn is_empty(&self) -> bool {
        self.content.bytes().is_empty() && !self.refuses() && self.thoughts.is_empty() && self.calls.is_empty()
    }

    fn refuses(&self) -> bool {
        [&self.refusal, &self.refusal_parts].iter().any(|text| !text.bytes().is_empty())
    }

    pub fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes in what a chunk says of it, in the object at `node`.
    pub fn chunk(&mut self, document: &Document, node: u32, grow: &mut Grow) -> Result<(), Unread> {
        if let Some(reason) = text(document, node, "finish_reason")? {
            let mut finish = grow.nothing();
            self.finish.take().into_iter().for_each(|before| grow.drop_text(before));
            grow.by(&mut finish, document, Some(reason))?;
            self.finish = Some(finish);
        }
        // Some servers put an empty delta beside each `text` of a completion.
        let is_empty = |object: &u32| document.value(*object).tag == Tag::Object && document.children(*object) == 0;
        let filled = |name| member(document, node, name).map(|found| found.filter(|object| !is_empty(object)));
        let (delta, message) = (filled("delta")?, filled("message")?);
        self.is_chat |= delta.is_some() || message.is_some();
        if let Some(delta) = delta {
            self.append(document, delta, grow)?;
            self.has_deltas |= !self.is_empty();
        }
        if let Some(message) = message {
            self.message(document, message, delta.is_some(), grow)?;
        }
        match member(document, node, "text")? {
            Some(_) if delta.is_none() && message.is_none() => {
                self.is_plain = true;
                self.content(document, node, "text", false, grow)?;
            }
            Some(plain) if is_text(document, plain) => {
                // The same once more, or the only one.
                let beside = match (delta, message) {
                    (Some(object), _) | (None, Some(object)) => parts(document, object, "content")?,
                    (None, None) => Vec::new(),
                };
                match beside.as_slice() {
                    &[content] if is_same_string(document, content, plain) => {}
                    &[content] if is_filled(document, content) => self.beside.member(document, b"text", plain, grow)?,
                    [] | [_] => grow.by(&mut self.content, document, Some(plain))?,
                    _ => self.beside.member(document, b"text", plain, grow)?,
                }
            }
            _ => {}
        }
        self.beside.take(document, node, &known::CHOICE, grow)
    }

    /// Takes in a piece of a message.
    fn append(&mut self, document: &Document, delta: u32, grow: &mut Grow) -> Result<(), Unread> {
        // Nearly all are a piece of text and nothing else.
        if document.children(delta) == 1
            && let Some(text) = member(document, delta, "content")?.filter(|&content| is_text(document, content))
        {
            return grow.by(&mut self.content, document, Some(text));
        }
        self.content(document, delta, "content", false, grow)?;
        grow.by(&mut self.refusal, document, text(document, delta, "refusal")?)?;
        self.reason(document, delta, grow)?;
        self.other_thoughts(document, delta, false)?;
        self.calls.message(document, delta, grow)?;
        self.inside.take(document, delta, &known::MESSAGE, grow)
    }

    /// Takes in what tells of thinking in another form than text, unless it `repeats` what is known.
    fn other_thoughts(&mut self, document: &Document, delta: u32, repeats: bool) -> Result<(), Unread> {
        for name in REASONING.into_iter().chain(THOUGHTS) {
            let node = member(document, delta, name)?.filter(|&node| is_filled(document, node));
            let Some(node) = node.filter(|&node| !REASONING.contains(&name) || !is_text(document, node)) else { continue };
            let hash = |seed| xxh64(document.source(node), seed);
            match self.other_thoughts.iter_mut().find(|(known, _)| *known == name) {
                Some(_) if repeats => {}
                Some((_, known)) => *known = hash(*known),
                None => self.other_thoughts.push((name, hash(0))),
            }
        }
        Ok(())
    }

    /// Takes in the content that is the member `name` of the object at `object`. If it repeats what is known, its text is left out, and what
    /// else there is of a kind already.
    fn content(&mut self, document: &Document, object: u32, name: &str, repeats: bool, grow: &mut Grow) -> Result<(), Unread> {
        let has_parts = repeats && !self.parts.is_empty();
        let (refuses, reasons) = (repeats && self.refuses(), repeats && !self.thoughts.is_empty());
        for node in parts(document, object, name)? {
            let before = self.content.bytes().len();
            let (part, read) = match part(document, node)? {
                Part::Text(text) => {
                    grow.by(&mut self.content, document, text.filter(|_| !repeats))?;
                    ("text", &known::TEXT)
                }
                Part::Refusal(refusal) => {
                    grow.by(&mut self.refusal_parts, document, refusal.filter(|_| !refuses))?;
                    ("refusal", &known::REFUSAL)
                }
                Part::Thought(thought) => {
                    for &text in thought.texts.iter().filter(|_| !reasons) {
                        grow.by(&mut self.thoughts.content, document, Some(text))?;
                    }
                    if !has_parts {
                        self.parts.thought(before, &thought, document, node, grow)?;
                    }
                    continue;
                }
                Part::Other if has_parts => continue,
                Part::Other => {
                    self.parts.other(before, document, node, grow)?;
                    continue;
                }
            };
            if !has_parts {
                self.parts.members(before, (part, read), document, node, grow)?;
            }
        }
        Ok(())
    }

    /// Takes in the thoughts of a message that are strings.
    fn reason(&mut self, document: &Document, message: u32, grow: &mut Grow) -> Result<(), Unread> {
        let mut pieces = [None; 2];
        for (name, piece) in REASONING.into_iter().zip(&mut pieces) {
            *piece = member(document, message, name)?.filter(|&node| is_text(document, node));
        }
        self.thoughts.append(document, pieces, grow)
    }

    /// Takes in a `message`, which may come beside a delta.
    fn message(&mut self, document: &Document, message: u32, is_beside: bool, grow: &mut Grow) -> Result<(), Unread> {
        let texts = texts(document, message)?;
        let relation = relation(self.content.bytes(), document, &texts);
        self.messages = match self.messages {
            Messages::Unknown if is_beside || self.has_deltas => Messages::Whole,
            Messages::Unknown if texts.is_empty() => Messages::Unknown,
            Messages::Unknown => Messages::One,
            Messages::One if texts.is_empty() => Messages::One,
            // The whole once more comes at the end.
            Messages::One if matches!(relation, Relation::More(..)) || (relation == Relation::Known && self.is_finished()) => {
                Messages::Whole
            }
            Messages::One => Messages::Pieces,
            known => known,
        };
        if self.messages == Messages::Whole {
            self.repeat(document, message, &texts, relation, grow)
        } else {
            self.append(document, message, grow)
        }
    }

    /// Takes in of a whole message what is not known yet.
    fn repeat(&mut self, document: &Document, message: u32, texts: &[u32], relation: Relation, grow: &mut Grow) -> Result<(), Unread> {
        match relation {
            Relation::Other => return Err(Unread::Malformed("a message that is not what the deltas say")),
            Relation::More(string, from) if !self.content.bytes().is_empty() => {
                for (at, &node) in texts.iter().enumerate().skip(string) {
                    let text = document.value(node).text;
                    let from = if at == string { from } else { 0 };
                    grow.by_bytes(&mut self.content, text.get(from..).unwrap_or_default())?;
                }
            }
            Relation::Known | Relation::More(..) => {}
        }
        let knows = !self.content.bytes().is_empty();
        let (refuses, reasons) = (self.refuses(), !self.thoughts.is_empty());
        self.content(document, message, "content", knows, grow)?;
        if !refuses {
            grow.by(&mut self.refusal, document, text(document, message, "refusal")?)?;
        }
        if !reasons {
            self.reason(document, message, grow)?;
        }
        if self.calls.is_empty() {
            self.calls.message(document, message, grow)?;
        }
        self.other_thoughts(document, message, true)?;
        self.inside.take_new(document, message, &known::MESSAGE, grow)
    }

    pub fn write(self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        put(out, &format!("{{\"index\":{}", self.index));
        self.beside.write(out)?;
        if self.is_chat || !self.is_plain {
            put(out, ",\"message\":{\"role\":\"assistant\",\"content\":");
            self.parts.write(self.content, out)?;
            put(out, ",\"refusal\":");
            write_once(vec![self.refusal, self.refusal_parts], out)?;
            self.thoughts.write(out)?;
            self.calls.write(out)?;
            self.inside.write(out)?;
            for (name, hash) in self.other_thoughts {
                // (A list, because it is no text.)
                put(out, &format!(",\"{name}\":[\"{hash:x}\"]"));
            }
            put(out, "}");
        } else {
            put(out, ",\"text\":");
            self.parts.write(self.content, out)?;
        }
        put(out, ",\"finish_reason\":");
        match self.finish {
            Some(finish) => string(finish, out)?,
            None => put(out, "null"),
        }
        put(out, "}");
        Ok(())
    }
}

/// Whether a part of a content is the string at `other`.
fn is_same_string(document: &Document, part: u32, other: u32) -> bool {
    matches!(document.value(part).tag, Tag::Plain | Tag::Escaped) && is_same(document.value(part).text, document.value(other).text)
}

/// The texts of the content of a message.
fn texts(document: &Document, message: u32) -> Result<Vec<u32>, Unread> {
    let mut found = Vec::new();
    for node in parts(document, message, "content")? {
        if let Part::Text(text) = part(document, node)? {
            found.extend(text);
        }
    }
    Ok(found)
}

/// How the text of these strings compares to `known`, which is spelled as a string.
fn relation(known: &[u8], document: &Document, texts: &[u32]) -> Relation {
    let mut at = 0;
    for (string, &node) in texts.iter().enumerate() {
        let (text, mut from) = (document.value(node).text, 0);
        while from < text.len() {
            let before = from;
            match (next_code(known, &mut at), next_code(text, &mut from)) {
                (None, _) => return Relation::More(string, before),
                (one, other) if one != other => return Relation::Other,
                _ => {}
            }
        }
    }
    Relation::Known
}
