//! The contract of statistics, `tests/data/statistics.json`, as the tests in Rust read it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

/// One statistic of the contract.
#[derive(Debug)]
pub struct Statistic {
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// In the order in which the name of a series has them.
    pub labels: Vec<String>,
    /// All values of each label that has no others.
    pub words: BTreeMap<String, BTreeSet<String>>,
    /// What it counts or shows, in one line.
    pub meaning: String,
}

/// All statistics.
pub static CONTRACT: LazyLock<Vec<Statistic>> = LazyLock::new(|| {
    let contract: Value = serde_json::from_str(include_str!("../data/statistics.json")).unwrap();
    contract["statistics"].as_array().unwrap().iter().map(statistic).collect()
});

fn statistic(entry: &Value) -> Statistic {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("not a text in {entry}: {value}")).to_owned();
    let texts = |value: &Value| -> Vec<String> { value.as_array().unwrap().iter().map(text).collect() };
    let words = entry["words"].as_object().into_iter().flatten();
    let statistic = Statistic {
        name: text(&entry["name"]),
        kind: text(&entry["type"]),
        labels: texts(&entry["labels"]),
        words: words.map(|(label, words)| (label.clone(), texts(words).into_iter().collect())).collect(),
        meaning: text(&entry["meaning"]),
    };
    let strange = statistic.words.keys().find(|label| !statistic.labels.contains(label));
    assert_eq!(strange, None, "{} has words of a label that it has not", statistic.name);
    statistic
}
