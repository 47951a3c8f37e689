//! Series held against the contract of statistics: whether one is in it, and what of it is missing among many.
//!
//! The name of a series is `gnomon_…` and then `label=.=value;.;` for each label.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::{CONTRACT, Statistic};

/// The most characters that the value of a label may have.
const LONGEST: usize = 128;

/// A parsed name: the statistic and the values of its labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    pub stat: &'static str,
    pub labels: Vec<(&'static str, String)>,
}

impl Series {
    /// Reads a flat name that is defined as a `kind` (`counter`, `gauge` or `histogram`); an error says how it breaks the contract.
    pub fn parse(kind: &str, name: &str) -> Result<Self, String> {
        let known = CONTRACT.iter().filter(|statistic| name.starts_with(&statistic.name));
        let Some(statistic) = known.max_by_key(|statistic| statistic.name.len()) else {
            return Err(format!("the statistic {name} is not in the contract"));
        };
        let Statistic { name: stat, kind: expected, meaning, .. } = statistic;
        if kind != expected {
            return Err(format!("{stat} ({meaning}) is defined as a {kind}, not as a {expected}"));
        }
        let mut rest = &name[stat.len()..];
        let mut labels = Vec::new();
        for label in &statistic.labels {
            let value = rest.strip_prefix(label.as_str()).and_then(|rest| rest.strip_prefix("=.=")).and_then(|rest| rest.split_once(";.;"));
            let Some((value, tail)) = value else { return Err(format!("{name} lacks the label {label} in its place")) };
            if value.is_empty() || value.chars().count() > LONGEST {
                return Err(format!("{name}: the value of {label} is empty or too long"));
            }
            if statistic.words.get(label).is_some_and(|words| !words.contains(value)) {
                return Err(format!("{name}: the contract has no {label} `{value}` of {stat}"));
            }
            labels.push((label.as_str(), value.to_owned()));
            rest = tail;
        }
        if rest.is_empty() { Ok(Self { stat, labels }) } else { Err(format!("{name} has more labels than the contract says")) }
    }

    /// The value of a label, or nothing.
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| *label == name).map_or("", |(_, value)| value)
    }
}

/// The statistics of the contract that none of these series is of.
pub fn absent<'a>(series: impl IntoIterator<Item = &'a Series>) -> Vec<&'static str> {
    let found: BTreeSet<&str> = series.into_iter().map(|series| series.stat).collect();
    CONTRACT.iter().map(|statistic| statistic.name.as_str()).filter(|name| !found.contains(name)).collect()
}

/// Words of the contract that are not among these series, although others are that differ by nothing else. (All series of a label with
/// words are defined at once.)
pub fn incomplete<'a>(series: impl IntoIterator<Item = &'a Series>) -> Vec<String> {
    let mut groups: BTreeMap<(&str, &str, Vec<&str>), BTreeSet<&str>> = BTreeMap::new();
    for series in series {
        let statistic = CONTRACT.iter().find(|statistic| statistic.name == series.stat);
        for label in statistic.iter().flat_map(|statistic| statistic.words.keys()) {
            let others = series.labels.iter().filter(|(name, _)| name != label).map(|(_, value)| value.as_str()).collect();
            groups.entry((series.stat, label, others)).or_default().insert(series.label(label));
        }
    }
    let missing = groups.into_iter().flat_map(|((stat, label, others), found)| {
        let words = &CONTRACT.iter().find(|statistic| statistic.name == stat).unwrap().words[label];
        let missing: Vec<_> = words.iter().filter(|word| !found.contains(word.as_str())).collect();
        (!missing.is_empty()).then(|| format!("{stat} of {others:?} has no {label} {missing:?}"))
    });
    missing.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_to_the_contract() {
        for (kind, name) in [
            ("counter", "gnomon_unknown_total"),
            ("gauge", "gnomon_anomalies_totalwhat=.=reentrant;.;"),
            ("counter", "gnomon_anomalies_total"),
            ("counter", "gnomon_anomalies_totalwhat=.=reentrant;.;plugin=.=y;.;"),
            ("counter", "gnomon_anomalies_totalwhat=.=;.;"),
            ("counter", "gnomon_anomalies_totalwhat=.=surprise;.;"),
            ("counter", "gnomon_sampled_totalexperiment=.=e;.;shadow=.=s;.;route=.=r;.;"),
        ] {
            assert!(Series::parse(kind, name).is_err(), "{name}");
        }
        let series = Series::parse("counter", "gnomon_sampled_totalexperiment=.=e;.;route=.=r;.;shadow=.=s;.;").unwrap();
        assert_eq!((series.stat, series.label("shadow")), ("gnomon_sampled_total", "s"));
    }

    #[test]
    fn what_is_missing_is_found() {
        let named = |name: &str| Series::parse("counter", name).unwrap();
        let of = |route: &str, word: &str| {
            named(&format!("gnomon_tokens_totalexperiment=.=e;.;route=.={route};.;subject=.=s;.;token=.={word};.;"))
        };
        let series = [of("a", "prompt"), of("a", "completion"), of("a", "reasoning"), of("b", "prompt"), of("b", "reasoning")];
        assert_eq!(absent(&series).len(), CONTRACT.len() - 1);
        assert_eq!(incomplete(&series[..3]), Vec::<String>::new());
        assert_eq!(incomplete(&series), [r#"gnomon_tokens_total of ["e", "b", "s"] has no token ["completion"]"#]);
    }
}
