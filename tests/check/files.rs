//! Every kind of file; what is found in it, and how the command ends.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::run::{GOOD, SOUND, check, example, file, project};

#[test]
fn a_good_file_of_each_kind_gets_one_line() {
    for name in [
        "bare.yaml",
        "bare.json",
        "wasm-plugin.yaml",
        "traffic-extension.yaml",
        "envoy-extension-policy.yaml",
        "envoy-filter.yaml",
        "bootstrap.yaml",
        "listener.json",
        "extension-config.yaml",
        "list.yaml",
    ] {
        let run = check([example(name)]);
        assert_eq!((run.code, run.lines.len()), (Some(0), 1), "{name}: {:#?}", run.lines);
        assert!(
            run.lines[0].contains("MiB of memory per worker, ") && run.lines[0].contains(&format!("{name}: good: ")),
            "{:?}",
            run.lines
        );
    }
}

#[test]
fn a_bad_file_of_each_kind_is_told_by_place_path_value_and_hint() {
    for (name, place) in [
        ("bare.yaml", "document 1"),
        ("bare.json", "document 1"),
        ("wasm-plugin.yaml", "document 2, WasmPlugin ml/gnomon"),
        ("traffic-extension.yaml", "document 1, TrafficExtension ml/gnomon"),
        ("envoy-extension-policy.yaml", "document 1, EnvoyExtensionPolicy gnomon, wasm[1]"),
        ("envoy-filter.yaml", "document 1, EnvoyFilter ml/shadows, filter gnomon"),
        ("bootstrap.yaml", "document 1, filter gnomon"),
        ("listener.json", "document 1, filter gnomon"),
        ("extension-config.yaml", "document 1, filter gnomon"),
        ("list.yaml", "document 1, WasmPlugin ml/gnomon"),
    ] {
        let text = fs::read_to_string(example(name)).unwrap();
        assert!(text.contains("fraud-2026-11"), "{name}");
        let bad = file("bad", name, &text.replace("fraud-2026-11", "Fraud_2026"));
        let run = check([&bad]);
        let hint = "give a name of 1 to 32 lower-case letters, digits and hyphens, with no hyphen at either end";
        let expected = format!("{}: {place}: experiment: found \"Fraud_2026\": {hint}", bad.display());
        assert_eq!((run.code, run.lines), (Some(1), vec![expected]));
    }
}

#[test]
fn what_can_not_be_read_is_a_problem_with_its_place() {
    let test = "unreadable";
    for (path, expected) in [
        (file(test, "bracket.yaml", "a: 1\nb: [\n"), "line 2, column 4"),
        (file(test, "twice.yaml", "version: 1\nexperiment: e\nversion: 1\n"), "line 3, column 1"),
        (file(test, "brace.json", "{\"version\": 1,\n"), "line 1, column 1"),
        (file(test, "tab.yaml", "a:\n\tb: 1\n"), "line 2"),
        (file(test, "bomb.yaml", &format!("a: &a {}\nb: *a\n", "[".repeat(5_000))), "neither YAML nor JSON"),
        (project().join("no/such/file.yaml"), "can't be read"),
        (project().to_owned(), "can't be read"),
    ] {
        let run = check([&path]);
        assert_eq!((run.code, run.lines.len()), (Some(1), 1), "{:?}", run.lines);
        assert!(run.lines[0].starts_with(&format!("{}: ", path.display())), "{:?}", run.lines);
        assert!(run.lines[0].contains(expected), "{:?}", run.lines);
    }
    let latin = file(test, "latin.yaml", "");
    fs::write(&latin, b"experiment: \xe9\n").unwrap();
    assert_eq!(check([latin]).code, Some(1));
}

#[test]
fn a_file_without_a_configuration_is_told() {
    let test = "nothing";
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: fraud}\n";
    let other = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: auth}\nspec: {url: oci://a/auth, pluginConfig: {a: 1}}\n";
    let discovery = "static_resources:\n  listeners: [{name: a, config_discovery: {}}]\n";
    for (name, text) in [("empty.yaml", ""), ("comment.yaml", "# nothing\n---\n"), ("list.yaml", "[]"), ("text.yaml", "hello")] {
        let run = check([file(test, name, text)]);
        assert_eq!(run.code, Some(1), "{name}: {:?}", run.lines);
        assert!(run.lines[0].contains("no Gnomon configuration in this file"), "{name}: {:?}", run.lines);
    }
    for (name, text) in [("service.yaml", service), ("other.yaml", other), ("discovery.yaml", discovery)] {
        let run = check([file(test, name, text)]);
        assert_eq!((run.code, run.lines.len()), (Some(0), 1), "{name}: {:?}", run.lines);
        assert!(run.lines[0].contains("warning: nothing was checked"), "{name}: {:?}", run.lines);
    }
    // Beside one with a configuration such a file has its use.
    let run = check([file(test, "good.json", GOOD), file(test, "service.yaml", service)]);
    assert_eq!((run.code, run.lines.len()), (Some(0), 2), "{:?}", run.lines);
    assert!(run.lines[1].ends_with("no Gnomon plugin in this file: it was read for the others"), "{:?}", run.lines);
    let structured = fs::read_to_string(example("extension-config.yaml")).unwrap().replace("StringValue", "Struct");
    let run = check([file(test, "struct.yaml", &structured)]);
    assert_eq!((run.code, run.lines.len()), (Some(1), 1), "{:?}", run.lines);
    assert!(run.lines[0].contains("write it as google.protobuf.StringValue"), "{:?}", run.lines);
    // A Gnomon plugin without a configuration is one with an empty configuration.
    let plugin = format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: a}}\nspec: {{{SOUND}, targetRefs: [{{}}]}}\n"
    );
    let run = check([file(test, "plugin.yaml", &plugin)]);
    assert_eq!((run.code, run.lines.len()), (Some(1), 1));
    assert!(run.lines[0].contains("document 1, WasmPlugin a: $: found nothing"), "{:?}", run.lines);
}

/// YAML 1.1, which kubectl and Envoy read, takes these for booleans.
#[test]
fn a_country_is_no_boolean() {
    let text = "version: 1\nexperiment: e\nroutes: [{name: a, slices: {header: x, values: [se, no]}}]\n";
    let run = check([file("country", "a.yaml", text)]);
    assert_eq!(run.code, Some(1));
    assert!(run.lines[0].contains("routes[0].slices.values[1]: found false: give a text: put it in quotes"), "{:?}", run.lines);
}

#[test]
fn warnings_do_not_fail() {
    let test = "warnings";
    let plugin = |name: &str, spec: &str| {
        format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: {name}}}\nspec: {{{spec}, {SOUND}, pluginConfig: {GOOD}}}\n"
        )
    };
    for (name, spec, warned) in [
        ("none", "phase: STATS", true),
        ("empty", "match: []", true),
        ("ports", "match: [{mode: CLIENT}, {ports: [{number: 80}]}]", true),
        ("both", "match: [{mode: CLIENT_AND_SERVER}]", true),
        ("client", "match: [{mode: CLIENT}]", false),
        ("target", "targetRefs: [{name: a}]", false),
    ] {
        let run = check([file(test, &format!("{name}.yaml"), &plugin(name, spec))]);
        assert_eq!(run.code, Some(0), "{name}: {:?}", run.lines);
        assert_eq!(run.lines[0].contains("warning: without spec.targetRefs"), warned, "{name}: {:?}", run.lines);
        assert!(run.lines.last().unwrap().contains("good"), "{name}");
    }

    let one = file(test, "one.yaml", &plugin("same", "match: [{mode: CLIENT}]"));
    let two = file(test, "two.yaml", &plugin("same", "match: [{mode: SERVER}]"));
    let run = check([&one, &two]);
    assert_eq!((run.code, run.lines.len()), (Some(0), 3), "{:?}", run.lines);
    assert!(run.lines[1].contains(&format!("warning: plugin same is also in {}", one.display())), "{:?}", run.lines);

    let large = file(test, "large.yaml", "version: 1\nexperiment: e\nroutes: []\nlimits: {memory: 256MiB}\n");
    let run = check([large]);
    assert_eq!((run.code, run.lines.len()), (Some(0), 2), "{:?}", run.lines);
    assert!(run.lines[0].contains("warning: every worker may need 537 MiB"), "{:?}", run.lines);
}

#[test]
fn two_hundred_problems_are_two_hundred_lines() {
    let shadows: Vec<String> = (0..100).map(|i| format!("{{name: s{i}, cluster: c, percent: 101, timeout: 0s}}")).collect();
    let text = format!("version: 1\nexperiment: e\nroutes:\n- name: a\n  shadows: [{}]\n", shadows.join(", "));
    let run = check([file("many", "many.yaml", &text)]);
    assert_eq!((run.code, run.lines.len()), (Some(1), 200));
    assert!(run.lines.iter().all(|line| line.contains("many.yaml: document 1: routes[0].shadows[")));
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let test = "several";
    let (bad, good) = (file(test, "bad.yaml", "experiment: e\n"), file(test, "good.json", GOOD));
    let run = check([&bad, &good, &bad]);
    assert_eq!((run.code, run.lines.len()), (Some(1), 5), "{:?}", run.lines);
    assert!(run.lines[2].contains("good.json: good"));
}

#[test]
fn wrong_usage_exits_2() {
    let run = check([] as [&str; 0]);
    assert_eq!((run.code, run.lines.len()), (Some(2), 0));
    assert!(run.errors.contains("Usage: gnomon check <FILE>..."), "{}", run.errors);
    for arguments in [&["chek", "a"][..], &["check", "--strict", "a"], &[]] {
        let run = Command::new(env!("CARGO_BIN_EXE_gnomon")).args(arguments).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
    }
}

/// Every file of these folders that has a configuration is good; none that looks as if it had one goes unchecked. (The overlays of `istio/` need
/// kustomize: `tests/e2e/test_manifests.py`.)
#[test]
fn every_file_of_the_project_is_good() {
    let folders = ["envoy", "istio/base"].map(|folder| project().join(folder));
    for folder in folders.iter().filter(|folder| folder.exists()) {
        let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        let files = files.into_iter().filter(|file| matches!(file.extension().and_then(|name| name.to_str()), Some("yaml" | "json")));
        let mut checked = 0;
        for path in files {
            let text = fs::read_to_string(&path).unwrap();
            // Everybody has to replace the digest of zeros.
            let name = path.file_name().unwrap().to_str().unwrap();
            let run = check([file("project", name, &text.replace(&"0".repeat(64), &"1".repeat(64)))]);
            if text
                .lines()
                .any(|line| ["pluginConfig:", "configuration:", "experiment:"].iter().any(|key| line.trim_start().starts_with(key)))
            {
                assert_eq!((run.code, run.lines.len()), (Some(0), 1), "{:#?}", run.lines);
                checked += 1;
            } else {
                assert_eq!(run.lines.len(), 1, "{:#?}", run.lines);
                assert!(run.lines[0].contains("nothing was checked"), "{:#?}", run.lines);
            }
        }
        assert!(checked > 0, "no configuration in {}", folder.display());
    }
}

/// By its hash one sees at a proxy which file it runs: in Istio's YAML, in a StringValue, with other spellings.
#[test]
fn a_configuration_has_one_hash_wherever_it_stands() {
    let json = r#"{"version": 1, "experiment": "e", "routes": [{"name": "r", "owner": "team \u00223\u0022", "shadows": [{"name": "s", "cluster": "c", "percent": 12.5}], "compare": {"relative": 1e-3}}]}"#;
    let yaml = "routes:\n- {shadows: [{percent: 12.50, cluster: c, name: s}], compare: {relative: 0.001}, owner: 'team \"3\"', name: r}\nexperiment: e\nversion: 1.0\n";
    let plugin = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: gnomon}\nspec:\n  pluginConfig:\n    ";
    let hash = |name: &str, text: &str| {
        let run = check([file("hash", name, text)]);
        let good = run.lines.iter().find_map(|line| line.split_once(": good: configuration ")).unwrap_or_else(|| panic!("{:?}", run.lines));
        good.1.split_once(',').unwrap().0.to_owned()
    };
    let expected = hash("a.json", json);
    assert!(expected.len() == 8 && expected.bytes().all(|byte| byte.is_ascii_hexdigit()), "{expected}");
    assert_eq!(hash("a.yaml", yaml), expected);
    assert_eq!(hash("plugin.yaml", &[plugin, &yaml.trim_end().replace('\n', "\n    ")].concat()), expected);
    assert_ne!(hash("b.yaml", &yaml.replace("12.50", "12.51")), expected);
}

/// From any folder, with paths relative to that folder.
#[test]
#[cfg(unix)]
fn the_script_runs_the_command_in_any_folder() {
    let path = file("script", "good.json", GOOD);
    let run = |arguments: &[&str]| {
        let script = project().join("scripts/gnomon");
        let run = Command::new(script).args(arguments).current_dir(path.parent().unwrap()).output().unwrap();
        (run.status.code(), String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap())
    };
    let (code, out, errors) = run(&["check", "good.json"]);
    assert!(
        code == Some(0) && out.starts_with("good.json: good: configuration d9e822de, at most 57 MiB of memory per worker"),
        "{out}{errors}"
    );
    let (code, out, errors) = run(&["check", "good.json", "missing.json"]);
    assert!(code == Some(1) && out.contains("missing.json: this file can't be read"), "{out}{errors}");
    let (code, _, errors) = run(&["check", "--strict"]);
    assert!(code == Some(2) && errors.contains("'--strict'") && errors.contains("--help"), "{errors}");
    let (code, out, errors) = run(&["check", "--help"]);
    assert!(code == Some(0) && out.contains("Exits 1 if there is any problem"), "the command's own help: {out}{errors}");
}
