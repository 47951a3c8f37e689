//! `warmup` of a shadow or canary.

use super::units;
use super::value::{Problems, Value};
use crate::config::Warmup;
use crate::config::raw::Node;

/// Reads a duration, or a number of pairs (answers, for a canary).
pub(super) fn warmup(value: &Value<'_>, problems: &mut Problems) -> Option<Warmup> {
    match value.node {
        Node::Text(_) => units::span(value, 1, problems).map(Warmup::Time),
        Node::Object(_) => {
            let object = value.object(&["pairs"], problems)?;
            let pairs = object.required("pairs", problems, |value, problems| units::whole(value, 1, problems))?;
            Some(Warmup::Pairs(pairs.into()))
        }
        _ => value.refuse("give a duration such as 30s, or {pairs: 100}", problems),
    }
}
