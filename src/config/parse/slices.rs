//! `slices`: the part of a request with the value that selects its slice, and the values with a slice of their own.

use super::condition::one_of;
use super::value::{Problems, Seen, Value};
use super::{header, units};
use crate::config::{Name, SliceBy, Slices};
use crate::limits::MAX_SLICE_VALUES;

/// Reads `slices` of a route.
pub(super) fn slices(value: &Value<'_>, problems: &mut Problems) -> Option<Slices> {
    let object = value.object(&["header", "body", "values"], problems)?;
    let by = one_of(value, &object, &["header", "body"], problems).and_then(|(key, place)| match key {
        "header" => header::name(&place, problems).map(SliceBy::Header),
        _ => units::one_path(&place, problems).map(SliceBy::Body),
    });
    let values = object.or("values", Vec::new(), problems, slice_values);
    Some(Slices { by: by?, values: values? })
}

fn slice_values(value: &Value<'_>, problems: &mut Problems) -> Option<Vec<Name>> {
    let mut seen = Seen::new();
    let values = value.list(problems, |item, problems| {
        let (text, name) = (item.text(problems)?, units::name(item, problems)?);
        if seen.insert(text) { Some(name) } else { item.refuse("this value is there more than once: keep one", problems) }
    });
    value.at_most(MAX_SLICE_VALUES, "values", values, problems)
}
