//! `gnomon`: Gnomon on the command line, without a proxy.
//!
//! A module for each command.

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

use std::process::ExitCode;

use clap::Command;

fn main() -> ExitCode {
    let gnomon = Command::new("gnomon").about("Gnomon on the command line").version(env!("CARGO_PKG_VERSION"));
    let matches = gnomon.subcommand_required(true).arg_required_else_help(true).subcommand(check::command()).get_matches();
    match matches.subcommand() {
        Some((_, arguments)) => check::run(arguments),
        None => ExitCode::FAILURE,
    }
}
