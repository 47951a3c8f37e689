//! Walks two arrays of one length, in order.

use crate::compare::judge::document::next::NextChild;
use crate::compare::judge::pass::pass_numbers;
use crate::compare::judge::rules::{Effect, Here, Rules};
use crate::compare::side::Sides;
use crate::config::GivenTolerance;
use crate::json::number;
use crate::json::tape::{Document, first_child};
use crate::json::value::Value;

/// What looking at two elements costs beside the text they touch.
const ELEMENT: usize = 8;

/// Two arrays under way.
#[derive(Debug)]
pub struct ArrayElements {
    /// The next element of each side, and how many there still are.
    primary: u32,
    shadow: u32,
    remaining: u32,
    /// The index of the next element.
    index: u32,
    /// What the plan says of the element that the walk is at; of every element, if that is uniform.
    effect: Option<Effect>,
    uniform: bool,
    /// Whether numbers were passed over.
    passed: bool,
}

impl ArrayElements {
    /// Of two arrays of `length` elements.
    pub fn new(primary: u32, shadow: u32, length: u32, rules: &Rules) -> Self {
        let (primary, shadow) = (first_child(primary), first_child(shadow));
        Self { primary, shadow, remaining: length, index: 0, effect: None, uniform: rules.is_uniform(), passed: false }
    }

    /// The step to the element that the walk is at.
    pub fn here(&self) -> Here<'static> {
        Here::Index(self.index.wrapping_sub(1))
    }

    /// Whether it has passed over numbers that are in scope.
    pub fn passed_in_scope(&self) -> bool {
        self.passed && self.effect.is_some_and(|effect| effect.in_scope)
    }

    /// Goes on to the next two elements that are not plainly equal.
    pub fn next(&mut self, pair: Sides<'_, Document>, rules: &mut Rules, budget: &mut usize) -> NextChild {
        if self.remaining == 0 {
            if self.effect.is_some() {
                rules.leave();
            }
            return NextChild::End;
        }
        let effect = self.effect(rules);
        if self.uniform && !effect.ignored {
            self.pass_numbers(pair, effect.tolerance, budget);
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

    /// Passes over numbers that are equal within the given tolerance, or by default.
    fn pass_numbers(&mut self, pair: Sides<'_, Document>, given: GivenTolerance, budget: &mut usize) {
        let equal = |a: Value<'_>, b: Value<'_>| number::equal(a, b, number::tolerance(a, b, given));
        let passed = pass_numbers(pair, (self.primary, self.shadow), self.remaining, equal, budget);
        self.passed |= passed > 0;
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
