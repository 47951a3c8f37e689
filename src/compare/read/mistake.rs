//! Says what an answer is that can't be read as its headers or its path say.

use std::borrow::Cow;

use crate::compare::answer::Unread;
use crate::compare::read::openai::beginning::is_stream;
use crate::fault::Fault;
use crate::http::is_event_stream;
use crate::json::signature::signature;
use crate::limits::MAX_EVIDENCE_VALUE;

/// Why a body that came with this `content-encoding` can't be unpacked.
pub fn not_unpacked(unread: Unread, encoded: &[u8], content_encoding: &[u8]) -> Cow<'static, str> {
    match (unread, encoded) {
        (Unread::Encoded(fault), [b'{' | b'[', ..]) => {
            format!("{fault}: it begins like plain JSON, but its content-encoding is {}", shown(content_encoding)).into()
        }
        _ => unread.reason().into(),
    }
}

/// Why a body that came with this `content-type` is not JSON, if nothing but the reader's `fault` says more.
pub fn not_json(fault: Fault, body: &[u8], content_type: &[u8]) -> Cow<'static, str> {
    match signature(body) {
        _ if body.is_empty() => "an empty body".into(),
        Some(signature) => format!("{signature}, not JSON").into(),
        None if !is_stream(body, b"") => fault.into(),
        None if is_event_stream(content_type) => "a stream of events, not JSON".into(),
        None => format!("a stream of events, but its content type is {}", shown(content_type)).into(),
    }
}

/// A header's value, in quotes, so that an empty one is seen.
fn shown(value: &[u8]) -> String {
    let beginning: String = String::from_utf8_lossy(value).chars().take(MAX_EVIDENCE_VALUE).collect();
    format!("{beginning:?}")
}
