//! Warnings of shadows whose cluster has no name that Istio gives.

use gnomon::config::Config;
use gnomon::config::raw::Node;

use super::clusters::{ShadowCluster, of_shadows};
use super::protobuf_json::{field, list, part, text};
use super::standing::Standing;
use super::world::{self, World};

/// Clusters that Istio makes for no Service.
const OWN: [&str; 5] = [
    "PassthroughCluster",
    "BlackHoleCluster",
    "InboundPassthroughCluster",
    "InboundPassthroughClusterIpv4",
    "InboundPassthroughClusterIpv6",
];

const FORM: &str = "outbound|PORT||HOST";

/// Returns a line for each cluster of a shadow that Istio's proxies don't have.
pub fn warnings(config: &Config, standing: &Standing<'_>, world: &World<'_>) -> Vec<String> {
    let added = world::clusters(world.resources());
    let foreign = of_shadows(config).into_iter().filter(|cluster| !added.contains(cluster.name) && !OWN.contains(&cluster.name));
    foreign.filter_map(|cluster| warning(&cluster, standing, world)).collect()
}

fn warning(cluster: &ShadowCluster<'_>, standing: &Standing<'_>, world: &World<'_>) -> Option<String> {
    let ShadowCluster { path, shadow, name } = cluster;
    let line = |what: &str| Some(format!("{path}: {shadow}'s cluster {name} {what}"));
    let parts: Vec<&str> = name.split('|').collect();
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    match parts[..] {
        ["inbound" | "inbound-vip", port, _, _] if is_port(port) => standing
            .is_at_gateway()
            .then(|| line("is one of sidecars and waypoints, and a gateway has none, so no copy is sent: write outbound|PORT||HOST"))?,
        ["outbound", port, subset, host] if is_port(port) && is_whole(host, world) => {
            let without_subset = lacks_subset(subset, host, world).then(|| {
                format!("needs subset {subset}, which the host's DestinationRule does not define: add it there, or leave it out ({FORM})")
            });
            let what = without_subset.or_else(|| in_other_namespace(host, world)).or_else(|| without_port(port, host, world))?;
            line(&what)
        }
        _ if name.starts_with("outbound_.") => None,
        _ => {
            let wanted = suggestion(&parts, world).unwrap_or_else(|| FORM.to_owned());
            line(&format!("is no name that Istio gives, so no copy is sent (unless an EnvoyFilter adds such a cluster): write {wanted}"))
        }
    }
}

/// Whether this may be the whole name of a host: not the short name of a Service.
fn is_whole(host: &str, world: &World<'_>) -> bool {
    let is_entry = |node: &Node| list(node, "hosts").iter().any(|own| own.as_text() == Some(host));
    let mut entries = world.of_kinds(&["ServiceEntry"]).filter_map(|(_, entry)| field(entry, "spec"));
    let is_short = |(_, service): (&str, &Node)| {
        host.split_once('.').is_some_and(|(name, space)| part(service, "name") == Some(name) && part(service, "namespace") == Some(space))
    };
    let is_long = host.contains('.') && !host.ends_with(".svc") && !world.of_kinds(&["Service"]).any(is_short);
    is_long || entries.any(is_entry)
}

/// Whether there are DestinationRules of the host, and none of them defines the subset.
pub fn lacks_subset(subset: &str, host: &str, world: &World<'_>) -> bool {
    let rules = world.of_kinds(&["DestinationRule"]).filter(|(_, rule)| {
        let (own, space) = (field(rule, "spec").and_then(|spec| text(spec, "host")).unwrap_or_default(), part(rule, "namespace"));
        own == host || !own.contains('.') && is_service(host, Some(own), space)
    });
    let rules: Vec<&Node> = rules.filter_map(|(_, rule)| field(rule, "spec")).collect();
    let mut subsets = rules.iter().flat_map(|rule| list(rule, "subsets")).filter_map(|subset| text(subset, "name"));
    !subset.is_empty() && !rules.is_empty() && !subsets.any(|own| own == subset)
}

/// Returns what is wrong if the files have the host's Service in another namespace only.
fn in_other_namespace(host: &str, world: &World<'_>) -> Option<String> {
    let [name, space, "svc", ..] = host.split('.').collect::<Vec<_>>()[..] else { return None };
    let same = world.of_kinds(&["Service"]).filter(|(_, service)| part(service, "name") == Some(name));
    let spaces: Option<Vec<&str>> = same.map(|(_, service)| part(service, "namespace")).collect();
    let spaces = spaces.filter(|spaces| !spaces.is_empty() && !spaces.contains(&space))?;
    Some(format!("is of namespace {space}, but the Service {name} in these files is in {}: mend the namespace", spaces.join(", ")))
}

/// Returns what is wrong if the host's Service has no such port, or does not say that it is HTTP.
fn without_port(port: &str, host: &str, world: &World<'_>) -> Option<String> {
    let mut services =
        world.of_kinds(&["Service"]).filter(|(_, service)| is_service(host, part(service, "name"), part(service, "namespace")));
    let ports = list(field(services.next()?.1, "spec")?, "ports");
    let number = |entry: &Node| if let Some(Node::Number(number)) = entry.get("port") { Some(number.to_string()) } else { None };
    let Some(own) = ports.iter().find(|entry| number(entry).as_deref() == Some(port)) else {
        let ports = ports.iter().filter_map(number).collect::<Vec<_>>().join(", ");
        return Some(format!("does not exist, because the Service's ports are {ports}: name one of them (port, not targetPort)"));
    };
    let speaks = |name: &str| ["http", "grpc", "tls"].iter().any(|protocol| name.starts_with(protocol));
    let raw = |protocol: &str| ["tcp", "udp", "mongo", "mysql", "redis"].contains(&&*protocol.to_ascii_lowercase());
    let declares = match text(own, "appProtocol") {
        Some(protocol) => !raw(protocol),
        None => text(own, "name").is_some_and(speaks),
    };
    (!declares).then(|| {
        "goes to a port of which its Service does not say that it is HTTP, so the shadow's sidecar takes copies for raw TCP: name the port http… or grpc…, or give it an appProtocol".to_owned()
    })
}

/// Whether `host` is the whole name of this Service; without a namespace it may be of any.
pub fn is_service(host: &str, name: Option<&str>, namespace: Option<&str>) -> bool {
    let mut labels = host.split('.');
    let (first, second, third) = (labels.next(), labels.next(), labels.next());
    first == name && third == Some("svc") && (namespace.is_none() || second == namespace)
}

/// Returns the name that was probably meant; `None` if there is no host in it.
fn suggestion(parts: &[&str], world: &World<'_>) -> Option<String> {
    let (last, rest) = parts.split_last()?;
    let last = last.split_once("://").map_or(*last, |(_, host)| host).trim_end_matches('/');
    let (host, mut port) = last.split_once(':').map_or((last, None), |(host, port)| (host, Some(port.to_owned())));
    let is_host =
        host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')) && host.contains(|c: char| c.is_ascii_alphabetic());
    if !is_host || rest.len() > 3 {
        return None;
    }
    let is_number = |text: &&&str| !text.is_empty() && text.chars().all(|digit| digit.is_ascii_digit());
    port = port.or_else(|| rest.iter().find(is_number).map(|port| (*port).to_owned()));
    let subset = if let [_, _, subset] = rest { subset } else { "" };
    let name = host.split('.').next();
    let mut services = world.of_kinds(&["Service"]).filter(|(_, service)| part(service, "name") == name);
    let space = services.next().filter(|_| services.next().is_none()).and_then(|(_, service)| part(service, "namespace"));
    let host = match host.matches('.').count() {
        0 => format!("{host}.{}.svc.cluster.local", space.unwrap_or("NAMESPACE")),
        1 => format!("{host}.svc.cluster.local"),
        2 if host.ends_with(".svc") => format!("{host}.cluster.local"),
        _ => host.to_owned(),
    };
    Some(format!("outbound|{}|{subset}|{host}", port.as_deref().unwrap_or("PORT")))
}
