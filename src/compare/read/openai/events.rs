//! Reads server-sent events: takes bytes as they come, in any pieces, and gives the data of one event after the other.
//!
//! As the HTML standard says: lines end in CR, LF or both; a byte order mark may come first; the `data` lines of an event are joined by
//! LF; a blank line ends it; an event that is not ended when the stream ends never was. Only data are kept, and only until their event is
//! over: comments and the fields `event`, `id` and `retry` cost no memory however long they are.
//!
//! Beyond the standard, events that tell of an error are marked. llama.cpp writes one as a field `error` in the place of `data`.

use crate::capture::{Body, Capture, Ledger, Overflow};

/// The field whose value counts.
const DATA: &[u8] = b"data";

/// The field that names an event.
const EVENT: &[u8] = b"event";

/// The name of an event that tells of an error, and the field that is one.
const ERROR: &[u8] = b"error";

/// What a stream may begin with: the byte order mark of UTF-8.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// One event that is over.
#[derive(Debug)]
pub struct Event {
    /// Its data, or what its field `error` says.
    pub data: Body,
    /// Whether it is named `error`, or has such a field.
    pub is_error: bool,
}

/// A stream between two pieces.
#[derive(Debug)]
pub struct Events {
    ledger: Ledger,
    /// Longest data of one event.
    limit: usize,
    /// Bytes of the byte order mark that have come; all of them once anything else has.
    mark: usize,
    line: Line,
    /// Whether the last byte was a CR, so that an LF after it ends no other line.
    after_cr: bool,
    /// The data of the event under way, if it has any.
    data: Option<Capture>,
    /// Whether the event under way tells of an error.
    is_error: bool,
    /// Whether the event under way is too long, and the rest of it is skipped.
    is_skipped: bool,
}

/// How far a line has come.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// The name of a field.
    Name(Word),
    /// The colon after the name of a data field: one space may follow that is no part of the value.
    Colon,
    /// The value of a data field.
    Value,
    /// The same two for the field that names the event.
    EventColon,
    EventName(Word),
    /// Something that does not count.
    Other,
}

/// The beginning of a name, as far as it has to be known.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    bytes: [u8; 5],
    length: usize,
}

impl Word {
    /// With one more byte; `None` if it is longer than all names that count.
    fn with(mut self, byte: u8) -> Option<Self> {
        *self.bytes.get_mut(self.length)? = byte;
        Some(Self { length: self.length.wrapping_add(1), ..self })
    }

    fn is(&self, name: &[u8]) -> bool {
        self.bytes.get(..self.length) == Some(name)
    }
}

/// The beginning of a line.
const START: Line = Line::Name(Word { bytes: [0; 5], length: 0 });

impl Events {
    /// Before the first byte. What is kept is on `ledger`, and no event has more than `limit` bytes of data.
    pub fn new(ledger: &Ledger, limit: usize) -> Self {
        Self { ledger: ledger.clone(), limit, mark: 0, line: START, after_cr: false, data: None, is_error: false, is_skipped: false }
    }

    /// Takes from `chunk` until an event is over, and returns it, or `None` once `chunk` is used up.
    ///
    /// # Errors
    /// If an event is too long, or there is no room for it. The next call skips the rest of it.
    pub fn next(&mut self, chunk: &mut &[u8]) -> Result<Option<Event>, Overflow> {
        while let Some((&byte, rest)) = chunk.split_first() {
            if self.mark < MARK.len() {
                if MARK.get(self.mark) == Some(&byte) {
                    self.mark = self.mark.wrapping_add(1);
                    *chunk = rest;
                    continue;
                }
                self.line = if self.mark == 0 { START } else { Line::Other };
                self.mark = MARK.len();
            }
            if matches!(byte, b'\r' | b'\n') {
                *chunk = rest;
                let is_second = core::mem::replace(&mut self.after_cr, byte == b'\r') && byte == b'\n';
                if !is_second && let Some(event) = self.end_line()? {
                    return Ok(Some(event));
                }
                continue;
            }
            self.after_cr = false;
            *chunk = match self.line {
                Line::Name(name) if byte == b':' => {
                    self.begin_field(name);
                    rest
                }
                Line::Name(name) => {
                    self.line = name.with(byte).map_or(Line::Other, Line::Name);
                    rest
                }
                Line::Colon => {
                    self.begin_value()?;
                    if byte == b' ' { rest } else { chunk }
                }
                Line::EventColon => {
                    self.line = Line::EventName(Word::default());
                    if byte == b' ' { rest } else { chunk }
                }
                Line::EventName(name) => {
                    self.line = name.with(byte).map_or(Line::Other, Line::EventName);
                    rest
                }
                Line::Value | Line::Other => self.rest_of_line(chunk)?,
            };
        }
        Ok(None)
    }

    /// The data of the event that is not over yet.
    pub fn under_way(&self) -> &[u8] {
        self.data.as_ref().map(Capture::bytes).unwrap_or_default()
    }

    /// The event under way, if the stream ends here; `None` if it has no data.
    pub fn end(&mut self) -> Option<Event> {
        self.end_event().ok().flatten()
    }

    /// Takes the part of `chunk` that belongs to the line at hand. Returns what comes after it.
    fn rest_of_line<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], Overflow> {
        let end = chunk.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(chunk.len());
        let (value, rest) = chunk.split_at_checked(end).unwrap_or_default();
        if matches!(self.line, Line::Value) {
            self.keep(value)?;
        }
        Ok(rest)
    }

    /// The field `name` has begun.
    fn begin_field(&mut self, name: Word) {
        self.is_error |= name.is(ERROR);
        self.line = match name {
            name if name.is(DATA) || name.is(ERROR) => Line::Colon,
            name if name.is(EVENT) => Line::EventColon,
            _ => Line::Other,
        };
    }

    /// A data field has begun.
    fn begin_value(&mut self) -> Result<(), Overflow> {
        self.line = Line::Value;
        self.keep(if self.data.is_some() { b"\n" } else { b"" })
    }

    /// Keeps a piece of the data, unless they are too long already.
    fn keep(&mut self, piece: &[u8]) -> Result<(), Overflow> {
        if self.is_skipped {
            return Ok(());
        }
        let kept = self.data.get_or_insert_with(|| Capture::new(&self.ledger)).push(piece, self.limit);
        if kept.is_err() {
            (self.data, self.is_skipped) = (None, true);
        }
        kept
    }

    /// Ends a line. Returns the event, if that is over, too.
    fn end_line(&mut self) -> Result<Option<Event>, Overflow> {
        let line = core::mem::replace(&mut self.line, START);
        // `data` alone or `data:` is a field with an empty value.
        let is_empty_data = matches!(line, Line::Colon) || matches!(line, Line::Name(name) if name.is(DATA));
        match line {
            Line::Name(Word { length: 0, .. }) => return self.end_event(),
            Line::EventName(name) => self.is_error |= name.is(ERROR),
            _ if is_empty_data => {
                let begun = self.begin_value();
                self.line = START;
                begun?;
            }
            _ => {}
        }
        Ok(None)
    }

    /// Ends the event under way, and returns it if it has data.
    fn end_event(&mut self) -> Result<Option<Event>, Overflow> {
        self.is_skipped = false;
        let is_error = core::mem::take(&mut self.is_error);
        let data = self.data.take().map(Capture::into_body).transpose()?;
        Ok(data.map(|data| Event { data, is_error }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The data of all events of a stream that comes in `pieces`.
    fn read(pieces: &[&[u8]]) -> Result<Vec<String>, Overflow> {
        let ledger = Ledger::new(1000);
        let mut events = Events::new(&ledger, 100);
        let mut found = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let Some(event) = events.next(&mut rest)? {
                let mark = if event.is_error { "!" } else { "" };
                found.push(mark.to_owned() + core::str::from_utf8(event.data.bytes()).unwrap());
            }
        }
        drop(events);
        assert_eq!(ledger.used(), 0);
        Ok(found)
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        for (stream, events) in [
            ("data: a\n\ndata: b\n\n", &["a", "b"][..]),
            ("data: a\r\n\r\ndata: b\r\rdata: c\n\r\n", &["a", "b", "c"]),
            ("\u{feff}data: a\n\n", &["a"]),
            ("\u{feff}\u{feff}data: a\n\n", &[]),
            ("\u{feff}", &[]),
            ("data: a\ndata: b\n\n", &["a\nb"]),
            ("data:a\n\ndata:  b\n\n", &["a", " b"]),
            ("data\n\ndata:\n\ndata\ndata\n\n", &["", "", "\n"]),
            (": comment\ndata: a\nevent: x\nid: 1\nretry: 10\n\n", &["a"]),
            ("event: x\n\n\n\n: y\n\n", &[]),
            ("datum: a\ndata2: b\nDATA: c\n data: d\ndat\n\n", &[]),
            ("data : a\n\n", &[]),
            ("data: a\n", &[]),
            ("data: a: b\n\n", &["a: b"]),
            ("data: \u{fc}\n\n", &["\u{fc}"]),
            ("event: error\ndata: a\n\ndata: b\n\n", &["!a", "b"]),
            ("data: a\nevent:error\r\n\r\n", &["!a"]),
            ("event: errors\ndata: a\n\nevent: err\ndata: b\n\nevent:  error\ndata: c\n\n", &["a", "b", "c"]),
            ("event: error\n\ndata: a\n\n", &["a"]),
            ("error: {\ndata: a\n\ndata: b\n\n", &["!{\na", "b"]),
            ("error:\n\nerror\n\nerrors: a\n\nErrOr: a\n\n", &["!"]),
            (": error\nid: error\ndata: error\n\n", &["error"]),
            ("", &[]),
        ] {
            assert_eq!(read(&[stream.as_bytes()]).unwrap(), events, "{stream:?}");
        }
        assert_eq!(read(&[b"\xefdata: a\n\n"]).unwrap(), [""; 0], "half a mark is none");
    }

    #[test]
    fn data_of_one_event_are_bounded_and_nothing_else_is() {
        let data = |length: usize| format!("data: {}\n\n", "x".repeat(length));
        assert_eq!(read(&[data(100).as_bytes(), data(100).as_bytes()]).map(|events| events.len()), Ok(2));
        assert_eq!(read(&[data(101).as_bytes()]), Err(Overflow::Body));
        assert_eq!(read(&[&b"data: x\n".repeat(51)]), Err(Overflow::Body), "the joints count");
        assert_eq!(read(&[b":", &b"x".repeat(5000), b"\nid: ", &b"x".repeat(5000), b"\ndata: a\n\n"]), Ok(vec!["a".to_owned()]));
    }

    #[test]
    fn what_comes_behind_an_event_that_is_too_long_is_read() {
        let long = "x".repeat(101);
        for stream in [
            format!("data: {long}\ndata: b\nevent: error\n\ndata: a\n\n"),
            format!("data: {}\ndata\ndata\n\ndata: a\n\n", "x".repeat(100)),
            format!("data: {}\ndata: y\n\n\ndata: a\n\n", "x".repeat(100)),
            format!("data: {long}\r\n\r\ndata: a\r\n\r\n"),
        ] {
            for size in [1, 7, 1000] {
                let mut events = Events::new(&Ledger::new(1000), 100);
                let (mut found, mut overflows) = (Vec::new(), 0);
                for mut piece in stream.as_bytes().chunks(size) {
                    loop {
                        match events.next(&mut piece) {
                            Ok(Some(event)) => found.push((event.data.bytes().to_vec(), event.is_error)),
                            Ok(None) => break,
                            Err(_) => overflows += 1,
                        }
                    }
                }
                assert_eq!((found, overflows), (vec![(b"a".to_vec(), false)], 1), "{stream} {size}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_cut_of_the_wire_does_not_matter(
            lines in proptest::collection::vec(("data: |data:|: |id: |data|\u{feff}|event: error|event:|error: |error|", "[a\u{fc}: ]{0,4}", "\r\n|\r|\n|\n\n"), 0..12),
            cuts in proptest::collection::vec(0_usize..100, 0..12),
        ) {
            let stream: String = lines.into_iter().map(|(name, value, end)| name + &value + &end).collect();
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read(&pieces), Ok(naive(&stream)));
        }
    }

    /// The same, from a whole text.
    fn naive(stream: &str) -> Vec<String> {
        let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream).replace("\r\n", "\n").replace('\r', "\n");
        let Some((complete, _)) = stream.rsplit_once('\n') else { return Vec::new() };
        let (mut events, mut data, mut mark) = (Vec::new(), Vec::new(), "");
        for line in complete.split('\n') {
            if line.is_empty() {
                if !data.is_empty() {
                    events.push(mark.to_owned() + &core::mem::take(&mut data).join("\n"));
                }
                mark = "";
            } else if matches!(line, "event: error" | "event:error") {
                mark = "!";
            } else if let Some(value) = line.strip_prefix("error:") {
                mark = "!";
                data.push(value.strip_prefix(' ').unwrap_or(value));
            } else if line == "data" {
                data.push("");
            } else if let Some(value) = line.strip_prefix("data:") {
                data.push(value.strip_prefix(' ').unwrap_or(value));
            }
        }
        events
    }
}
