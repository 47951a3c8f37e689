//! From the text of a file to the documents in it.
//!
//! YAML is read as the tools that apply these files read it, `yes`, `no`, `on` and `off` as booleans: what is a text here must be a
//! text there.

use gnomon::config::raw::Node;
use serde_saphyr::{DuplicateKeyPolicy, UserMessageFormatter};

/// The documents in `text` that are not empty, in order.
///
/// # Errors
/// Why the text is neither YAML nor JSON, with line and column.
pub fn read(text: &[u8]) -> Result<Vec<Node>, String> {
    let text = std::str::from_utf8(text).map_err(|error| format!("the text is not UTF-8: {error}"))?;
    // Of a JSON file duplicate keys are told with their paths. One that JSON can't be read from may still be YAML in braces.
    if text.trim_start().starts_with('{')
        && let Ok(node) = Node::from_json(text.as_bytes())
    {
        return Ok(vec![node]);
    }
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::Error, strict_booleans: false, with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| error.render_with_formatter(&UserMessageFormatter).replace('\n', " "))
}
