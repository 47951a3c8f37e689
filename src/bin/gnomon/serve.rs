//! `gnomon serve` answers webhooks with what `gnomon gate` would say: `POST /confirm` and `POST /rollback`, as
//! Flagger calls them. `POST /fresh` says whether an experiment is a new one.
//!
//! It keeps no state: two replicas that ask one Prometheus agree. Reading order: this file (the command line), [`hook`] (what is asked),
//! [`doors`] (what is answered), [`connections`] (bounds, and the end), [`metrics`].

mod connections;
mod doors;
mod hook;
mod metrics;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use self::doors::Doors;
use crate::problem::Problem;
use crate::source::{self, Source};

const ABOUT: &str = "Answers webhooks: may this experiment have more, must it be rolled back";

const AFTER: &str = "\
POST /confirm   200 if all subjects pass; 409 with the reason if one fails or is undecided; 503 if Prometheus can't be asked
POST /rollback  200 if one fails and the rules tell why, and never else; 409 if none fails; 503 if Prometheus can't be asked
POST /fresh     200 if nothing has been decided of it in 14 days: its id is a new one; 409 if something has; 503 if Prometheus can't be asked
GET /livez, /readyz, /metrics

The body is Flagger's: {\"name\": …, \"namespace\": …, \"phase\": …, \"metadata\": {\"experiment\": ID, \"route\": …, \"subject\": …, \"gate\": …, \"cluster\": …}};
of metadata only experiment must be there. A line tells each decision.

Example:
  gnomon serve --listen 0.0.0.0:8080 --prometheus http://prometheus:9090
  curl -d '{\"metadata\": {\"experiment\": \"fraud-v2\"}}' 127.0.0.1:8080/confirm";

/// Returns the command line.
pub fn command() -> Command {
    let listen =
        Arg::new("listen").long("listen").value_name("ADDRESS").default_value("127.0.0.1:8080").value_parser(value_parser!(SocketAddr));
    let listen = listen.help("Where to listen; in a container 0.0.0.0:8080 or [::]:8080");
    let [prometheus, others @ ..] = source::prometheus_options();
    Command::new("serve").about(ABOUT).after_help(AFTER).arg(listen).arg(prometheus.required(true)).args(others)
}

/// Runs the command until it is told to end, and returns how the process exits.
pub fn run(arguments: &ArgMatches) -> ExitCode {
    match crate::run_async(serve(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            problem.tell("serve");
            ExitCode::from(problem.code())
        }
    }
}

async fn serve(arguments: &ArgMatches) -> Result<(), Problem> {
    let prometheus = source::prometheus(arguments)?.ok_or_else(|| Problem::usage("give --prometheus URL"))?;
    let Some(address) = arguments.get_one::<SocketAddr>("listen") else { return Err(Problem::usage("give --listen ADDRESS")) };
    connections::serve(*address, Doors::new(Source::Rules(prometheus))).await
}
