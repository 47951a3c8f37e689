//! The words in which all is counted: outcomes, classes, verdicts, anomalies.
//!
//! Each enum is the value set of one label. What leads to which is decided elsewhere, except for the classes, which are functions of a
//! status.

/// A set of values of one label.
pub trait Label: Copy + 'static {
    /// All of them, each at the index that [`Label::index`] gives.
    const ALL: &'static [Self];
    /// The value of the label.
    fn label(self) -> &'static str;
    /// Its place in [`Label::ALL`].
    fn index(self) -> usize;
}

/// Writes [`Label`] for an enum: its values in order, each with its label.
macro_rules! labels {
    ($kind:ty { $($variant:ident => $label:literal),+ $(,)? }) => {
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

/// What became of one sampled request at one shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its label")]
pub enum Outcome {
    Compared,
    Incomparable,
    ShadowFailed,
    ShadowOverloaded,
    TimedOut,
    PrimaryFailed,
    BothFailed,
    Cancelled,
    Replaced,
    UnsentNoCluster,
    UnsentRefused,
    UnsentInFlight,
    UnsentMemory,
    UnsentBody,
    UnsentUpgrade,
    UnsentBreakerOpen,
    WrongVersion,
}
labels!(Outcome {
    Compared => "compared",
    Incomparable => "incomparable",
    ShadowFailed => "shadow_failed",
    ShadowOverloaded => "shadow_overloaded",
    TimedOut => "timed_out",
    PrimaryFailed => "primary_failed",
    BothFailed => "both_failed",
    Cancelled => "cancelled",
    Replaced => "replaced",
    UnsentNoCluster => "unsent_no_cluster",
    UnsentRefused => "unsent_refused",
    UnsentInFlight => "unsent_in_flight",
    UnsentMemory => "unsent_memory",
    UnsentBody => "unsent_body",
    UnsentUpgrade => "unsent_upgrade",
    UnsentBreakerOpen => "unsent_breaker_open",
    WrongVersion => "wrong_version",
});

/// What a compared pair showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its label")]
pub enum Verdict {
    Identical,
    Equivalent,
    Diverged,
}
labels!(Verdict { Identical => "identical", Equivalent => "equivalent", Diverged => "diverged" });

/// How a generated answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was complete.
    Stop,
    /// It was cut at the limit of tokens.
    Length,
    /// It asks for tools.
    ToolCalls,
    /// A filter took text out.
    ContentFilter,
    /// The model refused.
    Refusal,
    /// It has neither text nor tools.
    Empty,
    /// It can't be read as the protocol says.
    Invalid,
    /// In another way.
    Other,
}
labels!(End {
    Stop => "stop",
    Length => "length",
    ToolCalls => "tool_calls",
    ContentFilter => "content_filter",
    Refusal => "refusal",
    Empty => "empty",
    Invalid => "invalid",
    Other => "other",
});

/// What a token was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its label")]
pub enum Token {
    Prompt,
    Completion,
}
labels!(Token { Prompt => "prompt", Completion => "completion" });

/// What became of an evidence line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its label")]
pub enum Line {
    Logged,
    Suppressed,
}
labels!(Line { Logged => "logged", Suppressed => "suppressed" });

/// How a client was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its label")]
pub enum Class {
    Success,
    Redirect,
    ClientError,
    ServerError,
    Reset,
    Cancelled,
}
labels!(Class {
    Success => "2xx",
    Redirect => "3xx",
    ClientError => "4xx",
    ServerError => "5xx",
    Reset => "reset",
    Cancelled => "cancelled",
});

/// How a shadow answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its label")]
pub enum ShadowClass {
    Success,
    Redirect,
    Unauthorized,
    Forbidden,
    NotFound,
    TooManyRequests,
    ClientError,
    ServerError,
    Reset,
    Timeout,
    Local,
}
labels!(ShadowClass {
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
});

/// Internal errors that the filter survives. Each is a defect in it, or in what it believes of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anomaly {
    /// An answer to a call that the engine doesn't know.
    UnknownCall,
    /// Something was to be counted in a series that was never defined.
    UnknownSeries,
    /// A callback ran inside another one's use of the engine.
    Reentrant,
    /// The host refused a call that it never should.
    HostCall,
    /// A pair was settled before both its sides were known.
    Unsettled,
}
labels!(Anomaly {
    UnknownCall => "unknown_call",
    UnknownSeries => "unknown_series",
    Reentrant => "reentrant",
    HostCall => "host_call",
    Unsettled => "unsettled",
});

/// The HTTP status that stands for an answer: its own, or for gRPC the one that its `grpc-status` maps to.
///
/// The mapping is that of `google.rpc.Code` as far as classes and the statuses that [`ShadowClass`] names go. A gRPC answer without a
/// readable `grpc-status` was broken off: 500.
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
    /// The class of a complete answer with `status` (see [`effective_status`]); 101 counts as a success.
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
    /// The class of a shadow's own complete answer with `status` (see [`effective_status`]).
    pub fn of(status: u16) -> Self {
        match status {
            401 => ShadowClass::Unauthorized,
            403 => ShadowClass::Forbidden,
            404 => ShadowClass::NotFound,
            429 => ShadowClass::TooManyRequests,
            _ => match Class::of(status) {
                Class::Success => ShadowClass::Success,
                Class::Redirect => ShadowClass::Redirect,
                Class::ClientError => ShadowClass::ClientError,
                _ => ShadowClass::ServerError,
            },
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
