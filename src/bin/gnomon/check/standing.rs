//! Where a plugin of Kubernetes stands, and which routes carry its requests.

use gnomon::config::raw::Node;
use gnomon::config::{Route, Text};

use super::protobuf_json::{field, list, part, text};
use super::world::{World, mentions};

/// The label of the pods that Istio makes for a Gateway of the Gateway API.
const OF_GATEWAY: &str = "gateway.networking.k8s.io/gateway-name";

/// Whether a resource's routes carry the requests of a route of Gnomon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    No,
    Perhaps,
    Surely,
}

/// Where a plugin stands.
#[derive(Debug)]
pub struct Standing<'a> {
    /// The namespace of its resource.
    namespace: Option<&'a str>,
    /// The kinds and names of what it is attached to.
    targets: Vec<(&'a str, &'a str)>,
    /// The Gateways of Istio in these files that its pods serve, each with namespace and name.
    gateways: Vec<(Option<&'a str>, &'a str)>,
}

impl<'a> Standing<'a> {
    /// Of the plugin in the resource `document`.
    pub fn of(document: &'a Node, world: &World<'a>) -> Self {
        let spec = field(document, "spec").unwrap_or(&Node::Null);
        let selectors = [("selector", "matchLabels"), ("workload_selector", "labels")];
        let labels = selectors.iter().find_map(|(key, labels)| field(field(spec, key)?, labels)).unwrap_or(&Node::Null);
        let targets = list(spec, "targetRefs").iter().chain(field(spec, "targetRef"));
        let targets = targets.filter_map(|target| Some((text(target, "kind")?, text(target, "name")?)));
        let own = labels.get(OF_GATEWAY).and_then(Node::as_text).map(|name| ("Gateway", name));
        let serves =
            |gateway: &Node| field(gateway, "spec").and_then(|spec| field(spec, "selector")).is_some_and(|pods| same_pods(pods, labels));
        let gateways = world.of_kinds(&["Gateway"]).filter(|(_, gateway)| serves(gateway));
        Self {
            namespace: part(document, "namespace"),
            targets: targets.chain(own).collect(),
            gateways: gateways.filter_map(|(_, gateway)| Some((part(gateway, "namespace"), part(gateway, "name")?))).collect(),
        }
    }

    /// Whether its pods are those of a gateway, whose requests all leave it.
    pub fn is_at_gateway(&self) -> bool {
        !self.gateways.is_empty()
    }

    /// Whether the routes in `resource`, of this kind, carry requests of `route`.
    pub fn carries(&self, kind: &str, resource: &Node, route: &Route, world: &World<'_>) -> Carries {
        let Some(spec) = field(resource, "spec") else { return Carries::No };
        let namespace = part(resource, "namespace");
        let services = if kind == "VirtualService" { None } else { services(spec, namespace) };
        let hosts = services.unwrap_or_else(|| {
            let hosts = list(spec, if kind == "VirtualService" { "hosts" } else { "hostnames" });
            hosts.iter().filter_map(Node::as_text).map(|host| whole(host, namespace)).collect()
        });
        if !concerns(route, &hosts) {
            return Carries::No;
        }
        let by_place =
            if kind == "VirtualService" { self.by_gateways(spec, namespace, world) } else { self.by_parents(kind, resource, spec) };
        let by_host = !hosts.is_empty() && route.matches.iter().all(|set| set.authority.is_some());
        let clusters = route.shadows.iter().flat_map(|shadow| [&shadow.cluster.http, &shadow.cluster.grpc]);
        let mut models = clusters.filter_map(|cluster| cluster.rsplit('|').next()).filter(|host| host.contains('.'));
        match by_place {
            Carries::Perhaps if by_host || models.any(|host| mentions(resource, host)) => Carries::Surely,
            other => other,
        }
    }

    /// What the gateways of a VirtualService tell.
    fn by_gateways(&self, spec: &Node, namespace: Option<&str>, world: &World<'_>) -> Carries {
        // One without hosts is a delegate of another, which has the gateways.
        if self.gateways.is_empty() || list(spec, "hosts").is_empty() {
            return Carries::Perhaps;
        }
        let named: Vec<(Option<&str>, &str)> = list(spec, "gateways")
            .iter()
            .filter_map(Node::as_text)
            .map(|name| name.split_once('/').map_or((namespace, name), |(space, name)| (Some(space), name)))
            .collect();
        let is_same = |(space, name): &(Option<&str>, &str), other: (Option<&str>, &str)| *name == other.1 && same_space(*space, other.0);
        if named.iter().any(|own| self.gateways.iter().any(|other| is_same(own, *other))) {
            return Carries::Surely;
        }
        let is_there = |own: &(Option<&str>, &str)| {
            own.1 == "mesh"
                || world
                    .of_kinds(&["Gateway"])
                    .any(|(_, gateway)| is_same(own, (part(gateway, "namespace"), part(gateway, "name").unwrap_or_default())))
        };
        if named.iter().all(is_there) { Carries::No } else { Carries::Perhaps }
    }

    /// What the parents of a route of the Gateway API tell.
    fn by_parents(&self, kind: &str, resource: &Node, spec: &Node) -> Carries {
        let (namespace, name) = (part(resource, "namespace"), part(resource, "name"));
        let targeted = |kind: &str, name: Option<&str>, space: Option<&str>| {
            self.targets.iter().any(|target| target.0 == kind && Some(target.1) == name) && same_space(self.namespace, space)
        };
        let parents = list(spec, "parentRefs");
        let is_parent = |parent: &Node| {
            targeted(text(parent, "kind").unwrap_or("Gateway"), text(parent, "name"), text(parent, "namespace").or(namespace))
        };
        if targeted(kind, name, namespace) || parents.iter().any(is_parent) {
            return Carries::Surely;
        }
        // (Which namespace is meant is easily left out in a file.)
        let is_near = |(kind, target): &(&str, &str)| {
            parents.iter().any(|parent| text(parent, "kind").unwrap_or("Gateway") == *kind && text(parent, "name") == Some(target))
                || name == Some(target)
        };
        let mut routed = self.targets.iter().filter(|(kind, _)| ["Gateway", "HTTPRoute", "GRPCRoute"].contains(kind)).peekable();
        // (A Gateway may be a waypoint, which follows the routes of Services.)
        let in_mesh = services(spec, namespace).is_some();
        let is_elsewhere = routed.peek().is_some() && !routed.any(is_near) && !parents.is_empty() && !in_mesh;
        if is_elsewhere || in_mesh && self.is_at_gateway() { Carries::No } else { Carries::Perhaps }
    }
}

/// Whether two selectors of pods may select the same ones because one has all labels of the other.
fn same_pods(one: &Node, two: &Node) -> bool {
    let (Node::Object(one), Node::Object(two)) = (one, two) else { return false };
    let (few, many) = if one.len() < two.len() { (one, two) } else { (two, one) };
    !few.is_empty() && few.iter().all(|pair| many.contains(pair))
}

/// Whether these may be one namespace.
fn same_space(one: Option<&str>, two: Option<&str>) -> bool {
    one.zip(two).is_none_or(|(one, two)| one == two)
}

/// Returns the hosts of the Services whose requests a route of the Gateway API takes; `None` if its parents are others.
fn services(spec: &Node, namespace: Option<&str>) -> Option<Vec<String>> {
    let parents = list(spec, "parentRefs");
    let all = !parents.is_empty() && parents.iter().all(|parent| text(parent, "kind") == Some("Service"));
    let host = |parent: &Node| Some(whole(text(parent, "name")?, text(parent, "namespace").or(namespace)));
    all.then(|| parents.iter().filter_map(host).collect())
}

/// Returns the whole name of a host that may be the short name of a Service in this namespace.
pub fn whole(host: &str, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) if !host.contains(['.', '*']) => format!("{host}.{namespace}.svc.cluster.local"),
        _ => host.to_owned(),
    }
}

/// Whether a route of Gnomon may take requests to one of these hosts; none means all.
fn concerns(route: &Route, hosts: &[String]) -> bool {
    let fits = |wanted: &Text, host: &String| {
        let (host, wildcard) = host.strip_prefix('*').map_or((&**host, false), |host| (host, true));
        let ends = |text: &str| wildcard && (text.ends_with(host) || host.ends_with(text));
        match wanted {
            Text::Exact(text) => {
                let text = text.split(':').next().unwrap_or_default();
                let is_short = host.ends_with(".svc.cluster.local") && host.strip_prefix(text).is_some_and(|rest| rest.starts_with('.'));
                text == host || ends(text) || is_short || !host.contains('.') && text.split('.').next() == Some(host)
            }
            Text::Prefix(text) => wildcard || host.starts_with(&**text) || text.starts_with(host),
            Text::Suffix(text) => host.ends_with(&**text) || ends(text),
        }
    };
    let takes = |authority: &Option<Text>| authority.as_ref().is_none_or(|wanted| hosts.iter().any(|host| fits(wanted, host)));
    hosts.is_empty() || route.matches.iter().any(|set| takes(&set.authority))
}
