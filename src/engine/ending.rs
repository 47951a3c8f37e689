//! How a client's stream ended, as far as Envoy tells.

use crate::timestamp::Timestamp;

/// How a client's stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With the last byte of the answer.
    Answered {
        /// When the last byte passed.
        at: Timestamp,
        /// `grpc-status` in the answer's trailers, raw.
        grpc_status: Option<Vec<u8>>,
    },
    /// Envoy followed a redirect for the client, and asks again in a stream of its own.
    Redirected,
    /// The client broke the stream off, or broke the protocol; or Envoy closed the client's connection with its listener.
    ClientLeft,
    /// The upstream or Envoy broke the stream off.
    Broken,
}

impl Ending {
    /// How a stream ended before its answer was complete, by Envoy's `response.code_details`.
    ///
    /// Details that begin with `codec_error`, `http1.`, `http2.` or `http3.` are the client's protocol errors; an upstream's are called
    /// `upstream_reset…{…}`. They must not count against the variant, or a client could make a canary look broken. No variant is to blame
    /// either if Envoy closes the client's connection with its listener.
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
