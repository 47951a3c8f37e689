//! All files of one run together, because what a configuration needs may stand in another one.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use gnomon::config::raw::Node;
use gnomon::config::{Config, Name};

use super::found::{Filter, is_ours};
use super::protobuf_json::{field, is_type, items, list, pick, text};

/// Keys whose texts name a header without acting on it.
const IDLE: [&str; 5] =
    ["access_log", "accessLog", "request_headers_to_remove", "requestHeadersToRemove", "kubectl.kubernetes.io/last-applied-configuration"];

/// All documents of a run, and what their configurations say together.
#[derive(Debug, Default)]
pub struct World<'a> {
    /// Documents of Envoy, those without `kind`.
    envoy: Vec<&'a Node>,
    /// Kubernetes resources; of lists their items.
    resources: Vec<&'a Node>,
    /// All variants of a split header.
    variants: BTreeMap<Rc<str>, BTreeSet<Name>>,
}

impl<'a> World<'a> {
    /// Of these documents, and of those configurations in them that have no problems.
    pub fn new<'c>(documents: impl Iterator<Item = &'a Node>, configs: impl Iterator<Item = &'c Config>) -> Self {
        let mut world = Self::default();
        documents.for_each(|document| world.add(document));
        for split in configs.flat_map(|config| &config.routes).filter_map(|route| route.split.as_ref()) {
            let names = split.variants.iter().map(|variant| variant.name.clone());
            world.variants.entry(split.header.clone()).or_default().extend(names);
        }
        world
    }

    fn add(&mut self, document: &'a Node) {
        match text(document, "kind") {
            None => self.envoy.push(document),
            Some(kind) if kind.ends_with("List") => list(document, "items").iter().for_each(|item| self.add(item)),
            Some(_) => self.resources.push(document),
        }
    }

    /// All Kubernetes resources.
    pub fn resources(&self) -> &[&'a Node] {
        &self.resources
    }

    /// All documents: resources and others.
    pub fn documents(&self) -> impl Iterator<Item = &'a Node> {
        self.resources.iter().chain(&self.envoy).copied()
    }

    /// All Kubernetes resources of one of these kinds, each with its kind.
    pub fn of_kinds<'k>(&self, kinds: &'k [&'k str]) -> impl Iterator<Item = (&'a str, &'a Node)> + use<'a, '_, 'k> {
        let kind = |node: &&'a Node| text(node, "kind").filter(|kind| kinds.contains(kind)).map(|kind| (kind, *node));
        self.resources.iter().filter_map(kind)
    }

    /// All variants, of all configurations, that a split header may name.
    pub fn variants(&self, header: &str) -> Option<&BTreeSet<Name>> {
        self.variants.get(header)
    }

    /// The Envoy that a filter runs in: the bootstrap, then all else that belongs to it. Nothing if it can't be told which bootstrap that is.
    pub fn envoy_of(&self, filter: Filter<'a>) -> Vec<&'a Node> {
        let is_bootstrap = |node: &Node| {
            let listeners = field(node, "static_resources").is_some_and(|resources| !list(resources, "listeners").is_empty());
            listeners || field(node, "dynamic_resources").is_some()
        };
        let bootstraps = self.envoy.iter().copied().filter(|node| is_bootstrap(node));
        let own: Vec<&Node> = if is_bootstrap(filter.document) { vec![filter.document] } else { bootstraps.collect() };
        let [bootstrap] = own[..] else { return Vec::new() };
        let others = self.envoy.iter().copied().filter(|node| !is_bootstrap(node));
        std::iter::once(bootstrap).chain(others).collect()
    }

    /// What stands for the proxy that a filter runs in: its bootstrap, or the filter's own document if that can't be told.
    pub fn proxy_of(&self, filter: Filter<'a>) -> &'a Node {
        self.envoy_of(filter).first().copied().unwrap_or(filter.document)
    }
}

/// Returns the names of all clusters that these documents define: static ones, discovered ones, and those of an EnvoyFilter.
pub fn clusters<'a>(documents: &[&'a Node]) -> BTreeSet<&'a str> {
    let mut defined = Vec::new();
    for document in documents {
        defined.extend(field(document, "static_resources").into_iter().flat_map(|resources| list(resources, "clusters")));
        pick(document, &|node| is_type(node, "envoy.config.cluster.v3.Cluster"), &mut defined);
        let patches = field(document, "spec").into_iter().flat_map(|spec| list(spec, "config_patches"));
        for patch in patches.filter(|patch| matches!(text(patch, "apply_to"), Some("CLUSTER" | "BOOTSTRAP"))) {
            let Some(value) = field(patch, "patch").and_then(|patch| patch.get("value")) else { continue };
            defined.push(value);
            defined.extend(items(field(value, "static_resources").and_then(|resources| resources.get("clusters"))));
        }
    }
    defined.into_iter().filter_map(|cluster| text(cluster, "name")).collect()
}

/// Whether any text or key in `node` names this header, except where nothing follows from it, and in configurations of Gnomon.
pub fn mentions(node: &Node, header: &str) -> bool {
    let names = |text: &str| text.to_ascii_lowercase().contains(header);
    match node {
        Node::Text(text) => names(text) && !Node::from_json(text.as_bytes()).is_ok_and(|node| is_ours(&node)),
        Node::Array(items) => items.iter().any(|item| mentions(item, header)),
        Node::Object(_) if is_ours(node) => false,
        Node::Object(pairs) => pairs.iter().any(|(key, value)| !IDLE.contains(&&**key) && (names(key) || mentions(value, header))),
        _ => false,
    }
}
