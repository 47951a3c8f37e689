//! Joins the pieces of tool calls, and tells one call from the next.

use crate::capture::{Capture, Overflow};
use crate::compare::answer::Unread;
use crate::compare::part::choice::{Tool, ToolKind};
use crate::compare::read::openai::members::{known, legacy_tool, member, tool, whole};
use crate::compare::read::openai::stream::grow::Grow;
use crate::compare::read::openai::stream::joint::Members;
use crate::compare::read::openai::stream::write::{comma, put, source, string};
use crate::json::tape::Document;
use crate::json::text::next_code;

/// The calls of one choice.
#[derive(Debug, Default)]
pub struct JoinedCalls {
    /// In the order of their index, or if they have none as they began.
    calls: Vec<JoinedCall>,
    /// The call of a function as it was made before there were tools.
    function: Option<JoinedCall>,
}

/// A call joined so far.
#[derive(Debug)]
struct JoinedCall {
    /// `index`, or the place in the chunk in which it began.
    slot: u64,
    /// A hash of `id`; `None` if it has none.
    id: Option<u64>,
    kind: ToolKind,
    /// The name; of a call that is not read, its type.
    name: Capture,
    arguments: Arguments,
    /// What is left unread of the call, and of what is in its `function` or `custom`.
    beside: Members,
    inside: Members,
}

/// Arguments joined so far.
#[derive(Debug)]
struct Arguments {
    text: Capture,
    /// Whether that is the object itself instead of a string.
    is_object: bool,
    /// How many brackets are open in it, whether it is within a string, and there behind a backslash.
    depth: u32,
    in_string: bool,
    escaped: bool,
}

/// A piece of a call.
struct Piece {
    call: u32,
    tool: Tool,
    inner: Option<u32>,
    id: Option<u64>,
}

impl JoinedCalls {
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.function.is_none()
    }

    /// Takes in the element at `call`, the `place`-th of the `tool_calls` of a chunk.
    pub fn call(&mut self, document: &Document, call: u32, place: u64, grow: &mut Grow) -> Result<(), Unread> {
        let (tool, inner) = tool(document, call)?;
        let id = member(document, call, "id")?.map(|id| document.source(id)).filter(|id| id.len() > 2);
        let piece = Piece { call, tool, inner, id: id.map(|id| xxhash_rust::xxh64::xxh64(id, 0)) };
        let index = whole(document, call, "index")?;
        let slot = index.unwrap_or(place);
        // The call of that index that began last, or that of the same id; without an index the id alone says which it is.
        let is_same = |call: &JoinedCall| piece.id.is_some() && call.id == piece.id && (index.is_none() || call.slot == slot);
        let at = self.calls.iter().rposition(is_same).or_else(|| self.calls.iter().rposition(|call| call.slot == slot));
        let at = match at.filter(|&at| self.calls.get(at).is_some_and(|call| !call.ends_before(document, &piece))) {
            Some(at) => at,
            None => {
                grow.begin_call()?;
                let at = index.map_or(self.calls.len(), |_| self.calls.partition_point(|call| call.slot <= slot));
                self.calls.insert(at, JoinedCall::new(slot, grow));
                at
            }
        };
        let call = self.calls.get_mut(at);
        call.map_or(Ok(()), |call| call.append(document, &piece, grow))
    }

    /// Takes in the `function_call` of a message, if it has one.
    pub fn legacy(&mut self, document: &Document, message: u32, grow: &mut Grow) -> Result<(), Unread> {
        let Some((tool, call)) = legacy_tool(document, message)? else { return Ok(()) };
        if self.function.is_none() {
            grow.begin_call()?;
        }
        let joined = self.function.get_or_insert_with(|| JoinedCall::new(0, grow));
        joined.append(document, &Piece { call, tool, inner: None, id: None }, grow)
    }

    pub fn write(self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        let mut began = false;
        for call in self.calls.into_iter().filter(|call| !call.is_empty()) {
            put(out, if core::mem::replace(&mut began, true) { "," } else { ",\"tool_calls\":[" });
            call.write(out)?;
        }
        put(out, if began { "]" } else { "" });
        if let Some(function) = self.function {
            put(out, ",\"function_call\":{");
            function.write_tool("arguments", out)?;
        }
        Ok(())
    }
}

impl JoinedCall {
    fn new(slot: u64, grow: &Grow) -> Self {
        let arguments = Arguments { text: grow.nothing(), is_object: false, depth: 0, in_string: false, escaped: false };
        let (beside, inside) = (Members::default(), Members::default());
        Self { slot, id: None, kind: ToolKind::Other, name: grow.nothing(), arguments, beside, inside }
    }

    /// Whether `piece` is no more of this call, but begins another. Servers that give all calls one index, or none, tell them by their id,
    /// or begin a call with its name once the arguments of the one before are complete. Others repeat id and name in each piece.
    fn ends_before(&self, document: &Document, piece: &Piece) -> bool {
        let name = piece.tool.name.filter(|_| piece.tool.kind != ToolKind::Other);
        let (has_arguments, is_whole) = (piece.tool.arguments.is_some(), self.arguments.is_whole());
        match (piece.id, self.id, name) {
            (Some(id), Some(own), name) if id != own => name.is_some() || !has_arguments || is_whole,
            (Some(_), None, Some(_)) if !self.name.bytes().is_empty() => true,
            (_, _, Some(name)) => is_whole && (piece.id.is_none() || has_arguments || self.name.bytes() != document.value(name).text),
            (_, _, None) => false,
        }
    }

    fn append(&mut self, document: &Document, piece: &Piece, grow: &mut Grow) -> Result<(), Unread> {
        self.id = piece.id.or(self.id);
        let Tool { kind, name, arguments } = piece.tool;
        if kind != ToolKind::Other && self.kind == ToolKind::Other {
            // What was there until now was its type.
            grow.drop_text(core::mem::replace(&mut self.name, grow.nothing()));
            self.kind = kind;
        }
        let is_new = |name: &u32| self.kind == kind && document.value(*name).text != self.name.bytes();
        let name = name.filter(is_new);
        grow.by(&mut self.name, document, name)?;
        if let Some(arguments) = arguments {
            self.arguments.append(document, arguments, grow)?;
        }
        let legacy = kind == ToolKind::Legacy;
        self.beside.take(document, piece.call, if legacy { &known::TOOL } else { &known::CALL }, grow)?;
        piece.inner.map_or(Ok(()), |inner| self.inside.take(document, inner, &known::TOOL, grow))
    }

    /// Whether it says nothing: a piece too many at the end.
    fn is_empty(&self) -> bool {
        self.name.bytes().is_empty() && self.arguments.text.bytes().is_empty() && self.beside.is_empty() && self.inside.is_empty()
    }

    fn write(mut self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        put(out, "{");
        core::mem::take(&mut self.beside).write(out)?;
        comma(out);
        match self.kind {
            ToolKind::Other => {
                put(out, "\"type\":");
                string(self.name, out)?;
                put(out, "}");
            }
            kind => {
                let (name, arguments) = if kind == ToolKind::Custom { ("custom", "input") } else { ("function", "arguments") };
                ["\"type\":\"", name, "\",\"", name, "\":{"].into_iter().for_each(|text| put(out, text));
                self.write_tool(arguments, out)?;
                put(out, "}");
            }
        }
        Ok(())
    }

    /// Writes the rest of the object that says name and arguments.
    fn write_tool(self, arguments: &str, out: &mut Vec<u8>) -> Result<(), Overflow> {
        self.beside.write(out)?;
        self.inside.write(out)?;
        comma(out);
        put(out, "\"name\":");
        string(self.name, out)?;
        [",\"", arguments, "\":"].into_iter().for_each(|text| put(out, text));
        match self.arguments {
            Arguments { is_object: true, text, .. } => source(text, out)?,
            Arguments { text, .. } => string(text, out)?,
        }
        put(out, "}");
        Ok(())
    }
}

impl Arguments {
    fn append(&mut self, document: &Document, node: u32, grow: &mut Grow) -> Result<(), Unread> {
        if document.value(node).tag.is_container() {
            let source = document.source(node);
            if self.text.bytes().is_empty() {
                self.is_object = true;
                return grow.by_bytes(&mut self.text, source);
            }
            let is_more = document.children(node) > 0 && self.text.bytes() != source;
            return if is_more { Err(Unread::Malformed("the arguments of a tool come as several objects")) } else { Ok(()) };
        }
        if self.is_object {
            // An empty object may come before the pieces.
            let before = self.text.bytes().iter().filter(|byte| !byte.is_ascii_whitespace()).count();
            if before > 2 {
                return Err(Unread::Malformed("the arguments of a tool come as an object and as text"));
            }
            grow.drop_text(core::mem::replace(&mut self.text, grow.nothing()));
            self.is_object = false;
        }
        let text = document.value(node).text;
        let mut at = 0;
        while let Some(code) = next_code(text, &mut at) {
            self.follow(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        grow.by_bytes(&mut self.text, text)
    }

    fn follow(&mut self, character: char) {
        match character {
            _ if self.escaped => self.escaped = false,
            '\\' if self.in_string => self.escaped = true,
            '"' => self.in_string = !self.in_string,
            '{' | '[' if !self.in_string => self.depth = self.depth.saturating_add(1),
            '}' | ']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// Whether they are complete.
    fn is_whole(&self) -> bool {
        !self.text.bytes().is_empty() && self.depth == 0 && !self.in_string
    }
}
