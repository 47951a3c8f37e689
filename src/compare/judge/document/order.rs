//! Puts scalars in order, so that members are walked by name and unordered elements are matched by value. Goes on in slices.

use core::cmp::Ordering;
use core::task::{Poll, ready};

use crate::json::number;
use crate::json::tape::Document;
use crate::json::text::TextOrder;
use crate::json::value::{Tag, Value};

/// What one comparison costs beside the text it touches.
const COMPARISON: usize = 16;

/// A comparison of two scalars under way: by type, then by value.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScalarOrder {
    text: TextOrder,
}

impl ScalarOrder {
    /// Compares on for about `budget` bytes. Once it has an answer it can begin with the next two. `Pending`: the budget was not enough;
    /// call again.
    #[inline]
    pub fn step(&mut self, left: Value<'_>, right: Value<'_>, budget: &mut usize) -> Poll<Ordering> {
        let rank = rank(left.tag);
        let order = match rank.cmp(&self::rank(right.tag)) {
            Ordering::Equal if rank == TEXT => {
                let order = ready!(self.text.step(left, right, budget));
                self.text = TextOrder::default();
                order
            }
            Ordering::Equal if rank == NUMBER => {
                *budget = budget.saturating_sub(number::cost(left, right));
                number::order(left, right)
            }
            unequal => unequal,
        };
        *budget = budget.saturating_sub(COMPARISON);
        Poll::Ready(order)
    }
}

const NUMBER: u8 = 3;
const TEXT: u8 = 4;

fn rank(tag: Tag) -> u8 {
    match tag {
        Tag::Null => 0,
        Tag::False => 1,
        Tag::True => 2,
        Tag::Integer | Tag::Decimal => NUMBER,
        Tag::Plain | Tag::Escaped => TEXT,
        Tag::Array | Tag::Object => 5,
    }
}

/// A stable merge sort of items under way.
#[derive(Debug, Default)]
pub struct Sort {
    /// Runs of `width` items, each in order.
    items: Vec<u32>,
    /// What has been merged of them.
    merged: Vec<u32>,
    width: usize,
    /// The next item of the left run and of the right run, and where each ends.
    left: usize,
    left_end: usize,
    right: usize,
    right_end: usize,
    order: ScalarOrder,
    /// Whether of equal items only the last is kept.
    unique: bool,
    /// Whether two items were found equal. Equal neighbours always are: nothing else settles their order.
    has_equal: bool,
    /// Items that are kept already, and the next to look at.
    kept: usize,
    next: usize,
}

impl Sort {
    /// Room for `capacity` items, which are still to be pushed.
    pub fn with_capacity(capacity: u32) -> Self {
        Self { items: Vec::with_capacity(capacity as usize), ..Self::default() }
    }

    /// The same, and of equal items only the last one pushed will stay.
    pub fn unique(capacity: u32) -> Self {
        Self { unique: true, ..Self::with_capacity(capacity) }
    }

    /// Adds an item; before the first step.
    pub fn push(&mut self, item: u32) {
        self.items.push(item);
    }

    /// The items: in order once [`Sort::step`] has said so.
    pub fn items(&self) -> &[u32] {
        &self.items
    }

    /// Sorts on for about `budget` bytes by the scalars at the nodes that `key` gives. Ready when all items are in order; `Pending`: the
    /// budget was not enough; call again.
    pub fn step(&mut self, document: &Document, key: impl Fn(u32) -> u32, budget: &mut usize) -> Poll<()> {
        if self.width == 0 {
            self.width = 1;
            self.merged.reserve_exact(if self.items.len() > 1 { self.items.len() } else { 0 });
            self.begin_runs(0);
        }
        while self.width < self.items.len() {
            if *budget == 0 {
                return Poll::Pending;
            }
            self.merge(document, &key, budget);
        }
        if self.unique && self.has_equal { self.keep_last(document, key, budget) } else { Poll::Ready(()) }
    }

    /// Moves one item, or begins the next two runs or the next round.
    fn merge(&mut self, document: &Document, key: &impl Fn(u32) -> u32, budget: &mut usize) {
        let left = self.items.get(self.left).copied().filter(|_| self.left < self.left_end);
        let right = self.items.get(self.right).copied().filter(|_| self.right < self.right_end);
        let take_left = match (left, right) {
            (Some(left), Some(right)) => match self.order.step(document.value(key(left)), document.value(key(right)), budget) {
                Poll::Pending => return,
                Poll::Ready(order) => {
                    self.has_equal |= order == Ordering::Equal;
                    order != Ordering::Greater
                }
            },
            (left, _) => left.is_some(),
        };
        *budget = budget.saturating_sub(1);
        match (left, right) {
            (Some(left), _) if take_left => {
                self.merged.push(left);
                self.left = self.left.wrapping_add(1);
            }
            (_, Some(right)) => {
                self.merged.push(right);
                self.right = self.right.wrapping_add(1);
            }
            _ if self.right_end < self.items.len() => self.begin_runs(self.right_end),
            _ => {
                core::mem::swap(&mut self.items, &mut self.merged);
                self.merged.clear();
                self.width = self.width.saturating_mul(2);
                self.begin_runs(0);
            }
        }
    }

    /// Drops all but the last of equal neighbours. `Pending`: the budget was not enough; call again.
    fn keep_last(&mut self, document: &Document, key: impl Fn(u32) -> u32, budget: &mut usize) -> Poll<()> {
        while let Some(&item) = self.items.get(self.next) {
            if *budget == 0 {
                return Poll::Pending;
            }
            let last = self.kept.wrapping_sub(1);
            let order = match self.items.get(last) {
                None => Ordering::Less,
                Some(&last) => ready!(self.order.step(document.value(key(last)), document.value(key(item)), budget)),
            };
            let place = if order == Ordering::Equal { last } else { self.kept };
            if let Some(kept) = self.items.get_mut(place) {
                *kept = item;
            }
            self.kept = place.wrapping_add(1);
            self.next = self.next.wrapping_add(1);
        }
        self.items.truncate(self.kept);
        Poll::Ready(())
    }

    fn begin_runs(&mut self, at: usize) {
        let end = |start: usize| start.saturating_add(self.width).min(self.items.len());
        (self.left, self.left_end) = (at, end(at));
        (self.right, self.right_end) = (self.left_end, end(self.left_end));
    }
}
