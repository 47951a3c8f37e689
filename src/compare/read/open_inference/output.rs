//! Reads what an output says of itself: name, datatype, shape, and where its elements are.

use crate::compare::part::leftover::{Leftovers, Spot, Unknown, is_filled};
use crate::compare::part::tensor::{Data, Datatype, MAX_DIMENSION, MAX_DIMENSIONS, MAX_NAME, Range, Tensor};
use crate::fault::Fault;
use crate::json::tape::{Document, first_child};
use crate::json::text;
use crate::json::value::{Tag, Value};
use crate::path::Step;

/// The binary data behind the JSON, given out piece by piece.
#[derive(Debug)]
pub struct Blobs {
    at: usize,
    end: usize,
}

impl Blobs {
    /// Behind `at` bytes of a body of `end`.
    pub fn new(at: usize, end: usize) -> Self {
        Self { at, end }
    }

    fn take(&mut self, size: usize) -> Result<Range, Fault> {
        let end = self.at.checked_add(size).filter(|end| *end <= self.end).ok_or("binary_data_size goes beyond the body")?;
        let range = Range { start: self.at, end };
        self.at = end;
        Ok(range)
    }

    /// Makes sure that all of it was given out.
    pub fn finish(&self) -> Result<(), Fault> {
        if self.at == self.end { Ok(()) } else { Err("more binary data than binary_data_size says") }
    }
}

/// Reads the output at `node`, the `place`-th of its answer. Its elements are not looked at.
///
/// # Errors
/// What it lacks, or what is wrong with it.
pub fn read(document: &Document, node: u32, place: u32, blobs: &mut Blobs) -> Result<Tensor, Fault> {
    if document.value(node).tag != Tag::Object {
        return Err("an output is no object");
    }
    let name = member(document, node, "name").ok_or("an output has no name")?;
    let name = text::read(name, MAX_NAME).ok_or("an output's name is no string, or too long")?;
    let datatype = member(document, node, "datatype").ok_or("an output has no datatype")?;
    let datatype = text::read(datatype, MAX_NAME).and_then(|name| Datatype::parse(name.as_bytes())).ok_or("an unknown datatype")?;
    let shape = shape(document, document.member(node, "shape").ok_or("an output has no shape")?)?;
    let data = data(document, node, blobs)?;
    Ok(Tensor { name, datatype, shape, data, place })
}

/// Takes in what the output at `node`, the `place`-th of its answer, has beside what [`read`] reads.
pub fn leftovers(document: &Document, node: u32, place: u32, leftovers: &mut Leftovers) {
    let parameters = [Step::Member("parameters".to_owned())];
    let spot = |path| Spot { item: place, path, part: None };
    leftovers.members(document, node, spot(&[]), &["name", "datatype", "shape", "data", "parameters"]);
    match document.member(node, "parameters") {
        Some(node) if document.value(node).tag == Tag::Object => {
            leftovers.members(document, node, spot(&parameters), &["binary_data_size"])
        }
        Some(node) if is_filled(document, node) => leftovers.push(spot(&parameters), None, Unknown::Node(node)),
        _ => {}
    }
}

fn member<'a>(document: &'a Document, object: u32, name: &str) -> Option<Value<'a>> {
    document.member(object, name).map(|node| document.value(node))
}

fn shape(document: &Document, node: u32) -> Result<Vec<u64>, Fault> {
    if document.value(node).tag != Tag::Array {
        return Err("an output's shape is no list");
    }
    let count = document.children(node) as usize;
    if count > MAX_DIMENSIONS {
        return Err("an output has too many dimensions");
    }
    let mut shape = Vec::with_capacity(count);
    let mut at = first_child(node);
    for _ in 0..count {
        shape.push(dimension(document.value(at))?);
        at = document.after(at);
    }
    Ok(shape)
}

fn dimension(value: Value<'_>) -> Result<u64, Fault> {
    match whole(value).ok_or("a dimension is no whole number from 0 up")? {
        dimension if dimension > MAX_DIMENSION => Err("a dimension is absurdly large"),
        dimension => Ok(dimension),
    }
}

/// A whole number from 0 up; one that is too large for its type is the largest of it.
fn whole(value: Value<'_>) -> Option<u64> {
    let is_whole = value.tag == Tag::Integer && value.text.iter().all(u8::is_ascii_digit);
    // No `u64` has more than 20 digits.
    let digits = if value.text.len() > 20 { None } else { core::str::from_utf8(value.text).ok() };
    is_whole.then(|| digits.and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX))
}

/// Where the elements are.
fn data(document: &Document, node: u32, blobs: &mut Blobs) -> Result<Data, Fault> {
    let parameters = document.member(node, "parameters");
    let size = parameters.and_then(|parameters| member(document, parameters, "binary_data_size"));
    match (document.member(node, "data"), size) {
        (Some(_), Some(_)) => Err("an output has both data and binary_data_size"),
        (None, None) => Err("an output has no data"),
        (Some(list), None) if document.value(list).tag == Tag::Array => Ok(Data::Json(list)),
        (Some(_), None) => Err("an output's data is no list"),
        (None, Some(size)) => {
            let size = whole(size).ok_or("binary_data_size is no whole number from 0 up")?;
            blobs.take(usize::try_from(size).unwrap_or(usize::MAX)).map(Data::Binary)
        }
    }
}
