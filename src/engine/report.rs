//! Counts the report of a comparison, and ends its pair.

use super::Engine;
use super::callback::Callback;
use super::ids::PairId;
use super::note::Note;
use super::pair::{CopyState, Pair};
use crate::compare::judgement::Decided;
use crate::compare::part::content::Facts;
use crate::compare::{Judgement, Kind, Report};
use crate::labels::{Anomaly, Outcome, Token, Verdict};
use crate::stats::{SubjectSeries, names};

impl Engine {
    /// Counts what a comparison found, and ends its pair.
    pub(super) fn judged(&mut self, id: PairId, report: Report, callback: &mut Callback<'_>) {
        let Some(mut pair) = self.pairs.remove(&id) else { return };
        count_facts(&pair.shadow.series.facts, &report.shadow, callback);
        // Several shadows may compare one answer, and some of the comparisons may end before it is read.
        if report.primary != Facts::default() && !pair.group.facts_counted.replace(true) {
            count_facts(&pair.variant.series.facts, &report.primary, callback);
        }
        // Answers of unlike status are not read, so their versions are not known.
        let is_read = !matches!(&report.judgement, Judgement::Diverged(divergence) if divergence.kind == Kind::Status);
        let expected = pair.shadow.settings.expect_version.as_deref().filter(|_| is_read);
        let (outcome, note) = match (&report.judgement, wrong_version(expected, &report.shadow)) {
            (Judgement::Incomparable { side, reason }, _) => (Outcome::Incomparable, Note::said(format!("{}: {reason}", side.label()))),
            (_, Some(said)) => (Outcome::WrongVersion, Note::said(said)),
            (Judgement::LeftUnread { path, reason }, _) => (Outcome::Incomparable, Note::said(format!("{path}: {reason}"))),
            _ => {
                self.count_verdict(&pair, &report, callback);
                (Outcome::Compared, Note::default())
            }
        };
        match pair.copy {
            CopyState::Comparing(latencies) => pair.copy = CopyState::Compared(latencies, Box::new(report)),
            _ => callback.statistics.anomaly(Anomaly::Unsettled),
        }
        self.close_removed(&pair, outcome, note, callback);
    }

    /// Counts how the answers of a pair compare.
    fn count_verdict(&mut self, pair: &Pair, report: &Report, callback: &mut Callback<'_>) {
        let series = &pair.shadow.series;
        let verdict = match &report.judgement {
            Judgement::Identical => Verdict::Identical,
            Judgement::Equivalent => Verdict::Equivalent,
            Judgement::Incomparable { .. } | Judgement::LeftUnread { .. } => return,
            Judgement::Diverged(divergence) => {
                callback.count(series.divergences.of(divergence.kind));
                series.paths.count(&[&divergence.pattern], 1, callback.statistics);
                self.show_divergence(pair, divergence, callback);
                Verdict::Diverged
            }
        };
        callback.count(series.slices.get(pair.slice).and_then(|slice| slice.pairs.of(verdict)));
        if let Some(decided) = &series.decided {
            for Decided { primary, shadow, rows } in &report.decided {
                decided.count(&[primary, shadow], i64::from(*rows), callback.statistics);
            }
        }
    }
}

/// Counts the facts of an answer of a variant or a shadow.
fn count_facts(series: &SubjectSeries, facts: &Facts, callback: &mut Callback<'_>) {
    if let Some(tokens) = &series.tokens {
        let (prompt, completion) = facts.tokens.unzip();
        for (token, count) in [(Token::Prompt, prompt), (Token::Completion, completion), (Token::Reasoning, facts.reasoning_tokens)] {
            // (A number that no answer can have is not believed: one of them would spoil the counter for ever.)
            if let (Some(id), Ok(count @ 1..)) = (tokens.of(token), u32::try_from(count.unwrap_or(0))) {
                callback.statistics.add(id, count.into());
            }
        }
    }
    if let (Some(end), Some(ends)) = (facts.end, &series.ends) {
        callback.count(ends.of(end));
    }
    if let (Some(version), Some(versions)) = (&facts.model_version, &series.versions) {
        versions.count(&[version], 1, callback.statistics);
    }
}

/// What the answer says instead of the model version that is expected; `None` if nothing is wrong.
fn wrong_version(expected: Option<&str>, facts: &Facts) -> Option<String> {
    match (expected, facts.model_version.as_deref()) {
        (Some(expected), Some(found)) if expected != found => Some(format!("model version {}", names::value(found))),
        (Some(_), None) => Some("the answer names no model version".to_owned()),
        _ => None,
    }
}
