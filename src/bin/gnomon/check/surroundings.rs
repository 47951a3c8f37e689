//! Judges a configuration together with what it stands in.

use gnomon::config::Config;
use gnomon::config::raw::Node;

use super::found::{Filter, Found, Host};
use super::protobuf_json::{field, text};
use super::standing::Standing;
use super::world::World;
use super::{clusters, envoy_routes, istio, mesh_clusters, mesh_routes, observed, settings, statistics};

/// Returns all warnings of a configuration and its surroundings. `config` is `None` if it has problems; then only the surroundings are
/// judged.
pub fn warnings<'a>(found: &Found<'a>, config: Option<&Config>, world: &World<'a>) -> Vec<String> {
    let written = found.source.written();
    let parsed = config.zip(written.as_deref());
    let mut lines = match found.host {
        Host::Nothing => Vec::new(),
        Host::Envoy(filter) => of_envoy(filter, config, written.as_deref(), world),
        Host::Istio { document, wasm } => [istio::warnings(document, wasm, parsed, world), in_mesh(config, document, world)].concat(),
        Host::Gateway { document, wasm } => {
            let routes = config.map(|config| mesh_routes::warnings(config, &Standing::of(document, world), world)).unwrap_or_default();
            rejecting(written.as_deref()).into_iter().chain(istio::gateway_image(wasm)).chain(routes).collect()
        }
    };
    lines.extend(parsed.into_iter().flat_map(|(config, written)| settings::warnings(config, written)));
    lines
}

/// Returns all warnings of clusters and routes in Istio, of a configuration in the resource `document`.
fn in_mesh<'a>(config: Option<&Config>, document: &'a Node, world: &World<'a>) -> Vec<String> {
    let standing = Standing::of(document, world);
    let lines = |config| {
        [
            mesh_clusters::warnings(config, &standing, world),
            observed::in_mesh(config, world),
            mesh_routes::warnings(config, &standing, world),
        ]
        .concat()
    };
    config.map(lines).unwrap_or_default()
}

fn of_envoy<'a>(filter: Filter<'a>, config: Option<&Config>, written: Option<&Node>, world: &World<'a>) -> Vec<String> {
    let kind = text(filter.document, "kind");
    let mut lines = Vec::from_iter(policy(filter.config));
    if text(filter.config, "name").is_none_or(str::is_empty) {
        lines.push("without config.name the label plugin of gnomon_configuration is empty, so nobody can tell whose configuration was refused: write name: gnomon".to_owned());
    }
    if filter.resource.is_some() || kind.is_some() {
        lines.extend(rejecting(written));
    }
    if kind == Some("EnvoyFilter") {
        lines.extend(in_mesh(config, filter.document, world));
    }
    if kind.is_some() {
        return lines;
    }
    let envoy = world.envoy_of(filter);
    lines.extend(config.into_iter().flat_map(|config| [clusters::warnings(config, &envoy), observed::in_envoy(config, &envoy)].concat()));
    lines.extend(statistics::warnings(config, &envoy));
    lines.extend(envoy_routes::warnings(config, filter, &envoy, world));
    lines
}

/// Returns a line if a configuration that is pushed may stop an Envoy that starts.
fn rejecting(written: Option<&Node>) -> Option<String> {
    (written.and_then(|written| text(written, "on_invalid")) == Some("reject")).then(|| {
        "with on_invalid: reject an Envoy that starts while this has a mistake answers 500 to every request: write on_invalid: pass where configuration is pushed"
            .to_owned()
    })
}

/// Returns a line if nothing says what happens after a crash of the filter.
fn policy(config: &Node) -> Option<String> {
    let is_said = match field(config, "failure_policy") {
        Some(Node::Text(policy)) => policy != "UNSPECIFIED",
        Some(Node::Number(policy)) => *policy != 0.0,
        // (fail_open: false is the default.)
        _ => field(config, "fail_open") == Some(&Node::Bool(true)),
    };
    (!is_said).then(|| {
        "without failure_policy every request of a worker would get 503 for good, should the filter ever crash there: write failure_policy: FAIL_RELOAD"
            .to_owned()
    })
}
