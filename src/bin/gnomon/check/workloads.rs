//! Workloads of Kubernetes: all resources with a pod template, whatever their kind. Whose experiment they serve, and their images.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use gnomon::config::raw::Node;
use gnomon::config::{Config, Route, Text};

use super::mesh_clusters::is_service;
use super::protobuf_json::{field, list, part, text};
use super::world::World;

/// The label of pods by which their experiment is told.
const LABEL: &str = "experiment";

/// A Deployment, StatefulSet, Rollout, Knative Service: a resource whose `spec.template` is of pods.
#[derive(Clone, Copy, Debug)]
pub struct Workload<'a> {
    kind: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
    /// `spec.template`.
    template: &'a Node,
    /// `spec.template.metadata.labels`.
    labels: &'a Node,
}

/// An image of a workload.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// What has it: `container model`.
    pub of: String,
    /// The image, as it is written.
    pub reference: &'a str,
}

impl Image<'_> {
    /// Whether both are one image: of one digest if both have one, else written alike.
    pub fn is(&self, other: &Image<'_>) -> bool {
        let digest = |image: &str| image.split_once('@').map(|(_, digest)| digest.to_owned());
        match (digest(self.reference), digest(other.reference)) {
            (Some(one), Some(two)) => one == two,
            _ => self.reference == other.reference,
        }
    }
}

impl Display for Workload<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.namespace {
            Some(namespace) => write!(formatter, "{} {namespace}/{}", self.kind, self.name),
            None => write!(formatter, "{} {}", self.kind, self.name),
        }
    }
}

impl<'a> Workload<'a> {
    /// Returns the workload that this resource is, if it is one.
    pub fn of(resource: &'a Node) -> Option<Self> {
        let template = field(field(resource, "spec")?, "template")?;
        field(template, "spec").filter(|spec| !list(spec, "containers").is_empty())?;
        Some(Self {
            kind: text(resource, "kind")?,
            namespace: part(resource, "namespace"),
            name: part(resource, "name")?,
            template,
            labels: field(template, "metadata").and_then(|metadata| field(metadata, "labels")).unwrap_or(&Node::Null),
        })
    }

    /// Whether both are one resource. A namespace is easily left out in a file.
    pub fn is(&self, other: &Workload<'_>) -> bool {
        let same_space = self.namespace.zip(other.namespace).is_none_or(|(one, two)| one == two);
        same_space && (self.kind, self.name) == (other.kind, other.name)
    }

    /// Returns the experiment that the label of its pods names.
    pub fn label(&self) -> Option<&'a str> {
        self.labels.get(LABEL).and_then(Node::as_text)
    }

    /// Whether the pods of both have one template, whatever the order of keys.
    pub fn has_template_of(&self, other: &Workload<'_>) -> bool {
        alike(self.template, other.template)
    }

    /// Returns the images of all its containers, and of volumes that are images.
    pub fn images(&self) -> Vec<Image<'a>> {
        let Some(spec) = field(self.template, "spec") else { return Vec::new() };
        let mut images = Vec::new();
        for (key, what) in [("containers", "container"), ("initContainers", "init container"), ("volumes", "volume")] {
            for item in list(spec, key) {
                let image = field(item, "image");
                let Some(reference) = image.and_then(|image| image.as_text().or_else(|| text(image, "reference"))) else { continue };
                images.push(Image { of: format!("{what} {}", text(item, "name").unwrap_or("without a name")), reference });
            }
        }
        images
    }

    /// Returns the experiments that these pods serve: that of their label, or else those whose clusters reach them.
    pub fn serves(&self, configs: &[&Config], world: &World<'_>) -> BTreeSet<String> {
        let known = known(configs);
        match self.label().filter(|label| known.contains(*label)) {
            Some(label) => BTreeSet::from([label.to_owned()]),
            None => self.reached(configs, world),
        }
    }

    /// Returns the experiments of the routes of `configs` whose shadows or observed variants are these pods, as far as the clusters' Services
    /// tell.
    pub fn reached(&self, configs: &[&Config], world: &World<'_>) -> BTreeSet<String> {
        let services = world.of_kinds(&["Service"]).filter(|(_, service)| self.is_behind(service));
        let named = services.filter_map(|(_, service)| Some((part(service, "name")?.to_owned(), part(service, "namespace"))));
        let services: Vec<(String, Option<&str>)> = named.chain(self.made_by_flagger(world)).collect();
        let is_reached = |cluster: &Text| services.iter().any(|(name, namespace)| takes(cluster, name, *namespace));
        let routes = configs.iter().flat_map(|config| &config.routes);
        let reaching = routes.filter(|route| clusters(route).iter().any(is_reached));
        reaching.map(|route| route.experiment.to_string()).collect()
    }

    /// Returns the Services that Flagger makes for it, which stand in no file: of the new pods, and of the copy that it promotes them to.
    fn made_by_flagger<'w>(&self, world: &World<'w>) -> Vec<(String, Option<&'w str>)> {
        let made = |(_, canary): (&str, &'w Node)| {
            let (spec, namespace) = (field(canary, "spec")?, part(canary, "namespace"));
            let target = field(spec, "targetRef")?;
            let same_space = namespace.zip(self.namespace).is_none_or(|(one, two)| one == two);
            let is_it = same_space && (text(target, "kind"), text(target, "name")) == (Some(self.kind), Some(self.name));
            let name = field(spec, "service").and_then(|service| text(service, "name")).unwrap_or(self.name);
            is_it.then(|| ["primary", "canary"].map(|end| (format!("{name}-{end}"), namespace)))
        };
        world.of_kinds(&["Canary"]).filter_map(made).flatten().collect()
    }

    /// Whether this Service selects its pods.
    fn is_behind(&self, service: &Node) -> bool {
        let selector = field(service, "spec").and_then(|spec| field(spec, "selector"));
        let (Some(Node::Object(wanted)), Node::Object(labels)) = (selector, self.labels) else { return false };
        let same_space = part(service, "namespace").zip(self.namespace).is_none_or(|(one, two)| one == two);
        same_space && !wanted.is_empty() && wanted.iter().all(|label| labels.contains(label))
    }
}

/// Shows every workload in the documents of a file to `see`, with its place: `document 1`.
pub fn all<'a>(documents: &'a [Node], mut see: impl FnMut(&str, Workload<'a>)) {
    for (index, document) in documents.iter().enumerate() {
        let place = format!("document {}", index.saturating_add(1));
        let is_list = text(document, "kind").is_some_and(|kind| kind.ends_with("List"));
        let resources = if is_list { list(document, "items") } else { std::slice::from_ref(document) };
        resources.iter().filter_map(Workload::of).for_each(|workload| see(&place, workload));
    }
}

/// Returns the experiments of all routes.
pub fn known(configs: &[&Config]) -> BTreeSet<String> {
    configs.iter().flat_map(|config| &config.routes).map(|route| route.experiment.to_string()).collect()
}

/// Returns the conditions on the names of all clusters that a route copies to or observes.
fn clusters(route: &Route) -> Vec<Text> {
    let copied = route.shadows.iter().flat_map(|shadow| [&shadow.cluster.http, &shadow.cluster.grpc]);
    let observed = route.observe.iter().flat_map(|observe| &observe.clusters).map(|(condition, _)| condition.clone());
    copied.map(|name| Text::Exact(name.clone())).chain(observed).collect()
}

/// Whether a cluster that meets this condition may be one of the Service of this name.
fn takes(cluster: &Text, name: &str, namespace: Option<&str>) -> bool {
    let host = cluster.text().rsplit('|').next().unwrap_or_default();
    let whole = || format!("{name}.{}.svc.cluster.local", namespace.unwrap_or_default());
    match cluster {
        Text::Suffix(text) if !text.contains('|') => whole().ends_with(host),
        Text::Prefix(_) => !host.is_empty() && whole().starts_with(host),
        Text::Exact(_) | Text::Suffix(_) => is_service(host, Some(name), namespace),
    }
}

/// Whether two values are equal, whatever the order of keys.
fn alike(one: &Node, two: &Node) -> bool {
    match (one, two) {
        (Node::Object(pairs), Node::Object(others)) => {
            pairs.len() == others.len() && pairs.iter().all(|(key, value)| two.get(key).is_some_and(|other| alike(value, other)))
        }
        (Node::Array(items), Node::Array(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(item, other)| alike(item, other))
        }
        _ => one == two,
    }
}
