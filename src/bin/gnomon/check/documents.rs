//! Reads the documents in the text of a file.
//!
//! YAML is read as by the tools that apply these files: `yes`, `no`, `on` and `off` are booleans, so that a text here is a text there too.

use gnomon::config::raw::Node;
use serde_saphyr::{DuplicateKeyPolicy, UserMessageFormatter};

/// Returns the documents in `text` that are not empty, in order.
///
/// # Errors
/// Why the text is neither YAML nor JSON, with line and column.
pub fn read(text: &[u8]) -> Result<Vec<Node>, String> {
    let text = std::str::from_utf8(text).map_err(|error| format!("the text is not UTF-8: {error}"))?;
    // JSON keeps duplicate keys, so the parser can report their paths. A text in braces that is not JSON may still be YAML.
    if text.trim_start().starts_with('{')
        && let Ok(node) = Node::from_json(text.as_bytes())
    {
        return Ok(vec![node]);
    }
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::Error, strict_booleans: false, with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| error.render_with_formatter(&UserMessageFormatter).replace('\n', " "))
}
