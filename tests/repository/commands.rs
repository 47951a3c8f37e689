//! The scripts that the README names, and those that can be run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::files;

#[test]
fn the_commands_of_the_readme_exist() {
    let readme = files::read("README.md");
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
    for (path, _) in files::all().iter().filter(|(path, text)| text.starts_with("#!") && !path.ends_with(".rs")) {
        assert!(is_executable(path), "{path} is not executable");
    }
}

fn is_executable(path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o100 != 0)
}
