//! A Gnomon configuration found in a file, and how to tell that something is one.

use gnomon::config::Config;
use gnomon::config::parse::{Refused, parse, validate};
use gnomon::config::raw::Node;

use crate::environment::Environment;

/// A configuration and what is said of it beside the parser's problems.
#[derive(Debug)]
pub struct Found<'a> {
    /// Where in its document, for a person: `WasmPlugin ml/gnomon`.
    pub place: String,
    /// What tells this plugin from others in a proxy, if it has a name.
    pub plugin: Option<String>,
    /// The configuration.
    pub source: Source<'a>,
    /// What its VM is given, if that is known.
    pub environment: Option<Environment<'a>>,
    /// What may be a mistake.
    pub warnings: Vec<&'static str>,
}

/// How a configuration is written down.
#[derive(Debug)]
pub enum Source<'a> {
    /// As part of the document.
    Node(&'a Node),
    /// As JSON text.
    Text(&'a str),
    /// As something that can't be checked.
    Unread(&'static str),
    /// Not at all.
    Missing,
}

impl Source<'_> {
    /// What the filter's parser says; the text of an error of its own if there is nothing to parse.
    pub fn judge(&self) -> Result<Result<Config, Refused>, &'static str> {
        match self {
            Source::Node(node) => Ok(validate(node)),
            Source::Text(text) => Ok(parse(text.as_bytes())),
            Source::Unread(why) => Err(why),
            Source::Missing => Ok(parse(b"")),
        }
    }

    /// Whether it looks like Gnomon's, right or wrong.
    pub fn looks_like_gnomon(&self) -> bool {
        match self {
            Source::Node(node) => is_ours(node),
            Source::Text(text) => Node::from_json(text.as_bytes()).is_ok_and(|node| is_ours(&node)),
            Source::Unread(_) | Source::Missing => false,
        }
    }
}

fn is_ours(node: &Node) -> bool {
    node.get("version").is_some() && (node.get("experiment").is_some() || node.get("routes").is_some())
}

/// Whether any text in `node`, such as a plugin's name or its image, names Gnomon.
pub fn mentions_gnomon(node: &Node) -> bool {
    match node {
        Node::Text(text) => text.to_ascii_lowercase().contains("gnomon"),
        Node::Array(items) => items.iter().any(mentions_gnomon),
        Node::Object(pairs) => pairs.iter().any(|(_, value)| mentions_gnomon(value)),
        _ => false,
    }
}
