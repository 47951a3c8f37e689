//! The compact index of a JSON text: eight bytes for each scalar and name, sixteen for each array and object, with offsets instead of
//! copies.
//!
//! A tree of owned values would cost ten times the memory, could not be built in slices, and would lose exact integers. The tape is a list
//! of nodes in the order of the text. A scalar is one node. A container is two nodes, its head and its extent, followed by its children. In
//! an object each child is a name and a value.

use core::ops::Range;

use super::text::reads;
use super::value::{Tag, Value};
use crate::capture::Body;

/// An entry of the tape, of two words.
///
/// * A scalar: its tag and start; its end.
/// * The head of a container: its tag and start; the index of the node after the container.
/// * The extent of a container: its number of children; the end of its text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Node {
    first: u32,
    second: u32,
}

/// Bits of the offset in a node's first word. The other bits are the tag.
const OFFSET_BITS: u32 = 28;

/// Longest text that can be indexed, in bytes: far above [`crate::limits::MAX_BODY`].
pub const MAX_TEXT: usize = (1 << OFFSET_BITS) - 1;

impl Node {
    /// Returns a scalar that ends at the offset `second`, or the head of a container whose next sibling is the node `second`.
    pub fn new(tag: Tag, start: usize, second: usize) -> Self {
        Self { first: ((tag as u32) << OFFSET_BITS) | (start as u32 & MAX_TEXT as u32), second: second as u32 }
    }

    /// Returns the extent of a container whose text ends at the offset `end`.
    pub fn extent(children: u32, end: usize) -> Self {
        Self { first: children, second: end as u32 }
    }

    fn tag(self) -> Tag {
        Tag::ALL.get((self.first >> OFFSET_BITS) as usize).copied().unwrap_or(Tag::Null)
    }

    fn start(self) -> usize {
        self.first as usize & MAX_TEXT
    }
}

/// Nodes in a chunk. A single growing vector would now and then move tens of megabytes within one step.
const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 12;

/// The nodes of one text.
#[derive(Debug, Default)]
pub struct Tape {
    chunks: Vec<Vec<Node>>,
    /// The chunk that is being filled.
    last: Vec<Node>,
}

impl Tape {
    /// Returns the number of nodes.
    pub fn count(&self) -> usize {
        (self.chunks.len() << CHUNK_BITS).wrapping_add(self.last.len())
    }

    /// Appends a node.
    #[inline]
    pub fn push(&mut self, node: Node) {
        self.last.push(node);
        if self.last.len() >= CHUNK {
            self.seal();
        }
    }

    #[cold]
    fn seal(&mut self) {
        let full = core::mem::replace(&mut self.last, Vec::with_capacity(CHUNK));
        self.chunks.push(full);
    }

    /// Replaces the node at `at`, which must exist.
    pub fn set(&mut self, at: u32, node: Node) {
        let chunk = self.chunks.get_mut((at >> CHUNK_BITS) as usize).unwrap_or(&mut self.last);
        if let Some(place) = chunk.get_mut(at as usize & (CHUNK - 1)) {
            *place = node;
        }
    }

    /// Returns consecutive nodes from the node `from`, which must exist; not all that follow, but at least one.
    #[inline]
    pub fn run(&self, from: u32) -> &[Node] {
        let chunk = self.chunks.get((from >> CHUNK_BITS) as usize).unwrap_or(&self.last);
        chunk.get(from as usize & (CHUNK - 1)..).unwrap_or_default()
    }

    /// Returns the node at `at`, which must exist.
    #[inline]
    fn get(&self, at: u32) -> Node {
        self.run(at).first().copied().unwrap_or_default()
    }
}

/// A text with its index.
#[derive(Debug)]
pub struct Document {
    /// A body that begins with the text.
    pub body: Body,
    /// The index of the text.
    pub tape: Tape,
}

impl Document {
    /// Returns the value whose node, or head, is at `at`.
    #[inline]
    pub fn value(&self, at: u32) -> Value<'_> {
        self.read(self.tape.get(at))
    }

    /// Returns the value of a node that is no extent.
    #[inline]
    pub fn read(&self, node: Node) -> Value<'_> {
        let tag = node.tag();
        let end = if tag.is_container() { node.start() } else { node.second as usize };
        Value { tag, text: self.body.bytes().get(node.start()..end).unwrap_or_default() }
    }

    /// Returns the index of the node after the value at `at` and all its children.
    #[inline]
    pub fn after(&self, at: u32) -> u32 {
        let node = self.tape.get(at);
        if node.tag().is_container() { node.second } else { at.wrapping_add(1) }
    }

    /// Returns the number of elements or members of the container at `at`, duplicate names included.
    pub fn children(&self, at: u32) -> u32 {
        self.tape.get(at.wrapping_add(1)).first
    }

    /// Returns the index of the value of the member `name` of `object`; of the last one if there are several. `None` if there is no such
    /// member, `object` is no object, or it has more than [`MAX_MEMBERS`] members.
    pub fn member(&self, object: u32, name: &str) -> Option<u32> {
        let children = self.children(object);
        if self.value(object).tag != Tag::Object || children > MAX_MEMBERS {
            return None;
        }
        let mut found = None;
        let mut at = first_child(object);
        for _ in 0..children {
            let value = self.after(at);
            if reads(self.value(at), name) {
                found = Some(value);
            }
            at = self.after(value);
        }
        found
    }

    /// Returns the text of the value at `at`, with its quotes and children.
    pub fn source(&self, at: u32) -> &[u8] {
        self.body.bytes().get(self.place(at)).unwrap_or_default()
    }

    /// Returns the offsets of the text of the value at `at`, with its quotes and children.
    pub fn place(&self, at: u32) -> Range<usize> {
        let node = self.tape.get(at);
        match node.tag() {
            Tag::Plain | Tag::Escaped => node.start().wrapping_sub(1)..(node.second as usize).wrapping_add(1),
            Tag::Array | Tag::Object => node.start()..self.tape.get(at.wrapping_add(1)).second as usize,
            _ => node.start()..node.second as usize,
        }
    }
}

/// Most members of an object that is searched by name. A search can't be sliced, and the objects of protocols have a dozen members.
pub const MAX_MEMBERS: u32 = 4096;

/// Returns the index of the first child of `container`.
pub fn first_child(container: u32) -> u32 {
    container.wrapping_add(2)
}
