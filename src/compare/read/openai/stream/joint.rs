//! Joins members that nobody reads, as OpenAI's own clients do: strings are put one after the other, objects are joined member by member,
//! elements of arrays by their `index`, or else one after the other.
//!
//! What comes in other pieces than such is kept as a list of all of them. So it may differ where nothing does, but is never equal where
//! something differs.

use crate::capture::{Capture, Overflow};
use crate::compare::answer::Unread;
use crate::compare::part::leftover::{is_filled, is_known};
use crate::compare::read::openai::stream::grow::Grow;
use crate::compare::read::openai::stream::write::{comma, put, source, string};
use crate::json::tape::{Document, first_child};
use crate::json::value::Tag;

/// Members that say which object it is, in each of its pieces.
const SAME: [&str; 4] = ["index", "type", "id", "object"];

/// A value joined so far.
#[derive(Debug)]
pub enum Joint {
    Text(Capture),
    Object(Members),
    List(Vec<Joint>),
    /// Any other value, as it is written.
    Other(Capture),
}

/// Members joined so far, each with its name as it is spelled.
#[derive(Debug, Default)]
pub struct Members(Vec<(Capture, Joint)>);

impl Joint {
    /// Begins with the value at `node`; `None` if there are too many.
    pub fn new(document: &Document, node: u32, grow: &mut Grow) -> Result<Option<Self>, Unread> {
        if !grow.begin_value() {
            return Ok(None);
        }
        let mut joint = match document.value(node).tag {
            Tag::Plain | Tag::Escaped => Joint::Text(grow.nothing()),
            Tag::Object => Joint::Object(Members::default()),
            Tag::Array => Joint::List(Vec::new()),
            _ => {
                let mut source = grow.nothing();
                grow.by_bytes(&mut source, document.source(node))?;
                return Ok(Some(Joint::Other(source)));
            }
        };
        joint.append(document, node, grow)?;
        Ok(Some(joint))
    }

    /// Gives back the room of a value that is replaced. (What is in an object or a list stays counted: the next one is as large.)
    fn give_back(self, grow: &mut Grow) {
        grow.end_value();
        if let Joint::Text(text) | Joint::Other(text) = self {
            grow.drop_text(text);
        }
    }

    /// Takes in the next piece.
    pub fn append(&mut self, document: &Document, node: u32, grow: &mut Grow) -> Result<(), Unread> {
        match (&mut *self, document.value(node).tag) {
            (Joint::Text(text), Tag::Plain | Tag::Escaped) => return grow.by(text, document, Some(node)),
            (Joint::Object(members), Tag::Object) => return members.each(document, node, None, false, grow),
            (Joint::List(list), Tag::Array) => {
                let mut element = first_child(node);
                for _ in 0..document.children(node) {
                    match list.iter_mut().find(|known| known.is_of(document, element)) {
                        Some(known) => known.append(document, element, grow)?,
                        None => list.extend(Joint::new(document, element, grow)?),
                    }
                    element = document.after(element);
                }
                return Ok(());
            }
            (Joint::Other(known), _) if known.bytes() == document.source(node) => return Ok(()),
            (_, Tag::Null) => return Ok(()),
            _ => {}
        }
        let next = Joint::new(document, node, grow)?;
        let before = core::mem::replace(self, Joint::List(Vec::new()));
        let was_null = matches!(&before, Joint::Other(before) if before.bytes() == b"null");
        *self = match next {
            Some(next) if was_null => next,
            next => Joint::List([Some(before), next].into_iter().flatten().collect()),
        };
        Ok(())
    }

    /// Whether the object at `node` is another piece of this one.
    pub fn is_of(&self, document: &Document, node: u32) -> bool {
        let Joint::Object(Members(members)) = self else { return false };
        let index = members.iter().find(|(name, _)| name.bytes() == b"index");
        let Some((_, Joint::Other(index))) = index else { return false };
        document.member(node, "index").is_some_and(|node| document.source(node) == index.bytes())
    }

    pub fn write(self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        match self {
            Joint::Text(text) => string(text, out)?,
            Joint::Other(value) => source(value, out)?,
            Joint::Object(members) => {
                put(out, "{");
                members.write(out)?;
                put(out, "}");
            }
            Joint::List(list) => {
                put(out, "[");
                for joint in list {
                    comma(out);
                    joint.write(out)?;
                }
                put(out, "]");
            }
        }
        Ok(())
    }
}

impl Members {
    /// Takes in the members of the object at `object` that are not `known` and say anything.
    pub fn take(&mut self, document: &Document, object: u32, known: &[&str], grow: &mut Grow) -> Result<(), Unread> {
        self.each(document, object, Some(known), false, grow)
    }

    /// Takes in those of them that it does not have yet.
    pub fn take_new(&mut self, document: &Document, object: u32, known: &[&str], grow: &mut Grow) -> Result<(), Unread> {
        self.each(document, object, Some(known), true, grow)
    }

    /// Takes in the member `name`, whose value is at `node`.
    pub fn member(&mut self, document: &Document, name: &[u8], node: u32, grow: &mut Grow) -> Result<(), Unread> {
        let known = self.0.iter_mut().find(|(known, _)| known.bytes() == name);
        match known {
            Some((name, joint)) if SAME.iter().any(|same| same.as_bytes() == name.bytes()) => {
                if let Some(next) = Joint::new(document, node, grow)? {
                    core::mem::replace(joint, next).give_back(grow);
                }
            }
            Some((_, joint)) => joint.append(document, node, grow)?,
            None => {
                if let Some(joint) = Joint::new(document, node, grow)? {
                    let mut own = grow.nothing();
                    grow.by_bytes(&mut own, name)?;
                    self.0.push((own, joint));
                }
            }
        }
        Ok(())
    }

    fn each(&mut self, document: &Document, object: u32, known: Option<&[&str]>, new: bool, grow: &mut Grow) -> Result<(), Unread> {
        let mut at = first_child(object);
        for _ in 0..document.children(object) {
            let (name, value) = (document.value(at), document.after(at));
            at = document.after(value);
            let is_read = known.is_some_and(|known| is_known(name, known) || !is_filled(document, value));
            if !(is_read || new && self.has(name.text)) {
                self.member(document, name.text, value, grow)?;
            }
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, name: &[u8]) -> bool {
        self.0.iter().any(|(known, _)| known.bytes() == name)
    }

    /// Writes them, with a comma before each but the first of an object.
    pub fn write(self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        for (name, joint) in self.0 {
            comma(out);
            string(name, out)?;
            put(out, ":");
            joint.write(out)?;
        }
        Ok(())
    }
}
