//! The slices of a route's traffic. Each slice has counters of its own, and gates of its own where a gate has `each_slice`.

use crate::config::{Name, SliceBy, Slices};
use crate::http::Request;

/// Returns the slice of `request` by its headers, as an index into [`names`]. If slices are by a value of the body, the slice is `other`;
/// it is read later, when a copy is made (see [`crate::mirror::body::Shaping::slice`]).
pub fn by_headers(slices: Option<&Slices>, request: &Request) -> usize {
    slices.map_or(0, |slices| {
        let value = match &slices.by {
            SliceBy::Header(header) => request.header(header),
            SliceBy::Body(_) => None,
        };
        slices.values.iter().position(|name| value == Some(name.as_bytes())).unwrap_or(slices.values.len())
    })
}

/// Returns the names of all slices: `all` if none are configured, otherwise the configured values and `other`.
pub fn names(slices: Option<&Slices>) -> Vec<Name> {
    match slices {
        Some(slices) => slices.values.iter().cloned().chain([Name::from("other")]).collect(),
        None => vec![Name::from("all")],
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::http::fields;

    #[test]
    fn a_slice_is_a_configured_value_or_other() {
        let slices = Slices { by: SliceBy::Header(Rc::from("x-region")), values: vec!["eu".into(), "us".into()] };
        let all = names(Some(&slices));
        for (headers, expected) in [
            (vec![("x-region", "eu")], "eu"),
            (vec![("x-region", "us"), ("x-region", "eu")], "us"),
            (vec![("x-region", "EU")], "other"),
            (vec![("x-region", "")], "other"),
            (vec![], "other"),
        ] {
            assert_eq!(&*all[by_headers(Some(&slices), &Request::new(&fields(&headers)))], expected, "{headers:?}");
        }
        let all = names(None);
        assert_eq!((all.len(), &*all[by_headers(None, &Request::new(&[]))]), (1, "all"));
    }
}
