//! The rules on Rust code, and a breach of each at the end of every file that it is for.

use crate::direction;
use crate::files::{self, Files, Finding};
use crate::project::{FILTER, Place, Project};
use crate::source::Source;

pub struct Code {
    pub project: Project,
    order: Vec<(String, usize)>,
}

struct Rule {
    what: &'static str,
    /// Whether a file has to keep it.
    applies: fn(&Code, &Source) -> bool,
    check: fn(&Code, &Source) -> Vec<Finding>,
    /// Texts each of which breaks it at the end of this file. What they declare is called `breach` or `Breach`.
    breaches: fn(&Code, &Source) -> Vec<String>,
}

const RULES: &[Rule] = &[
    Rule {
        what: "proxy_wasm and log are for src/host only",
        applies: |_, source| !in_host(source),
        check: |code, source| uses_crates(code, source, &["proxy_wasm", "log"]),
        breaches: |_, _| crate_breaches("proxy_wasm").into_iter().chain(crate_breaches("log")).collect(),
    },
    Rule {
        what: "serde is for reading configuration and for JSON at the edges",
        applies: |_, source| !in_host(source) && source.path != "src/config/raw.rs" && !source.path.starts_with("src/bin/"),
        check: |code, source| uses_crates(code, source, &["serde", "serde_json"]),
        breaches: |_, _| crate_breaches("serde").into_iter().chain(crate_breaches("serde_json")).collect(),
    },
    Rule {
        what: "the core takes the time as an argument",
        applies: |_, source| !in_host(source) && !source.path.starts_with("src/bin/"),
        check: reads_a_clock,
        breaches: |_, _| CLOCK_BREACHES.iter().map(|breach| (*breach).to_owned()).collect(),
    },
    Rule {
        what: "a module that outgrows 450 lines, without its tests, has two ideas in it",
        applies: |_, _| true,
        check: |_, source| {
            let found = Finding { path: source.path.clone(), line: source.last_line, how: format!("{} lines", source.lines) };
            if source.lines > 450 { vec![found] } else { vec![] }
        },
        breaches: |_, _| vec![format!("fn breach() {{{}}}", "\n".repeat(450))],
    },
    Rule {
        what: "the body of a function has under 60 lines",
        applies: |_, _| true,
        check: |_, source| {
            let long = source.functions.iter().filter(|function| function.lines >= 60);
            let how = |name: &str, lines: usize| format!("the body of `{name}` has {lines} lines");
            let found = |function: &crate::source::Function| Finding {
                path: source.path.clone(),
                line: function.line,
                how: how(&function.name, function.lines),
            };
            long.map(found).collect()
        },
        breaches: |_, _| {
            let long = format!("fn breach() {{{}}}", "\n".repeat(59));
            let around = ["", "impl Breach { ", "trait Breach { ", "mod breach { ", "breach! { ", "fn outer() { "];
            around.iter().map(|begin| format!("{begin}{long}{}", if begin.is_empty() { "" } else { "}" })).collect()
        },
    },
    Rule {
        what: "a module is in the file that its name says, and an imported name means one thing in it",
        applies: |_, _| true,
        check: |code, source| {
            let unclear = |(line, how): &(usize, &str)| Finding { path: source.path.clone(), line: *line, how: (*how).into() };
            let lost = code.project.lost.iter().filter(|found| found.path == source.path).cloned();
            lost.chain(source.unclear.iter().map(unclear)).collect()
        },
        breaches: |_, _| {
            let breaches = [
                "mod breach;",
                "#[path = \"limits.rs\"] mod breach;",
                "include!(\"limits.rs\");",
                "fn breach() { core::include!(\"x\") }",
                "fn breach() { use std::time as breach; } fn other() { use std::fmt as breach; }",
            ];
            breaches.map(str::to_owned).to_vec()
        },
    },
    Rule {
        what: "the reading order places every module, and src/lib.rs only declares them",
        applies: |_, source| source.path == direction::ROOT,
        check: |code, _| direction::of_root(&code.project, &code.order),
        breaches: |_, _| ["pub mod breach {}", "use engine::Engine;", "fn breach() {}"].map(str::to_owned).to_vec(),
    },
    Rule {
        what: "dependencies point one way",
        applies: |code, source| direction::next(&code.order, source).is_some(),
        check: |code, source| direction::of_source(&code.project, &code.order, source),
        breaches: |code, source| {
            let later = direction::next(&code.order, source).unwrap();
            let up = "super::".repeat(source.module.len() - 1);
            vec![
                format!("use crate::{later} as breach;"),
                format!("use crate::{{limits as _, {{self as _, {later}::{{self as breach}}}}}};"),
                format!("use {up}{later}::*;"),
                format!("pub(crate) use self::{up}{{{later}::Breach}};"),
                format!("use crate as breach; fn result() -> breach::{later}::Breach {{}}"),
                format!("fn breach() {{ crate::{later}::breach() }}"),
                format!("impl From<crate::{later}::Breach> for u8 {{}}"),
                format!("fn breach() -> bool {{ matches!(0, _ if format!(\"{{}}\", {up}{later}::BREACH).is_empty()) }}"),
                format!("macro_rules! breach {{ () => {{ use $crate::{{limits, {later}::Breach}}; }} }}"),
                format!("#[breach(crate::{later}::Breach)] struct Breach;"),
                format!("mod breach {{ mod deeper {{ use super::super::{up}{later}; }} }}"),
            ]
        },
    },
];

/// Ways to use a crate.
fn crate_breaches(name: &str) -> Vec<String> {
    let ways = [
        "use NAME::breach;",
        "use {std::fmt as _, NAME::{self as breach, Breach}};",
        "use NAME;",
        "use ::NAME::*;",
        "extern crate NAME as breach;",
        "fn breach() { ::NAME::breach(); }",
        "fn breach(_: impl NAME::Breach) -> Vec<NAME::Breach> {}",
        "fn breach() { assert!(matches!(NAME::breach!(1), _)); }",
        "fn breach() { use NAME as breach; }",
        "#[derive(Clone, NAME::Breach)] struct Breach;",
        "mod breach { mod deeper { use NAME::Breach; } }",
        "macro_rules! breach { () => { use NAME as breach; } }",
    ];
    ways.iter().map(|way| way.replace("NAME", name)).collect()
}

const CLOCK_BREACHES: &[&str] = &[
    "use std::time::Instant;",
    "use std::time::{Duration as _, SystemTime as Breach};",
    "use {std::{time::{self as breach, UNIX_EPOCH as _}}};",
    "use std::time::*;",
    "use std::*;",
    "use std::time as breach; fn now() { breach::Instant::now(); }",
    "use std::{time::{self as breach}}; fn now() -> breach::SystemTime {}",
    "use ::std as breach; struct Breach(breach::time::Instant);",
    "extern crate std as breach; use breach::time::Instant as Breach;",
    "fn breach() { std::time::SystemTime::now(); }",
    "fn breach() { println!(\"{:?}\", [std::time::Instant::now()]); }",
    "impl Breach { fn breach() -> Option<std::time::Instant> { None } }",
];

impl Code {
    pub fn read(files: &Files) -> Self {
        Self { project: Project::read(files), order: direction::reading_order(files) }
    }

    /// The files that have to keep a rule.
    fn bound(&self, rule: &Rule) -> impl Iterator<Item = &Source> {
        self.project.sources.values().filter(|source| (rule.applies)(self, source))
    }

    fn findings(&self, rule: &Rule) -> Vec<Finding> {
        self.bound(rule).flat_map(|source| (rule.check)(self, source)).collect()
    }
}

fn in_host(source: &Source) -> bool {
    source.module[0] == FILTER && source.module.get(1).is_some_and(|module| module == "host")
}

/// The paths into other crates that `forbidden` holds for.
fn outside(code: &Code, source: &Source, forbidden: impl Fn(&[String]) -> bool) -> Vec<Finding> {
    let path = |place| match place {
        Place::Outside(path) if forbidden(&path) => Some(path.join("::")),
        _ => None,
    };
    let found = |used: crate::project::Use| {
        Some(Finding { path: source.path.clone(), line: used.line, how: format!("uses `{}`", path(used.place)?) })
    };
    code.project.uses(source).into_iter().filter_map(found).collect()
}

fn uses_crates(code: &Code, source: &Source, crates: &[&str]) -> Vec<Finding> {
    outside(code, source, |path| path.first().is_some_and(|name| crates.contains(&name.as_str())))
}

fn reads_a_clock(code: &Code, source: &Source) -> Vec<Finding> {
    outside(code, source, |path| match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["std", "*"] => true,
        ["std", "time", name, ..] => !["Duration", "TryFromFloatSecsError"].contains(&name),
        _ => false,
    })
}

/// `files` with all breaches after the last line of each of them that `rule` is for.
fn broken(code: &Code, rule: &Rule, files: &Files, around: [&str; 2]) -> Files {
    let mut files = files.clone();
    for source in code.bound(rule) {
        for breach in breaches(code, rule, source) {
            files.get_mut(&source.path).unwrap().push_str(&format!("{}{breach}{}\n", around[0], around[1]));
        }
    }
    files
}

/// Numbered, so that no breach names what another one declares.
fn breaches(code: &Code, rule: &Rule, source: &Source) -> Vec<String> {
    let texts = (rule.breaches)(code, source).into_iter().enumerate();
    texts.map(|(at, text)| text.replace("breach", &format!("breach{at}")).replace("Breach", &format!("Breach{at}"))).collect()
}

#[test]
fn the_code_keeps_its_rules() {
    let code = Code::read(&files::of_src());
    let with_rule = |rule: &Rule| {
        let found = code.findings(rule).into_iter();
        found.map(|found| Finding { how: format!("{} ({})", found.how, rule.what), ..found }).collect::<Vec<_>>()
    };
    files::assert_none("rules on code", &RULES.iter().flat_map(with_rule).collect::<Vec<_>>());
    files::assert_none("every file is that of a module", &code.project.lost);
}

#[test]
fn every_rule_sees_each_breach_at_the_end_of_every_file() {
    let files = files::of_src();
    let code = Code::read(&files);
    for rule in RULES {
        let found = Code::read(&broken(&code, rule, &files, ["", ""])).findings(rule);
        for source in code.bound(rule) {
            let mut line = source.last_line;
            for breach in breaches(&code, rule, source) {
                let lines = line + 1..=line + breach.lines().count();
                let seen = found.iter().any(|found| found.path == source.path && lines.contains(&found.line));
                assert!(seen, "{}: not seen: {breach:?} ({})", source.path, rule.what);
                line = *lines.end();
            }
        }
    }
}

/// Not even if a test is the last thing in the file.
#[test]
fn no_rule_is_for_what_only_tests_see() {
    let files = files::of_src();
    let code = Code::read(&files);
    for rule in RULES {
        let today = code.findings(rule);
        let broken = broken(&code, rule, &files, ["#[cfg(test)] mod breach_tests { ", " }"]);
        let new: Vec<Finding> = Code::read(&broken).findings(rule).into_iter().filter(|found| !today.contains(found)).collect();
        files::assert_none(rule.what, &new);
    }
}

/// A test is known by its attribute. Its name says the same.
#[test]
fn what_is_no_test_by_name_is_checked() {
    let files = files::of_src();
    let code = Code::read(&files);
    let test = |path: &str| path.ends_with("/tests.rs") || path.contains("/tests/");
    for path in files.keys().filter(|path| path.ends_with(".rs")) {
        assert_eq!(code.project.sources.contains_key(path), !test(path), "{path}");
    }
}

/// In all places where a test may stand that is not a whole item, at the end of every file.
#[test]
fn parts_of_code_that_only_tests_see_are_left_out() {
    let parts = "
        struct Breach { #[cfg(test)] breach: log::Breach }
        enum Breaches { #[cfg(all(test, unix))] Breach(log::Breach) }
        impl Breach { #[cfg(test)] fn breach() { log::breach() } }
        trait Breachable { #[cfg(test)] fn breach() { log::breach() } }
        fn breach() {
            #[cfg(test)] log::breach();
            #[cfg(test)] log::breach!();
            #[cfg(test)] let _ = log::BREACH;
            breach([0, #[cfg(test)] log::BREACH], #[cfg(test)] log::BREACH);
            match 0 { #[cfg(test)] log::BREACH => 1, _ => 2 };
            Breach { #[cfg(any(test))] breach: log::BREACH };
        }
        ";
    let seen =
        "#[cfg(any(test, unix))] use log::a; #[cfg(not(test))] use log::b; #[cfg(all(unix))] use log::c; #[cfg_attr(test, x)] use log::d;";
    let rule = &RULES[0];
    for (text, expected) in [(parts, 0), (seen, 4)] {
        let mut files = files::of_src();
        let code = Code::read(&files);
        code.bound(rule).for_each(|source| files.get_mut(&source.path).unwrap().push_str(text));
        let found = Code::read(&files).findings(rule);
        for source in code.bound(rule) {
            assert_eq!(found.iter().filter(|found| found.path == source.path).count(), expected, "{}", source.path);
        }
    }
}

#[test]
fn a_file_without_a_module_is_seen() {
    let mut files = files::of_src();
    let sources = Project::read(&files).sources;
    let strays: Files = sources.keys().map(|path| (path.replace(".rs", "_stray.rs"), files[path].clone())).collect();
    files.extend(strays.clone());
    let lost: Vec<String> = Project::read(&files).lost.into_iter().map(|found| found.path).collect();
    assert_eq!(lost, strays.into_keys().collect::<Vec<_>>());
}
