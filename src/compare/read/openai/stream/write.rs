//! Writes JSON piece by piece.

use crate::capture::{Capture, Overflow};

/// Writes `text` as it is. (Not inlined: it is called in many places.)
#[inline(never)]
pub fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Writes what stands before an element or a member, unless it is the first.
pub fn comma(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'{' | b'[')) {
        put(out, ",");
    }
}

/// Writes a string that is spelled already.
///
/// # Errors
/// If it was given up.
pub fn string(text: Capture, out: &mut Vec<u8>) -> Result<(), Overflow> {
    put(out, "\"");
    source(text, out)?;
    put(out, "\"");
    Ok(())
}

/// Writes a value that is written already.
///
/// # Errors
/// If it was given up.
pub fn source(value: Capture, out: &mut Vec<u8>) -> Result<(), Overflow> {
    out.extend_from_slice(value.into_body()?.bytes());
    Ok(())
}
