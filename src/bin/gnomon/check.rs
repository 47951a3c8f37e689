//! Checks files and reports a line for each problem, each warning, and each good file.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::path::{Path, PathBuf};

use gnomon::config::raw::Node;

use crate::found::Found;
use crate::{documents, gates, manifest};

/// Memory per worker, in bytes, above which there is a warning. Every worker of every proxy may need it.
const MUCH_MEMORY: usize = 64 << 20;

const NOTHING_FOUND: &str = "no Gnomon configuration in this file: give one that has a Gnomon plugin, or a bare configuration";
const NOTHING_CHECKED: &str = "warning: nothing was checked: there is no Gnomon plugin in this file";

/// The result of a check.
#[derive(Debug, Default)]
pub struct Report {
    /// The lines to print.
    pub text: String,
    /// The number of problems.
    pub problems: usize,
    /// The names of plugins, each with the place of its first occurrence.
    plugins: BTreeMap<String, String>,
}

/// Checks each of `files`, and that names of plugins are unique among all files.
pub fn check(files: &[PathBuf]) -> Report {
    let mut report = Report::default();
    for file in files {
        report.file(file);
    }
    report
}

impl Report {
    fn file(&mut self, file: &Path) {
        let documents = match std::fs::read(file) {
            Ok(text) => documents::read(&text),
            Err(error) => return self.problem(file, format_args!("this file can't be read: {error}")),
        };
        let documents = match documents {
            Ok(documents) => documents,
            Err(error) => return self.problem(file, format_args!("neither YAML nor JSON: {error}")),
        };
        let found = find(&documents);
        if found.is_empty() {
            // A file with other manifests is only warned of, because it may be checked together with those of a plugin.
            let others = !documents.is_empty() && documents.iter().all(|document| matches!(document, Node::Object(_)));
            return if others { self.line(file, NOTHING_CHECKED) } else { self.problem(file, NOTHING_FOUND) };
        }
        let before = self.problems;
        let needs: Vec<String> = found.iter().filter_map(|found| self.configuration(file, found)).map(mebibytes).collect();
        if self.problems == before {
            self.line(file, format_args!("good: at most {} of memory per worker", needs.join(" and ")));
        }
    }

    /// Reports all warnings and problems of one configuration. Returns its memory per worker in bytes if it has no problems.
    fn configuration(&mut self, file: &Path, found: &Found<'_>) -> Option<usize> {
        let place = &found.place;
        if let Some(plugin) = &found.plugin {
            let here = format!("{}: {place}", file.display());
            if let Some(first) = self.plugins.get(plugin) {
                let text = format!("{place}: warning: {plugin} is also in {first}: names of plugins must be unique in a proxy");
                self.line(file, text);
            } else {
                self.plugins.insert(plugin.clone(), here);
            }
        }
        for warning in &found.warnings {
            self.line(file, format_args!("{place}: warning: {warning}"));
        }
        match found.source.judge() {
            Ok(Ok(config)) => {
                let lacks = found.environment.iter().flat_map(|environment| environment.lacks(&config));
                for warning in lacks.chain(gates::warnings(&config)) {
                    self.line(file, format_args!("{place}: warning: {warning}"));
                }
                let need = config.worst_case_memory();
                if need > MUCH_MEMORY {
                    let need = mebibytes(need);
                    let text = format!("{place}: warning: every worker may need {need} of memory: lower limits.memory or limits.body");
                    self.line(file, text);
                }
                Some(need)
            }
            Ok(Err(refused)) => {
                refused.problems.iter().for_each(|problem| self.problem(file, format_args!("{place}: {problem}")));
                None
            }
            Err(why) => {
                self.problem(file, format_args!("{place}: configuration: {why}"));
                None
            }
        }
    }

    fn problem(&mut self, file: &Path, text: impl Display) {
        self.problems = self.problems.saturating_add(1);
        self.line(file, text);
    }

    fn line(&mut self, file: &Path, text: impl Display) {
        // Writing to a String can't fail.
        let _ = writeln!(self.text, "{}: {text}", file.display());
    }
}

/// Returns every Gnomon configuration in the documents of a file.
fn find(documents: &[Node]) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        manifest::find(document, &format!("document {}", index.saturating_add(1)), &mut found);
    }
    found
}

/// Returns `bytes` as a text in MiB, rounded up.
fn mebibytes(bytes: usize) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
