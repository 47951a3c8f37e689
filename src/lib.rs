//! Gnomon: shadows, compares and splits live ML-inference traffic inside Envoy.
//!
//! Reading order, from data to decisions to the host:
//!
//! 1. [`limits`]: the bounds, each with its reason.
//! 2. [`fault`]: why bytes can't be read.
//! 3. [`path`]: paths into a JSON value.
//! 4. [`http`]: a borrowed view of request headers.
//! 5. [`labels`]: the words in which all is counted.
//! 6. [`capture`]: bounded buffers for bodies.
//! 7. [`encoding`]: undoing the content codings of a body; [`grpc`] and [`protobuf`]: the messages in one.
//! 8. [`gate`]: verdicts from two counters.
//! 9. [`config`]: what an operator may say, validated; a configuration is taken as a whole or refused with all its problems.
//! 10. [`json`]: JSON texts, read in slices.
//! 11. [`split`]: which variant answers a request; [`route`]: whether Gnomon has to do with it at all.
//! 12. [`mirror`]: which requests are copied, and what the copy looks like.
//! 13. [`compare`]: whether two answers agree.
//! 14. [`stats`]: the exported series.
//! 15. [`engine`]: the life of a request and its pairs, as events in and effects out.
//! 16. `host`: the only module that speaks to Envoy (feature `host`).
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
pub mod split;
pub mod stats;
