//! Finds the rows of two answers, side by side.
//!
//! A row is a scalar, or a vector of scalars. The path of the task says where rows are. Without a path the protocol does: they are the
//! elements of `predictions` (or `outputs`; KServe V1), the last dimension of tensors (Open Inference Protocol), embeddings and texts (OpenAI). Arrays of
//! arrays are gone through down to their rows, so that a batch of matrices has a row per line. An object is no row: nobody can know which
//! of its members is meant.
//!
//! Both answers are walked together: a row has the same place in both. Where one answer has an array of another length, or no value, that
//! is told before the rows they share. Rows are read from the bodies element by element, and nothing of them is kept. The task decides what
//! is done with them. A value that the operator ignores is no row, and no element of a row; the elements behind it keep their index.

mod ignored;
mod in_document;
mod in_tensors;
pub(super) mod row;

use std::rc::Rc;

use crate::compare::judge::place::Place;
use crate::compare::judge::rows::ignored::{Ignored, IgnoredElements};
use crate::compare::judge::rows::in_document::InDocument;
use crate::compare::judge::rows::in_tensors::InTensors;
use crate::compare::judge::rows::row::{Hand, NextRow, Row, STEP, Unit, apart, named};
use crate::compare::judge::rules::{Here, tolerance_at};
use crate::compare::judgement::{Divergence, Kind};
use crate::compare::part::choice::Choice;
use crate::compare::part::content::{Content, Parts};
use crate::compare::part::cursor::Cursor;
use crate::compare::part::element::Element;
use crate::compare::side::{Side, Sides};
use crate::config::{Compare, Tolerance};
use crate::json::number;
use crate::path::{PathPattern, Step};

/// What it costs to say where two answers have unlike structures.
const APART: usize = 256;

/// The rows of a pair.
#[derive(Debug)]
pub struct Rows {
    source: Source,
    ignored: Ignored,
    hand: Hand,
    /// Whether a row or a difference has been found.
    found: bool,
}

/// Where rows are.
#[derive(Debug)]
enum Source {
    /// Where a path leads to in the documents.
    Document(InDocument),
    /// In tensors.
    Tensors(InTensors),
    /// The content of each choice. With the number of choices that have been looked at.
    Choices(usize),
    /// Nowhere: nobody can know which values are meant.
    Unknown,
}

impl Rows {
    /// The rows at `path`, or where answers like the primary's have them, without what `plan` ignores.
    pub fn new(path: Option<&PathPattern>, unit: Unit, primary: &Parts, plan: &Rc<Compare>) -> Self {
        let source = match (primary, path) {
            (Parts::Tensors(_), path) => Source::Tensors(InTensors::outputs(path, unit)),
            (Parts::Embeddings(_), path) => Source::Tensors(InTensors::embeddings(path)),
            (_, Some(path)) => Source::Document(InDocument::new(path.clone())),
            (&Parts::Predictions { member, is_list }, None) => {
                let steps = [Some(Step::Member(member.to_owned())), is_list.then_some(Step::AnyIndex)];
                Source::Document(InDocument::new(PathPattern::new(steps.into_iter().flatten().collect())))
            }
            (Parts::Choices(_), None) => Source::Choices(0),
            (Parts::Json, None) => Source::Unknown,
        };
        Self { source, ignored: Ignored::new(plan.clone()), hand: Hand::default(), found: false }
    }

    /// Goes on to the next row. Costs at least one byte of the budget.
    pub fn next(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> NextRow {
        *budget = budget.saturating_sub(STEP);
        let (ignored, hand) = (&mut self.ignored, &mut self.hand);
        let next = match (&mut self.source, &pair.primary.parts, &pair.shadow.parts) {
            _ if ignored.everything => NextRow::End,
            (Source::Unknown, ..) => NextRow::Fault(Side::Primary, "give compare.task a path that leads to its rows"),
            (Source::Document(walk), ..) => walk.next(pair, ignored, hand, budget),
            (Source::Tensors(walk), Parts::Tensors(primary), Parts::Tensors(shadow))
            | (Source::Tensors(walk), Parts::Embeddings(primary), Parts::Embeddings(shadow)) => {
                walk.next(pair, (primary, shadow), ignored, hand, budget)
            }
            (Source::Choices(_), _, _) if ignored.elements_at(&[Here::member("choices")]) == IgnoredElements::All => NextRow::End,
            (Source::Choices(at), Parts::Choices(primary), Parts::Choices(shadow)) => {
                if *at == 0 && primary.len() != shadow.len() && !self.found {
                    self.found = true;
                    let values = (primary.len().to_string(), shadow.len().to_string());
                    return apart(Kind::Length, named(&["choices"]), values);
                }
                let next = primary.get(*at).zip(shadow.get(*at));
                *at = at.saturating_add(1);
                next.map_or(NextRow::End, |pair| next_choice(pair, ignored, hand))
            }
            _ => NextRow::Fault(Side::Shadow, "another kind of answer than the primary's"),
        };
        if matches!(next, NextRow::Apart(_)) {
            *budget = budget.saturating_sub(APART);
        }
        self.found |= matches!(next, NextRow::Row | NextRow::Apart(_) | NextRow::NoRow(..));
        match next {
            NextRow::End if !self.found => NextRow::Fault(Side::Primary, "no rows where compare.task looks: see its path"),
            next => next,
        }
    }

    /// The next element of the row at hand that counts, and its index in the row; `None` behind the last one.
    pub fn element<'a>(&mut self, side: Side, pair: Sides<'a, Content>, budget: &mut usize) -> Option<(u64, Element<'a>)> {
        let (row, document) = match side {
            Side::Primary => (self.hand.primary.as_mut()?, &pair.primary.document),
            Side::Shadow => (self.hand.shadow.as_mut()?, &pair.shadow.document),
        };
        loop {
            let index = row.length.saturating_sub(row.left);
            let element = row.next(document, budget)?;
            if self.hand.ignored.binary_search(&index).is_err() {
                return Some((index, element));
            }
        }
    }

    /// How many elements the rows at hand have, ignored ones included.
    pub fn lengths(&self) -> (u64, u64) {
        (self.hand.primary.map_or(0, |row| row.length), self.hand.shadow.map_or(0, |row| row.length))
    }

    /// Whether rows are those of an output of the Open Inference Protocol.
    pub fn are_of_outputs(&self) -> bool {
        matches!(&self.source, Source::Tensors(tensors) if tensors.are_outputs())
    }

    /// A difference between the rows at hand, or between the given element of both.
    pub fn divergence(&self, pair: Sides<'_, Content>, element: Option<u64>, kind: Kind, values: (String, String)) -> Divergence {
        Divergence::new(kind, self.place(pair, element).finish(), values)
    }

    /// The difference between the lengths of the rows at hand, if there is one.
    pub fn unlike_lengths(&self, pair: Sides<'_, Content>, kind: Kind) -> Option<Divergence> {
        let (primary, shadow) = self.lengths();
        (primary != shadow).then(|| self.divergence(pair, None, kind, (primary.to_string(), shadow.to_string())))
    }

    /// The tolerance for numbers of both sides that are the given element of the rows at hand.
    pub fn tolerance(
        &self,
        pair: Sides<'_, Content>,
        at: u64,
        (primary, shadow): (Element<'_>, Element<'_>),
        budget: &mut usize,
    ) -> Tolerance {
        let plan = self.ignored.plan();
        *budget = budget.saturating_sub(plan.tolerances.len().saturating_add(1).saturating_mul(STEP));
        let given = tolerance_at(plan, &steps(&self.source, pair, Some(at)));
        match (&self.source, &self.hand, primary, shadow) {
            (Source::Tensors(_), Hand { primary: Some(primary), shadow: Some(shadow), .. }, ..) => {
                given.or(primary.cursor.datatype.tolerance().or_wider(shadow.cursor.datatype.tolerance()))
            }
            (.., Element::Json(a), Element::Json(b)) => number::tolerance(a, b, given),
            _ => given.or(Tolerance::JSON),
        }
    }

    /// Where the row at hand is, or the given element of it.
    pub fn place(&self, pair: Sides<'_, Content>, element: Option<u64>) -> Place {
        Place::of(&steps(&self.source, pair, element))
    }
}

/// The steps to the row at hand, or to the given element of it.
fn steps<'a>(source: &'a Source, pair: Sides<'_, Content>, element: Option<u64>) -> Vec<Here<'a>> {
    match source {
        Source::Document(walk) => walk.steps(element),
        Source::Tensors(walk) => walk.steps(element),
        Source::Choices(next) => {
            let choice = match &pair.primary.parts {
                Parts::Choices(choices) => choices.get(next.saturating_sub(1)),
                _ => None,
            };
            choice.map(steps_to).unwrap_or_default()
        }
        Source::Unknown => Vec::new(),
    }
}

/// The steps to the content of a choice.
fn steps_to(choice: &Choice) -> Vec<Here<'static>> {
    let names: &[&str] = if choice.is_chat { &["message", "content"] } else { &["text"] };
    let choice = [Here::member("choices"), Here::Index(choice.place)];
    choice.into_iter().chain(names.iter().copied().map(Here::member)).collect()
}

/// The row of a choice of each side.
fn next_choice((primary, shadow): (&Choice, &Choice), ignored: &mut Ignored, hand: &mut Hand) -> NextRow {
    match (ignored.elements_at(&steps_to(primary)), primary.content.as_slice(), shadow.content.as_slice()) {
        (IgnoredElements::All, ..) => NextRow::Busy,
        (_, &[primary], &[shadow]) => {
            hand.take(Row::new(Cursor::of_json(primary), 1), Row::new(Cursor::of_json(shadow), 1), Vec::new());
            NextRow::Row
        }
        (_, &[_], _) => NextRow::NoRow(Side::Shadow, "a choice has no text, or several"),
        _ => NextRow::NoRow(Side::Primary, "a choice has no text, or several"),
    }
}
