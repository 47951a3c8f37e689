//! In which wire format the answers of a pair are read: the one that the route says, or the one that the request's path and the answer's
//! type tell.

use crate::config::Protocol;
pub use crate::http::endpoint::Endpoint;
use crate::http::{essence, is_grpc};

/// Whether requests and answers are those of OpenAI's protocol. Each request names its model in the body. An answer may be a stream of
/// generated text, which is joined before it is compared; its first bytes tell.
pub fn is_openai(protocol: Protocol, endpoint: Endpoint) -> bool {
    protocol == Protocol::OpenAi || protocol == Protocol::Auto && endpoint == Endpoint::OpenAi
}

/// Whether answers of class 2xx may have an error object inside, as far as is known before they come.
pub fn may_have_error(protocol: Protocol, endpoint: Endpoint) -> bool {
    match protocol {
        Protocol::Auto => matches!(endpoint, Endpoint::Predict | Endpoint::Infer | Endpoint::OpenAi),
        Protocol::KserveV1 | Protocol::OpenInference | Protocol::OpenAi => endpoint != Endpoint::ModelInfer,
        Protocol::Json | Protocol::Opaque => false,
    }
}

/// How the answers of a pair are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFormat {
    /// As bytes.
    Opaque,
    /// As any JSON.
    Json,
    /// As KServe V1.
    KserveV1,
    /// As Open Inference Protocol in JSON, with or without binary tensors.
    OpenInference,
    /// As Open Inference Protocol in gRPC.
    OpenInferenceGrpc,
    /// As OpenAI.
    OpenAi,
}

impl WireFormat {
    /// The wire format of a pair, from what its route says, its endpoint, and the primary's `content-type`.
    pub fn of(protocol: Protocol, endpoint: Endpoint, content_type: &[u8]) -> Self {
        let grpc = is_grpc(content_type);
        match (protocol, endpoint) {
            (Protocol::Json, _) => WireFormat::Json,
            (Protocol::Opaque, _) => WireFormat::Opaque,
            (Protocol::OpenInference | Protocol::Auto, Endpoint::ModelInfer) if grpc => WireFormat::OpenInferenceGrpc,
            // Of other methods the messages are not known.
            _ if grpc => WireFormat::Opaque,
            (Protocol::KserveV1, _) | (Protocol::Auto, Endpoint::Predict) => WireFormat::KserveV1,
            (Protocol::OpenInference, _) | (Protocol::Auto, Endpoint::Infer) => WireFormat::OpenInference,
            (Protocol::OpenAi, _) | (Protocol::Auto, Endpoint::OpenAi) => WireFormat::OpenAi,
            _ if is_json(content_type) => WireFormat::Json,
            _ => WireFormat::Opaque,
        }
    }
}

/// Whether a content type is that of a JSON text: `application/json`, `text/json`, or any with the suffix `+json` (RFC 6839).
fn is_json(content_type: &[u8]) -> bool {
    let essence = essence(content_type);
    essence == b"application/json" || essence == b"text/json" || essence.ends_with(b"+json")
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_route_decides_and_auto_detects() {
        use Protocol::{Auto, Json, KserveV1, Opaque, OpenAi, OpenInference};
        let (json, grpc, html) = ("application/json; charset=utf-8", "application/grpc+proto", "text/html");
        for (protocol, endpoint, content_type, want) in [
            (Auto, Endpoint::Predict, json, WireFormat::KserveV1),
            (Auto, Endpoint::Infer, "application/octet-stream", WireFormat::OpenInference),
            (Auto, Endpoint::ModelInfer, grpc, WireFormat::OpenInferenceGrpc),
            (Auto, Endpoint::ModelInfer, json, WireFormat::Json),
            (Auto, Endpoint::OpenAi, "text/event-stream", WireFormat::OpenAi),
            (Auto, Endpoint::Other, json, WireFormat::Json),
            (Auto, Endpoint::Other, "application/problem+json", WireFormat::Json),
            (Auto, Endpoint::Other, html, WireFormat::Opaque),
            (Auto, Endpoint::Other, grpc, WireFormat::Opaque),
            (OpenInference, Endpoint::Other, grpc, WireFormat::Opaque),
            (OpenInference, Endpoint::ModelInfer, grpc, WireFormat::OpenInferenceGrpc),
            (OpenInference, Endpoint::Other, html, WireFormat::OpenInference),
            (KserveV1, Endpoint::Other, html, WireFormat::KserveV1),
            (OpenAi, Endpoint::Other, html, WireFormat::OpenAi),
            (Json, Endpoint::OpenAi, html, WireFormat::Json),
            (Opaque, Endpoint::OpenAi, json, WireFormat::Opaque),
        ] {
            assert_eq!(WireFormat::of(protocol, endpoint, content_type.as_bytes()), want, "{protocol:?} {endpoint:?} {content_type}");
        }
    }
}
