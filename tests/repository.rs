//! The project's own rules, checked on its files: those that neither the compiler nor clippy knows.
//!
//! A rule looks at one file at a time and says what breaks it. Each comes with a made-up breach, so that a rule that no longer sees
//! anything is noticed too. What concerns several files at once has a test of its own below.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gnomon::stats::names::TAGS;

/// A text file of the project; `path` is relative to the project's folder and has forward slashes.
struct File {
    path: String,
    text: String,
}

struct Rule {
    what: &'static str,
    /// What breaks the rule, in words that help to mend it.
    check: fn(&File) -> Vec<String>,
    /// Path and text of a file that breaks it.
    breach: (&'static str, &'static str),
}

const RULES: &[Rule] = &[
    Rule {
        what: "every source file starts by saying what it is",
        check: says_what_it_is,
        breach: ("scripts/tool", "#!/usr/bin/env bash\nset -euo pipefail\n"),
    },
    Rule {
        what: "a module that outgrows 450 lines, without its tests, has two ideas in it",
        check: small_enough,
        breach: ("src/large.rs", LARGE),
    },
    Rule { what: "names tell what is inside", check: telling_name, breach: ("src/config/utils.rs", "") },
    Rule {
        what: "proxy_wasm and log are for src/host only",
        check: host_crates_in_host_only,
        breach: ("src/engine.rs", "use proxy_wasm::hostcalls;"),
    },
    Rule {
        what: "serde is for reading configuration and for JSON at the edges",
        check: serde_where_text_is_read,
        breach: ("src/engine.rs", "#[derive(serde::Deserialize)]"),
    },
    Rule {
        what: "dependencies point one way",
        check: dependencies_point_one_way,
        breach: ("src/stats.rs", "use crate::engine::plan::Plan;"),
    },
    Rule {
        what: "the core takes the time as an argument",
        check: no_clock_in_the_core,
        breach: ("src/engine.rs", "let now = std::time::Instant::now();"),
    },
    Rule { what: "nothing is left for later in a comment", check: no_leftovers, breach: ("src/engine.rs", "// TODO: bound this") },
    Rule {
        what: "no registry and no download address is written down",
        check: no_downloads,
        breach: ("tests/e2e/requirements.txt", "--find-links wheels"),
    },
    Rule { what: "the project stands alone", check: stands_alone, breach: ("README.md", "see /work/notes") },
    Rule {
        what: "bash stops at the first failure",
        check: bash_is_strict,
        breach: ("scripts/tool", "#!/usr/bin/env bash\n# A tool.\ncd x\n"),
    },
];

/// More lines than a module may have: the lock file has them.
const LARGE: &str = include_str!("../Cargo.lock");

#[test]
fn the_project_keeps_its_rules() {
    let files = files();
    assert!(files.len() > 20, "found {} files only", files.len());
    let mut broken = Vec::new();
    for rule in RULES {
        for file in &files {
            broken.extend((rule.check)(file).into_iter().map(|how| format!("{}: {how} ({})", file.path, rule.what)));
        }
    }
    assert!(broken.is_empty(), "{} broken rules:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn every_rule_sees_its_breach() {
    for rule in RULES {
        let (path, text) = rule.breach;
        let file = File { path: path.into(), text: text.into() };
        assert!(!(rule.check)(&file).is_empty(), "not seen: {}", rule.what);
    }
}

fn says_what_it_is(file: &File) -> Vec<String> {
    let mut lines = file.text.lines().skip_while(|line| line.starts_with("#!"));
    let Some(first) = lines.next() else { return vec![] };
    let shell = file.text.starts_with("#!/usr/bin/env bash") || file.path.ends_with(".sh");
    let expected = match Path::new(&file.path).extension().and_then(|extension| extension.to_str()) {
        Some("rs") => "//! ",
        Some("py") => "\"\"\"",
        Some("lua") => "-- ",
        Some("yaml") if file.path.starts_with("envoy/") || file.path.starts_with("istio/") => "# ",
        _ if shell => "# ",
        _ if file.text.starts_with("#!") => "\"\"\"",
        _ => return vec![],
    };
    if first.starts_with(expected) { vec![] } else { vec![format!("the first line should start with `{expected}`")] }
}

fn small_enough(file: &File) -> Vec<String> {
    let lines = shipped(file).lines().count();
    if lines > 450 { vec![format!("{lines} lines")] } else { vec![] }
}

fn telling_name(file: &File) -> Vec<String> {
    let forbidden = ["mod.rs", "utils", "util", "helpers", "helper", "manager", "common", "misc"];
    let parts = file.path.split('/').flat_map(|part| [part, part.split('.').next().unwrap_or(part)]);
    let names: BTreeSet<&str> = parts.filter(|part| forbidden.contains(part)).collect();
    names.into_iter().map(|name| format!("called `{name}`")).collect()
}

fn host_crates_in_host_only(file: &File) -> Vec<String> {
    core_lines_with(file, &["proxy_wasm::", "log::"])
}

fn serde_where_text_is_read(file: &File) -> Vec<String> {
    // Configuration, strings that are written, the native binary.
    let allowed = ["src/config/raw.rs", "src/bin/"];
    if allowed.iter().any(|prefix| file.path.starts_with(prefix)) { vec![] } else { core_lines_with(file, &["serde::", "serde_json::"]) }
}

/// A module knows only those that stand before it.
const LAYERS: [&str; 18] = [
    "limits", "path", "http", "labels", "capture", "encoding", "grpc", "protobuf", "gate", "config", "json", "split", "route", "mirror",
    "compare", "stats", "engine", "host",
];

fn dependencies_point_one_way(file: &File) -> Vec<String> {
    let module = file.path.strip_prefix("src/").and_then(|path| path.split(['/', '.']).next());
    let Some(layer) = LAYERS.iter().position(|layer| Some(*layer) == module) else { return vec![] };
    let later = LAYERS.iter().skip(layer + 1).map(|later| format!("crate::{later}"));
    later.flat_map(|later| core_lines_with(file, &[&format!("{later}::"), &format!("{later};")])).collect()
}

fn no_clock_in_the_core(file: &File) -> Vec<String> {
    core_lines_with(file, &["Instant::now", "SystemTime::now"])
}

fn no_leftovers(file: &File) -> Vec<String> {
    if names_what_it_forbids(file) { vec![] } else { containing(file, &["TODO", "FIXME", "XXX"]) }
}

fn no_downloads(file: &File) -> Vec<String> {
    let hosts = [
        "crates.io",
        "pypi.org",
        "pythonhosted.org",
        "npmjs",
        "debian.org",
        "rust-lang.org",
        "rustup.rs",
        "golang.org",
        "docker.io",
        "ghcr.io",
        "quay.io",
        "githubusercontent",
        "releases/download",
        "--index-url",
        "--extra-index-url",
        "--find-links",
    ];
    // Cargo writes the registry's name, not an address of ours, into its lock files.
    if file.path.ends_with("Cargo.lock") || names_what_it_forbids(file) { vec![] } else { containing(file, &hosts) }
}

fn stands_alone(file: &File) -> Vec<String> {
    let folders = ["/work/", "/root/", "/home/", "/opt/"];
    if names_what_it_forbids(file) { vec![] } else { containing(file, &folders) }
}

fn bash_is_strict(file: &File) -> Vec<String> {
    let strict = !file.text.starts_with("#!/usr/bin/env bash") || file.text.contains("\nset -euo pipefail\n");
    if strict { vec![] } else { vec!["no `set -euo pipefail`".into()] }
}

/// The code of a module, without its tests; nothing of a file that is not of the crate.
fn shipped(file: &File) -> &str {
    let is_test = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
    if !file.path.starts_with("src/") || is_test {
        return "";
    }
    file.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
}

fn names_what_it_forbids(file: &File) -> bool {
    file.path == "tests/repository.rs"
}

fn containing(file: &File, needles: &[&str]) -> Vec<String> {
    let found = |line: &str| needles.iter().find(|needle| line.contains(**needle)).copied();
    file.text.lines().enumerate().filter_map(|(at, line)| Some(format!("line {} has `{}`", at + 1, found(line)?))).collect()
}

/// Like `containing`, but in the core's own code, not in its comments, and where a word begins (`log::` is not in `catalog::`).
fn core_lines_with(file: &File, needles: &[&str]) -> Vec<String> {
    if file.path == "src/host.rs" || file.path.starts_with("src/host/") {
        return vec![];
    }
    let begins = |line: &str, at: usize| !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
    let found = |line: &str| {
        let code = !line.trim_start().starts_with("//");
        needles.iter().find(|needle| code && line.match_indices(**needle).any(|(at, _)| begins(line, at))).copied()
    };
    shipped(file).lines().enumerate().filter_map(|(at, line)| Some(format!("line {} has `{}`", at + 1, found(line)?))).collect()
}

/// All text files of the project, without what it builds or installs.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                let made = ["target", ".git", ".tools", "__pycache__", ".pytest_cache", "node_modules"];
                if !made.iter().any(|made| name == *made) {
                    folders.push(path);
                }
            } else if let (Ok(text), false) = (fs::read_to_string(&path), name == ".git") {
                files.push(File { path: path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_tag_list_is_the_same_wherever_it_is_written() {
    let mut written_in = BTreeSet::new();
    for file in files() {
        for list in tag_lists(&file.text) {
            if let Some((folder @ ("envoy" | "istio"), _)) = file.path.split_once('/') {
                assert_eq!(list, TAGS, "in {}", file.path);
                written_in.insert(folder.to_owned());
            }
        }
    }
    assert_eq!(written_in.into_iter().collect::<Vec<_>>(), ["envoy", "istio"], "have lists of tags");
    let readme = read("README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains(&TAGS.join(" ")), "README.md has another list of tags");
}

#[test]
fn tag_lists_are_found() {
    let lists =
        "stats_tags:\n- {tag_name: route, regex: x}\n- tag_name: kind\n  regex: y\nextraStatTags: [a,\n b]\n`extraStatTags` in prose";
    assert_eq!(tag_lists(lists), [vec!["route", "kind"], vec!["a", "b"]]);
}

/// Envoy's `stats_tags` (all of a text make one list), and each `extraStatTags` of Istio's that is followed by a list in brackets.
fn tag_lists(text: &str) -> Vec<Vec<&str>> {
    let word = |text: &str| text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let envoy: Vec<&str> = text.split("tag_name: ").skip(1).map(|rest| &rest[..word(rest)]).collect();
    let istio = text.split("extraStatTags").skip(1).filter_map(|rest| {
        let list = rest.trim_start_matches(['"', ':', ' ']).strip_prefix('[')?;
        Some(list[..list.find(']')?].split(',').map(|tag| tag.trim().trim_matches('"')).collect())
    });
    [envoy].into_iter().filter(|list| !list.is_empty()).chain(istio).collect()
}

#[test]
fn clippy_bans_what_could_trap() {
    let configuration = read("clippy.toml");
    let string_getters = [
        "hostcalls::get_map",
        "hostcalls::get_map_value",
        "traits::HttpContext::get_http_request_headers",
        "traits::HttpContext::get_http_request_header",
        "traits::HttpContext::get_http_response_headers",
        "traits::HttpContext::get_http_response_header",
        "traits::Context::get_http_call_response_headers",
        "traits::Context::get_http_call_response_header",
        "traits::Context::get_property",
        "traits::Context::get_shared_data",
        "traits::RootContext::get_plugin_configuration",
    ];
    for getter in string_getters {
        assert!(configuration.contains(&format!("\"proxy_wasm::{getter}\"")), "{getter} is allowed");
    }
    let without_reason: Vec<&str> =
        configuration.lines().filter(|line| line.contains("path = ") && !line.contains("reason = \"")).collect();
    assert!(without_reason.is_empty(), "banned without a reason: {without_reason:?}");
}

/// Which context owns a callout is not the same in every version of the SDK, and the filter relies on it.
#[test]
fn the_sdk_is_pinned() {
    let pinned = read("Cargo.toml").lines().any(|line| line.starts_with("proxy-wasm = ") && line.contains("\"=0.2.5\""));
    assert!(pinned, "Cargo.toml must pin proxy-wasm to =0.2.5");
}

#[test]
fn the_commands_of_the_readme_exist() {
    let readme = read("README.md");
    let name = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect::<String>();
    let named: BTreeSet<String> = readme.split("./scripts/").skip(1).map(|rest| name(rest).trim_end_matches('.').to_owned()).collect();
    assert!(named.contains("demo") && named.contains("test"), "README.md names only {named:?}");
    for script in named {
        assert!(is_executable(&format!("scripts/{script}")), "README.md names scripts/{script}, which can't be run");
    }
}

/// A script is what starts with `#!`; the rest of the folder is sourced by them.
#[test]
fn every_script_can_be_run() {
    for file in files().iter().filter(|file| file.text.starts_with("#!") && !file.path.ends_with(".rs")) {
        assert!(is_executable(&file.path), "{} is not executable", file.path);
    }
}

fn is_executable(path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o100 != 0)
}
