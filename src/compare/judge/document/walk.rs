//! Walks two JSON values side by side, past the differences that count.
//!
//! The way down is a stack of frames, one per container, so that a walk can stop anywhere and go on in the next slice. Depth is bounded
//! by the reader.

use core::task::{Poll, ready};
use std::rc::Rc;

use crate::compare::judge::document::elements::ArrayElements;
use crate::compare::judge::document::matched::{By, Matched};
use crate::compare::judge::document::next::NextChild;
use crate::compare::judge::place::{Place, excerpt};
use crate::compare::judge::rules::{Effect, Rules};
use crate::compare::judge::same::gap;
use crate::compare::judge::text_match::TextMatch;
use crate::compare::judgement::{Differences, Divergence, Gap, Kind};
use crate::compare::part::element::Element;
use crate::compare::part::text::Text;
use crate::compare::side::Sides;
use crate::config::{Compare, GivenTolerance, Texts};
use crate::json::number;
use crate::json::tape::{Document, first_child};
use crate::json::value::{Tag, Value};
use crate::path::PathPattern;

/// A container under way.
#[derive(Debug)]
enum Frame {
    /// Around the two values that are walked: their nodes, and what the plan says of them.
    Root(Option<(u32, u32, Effect)>),
    Elements(ArrayElements),
    Matched(Box<Matched>),
}

/// Which scalars count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// All.
    All,
    /// Numbers.
    Numbers,
    /// Strings.
    Texts(Texts),
}

impl Leaves {
    fn texts(self) -> Texts {
        if let Leaves::Texts(texts) = self { texts } else { Texts::default() }
    }

    fn has(self, tag: Tag) -> bool {
        match self {
            Leaves::All => true,
            Leaves::Numbers => tag.is_number(),
            Leaves::Texts(_) => matches!(tag, Tag::Plain | Tag::Escaped),
        }
    }
}

/// Where the JSON is that is walked, if a text of an answer holds it, and how its differences are told.
#[derive(Debug)]
pub struct Inside {
    /// The place of the text.
    pub place: Place,
    /// The kind of all differences in it; `None`: what differs says it.
    pub kind: Option<Kind>,
    /// The tool whose arguments it is.
    pub tool: Option<String>,
}

/// A walk under way.
#[derive(Debug)]
pub struct Walk {
    rules: Rules,
    leaves: Leaves,
    inside: Option<Inside>,
    /// Whether there has been anything in scope.
    found: bool,
    frames: Vec<Frame>,
    /// Two strings that are being compared, and what the plan says of them.
    text: Option<(TextMatch, Strings)>,
}

/// Two strings, by their nodes, and what the plan says of them.
#[derive(Clone, Copy, Debug)]
pub struct Strings {
    /// That of the primary.
    pub primary: u32,
    /// That of the shadow.
    pub shadow: u32,
    effect: Effect,
}

/// What a walk comes to.
#[derive(Debug)]
pub enum Stop {
    /// Two texts that differ, and may be compared as JSON: whoever does has to count them. The walk goes on behind them.
    Texts(Strings),
    /// The end, or as many differences as are counted.
    End {
        /// Whether either side has anything in scope.
        found: bool,
    },
}

/// A difference that counts, of two numbers with how far they lie apart.
type Found = (Kind, Option<Gap>);

impl Walk {
    /// At the roots, to walk what `scope` leads to, if it is given. Of scalars only `leaves` count. Containers always do: where one side
    /// has one, or one of another kind or length, or no value at all, that is a difference, on the way to the scope as well as in it.
    pub fn within(plan: Rc<Compare>, scope: Option<PathPattern>, leaves: Leaves) -> Self {
        let found = scope.is_none() && leaves == Leaves::All;
        let (rules, effect) = Rules::within(plan, scope);
        Self { rules, leaves, inside: None, found, frames: vec![Frame::Root(Some((0, 0, effect)))], text: None }
    }

    /// Of JSON that a text holds. `rules` have been entered down to that text, and `effect` is what they say of it.
    pub fn inside(rules: Rules, effect: Effect, inside: Inside) -> Self {
        Self { rules, leaves: Leaves::All, inside: Some(inside), found: true, frames: vec![Frame::Root(Some((0, 0, effect)))], text: None }
    }

    /// Of two values within the documents. `rules` have been entered down to them, and `effect` is what they say of them.
    pub fn below(rules: Rules, effect: Effect, (primary, shadow): (u32, u32)) -> Self {
        let frames = vec![Frame::Root(Some((primary, shadow, effect)))];
        Self { rules, leaves: Leaves::All, inside: None, found: true, frames, text: None }
    }

    /// A walk of the JSON that two texts hold to which this walk has come.
    pub fn of_texts(&self, texts: Strings, pair: Sides<'_, Document>) -> Self {
        let inside = Inside { place: self.place(pair).inside(), kind: None, tool: None };
        Self::inside(self.rules.clone(), texts.effect, inside)
    }

    /// Walks on for about `budget` bytes. `Pending`: the budget was not enough; call again.
    pub fn step(&mut self, pair: Sides<'_, Document>, differences: &mut Differences, budget: &mut usize) -> Poll<Stop> {
        while *budget > 0 && !differences.is_full() {
            if let Some((text, strings)) = &mut self.text {
                let texts = (Text::Json(pair.primary.value(strings.primary)), Text::Json(pair.shadow.value(strings.shadow)));
                let equal = ready!(text.step(texts.0, texts.1, budget));
                let strings = *strings;
                self.text = None;
                if !equal && self.leaves.texts().json {
                    return Poll::Ready(Stop::Texts(strings));
                } else if !equal {
                    differences.add(|| self.text_difference(pair, Kind::Text, strings));
                }
            }
            let next = match self.frames.last_mut() {
                None => return Poll::Ready(Stop::End { found: self.found }),
                Some(Frame::Root(root)) => match root.take() {
                    Some((primary, shadow, effect)) if !effect.ignored => NextChild::Pair { primary, shadow, effect },
                    _ => NextChild::End,
                },
                Some(Frame::Elements(elements)) => {
                    let next = elements.next(pair, &mut self.rules, budget);
                    self.found |= self.leaves.has(Tag::Integer) && elements.passed_in_scope();
                    next
                }
                Some(Frame::Matched(matched)) => matched.next(pair, &mut self.rules, budget),
            };
            match next {
                NextChild::Busy => {}
                NextChild::Pair { primary, shadow, effect } => {
                    if let Err(found) = self.compare(pair, primary, shadow, effect, budget) {
                        differences.add(|| self.difference(pair, found, Some(primary), Some(shadow)));
                    }
                }
                NextChild::Missing(node) if !self.counts(pair.primary.value(node).tag) => {}
                NextChild::Extra(node) if !self.counts(pair.shadow.value(node).tag) => {}
                NextChild::Missing(node) => differences.add(|| self.difference(pair, (Kind::Missing, None), Some(node), None)),
                NextChild::Extra(node) => differences.add(|| self.difference(pair, (Kind::Extra, None), None, Some(node))),
                NextChild::End => {
                    self.frames.pop();
                }
            }
        }
        if differences.is_full() { Poll::Ready(Stop::End { found: true }) } else { Poll::Pending }
    }

    /// Compares two values, or begins to compare what is in them.
    fn compare(&mut self, pair: Sides<'_, Document>, primary: u32, shadow: u32, effect: Effect, budget: &mut usize) -> Result<(), Found> {
        let (a, b) = (pair.primary.value(primary), pair.shadow.value(shadow));
        self.found |= effect.in_scope && (self.leaves.has(a.tag) || self.leaves.has(b.tag));
        match (a.tag, b.tag) {
            (left, right) if !self.counts(left) && !self.counts(right) => {}
            (left, right) if !effect.in_scope && !left.is_container() && !right.is_container() => {}
            (Tag::Plain | Tag::Escaped, Tag::Plain | Tag::Escaped) => {
                self.text = Some((TextMatch::new(self.leaves.texts().normalize), Strings { primary, shadow, effect }));
            }
            (Tag::Object, Tag::Object) => {
                self.frames.push(Frame::Matched(Box::new(Matched::new(pair, primary, shadow, By::Name))));
            }
            (Tag::Array, Tag::Array) => self.begin_array(pair, primary, shadow, effect)?,
            _ => {
                if a.tag.is_number() && b.tag.is_number() {
                    *budget = budget.saturating_sub(number::cost(a, b));
                }
                compare_plain(a, b, effect.tolerance)?;
            }
        }
        Ok(())
    }

    /// Whether a value of such a tag counts.
    fn counts(&self, tag: Tag) -> bool {
        tag.is_container() || self.leaves.has(tag)
    }

    /// Begins to compare two arrays. What is in arrays of unlike lengths has no partners that anybody could know.
    fn begin_array(&mut self, pair: Sides<'_, Document>, primary: u32, shadow: u32, effect: Effect) -> Result<(), Found> {
        let length = pair.primary.children(primary);
        if length != pair.shadow.children(shadow) {
            return Err((Kind::Length, None));
        }
        let rule = effect.unordered.and_then(|index| Some((index, self.rules.plan().unordered.get(index)?)));
        let by = match rule {
            Some((index, rule)) if rule.by.is_some() => Some(By::Member(index)),
            Some(_) if has_only_scalars(pair.primary, primary) && has_only_scalars(pair.shadow, shadow) => Some(By::Rank),
            _ => None,
        };
        self.frames.push(match by {
            Some(by) => Frame::Matched(Box::new(Matched::new(pair, primary, shadow, by))),
            None => Frame::Elements(ArrayElements::new(primary, shadow, length, &self.rules)),
        });
        Ok(())
    }

    /// The difference of two texts to which the walk has come.
    pub fn text_difference(&self, pair: Sides<'_, Document>, kind: Kind, texts: Strings) -> Divergence {
        self.difference(pair, (kind, None), Some(texts.primary), Some(texts.shadow))
    }

    fn difference(&self, pair: Sides<'_, Document>, (kind, gap): Found, primary: Option<u32>, shadow: Option<u32>) -> Divergence {
        let source = |document: &Document, node: Option<u32>| node.map(|node| excerpt(document.source(node))).unwrap_or_default();
        let values = (source(pair.primary, primary), source(pair.shadow, shadow));
        let (own, tool) = self.inside.as_ref().map_or((None, None), |inside| (inside.kind, inside.tool.clone()));
        Divergence { gap, tool, ..Divergence::new(own.unwrap_or(kind), self.place(pair).finish(), values) }
    }

    /// Where the walk is.
    fn place(&self, pair: Sides<'_, Document>) -> Place {
        let mut place = self.inside.as_ref().map(|inside| inside.place.clone()).unwrap_or_default();
        for frame in &self.frames {
            let here = match frame {
                Frame::Root(_) => None,
                Frame::Elements(elements) => Some(elements.here()),
                Frame::Matched(matched) => matched.here(pair),
            };
            if let Some(here) = here {
                place.push(here);
            }
        }
        place
    }
}

/// Compares two values that are neither both strings, nor both arrays, nor both objects.
fn compare_plain(a: Value<'_>, b: Value<'_>, given: GivenTolerance) -> Result<(), Found> {
    let is_boolean = |tag| matches!(tag, Tag::False | Tag::True);
    let (equal, kind) = match (a.tag, b.tag) {
        (Tag::Null, _) | (_, Tag::Null) => (a.tag == b.tag, Kind::Null),
        (left, right) if left.is_number() && right.is_number() => {
            let tolerance = number::tolerance(a, b, given);
            let equal = number::equal(a, b, tolerance);
            return if equal { Ok(()) } else { Err((Kind::Number, gap(Element::Json(a), Element::Json(b), tolerance))) };
        }
        (left, right) if is_boolean(left) && is_boolean(right) => (left == right, Kind::Boolean),
        _ => (false, Kind::Type),
    };
    if equal { Ok(()) } else { Err((kind, None)) }
}

/// A scalar takes one node and a container at least two.
fn has_only_scalars(document: &Document, array: u32) -> bool {
    document.after(array).wrapping_sub(first_child(array)) == document.children(array)
}
