//! Which of an operator's paths hold at the value being walked.
//!
//! For each level of the walk the rules keep the paths whose steps so far all fit. A level without such paths costs nothing. An array whose
//! elements no path tells apart is looked up once instead of once per element.

use std::rc::Rc;

use crate::config::{Compare, GivenTolerance};
use crate::json::text;
use crate::json::value::{Tag, Value};
use crate::path::{PathPattern, Step};

/// A step of the walk.
#[derive(Clone, Copy, Debug)]
pub enum Here<'a> {
    /// To the member of that name.
    Name(Value<'a>),
    /// To the element of that index.
    Index(u32),
}

impl<'a> Here<'a> {
    /// To the member of that name, which is plain: without a backslash.
    pub fn member(name: &'a str) -> Self {
        Here::Name(Value { tag: Tag::Plain, text: name.as_bytes() })
    }

    /// Whether that step of a path leads there.
    pub fn fits(self, step: &Step) -> bool {
        match (self, step) {
            (Here::Name(name), Step::Member(member)) => text::reads(name, member),
            (Here::Index(index), Step::Index(wanted)) => index as usize == *wanted,
            (Here::Index(_), Step::AnyIndex) => true,
            _ => false,
        }
    }
}

/// What the operator's paths say of one value.
#[derive(Clone, Copy, Debug)]
pub struct Effect {
    /// The value does not count, nor does anything below it.
    pub ignored: bool,
    /// The value is within the scope, or there is none. Otherwise it is ignored or on the way to the scope.
    pub in_scope: bool,
    /// The tolerance for the value as a number.
    pub tolerance: GivenTolerance,
    has_own_tolerance: bool,
    /// Whether the value is compared unordered, as an array: index into [`Compare::unordered`].
    pub unordered: Option<usize>,
}

impl Effect {
    fn none(plan: &Compare) -> Self {
        Self { ignored: false, in_scope: true, tolerance: plan.default, has_own_tolerance: false, unordered: None }
    }

    /// Adds what a path says that ends here. Paths come in the plan's order, and the first wins.
    fn add(&mut self, plan: &Compare, path: Live) {
        match path {
            Live::Ignore(_) => self.ignored = true,
            Live::Tolerance(index) => {
                if let (false, Some(&(_, tolerance))) = (self.has_own_tolerance, plan.tolerances.get(index)) {
                    self.tolerance = tolerance;
                    self.has_own_tolerance = true;
                }
            }
            Live::Unordered(index) => self.unordered = self.unordered.or(Some(index)),
            Live::Scope => {}
        }
    }
}

/// One of the plan's paths.
#[derive(Clone, Copy, Debug)]
enum Live {
    Ignore(usize),
    Tolerance(usize),
    Unordered(usize),
    /// What the walk is confined to. Alive also below its end.
    Scope,
}

/// The paths that are alive at each level, from the root to the value being walked.
#[derive(Debug)]
pub struct Rules {
    plan: Rc<Compare>,
    /// The path of all that counts.
    scope: Option<PathPattern>,
    live: Vec<Live>,
    /// Where each level begins in `live`.
    levels: Vec<usize>,
}

impl Rules {
    /// At the root, of which the effect is given.
    pub fn new(plan: Rc<Compare>) -> (Self, Effect) {
        Self::within(plan, None)
    }

    /// The same, and only what `scope` leads to counts, if it is given, with all below.
    pub fn within(plan: Rc<Compare>, scope: Option<PathPattern>) -> (Self, Effect) {
        let ignore = (0..plan.ignore.len()).map(Live::Ignore);
        let tolerances = (0..plan.tolerances.len()).map(Live::Tolerance);
        let unordered = (0..plan.unordered.len()).map(Live::Unordered);
        let confined = scope.as_ref().map(|_| Live::Scope);
        let live: Vec<Live> = ignore.chain(tolerances).chain(unordered).chain(confined).collect();
        let mut effect = Effect::none(&plan);
        effect.in_scope = scope.as_ref().is_none_or(|scope| scope.steps().is_empty());
        for &path in &live {
            if steps(&plan, scope.as_ref(), path).is_empty() {
                effect.add(&plan, path);
            }
        }
        (Self { plan, scope, live, levels: vec![0] }, effect)
    }

    /// The plan.
    pub fn plan(&self) -> &Rc<Compare> {
        &self.plan
    }

    /// Goes one step down.
    #[inline]
    pub fn enter(&mut self, here: Here<'_>) -> Effect {
        let begin = self.levels.last().copied().unwrap_or(0);
        let end = self.live.len();
        let depth = self.levels.len();
        self.levels.push(end);
        let mut effect = Effect::none(&self.plan);
        let (mut is_alive, mut in_scope) = (false, false);
        for at in begin..end {
            let Some(&path) = self.live.get(at) else { break };
            let steps = steps(&self.plan, self.scope.as_ref(), path);
            let is_scope = matches!(path, Live::Scope);
            if (is_scope && steps.len() < depth) || steps.get(depth.wrapping_sub(1)).is_some_and(|step| here.fits(step)) {
                self.live.push(path);
                is_alive |= is_scope;
                in_scope |= is_scope && steps.len() <= depth;
                if steps.len() == depth {
                    effect.add(&self.plan, path);
                }
            }
        }
        if self.scope.is_some() {
            effect.ignored |= !is_alive;
            effect.in_scope = in_scope;
        }
        effect
    }

    /// Goes back up.
    #[inline]
    pub fn leave(&mut self) {
        if let Some(begin) = self.levels.pop() {
            self.live.truncate(begin);
        }
    }

    /// The indices of the elements that are ignored of the array at this level, in order; `None` if all are.
    pub fn ignored_elements(&self) -> Option<Vec<u64>> {
        let begin = self.levels.last().copied().unwrap_or(0);
        let depth = self.levels.len();
        let mut indices = Vec::new();
        for &path in self.live.get(begin..).unwrap_or_default() {
            let steps = steps(&self.plan, self.scope.as_ref(), path);
            match (path, steps.get(depth.wrapping_sub(1))) {
                (Live::Ignore(_), Some(step)) if steps.len() == depth => match step {
                    Step::AnyIndex => return None,
                    Step::Index(index) => {
                        if let Err(at) = indices.binary_search(&(*index as u64)) {
                            indices.insert(at, *index as u64);
                        }
                    }
                    Step::Member(_) => {}
                },
                _ => {}
            }
        }
        Some(indices)
    }

    /// Whether [`Rules::enter`] would say the same of every element of the array at this level.
    pub fn is_uniform(&self) -> bool {
        let begin = self.levels.last().copied().unwrap_or(0);
        let depth = self.levels.len();
        let live = self.live.get(begin..).unwrap_or_default();
        !live.iter().any(|&path| matches!(steps(&self.plan, self.scope.as_ref(), path).get(depth.wrapping_sub(1)), Some(Step::Index(_))))
    }
}

fn steps<'a>(plan: &'a Compare, scope: Option<&'a PathPattern>, path: Live) -> &'a [Step] {
    let pattern: Option<&PathPattern> = match path {
        Live::Ignore(index) => plan.ignore.get(index),
        Live::Tolerance(index) => plan.tolerances.get(index).map(|(pattern, _)| pattern),
        Live::Unordered(index) => plan.unordered.get(index).map(|unordered| &unordered.path),
        Live::Scope => scope,
    };
    pattern.map(PathPattern::steps).unwrap_or_default()
}
