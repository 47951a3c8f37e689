//! Runs of the command, and the files that it is given.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A run of `gnomon check`.
pub struct Run {
    pub code: Option<i32>,
    pub lines: Vec<String>,
    pub errors: String,
}

pub fn check(files: impl IntoIterator<Item = impl AsRef<Path>>) -> Run {
    check_with(files, "")
}

/// Runs the command with files and options, and this text as its standard input.
pub fn check_with(arguments: impl IntoIterator<Item = impl AsRef<Path>>, input: &str) -> Run {
    let arguments: Vec<PathBuf> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gnomon"));
    command.arg("check").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // (A command that was called wrongly does not read it.)
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let lines = String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect();
    Run { code: status.code(), lines, errors: String::from_utf8(stderr).unwrap() }
}

pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file in the folder of examples.
pub fn example(name: &str) -> PathBuf {
    project().join("tests/data/config").join(name)
}

/// A file with `text`, in a folder of the test named `test`.
pub fn file(test: &str, name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check").join(test);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// What keeps a plugin of Istio free of warnings, whatever its configuration.
pub const SOUND: &str =
    "failStrategy: FAIL_OPEN, url: oci://a/gnomon@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub const GOOD: &str = r#"{"version": 1, "experiment": "e", "routes": []}"#;

/// The text of a file of the project with each first text replaced by the second. All of them have to be there.
pub fn edited(path: &str, changes: &[(&str, &str)]) -> String {
    replaced(text(path), changes)
}

/// The text of a file of the project.
pub fn text(path: &str) -> String {
    fs::read_to_string(project().join(path)).unwrap()
}

/// A text with each first text replaced by the second. All of them have to be there.
pub fn replaced(text: String, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "there is no {from} in: {text}");
        text.replace(from, to)
    })
}

/// What a run warns of, without file and place. There must be no problem.
pub fn warnings(files: impl IntoIterator<Item = impl AsRef<Path>>) -> Vec<String> {
    let run = check(files);
    assert_eq!(run.code, Some(0), "{:#?}", run.lines);
    run.lines.iter().filter_map(|line| line.split_once(": warning: ")).map(|(_, warning)| warning.to_owned()).collect()
}

/// Asserts that there is one warning for each of `expected`, in order, that contains it.
#[track_caller]
pub fn assert_warned(found: &[String], expected: &[&str], what: &str) {
    let same = found.len() == expected.len() && found.iter().zip(expected).all(|(line, text)| line.contains(text));
    assert!(same, "{what}: {found:#?} instead of {expected:#?}");
}
