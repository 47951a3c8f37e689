//! Warnings of splits that Envoy's routes don't follow.

use crate::run::{assert_warned, check, edited, file, project, warnings};

const CANARY: &str = "envoy/canary.yaml";
const HEADERS: &str = "headers: [{name: x-gnomon-variant, string_match: {exact: v2}}]";
const SPLIT: &str = r#""header": "x-gnomon-variant""#;
const NONE: &str = "routes[0].split: the routes of its connection manager don't look at x-gnomon-variant";
const STRANGE: &str = "routes[0].split: virtual host models, routes[0] matches x-gnomon-variant: v3, which is no variant (v1, v2)";
const LACKING: &str = "routes[0].split: the routes of its connection manager have none for v2";

fn of(name: &str, changes: &[(&str, &str)]) -> Vec<String> {
    warnings([file("routes", &format!("{name}.yaml"), &edited(CANARY, changes))])
}

#[test]
fn routes_follow_the_split() {
    for (headers, expected) in [
        (HEADERS, &[][..]),
        ("headers: [{name: X-Gnomon-Variant, string_match: {exact: v2}}]", &[]),
        ("headers: [{name: x-gnomon-variant, exact_match: v2}]", &[]),
        ("headers: [{name: x-gnomon-variant, prefix_match: v}]", &[]),
        ("headers: [{name: x-gnomon-variant, string_match: {exact: V2, ignore_case: true}}]", &[]),
        ("headers: [{name: x-gnomon-variant, string_match: {safe_regex: {regex: 'v2|canary'}}}]", &[]),
        ("headers: [{name: x-gnomon-variant, string_match: {safe_regex: {regex: '(v2)'}}}]", &[]),
        ("headers: [{name: x-gnomon-variant, string_match: {exact: v1}, invert_match: true}]", &[]),
        ("headers: [{name: x-gnomon-variant, present_match: true}]", &[]),
        ("headers: [{name: x-gnomon-variant}]", &[]),
        ("headers: [{name: x-other, string_match: {exact: v2}}]", &[NONE]),
        ("other: []", &[NONE]),
        ("headers: [{name: x-gnomon-variant, string_match: {exact: v3}}]", &[STRANGE, LACKING]),
        ("headers: [{name: x-gnomon-variant, string_match: {exact: V2}}]", &["matches x-gnomon-variant: V2, which is no variant", LACKING]),
        ("headers: [{name: x-gnomon-variant, string_match: {safe_regex: {regex: 'v3.*'}}}]", &["matches x-gnomon-variant: v3.*", LACKING]),
        ("headers: [{name: x-gnomon-variant, string_match: {exact: v1}}]", &[LACKING]),
    ] {
        assert_warned(&of("headers", &[(HEADERS, headers)]), expected, headers);
    }
}

#[test]
fn what_can_not_be_told_is_not_warned_of() {
    const ROUTES: &str = "          route_config:\n            virtual_hosts:";
    let lost = (HEADERS, "other: []");
    for (name, changes, expected) in [
        ("rds", &[lost, (ROUTES, "          rds: {route_config_name: a}\n          other:\n            virtual_hosts:")][..], &[][..]),
        ("vhds", &[lost, (ROUTES, "          route_config:\n            vhds: {}\n            virtual_hosts:")], &[]),
        ("cluster_header", &[lost, ("cluster: v1, timeout", "cluster_header: x-gnomon-variant, timeout")], &[]),
        ("mirrored", &[lost, ("cluster: v1, timeout", "cluster_header: x-other, timeout")], &[NONE]),
        (
            "answered",
            &[
                lost,
                ("route: {cluster: v1, timeout: 30s}", "direct_response: {status: 404}"),
                ("route: {cluster: v2, timeout: 30s}", "redirect: {host_redirect: a}"),
            ],
            &[],
        ),
        (
            "elsewhere",
            &[lost, ("stat_prefix: inference", "stat_prefix: inference\n          other: {rules: [{header: x-gnomon-variant}]}")],
            &[],
        ),
        (
            "logged",
            &[lost, ("stat_prefix: inference", "stat_prefix: inference\n          access_log: ['%REQ(X-GNOMON-VARIANT)%']")],
            &[NONE],
        ),
        (
            "removed",
            &[lost, ("domains: [\"*\"]", "domains: [\"*\"]\n              request_headers_to_remove: [x-gnomon-variant]")],
            &[NONE],
        ),
        (
            "no traffic",
            &[
                lost,
                ("\"percent\": \"5%\"", "\"percent\": 0"),
                ("\"exact\": \"v2\", \"variant\": \"v2\"", "\"exact\": \"v2\", \"variant\": \"v1\""),
            ],
            &[],
        ),
        ("other header", &[(SPLIT, r#""header": "x-variant""#)], &["don't look at x-variant"]),
    ] {
        assert_warned(&of(name, changes), expected, name);
    }
}

/// Where one cluster is meant for all variants, something else tells them apart.
#[test]
fn one_cluster_for_all_may_be_meant() {
    let meant = (SPLIT, r#""header": "x-gnomon-variant", "same_cluster": true"#);
    let run = check([file("routes", "meant.yaml", &edited(CANARY, &[(HEADERS, "other: []"), meant]))]);
    assert!(run.lines.iter().all(|line| !line.contains("don't look at")), "{:#?}", run.lines);
}

#[test]
fn a_route_of_a_variant_needs_its_cluster() {
    let found = of("cluster", &[("{cluster: v2, timeout", "{cluster: v9, timeout")]);
    assert_warned(&found, &["routes[0].split: a route by x-gnomon-variant leads to cluster v9, which this Envoy does not have"], "v9");
}

#[test]
fn a_route_behind_one_for_all_is_told() {
    let early = "routes:\n              - match: {prefix: /}\n                route: {cluster: v1}";
    let behind = "routes[0].split: the route of v2 stands behind one that takes all of its requests, so v2 never answers: move it up";
    assert_warned(&of("behind", &[("routes:\n              -", &format!("{early}\n              -"))]), &[behind], "behind");
    for (path, hides) in [
        ("prefix: /health", false),
        ("prefix: /v2/", true),
        ("prefix: /v2/models/fraud/", true),
        ("prefix: /v2/models/fraud/a", false),
        ("path: /v2/models/fraud/", false),
        ("path_separated_prefix: /v2/models/fraud", true),
        ("path_separated_prefix: /v2/models/fra", false),
        ("safe_regex: {regex: '.*'}", true),
        ("safe_regex: {regex: '/v2/.*'}", true),
        ("safe_regex: {regex: '/v[12]/.*'}", false),
        ("prefix: /, headers: [{name: x-other}]", false),
        ("prefix: /, grpc: {}", false),
    ] {
        let early = early.replace("prefix: /", path);
        let found = of("path", &[("routes:\n              -", &format!("{early}\n              -"))]);
        let expected: &[&str] = if hides { &[behind] } else { &[] };
        assert_warned(&found, expected, path);
    }
}

#[test]
fn variants_have_clusters_of_their_own() {
    const V2: &str = "{cluster: v2, timeout: 30s}";
    let same = "routes[0].split: the routes of v2 and v1 lead to the same cluster v1, so both variants get the same answers";
    for (name, changes, expected) in [
        ("same", &[(V2, "{cluster: v1, timeout: 30s}")][..], &[same][..]),
        ("other timeout", &[(V2, "{cluster: v1, timeout: 20s}")], &[same]),
        ("rewritten", &[(V2, "{cluster: v1, prefix_rewrite: /two}")], &[]),
        ("subset", &[(V2, "{cluster: v1, metadata_match: {}}")], &[]),
        ("weighted", &[(V2, "{weighted_clusters: {clusters: [{name: v1, weight: 1}]}}")], &[]),
        ("meant", &[(V2, "{cluster: v1}"), (SPLIT, r#""header": "x-gnomon-variant", "same_cluster": true"#)], &[]),
        ("other paths", &[(V2, "{cluster: v1}"), ("match: {prefix: /}  ", "match: {prefix: /other}  ")], &[]),
    ] {
        assert_warned(&of("same", changes), expected, name);
    }
}

/// Requests for one authority go to the virtual host that fits it best.
#[test]
fn the_virtual_host_of_the_authority_counts() {
    const PATH: &str = r#""match": {"path""#;
    const HOST: &str = "            - name: models\n              domains: [\"*\"]\n";
    let other = |domain: &str| {
        format!(
            "            - {{name: other, domains: [\"{domain}\"], routes: [{{match: {{prefix: /}}, route: {{cluster: v1}}}}]}}\n{HOST}"
        )
    };
    let own = (PATH, r#""match": {"authority": {"exact": "fraud.example.com"}, "path""#);
    let wrong = "routes[0].split: the routes by x-gnomon-variant are in virtual host models, but its requests go to virtual host other";
    for (domain, changes, expected) in [
        ("fraud.example.com", &[own][..], &[wrong][..]),
        ("*.example.com", &[own], &[wrong]),
        ("fraud.example.com:443", &[own], &[wrong]),
        ("fraud.*", &[own], &[wrong]),
        ("shop.example.com", &[own], &[]),
        ("*.shop.example.com", &[own], &[]),
        // Without an authority its paths may be those of one virtual host alone.
        ("fraud.example.com", &[], &[]),
    ] {
        let host = other(domain);
        let changes = [&[(HOST, &*host)], changes].concat();
        assert_warned(&of("authority", &changes), expected, domain);
    }
}

#[test]
fn the_baseline_may_have_the_other_routes() {
    let last = "              - match: {prefix: /}                           #";
    let of_baseline = "              - match: {prefix: /, headers: [{name: x-gnomon-variant, string_match: {exact: v1}}]} #";
    assert_warned(&of("own", &[(last, of_baseline)]), &[], "a route of its own");
    let of_other = of_baseline.replace("exact: v1", "exact: v2");
    let lacking = "the routes of its connection manager have none for v1: add one that matches x-gnomon-variant: v1";
    assert_warned(&of("no", &[(last, &of_other)]), &[lacking], "none");
}

/// Two routes of a configuration, and two filters, may use one header for different variants.
#[test]
fn variants_of_all_splits_count() {
    let second = r#""routes": [{"name": "chat", "match": {"path": {"prefix": "/chat"}}, "split": {"baseline": "v1", "canaries": [{"name": "v3", "percent": 5}], "key": "request"}}, {"#;
    let both = &[(r#""routes": [{"#, second), (HEADERS, "headers: [{name: x-gnomon-variant, string_match: {exact: v3}}]")];
    let found = of("both", both);
    assert_warned(&found, &["routes[1].split: the routes of its connection manager have none for v2"], "two splits");
}

/// Routes may stand in a file of their own, as may the filter.
#[test]
fn routes_of_another_file_are_found() {
    let test = "apart";
    let gnomon = project().join("envoy/dynamic-gnomon.yaml");
    let wrong = file(test, "bootstrap.yaml", &edited("envoy/dynamic.yaml", &[("exact: v2", "exact: v3")]));
    assert_warned(&warnings([gnomon, wrong]), &[STRANGE, LACKING], "the filter apart");

    let table = "          rds: {route_config_name: models}\n          other:\n            virtual_hosts:";
    let listener = file(test, "listener.yaml", &edited(CANARY, &[("          route_config:\n            virtual_hosts:", table)]));
    let routes = |value: &str| {
        let route = format!("{{match: {{prefix: /, headers: [{{name: x-gnomon-variant, string_match: {{exact: {value}}}}}]}}}}");
        let text = format!(
            "resources:\n- \"@type\": type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n  name: models\n  virtual_hosts: [{{name: models, routes: [{route}, {{match: {{prefix: /}}, route: {{cluster: v1}}}}]}}]\n"
        );
        file(test, &format!("{value}.yaml"), &text)
    };
    assert_warned(&warnings([listener.clone(), routes("v2")]), &[], "right");
    assert_warned(&warnings([listener, routes("v3")]), &[STRANGE, LACKING], "wrong");
}
