//! A row of each side, and what all ways to find rows have in common.

use crate::compare::judge::place::{Place, excerpt};
use crate::compare::judge::rules::Here;
use crate::compare::judgement::{Divergence, Kind};
use crate::compare::part::cursor::Cursor;
use crate::compare::part::element::Element;
use crate::compare::side::Side;
use crate::fault::Fault;
use crate::json::number;
use crate::json::tape::Document;

/// What one step of a walk, or one element, costs beside the text it touches.
pub const STEP: usize = 16;

/// What a row is to a task where no path says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A label: rows are those of the one output that most likely holds labels.
    Label,
    /// A vector: rows are those of all outputs of floating-point numbers. An output of a single dimension is one vector.
    Vector,
}

/// What the way to rows comes to next.
#[derive(Debug)]
pub enum NextRow {
    /// Nothing yet: ask again while there is budget.
    Busy,
    /// A row of each side, to be read by [`super::Rows::element`].
    Row,
    /// The answers have unlike structures here. Rows may follow.
    Apart(Divergence),
    /// An answer has something here that is no row: of which side, and why. Rows may follow.
    NoRow(Side, Fault),
    /// An answer has no row at all, or none that anybody could find: of which side, and why.
    Fault(Side, Fault),
    /// No more rows.
    End,
}

/// A row of one side.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub cursor: Cursor,
    pub length: u64,
    /// How many elements have not been read.
    pub left: u64,
}

impl Row {
    pub fn new(cursor: Cursor, length: u64) -> Self {
        Self { cursor, length, left: length }
    }

    pub fn next<'a>(&mut self, document: &'a Document, budget: &mut usize) -> Option<Element<'a>> {
        self.left = self.left.checked_sub(1)?;
        let element = self.cursor.next(document);
        let text = match element {
            Some(Element::Json(value) | Element::Single(value)) if value.tag.is_number() => number::cost(value, value),
            _ => 0,
        };
        *budget = budget.saturating_sub(STEP.saturating_add(text));
        element
    }
}

/// The rows at hand, one of each side.
#[derive(Debug, Default)]
pub struct Hand {
    pub primary: Option<Row>,
    pub shadow: Option<Row>,
    /// Indices of elements that are ignored, in order.
    pub ignored: Vec<u64>,
}

impl Hand {
    /// Takes up two rows; `false` if nothing of them counts.
    pub fn take(&mut self, primary: Row, shadow: Row, ignored: Vec<u64>) -> bool {
        let length = primary.length.max(shadow.length);
        let left_out = ignored.partition_point(|index| *index < length) as u64;
        *self = Self { primary: Some(primary), shadow: Some(shadow), ignored };
        left_out < length || length == 0
    }
}

pub fn apart(kind: Kind, place: Place, values: (String, String)) -> NextRow {
    NextRow::Apart(Divergence::new(kind, place.finish(), values))
}

/// The place that these names lead to.
pub fn named(names: &[&'static str]) -> Place {
    let mut place = Place::default();
    for name in names {
        place.push(Here::member(name));
    }
    place
}

/// A value as it stands in its text, for evidence; nothing where there is none.
pub fn shown(document: &Document, node: Option<u32>) -> String {
    node.map(|node| excerpt(document.source(node))).unwrap_or_default()
}
