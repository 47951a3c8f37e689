//! Replaced bytes of a body.

use std::ops::Range;

/// A replacement of bytes of a body. The cuts of a body are in ascending order and do not overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The offsets of the replaced bytes.
    pub place: Range<usize>,
    /// The bytes that replace them.
    pub with: Vec<u8>,
}

/// Returns the length of `length` bytes after `cuts` in them.
pub fn length_after(length: usize, cuts: &[Cut]) -> usize {
    cuts.iter().fold(length, |length, cut| length.saturating_sub(cut.place.len()).saturating_add(cut.with.len()))
}

/// Returns `body` after `cuts`; `None` if there is no memory for it.
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
