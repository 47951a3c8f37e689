//! Finds the rows of two documents that a path leads to, walking both together.

use crate::compare::judge::place::Place;
use crate::compare::judge::rows::ignored::{Ignored, IgnoredElements};
use crate::compare::judge::rows::row::{Hand, NextRow, Row, apart, shown};
use crate::compare::judge::rules::Here;
use crate::compare::judgement::Kind;
use crate::compare::part::content::Content;
use crate::compare::part::cursor::Cursor;
use crate::compare::side::{Side, Sides};
use crate::fault::Fault;
use crate::json::tape::{Document, MAX_MEMBERS, first_child};
use crate::json::value::Tag;
use crate::path::{PathPattern, Step};

/// A value of each side.
#[derive(Clone, Copy, Debug)]
struct Nodes {
    primary: u32,
    shadow: u32,
}

/// A container on the way down.
#[derive(Debug)]
enum Frame {
    /// An object, of which the path's next step names a member.
    Member,
    /// Two arrays.
    Elements {
        /// The next elements.
        next: Nodes,
        /// How many elements both sides still have.
        remaining: u32,
        /// The index of the next one.
        index: u32,
        /// The index of the only element that is meant; `None`: all are.
        only: Option<usize>,
    },
}

/// A walk to the values that a path leads to, and further down to the first that are no arrays of arrays.
#[derive(Debug)]
pub struct InDocument {
    path: PathPattern,
    /// One for each step down to where the walk is; below the end of the path there may be more.
    frames: Vec<Frame>,
    /// The values to be looked at next.
    value: Option<Nodes>,
    /// Whether the row at hand is an array.
    is_vector: bool,
}

/// What a value is to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Row { length: u32, is_vector: bool },
    Nested,
    Object,
}

const NO_ROW: Fault = "an object is no row: let the path of compare.task lead to labels, numbers or vectors";

impl InDocument {
    /// At the roots.
    pub fn new(path: PathPattern) -> Self {
        Self { path, frames: Vec::new(), value: Some(Nodes { primary: 0, shadow: 0 }), is_vector: false }
    }

    /// Goes on to the next rows, which it leaves in `hand`. The place of `ignored` is that of the walk.
    pub fn next(&mut self, pair: Sides<'_, Content>, ignored: &mut Ignored, hand: &mut Hand, budget: &mut usize) -> NextRow {
        let documents = (&pair.primary.document, &pair.shadow.document);
        let Some(at) = self.value.take() else { return self.advance(documents, ignored) };
        match self.path.steps().get(self.frames.len()) {
            Some(Step::Member(member)) => {
                let members = searched(documents.0, at.primary).saturating_add(searched(documents.1, at.shadow));
                *budget = budget.saturating_sub(members);
                let found = (documents.0.member(at.primary, member), documents.1.member(at.shadow, member));
                let is_ignored = ignored.enter(Here::member(member));
                if is_ignored {
                    ignored.leave();
                    return NextRow::Busy;
                }
                let next = self.enter_member(documents, found);
                if self.value.is_none() {
                    ignored.leave();
                }
                next
            }
            Some(Step::AnyIndex) => match arrays(documents, at) {
                (true, true) => self.open(pair, at),
                (false, false) => NextRow::Busy,
                _ => self.differ(pair, Kind::Type, at),
            },
            Some(&Step::Index(only)) => self.index(pair, at, only, ignored),
            None => match (shape(documents.0, at.primary), shape(documents.1, at.shadow)) {
                (Shape::Object, _) => NextRow::NoRow(Side::Primary, NO_ROW),
                (_, Shape::Object) => NextRow::NoRow(Side::Shadow, NO_ROW),
                (Shape::Nested, Shape::Nested) => self.open(pair, at),
                (Shape::Row { length: primary, is_vector }, Shape::Row { length: shadow, .. }) => {
                    self.is_vector = is_vector;
                    let elements = if is_vector { ignored.elements() } else { IgnoredElements::At(Vec::new()) };
                    let IgnoredElements::At(elements) = elements else { return NextRow::Busy };
                    let primary = Row::new(Cursor::of_json(at.primary), u64::from(primary));
                    let shadow = Row::new(Cursor::of_json(at.shadow), u64::from(shadow));
                    if hand.take(primary, shadow, elements) { NextRow::Row } else { NextRow::Busy }
                }
                _ => self.differ(pair, Kind::Type, at),
            },
        }
    }

    /// Goes into a member that both sides should have.
    fn enter_member(&mut self, documents: (&Document, &Document), found: (Option<u32>, Option<u32>)) -> NextRow {
        let kind = match found {
            (Some(primary), Some(shadow)) => {
                self.value = Some(Nodes { primary, shadow });
                self.frames.push(Frame::Member);
                return NextRow::Busy;
            }
            (None, None) => return NextRow::Busy,
            (Some(_), None) => Kind::Missing,
            (None, Some(_)) => Kind::Extra,
        };
        self.frames.push(Frame::Member);
        let place = Place::of(&self.steps(None));
        self.frames.pop();
        apart(kind, place, (shown(documents.0, found.0), shown(documents.1, found.1)))
    }

    /// Goes into the elements of two arrays.
    fn open(&mut self, pair: Sides<'_, Content>, at: Nodes) -> NextRow {
        let (primary, shadow) = (pair.primary.document.children(at.primary), pair.shadow.document.children(at.shadow));
        let next = if primary == shadow { NextRow::Busy } else { self.differ(pair, Kind::Length, at) };
        self.push_elements(at, primary.min(shadow), None);
        next
    }

    /// Goes to one element of two arrays.
    fn index(&mut self, pair: Sides<'_, Content>, at: Nodes, only: usize, ignored: &mut Ignored) -> NextRow {
        let is_ignored = ignored.enter(Here::Index(only as u32));
        ignored.leave();
        if is_ignored {
            return NextRow::Busy;
        }
        let (primary, shadow) = (&pair.primary.document, &pair.shadow.document);
        let has = |document: &Document, node| document.value(node).tag == Tag::Array && (document.children(node) as usize) > only;
        match (has(primary, at.primary), has(shadow, at.shadow)) {
            (true, true) => {
                self.push_elements(at, primary.children(at.primary).min(shadow.children(at.shadow)), Some(only));
                NextRow::Busy
            }
            (false, false) => NextRow::Busy,
            (one, _) => {
                let mut steps = self.steps(None);
                steps.push(Here::Index(only as u32));
                apart(if one { Kind::Missing } else { Kind::Extra }, Place::of(&steps), (String::new(), String::new()))
            }
        }
    }

    fn push_elements(&mut self, at: Nodes, remaining: u32, only: Option<usize>) {
        let next = Nodes { primary: first_child(at.primary), shadow: first_child(at.shadow) };
        self.frames.push(Frame::Elements { next, remaining, index: 0, only });
    }

    /// Takes up the next element of the innermost arrays.
    fn advance(&mut self, documents: (&Document, &Document), ignored: &mut Ignored) -> NextRow {
        match self.frames.last_mut() {
            None => return NextRow::End,
            Some(Frame::Elements { next, remaining, index, only }) if *remaining > 0 && only.is_none_or(|only| *index as usize <= only) => {
                if *index > 0 {
                    ignored.leave();
                }
                let at = *next;
                *next = Nodes { primary: documents.0.after(at.primary), shadow: documents.1.after(at.shadow) };
                let is_ignored = ignored.enter(Here::Index(*index));
                self.value = (!is_ignored && only.is_none_or(|only| only == *index as usize)).then_some(at);
                *remaining = remaining.saturating_sub(1);
                *index = index.saturating_add(1);
            }
            Some(frame) => {
                if !matches!(frame, Frame::Elements { index: 0, .. }) {
                    ignored.leave();
                }
                self.frames.pop();
            }
        }
        NextRow::Busy
    }

    fn differ(&self, pair: Sides<'_, Content>, kind: Kind, at: Nodes) -> NextRow {
        let values = (shown(&pair.primary.document, Some(at.primary)), shown(&pair.shadow.document, Some(at.shadow)));
        apart(kind, Place::of(&self.steps(None)), values)
    }

    /// Where the walk is, or the given element of the row at hand.
    pub fn steps(&self, element: Option<u64>) -> Vec<Here<'_>> {
        let mut steps = Vec::with_capacity(self.frames.len().saturating_add(2));
        for (depth, frame) in self.frames.iter().enumerate() {
            match (frame, self.path.steps().get(depth)) {
                (Frame::Member, Some(Step::Member(name))) => steps.push(Here::member(name)),
                (Frame::Elements { index, .. }, _) => steps.push(Here::Index(index.saturating_sub(1))),
                _ => {}
            }
        }
        if let (Some(element), true) = (element, self.is_vector) {
            steps.push(Here::Index(element as u32));
        }
        steps
    }
}

/// How many names a search for a member looks at.
fn searched(document: &Document, node: u32) -> usize {
    if document.value(node).tag == Tag::Object { document.children(node).min(MAX_MEMBERS) as usize } else { 0 }
}

/// Which of two values are arrays.
fn arrays(documents: (&Document, &Document), at: Nodes) -> (bool, bool) {
    (documents.0.value(at.primary).tag == Tag::Array, documents.1.value(at.shadow).tag == Tag::Array)
}

fn shape(document: &Document, node: u32) -> Shape {
    match document.value(node).tag {
        Tag::Object => Shape::Object,
        Tag::Array => {
            let length = document.children(node);
            // A scalar takes one node and a container at least two.
            let is_vector = document.after(node).wrapping_sub(first_child(node)) == length;
            if is_vector { Shape::Row { length, is_vector } } else { Shape::Nested }
        }
        _ => Shape::Row { length: 1, is_vector: false },
    }
}
