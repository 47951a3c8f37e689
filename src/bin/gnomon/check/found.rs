//! A Gnomon configuration found in a file, and how it is recognised.

use std::borrow::Cow;

use gnomon::config::Config;
use gnomon::config::parse::{Refused, parse, validate};
use gnomon::config::raw::Node;

use super::environment::Environment;

/// A configuration found in a file.
#[derive(Debug)]
pub struct Found<'a> {
    /// The place in the file, for messages: `document 1, WasmPlugin ml/gnomon`.
    pub place: String,
    /// The kind and name of the plugin, which must be unique in a proxy; `None` for a bare configuration.
    pub plugin: Option<String>,
    /// The configuration.
    pub source: Source<'a>,
    /// The environment of the plugin's VM; `None` for a bare configuration.
    pub environment: Option<Environment<'a>>,
    /// What the configuration stands in.
    pub host: Host<'a>,
    /// Warnings about the manifest around the configuration.
    pub warnings: Vec<&'static str>,
}

/// What a configuration stands in.
#[derive(Clone, Copy, Debug)]
pub enum Host<'a> {
    /// Nothing: it is bare.
    Nothing,
    /// A filter in a file of Envoy, or in a patch of one.
    Envoy(Filter<'a>),
    /// A plugin of Istio.
    Istio {
        /// The resource.
        document: &'a Node,
        /// The plugin: the resource's `spec`, or a part of it.
        wasm: &'a Node,
    },
    /// A plugin of Envoy Gateway.
    Gateway {
        /// The resource.
        document: &'a Node,
        /// The plugin: a part of the resource.
        wasm: &'a Node,
    },
}

/// A Wasm filter of Envoy.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    /// The document that it stands in.
    pub document: &'a Node,
    /// The HTTP connection manager that it stands in, if it does.
    pub manager: Option<&'a Node>,
    /// The name of the resource that it is, if it is given to Envoy by itself (ECDS).
    pub resource: Option<&'a str>,
    /// Its plugin configuration.
    pub config: &'a Node,
}

/// How a configuration is written in a file.
#[derive(Debug)]
pub enum Source<'a> {
    /// As a part of the document.
    Node(&'a Node),
    /// As JSON text.
    Text(&'a str),
    /// In a form that can't be checked, and why.
    Unread(&'static str),
    /// There is no configuration.
    Missing,
}

impl<'a> Source<'a> {
    /// Parses the configuration as the filter does.
    ///
    /// # Errors
    /// Why the configuration can't be checked.
    pub fn judge(&self) -> Result<Result<Config, Refused>, &'static str> {
        match self {
            Source::Node(node) => Ok(validate(node)),
            Source::Text(text) => Ok(parse(text.as_bytes())),
            Source::Unread(why) => Err(why),
            Source::Missing => Ok(parse(b"")),
        }
    }

    /// The configuration as it is written; `None` if it can't be read.
    pub fn written(&self) -> Option<Cow<'a, Node>> {
        match self {
            Source::Node(node) => Some(Cow::Borrowed(node)),
            Source::Text(text) => Node::from_json(text.as_bytes()).ok().map(Cow::Owned),
            Source::Unread(_) | Source::Missing => None,
        }
    }

    /// Whether the configuration looks like one of Gnomon, even if it has problems.
    pub fn looks_like_gnomon(&self) -> bool {
        self.written().is_some_and(|node| is_ours(&node))
    }
}

/// Whether `node` looks like a configuration of Gnomon.
pub fn is_ours(node: &Node) -> bool {
    node.get("version").is_some() && (node.get("experiment").is_some() || node.get("routes").is_some())
}

/// Whether any text in `node`, such as a plugin's name or image, contains `gnomon`.
pub fn mentions_gnomon(node: &Node) -> bool {
    match node {
        Node::Text(text) => text.to_ascii_lowercase().contains("gnomon"),
        Node::Array(items) => items.iter().any(mentions_gnomon),
        Node::Object(pairs) => pairs.iter().any(|(_, value)| mentions_gnomon(value)),
        _ => false,
    }
}
