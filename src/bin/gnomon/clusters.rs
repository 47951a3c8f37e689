//! Warnings of shadows whose cluster their Envoy does not have.

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

/// Returns a line for each cluster of a shadow that this Envoy does not define. `envoy` is its bootstrap, then all else that belongs to it.
/// Says nothing if there may be clusters that no file shows.
pub fn warnings(config: &Config, envoy: &[&Node]) -> Vec<String> {
    let dynamic = envoy.first().and_then(|bootstrap| field(bootstrap, "dynamic_resources"));
    let discovers = dynamic.is_some_and(|dynamic| ["cds_config", "cds_resources_locator"].iter().any(|key| field(dynamic, key).is_some()));
    let known = world::clusters(envoy);
    if discovers || known.is_empty() {
        return Vec::new();
    }
    let list = known.iter().copied().collect::<Vec<_>>().join(", ");
    let unknown = of_shadows(config).into_iter().filter(|cluster| !known.contains(cluster.name));
    let line = |ShadowCluster { path, shadow, name }: ShadowCluster<'_>| {
        format!(
            "{path}: {shadow}'s cluster {name} is not among the clusters of this Envoy ({list}), so no copy is sent: add it to static_resources.clusters, or name one of these"
        )
    };
    unknown.map(line).collect()
}
