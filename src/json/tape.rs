//! The compact index of a JSON text: eight bytes per value, names included, and offsets into the text instead of copies.
//!
//! A tree of owned values would cost ten times the memory, could not be built in slices, and would lose exact integers. The tape is a
//! list of nodes in text order. A scalar is one node. A container is two, its head and its extent, followed by its children; in an
//! object each child is a name and a value. It does not read JSON (see [`super::reader`]) and never looks a name up.

use core::ops::Range;

use super::text::reads;
use super::value::{Tag, Value};
use crate::capture::Body;

/// One entry. A scalar: its tag and start, and its end. A head: its tag and start, and the node after the container. An extent: how many
/// children there are, and where the text of the container ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Node {
    first: u32,
    second: u32,
}

/// Bits of a node's first word that hold an offset; the tag has the others.
const OFFSET_BITS: u32 = 28;

/// Longest text that can be indexed: far above [`crate::limits::MAX_BODY`].
pub const MAX_TEXT: usize = (1 << OFFSET_BITS) - 1;

impl Node {
    /// A scalar, or the head of a container that ends before node `second`.
    pub fn new(tag: Tag, start: usize, second: usize) -> Self {
        Self { first: ((tag as u32) << OFFSET_BITS) | (start as u32 & MAX_TEXT as u32), second: second as u32 }
    }

    /// The second node of a container.
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

/// Nodes per chunk. Chunks, because one growing vector would now and then move tens of megabytes within a single step.
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
    /// How many nodes there are.
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

    /// Replaces a node that is there.
    pub fn set(&mut self, at: u32, node: Node) {
        let chunk = self.chunks.get_mut((at >> CHUNK_BITS) as usize).unwrap_or(&mut self.last);
        if let Some(place) = chunk.get_mut(at as usize & (CHUNK - 1)) {
            *place = node;
        }
    }

    /// Nodes in a row, from one that is there.
    #[inline]
    pub fn run(&self, from: u32) -> &[Node] {
        let chunk = self.chunks.get((from >> CHUNK_BITS) as usize).unwrap_or(&self.last);
        chunk.get(from as usize & (CHUNK - 1)..).unwrap_or_default()
    }

    /// A node; a `null` where there is none, which no correct caller asks for.
    #[inline]
    fn get(&self, at: u32) -> Node {
        let chunk = self.chunks.get((at >> CHUNK_BITS) as usize).unwrap_or(&self.last);
        chunk.get(at as usize & (CHUNK - 1)).copied().unwrap_or_default()
    }
}

/// A text with its index.
#[derive(Debug)]
pub struct Document {
    /// The text.
    pub body: Body,
    /// Its values.
    pub tape: Tape,
}

impl Document {
    /// The value at a node.
    #[inline]
    pub fn value(&self, at: u32) -> Value<'_> {
        self.read(self.tape.get(at))
    }

    /// The value of a node that is no extent.
    #[inline]
    pub fn read(&self, node: Node) -> Value<'_> {
        let tag = node.tag();
        let end = if tag.is_container() { node.start() } else { node.second as usize };
        Value { tag, text: self.body.bytes().get(node.start()..end).unwrap_or_default() }
    }

    /// The node after a value and all below it.
    #[inline]
    pub fn after(&self, at: u32) -> u32 {
        let node = self.tape.get(at);
        if node.tag().is_container() { node.second } else { at.wrapping_add(1) }
    }

    /// How many elements or members the container at `at` has, duplicate names included.
    pub fn children(&self, at: u32) -> u32 {
        self.tape.get(at.wrapping_add(1)).first
    }

    /// The value of the member `name` of the object at `object`: of several the last. `None` also where no object is, or one with more
    /// than [`MAX_MEMBERS`] members.
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

    /// A value as it stands in the text, quotes and all below it included.
    pub fn source(&self, at: u32) -> &[u8] {
        self.body.bytes().get(self.place(at)).unwrap_or_default()
    }

    /// Where in the text a value stands, quotes and all below it included.
    pub fn place(&self, at: u32) -> Range<usize> {
        let node = self.tape.get(at);
        match node.tag() {
            Tag::Plain | Tag::Escaped => node.start().wrapping_sub(1)..(node.second as usize).wrapping_add(1),
            Tag::Array | Tag::Object => node.start()..self.tape.get(at.wrapping_add(1)).second as usize,
            _ => node.start()..node.second as usize,
        }
    }
}

/// Members of an object that is searched by name: protocols have a dozen, and a search can't be sliced.
pub const MAX_MEMBERS: u32 = 4096;

/// The first child of a container.
pub fn first_child(container: u32) -> u32 {
    container.wrapping_add(2)
}
