//! What the documents say of rules and alerts.

use std::collections::BTreeSet;
use std::path::Path;

use super::promtool::rules;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).expect("a page")
}

/// What follows these words at the beginning of a line of the rules.
fn named(what: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(rules()).expect("the rules");
    text.lines().filter_map(|line| line.trim().strip_prefix(what)).map(str::to_owned).collect()
}

#[test]
fn each_alert_has_its_place_and_no_other_has_one() {
    let headings = page("alerts.md").lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
    assert_eq!(named("- alert: "), headings);
}

#[test]
fn the_pages_name_only_records_that_there_are() {
    let records = named("- record: ");
    let mut seen = BTreeSet::new();
    for name in
        ["rules.md", "alerts.md", "monitoring.md", "deciding.md", "gates.md", "statistics.md", "troubleshooting.md", "observed-split.md"]
    {
        let text = page(name);
        for (at, _) in text.match_indices("gnomon:") {
            let end = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c)).unwrap_or(text.len() - at);
            let record = &text[at..at + end];
            // (One that ends so is continued by dots; behind a host comes a port.)
            if record.split(':').nth(1).is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
                continue;
            }
            assert!(record.ends_with(':') || records.contains(record), "{name} names {record}");
            seen.insert(record.to_owned());
        }
    }
    assert!(seen.len() > 15, "{seen:?}");
}
