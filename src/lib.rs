//! Gnomon: shadows, compares and splits live ML-inference traffic inside Envoy.
//!
//! Reading order, from data to decisions to the host:
//!
//! 1. [`limits`]: the bounds, each with its reason.
//! 2. [`fault`]: why bytes can't be read; [`timestamp`]: points in time; [`path`]: paths into a JSON value.
//! 3. [`http`]: a borrowed view of request headers.
//! 4. [`labels`]: the words in which all is counted.
//! 5. [`capture`]: bounded buffers for bodies.
//! 6. [`encoding`]: undoing the content codings of a body; [`grpc`] and [`protobuf`]: the messages in one.
//! 7. [`gate`]: verdicts from two counters; [`subject`]: one state for all gates of a variant or shadow.
//! 8. [`config`]: what an operator may say, validated; a configuration is taken as a whole or refused with all its problems.
//! 9. [`json`]: JSON texts, read in slices.
//! 10. [`route`]: whether Gnomon has to do with a request at all; [`split`]: which variant answers it; [`slice`](mod@slice): its slice of the traffic.
//! 11. [`mirror`]: which requests are copied, and what the copy looks like.
//! 12. [`compare`]: whether two answers agree.
//! 13. [`stats`]: the exported series.
//! 14. [`engine`]: the life of a request and its pairs, as events in and effects out.
//! 15. `host`: the only module that speaks to Envoy (feature `host`).
//!
//! Each module knows only those before it.
//!
//! Everything but `host` is free of I/O, clocks and logging.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects
    )
)]
#![deny(missing_docs, unsafe_code)]

pub mod capture;
pub mod compare;
pub mod config;
pub mod encoding;
pub mod engine;
pub mod fault;
pub mod gate;
pub mod grpc;
#[cfg(feature = "host")]
mod host;
pub mod http;
pub mod json;
pub mod labels;
pub mod limits;
pub mod mirror;
pub mod path;
pub mod protobuf;
pub mod route;
pub mod slice;
pub mod split;
pub mod stats;
pub mod subject;
pub mod timestamp;
