//! Reads a list of embeddings: each an array of numbers, or, as the official clients ask for, FP32 in base64.

use core::task::{Poll, ready};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::capture::Held;
use crate::compare::answer::IMPOSSIBLE;
use crate::compare::part::base64;
use crate::compare::part::leftover::{Leftovers, Spot};
use crate::compare::part::tensor::{Data, Datatype, Range, Tensor};
use crate::compare::read::openai::members::{Items, known, member, whole};
use crate::fault::Fault;
use crate::json::tape::{Document, first_child};
use crate::json::text::codes;
use crate::json::value::Tag;

/// Most embeddings of one answer; the interface allows half as many inputs.
const MAX_EMBEDDINGS: u32 = 4096;

/// What looking at one element of an array costs.
const ELEMENT: usize = 8;

/// What beginning one embedding costs.
const EMBEDDING: usize = 256;

/// Embeddings being read.
#[derive(Debug)]
pub struct Embeddings {
    items: Items,
    /// Index and vector.
    found: Vec<(u64, Tensor)>,
    /// How far the last of them has been checked: a node of the array, or an offset into the base64.
    checked: Option<usize>,
    leftovers: Leftovers,
}

impl Embeddings {
    /// Those in `items`.
    pub fn new(items: Items) -> Result<Self, Fault> {
        if items.remaining > MAX_EMBEDDINGS {
            return Err("too many embeddings");
        }
        Ok(Self { items, found: Vec::new(), checked: None, leftovers: Leftovers::default() })
    }

    /// Reads on for about `budget` bytes. `Pending`: the budget was not enough; call again.
    pub fn step(&mut self, document: &mut Document, budget: &mut usize) -> Poll<Result<(), Fault>> {
        while *budget > 0 {
            if let (Some(at), Some((_, tensor))) = (&mut self.checked, self.found.last()) {
                ready!(check(document, tensor.data, at, budget))?;
                self.checked = None;
            }
            let Some((node, place)) = self.items.next(document) else { return Poll::Ready(Ok(())) };
            *budget = budget.saturating_sub(EMBEDDING);
            let index = whole(document, node, "index")?.unwrap_or(u64::from(place));
            let tensor = tensor(document, node, place, budget)?;
            self.leftovers.members(document, node, Spot { item: place, path: &[], part: None }, &known::EMBEDDING);
            self.checked = Some(match tensor.data {
                Data::Json(array) => first_child(array) as usize,
                _ => 0,
            });
            self.found.push((index, tensor));
        }
        Poll::Pending
    }

    /// All of them, in the order of their index, and what is left unread.
    pub fn finish(self) -> Result<(Vec<Tensor>, Leftovers), Fault> {
        let (count, mut ordered) = (self.found.len(), BTreeMap::new());
        ordered.extend(self.found);
        if ordered.len() == count { Ok((ordered.into_values().collect(), self.leftovers)) } else { Err("two embeddings with one index") }
    }
}

/// The embedding of one item, not yet checked.
fn tensor(document: &mut Document, item: u32, place: u32, budget: &mut usize) -> Result<Tensor, Fault> {
    let node = member(document, item, "embedding")?.ok_or("an item without an embedding")?;
    let (data, elements) = match document.value(node).tag {
        Tag::Array => (Data::Json(node), document.children(node) as usize),
        Tag::Plain => {
            let place = document.place(node);
            // Without its quotes.
            let text = Range { start: place.start.wrapping_add(1), end: place.end.wrapping_sub(1) };
            (Data::Base64(text), base64::elements(document.value(node).text)?)
        }
        Tag::Escaped => {
            let text = unescape(document, node, budget)?;
            (Data::Base64(text), base64::elements(text.of(document.body.bytes()))?)
        }
        _ => return Err("an embedding is neither an array nor base64"),
    };
    if elements == 0 {
        return Err("an embedding is empty");
    }
    Ok(Tensor { name: String::new(), datatype: Datatype::Fp32, shape: vec![elements as u64], data, place })
}

/// Longest text with escapes. Replacing them can't be sliced.
const LONGEST_ESCAPED: usize = 128 << 10;

/// Writes the text at `node` without its escapes, into a body that only `document` has: where it began, and shorter. All else stays where it
/// is. (Base64 needs no escapes. Gson writes one for each `=`, and PHP for each `/`.)
fn unescape(document: &mut Document, node: u32, budget: &mut usize) -> Result<Range, Fault> {
    let text = document.value(node).text;
    if text.len() > LONGEST_ESCAPED {
        return Err("an embedding in base64 with escapes is too long");
    }
    *budget = budget.saturating_sub(text.len());
    let meant: Option<Vec<u8>> = codes(text).map(|code| u8::try_from(code).ok()).collect();
    let meant = meant.ok_or("malformed base64")?;
    let start = document.place(node).start.wrapping_add(1);
    let range = Range { start, end: start.saturating_add(meant.len()) };
    if Rc::get_mut(&mut document.body).is_none() {
        document.body = Rc::new(Held::from(document.body.bytes().to_vec()));
    }
    let body = Rc::get_mut(&mut document.body).map(Held::bytes_mut).unwrap_or_default();
    match body.get_mut(range.start..range.end) {
        Some(place) if place.len() == meant.len() => place.copy_from_slice(&meant),
        _ => return Err(IMPOSSIBLE),
    }
    Ok(range)
}

/// Checks `data` from `at` on. `Pending`: the budget was not enough; call again.
fn check(document: &Document, data: Data, at: &mut usize, budget: &mut usize) -> Poll<Result<(), Fault>> {
    let array = match data {
        Data::Json(array) => array,
        Data::Base64(range) => return base64::check(range.of(document.body.bytes()), at, budget),
        _ => return Poll::Ready(Ok(())),
    };
    let end = document.after(array) as usize;
    while *at < end {
        if *budget == 0 {
            return Poll::Pending;
        }
        let left = end.saturating_sub(*at);
        let run = document.tape.run(*at as u32).iter().take(left.min(budget.div_ceil(ELEMENT)));
        let (seen, numbers) = (run.len(), run.clone().filter(|&&node| document.read(node).tag.is_number()).count());
        if numbers < seen {
            return Poll::Ready(Err("an embedding is not all numbers"));
        }
        *at = at.saturating_add(seen);
        *budget = budget.saturating_sub(seen.saturating_mul(ELEMENT));
    }
    Poll::Ready(Ok(()))
}
