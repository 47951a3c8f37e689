//! Walks two containers whose children are not matched by position: the members of objects, and arrays that are compared unordered.
//!
//! Both sides are collected, sorted by a scalar (the name, the element itself, or the member that identifies an element), and then run
//! through side by side. All of it goes on in slices. For the operator's paths and in a divergence, two matched elements have the index
//! of the primary's. It does not look into the children.

use core::cmp::Ordering;
use core::task::{Poll, ready};

use crate::compare::judge::document::next::NextChild;
use crate::compare::judge::document::order::{ScalarOrder, Sort};
use crate::compare::judge::rules::{Here, Rules};
use crate::compare::side::{Side, Sides};
use crate::json::tape::{Document, first_child};
use crate::json::text;
use crate::json::value::Tag;

/// What looking at one child costs.
const CHILD: usize = 16;

/// How children find their partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Members by name.
    Name,
    /// Scalar elements by their place in sorted order; the arrays are equally long.
    Rank,
    /// Elements by the member that `Compare::unordered` names at this index; those without it by their order.
    Member(usize),
}

/// A child.
#[derive(Debug, Clone, Copy)]
struct Child {
    /// The value.
    node: u32,
    /// The scalar that it is matched by; [`NO_KEY`] if it has none.
    key: u32,
    /// Which element it is of an array.
    index: u32,
}

/// No scalar to match by.
const NO_KEY: u32 = u32::MAX;

/// The children of one side.
#[derive(Debug)]
struct Children {
    by: By,
    /// The next child to collect, and how many there still are.
    node: u32,
    remaining: u32,
    /// The first child.
    first: u32,
    sort: Sort,
    /// Of [`By::Member`]: value and key of every element.
    elements: Vec<(u32, u32)>,
    /// The element under way, while its members are searched.
    search: Option<Search>,
    /// The next child to match: of those with a key, then of those without.
    next: usize,
}

/// A search for a member.
#[derive(Debug)]
struct Search {
    /// The next name to look at, and how many there still are.
    name: u32,
    remaining: u32,
    /// The value of the last member that fits; [`NO_KEY`] if it is no scalar, or no member fits yet.
    found: u32,
}

impl Children {
    fn new(document: &Document, container: u32, by: By) -> Self {
        let remaining = document.children(container);
        let first = first_child(container);
        let sort = if by == By::Name { Sort::unique(remaining) } else { Sort::with_capacity(remaining) };
        let elements = Vec::with_capacity(if matches!(by, By::Member(_)) { remaining as usize } else { 0 });
        Self { by, node: first, remaining, first, sort, elements, search: None, next: 0 }
    }

    /// Collects and sorts. `Pending`: the budget was not enough; call again.
    fn prepare(&mut self, document: &Document, name: &str, budget: &mut usize) -> Poll<()> {
        while self.remaining > 0 {
            if *budget == 0 {
                return Poll::Pending;
            }
            *budget = budget.saturating_sub(CHILD);
            self.collect(document, name);
        }
        let (by, elements) = (self.by, &self.elements);
        let key = |item: u32| match by {
            By::Name | By::Rank => item,
            By::Member(_) => elements.get(item as usize).map_or(NO_KEY, |&(_, key)| key),
        };
        self.sort.step(document, key, budget)
    }

    /// Collects one child, or searches one member of it.
    fn collect(&mut self, document: &Document, name: &str) {
        match self.by {
            By::Name => {
                self.sort.push(self.node);
                self.node = document.after(self.node.wrapping_add(1));
            }
            By::Rank => {
                self.sort.push(self.node);
                self.node = document.after(self.node);
            }
            By::Member(_) => match &mut self.search {
                None => {
                    let is_object = document.value(self.node).tag == Tag::Object;
                    let remaining = if is_object { document.children(self.node) } else { 0 };
                    self.search = Some(Search { name: first_child(self.node), remaining, found: NO_KEY });
                    return;
                }
                Some(search) if search.remaining > 0 => {
                    let value = search.name.wrapping_add(1);
                    if text::reads(document.value(search.name), name) {
                        search.found = if document.value(value).tag.is_container() { NO_KEY } else { value };
                    }
                    search.name = document.after(value);
                    search.remaining = search.remaining.wrapping_sub(1);
                    return;
                }
                Some(search) => {
                    if search.found != NO_KEY {
                        self.sort.push(self.elements.len() as u32);
                    }
                    self.elements.push((self.node, search.found));
                    self.node = document.after(self.node);
                    self.search = None;
                }
            },
        }
        self.remaining = self.remaining.wrapping_sub(1);
    }

    /// The next child that has a key, in order of keys.
    fn peek(&self) -> Option<Child> {
        let &item = self.sort.items().get(self.next)?;
        Some(match self.by {
            By::Name => Child { node: item.wrapping_add(1), key: item, index: 0 },
            // Scalars are one node each.
            By::Rank => Child { node: item, key: item, index: item.wrapping_sub(self.first) },
            By::Member(_) => {
                let (node, key) = self.elements.get(item as usize).copied()?;
                Child { node, key, index: item }
            }
        })
    }

    /// The next child that has no key, if there is one. `Pending`: the budget was not enough; call again.
    fn peek_keyless(&mut self, budget: &mut usize) -> Poll<Option<Child>> {
        while let Some(&(node, key)) = self.elements.get(self.next) {
            if key == NO_KEY {
                return Poll::Ready(Some(Child { node, key, index: self.next as u32 }));
            }
            if *budget == 0 {
                return Poll::Pending;
            }
            *budget = budget.saturating_sub(1);
            self.advance();
        }
        Poll::Ready(None)
    }

    fn advance(&mut self) {
        self.next = self.next.wrapping_add(1);
    }
}

/// Two containers under way.
#[derive(Debug)]
pub struct Matched {
    by: By,
    primary: Children,
    shadow: Children,
    stage: Stage,
    order: ScalarOrder,
    /// The child that the walk is at.
    current: Option<(Side, Child)>,
}

#[derive(Debug)]
enum Stage {
    Prepare,
    Keyed,
    Keyless,
}

impl Matched {
    /// Two containers of one kind: for [`By::Name`] objects, else arrays.
    pub fn new(pair: Sides<'_, Document>, primary: u32, shadow: u32, by: By) -> Self {
        let (primary, shadow) = (Children::new(pair.primary, primary, by), Children::new(pair.shadow, shadow, by));
        Self { by, primary, shadow, stage: Stage::Prepare, order: ScalarOrder::default(), current: None }
    }

    /// The step to the child that the walk is at.
    pub fn here<'a>(&self, pair: Sides<'a, Document>) -> Option<Here<'a>> {
        let (side, child) = self.current?;
        Some(match self.by {
            By::Name => Here::Name(pair.of(side).value(child.key)),
            _ => Here::Index(child.index),
        })
    }

    /// Goes on to the next child.
    pub fn next(&mut self, pair: Sides<'_, Document>, rules: &mut Rules, budget: &mut usize) -> NextChild {
        if self.current.take().is_some() {
            rules.leave();
        }
        let found = match self.stage {
            Stage::Prepare => self.prepare(pair, rules, budget),
            Stage::Keyed => self.keyed(pair, budget),
            Stage::Keyless => self.keyless(budget),
        };
        match found {
            Poll::Pending => NextChild::Busy,
            Poll::Ready((None, None)) if matches!((&self.stage, self.by), (Stage::Keyed, By::Member(_))) => {
                (self.primary.next, self.shadow.next) = (0, 0);
                self.stage = Stage::Keyless;
                NextChild::Busy
            }
            Poll::Ready((primary, shadow)) => self.arrive(primary, shadow, pair, rules, budget),
        }
    }

    /// Collects and sorts the children of both sides. Always `Pending`: no child has been found yet.
    fn prepare(&mut self, pair: Sides<'_, Document>, rules: &Rules, budget: &mut usize) -> Poll<(Option<Child>, Option<Child>)> {
        let by = if let By::Member(index) = self.by { rules.plan().unordered.get(index).and_then(|rule| rule.by.as_deref()) } else { None };
        let name = by.unwrap_or_default();
        ready!(self.primary.prepare(pair.primary, name, budget));
        ready!(self.shadow.prepare(pair.shadow, name, budget));
        self.stage = Stage::Keyed;
        Poll::Pending
    }

    /// The next child by key, or the next two if they match. `Pending`: the budget was not enough; call again.
    fn keyed(&mut self, pair: Sides<'_, Document>, budget: &mut usize) -> Poll<(Option<Child>, Option<Child>)> {
        let (Some(primary), Some(shadow)) = (self.primary.peek(), self.shadow.peek()) else {
            return Poll::Ready((self.primary.peek(), self.shadow.peek()));
        };
        let order = match self.by {
            By::Rank => Ordering::Equal,
            _ => ready!(self.order.step(pair.primary.value(primary.key), pair.shadow.value(shadow.key), budget)),
        };
        Poll::Ready((Some(primary).filter(|_| order.is_le()), Some(shadow).filter(|_| order.is_ge())))
    }

    /// The next two children without a key, or the next one. `Pending`: the budget was not enough; call again.
    fn keyless(&mut self, budget: &mut usize) -> Poll<(Option<Child>, Option<Child>)> {
        let primary = ready!(self.primary.peek_keyless(budget));
        let shadow = ready!(self.shadow.peek_keyless(budget));
        Poll::Ready((primary, shadow))
    }

    /// Takes up what was found: two children that match, one without a partner, or the end.
    fn arrive(
        &mut self,
        primary: Option<Child>,
        shadow: Option<Child>,
        pair: Sides<'_, Document>,
        rules: &mut Rules,
        budget: &mut usize,
    ) -> NextChild {
        *budget = budget.saturating_sub(CHILD);
        if primary.is_some() {
            self.primary.advance();
        }
        if shadow.is_some() {
            self.shadow.advance();
        }
        self.current = primary.map(|child| (Side::Primary, child)).or(shadow.map(|child| (Side::Shadow, child)));
        let Some(here) = self.here(pair) else { return NextChild::End };
        let effect = rules.enter(here);
        match (primary, shadow) {
            _ if effect.ignored => NextChild::Busy,
            (Some(primary), Some(shadow)) => NextChild::Pair { primary: primary.node, shadow: shadow.node, effect },
            (Some(primary), None) => NextChild::Missing(primary.node),
            (None, Some(shadow)) => NextChild::Extra(shadow.node),
            (None, None) => NextChild::End,
        }
    }
}
