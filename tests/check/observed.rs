//! Splits that are observed: where they can't be, clusters that no proxy has, and buckets that no route looks at.

use crate::run::{SOUND, assert_warned, check, edited, file, warnings};

const OBSERVED: &str = "envoy/observed.yaml";
const V2: &str = r#""name": "v2", "cluster": {"exact": "v2"}"#;

#[test]
fn each_variant_has_a_cluster_of_its_envoy() {
    let never = |name: &str| format!("none of the clusters of this Envoy (v1, v2, v3) is one of {name}'s, so {name} never answers");
    let (v1, v2) = (never("v1"), never("v2"));
    let hidden = ("static_resources:", "dynamic_resources: {cds_config: {ads: {}}}\nstatic_resources:");
    for (name, changes, expected) in [
        ("right", &[][..], &[][..]),
        ("wrong", &[(V2, r#""name": "v2", "cluster": {"exact": "v4"}"#)], &[&*v2]),
        ("prefix", &[(V2, r#""name": "v2", "cluster": {"prefix": "v"}"#)], &[]),
        // The first condition that holds decides.
        ("suffix", &[(V2, r#""name": "v2", "cluster": {"suffix": "1"}"#)], &[&v2]),
        ("both", &[(V2, r#""name": "v2", "cluster": {"suffix": "x"}"#), (r#""exact": "v1""#, r#""exact": "stable""#)], &[&v1, &v2]),
        ("discovered", &[(V2, r#""name": "v2", "cluster": {"exact": "v4"}"#), hidden], &[]),
    ] {
        assert_warned(&warnings([file("observed", &format!("{name}.yaml"), &edited(OBSERVED, changes))]), expected, name);
    }
}

#[test]
fn routes_of_envoy_look_at_the_bucket() {
    let bucket = (r#""variants": ["#, r#""bucket": {"key": {"header": "x-user-id"}}, "variants": ["#);
    let idle = "routes[0].observe.bucket: the routes of its connection manager don't look at x-gnomon-bucket, so it keeps nobody";
    let route = "- match: {prefix: /, headers: [{name: x-gnomon-bucket, string_match: {prefix: \"0\"}}]}\n                route: {cluster: v2}\n              - match: {prefix: /}";
    for (name, changes, expected) in [
        ("idle", &[bucket][..], &[idle][..]),
        ("looked-at", &[bucket, ("- match: {prefix: /}", route)], &[]),
        (
            "elsewhere",
            &[bucket, ("stat_prefix: inference", "stat_prefix: inference\n          other: {rules: [{header: x-gnomon-bucket}]}")],
            &[],
        ),
    ] {
        assert_warned(&warnings([file("observed", &format!("bucket-{name}.yaml"), &edited(OBSERVED, changes))]), expected, name);
    }
}

/// A route that observes these clusters, as YAML.
fn config(stable: &str, canary: &str, more: &str) -> String {
    format!(
        "{{version: 1, experiment: e, routes: [{{name: r, observe: {{baseline: stable, variants: [{{name: stable, cluster: {stable}}}, {{name: canary, cluster: {canary}}}]{more}}}}}]}}"
    )
}

fn plugin(mode: &str, config: &str) -> String {
    format!(
        "apiVersion: a\nkind: WasmPlugin\nmetadata: {{name: gnomon, namespace: ml}}\nspec: {{{SOUND}, match: [{{mode: {mode}}}], pluginConfig: {config}}}\n"
    )
}

const SERVICES: &str = "---\napiVersion: v1\nkind: Service\nmetadata: {name: fraud-stable, namespace: ml}\nspec: {ports: [{name: http, port: 80}]}\n\
    ---\napiVersion: v1\nkind: Service\nmetadata: {name: fraud, namespace: ml}\nspec: {ports: [{name: http, port: 80}]}\n\
    ---\napiVersion: a\nkind: DestinationRule\nmetadata: {name: fraud, namespace: ml}\nspec: {host: fraud, subsets: [{name: canary}]}\n";

#[test]
fn each_variant_has_a_cluster_that_istio_makes() {
    let never = |name: &str| format!("is one of {name}'s, so {name} never answers: mend the text");
    let stable = r#"{prefix: "outbound|80||fraud-stable."}"#;
    for (own, expected) in [
        (r#"{prefix: "outbound|80||fraud-canary."}"#, vec![]),
        (r#"{prefix: "outbound|80|canary|fraud."}"#, vec![]),
        (r#"{exact: "outbound|80|canary|fraud.ml.svc.cluster.local"}"#, vec![]),
        (r#"{suffix: "|canary|fraud.ml.svc.cluster.local"}"#, vec![]),
        (r#"{prefix: "outbound|8080|canary|fraud."}"#, vec![never("canary")]),
        (r#"{prefix: "outbound|80|v2|fraud."}"#, vec![never("canary")]),
        (r#"{exact: "outbound|80|canary|fraud.ml"}"#, vec![never("canary")]),
        (r#"{exact: "outbound|80|canary|fraud.other.svc.cluster.local"}"#, vec![never("canary")]),
        (r#"{prefix: "inbound|80||"}"#, vec!["at a server's own sidecar all requests go to one cluster".to_owned()]),
    ] {
        let text = plugin("CLIENT", &config(stable, own, "")) + SERVICES;
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_warned(&warnings([file("observed", "istio.yaml", &text)]), &expected, own);
    }
}

#[test]
fn at_a_server_nothing_can_be_told() {
    let own = config("{suffix: stable.ml}", "{suffix: canary.ml}", "");
    for (mode, expected) in [("SERVER", &["in mode SERVER, at the model, all requests go to one cluster"][..]), ("CLIENT", &[])] {
        assert_warned(&warnings([file("observed", "mode.yaml", &plugin(mode, &own))]), expected, mode);
    }
}

#[test]
fn envoy_gateway_can_not_tell() {
    let own = config("{suffix: /0}", "{suffix: /1}", "");
    let policy = format!(
        "apiVersion: a\nkind: EnvoyExtensionPolicy\nmetadata: {{name: gnomon}}\nspec: {{targetRefs: [{{kind: HTTPRoute, name: fraud}}], wasm: [{{name: gnomon, config: {own}}}]}}\n"
    );
    let run = check([file("observed", "policy.yaml", &policy)]);
    assert_eq!(run.code, Some(1), "{:#?}", run.lines);
    assert!(run.lines.iter().any(|line| line.contains("routes[0].observe: in Envoy Gateway all backends of a rule are one cluster")));
    assert!(!run.lines.iter().any(|line| line.contains("good:")), "{:#?}", run.lines);
}

#[test]
fn a_limit_below_half_fails_equal_models() {
    let gate = ", bucket: {key: request}}, gates: [{name: worse, of: canary, measure: worse_than_baseline, event: failed, limit: 40, requires: pass}], slices: {header: a, values: [b]";
    let text = config("{suffix: stable.ml}", "{suffix: canary.ml}", gate);
    let expected = "routes[0].gates[0]: if both models are equal, half of worse's trials are bad: with a limit below 50 it fails";
    assert_warned(&warnings([file("observed", "limit.yaml", &text)]), &[expected], &text);
}
