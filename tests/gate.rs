//! `gnomon gate` as a person runs it: what it prints, and how it exits.
#![cfg(feature = "cli")]

#[path = "gate/help.rs"]
mod help;
#[path = "gate/prometheus.rs"]
mod prometheus;
#[path = "gate/proxies.rs"]
mod proxies;
#[path = "gate/rules.rs"]
mod rules;
#[path = "gate/run.rs"]
mod run;
#[path = "gate/schema.rs"]
mod schema;
#[path = "gate/server.rs"]
mod server;
#[path = "gate/tls.rs"]
mod tls;
#[path = "gate/troubles.rs"]
mod troubles;
#[path = "gate/wait.rs"]
mod wait;
