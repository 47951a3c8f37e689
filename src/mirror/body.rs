//! The body of a copy: whether the request qualifies by what its body says, to which slice it belongs, and what of it the copy has otherwise.
//!
//! All need the body's JSON, so it is read once, into a tape, in slices: no callback goes over a whole body. The changes are cuts in the
//! request's own bytes, so all that is not named stays as the client wrote it. A body that can't be read as what it should be never
//! qualifies, and is copied as it is: what the server refuses in the request it refuses in the copy.
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

use crate::capture::Body;
use crate::config::{BodyCondition, CopyRequest, SliceBy, Slices};
use crate::http::{JSON_LENGTH_HEADER, Request, json_length};
use crate::json::document::DocumentReader;
use crate::json::tape::Document;
use condition::Judge;
use cut::{length_after, spliced};
use member::Members;
use model_infer::ModelName;
use slicing::Slicing;

/// The work on the body of one copy, as far as it has come.
#[derive(Debug, Default)]
pub struct Shaping {
    reading: Reading,
    judge: Judge,
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
    /// It has none.
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
    /// Whether a request qualifies for a shadow with the conditions `when`; `None` when `budget`, in bytes, was not enough. (All calls are
    /// to be about one request.)
    pub fn qualifies(&mut self, when: &[BodyCondition], request: &Request, body: &Body, budget: &mut usize) -> Option<bool> {
        if when.is_empty() {
            return Some(true);
        }
        match self.reading.step(request, body, budget)? {
            Some(document) => self.judge.step(document, when, budget),
            None => Some(false),
        }
    }

    /// Index into [`super::slice_names`] of the request's slice, if slices are by the body; `None` when `budget` was not enough. Whatever has
    /// no JSON is `other`.
    pub fn slice(&mut self, slices: Option<&Slices>, request: &Request, body: &Body, budget: &mut usize) -> Option<Option<usize>> {
        let Some(Slices { by: SliceBy::Body(path), values }) = slices else { return Some(None) };
        match self.reading.step(request, body, budget)? {
            Some(document) => self.slicing.step(document, path, values, budget).map(Some),
            None => Some(Some(values.len())),
        }
    }

    /// The body of a copy with `changes`; `None` when `budget` was not enough.
    pub fn shape(&mut self, changes: &CopyRequest, request: &Request, body: &Body, budget: &mut usize) -> Option<Result<Shaped, NoRoom>> {
        let members_change = changes.model.is_some() || !changes.body_set.is_empty() || !changes.body_remove.is_empty();
        let cuts = match &changes.model {
            Some(model) if model_infer::is_model_infer(request) => self.model_name.step(body.bytes(), model, budget)?,
            _ if members_change => match self.reading.step(request, body, budget)? {
                Some(document) => self.members.step(document, changes, budget)?,
                None => Vec::new(),
            },
            _ => Vec::new(),
        };
        if cuts.is_empty() {
            return Some(Ok(Shaped::default()));
        }
        let json = request.header(JSON_LENGTH_HEADER).and_then(|header| json_length(Some(header), body.bytes().len()).ok());
        let json_length = json.map(|length| length_after(length, &cuts));
        Some(spliced(body.bytes(), &cuts).ok_or(NoRoom).map(|bytes| Shaped { bytes: Some(bytes), json_length }))
    }
}

impl Reading {
    /// Reads on; `None` when `budget` was not enough, `Some(None)` if there is no JSON.
    fn step(&mut self, request: &Request, body: &Body, budget: &mut usize) -> Option<Option<&Document>> {
        if let Reading::Unread = self {
            let length = json_length(request.header(JSON_LENGTH_HEADER), body.bytes().len());
            *self = length.map_or(Reading::NotJson, |length| Reading::UnderWay(DocumentReader::new(body.clone(), length)));
        }
        if let Reading::UnderWay(reader) = self {
            *self = match reader.step(budget) {
                Ok(None) => return None,
                Ok(Some(document)) => Reading::Read(document),
                Err(_) => Reading::NotJson,
            };
        }
        match self {
            Reading::Read(document) => Some(Some(document)),
            _ => Some(None),
        }
    }
}

#[cfg(test)]
mod tests;
