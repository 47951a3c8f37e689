//! Compares the elements of two tensors in flat order, in slices.

use core::task::Poll;

use crate::compare::judge::outputs::difference::{Difference, Stop};
use crate::compare::judge::outputs::scope::Cover;
use crate::compare::judge::pass::pass_elements;
use crate::compare::judge::place::excerpt;
use crate::compare::judge::rules::{Effect, Here, Rules};
use crate::compare::judge::same::same;
use crate::compare::judge::text_match::TextMatch;
use crate::compare::judgement::Kind;
use crate::compare::part::cursor::Cursor;
use crate::compare::part::element::Element;
use crate::compare::part::tensor::Tensor;
use crate::compare::side::Sides;
use crate::config::Tolerance;
use crate::json::number;
use crate::json::tape::Document;
use crate::json::value::{Tag, Value};

/// What looking at two elements costs beside the text they touch.
const ELEMENT: usize = 16;

/// Two tensors under way.
#[derive(Debug)]
pub struct OutputElements {
    primary: Cursor,
    shadow: Cursor,
    /// The index of the next element.
    index: u32,
    /// One past the index of the last element.
    end: u32,
    /// The only element that counts.
    only: Option<u32>,
    /// The tolerance for numbers for which the operator gives none.
    tolerance: Tolerance,
    /// Whether the operator's paths say the same of every element. `effect` is what they say, once it is known.
    uniform: bool,
    effect: Option<Effect>,
    /// Two texts that are being compared.
    text: Option<TextMatch>,
    /// Whether white space is normalised in texts.
    normalize: bool,
}

impl OutputElements {
    /// The comparison of two tensors. `rules` have been entered down to the member `data` of the tensors.
    ///
    /// # Errors
    /// If one of them has elements that the other has not.
    pub fn new(primary: &Tensor, shadow: &Tensor, cover: Cover, rules: &Rules, normalize: bool) -> Result<Self, Difference> {
        let (here, there) = (primary.elements(), shadow.elements());
        let differ = |kind, element, values| Difference { kind, member: Some(("data", element)), relative: None, values };
        let only = if let Cover::Element(index) = cover { Some(index) } else { None };
        let end = match only {
            None if here != there => return Err(differ(Kind::Length, None, (here.to_string(), there.to_string()))),
            None => here,
            Some(index) => match (u64::from(index) < here, u64::from(index) < there) {
                (true, false) => return Err(differ(Kind::Missing, Some(index), Default::default())),
                (false, true) => return Err(differ(Kind::Extra, Some(index), Default::default())),
                _ => here.min(there),
            },
        };
        let (a, b) = (primary.datatype.tolerance(), shadow.datatype.tolerance());
        Ok(Self {
            primary: Cursor::new(primary),
            shadow: Cursor::new(shadow),
            index: 0,
            end: u32::try_from(end).unwrap_or(u32::MAX),
            only,
            tolerance: Tolerance { absolute: a.absolute.max(b.absolute), relative: a.relative.max(b.relative) },
            uniform: rules.is_uniform(),
            effect: None,
            text: None,
            normalize,
        })
    }

    /// Compares on for about `budget` bytes. Ready when no more elements are left; `Pending`: the budget was not enough; call again.
    ///
    /// # Errors
    /// The first difference that counts, or a state that can't be.
    pub fn step(&mut self, pair: Sides<'_, Document>, rules: &mut Rules, budget: &mut usize) -> Poll<Result<(), Stop>> {
        while *budget > 0 {
            let effect = self.effect(rules);
            if self.index >= self.end || (self.uniform && effect.ignored) {
                return Poll::Ready(Ok(()));
            }
            let tolerance = effect.tolerance.or(self.tolerance);
            if self.uniform && self.only.is_none() && self.text.is_none() {
                let most = self.end.saturating_sub(self.index);
                let passed = pass_elements(pair, (&mut self.primary, &mut self.shadow), most, tolerance, budget);
                self.index = self.index.saturating_add(passed);
                if *budget == 0 || self.index >= self.end {
                    continue;
                }
            }
            let counts = !effect.ignored && self.only.is_none_or(|only| only == self.index);
            self.element(pair, counts, tolerance, budget)?;
        }
        Poll::Pending
    }

    /// What the operator's paths say of the next element.
    fn effect(&mut self, rules: &mut Rules) -> Effect {
        match self.effect {
            Some(effect) if self.uniform => effect,
            _ => {
                let effect = rules.enter(Here::Index(self.index));
                rules.leave();
                self.effect = Some(effect);
                effect
            }
        }
    }

    /// Compares the next two elements, or goes on with them if they are long texts.
    fn element(&mut self, pair: Sides<'_, Document>, counts: bool, tolerance: Tolerance, budget: &mut usize) -> Result<(), Stop> {
        let (mut primary, mut shadow) = (self.primary, self.shadow);
        if self.text.is_none() {
            *budget = budget.saturating_sub(ELEMENT);
        }
        let (Some(a), Some(b)) = (primary.next(pair.primary), shadow.next(pair.shadow)) else {
            // Tensors have been checked, so they have as many elements as they say.
            return Err(Stop::Impossible);
        };
        let verdict = match (a.text(), b.text()) {
            _ if !counts => Ok(()),
            (Some(left), Some(right)) => {
                let text = self.text.get_or_insert(TextMatch::new(self.normalize));
                let Poll::Ready(equal) = text.step(left, right, budget) else { return Ok(()) };
                self.text = None;
                if equal { Ok(()) } else { Err(Kind::Text) }
            }
            _ => {
                *budget = budget.saturating_sub(cost(a, b));
                same(a, b, tolerance)
            }
        };
        verdict.map_err(|kind| self.difference(kind, a, b))?;
        (self.primary, self.shadow) = (primary, shadow);
        self.index = self.index.saturating_add(1);
        Ok(())
    }

    fn difference(&self, kind: Kind, primary: Element<'_>, shadow: Element<'_>) -> Difference {
        let relative = match (kind, primary.number(), shadow.number()) {
            (Kind::Number, Some(a), Some(b)) => number::relative_difference(a, b),
            _ => None,
        };
        Difference { kind, member: Some(("data", Some(self.index))), relative, values: (shown(primary), shown(shadow)) }
    }
}

/// What comparing two elements costs that are not both texts.
fn cost(a: Element<'_>, b: Element<'_>) -> usize {
    const NUMBER: Value<'_> = Value { tag: Tag::Integer, text: b"0" };
    let value = |element| match element {
        Element::Json(value) | Element::Single(value) if value.tag.is_number() => value,
        _ => NUMBER,
    };
    number::cost(value(a), value(b))
}

/// An element for evidence: as in the body, or as JSON would have it.
fn shown(element: Element<'_>) -> String {
    match element {
        Element::Json(value) if matches!(value.tag, Tag::Plain | Tag::Escaped) => quoted(value.text),
        Element::Json(value) | Element::Single(value) => excerpt(value.text),
        Element::Float(number) => excerpt(format!("{number:?}").as_bytes()),
        Element::Integer(number) => number.to_string(),
        Element::Bool(value) => value.to_string(),
        Element::Bytes(bytes) => quoted(bytes),
    }
}

fn quoted(text: &[u8]) -> String {
    excerpt(format!("\"{}\"", excerpt(text)).as_bytes())
}
