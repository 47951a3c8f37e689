//! Warnings of variables that a VM lacks.

use crate::run::{SOUND, check, file};

/// A header that is taken from the environment needs a VM that is given the variable.
#[test]
fn a_variable_that_the_vm_is_not_given_is_told() {
    let test = "environment";
    let shadow = r#"{"name": "s", "cluster": "outbound|80||a.example", "percent": 1, "request": {"headers": {"from_env": {"authorization": "AUTH", "x-key": "KEY"}}}}"#;
    let config = format!(r#"{{"version": 1, "experiment": "e", "routes": [{{"name": "r", "shadows": [{shadow}]}}]}}"#);
    let istio = |vm: &str| {
        format!(
            "apiVersion: a\nkind: WasmPlugin\nmetadata: {{name: gnomon}}\nspec: {{targetRefs: [{{}}], {SOUND}, vmConfig: {vm}, pluginConfig: {config}}}\n"
        )
    };
    let extension = format!(
        "apiVersion: a\nkind: TrafficExtension\nmetadata: {{name: gnomon}}\nspec: {{targetRefs: [{{}}], wasm: {{{SOUND}, vmConfig: {{env: [{{name: KEY}}]}}, pluginConfig: {config}}}}}\n"
    );
    let gateway = format!(
        "apiVersion: a\nkind: EnvoyExtensionPolicy\nmetadata: {{name: gnomon}}\nspec: {{targetRefs: [{{}}], wasm: [{{env: {{hostKeys: [KEY]}}, config: {config}}}]}}\n"
    );
    let envoy = |vm: &str| {
        format!(
            "\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\nconfig:\n  name: gnomon\n  failure_policy: FAIL_RELOAD\n  {vm}\n  configuration: {{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: '{config}'}}\n"
        )
    };
    for (name, text, lacking, key) in [
        ("bare.yaml", config.clone(), &[][..], ""),
        ("none.yaml", istio("{}"), &["authorization from AUTH", "x-key from KEY"], "vmConfig.env"),
        ("one.yaml", istio("{env: [{name: KEY, valueFrom: HOST}, {value: AUTH}]}"), &["authorization from AUTH"], "vmConfig.env"),
        ("both.yaml", istio("{env: [{name: KEY, value: a}, {name: AUTH, valueFrom: HOST}]}"), &[], ""),
        ("extension.yaml", extension, &["authorization from AUTH"], "vmConfig.env"),
        ("gateway.yaml", gateway, &["authorization from AUTH"], "env.hostKeys"),
        (
            "envoy.yaml",
            envoy("vm_config: {environment_variables: {host_env_keys: [AUTH]}}"),
            &["x-key from KEY"],
            "vm_config.environment_variables",
        ),
        ("camel.yaml", envoy("vmConfig: {environmentVariables: {hostEnvKeys: [AUTH], keyValues: {KEY: a}}}"), &[], ""),
    ] {
        let run = check([file(test, name, &text)]);
        assert_eq!((run.code, run.lines.len()), (Some(0), lacking.len() + 1), "{name}: {:#?}", run.lines);
        for (line, lack) in run.lines.iter().zip(lacking) {
            let expected = format!("warning: copies for s take {lack}, which their VM does not get: add it to {key}");
            assert!(line.ends_with(&expected), "{name}: {line}");
        }
    }
}
