//! The options that name a source.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};

use super::Prometheus;
use crate::client::{Access, Client};
use crate::problem::Problem;

/// The options of a Prometheus.
pub fn prometheus_options() -> [Arg; 4] {
    let file = value_parser!(PathBuf);
    [
        Arg::new("prometheus")
            .long("prometheus")
            .value_name("URL")
            .help("A Prometheus with Gnomon's recording rules, or what speaks its API, with its path if it has one"),
        Arg::new("header")
            .long("header")
            .value_name("NAME:VALUE")
            .action(ArgAction::Append)
            .help("Another header for each request, such as a tenant's; may be given several times"),
        Arg::new("bearer-token-file")
            .long("bearer-token-file")
            .value_name("FILE")
            .value_parser(file.clone())
            .help("A file with a token for the header authorization; it is read each time"),
        Arg::new("ca-file")
            .long("ca-file")
            .value_name("FILE")
            .value_parser(file)
            .help("Certificates (PEM) of the authorities to trust instead of those that this machine trusts"),
    ]
}

/// Returns the access that the options give.
pub fn access(arguments: &ArgMatches) -> Result<Access, Problem> {
    let file = |name: &str| arguments.get_one::<PathBuf>(name).cloned();
    let headers = arguments.get_many::<String>("header").into_iter().flatten().map(|text| header(text)).collect::<Result<_, _>>()?;
    Ok(Access { headers, token_file: file("bearer-token-file"), ca_file: file("ca-file") })
}

/// Returns the Prometheus that the options name, if they name one.
pub fn prometheus(arguments: &ArgMatches) -> Result<Option<Prometheus>, Problem> {
    let Some(text) = arguments.get_one::<String>("prometheus") else { return Ok(None) };
    let url = url("--prometheus", text)?;
    if url.query().is_some() {
        return Err(Problem::usage(format!("--prometheus {text}: leave the query out; gnomon asks its own")));
    }
    let client = Client::new(access(arguments)?, &url)?;
    Ok(Some(Prometheus::new(url, client)))
}

/// Returns the URL that an option has.
pub fn url(option: &str, text: &str) -> Result<Uri, Problem> {
    let problem = |why: &str| Problem::usage(format!("{option} {text}: {why}"));
    let url: Uri = text.parse().map_err(|error| problem(&format!("no URL: {error}")))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(problem("the URL must begin with http:// or https://"));
    }
    // It would stand in logs and audit trails.
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Problem::usage(format!("{option}: leave user and password out of the URL; give --header or --bearer-token-file")));
    }
    Ok(url)
}

/// Returns the header in a text. What it holds may be secret, so it is not told.
fn header(text: &str) -> Result<(HeaderName, HeaderValue), Problem> {
    let problem = |what: &str| Problem::usage(format!("--header: {what}; it must be NAME:VALUE"));
    let (name, value) = text.split_once(':').ok_or_else(|| problem("there is no colon"))?;
    let name = name.trim().parse().map_err(|_| problem("this is no name of a header"))?;
    let mut value: HeaderValue = value.trim().parse().map_err(|_| problem("this is no value of a header"))?;
    value.set_sensitive(true);
    Ok((name, value))
}
