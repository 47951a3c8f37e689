//! Compares answers that are named tensors.
//!
//! Outputs are matched by name and taken in the order of names, whatever their order in the answers. Of two outputs the datatypes are
//! compared first, then the shapes, then the elements in flat order, however each side writes them. Which outputs and elements count is
//! up to the task (see [`scope`]) and to what the operator ignores. Order always counts: `unordered` has no effect on tensors.

mod difference;
mod elements;
pub mod scope;

use core::task::{Poll, ready};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::compare::answer::IMPOSSIBLE;
use crate::compare::judge::outputs::difference::Difference;
use crate::compare::judge::outputs::elements::OutputElements;
use crate::compare::judge::outputs::scope::{Cover, Scope};
use crate::compare::judge::place::excerpt;
use crate::compare::judge::rules::{Here, Rules};
use crate::compare::judge::task::Judge;
use crate::compare::judgement::{Differences, Judgement, Kind};
use crate::compare::part::content::{Content, Parts};
use crate::compare::part::tensor::{Tensor, by_name};
use crate::compare::side::{Side, Sides};
use crate::config::Compare;
use crate::fault::Fault;

/// What looking at an output costs, in bytes touched.
const OUTPUT: usize = 64;

/// The fault of an answer in which a task finds nothing to look at.
const NOTHING: &str = "nothing in it that the task looks at";

/// The outputs of one name, by their places among the tensors of their answers. At least one side has one.
#[derive(Clone, Copy, Debug)]
struct Partners {
    primary: Option<usize>,
    shadow: Option<usize>,
}

/// Compares tensors by name.
#[derive(Debug)]
pub struct OutputsJudge {
    rules: Rules,
    scope: Scope,
    /// Whether the whole answer is ignored.
    ignored: bool,
    /// The outputs that are still to be compared; `None` before the first step.
    waiting: Option<VecDeque<Partners>>,
    /// The index of the output that is being compared, for paths, and its elements.
    current: Option<(u32, OutputElements)>,
    differences: Differences,
}

impl OutputsJudge {
    /// As `plan` says; of its task see [`Scope::new`].
    pub fn new(plan: Rc<Compare>) -> Self {
        let scope = Scope::new(&plan.task);
        let (rules, effect) = Rules::new(plan);
        Self { rules, scope, ignored: effect.ignored, waiting: None, current: None, differences: Differences::default() }
    }

    /// Pairs the outputs up.
    fn begin(&mut self, primary: &[Tensor], shadow: &[Tensor]) -> Result<(), Side> {
        let mut partners = partners(primary, shadow);
        let scope = &self.scope;
        if !scope.is_everything() {
            partners.retain(|pair| scope.covers(pair.primary.and_then(|at| primary.get(at)), pair.shadow.and_then(|at| shadow.get(at))));
            if !partners.iter().any(|pair| pair.primary.is_some()) {
                return Err(Side::Primary);
            }
            if !partners.iter().any(|pair| pair.shadow.is_some()) {
                return Err(Side::Shadow);
            }
        }
        let ignored = self.rules.enter(Here::member("outputs")).ignored;
        self.waiting = Some(if self.ignored || ignored { VecDeque::new() } else { partners });
        Ok(())
    }

    /// Begins with an output: its elements, if they are to be compared.
    fn open(&mut self, index: u32, primary: Option<&Tensor>, shadow: Option<&Tensor>) -> Result<Option<OutputElements>, Difference> {
        if self.rules.enter(Here::Index(index)).ignored {
            return Ok(None);
        }
        let (primary, shadow) = match (primary, shadow) {
            (Some(primary), Some(shadow)) => (primary, shadow),
            (primary, shadow) => return Err(alone(primary, shadow)),
        };
        let Some(cover) = self.scope.cover(index) else { return Ok(None) };
        if cover == Cover::Output {
            let differ = |kind, member, values| Difference { kind, member: Some((member, None)), values };
            if primary.datatype != shadow.datatype && !self.ignores("datatype") {
                let values = (primary.datatype.name().to_owned(), shadow.datatype.name().to_owned());
                return Err(differ(Kind::Datatype, "datatype", values));
            }
            if primary.shape != shadow.shape && !self.ignores("shape") {
                return Err(differ(Kind::Shape, "shape", (shape(primary), shape(shadow))));
            }
        }
        if self.rules.enter(Here::member("data")).ignored {
            self.rules.leave();
            return Ok(None);
        }
        let elements = OutputElements::new(primary, shadow, cover, &self.rules, self.scope.texts);
        if elements.is_err() {
            self.rules.leave();
        }
        elements.map(Some)
    }

    /// Whether the member `member` of the output at hand does not count.
    fn ignores(&mut self, member: &'static str) -> bool {
        let ignored = self.rules.enter(Here::member(member)).ignored;
        self.rules.leave();
        ignored
    }

    /// Does a little. Ready behind the last output, or with a reason why they can't be compared.
    fn turn(&mut self, pair: Sides<'_, Content>, tensors: (&[Tensor], &[Tensor]), budget: &mut usize) -> Poll<Result<(), Fault>> {
        if let Some((index, elements)) = &mut self.current {
            ready!(elements.step(*index, pair.documents(), &mut self.rules, &mut self.differences, budget))?;
            self.current = None;
            // Of the data, and of the output.
            self.rules.leave();
            self.rules.leave();
            return Poll::Pending;
        }
        let Some(partners) = self.waiting.as_mut().and_then(VecDeque::pop_front) else { return Poll::Ready(Ok(())) };
        *budget = budget.saturating_sub(OUTPUT);
        let primary = partners.primary.and_then(|at| tensors.0.get(at));
        let shadow = partners.shadow.and_then(|at| tensors.1.get(at));
        let Some(index) = primary.or(shadow).map(|tensor| tensor.place) else { return Poll::Ready(Err(IMPOSSIBLE)) };
        match self.open(index, primary, shadow) {
            Ok(Some(elements)) => {
                self.current = Some((index, elements));
                return Poll::Pending;
            }
            Ok(None) => {}
            Err(difference) => self.differences.add(|| difference.divergence(index)),
        }
        self.rules.leave();
        Poll::Pending
    }
}

impl Judge for OutputsJudge {
    fn step(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<Judgement> {
        let (Parts::Tensors(primary), Parts::Tensors(shadow)) = (&pair.primary.parts, &pair.shadow.parts) else {
            return Poll::Ready(Judgement::Incomparable { side: Side::Shadow, reason: "not tensors as the primary's answer".into() });
        };
        if self.waiting.is_none() {
            let outputs = primary.len().saturating_add(shadow.len());
            *budget = budget.saturating_sub(outputs.saturating_mul(OUTPUT));
            if let Err(side) = self.begin(primary, shadow) {
                return Poll::Ready(Judgement::Incomparable { side, reason: NOTHING.into() });
            }
        }
        while *budget > 0 {
            if self.differences.is_full() {
                return Poll::Ready(self.differences.take());
            }
            if let Poll::Ready(end) = self.turn(pair, (primary, shadow), budget) {
                return Poll::Ready(match end {
                    Ok(()) => self.differences.take(),
                    Err(reason) => Judgement::Incomparable { side: Side::Primary, reason: reason.into() },
                });
            }
        }
        Poll::Pending
    }
}

/// An output that only one side has: its name is all that is shown of it.
fn alone(primary: Option<&Tensor>, shadow: Option<&Tensor>) -> Difference {
    let kind = if primary.is_some() { Kind::Missing } else { Kind::Extra };
    let shown = |tensor: Option<&Tensor>| tensor.map(|tensor| excerpt(tensor.name.as_bytes())).unwrap_or_default();
    Difference { kind, member: None, values: (shown(primary), shown(shadow)) }
}

/// All outputs in the order of their names, those of one name together.
fn partners(primary: &[Tensor], shadow: &[Tensor]) -> VecDeque<Partners> {
    let (primary, shadow) = (by_name(primary), by_name(shadow));
    let mut partners = VecDeque::with_capacity(primary.len().max(shadow.len()));
    let (mut left, mut right) = (primary.into_iter().peekable(), shadow.into_iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => core::cmp::Ordering::Less,
            (None, Some(_)) => core::cmp::Ordering::Greater,
            (None, None) => return partners,
        };
        let primary = if order.is_le() { left.next() } else { None };
        let shadow = if order.is_ge() { right.next() } else { None };
        partners.push_back(Partners { primary: primary.map(|(_, at)| at), shadow: shadow.map(|(_, at)| at) });
    }
}

fn shape(tensor: &Tensor) -> String {
    excerpt(format!("{:?}", tensor.shape).as_bytes())
}
