//! The contract of statistics, `tests/data/statistics.json`, held against the core: in both the same statistics, types, labels and words.

use std::collections::BTreeSet;

use gnomon::compare::Kind;
use gnomon::config::parse::parse;
use gnomon::engine::plan::Plan;
use gnomon::labels::{Anomaly, Class, End, Label, Line, Outcome, ShadowClass, Token, Verdict};
use gnomon::split::Reason;
use gnomon::stats::memory::Memory;
use gnomon::stats::names::TAGS;
use gnomon::stats::{Applied, WorkerSeries};
use serde_json::Value;

use contract::CONTRACT;
use series::{Series, absent, incomplete};

#[path = "statistics/contract.rs"]
mod contract;
#[path = "statistics/series.rs"]
mod series;

/// A configuration with every statistic.
const COMPLETE: &str = include_str!("data/statistics-complete.json");

#[test]
fn a_complete_configuration_defines_the_contract() {
    let mut host = Memory::default();
    let worker = WorkerSeries::define(&mut host);
    worker.show("p", Applied::Accepted, &mut host);
    Plan::new(1, parse(COMPLETE.as_bytes()).unwrap(), &mut host, &|_| None);
    let series = host.defined.iter().map(|(kind, name)| Series::parse(&format!("{kind:?}").to_lowercase(), name).unwrap());
    let series: Vec<Series> = series.collect();
    assert_eq!(absent(&series), Vec::<&str>::new(), "the contract has these, and the filter has not");
    assert_eq!(incomplete(&series), Vec::<String>::new());
}

/// The words of an enum.
fn words<L: Label>() -> BTreeSet<String> {
    L::ALL.iter().map(|value| value.label().to_owned()).collect()
}

#[test]
fn the_words_of_the_contract_are_the_values_of_the_enums() {
    let enums = [
        ("gnomon_requests_total", "reason", words::<Reason>()),
        ("gnomon_responses_total", "class", words::<Class>()),
        ("gnomon_answers_total", "kind", words::<End>()),
        ("gnomon_tokens_total", "token", words::<Token>()),
        ("gnomon_shadow_outcomes_total", "outcome", words::<Outcome>()),
        ("gnomon_shadow_responses_total", "class", words::<ShadowClass>()),
        ("gnomon_pairs_total", "verdict", words::<Verdict>()),
        ("gnomon_divergences_total", "kind", words::<Kind>()),
        ("gnomon_evidence_total", "outcome", words::<Line>()),
        ("gnomon_anomalies_total", "what", words::<Anomaly>()),
    ];
    for (name, label, words) in &enums {
        let statistic = CONTRACT.iter().find(|statistic| statistic.name == *name);
        assert_eq!(statistic.and_then(|statistic| statistic.words.get(*label)), Some(words), "{label} of {name}");
    }
    let labels: usize = CONTRACT.iter().map(|statistic| statistic.words.len()).sum();
    assert_eq!(labels, enums.len(), "a label with words that no enum has");
}

/// Those that no statistic has yet included.
#[test]
fn the_labels_of_the_contract_are_the_tags() {
    let contract: Value = serde_json::from_str(include_str!("data/statistics.json")).unwrap();
    let reserved: Vec<&str> = contract["reserved"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let labels: BTreeSet<&str> = CONTRACT.iter().flat_map(|statistic| &statistic.labels).map(String::as_str).collect();
    assert!(reserved.iter().all(|label| !labels.contains(label)), "no longer reserved: {reserved:?}");
    assert_eq!(labels.into_iter().chain(reserved).collect::<BTreeSet<_>>(), BTreeSet::from(TAGS));
}

/// Tags are found anywhere in a name, so a tag must not end what stands before its `=.=` by chance: a name and its first label.
#[test]
fn no_tag_ends_a_name_with_its_first_label() {
    for statistic in CONTRACT.iter() {
        let Some(first) = statistic.labels.first() else { continue };
        let end = format!("{}{first}", statistic.name);
        assert_eq!(TAGS.iter().filter(|tag| end.ends_with(**tag)).collect::<Vec<_>>(), [first], "{end}");
    }
}
