//! Finds the rows of two lists of tensors.
//!
//! Outputs find their partner by name, embeddings by their place. Paths of tensors are `outputs[i].data[j]` with the flat index `j`,
//! whatever the shape and the encoding; `outputs[i]` and `outputs[i].data` mean all rows of an output. The row of a tensor of several
//! dimensions is its last one. In evidence a row of several elements is where its first element is.

use std::collections::VecDeque;

use crate::compare::answer::IMPOSSIBLE;
use crate::compare::judge::place::excerpt;
use crate::compare::judge::rows::ignored::{Ignored, IgnoredElements};
use crate::compare::judge::rows::row::{Hand, NextRow, Row, STEP, Unit, apart, named};
use crate::compare::judge::rules::Here;
use crate::compare::judgement::Kind;
use crate::compare::part::content::Content;
use crate::compare::part::cursor::Cursor;
use crate::compare::part::tensor::{Datatype, Tensor, by_name};
use crate::compare::side::{Side, Sides};
use crate::fault::Fault;
use crate::path::{PathPattern, Step};

/// Which rows of an output are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// The rows of the shape.
    Rows,
    /// All elements are one row.
    Whole,
    /// Each element is a row.
    Elements,
    /// One element is the only row.
    Element(u64),
}

/// Which outputs are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// Those that are likely to hold what a task looks at.
    Likely(Unit),
    /// One output, by its place.
    At(usize),
    /// All.
    All,
}

/// What the list of tensors and the elements of one are called in paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Names {
    list: &'static str,
    data: &'static str,
}

const OUTPUTS: Names = Names { list: "outputs", data: "data" };
const EMBEDDINGS: Names = Names { list: "data", data: "embedding" };

/// An output of both sides that is being gone through.
#[derive(Debug)]
struct Open {
    place: u32,
    /// Flat indices of the primary's: of the row at hand, and of the next one.
    here: u64,
    next: u64,
    /// Rows that are still to come.
    rows: u64,
    /// Rows to pass over before.
    skip: u64,
    /// How many elements a row of each side has.
    lengths: (u64, u64),
    /// Flat indices of elements that are ignored, in order.
    ignored: Vec<u64>,
    /// Whether the last row has been passed.
    is_over: bool,
}

impl Open {
    /// What is ignored of the row at hand, as indices in it.
    fn ignored(&self) -> Vec<u64> {
        let begin = self.ignored.partition_point(|index| *index < self.here);
        let rest = self.ignored.get(begin..).unwrap_or_default();
        let longest = self.lengths.0.max(self.lengths.1);
        rest.iter().map(|index| index.saturating_sub(self.here)).take_while(|index| *index < longest).collect()
    }

    /// Goes on to the next row of the two tensors, which it leaves in `hand`.
    fn next_row(&mut self, pair: Sides<'_, Content>, hand: &mut Hand, budget: &mut usize) -> NextRow {
        let (Some(primary), Some(shadow)) = (&mut hand.primary, &mut hand.shadow) else {
            return NextRow::Fault(Side::Primary, IMPOSSIBLE);
        };
        // What is left of the rows before.
        while primary.left > 0 || shadow.left > 0 {
            primary.next(&pair.primary.document, budget);
            shadow.next(&pair.shadow.document, budget);
            if *budget == 0 {
                return NextRow::Busy;
            }
        }
        if self.rows == 0 {
            self.is_over = true;
            return NextRow::Busy;
        }
        let rows = (Row::new(primary.cursor, self.lengths.0), Row::new(shadow.cursor, self.lengths.1));
        self.here = self.next;
        self.next = self.next.saturating_add(self.lengths.0);
        self.rows = self.rows.saturating_sub(1);
        let counts = hand.take(rows.0, rows.1, self.ignored());
        if self.skip > 0 {
            self.skip = self.skip.saturating_sub(1);
            return NextRow::Busy;
        }
        if counts { NextRow::Row } else { NextRow::Busy }
    }
}

/// The rows of tensors.
#[derive(Debug)]
pub struct InTensors {
    names: Names,
    /// Which rows of which tensors are meant. A fault: the path leads elsewhere.
    meant: Result<(Which, Within), Fault>,
    /// How a tensor of a single dimension is cut up where nothing else is said.
    unit: Unit,
    /// Places of tensors among the primary's that are still to come; `None` before they are chosen.
    waiting: Option<VecDeque<usize>>,
    open: Option<Open>,
}

impl InTensors {
    /// The outputs that `path` leads to, or that are likely to hold what a task looks at.
    pub fn outputs(path: Option<&PathPattern>, unit: Unit) -> Self {
        let no_output = "the path of compare.task leads to no output: write outputs[0], outputs[0].data or outputs[0].data[*]";
        Self::new(OUTPUTS, path.map_or(Ok((Which::Likely(unit), Within::Rows)), |path| meant(path, OUTPUTS).ok_or(no_output)), unit)
    }

    /// The embeddings that `path` leads to, or all.
    pub fn embeddings(path: Option<&PathPattern>) -> Self {
        let no_vector = "the path of compare.task leads to no embedding: write data[*].embedding";
        Self::new(EMBEDDINGS, path.map_or(Ok((Which::All, Within::Rows)), |path| meant(path, EMBEDDINGS).ok_or(no_vector)), Unit::Vector)
    }

    fn new(names: Names, meant: Result<(Which, Within), Fault>, unit: Unit) -> Self {
        Self { names, meant, unit, waiting: None, open: None }
    }

    /// Whether they are outputs of the Open Inference Protocol.
    pub fn are_outputs(&self) -> bool {
        self.names == OUTPUTS
    }

    /// Goes on to the next rows, which it leaves in `hand`. The place of `ignored` is the root.
    pub fn next(
        &mut self,
        pair: Sides<'_, Content>,
        tensors: (&[Tensor], &[Tensor]),
        ignored: &mut Ignored,
        hand: &mut Hand,
        budget: &mut usize,
    ) -> NextRow {
        let (which, within) = match self.meant {
            Ok(meant) => meant,
            Err(fault) => return NextRow::Fault(Side::Primary, fault),
        };
        let Some(waiting) = &mut self.waiting else {
            *budget = budget.saturating_sub(tensors.0.len().saturating_mul(STEP));
            let none = ignored.elements_at(&[Here::member(self.names.list)]) == IgnoredElements::All;
            self.waiting = Some(if none { VecDeque::new() } else { chosen(which, tensors.0) });
            if !none && !self.are_outputs() && tensors.0.len() != tensors.1.len() {
                return apart(Kind::Length, named(&[self.names.list]), (tensors.0.len().to_string(), tensors.1.len().to_string()));
            }
            return NextRow::Busy;
        };
        if let Some(open) = &mut self.open {
            let row = open.next_row(pair, hand, budget);
            if open.is_over {
                self.open = None;
            }
            return row;
        }
        let Some(at) = waiting.pop_front() else { return NextRow::End };
        let Some(primary) = tensors.0.get(at) else { return NextRow::Fault(Side::Primary, IMPOSSIBLE) };
        let output = [Here::member(self.names.list), Here::Index(primary.place)];
        if ignored.elements_at(&output) == IgnoredElements::All {
            return NextRow::Busy;
        }
        *budget = budget.saturating_sub(tensors.1.len().saturating_mul(STEP));
        let partner = if self.are_outputs() { tensors.1.iter().find(|tensor| tensor.name == primary.name) } else { tensors.1.get(at) };
        match partner {
            Some(shadow) => {
                let [list, index] = output;
                match ignored.elements_at(&[list, index, Here::member(self.names.data)]) {
                    IgnoredElements::All => NextRow::Busy,
                    IgnoredElements::At(elements) => self.open((primary, shadow), within, elements, hand),
                }
            }
            // That one side has fewer embeddings was said before.
            None if !self.are_outputs() => NextRow::Busy,
            None => {
                let mut place = named(&[self.names.list]);
                place.push(Here::Index(primary.place));
                apart(Kind::Missing, place, (excerpt(primary.name.as_bytes()), String::new()))
            }
        }
    }

    /// Takes up a tensor of each side.
    fn open(&mut self, (primary, shadow): (&Tensor, &Tensor), within: Within, ignored: Vec<u64>, hand: &mut Hand) -> NextRow {
        let counts = (primary.elements(), shadow.elements());
        let within = if within == Within::Rows && self.unit == Unit::Vector && primary.shape.len() <= 1 { Within::Whole } else { within };
        let lengths = match within {
            Within::Rows => (primary.row(), shadow.row()),
            Within::Whole => counts,
            Within::Elements | Within::Element(_) => (1, 1),
        };
        let of = |count: u64, length: u64| count.checked_div(length).unwrap_or(0);
        let there = (of(counts.0, lengths.0), of(counts.1, lengths.1));
        let mut place = named(&[self.names.list]);
        place.push(Here::Index(primary.place));
        place.push(Here::member(self.names.data));
        let (taken, skip) = match within {
            Within::Element(index) => (index.saturating_add(1), index),
            _ => (there.0.min(there.1), 0),
        };
        let fits = (taken <= there.0, taken <= there.1);
        let next = match within {
            Within::Element(index) if ignored.binary_search(&index).is_ok() => return NextRow::Busy,
            Within::Element(index) if fits.0 != fits.1 => {
                place.push(Here::Index(index as u32));
                apart(if fits.0 { Kind::Missing } else { Kind::Extra }, place, (String::new(), String::new()))
            }
            Within::Element(_) => NextRow::Busy,
            _ if there.0 != there.1 => apart(Kind::Length, place, (there.0.to_string(), there.1.to_string())),
            _ => NextRow::Busy,
        };
        if fits == (true, true) {
            hand.take(Row::new(Cursor::new(primary), 0), Row::new(Cursor::new(shadow), 0), Vec::new());
            self.open = Some(Open { place: primary.place, here: 0, next: 0, rows: taken, skip, lengths, ignored, is_over: false });
        }
        next
    }

    /// Where the row at hand is, or the given element of it.
    pub fn steps(&self, element: Option<u64>) -> Vec<Here<'_>> {
        let mut steps = vec![Here::member(self.names.list)];
        if let Some(open) = &self.open {
            steps.extend([Here::Index(open.place), Here::member(self.names.data)]);
            if self.are_outputs() || element.is_some() {
                steps.push(Here::Index(open.here.saturating_add(element.unwrap_or(0)) as u32));
            }
        }
        steps
    }
}

/// What a path means, if it leads to tensors that are called so.
fn meant(path: &PathPattern, names: Names) -> Option<(Which, Within)> {
    let is = |step: &Step, name: &str| matches!(step, Step::Member(member) if member == name);
    let (list, tensor, rest) = match path.steps() {
        [list, tensor, rest @ ..] => (list, tensor, rest),
        _ => return None,
    };
    let which = match tensor {
        Step::AnyIndex => Which::All,
        Step::Index(at) => Which::At(*at),
        Step::Member(_) => return None,
    };
    let within = match rest {
        [] => Within::Rows,
        [data] if is(data, names.data) => Within::Rows,
        [data, Step::AnyIndex] if is(data, names.data) => Within::Elements,
        [data, Step::Index(at)] if is(data, names.data) => Within::Element(*at as u64),
        _ => return None,
    };
    is(list, names.list).then_some((which, within))
}

/// The tensors that are meant, those of a lesser name first, so that the order of outputs does not matter.
fn chosen(which: Which, tensors: &[Tensor]) -> VecDeque<usize> {
    let named = by_name(tensors).into_iter().filter_map(|(_, at)| Some((at, tensors.get(at)?)));
    let at = |(at, _)| at;
    match which {
        Which::All => named.map(at).collect(),
        Which::At(place) => named.filter(|(_, tensor)| tensor.place as usize == place).map(at).collect(),
        Which::Likely(Unit::Vector) => named.filter(|(_, tensor)| tensor.datatype.is_float()).map(at).collect(),
        Which::Likely(Unit::Label) => named.min_by_key(|(_, tensor)| unlikeliness(tensor)).map(at).into_iter().collect(),
    }
}

/// How unlikely a tensor is to hold labels: least of all one of words, truths or whole numbers, then one of scores for each class; single
/// numbers are labels only where they happen to be whole.
fn unlikeliness(tensor: &Tensor) -> u8 {
    match (tensor.datatype, tensor.row()) {
        (Datatype::Bytes, _) => 0,
        (datatype, 1) if !datatype.is_float() => 0,
        (_, 1) => 2,
        _ => 1,
    }
}
