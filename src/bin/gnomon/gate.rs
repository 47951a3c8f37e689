//! `gnomon gate` says whether an experiment may have more: what is decided of its subjects, and what would decide the rest.
//!
//! Reading order: this file (the command line), [`wait`] (asking until it is decided), [`table`] and [`document`] (what is printed).

mod document;
mod table;
mod wait;

use std::future::Future;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use gnomon::gate::State;
use tokio::signal::unix::{SignalKind, signal};

use crate::decision::{Decision, Selection};
use crate::problem::Problem;
use crate::source::{self, Source, Text};
use crate::time;

/// The exit code of what is not decided: `EX_TEMPFAIL` of `sysexits.h`.
const UNDECIDED: u8 = 75;

const ABOUT: &str = "Says whether an experiment may have more: pass, fail, or undecided";

const AFTER: &str = "\
Exits 0 if all subjects pass, 1 if one fails, 75 if it is undecided, 2 if it was called wrongly, 66 if something is missing or unreadable
(also the experiment), 69 if a service can't be reached or does not answer as it should.

Examples:
  gnomon gate --experiment fraud-v2 --prometheus http://prometheus:9090
  gnomon gate --experiment fraud-v2 --subject v2 --prometheus https://metrics.example.com --bearer-token-file token --wait 2h
  gnomon gate --experiment fraud-v2 --prometheus http://prometheus:9090 --at 2026-11-30T12:00:00Z -o json
  kubectl exec POD -c istio-proxy -- pilot-agent request GET stats/prometheus | gnomon gate --experiment fraud-v2 --stats -";

/// Returns the command line.
pub fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| Arg::new(name).long(name).value_name(value).help(help);
    let stats = "The text of a proxy's /stats/prometheus instead of a Prometheus: a file, - or a URL; once for each proxy";
    let output =
        option("output", "FORMAT", "table, or json: one document, docs/gate.schema.json").short('o').value_parser(["table", "json"]);
    Command::new("gate")
        .about(ABOUT)
        .after_help(AFTER)
        .args([
            option("experiment", "ID", "The experiment").required(true),
            option("route", "NAME", "Only this route"),
            option("subject", "NAME", "Only this variant or shadow"),
            option("gate", "NAME", "Only this gate: its own state instead of its subject's"),
            option("cluster", "NAME", "Only this cluster, where the experiment runs in several").conflicts_with("stats"),
            option("wait", "DURATION", "Ask again until it passes or fails, at most this long: 90s, 30m, 2h").value_parser(time::duration),
            option("every", "DURATION", "How often to ask while waiting")
                .default_value("10s")
                .requires("wait")
                .value_parser(time::duration),
            option("at", "TIME", "By the figures of a past time: RFC 3339, or seconds since 1970")
                .conflicts_with_all(["wait", "stats"])
                .value_parser(time::instant),
            option("stats", "FILE", stats).action(ArgAction::Append).conflicts_with("prometheus"),
            output.default_value("table"),
        ])
        .args(source::prometheus_options())
}

/// How the answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Runs the command, and returns how the process exits.
pub fn run(arguments: &ArgMatches) -> ExitCode {
    let text = |name: &str| arguments.get_one::<String>(name).cloned();
    let format = if text("output").as_deref() == Some("json") { Format::Json } else { Format::Table };
    let selection = Selection {
        experiment: text("experiment").unwrap_or_default(),
        cluster: text("cluster"),
        route: text("route"),
        subject: text("subject"),
        gate: text("gate"),
    };
    let answer = crate::run_async(until_interrupted(async {
        let source = source(arguments)?;
        match arguments.get_one::<Duration>("wait") {
            Some(longest) => {
                let every = arguments.get_one::<Duration>("every").copied().unwrap_or_default();
                wait::wait(&source, &selection, *longest, every.max(Duration::from_secs(1))).await
            }
            None => source.decide(&selection, arguments.get_one::<f64>("at").copied()).await,
        }
    }));
    print(&selection, answer, format)
}

/// Awaits `work`. An interrupt ends the process with its usual code: as process 1 of a container it would be deaf to it otherwise.
async fn until_interrupted<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let none = |error| Problem::service(format!("no signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(none)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(none)?;
    tokio::select! {
        result = work => result,
        _ = interrupt.recv() => std::process::exit(130),
        _ = terminate.recv() => std::process::exit(143),
    }
}

/// Returns the source that the options name.
fn source(arguments: &ArgMatches) -> Result<Source, Problem> {
    if let Some(at) = arguments.get_one::<f64>("at").filter(|at| **at > source::now()) {
        return Err(Problem::usage(format!("--at {}: this is not in the past", time::written(*at))));
    }
    let texts: Vec<&String> = arguments.get_many("stats").into_iter().flatten().collect();
    let Some(prometheus) = source::prometheus(arguments)? else {
        if texts.is_empty() {
            return Err(Problem::usage("whom to ask? give --prometheus URL, or --stats with the text of a proxy"));
        }
        let inputs = texts.iter().filter(|text| *text == &"-").count();
        if inputs > 1 || inputs > 0 && arguments.contains_id("wait") {
            return Err(Problem::usage("--stats -: the standard input can be read once; give files or URLs"));
        }
        let access = source::access(arguments)?;
        return Ok(Source::Proxies(texts.into_iter().map(|text| Text::new(text, &access)).collect::<Result<_, _>>()?));
    };
    Ok(Source::Rules(prometheus))
}

/// Prints an answer, and returns how the process exits.
fn print(selection: &Selection, answer: Result<Decision, Problem>, format: Format) -> ExitCode {
    let text = match (&answer, format) {
        (answer, Format::Json) => document::text(selection, answer),
        (Ok(decision), Format::Table) => table::text(selection, decision),
        (Err(_), Format::Table) => "unknown\n".to_owned(),
    };
    if let Err(problem) = &answer {
        problem.tell("gate");
    }
    let code = match &answer {
        Ok(Decision { state: State::Pass, .. }) => 0,
        Ok(Decision { state: State::Fail, .. }) => 1,
        Ok(Decision { state: State::Undecided, .. }) => UNDECIDED,
        Err(problem) => problem.code(),
    };
    // An answer that nobody can read is none.
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            Problem::input(format!("standard output: {error}")).tell("gate");
            ExitCode::from(code.max(UNDECIDED))
        }
    }
}
