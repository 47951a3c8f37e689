//! What a configuration costs each pod.

use std::path::{Path, PathBuf};

use crate::run::{GOOD, check, check_with, file, project};

/// What the line of the good file says of memory.
fn memory(arguments: &[&str], files: &[PathBuf]) -> String {
    let run = check(arguments.iter().map(Path::new).chain(files.iter().map(PathBuf::as_path)));
    let line = run.lines.iter().find_map(|line| line.split_once(": good: configuration ")).unwrap_or_else(|| panic!("{:?}", run.lines));
    line.1.split_once(", ").unwrap().1.to_owned()
}

#[test]
fn memory_is_told_for_each_worker_and_each_pod() {
    let good = file("resources", "good.json", GOOD);
    let small = file("resources", "small.json", &GOOD.replace("[]", r#"[], "limits": {"memory": "1MiB", "body": "64KiB"}"#));
    for (arguments, file, expected) in [
        (&[][..], &good, "57 MiB of memory per worker, 174 MiB per pod (60 MiB idle, 2 workers, assumed: give --workers)"),
        (&["--workers", "1"], &good, "57 MiB of memory per worker, 117 MiB per pod (60 MiB idle, 1 worker)"),
        (&["--workers", "8"], &good, "57 MiB of memory per worker, 516 MiB per pod (60 MiB idle, 8 workers)"),
        (&["--workers", "2"], &small, "4 MiB of memory per worker, 68 MiB per pod (60 MiB idle, 2 workers)"),
    ] {
        assert_eq!(memory(arguments, std::slice::from_ref(file)), format!("at most {expected}"));
    }
    let measured = std::fs::read_to_string(project().join("docs/copies.md")).unwrap();
    assert!(measured.contains("| memory, idle | 127 MiB; 67 without a Wasm filter,"), "the idle 60 MiB are the difference");
    for wrong in ["0", "-1", "many"] {
        let run = check(["--workers", wrong].map(PathBuf::from).iter().chain([&good]));
        assert_eq!((run.code, run.lines.len()), (Some(2), 0), "{wrong}");
    }
}

#[test]
fn workers_are_those_of_the_files() {
    let test = "resources-workers";
    let good = file(test, "good.json", GOOD);
    let annotation = |config: &str| {
        format!(
            "kind: Deployment\napiVersion: apps/v1\nmetadata: {{name: a}}\nspec: {{template: {{metadata: {{annotations: {{proxy.istio.io/config: '{config}'}}}}}}}}\n"
        )
    };
    let resource = |kind: &str, spec: &str| format!("kind: {kind}\napiVersion: a/v1\nmetadata: {{name: a}}\nspec: {{{spec}}}\n");
    for (name, text, workers) in [
        ("annotation", annotation("{concurrency: 4}"), "4 workers)"),
        ("patch", annotation("{concurrency: 5}").split_once("spec").map(|(_, spec)| format!("spec{spec}")).unwrap(), "5 workers)"),
        ("of the node", annotation("{concurrency: 0}"), "2 workers, assumed: give --workers)"),
        ("proxy config", resource("ProxyConfig", "concurrency: 3"), "3 workers)"),
        ("envoy proxy", resource("EnvoyProxy", "concurrency: 6"), "6 workers)"),
        ("mesh", "meshConfig: {defaultConfig: {concurrency: 7}}\n".to_owned(), "7 workers)"),
        ("largest", format!("{}---\n{}", annotation("{concurrency: 9}"), resource("ProxyConfig", "concurrency: 3")), "9 workers)"),
        ("another kind", resource("Rollout", "concurrency: 3"), "2 workers, assumed: give --workers)"),
    ] {
        let files = [file(test, &format!("{name}.yaml"), &text), good.clone()];
        let told = memory(&[], &files);
        assert!(told.ends_with(&format!(", {workers}")), "{name}: {told}");
        assert!(memory(&["--workers", "1"], &files).ends_with(", 1 worker)"), "{name}");
    }
}

/// (What they are on a real Envoy: `tests/e2e/test_series.py`.)
#[test]
fn series_are_counted_by_route() {
    let lines = |text: &str| {
        let run = check_with(["-", "--series"], text);
        let of = |line: &String| line.strip_prefix("standard input: series in each proxy: ").map(str::to_owned);
        run.lines.iter().filter_map(of).collect::<Vec<String>>()
    };
    let route = |name: &str, more: &str| format!(r#"{{"name": "{name}", "match": {{"path": {{"exact": "/{name}"}}}}{more}}}"#);
    let config = |routes: &[String]| format!(r#"{{"version": 1, "experiment": "e", "routes": [{}]}}"#, routes.join(", "));
    assert_eq!(lines(GOOD), ["13 of the filter itself", "13 in all"]);
    let shadow = r#", "shadows": [{"name": "s", "cluster": "c", "percent": 1}]"#;
    let labels = |names: &str| format!(r#"{shadow}, "compare": {{"task": {{"labels": {{"path": "a", "top": 1{names}}}}}}}"#);
    let two = config(&[route("b", shadow), route("a", "")]);
    assert_eq!(lines(&two), ["13 of the filter itself", "33 of route a", "108 to 124 of route b", "154 to 170 in all"]);
    // Eight answers and `other` on both sides.
    assert_eq!(lines(&config(&[route("b", &labels(""))]))[1], "109 to 205 of route b");
    // Two answers that are listed, and `other`.
    assert_eq!(lines(&config(&[route("b", &labels(r#", "names": ["x", "y"]"#))]))[1], "117 to 133 of route b");
    // Files without configurations, and bad ones, have none.
    let bad = file("resources", "bad.json", "{\"version\": 1}");
    let run = check([Path::new("--series"), &bad, &project().join("envoy/minimal.yaml")]);
    assert!(run.lines.iter().filter(|line| line.contains("series in each")).all(|line| line.contains("minimal.yaml")), "{:?}", run.lines);
}
