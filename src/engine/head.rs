//! What the engine needs of the headers of an answer, and an answer of a shadow as the host gives it.

use crate::capture::Body;
use crate::compare::read::openai::beginning::is_stream;
use crate::compare::{Answer, Unread};
use crate::encoding::is_plain;
use crate::http::{Fields, is_grpc};
use crate::labels::effective_status;

/// What the engine needs of response headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// `:status`; 0 if it can't be read.
    pub status: u16,
    /// `content-type`, raw.
    pub content_type: Vec<u8>,
    /// `content-encoding`, raw.
    pub content_encoding: Vec<u8>,
    /// `inference-header-content-length`, raw.
    pub inference_header_length: Vec<u8>,
    /// `grpc-encoding`, raw.
    pub grpc_encoding: Vec<u8>,
    /// `grpc-status`, raw.
    pub grpc_status: Option<Vec<u8>>,
    /// `grpc-message`, raw.
    pub grpc_message: Vec<u8>,
}

impl Head {
    /// Reads header fields.
    pub fn read(fields: &Fields) -> Self {
        let mut head = Head::default();
        for (name, value) in fields {
            match name.as_str() {
                ":status" => head.status = status(value),
                "content-type" if head.content_type.is_empty() => head.content_type.clone_from(value),
                "content-encoding" => {
                    // Several fields are one list (RFC 9110, section 5.3).
                    if !head.content_encoding.is_empty() {
                        head.content_encoding.push(b',');
                    }
                    head.content_encoding.extend_from_slice(value);
                }
                "inference-header-content-length" => head.inference_header_length.clone_from(value),
                "grpc-encoding" => head.grpc_encoding.clone_from(value),
                "grpc-status" => head.grpc_status = Some(value.clone()),
                "grpc-message" => head.grpc_message.clone_from(value),
                _ => {}
            }
        }
        head
    }

    /// The answer that begins with this head and goes on with `body`, as it is compared.
    pub fn answer(self, body: Result<Body, Unread>) -> Answer {
        Answer {
            status: self.status,
            content_type: self.content_type,
            content_encoding: self.content_encoding,
            inference_header_length: self.inference_header_length,
            grpc_encoding: self.grpc_encoding,
            body,
        }
    }

    /// Whether the answer that begins with these bytes may be a stream of generated text. An encoded one may always be.
    pub fn may_stream(&self, beginning: &[u8]) -> bool {
        !is_plain(&self.content_encoding) || is_stream(beginning, &self.content_type)
    }

    /// Whether the answer is one of gRPC's.
    pub fn is_grpc(&self) -> bool {
        is_grpc(&self.content_type)
    }

    /// The HTTP status that stands for the answer, gRPC's own errors included.
    pub fn effective_status(&self) -> u16 {
        effective_status(self.status, self.is_grpc(), self.grpc_status.as_deref())
    }
}

/// The number in a `:status` field; 0 if it has none.
pub fn status(value: &[u8]) -> u16 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// A complete answer to a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its headers (and `grpc-status` from its trailers).
    pub head: Head,
    /// Whether an upstream sent it; otherwise Envoy answered for it.
    pub from_upstream: bool,
    /// The body; `None` if it is longer than [`crate::config::Limits::of_answer`].
    pub body: Option<Vec<u8>>,
}
