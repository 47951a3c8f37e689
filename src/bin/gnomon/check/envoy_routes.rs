//! The routes of an HTTP connection manager, and the filters behind Gnomon.

use gnomon::config::raw::Node;
use gnomon::config::{Config, Match, Route, Text};

use super::clusters;
use super::found::Filter;
use super::observed;
use super::protobuf_json::{field, has_only, is_type, list, pick, text};
use super::routing::{self, Condition, Path, Routing};
use super::text_test::TextTest;
use super::world::{World, mentions};

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
    for (index, route, split) in routing::splits(config) {
        let (own, others) = serving(hosts, route);
        let mut routing = Routing { is_sure: true, ..Routing::default() };
        let mut targets = Vec::new();
        own.iter().for_each(|host| targets.extend(read(host, route, &split.header, &mut routing)));
        if let (true, Some(line)) = (routing.conditions.is_empty(), elsewhere(&own, &others, route, &split.header)) {
            lines.push(format!("routes[{index}].split: {line}"));
            continue;
        }
        lines.extend(routing::warnings(index, split, &routing, WHOSE, mentioned(&split.header), world));
        for cluster in targets.into_iter().filter(|cluster| known.as_ref().is_some_and(|known| !known.contains(cluster))) {
            let header = &split.header;
            lines.push(format!("routes[{index}].split: a route by {header} leads to cluster {cluster}, which this Envoy does not have: add it, or mend the route"));
        }
    }
    for (index, route, bucket) in observed::buckets(config) {
        let mut routing = Routing { is_sure: true, ..Routing::default() };
        serving(hosts, route).0.iter().for_each(|host| _ = read(host, route, &bucket.header, &mut routing));
        lines.extend(observed::idle(index, bucket, &routing, WHOSE, mentioned(&bucket.header)));
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

/// Divides virtual hosts into those that serve the authorities of `route`, and others. All serve it if it takes other authorities as well.
fn serving<'a>(hosts: &'a [Node], route: &Route) -> (Vec<&'a Node>, Vec<&'a Node>) {
    let exact = |set: &Match| if let Some(Text::Exact(text)) = &set.authority { Some(text.clone()) } else { None };
    let wanted: Option<Vec<String>> = route.matches.iter().map(exact).collect();
    let best = |wanted: &String| {
        let rank = |host: &&Node| list(host, "domains").iter().filter_map(|domain| rank(domain.as_text()?, wanted)).max();
        hosts.iter().filter_map(|host| Some((rank(&host)?, host))).max_by_key(|(rank, _)| *rank).map(|(_, host)| host)
    };
    let own: Option<Vec<&Node>> = wanted.and_then(|wanted| wanted.iter().map(best).collect());
    let Some(own) = own else { return (hosts.iter().collect(), Vec::new()) };
    hosts.iter().partition(|host| own.iter().any(|other| std::ptr::eq(*other, *host)))
}

/// Returns how well a domain of a virtual host fits an authority; the greatest wins.
fn rank(domain: &str, authority: &str) -> Option<(u8, usize)> {
    let plain = |text: &str| text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let (domain, authority) = (plain(domain), plain(authority));
    if domain == authority {
        return Some((3, 0));
    }
    let (end, start) = (domain.strip_prefix('*'), domain.strip_suffix('*'));
    let found = end.filter(|end| authority.ends_with(end)).map(|end| if end.is_empty() { (0, 0) } else { (2, end.len()) });
    found.or_else(|| start.filter(|start| authority.starts_with(start)).map(|start| (1, start.len())))
}

/// Returns a line if only other virtual hosts than those that serve `route` have routes that look at `header`.
fn elsewhere(own: &[&Node], others: &[&Node], route: &Route, header: &str) -> Option<String> {
    let looks = |host: &&&Node| {
        let mut routing = Routing::default();
        read(host, route, header, &mut routing);
        !routing.conditions.is_empty()
    };
    let (other, own) = (text(others.iter().find(looks)?, "name")?, text(own.first()?, "name")?);
    Some(format!(
        "the routes by {header} are in virtual host {other}, but its requests go to virtual host {own}, so all variants get the same answers: add them there"
    ))
}

/// Adds what the routes of a virtual host do with `header` to `routing`. Returns the clusters of those that look at it.
fn read<'a>(host: &'a Node, own: &Route, header: &str, routing: &mut Routing<'a>) -> Vec<&'a str> {
    let (mut hidden, mut targets) = (false, Vec::new());
    let name = text(host, "name").unwrap_or_default();
    for (index, route) in list(host, "routes").iter().enumerate() {
        let Some(conditions) = field(route, "match") else { continue };
        let place = text(route, "name").map_or_else(|| format!("virtual host {name}, routes[{index}]"), |name| format!("route {name}"));
        let headers = list(conditions, "headers")
            .iter()
            .filter(|condition| text(condition, "name").is_some_and(|name| name.eq_ignore_ascii_case(header)));
        let before = routing.conditions.len();
        routing.conditions.extend(headers.map(|condition| self::condition(condition, place.clone(), hidden, target(route))));
        let action = field(route, "route");
        let by_header = action.and_then(|action| text(action, "cluster_header"));
        if by_header.is_some_and(|name| name.eq_ignore_ascii_case(header)) {
            routing.conditions.push(Condition { place, value: None, inverted: false, hidden, target: None });
        }
        let looks = routing.conditions.len() > before;
        if looks {
            targets.extend(action.and_then(|action| text(action, "cluster")));
            continue;
        }
        routing.has_other |= action.is_some();
        if path(conditions).takes_all(own) {
            if !hidden {
                routing.others.push(target(route));
            }
            hidden = true;
        }
    }
    targets
}

/// Returns where a route leads; `None` if it does anything else with requests.
fn target(route: &Node) -> Option<String> {
    let action = field(route, "route")?;
    let plain = has_only(route, &["match", "route", "name", "statprefix", "decorator"])
        && has_only(action, &["cluster", "timeout", "idletimeout", "retrypolicy"]);
    text(action, "cluster").filter(|_| plain).map(|cluster| format!("cluster {cluster}"))
}

/// Reads one of Envoy's HeaderMatchers.
fn condition(node: &Node, place: String, hidden: bool, target: Option<String>) -> Condition<'_> {
    let value = field(node, "string_match").map_or_else(|| TextTest::of_header(node), TextTest::read);
    Condition { place, value, inverted: field(node, "invert_match") == Some(&Node::Bool(true)), hidden, target }
}

/// The only condition of a route, if it is one on the path.
fn path(conditions: &Node) -> Path<'_> {
    if !has_only(conditions, &["prefix", "path", "pathseparatedprefix", "saferegex"]) {
        return Path::Unread;
    }
    let prefix = text(conditions, "prefix").map(Path::Prefix).or_else(|| text(conditions, "path").map(Path::Exact));
    let below = || text(conditions, "path_separated_prefix").map(Path::Below);
    let regex = || field(conditions, "safe_regex").and_then(|regex| text(regex, "regex")).map(Path::of_regex);
    prefix.or_else(below).or_else(regex).unwrap_or(Path::Unread)
}
