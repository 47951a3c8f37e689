//! Parts of the documents, by their headings.

use std::path::Path;

/// The text of a file of the project.
pub fn text(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The code blocks of a language in a document.
pub fn blocks(file: &str, language: &str) -> Vec<String> {
    let text = format!("\n{}", text(file));
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n")).map(|block| format!("{block}\n"))).collect()
}
