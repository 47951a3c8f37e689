//! A walk down a path to the value that it leads to.
//!
//! Of duplicate members the last counts, so the walk goes over all members of each object on its path; it goes on in slices.

use core::task::{Poll, ready};

use crate::json::tape::{Document, first_child};
use crate::json::text;
use crate::json::value::Tag;
use crate::path::{PathPattern, Step};

/// What looking at one member or element costs, in bytes read.
pub const LOOK: usize = 8;

/// What a byte of a number costs at worst, in bytes read: more digits than a double has are parsed the slow way.
pub const DIGIT: usize = 32;

/// The walk through one document, as far as it has come.
#[derive(Debug, Default)]
pub struct Lookup {
    /// The step to take next.
    step: usize,
    /// Where the steps before have led.
    at: u32,
    search: Option<Search>,
}

/// A search for one step among the children of a container.
#[derive(Debug)]
struct Search {
    /// The child to look at next.
    next: u32,
    left: u32,
    found: Option<u32>,
}

impl Lookup {
    /// Where `path`, which has no `[*]`, leads in `document`, if it leads anywhere. `Pending`: the budget was not enough; call again.
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

    /// The child that `step` leads to, if there is one. `Pending`: the budget was not enough; call again.
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
            // Only of members there may be another one.
            let last = is_it && matches!(step, Step::Index(_));
            search.left = if last { 0 } else { search.left.saturating_sub(1) };
        }
        Poll::Ready(self.search.take().and_then(|search| search.found))
    }
}
