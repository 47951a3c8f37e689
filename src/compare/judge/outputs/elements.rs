//! Compares the elements of two tensors in flat order, in slices.

use core::task::{Poll, ready};

use crate::compare::answer::IMPOSSIBLE;
use crate::compare::judge::document::embedded::{JsonMatch, Meaning};
use crate::compare::judge::document::walk::{Inside, Walk};
use crate::compare::judge::outputs::difference::{Difference, place};
use crate::compare::judge::outputs::scope::Cover;
use crate::compare::judge::pass::pass_elements;
use crate::compare::judge::rules::{Effect, Here, Rules};
use crate::compare::judge::same::{gap, same, shown};
use crate::compare::judge::text_match::TextMatch;
use crate::compare::judgement::{Differences, Divergence, Kind};
use crate::compare::part::cursor::Cursor;
use crate::compare::part::element::Element;
use crate::compare::part::tensor::Tensor;
use crate::compare::part::text::Text;
use crate::compare::side::Sides;
use crate::config::{Texts, Tolerance};
use crate::fault::Fault;
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
    /// Two texts that are being compared; and as JSON, because they differ.
    text: Option<TextMatch>,
    json: Option<Box<JsonMatch>>,
    texts: Texts,
}

impl OutputElements {
    /// The comparison of two tensors. `rules` have been entered down to the member `data` of the tensors.
    ///
    /// # Errors
    /// If one of them has elements that the other has not.
    pub fn new(primary: &Tensor, shadow: &Tensor, cover: Cover, rules: &Rules, texts: Texts) -> Result<Self, Difference> {
        let (here, there) = (primary.elements(), shadow.elements());
        let differ = |kind, element, values| Difference { kind, member: Some(("data", element)), values };
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
        Ok(Self {
            primary: Cursor::new(primary),
            shadow: Cursor::new(shadow),
            index: 0,
            end: u32::try_from(end).unwrap_or(u32::MAX),
            only,
            tolerance: primary.datatype.tolerance().or_wider(shadow.datatype.tolerance()),
            uniform: rules.is_uniform(),
            effect: None,
            text: None,
            json: None,
            texts,
        })
    }

    /// Compares on for about `budget` bytes, the elements of an output that paths call `output`. Ready when no more are left, or as many
    /// differ as are counted; `Pending`: the budget was not enough; call again.
    ///
    /// # Errors
    /// A state that can't be.
    pub fn step(
        &mut self,
        output: u32,
        pair: Sides<'_, Document>,
        rules: &mut Rules,
        differences: &mut Differences,
        budget: &mut usize,
    ) -> Poll<Result<(), Fault>> {
        while *budget > 0 && !differences.is_full() {
            let effect = self.effect(rules);
            if self.index >= self.end || (self.uniform && effect.ignored) {
                return Poll::Ready(Ok(()));
            }
            let tolerance = effect.tolerance.or(self.tolerance);
            let is_fresh = self.text.is_none() && self.json.is_none();
            if self.uniform && self.only.is_none() && is_fresh {
                let most = self.end.saturating_sub(self.index);
                let passed = pass_elements(pair, (&mut self.primary, &mut self.shadow), most, tolerance, budget);
                self.index = self.index.saturating_add(passed);
                if *budget == 0 || self.index >= self.end {
                    continue;
                }
            }
            if is_fresh {
                *budget = budget.saturating_sub(ELEMENT);
            }
            let (mut primary, mut shadow) = (self.primary, self.shadow);
            let (Some(a), Some(b)) = (primary.next(pair.primary), shadow.next(pair.shadow)) else {
                // Tensors have been checked, so they have as many elements as they say.
                return Poll::Ready(Err(IMPOSSIBLE));
            };
            let counts = !effect.ignored && self.only.is_none_or(|only| only == self.index);
            let verdict = match (a.text(), b.text()) {
                _ if !counts => Ok(()),
                (Some(left), Some(right)) => ready!(self.compare_texts((left, right), output, rules, differences, budget)),
                _ => {
                    *budget = budget.saturating_sub(cost(a, b));
                    same(a, b, tolerance)
                }
            };
            if let Err(kind) = verdict {
                differences.add(|| {
                    let gap = if kind == Kind::Number { gap(a, b, tolerance) } else { None };
                    Divergence { gap, ..self.difference(kind, a, b).divergence(output) }
                });
            }
            (self.primary, self.shadow) = (primary, shadow);
            self.index = self.index.saturating_add(1);
        }
        if differences.is_full() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Compares two texts, or goes on with them.
    fn compare_texts(
        &mut self,
        (primary, shadow): (Text<'_>, Text<'_>),
        output: u32,
        rules: &Rules,
        differences: &mut Differences,
        budget: &mut usize,
    ) -> Poll<Result<(), Kind>> {
        if let Some(json) = &mut self.json {
            let same = ready!(json.step(primary, shadow, differences, budget));
            self.json = None;
            return Poll::Ready(same);
        }
        let equal = ready!(self.text.get_or_insert(TextMatch::new(self.texts.normalize)).step(primary, shadow, budget));
        self.text = None;
        match equal {
            true => Poll::Ready(Ok(())),
            false if !self.texts.json => Poll::Ready(Err(Kind::Text)),
            false => {
                let mut rules = rules.clone();
                let effect = rules.enter(Here::Index(self.index));
                let inside = Inside { place: place(output, Some(("data", Some(self.index)))).inside(), kind: None, tool: None };
                self.json = Some(Box::new(JsonMatch::new(Meaning::Text, Walk::inside(rules, effect, inside))));
                Poll::Pending
            }
        }
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

    fn difference(&self, kind: Kind, primary: Element<'_>, shadow: Element<'_>) -> Difference {
        Difference { kind, member: Some(("data", Some(self.index))), values: (shown(primary), shown(shadow)) }
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
