//! `gnomon serve` as a process: what it answers webhooks and probes, and how it ends.
#![cfg(feature = "cli")]

#[path = "serve/bounds.rs"]
mod bounds;
#[path = "serve/doors.rs"]
mod doors;
#[path = "serve/process.rs"]
mod process;
#[path = "gate/prometheus.rs"]
mod prometheus;
#[path = "gate/server.rs"]
mod server;
