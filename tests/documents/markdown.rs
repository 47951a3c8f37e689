//! Parts of the documents, by their headings.

use std::path::Path;

pub const README: &str = "README.md";

/// The text of a file of the project.
pub fn text(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The text of a section of a document, or of a part of one, without its heading.
pub fn section(file: &str, title: &str) -> String {
    let document = text(file);
    for heading in ["\n## ", "\n### "] {
        if let Some((_, rest)) = document.split_once(&format!("{heading}{title}\n")) {
            return rest.split("\n## ").flat_map(|rest| rest.split(heading)).next().unwrap().to_owned();
        }
    }
    panic!("{file} has no section {title}");
}

/// The code blocks of a language in a section.
pub fn blocks(file: &str, title: &str, language: &str) -> Vec<String> {
    let text = section(file, title);
    let blocks = text.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n")).map(str::to_owned)).collect()
}
