//! Warnings of Istio's manifests around a configuration.

use gnomon::config::Config;
use gnomon::config::raw::Node;

use super::manifest::has_target;
use super::protobuf_json::{field, list, text};
use super::standing::Standing;
use super::world::World;

/// Returns all warnings of the resource `document`, whose plugin is `wasm`, apart from clusters and routes.
pub fn warnings<'a>(document: &'a Node, wasm: &Node, parsed: Option<(&Config, &Node)>, world: &World<'a>) -> Vec<String> {
    let spec = field(document, "spec").unwrap_or(&Node::Null);
    let mut lines = words(spec);
    lines.extend(sides(document, spec, world));
    if let Some(phase @ ("AUTHN" | "AUTHZ")) = text(spec, "phase") {
        let unspecified = if std::ptr::eq(spec, wasm) { "UNSPECIFIED_PHASE" } else { "UNSPECIFIED" };
        lines.push(format!(
            "spec.phase {phase} stands before Istio's authorization, so requests that are denied are copied, too: write phase: {unspecified}"
        ));
    }
    lines.extend(failures(wasm, parsed.map(|(_, written)| written)));
    lines.extend(image(wasm));
    lines.extend(placement(spec, parsed.map(|(config, _)| config), world));
    let is_everywhere = !has_any(spec, &["selector", "targetRefs", "targetRef"]);
    let namespace = field(document, "metadata").and_then(|metadata| text(metadata, "namespace"));
    if is_everywhere && namespace == Some("istio-system") {
        lines.push("without spec.selector or spec.targetRefs it is in every proxy of the mesh, because istio-system is its root namespace: name the pods".to_owned());
    }
    lines
}

/// Returns a line for each word that Istio does not know.
fn words(spec: &Node) -> Vec<String> {
    const PHASES: [&str; 5] = ["UNSPECIFIED_PHASE", "UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"];
    const MODES: [&str; 4] = ["UNDEFINED", "CLIENT", "SERVER", "CLIENT_AND_SERVER"];
    let strange = |key: &str, word: Option<&str>, known: &[&str], wanted: &str| {
        let word = word.filter(|word| !known.contains(word))?;
        Some(format!("{key} {word} is none of Istio's, so the resource is refused: write {wanted}"))
    };
    let modes = list(spec, "match").iter().map(|item| text(item, "mode"));
    let modes = modes.filter_map(|mode| strange("spec.match.mode", mode, &MODES, "CLIENT or SERVER"));
    modes.chain(strange("spec.phase", text(spec, "phase"), &PHASES, "UNSPECIFIED_PHASE, or leave it out")).collect()
}

/// Returns a line if the plugin may run on both sides of a call. A gateway's requests all leave it.
fn sides<'a>(document: &'a Node, spec: &Node, world: &World<'a>) -> Option<String> {
    let items = list(spec, "match");
    let one_side = |item: &Node| matches!(text(item, "mode"), Some("CLIENT" | "SERVER"));
    if !items.is_empty() && items.iter().all(one_side) || has_target(spec) || Standing::of(document, world).is_at_gateway() {
        return None;
    }
    let what = match items.iter().find(|item| !one_side(item)).map(|item| text(item, "mode")) {
        None => "without spec.match".to_owned(),
        Some(None) => "with a spec.match that has no mode (CLIENT or SERVER)".to_owned(),
        Some(Some(mode)) => format!("with mode {mode} in spec.match"),
    };
    Some(format!(
        "without spec.targetRefs, and {what}, it runs on both sides of a call, and gateway and sidecar both copy: say where it belongs (mode: CLIENT or SERVER)"
    ))
}

fn has_any(spec: &Node, keys: &[&str]) -> bool {
    keys.iter().any(|key| field(spec, key).is_some())
}

/// Returns lines for what makes a plugin that can't start stop all requests.
fn failures(wasm: &Node, written: Option<&Node>) -> Vec<String> {
    let strategy = text(wasm, "failStrategy");
    let rejects = written.and_then(|written| text(written, "on_invalid")) == Some("reject");
    let mut lines = Vec::new();
    if rejects {
        let open = if strategy == Some("FAIL_OPEN") { "" } else { ", and failStrategy: FAIL_OPEN" };
        lines.push(format!(
            "with on_invalid: reject a pod that starts while the configuration has a mistake answers 500 to every request: write on_invalid: pass{open}"
        ));
    }
    if strategy.is_none() {
        lines.push(
            "without failStrategy (FAIL_CLOSE) an image that can't be fetched means 403 for every request, on running proxies too: write failStrategy: FAIL_OPEN"
                .to_owned(),
        );
    }
    lines
}

/// Returns a line if the image of a plugin of Envoy Gateway is not pinned.
pub fn gateway_image(wasm: &Node) -> Option<String> {
    let code = field(wasm, "code")?;
    image(field(code, "image").or_else(|| field(code, "http"))?)
}

/// Returns a line if the image that `wasm` names is not pinned.
fn image(wasm: &Node) -> Option<String> {
    let url = text(wasm, "url").unwrap_or_default();
    // (Zeros without quotes are a number.)
    let own = if field(wasm, "sha256") == Some(&Node::Number(0.0)) { Some("0") } else { text(wasm, "sha256") };
    let digest = url.split_once("@sha256:").map(|(_, digest)| digest).or(own);
    match digest {
        Some(digest) if digest.chars().all(|digit| digit == '0') => {
            Some("the image's digest is all zeros, so no image can be fetched: put in the digest of the image that you pushed".to_owned())
        }
        Some(digest) if digest.len() != 64 || !digest.chars().all(|digit| digit.is_ascii_hexdigit()) => Some(format!(
            "sha256:{digest} is no digest, so no image can be fetched: put in the 64 hexadecimal digits that your registry shows"
        )),
        None if !url.is_empty() && !url.starts_with("file://") => {
            Some("url has no digest, so pods that start at different times may run different images: add @sha256:… or sha256".to_owned())
        }
        _ => None,
    }
}

/// Returns a line if the plugin, or its split, has no effect where it is placed.
fn placement(spec: &Node, config: Option<&Config>, world: &World<'_>) -> Option<String> {
    let sides: Vec<Option<&str>> = list(spec, "match").iter().map(|item| text(item, "mode")).collect();
    let all = |mode| !sides.is_empty() && sides.iter().all(|side| *side == Some(mode));
    if is_at_waypoint(spec, world) {
        return all("CLIENT")
            .then(|| "a waypoint's requests count as mode SERVER, so with match.mode: CLIENT it never runs: leave match out".to_owned());
    }
    let is_at_model = all("SERVER") && !has_any(spec, &["targetRefs"]);
    let routes = &config?.routes;
    if is_at_model && routes.iter().any(|route| route.observe.is_some()) {
        return Some(
            "in mode SERVER, at the model, all requests go to one cluster, so observe can't tell who answers: observe at the gateway or the client (mode: CLIENT)".to_owned(),
        );
    }
    let splits = routes.iter().any(|route| route.split.as_ref().is_some_and(|split| split.variants.len() > 1));
    (splits && is_at_model).then(|| {
        "in mode SERVER, at the model, a request has arrived and no split can send it elsewhere: split at the gateway or the client (mode: CLIENT)".to_owned()
    })
}

/// Whether the plugin is attached to a waypoint.
fn is_at_waypoint(spec: &Node, world: &World<'_>) -> bool {
    let is_waypoint = |name: Option<&str>| {
        world.of_kinds(&["Gateway"]).any(|(_, gateway)| {
            let own = field(gateway, "metadata").and_then(|metadata| text(metadata, "name"));
            let class = field(gateway, "spec").and_then(|spec| text(spec, "gatewayClassName"));
            own == name && class == Some("istio-waypoint")
        })
    };
    list(spec, "targetRefs").iter().any(|target| match (text(target, "kind"), text(target, "name")) {
        (Some("Service" | "ServiceEntry"), _) | (Some("GatewayClass"), Some("istio-waypoint")) => true,
        (Some("Gateway"), name) => is_waypoint(name),
        _ => false,
    })
}
