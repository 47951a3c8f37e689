//! The scripts that the documents name, those that can be run, and what they say about themselves.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::files;

#[test]
fn the_commands_of_the_documents_exist() {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect::<String>();
    let mut all = BTreeSet::new();
    for (path, text) in files::all().iter().filter(|(path, _)| path.ends_with(".md")) {
        for script in text.split("./scripts/").skip(1).map(|rest| name(rest).trim_end_matches('.').to_owned()) {
            assert!(is_executable(&format!("scripts/{script}")), "{path} names scripts/{script}, which can't be run");
            all.insert(script);
        }
    }
    assert!(all.len() > 7 && files::read("README.md").contains("./scripts/demo"), "the documents name only {all:?}");
}

/// A script is what starts with `#!`; the rest of the folder is sourced by them.
#[test]
fn every_script_can_be_run() {
    for (path, _) in files::all().iter().filter(|(path, text)| text.starts_with("#!") && !path.ends_with(".rs")) {
        assert!(is_executable(path), "{path} is not executable");
    }
}

/// What a script may call to say how it is called: nothing that builds, installs or downloads.
const HARMLESS: [&str; 5] = ["awk", "bash", "dirname", "env", "realpath"];

/// Runs a script from another folder, with no program but the harmless ones: its status, and what it prints in both ways.
fn run(script: &str, argument: &str) -> (Option<i32>, String, String) {
    let programs = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("harmless");
    fs::create_dir_all(&programs).unwrap();
    for name in HARMLESS {
        let mut folders = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect::<Vec<_>>().into_iter();
        let program = folders.find_map(|folder| fs::canonicalize(folder.join(name)).ok()).unwrap_or_else(|| panic!("no {name}"));
        // Tests run side by side: the other one may have made it.
        let _ = std::os::unix::fs::symlink(program, programs.join(name));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let done = Command::new(path).arg(argument).env("PATH", &programs).current_dir(&programs).output().unwrap();
    (done.status.code(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
}

/// The commands in `scripts` and `.ci`.
fn scripts() -> Vec<String> {
    let of_bash = |(path, text): (String, String)| {
        ((path.starts_with("scripts/") || path.starts_with(".ci/")) && text.starts_with("#!")).then_some(path)
    };
    let scripts: Vec<String> = files::all().into_iter().filter_map(of_bash).collect();
    assert!(scripts.len() > 8, "found only {scripts:?}");
    scripts
}

#[test]
fn every_script_tells_how_it_is_called() {
    for script in scripts() {
        for option in ["--help", "-h"] {
            let (status, told, errors) = run(&script, option);
            assert_eq!((status, &*errors), (Some(0), ""), "{script} {option}");
            let usage = told.lines().any(|line| line.strip_prefix("  ").is_some_and(|line| line.split(' ').next() == Some(&script)));
            assert!(usage, "{script} {option} has no line that shows how it is called:\n{told}");
            assert!(!told.contains("shellcheck") && !told.contains("set -euo"), "{script} {option} prints code:\n{told}");
        }
    }
}

/// `scripts/gnomon` leaves that to the command.
#[test]
fn every_script_refuses_an_option_that_it_does_not_know() {
    for script in scripts().iter().filter(|script| *script != "scripts/gnomon") {
        let (status, told, errors) = run(script, "--no-such-option");
        assert_eq!((status, &*told), (Some(2), ""), "{script}: {errors}");
        assert!(errors.contains("--no-such-option") && errors.contains("--help"), "{script} does not say what it found: {errors}");
    }
}

fn is_executable(path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o100 != 0)
}
