//! `gnomon check` as a person runs it: what it prints, and how it exits.
#![cfg(feature = "cli")]

#[path = "check/against.rs"]
mod against;
#[path = "check/clusters.rs"]
mod clusters;
#[path = "check/environment.rs"]
mod environment;
#[path = "check/files.rs"]
mod files;
#[path = "check/gates.rs"]
mod gates;
#[path = "check/gateway_api.rs"]
mod gateway_api;
#[path = "check/istio.rs"]
mod istio;
#[path = "check/observed.rs"]
mod observed;
#[path = "check/plugins.rs"]
mod plugins;
#[path = "check/resources.rs"]
mod resources;
#[path = "check/routes.rs"]
mod routes;
#[path = "check/run.rs"]
mod run;
#[path = "check/settings.rs"]
mod settings;
#[path = "check/statistics.rs"]
mod statistics;
