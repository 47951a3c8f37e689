//! The body of a request and of its copy: whether the request meets the shadow's conditions, its slice, and the changes of the copy.
//!
//! All three need the JSON of the body. It is decoded and read once, into a tape, in slices, because no callback may go over a whole body. A
//! change replaces bytes of the body; all other bytes stay as the client wrote them. The copy of a body that was decoded is sent without
//! content codings. A body that nobody asks for is neither decoded nor read.
//!
//! No copy goes out without the changes that it should have: what they can't be applied to is an [`Obstacle`]. A request without a body has
//! nothing to change, and is copied as it is.
//!
//! * [`obstacle`]: why a body can't be read or changed.
//! * [`plain`]: the body without content codings.
//! * [`reading`]: its JSON.
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
pub mod obstacle;
pub mod plain;
pub mod reading;
pub mod slicing;

use core::task::{Poll, ready};
use std::rc::Rc;

use crate::capture::{Body, Bounds, Capture, Overflow};
use crate::config::{BodyCondition, CopyRequest, SliceBy, Slices};
use crate::http::{JSON_LENGTH_HEADER, Request, json_length};
use condition::Conditions;
use cut::{Cut, length_after, spliced};
use member::Members;
use model_infer::ModelName;
use obstacle::Obstacle;
use plain::Plain;
use reading::Reading;
use slicing::Slicing;

/// The unfinished work on the body of one copy. All calls must be about the same request.
#[derive(Debug)]
pub struct Shaping {
    bounds: Bounds,
    plain: Plain,
    reading: Reading,
    conditions: Conditions,
    slicing: Slicing,
    members: Members,
    model_name: ModelName,
}

/// The body of a copy, and what its header fields say of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shaped {
    /// The body: that of the request, or another one.
    pub body: Body,
    /// The value of [`JSON_LENGTH_HEADER`]; `None` leaves the header as in the request.
    pub json_length: Option<usize>,
    /// Fields of the request that name codings which the copy does not have.
    pub undone: &'static [&'static str],
    /// Whether its bytes are others than those of the request.
    pub is_changed: bool,
}

impl Shaping {
    /// Returns work that is not begun. What is decoded or changed is kept within `bounds`.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            plain: Plain::default(),
            reading: Reading::default(),
            conditions: Conditions::default(),
            slicing: Slicing::default(),
            members: Members::default(),
            model_name: ModelName::default(),
        }
    }

    /// Whether the body meets all conditions `when` of a shadow. `Pending` means that `budget`, in bytes, was used up and the caller has to
    /// call again.
    ///
    /// # Errors
    /// If that can't be judged, because there is a body whose JSON can't be read.
    pub fn qualifies(
        &mut self,
        when: &[BodyCondition],
        request: &Request,
        body: &Body,
        budget: &mut usize,
    ) -> Poll<Result<bool, Obstacle>> {
        if when.is_empty() {
            return Poll::Ready(Ok(true));
        }
        match ready!(self.reading.step(&mut self.plain, request, body, &self.bounds, budget))? {
            Some(document) => self.conditions.step(document, when, budget).map(Ok),
            None => Poll::Ready(Ok(false)),
        }
    }

    /// Returns the request's slice as an index into [`crate::slice::names`]; `None` if slices are not by a value of the body. A body whose
    /// JSON can't be read is in the slice `other`. `Pending` means that the budget was used up and the caller has to call again.
    ///
    /// # Errors
    /// If there is no room for the decoded body.
    pub fn slice(
        &mut self,
        slices: Option<&Slices>,
        request: &Request,
        body: &Body,
        budget: &mut usize,
    ) -> Poll<Result<Option<usize>, Overflow>> {
        let Some(Slices { by: SliceBy::Body(path), values }) = slices else { return Poll::Ready(Ok(None)) };
        match ready!(self.reading.step(&mut self.plain, request, body, &self.bounds, budget)) {
            Ok(Some(document)) => self.slicing.step(document, path, values, budget).map(|slice| Ok(Some(slice))),
            Ok(None) | Err(Obstacle::Unfit(_)) => Poll::Ready(Ok(Some(values.len()))),
            Err(Obstacle::Overflow(overflow)) => Poll::Ready(Err(overflow)),
        }
    }

    /// Returns the body of a copy with `changes`. `adds_model` says whether the changed model is also for requests that name none.
    /// `Pending` means that the budget was used up and the caller has to call again.
    ///
    /// # Errors
    /// If there is a body that the changes can't be applied to, or no room for the changed one.
    pub fn shape(
        &mut self,
        changes: &CopyRequest,
        adds_model: bool,
        request: &Request,
        body: &Body,
        budget: &mut usize,
    ) -> Poll<Result<Shaped, Obstacle>> {
        let of_members = !changes.body_set.is_empty() || !changes.body_remove.is_empty();
        let (changed, cuts) = match &changes.model {
            None if !of_members => (self.plain.or(body).clone(), Vec::new()),
            Some(model) if !of_members && model_infer::is_model_infer(request) => {
                let plain = ready!(self.plain.step(request, body, &self.bounds, budget))?;
                match plain.bytes() {
                    [] => (plain, Vec::new()),
                    _ => ready!(self.model_name.step(request, &plain, model, &self.bounds, budget))?,
                }
            }
            _ => match ready!(self.reading.step(&mut self.plain, request, body, &self.bounds, budget))? {
                Some(document) => (document.body.clone(), ready!(self.members.step(document, changes, adds_model, budget))?),
                None => {
                    let plain = self.plain.or(body).clone();
                    if !plain.bytes().is_empty() && !changes.body_set.is_empty() {
                        return Poll::Ready(Err("binary tensors without JSON".into()));
                    }
                    (plain, Vec::new())
                }
            },
        };
        let undone = undone(body, self.plain.or(body), &changed);
        Poll::Ready(self.changed(&changed, &cuts, request).map(|(shaped, json_length)| {
            let is_changed = !Rc::ptr_eq(&shaped, body);
            Shaped { body: shaped, json_length, undone, is_changed }
        }))
    }

    /// Returns `body` after `cuts`, and the length of its JSON if it has changed and the request gives it.
    fn changed(&self, body: &Body, cuts: &[Cut], request: &Request) -> Result<(Body, Option<usize>), Obstacle> {
        if cuts.is_empty() {
            return Ok((body.clone(), None));
        }
        let json = request.header(JSON_LENGTH_HEADER).and_then(|header| json_length(Some(header), body.bytes().len()).ok());
        let bytes = spliced(body.bytes(), cuts).ok_or(Overflow::Memory);
        let body = bytes.and_then(|bytes| Capture::whole(bytes, usize::MAX, &self.bounds.ledger)).map_err(Obstacle::Overflow)?;
        Ok((body, json.map(|length| length_after(length, cuts))))
    }
}

/// Returns the fields that name codings of the request's `body` which its copy does not have. `plain` is `body` without content codings,
/// `changed` the same, or a gRPC message without compression.
fn undone(body: &Body, plain: &Body, changed: &Body) -> &'static [&'static str] {
    if !Rc::ptr_eq(changed, plain) {
        &["content-encoding", "grpc-encoding"]
    } else if !Rc::ptr_eq(plain, body) {
        &["content-encoding"]
    } else {
        &[]
    }
}

#[cfg(test)]
mod tests;
