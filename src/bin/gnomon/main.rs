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
mod client;
mod decision;
mod gate;
mod problem;
mod sample;
mod serve;
mod shown;
mod source;
mod time;

use std::future::Future;
use std::io::Write;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use self::problem::Problem;

/// A command by its name.
struct Entry {
    command: fn() -> Command,
    run: fn(&ArgMatches) -> ExitCode,
}

const COMMANDS: [Entry; 4] = [
    Entry { command: check::command, run: check::run },
    Entry { command: gate::command, run: gate::run },
    Entry { command: serve::command, run: serve::run },
    Entry { command: completions, run: complete },
];

fn gnomon() -> Command {
    let gnomon = Command::new("gnomon").about("Gnomon on the command line").version(env!("CARGO_PKG_VERSION"));
    gnomon.subcommand_required(true).arg_required_else_help(true).subcommands(COMMANDS.iter().map(|entry| (entry.command)()))
}

fn main() -> ExitCode {
    let matches = gnomon().get_matches();
    let Some((name, arguments)) = matches.subcommand() else { return ExitCode::FAILURE };
    let entry = COMMANDS.iter().find(|entry| (entry.command)().get_name() == name);
    entry.map_or(ExitCode::FAILURE, |entry| (entry.run)(arguments))
}

fn completions() -> Command {
    let shell = Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell)).help("The shell");
    let after = "Example, for bash:\n  gnomon completions bash > ~/.local/share/bash-completion/completions/gnomon";
    Command::new("completions").about("Prints completions for a shell").after_help(after).arg(shell)
}

fn complete(arguments: &ArgMatches) -> ExitCode {
    let Some(shell) = arguments.get_one::<Shell>("shell") else { return ExitCode::FAILURE };
    let mut text = Vec::new();
    clap_complete::generate(*shell, &mut gnomon(), "gnomon", &mut text);
    std::io::stdout().write_all(&text).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// Runs what waits for the network, in this thread.
fn run_async<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Problem::service(format!("no runtime: {error}")))?.block_on(work)
}
