//! The Open Inference Protocol over HTTP: JSON, and its extension for binary tensors.
//!
//! An answer is an object with `outputs`. Each output has its elements as `data` in the JSON, flat or nested, or behind it in binary form,
//! `parameters.binary_data_size` bytes in the order of outputs; the header `inference-header-content-length` then says where the JSON ends.
//! An answer that breaks these rules anywhere, down to its last element, is a fault: whoever compares needs to check nothing. Ids, names of
//! models and parameters beside the outputs are not read.

mod elements;
mod output;

use core::task::{Poll, ready};

use crate::capture::Body;
use crate::compare::answer::IMPOSSIBLE;
use crate::compare::part::content::{Content, Facts, Parts};
use crate::compare::part::leftover::Leftovers;
use crate::compare::part::tensor::{MAX_OUTPUTS, Tensor, share_a_name};
use crate::compare::read::open_inference::elements::ElementsCheck;
use crate::compare::read::open_inference::output::Blobs;
use crate::compare::read::reader::Reader;
use crate::compare::read::version::version;
use crate::fault::Fault;
use crate::http::json_length;
use crate::json::document::DocumentReader;
use crate::json::tape::{Document, first_child};
use crate::json::value::Tag;

/// What looking at an output costs, in bytes touched, and what at each of its members.
const OUTPUT: usize = 512;
const MEMBER: usize = 32;

/// Reads an answer.
#[derive(Debug)]
pub struct OpenInferenceReader {
    body: Body,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nothing has been looked at. With `inference-header-content-length`.
    New(Vec<u8>),
    /// The JSON is being read, of so many bytes.
    Text(DocumentReader, usize),
    /// The outputs are being checked.
    Outputs(Outputs),
    /// It is over.
    Over,
}

/// The outputs of an answer, one after the other.
#[derive(Debug)]
struct Outputs {
    document: Document,
    /// The next output, and how many there still are.
    node: u32,
    remaining: u32,
    blobs: Blobs,
    tensors: Vec<Tensor>,
    leftovers: Leftovers,
    /// The output whose elements are being checked.
    check: Option<(Tensor, ElementsCheck)>,
}

impl OpenInferenceReader {
    /// Of an answer with this body and this value of `inference-header-content-length`, empty if it has none.
    pub fn new(body: Body, header_length: &[u8]) -> Self {
        Self { body, stage: Stage::New(header_length.to_vec()) }
    }
}

impl Reader for OpenInferenceReader {
    fn step(&mut self, budget: &mut usize) -> Poll<Result<Content, Fault>> {
        while *budget > 0 {
            match &mut self.stage {
                Stage::New(header) => {
                    let length = json_length(Some(header), self.body.bytes().len())?;
                    self.stage = Stage::Text(DocumentReader::new(self.body.clone(), length), length);
                }
                Stage::Text(reader, length) => {
                    let document = ready!(reader.step(budget))?;
                    self.stage = Stage::Outputs(Outputs::new(document, *length)?);
                }
                Stage::Outputs(outputs) => {
                    if outputs.advance(budget)?.is_ready()
                        && let Stage::Outputs(outputs) = core::mem::replace(&mut self.stage, Stage::Over)
                    {
                        return Poll::Ready(outputs.finish());
                    }
                }
                Stage::Over => return Poll::Ready(Err(IMPOSSIBLE)),
            }
        }
        Poll::Pending
    }
}

impl Outputs {
    fn new(document: Document, text_length: usize) -> Result<Self, Fault> {
        let outputs = document.member(0, "outputs").ok_or("no list of outputs")?;
        let (node, remaining) = match document.value(outputs).tag {
            Tag::Array => (first_child(outputs), document.children(outputs)),
            // Servers written in Go have it for an empty list.
            Tag::Null => (outputs, 0),
            _ => return Err("no list of outputs"),
        };
        if remaining > MAX_OUTPUTS {
            return Err("more outputs than are compared");
        }
        let blobs = Blobs::new(text_length, document.body.bytes().len());
        Ok(Self { document, node, remaining, blobs, tensors: Vec::new(), leftovers: Leftovers::default(), check: None })
    }

    /// Does a little. Ready once all outputs are checked.
    fn advance(&mut self, budget: &mut usize) -> Poll<Result<(), Fault>> {
        if let Some((_, check)) = &mut self.check {
            ready!(check.step(&self.document, budget))?;
            self.tensors.extend(self.check.take().map(|(tensor, _)| tensor.without_empty_lists()));
            return Poll::Pending;
        }
        if self.remaining == 0 {
            return Poll::Ready(Ok(()));
        }
        let members = self.document.children(self.node) as usize;
        *budget = budget.saturating_sub(OUTPUT.saturating_add(members.saturating_mul(MEMBER)));
        let place = self.tensors.len() as u32;
        let tensor = output::read(&self.document, self.node, place, &mut self.blobs)?;
        let check = ElementsCheck::new(&self.document, &tensor)?;
        output::leftovers(&self.document, self.node, place, &mut self.leftovers);
        self.check = Some((tensor, check));
        self.node = self.document.after(self.node);
        self.remaining = self.remaining.saturating_sub(1);
        Poll::Pending
    }

    /// The content, once each output is checked.
    fn finish(self) -> Result<Content, Fault> {
        self.blobs.finish()?;
        if share_a_name(&self.tensors) {
            return Err("two outputs have the same name");
        }
        let facts = Facts { model_version: version(&self.document).filter(|version| !version.is_empty()), ..Facts::default() };
        Ok(Content { document: self.document, parts: Parts::Tensors(self.tensors), facts, leftovers: self.leftovers })
    }
}
