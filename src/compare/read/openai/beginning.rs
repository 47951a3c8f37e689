//! Tells from the first bytes of an answer whether it is a stream of server-sent events.
//!
//! They tell more than the content type, which frameworks and proxies often set to plain text or to JSON. Where they do not tell, it counts.

use core::task::Poll;

use crate::compare::read::openai::events::MARK;
use crate::http::is_event_stream;
use crate::json::signature::signature;

/// First bytes that are looked at, at most. Some servers keep a connection alive with white space before the answer.
pub const LONGEST: usize = 4 << 10;

/// The fields of an event (HTML standard, section 9.2.6). A colon alone begins a comment.
const FIELDS: [&[u8]; 5] = [b"data", b"event", b"id", b"retry", b""];

/// The first bytes of an answer, as long as they do not tell.
#[derive(Debug)]
pub struct Beginning {
    bytes: Vec<u8>,
    /// Whether the content type is that of a stream.
    typed: bool,
}

impl Beginning {
    /// Before the first byte of an answer with this content type.
    pub fn new(content_type: &[u8]) -> Self {
        Self { bytes: Vec::new(), typed: is_event_stream(content_type) }
    }

    /// Takes the next piece: whether the answer is a stream. `Pending`: that can't be told yet.
    pub fn push(&mut self, piece: &[u8]) -> Poll<bool> {
        let room = LONGEST.saturating_sub(self.bytes.len());
        let all = [&self.bytes, piece.get(..room).unwrap_or(piece)].concat();
        let told = match begins(&all) {
            Poll::Pending if all.len() >= LONGEST => Poll::Ready(None),
            // What is known to be something else is no stream, so that it can be named.
            Poll::Ready(None) if signature(&all).is_some() => Poll::Ready(Some(false)),
            told => told,
        };
        if told.is_pending() {
            self.bytes = all;
        }
        told.map(|is_stream| is_stream.unwrap_or(self.typed))
    }

    /// The bytes before the piece that told.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the content type is that of a stream.
    pub fn is_typed(&self) -> bool {
        self.typed
    }
}

/// Whether a whole answer with this content type is a stream.
pub fn is_stream(body: &[u8], content_type: &[u8]) -> bool {
    match Beginning::new(content_type).push(body) {
        Poll::Ready(is_stream) => is_stream,
        Poll::Pending => is_event_stream(content_type),
    }
}

/// Whether these bytes begin a stream (`true`) or one JSON value (`false`); `None`: neither. `Pending`: more of them are needed.
fn begins(bytes: &[u8]) -> Poll<Option<bool>> {
    let text = bytes.strip_prefix(MARK).unwrap_or(bytes).trim_ascii_start();
    if text.is_empty() || MARK.starts_with(text) {
        return Poll::Pending;
    }
    if matches!(text, [b'{' | b'[' | b'"', ..]) {
        return Poll::Ready(Some(false));
    }
    let rest_of = |field: &&[u8]| text.strip_prefix(*field).map(|rest| rest.first().copied());
    if FIELDS.iter().filter_map(rest_of).any(|after| after == Some(b':')) {
        return Poll::Ready(Some(true));
    }
    let may_be_field = FIELDS.iter().any(|field| field.starts_with(text));
    if may_be_field { Poll::Pending } else { Poll::Ready(None) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const STREAM: &str = "text/event-stream; charset=utf-8";

    #[test]
    fn the_first_bytes_tell_a_stream_whatever_its_type() {
        for content_type in ["", "text/plain", "application/json", "application/x-ndjson", STREAM] {
            for (body, want) in [
                ("data: {\"choices\":[]}\n\n", true),
                ("data:{}\n\n", true),
                ("event: message\ndata: {}\n\n", true),
                ("id: 1\ndata: {}\n\n", true),
                ("retry: 10\n\n", true),
                (": ping\n\n", true),
                (":\n\n", true),
                ("\u{feff}data: {}", true),
                ("\r\n\r\n data: {}", true),
                ("{\"choices\":[]}", false),
                ("\n\n  {\"data\":1}", false),
                ("\u{feff}{}", false),
                ("[1]", false),
                ("\"data: x\"", false),
            ] {
                assert_eq!(is_stream(body.as_bytes(), content_type.as_bytes()), want, "{body:?} {content_type}");
            }
        }
    }

    #[test]
    fn where_they_do_not_tell_the_type_counts() {
        let blank = " ".repeat(LONGEST);
        for body in ["", " ", "dat", "data", "\u{feff}", "dates: 1", "database", "null", "42", "data\n", &format!("{blank}{{}}")] {
            assert!(is_stream(body.as_bytes(), STREAM.as_bytes()), "{body:?}");
            assert!(!is_stream(body.as_bytes(), b"text/plain"), "{body:?}");
        }
        assert!(!is_stream(format!("{}{{}}", " ".repeat(LONGEST - 1)).as_bytes(), STREAM.as_bytes()));
        assert!(!is_stream(b"<html>", STREAM.as_bytes()), "something else by its name");
    }

    proptest! {
        #[test]
        fn the_cut_of_the_wire_does_not_matter(
            text in "(\u{feff})?[ \n]{0,4}(data|event|id|retry|da|)(:|\\{|\\[|\"|)[a-z: ]{0,4}",
            typed: bool,
            size in 1_usize..6,
        ) {
            let content_type = if typed { STREAM.as_bytes() } else { b"" };
            let mut beginning = Beginning::new(content_type);
            let told = text.as_bytes().chunks(size).map(|piece| beginning.push(piece)).find(Poll::is_ready);
            let told = told.map_or(typed, |told| told == Poll::Ready(true));
            prop_assert_eq!(told, is_stream(text.as_bytes(), content_type));
        }
    }
}
