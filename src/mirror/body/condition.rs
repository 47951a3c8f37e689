//! Whether what a shadow demands of a request's body holds.
//!
//! Conditions are judged one after the other, each by a walk down its path. Of duplicate members the last counts, so a walk goes over all
//! members of each object on its path; it goes on in slices.

use crate::config::{BodyCondition, BodyTest};
use crate::json::tape::{Document, Tag, Value, first_child};
use crate::json::{number, text};
use crate::path::Step;

/// What looking at one member or element costs, in bytes read.
const LOOK: usize = 8;

/// What a byte of a number costs at worst, in bytes read: more digits than a double has are parsed the slow way.
const DIGIT: usize = 32;

/// The judgement of one document, as far as it has come.
#[derive(Debug, Default)]
pub struct Judge {
    /// The condition at hand.
    condition: usize,
    /// The step of its path to take next.
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

impl Judge {
    /// Whether all of `when` hold of `document`; `None` when `budget` was not enough.
    pub fn step(&mut self, document: &Document, when: &[BodyCondition], budget: &mut usize) -> Option<bool> {
        while let Some(condition) = when.get(self.condition) {
            if *budget == 0 {
                return None;
            }
            match condition.path.steps().get(self.step) {
                Some(step) => match self.take(step, document, budget)? {
                    Some(child) => {
                        self.at = child;
                        self.step = self.step.saturating_add(1);
                    }
                    None => return Some(false),
                },
                None => {
                    let value = document.value(self.at);
                    let cost = if value.tag.is_number() { value.text.len().saturating_mul(DIGIT) } else { LOOK };
                    *budget = budget.saturating_sub(cost);
                    if !holds(&condition.test, value) {
                        return Some(false);
                    }
                    *self = Self { condition: self.condition.saturating_add(1), ..Self::default() };
                }
            }
        }
        Some(true)
    }

    /// The child that `step` leads to, if there is one; `None` when `budget` was not enough.
    fn take(&mut self, step: &Step, document: &Document, budget: &mut usize) -> Option<Option<u32>> {
        let container = document.value(self.at).tag;
        if !matches!((step, container), (Step::Member(_), Tag::Object) | (Step::Index(_), Tag::Array)) {
            return Some(None);
        }
        let begun = Search { next: first_child(self.at), left: document.children(self.at), found: None };
        let search = self.search.get_or_insert(begun);
        let count = document.children(self.at);
        while search.left > 0 {
            if *budget == 0 {
                return None;
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
        Some(self.search.take().and_then(|search| search.found))
    }
}

fn holds(test: &BodyTest, value: Value<'_>) -> bool {
    let string = matches!(value.tag, Tag::Plain | Tag::Escaped);
    let double = || value.tag.is_number().then(|| number::double(value));
    match test {
        BodyTest::Exact(wanted) => string && text::reads(value, wanted),
        BodyTest::Prefix(wanted) => string && text::begins(value, wanted),
        BodyTest::Boolean(wanted) => value.tag == if *wanted { Tag::True } else { Tag::False },
        BodyTest::Number(wanted) => double().is_some_and(|found| found == *wanted),
        BodyTest::AtMost(most) => double().is_some_and(|found| found <= *most),
        BodyTest::AtLeast(least) => double().is_some_and(|found| found >= *least),
    }
}
