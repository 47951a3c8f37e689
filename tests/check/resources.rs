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

/// The table by which Prometheus is sized.
#[test]
fn the_page_has_the_series_of_each_part() {
    let count = |more: &str| {
        let text =
            format!(r#"{{"version": 1, "experiment": "e", "routes": [{{"name": "r", "match": {{"path": {{"exact": "/s"}}}}{more}}}]}}"#);
        let run = check_with(["-", "--series"], &text);
        let line = run.lines.iter().find_map(|line| line.strip_suffix(" of route r")).unwrap_or_else(|| panic!("{more}: {:?}", run.lines));
        let numbers = line.rsplit(": ").next().unwrap();
        let (first, most) = numbers.split_once(" to ").unwrap_or((numbers, numbers));
        [first, most].map(|number| number.parse::<usize>().unwrap())
    };
    let minus = |one: [usize; 2], two: [usize; 2]| [one[0] - two[0], (one[1] - one[0]) - (two[1] - two[0])];
    let shadow = |name: &str| format!(r#"{{"name": "{name}", "cluster": "c", "percent": 1}}"#);
    let shadows = |names: &[&str]| format!(r#", "shadows": [{}]"#, names.iter().map(|name| shadow(name)).collect::<Vec<_>>().join(", "));
    let variant = |name: &str| format!(r#"{{"name": "{name}", "percent": 1}}"#);
    let split = |names: &[&str]| {
        let canaries = names.iter().map(|name| variant(name)).collect::<Vec<_>>().join(", ");
        format!(r#", "split": {{"baseline": "v1", "key": "request", "canaries": [{canaries}]}}"#)
    };
    let seen = |names: &[&str]| {
        let variants = names.iter().map(|name| format!(r#"{{"name": "{name}", "cluster": {{"exact": "{name}"}}}}"#)).collect::<Vec<_>>();
        format!(r#", "observe": {{"baseline": "v1", "variants": [{}]}}"#, variants.join(", "))
    };
    let gate = |each: bool| format!(r#", "gates": [{{"name": "g", "of": "s", "measure": "diverged", "limit": 1, "each_slice": {each}}}]"#);
    let slices = |values: &str| format!(r#"{}, "slices": {{"header": "x", "values": [{values}]}}"#, shadows(&["s"]));
    let chat = |more: &str| format!(r#"{more}, "protocol": "openai""#);
    let (plain, one) = (count(""), count(&shadows(&["s"])));
    let in_split = minus(count(&split(&["v2", "v3"])), count(&split(&["v2"])));
    let observed = minus(count(&seen(&["v1", "v2", "v3"])), count(&seen(&["v1", "v2"])));
    let chatting = minus(count(&chat("")), plain);
    let chat_and_shadow = minus(count(&chat(&shadows(&["s"]))), one);
    let page = std::fs::read_to_string(project().join("docs/running.md")).unwrap();
    for (part, [series, more]) in [
        ("a route", minus(count(&split(&["v2"])), [2 * in_split[0]; 2])),
        ("its only variant, or each variant that is observed", observed),
        ("each variant of a split", in_split),
        ("each shadow", minus(count(&shadows(&["s", "t"])), one)),
        ("each gate", minus(count(&[shadows(&["s"]), gate(false)].concat()), one)),
        ("each further slice of a shadow", minus(count(&slices(r#""a", "b""#)), count(&slices(r#""a""#)))),
        ("each variant whose answers may be chats, on top", chatting),
        ("each shadow whose answers may be chats, on top", [chat_and_shadow[0] - chatting[0], chat_and_shadow[1] - chatting[1]]),
    ] {
        let more = if more == 0 { String::new() } else { format!("{more} ") };
        let row = format!("| {part} | {series} | {more}|");
        assert!(page.contains(&row), "the page lacks {row}");
    }
    assert_eq!(plain[0], 1 + observed[0], "without a split there is one variant");
    assert_eq!(count(&seen(&["v1", "v2"]))[0], 1 + 3 * observed[0], "an observed route has one variant more");
    let sliced = minus(count(&[slices(r#""a", "b""#), gate(true)].concat()), count(&slices(r#""a", "b""#)));
    assert_eq!(sliced[0], 3 * 9 + 2, "of each slice and of all");
}
