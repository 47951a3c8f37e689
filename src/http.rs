//! Request headers as bytes (values need not be UTF-8), and the meaning of a few headers of HTTP, gRPC and the Open Inference Protocol.

pub mod endpoint;

use crate::fault::Fault;

/// Header fields as the host gives them: lower-case names in order, values as bytes.
pub type Fields = Vec<(String, Vec<u8>)>;

/// Header fields that concern one connection only: those of RFC 9110, section 7.6.1, and others that are used in the same way.
pub const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// Header fields with credentials of the client: of HTTP, of proxies that authenticate, and the API keys of model services.
pub const CREDENTIALS: [&str; 12] = [
    "api-key",
    "authorization",
    "cookie",
    "ocp-apim-subscription-key",
    "proxy-authorization",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-goog-api-key",
    "x-goog-iap-jwt-assertion",
];

/// Path of the inference method of the Open Inference Protocol's gRPC service.
pub const MODEL_INFER: &[u8] = b"/inference.GRPCInferenceService/ModelInfer";

/// The header with the number of bytes of JSON before binary tensors (Open Inference Protocol, binary tensor data extension).
pub const JSON_LENGTH_HEADER: &str = "inference-header-content-length";

/// Returns how many of the `whole` bytes of a body are JSON. `header` is the value of [`JSON_LENGTH_HEADER`]; without one all bytes are.
///
/// # Errors
/// If the value is no number, or is more than `whole`.
pub fn json_length(header: Option<&[u8]>, whole: usize) -> Result<usize, Fault> {
    let Some(digits) = header.map(<[u8]>::trim_ascii).filter(|digits| !digits.is_empty()) else { return Ok(whole) };
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(digits).ok().filter(|_| is_number).ok_or("inference-header-content-length is no number")?;
    let length = text.parse().unwrap_or(usize::MAX);
    if length > whole { Err("inference-header-content-length goes beyond the body") } else { Ok(length) }
}

/// Whether `content_type` is that of gRPC. gRPC-Web does not count: its status is in the body instead of `grpc-status`.
pub fn is_grpc(content_type: &[u8]) -> bool {
    let essence = essence(content_type);
    essence.strip_prefix(b"application/grpc").is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
}

/// Whether `content_type` is that of server-sent events.
pub fn is_event_stream(content_type: &[u8]) -> bool {
    essence(content_type) == b"text/event-stream"
}

/// Returns the media type of a `content-type` without its parameters, in lower case. Of a list, as proxies make of a field that comes
/// twice, it is that of the first element.
pub fn essence(content_type: &[u8]) -> Vec<u8> {
    let is_end = |byte: &u8| matches!(byte, b';' | b',') || byte.is_ascii_whitespace();
    content_type.split(is_end).find(|part| !part.is_empty()).unwrap_or_default().to_ascii_lowercase()
}

/// A borrowed view of the headers of one request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    fields: &'a [(String, Vec<u8>)],
}

impl<'a> Request<'a> {
    /// Returns a view of `fields`.
    pub fn new(fields: &'a [(String, Vec<u8>)]) -> Self {
        Self { fields }
    }

    /// Returns all fields in order.
    pub fn fields(&self) -> &'a [(String, Vec<u8>)] {
        self.fields
    }

    /// Returns the first value of the header `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers(name).next()
    }

    /// Returns all values of the header `name` (lower case), in order.
    pub fn headers<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_slice())
    }

    /// Returns `:method`; empty if it is missing.
    pub fn method(&self) -> &'a [u8] {
        self.header(":method").unwrap_or_default()
    }

    /// Returns `:path` without its query; empty if it is missing.
    pub fn path(&self) -> &'a [u8] {
        self.target().0
    }

    /// Returns the query, which follows the first `?` of `:path`.
    pub fn query(&self) -> Option<&'a [u8]> {
        self.target().1
    }

    /// Returns `:authority`; empty if it is missing.
    pub fn authority(&self) -> &'a [u8] {
        self.header(":authority").unwrap_or_default()
    }

    /// Returns the path and the query of `:path`.
    fn target(&self) -> (&'a [u8], Option<&'a [u8]>) {
        let target = self.header(":path").unwrap_or_default();
        match target.iter().position(|&byte| byte == b'?') {
            Some(mark) => (target.get(..mark).unwrap_or_default(), target.get(mark.saturating_add(1)..)),
            None => (target, None),
        }
    }
}

/// Makes header fields of text, for tests.
#[cfg(test)]
pub(crate) fn fields(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|&(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect()
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn the_query_begins_at_the_first_question_mark() {
        for (target, path, query) in
            [("/a", "/a", None), ("/a?", "/a", Some("")), ("/a?b=1?c", "/a", Some("b=1?c")), ("?b", "", Some("b")), ("*", "*", None)]
        {
            let fields = fields(&[(":path", target)]);
            let request = Request::new(&fields);
            assert_eq!((request.path(), request.query()), (path.as_bytes(), query.map(str::as_bytes)), "{target}");
        }
    }

    #[test]
    fn the_essence_is_free_of_dressing() {
        for (content_type, want) in [
            ("application/json", "application/json"),
            (" Application/JSON ; charset=utf-8;;", "application/json"),
            ("application/json;", "application/json"),
            ("application/json charset=utf-8", "application/json"),
            ("application/json, application/json", "application/json"),
            ("; application/json,text/plain", "application/json"),
            ("text/event-stream;charset=\"utf-8\", text/plain", "text/event-stream"),
            (" ;,", ""),
            ("", ""),
        ] {
            assert_eq!(essence(content_type.as_bytes()), want.as_bytes(), "{content_type:?}");
        }
        for (content_type, want) in
            [("application/grpc, application/grpc", true), ("Application/GRPC+proto;x", true), ("application/grpc-web", false), ("", false)]
        {
            assert_eq!(is_grpc(content_type.as_bytes()), want, "{content_type:?}");
        }
    }

    #[test]
    fn what_is_missing_is_empty() {
        let request = Request::new(&[]);
        assert_eq!((request.method(), request.path(), request.query(), request.authority()), (&b""[..], &b""[..], None, &b""[..]));
    }
}
