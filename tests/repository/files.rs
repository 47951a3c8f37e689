//! The text files of the project, and how a broken rule is told.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

/// Texts by path. A path is relative to the project's folder and has forward slashes.
pub type Files = BTreeMap<String, String>;

/// What breaks a rule, and where.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// In words that help to mend it.
    pub how: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.how)
    }
}

/// All text files of the project, without what it builds or installs.
pub fn all() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Files::new();
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
                files.insert(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"), text);
            }
        }
    }
    assert!(files.len() > 20, "found {} files only", files.len());
    files
}

/// The files of `src`.
pub fn of_src() -> Files {
    all().into_iter().filter(|(path, _)| path.starts_with("src/")).collect()
}

pub fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with all that is in `findings`.
pub fn assert_none(what: &str, findings: &[Finding]) {
    let list: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(list.is_empty(), "{what}: {} findings:\n{}", list.len(), list.join("\n"));
}
