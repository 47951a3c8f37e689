//! Warnings of routes of the Gateway API, and of policies of Envoy Gateway.

use crate::run::{SOUND, assert_warned, file, warnings};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn routes_of_the_gateway_api_follow_the_split() {
    let none = "routes[0].split: the VirtualServices and HTTPRoutes in these files don't look at x-gnomon-variant";
    let lacking = "have none for v2: add one that matches x-gnomon-variant: v2";
    let config =
        "{version: 1, experiment: e, routes: [{name: r, split: {baseline: v1, canaries: [{name: v2, percent: 5}], key: request}}]}";
    let policy = format!(
        "apiVersion: a\nkind: EnvoyExtensionPolicy\nmetadata: {{name: gnomon}}\nspec: {{targetRefs: [{{kind: HTTPRoute, name: fraud}}], wasm: [{{name: gnomon, config: {config}}}]}}\n"
    );
    let plugin = format!(
        "apiVersion: a\nkind: WasmPlugin\nmetadata: {{name: gnomon}}\nspec: {{targetRefs: [{{kind: Gateway, name: inference}}], url: a/gnomon@{DIGEST}, failStrategy: FAIL_OPEN, pluginConfig: {config}}}\n"
    );
    let patch = format!(
        "apiVersion: a\nkind: EnvoyFilter\nmetadata: {{name: gnomon}}\nspec: {{workloadSelector: {{labels: {{gateway.networking.k8s.io/gateway-name: inference}}}}, configPatches: [{{patch: {{value: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {{name: gnomon, failure_policy: FAIL_RELOAD, configuration: {{\"@type\": google.protobuf.StringValue, value: '{}'}}}}}}}}}}]}}\n",
        config
            .replace("version", "\"version\"")
            .replace("experiment: e", "\"experiment\": \"e\"")
            .replace("routes", "\"routes\"")
            .replace("name: r", "\"name\": \"r\"")
            .replace("split", "\"split\"")
            .replace("baseline: v1", "\"baseline\": \"v1\"")
            .replace("canaries", "\"canaries\"")
            .replace("name: v2", "\"name\": \"v2\"")
            .replace("percent", "\"percent\"")
            .replace("key: request", "\"key\": \"request\"")
    );
    for (matches, expected) in [
        ("{headers: [{name: X-Gnomon-Variant, value: v2}]}", &[][..]),
        ("{headers: [{name: x-gnomon-variant, type: RegularExpression, value: 'v(2|3)'}]}", &[]),
        ("{headers: [{name: x-gnomon-variant, value: v3}]}", &["HTTPRoute fraud, rules[1] matches x-gnomon-variant: v3", lacking]),
        ("{path: {value: /}}", &[none]),
    ] {
        // More specific rules come first, whatever their order.
        let route = format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: fraud}}\nspec: {{parentRefs: [{{name: inference}}], rules: [{{}}, {{matches: [{matches}]}}]}}\n"
        );
        for (kind, manifest) in [("policy", &policy), ("plugin", &plugin), ("patch", &patch)] {
            let found = warnings([file("gateway-api", &format!("{kind}.yaml"), &format!("{manifest}{route}"))]);
            assert_warned(&found, expected, &format!("{kind} {matches}"));
        }
    }
}

/// The longer path wins, whatever the headers.
#[test]
fn a_rule_with_a_longer_path_hides_that_of_a_canary() {
    let hidden = "the route of v2 stands behind one that takes all of its requests, so v2 never answers: give both the same path";
    let of = |canary: &str, other: &str| {
        let config = "{version: 1, experiment: e, routes: [{name: r, match: {path: {prefix: /v2/models/fraud/}}, split: {baseline: v1, canaries: [{name: v2, percent: 5}], key: request}}]}";
        let rule = |name: &str, set: &str| format!("{{matches: [{{{set}}}], backendRefs: [{{name: {name}}}]}}");
        let text = format!(
            "apiVersion: a\nkind: WasmPlugin\nmetadata: {{name: gnomon}}\nspec: {{targetRefs: [{{kind: Gateway, name: own}}], {SOUND}, pluginConfig: {config}}}\n---\napiVersion: a\nkind: HTTPRoute\nmetadata: {{name: fraud}}\nspec: {{parentRefs: [{{name: own}}], rules: [{}, {}]}}\n",
            rule("two", &format!("headers: [{{name: x-gnomon-variant, value: v2}}], {canary}")),
            rule("one", other)
        );
        warnings([file("longer", "a.yaml", &text)])
    };
    for (canary, other, expected) in [
        ("path: {value: /}", "path: {value: /}", &[][..]),
        ("path: {value: /}", "path: {value: /v2/models}", &[hidden]),
        ("", "path: {value: /v2}", &[hidden]),
        ("path: {value: /v2/models/fraud}", "path: {value: /v2}", &[]),
        ("path: {value: /}", "path: {value: /v2/models/chat}", &[]),
        ("path: {value: /}", "path: {value: /v2/models}, method: GET", &[]),
        ("path: {type: RegularExpression, value: '/v[12]/.*'}", "path: {value: /v2/models}", &[]),
    ] {
        assert_warned(&of(canary, other), expected, &format!("{canary} {other}"));
    }
}

/// Whose requests a route carries is told by its parents, by its hosts, and by what the plugin is attached to.
#[test]
fn routes_of_others_do_not_count() {
    let none = "don't look at x-gnomon-variant";
    let of = |target: &str, authority: &str, route: &str| {
        let config = format!(
            "{{version: 1, experiment: e, routes: [{{name: r, match: {{{authority}}}, split: {{baseline: v1, canaries: [{{name: v2, percent: 5}}], key: request}}}}]}}"
        );
        let text = format!(
            "apiVersion: a\nkind: WasmPlugin\nmetadata: {{name: gnomon, namespace: a}}\nspec: {{{target}, {SOUND}, pluginConfig: {config}}}\n---\napiVersion: a\nkind: HTTPRoute\nmetadata: {{name: shop, namespace: a}}\nspec: {{{route}, rules: [{{backendRefs: [{{name: one}}]}}]}}\n"
        );
        warnings([file("others", "a.yaml", &text)])
    };
    let (pods, gateway) = ("selector: {matchLabels: {app: a}}, match: [{mode: CLIENT}]", "targetRefs: [{kind: Gateway, name: own}]");
    let (any, shop, fraud) = ("", "authority: {exact: shop}", "authority: {exact: fraud.example.com}");
    let service = "parentRefs: [{kind: Service, group: '', name: shop}]";
    for (target, authority, route, expected) in [
        (pods, any, service, &[][..]),
        (pods, shop, service, &[none]),
        (pods, fraud, service, &[]),
        (gateway, fraud, service, &[]),
        (gateway, any, service, &[]),
        // Of a waypoint, then.
        (gateway, shop, service, &[none]),
        ("targetRefs: [{kind: Service, name: shop}]", any, service, &[none]),
        (gateway, any, "parentRefs: [{name: own}]", &[none]),
        (gateway, any, "parentRefs: [{name: other}]", &[]),
        (gateway, fraud, "parentRefs: [{name: own}], hostnames: [shop.example.com]", &[]),
        (pods, any, "parentRefs: [{name: own}]", &[]),
        (pods, fraud, "parentRefs: [{name: own}], hostnames: [fraud.example.com]", &[none]),
    ] {
        assert_warned(&of(target, authority, route), expected, &format!("{target} {authority} {route}"));
    }
}

/// Envoy Gateway takes or drops a policy as a whole.
#[test]
fn a_policy_is_not_shared_with_another_processor() {
    let policy = |other: &str| {
        let config = "{version: 1, experiment: e, routes: []}";
        let text = format!(
            "apiVersion: a\nkind: EnvoyExtensionPolicy\nmetadata: {{name: gnomon}}\nspec: {{targetRefs: [{{}}], {other} wasm: [{{name: gnomon, config: {config}}}]}}\n"
        );
        warnings([file("policy", "a.yaml", &text)])
    };
    let shared =
        "if its image can't be fetched, Envoy Gateway drops this whole policy, spec.extProc included: give Gnomon a policy of its own";
    for (other, expected) in [("", &[][..]), ("extProc: [],", &[]), ("extProc: [{}],", &[shared])] {
        assert_warned(&policy(other), expected, other);
    }
}

#[test]
fn a_policy_names_its_image_by_digest_and_rejects_nothing() {
    let of = |invalid: &str, code: &str| {
        let config = format!("{{version: 1, on_invalid: {invalid}, experiment: e, routes: []}}");
        let text = format!(
            "apiVersion: a\nkind: EnvoyExtensionPolicy\nmetadata: {{name: gnomon}}\nspec: {{targetRefs: [{{}}], wasm: [{{name: gnomon, code: {{{code}}}, config: {config}}}]}}\n"
        );
        warnings([file("policy", "image.yaml", &text)])
    };
    let (digest, bare) = (format!("image: {{url: a/gnomon@{DIGEST}}}"), format!("sha256: {}", &DIGEST[7..]));
    let unpinned = "url has no digest";
    for (invalid, code, expected) in [
        ("pass", &*digest, &[][..]),
        ("reject", &digest, &["with on_invalid: reject"]),
        ("pass", "image: {url: a/gnomon:1}", &[unpinned]),
        ("pass", &format!("image: {{url: a/gnomon:1, {bare}}}"), &[]),
        ("pass", &format!("http: {{url: https://a/gnomon.wasm, {bare}}}"), &[]),
        ("pass", "http: {url: https://a/gnomon.wasm}", &[unpinned]),
    ] {
        assert_warned(&of(invalid, code), expected, code);
    }
}
