//! Reads a JSON text into a [`Tape`], in slices and without recursion.
//!
//! The reader accepts JSON as in RFC 8259, and extensions that Python's `json` writes by default: `NaN`, `Infinity`, `-Infinity` and
//! escaped lone surrogates. Integers may have any length, other numbers at most [`MAX_DECIMAL`] bytes. Duplicate names are kept.

#[cfg(test)]
mod tests;
mod token;

use core::task::Poll;

use super::tape::{MAX_TEXT, Node, Tape};
use super::text::character;
use super::value::Tag;
use crate::fault::Fault;
use crate::limits::MAX_JSON_DEPTH;
use token::{NumberPart, escape_length, next_number, plain_length, scan_number};

/// Longest number with a fraction or an exponent, in bytes. Parsing can't be sliced, and no program writes longer ones.
pub const MAX_DECIMAL: usize = 4096;

const ENDS_EARLY: Fault = "JSON ends early";
const NO_VALUE: Fault = "malformed JSON: no value where one belongs";
const BAD_NUMBER: Fault = "malformed JSON: bad number";

const TOO_DEEP: Fault = "JSON is nested deeper than 64 levels";
const LONG_NUMBER: Fault = "a number is too long";
const TOO_LONG: Fault = "too long to compare";

/// Whether a text may be JSON that is only beyond the bounds of this reader.
pub fn is_bound(fault: Fault) -> bool {
    [TOO_DEEP, LONG_NUMBER, TOO_LONG].contains(&fault)
}

/// Reads one text into a tape, in slices.
#[derive(Debug, Default)]
pub struct TapeReader {
    /// The index of the text read so far.
    pub tape: Tape,
    at: usize,
    open: Vec<Open>,
    expect: Expect,
}

/// A container that has not ended.
#[derive(Debug)]
struct Open {
    head: u32,
    tag: Tag,
    start: usize,
    children: u32,
}

/// What may come next in the text.
#[derive(Clone, Copy, Debug, Default)]
enum Expect {
    #[default]
    Value,
    ValueOrEnd,
    Name,
    NameOrEnd,
    Colon,
    CommaOrEnd,
    /// Only white space, to the end of the text.
    Nothing,
    /// The rest of a string.
    Text {
        start: usize,
        tag: Tag,
        name: bool,
    },
    /// The rest of a number.
    Number {
        start: usize,
        part: NumberPart,
    },
}

/// The byte order mark of UTF-8. It is no part of a JSON text, but a parser may ignore it (RFC 8259, section 8.1).
const MARK: &[u8] = b"\xef\xbb\xbf";

impl TapeReader {
    /// A reader of a text that `beginning` begins: behind the byte order mark, if it has one.
    pub fn behind_mark(beginning: &[u8]) -> Self {
        Self { at: if beginning.starts_with(MARK) { MARK.len() } else { 0 }, ..Self::default() }
    }

    /// Returns how many bytes of the text have been read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Reads about `budget` more bytes of `body`, and subtracts the bytes read. `Pending` means that the budget was used up and the caller
    /// has to call again. Ready means that the whole text is on the tape.
    ///
    /// # Errors
    /// Why the text is no JSON.
    pub fn step(&mut self, body: &[u8], budget: &mut usize) -> Poll<Result<(), Fault>> {
        if body.len() > MAX_TEXT {
            return Poll::Ready(Err(TOO_LONG));
        }
        let from = self.at;
        let limit = from.saturating_add(*budget);
        let mut done = false;
        while self.at < limit && !done {
            done = self.token(body, limit)?;
        }
        *budget = budget.saturating_sub(self.at.wrapping_sub(from));
        if done { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Reads one token, or the part of it before `limit`. Returns whether the text has ended.
    #[inline]
    fn token(&mut self, body: &[u8], limit: usize) -> Result<bool, Fault> {
        match self.expect {
            Expect::Text { start, tag, name } => return self.text(body, limit, start, tag, name).map(|()| false),
            Expect::Number { start, part } => return self.number(body, limit, start, part).map(|()| false),
            _ => {}
        }
        let Some(&byte) = body.get(self.at) else {
            return if matches!(self.expect, Expect::Nothing) { Ok(true) } else { Err(ENDS_EARLY) };
        };
        match (self.expect, byte) {
            (_, b' ' | b'\t' | b'\n' | b'\r') => self.skip(1),
            (Expect::CommaOrEnd, b',') => {
                self.skip(1);
                let in_object = matches!(self.open.last(), Some(Open { tag: Tag::Object, .. }));
                self.expect = if in_object { Expect::Name } else { Expect::Value };
            }
            (Expect::ValueOrEnd | Expect::CommaOrEnd, b']') => self.close(Tag::Array)?,
            (Expect::NameOrEnd | Expect::CommaOrEnd, b'}') => self.close(Tag::Object)?,
            (Expect::Value | Expect::ValueOrEnd, _) => self.value(body, limit, byte)?,
            (Expect::Name | Expect::NameOrEnd, b'"') => {
                self.count_child();
                self.begin_text(true);
            }
            (Expect::Colon, b':') => {
                self.skip(1);
                self.expect = Expect::Value;
            }
            (Expect::Nothing, _) => return Err("malformed JSON: something after the end"),
            (Expect::Colon, _) => return Err("malformed JSON: no colon after a name"),
            (Expect::Name | Expect::NameOrEnd, _) => return Err("malformed JSON: no name where one belongs"),
            _ => return Err("malformed JSON: no comma between values"),
        }
        Ok(false)
    }

    fn value(&mut self, body: &[u8], limit: usize, byte: u8) -> Result<(), Fault> {
        if !matches!(self.open.last(), Some(Open { tag: Tag::Object, .. })) {
            self.count_child();
        }
        match byte {
            b'-' | b'0'..=b'9' => self.number(body, limit, self.at, NumberPart::Start),
            b'"' => {
                self.begin_text(false);
                Ok(())
            }
            b'[' => self.open(Tag::Array, Expect::ValueOrEnd),
            b'{' => self.open(Tag::Object, Expect::NameOrEnd),
            b't' => self.literal(body, b"true", Tag::True),
            b'f' => self.literal(body, b"false", Tag::False),
            b'n' => self.literal(body, b"null", Tag::Null),
            b'N' => self.literal(body, b"NaN", Tag::Decimal),
            b'I' => self.literal(body, b"Infinity", Tag::Decimal),
            _ => Err(NO_VALUE),
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.wrapping_add(bytes);
    }

    /// Counts an element of the innermost array, or a name of the innermost object.
    fn count_child(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.children = open.children.wrapping_add(1);
        }
    }

    fn begin_text(&mut self, name: bool) {
        self.skip(1);
        self.expect = Expect::Text { start: self.at, tag: Tag::Plain, name };
    }

    /// Puts a value on the tape that ends at the current position.
    #[inline]
    fn scalar(&mut self, tag: Tag, start: usize) {
        self.tape.push(Node::new(tag, start, self.at));
        self.ended();
    }

    /// Goes on after the end of a value.
    #[inline]
    fn ended(&mut self) {
        self.expect = if self.open.is_empty() { Expect::Nothing } else { Expect::CommaOrEnd };
    }

    fn open(&mut self, tag: Tag, expect: Expect) -> Result<(), Fault> {
        if self.open.len() >= MAX_JSON_DEPTH {
            return Err(TOO_DEEP);
        }
        self.open.push(Open { head: self.tape.count() as u32, tag, start: self.at, children: 0 });
        self.tape.push(Node::default());
        self.tape.push(Node::default());
        self.skip(1);
        self.expect = expect;
        Ok(())
    }

    fn close(&mut self, tag: Tag) -> Result<(), Fault> {
        self.skip(1);
        match self.open.pop() {
            Some(open) if open.tag == tag => {
                self.tape.set(open.head, Node::new(tag, open.start, self.tape.count()));
                self.tape.set(open.head.wrapping_add(1), Node::extent(open.children, self.at));
                self.ended();
                Ok(())
            }
            _ => Err("malformed JSON: brackets don't match"),
        }
    }

    fn literal(&mut self, body: &[u8], word: &[u8], tag: Tag) -> Result<(), Fault> {
        let start = self.at;
        if !body.get(start..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(NO_VALUE);
        }
        self.skip(word.len());
        self.scalar(tag, start);
        Ok(())
    }

    /// Reads a number, and in an array all numbers that follow it directly. This is the hot loop of reading tensors.
    fn number(&mut self, body: &[u8], limit: usize, mut start: usize, mut part: NumberPart) -> Result<(), Fault> {
        let window = body.get(..limit.min(body.len())).unwrap_or_default();
        let in_array = matches!(self.open.last(), Some(Open { tag: Tag::Array, .. }));
        loop {
            (self.at, part) = scan_number(window, self.at, part);
            if self.at >= window.len() && self.at < body.len() {
                self.expect = Expect::Number { start, part };
                return Ok(());
            }
            if part == NumberPart::Sign && body.get(self.at..).is_some_and(|rest| rest.starts_with(b"Infinity")) {
                self.skip(b"Infinity".len());
                part = NumberPart::Name;
            }
            let tag = part.tag().ok_or(BAD_NUMBER)?;
            if tag == Tag::Decimal && self.at.wrapping_sub(start) > MAX_DECIMAL {
                return Err(LONG_NUMBER);
            }
            self.tape.push(Node::new(tag, start, self.at));
            match next_number(window, self.at) {
                Some(next) if in_array => {
                    self.count_child();
                    self.at = next;
                    (start, part) = (next, NumberPart::Start);
                }
                _ => break,
            }
        }
        self.ended();
        Ok(())
    }

    fn text(&mut self, body: &[u8], limit: usize, start: usize, mut tag: Tag, name: bool) -> Result<(), Fault> {
        while self.at < limit {
            let rest = body.get(self.at..).unwrap_or_default();
            let room = limit.wrapping_sub(self.at);
            match rest.first() {
                Some(b'"') => {
                    self.tape.push(Node::new(tag, start, self.at));
                    self.skip(1);
                    if name {
                        self.expect = Expect::Colon;
                    } else {
                        self.ended();
                    }
                    return Ok(());
                }
                Some(b'\\') => {
                    tag = Tag::Escaped;
                    self.skip(escape_length(rest)?);
                }
                Some(0..=0x1f) => return Err("malformed JSON: a control character in a string"),
                Some(0x80..) => self.skip(character(rest).ok_or("not UTF-8")?.1),
                Some(_) => self.skip(plain_length(rest, room)),
                None => return Err(ENDS_EARLY),
            }
        }
        self.expect = Expect::Text { start, tag, name };
        Ok(())
    }
}
