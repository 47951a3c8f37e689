//! Joins the pieces of tool calls, and tells one call from the next.

use crate::capture::{Capture, Overflow};
use crate::compare::answer::Unread;
use crate::compare::part::choice::{Tool, ToolKind};
use crate::compare::read::openai::members::{elements, known, known_of_call, legacy_tool, member, tool, whole};
use crate::compare::read::openai::stream::grow::Grow;
use crate::compare::read::openai::stream::joint::Members;
use crate::compare::read::openai::stream::write::{comma, put, source, string};
use crate::json::tape::Document;
use crate::json::text::{codes, is_same};
use crate::json::value::Tag;

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
    form: Form,
    /// How many brackets are open in it, whether it is within a string, and there behind a backslash.
    depth: u32,
    in_string: bool,
    escaped: bool,
}

/// What arguments look like by their first character that is no white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// There is none yet.
    Blank,
    /// Those of a function, which end with the bracket that they begin with.
    Json,
    /// Any text. Nobody knows where it ends.
    Text,
}

/// A piece of a call.
struct Piece {
    call: u32,
    tool: Tool,
    inner: Option<u32>,
    id: Option<u64>,
}

impl Piece {
    /// Whether it has a member for arguments, if only an empty one.
    fn has_arguments(&self, document: &Document) -> bool {
        let name = if self.tool.kind == ToolKind::Custom { "input" } else { "arguments" };
        let arguments = self.inner.and_then(|inner| document.member(inner, name));
        arguments.is_some_and(|node| document.value(node).tag != Tag::Null)
    }
}

impl JoinedCalls {
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.function.is_none()
    }

    /// Takes in the calls of a message, or of a piece of one.
    pub fn message(&mut self, document: &Document, message: u32, grow: &mut Grow) -> Result<(), Unread> {
        for (place, call) in (0..).zip(elements(document, message, "tool_calls")?) {
            self.call(document, call, place, grow)?;
        }
        self.legacy(document, message, grow)
    }

    /// Takes in the element at `call`, the `place`-th of the `tool_calls` of a chunk.
    fn call(&mut self, document: &Document, call: u32, place: u64, grow: &mut Grow) -> Result<(), Unread> {
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
    fn legacy(&mut self, document: &Document, message: u32, grow: &mut Grow) -> Result<(), Unread> {
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
        let arguments = Arguments { text: grow.nothing(), is_object: false, form: Form::Blank, depth: 0, in_string: false, escaped: false };
        let (beside, inside) = (Members::default(), Members::default());
        Self { slot, id: None, kind: ToolKind::Other, name: grow.nothing(), arguments, beside, inside }
    }

    /// Whether `piece` is no more of this call, but begins another. Servers that give all calls one index, or none, tell them by their id,
    /// or begin a call with its name once the arguments of the one before are complete. Others repeat id and name in each piece.
    fn ends_before(&self, document: &Document, piece: &Piece) -> bool {
        let name = piece.tool.name.filter(|_| piece.tool.kind != ToolKind::Other);
        let is_whole = self.arguments.is_whole();
        match (piece.id, self.id, name) {
            (Some(id), Some(own), name) if id != own => name.is_some() || !piece.has_arguments(document) || is_whole,
            (Some(_), None, Some(_)) if !self.name.bytes().is_empty() => true,
            (_, _, Some(name)) if !is_same(self.name.bytes(), document.value(name).text) => is_whole || self.arguments.form == Form::Text,
            (id, _, Some(_)) => match piece.tool.arguments {
                Some(arguments) => is_whole && !is_blank(document, arguments) && !self.is_repeated(document, piece),
                None => is_whole && id.is_none(),
            },
            (_, _, None) => false,
        }
    }

    /// Whether `piece` says the complete arguments of this call once more.
    fn is_repeated(&self, document: &Document, piece: &Piece) -> bool {
        let is_this = self.kind == ToolKind::Legacy || piece.id.is_some() && piece.id == self.id;
        let is_equal = |node: u32| match document.value(node).tag.is_container() {
            true => self.arguments.text.bytes() == document.source(node),
            false => is_same(self.arguments.text.bytes(), document.value(node).text),
        };
        is_this && self.arguments.is_whole() && piece.tool.arguments.is_some_and(is_equal)
    }

    fn append(&mut self, document: &Document, piece: &Piece, grow: &mut Grow) -> Result<(), Unread> {
        let repeats = self.is_repeated(document, piece);
        self.id = piece.id.or(self.id);
        let Tool { kind, name, arguments } = piece.tool;
        if self.kind == ToolKind::Other || self.says_nothing() && kind != ToolKind::Other {
            // What was there until now was its type, or an empty object of the other kind.
            if kind != ToolKind::Other {
                grow.drop_text(core::mem::replace(&mut self.name, grow.nothing()));
            }
            self.kind = kind;
        }
        let is_own = self.kind == kind;
        let name = name.filter(|&name| is_own && !is_same(self.name.bytes(), document.value(name).text));
        grow.by(&mut self.name, document, name)?;
        if let Some(arguments) = arguments.filter(|_| is_own && !repeats) {
            self.arguments.append(document, arguments, self.kind, grow)?;
        }
        let known = if kind == ToolKind::Custom { &known::CUSTOM } else { &known::FUNCTION };
        let known_beside = known_of_call(document, piece.call, self.kind);
        let beside: &[&str] = if kind == ToolKind::Legacy { known } else { &known_beside };
        let inner = piece.inner.filter(|_| is_own);
        if repeats {
            self.beside.take_new(document, piece.call, beside, grow)?;
            return inner.map_or(Ok(()), |inner| self.inside.take_new(document, inner, known, grow));
        }
        self.beside.take(document, piece.call, beside, grow)?;
        inner.map_or(Ok(()), |inner| self.inside.take(document, inner, known, grow))
    }

    /// Whether there is neither a name nor an argument yet.
    fn says_nothing(&self) -> bool {
        self.name.bytes().is_empty() && self.arguments.is_blank() && self.inside.is_empty()
    }

    /// Whether it says nothing: a piece too many at the end.
    fn is_empty(&self) -> bool {
        self.says_nothing() && self.beside.is_empty()
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
    fn append(&mut self, document: &Document, node: u32, kind: ToolKind, grow: &mut Grow) -> Result<(), Unread> {
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
        for code in codes(text) {
            self.follow(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), kind);
        }
        grow.by_bytes(&mut self.text, text)
    }

    fn follow(&mut self, character: char, kind: ToolKind) {
        if self.form == Form::Blank && !character.is_ascii_whitespace() {
            let is_json = kind != ToolKind::Custom && matches!(character, '{' | '[');
            self.form = if is_json { Form::Json } else { Form::Text };
        }
        match character {
            _ if self.escaped => self.escaped = false,
            '\\' if self.in_string => self.escaped = true,
            '"' => self.in_string = !self.in_string,
            '{' | '[' if !self.in_string => self.depth = self.depth.saturating_add(1),
            '}' | ']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// Whether they are complete. `null` is none at all, as an empty object is.
    fn is_whole(&self) -> bool {
        let is_closed = self.depth == 0 && !self.in_string;
        self.is_object || self.form == Form::Json && is_closed || self.text.bytes() == b"null"
    }

    /// Whether there are none, but for white space.
    fn is_blank(&self) -> bool {
        !self.is_object && self.form == Form::Blank
    }
}

/// Whether the string at `node` is white space.
fn is_blank(document: &Document, node: u32) -> bool {
    let value = document.value(node);
    !value.tag.is_container() && codes(value.text).all(|code| char::from_u32(code).is_some_and(|code| code.is_ascii_whitespace()))
}
