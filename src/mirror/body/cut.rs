//! Bytes of a body that others take the place of.

use std::ops::Range;

/// Bytes of a body that are replaced. Cuts are in order and do not overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which.
    pub place: Range<usize>,
    /// What stands there instead.
    pub with: Vec<u8>,
}

/// How long a text of `length` bytes is after `cuts` within it.
pub fn length_after(length: usize, cuts: &[Cut]) -> usize {
    cuts.iter().fold(length, |length, cut| length.saturating_sub(cut.place.len()).saturating_add(cut.with.len()))
}

/// `body` after `cuts`; `None` if there is no memory for it.
pub fn spliced(body: &[u8], cuts: &[Cut]) -> Option<Vec<u8>> {
    let mut spliced = Vec::new();
    spliced.try_reserve_exact(length_after(body.len(), cuts)).ok()?;
    let mut from = 0;
    for cut in cuts {
        spliced.extend_from_slice(body.get(from..cut.place.start)?);
        spliced.extend_from_slice(&cut.with);
        from = cut.place.end;
    }
    spliced.extend_from_slice(body.get(from..)?);
    Some(spliced)
}
