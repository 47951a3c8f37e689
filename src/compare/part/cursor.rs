//! Reads the elements of a tensor one after the other, wherever they are. Nothing is copied.

use crate::compare::part::element::Element;
use crate::compare::part::tensor::{Data, Datatype, Range, Tensor};
use crate::compare::part::{base64, binary, typed_contents};
use crate::json::tape::{Document, first_child};

/// A place among the elements of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    /// Where the elements are.
    pub data: Data,
    /// What they are.
    pub datatype: Datatype,
    /// Where the next element is: a node of JSON, an offset into the body, or in base64 its index.
    pub at: usize,
}

impl Cursor {
    /// At the first element of a tensor.
    pub fn new(tensor: &Tensor) -> Self {
        let at = match tensor.data {
            Data::Json(array) => array as usize,
            Data::Binary(range) | Data::Contents(range) => range.start,
            Data::Base64(_) => 0,
        };
        Self { data: tensor.data, datatype: tensor.datatype, at }
    }

    /// At the first scalar of the JSON value at `node`, which may be a scalar itself.
    pub fn of_json(node: u32) -> Self {
        Self { data: Data::Json(node), datatype: Datatype::Fp64, at: node as usize }
    }

    /// The next element; `None` behind the last one.
    #[inline]
    pub fn next<'a>(&mut self, document: &'a Document) -> Option<Element<'a>> {
        match self.data {
            Data::Json(array) => self.next_scalar(document, array),
            Data::Binary(range) => self.next_binary(document, range),
            Data::Contents(ref mut rest) => {
                typed_contents::next(document.body.bytes(), rest, &mut self.at, self.datatype).unwrap_or_default()
            }
            Data::Base64(range) => {
                let element = base64::element(range.of(document.body.bytes()), self.at)?;
                self.at = self.at.wrapping_add(1);
                Some(Element::Float(f64::from(element)))
            }
        }
    }

    fn next_scalar<'a>(&mut self, document: &'a Document, array: u32) -> Option<Element<'a>> {
        let end = document.after(array) as usize;
        while self.at < end {
            let node = self.at as u32;
            let value = document.value(node);
            if !value.tag.is_container() {
                self.at = document.after(node) as usize;
                let is_single = self.datatype == Datatype::Fp32 && value.tag.is_number();
                return Some(if is_single { Element::Single(value) } else { Element::Json(value) });
            }
            self.at = first_child(node) as usize;
        }
        None
    }

    fn next_binary<'a>(&mut self, document: &'a Document, range: Range) -> Option<Element<'a>> {
        let (element, end) = binary::element(document.body.bytes().get(..range.end)?, self.at, self.datatype)?;
        self.at = end;
        Some(element)
    }
}
