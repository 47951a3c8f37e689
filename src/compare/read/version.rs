//! The version of a model as an answer tells it, in the member `model_version`.

use crate::compare::part::tensor::MAX_NAME;
use crate::json::tape::Document;
use crate::json::text;

/// The text or the number that is the member `model_version` of a document; `None` if it is none, or too long.
pub fn version(document: &Document) -> Option<String> {
    let value = document.value(document.member(0, "model_version")?);
    let version =
        if value.tag.is_number() { core::str::from_utf8(value.text).ok().map(str::to_owned) } else { text::read(value, MAX_NAME) };
    version.filter(|version| version.len() <= MAX_NAME)
}
