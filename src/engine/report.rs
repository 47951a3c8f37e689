//! What comes of a comparison: the pair's verdict is counted with what the answers tell, and the pair closes.

use super::Engine;
use super::callback::Callback;
use super::evidence::Note;
use super::ids::PairId;
use super::pair::CopyState;
use crate::compare::judgement::Decided;
use crate::compare::part::content::Facts;
use crate::compare::{Judgement, Kind, Report};
use crate::labels::{Anomaly, Outcome, Token, Verdict};
use crate::stats::{SubjectSeries, names};

impl Engine {
    /// A comparison is done.
    pub(super) fn judged(&mut self, id: PairId, report: Report, callback: &mut Callback<'_>) {
        let Some(pair) = self.pairs.get(&id) else { return };
        let (shadow, slice) = (pair.shadow.clone(), pair.slice);
        count_facts(&shadow.series.facts, &report.shadow, callback);
        // Several shadows may compare one answer, and some of the comparisons may end before it is read.
        if report.primary != Facts::default() && !pair.group.facts_counted.replace(true) {
            count_facts(&pair.variant.series.facts, &report.primary, callback);
        }
        // Answers of unlike status are not read, so their versions are not known.
        let is_read = !matches!(&report.judgement, Judgement::Diverged(divergence) if divergence.kind == Kind::Status);
        let expected = shadow.settings.expect_version.as_deref().filter(|_| is_read);
        let verdict = match (&report.judgement, wrong_version(expected, &report.shadow)) {
            (Judgement::Incomparable { side, reason }, _) => {
                let note = Note::said(format!("{}: {reason}", side.label()));
                return self.close_judged(id, report, Outcome::Incomparable, note, callback);
            }
            (_, Some(said)) => return self.close_judged(id, report, Outcome::WrongVersion, Note::said(said), callback),
            (Judgement::Identical, None) => Verdict::Identical,
            (Judgement::Equivalent, None) => Verdict::Equivalent,
            (Judgement::Diverged(divergence), None) => {
                callback.count(shadow.series.divergences.of(divergence.kind));
                shadow.series.paths.count(&[&divergence.pattern], 1, callback.statistics);
                self.show_divergence(id, divergence, callback);
                Verdict::Diverged
            }
        };
        callback.count(shadow.series.slices.get(slice).and_then(|slice| slice.pairs.of(verdict)));
        for Decided { primary, shadow: shadow_answer, rows } in &report.decided {
            if let Some(decided) = &shadow.series.decided {
                decided.count(&[primary, shadow_answer], i64::from(*rows), callback.statistics);
            }
        }
        self.close_judged(id, report, Outcome::Compared, Note::default(), callback);
    }

    /// Ends a pair of which there is a report.
    fn close_judged(&mut self, id: PairId, report: Report, outcome: Outcome, note: Note, callback: &mut Callback<'_>) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        match pair.copy {
            CopyState::Comparing(latencies) => pair.copy = CopyState::Compared(latencies, Box::new(report)),
            _ => callback.statistics.anomaly(Anomaly::Unsettled),
        }
        self.close_pair(id, outcome, note, callback);
    }
}

/// Counts the facts of an answer of a variant or a shadow.
fn count_facts(series: &SubjectSeries, facts: &Facts, callback: &mut Callback<'_>) {
    if let (Some((prompt, completion)), Some(tokens)) = (facts.tokens, &series.tokens) {
        for (token, count) in [(Token::Prompt, prompt), (Token::Completion, completion)] {
            // (A number that no answer can have is not believed: one of them would spoil the counter for ever.)
            if let (Some(id), Ok(count @ 1..)) = (tokens.of(token), u32::try_from(count)) {
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

/// What was found instead of the model version that is expected.
fn wrong_version(expected: Option<&str>, facts: &Facts) -> Option<String> {
    match (expected, facts.model_version.as_deref()) {
        (Some(expected), Some(found)) if expected != found => Some(format!("model version {}", names::value(found))),
        (Some(_), None) => Some("the answer names no model version".to_owned()),
        _ => None,
    }
}
