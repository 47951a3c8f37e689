//! Tensors, wherever their elements are: in JSON, behind it, in a Protobuf message. Nothing is copied; a [`Cursor`] reads element after
//! element, and [`same`] tells whether two are equal.

pub mod binary;
pub mod same;

use super::base64;
use super::content::Fault;
use super::json::number::{close_doubles, double, equal, single};
use super::json::tape::{Document, Tag, Value, first_child};
use super::json::walk::{Pair, pass_numbers};
use super::open_inference_grpc::contents;
use crate::config::Tolerance;

/// Most outputs of one answer: an output takes far more memory here than it does in the answer.
pub const MAX_OUTPUTS: u32 = 1024;

/// Most dimensions of a tensor: as many as numpy allows.
pub const MAX_DIMENSIONS: usize = 64;

/// Largest dimension, of tensors without elements too: what is larger can't be meant.
pub const MAX_DIMENSION: u64 = u32::MAX as u64;

/// Most bytes of a tensor's name, and of a model's version: they are copied, and the names of all outputs are sorted within one step.
pub const MAX_NAME: usize = 256;

/// The fault of a tensor that does not hold what its shape says.
pub const COUNT: Fault = "the shape does not multiply to the number of elements";

/// Datatypes of the Open Inference Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its name in the protocol")]
pub enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    Bytes,
}

impl Datatype {
    const ALL: [(&str, Datatype); 14] = [
        ("BOOL", Datatype::Bool),
        ("UINT8", Datatype::Uint8),
        ("UINT16", Datatype::Uint16),
        ("UINT32", Datatype::Uint32),
        ("UINT64", Datatype::Uint64),
        ("INT8", Datatype::Int8),
        ("INT16", Datatype::Int16),
        ("INT32", Datatype::Int32),
        ("INT64", Datatype::Int64),
        ("FP16", Datatype::Fp16),
        ("BF16", Datatype::Bf16),
        ("FP32", Datatype::Fp32),
        ("FP64", Datatype::Fp64),
        ("BYTES", Datatype::Bytes),
    ];

    /// The datatype that the protocol calls `name`.
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, datatype)| *datatype)
    }

    /// Its name in the protocol.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// Bytes of one element in binary form; `None` for `BYTES`, whose elements bring their own length.
    pub fn width(self) -> Option<usize> {
        match self {
            Datatype::Bool | Datatype::Uint8 | Datatype::Int8 => Some(1),
            Datatype::Uint16 | Datatype::Int16 | Datatype::Fp16 | Datatype::Bf16 => Some(2),
            Datatype::Uint32 | Datatype::Int32 | Datatype::Fp32 => Some(4),
            Datatype::Uint64 | Datatype::Int64 | Datatype::Fp64 => Some(8),
            Datatype::Bytes => None,
        }
    }

    /// Whether it holds floating-point numbers.
    pub fn is_float(self) -> bool {
        matches!(self, Datatype::Fp16 | Datatype::Bf16 | Datatype::Fp32 | Datatype::Fp64)
    }

    /// Whether it holds numbers.
    pub fn is_number(self) -> bool {
        !matches!(self, Datatype::Bool | Datatype::Bytes)
    }

    /// The tolerance for its numbers where none is given. FP16 has 11 significant bits and BF16 has 8, so rounding alone makes more of a
    /// difference; whole numbers are labels, ids and counts.
    pub fn tolerance(self) -> Tolerance {
        match self {
            Datatype::Fp32 | Datatype::Fp64 => Tolerance::JSON,
            Datatype::Fp16 => Tolerance { absolute: 1e-3, relative: 5e-3 },
            Datatype::Bf16 => Tolerance { absolute: 1e-2, relative: 2e-2 },
            _ => Tolerance { absolute: 0.0, relative: 0.0 },
        }
    }
}

/// A piece of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset behind its last byte, never before `start`.
    pub end: usize,
}

impl Range {
    /// Its bytes; none if it is not within `body`.
    pub fn of(self, body: &[u8]) -> &[u8] {
        body.get(self.start..self.end).unwrap_or_default()
    }
}

/// Where the elements of a tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// In a JSON array, flat or nested: its node.
    Json(u32),
    /// In binary form, row after row, little-endian; `BYTES` with four bytes of length before each element.
    Binary(Range),
    /// In an `InferTensorContents` message, in the field of the tensor's datatype.
    Contents(Range),
    /// Little-endian FP32 in base64, as OpenAI's embeddings.
    Base64(Range),
}

/// A tensor that has been checked: it has as many elements as its shape says, all of its datatype.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// What its elements are.
    pub datatype: Datatype,
    /// Its dimensions; their product is the number of elements.
    pub shape: Vec<u64>,
    /// Its elements.
    pub data: Data,
    /// Its place among the outputs of its answer, for paths.
    pub place: u32,
}

impl Tensor {
    /// How many elements it has.
    pub fn elements(&self) -> u64 {
        self.shape.iter().fold(1, |product: u64, dimension| product.saturating_mul(*dimension))
    }

    /// Elements of one row: those of the last dimension if there are several, otherwise one.
    pub fn row(&self) -> u64 {
        match self.shape.as_slice() {
            [_, .., last] => *last,
            _ => 1,
        }
    }

    /// The same tensor; one without elements has them nowhere, rather than in lists of empty lists that would have to be searched.
    pub fn without_empty_lists(self) -> Self {
        let data = if self.elements() == 0 { Data::Binary(Range { start: 0, end: 0 }) } else { self.data };
        Self { data, ..self }
    }

    /// At its first element.
    pub fn cursor(&self) -> Cursor {
        let at = match self.data {
            Data::Json(array) => array as usize,
            Data::Binary(range) | Data::Contents(range) => range.start,
            Data::Base64(_) => 0,
        };
        Cursor { data: self.data, datatype: self.datatype, at }
    }
}

/// One element of a tensor, or one scalar of a document.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// A number, string, boolean or null of a JSON text.
    Json(Value<'a>),
    /// A number of a JSON text that stands for an FP32: to be rounded to one, so that it equals the same number in binary form. (FP16 and
    /// BF16 have no JSON form in the protocol; servers that write one all the same are read as they write.)
    Single(Value<'a>),
    /// A floating-point number in binary form.
    Float(f64),
    /// A whole number in binary form.
    Integer(i128),
    /// A boolean in binary form.
    Bool(bool),
    /// An element of `BYTES` in binary form.
    Bytes(&'a [u8]),
}

impl Element<'_> {
    /// Its value as a number, if it is one.
    pub fn number(self) -> Option<f64> {
        match self {
            Element::Json(value) if value.tag.is_number() => Some(double(value)),
            Element::Single(value) => Some(single(value)),
            Element::Float(number) => Some(number),
            #[expect(clippy::cast_precision_loss, reason = "as in every reader of doubles")]
            Element::Integer(number) => Some(number as f64),
            _ => None,
        }
    }
}

/// A place among the elements of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    data: Data,
    datatype: Datatype,
    /// A node, or an offset into the body, or for base64 how many elements are behind.
    at: usize,
}

impl Cursor {
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
            Data::Contents(ref mut rest) => contents::next(document.body.bytes(), rest, &mut self.at, self.datatype).unwrap_or_default(),
            Data::Base64(range) => {
                let element = base64::element(range.of(document.body.bytes()), self.at)?;
                self.at = self.at.wrapping_add(1);
                Some(Element::Float(f64::from(element)))
            }
        }
    }

    /// Moves two cursors over elements that are plainly equal, at most `most`, where both are in the same form; how many. It may stop early.
    pub fn pass_equal(pair: Pair<'_>, cursors: (&mut Self, &mut Self), most: u32, tolerance: Tolerance, budget: &mut usize) -> u32 {
        let (a, b) = cursors;
        match (a.data, b.data, a.datatype.width()) {
            (Data::Json(_), Data::Json(_), _) => {
                let from = (a.at as u32, b.at as u32);
                let passed = match (a.datatype, b.datatype) {
                    (Datatype::Fp32, Datatype::Fp32) => {
                        pass_numbers(pair, from, most, |a, b| a.text == b.text || close_doubles(single(a), single(b), tolerance), budget)
                    }
                    (Datatype::Fp32, _) | (_, Datatype::Fp32) => 0,
                    _ => pass_numbers(pair, from, most, |a, b| equal(a, b, tolerance), budget),
                };
                a.at = a.at.saturating_add(passed as usize);
                b.at = b.at.saturating_add(passed as usize);
                passed
            }
            (Data::Binary(primary), Data::Binary(shadow), Some(width)) if a.datatype == b.datatype => {
                let room = budget.checked_div(width.saturating_mul(2)).unwrap_or(0).min(most as usize).saturating_mul(width);
                let piece = |at: usize, range: Range| Range { start: at, end: at.saturating_add(room).min(range.end) };
                let primary = piece(a.at, primary).of(pair.primary.body.bytes());
                let shadow = piece(b.at, shadow).of(pair.shadow.body.bytes());
                let passed = binary::pass(primary, shadow, a.datatype, tolerance);
                let bytes = passed.saturating_mul(width);
                a.at = a.at.saturating_add(bytes);
                b.at = b.at.saturating_add(bytes);
                *budget = budget.saturating_sub(bytes.saturating_mul(2));
                passed as u32
            }
            _ => 0,
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

/// The name and index of each tensor of one answer, in the order of their names.
pub fn by_name(tensors: &[Tensor]) -> Vec<(&str, usize)> {
    let mut names: Vec<(&str, usize)> = tensors.iter().enumerate().map(|(at, tensor)| (tensor.name.as_str(), at)).collect();
    // By one comparison of names where `<` has two.
    names.sort_unstable_by(Ord::cmp);
    names
}

/// Whether two tensors of one answer have the same name.
pub fn share_a_name(tensors: &[Tensor]) -> bool {
    by_name(tensors).array_windows().any(|[(a, _), (b, _)]| a == b)
}

/// Whether `value` can be an element of `datatype` in JSON. Python servers write `NaN`, and what is missing among strings, as `null`.
pub fn is_element(value: Value<'_>, datatype: Datatype) -> bool {
    match datatype {
        Datatype::Bool => matches!(value.tag, Tag::True | Tag::False),
        Datatype::Bytes => matches!(value.tag, Tag::Plain | Tag::Escaped | Tag::Null),
        _ if datatype.is_float() => value.tag.is_number() || value.tag == Tag::Null,
        _ => value.tag.is_number(),
    }
}
