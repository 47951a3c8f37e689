//! Names and values of headers, and which headers a configuration may change.

use std::rc::Rc;

use super::value::{Problems, Value};
use crate::config::Key;
use crate::http::{CREDENTIALS, HOP_BY_HOP};

/// Header fields that requests need for themselves, beside those of [`HOP_BY_HOP`] and [`CREDENTIALS`], and the beginnings of names of more.
const NEEDED: [&str; 13] = [
    "accept",
    "b3",
    "baggage",
    "date",
    "expect",
    "forwarded",
    "host",
    "range",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-real-ip",
    "x-request-id",
];
const NEEDED_PREFIXES: [&str; 8] = ["accept-", "connect-", "content-", "grpc-", "x-ai-eg-", "x-b3-", "x-envoy-", "x-forwarded-"];

/// Whether `text` is a token (RFC 9110, section 5.6.2), as names of headers and cookies, and methods, have to be.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Reads the name of a header, and returns it in lower case.
pub(super) fn name(value: &Value<'_>, problems: &mut Problems) -> Option<Rc<str>> {
    let text = value.text(problems)?;
    if text.starts_with(':') {
        value.refuse("pseudo-headers can't be named here: give the name of a header", problems)
    } else if !is_token(text) {
        value.refuse("give the name of a header: letters, digits and hyphens", problems)
    } else {
        Some(text.to_ascii_lowercase().into())
    }
}

/// Reads the name of a split header. The filter removes it from every request, so nothing else may need that header.
pub(super) fn split(value: &Value<'_>, problems: &mut Problems) -> Option<Rc<str>> {
    let name = name(value, problems)?;
    if &*name == "x-gnomon-shadow" {
        value.refuse("x-gnomon-shadow marks copies: choose another header", problems)
    } else if is_needed(&name) {
        value.refuse("requests need this header for themselves: choose another one", problems)
    } else {
        Some(name)
    }
}

/// Reports a split header from which `key` is read, at the value that says so: no client's would be left to read.
pub(super) fn report_read(split_header: Option<&str>, key: Option<&Key>, at: Option<Value<'_>>, problems: &mut Problems) {
    if let (Some(header), Some(Key::Header(read)), Some(at)) = (split_header, key, at)
        && **read == *header
    {
        at.refuse::<()>(format!("{header} can't be both a key and the header that Gnomon sets: choose another one"), problems);
    }
}

fn is_needed(name: &str) -> bool {
    [&HOP_BY_HOP[..], &CREDENTIALS, &NEEDED].iter().any(|names| names.contains(&name))
        || NEEDED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Reads the name of a header that is removed from copies.
pub(super) fn removed(value: &Value<'_>, problems: &mut Problems) -> Option<Rc<str>> {
    let name = name(value, problems)?;
    if is_owned(&name) { value.refuse(OWNED, problems) } else { Some(name) }
}

/// Reads the name of a header that is set on copies. It is the text of `key`.
pub(super) fn set(key: &Value<'_>, problems: &mut Problems) -> Option<Rc<str>> {
    let name = removed(key, problems)?;
    if is_framing(&name) {
        return key.refuse("this header is the proxy's business: leave it out (request.authority sets the host)", problems);
    }
    Some(name)
}

/// Reads the value of a header. It may be a credential, so problems don't show it.
pub(super) fn value(value: &Value<'_>, problems: &mut Problems) -> Option<String> {
    let text = match value.node.as_text() {
        Some(text) => text,
        None => return value.refuse("give a text: put it in quotes", problems),
    };
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return value.refuse_as("a text", "give a text without line breaks and other control characters", problems);
    }
    Some(text.to_owned())
}

/// Reads the name of an environment variable. By mistake it may be the credential itself, so problems don't show it.
pub(super) fn environment_variable(value: &Value<'_>, problems: &mut Problems) -> Option<String> {
    const HINT: &str = "give the name of an environment variable: letters, digits and underscores, no digit first";
    match value.node.as_text() {
        Some(text)
            if !text.starts_with(|c: char| c.is_ascii_digit())
                && !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') =>
        {
            Some(text.to_owned())
        }
        Some(_) => value.refuse_as("a text", HINT, problems),
        None => value.refuse(HINT, problems),
    }
}

const OWNED: &str = "content-length, x-envoy-* and x-gnomon-* are set by the proxy and the filter: leave it out";

fn is_owned(name: &str) -> bool {
    name == "content-length" || name.starts_with("x-envoy-") || name.starts_with("x-gnomon-")
}

fn is_framing(name: &str) -> bool {
    name == "host" || name == "content-length" || HOP_BY_HOP.contains(&name)
}
