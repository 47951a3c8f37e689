//! Joins the pieces of one choice.

use xxhash_rust::xxh64::xxh64;

use crate::capture::{Capture, Overflow};
use crate::compare::answer::Unread;
use crate::compare::part::leftover::is_filled;
use crate::compare::read::openai::members::{Part, REASONING, THOUGHTS, elements, is_text, known, member, part, parts, reasoning, text};
use crate::compare::read::openai::stream::call::JoinedCalls;
use crate::compare::read::openai::stream::grow::Grow;
use crate::compare::read::openai::stream::joint::{Joint, Members};
use crate::compare::read::openai::stream::write::{comma, put, string};
use crate::json::tape::Document;
use crate::json::text::next_code;
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
    /// Parts of the content that are not read, and how much of it comes before each.
    parts: Vec<(usize, Joint)>,
    refusal: Capture,
    reasoning: Capture,
    reasoning_name: &'static str,
    finish: Option<Capture>,
    calls: JoinedCalls,
    /// What is left unread of the choice, and of its message.
    beside: Members,
    inside: Members,
    /// What tells of thinking in another form than text: the member, and a hash of what its pieces said. As a rule it does not count, and
    /// there may be a piece for each token.
    thoughts: Vec<(&'static str, u64)>,
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
            parts: Vec::new(),
            refusal: grow.nothing(),
            reasoning: grow.nothing(),
            reasoning_name: "reasoning",
            finish: None,
            calls: JoinedCalls::default(),
            beside: Members::default(),
            inside: Members::default(),
            thoughts: Vec::new(),
            has_deltas: false,
            messages: Messages::Unknown,
        }
    }

    /// Whether it says nothing yet.
    fn is_empty(&self) -> bool {
        [&self.content, &self.refusal, &self.reasoning].iter().all(|text| text.bytes().is_empty()) && self.calls.is_empty()
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
        let (delta, message) = (member(document, node, "delta")?, member(document, node, "message")?);
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
                    &[content] if document.source(content) == document.source(plain) => {}
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
        for (name, node) in reasoning(document, delta)? {
            self.reason(name, document, node, grow)?;
        }
        self.thoughts(document, delta, false)?;
        for (place, call) in (0..).zip(elements(document, delta, "tool_calls")?) {
            self.calls.call(document, call, place, grow)?;
        }
        self.calls.legacy(document, delta, grow)?;
        self.inside.take(document, delta, &known::MESSAGE, grow)
    }

    /// Takes in what tells of thinking in another form than text, unless it `repeats` what is known.
    fn thoughts(&mut self, document: &Document, delta: u32, repeats: bool) -> Result<(), Unread> {
        for name in REASONING.into_iter().chain(THOUGHTS) {
            let node = member(document, delta, name)?.filter(|&node| is_filled(document, node));
            let Some(node) = node.filter(|&node| !REASONING.contains(&name) || !is_text(document, node)) else { continue };
            let hash = |seed| xxh64(document.source(node), seed);
            match self.thoughts.iter_mut().find(|(known, _)| *known == name) {
                Some(_) if repeats => {}
                Some((_, known)) => *known = hash(*known),
                None => self.thoughts.push((name, hash(0))),
            }
        }
        Ok(())
    }

    fn reason(&mut self, name: &'static str, document: &Document, node: u32, grow: &mut Grow) -> Result<(), Unread> {
        if self.reasoning.bytes().is_empty() {
            self.reasoning_name = name;
        }
        grow.by(&mut self.reasoning, document, Some(node))
    }

    /// Takes in the content that is the member `name` of the object at `object`. If it repeats what is known, its text is left out, and what
    /// else there is of a kind already.
    fn content(&mut self, document: &Document, object: u32, name: &str, repeats: bool, grow: &mut Grow) -> Result<(), Unread> {
        let (has_parts, refuses) = (repeats && !self.parts.is_empty(), repeats && !self.refusal.bytes().is_empty());
        let reasons = repeats && !self.reasoning.bytes().is_empty();
        for node in parts(document, object, name)? {
            match part(document, node)? {
                Part::Text(text) => {
                    let mut beside = Members::default();
                    if document.value(node).tag == Tag::Object && !has_parts {
                        beside.take(document, node, &known::TEXT, grow)?;
                    }
                    if !beside.is_empty() {
                        self.parts.push((self.content.bytes().len(), Joint::Object(beside)));
                    }
                    grow.by(&mut self.content, document, text.filter(|_| !repeats))?;
                }
                Part::Refusal(refusal) => grow.by(&mut self.refusal, document, refusal.filter(|_| !refuses))?,
                Part::Thought(strings) if !strings.is_empty() => {
                    for string in strings.into_iter().filter(|_| !reasons) {
                        self.reason("reasoning", document, string, grow)?;
                    }
                }
                Part::Thought(_) | Part::Other if has_parts => {}
                Part::Thought(_) | Part::Other => match self.parts.iter_mut().find(|(_, known)| known.is_of(document, node)) {
                    Some((_, known)) => known.append(document, node, grow)?,
                    None => {
                        let before = self.content.bytes().len();
                        self.parts.extend(Joint::new(document, node, grow)?.map(|joint| (before, joint)));
                    }
                },
            }
        }
        Ok(())
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
        self.content(document, message, "content", knows, grow)?;
        if self.refusal.bytes().is_empty() {
            grow.by(&mut self.refusal, document, text(document, message, "refusal")?)?;
        }
        if self.reasoning.bytes().is_empty() {
            for (name, node) in reasoning(document, message)? {
                self.reason(name, document, node, grow)?;
            }
        }
        if self.calls.is_empty() {
            for (place, call) in (0..).zip(elements(document, message, "tool_calls")?) {
                self.calls.call(document, call, place, grow)?;
            }
            self.calls.legacy(document, message, grow)?;
        }
        self.thoughts(document, message, true)?;
        self.inside.take_new(document, message, &known::MESSAGE, grow)
    }

    pub fn write(self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        put(out, &format!("{{\"index\":{}", self.index));
        self.beside.write(out)?;
        if self.is_chat || !self.is_plain {
            put(out, ",\"message\":{\"role\":\"assistant\",\"content\":");
            write_content(self.content, self.parts, out)?;
            put(out, ",\"refusal\":");
            string(self.refusal, out)?;
            if !self.reasoning.bytes().is_empty() {
                [",\"", self.reasoning_name, "\":"].into_iter().for_each(|text| put(out, text));
                string(self.reasoning, out)?;
            }
            self.calls.write(out)?;
            self.inside.write(out)?;
            for (name, hash) in self.thoughts {
                put(out, &format!(",\"{name}\":\"{hash:x}\""));
            }
            put(out, "}");
        } else {
            put(out, ",\"text\":");
            write_content(self.content, self.parts, out)?;
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

/// Writes a content: as a string if that is all there is.
fn write_content(content: Capture, parts: Vec<(usize, Joint)>, out: &mut Vec<u8>) -> Result<(), Overflow> {
    if parts.is_empty() {
        return string(content, out);
    }
    let text = content.into_body()?;
    let mut from = 0;
    let mut write_text = |to: usize, out: &mut Vec<u8>| {
        let piece = text.bytes().get(from..to).unwrap_or_default();
        from = to;
        if !piece.is_empty() {
            comma(out);
            out.extend([b"{\"type\":\"text\",\"text\":\"", piece, b"\"}"].into_iter().flatten());
        }
    };
    put(out, "[");
    for (before, part) in parts {
        write_text(before, out);
        comma(out);
        part.write(out)?;
    }
    write_text(text.bytes().len(), out);
    put(out, "]");
    Ok(())
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
