//! What is wanted of a request and its answer, and so which events of the rest of the stream.

use super::effect::{ClusterOf, Follow};

/// What is wanted. Each of it costs host calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants {
    /// Copies of the request, and the answer to compare theirs with.
    pub copies: bool,
    /// A header on the response.
    pub expose: bool,
    /// Whether the answer, which may be a stream of generated text, has said all when its client leaves.
    pub stream_end: bool,
    /// Whether there is an error inside of the answer.
    pub error: bool,
    /// How the answer ended.
    pub end: bool,
    /// When the request is complete.
    pub request_end: bool,
    /// The cluster that answers.
    pub cluster: ClusterOf,
}

impl Wants {
    /// The events that tell it.
    pub fn follow(self) -> Follow {
        let response_body = self.copies || self.stream_end || self.error || self.end;
        Follow {
            request_body: self.copies,
            request_end: self.copies || self.request_end,
            response_headers: response_body || self.expose,
            response_body,
            times: self.copies || self.stream_end,
            may_stream: self.stream_end,
            cluster: self.cluster,
        }
    }
}
