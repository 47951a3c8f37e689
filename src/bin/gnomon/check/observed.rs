//! A split that is observed: where it can't be, and clusters that no proxy has.

use std::collections::BTreeSet;

use gnomon::config::raw::Node;
use gnomon::config::{BucketHeader, Config, Observe, Route, Text};
use gnomon::split::observed::variant;

use super::clusters;
use super::found::{Found, Host};
use super::protobuf_json::{field, list, part, text};
use super::routing::Routing;
use super::world::World;

/// Returns a line for each route of a plugin of Envoy Gateway that observes a split.
pub fn problems(found: &Found<'_>, config: &Config) -> Vec<String> {
    let Host::Gateway { .. } = found.host else { return Vec::new() };
    let line = |(index, ..): (usize, &Route, &Observe)| {
        format!(
            "routes[{index}].observe: in Envoy Gateway all backends of a rule are one cluster, so nobody can tell who answered: use split, and rules of the HTTPRoute that match its header"
        )
    };
    observes(config).map(line).collect()
}

/// Returns a line for each variant that no cluster of this Envoy belongs to.
pub fn in_envoy(config: &Config, envoy: &[&Node]) -> Vec<String> {
    let Some(known) = clusters::known(envoy) else { return Vec::new() };
    let list = known.iter().copied().collect::<Vec<_>>().join(", ");
    let line = |index, observe: &Observe, at: usize| {
        let name = name(observe, at)?;
        let seen = known.iter().any(|cluster| variant(observe, Some(cluster.as_bytes())) == place(observe, at));
        (!seen).then(|| {
            format!(
                "{}: none of the clusters of this Envoy ({list}) is one of {name}'s, so {name} never answers: mend the text, or add the cluster",
                path(index, at)
            )
        })
    };
    each(config, line)
}

/// Returns a line for each variant whose clusters Istio does not make, as far as the files tell.
pub fn in_mesh(config: &Config, world: &World<'_>) -> Vec<String> {
    each(config, |index, observe, at| {
        let (name, (condition, _)) = (name(observe, at)?, observe.clusters.get(at)?);
        if !matches!(condition, Text::Suffix(_)) && condition.text().starts_with("inbound|") {
            return Some(format!(
                "{}: at a server's own sidecar all requests go to one cluster, so observe can't tell who answers: put it at the gateway or at the clients' sidecars",
                path(index, at)
            ));
        }
        let made = made(host(condition)?, world)?;
        let list = made.iter().map(|cluster| &**cluster).collect::<Vec<_>>().join(", ");
        (!made.iter().any(|cluster| condition.matches(cluster.as_bytes()))).then(|| {
            format!(
                "{}: none of the clusters that Istio makes of the Service in these files ({list}) is one of {name}'s, so {name} never answers: mend the text",
                path(index, at)
            )
        })
    })
}

/// Returns the bucket headers of all routes, each with its route and the index of that.
pub fn buckets(config: &Config) -> impl Iterator<Item = (usize, &Route, &BucketHeader)> {
    observes(config).filter_map(|(index, route, observe)| Some((index, route, observe.bucket.as_ref()?)))
}

/// Returns a line if no route looks at the bucket header of the route at `index`. `whose` are the routes, and `mentioned` says whether
/// anything else of the proxy names the header.
pub fn idle(index: usize, bucket: &BucketHeader, routing: &Routing<'_>, whose: &str, mentioned: bool) -> Option<String> {
    let nothing = routing.conditions.is_empty() && routing.is_sure && routing.has_other && !mentioned;
    let header = &bucket.header;
    nothing.then(|| {
        format!("routes[{index}].observe.bucket: {whose} don't look at {header}, so it keeps nobody at a variant, and every sampled request loads the shadow: add routes that match {header}, or leave bucket out")
    })
}

fn observes(config: &Config) -> impl Iterator<Item = (usize, &Route, &Observe)> {
    config.routes.iter().enumerate().filter_map(|(index, route)| Some((index, &**route, route.observe.as_ref()?)))
}

/// Returns what `line` says of each condition on a cluster: of the route at an index, and the condition's place in its list.
fn each(config: &Config, line: impl Fn(usize, &Observe, usize) -> Option<String>) -> Vec<String> {
    observes(config)
        .flat_map(|(index, _, observe)| (0..observe.clusters.len()).filter_map(|at| line(index, observe, at)).collect::<Vec<_>>())
        .collect()
}

fn path(index: usize, at: usize) -> String {
    format!("routes[{index}].observe.variants[{at}].cluster")
}

/// Returns the index of the variant of a condition.
fn place(observe: &Observe, at: usize) -> usize {
    observe.clusters.get(at).map_or(usize::MAX, |(_, variant)| *variant)
}

fn name(observe: &Observe, at: usize) -> Option<&str> {
    observe.variants.get(place(observe, at)).map(|variant| &*variant.name)
}

/// Returns the first label of the host in a condition on one of Istio's clusters, if it is whole.
fn host(condition: &Text) -> Option<&str> {
    let (_, host) = condition.text().rsplit_once('|')?;
    let (label, _) = host.split_once('.')?;
    Some(label)
}

/// Returns the clusters that Istio makes of the Services of this name; `None` if there are none in the files, or one has no namespace.
fn made(name: &str, world: &World<'_>) -> Option<BTreeSet<String>> {
    let mut made = BTreeSet::new();
    for (_, service) in world.of_kinds(&["Service"]).filter(|(_, service)| part(service, "name") == Some(name)) {
        let host = format!("{name}.{}.svc.cluster.local", part(service, "namespace")?);
        let rules = world.of_kinds(&["DestinationRule"]).filter_map(|(_, rule)| field(rule, "spec"));
        let own = rules.filter(|rule| text(rule, "host").is_some_and(|text| text == name || text == host));
        let subsets: Vec<&str> = own.flat_map(|rule| list(rule, "subsets")).filter_map(|subset| text(subset, "name")).collect();
        for port in list(field(service, "spec")?, "ports").iter().filter_map(|port| port.get("port")) {
            made.extend(subsets.iter().chain([&""]).map(|subset| format!("outbound|{port}|{subset}|{host}")));
        }
    }
    Some(made).filter(|made| !made.is_empty())
}
