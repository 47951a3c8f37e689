//! Finds an error object in an answer whose status says that all went well. Gateways and servers answer so once the status is out, or because
//! they always do.
//!
//! Only the beginning of a whole answer is looked at: errors are short, and say so first. Streams are watched by
//! [`crate::compare::read::openai::watch`].

use crate::compare::read::openai::events::MARK;
use crate::compare::read::wire_format::WireFormat;
use crate::encoding::Decoder;
use crate::fault::Fault;
use crate::limits::{COMPARED_PER_CALLBACK, DECODED_AT_THE_END};

/// Decoded bytes that are looked at.
const LONGEST: usize = 4 << 10;

/// The member that is an error.
const NAME: &[u8] = b"\"error\"";

/// The member that says so in vLLM's older form: `{"object": "error", "message": …}`.
const OBJECT: &[u8] = b"\"object\"";

/// The beginning of an answer, as far as it has come.
#[derive(Debug)]
pub struct ErrorLook {
    decoder: Option<Decoder>,
    beginning: Vec<u8>,
    is_over: bool,
}

impl ErrorLook {
    /// Of an answer with this `content-encoding`; `None` if an answer in this format has no error object.
    pub fn new(wire_format: WireFormat, content_encoding: &[u8]) -> Option<Self> {
        if !matches!(wire_format, WireFormat::KserveV1 | WireFormat::OpenInference | WireFormat::OpenAi) {
            return None;
        }
        let decoder = Decoder::new(content_encoding).ok()?;
        Some(Self { decoder, beginning: Vec::new(), is_over: false })
    }

    /// Takes the next piece. Returns whether one more is wanted.
    pub fn push(&mut self, piece: &[u8]) -> bool {
        let Self { decoder, beginning, is_over } = self;
        match decoder {
            _ if *is_over => {}
            None => *is_over = take(beginning, piece).is_err(),
            Some(decoder) => {
                let fed = decoder.feed(piece, &mut COMPARED_PER_CALLBACK.clone(), &mut |decoded| take(beginning, decoded));
                *is_over = fed.is_err();
            }
        }
        !self.is_over
    }

    /// Whether the answer, which ends here, has an error object.
    pub fn finds_error(mut self) -> bool {
        if let (Some(decoder), false) = (&mut self.decoder, self.is_over) {
            let _ = decoder.rest(&mut DECODED_AT_THE_END.clone(), &mut |decoded| take(&mut self.beginning, decoded));
        }
        has_error(&self.beginning)
    }
}

/// Takes of `piece` what is looked at.
///
/// # Errors
/// If no more of it is looked at.
fn take(beginning: &mut Vec<u8>, piece: &[u8]) -> Result<(), Fault> {
    let room = LONGEST.saturating_sub(beginning.len());
    beginning.extend_from_slice(piece.get(..room).unwrap_or(piece));
    if beginning.len() < LONGEST && may_be_object(beginning) { Ok(()) } else { Err("no more of it is looked at") }
}

/// Whether these bytes may begin a JSON object.
fn may_be_object(bytes: &[u8]) -> bool {
    MARK.starts_with(bytes) || text(bytes).first().is_none_or(|first| *first == b'{')
}

/// What comes behind a byte order mark and white space.
fn text(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes).trim_ascii_start()
}

/// Whether the object that begins with these bytes has a member `error` that tells of one.
fn has_error(bytes: &[u8]) -> bool {
    let Some(mut rest) = text(bytes).strip_prefix(b"{") else { return false };
    let (mut depth, mut is_name) = (0_u32, true);
    while let Some((&byte, behind)) = rest.split_first() {
        match byte {
            b'"' => {
                let is_member = is_name && depth == 0;
                if is_member
                    && (value_of(rest, NAME).is_some_and(is_error) || value_of(rest, OBJECT).is_some_and(|of| of.starts_with(NAME)))
                {
                    return true;
                }
                rest = behind_string(behind);
                continue;
            }
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            b':' => is_name = false,
            b',' => is_name = true,
            _ => {}
        }
        rest = behind;
    }
    false
}

/// The value of a member with this name, if these bytes begin with it.
fn value_of<'a>(member: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    Some(member.strip_prefix(name)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start())
}

/// What comes behind a string, of which the quotation mark has been read.
fn behind_string(mut rest: &[u8]) -> &[u8] {
    loop {
        match rest {
            [b'\\', _, behind @ ..] | [b'\\', behind @ ..] => rest = behind,
            [b'"', behind @ ..] => return behind,
            [_, behind @ ..] => rest = behind,
            [] => return rest,
        }
    }
}

/// Whether a value that begins so tells of an error, as [`crate::compare::read::openai::members::is_error`] says. What is cut off does not.
fn is_error(value: &[u8]) -> bool {
    match value {
        [b't', ..] => true,
        [b'[', behind @ ..] => tells(behind.trim_ascii_start()),
        _ => tells(value),
    }
}

/// Whether a value that begins so is an object or a text that says anything.
fn tells(value: &[u8]) -> bool {
    match value {
        [b'"', behind @ ..] => behind.first().is_some_and(|byte| *byte != b'"'),
        [b'{', behind @ ..] => behind.trim_ascii_start().first().is_some_and(|byte| *byte != b'}'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn finds(wire_format: WireFormat, encoding: &str, body: &[u8], size: usize) -> bool {
        let Some(mut look) = ErrorLook::new(wire_format, encoding.as_bytes()) else { return false };
        for piece in body.chunks(size) {
            if !look.push(piece) {
                break;
            }
        }
        look.finds_error()
    }

    #[test]
    fn an_error_is_a_member_that_says_something() {
        let long = "x".repeat(LONGEST - 30);
        for (body, want) in [
            (r#"{"error":{"message":"no","code":500}}"#, true),
            (r#"{"error":"model not ready"}"#, true),
            (r#"{"object": "error","message":"no","code":400}"#, true),
            (r#"{"object":"errors","choices":[]}"#, false),
            (r#"{"object":"chat.completion","choices":[{"object":"error"}]}"#, false),
            (r#" {"object":"error", "error" : {"code":1}}"#, true),
            ("\u{feff}{\"error\":true}", true),
            (r#"{"id":"a\"b\\","n":[{"error":1}],"error":"x"}"#, true),
            (r#"{"error":[ {"code":1}]}"#, true),
            (r#"{"error":["no"]}"#, true),
            (r#"{"choices":[{"index":0}],"error":{"code":1}}"#, true),
            (r#"{"error":0,"error":"x"}"#, true),
            (r#"{"predictions":[1],"error":0}"#, false),
            (r#"{"predictions":[1],"error":0.03}"#, false),
            (r#"{"predictions":[1],"error":-1e3}"#, false),
            (r#"{"error":42}"#, false),
            (r#"{"predictions":[1],"error":[0.03]}"#, false),
            (r#"{"predictions":[1],"error":[[{"code":1}]]}"#, false),
            (r#"{"error":[true]}"#, false),
            (r#"{"error":[null,"x"]}"#, false),
            (r#"{"error":[{}]}"#, false),
            (r#"{"error":[""]}"#, false),
            (r#"{"error":{"message":"cut o"#, true),
            (r#"{"error":null,"choices":[]}"#, false),
            (r#"{"error":"","choices":[]}"#, false),
            (r#"{"error":{ },"choices":[]}"#, false),
            (r#"{"error":[],"choices":[]}"#, false),
            (r#"{"error":false}"#, false),
            (r#"{"error":"#, false),
            (r#"{"error"#, false),
            (r#"{"outputs":[{"name":"error","data":["error"]}]}"#, false),
            (r#"{"choices":[{"error":{"message":"inside"}}]}"#, false),
            (r#"{"predictions":["\"error\":1"]}"#, false),
            (r#"{"a":"error","b":1}"#, false),
            (r#"{"a":1} {"error":"x"}"#, false),
            (r#"["error","x"]"#, false),
            ("data: {\"error\":\"x\"}", false),
            ("error", false),
            ("", false),
            (&format!(r#"{{"a":"{long}","error":{{"code":1}}}}"#), true),
            (&format!(r#"{{"a":"{long}{long}","error":{{"code":1}}}}"#), false),
        ] {
            for size in [1, 7, 10_000] {
                assert_eq!(finds(WireFormat::OpenAi, "", body.as_bytes(), size), want, "{body} {size}");
            }
        }
    }

    #[test]
    fn only_protocols_that_have_errors_are_looked_at() {
        for (wire_format, want) in [
            (WireFormat::OpenAi, true),
            (WireFormat::KserveV1, true),
            (WireFormat::OpenInference, true),
            (WireFormat::OpenInferenceGrpc, false),
            (WireFormat::Json, false),
            (WireFormat::Opaque, false),
        ] {
            assert_eq!(finds(wire_format, "", br#"{"error":"x"}"#, 99), want, "{wire_format:?}");
        }
    }

    #[test]
    fn an_encoded_answer_is_decoded() {
        // Python: gzip.compress(b'{"error":"no"}', mtime=0)
        let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x2d\x2a\xca\x2f\x52\xb2\x52\xca\xcb\x57\xaa\x05\x00\x50\x45\xd4\x79\x0e\x00\x00\x00";
        for size in [1, 5, 1_000] {
            assert!(finds(WireFormat::KserveV1, "gzip", gzip, size), "{size}");
            assert!(!finds(WireFormat::KserveV1, "", gzip, size), "{size}");
            assert!(!finds(WireFormat::KserveV1, "br", gzip, size), "{size}");
        }
        assert!(!finds(WireFormat::KserveV1, "compress", gzip, 9), "an unknown coding");
    }
}
