//! What comes of a comparison: the pair's verdict is counted with what the answers tell, and the pair closes.

use super::Engine;
use super::effect::Effects;
use super::event::{PairId, RootId, Time};
use super::evidence::Note;
use super::pair::CopyState;
use crate::compare::judgement::Decided;
use crate::compare::part::content::Facts;
use crate::compare::{Judgement, Kind, Report};
use crate::labels::{Outcome, Token, Verdict};
use crate::stats::{SubjectSeries, names};

impl Engine {
    /// A comparison is done.
    pub(super) fn judged(&mut self, id: PairId, report: Report, now: Time, out: &mut Effects) {
        let Some(pair) = self.pairs.get(&id) else { return };
        let (target, answerer, siblings, slice) = (pair.target.clone(), pair.answerer.clone(), pair.siblings.clone(), pair.slice);
        self.count_facts(target.root, &target.series.told, &report.shadow, out);
        // Several shadows may compare one answer, and some of the comparisons may end before it is read.
        if report.primary != Facts::default() && !siblings.told.replace(true) {
            self.count_facts(target.root, &answerer.series.told, &report.primary, out);
        }
        // Answers of unlike status are not read, so their versions are not known.
        let is_read = !matches!(&report.judgement, Judgement::Diverged(divergence) if divergence.kind == Kind::Status);
        let expected = target.shadow.expect_version.as_deref().filter(|_| is_read);
        let verdict = match (&report.judgement, wrong_version(expected, &report.shadow)) {
            (Judgement::Incomparable { side, reason }, _) => {
                let note = Note::said(format!("{}: {reason}", side.label()));
                return self.close_judged(id, report, Outcome::Incomparable, note, now, out);
            }
            (_, Some(said)) => return self.close_judged(id, report, Outcome::WrongVersion, Note::said(said), now, out),
            (Judgement::Identical, None) => Verdict::Identical,
            (Judgement::Equivalent, None) => Verdict::Equivalent,
            (Judgement::Diverged(divergence), None) => {
                out.count(target.series.divergences.of(divergence.kind));
                self.count_learned(target.root, &target.series.paths, &[&divergence.pattern], 1, out);
                self.show_divergence(id, divergence, now, out);
                Verdict::Diverged
            }
        };
        out.count(target.series.slices.get(slice).and_then(|slice| slice.pairs.of(verdict)));
        for Decided { primary, shadow, rows } in &report.decided {
            if let Some(decided) = &target.series.decided {
                self.count_learned(target.root, decided, &[primary, shadow], i64::from(*rows), out);
            }
        }
        self.close_judged(id, report, Outcome::Compared, Note::default(), now, out);
    }

    /// Ends a pair of which there is a report.
    fn close_judged(&mut self, id: PairId, report: Report, outcome: Outcome, note: Note, now: Time, out: &mut Effects) {
        if let Some(pair) = self.pairs.get_mut(&id)
            && let CopyState::Comparing(latencies) = pair.copy
        {
            pair.copy = CopyState::Compared(latencies, Box::new(report));
        }
        self.close_pair(id, outcome, note, now, out);
    }

    /// Counts what an answer of a variant or a shadow told.
    fn count_facts(&mut self, root: RootId, series: &SubjectSeries, facts: &Facts, out: &mut Effects) {
        if let (Some((prompt, completion)), Some(tokens)) = (facts.tokens, &series.tokens) {
            for (token, count) in [(Token::Prompt, prompt), (Token::Completion, completion)] {
                // (A number that no answer can have is not believed: one of them would spoil the counter for ever.)
                if let (Some(id), Ok(count @ 1..)) = (tokens.of(token), u32::try_from(count)) {
                    out.add(id, count.into());
                }
            }
        }
        if let (Some(end), Some(ends)) = (facts.end, &series.ends) {
            out.count(ends.of(end));
        }
        if let (Some(version), Some(versions)) = (&facts.model_version, &series.versions) {
            self.count_learned(root, versions, &[version], 1, out);
        }
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
