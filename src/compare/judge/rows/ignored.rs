//! Which rows, and which elements of a row, the operator ignores.

use std::rc::Rc;

use crate::compare::judge::rules::{Here, Rules};
use crate::config::Compare;

/// The paths that the operator ignores, as seen from a place in the answers.
#[derive(Debug)]
pub struct Ignored {
    rules: Rules,
    /// Whether the whole answer is ignored.
    pub everything: bool,
}

/// Which elements of an array are ignored.
#[derive(Debug, PartialEq, Eq)]
pub enum IgnoredElements {
    /// All of them.
    All,
    /// Those with these indices, in order.
    At(Vec<u64>),
}

impl Ignored {
    /// At the root.
    pub fn new(plan: Rc<Compare>) -> Self {
        let (rules, effect) = Rules::new(plan);
        Self { rules, everything: effect.ignored }
    }

    /// Goes one step down. Whether the value there is ignored.
    pub fn enter(&mut self, here: Here<'_>) -> bool {
        self.rules.enter(here).ignored
    }

    /// Goes back up.
    pub fn leave(&mut self) {
        self.rules.leave();
    }

    /// Which elements are ignored of the array that is here.
    pub fn elements(&self) -> IgnoredElements {
        self.rules.ignored_elements().map_or(IgnoredElements::All, IgnoredElements::At)
    }

    /// The plan.
    pub fn plan(&self) -> &Compare {
        self.rules.plan()
    }

    /// Which elements are ignored of the array that these steps lead to from here.
    pub fn elements_at(&mut self, steps: &[Here<'_>]) -> IgnoredElements {
        let mut ignored = false;
        for step in steps {
            ignored |= self.enter(*step);
        }
        let elements = if ignored { IgnoredElements::All } else { self.elements() };
        for _ in steps {
            self.leave();
        }
        elements
    }
}
