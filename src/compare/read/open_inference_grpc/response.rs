//! `ModelInferResponse`, checked: every tensor has the elements that its shape and datatype ask for.
//!
//! Unknown fields, and known ones of another wire type, are passed over, as Google's readers do. Where a single field comes several times
//! the last one counts. Two things are refused that those readers take, because no writer makes them: typed contents of one tensor in
//! several messages, which would be merged, and tensors that go over the bounds.

use core::str;
use core::task::{Poll, ready};

use crate::compare::part::leftover::{Leftovers, Spot, Unknown};
use crate::compare::part::tensor::{Data, Datatype, MAX_DIMENSION, MAX_DIMENSIONS, MAX_NAME, MAX_OUTPUTS, Range, Tensor, share_a_name};
use crate::compare::read::open_inference_grpc::check::{FIELD, TensorCheck};
use crate::fault::Fault;
use crate::path::Step;
use crate::protobuf::{Field, Fields, Value, varint};

/// What an answer says.
#[derive(Debug)]
pub struct Response {
    /// The version of the model that gave it, if it names one.
    pub model_version: Option<String>,
    /// Its tensors, in the order in which they came.
    pub outputs: Vec<Tensor>,
    /// What was left unread of them.
    pub leftovers: Leftovers,
}

/// Reads one answer.
#[derive(Debug)]
pub struct ResponseReader {
    /// Where the version of the model is.
    model_version: Range,
    /// Where the outputs are.
    outputs: Vec<Range>,
    /// Where the raw contents are: of all outputs, or none.
    raw: Vec<Range>,
    /// The outputs that have been read.
    tensors: Vec<Tensor>,
    leftovers: Leftovers,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The fields of the answer are being read.
    Response(Fields),
    /// Those of the next output.
    Output(Fields, Output),
    /// What that output holds is being checked.
    Check(TensorCheck),
}

impl ResponseReader {
    /// Of the message from `start` to `end`.
    pub fn new(start: usize, end: usize) -> Self {
        let stage = Stage::Response(Fields { at: start, end });
        let (outputs, raw, tensors, leftovers) = (Vec::new(), Vec::new(), Vec::new(), Leftovers::default());
        Self { model_version: Range { start: 0, end: 0 }, outputs, raw, tensors, leftovers, stage }
    }

    /// Reads on for about `budget` bytes of `body`, the same at every call, which holds the message. `Pending`: the budget was not enough;
    /// call again.
    ///
    /// # Errors
    /// What is wrong with the message.
    pub fn step(&mut self, body: &[u8], budget: &mut usize) -> Poll<Result<Response, Fault>> {
        while *budget > 0 {
            if self.turn(body, budget)?.is_ready() {
                if share_a_name(&self.tensors) {
                    return Poll::Ready(Err("two outputs have the same name"));
                }
                let version = text(body, self.model_version)?;
                let model_version = (!version.is_empty()).then(|| version.to_owned());
                let (outputs, leftovers) = (core::mem::take(&mut self.tensors), core::mem::take(&mut self.leftovers));
                return Poll::Ready(Ok(Response { model_version, outputs, leftovers }));
            }
        }
        Poll::Pending
    }

    /// Does a little. Ready once all is read.
    fn turn(&mut self, body: &[u8], budget: &mut usize) -> Poll<Result<(), Fault>> {
        let index = self.tensors.len();
        match &mut self.stage {
            Stage::Response(fields) => {
                *budget = budget.saturating_sub(FIELD);
                if let Some(field) = fields.next(body)? {
                    self.take(field)?;
                    return Poll::Pending;
                }
                if !self.raw.is_empty() && self.raw.len() != self.outputs.len() {
                    return Poll::Ready(Err("not as many raw contents as outputs"));
                }
            }
            Stage::Output(fields, output) => {
                *budget = budget.saturating_sub(FIELD);
                let start = fields.at;
                match fields.next(body)? {
                    Some(Field { number: PARAMETERS, value: Value::Bytes(entry) }) => {
                        parameter(body, Range { start: entry.start, end: entry.end }, index, &mut self.leftovers)?;
                    }
                    Some(Field { number, .. }) if number > CONTENTS => {
                        let (name, value) = (Step::Member(number.to_string()), Range { start, end: fields.at });
                        self.leftovers.push(spot(index, &[]), Some(name), Unknown::Bytes(value));
                    }
                    Some(field) => output.take(body, field)?,
                    None => self.stage = Stage::Check(TensorCheck::new(output.tensor(body, self.raw.get(index).copied(), index)?)),
                }
                return Poll::Pending;
            }
            Stage::Check(check) => self.tensors.push(ready!(check.step(body, budget))?),
        }
        let Some(output) = self.outputs.get(self.tensors.len()) else { return Poll::Ready(Ok(())) };
        self.stage = Stage::Output(Fields { at: output.start, end: output.end }, Output::default());
        Poll::Pending
    }

    /// Takes in a field of the answer.
    fn take(&mut self, field: Field) -> Result<(), Fault> {
        let Value::Bytes(place) = field.value else { return Ok(()) };
        let place = Range { start: place.start, end: place.end };
        let list = match field.number {
            MODEL_VERSION => {
                self.model_version = place;
                return Ok(());
            }
            OUTPUTS => &mut self.outputs,
            RAW_OUTPUT_CONTENTS => &mut self.raw,
            _ => return Ok(()),
        };
        if list.len() >= MAX_OUTPUTS as usize {
            return Err("more outputs than are compared");
        }
        list.push(place);
        Ok(())
    }
}

// Fields of `ModelInferResponse`.
const MODEL_VERSION: u32 = 2;
const OUTPUTS: u32 = 5;
const RAW_OUTPUT_CONTENTS: u32 = 6;

// Fields of `InferOutputTensor`.
const NAME: u32 = 1;
const DATATYPE: u32 = 2;
const SHAPE: u32 = 3;
const PARAMETERS: u32 = 4;
const CONTENTS: u32 = 5;

/// What an `InferOutputTensor` says.
#[derive(Debug)]
struct Output {
    name: Range,
    datatype: Range,
    shape: Vec<u64>,
    /// Its typed contents; nothing where there are none.
    contents: Range,
}

impl Default for Output {
    fn default() -> Self {
        let nothing = Range { start: 0, end: 0 };
        Self { name: nothing, datatype: nothing, shape: Vec::new(), contents: nothing }
    }
}

impl Output {
    /// Takes in a field of it.
    fn take(&mut self, body: &[u8], field: Field) -> Result<(), Fault> {
        let place = match (field.number, field.value) {
            (SHAPE, Value::Varint(dimension)) => return self.dimension(dimension),
            (_, Value::Bytes(place)) => Range { start: place.start, end: place.end },
            _ => return Ok(()),
        };
        match field.number {
            NAME => self.name = place,
            DATATYPE => self.datatype = place,
            SHAPE => return self.dimensions(body, place),
            CONTENTS if place.start == place.end => {}
            CONTENTS if self.contents.start < self.contents.end => return Err("an output's contents come in pieces"),
            CONTENTS => self.contents = place,
            _ => {}
        }
        Ok(())
    }

    /// Takes in packed dimensions; their number is bounded, so this is not sliced.
    fn dimensions(&mut self, body: &[u8], place: Range) -> Result<(), Fault> {
        let mut at = place.start;
        while at < place.end {
            let (dimension, next) = varint(body.get(..place.end).unwrap_or_default(), at)?;
            self.dimension(dimension)?;
            at = next;
        }
        Ok(())
    }

    fn dimension(&mut self, dimension: u64) -> Result<(), Fault> {
        if i64::try_from(dimension).is_err() {
            return Err("a dimension is negative");
        }
        if dimension > MAX_DIMENSION {
            return Err("a dimension is absurdly large");
        }
        if self.shape.len() >= MAX_DIMENSIONS {
            return Err("an output has too many dimensions");
        }
        self.shape.push(dimension);
        Ok(())
    }

    /// The tensor, with its `raw` contents if the answer has such. Whether the data is as it says remains to be checked.
    fn tensor(&mut self, body: &[u8], raw: Option<Range>, index: usize) -> Result<Tensor, Fault> {
        let name = text(body, self.name)?.to_owned();
        let datatype = Datatype::parse(self.datatype.of(body)).ok_or("an unknown datatype")?;
        let has_contents = self.contents.start < self.contents.end;
        let data = match raw {
            Some(_) if has_contents => return Err("an output has both raw and typed contents"),
            Some(raw) => Data::Binary(raw),
            None => Data::Contents(self.contents),
        };
        let shape = core::mem::take(&mut self.shape);
        Ok(Tensor { name, datatype, shape, data, place: u32::try_from(index).unwrap_or(u32::MAX) })
    }
}

/// Takes in a parameter of an output, which nobody reads: an entry of a map, its key in field 1 and its value in field 2.
fn parameter(body: &[u8], entry: Range, index: usize, leftovers: &mut Leftovers) -> Result<(), Fault> {
    let mut fields = Fields { at: entry.start, end: entry.end };
    let (mut key, mut value) = (Range { start: 0, end: 0 }, Unknown::Bytes(Range { start: 0, end: 0 }));
    // As every writer writes it. An entry that is written in another way is held as it is.
    for number in [1, 2] {
        match fields.next(body)? {
            None => {}
            Some(Field { number: found, value: Value::Bytes(place) }) if found == number => {
                let place = Range { start: place.start, end: place.end };
                if number == 1 { key = place } else { value = Unknown::Bytes(place) }
            }
            Some(_) => value = Unknown::Bytes(entry),
        }
    }
    let name = text(body, key)?.to_owned();
    leftovers.push(spot(index, &[Step::Member("parameters".to_owned())]), Some(Step::Member(name)), value);
    Ok(())
}

fn spot(index: usize, path: &[Step]) -> Spot<'_> {
    Spot { item: u32::try_from(index).unwrap_or(u32::MAX), path, part: None }
}

/// A short text.
fn text(body: &[u8], place: Range) -> Result<&str, Fault> {
    let bytes = place.of(body);
    if bytes.len() > MAX_NAME {
        return Err("a name is too long");
    }
    str::from_utf8(bytes).map_err(|_| "a name is not UTF-8")
}
