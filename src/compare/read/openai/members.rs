//! Looks up what the objects of OpenAI's interface are made of, the same in whole answers and in the events of a stream.
//!
//! A member that is `null` is the same as one that isn't there. What can't be sliced is bounded.

use crate::compare::part::choice::{Tool, ToolKind};
use crate::fault::Fault;
use crate::json::tape::{Document, first_child};
use crate::json::value::Tag;

/// Most members of an object: twice as many as any server has. A search for one can't be sliced.
const MAX_MEMBERS: u32 = 64;

/// Most parts of one content. Only answers of a few servers have any: two, one of them without text.
const MAX_PARTS: u32 = 16;

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

/// The strings that the member `name` is made of: a string, or those in the text parts of an array. None of them is empty.
///
/// # Errors
/// If the member is something else.
pub fn texts(document: &Document, object: u32, name: &str) -> Result<Vec<u32>, Fault> {
    let is_array = |&array: &u32| document.value(array).tag == Tag::Array;
    let Some(array) = member(document, object, name)?.filter(is_array) else {
        return Ok(text(document, object, name)?.into_iter().collect());
    };
    if document.children(array) > MAX_PARTS {
        return Err("a content has too many parts");
    }
    let mut found = Vec::new();
    for part in elements(document, object, name)? {
        found.extend(text(document, part, "text")?);
    }
    Ok(found)
}

/// The number that is the member `name`.
///
/// # Errors
/// If the member is no whole number that fits.
pub fn whole(document: &Document, object: u32, name: &str) -> Result<Option<u64>, Fault> {
    let Some(node) = member(document, object, name)? else { return Ok(None) };
    let number = core::str::from_utf8(document.value(node).text).ok().and_then(|text| text.parse().ok());
    number.filter(|_| document.value(node).tag == Tag::Integer).map(Some).ok_or("a value is no whole number, and should be")
}

/// A tool call, or a part of one.
///
/// # Errors
/// If it is neither that of a function nor that of a custom tool.
pub fn tool(document: &Document, call: u32) -> Result<Tool, Fault> {
    let (kind, tool, arguments) = match (member(document, call, "function")?, member(document, call, "custom")?) {
        (None, Some(custom)) => (ToolKind::Custom, Some(custom), "input"),
        (function, _) => (ToolKind::Function, function, "arguments"),
    };
    let Some(tool) = tool else { return Ok(Tool { kind, name: None, arguments: None }) };
    Ok(Tool { kind, name: text(document, tool, "name")?, arguments: text(document, tool, arguments)? })
}

/// The call of a function, or a part of one, as it was before there were tools: the member `function_call`.
///
/// # Errors
/// If the member is something else.
pub fn legacy_tool(document: &Document, message: u32) -> Result<Option<Tool>, Fault> {
    let Some(call) = member(document, message, "function_call")? else { return Ok(None) };
    let (name, arguments) = (text(document, call, "name")?, text(document, call, "arguments")?);
    Ok(Some(Tool { kind: ToolKind::Legacy, name, arguments }))
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
