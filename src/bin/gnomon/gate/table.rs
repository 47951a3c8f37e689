//! The answer for people: the word, each subject with its gates, and what it all rests on.

use std::fmt::Write;

use gnomon::subject::Requires;

use crate::decision::{Audit, Decision, Origin, Row, Selection, Told, word};
use crate::time;

const HEAD: [&str; 9] = ["gate", "slice", "requires", "state", "bad", "trials", "rate", "limit", "what would decide it"];

/// Returns the lines of an answer.
pub fn text(selection: &Selection, decision: &Decision) -> String {
    let Decision { state, subjects, notes, audit } = decision;
    let mut text = format!("{}: experiment {} at {}\n", word(*state), selection.experiment, time::written(audit.time));
    for told in subjects {
        subject(&mut text, told);
    }
    text.push('\n');
    notes.iter().for_each(|note| line(&mut text, &format!("note: {note}")));
    rests_on(&mut text, audit);
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "{line}");
}

fn subject(text: &mut String, told: &Told) {
    let cluster = if told.cluster.is_empty() { String::new() } else { format!("cluster {}, ", told.cluster) };
    line(text, &format!("\n{cluster}route {}, subject {}: {}", told.route, told.subject, word(told.state)));
    told.reasons.iter().for_each(|reason| line(text, &format!("  {reason}")));
    text.push('\n');
    let rows: Vec<[String; 9]> = std::iter::once(HEAD.map(str::to_owned)).chain(told.rows.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        line(text, format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end());
    }
}

fn cells(row: &Row) -> [String; 9] {
    let total = row.lives.total();
    let counts = |count: u64| if row.is_over_slices { String::new() } else { count.to_string() };
    let limit = row.limit_ppm().map(percent).unwrap_or_default();
    [
        row.gate.clone(),
        row.slice.clone(),
        requires(row.requires).to_owned(),
        word(row.state).to_owned(),
        counts(total.bad()),
        counts(total.trials()),
        rate(row),
        limit,
        row.words(),
    ]
}

/// Returns the word for what a gate has to do with the state of its subject.
pub fn requires(requires: Requires) -> &'static str {
    match requires {
        Requires::Nothing => "none",
        Requires::NoFail => "no-fail",
        Requires::Pass => "pass",
    }
}

/// Returns the rate, and in brackets the rates that are still possible.
fn rate(row: &Row) -> String {
    let Some(rate) = row.rate() else { return String::new() };
    match row.interval {
        Some(interval) => format!("{} ({} to {})", percent(rate * 1e6), percent(interval.low.into()), percent(interval.high.into())),
        None => percent(rate * 1e6),
    }
}

/// Returns parts per million as a percentage with three digits that count.
fn percent(ppm: f64) -> String {
    let percent = ppm / 1e4;
    let places = if percent >= 10.0 {
        1
    } else if percent >= 1.0 {
        2
    } else if percent >= 0.1 {
        3
    } else {
        4
    };
    let text = format!("{percent:.places$}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn rests_on(text: &mut String, audit: &Audit) {
    let filters: Vec<&str> = audit.filters.iter().map(String::as_str).collect();
    let filters = if filters.is_empty() { "unknown".to_owned() } else { filters.join(" and ") };
    let rules = audit.rules.as_ref().map_or("none".to_owned(), Clone::clone);
    line(text, &format!("filter {filters}, rules {rules}, gnomon {}", env!("CARGO_PKG_VERSION")));
    for one in &audit.configurations {
        let owner = if one.owner == "none" { String::new() } else { format!(", owner {}", one.owner) };
        line(text, &format!("route {}: configuration {} at {}{owner}", one.route, one.config, one.at()));
    }
    match &audit.origin {
        Origin::Prometheus { url, .. } => line(text, &format!("by the recording rules at {url}")),
        Origin::Proxies(proxies) => proxies.iter().for_each(|(from, started)| {
            let since = started.map_or(String::new(), |started| format!(", which counts since {}", time::written(started as f64 / 1e6)));
            line(text, &format!("by the counters of the proxy of {from}{since}"));
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn percentages_are_short() {
        for (ppm, text) in [
            (0.0, "0 %"),
            (1.0, "0.0001 %"),
            (123.0, "0.0123 %"),
            (5_000.0, "0.5 %"),
            (12_345.0, "1.23 %"),
            (500_000.0, "50 %"),
            (999_999.0, "100 %"),
            (1e6, "100 %"),
        ] {
            assert_eq!(percent(ppm), text);
        }
    }
}
