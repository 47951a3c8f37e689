//! Decodes bodies with content codings (`content-encoding`, RFC 9110, section 8.4), in slices.
//!
//! Servers compress answers if the client accepts it, and some clients compress requests. So an answer may have to be decoded before it is
//! compared, and a request before it is changed. Bodies come from clients and from models on trial, and are treated as hostile. A
//! [`Decoder`] reads and writes little at a time, keeps no body, and holds at most [`MAX_STATE`] bytes for each coding. The caller, who gets
//! the decoded pieces, decides how large a decoded body may be. [`decoding`] keeps them.
//!
//! Deliberately missing: encoding; dictionaries (`dcb`, `dcz`) and the historic `compress`; the valid beginning of a malformed body,
//! because half an answer can't be compared.

mod brotli;
mod coding;
pub mod decoding;
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

/// Most codings of one body. Two occur where a proxy compresses a compressed answer again. More are a mistake or an attack.
pub const MAX_CODINGS: usize = 4;

/// Most bytes in the state of one coding, buffers included. The peak is reached while a full window moves to a larger buffer. Usual bodies
/// need far less: gzip 50 KiB, brotli and zstd little more than twice the decoded bytes.
pub const MAX_STATE: usize = 28 << 20;

/// Most encoded bytes given to a coding in one call. The number is small because few encoded bytes can mean much work, such as many tables.
const READ_AT_ONCE: usize = 2 << 10;

/// Most decoded bytes taken from a coding in one call.
const WRITTEN_AT_ONCE: usize = 16 << 10;

/// Words in `content-encoding` that change no byte: `identity`, and what programs mistake for a coding, encodings of mail and charsets.
const PLAIN: [&str; 7] = ["identity", "none", "ascii", "us-ascii", "7bit", "8bit", "binary"];

/// What other names of charsets begin with. No name of a coding does (IANA's registry of HTTP content codings).
const CHARSETS: [&str; 13] = ["utf", "ucs", "iso", "latin", "windows-", "cp", "gb", "big5", "shift", "euc", "koi8", "mac", "charset"];

/// Most encoded bytes that wait in [`Decoder::feed`].
const MOST_WAITING: usize = 256 << 10;

const TOO_MANY: Fault = "too many content codings";
const UNKNOWN: Fault = "unknown content coding";
const TRUNCATED: Fault = "the encoded body is truncated";

/// Decodes one body, which may have several codings, in slices.
pub struct Decoder {
    /// The codings, in the order in which they are decoded.
    links: Vec<Link>,
    /// Bytes of the body that were given to the first coding.
    position: usize,
    /// The buffer that every coding writes to.
    output: Vec<u8>,
    /// The result, which every further call returns too.
    end: Poll<Result<(), Fault>>,
}

/// One coding, and the bytes that wait to be read by it: output of the coding before it, or bytes of the body.
struct Link {
    coding: Box<dyn Coding>,
    waiting: Vec<u8>,
    ended: bool,
}

impl Decoder {
    /// Returns a decoder for the value of a `content-encoding` header; `None` if there is nothing to decode. The value names the codings in
    /// the order in which they were applied, separated by commas. Values of several fields are joined by commas. Charsets and the like are none.
    ///
    /// # Errors
    /// If a coding is unknown, or there are more than [`MAX_CODINGS`].
    pub fn new(content_encoding: &[u8]) -> Result<Option<Self>, Fault> {
        let mut links = Vec::new();
        for name in applied(content_encoding) {
            if links.len() == MAX_CODINGS {
                return Err(TOO_MANY);
            }
            links.push(Link { coding: coding(name)?, waiting: Vec::new(), ended: false });
        }
        if links.is_empty() {
            return Ok(None);
        }
        links.reverse();
        Ok(Some(Self { links, position: 0, output: vec![0; WRITTEN_AT_ONCE], end: Poll::Pending }))
    }

    /// Decodes the next slice. `input` is the whole encoded body, the same in every call. `Pending` means that the budget was used up and
    /// the caller has to call again. Ready means that the whole body is decoded and well formed.
    ///
    /// A call processes about `budget` bytes and subtracts them; input and output of every coding count. A budget of 0 does nothing, any
    /// other makes progress. Two codings can't stop everywhere. Zstd decodes whole blocks of up to 128 KiB; an attacker can make eight of
    /// them fit a budget of 64 KiB. Brotli decodes up to a window ([`MAX_WINDOW`] at most) if a single command says so. Bytes that are
    /// decoded ahead stay in the state of the coding, and are passed on within the budget too.
    ///
    /// `sink` gets every decoded piece, at most 16 KiB and never empty, and may refuse it.
    ///
    /// # Errors
    /// If the body is malformed, or `sink` refuses a piece. Every further call then returns the same error.
    pub fn step(&mut self, input: &[u8], budget: &mut usize, sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Poll<Result<(), Fault>> {
        while self.end.is_pending() && *budget > 0 {
            self.end = match self.round(input, false, budget, sink) {
                Err(fault) => Poll::Ready(Err(fault)),
                Ok(_) if self.has_ended(input) => Poll::Ready(Ok(())),
                Ok(_) => Poll::Pending,
            };
        }
        let end = ready!(self.end);
        self.links.clear();
        Poll::Ready(end)
    }

    /// Decodes the next piece of a body that comes in pieces, of which the end is not known. What `budget` is not enough for waits for the
    /// next piece. ([`Decoder::step`] is for bodies that are there.)
    ///
    /// # Errors
    /// If the body is malformed so far, `sink` refuses a piece, or too much waits. There may be no calls after an error.
    pub fn feed(&mut self, piece: &[u8], budget: &mut usize, sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        if let Some(first) = self.links.first_mut() {
            if first.waiting.len().saturating_add(piece.len()) > MOST_WAITING {
                return Err("more has come than can be decoded at once");
            }
            first.waiting.extend_from_slice(piece);
        }
        while *budget > 0 && self.round(&[], true, budget, sink)? > 0 {}
        Ok(())
    }

    /// Decodes what still waits, and what a coding has decoded and holds back until it has more, for about `budget` bytes. There may be no
    /// calls after this.
    ///
    /// # Errors
    /// As those of [`Decoder::feed`].
    pub fn rest(&mut self, budget: &mut usize, sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        self.feed(b"", budget, sink)?;
        match self.links.as_mut_slice() {
            [link] => link.coding.held(*budget).chunks(WRITTEN_AT_ONCE).try_for_each(sink),
            _ => Ok(()),
        }
    }

    /// Whether all of `input` is decoded, and well formed.
    fn has_ended(&self, input: &[u8]) -> bool {
        self.position == input.len() && self.links.iter().all(|link| link.ended && link.waiting.is_empty())
    }

    /// Runs each coding once, in the order in which data passes them. `more`: bytes may come behind `input`. Returns the work, in bytes; 0 if
    /// nothing was read or written.
    fn round(
        &mut self,
        input: &[u8],
        more: bool,
        budget: &mut usize,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<usize, Fault> {
        let read = READ_AT_ONCE.min(*budget);
        let output = self.output.get_mut(..WRITTEN_AT_ONCE.min(*budget)).unwrap_or_default();
        let unread = input.get(self.position..).unwrap_or_default();
        let mut rest = self.links.as_mut_slice();
        if let Some(first) = rest.first_mut().filter(|first| first.waiting.is_empty()) {
            let chunk = unread.get(..read).unwrap_or(unread);
            first.waiting.extend_from_slice(chunk);
            self.position = self.position.saturating_add(chunk.len());
        }
        let mut more = more || self.position < input.len();
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
        Ok(cost)
    }
}

impl Link {
    /// Decodes at most `read` of the waiting bytes. `more` says whether further bytes may follow the waiting ones.
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

/// Whether the value of a `content-encoding` header names no coding: it is empty, `identity`, or what programs mistake for one.
pub fn is_plain(content_encoding: &[u8]) -> bool {
    applied(content_encoding).next().is_none()
}

/// The codings that a `content-encoding` names, in the order in which they were applied.
fn applied(content_encoding: &[u8]) -> impl Iterator<Item = &[u8]> {
    content_encoding.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !is_no_coding(name))
}

fn is_no_coding(name: &[u8]) -> bool {
    let word = name.strip_prefix(b"\"").unwrap_or(name);
    let begins = |with: &&str| word.get(..with.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(with.as_bytes()));
    name.is_empty() || PLAIN.iter().any(|plain| word.eq_ignore_ascii_case(plain.as_bytes())) || CHARSETS.iter().any(begins)
}

/// Returns the decoder of the coding `name`.
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
