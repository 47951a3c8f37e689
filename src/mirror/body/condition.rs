//! Judges the conditions of a shadow on the body of a request, one after the other.

use core::task::{Poll, ready};

use super::lookup::{DIGIT, LOOK, Lookup};
use crate::config::{BodyCondition, BodyTest};
use crate::json::tape::Document;
use crate::json::value::{Tag, Value};
use crate::json::{number, text};

/// The unfinished judgement of the conditions on one document.
#[derive(Debug, Default)]
pub struct Conditions {
    /// Index of the condition that is being judged.
    condition: usize,
    /// The lookup of the value of that condition.
    lookup: Lookup,
}

impl Conditions {
    /// Whether all conditions `when` hold for `document`. `Pending` means that the budget was used up and the caller has to call again.
    pub fn step(&mut self, document: &Document, when: &[BodyCondition], budget: &mut usize) -> Poll<bool> {
        while let Some(condition) = when.get(self.condition) {
            let Some(at) = ready!(self.lookup.step(document, &condition.path, budget)) else { return Poll::Ready(false) };
            if *budget == 0 {
                return Poll::Pending;
            }
            let value = document.value(at);
            let cost = if value.tag.is_number() { value.text.len().saturating_mul(DIGIT) } else { LOOK };
            *budget = budget.saturating_sub(cost);
            if !holds(&condition.test, value) {
                return Poll::Ready(false);
            }
            *self = Self { condition: self.condition.saturating_add(1), lookup: Lookup::default() };
        }
        Poll::Ready(true)
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
