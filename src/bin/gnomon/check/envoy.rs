//! Finds Gnomon in Envoy's own files: bootstraps, listeners, discovery files, and patches of these files in an EnvoyFilter.
//!
//! A Wasm filter is recognised by its type, wherever it stands. Filters other than Gnomon are ignored.

use gnomon::config::raw::Node;

use super::environment::Environment;
use super::found::{Filter, Found, Host, Source, mentions_gnomon};
use super::protobuf_json::{field, is_type, text};

/// The type of a Wasm HTTP filter.
const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";

/// The type of a filter that is given to Envoy by itself.
const RESOURCE: &str = "envoy.config.core.v3.TypedExtensionConfig";

/// Adds every Gnomon filter in `document` to `found`. `place` is the place of the document, for messages.
pub fn find<'a>(document: &'a Node, place: &str, found: &mut Vec<Found<'a>>) {
    search(document, place, Filter { document, manager: None, resource: None, config: document }, found);
}

/// Goes on with the search in `node`, which stands where `around` says.
fn search<'a>(node: &'a Node, place: &str, mut around: Filter<'a>, found: &mut Vec<Found<'a>>) {
    if let Some(config) = filter(node) {
        found.extend(gnomon(Filter { config, ..around }, place));
    }
    if field(node, "http_filters").is_some() {
        around.manager = Some(node);
    }
    if is_type(node, RESOURCE) {
        around.resource = text(node, "name");
    }
    match node {
        Node::Array(items) => items.iter().for_each(|item| search(item, place, around, found)),
        Node::Object(pairs) => pairs.iter().for_each(|(_, value)| search(value, place, around, found)),
        _ => {}
    }
}

/// Returns the `config` of a Wasm filter, which may be written as a TypedStruct; `None` if `node` is no such filter.
fn filter(node: &Node) -> Option<&Node> {
    let named = |key: &str| node.get(key).and_then(Node::as_text).is_some_and(|name| name.rsplit('/').next() == Some(WASM));
    if named("@type") {
        node.get("config")
    } else if named("type_url") || named("typeUrl") {
        node.get("value")?.get("config")
    } else {
        None
    }
}

/// Returns what was found in a Wasm filter; `None` if the filter is not Gnomon.
fn gnomon<'a>(filter: Filter<'a>, place: &str) -> Option<Found<'a>> {
    let config = filter.config;
    let source = source(config);
    let names = ["name", "root_id", "vm_config"].into_iter().filter_map(|key| field(config, key));
    if !names.into_iter().any(mentions_gnomon) && !source.looks_like_gnomon() {
        return None;
    }
    let name = config.get("name").and_then(Node::as_text).unwrap_or_default();
    let place = if name.is_empty() { place.to_owned() } else { format!("{place}, filter {name}") };
    Some(Found {
        place,
        plugin: Some(format!("filter {name}")),
        source,
        environment: Some(Environment::envoy(config)),
        host: Host::Envoy(filter),
        warnings: Vec::new(),
    })
}

/// Reads the filter's `configuration`, which is an Any.
fn source(config: &Node) -> Source<'_> {
    let Some(any) = config.get("configuration") else { return Source::Missing };
    let kind = any.get("@type").and_then(Node::as_text).and_then(|kind| kind.rsplit('/').next());
    match (kind, any.get("value")) {
        (Some("google.protobuf.StringValue"), Some(Node::Text(text))) => Source::Text(text),
        (Some("google.protobuf.StringValue"), None) => Source::Missing,
        (Some("google.protobuf.Struct"), _) => Source::Unread(
            "Envoy gives a google.protobuf.Struct to the filter in Protobuf's encoding: write it as google.protobuf.StringValue",
        ),
        _ => Source::Unread("write it as google.protobuf.StringValue: this can't be checked"),
    }
}
