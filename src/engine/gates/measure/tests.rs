//! Tables of what is a trial and which trials are bad: every measure against every class and every outcome.

use std::time::Duration;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::capture::Overflow;
use crate::compare::answer::NO_ROOM;
use crate::compare::judgement::Decided;
use crate::compare::part::content::Facts;
use crate::compare::{Divergence, Unread};
use crate::config::Labels;
use crate::labels::Label;
use crate::path::PathPattern;

const BAD: Option<bool> = Some(true);
const GOOD: Option<bool> = Some(false);
const NO_TRIAL: Option<bool> = None;

const TIMEOUT: Duration = Duration::from_millis(1_000);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const FAILED: Measure = Measure::Failed(Failures::DEFAULT);

/// Every measure there is, with a threshold or margin of 100 ms or 10 %.
fn all_measures() -> [Measure; 13] {
    [
        Measure::Diverged,
        Measure::WorseThanControl { control: 1 },
        FAILED,
        Measure::WorseThanBaseline(Event::Refused),
        Measure::SlowerThan(ms(100)),
        Measure::SlowerThanPrimary(ms(100)),
        Measure::CostlierThanPrimary { percent: 10.0 },
        Measure::Coverage,
        Measure::Flipped(Direction::Up),
        Measure::Flipped(Direction::Down),
        Measure::Flipped(Direction::Both),
        Measure::FirstByteSlowerThan(ms(100)),
        Measure::SlowerThan(Duration::ZERO),
    ]
}

fn report(judgement: Judgement) -> Report {
    Report { judgement, primary: Facts::default(), shadow: Facts::default(), decided: Vec::new() }
}

fn differs(kind: Kind) -> Judgement {
    let (path, pattern, values) = ("$".to_owned(), "$".to_owned(), Default::default());
    Judgement::Diverged(Box::new(Divergence::new(kind, (path, pattern), values)))
}

fn unread(side: Side) -> Judgement {
    Judgement::Incomparable { side, reason: "no JSON".into() }
}

/// A pair of which nothing is known but its outcome.
fn ended(outcome: Outcome) -> ShadowResult<'static> {
    ShadowResult { outcome, reply: None, primary: None, shadow: None, timeout: TIMEOUT, report: None }
}

/// A pair that was compared, or was to be: answers after so many milliseconds, the shadow's from the complete request on.
fn answered(outcome: Outcome, primary: u64, shadow: u64, report: &Report) -> ShadowResult<'_> {
    ShadowResult {
        reply: Some((ShadowClass::Success, ms(shadow))),
        primary: Some(ms(primary)),
        shadow: Some(ms(shadow)),
        report: Some(report),
        ..ended(outcome)
    }
}

/// A pair whose shadow did not give a good answer; `primary`: after how many milliseconds a good one of the primary was complete.
fn failed(outcome: Outcome, class: ShadowClass, primary: Option<u64>) -> ShadowResult<'static> {
    ShadowResult { reply: Some((class, TIMEOUT)), primary: primary.map(ms), ..ended(outcome) }
}

fn of(measure: Measure, it: &ShadowResult<'_>) -> Option<bool> {
    of_shadow(measure, &Task::Auto, it)
}

#[test]
fn of_an_answer_every_class_counts_as_it_should() {
    use Class::{Cancelled, ClientError, Redirect, Reset, ServerError, Success};
    let expected = [
        // (class, failed, slower_than, first_byte_slower_than)
        (Success, GOOD, BAD, BAD),
        (Redirect, GOOD, NO_TRIAL, NO_TRIAL),
        (ClientError, GOOD, NO_TRIAL, NO_TRIAL),
        (ServerError, BAD, NO_TRIAL, NO_TRIAL),
        (Reset, BAD, NO_TRIAL, NO_TRIAL),
        (Cancelled, NO_TRIAL, NO_TRIAL, NO_TRIAL),
    ];
    assert_eq!(expected.map(|row| row.0), Class::ALL);
    for (class, failed, slower, first_byte) in expected {
        let answered = AnswerResult { class, took: Some(ms(101)), first_byte: Some(ms(101)), ..ANSWERED };
        for measure in all_measures() {
            let expected = match measure {
                Measure::Failed(_) => failed,
                Measure::SlowerThan(_) => slower,
                Measure::FirstByteSlowerThan(_) => first_byte,
                _ => NO_TRIAL,
            };
            assert_eq!(of_answer(measure, &answered), expected, "{class:?} {measure:?}");
        }
    }
}

/// A good answer, of which nothing else is known.
const ANSWERED: AnswerResult = AnswerResult { class: Class::Success, status: 200, has_error: false, took: None, first_byte: None };

/// Each kind of failure, and the answers that are one.
#[test]
fn an_answer_is_the_failure_that_it_is() {
    let kinds = [
        Failures::SERVER_ERROR,
        Failures::RESET,
        Failures::CLIENT_ERROR,
        Failures::NOT_FOUND,
        Failures::TOO_MANY_REQUESTS,
        Failures::REDIRECT,
        Failures::ERROR,
    ];
    for (class, status, has_error, expected) in [
        (Class::Success, 200, false, &[][..]),
        (Class::Success, 200, true, &[Failures::ERROR]),
        (Class::Redirect, 302, true, &[Failures::REDIRECT]),
        (Class::ClientError, 400, true, &[Failures::CLIENT_ERROR]),
        (Class::ClientError, 404, false, &[Failures::CLIENT_ERROR, Failures::NOT_FOUND]),
        (Class::ClientError, 429, false, &[Failures::CLIENT_ERROR, Failures::TOO_MANY_REQUESTS]),
        (Class::ServerError, 503, true, &[Failures::SERVER_ERROR]),
        (Class::Reset, 0, true, &[Failures::RESET]),
        (Class::Cancelled, 0, true, &[]),
    ] {
        let answered = AnswerResult { class, status, has_error, ..ANSWERED };
        for kind in kinds {
            let is_it = expected.contains(&kind);
            let counted = if class == Class::Cancelled { NO_TRIAL } else { Some(is_it) };
            assert_eq!(of_answer(Measure::Failed(kind), &answered), counted, "{class:?} {status} {kind:?}");
            assert_eq!(happened(Event::Failed(kind), &answered), is_it, "{class:?} {status} {kind:?}");
        }
        assert_eq!(happened(Event::Refused, &answered), class == Class::ClientError, "{class:?} {status}");
        assert_eq!(happened(Event::Error, &answered), expected == [Failures::ERROR], "{class:?} {status}");
        let [default, other] = [Failures::DEFAULT, Failures::NOT_FOUND.with(Failures::REDIRECT)];
        let is_default = matches!(class, Class::ServerError | Class::Reset) || expected == [Failures::ERROR];
        assert_eq!(happened(Event::Failed(default), &answered), is_default, "{class:?} {status}");
        assert_eq!(happened(Event::Failed(other), &answered), matches!(status, 302 | 404), "{class:?} {status}");
    }
}

#[test]
fn an_event_of_latency_is_a_bad_trial_of_the_measure() {
    for (took, class, expected) in [
        (None, Class::Success, false),
        (Some(ms(100)), Class::Success, false),
        (Some(ms(101)), Class::Success, true),
        (Some(ms(101)), Class::ServerError, false),
    ] {
        let (whole, stream) = (AnswerResult { class, took, ..ANSWERED }, AnswerResult { class, took: None, first_byte: took, ..ANSWERED });
        assert_eq!(happened(Event::SlowerThan(ms(100)), &whole), expected, "{took:?} {class:?}");
        assert_eq!(happened(Event::FirstByteSlowerThan(ms(100)), &stream), expected, "{took:?} {class:?}");
        assert!(!happened(Event::SlowerThan(ms(100)), &stream) && !happened(Event::FirstByteSlowerThan(ms(100)), &whole));
    }
}

#[test]
fn a_generated_answer_ends_in_one_way() {
    for end in End::ALL.iter().copied() {
        let ways = [Ended::Empty, Ended::Refusal, Ended::Length].map(|way| super::ended(way, end));
        let expected = match end {
            End::Empty | End::ThoughtOnly => [true, false, false],
            End::Refusal => [false, true, false],
            End::Length => [false, false, true],
            _ => [false, false, false],
        };
        assert_eq!(ways, expected, "{end:?}");
        assert!(!happened(Event::Ended(Ended::Empty), &ANSWERED), "known only once it is read");
    }
}

#[test]
fn an_answer_is_slow_above_the_threshold() {
    for (took, expected) in [
        (None, NO_TRIAL),
        (Some(Duration::ZERO), GOOD),
        (Some(ms(100)), GOOD),
        (Some(ms(100) + Duration::from_nanos(1)), BAD),
        (Some(Duration::MAX), BAD),
    ] {
        let whole = AnswerResult { took, first_byte: None, ..ANSWERED };
        let stream = AnswerResult { took: Some(ms(500)), first_byte: took, ..ANSWERED };
        assert_eq!(of_answer(Measure::SlowerThan(ms(100)), &whole), expected, "{took:?}");
        assert_eq!(of_answer(Measure::FirstByteSlowerThan(ms(100)), &stream), expected, "{took:?}");
        assert_eq!(of_answer(Measure::FirstByteSlowerThan(ms(100)), &whole), NO_TRIAL, "not streamed");
    }
}

/// What each outcome is to the measures that go by it alone: nothing else is known of these pairs.
#[test]
fn every_outcome_counts_as_it_should() {
    use Outcome::*;
    let blameless = [ShadowOverloaded, PrimaryFailed, BothFailed, BothRefused, Cancelled, Replaced, WrongVersion, OtherVariant];
    let unsent =
        [UnsentNoCluster, UnsentRefused, UnsentInFlight, UnsentMemory, UnsentBody, UnsentUpgrade, UnsentBreakerOpen, UnsentUnshaped];
    let failures = [ShadowFailed, TimedOut];
    for outcome in Outcome::ALL {
        for measure in all_measures() {
            let expected = match measure {
                Measure::Coverage if matches!(outcome, BothRefused | Replaced | OtherVariant) => NO_TRIAL,
                Measure::Coverage => Some(*outcome != Compared),
                Measure::Failed(_) if failures.contains(outcome) => BAD,
                Measure::Failed(_) if *outcome == Compared => GOOD,
                _ => NO_TRIAL,
            };
            assert_eq!(of(measure, &ended(*outcome)), expected, "{outcome:?} {measure:?}");
        }
        let known = blameless.contains(outcome) || unsent.contains(outcome) || failures.contains(outcome);
        assert!(known || matches!(outcome, Compared | Incomparable), "{outcome:?} is new: what is it to the measures?");
    }
}

#[test]
fn a_pair_diverges_or_agrees_only_if_it_was_compared() {
    for (judgement, expected) in [
        (Judgement::Identical, GOOD),
        (Judgement::Equivalent, GOOD),
        (differs(Kind::Status), BAD),
        (differs(Kind::Number), BAD),
        (differs(Kind::Label), BAD),
    ] {
        let report = report(judgement);
        assert_eq!(of(Measure::Diverged, &answered(Outcome::Compared, 10, 10, &report)), expected, "{report:?}");
        // A version that is not on trial was read and compared, but is no pair.
        assert_eq!(of(Measure::Diverged, &answered(Outcome::WrongVersion, 10, 10, &report)), NO_TRIAL, "{report:?}");
        assert_eq!(diverged(&report), expected == BAD);
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_the_failure_of_its_own_side() {
    for (side, failed) in [(Side::Shadow, BAD), (Side::Primary, NO_TRIAL)] {
        let report = report(unread(side));
        let it = answered(Outcome::Incomparable, 10, 150, &report);
        let counted = [FAILED, Measure::Diverged, Measure::Coverage, Measure::SlowerThan(ms(100)), Measure::SlowerThanPrimary(ms(100))];
        assert_eq!(counted.map(|measure| of(measure, &it)), [failed, NO_TRIAL, BAD, BAD, BAD], "{side:?}");
        assert!(!diverged(&report));
    }
}

#[test]
fn what_the_proxy_has_no_memory_for_or_nobody_reads_is_nobodys_failure() {
    for side in [Side::Primary, Side::Shadow] {
        let report = report(Judgement::Incomparable { side, reason: NO_ROOM.into() });
        let it = answered(Outcome::Incomparable, 10, 150, &report);
        let counted = [FAILED, Measure::Diverged, Measure::Coverage, Measure::SlowerThan(ms(100))];
        assert_eq!(counted.map(|measure| of(measure, &it)), [NO_TRIAL, NO_TRIAL, BAD, BAD], "{side:?}");
    }
    // What neither protocol nor task reads is no fault of the shadow.
    let unread = report(Judgement::LeftUnread { path: "choices[0].message.audio".to_owned(), reason: "differs" });
    let it = answered(Outcome::Incomparable, 10, 150, &unread);
    let counted = [FAILED, Measure::Diverged, Measure::Coverage, Measure::SlowerThan(ms(100))];
    assert_eq!(counted.map(|measure| of(measure, &it)), [NO_TRIAL, NO_TRIAL, BAD, BAD]);
    // One that is longer than it may be is too long on every day.
    let report = report(Judgement::Incomparable { side: Side::Shadow, reason: Unread::Overflow(Overflow::Body).reason().into() });
    assert_eq!(of(FAILED, &answered(Outcome::Incomparable, 10, 150, &report)), BAD);
}

#[test]
fn an_answer_of_another_version_says_nothing_of_the_one_on_trial() {
    let report = Report { decided: decided(&[("a", "b")]), ..report(differs(Kind::Label)) };
    let it = answered(Outcome::WrongVersion, 10, 150, &report);
    for measure in all_measures() {
        let expected = if measure == Measure::Coverage { BAD } else { NO_TRIAL };
        assert_eq!(of(measure, &it), expected, "{measure:?}");
    }
}

#[test]
fn a_shadow_is_slow_by_its_own_good_answers_and_its_timeouts() {
    use ShadowClass::{Success, Timeout};
    let slower = |class, took, outcome| of(Measure::SlowerThan(ms(100)), &ShadowResult { reply: Some((class, took)), ..ended(outcome) });
    for class in ShadowClass::ALL {
        let expected = if matches!(class, Success | Timeout) { BAD } else { NO_TRIAL };
        assert_eq!(slower(*class, ms(101), Outcome::Cancelled), expected, "{class:?}");
    }
    for (took, expected) in [(Duration::ZERO, GOOD), (ms(100), GOOD), (ms(100) + Duration::from_nanos(1), BAD)] {
        // Whatever became of the client's answer.
        for outcome in [Outcome::Compared, Outcome::Incomparable, Outcome::PrimaryFailed, Outcome::Cancelled] {
            assert_eq!(slower(Success, took, outcome), expected, "{took:?} {outcome:?}");
        }
    }
    // Envoy's timer may fire a little early; a timeout is one all the same.
    assert_eq!(slower(Timeout, Duration::ZERO, Outcome::TimedOut), BAD);
    assert_eq!(slower(Timeout, TIMEOUT, Outcome::BothFailed), BAD);
}

#[test]
fn latencies_count_if_they_are_further_apart_than_the_margin() {
    let report = report(Judgement::Identical);
    for (margin, primary, shadow, expected) in [
        (100, 50, 150, NO_TRIAL),
        (100, 50, 151, BAD),
        (100, 150, 50, NO_TRIAL),
        (100, 151, 50, GOOD),
        (100, 50, 50, NO_TRIAL),
        (0, 50, 50, NO_TRIAL),
        (0, 50, 51, BAD),
        (0, 51, 50, GOOD),
        (0, 0, 0, NO_TRIAL),
        (100, u64::MAX, 50, GOOD),
        (u64::MAX, 0, u64::MAX, NO_TRIAL),
    ] {
        let measure = Measure::SlowerThanPrimary(ms(margin));
        for outcome in [Outcome::Compared, Outcome::Incomparable] {
            assert_eq!(of(measure, &answered(outcome, primary, shadow, &report)), expected, "{margin}: {primary} {shadow} {outcome:?}");
        }
        assert_eq!(of(measure, &answered(Outcome::WrongVersion, primary, shadow, &report)), NO_TRIAL, "{margin}: {primary} {shadow}");
    }
    let no_end = ShadowResult { primary: Some(Duration::MAX), shadow: Some(Duration::ZERO), ..answered(Outcome::Compared, 0, 0, &report) };
    assert_eq!(of(Measure::SlowerThanPrimary(Duration::MAX), &no_end), NO_TRIAL);
}

#[test]
fn a_timeout_is_slower_if_the_primary_and_the_margin_are_under_it() {
    let measure = Measure::SlowerThanPrimary(ms(100));
    for (primary, expected) in [(None, NO_TRIAL), (Some(0), BAD), (Some(899), BAD), (Some(900), NO_TRIAL), (Some(u64::MAX), NO_TRIAL)] {
        assert_eq!(of(measure, &failed(Outcome::TimedOut, ShadowClass::Timeout, primary)), expected, "{primary:?}");
    }
    assert_eq!(of(Measure::SlowerThanPrimary(Duration::MAX), &failed(Outcome::TimedOut, ShadowClass::Timeout, Some(1))), NO_TRIAL);
    for class in ShadowClass::ALL.iter().filter(|class| **class != ShadowClass::Timeout) {
        assert_eq!(of(measure, &failed(Outcome::ShadowFailed, *class, Some(1))), NO_TRIAL, "{class:?}");
    }
}

#[test]
fn tokens_count_if_they_are_further_apart_than_the_margin() {
    const MOST: u64 = u64::MAX;
    let costlier = |percent, primary, shadow, outcome| {
        let facts = |tokens| Facts { tokens, ..Facts::default() };
        let report = Report { primary: facts(primary), shadow: facts(shadow), ..report(Judgement::Equivalent) };
        of(Measure::CostlierThanPrimary { percent }, &answered(outcome, 10, 10, &report))
    };
    for (percent, primary, shadow, expected) in [
        // Prompt and completion together.
        (10.0, (60, 40), (100, 10), NO_TRIAL),
        (10.0, (60, 40), (10, 101), BAD),
        (10.0, (10, 101), (60, 40), GOOD),
        (10.0, (100, 10), (60, 40), NO_TRIAL),
        (10.0, (100, 0), (100, 0), NO_TRIAL),
        (0.0, (100, 0), (100, 0), NO_TRIAL),
        (0.0, (100, 0), (101, 0), BAD),
        (0.0, (101, 0), (100, 0), GOOD),
        // Exactly at the margin, where binary fractions are not: 1.15 * 100 is below 115.
        (15.0, (100, 0), (115, 0), NO_TRIAL),
        (15.0, (115, 0), (100, 0), NO_TRIAL),
        (15.0, (100, 0), (116, 0), BAD),
        (0.5, (200, 0), (201, 0), NO_TRIAL),
        (0.5, (199, 0), (200, 0), BAD),
        (12.5, (80, 0), (90, 0), NO_TRIAL),
        (12.5, (80, 0), (91, 0), BAD),
        (300.0, (10, 0), (40, 0), NO_TRIAL),
        (300.0, (10, 0), (41, 0), BAD),
        (10.0, (0, 0), (0, 0), NO_TRIAL),
        (10.0, (0, 0), (1, 0), BAD),
        (10.0, (1, 0), (0, 0), GOOD),
        (10.0, (MOST, MOST), (MOST, MOST), NO_TRIAL),
        (10.0, (1, 1), (MOST, MOST), BAD),
        (10.0, (MOST, 0), (0, 1), GOOD),
        (f64::MAX, (1, 1), (MOST, MOST), NO_TRIAL),
        (f64::MAX, (0, 0), (0, 1), BAD),
    ] {
        assert_eq!(costlier(percent, Some(primary), Some(shadow), Outcome::Compared), expected, "{percent} %: {primary:?} {shadow:?}");
        for outcome in [Outcome::WrongVersion, Outcome::Incomparable] {
            assert_eq!(costlier(percent, Some(primary), Some(shadow), outcome), NO_TRIAL, "{outcome:?}");
        }
    }
    for (primary, shadow) in [(None, None), (Some((1, 1)), None), (None, Some((1, 1)))] {
        assert_eq!(costlier(10.0, primary, shadow, Outcome::Compared), NO_TRIAL, "an answer without usage");
    }
}

#[test]
fn of_a_triplet_one_alone_has_to_diverge() {
    for (candidate, control, expected) in [(true, false, BAD), (false, true, GOOD), (true, true, NO_TRIAL), (false, false, NO_TRIAL)] {
        assert_eq!(of_triplet(candidate, control), expected, "{candidate} {control}");
    }
}

fn decided(cells: &[(&str, &str)]) -> Vec<Decided> {
    cells.iter().map(|(primary, shadow)| Decided { primary: (*primary).to_owned(), shadow: (*shadow).to_owned(), rows: 3 }).collect()
}

fn flips(task: &Task, judgement: Judgement, cells: &[(&str, &str)], outcome: Outcome) -> [Option<bool>; 3] {
    let report = Report { decided: decided(cells), ..report(judgement) };
    [Direction::Up, Direction::Down, Direction::Both]
        .map(|direction| of_shadow(Measure::Flipped(direction), task, &answered(outcome, 10, 10, &report)))
}

#[test]
fn decisions_flip_up_and_down() {
    let names = ["block", "review", "approve"].map(Into::into).to_vec();
    let task = &Task::Decision(Decision { path: PathPattern::parse("s").unwrap(), thresholds: vec![0.3, 0.7], names, scores: false });
    let (same, up, down) = (("review", "review"), ("block", "approve"), ("approve", "review"));
    for (cells, expected) in [
        (&[][..], [NO_TRIAL, NO_TRIAL, NO_TRIAL]),
        (&[same], [GOOD, GOOD, GOOD]),
        (&[up], [BAD, GOOD, BAD]),
        (&[down], [GOOD, BAD, BAD]),
        (&[("block", "review")], [BAD, GOOD, BAD]),
        (&[same, up], [BAD, GOOD, BAD]),
        (&[down, same], [GOOD, BAD, BAD]),
        (&[same, up, down, same], [BAD, BAD, BAD]),
        (&[("approve", "approve"), ("block", "block")], [GOOD, GOOD, GOOD]),
    ] {
        assert_eq!(flips(task, Judgement::Equivalent, cells, Outcome::Compared), expected, "{cells:?}");
        for outcome in [Outcome::WrongVersion, Outcome::Incomparable] {
            assert_eq!(flips(task, Judgement::Equivalent, cells, outcome), [NO_TRIAL; 3], "{cells:?} {outcome:?}");
        }
    }
}

fn labels(top: usize) -> Task {
    Task::Labels(Labels { path: None, top, overlap: 1, names: Vec::new() })
}

#[test]
fn labels_have_no_order_but_change() {
    let two = [("cat", "cat"), ("dog", "cat")];
    for (cells, expected) in [(&[][..], NO_TRIAL), (&[("cat", "cat")], GOOD), (&[("cat", "dog")], BAD), (&two, BAD)] {
        let [up, down, both] = flips(&labels(1), Judgement::Equivalent, cells, Outcome::Compared);
        assert_eq!(both, expected, "{cells:?}");
        assert!(up != BAD && down != BAD, "{cells:?}");
    }
}

/// Of a pair with very many labels the rest is counted as one, from `other` to `other`; long ones are cut.
#[test]
fn a_label_that_is_not_told_apart_flips_all_the_same() {
    let both = |top, kind, cells: &[_]| flips(&labels(top), differs(kind), cells, Outcome::Compared)[2];
    let cells = &[("cat", "cat"), ("other", "other")];
    assert_eq!(both(1, Kind::Label, cells), BAD);
    assert_eq!(both(1, Kind::Dimension, cells), GOOD, "another difference is no flip");
    assert_eq!(both(1, Kind::Length, cells), GOOD);
    assert_eq!(both(1, Kind::Label, &[]), NO_TRIAL);
    // Where several of the best are set against each other, the best may be the same although the pair diverged.
    assert_eq!(both(3, Kind::Label, &[("cat", "cat")]), GOOD);
    assert_eq!(both(3, Kind::Label, &[("cat", "dog")]), BAD);
    assert_eq!(flips(&labels(3), Judgement::Equivalent, &[("cat", "dog")], Outcome::Compared)[2], BAD, "equal within overlap");
}
