//! Looks up what the objects of OpenAI's interface are made of, the same in whole answers and in the events of a stream.
//!
//! A member that is `null` is the same as one that isn't there. What can't be sliced is bounded.

use crate::compare::part::choice::{Tool, ToolKind};
use crate::compare::part::leftover::{is_filled, is_known};
use crate::fault::Fault;
use crate::json::tape::{Document, first_child};
use crate::json::text::reads;
use crate::json::value::Tag;

/// Most members of an object: twice as many as any server has. A search for one can't be sliced.
const MAX_MEMBERS: u32 = 64;

/// Most parts of one content. Only answers of a few servers have any: two, one of them without text.
const MAX_PARTS: u32 = 64;

/// Most choices of one answer. The interface allows 128 for each of several prompts, which nobody asks for.
pub const MAX_CHOICES: usize = 256;

/// Most tool calls of one choice, and while a stream is joined of all choices together.
pub const MAX_TOOLS: usize = 256;

/// The member `name` of the object at `object`.
///
/// # Errors
/// If that is no object, or one with too many members.
pub fn member(document: &Document, object: u32, name: &str) -> Result<Option<u32>, Fault> {
    if document.value(object).tag != Tag::Object {
        return Err("a value is no object, and should be");
    }
    if document.children(object) > MAX_MEMBERS {
        return Err("an object has too many members");
    }
    Ok(document.member(object, name).filter(|&node| document.value(node).tag != Tag::Null))
}

/// The elements of the array that is the member `name`; none if there is no such member.
///
/// # Errors
/// If the member is no array.
pub fn elements<'a>(document: &'a Document, object: u32, name: &str) -> Result<impl Iterator<Item = u32> + use<'a>, Fault> {
    let array = member(document, object, name)?;
    let count = match array {
        Some(array) if document.value(array).tag == Tag::Array => document.children(array),
        Some(_) => return Err("a value is no array, and should be"),
        None => 0,
    };
    let first = array.map(first_child).unwrap_or_default();
    Ok(core::iter::successors(Some(first), |&node| Some(document.after(node))).take(count as usize))
}

/// The string that is the member `name`, unless it is empty.
///
/// # Errors
/// If the member is no string.
pub fn text(document: &Document, object: u32, name: &str) -> Result<Option<u32>, Fault> {
    let Some(node) = member(document, object, name)? else { return Ok(None) };
    let value = document.value(node);
    match value.tag {
        Tag::Plain | Tag::Escaped => Ok(Some(node).filter(|_| !value.text.is_empty())),
        _ => Err("a value is no string, and should be"),
    }
}

/// The parts of the content that is the member `name`: the content itself if it is no array.
///
/// # Errors
/// If there are too many.
pub fn parts(document: &Document, object: u32, name: &str) -> Result<Vec<u32>, Fault> {
    let Some(content) = member(document, object, name)? else { return Ok(Vec::new()) };
    match document.value(content).tag {
        Tag::Array => {}
        Tag::Plain | Tag::Escaped => return Ok(vec![content]),
        _ => return Err("a value is no string, and should be"),
    }
    if document.children(content) > MAX_PARTS {
        return Err("a content has too many parts");
    }
    Ok(elements(document, object, name)?.collect())
}

/// A part of a content.
#[derive(Debug)]
pub enum Part {
    /// Text, none of it empty.
    Text(Option<u32>),
    /// What the model refuses with.
    Refusal(Option<u32>),
    /// What the model thought.
    Thought(Thought),
    /// Anything else.
    Other,
}

/// A part that tells what the model thought.
#[derive(Debug, Default)]
pub struct Thought {
    /// The strings that tell it, none of them empty.
    pub texts: Vec<u32>,
    /// What else there is between them, each with the name of the list that it is in.
    pub unread: Vec<(&'static str, u32)>,
}

/// What the part at `node` of a content is: a string, or an object of `type` `text` (Mistral's `thinking` parts hold a list of such).
///
/// # Errors
/// If it is no part, or has not what its type says.
pub fn part(document: &Document, node: u32) -> Result<Part, Fault> {
    match document.value(node).tag {
        Tag::Null => return Ok(Part::Text(None)),
        Tag::Plain | Tag::Escaped => return Ok(Part::Text(Some(node).filter(|&node| is_filled(document, node)))),
        Tag::Object if document.children(node) == 0 => return Ok(Part::Text(None)),
        Tag::Object => {}
        _ => return Err("a value is no object, and should be"),
    }
    let kind = text(document, node, "type")?;
    let is = |name: &str| kind.is_some_and(|kind| reads(document.value(kind), name));
    if is("text") || is("output_text") || (kind.is_none() && member(document, node, "text")?.is_some()) {
        return text(document, node, "text").map(Part::Text);
    }
    if is("refusal") {
        return text(document, node, "refusal").map(Part::Refusal);
    }
    let thinks = is("thinking") || is("redacted_thinking") || is("reasoning");
    if !thinks {
        return Ok(Part::Other);
    }
    let mut thought = Thought::default();
    for name in ["thinking", "reasoning", "text"] {
        for element in parts(document, node, name)? {
            match text_alone(document, element)? {
                Some(text) => thought.texts.extend(text.filter(|&text| is_text(document, text))),
                None => thought.unread.push((name, element)),
            }
        }
    }
    Ok(Part::Thought(thought))
}

/// The string that is all there is of an element of a thought; `None` if there is anything else.
fn text_alone(document: &Document, node: u32) -> Result<Option<Option<u32>>, Fault> {
    Ok(match document.value(node).tag {
        Tag::Null => Some(None),
        Tag::Plain | Tag::Escaped => Some(Some(node)),
        Tag::Object if document.children(node) == 0 => Some(None),
        Tag::Object => {
            let text = member(document, node, "text")?.filter(|&text| matches!(document.value(text).tag, Tag::Plain | Tag::Escaped));
            let is_read = |name: u32| is_known(document.value(name), &known::TEXT) || !is_filled(document, document.after(name));
            text.filter(|_| names(document, node).all(is_read)).map(Some)
        }
        _ => None,
    })
}

/// The names of the members of the object at `object`.
fn names(document: &Document, object: u32) -> impl Iterator<Item = u32> + use<'_> {
    let first = Some(first_child(object));
    core::iter::successors(first, |&name| Some(document.after(document.after(name)))).take(document.children(object) as usize)
}

/// Whether a value is a string that is not empty.
pub fn is_text(document: &Document, node: u32) -> bool {
    matches!(document.value(node).tag, Tag::Plain | Tag::Escaped) && is_filled(document, node)
}

/// Members of a message that tell what the model thought, in plain text: vLLM's name, and that of DeepSeek and of older servers. Where both
/// say the same, it was thought once.
pub const REASONING: [&str; 2] = ["reasoning", "reasoning_content"];

/// Members of a message that tell it in another form, with signatures that differ always: OpenRouter's, LiteLLM's, Ollama's.
pub const THOUGHTS: [&str; 3] = ["reasoning_details", "thinking_blocks", "thinking"];

/// Whether an answer, or a chunk of one, has an `error` that tells of one: an object or a text that says anything, a list that begins with
/// such, or `true`. Some servers write an empty one beside each good chunk. A number may be a figure of the model. Or it is an `object` of that
/// name (vLLM's older form).
///
/// # Errors
/// If `answer` is no object.
pub fn is_error(document: &Document, answer: u32) -> Result<bool, Fault> {
    let of_vllm = text(document, answer, "object").ok().flatten().is_some_and(|object| reads(document.value(object), "error"));
    let Some(error) = member(document, answer, "error")? else { return Ok(of_vllm) };
    let tag = |node: u32| document.value(node).tag;
    let is_list = tag(error) == Tag::Array && document.children(error) > 0;
    let said = if is_list { first_child(error) } else { error };
    let may_tell = matches!(tag(said), Tag::Object | Tag::Plain | Tag::Escaped);
    Ok(may_tell && is_filled(document, said) || tag(error) == Tag::True)
}

/// Whether an answer, or a chunk of one, may be one in name only: its `error` says anything, and neither that there is none nor 0.
///
/// # Errors
/// If `answer` is no object.
pub fn may_be_error(document: &Document, answer: u32) -> Result<bool, Fault> {
    let error = member(document, answer, "error")?.filter(|&error| is_filled(document, error)).map(|error| document.value(error));
    Ok(error.is_some_and(|error| error.tag != Tag::False && error.text != b"0"))
}

/// The number that is the member `name`, or its digits in a string.
///
/// # Errors
/// If the member is no whole number that fits.
pub fn whole(document: &Document, object: u32, name: &str) -> Result<Option<u64>, Fault> {
    let Some(node) = member(document, object, name)? else { return Ok(None) };
    let number = core::str::from_utf8(document.value(node).text).ok().and_then(|text| text.parse().ok());
    let may_be = matches!(document.value(node).tag, Tag::Integer | Tag::Plain);
    number.filter(|_| may_be).map(Some).ok_or("a value is no whole number, and should be")
}

/// A tool call, or a part of one, and the object that tells its name and arguments, if there is one. Of two the first that says anything.
///
/// # Errors
/// If it is no tool call.
pub fn tool(document: &Document, call: u32) -> Result<(Tool, Option<u32>), Fault> {
    let (function, custom) = (member(document, call, "function")?, member(document, call, "custom")?);
    let says = |tool: Option<u32>| tool.is_some_and(|tool| says_anything(document, tool));
    let (kind, tool) = match (function, custom) {
        (function, Some(custom)) if function.is_none() || !says(function) && says(Some(custom)) => (ToolKind::Custom, custom),
        (Some(function), _) => (ToolKind::Function, function),
        (None, _) => return Ok((Tool { kind: ToolKind::Other, name: text(document, call, "type")?, arguments: None }, None)),
    };
    let arguments = match kind {
        ToolKind::Custom => text(document, tool, "input")?,
        _ => arguments(document, tool)?,
    };
    Ok((Tool { kind, name: text(document, tool, "name")?, arguments }, Some(tool)))
}

/// Whether a value says anything, or if it is an object any of its members.
fn says_anything(document: &Document, node: u32) -> bool {
    match document.value(node).tag {
        Tag::Object => names(document, node).any(|name| is_filled(document, document.after(name))),
        _ => is_filled(document, node),
    }
}

/// What is read of the tool call at `call`, or of a part of one, if it is of this kind. An object of the other kind is left unread, unless
/// it says nothing. LiteLLM puts a signature into `provider_specific_fields`.
pub fn known_of_call(document: &Document, call: u32, kind: ToolKind) -> [&'static str; 5] {
    let (own, other) = if kind == ToolKind::Custom { ("custom", "function") } else { ("function", "custom") };
    let is_unread = document.member(call, other).is_some_and(|other| says_anything(document, other));
    ["type", own, if is_unread { own } else { other }, "call_id", "provider_specific_fields"]
}

/// The call of a function, or a part of one, as it was before there were tools: the member `function_call`, and where that is.
///
/// # Errors
/// If the member is something else.
pub fn legacy_tool(document: &Document, message: u32) -> Result<Option<(Tool, u32)>, Fault> {
    let Some(call) = member(document, message, "function_call")? else { return Ok(None) };
    let (name, arguments) = (text(document, call, "name")?, arguments(document, call)?);
    Ok(Some((Tool { kind: ToolKind::Legacy, name, arguments }, call)))
}

/// The arguments of a function: a string that holds an object, or the object itself (or any array).
fn arguments(document: &Document, function: u32) -> Result<Option<u32>, Fault> {
    let object = member(document, function, "arguments")?.filter(|&node| document.value(node).tag.is_container());
    if object.is_some() { Ok(object) } else { text(document, function, "arguments") }
}

/// What is read of each object, the most frequent first; all else is left unread.
pub mod known {
    /// Of a choice.
    pub const CHOICE: [&str; 5] = ["index", "delta", "finish_reason", "message", "text"];
    /// Of a message. A role is always that of the assistant, whatever a server calls it.
    pub const MESSAGE: [&str; 10] = [
        "content",
        "role",
        "reasoning",
        "reasoning_content",
        "tool_calls",
        "refusal",
        "function_call",
        "reasoning_details",
        "thinking_blocks",
        "thinking",
    ];
    /// Of a text in a content.
    pub const TEXT: [&str; 2] = ["type", "text"];
    /// Of a refusal in a content.
    pub const REFUSAL: [&str; 2] = ["type", "refusal"];
    /// Of a thought in a content.
    pub const THOUGHT: [&str; 4] = ["type", "thinking", "reasoning", "text"];
    /// Of the function or the custom tool in a tool call.
    pub const FUNCTION: [&str; 2] = ["name", "arguments"];
    /// See [`FUNCTION`].
    pub const CUSTOM: [&str; 2] = ["name", "input"];
    /// Of an embedding.
    pub const EMBEDDING: [&str; 2] = ["embedding", "encoding_format"];
}

/// The elements of an array that are still to be read.
#[derive(Debug)]
pub struct Items {
    pub next: u32,
    pub remaining: u32,
    pub place: u32,
}

impl Items {
    /// All of the array at `array`, which must be one, and not empty.
    pub fn new(document: &Document, array: u32) -> Result<Self, Fault> {
        if document.value(array).tag != Tag::Array {
            return Err("a value is no array, and should be");
        }
        let remaining = document.children(array);
        if remaining == 0 { Err("the answer is empty") } else { Ok(Self { next: first_child(array), remaining, place: 0 }) }
    }

    /// The next one, and its place.
    pub fn next(&mut self, document: &Document) -> Option<(u32, u32)> {
        self.remaining = self.remaining.checked_sub(1)?;
        let found = (self.next, self.place);
        self.next = document.after(self.next);
        self.place = self.place.wrapping_add(1);
        Some(found)
    }
}
