//! Checks the elements of an output against its datatype and shape, in slices.

use core::task::Poll;

use crate::compare::part::binary::Lengths;
use crate::compare::part::element::is_element;
use crate::compare::part::tensor::{COUNT, Data, Datatype, Tensor};
use crate::fault::Fault;
use crate::json::tape::{Document, first_child};
use crate::json::value::Tag;

/// What looking at a node costs, in bytes touched.
const NODE: usize = 4;

/// A check under way.
#[derive(Debug)]
pub enum ElementsCheck {
    /// Done: size and shape say all.
    Done,
    /// Of a list, flat or nested.
    List(List),
    /// Of `BYTES` in binary form.
    Lengths(Lengths),
}

impl ElementsCheck {
    /// Of a tensor's elements.
    ///
    /// # Errors
    /// If binary data is not as long as shape and datatype say.
    pub fn new(document: &Document, tensor: &Tensor) -> Result<Self, Fault> {
        let elements = tensor.elements();
        match (tensor.data, tensor.datatype.width()) {
            (Data::Json(array), _) => {
                let (at, end) = (first_child(array), document.after(array));
                Ok(ElementsCheck::List(List { at, end, elements, left: elements, datatype: tensor.datatype }))
            }
            (Data::Binary(range), None) => Ok(ElementsCheck::Lengths(Lengths::new(range, elements))),
            (Data::Binary(range), Some(width)) if elements.saturating_mul(width as u64) == range.end.saturating_sub(range.start) as u64 => {
                Ok(ElementsCheck::Done)
            }
            _ => Err("binary_data_size is not what shape and datatype take"),
        }
    }

    /// Checks on for about `budget` bytes. Ready when all is well; `Pending`: the budget was not enough; call again.
    ///
    /// # Errors
    /// What is wrong.
    pub fn step(&mut self, document: &Document, budget: &mut usize) -> Poll<Result<(), Fault>> {
        match self {
            ElementsCheck::Done => Poll::Ready(Ok(())),
            ElementsCheck::List(list) => list.step(document, budget),
            ElementsCheck::Lengths(lengths) => lengths.step(document.body.bytes(), budget),
        }
    }
}

/// Elements in JSON.
#[derive(Debug)]
pub struct List {
    /// The next node, and the one behind the list.
    at: u32,
    end: u32,
    elements: u64,
    /// How many are still to come.
    left: u64,
    datatype: Datatype,
}

impl List {
    fn step(&mut self, document: &Document, budget: &mut usize) -> Poll<Result<(), Fault>> {
        while *budget > 0 {
            self.pass(document, budget)?;
            if self.at >= self.end {
                return Poll::Ready(if self.left == 0 { Ok(()) } else { Err(COUNT) });
            }
            if *budget == 0 {
                break;
            }
            *budget = budget.saturating_sub(NODE);
            match document.value(self.at).tag {
                // An empty list holds no element, so that reading the next one never takes long.
                Tag::Array if document.children(self.at) == 0 && self.elements > 0 => return Poll::Ready(Err(COUNT)),
                Tag::Array => self.at = first_child(self.at),
                _ if is_element(document.value(self.at), self.datatype) => {}
                _ => return Poll::Ready(Err("an element is not of its datatype")),
            }
        }
        Poll::Pending
    }

    /// Passes over elements in a row.
    fn pass(&mut self, document: &Document, budget: &mut usize) -> Result<(), Fault> {
        let room = budget.div_ceil(NODE).min(self.end.saturating_sub(self.at) as usize);
        let nodes = document.tape.run(self.at).iter().take(room);
        let passed = nodes.take_while(|&&node| is_element(document.read(node), self.datatype)).count();
        *budget = budget.saturating_sub(passed.saturating_mul(NODE));
        self.at = self.at.saturating_add(passed as u32);
        self.left = self.left.checked_sub(passed as u64).ok_or(COUNT)?;
        Ok(())
    }
}
