//! Warnings of clusters that an Envoy does not have.

use gnomon::config::raw::Node;

use crate::run::{assert_warned, edited, file, project, warnings};

const MINIMAL: &str = "envoy/minimal.yaml";
const UNKNOWN: &str =
    "routes[0].shadows[0].cluster: v2-copy's cluster v3 is not among the clusters of this Envoy (v1, v2), so no copy is sent";
const WRONG: (&str, &str) = (r#""cluster": "v2""#, r#""cluster": "v3""#);

#[test]
fn a_shadow_needs_a_cluster_of_its_file() {
    let test = "clusters";
    let two = (r#""cluster": "v2""#, r#""cluster": {"http": "v2", "grpc": "v2-grpc"}"#);
    for (name, changes, expected) in [
        ("right", &[][..], &[][..]),
        ("wrong", &[WRONG], &[UNKNOWN]),
        ("ports", &[two], &["routes[0].shadows[0].cluster.grpc: v2-copy's cluster v2-grpc is not among"]),
        ("discovered", &[WRONG, ("static_resources:", "dynamic_resources: {cds_config: {ads: {}}}\nstatic_resources:")], &[]),
        ("camel", &[WRONG, ("static_resources:", "dynamicResources: {cdsConfig: {ads: {}}}\nstatic_resources:")], &[]),
        ("listeners", &[WRONG, ("static_resources:", "dynamic_resources: {lds_config: {ads: {}}}\nstatic_resources:")], &[UNKNOWN]),
        ("none", &[WRONG, ("\n  clusters:\n", "\n  other:\n")], &[]),
    ] {
        assert_warned(&warnings([file(test, &format!("{name}.yaml"), &edited(MINIMAL, changes))]), expected, name);
    }
}

/// As Envoy writes its own configuration, and as people do who write JSON.
#[test]
fn json_in_camel_case_is_read_alike() {
    fn camel(node: &mut Node) {
        match node {
            Node::Array(items) => items.iter_mut().for_each(camel),
            Node::Object(pairs) => pairs.iter_mut().for_each(|(key, value)| {
                let mut words = key.split('_').map(str::to_owned);
                let first = words.next().unwrap();
                *key = words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..]);
                camel(value);
            }),
            _ => {}
        }
    }
    let canary = &[
        ("- {tag_name: gate,", "- {tag_name: gates,"),
        ("(gate=", "(gates="),
        ("exact: v2}", "exact: v3}"),
        ("failure_policy: FAIL_RELOAD", "fail: x"),
    ];
    for (name, text) in [("wrong.json", edited(MINIMAL, &[WRONG])), ("canary.json", edited("envoy/canary.yaml", canary))] {
        let expected = warnings([file("camel", "before.yaml", &text)]);
        let mut node: Node = serde_saphyr::from_str(&text).unwrap();
        camel(&mut node);
        let found = warnings([file("camel", name, &node.to_json().unwrap())]);
        assert_eq!(found, expected);
        assert!(!found.is_empty(), "{name}");
    }
}

/// A filter in a file of its own belongs to the bootstrap beside it, and clusters may have files of their own.
#[test]
fn files_are_judged_together() {
    let test = "together";
    let bootstrap = project().join("envoy/dynamic.yaml");
    let own = |cluster: &str| {
        file(
            test,
            &format!("{cluster}.yaml"),
            &edited("envoy/dynamic-gnomon.yaml", &[(r#""cluster": "v3""#, &format!(r#""cluster": "{cluster}""#))]),
        )
    };
    let unknown = "routes[0].shadows[0].cluster: v3-copy's cluster v4 is not among the clusters of this Envoy (v1, v2, v3)";
    assert_warned(&warnings([own("v4")]), &[], "alone");
    assert_warned(&warnings([own("v3"), bootstrap.clone()]), &[], "right");
    assert_warned(&warnings([own("v4"), bootstrap.clone()]), &[unknown], "wrong");
    assert_warned(&warnings([bootstrap.clone(), own("v4")]), &[unknown], "in any order");
    for (name, text) in [
        ("static.yaml", "static_resources: {clusters: [{name: v4}]}"),
        ("discovered.yaml", "resources: [{\"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster, name: v4}]"),
    ] {
        let found = warnings([own("v4"), bootstrap.clone(), file(test, name, text)]);
        assert_warned(&found, &[], name);
    }
    // A bootstrap that reads its clusters from a file has those of the file beside it; from a server it may have any.
    let clusters = file(test, "clusters.yaml", "resources: [{\"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster, name: v7}]");
    for (source, expected) in [
        ("path_config_source: {path: c.yaml}", &["v3-copy's cluster v4 is not among the clusters of this Envoy (v1, v2, v3, v7)"][..]),
        ("path: c.yaml", &["v4"]),
        ("ads: {}", &[]),
    ] {
        let with = format!("dynamic_resources: {{cds_config: {{{source}}}}}\nstatic_resources:");
        let reads = file(test, "reads.yaml", &edited("envoy/dynamic.yaml", &[("static_resources:", &with)]));
        assert_warned(&warnings([own("v4"), reads.clone(), clusters.clone()]), expected, source);
        assert_warned(&warnings([own("v4"), reads]), &[], "without the file");
    }
    for name in ["dynamic", "blue-green", "tour"] {
        let files = [format!("envoy/{name}.yaml"), format!("envoy/{name}-gnomon.yaml")].map(|path| project().join(path));
        assert_warned(&warnings(files), &[], name);
    }
    // Whose bootstrap is it? Nothing is said that may be wrong.
    let other = project().join("envoy/blue-green.yaml");
    assert_warned(&warnings([own("v4"), bootstrap, other]), &[], "two");
    // A bootstrap with a filter of its own has its own clusters, whatever others have.
    let wrong = file(test, "wrong.yaml", &edited(MINIMAL, &[WRONG]));
    let other = file(test, "other.yaml", "static_resources: {listeners: [{name: a}], clusters: [{name: v3}]}");
    assert_warned(&warnings([wrong, other]), &[UNKNOWN], "others");
}
