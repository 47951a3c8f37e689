//! The routes in Kubernetes resources: VirtualService, HTTPRoute, GRPCRoute.

use gnomon::config::raw::Node;
use gnomon::config::{Config, Route, Text};

use crate::protobuf_json::{field, items, list, text};
use crate::routing::{self, Condition, Routing};
use crate::text_test::TextTest;
use crate::world::{World, mentions};

const KINDS: [&str; 3] = ["VirtualService", "HTTPRoute", "GRPCRoute"];

const WHOSE: &str = "the VirtualServices and HTTPRoutes in these files";

/// Returns all warnings of how the routes in these files follow the splits of `config`.
pub fn warnings(config: &Config, world: &World<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, route, split) in routing::splits(config) {
        let mut routing = Routing::default();
        for (kind, resource) in world.of_kinds(&KINDS) {
            let Some(spec) = field(resource, "spec") else { continue };
            if !concerns(route, list(spec, if kind == "VirtualService" { "hosts" } else { "hostnames" })) {
                continue;
            }
            let name = field(resource, "metadata").and_then(|metadata| text(metadata, "name")).unwrap_or_default();
            let place = format!("{kind} {name}");
            match kind {
                "VirtualService" => of_istio(list(spec, "http"), &split.header, &place, &mut routing),
                _ => of_gateway(list(spec, "rules"), &split.header, &place, &mut routing),
            }
        }
        let mentioned = world.resources().iter().any(|resource| mentions(resource, &split.header));
        lines.extend(routing::warnings(index, split, &routing, WHOSE, mentioned, world));
    }
    lines
}

/// Whether a route of Gnomon may take requests to one of these hosts; none means all.
fn concerns(route: &Route, hosts: &[Node]) -> bool {
    let hosts: Vec<&str> = hosts.iter().filter_map(Node::as_text).collect();
    let fits = |wanted: &Text, host: &&str| {
        let (host, wildcard) = host.strip_prefix('*').map_or((*host, false), |host| (host, true));
        let ends = |text: &str| wildcard && (text.ends_with(host) || host.ends_with(text));
        match wanted {
            Text::Exact(text) => {
                let text = text.split(':').next().unwrap_or_default();
                text == host || ends(text) || !host.contains('.') && text.split('.').next() == Some(host)
            }
            Text::Prefix(text) => wildcard || host.starts_with(&**text) || text.starts_with(host),
            Text::Suffix(text) => host.ends_with(&**text) || ends(text),
        }
    };
    let takes = |authority: &Option<Text>| authority.as_ref().is_none_or(|wanted| hosts.iter().any(|host| fits(wanted, host)));
    hosts.is_empty() || route.matches.iter().any(|set| takes(&set.authority))
}

/// Adds what the routes of a VirtualService do with `header` to `routing`.
fn of_istio<'a>(routes: &'a [Node], header: &str, place: &str, routing: &mut Routing<'a>) {
    let mut hidden = false;
    for (index, route) in routes.iter().enumerate() {
        let place = text(route, "name").map_or_else(|| format!("{place}, http[{index}]"), |name| format!("{place}, route {name}"));
        if field(route, "delegate").is_some() {
            // What a delegate does with the header may stand in another file.
            routing.conditions.push(Condition { place: place.clone(), value: None, inverted: false, hidden });
        }
        let sets = list(route, "match");
        let leads = ["redirect", "direct_response"].iter().all(|key| field(route, key).is_none());
        for set in sets {
            let found = condition(set, "headers", header).map(|value| (value, false));
            let found = found.or_else(|| condition(set, "without_headers", header).map(|value| (value, true)));
            let Some((value, inverted)) = found else {
                routing.has_other |= leads;
                continue;
            };
            routing.conditions.push(Condition { place: place.clone(), value: TextTest::read(value), inverted, hidden });
        }
        routing.has_other |= leads && sets.is_empty();
        hidden |= sets.is_empty() || sets.iter().any(is_for_all);
    }
}

/// Whether these conditions of a VirtualService take every request.
fn is_for_all(set: &Node) -> bool {
    let Node::Object(conditions) = set else { return false };
    let is_root = |(key, value): &(String, Node)| key == "name" || key == "uri" && text(value, "prefix") == Some("/");
    conditions.iter().all(is_root)
}

/// Returns the condition on `header` in the map of headers at `key`.
fn condition<'a>(set: &'a Node, key: &str, header: &str) -> Option<&'a Node> {
    match field(set, key)? {
        Node::Object(pairs) => pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case(header)).map(|(_, value)| value),
        _ => None,
    }
}

/// Adds what the rules of an HTTPRoute do with `header` to `routing`. Their order does not count.
fn of_gateway<'a>(rules: &'a [Node], header: &str, place: &str, routing: &mut Routing<'a>) {
    for (index, rule) in rules.iter().enumerate() {
        let sets = list(rule, "matches");
        let leads = list(rule, "filters").iter().all(|filter| text(filter, "type") != Some("RequestRedirect"));
        routing.has_other |= leads && sets.is_empty();
        for set in sets {
            let named = |item: &&Node| text(item, "name").is_some_and(|name| name.eq_ignore_ascii_case(header));
            let Some(item) = items(field(set, "headers")).iter().find(named) else {
                routing.has_other |= leads;
                continue;
            };
            let value = text(item, "value").map(|value| TextTest::of_value(value, text(item, "type") == Some("RegularExpression")));
            routing.conditions.push(Condition { place: format!("{place}, rules[{index}]"), value, inverted: false, hidden: false });
        }
    }
}
