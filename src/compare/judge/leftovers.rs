//! Compares what two answers hold that their protocol does not read. It comes last: a pair that differs in what is read has diverged.
//!
//! A member is matched with the one of the same path in the item of the same index or name. Two are equal if they are the same JSON value;
//! a part of a content also has to come after the same text. One that only one side has differs from nothing.

use core::task::{Poll, ready};

use crate::compare::judge::document::walk::{Stop, Walk};
use crate::compare::judge::place::Place;
use crate::compare::judge::rules::{Here, Rules};
use crate::compare::judge::text_match::TextMatch;
use crate::compare::judgement::{Differences, Judgement};
use crate::compare::part::content::{Content, Parts};
use crate::compare::part::leftover::{Leftover, Unknown};
use crate::compare::part::text::Text;
use crate::compare::side::{Side, Sides};
use crate::config::Task;
use crate::fault::Fault;
use crate::json::value::{Tag, Value};
use crate::path::Step;

/// What it costs to look for a partner, for each item and member of the other side.
const LOOK: usize = 8;

const TOO_MANY: Fault = "has more members that nobody reads than can be told apart";
const UNREAD: Fault = "differs, and nobody reads it: see compare.ignore";

/// A comparison of what was left unread.
#[derive(Debug)]
pub struct LeftoversMatch {
    rules: Rules,
    is_ignored: bool,
    /// The side whose members are looked at, the primary's first, and the next of them.
    side: Side,
    next: usize,
    work: Option<Work>,
}

/// Two members that are being compared.
#[derive(Debug)]
struct Work {
    /// That of the shadow.
    partner: usize,
    /// What comes before them in a content.
    before: Option<TextMatch>,
    /// If they are values of JSON.
    walk: Option<Walk>,
}

/// Whether a task looks at all that a protocol reads, and so at what it does not. A path says what else doesn't matter.
pub fn looks_everywhere(task: &Task) -> bool {
    match task {
        Task::Auto | Task::Structure => true,
        Task::Scores { path } | Task::Regression { path } | Task::Text { path, .. } | Task::Embedding { path, .. } => path.is_none(),
        Task::Labels(labels) => labels.path.is_none(),
        Task::Decision(_) => false,
    }
}

impl LeftoversMatch {
    /// As `rules` say, which are at the root; with whether that is ignored.
    pub fn new(rules: Rules, is_ignored: bool) -> Self {
        Self { rules, is_ignored, side: Side::Primary, next: 0, work: None }
    }

    /// Compares on for about `budget` bytes: that they are equivalent, or which can't be compared. `Pending`: the budget was not enough; call
    /// again.
    pub fn step(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<Judgement> {
        while *budget > 0 && !self.is_ignored {
            let (own, other) = match self.side {
                Side::Primary => (pair.primary, pair.shadow),
                Side::Shadow => (pair.shadow, pair.primary),
            };
            let Some(leftover) = own.leftovers.all.get(self.next) else {
                let list = list(&own.parts);
                if own.leftovers.is_over && !self.ignores_list(list) {
                    return Poll::Ready(Judgement::LeftUnread { path: list.to_owned(), reason: TOO_MANY });
                }
                if self.side == Side::Shadow {
                    return Poll::Ready(Judgement::Equivalent);
                }
                (self.side, self.next) = (Side::Shadow, 0);
                continue;
            };
            if self.work.is_none() {
                let passes = leftover.is_thought && !self.rules.plan().reasoning || self.ignores(&own.parts, leftover);
                self.work = match partner(own, leftover, other, budget) {
                    Some(partner) if self.side == Side::Primary && !passes => {
                        let before = leftover.part.map(|_| TextMatch::new(false));
                        Some(Work { partner, before, walk: self.walk(pair, leftover, partner) })
                    }
                    None if !passes => return Poll::Ready(differs(&own.parts, leftover)),
                    _ => {
                        self.next = self.next.saturating_add(1);
                        continue;
                    }
                };
            }
            let Some(work) = &mut self.work else { continue };
            if !ready!(work.step(pair, leftover, budget)) {
                return Poll::Ready(differs(&own.parts, leftover));
            }
            self.work = None;
            self.next = self.next.saturating_add(1);
        }
        if self.is_ignored { Poll::Ready(Judgement::Equivalent) } else { Poll::Pending }
    }

    /// How a value is compared: exactly, but for what the operator's paths say.
    fn walk(&self, pair: Sides<'_, Content>, leftover: &Leftover, partner: usize) -> Option<Walk> {
        let (Unknown::Node(primary), Unknown::Node(shadow)) = (leftover.value, pair.shadow.leftovers.all.get(partner)?.value) else {
            return None;
        };
        let (mut rules, mut effect) = (self.rules.clone().exact(), None);
        walk(&pair.primary.parts, leftover, |here| effect = Some(rules.enter(here)));
        Some(Walk::below(rules, effect?, (primary, shadow)))
    }

    /// Whether the operator ignores all that is in the list of that name.
    fn ignores_list(&mut self, list: &'static str) -> bool {
        let ignored = self.rules.enter(Here::member(list)).ignored;
        self.rules.leave();
        ignored
    }

    /// Whether the operator ignores the member, or something above it.
    fn ignores(&mut self, parts: &Parts, leftover: &Leftover) -> bool {
        let (mut ignored, mut depth) = (false, 0_usize);
        walk(parts, leftover, |here| {
            ignored |= self.rules.enter(here).ignored;
            depth = depth.saturating_add(1);
        });
        for _ in 0..depth {
            self.rules.leave();
        }
        ignored
    }
}

impl Work {
    /// Whether the primary's `leftover` is equal to its partner.
    fn step(&mut self, pair: Sides<'_, Content>, leftover: &Leftover, budget: &mut usize) -> Poll<bool> {
        let Some(partner) = pair.shadow.leftovers.all.get(self.partner) else { return Poll::Ready(false) };
        if let Some(before) = &mut self.before {
            let (primary, shadow) = (text_before(pair.primary, leftover), text_before(pair.shadow, partner));
            let (primary, shadow) = (Text::Strings(&pair.primary.document, primary), Text::Strings(&pair.shadow.document, shadow));
            if !ready!(before.step(primary, shadow, budget)) {
                return Poll::Ready(false);
            }
            self.before = None;
        }
        if let Some(walk) = &mut self.walk {
            let mut differences = Differences::default();
            // The first difference is enough.
            let step = walk.step(pair.documents(), &mut differences, budget);
            return if differences.is_empty() { step.map(|_: Stop| true) } else { Poll::Ready(false) };
        }
        match (leftover.value, partner.value) {
            (Unknown::Bytes(primary), Unknown::Bytes(shadow)) => {
                let (primary, shadow) = (primary.of(pair.primary.document.body.bytes()), shadow.of(pair.shadow.document.body.bytes()));
                *budget = budget.saturating_sub(primary.len());
                Poll::Ready(primary == shadow)
            }
            _ => Poll::Ready(false),
        }
    }
}

/// Which member of `other` has the path of `leftover`, in the item that belongs to its own.
fn partner(own: &Content, leftover: &Leftover, other: &Content, budget: &mut usize) -> Option<usize> {
    let items = match &other.parts {
        Parts::Choices(all) => all.len(),
        Parts::Tensors(all) | Parts::Embeddings(all) => all.len(),
        _ => 0,
    };
    *budget = budget.saturating_sub(items.saturating_add(other.leftovers.all.len()).saturating_mul(LOOK));
    let item = match (&own.parts, &other.parts) {
        (Parts::Choices(own), Parts::Choices(other)) => {
            let index = own.iter().find(|choice| choice.place == leftover.item)?.index;
            let at = other.binary_search_by_key(&index, |choice| choice.index).ok()?;
            other.get(at)?.place
        }
        (Parts::Tensors(own), Parts::Tensors(other)) => {
            let name = &own.get(leftover.item as usize)?.name;
            other.iter().find(|tensor| tensor.name == *name)?.place
        }
        (Parts::Embeddings(own), Parts::Embeddings(other)) => {
            let at = own.iter().position(|tensor| tensor.place == leftover.item)?;
            other.get(at)?.place
        }
        _ => return None,
    };
    let all = other.leftovers.all.as_slice();
    let first = all.partition_point(|leftover| leftover.item < item);
    let own = all.get(first..)?.iter().take_while(|leftover| leftover.item == item);
    let at = own.clone().position(|found| found.nth == leftover.nth && found.path == leftover.path)?;
    first.checked_add(at)
}

/// The strings that come before a part of a content.
fn text_before<'a>(content: &'a Content, leftover: &Leftover) -> &'a [u32] {
    let Parts::Choices(choices) = &content.parts else { return &[] };
    let choice = choices.iter().find(|choice| choice.place == leftover.item);
    let before = leftover.part.map_or(0, |(_, before)| before as usize);
    choice.and_then(|choice| choice.content.get(..before)).unwrap_or_default()
}

/// The name of the list whose items these parts are.
fn list(parts: &Parts) -> &'static str {
    match parts {
        Parts::Choices(_) => "choices",
        Parts::Embeddings(_) => "data",
        _ => "outputs",
    }
}

/// Goes down to a member, step by step.
fn walk(parts: &Parts, leftover: &Leftover, mut step: impl FnMut(Here<'_>)) {
    step(Here::member(list(parts)));
    step(Here::Index(leftover.item));
    for name in &leftover.path {
        match name {
            Step::Member(name) => {
                let spelled = name.replace('\\', "\\\\");
                step(Here::Name(Value { tag: Tag::Escaped, text: spelled.as_bytes() }));
            }
            Step::Index(index) => step(Here::Index(u32::try_from(*index).unwrap_or(u32::MAX))),
            Step::AnyIndex => step(Here::Index(leftover.part.map_or(0, |(place, _)| place))),
        }
    }
}

fn differs(parts: &Parts, leftover: &Leftover) -> Judgement {
    let mut place = Place::default();
    walk(parts, leftover, |here| place.push(here));
    Judgement::LeftUnread { path: place.finish().0, reason: UNREAD }
}
