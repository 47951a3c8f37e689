//! The rules on text of any kind, and a breach of each in every file that it is for.

use std::collections::BTreeSet;
use std::path::Path;

use crate::files::{self, Files, Finding};

struct Rule {
    what: &'static str,
    /// Whether a file has to keep it.
    applies: fn(path: &str, text: &str) -> bool,
    /// What breaks it: lines, and words that help to mend it.
    check: fn(path: &str, text: &str) -> Vec<(usize, String)>,
    /// What a file becomes when it breaks the rule: paths and texts.
    breaches: fn(path: &str, text: &str) -> Vec<(String, String)>,
}

const RULES: &[Rule] = &[
    Rule {
        what: "every source file starts by saying what it is",
        applies: |path, text| !text.is_empty() && first_words(path, text).is_some(),
        check: says_what_it_is,
        breaches: |path, text| {
            let (shebang, rest) = text.split_at(if text.starts_with("#!/") { text.find('\n').unwrap() + 1 } else { 0 });
            vec![(path.into(), format!("{shebang}\n{rest}"))]
        },
    },
    Rule {
        what: "names tell what is inside",
        applies: |_, _| true,
        check: telling_name,
        breaches: |path, text| {
            let ending = Path::new(path).extension().map_or(String::new(), |ending| format!(".{}", ending.to_str().unwrap()));
            let named = |name: &str| Path::new(path).with_file_name(format!("{name}{ending}")).to_str().unwrap().to_owned();
            NO_NAMES.iter().map(|name| (named(name), text.to_owned())).collect()
        },
    },
    Rule {
        what: "nothing is left for later in a comment",
        applies: |path, _| path != OWN,
        check: |_, text| containing(text, LEFTOVERS),
        breaches: |path, text| with_each(path, text, LEFTOVERS),
    },
    Rule {
        what: "no registry and no download address is written down",
        // Cargo writes the registry's name into its lock files, and modules of Go are called like addresses: neither is an address of ours.
        applies: |path, _| path != OWN && !["Cargo.lock", "go.mod", "go.sum"].iter().any(|name| path.ends_with(name)),
        check: |_, text| containing(text, DOWNLOADS),
        breaches: |path, text| with_each(path, text, DOWNLOADS),
    },
    Rule {
        what: "the project stands alone",
        applies: |path, _| path != OWN,
        check: |_, text| containing(text, FOLDERS),
        breaches: |path, text| with_each(path, text, FOLDERS),
    },
    Rule {
        what: "bash stops at the first failure",
        applies: |_, text| text.starts_with(BASH),
        check: |_, text| if text.contains(STRICT) { vec![] } else { vec![(1, "no `set -euo pipefail`".into())] },
        breaches: |path, text| vec![(path.into(), text.replace(STRICT, "\n"))],
    },
];

/// This file has to name what it forbids.
const OWN: &str = "tests/repository/text_rules.rs";

const NO_NAMES: &[&str] = &["mod", "utils", "util", "helpers", "helper", "manager", "common", "misc"];

const LEFTOVERS: &[&str] = &["TODO", "FIXME", "XXX"];

const DOWNLOADS: &[&str] = &[
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

/// Where files of somebody's machine are.
const FOLDERS: &[&str] = &["/work/", "/root/", "/home/", "/opt/"];

const BASH: &str = "#!/usr/bin/env bash";
const STRICT: &str = "\nset -euo pipefail\n";

/// What the first line of a file starts with, after that which names its interpreter; `None`: anything.
fn first_words(path: &str, text: &str) -> Option<&'static str> {
    let shell = text.starts_with(BASH) || path.ends_with(".sh");
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("rs") => Some("//! "),
        Some("py") => Some("\"\"\""),
        Some("lua") => Some("-- "),
        Some("yaml") if path.starts_with("envoy/") || path.starts_with("istio/") => Some("# "),
        _ if shell => Some("# "),
        _ if text.starts_with("#!") => Some("\"\"\""),
        _ => None,
    }
}

fn says_what_it_is(path: &str, text: &str) -> Vec<(usize, String)> {
    let expected = first_words(path, text).unwrap_or_default();
    let first = text.lines().enumerate().find(|(_, line)| !line.starts_with("#!"));
    let wrong = first.filter(|(_, line)| !line.starts_with(expected));
    wrong.map(|(at, _)| (at + 1, format!("the first line should start with `{expected}`"))).into_iter().collect()
}

fn telling_name(path: &str, _: &str) -> Vec<(usize, String)> {
    let names: BTreeSet<&str> = path.split('/').map(|part| part.split('.').next().unwrap_or(part)).collect();
    names.into_iter().filter(|name| NO_NAMES.contains(name)).map(|name| (1, format!("called `{name}`"))).collect()
}

fn containing(text: &str, needles: &[&str]) -> Vec<(usize, String)> {
    let found = |line: &str| needles.iter().find(|needle| line.contains(**needle)).copied();
    text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, format!("has `{}`", found(line)?)))).collect()
}

/// With a line at the end for each of `needles`.
fn with_each(path: &str, text: &str, needles: &[&str]) -> Vec<(String, String)> {
    let lines: String = needles.iter().map(|needle| format!("# see {needle}wheels\n")).collect();
    vec![(path.to_owned(), format!("{text}{lines}"))]
}

#[test]
fn texts_keep_their_rules() {
    let files = files::all();
    let mut findings = Vec::new();
    for rule in RULES {
        for (path, text) in files.iter().filter(|(path, text)| (rule.applies)(path, text)) {
            let found = (rule.check)(path, text).into_iter();
            findings.extend(found.map(|(line, how)| Finding { path: path.clone(), line, how: format!("{how} ({})", rule.what) }));
        }
    }
    files::assert_none("rules on text", &findings);
}

/// A line that is added breaks the rule, each of them by itself.
#[test]
fn every_rule_sees_a_breach_in_every_file() {
    let files: Files = files::all();
    for rule in RULES {
        let mut breaches = 0;
        for (path, text) in files.iter().filter(|(path, text)| (rule.applies)(path, text)) {
            for (broken_path, broken) in (rule.breaches)(path, text) {
                let added = broken.lines().count().saturating_sub(text.lines().count());
                let found = (rule.check)(&broken_path, &broken).len();
                assert!(found >= added.max(1), "seen {found} times in {broken_path}, not {added}: {}", rule.what);
                breaches += 1;
            }
        }
        assert!(breaches > 0, "{}", rule.what);
    }
}
