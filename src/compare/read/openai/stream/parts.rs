//! Joins what is left unread of the parts of a content.

use crate::capture::{Capture, Overflow};
use crate::compare::answer::Unread;
use crate::compare::read::openai::members::{Thought, known};
use crate::compare::read::openai::stream::grow::Grow;
use crate::compare::read::openai::stream::joint::{Joint, Members};
use crate::compare::read::openai::stream::write::{comma, put, string};
use crate::json::tape::Document;
use crate::json::value::Tag;

/// Parts, and how much of the text comes before each.
#[derive(Debug, Default)]
pub struct UnreadParts(Vec<(usize, UnreadPart)>);

/// What is left unread of a part.
#[derive(Debug)]
enum UnreadPart {
    /// All of it.
    All(Joint),
    /// Members of one of this type.
    Members(&'static str, Members),
    /// An element of the member of this name of a thought.
    OfThought(&'static str, Joint),
}

impl UnreadParts {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in the members of the part at `node` of type `kind` that are not `known`.
    pub fn members(
        &mut self,
        before: usize,
        (kind, known): (&'static str, &[&str]),
        document: &Document,
        node: u32,
        grow: &mut Grow,
    ) -> Result<(), Unread> {
        if document.value(node).tag == Tag::Object {
            let mut members = Members::default();
            members.take(document, node, known, grow)?;
            if !members.is_empty() {
                self.0.push((before, UnreadPart::Members(kind, members)));
            }
        }
        Ok(())
    }

    /// Takes in of the thought at `node` what is no text.
    pub fn thought(&mut self, before: usize, thought: &Thought, document: &Document, node: u32, grow: &mut Grow) -> Result<(), Unread> {
        for &(name, element) in &thought.unread {
            let joint = Joint::new(document, element, grow)?;
            self.0.extend(joint.map(|joint| (before, UnreadPart::OfThought(name, joint))));
        }
        self.members(before, ("thinking", &known::THOUGHT), document, node, grow)?;
        if self.0.is_empty() && thought.texts.is_empty() {
            // That it thought at all.
            self.0.push((before, UnreadPart::Members("thinking", Members::default())));
        }
        Ok(())
    }

    /// Takes in the part at `node`, or a piece of it.
    pub fn other(&mut self, before: usize, document: &Document, node: u32, grow: &mut Grow) -> Result<(), Unread> {
        let mut known = self.0.iter_mut().filter_map(|(_, part)| match part {
            UnreadPart::All(joint) => Some(joint),
            _ => None,
        });
        match known.find(|joint| joint.is_of(document, node)) {
            Some(joint) => joint.append(document, node, grow),
            None => {
                let joint = Joint::new(document, node, grow)?;
                self.0.extend(joint.map(|joint| (before, UnreadPart::All(joint))));
                Ok(())
            }
        }
    }

    /// Writes a content of this text: as a string if that is all there is.
    pub fn write(self, text: Capture, out: &mut Vec<u8>) -> Result<(), Overflow> {
        if self.is_empty() {
            return string(text, out);
        }
        let text = text.into_body()?;
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
        for (before, part) in self.0 {
            write_text(before, out);
            comma(out);
            part.write(out)?;
        }
        write_text(text.bytes().len(), out);
        put(out, "]");
        Ok(())
    }
}

impl UnreadPart {
    fn write(self, out: &mut Vec<u8>) -> Result<(), Overflow> {
        match self {
            UnreadPart::All(joint) => joint.write(out),
            UnreadPart::Members(kind, members) => {
                put(out, &format!("{{\"type\":\"{kind}\""));
                members.write(out)?;
                put(out, "}");
                Ok(())
            }
            UnreadPart::OfThought(name, joint) => {
                put(out, &format!("{{\"type\":\"thinking\",\"{name}\":["));
                joint.write(out)?;
                put(out, "]}");
                Ok(())
            }
        }
    }
}
