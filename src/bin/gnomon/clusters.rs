//! Warnings of shadows whose cluster their Envoy does not have.

use std::collections::BTreeSet;

use gnomon::config::Config;
use gnomon::config::raw::Node;

use crate::protobuf_json::field;
use crate::world;

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
/// shows.
pub fn known<'a>(envoy: &[&'a Node]) -> Option<BTreeSet<&'a str>> {
    let dynamic = envoy.first().and_then(|bootstrap| field(bootstrap, "dynamic_resources"));
    let discovers = dynamic.is_some_and(|dynamic| ["cds_config", "cds_resources_locator"].iter().any(|key| field(dynamic, key).is_some()));
    Some(world::clusters(envoy)).filter(|known| !discovers && !known.is_empty())
}

/// Returns a line for each cluster of a shadow that this Envoy does not have.
pub fn warnings(config: &Config, envoy: &[&Node]) -> Vec<String> {
    let Some(known) = known(envoy) else { return Vec::new() };
    let list = known.iter().copied().collect::<Vec<_>>().join(", ");
    let unknown = of_shadows(config).into_iter().filter(|cluster| !known.contains(cluster.name));
    let line = |ShadowCluster { path, shadow, name }: ShadowCluster<'_>| {
        format!(
            "{path}: {shadow}'s cluster {name} is not among the clusters of this Envoy ({list}), so no copy is sent: add it to static_resources.clusters, or name one of these"
        )
    };
    unknown.map(line).collect()
}
