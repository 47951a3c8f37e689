//! Joins an answer that comes as a stream of deltas, while it comes, into the answer that it would have been without streaming.
//!
//! Deltas are kept as they are spelled in JSON: strings that are put one after the other, escapes and all, mean what their contents mean
//! one after the other, even where a surrogate pair was torn apart. Of the rest only an answer's facts are kept. Whether the joined
//! answer makes sense is for its reader to say.

use crate::capture::{Body, Capture, Ledger, Overflow};
use crate::compare::answer::{IMPOSSIBLE, Unread};
use crate::compare::part::choice::Tool;
use crate::compare::read::openai::events::Events;
use crate::compare::read::openai::members::{MAX_CHOICES, MAX_TOOLS, elements, legacy_tool, member, text, texts, tool, whole};
use crate::fault::Fault;
use crate::json::reader::TapeReader;
use crate::json::tape::Document;
use crate::json::value::Tag;

/// How much longer than all text an event may be: names, ids, probabilities of alternatives.
const AROUND: usize = 64 << 10;

/// Longer data of an event are read ahead, but never the last [`LONGEST_TOKEN`] bytes: a token that is read at once may be so long
/// (`-Infinity`).
const LONG: usize = 16 << 10;
const LONGEST_TOKEN: usize = 16;

/// Longest value that is kept of what stands around the text, such as the model's name.
const MAX_AROUND: usize = 4096;

/// The fault of a stream with an event that is an error.
pub const ENDS_IN_ERROR: Fault = "the stream ends in an error";

/// Joins a stream of server-sent events into the answer that it would have been without streaming.
#[derive(Debug)]
pub struct Joiner {
    ledger: Ledger,
    state: Result<State, Unread>,
}

#[derive(Debug)]
struct State {
    events: Events,
    /// Of the event under way, which is read ahead if it is long.
    reader: TapeReader,
    joined: Joined,
}

/// What has been joined.
#[derive(Debug)]
struct Joined {
    ledger: Ledger,
    /// Longest text, and what it still may grow by.
    limit: usize,
    room: usize,
    /// The last value of each of [`AROUND_TEXT`].
    around: [Vec<u8>; 4],
    /// In the order of their index.
    choices: Vec<JoinedChoice>,
    tools: usize,
    /// Whether the stream said that it is over.
    done: bool,
}

/// Members of an answer that are kept beside its choices.
const AROUND_TEXT: [&str; 4] = ["id", "created", "model", "usage"];

#[derive(Debug)]
struct JoinedChoice {
    index: u64,
    /// Whether it has a `text` and no `delta`.
    is_plain: bool,
    content: Capture,
    refusal: Capture,
    finish: Option<Capture>,
    /// In the order of their index.
    tools: Vec<JoinedTool>,
    /// The call of a function as it was made before there were tools.
    function: Option<JoinedTool>,
}

#[derive(Debug)]
struct JoinedTool {
    index: u64,
    name: Capture,
    arguments: Capture,
}

impl Joiner {
    /// Of a stream with at most `limit` bytes of text. All that is kept is on `ledger`.
    pub fn new(ledger: &Ledger, limit: usize) -> Self {
        let joined =
            Joined { ledger: ledger.clone(), limit, room: limit, around: Default::default(), choices: Vec::new(), tools: 0, done: false };
        let events = Events::new(ledger, limit.saturating_add(AROUND));
        Self { ledger: ledger.clone(), state: Ok(State { events, reader: TapeReader::default(), joined }) }
    }

    /// Takes the next piece of the stream, cut anywhere. The work grows with the piece and with the text of the events that end in it.
    ///
    /// # Errors
    /// If the stream is, or was already, given up: too long, no room for it, or not what the protocol says.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Unread> {
        let state = self.state.as_mut().map_err(|unread| *unread)?;
        state.push(chunk).inspect_err(|unread| self.state = Err(*unread))
    }

    /// The answer that the stream was, as JSON.
    ///
    /// # Errors
    /// If it was given up, or it ends before the answer does.
    pub fn finish(self) -> Result<Body, Unread> {
        let joined = self.state?.joined;
        let is_finished = |choice: &JoinedChoice| choice.finish.is_some();
        if !joined.done && (joined.choices.is_empty() || !joined.choices.iter().all(is_finished)) {
            return Err(Unread::Malformed("the stream ends early"));
        }
        let text = joined.write().map_err(Unread::Overflow)?;
        Capture::whole(text, usize::MAX, &self.ledger).map_err(Unread::Overflow)
    }
}

impl State {
    fn push(&mut self, mut chunk: &[u8]) -> Result<(), Unread> {
        while !self.joined.done
            && let Some(data) = self.events.next(&mut chunk).map_err(Unread::Overflow)?
        {
            self.event(data)?;
        }
        self.read_ahead()?;
        Ok(())
    }

    /// Reads what is there of a long event, so that not all of it is left to the piece in which it ends.
    fn read_ahead(&mut self) -> Result<(), Fault> {
        let data = self.events.under_way();
        let mut safe = data.len().saturating_sub(self.reader.at()).saturating_sub(LONGEST_TOKEN);
        if data.len() > LONG && safe > 0 {
            let _ = self.reader.step(data, &mut safe)?;
        }
        Ok(())
    }

    fn event(&mut self, body: Body) -> Result<(), Unread> {
        if body.bytes().trim_ascii() == b"[DONE]" {
            self.joined.done = true;
            return Ok(());
        }
        let mut reader = core::mem::take(&mut self.reader);
        while reader.step(body.bytes(), &mut usize::MAX.clone())?.is_pending() {}
        let document = Document { body, tape: reader.tape };
        // llama.cpp begins some streams with an event that is `null`.
        if document.value(0).tag == Tag::Null { Ok(()) } else { self.joined.chunk(&document) }
    }
}

impl Joined {
    fn chunk(&mut self, document: &Document) -> Result<(), Unread> {
        if member(document, 0, "error")?.is_some() {
            return Err(Unread::Malformed(ENDS_IN_ERROR));
        }
        for (name, value) in AROUND_TEXT.into_iter().zip(&mut self.around) {
            let source = member(document, 0, name)?.map(|node| document.source(node));
            if let Some(source) = source.filter(|source| source.len() <= MAX_AROUND) {
                *value = source.to_vec();
            }
        }
        for choice in elements(document, 0, "choices")? {
            self.choice(document, choice)?;
        }
        Ok(())
    }

    fn choice(&mut self, document: &Document, delta: u32) -> Result<(), Unread> {
        let index = whole(document, delta, "index")?.unwrap_or_default();
        let Self { ledger, choices, tools, limit, room, .. } = self;
        let at = match choices.binary_search_by_key(&index, |choice| choice.index) {
            Ok(at) => at,
            Err(_) if choices.len() >= MAX_CHOICES => return Err(Unread::Malformed("too many choices")),
            Err(at) => {
                choices.insert(at, JoinedChoice::new(index, ledger));
                at
            }
        };
        let choice = choices.get_mut(at).ok_or(IMPOSSIBLE)?;
        let mut grow = Grow { ledger, tools, limit: *limit, room };
        if let Some(reason) = text(document, delta, "finish_reason")? {
            let mut finish = Capture::new(grow.ledger);
            grow.by(&mut finish, document, Some(reason))?;
            choice.finish = Some(finish);
        }
        let plain = text(document, delta, "text")?;
        choice.is_plain |= member(document, delta, "text")?.is_some();
        grow.by(&mut choice.content, document, plain)?;
        match member(document, delta, "delta")? {
            Some(message) => choice.message(document, message, &mut grow),
            None => Ok(()),
        }
    }
}

/// What it takes to let text grow.
struct Grow<'a> {
    ledger: &'a Ledger,
    tools: &'a mut usize,
    limit: usize,
    room: &'a mut usize,
}

impl Grow<'_> {
    /// Appends the string at `node`, as it is spelled.
    fn by(&mut self, text: &mut Capture, document: &Document, node: Option<u32>) -> Result<(), Unread> {
        let more = node.map(|node| document.value(node).text).unwrap_or_default();
        *self.room = self.room.checked_sub(more.len()).ok_or(Unread::Overflow(Overflow::Body))?;
        text.push(more, self.limit).map_err(Unread::Overflow)
    }

    fn begin_tool(&mut self, index: u64) -> Result<JoinedTool, Fault> {
        *self.tools = self.tools.saturating_add(1);
        if *self.tools > MAX_TOOLS {
            return Err("too many tool calls");
        }
        Ok(JoinedTool { index, name: Capture::new(self.ledger), arguments: Capture::new(self.ledger) })
    }
}

impl JoinedChoice {
    fn new(index: u64, ledger: &Ledger) -> Self {
        let (content, refusal) = (Capture::new(ledger), Capture::new(ledger));
        Self { index, is_plain: false, content, refusal, finish: None, tools: Vec::new(), function: None }
    }

    fn message(&mut self, document: &Document, delta: u32, grow: &mut Grow<'_>) -> Result<(), Unread> {
        for content in texts(document, delta, "content")? {
            grow.by(&mut self.content, document, Some(content))?;
        }
        grow.by(&mut self.refusal, document, text(document, delta, "refusal")?)?;
        for (place, call) in (0..).zip(elements(document, delta, "tool_calls")?) {
            let index = whole(document, call, "index")?.unwrap_or(place);
            let at = match self.tools.binary_search_by_key(&index, |tool| tool.index) {
                Ok(at) => at,
                Err(at) => {
                    self.tools.insert(at, grow.begin_tool(index)?);
                    at
                }
            };
            self.tools.get_mut(at).ok_or(IMPOSSIBLE)?.append(document, tool(document, call)?, grow)?;
        }
        if let Some(call) = legacy_tool(document, delta)? {
            let joined = match &mut self.function {
                Some(joined) => joined,
                none => none.insert(grow.begin_tool(0)?),
            };
            joined.append(document, call, grow)?;
        }
        Ok(())
    }
}

impl JoinedTool {
    fn append(&mut self, document: &Document, part: Tool, grow: &mut Grow<'_>) -> Result<(), Unread> {
        grow.by(&mut self.name, document, part.name)?;
        grow.by(&mut self.arguments, document, part.arguments)
    }
}

/// Bytes that are written around the text of a choice or a tool call, at most.
const FRAME: usize = 256;

impl Joined {
    /// The answer as JSON. What has been written is given back at once, so that the text is never on the ledger twice.
    fn write(self) -> Result<Vec<u8>, Overflow> {
        let frames = self.choices.len().saturating_add(self.tools).saturating_add(1).saturating_mul(FRAME);
        let around: usize = self.around.iter().map(Vec::len).sum();
        let length = self.limit.saturating_sub(self.room).saturating_add(frames).saturating_add(around);
        let mut out = Vec::new();
        out.try_reserve_exact(length).map_err(|_| Overflow::Memory)?;
        out.push(b'{');
        for (name, value) in AROUND_TEXT.iter().zip(&self.around).filter(|(_, value)| !value.is_empty()) {
            out.extend([b"\"", name.as_bytes(), b"\":", value, b","].into_iter().flatten());
        }
        out.extend(b"\"choices\":[");
        for (at, choice) in self.choices.into_iter().enumerate() {
            out.extend(if at == 0 { "" } else { "," }.bytes());
            choice.write(&mut out)?;
        }
        out.extend(b"]}");
        Ok(out)
    }
}

impl JoinedChoice {
    fn write(self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        out.extend(format!("{{\"index\":{}", self.index).bytes());
        if self.is_plain {
            out.extend(b",\"text\":");
            string(self.content, out)?;
        } else {
            out.extend(b",\"message\":{\"role\":\"assistant\",\"content\":");
            string(self.content, out)?;
            out.extend(b",\"refusal\":");
            string(self.refusal, out)?;
            if !self.tools.is_empty() {
                out.extend(b",\"tool_calls\":[");
                for (at, tool) in self.tools.into_iter().enumerate() {
                    out.extend(if at == 0 { "" } else { "," }.bytes());
                    out.extend(b"{\"type\":\"function\",\"function\":");
                    tool.write(out)?;
                    out.push(b'}');
                }
                out.push(b']');
            }
            if let Some(function) = self.function {
                out.extend(b",\"function_call\":");
                function.write(out)?;
            }
            out.push(b'}');
        }
        out.extend(b",\"finish_reason\":");
        match self.finish {
            Some(finish) => string(finish, out)?,
            None => out.extend(b"null"),
        }
        out.push(b'}');
        Ok(())
    }
}

impl JoinedTool {
    fn write(self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        out.extend(b"{\"name\":");
        string(self.name, out)?;
        out.extend(b",\"arguments\":");
        string(self.arguments, out)?;
        out.push(b'}');
        Ok(())
    }
}

/// Writes a string that is spelled already.
fn string(text: Capture, out: &mut Vec<u8>) -> Result<(), Overflow> {
    out.push(b'"');
    out.extend_from_slice(text.into_body()?.bytes());
    out.push(b'"');
    Ok(())
}
