//! The header fields of a copy. They are those of the request without fields of the client's connection, of Envoy, or with the client's
//! credentials, then changed by the shadow's `request` section.
//!
//! The host's call that sends a copy takes only text, so a field whose value is not UTF-8 is left out. Trailers are left out too, because
//! the call can't send them.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::body::Shaped;
use super::environment::Secret;
use super::{SHADOW_HEADER, tokens};
use crate::config::Shadow;
use crate::http::{CREDENTIALS, HOP_BY_HOP, JSON_LENGTH_HEADER, Request};
use crate::limits::{MAX_CALL_HEADER_BYTES, MAX_CALL_HEADERS};

/// Fields that are never copied from the request, beside those of [`HOP_BY_HOP`]. The default split header is one of them, even if no route
/// has a split. A client's deadline (`grpc-timeout`, and `connect-timeout-ms` of the Connect protocol) is for the live answer; the copy has
/// the shadow's `timeout`. An endpoint picker wrote `x-gateway-destination-endpoint` for the primary, and the copy would land on its pod.
const OWN: [&str; 8] = [
    "accept-encoding",
    "connect-timeout-ms",
    "content-length",
    "expect",
    "grpc-timeout",
    SHADOW_HEADER,
    "x-gateway-destination-endpoint",
    "x-gnomon-variant",
];

/// Beginnings of the names of fields that are never copied either: those of Envoy, and those by which Envoy AI Gateway steers a request.
const OWN_PREFIXES: [&str; 2] = ["x-ai-eg-", "x-envoy-"];

/// Why the host would refuse the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub &'static str);

/// Digests of a body (RFC 9530, and RFC 1864 before it). They do not fit a body that was changed, and a server that checks them refuses it.
const DIGESTS: [&str; 4] = ["content-digest", "content-md5", "digest", "repr-digest"];

/// Returns the header fields of the copy of `request` for `shadow`. `environment` are the shadow's fields from the environment; `shaped`
/// is the copy's body.
///
/// A copy without a body gets no `content-length`: Envoy adds `0` itself if the protocol needs it.
///
/// # Errors
/// If the host would refuse the fields: a pseudo-header is missing or not UTF-8, or there are too many fields or bytes.
pub fn copy_headers(
    shadow: &Shadow,
    split_headers: &[Rc<str>],
    environment: &[(Rc<str>, Secret)],
    request: &Request,
    shaped: &Shaped,
) -> Result<Vec<(String, String)>, Refused> {
    let mut copy = kept(shadow, split_headers, request, shaped.undone)?;
    if shaped.is_changed {
        copy.retain(|(name, _)| !DIGESTS.contains(&name.as_str()));
    }
    // An answer without content coding needs no decoding.
    set(&mut copy, "accept-encoding", "identity");
    if is_any_grpc(request) {
        // gRPC servers refuse requests without this field.
        set(&mut copy, "te", "trailers");
    }
    change(&mut copy, shadow);
    for (name, value) in environment {
        set(&mut copy, name, value.value());
    }
    if let Some(length) = shaped.json_length {
        set(&mut copy, JSON_LENGTH_HEADER, &length.to_string());
    }
    let length = shaped.body.bytes().len();
    if length > 0 {
        set(&mut copy, "content-length", &length.to_string());
    }
    set(&mut copy, SHADOW_HEADER, &shadow.name);
    // Pseudo-headers come first. Apart from that the order stays.
    let (mut copy, others): (Vec<_>, Vec<_>) = copy.into_iter().partition(|(name, _)| name.starts_with(':'));
    copy.extend(others);
    check(&copy)?;
    Ok(copy)
}

/// Returns the fields that are copied from `request`: `undone` are not.
fn kept(shadow: &Shadow, split_headers: &[Rc<str>], request: &Request, undone: &[&str]) -> Result<Vec<(String, String)>, Refused> {
    let connection = request.headers("connection").collect::<Vec<_>>().join(&b',').to_ascii_lowercase();
    let mut named = BTreeSet::new();
    named.extend(tokens(&connection));
    let mut copy = Vec::new();
    for (name, value) in request.fields() {
        let pseudo = name.starts_with(':');
        let dropped = HOP_BY_HOP.contains(&name.as_str())
            || OWN.contains(&name.as_str())
            || undone.contains(&name.as_str())
            || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || !shadow.request.keep_credentials && CREDENTIALS.contains(&name.as_str())
            || split_headers.iter().any(|header| **header == **name)
            || named.contains(name.as_bytes());
        if dropped && !pseudo {
            continue;
        }
        match std::str::from_utf8(value) {
            Ok(value) => copy.push((name.clone(), value.to_owned())),
            Err(_) if pseudo => return Err(Refused("a pseudo-header is not UTF-8")),
            Err(_) => {}
        }
    }
    Ok(copy)
}

/// Changes the fields as the shadow's `request` section says: remove, then rewrite, then set.
fn change(copy: &mut Vec<(String, String)>, shadow: &Shadow) {
    let changes = &shadow.request;
    copy.retain(|(name, _)| !changes.remove.iter().any(|removed| **removed == **name));
    for (name, value) in copy.iter_mut() {
        match (name.as_str(), &changes.path, &changes.authority) {
            (":path", Some((prefix, with)), _) => {
                if let Some(rest) = value.strip_prefix(prefix.as_str()) {
                    *value = format!("{with}{rest}");
                }
            }
            (":authority", _, Some(authority)) => value.clone_from(authority),
            _ => {}
        }
    }
    for (name, value) in &changes.set {
        set(copy, name, value);
    }
}

/// Replaces all fields `name` by one.
fn set(copy: &mut Vec<(String, String)>, name: &str, value: &str) {
    copy.retain(|(field, _)| field != name);
    copy.push((name.to_owned(), value.to_owned()));
}

/// Whether the content type of `request` is that of gRPC or gRPC-Web.
fn is_any_grpc(request: &Request) -> bool {
    let grpc = b"application/grpc";
    request.header("content-type").and_then(|value| value.get(..grpc.len())).is_some_and(|head| head.eq_ignore_ascii_case(grpc))
}

/// Makes the host's own checks before it sends a copy.
fn check(copy: &[(String, String)]) -> Result<(), Refused> {
    for (required, missing) in [(":method", "no :method"), (":path", "no :path"), (":authority", "no :authority")] {
        if !copy.iter().any(|(name, _)| name == required) {
            return Err(Refused(missing));
        }
    }
    if copy.len() > MAX_CALL_HEADERS {
        return Err(Refused("too many header fields"));
    }
    if serialized(copy) > MAX_CALL_HEADER_BYTES {
        return Err(Refused("too many bytes of header fields"));
    }
    Ok(())
}

/// Returns the number of bytes in which the fields are passed to the host: a count, then for each field two lengths, and two texts that end
/// in NUL.
fn serialized(copy: &[(String, String)]) -> usize {
    copy.iter().fold(4, |sum: usize, (name, value)| sum.saturating_add(name.len()).saturating_add(value.len()).saturating_add(10))
}

#[cfg(test)]
mod tests;
