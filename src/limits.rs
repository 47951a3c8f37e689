//! Fixed bounds that are visible in the filter's behaviour, each with its reason. A bound that only one piece of code uses stands beside
//! that code. The bounds that an operator may set are in [`crate::config::Limits`].

use std::time::Duration;

/// Number of buckets that requests are hashed into, for splits and for sampling. Percentages have up to four decimals, so each is a whole
/// number of buckets.
pub const BUCKETS: u64 = 1_000_000;

/// Longest `timeout` of a shadow. A copy holds memory for as long as it waits for an answer.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(300);

/// Longest window, warm-up, threshold and margin: older data says little about the present.
pub const MAX_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// Largest `limits.memory`, in bytes: a VM has 1 GiB, and comparing needs memory beside the captured bodies.
pub const MAX_MEMORY: usize = 256 << 20;

/// Largest `limits.body`, in bytes: the host copies a captured body into the VM in one call.
pub const MAX_BODY: usize = 16 << 20;

/// Deepest nesting of arrays and objects in a JSON body.
pub const MAX_JSON_DEPTH: usize = 64;

/// Most entries of `slices.values` of a route. Each has series of its own.
pub const MAX_SLICE_VALUES: usize = 64;

/// Most gates of a route. With [`MAX_SLICE_VALUES`] one gate has up to 456 series, and the host keeps the name of each.
pub const MAX_GATES: usize = 32;

/// Most header fields of a copy: Envoy refuses a call that has more (`limits.h` of proxy-wasm-cpp-host).
pub const MAX_CALL_HEADERS: usize = 1024;

/// Most bytes in the header fields of a copy: Envoy refuses a call that has more (`limits.h` of proxy-wasm-cpp-host).
pub const MAX_CALL_HEADER_BYTES: usize = 1 << 20;

/// Most distinct values of the `path` label of one shadow; further ones count as `other`.
pub const MAX_PATHS: usize = 16;

/// Most distinct values of the `model_version` label of one variant or shadow; further ones count as `other`.
pub const MAX_MODEL_VERSIONS: usize = 8;

/// Most distinct values of the labels `primary_answer` and `shadow_answer` of one shadow; further ones count as `other`.
pub const MAX_ANSWER_NAMES: usize = 8;

/// Most characters of a label value that comes from a body.
pub const MAX_LABEL: usize = 128;

/// Most characters of the `owner` of a route.
pub const MAX_OWNER: usize = 64;

/// Most characters of a value in an evidence line.
pub const MAX_EVIDENCE_VALUE: usize = 64;

/// Most differences of a pair that are counted for its evidence line. What has more is another answer altogether.
pub const MAX_DIFFERENCES: u32 = 16;

/// Most paths of differences in an evidence line.
pub const MAX_EVIDENCE_PATHS: usize = 4;

/// Most requests of a route and worker that are waited for, so that events come in the order of their requests: of more, events don't count. A
/// request takes 40 bytes.
pub const MAX_ORDERED: usize = 4096;

/// Failures in a row that open the breaker of a shadow: it gets no copies for a while.
pub const BREAKER_FAILURES: u32 = 10;

/// How long a breaker stays open at first. Each failed probe doubles the time.
pub const BREAKER_PAUSE: Duration = Duration::from_secs(5);

/// The longest time that a breaker stays open between two probes.
pub const BREAKER_LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Most copies dispatched in one callback: a small copy costs some 20 µs, and no callback may hold a worker for more than a millisecond.
pub const DISPATCHES_PER_CALLBACK: usize = 16;

/// Bytes of dispatched bodies after which a callback dispatches no further copy. Each byte is copied once or twice.
pub const DISPATCHED_PER_CALLBACK: usize = 256 << 10;

/// Bytes of request bodies read in one callback, to decide whether and how they are copied: well under a millisecond's work.
pub const SEARCHED_PER_CALLBACK: usize = 64 << 10;

/// Bytes compared in one callback: well under a millisecond's work.
pub const COMPARED_PER_CALLBACK: usize = 64 << 10;

/// Decoded bytes of an answer that may be looked at in one callback when it ends. There is no later: nearly always little is left.
pub const DECODED_AT_THE_END: usize = 4 * COMPARED_PER_CALLBACK;

/// Bytes compared as soon as both answers are there, even in a callback of the client's stream. That takes some 20 µs, less than waking the
/// root context.
pub const COMPARED_AT_ONCE: usize = 4 << 10;

/// How much earlier than its timeout a call may seem to time out; at most a tenth of the timeout. Envoy's timers count from the beginning
/// of a turn of the event loop, and a busy turn takes tens of milliseconds.
pub const TIMER_SLACK: Duration = Duration::from_millis(100);

/// Most attempts to write or to read values that other workers may be writing at the same moment. Without such workers one attempt is
/// enough.
pub const LOOKS_AFTER_WRITES: u32 = 8;

/// How far apart workers of a proxy that start together may find that nobody has begun to count. Usually it is microseconds; a busy machine
/// may hold a thread up in between.
pub const STARTED_TOGETHER: Duration = Duration::from_secs(10);

/// The time between two heartbeats of a worker.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long an unchanged failure of a shadow is not logged again.
pub const EVIDENCE_REMINDER: Duration = Duration::from_secs(60);
