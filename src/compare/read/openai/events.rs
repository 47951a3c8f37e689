//! Reads server-sent events: takes bytes as they come, in any pieces, and gives the data of one event after the other.
//!
//! As the HTML standard says: lines end in CR, LF or both; a byte order mark may come first; the `data` lines of an event are joined by
//! LF; a blank line ends it; an event that is not ended when the stream ends never was. Only data are kept, and only until their event is
//! over: comments and the fields `event`, `id` and `retry` cost no memory however long they are.

use crate::capture::{Body, Capture, Ledger, Overflow};

/// The field whose value counts.
const DATA: &[u8] = b"data";

/// What a stream may begin with: the byte order mark of UTF-8.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

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
}

/// How far a line has come.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// So many bytes of [`DATA`] and nothing else.
    Name(usize),
    /// The colon after the name: one space may follow that is no part of the value.
    Colon,
    /// The value of a data field.
    Value,
    /// Something that does not count.
    Other,
}

impl Events {
    /// Before the first byte. What is kept is on `ledger`, and no event has more than `limit` bytes of data.
    pub fn new(ledger: &Ledger, limit: usize) -> Self {
        Self { ledger: ledger.clone(), limit, mark: 0, line: Line::Name(0), after_cr: false, data: None }
    }

    /// Takes from `chunk` until an event is over; its data, or `None` once `chunk` is used up.
    ///
    /// # Errors
    /// If an event is too long, or there is no room for it.
    pub fn next(&mut self, chunk: &mut &[u8]) -> Result<Option<Body>, Overflow> {
        while let Some((&byte, rest)) = chunk.split_first() {
            if self.mark < MARK.len() {
                if MARK.get(self.mark) == Some(&byte) {
                    self.mark = self.mark.wrapping_add(1);
                    *chunk = rest;
                    continue;
                }
                self.line = if self.mark == 0 { Line::Name(0) } else { Line::Other };
                self.mark = MARK.len();
            }
            if matches!(byte, b'\r' | b'\n') {
                *chunk = rest;
                let is_second = core::mem::replace(&mut self.after_cr, byte == b'\r') && byte == b'\n';
                if !is_second && let Some(data) = self.end_line()? {
                    return Ok(Some(data));
                }
                continue;
            }
            self.after_cr = false;
            *chunk = match self.line {
                Line::Name(matched) => {
                    self.line = match DATA.get(matched) {
                        Some(expected) if *expected == byte => Line::Name(matched.wrapping_add(1)),
                        None if byte == b':' => Line::Colon,
                        _ => Line::Other,
                    };
                    rest
                }
                Line::Colon => {
                    self.begin_value()?;
                    if byte == b' ' { rest } else { chunk }
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

    /// The data of the event under way, if the stream ends here; `None` if it has none.
    pub fn end(&mut self) -> Option<Body> {
        self.data.take().and_then(|data| data.into_body().ok())
    }

    /// Takes the part of `chunk` that belongs to the line at hand. Returns what comes after it.
    fn rest_of_line<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], Overflow> {
        let end = chunk.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(chunk.len());
        let (value, rest) = chunk.split_at_checked(end).unwrap_or_default();
        if let (Line::Value, Some(data)) = (self.line, &mut self.data) {
            data.push(value, self.limit)?;
        }
        Ok(rest)
    }

    /// A data field has begun.
    fn begin_value(&mut self) -> Result<(), Overflow> {
        self.line = Line::Value;
        match &mut self.data {
            Some(data) => data.push(b"\n", self.limit),
            None => {
                self.data = Some(Capture::new(&self.ledger));
                Ok(())
            }
        }
    }

    /// Ends a line. Returns the data of the event, if that is over, too.
    fn end_line(&mut self) -> Result<Option<Body>, Overflow> {
        match core::mem::replace(&mut self.line, Line::Name(0)) {
            Line::Name(0) => return self.data.take().map(Capture::into_body).transpose(),
            // `data` alone or `data:` is a field with an empty value.
            Line::Name(matched) if matched < DATA.len() => {}
            Line::Name(_) | Line::Colon => {
                self.begin_value()?;
                self.line = Line::Name(0);
            }
            Line::Value | Line::Other => {}
        }
        Ok(None)
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
            while let Some(data) = events.next(&mut rest)? {
                found.push(String::from_utf8(data.bytes().to_vec()).unwrap());
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

    proptest! {
        #[test]
        fn the_cut_of_the_wire_does_not_matter(
            lines in proptest::collection::vec(("data: |data:|: |id: |data|\u{feff}|", "[a\u{fc}: ]{0,4}", "\r\n|\r|\n|\n\n"), 0..12),
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
        let (mut events, mut data) = (Vec::new(), Vec::new());
        for line in complete.split('\n') {
            if line.is_empty() {
                if !data.is_empty() {
                    events.push(core::mem::take(&mut data).join("\n"));
                }
            } else if line == "data" {
                data.push("");
            } else if let Some(value) = line.strip_prefix("data:") {
                data.push(value.strip_prefix(' ').unwrap_or(value));
            }
        }
        events
    }
}
