//! The body of a copy: whether the request qualifies by its body, to which slice it belongs, and what the copy changes of it.
//!
//! All need the body's JSON, so it is read once, into a tape, in slices: no callback goes over a whole body. A change is a cut in the
//! request's own bytes, so the rest stays as the client wrote it. A body that can't be read as what it should be never qualifies, and is
//! copied as it is: what the server refuses in the request it refuses in the copy.
//!
//! * [`lookup`]: a walk down a path, to a value that something depends on.
//! * [`condition`]: whether the conditions of a shadow hold.
//! * [`slicing`]: which slice a value stands for.
//! * [`cut`]: bytes of the body that others take the place of.
//! * [`member`]: members of a JSON object set and removed.
//! * [`model_infer`]: another model in a gRPC request.

pub mod condition;
pub mod cut;
pub mod lookup;
pub mod member;
pub mod model_infer;
pub mod slicing;

use core::task::{Poll, ready};

use crate::capture::Body;
use crate::config::{BodyCondition, CopyRequest, SliceBy, Slices};
use crate::http::{JSON_LENGTH_HEADER, Request, json_length};
use crate::json::document::DocumentReader;
use crate::json::tape::Document;
use condition::Conditions;
use cut::{length_after, spliced};
use member::Members;
use model_infer::ModelName;
use slicing::Slicing;

/// The work on the body of one copy, as far as it has come.
#[derive(Debug, Default)]
pub struct Shaping {
    reading: Reading,
    conditions: Conditions,
    slicing: Slicing,
    members: Members,
    model_name: ModelName,
}

/// How far the JSON of the body has been read.
#[derive(Debug, Default)]
enum Reading {
    #[default]
    Unread,
    /// It is being read.
    UnderWay(DocumentReader),
    Read(Document),
    /// The body has no JSON.
    NotJson,
}

/// What a copy's body is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shaped {
    /// Its bytes; `None`: those of the request.
    pub bytes: Option<Vec<u8>>,
    /// What [`JSON_LENGTH_HEADER`] says of them, if that is not what it says of the request.
    pub json_length: Option<usize>,
}

/// There is no memory for another body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl Shaping {
    /// Whether a request qualifies for a shadow with the conditions `when`. (All calls are to be about one request.) `Pending`: `budget`,
    /// in bytes, was not enough; call again.
    pub fn qualifies(&mut self, when: &[BodyCondition], request: &Request, body: &Body, budget: &mut usize) -> Poll<bool> {
        if when.is_empty() {
            return Poll::Ready(true);
        }
        match ready!(self.reading.step(request, body, budget)) {
            Some(document) => self.conditions.step(document, when, budget),
            None => Poll::Ready(false),
        }
    }

    /// Index into [`crate::slice::names`] of the request's slice, if slices are by the body. A body without JSON is `other`. `Pending`: the
    /// budget was not enough; call again.
    pub fn slice(&mut self, slices: Option<&Slices>, request: &Request, body: &Body, budget: &mut usize) -> Poll<Option<usize>> {
        let Some(Slices { by: SliceBy::Body(path), values }) = slices else { return Poll::Ready(None) };
        match ready!(self.reading.step(request, body, budget)) {
            Some(document) => self.slicing.step(document, path, values, budget).map(Some),
            None => Poll::Ready(Some(values.len())),
        }
    }

    /// The body of a copy with `changes`. `Pending`: the budget was not enough; call again.
    pub fn shape(&mut self, changes: &CopyRequest, request: &Request, body: &Body, budget: &mut usize) -> Poll<Result<Shaped, NoRoom>> {
        let members_change = changes.model.is_some() || !changes.body_set.is_empty() || !changes.body_remove.is_empty();
        let cuts = match &changes.model {
            Some(model) if model_infer::is_model_infer(request) => ready!(self.model_name.step(body.bytes(), model, budget)),
            _ if members_change => match ready!(self.reading.step(request, body, budget)) {
                Some(document) => ready!(self.members.step(document, changes, budget)),
                None => Vec::new(),
            },
            _ => Vec::new(),
        };
        if cuts.is_empty() {
            return Poll::Ready(Ok(Shaped::default()));
        }
        let json = request.header(JSON_LENGTH_HEADER).and_then(|header| json_length(Some(header), body.bytes().len()).ok());
        let json_length = json.map(|length| length_after(length, &cuts));
        Poll::Ready(spliced(body.bytes(), &cuts).ok_or(NoRoom).map(|bytes| Shaped { bytes: Some(bytes), json_length }))
    }
}

impl Reading {
    /// Reads on: the document, unless the body has no JSON. `Pending`: the budget was not enough; call again.
    fn step(&mut self, request: &Request, body: &Body, budget: &mut usize) -> Poll<Option<&Document>> {
        if let Reading::Unread = self {
            let length = json_length(request.header(JSON_LENGTH_HEADER), body.bytes().len());
            *self = length.map_or(Reading::NotJson, |length| Reading::UnderWay(DocumentReader::new(body.clone(), length)));
        }
        if let Reading::UnderWay(reader) = self {
            *self = ready!(reader.step(budget)).map_or(Reading::NotJson, Reading::Read);
        }
        Poll::Ready(match self {
            Reading::Read(document) => Some(document),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
