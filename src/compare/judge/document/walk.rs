//! Walks two JSON values side by side to the first difference that counts.
//!
//! The way down is a stack of frames, one per container, so that a walk can stop anywhere and go on in the next slice. Depth is bounded
//! by the reader.

use core::task::{Poll, ready};
use std::rc::Rc;

use crate::compare::judge::document::matched::{By, Matched};
use crate::compare::judge::document::next::NextChild;
use crate::compare::judge::pass::pass_numbers;
use crate::compare::judge::place::{Place, excerpt};
use crate::compare::judge::rules::{Effect, Here, Rules};
use crate::compare::judge::text_match::TextMatch;
use crate::compare::judgement::{Divergence, Kind};
use crate::compare::part::text::Text;
use crate::compare::side::Sides;
use crate::config::{Compare, Tolerance};
use crate::json::number;
use crate::json::tape::{Document, first_child};
use crate::json::value::{Tag, Value};
use crate::path::PathPattern;

/// What looking at two elements costs beside the text they touch.
const ELEMENT: usize = 8;

/// A container under way.
#[derive(Debug)]
enum Frame {
    /// Around the root.
    Root(Option<Effect>),
    Elements(ArrayElements),
    Matched(Box<Matched>),
}

/// Two arrays of one length, compared in order.
#[derive(Debug)]
struct ArrayElements {
    /// The next element of each side, and how many there still are.
    primary: u32,
    shadow: u32,
    remaining: u32,
    /// The index of the next element.
    index: u32,
    /// What the plan says of the element that the walk is at; of every element, if that is uniform.
    effect: Option<Effect>,
    uniform: bool,
}

/// Which scalars count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// All.
    All,
    /// Numbers.
    Numbers,
    /// Strings.
    Texts {
        /// Whether runs of white space count as one space, and those at the ends as nothing.
        normalize: bool,
    },
}

impl Leaves {
    fn normalize(self) -> bool {
        matches!(self, Leaves::Texts { normalize: true })
    }

    fn has(self, tag: Tag) -> bool {
        match self {
            Leaves::All => true,
            Leaves::Numbers => tag.is_number(),
            Leaves::Texts { .. } => matches!(tag, Tag::Plain | Tag::Escaped),
        }
    }
}

/// A walk under way.
#[derive(Debug)]
pub struct Walk {
    rules: Rules,
    leaves: Leaves,
    /// Whether there has been anything in scope.
    found: bool,
    frames: Vec<Frame>,
    /// Two strings that are being compared.
    text: Option<(TextMatch, u32, u32)>,
}

/// How a walk ends.
#[derive(Debug)]
pub enum Finding {
    /// No difference that counts.
    Equivalent,
    /// The first that does.
    Diverged(Divergence),
    /// Neither side has anything in scope.
    Nothing,
}

impl Walk {
    /// At the roots, to walk what `scope` leads to, if it is given. Of scalars only `leaves` count. Containers always do: where one side
    /// has one, or one of another kind or length, or no value at all, that is a difference, on the way to the scope as well as in it.
    pub fn within(plan: Rc<Compare>, scope: Option<PathPattern>, leaves: Leaves) -> Self {
        let found = scope.is_none();
        let (rules, effect) = Rules::within(plan, scope);
        Self { rules, leaves, found, frames: vec![Frame::Root(Some(effect))], text: None }
    }

    /// Walks on for about `budget` bytes. `Pending`: the budget was not enough; call again.
    pub fn step(&mut self, pair: Sides<'_, Document>, budget: &mut usize) -> Poll<Finding> {
        while *budget > 0 {
            if let Some((text, primary, shadow)) = &mut self.text {
                let texts = (Text::Json(pair.primary.value(*primary)), Text::Json(pair.shadow.value(*shadow)));
                let equal = ready!(text.step(texts.0, texts.1, budget));
                let (primary, shadow) = (*primary, *shadow);
                self.text = None;
                if !equal {
                    return Poll::Ready(self.diverged(pair, Kind::Text, Some(primary), Some(shadow)));
                }
            }
            let next = match self.frames.last_mut() {
                None => return Poll::Ready(if self.found { Finding::Equivalent } else { Finding::Nothing }),
                Some(Frame::Root(effect)) => match effect.take() {
                    Some(effect) if !effect.ignored => NextChild::Pair { primary: 0, shadow: 0, effect },
                    _ => NextChild::End,
                },
                Some(Frame::Elements(elements)) => {
                    let before = elements.index;
                    let next = elements.next(pair, &mut self.rules, budget);
                    // Numbers may be passed over.
                    let own = u32::from(matches!(next, NextChild::Pair { .. }));
                    let passed = self.leaves.has(Tag::Integer) && elements.index.wrapping_sub(before) > own;
                    self.found |= passed && elements.effect.is_some_and(|effect| effect.in_scope);
                    next
                }
                Some(Frame::Matched(matched)) => matched.next(pair, &mut self.rules, budget),
            };
            match next {
                NextChild::Busy => {}
                NextChild::Pair { primary, shadow, effect } => {
                    if let Err(kind) = self.compare(pair, primary, shadow, effect, budget) {
                        return Poll::Ready(self.diverged(pair, kind, Some(primary), Some(shadow)));
                    }
                }
                NextChild::Missing(node) if !self.counts(pair.primary.value(node).tag) => {}
                NextChild::Extra(node) if !self.counts(pair.shadow.value(node).tag) => {}
                NextChild::Missing(node) => return Poll::Ready(self.diverged(pair, Kind::Missing, Some(node), None)),
                NextChild::Extra(node) => return Poll::Ready(self.diverged(pair, Kind::Extra, None, Some(node))),
                NextChild::End => {
                    self.frames.pop();
                }
            }
        }
        Poll::Pending
    }

    /// Compares two values, or begins to compare what is in them.
    fn compare(&mut self, pair: Sides<'_, Document>, primary: u32, shadow: u32, effect: Effect, budget: &mut usize) -> Result<(), Kind> {
        let (a, b) = (pair.primary.value(primary), pair.shadow.value(shadow));
        self.found |= effect.in_scope && (self.counts(a.tag) || self.counts(b.tag));
        match (a.tag, b.tag) {
            (left, right) if !self.counts(left) && !self.counts(right) => {}
            (left, right) if !effect.in_scope && !left.is_container() && !right.is_container() => {}
            (Tag::Plain | Tag::Escaped, Tag::Plain | Tag::Escaped) => {
                self.text = Some((TextMatch::new(self.leaves.normalize()), primary, shadow))
            }
            (Tag::Object, Tag::Object) => {
                self.frames.push(Frame::Matched(Box::new(Matched::new(pair, primary, shadow, By::Name))));
            }
            (Tag::Array, Tag::Array) => self.begin_array(pair, primary, shadow, effect)?,
            _ => {
                if a.tag.is_number() && b.tag.is_number() {
                    *budget = budget.saturating_sub(number::cost(a, b));
                }
                compare_plain(a, b, effect.tolerance.or(Tolerance::JSON))?;
            }
        }
        Ok(())
    }

    /// Whether a value of such a tag counts.
    fn counts(&self, tag: Tag) -> bool {
        tag.is_container() || self.leaves.has(tag)
    }

    fn begin_array(&mut self, pair: Sides<'_, Document>, primary: u32, shadow: u32, effect: Effect) -> Result<(), Kind> {
        let remaining = pair.primary.children(primary);
        if remaining != pair.shadow.children(shadow) {
            return Err(Kind::Length);
        }
        let rule = effect.unordered.and_then(|index| Some((index, self.rules.plan().unordered.get(index)?)));
        if let Some((index, rule)) = rule
            && rule.by.is_some()
        {
            self.frames.push(Frame::Matched(Box::new(Matched::new(pair, primary, shadow, By::Member(index)))));
            return Ok(());
        }
        if rule.is_some() && has_only_scalars(pair.primary, primary) && has_only_scalars(pair.shadow, shadow) {
            self.frames.push(Frame::Matched(Box::new(Matched::new(pair, primary, shadow, By::Rank))));
        } else {
            let (primary, shadow) = (first_child(primary), first_child(shadow));
            let uniform = self.rules.is_uniform();
            self.frames.push(Frame::Elements(ArrayElements { primary, shadow, remaining, index: 0, effect: None, uniform }));
        }
        Ok(())
    }

    fn diverged(&self, pair: Sides<'_, Document>, kind: Kind, primary: Option<u32>, shadow: Option<u32>) -> Finding {
        let mut place = Place::default();
        for frame in &self.frames {
            let here = match frame {
                Frame::Root(_) => None,
                Frame::Elements(elements) => Some(Here::Index(elements.index.wrapping_sub(1))),
                Frame::Matched(matched) => matched.here(pair),
            };
            if let Some(here) = here {
                place.push(here);
            }
        }
        let (path, pattern) = place.finish();
        let relative = match (kind, primary, shadow) {
            (Kind::Number, Some(primary), Some(shadow)) => {
                let (primary, shadow) = (pair.primary.value(primary), pair.shadow.value(shadow));
                number::relative_difference(number::double(primary), number::double(shadow))
            }
            _ => None,
        };
        let source = |document: &Document, node: Option<u32>| node.map(|node| excerpt(document.source(node))).unwrap_or_default();
        let values = (source(pair.primary, primary), source(pair.shadow, shadow));
        Finding::Diverged(Divergence { kind, path, pattern, relative, values })
    }
}

/// Compares two values that are neither both strings, nor both arrays, nor both objects.
fn compare_plain(a: Value<'_>, b: Value<'_>, tolerance: Tolerance) -> Result<(), Kind> {
    let is_boolean = |tag| matches!(tag, Tag::False | Tag::True);
    let (equal, kind) = match (a.tag, b.tag) {
        (Tag::Null, _) | (_, Tag::Null) => (a.tag == b.tag, Kind::Null),
        (left, right) if left.is_number() && right.is_number() => (number::equal(a, b, tolerance), Kind::Number),
        (left, right) if is_boolean(left) && is_boolean(right) => (left == right, Kind::Boolean),
        _ => (false, Kind::Type),
    };
    if equal { Ok(()) } else { Err(kind) }
}

/// A scalar takes one node and a container at least two.
fn has_only_scalars(document: &Document, array: u32) -> bool {
    document.after(array).wrapping_sub(first_child(array)) == document.children(array)
}

impl ArrayElements {
    /// Goes on to the next two elements that are not plainly equal.
    fn next(&mut self, pair: Sides<'_, Document>, rules: &mut Rules, budget: &mut usize) -> NextChild {
        if self.remaining == 0 {
            if self.effect.is_some() {
                rules.leave();
            }
            return NextChild::End;
        }
        let effect = self.effect(rules);
        if self.uniform && !effect.ignored {
            self.pass_numbers(pair, effect.tolerance.or(Tolerance::JSON), budget);
        }
        if *budget == 0 || self.remaining == 0 {
            return NextChild::Busy;
        }
        *budget = budget.saturating_sub(ELEMENT);
        let (primary, shadow) = (self.primary, self.shadow);
        self.primary = pair.primary.after(primary);
        self.shadow = pair.shadow.after(shadow);
        self.remaining = self.remaining.wrapping_sub(1);
        self.index = self.index.wrapping_add(1);
        if effect.ignored { NextChild::Busy } else { NextChild::Pair { primary, shadow, effect } }
    }

    /// Passes over numbers that are equal within tolerance.
    fn pass_numbers(&mut self, pair: Sides<'_, Document>, tolerance: Tolerance, budget: &mut usize) {
        let equal = |a: Value<'_>, b: Value<'_>| number::equal(a, b, tolerance);
        let passed = pass_numbers(pair, (self.primary, self.shadow), self.remaining, equal, budget);
        self.primary = self.primary.wrapping_add(passed);
        self.shadow = self.shadow.wrapping_add(passed);
        self.remaining = self.remaining.wrapping_sub(passed);
        self.index = self.index.wrapping_add(passed);
    }

    /// What the plan says of the next element.
    fn effect(&mut self, rules: &mut Rules) -> Effect {
        match self.effect {
            Some(effect) if self.uniform => effect,
            before => {
                if before.is_some() {
                    rules.leave();
                }
                let effect = rules.enter(Here::Index(self.index));
                self.effect = Some(effect);
                effect
            }
        }
    }
}
