//! Warnings of shadows whose cluster their Envoy does not have.

use std::collections::BTreeSet;

use gnomon::config::Config;
use gnomon::config::raw::Node;

use super::protobuf_json::field;
use super::world;

/// A shadow's cluster as the configuration has it.
pub struct ShadowCluster<'c> {
    /// Its path in the configuration.
    pub path: String,
    /// The shadow's name.
    pub shadow: &'c str,
    /// The cluster's name.
    pub name: &'c str,
}

/// Returns every cluster that shadows name.
pub fn of_shadows(config: &Config) -> Vec<ShadowCluster<'_>> {
    let mut clusters = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        for (at, shadow) in route.shadows.iter().enumerate() {
            let (path, own) = (format!("routes[{index}].shadows[{at}].cluster"), &shadow.cluster);
            let names: &[(&str, &str)] =
                if own.http == own.grpc { &[("", &own.http)] } else { &[(".http", &own.http), (".grpc", &own.grpc)] };
            let cluster = |&(key, name)| ShadowCluster { path: format!("{path}{key}"), shadow: &shadow.name, name };
            clusters.extend(names.iter().map(cluster));
        }
    }
    clusters
}

/// Returns the names of all clusters of this Envoy: its bootstrap, then all else that belongs to it; `None` if there may be some that no file
/// shows. A file of clusters beside a bootstrap that reads one is that one.
pub fn known<'a>(envoy: &[&'a Node]) -> Option<BTreeSet<&'a str>> {
    let (bootstrap, others) = envoy.split_first()?;
    let dynamic = field(bootstrap, "dynamic_resources");
    let source = dynamic.and_then(|dynamic| ["cds_config", "cds_resources_locator"].iter().find_map(|key| field(dynamic, key)));
    let reads_file = |source: &Node| ["path", "path_config_source"].iter().any(|key| field(source, key).is_some());
    let is_hidden = source.is_some_and(|source| !reads_file(source) || world::clusters(others).is_empty());
    Some(world::clusters(envoy)).filter(|known| !is_hidden && !known.is_empty())
}

/// Returns a line for each cluster of a shadow that this Envoy does not have.
pub fn warnings(config: &Config, envoy: &[&Node]) -> Vec<String> {
    let Some(known) = known(envoy) else { return Vec::new() };
    let list = known.iter().copied().collect::<Vec<_>>().join(", ");
    let unknown = of_shadows(config).into_iter().filter(|cluster| !known.contains(cluster.name));
    let line = |ShadowCluster { path, shadow, name }: ShadowCluster<'_>| {
        format!(
            "{path}: {shadow}'s cluster {name} is not among the clusters of this Envoy ({list}), so no copy is sent: add it there, or name one of these"
        )
    };
    unknown.map(line).collect()
}
