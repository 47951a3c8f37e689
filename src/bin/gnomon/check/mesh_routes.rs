//! The routes in Kubernetes resources: VirtualService, HTTPRoute, GRPCRoute.

use gnomon::config::raw::Node;
use gnomon::config::{Config, Route};

use super::mesh_clusters;
use super::observed;
use super::protobuf_json::{field, has_only, items, list, part, text};
use super::routing::{self, Condition, Path, Routing};
use super::standing::{Carries, Standing, whole};
use super::text_test::TextTest;
use super::world::{World, mentions};

const KINDS: [&str; 3] = ["VirtualService", "HTTPRoute", "GRPCRoute"];

const WHOSE: &str = "the VirtualServices and HTTPRoutes in these files";

/// Returns all warnings of how the routes in these files follow the splits and the buckets of `config`.
pub fn warnings(config: &Config, standing: &Standing<'_>, world: &World<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mentioned = |header: &str| world.resources().iter().any(|resource| mentions(resource, header));
    for (index, route, split) in routing::splits(config) {
        let (routing, lacking) = routing_of(route, &split.header, standing, world);
        lines.extend(routing::warnings(index, split, &routing, WHOSE, mentioned(&split.header), world));
        lines.extend(lacking.into_iter().map(|line| format!("routes[{index}].split: {line}")));
    }
    for (index, route, bucket) in observed::buckets(config) {
        let (routing, _) = routing_of(route, &bucket.header, standing, world);
        lines.extend(observed::idle(index, bucket, &routing, WHOSE, mentioned(&bucket.header)));
    }
    lines
}

/// Returns what the routes in these files do with `header` in requests of `own`, and a line for each subset that they lack.
fn routing_of<'a>(own: &'a Route, header: &'a str, standing: &Standing<'_>, world: &World<'a>) -> (Routing<'a>, Vec<String>) {
    let (mut routing, mut lacking) = (Routing::default(), Vec::new());
    for (kind, resource) in world.of_kinds(&KINDS) {
        let carries = standing.carries(kind, resource, own, world);
        let Some(spec) = field(resource, "spec").filter(|_| carries != Carries::No) else { continue };
        routing.is_sure |= carries == Carries::Surely;
        let before = routing.conditions.len();
        let place = format!("{kind} {}", part(resource, "name").unwrap_or_default());
        let mut rules = Rules { own, header, place: &place, routing: &mut routing };
        match kind {
            "VirtualService" => rules.of_istio(list(spec, "http"), part(resource, "namespace")),
            _ => rules.of_gateway(list(spec, "rules"), part(resource, "namespace")),
        }
        if kind == "VirtualService" && (carries == Carries::Surely || routing.conditions.len() > before) {
            lacking.extend(subsets(list(spec, "http"), &place, part(resource, "namespace"), world));
        }
    }
    (routing, lacking)
}

/// Returns a line for each destination of a VirtualService whose subset no DestinationRule defines, if there are any of its host.
fn subsets(routes: &[Node], place: &str, namespace: Option<&str>, world: &World<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        for destination in list(route, "route").iter().filter_map(|entry| field(entry, "destination")) {
            let (Some(host), Some(subset)) = (text(destination, "host"), text(destination, "subset")) else { continue };
            if mesh_clusters::lacks_subset(subset, &whole(host, namespace), world) {
                let place = self::place(route, place, index);
                lines.push(format!("{place} leads to subset {subset} of {host}, which the host's DestinationRule does not define, so it answers 503: add it there, or mend the route"));
            }
        }
    }
    lines
}

/// Returns where a route of a VirtualService stands, for messages.
fn place(route: &Node, place: &str, index: usize) -> String {
    text(route, "name").map_or_else(|| format!("{place}, http[{index}]"), |name| format!("{place}, route {name}"))
}

/// Where the routes of a resource are collected.
struct Rules<'a, 'r> {
    /// The route of Gnomon.
    own: &'r Route,
    /// The header of its split.
    header: &'r str,
    /// The resource, for messages.
    place: &'r str,
    routing: &'r mut Routing<'a>,
}

impl<'a> Rules<'a, '_> {
    /// Adds what the routes of a VirtualService do with the header.
    fn of_istio(&mut self, routes: &'a [Node], namespace: Option<&str>) {
        let (mut hidden, routing) = (false, &mut *self.routing);
        for (index, route) in routes.iter().enumerate() {
            let place = place(route, self.place, index);
            let target = target(route, namespace);
            if field(route, "delegate").is_some() {
                // What a delegate does with the header may stand in another file.
                routing.conditions.push(Condition { place: place.clone(), value: None, inverted: false, hidden, target: None });
            }
            let sets = list(route, "match");
            let leads = ["redirect", "direct_response"].iter().all(|key| field(route, key).is_none());
            let mut takes_all = sets.is_empty();
            routing.has_other |= leads && sets.is_empty();
            for set in sets {
                let found = condition(set, "headers", self.header).map(|value| (value, false));
                let found = found.or_else(|| condition(set, "without_headers", self.header).map(|value| (value, true)));
                if let Some((value, inverted)) = found {
                    let (value, target) = (TextTest::read(value), target.clone());
                    routing.conditions.push(Condition { place: place.clone(), value, inverted, hidden, target });
                } else {
                    routing.has_other |= leads;
                    takes_all |= path(set).takes_all(self.own);
                }
            }
            if takes_all {
                if !hidden {
                    routing.others.push(target);
                }
                hidden = true;
            }
        }
    }

    /// Adds what the rules of an HTTPRoute do with the header. Their order does not count: the longer path wins, then the header.
    fn of_gateway(&mut self, rules: &'a [Node], namespace: Option<&str>) {
        let routing = &mut *self.routing;
        let paths = rules.iter().flat_map(|rule| list(rule, "matches")).map(rule_path);
        let first = paths.filter(|path| path.takes_all(self.own)).map(rank).max();
        for (index, rule) in rules.iter().enumerate() {
            let sets = list(rule, "matches");
            let leads = list(rule, "filters").iter().all(|filter| text(filter, "type") != Some("RequestRedirect"));
            let target = backend(rule, namespace);
            routing.has_other |= leads && sets.is_empty();
            let mut takes_all = sets.is_empty();
            for set in sets {
                let named = |item: &&Node| text(item, "name").is_some_and(|name| name.eq_ignore_ascii_case(self.header));
                let Some(item) = items(field(set, "headers")).iter().find(named) else {
                    routing.has_other |= leads;
                    takes_all |= rule_path(set).takes_all(self.own);
                    continue;
                };
                let value = text(item, "value").map(|value| TextTest::of_value(value, text(item, "type") == Some("RegularExpression")));
                let place = format!("{}, rules[{index}]", self.place);
                let hidden = first.is_some_and(|first| first > rank(path_of(set)));
                routing.conditions.push(Condition { place, value, inverted: false, hidden, target: target.clone() });
            }
            if takes_all {
                routing.others.push(target);
            }
        }
    }
}

/// Returns where a route of a VirtualService leads; `None` if it does anything else with requests.
fn target(route: &Node, namespace: Option<&str>) -> Option<String> {
    let [entry] = list(route, "route") else { return None };
    let destination = field(entry, "destination")?;
    let plain = has_only(route, &["name", "match", "route", "timeout", "retries"]) && has_only(entry, &["destination", "weight"]);
    let host = whole(text(destination, "host").filter(|_| plain)?, namespace);
    let port = field(destination, "port").and_then(|port| field(port, "number")?.to_json().ok());
    let subset = text(destination, "subset").map(|subset| format!(", subset {subset}"));
    let port = port.map(|port| format!(", port {port}"));
    Some(format!("destination {host}{}{}", subset.unwrap_or_default(), port.unwrap_or_default()))
}

/// Returns where a rule of an HTTPRoute leads; `None` if it does anything else with requests.
fn backend(rule: &Node, namespace: Option<&str>) -> Option<String> {
    let [backend] = list(rule, "backendRefs") else { return None };
    let plain = has_only(rule, &["name", "matches", "backendrefs", "timeouts", "retry"]);
    let plain = plain && has_only(backend, &["group", "kind", "name", "namespace", "port", "weight"]);
    let kind = text(backend, "kind").unwrap_or("Service");
    let port = field(backend, "port").and_then(|port| port.to_json().ok()).unwrap_or_default();
    let space = text(backend, "namespace").or(namespace).map(|space| format!("{space}/")).unwrap_or_default();
    text(backend, "name").filter(|_| plain).map(|name| format!("{kind} {space}{name}, port {port}"))
}

/// The only condition of a set of a VirtualService, if it is one on the path.
fn path(set: &Node) -> Path<'_> {
    let Some(uri) = field(set, "uri") else { return if has_only(set, &["name"]) { Path::ANY } else { Path::Unread } };
    let read = || {
        let prefix = text(uri, "prefix").map(Path::Prefix).or_else(|| text(uri, "exact").map(Path::Exact));
        prefix.or_else(|| text(uri, "regex").map(Path::of_regex))
    };
    if has_only(set, &["name", "uri"]) { read().unwrap_or(Path::Unread) } else { Path::Unread }
}

/// The only condition of a set of an HTTPRoute, if it is one on the path.
fn rule_path(set: &Node) -> Path<'_> {
    if has_only(set, &["path"]) { path_of(set) } else { Path::Unread }
}

/// The condition on the path of a set of an HTTPRoute.
fn path_of(set: &Node) -> Path<'_> {
    let Some(path) = field(set, "path") else { return Path::ANY };
    let value = text(path, "value").unwrap_or("/");
    match text(path, "type") {
        Some("Exact") => Path::Exact(value),
        Some("RegularExpression") => Path::of_regex(value),
        _ => Path::Below(value.trim_end_matches('/')),
    }
}

/// How early a rule with this condition comes; the greatest is the first. One that can't be told is taken for the first.
fn rank(path: Path<'_>) -> (u8, usize) {
    match path {
        Path::Prefix(text) | Path::Below(text) => (0, text.trim_end_matches('/').len()),
        Path::Exact(text) => (1, text.len()),
        Path::Unread => (2, 0),
    }
}

/// Returns the condition on `header` in the map of headers at `key`.
fn condition<'a>(set: &'a Node, key: &str, header: &str) -> Option<&'a Node> {
    match field(set, key)? {
        Node::Object(pairs) => pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case(header)).map(|(_, value)| value),
        _ => None,
    }
}
