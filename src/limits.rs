//! The fixed bounds that the filter's behaviour shows, each with its reason; a bound that only one piece of code knows stands beside it. What
//! an operator may set is in [`crate::config::Limits`].

use std::time::Duration;

/// Buckets that a split or sampling hash falls into; percentages have four decimals, so each is a whole number of buckets.
pub const BUCKETS: u64 = 1_000_000;

/// Longest timeout of a shadow: a copy holds memory for as long as it waits.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(300);

/// Longest window, warm-up, threshold and margin: what was true longer ago says little of now.
pub const MAX_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// Largest `limits.memory`: a VM has 1 GiB, and comparing needs room beside what is captured.
pub const MAX_MEMORY: usize = 256 << 20;

/// Largest `limits.body`: a captured body is copied into the VM by one host call.
pub const MAX_BODY: usize = 16 << 20;

/// Deepest nesting of a JSON body that is compared.
pub const MAX_JSON_DEPTH: usize = 64;

/// Values that slices are by and that get series of their own.
pub const MAX_SLICE_VALUES: usize = 64;

/// Gates of a route: with [`MAX_SLICE_VALUES`] one gate has up to 456 series, and its host keeps the name of each.
pub const MAX_GATES: usize = 32;

/// Header fields of a copy beyond which Envoy refuses the call (`limits.h` of proxy-wasm-cpp-host).
pub const MAX_CALL_HEADERS: usize = 1024;

/// Bytes of header fields of a copy beyond which Envoy refuses the call (`limits.h` of proxy-wasm-cpp-host).
pub const MAX_CALL_HEADER_BYTES: usize = 1 << 20;

/// Distinct values of the `path` label of one shadow; further ones count as `other`.
pub const MAX_PATHS: usize = 16;

/// Distinct values of the `model_version` label of one subject; further ones count as `other`.
pub const MAX_MODEL_VERSIONS: usize = 8;

/// Distinct values of `primary_answer` and `shadow_answer` of one shadow; further ones count as `other`.
pub const MAX_ANSWER_NAMES: usize = 8;

/// Characters of a label value that comes from a body.
pub const MAX_LABEL: usize = 128;

/// Characters of a value shown in evidence.
pub const MAX_EVIDENCE_VALUE: usize = 64;

/// Failures in a row after which a shadow is left alone.
pub const BREAKER_FAILURES: u32 = 10;

/// How long a failing shadow is left alone at first; the pause doubles with each failed probe.
pub const BREAKER_PAUSE: Duration = Duration::from_secs(5);

/// The longest such pause.
pub const BREAKER_LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Copies dispatched in one callback: a small one costs some 20 µs, and no callback may hold a worker longer than a millisecond.
pub const DISPATCHES_PER_CALLBACK: usize = 16;

/// Bytes of bodies dispatched in one callback (and the rest of the last one): each is copied once or twice.
pub const DISPATCHED_PER_CALLBACK: usize = 256 << 10;

/// Bytes of request bodies read in one callback for what their copies depend on: well under a millisecond's work.
pub const SEARCHED_PER_CALLBACK: usize = 64 << 10;

/// Bytes compared in one callback: well under a millisecond's work.
pub const COMPARED_PER_CALLBACK: usize = 64 << 10;

/// Bytes compared at once when both answers are there, even if that is in a client's callback: some 20 µs, less than it costs to wake the
/// root context for it.
pub const COMPARED_AT_ONCE: usize = 4 << 10;

/// How much earlier than its timeout (at most a tenth of it) a call may be seen to time out: Envoy's timers count from the beginning of a
/// turn of the event loop, and one that is busy takes tens of milliseconds.
pub const TIMER_SLACK: Duration = Duration::from_millis(100);

/// Looks at a gauge after writing it until it shows what was written. Only workers that write at the same moment need more than one.
pub const LOOKS_AFTER_WRITES: u32 = 8;

/// After this time an unchanged failure of a shadow is shown again.
pub const EVIDENCE_REMINDER: Duration = Duration::from_secs(60);
