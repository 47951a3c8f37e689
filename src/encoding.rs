//! Content codings: undoes `content-encoding` (RFC 9110, section 8.4), a slice at a time.
//!
//! Servers compress answers for clients that say they can read it, so a body may have to be decoded before it means anything. Bodies come
//! from models that are on trial, so a body is taken for hostile: a [`Decoder`] reads and writes little at a time, keeps no body, holds at
//! most [`MAX_STATE`] bytes for each coding however much comes out, and leaves it to whoever takes the pieces to say when it is enough.
//!
//! What is deliberately not done: no coding is ever applied; dictionaries (`dcb`, `dcz`) and the historic `compress` are unknown; nothing
//! is salvaged of a body that is not well formed to its last byte, because half an answer can't be compared.

mod brotli;
mod coding;
mod deflate;
mod gzip;
#[cfg(test)]
mod tests;
mod zstd;

use std::fmt;
use std::task::{Poll, ready};

use crate::fault::Fault;
pub use coding::MAX_WINDOW;
use coding::{Coding, GARBAGE, Progress};

/// Most codings of one body. Two are seen where a proxy compresses what already was; more is a mistake or an attack.
pub const MAX_CODINGS: usize = 4;

/// Most bytes the state of one coding holds, buffers included, at its worst moment, which is when a full window is moved to a larger
/// buffer. A body of honest size holds far less: a gzip decoder 50 KiB, brotli and zstd little more than twice what they have decoded.
pub const MAX_STATE: usize = 28 << 20;

/// Encoded bytes handed to a coding at once. Small, because a few encoded bytes can mean much work (a table each).
const READ_AT_ONCE: usize = 2 << 10;

/// Decoded bytes taken from a coding at once.
const WRITTEN_AT_ONCE: usize = 16 << 10;

const TOO_MANY: Fault = "too many content codings";
const UNKNOWN: Fault = "unknown content coding";
const TRUNCATED: Fault = "the encoded body is truncated";

/// A chain of content codings being undone, in slices.
pub struct Decoder {
    /// In the order in which they are undone.
    links: Vec<Link>,
    /// Bytes of the body that the first coding has read.
    position: usize,
    /// Where a coding writes.
    output: Vec<u8>,
    /// How it ended, so that it stays so.
    end: Poll<Result<(), Fault>>,
}

/// One coding of the chain, and the bytes that the coding before it has made for it. The first coding reads the body itself.
struct Link {
    coding: Box<dyn Coding>,
    waiting: Vec<u8>,
    ended: bool,
}

impl Decoder {
    /// From a raw `content-encoding` header value: codings in the order they were applied, separated by commas; several fields joined by
    /// commas. `None`: there is nothing to undo.
    ///
    /// # Errors
    /// If a coding is not known, or there are more than [`MAX_CODINGS`].
    pub fn new(content_encoding: &[u8]) -> Result<Option<Self>, Fault> {
        let names = content_encoding.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let applied = names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
        let mut links = Vec::new();
        for name in applied {
            if links.len() == MAX_CODINGS {
                return Err(TOO_MANY);
            }
            links.push(Link { coding: coding(name)?, waiting: Vec::new(), ended: false });
        }
        links.reverse();
        let output = vec![0; WRITTEN_AT_ONCE];
        Ok(if links.is_empty() { None } else { Some(Self { links, position: 0, output, end: Poll::Pending }) })
    }

    /// Decodes on. `input` is the whole encoded body, the same at every call.
    ///
    /// About `budget` bytes of input and output, at every coding of the chain, are touched and taken off it; nothing is done if it is 0,
    /// and otherwise something is. Two codings can't be stopped where one likes: zstd decodes block by block, 128 KiB each (of blocks that
    /// yield as much from a few bytes, as only an attacker makes them, eight for a budget of 64 KiB), and brotli fills its window,
    /// [`MAX_WINDOW`] at most, when a command tells it to. What they decode ahead is part of their state, and handed on within the budget
    /// all the same.
    ///
    /// Every decoded piece, at most 16 KiB and never empty, is given to `sink`, which may refuse it. Ready once the end of the body was
    /// reached and was well formed; `Pending`: the budget was not enough; call again.
    ///
    /// # Errors
    /// If the body is not well formed, or `sink` refuses. It is then the answer to every further call.
    pub fn step(&mut self, input: &[u8], budget: &mut usize, sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Poll<Result<(), Fault>> {
        while self.end.is_pending() && *budget > 0 {
            self.end = self.round(input, budget, sink);
        }
        let end = ready!(self.end);
        self.links.clear();
        Poll::Ready(end)
    }

    /// Lets each coding do a little, in the order of the data. Ready once all of them have ended.
    fn round(&mut self, input: &[u8], budget: &mut usize, sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Poll<Result<(), Fault>> {
        let read = READ_AT_ONCE.min(*budget);
        let output = self.output.get_mut(..WRITTEN_AT_ONCE.min(*budget)).unwrap_or_default();
        let unread = input.get(self.position..).unwrap_or_default();
        let mut rest = self.links.as_mut_slice();
        if let Some(first) = rest.first_mut().filter(|first| first.waiting.is_empty()) {
            let chunk = unread.get(..read).unwrap_or(unread);
            first.waiting.extend_from_slice(chunk);
            self.position = self.position.saturating_add(chunk.len());
        }
        let mut more = self.position < input.len();
        let mut cost: usize = 0;
        while let Some((link, after)) = rest.split_first_mut() {
            let blocked = after.first().is_some_and(|next| !next.waiting.is_empty());
            if !blocked {
                let progress = link.advance(read, more, output)?;
                cost = cost.saturating_add(progress.read).saturating_add(progress.written).saturating_add(progress.extra);
                let piece = output.get(..progress.written).unwrap_or_default();
                match after.first_mut() {
                    Some(next) => next.waiting.extend_from_slice(piece),
                    None if piece.is_empty() => {}
                    None => sink(piece)?,
                }
            }
            more |= !link.ended;
            rest = after;
        }
        *budget = budget.saturating_sub(cost.max(1));
        let ended = !more && self.links.iter().all(|link| link.waiting.is_empty());
        if ended { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl Link {
    /// Decodes at most `read` of the bytes that wait. `more`: others may follow them.
    fn advance(&mut self, read: usize, more: bool, output: &mut [u8]) -> Result<Progress, Fault> {
        if self.ended {
            return if self.waiting.is_empty() { Ok(Progress::default()) } else { Err(GARBAGE) };
        }
        let input = self.waiting.get(..read).unwrap_or(&self.waiting);
        let more = more || input.len() < self.waiting.len();
        let progress = self.coding.advance(input, more, output)?;
        let stuck = progress.read == 0 && progress.written == 0 && !progress.ended;
        if stuck && (!more || !input.is_empty()) {
            return Err(TRUNCATED);
        }
        self.waiting.drain(..progress.read.min(self.waiting.len()));
        self.ended = progress.ended;
        Ok(progress)
    }
}

/// The decoder of the coding called `name`.
fn coding(name: &[u8]) -> Result<Box<dyn Coding>, Fault> {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if is("gzip") || is("x-gzip") {
        Ok(Box::new(gzip::Gzip::new()))
    } else if is("deflate") {
        Ok(Box::new(deflate::Deflate::new()))
    } else if is("br") {
        Ok(Box::new(brotli::Brotli::new()))
    } else if is("zstd") {
        Ok(Box::new(zstd::Zstd::new()))
    } else {
        Err(UNKNOWN)
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("links", &self.links.len()).field("position", &self.position).field("end", &self.end).finish()
    }
}
