//! Changes top-level members of the JSON object in a copy: removes members, sets members, or changes the name of the model.
//!
//! Of duplicate members each server may use another one, so all of them are changed. A model that is no text is replaced, too.

use core::task::Poll;

use super::cut::Cut;
use super::lookup::LOOK;
use super::obstacle::Obstacle;
use crate::config::CopyRequest;
use crate::config::raw::quoted;
use crate::json::tape::{Document, first_child};
use crate::json::text::reads;
use crate::json::value::Tag;

/// Most cuts for each name. A body that needs more has no copy, so that memory does not grow with the body. Names are usually unique.
const MAX_OCCURRENCES: usize = 8;

/// The member that names the model.
const MODEL: &str = "model";

/// The unfinished walk over the members of an object.
#[derive(Debug, Default)]
pub struct Members {
    walk: Option<Walk>,
}

#[derive(Debug)]
struct Walk {
    /// The node of the next member's name.
    next: u32,
    /// How many members are left.
    left: u32,
    /// The offset of the end of the previous member, or of the first byte inside the object.
    end: usize,
    /// Whether the copy keeps one of the previous members.
    kept: bool,
    /// For each member of `body.set`, whether the request has it.
    present: Vec<bool>,
    /// Whether the copy has to be given a model.
    adds_model: bool,
    cuts: Vec<Cut>,
}

/// What happens to a member in the copy.
enum MemberChange {
    Remove,
    Keep,
    /// The member gets this value.
    Set(Vec<u8>),
}

impl Members {
    /// Returns the cuts in the text of `document` for a copy with `changes`. `adds_model` says whether a copy names the changed model if
    /// its request names none. `Pending` means that the budget was used up and the caller has to call again.
    ///
    /// # Errors
    /// If the document is no object, or needs too many cuts.
    pub fn step(
        &mut self,
        document: &Document,
        changes: &CopyRequest,
        adds_model: bool,
        budget: &mut usize,
    ) -> Poll<Result<Vec<Cut>, Obstacle>> {
        if document.value(0).tag != Tag::Object {
            return Poll::Ready(Err("JSON that is no object and has no members".into()));
        }
        let walk = self.walk.get_or_insert_with(|| Walk::new(document, changes, adds_model));
        let names = changes.body_set.len().saturating_add(changes.body_remove.len()).saturating_add(1);
        while walk.left > 0 {
            if *budget == 0 {
                return Poll::Pending;
            }
            *budget = budget.saturating_sub(LOOK.saturating_add(names));
            walk.member(document, changes);
            if walk.cuts.len() > MAX_OCCURRENCES.saturating_mul(names) {
                return Poll::Ready(Err("more than eight members of one name".into()));
            }
        }
        walk.append(changes);
        Poll::Ready(Ok(std::mem::take(&mut walk.cuts)))
    }
}

impl Walk {
    fn new(document: &Document, changes: &CopyRequest, adds_model: bool) -> Self {
        Self {
            next: first_child(0),
            left: document.children(0),
            end: document.place(0).start.saturating_add(1),
            kept: false,
            present: vec![false; changes.body_set.len()],
            adds_model,
            cuts: Vec::new(),
        }
    }

    /// Adds the cut for the next member, if it needs one.
    fn member(&mut self, document: &Document, changes: &CopyRequest) {
        let (name, value) = (self.next, self.next.wrapping_add(1));
        let (start, place) = (document.place(name).start, document.place(value));
        let end = place.end;
        match self.change(document, changes) {
            MemberChange::Remove if self.kept => self.cuts.push(Cut { place: self.end..end, with: Vec::new() }),
            // Members removed before the first kept member are one cut, together with the commas between them.
            MemberChange::Remove => match self.cuts.last_mut() {
                Some(cut) => cut.place.end = end,
                None => self.cuts.push(Cut { place: start..end, with: Vec::new() }),
            },
            change => {
                if let (false, Some(removed)) = (self.kept, self.cuts.last_mut()) {
                    removed.place.end = start;
                }
                self.kept = true;
                if let MemberChange::Set(with) = change {
                    self.cuts.push(Cut { place, with });
                }
            }
        }
        self.end = end;
        self.next = document.after(value);
        self.left = self.left.saturating_sub(1);
    }

    /// Returns what happens to the next member.
    fn change(&mut self, document: &Document, changes: &CopyRequest) -> MemberChange {
        let name = document.value(self.next);
        if changes.body_remove.iter().any(|removed| reads(name, removed)) {
            return MemberChange::Remove;
        }
        if let Some(set) = changes.body_set.iter().position(|(set, _)| reads(name, set)) {
            if let Some(present) = self.present.get_mut(set) {
                *present = true;
            }
            return changes.body_set.get(set).map_or(MemberChange::Keep, |(_, value)| MemberChange::Set(value.clone().into_bytes()));
        }
        match &changes.model {
            Some(model) if reads(name, MODEL) => {
                self.adds_model = false;
                MemberChange::Set(quoted(model).into_bytes())
            }
            _ => MemberChange::Keep,
        }
    }

    /// Adds the model and the members of `body.set` that the request does not have.
    fn append(&mut self, changes: &CopyRequest) {
        let mut members = String::new();
        let model = changes.model.as_ref().filter(|_| self.adds_model).map(|model| (MODEL, quoted(model)));
        let set = changes.body_set.iter().zip(&self.present).filter(|(_, present)| !**present);
        let set = set.map(|((name, value), _)| (name.as_str(), value.clone()));
        for (name, value) in model.into_iter().chain(set) {
            if self.kept {
                members.push(',');
            }
            members.push_str(&quoted(name));
            members.push(':');
            members.push_str(&value);
            self.kept = true;
        }
        if !members.is_empty() {
            self.cuts.push(Cut { place: self.end..self.end, with: members.into_bytes() });
        }
    }
}
