//! What can happen to the engine, as data: each host callback becomes one [`Event`].

use std::rc::Rc;

use super::gates::Reply;
use super::learned::Sum;
use super::plan::Plan;
use crate::http::{Fields, is_grpc};
use crate::labels::effective_status;
use crate::stats::MetricId;

/// The host's id of a root context.
pub type RootId = u32;

/// The host's id of a stream context, unique in a VM.
pub type StreamId = u32;

/// The engine's own id of a pair.
pub type PairId = u64;

/// A point in time, as wall-clock time since the Unix epoch. It may jump; differences saturate at zero.
pub type Time = std::time::Duration;

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A root context has taken a configuration.
    Configured {
        /// What it is to do.
        plan: Rc<Plan>,
        /// Equal for root contexts of one plugin with the same configuration text.
        key: u64,
    },
    /// A root context has no valid configuration: its streams pass untouched.
    Untouched {
        /// The root context.
        root: RootId,
        /// As in [`Event::Configured`].
        key: u64,
    },
    /// Request headers arrived, complete.
    RequestHeaders(Arrival),
    /// A piece of a request body arrived.
    RequestBody {
        /// The stream.
        stream: StreamId,
        /// The piece, perhaps empty.
        chunk: Vec<u8>,
        /// Whether it is the last.
        end: bool,
    },
    /// Request trailers arrived: the body is complete.
    RequestTrailers {
        /// The stream.
        stream: StreamId,
    },
    /// Response headers are on their way to the client.
    ResponseHeaders {
        /// The stream.
        stream: StreamId,
        /// What they say.
        head: Head,
    },
    /// A piece of a response body is on its way to the client.
    ResponseBody {
        /// The stream.
        stream: StreamId,
        /// The piece, perhaps empty.
        chunk: Vec<u8>,
    },
    /// A stream is over.
    StreamEnd {
        /// The stream.
        stream: StreamId,
        /// How.
        ending: Ending,
        /// When the first byte of the answer's body passed, if that was asked for.
        first_byte: Option<Time>,
    },
    /// The root context was woken to work.
    Work {
        /// The root context.
        root: RootId,
    },
    /// The host took a copy, or refused it.
    Dispatched {
        /// The pair the copy belongs to.
        pair: PairId,
        /// The host's token of the call.
        result: Result<u32, CallError>,
    },
    /// A copy was answered, or its call has failed.
    ShadowAnswered {
        /// The host's token of the call.
        token: u32,
        /// The answer; `None` if the call was reset or timed out after headers.
        reply: Option<ShadowReply>,
    },
    /// Values from bodies have been registered: they are to be counted.
    Learned {
        /// What was to be counted.
        sum: Sum,
        /// All values that are in the registry now.
        known: Vec<String>,
        /// Those of the sum, [`crate::stats::learned::OTHER`] in place of those that found no room.
        values: Vec<String>,
        /// The series of these.
        series: MetricId,
    },
    /// What the host's statistics say, where the engine asked.
    Told(Reply),
    /// The host wants to end a root context.
    Retire {
        /// The root context.
        root: RootId,
    },
}

/// The headers of a request.
#[derive(Debug)]
pub struct Arrival {
    /// The stream's root context.
    pub root: RootId,
    /// The stream.
    pub stream: StreamId,
    /// Its header fields.
    pub fields: Fields,
    /// Whether there is no body.
    pub end: bool,
    /// Those of [`Plan::guards`] for it that are above 0.
    pub tripped: Vec<MetricId>,
}

/// How a client's stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With the last byte of the answer.
    Answered {
        /// When that passed.
        at: Time,
        /// `grpc-status` in the answer's trailers, raw.
        grpc_status: Option<Vec<u8>>,
    },
    /// Envoy followed a redirect for the client, and asks again in a stream of its own.
    Redirected,
    /// The client broke it off, or the protocol; or Envoy closed its connection with the listener.
    ClientLeft,
    /// The upstream or Envoy broke it off.
    Broken,
}

impl Ending {
    /// How a stream ended before its answer was complete, by Envoy's `response.code_details` of it.
    ///
    /// Protocol errors under a name of their own are the client's (those of an upstream are `upstream_reset…{…}`): it could otherwise have a
    /// variant's answers counted as broken off. Where Envoy closes the client's connection because its listener goes, no variant is to blame.
    pub fn broken_off(details: &[u8]) -> Self {
        const CLIENT: [&[u8]; 6] =
            [b"downstream_remote_disconnect", b"downstream_local_disconnect", b"codec_error", b"http1.", b"http2.", b"http3."];
        match details {
            b"internal_redirect" => Ending::Redirected,
            _ if CLIENT.iter().any(|beginning| details.starts_with(beginning)) => Ending::ClientLeft,
            _ => Ending::Broken,
        }
    }
}

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
                "content-type" => head.content_type.clone_from(value),
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
pub struct ShadowReply {
    /// Its headers (and `grpc-status` from its trailers).
    pub head: Head,
    /// Whether an upstream sent it; otherwise Envoy answered for it.
    pub from_upstream: bool,
    /// The body; `None` if it is longer than [`crate::config::Limits::of_answer`].
    pub body: Option<Vec<u8>>,
}

/// Why the host did not take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// It has no such cluster.
    NoCluster,
    /// The cluster has no host, or its circuit breaker is open.
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn envoy_tells_who_broke_a_stream_off() {
        for (details, want) in [
            (&b"downstream_remote_disconnect"[..], Ending::ClientLeft),
            (b"http2.remote_reset", Ending::ClientLeft),
            (b"http2.remote_refuse", Ending::ClientLeft),
            (b"http3.remote_reset", Ending::ClientLeft),
            (b"http2.invalid.header.field", Ending::ClientLeft),
            (b"codec_error:The_user_callback_function_failed", Ending::ClientLeft),
            (b"http1.codec_error", Ending::ClientLeft),
            (b"downstream_local_disconnect(filter_chain_is_being_removed)", Ending::ClientLeft),
            (b"internal_redirect", Ending::Redirected),
            (b"upstream_reset_after_response_started{remote_reset}", Ending::Broken),
            (b"upstream_reset_after_response_started{protocol_error|codec_error}", Ending::Broken),
            (b"stream_idle_timeout", Ending::Broken),
            (b"", Ending::Broken),
        ] {
            assert_eq!(Ending::broken_off(details), want, "{}", String::from_utf8_lossy(details));
        }
    }
}
