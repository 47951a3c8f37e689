//! The JSON of a request's body.

use core::task::{Poll, ready};

use super::obstacle::Obstacle;
use super::plain::Plain;
use crate::capture::{Body, Bounds};
use crate::fault::Fault;
use crate::http::{JSON_LENGTH_HEADER, Request, essence, json_length};
use crate::json::document::DocumentReader;
use crate::json::signature::signature;
use crate::json::tape::Document;

/// The state of reading the JSON of a body.
#[derive(Debug, Default)]
pub enum Reading {
    /// Nobody has asked for it.
    #[default]
    Unread,
    /// It is being read.
    UnderWay(DocumentReader),
    /// The JSON; `None` if the request has no body, or nothing but binary tensors; or why it can't be read.
    Known(Result<Option<Document>, Obstacle>),
}

impl Reading {
    /// Decodes and reads the body of `request`, and returns its JSON; `None` if it has no byte that should be JSON. `Pending` means that
    /// `budget` was used up.
    ///
    /// # Errors
    /// If the body is no JSON, or can't be decoded.
    pub fn step(
        &mut self,
        plain: &mut Plain,
        request: &Request,
        body: &Body,
        bounds: &Bounds,
        budget: &mut usize,
    ) -> Poll<Result<Option<&Document>, Obstacle>> {
        if let Reading::Unread = self {
            let plain = ready!(plain.step(request, body, bounds, budget))?;
            let length = json_length(request.header(JSON_LENGTH_HEADER), plain.bytes().len());
            *self = match length {
                length if length == Ok(0) || plain.bytes().is_empty() => Reading::Known(Ok(None)),
                Ok(length) => Reading::UnderWay(DocumentReader::new(plain, length)),
                Err(fault) => Reading::Known(Err(fault.into())),
            };
        }
        if let Reading::UnderWay(reader) = self {
            let read = ready!(reader.step(budget));
            let unfit = |fault| {
                let content_type = essence(request.header("content-type").unwrap_or_default());
                Obstacle::Unfit(what_is(plain.or(body).bytes(), &content_type, fault, reader.at()))
            };
            *self = Reading::Known(read.map(Some).map_err(unfit));
        }
        match self {
            Reading::Known(known) => Poll::Ready(known.as_ref().map(Option::as_ref).map_err(Clone::clone)),
            _ => Poll::Pending,
        }
    }
}

/// Says what `bytes` are, which can't be read as JSON: `fault` was found at the offset `at`.
fn what_is(bytes: &[u8], content_type: &[u8], fault: Fault, at: usize) -> String {
    let known = match content_type {
        b"multipart/form-data" => Some("multipart/form-data"),
        b"application/x-www-form-urlencoded" => Some("application/x-www-form-urlencoded"),
        _ if content_type.starts_with(b"multipart/") => Some("a multipart body"),
        _ if content_type.starts_with(b"application/grpc") => Some("a gRPC message"),
        _ => signature(bytes),
    };
    match (known, bytes.get(at)) {
        (Some(known), _) => format!("{known}, not JSON"),
        (None, Some(0)) => format!("{fault} (a NUL) at byte {at}"),
        _ => format!("{fault} at byte {at}"),
    }
}
