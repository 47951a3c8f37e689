//! The body of a request and of its copy: whether the request meets the shadow's conditions, its slice, and the changes of the copy.
//!
//! All three need the JSON of the body. It is read once, into a tape, in slices, because no callback may go over a whole body. A change
//! replaces bytes of the request's body; all other bytes stay as the client wrote them. A body that is no JSON meets no condition, and is
//! copied without changes, so that the shadow's server refuses it as the client's server does.
//!
//! * [`lookup`]: finds the value at a path.
//! * [`condition`]: the conditions of a shadow.
//! * [`slicing`]: the slice of a value.
//! * [`cut`]: replaced bytes of a body.
//! * [`member`]: sets and removes members of a JSON object.
//! * [`model_infer`]: changes the model of a gRPC request.

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

/// The unfinished work on the body of one copy. All calls must be about the same request.
#[derive(Debug, Default)]
pub struct Shaping {
    reading: Reading,
    conditions: Conditions,
    slicing: Slicing,
    members: Members,
    model_name: ModelName,
}

/// The state of reading the body's JSON.
#[derive(Debug, Default)]
enum Reading {
    #[default]
    Unread,
    UnderWay(DocumentReader),
    Read(Document),
    /// The body has no JSON.
    NotJson,
}

/// The body of a copy.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shaped {
    /// The bytes of the body; `None` if they are those of the request.
    pub bytes: Option<Vec<u8>>,
    /// The value of [`JSON_LENGTH_HEADER`]; `None` leaves the header as in the request.
    pub json_length: Option<usize>,
}

/// There is no memory for the body of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl Shaping {
    /// Whether the body meets all conditions `when` of a shadow. `Pending` means that `budget`, in bytes, was used up and the caller has to
    /// call again.
    pub fn qualifies(&mut self, when: &[BodyCondition], request: &Request, body: &Body, budget: &mut usize) -> Poll<bool> {
        if when.is_empty() {
            return Poll::Ready(true);
        }
        match ready!(self.reading.step(request, body, budget)) {
            Some(document) => self.conditions.step(document, when, budget),
            None => Poll::Ready(false),
        }
    }

    /// Returns the request's slice as an index into [`crate::slice::names`]; `None` if slices are not by a value of the body. A body
    /// without JSON is in the slice `other`. `Pending` means that the budget was used up and the caller has to call again.
    pub fn slice(&mut self, slices: Option<&Slices>, request: &Request, body: &Body, budget: &mut usize) -> Poll<Option<usize>> {
        let Some(Slices { by: SliceBy::Body(path), values }) = slices else { return Poll::Ready(None) };
        match ready!(self.reading.step(request, body, budget)) {
            Some(document) => self.slicing.step(document, path, values, budget).map(Some),
            None => Poll::Ready(Some(values.len())),
        }
    }

    /// Returns the body of a copy with `changes`. `Pending` means that the budget was used up and the caller has to call again.
    ///
    /// # Errors
    /// If there is no memory for the body.
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
    /// Reads the body and returns its JSON; `None` if it has none. `Pending` means that the budget was used up.
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
