//! The list of tags is the same wherever it is written.

use std::collections::BTreeSet;

use gnomon::stats::names::TAGS;

use crate::files;

#[test]
fn the_tag_list_is_the_same_wherever_it_is_written() {
    let mut written_in = BTreeSet::new();
    for (path, text) in files::all() {
        for list in tag_lists(&text) {
            if let Some((folder @ ("envoy" | "istio"), _)) = path.split_once('/') {
                assert_eq!(list, TAGS, "in {path}");
                written_in.insert(folder.to_owned());
            }
        }
    }
    assert_eq!(written_in.into_iter().collect::<Vec<_>>(), ["envoy", "istio"], "have lists of tags");
    let page = files::read("docs/statistics.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains(&TAGS.join(" ")), "docs/statistics.md has another list of tags");
}

#[test]
fn tag_lists_are_found() {
    let lists =
        "stats_tags:\n- {tag_name: route, regex: x}\n- tag_name: kind\n  regex: y\nextraStatTags: [a,\n b]\n`extraStatTags` in prose";
    assert_eq!(tag_lists(lists), [vec!["route", "kind"], vec!["a", "b"]]);
}

/// Envoy's `stats_tags` (all of a text make one list), and each `extraStatTags` of Istio's that is followed by a list in brackets.
fn tag_lists(text: &str) -> Vec<Vec<&str>> {
    let word = |text: &str| text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let envoy: Vec<&str> = text.split("tag_name: ").skip(1).map(|rest| &rest[..word(rest)]).collect();
    let istio = text.split("extraStatTags").skip(1).filter_map(|rest| {
        let list = rest.trim_start_matches(['"', ':', ' ']).strip_prefix('[')?;
        Some(list[..list.find(']')?].split(',').map(|tag| tag.trim().trim_matches('"')).collect())
    });
    [envoy].into_iter().filter(|list| !list.is_empty()).chain(istio).collect()
}
