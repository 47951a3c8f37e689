//! Finds the value at a path, in slices.
//!
//! Of duplicate members the last one counts. So a lookup goes over all members of each object on its path.

use core::task::{Poll, ready};

use crate::json::tape::{Document, first_child};
use crate::json::text;
use crate::json::value::Tag;
use crate::path::{PathPattern, Step};

/// Cost of looking at one member or element, in bytes of a budget.
pub const LOOK: usize = 8;

/// Greatest cost of parsing a byte of a number, in bytes of a budget. Numbers with more digits than a double has may need slow parsing.
pub const DIGIT: usize = 32;

/// An unfinished lookup in one document.
#[derive(Debug, Default)]
pub struct Lookup {
    /// Index of the next step of the path.
    step: usize,
    /// The node that the steps so far lead to.
    at: u32,
    search: Option<Search>,
}

/// A search for one step among the children of a container.
#[derive(Debug)]
struct Search {
    /// The node of the next child.
    next: u32,
    /// How many children are left.
    left: u32,
    found: Option<u32>,
}

impl Lookup {
    /// Returns the node of the value at `path`, which has no `[*]`; `None` if there is no value. `Pending` means that the budget was used
    /// up and the caller has to call again.
    pub fn step(&mut self, document: &Document, path: &PathPattern, budget: &mut usize) -> Poll<Option<u32>> {
        while let Some(step) = path.steps().get(self.step) {
            if *budget == 0 {
                return Poll::Pending;
            }
            let Some(child) = ready!(self.take(step, document, budget)) else { return Poll::Ready(None) };
            self.at = child;
            self.step = self.step.saturating_add(1);
        }
        Poll::Ready(Some(self.at))
    }

    /// Returns the node of the child that `step` leads to, if there is one. `Pending` means that the budget was used up.
    fn take(&mut self, step: &Step, document: &Document, budget: &mut usize) -> Poll<Option<u32>> {
        let container = document.value(self.at).tag;
        if !matches!((step, container), (Step::Member(_), Tag::Object) | (Step::Index(_), Tag::Array)) {
            return Poll::Ready(None);
        }
        let begun = Search { next: first_child(self.at), left: document.children(self.at), found: None };
        let search = self.search.get_or_insert(begun);
        let count = document.children(self.at);
        while search.left > 0 {
            if *budget == 0 {
                return Poll::Pending;
            }
            *budget = budget.saturating_sub(LOOK);
            let child = search.next;
            let is_it = match step {
                Step::Member(name) => {
                    search.next = child.wrapping_add(1);
                    text::reads(document.value(child), name)
                }
                Step::Index(index) => count.saturating_sub(search.left) as usize == *index,
                Step::AnyIndex => false,
            };
            if is_it {
                search.found = Some(search.next);
            }
            search.next = document.after(search.next);
            // Members may have duplicates, elements can't.
            let last = is_it && matches!(step, Step::Index(_));
            search.left = if last { 0 } else { search.left.saturating_sub(1) };
        }
        Poll::Ready(self.search.take().and_then(|search| search.found))
    }
}
