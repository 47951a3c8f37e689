//! Warnings of several plugins in one proxy.

use crate::run::{SOUND, assert_warned, edited, file, project, warnings};

const UNIQUE: &str = "names of plugins must be unique in a proxy";
const TWICE: &str = "take the same requests in the same proxy, which are counted and copied twice";
const REMOVED: &str = "has the split header x-v, too: each plugin removes it from every request";

/// A filter of Envoy with this configuration.
fn filter(name: &str, config: &str) -> String {
    format!(
        "{{name: {name}, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {{name: {name}, failure_policy: FAIL_RELOAD, configuration: {{\"@type\": google.protobuf.StringValue, value: '{config}'}}}}}}}}"
    )
}

/// A configuration with a route for paths below this one.
fn config(path: &str, what: &str) -> String {
    format!(r#"{{"version": 1, "experiment": "e", "routes": [{{"name": "r", "match": {{"path": {{"prefix": "{path}"}}}}, {what}}}]}}"#)
}

const SPLIT: &str = r#""split": {"header": "x-v", "baseline": "v1", "canaries": [{"name": "v2", "percent": 0}], "key": "request"}"#;
const COPY: &str = r#""shadows": [{"name": "s", "cluster": "outbound|80||a.example.com", "percent": 1}]"#;

#[test]
fn a_name_belongs_to_one_plugin_of_a_proxy() {
    let test = "names";
    let (same, other) = (filter("gnomon", &config("/a", COPY)), filter("gnomon", &config("/b", COPY)));
    let listeners = |one: &str, two: &str| {
        let listener = |filter: &str| format!("{{filter_chains: [{{http_filters: [{filter}]}}]}}");
        let text = format!("resources: [{}, {}]\n", listener(one), listener(two));
        file(test, "listeners.yaml", &text)
    };
    assert_warned(&warnings([listeners(&same, &same)]), &[], "one filter in two listeners");
    assert_warned(&warnings([listeners(&same, &other)]), &[UNIQUE], "two");
    let apart = [("a.yaml", &same), ("b.yaml", &other)].map(|(name, filter)| file(test, name, &format!("resources: [{filter}]\n")));
    assert_warned(&warnings(apart), &[], "perhaps of two proxies");
    let examples = ["canary", "chat", "edge", "minimal", "shadow"].map(|name| project().join(format!("envoy/{name}.yaml")));
    assert_warned(&warnings(examples), &[], "two bootstraps");
    let own = edited("envoy/dynamic-gnomon.yaml", &[("fraud-2026-11", "fraud-2026-12")]);
    let pushed = [project().join("envoy/dynamic-gnomon.yaml"), file(test, "own.yaml", &own), project().join("envoy/dynamic.yaml")];
    assert_warned(&warnings(pushed), &[UNIQUE], "one bootstrap, two files");
}

#[test]
fn two_filters_of_a_chain_take_different_requests() {
    for (one, two, expected) in [
        (config("/a", COPY), config("/b", COPY), &[][..]),
        (config("/a", COPY), config("/a/b", COPY), &[TWICE]),
        (config("/a", COPY), config("/a", SPLIT), &[]),
        (config("/a", SPLIT), config("/a", SPLIT), &[TWICE]),
        (config("/a", SPLIT), config("/b", SPLIT), &[REMOVED]),
        (config("/a", SPLIT), config("/b", &SPLIT.replace("x-v", "x-w")), &[]),
        (config("/a", COPY), config("/a", COPY).replace(r#""match": {"#, r#""match": {"authority": {"exact": "a"}, "#), &[TWICE]),
        (config("/a", COPY), config("/a", COPY).replace(r#""match": {"#, r#""match": {"methods": ["PUT"], "#), &[]),
    ] {
        let text = format!("resources: [{{http_filters: [{}, {}]}}]\n", filter("one", &one), filter("two", &two));
        assert_warned(&warnings([file("chain", "a.yaml", &text)]), expected, &format!("{one} {two}"));
    }
    let (one, two) = (filter("one", &config("/a", COPY)), filter("two", &config("/a", COPY)));
    for two in [
        two.replace("{name: two, typed", "{name: two, disabled: true, typed"),
        format!("{{name: chosen, typed_config: {{extension_config: {two}}}}}"),
    ] {
        let text = format!("resources: [{{http_filters: [{one}, {two}]}}]\n");
        assert_warned(&warnings([file("chain", "some.yaml", &text)]), &[], &two);
    }
}

#[test]
fn two_plugins_of_istio_take_different_requests() {
    let plugin = |name: &str, place: &str, space: &str| {
        format!(
            "apiVersion: a\nkind: WasmPlugin\nmetadata: {{name: {name}, namespace: {space}}}\nspec: {{{place}, {SOUND}, pluginConfig: {}}}\n",
            config("/a", COPY)
        )
    };
    let gateway = "selector: {matchLabels: {istio: gateway}}, match: [{mode: CLIENT}]";
    for (place, space, expected) in [
        (gateway, "a", &[TWICE][..]),
        (gateway, "b", &[]),
        ("selector: {matchLabels: {istio: other}}, match: [{mode: CLIENT}]", "a", &[]),
        ("selector: {matchLabels: {istio: gateway}}, match: [{mode: SERVER}]", "a", &[]),
        ("selector: {matchLabels: {istio: gateway}}, match: [{mode: CLIENT, ports: [{number: 80}]}]", "a", &[TWICE]),
        ("targetRefs: [{kind: Gateway, name: a}]", "a", &[]),
    ] {
        let text = format!("{}---\n{}", plugin("one", gateway, "a"), plugin("two", place, space));
        assert_warned(&warnings([file("mesh", "a.yaml", &text)]), expected, place);
    }
    let same = format!("{0}---\n{0}", plugin("one", gateway, "a"));
    assert_warned(&warnings([file("mesh", "same.yaml", &same)]), &[UNIQUE], "one resource twice");
}
