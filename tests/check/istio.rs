//! Warnings of manifests for Istio.

use crate::run::{assert_warned, file, replaced, text, warnings};

const ZEROS: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const CLUSTER: &str = "cluster: outbound|8080||fraud-shadow.models.svc.cluster.local";
const VALUE: &str = "{x-gnomon-variant: {exact: v2}}";

/// The plugin and the routes of the gateway, as files that people edit, with a digest and these changes.
fn edited_gateway(changes: &[(&str, &str)]) -> String {
    let plugin = replaced(text("istio/base/plugin.yaml"), &[("{gnomon: overlay}", "{istio: ingressgateway}")]);
    let whole = format!("{plugin}---\n{}", text("istio/overlays/gateway/routes.yaml"));
    replaced(whole, &[&[(ZEROS, DIGEST)], changes].concat())
}

/// What is warned of the gateway's manifests with a digest and these changes.
fn gateway(name: &str, changes: &[(&str, &str)]) -> Vec<String> {
    warnings([file("istio", &format!("{name}.yaml"), &edited_gateway(changes))])
}

#[test]
fn a_plugin_says_how_it_fails_where_it_stands_and_what_it_is() {
    const STRATEGY: &str = "failStrategy: FAIL_OPEN\n";
    const PASS: &str = "on_invalid: pass ";
    let reject = "with on_invalid: reject a pod that starts while the configuration has a mistake answers 500 to every request: write on_invalid: pass";
    let closed = "without failStrategy (FAIL_CLOSE) an image that can't be fetched means 403";
    for (name, changes, expected) in [
        ("right", &[][..], &[][..]),
        ("authn", &[("phase: UNSPECIFIED_PHASE", "phase: AUTHN")], &["spec.phase AUTHN stands before Istio's authorization"]),
        ("authz", &[("phase: UNSPECIFIED_PHASE", "phase: AUTHZ")], &["spec.phase AUTHZ stands before Istio's authorization"]),
        ("stats", &[("phase: UNSPECIFIED_PHASE", "phase: STATS")], &[]),
        ("no-phase", &[("phase: UNSPECIFIED_PHASE", "")], &[]),
        ("reject", &[(PASS, "on_invalid: reject ")], &[reject]),
        ("closed", &[(STRATEGY, "failStrategy: FAIL_CLOSE\n")], &[]),
        (
            "both",
            &[(PASS, "on_invalid: reject "), (STRATEGY, "failStrategy: FAIL_CLOSE\n")],
            &["on_invalid: pass, and failStrategy: FAIL_OPEN"],
        ),
        ("default", &[(STRATEGY, "\n")], &[closed]),
        ("zeros", &[(DIGEST, ZEROS)], &["the image's digest is all zeros"]),
        ("short", &[(DIGEST, "sha256:0123")], &["sha256:0123 is no digest"]),
        ("tag", &[(&format!("@{DIGEST}"), ":1")], &["url has no digest"]),
        ("field", &[(&format!("@{DIGEST}"), &format!(":1\n  sha256: {}", &DIGEST[7..]))], &[]),
        ("zero-field", &[(&format!("@{DIGEST}"), &format!(":1\n  sha256: '{}'", &ZEROS[7..]))], &["the image's digest is all zeros"]),
        ("local", &[(&format!("oci://registry.example.com/ml/gnomon@{DIGEST}"), "file:///gnomon.wasm")], &[]),
    ] {
        assert_warned(&gateway(name, changes), expected, name);
    }
}

#[test]
fn a_plugin_has_to_run_where_it_is_placed() {
    const SELECTOR: &str = "selector: {matchLabels: {istio: ingressgateway}}";
    const CLIENT: &str = "match: [{mode: CLIENT}]";
    const PODS: &str = "selector: {matchLabels: {app: checkout}}";
    let never = "a waypoint's requests count as mode SERVER, so with match.mode: CLIENT it never runs";
    let service = "targetRefs: [{kind: Service, group: '', name: fraud}]";
    for (name, changes, expected) in [
        ("server", &[(CLIENT, "match: [{mode: SERVER}]")][..], &["in mode SERVER, at the model, a request has arrived"][..]),
        ("waypoint", &[(SELECTOR, service)], &[never]),
        ("class", &[(SELECTOR, "targetRefs: [{kind: GatewayClass, name: istio-waypoint}]")], &[never]),
        ("gateway", &[(SELECTOR, "targetRefs: [{kind: Gateway, name: inference}]")], &[]),
        ("waypoint-server", &[(SELECTOR, service), (CLIENT, "match: [{mode: SERVER}]")], &[]),
        ("waypoint-any", &[(SELECTOR, service), (CLIENT, "")], &[]),
        (
            "root",
            &[(SELECTOR, ""), ("{name: gnomon, namespace: istio-ingress}", "{name: gnomon, namespace: istio-system}")],
            &["without spec.selector or spec.targetRefs it is in every proxy of the mesh"],
        ),
        ("own", &[(SELECTOR, "")], &[]),
        // All requests of a gateway leave it.
        ("any side of a gateway", &[(CLIENT, "")], &[]),
        ("any side", &[(CLIENT, ""), (SELECTOR, PODS)], &["without spec.targetRefs, and without spec.match, it runs on both sides"]),
        (
            "both",
            &[(CLIENT, "match: [{mode: CLIENT_AND_SERVER}]"), (SELECTOR, PODS)],
            &["with mode CLIENT_AND_SERVER in spec.match, it runs"],
        ),
        (
            "no side",
            &[(CLIENT, "match: [{ports: [{number: 80}]}]"), (SELECTOR, PODS)],
            &["with a spec.match that has no mode (CLIENT or SERVER)"],
        ),
        (
            "lower case",
            &[(CLIENT, "match: [{mode: client}]")],
            &["spec.match.mode client is none of Istio's, so the resource is refused: write CLIENT or SERVER"],
        ),
        ("no phase", &[("phase: UNSPECIFIED_PHASE", "phase: AUTH")], &["spec.phase AUTH is none of Istio's"]),
    ] {
        assert_warned(&gateway(name, changes), expected, name);
    }
}

#[test]
fn a_cluster_has_a_name_that_istio_gives() {
    let foreign = |cluster: &str, wanted: &str| {
        format!(
            "routes[0].shadows[0].cluster: v2-copy's cluster {cluster} is no name that Istio gives, so no copy is sent (unless an EnvoyFilter adds such a cluster): write {wanted}"
        )
    };
    for (cluster, wanted) in [
        ("outbound|8080|v2|fraud.models.svc.cluster.local", ""),
        ("outbound|443||api.example.com", ""),
        ("outbound_.8080_._.fraud.models.svc.cluster.local", ""),
        ("InboundPassthroughCluster", ""),
        ("PassthroughCluster", ""),
        ("fraud-shadow.models.svc.cluster.local", "outbound|PORT||fraud-shadow.models.svc.cluster.local"),
        ("fraud-shadow.models.svc.cluster.local:8080", "outbound|8080||fraud-shadow.models.svc.cluster.local"),
        ("http://fraud-shadow.models:80/", "outbound|80||fraud-shadow.models.svc.cluster.local"),
        ("fraud-shadow.models.svc", "outbound|PORT||fraud-shadow.models.svc.cluster.local"),
        ("fraud-shadow", "outbound|PORT||fraud-shadow.NAMESPACE.svc.cluster.local"),
        ("outbound|8080||fraud-shadow", "outbound|8080||fraud-shadow.NAMESPACE.svc.cluster.local"),
        ("outbound|8080||fraud-shadow.models.svc", "outbound|8080||fraud-shadow.models.svc.cluster.local"),
        ("outbound|8080|fraud-shadow.models.svc.cluster.local", "outbound|8080||fraud-shadow.models.svc.cluster.local"),
        ("outbound|http|v2|fraud.models.svc.cluster.local", "outbound|PORT|v2|fraud.models.svc.cluster.local"),
        ("outbound|8080||", "outbound|PORT||HOST"),
        ("my_cluster", "outbound|PORT||HOST"),
        ("OUTBOUND|8080||api.example.com", "outbound|8080||api.example.com"),
    ] {
        let found = gateway("cluster", &[(CLUSTER, &format!("cluster: \"{cluster}\""))]);
        let line = foreign(cluster, wanted);
        let expected: &[&str] = if wanted.is_empty() { &[] } else { &[&line] };
        assert_warned(&found, expected, cluster);
    }
}

#[test]
fn a_cluster_is_held_against_the_services_of_the_files() {
    let test = "services";
    let shadow = |cluster: &str| file(test, "gateway.yaml", &edited_gateway(&[(CLUSTER, &format!("cluster: \"{cluster}\""))]));
    let services = |changes: &[(&str, &str)]| {
        let whole =
            format!("{}---\n{}", text("istio/components/models/services.yaml"), text("istio/components/subsets/destination-rule.yaml"));
        file(test, "services.yaml", &replaced(whole, changes))
    };
    let name = ("name: http, appProtocol: http, port: 8080, targetPort: 8080", "name: web, port: 8080");
    let rules = ("{name: v2, labels: {version: v2}}", "{name: v3, labels: {version: v2}}");
    let short = ("host: fraud.models.svc.cluster.local", "host: fraud");
    let good = CLUSTER.strip_prefix("cluster: ").unwrap();
    let unrouted = "VirtualService fraud-gateway, route v2 leads to subset v2 of fraud.models.svc.cluster.local, which the host's";
    let v2 = "outbound|8080|v2|fraud.models.svc.cluster.local";
    for (cluster, changes, expected) in [
        (good, &[][..], &[][..]),
        ("fraud-shadow", &[], &["write outbound|PORT||fraud-shadow.models.svc.cluster.local"]),
        (
            "outbound|80||fraud-shadow.models.svc.cluster.local",
            &[],
            &["does not exist, because the Service's ports are 8080: name one of them"],
        ),
        (v2, &[], &[]),
        (v2, &[short], &[]),
        (v2, &[rules], &["needs subset v2, which the host's DestinationRule does not define", unrouted]),
        (v2, &[rules, short], &["needs subset v2", unrouted]),
        (good, &[rules], &[unrouted]),
        ("outbound|8080||fraud-shadow.models", &[], &["write outbound|8080||fraud-shadow.models.svc.cluster.local"]),
        ("outbound|8080||api.models", &[], &[]),
        (
            "outbound|8080||fraud-shadow.model.svc.cluster.local",
            &[],
            &["is of namespace model, but the Service fraud-shadow in these files is in models"],
        ),
        ("outbound|8080||other.model.svc.cluster.local", &[], &[]),
        ("inbound|8080||", &[], &["is one of sidecars and waypoints, and a gateway has none"]),
        ("inbound-vip|8080|http|fraud-shadow.models.svc.cluster.local", &[], &["is one of sidecars and waypoints"]),
        (good, &[("appProtocol: http,", "appProtocol: tcp,")], &["does not say that it is HTTP", "v1-again's cluster"]),
        (good, &[("appProtocol: http,", "appProtocol: kubernetes.io/h2c,")], &[]),
        (good, &[name], &["goes to a port of which its Service does not say that it is HTTP", "v1-again's cluster"]),
    ] {
        let found = warnings([shadow(cluster), services(changes)]);
        assert_warned(&found, expected, cluster);
    }
    let entry = "apiVersion: a\nkind: ServiceEntry\nmetadata: {name: a}\nspec: {hosts: [shadow]}\n";
    let filter = "apiVersion: a\nkind: EnvoyFilter\nmetadata: {name: a}\nspec: {configPatches: [{applyTo: CLUSTER, patch: {operation: ADD, value: {name: mine}}}]}\n";
    let waypoint = edited_gateway(&[
        ("selector: {matchLabels: {istio: ingressgateway}}", "targetRefs: [{kind: Service, name: fraud}]"),
        ("match: [{mode: CLIENT}]", ""),
        (CLUSTER, "cluster: inbound-vip|8080|http|fraud.models.svc.cluster.local"),
    ]);
    assert_warned(&warnings([file(test, "waypoint.yaml", &waypoint)]), &[], "inbound at a waypoint");
    for (cluster, other) in [("outbound|80||shadow", entry), ("mine", filter)] {
        let found = warnings([shadow(cluster), file(test, "other.yaml", other)]);
        assert_warned(&found, &[], cluster);
    }
}

#[test]
fn virtual_services_follow_the_split() {
    let none = "routes[0].split: the VirtualServices and HTTPRoutes in these files don't look at x-gnomon-variant";
    let strange = "routes[0].split: VirtualService fraud-gateway, route v2 matches x-gnomon-variant: v3, which is no variant (v1, v2)";
    let lacking = "the VirtualServices and HTTPRoutes in these files have none for v2";
    let lost = "{x-other: {exact: v2}}";
    for (name, changes, expected) in [
        ("wrong", &[(VALUE, "{x-gnomon-variant: {exact: v3}}")][..], &[strange, lacking][..]),
        ("prefix", &[(VALUE, "{x-gnomon-variant: {prefix: v2}}")], &[]),
        ("regex", &[(VALUE, "{x-gnomon-variant: {regex: 'v[2-9]'}}")], &[]),
        ("present", &[(VALUE, "{x-gnomon-variant: {}}")], &[]),
        ("lost", &[(VALUE, lost)], &[none]),
        ("without", &[("headers: {x-gnomon-variant: {exact: v2}}", "withoutHeaders: {x-gnomon-variant: {exact: v1}}")], &[]),
        ("delegate", &[(VALUE, lost), ("  - name: v1 ", "  - delegate: {name: a}\n  - name: v1 ")], &[]),
        (
            "delegated",
            &[
                ("  - name: v1 ", "  - delegate: {name: a}\n  - name: v1 "),
                ("  gateways: [istio-ingress/inference]\n", ""),
                ("  hosts: [fraud.example.com]\n  http", "  http"),
                (VALUE, "{x-gnomon-variant: {exact: v3}}"),
            ],
            &[strange],
        ),
        (
            "behind",
            &[("  - name: v2\n", "  - name: all\n    route: [{destination: {host: fraud}}]\n  - name: v2\n")],
            &["the route of v2 stands behind one that takes all of its requests"],
        ),
        (
            "behind any path",
            &[("  - name: v2\n", "  - match: [{uri: {prefix: /}}]\n    route: [{destination: {host: fraud}}]\n  - name: v2\n")],
            &["the route of v2 stands behind one that takes all of its requests"],
        ),
        (
            "behind a path",
            &[("  - name: v2\n", "  - match: [{uri: {prefix: /a}}]\n    route: [{destination: {host: fraud}}]\n  - name: v2\n")],
            &[],
        ),
        (
            "behind its own path",
            &[("  - name: v2\n", "  - match: [{uri: {prefix: /v2/}}]\n    route: [{destination: {host: fraud}}]\n  - name: v2\n")],
            &["the route of v2 stands behind one that takes all of its requests"],
        ),
        (
            "behind one model",
            &[(
                "  - name: v2\n",
                "  - match: [{uri: {prefix: /v2/models/fraud/a}}]\n    route: [{destination: {host: fraud}}]\n  - name: v2\n",
            )],
            &[],
        ),
        (
            "same subset",
            &[("subset: v2", "subset: v1")],
            &["the routes of v2 and v1 lead to the same destination fraud.models.svc.cluster.local, subset v1, port 8080"],
        ),
        (
            "same, meant",
            &[
                ("subset: v2", "subset: v1"),
                ("        header: x-gnomon-variant", "        same_cluster: true\n        header: x-gnomon-variant"),
            ],
            &[],
        ),
        ("same, rewritten", &[("subset: v2", "subset: v1"), ("  - name: v2\n", "  - name: v2\n    rewrite: {uri: /two}\n")], &[]),
        (
            "other gateway",
            &[
                (VALUE, lost),
                ("[istio-ingress/inference]", "[istio-ingress/other]"),
                ("authority: {exact: fraud.example.com}", "headers: []"),
            ],
            &[],
        ),
        ("mesh", &[(VALUE, lost), ("  gateways: [istio-ingress/inference]\n", "")], &[]),
        ("redirected", &[(VALUE, lost), ("    route: [{", "    redirect: {authority: a}\n    other: [{")], &[]),
        ("another host", &[(VALUE, lost), ("hosts: [fraud.example.com]\n  gateways", "hosts: [chat.example.com]\n  gateways")], &[]),
        ("wildcard", &[(VALUE, lost), ("hosts: [fraud.example.com]\n  gateways", "hosts: ['*.example.com']\n  gateways")], &[none]),
        ("any authority", &[(VALUE, lost), ("        authority: {exact: fraud.example.com}\n", "")], &[none]),
        (
            "short authority",
            &[
                (VALUE, lost),
                ("{exact: fraud.example.com}", "{exact: fraud.models}"),
                ("hosts: [fraud.example.com]\n  gateways", "hosts: [fraud.models.svc.cluster.local]\n  gateways"),
            ],
            &[none],
        ),
        (
            "short host",
            &[
                (VALUE, lost),
                ("{exact: fraud.example.com}", "{exact: fraud.models}"),
                ("hosts: [fraud.example.com]\n  gateways", "hosts: [fraud]\n  gateways"),
            ],
            &[none],
        ),
        (
            "another short host",
            &[
                (VALUE, lost),
                ("{exact: fraud.example.com}", "{exact: fraud.shop}"),
                ("hosts: [fraud.example.com]\n  gateways", "hosts: [fraud]\n  gateways"),
            ],
            &[],
        ),
        (
            "applied before",
            &[
                (VALUE, lost),
                (
                    "metadata: {name: fraud-gateway,",
                    "metadata: {annotations: {kubectl.kubernetes.io/last-applied-configuration: x-gnomon-variant}, name: fraud-gateway,",
                ),
            ],
            &[none],
        ),
        (
            "annotated",
            &[
                (VALUE, lost),
                ("metadata: {name: fraud-gateway,", "metadata: {annotations: {other: x-gnomon-variant}, name: fraud-gateway,"),
            ],
            &[],
        ),
    ] {
        assert_warned(&gateway(name, changes), expected, name);
    }
}
