//! Finds Gnomon in Kubernetes manifests. Tells manifests, bare configurations and Envoy's files apart.

use gnomon::config::raw::Node;

use super::environment::Environment;
use super::envoy;
use super::found::{Found, Host, Source, mentions_gnomon};

/// Keys of a configuration. A document with one of these keys, and without `kind` and `apiVersion`, is a bare configuration.
const KEYS: [&str; 7] = ["version", "on_invalid", "experiment", "trust_copies", "routes", "limits", "evidence"];

const SHARED: &str =
    "if its image can't be fetched, Envoy Gateway drops this whole policy, spec.extProc included: give Gnomon a policy of its own";
const NO_TARGET: &str = "without spec.targetRefs it is attached to nothing: say which Gateway or route it belongs to";

/// Adds every Gnomon configuration in a document to `found`. `place` is the document's place in the file, for messages.
pub fn find<'a>(document: &'a Node, place: &str, found: &mut Vec<Found<'a>>) {
    let text = |node: Option<&'a Node>| node.and_then(Node::as_text);
    let (Some(kind), Some(_)) = (text(document.get("kind")), text(document.get("apiVersion"))) else {
        if KEYS.iter().any(|key| document.get(key).is_some()) {
            return found.push(Found {
                place: place.to_owned(),
                plugin: None,
                source: Source::Node(document),
                environment: None,
                host: Host::Nothing,
                warnings: Vec::new(),
            });
        }
        return envoy::find(document, place, found);
    };
    if let (true, Some(Node::Array(items))) = (kind.ends_with("List"), document.get("items")) {
        return items.iter().for_each(|item| find(item, place, found));
    }

    let metadata = document.get("metadata");
    let part = |key| text(metadata.and_then(|metadata| metadata.get(key)));
    let name = match (part("namespace"), part("name")) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        (None, Some(name)) => name.to_owned(),
        (_, None) => "without a name".to_owned(),
    };
    let place = format!("{place}, {kind} {name}");
    let spec = document.get("spec").unwrap_or(&Node::Null);
    match kind {
        "WasmPlugin" => istio(document, spec, place, name, found),
        "TrafficExtension" => {
            if let Some(wasm) = spec.get("wasm") {
                istio(document, wasm, place, name, found);
            }
        }
        "EnvoyExtensionPolicy" => gateway(document, spec, &place, &name, found),
        _ => envoy::find(document, &place, found),
    }
}

/// Adds the plugin of an Istio resource to `found`, if it is Gnomon. `wasm` is the plugin.
fn istio<'a>(document: &'a Node, wasm: &'a Node, place: String, name: String, found: &mut Vec<Found<'a>>) {
    let source = wasm.get("pluginConfig").map_or(Source::Missing, Source::Node);
    if !is_gnomon(document, wasm, "pluginConfig", &source) {
        return;
    }
    found.push(Found {
        place,
        plugin: Some(format!("plugin {name}")),
        source,
        environment: Some(Environment::istio(wasm)),
        host: Host::Istio { document, wasm },
        warnings: Vec::new(),
    });
}

/// Adds the plugins of an Envoy Gateway resource that are Gnomon to `found`.
fn gateway<'a>(document: &'a Node, spec: &'a Node, place: &str, name: &str, found: &mut Vec<Found<'a>>) {
    let Some(Node::Array(plugins)) = spec.get("wasm") else { return };
    let is_shared = matches!(spec.get("extProc"), Some(Node::Array(others)) if !others.is_empty());
    let warnings = [(!has_target(spec), NO_TARGET), (is_shared, SHARED)];
    let warnings: Vec<&str> = warnings.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| text).collect();
    for (index, wasm) in plugins.iter().enumerate() {
        let source = wasm.get("config").map_or(Source::Missing, Source::Node);
        if !is_gnomon(document, wasm, "config", &source) {
            continue;
        }
        let own = wasm.get("name").and_then(Node::as_text).map_or_else(|| index.to_string(), str::to_owned);
        found.push(Found {
            place: format!("{place}, wasm[{index}]"),
            plugin: Some(format!("plugin {name}/{own}")),
            source,
            environment: Some(Environment::gateway(wasm)),
            host: Host::Gateway { document, wasm },
            warnings: warnings.clone(),
        });
    }
}

/// Whether a plugin is Gnomon: its manifest mentions Gnomon outside the configuration, or the configuration looks like one of Gnomon.
fn is_gnomon(document: &Node, wasm: &Node, config: &str, source: &Source<'_>) -> bool {
    let Node::Object(fields) = wasm else { return false };
    let name = document.get("metadata").and_then(|metadata| metadata.get("name"));
    name.is_some_and(mentions_gnomon)
        || fields.iter().any(|(key, value)| key != config && mentions_gnomon(value))
        || source.looks_like_gnomon()
}

/// Whether the resource is attached to certain gateways, routes or workloads.
pub fn has_target(spec: &Node) -> bool {
    let some = |key| spec.get(key).is_some_and(|node| *node != Node::Array(Vec::new()) && *node != Node::Null);
    some("targetRefs") || some("targetRef") || some("targetSelectors")
}
