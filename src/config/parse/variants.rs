//! The variants of a route as they are written, for all that names one of them. `written` is the value of `split` or of `observe`, which may
//! have problems.

use super::units;
use super::value::{Problems, Value};

/// Returns the names of the variants, the baseline first, in the order of [`crate::config::Route::variants`]. Variants with problems are
/// included; one without a name is `None`.
pub(super) fn names<'a>(written: &Value<'a>) -> Vec<Option<&'a str>> {
    let baseline = written.child("baseline").and_then(|value| value.node.as_text());
    let others = items(written).into_iter().map(|item| item.child("name").and_then(|name| name.node.as_text()));
    // (What is observed of the baseline stands among the others.)
    let is_other = |name: &Option<&str>| !is_observed(written) || name.is_none() || *name != baseline;
    std::iter::once(baseline).chain(others.filter(is_other)).collect()
}

/// Returns every name of a variant, with its place.
pub(super) fn name_values<'a>(written: &Value<'a>) -> Vec<Value<'a>> {
    let baseline = written.child("baseline").filter(|_| !is_observed(written));
    baseline.into_iter().chain(items(written).iter().filter_map(|item| item.child("name"))).collect()
}

/// Reads the name of a variant and returns the index of that variant.
pub(super) fn variant(value: &Value<'_>, written: &Value<'_>, problems: &mut Problems) -> Option<usize> {
    let text = value.text(problems)?;
    let names = names(written);
    if let Some(index) = names.iter().position(|name| *name == Some(text)) {
        return Some(index);
    }
    value.refuse(format!("no such variant: {}", units::one_of(&mut names.into_iter().flatten())), problems)
}

fn is_observed(written: &Value<'_>) -> bool {
    written.path.ends_with(".observe")
}

/// Returns the items of the list that has the names.
fn items<'a>(written: &Value<'a>) -> Vec<Value<'a>> {
    let list = written.child(if is_observed(written) { "variants" } else { "canaries" });
    list.and_then(|list| list.items(&mut Vec::new())).unwrap_or_default()
}
