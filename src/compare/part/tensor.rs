//! Tensors, wherever their elements are: in JSON, behind it, in a Protobuf message. Nothing is copied: a tensor says where its elements
//! are, and a [`super::cursor::Cursor`] reads one after the other.

use crate::config::Tolerance;
use crate::fault::Fault;

/// Most outputs of one answer: an output takes far more memory here than it does in the answer.
pub const MAX_OUTPUTS: u32 = 1024;

/// Most dimensions of a tensor: as many as numpy allows.
pub const MAX_DIMENSIONS: usize = 64;

/// Largest dimension, also of tensors without elements: no model means a larger one.
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
    /// All of them, each with its name in the protocol.
    pub const ALL: [(&str, Datatype); 14] = [
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
