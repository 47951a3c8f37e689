//! The values of labels: outcomes, classes, verdicts, anomalies.
//!
//! Each enum has the values of one label. A class is computed here, from a status. All other values are decided where they are counted.

/// The values of one label.
pub trait Label: Copy + 'static {
    /// All values, each at its [`Label::index`].
    const ALL: &'static [Self];
    /// The text of this value in a series.
    fn label(self) -> &'static str;
    /// The place of this value in [`Label::ALL`].
    fn index(self) -> usize;
}

/// Declares an enum whose variants are the values of one label, each with its text, and implements [`Label`] for it.
macro_rules! labels {
    ($(#[$attribute:meta])* pub enum $kind:ident { $($(#[$doc:meta])* $variant:ident => $label:literal),+ $(,)? }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $kind { $($(#[$doc])* $variant),+ }
        impl $crate::labels::Label for $kind {
            const ALL: &'static [Self] = &[$(Self::$variant),+];
            fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
            fn index(self) -> usize {
                self as usize
            }
        }
    };
}
pub(crate) use labels;

labels! {
    /// How one sampled request ended at one shadow.
    #[expect(missing_docs, reason = "each is named after its label")]
    pub enum Outcome {
        Compared => "compared",
        Incomparable => "incomparable",
        ShadowFailed => "shadow_failed",
        ShadowOverloaded => "shadow_overloaded",
        TimedOut => "timed_out",
        PrimaryFailed => "primary_failed",
        BothFailed => "both_failed",
        BothRefused => "both_refused",
        Cancelled => "cancelled",
        Replaced => "replaced",
        UnsentNoCluster => "unsent_no_cluster",
        UnsentRefused => "unsent_refused",
        UnsentInFlight => "unsent_in_flight",
        UnsentMemory => "unsent_memory",
        UnsentBody => "unsent_body",
        UnsentUpgrade => "unsent_upgrade",
        UnsentBreakerOpen => "unsent_breaker_open",
        UnsentUnshaped => "unsent_unshaped",
        WrongVersion => "wrong_version",
        OtherVariant => "other_variant",
    }
}

labels! {
    /// Whether the answers of a compared pair agree.
    #[expect(missing_docs, reason = "each is named after its label")]
    pub enum Verdict {
        Identical => "identical",
        Equivalent => "equivalent",
        Diverged => "diverged",
    }
}

labels! {
    /// How a generated answer ended.
    pub enum End {
        /// The answer is complete.
        Stop => "stop",
        /// The answer was cut at the limit of tokens.
        Length => "length",
        /// The answer asks for tools.
        ToolCalls => "tool_calls",
        /// A filter took text out of the answer.
        ContentFilter => "content_filter",
        /// The model refused.
        Refusal => "refusal",
        /// The answer has neither text nor tool calls.
        Empty => "empty",
        /// The answer has neither text nor tool calls, but the model did think.
        ThoughtOnly => "thought_only",
        /// The answer can't be read as the protocol says.
        Invalid => "invalid",
        /// Any other end.
        Other => "other",
    }
}

labels! {
    /// Whether a token belongs to the prompt or to the answer.
    pub enum Token {
        /// Of the prompt.
        Prompt => "prompt",
        /// Of the answer.
        Completion => "completion",
        /// Spent on thinking: a part of those of the answer.
        Reasoning => "reasoning",
    }
}

labels! {
    /// Whether an evidence line was logged.
    #[expect(missing_docs, reason = "each is named after its label")]
    pub enum Line {
        Logged => "logged",
        Suppressed => "suppressed",
    }
}

labels! {
    /// How the answer to a client ended.
    #[expect(missing_docs, reason = "each is named after its label")]
    pub enum Class {
        Success => "2xx",
        Redirect => "3xx",
        ClientError => "4xx",
        ServerError => "5xx",
        Reset => "reset",
        Cancelled => "cancelled",
    }
}

labels! {
    /// How a shadow's answer ended.
    #[expect(missing_docs, reason = "each is named after its label")]
    pub enum ShadowClass {
        Success => "2xx",
        Redirect => "3xx",
        Unauthorized => "401",
        Forbidden => "403",
        NotFound => "404",
        TooManyRequests => "429",
        ClientError => "4xx",
        ServerError => "5xx",
        Reset => "reset",
        Timeout => "timeout",
        Local => "local",
    }
}

labels! {
    /// Internal errors that the filter survives. Each is a defect of the filter, or a wrong assumption about the host.
    pub enum Anomaly {
        /// The host delivered an answer to a call that the engine doesn't know.
        UnknownCall => "unknown_call",
        /// A count had no series, because the series was never defined.
        UnknownSeries => "unknown_series",
        /// A callback ran while another callback was using the engine.
        Reentrant => "reentrant",
        /// The host refused a call that it should accept.
        HostCall => "host_call",
        /// A pair got its outcome before both of its answers were known.
        Unsettled => "unsettled",
    }
}

/// Returns the HTTP status by which an answer is classed: its own, or for gRPC the one that its `grpc-status` maps to.
///
/// The mapping follows `google.rpc.Code`, but tells apart only the classes and the statuses of [`ShadowClass`]. A gRPC answer without a
/// readable `grpc-status` was broken off and counts as 500.
pub fn effective_status(status: u16, grpc: bool, grpc_status: Option<&[u8]>) -> u16 {
    if !grpc || !(200..300).contains(&status) {
        return status;
    }
    match grpc_status.and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| text.parse::<u32>().ok()) {
        Some(0) => 200,
        Some(5) => 404,
        Some(7) => 403,
        Some(8) => 429,
        Some(16) => 401,
        None | Some(2 | 4 | 12..=15) => 500,
        Some(_) => 400,
    }
}

impl Class {
    /// Returns the class of a complete answer with `status` (see [`effective_status`]); 101 counts as a success.
    pub fn of(status: u16) -> Self {
        match status {
            101 | 200..=299 => Class::Success,
            300..=399 => Class::Redirect,
            400..=499 => Class::ClientError,
            _ => Class::ServerError,
        }
    }
}

impl ShadowClass {
    /// Returns the class of a complete answer with `status` (see [`effective_status`]) that the shadow itself sent.
    pub fn of(status: u16) -> Self {
        match status {
            401 => ShadowClass::Unauthorized,
            403 => ShadowClass::Forbidden,
            404 => ShadowClass::NotFound,
            429 => ShadowClass::TooManyRequests,
            101 | 200..=299 => ShadowClass::Success,
            300..=399 => ShadowClass::Redirect,
            400..=499 => ShadowClass::ClientError,
            _ => ShadowClass::ServerError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn statuses_fall_into_classes() {
        for (status, class, shadow) in [
            (200, "2xx", "2xx"),
            (101, "2xx", "2xx"),
            (302, "3xx", "3xx"),
            (401, "4xx", "401"),
            (403, "4xx", "403"),
            (404, "4xx", "404"),
            (429, "4xx", "429"),
            (422, "4xx", "4xx"),
            (500, "5xx", "5xx"),
            (503, "5xx", "5xx"),
            (0, "5xx", "5xx"),
        ] {
            assert_eq!((Class::of(status).label(), ShadowClass::of(status).label()), (class, shadow), "{status}");
        }
    }

    #[test]
    fn grpc_answers_count_by_their_grpc_status() {
        for (grpc_status, class, shadow) in [
            ("0", "2xx", "2xx"),
            ("1", "4xx", "4xx"),
            ("2", "5xx", "5xx"),
            ("3", "4xx", "4xx"),
            ("4", "5xx", "5xx"),
            ("5", "4xx", "404"),
            ("6", "4xx", "4xx"),
            ("7", "4xx", "403"),
            ("8", "4xx", "429"),
            ("9", "4xx", "4xx"),
            ("10", "4xx", "4xx"),
            ("11", "4xx", "4xx"),
            ("12", "5xx", "5xx"),
            ("13", "5xx", "5xx"),
            ("14", "5xx", "5xx"),
            ("15", "5xx", "5xx"),
            ("16", "4xx", "401"),
            ("zero", "5xx", "5xx"),
        ] {
            let status = effective_status(200, true, Some(grpc_status.as_bytes()));
            assert_eq!((Class::of(status).label(), ShadowClass::of(status).label()), (class, shadow), "{grpc_status}");
        }
        assert_eq!(effective_status(200, true, None), 500, "a gRPC answer without grpc-status was broken off");
        assert_eq!(effective_status(503, true, Some(b"0")), 503, "an HTTP error stays one");
        assert_eq!(effective_status(200, false, Some(b"13")), 200, "other answers have no grpc-status");
    }
}
