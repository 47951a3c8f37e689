//! Warnings of several plugins in one proxy that disturb each other.

use gnomon::config::raw::Node;
use gnomon::config::{Config, HeaderValueMatch, Match, Text};

use super::found::{Filter, Found, Host};
use super::protobuf_json::{field, list, part, text};
use super::world::World;

/// A plugin, and where it stands.
pub struct Placed<'f, 'a> {
    /// The place with its file, for messages.
    pub place: String,
    /// What was found there.
    pub found: &'f Found<'a>,
    /// The configuration, if it has no problems.
    pub config: Option<&'f Config>,
}

/// Returns a line for each mistake that is one only because `other` is there, too.
pub fn warnings<'a>(own: &Placed<'_, 'a>, other: &Placed<'_, 'a>, world: &World<'a>) -> Vec<String> {
    let place = &other.place;
    let mut lines = Vec::new();
    if let Some(plugin) = own.found.plugin.as_ref().filter(|plugin| other.found.plugin.as_ref() == Some(plugin))
        && shares_names(own.found, other.found, world)
    {
        lines.push(format!("{plugin} is also in {place}: names of plugins must be unique in a proxy"));
    }
    let (Some(config), Some(others)) = (own.config, other.config) else { return lines };
    if !shares_requests(own.found, other.found) {
        return lines;
    }
    if let Some((at, there)) = twice(config, others) {
        lines.push(format!(
            "routes[{at}] and routes[{there}] of {place} take the same requests in the same proxy, which are counted and copied twice: write them into one plugin, or give them different matches"
        ));
    } else if let Some(header) = config.split_headers.iter().find(|header| others.split_headers.contains(header)) {
        lines.push(format!(
            "{place} has the split header {header}, too: each plugin removes it from every request, so the split of the first is lost: give each its own header"
        ));
    }
    lines
}

/// Whether both plugins, which have one name, may be different ones of one proxy.
fn shares_names<'a>(own: &Found<'a>, other: &Found<'a>, world: &World<'a>) -> bool {
    match (own.host, other.host) {
        // The very same filter in several listeners is one plugin.
        (Host::Envoy(own), Host::Envoy(other)) => own.config != other.config && std::ptr::eq(world.proxy_of(own), world.proxy_of(other)),
        _ => true,
    }
}

/// Whether a request goes through both plugins for sure.
fn shares_requests(own: &Found<'_>, other: &Found<'_>) -> bool {
    match (own.host, other.host) {
        (Host::Envoy(own), Host::Envoy(other)) => {
            let same = own.manager.zip(other.manager).is_some_and(|(manager, other)| std::ptr::eq(manager, other));
            same && always_runs(own) && always_runs(other)
        }
        (Host::Istio { document: own, .. }, Host::Istio { document: other, .. }) => {
            let Some((one, two)) = field(own, "spec").zip(field(other, "spec")) else { return false };
            let same = |key: &&str| field(one, key) == field(two, key);
            let alike = |key: &str| part(own, key) == part(other, key);
            // One resource in two files is applied once.
            let is_one = alike("name") && text(own, "kind") == text(other, "kind");
            alike("namespace") && !is_one && ["selector", "targetRefs", "targetRef"].iter().all(same) && meet(one, two)
        }
        (Host::Gateway { document: own, .. }, Host::Gateway { document: other, .. }) => std::ptr::eq(own, other),
        _ => false,
    }
}

/// Whether a filter stands in its chain itself, switched on, rather than in another filter that chooses by the request.
fn always_runs(filter: Filter<'_>) -> bool {
    let is_it = |item: &Node| {
        let own = field(item, "typed_config");
        let configs = [own, own.and_then(|own| own.get("value"))].into_iter().flatten().filter_map(|node| node.get("config"));
        configs.into_iter().any(|config| std::ptr::eq(config, filter.config)) && field(item, "disabled") != Some(&Node::Bool(true))
    };
    filter.manager.is_some_and(|manager| list(manager, "http_filters").iter().any(is_it))
}

/// Whether the `match` of these specifications of Istio may take the same requests.
fn meet(one: &Node, two: &Node) -> bool {
    let mode = |item| text(item, "mode").filter(|mode| ["CLIENT", "SERVER"].contains(mode));
    let ports = |item| list(item, "ports").iter().filter_map(|port| field(port, "number")).collect::<Vec<&Node>>();
    let pair = |item, other| {
        let (numbers, others) = (ports(item), ports(other));
        let modes = mode(item).zip(mode(other)).is_none_or(|(mode, other)| mode == other);
        modes && (numbers.is_empty() || others.is_empty() || numbers.iter().any(|number| others.contains(number)))
    };
    let (ones, twos) = (list(one, "match"), list(two, "match"));
    ones.is_empty() || twos.is_empty() || ones.iter().any(|item| twos.iter().any(|other| pair(item, other)))
}

/// Returns the indices of a route of each that both split or both copy the same requests.
fn twice(one: &Config, two: &Config) -> Option<(usize, usize)> {
    let pairs = one.routes.iter().enumerate().flat_map(|(at, route)| two.routes.iter().enumerate().map(move |other| (at, route, other)));
    let mut pairs = pairs.filter(|(_, route, (_, other))| {
        let same = !route.shadows.is_empty() && !other.shadows.is_empty() || route.split.is_some() && other.split.is_some();
        same && route.matches.iter().any(|set| other.matches.iter().any(|other| overlap(set, other)))
    });
    pairs.next().map(|(at, _, (there, _))| (at, there))
}

/// Whether a request may meet both sets of conditions.
fn overlap(one: &Match, two: &Match) -> bool {
    let texts = |one: &Option<Text>, two: &Option<Text>| one.as_ref().zip(two.as_ref()).is_none_or(|(one, two)| meets(one, two));
    let headers = one.headers.iter().all(|header| {
        let others = two.headers.iter().filter(|other| other.name == header.name);
        others.map(|other| (&header.value, &other.value)).all(|values| match values {
            (HeaderValueMatch::Text(one), HeaderValueMatch::Text(two)) => meets(one, two),
            (HeaderValueMatch::Present(one), HeaderValueMatch::Present(two)) => one == two,
            (HeaderValueMatch::Present(present), _) | (_, HeaderValueMatch::Present(present)) => *present,
        })
    });
    let methods = one.methods.iter().any(|method| two.methods.contains(method));
    methods && headers && texts(&one.path, &two.path) && texts(&one.authority, &two.authority)
}

/// Whether a text may meet both conditions.
fn meets(one: &Text, two: &Text) -> bool {
    match (one, two) {
        (Text::Exact(text), other) | (other, Text::Exact(text)) => match other {
            Text::Exact(other) => text == other,
            Text::Prefix(prefix) => text.starts_with(prefix),
            Text::Suffix(suffix) => text.ends_with(suffix),
        },
        (Text::Prefix(one), Text::Prefix(two)) => one.starts_with(two) || two.starts_with(one),
        (Text::Suffix(one), Text::Suffix(two)) => one.ends_with(two) || two.ends_with(one),
        (Text::Prefix(_), Text::Suffix(_)) | (Text::Suffix(_), Text::Prefix(_)) => true,
    }
}
