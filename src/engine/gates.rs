//! Gates at work: what becomes of an answer to a client, or of a pair, is counted as trials, and each trial is judged at once.
//!
//! In reading order, from one request to what is shown of all:
//!
//! 1. [`measure`]: whether a request is a trial of a gate, and a bad one. Plain functions; they count nothing.
//! 2. [`asks`]: what has to be found of an answer for that.
//! 3. [`warmup`]: the first part of an experiment, which no gate counts.
//! 4. [`assigned`]: the key of a request, and whether a request or an event is the first one of it.
//! 5. [`key_trials`]: events at a canary and at the baseline, of which only the first one of each key is a trial.
//! 6. [`pair_trials`]: the same where the mesh splits by weights: which two answers are a trial.
//! 7. [`order`]: events in the order of their requests.
//! 8. [`bound`]: the gates of a route, bound to the series that they count in.
//! 9. [`count`]: the trials of an answer and of a pair, and of the triplets of primary, candidate and control.
//! 10. [`judge`]: the state of a gate, which follows from the counters at the host, and of a gate over its slices.
//! 11. [`guardrail`]: a canary that a failing gate cuts off, and the shares of a split that are left.
//! 12. [`misrouted`]: a split that the routes of the proxy don't follow.
//! 13. [`line`](mod@line): the log line of a gate that fails or cuts off.

pub mod asks;
pub mod assigned;
pub mod bound;
pub mod count;
pub mod guardrail;
pub mod judge;
pub mod key_trials;
pub mod line;
pub mod measure;
pub mod misrouted;
pub mod order;
pub mod pair_trials;
pub mod warmup;
