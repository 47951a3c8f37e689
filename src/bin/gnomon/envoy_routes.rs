//! The routes of an HTTP connection manager, and the filters behind Gnomon.

use gnomon::config::Config;
use gnomon::config::raw::Node;

use crate::clusters;
use crate::found::Filter;
use crate::protobuf_json::{field, is_type, list, pick, text};
use crate::routing::{self, Condition, Routing};
use crate::text_test::TextTest;
use crate::world::{World, mentions};

/// Filters that deny requests.
const DENIERS: [&str; 6] = ["ext_authz", "rbac", "jwt_authn", "oauth2", "basic_auth", "api_key_auth"];

const WHOSE: &str = "the routes of its connection manager";

/// Returns all warnings of how the connection manager of a filter treats it. `envoy` is all that belongs to the filter's Envoy.
pub fn warnings<'a>(config: Option<&Config>, filter: Filter<'a>, envoy: &[&'a Node], world: &World<'_>) -> Vec<String> {
    let Some((manager, at)) = manager(filter, envoy) else { return Vec::new() };
    let mut lines = Vec::from_iter(denied_later(manager, at));
    let Some(config) = config else { return lines };
    let Some(hosts) = hosts(manager, envoy, filter.document) else { return lines };
    let known = clusters::known(envoy);
    let mentioned = |header: &str| envoy.iter().chain([&filter.document]).any(|document| mentions(document, header));
    for (index, _, split) in routing::splits(config) {
        let mut routing = Routing::default();
        let mut targets = Vec::new();
        hosts.iter().for_each(|host| targets.extend(read(host, &split.header, &mut routing)));
        lines.extend(routing::warnings(index, split, &routing, WHOSE, mentioned(&split.header), world));
        for cluster in targets.into_iter().filter(|cluster| known.as_ref().is_some_and(|known| !known.contains(cluster))) {
            let header = &split.header;
            lines.push(format!("routes[{index}].split: a route by {header} leads to cluster {cluster}, which this Envoy does not have: add it, or mend the route"));
        }
    }
    lines
}

/// Returns the connection manager that a filter runs in, and the filter's place in it; `None` if that can't be told.
fn manager<'a>(filter: Filter<'a>, envoy: &[&'a Node]) -> Option<(&'a Node, usize)> {
    let stands = |item: &Node| {
        let mut same = Vec::new();
        pick(item, &|node| std::ptr::eq(node, filter.config), &mut same);
        !same.is_empty()
    };
    if let Some(manager) = filter.manager {
        return Some((manager, list(manager, "http_filters").iter().position(stands)?));
    }
    let name = filter.resource?;
    let is_it = |item: &Node| field(item, "config_discovery").is_some() && text(item, "name") == Some(name);
    let mut managers = Vec::new();
    envoy.iter().for_each(|document| pick(document, &|node| list(node, "http_filters").iter().any(is_it), &mut managers));
    let [manager] = managers[..] else { return None };
    Some((manager, list(manager, "http_filters").iter().position(is_it)?))
}

/// Returns a line if a filter behind Gnomon may deny what has been copied.
fn denied_later(manager: &Node, at: usize) -> Option<String> {
    let kind = |item: &Node| {
        let config = field(item, "typed_config")?;
        let is_idle = field(item, "disabled") == Some(&Node::Bool(true));
        // Neither shadow rules nor those that log deny anything.
        let rules = field(config, "rules");
        let logs = rules
            .and_then(|rules| field(rules, "action"))
            .is_some_and(|action| *action == Node::Number(2.0) || action.as_text() == Some("LOG"));
        if is_idle || logs || field(config, "shadow_rules").is_some() && rules.is_none() {
            return None;
        }
        let kind = text(config, "@type")?.rsplit('/').next()?;
        DENIERS.into_iter().find(|denier| kind.starts_with(&format!("envoy.extensions.filters.http.{denier}.")))
    };
    let denier = list(manager, "http_filters").iter().skip(at.saturating_add(1)).find_map(kind)?;
    Some(format!(
        "http_filters: {denier} stands behind it and denies requests that are copied already: move Gnomon behind {denier}, next to the router"
    ))
}

/// Returns the virtual hosts of a connection manager; `None` if their routes are not all in these files.
fn hosts<'a>(manager: &'a Node, envoy: &[&'a Node], own: &'a Node) -> Option<&'a [Node]> {
    let config = if let Some(config) = field(manager, "route_config") {
        config
    } else {
        let name = text(field(manager, "rds")?, "route_config_name")?;
        let mut found = Vec::new();
        let is_it = |node: &Node| is_type(node, "envoy.config.route.v3.RouteConfiguration") && text(node, "name") == Some(name);
        envoy.iter().chain([&own]).for_each(|document| pick(document, &is_it, &mut found));
        found.first().copied()?
    };
    let hosts = list(config, "virtual_hosts");
    let is_open = field(config, "vhds").is_some() || hosts.iter().any(|host| field(host, "matcher").is_some());
    (!is_open).then_some(hosts)
}

/// Adds what the routes of a virtual host do with `header` to `routing`. Returns the clusters of those that look at it.
fn read<'a>(host: &'a Node, header: &str, routing: &mut Routing<'a>) -> Vec<&'a str> {
    let (mut hidden, mut targets) = (false, Vec::new());
    let name = text(host, "name").unwrap_or_default();
    for (index, route) in list(host, "routes").iter().enumerate() {
        let Some(conditions) = field(route, "match") else { continue };
        let place = text(route, "name").map_or_else(|| format!("virtual host {name}, routes[{index}]"), |name| format!("route {name}"));
        let own = list(conditions, "headers")
            .iter()
            .filter(|condition| text(condition, "name").is_some_and(|name| name.eq_ignore_ascii_case(header)));
        let before = routing.conditions.len();
        routing.conditions.extend(own.map(|condition| self::condition(condition, place.clone(), hidden)));
        let action = field(route, "route");
        let by_header = action.and_then(|action| text(action, "cluster_header"));
        if by_header.is_some_and(|name| name.eq_ignore_ascii_case(header)) {
            routing.conditions.push(Condition { place, value: None, inverted: false, hidden });
        }
        let looks = routing.conditions.len() > before;
        if looks {
            targets.extend(action.and_then(|action| text(action, "cluster")));
        }
        routing.has_other |= !looks && action.is_some();
        hidden |= !looks && is_for_all(conditions);
    }
    targets
}

/// Reads one of Envoy's HeaderMatchers.
fn condition(node: &Node, place: String, hidden: bool) -> Condition<'_> {
    let value = field(node, "string_match").map_or_else(|| TextTest::of_header(node), TextTest::read);
    Condition { place, value, inverted: field(node, "invert_match") == Some(&Node::Bool(true)), hidden }
}

/// Whether a route with these conditions takes every request.
fn is_for_all(conditions: &Node) -> bool {
    matches!(conditions, Node::Object(pairs) if matches!(&pairs[..], [(key, Node::Text(path))] if key == "prefix" && matches!(&**path, "" | "/")))
}
