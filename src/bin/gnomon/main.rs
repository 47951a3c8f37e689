//! `gnomon`: Gnomon on the command line, without a proxy.
//!
//! `gnomon check FILE…` finds the Gnomon configurations in manifests and Envoy files, and reports their problems with the filter's own
//! parser. It uses no network.
//!
//! Reading order: [`documents`] (text to values), [`protobuf_json`] and [`text_test`] (what files of Envoy and Kubernetes have in common),
//! [`found`] (a configuration in a file), [`manifest`] and [`envoy`] (find configurations), [`world`] (all files together), [`check`] (the
//! report).
//!
//! Warnings, a module for each topic: [`gates`] and [`settings`] of the configuration itself; of what it stands in, which [`surroundings`]
//! brings together: [`environment`], [`clusters`] and [`mesh_clusters`], [`statistics`], [`routing`] ([`envoy_routes`], [`mesh_routes`], [`standing`]),
//! [`istio`]; of what else is in the same proxy: [`plugins`].

#![deny(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects
)]

mod check;
mod clusters;
mod documents;
mod environment;
mod envoy;
mod envoy_routes;
mod found;
mod gates;
mod istio;
mod manifest;
mod mesh_clusters;
mod mesh_routes;
mod observed;
mod plugins;
mod protobuf_json;
mod routing;
mod settings;
mod standing;
mod statistics;
mod surroundings;
mod text_test;
mod world;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, Command, value_parser};

const ABOUT: &str = "Checks Gnomon configurations: WasmPlugin, TrafficExtension, EnvoyExtensionPolicy and Envoy files, or a bare one";
const AFTER: &str = "Exits 1 if there is any problem, 0 if there is none; warnings do not count.";

fn main() -> ExitCode {
    let files = Arg::new("file").value_name("FILE").required(true).num_args(1..).value_parser(value_parser!(PathBuf));
    let check = Command::new("check").about(ABOUT).after_help(AFTER).arg(files.help("YAML (any number of documents) or JSON"));
    let gnomon = Command::new("gnomon").about("Gnomon on the command line").version(env!("CARGO_PKG_VERSION"));
    let matches = gnomon.subcommand_required(true).arg_required_else_help(true).subcommand(check).get_matches();

    let files: Vec<PathBuf> = match matches.subcommand() {
        Some((_, check)) => check.get_many("file").into_iter().flatten().cloned().collect(),
        None => Vec::new(),
    };
    let report = check::check(&files);
    match (std::io::stdout().lock().write_all(report.text.as_bytes()), report.problems) {
        (Ok(()), 0) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
