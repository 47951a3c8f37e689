//! Tests of gates: against another implementation, against plain products, and of their guarantees.

use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn rate(ppm: u32) -> Rate {
    Rate::new(ppm).unwrap()
}

/// Returns terms with this limit in parts per million and an alpha of 5 %.
fn terms(limit: u32, min_trials: u64) -> Terms {
    Terms { limit: rate(limit), alpha: rate(50_000), min_trials }
}

fn state(terms: Terms, bad: u64, trials: u64) -> State {
    terms.judge(Counts::new(bad, trials).into(), false)
}

fn rates() -> impl Strategy<Value = Rate> {
    prop_oneof![Just(1), Just(999_999), 1..1_000_000_u32].prop_map(rate)
}

#[test]
fn e_values_are_those_of_an_independent_implementation() {
    let table = include_str!("../../tests/data/gates/evidence.txt");
    let rows: Vec<Vec<&str>> = table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect()).collect();
    assert!(rows.len() > 150);
    for row in rows {
        let counts = Counts::new(row[1].parse().unwrap(), row[2].parse().unwrap());
        let limit = rate(row[0].parse().unwrap());
        for (name, computed, expected) in [("fail", ln_fail(counts, limit), row[3]), ("pass", ln_pass(counts, limit), row[4])] {
            let expected: f64 = expected.parse().unwrap();
            // A double has 15 digits, so with 10^12 trials fewer of them are behind the point.
            let allowed = if counts.trials() > 1_000_000 { 1e-14 * counts.trials() as f64 } else { 1e-9 };
            assert!((computed - expected).abs() <= allowed, "{name} of {row:?} is {computed}");
        }
    }
}

/// Computed by Python's `fractions`: `ceil(1e6 * p*o / (p*o + 1 - p))` with `p = canary / (canary + baseline)`, `o = limit / (1 - limit)`.
#[test]
fn a_limit_is_shared_as_keys_are() {
    for (limit, canary, baseline, expected) in [
        (500_000, 50_000, 950_000, Some(50_000)),
        (500_000, 500_000, 500_000, Some(500_000)),
        (500_000, 10_000, 490_000, Some(20_000)),
        (500_000, 1, 2, Some(333_334)),
        (600_000, 50_000, 950_000, Some(73_171)),
        (400_000, 250_000, 750_000, Some(181_819)),
        (1, 1, 999_999, Some(1)),
        (999_999, 999_999, 1, Some(999_999)),
        (500_000, 0, 1_000_000, None),
        (500_000, 1_000_000, 0, None),
    ] {
        assert_eq!(shared_limit(rate(limit), canary, baseline).map(Rate::ppm), expected, "{limit} {canary} {baseline}");
    }
}

/// Trials with limits of their own that are all the same are trials with that limit. A reader takes what makes each e-value smaller.
#[test]
fn trials_may_have_limits_of_their_own() {
    let counts = Counts::new(7, 40);
    for e_value in [ln_fail, ln_pass] {
        let (own, shared) = (e_value(counts.with_limits(40 * 50_000), rate(900_000)), e_value(counts, rate(50_000)));
        assert!((own - shared).abs() < 1e-12);
        assert_eq!(e_value(Counts::default().with_limits(0), rate(1)).to_bits(), e_value(Counts::default(), rate(1)).to_bits());
    }
    let terms = Terms { limit: rate(500_000), alpha: rate(50_000), min_trials: 0 };
    for (bad, state) in [(40, State::Fail), (0, State::Pass)] {
        let judged = |sum: u64| terms.judge(Counts::new(bad, 40).with_limits(sum).into(), false);
        assert_eq!((judged(40 * 500_000), judged(0)), (state, State::Undecided), "limits that are not there");
    }
    let reading = Reading::new(6, 40, 8).with_limits(39 * 50_000, 42 * 50_000);
    assert_eq!(reading.fewest, Counts::new(6, 40).with_limits(42 * 50_000));
    assert_eq!(reading.most, Counts::new(8, 40).with_limits(39 * 50_000));
    let most = Counts::new(1, 1).with_limits(u64::MAX);
    assert!(ln_fail(most, rate(1)).is_finite() && ln_pass(most, rate(1)) < 0.0, "a sum that can't be");
}

proptest! {
    /// The e-value by the mean of the limits never says more than the product over all trials, each by its own limit.
    #[test]
    fn the_mean_of_the_limits_is_on_the_safe_side(
        trials in prop::collection::vec((any::<bool>(), 1..1_000_000_u32), 1..60),
    ) {
        let sum = trials.iter().map(|(_, limit)| u64::from(*limit)).sum();
        let counts = Counts::new(trials.iter().filter(|(bad, _)| *bad).count() as u64, trials.len() as u64).with_limits(sum);
        for multipliers in [WORSE, BETTER] {
            for multiplier in multipliers {
                let one = |(bad, limit): &(bool, u32)| ln_ratio(multiplier, Counts::new(u64::from(*bad), 1), rate(*limit));
                let product: f64 = trials.iter().map(one).sum();
                prop_assert!(ln_ratio(multiplier, counts, rate(1)) <= product + 1e-9);
            }
        }
    }

    #[test]
    fn an_e_value_is_the_mean_of_plain_products(trials in prop::collection::vec(any::<bool>(), 0..40), limit in 10_000..900_000_u32) {
        let p = f64::from(limit) / 1e6;
        let factor = |m: f64, bad: &bool| if *bad { m / (1.0 - p + m * p) } else { 1.0 / (1.0 - p + m * p) };
        let mean = |multipliers: [f64; 4]| multipliers.iter().map(|m| trials.iter().map(|bad| factor(*m, bad)).product::<f64>()).sum::<f64>() / 4.0;
        let counts = Counts::new(trials.iter().filter(|bad| **bad).count() as u64, trials.len() as u64);
        prop_assert!((ln_fail(counts, rate(limit)) - mean([1.5, 2.0, 4.0, 8.0]).ln()).abs() < 1e-9);
        prop_assert!((ln_pass(counts, rate(limit)) - mean([2.0 / 3.0, 0.5, 0.25, 0.0]).ln()).abs() < 1e-9);
    }

    /// A reader of summed counters computes the same e-value for every order of the trials and every spread over workers.
    #[test]
    fn neither_order_nor_workers_matter(
        trials in prop::collection::vec((any::<bool>(), 0..5_usize), 0..300),
        seed in any::<prop::sample::Index>(),
        limit in rates(),
    ) {
        let count = |trials: &[(bool, usize)]| {
            let mut workers = [(0, 0); 5];
            for (bad, worker) in trials {
                workers[*worker].0 += u64::from(*bad);
                workers[*worker].1 += 1;
            }
            workers.iter().fold((0, 0), |sum, worker| (sum.0 + worker.0, sum.1 + worker.1))
        };
        let mut shuffled: Vec<_> = trials.iter().map(|(bad, worker)| (*bad, (worker * 3) % 5)).collect();
        shuffled.reverse();
        let turn = seed.index(shuffled.len() + 1).min(shuffled.len());
        shuffled.rotate_left(turn);
        let [one, another] = [count(&trials), count(&shuffled)].map(|(bad, trials)| Counts::new(bad, trials));
        prop_assert_eq!(ln_fail(one, limit).to_bits(), ln_fail(another, limit).to_bits());
        prop_assert_eq!(ln_pass(one, limit).to_bits(), ln_pass(another, limit).to_bits());
        let logarithm = |m: f64, counts: &[(bool, usize)]| counts.iter().map(|(bad, _)| {
            ln_ratio(m, Counts::new(u64::from(*bad), 1), limit)
        }).sum::<f64>();
        prop_assert!((logarithm(2.0, &trials) - ln_ratio(2.0, one, limit)).abs() < 1e-9, "the logarithms of the trials' e-values add up");
    }

    #[test]
    fn more_bad_trials_never_make_failure_less_likely(trials in 0..=1_u64 << 40, bad in any::<[prop::sample::Index; 2]>(), limit in rates()) {
        let mut bad = bad.map(|bad| bad.index(trials as usize + 1) as u64);
        bad.sort_unstable();
        let [fewer, more] = bad.map(|bad| Counts::new(bad, trials));
        let rounding = 1e-15 * trials as f64;
        prop_assert!(ln_fail(fewer, limit) <= ln_fail(more, limit) + rounding);
        prop_assert!(ln_pass(fewer, limit) >= ln_pass(more, limit) - rounding);
    }

    #[test]
    fn any_counters_and_terms_are_judged(
        [before, trials, after] in any::<[u64; 3]>(),
        limit in rates(),
        alpha in rates(),
        min_trials in any::<u64>(),
    ) {
        let reading = Reading::new(before, trials, after);
        prop_assert!(ln_fail(reading.fewest, limit).is_finite() && ln_pass(reading.most, limit).is_finite());
        let state = Terms { limit, alpha, min_trials }.judge(reading, false);
        prop_assert!(state == State::Undecided || trials >= min_trials);
    }

    /// Workers raise the trials, then the bad trials. A reader reads bad trials, trials and bad trials, at any moments in between.
    #[test]
    fn a_reader_among_writers_reads_fewest_and_most_bad_trials_around_the_true_number(
        steps in prop::collection::vec((0..4_usize, any::<bool>()), 3..200),
        reads in any::<[prop::sample::Index; 3]>(),
    ) {
        let mut reads = reads.map(|at| at.index(steps.len()));
        reads.sort_unstable();
        let (mut bad, mut trials, mut owed, mut decided) = (0, 0, [false; 4], 0);
        let (mut seen, mut truth) = ([0; 3], (0, 0));
        for (at, (worker, is_bad)) in steps.iter().enumerate() {
            if std::mem::take(&mut owed[*worker]) {
                bad += 1;
            } else {
                trials += 1;
                owed[*worker] = *is_bad;
                decided += u64::from(*is_bad);
            }
            for (which, seen) in seen.iter_mut().enumerate().filter(|(which, _)| reads[*which] == at) {
                *seen = if which == 1 { trials } else { bad };
                if which == 1 {
                    truth = (bad, decided);
                }
            }
        }
        let reading = Reading::new(seen[0], seen[1], seen[2]);
        prop_assert!(seen[0] <= seen[1], "bad read first are never ahead");
        prop_assert!(reading.fewest.bad() <= truth.0 && truth.0 <= reading.most.bad());
        prop_assert!(reading.fewest.bad() <= truth.1 && reading.most.bad() <= seen[1]);
    }
}

#[test]
fn rates_lie_strictly_between_nothing_and_everything() {
    assert_eq!([0, 1, 999_999, 1_000_000, u32::MAX].map(|ppm| Rate::new(ppm).map(Rate::ppm)), [None, Some(1), Some(999_999), None, None]);
    assert_eq!([1, 900_000, 999_999].map(|ppm| rate(ppm).complement().ppm()), [999_999, 100_000, 1]);
}

#[test]
fn an_alpha_is_shared_among_slices() {
    let share = |ppm, slices| rate(ppm).shared(slices).ppm();
    assert_eq!([share(50_000, 1), share(50_000, 3), share(50_000, 65)], [50_000, 16_666, 769]);
    assert_eq!([share(1, 65), share(50_000, 0), share(50_000, usize::MAX)], [1, 50_000, 1]);
}

#[test]
fn more_bad_trials_than_trials_are_cut_to_the_trials() {
    assert_eq!(Counts::new(7, 5), Counts::new(5, 5));
    let reading = Reading::new(1, 2, 3);
    assert_eq!((reading.fewest, reading.most), (Counts::new(1, 2), Counts::new(2, 2)));
}

#[test]
fn a_gate_judges_from_the_first_trial() {
    let percent = terms(10_000, 0);
    assert_eq!(state(percent, 0, 0), State::Undecided);
    assert_eq!([state(percent, 0, 390), state(percent, 0, 391)], [State::Undecided, State::Pass]);
    assert_eq!([state(percent, 2, 2), state(percent, 3, 3)], [State::Undecided, State::Fail]);
    // Two failures in the first two trials: E = 20.4.
    assert!((ln_fail(Counts::new(2, 2), rate(5_000)).exp() - 20.4).abs() < 0.05);
}

#[test]
fn nothing_is_decided_before_there_are_enough_trials() {
    for (bad, trials, decided) in [(0, 400, State::Pass), (400, 400, State::Fail)] {
        assert_eq!(state(terms(10_000, 401), bad, trials), State::Undecided);
        assert_eq!(state(terms(10_000, 400), bad, trials), decided);
    }
}

#[test]
fn a_fail_is_for_good_and_a_pass_is_not() {
    let percent = terms(10_000, 0);
    let judge = |bad, trials, failed| percent.judge(Counts::new(bad, trials).into(), failed);
    assert_eq!(judge(0, 400, false), State::Pass);
    assert_eq!(judge(4, 404, false), State::Undecided, "a pass may be taken back");
    assert_eq!(judge(40, 440, false), State::Fail, "also after it passed");
    assert_eq!(judge(40, 100_000, false), State::Pass);
    assert_eq!(judge(40, 100_000, true), State::Fail);
}

/// A gate that would fail or pass by one of the two readings of bad trials alone stays undecided.
#[test]
fn each_e_value_uses_the_reading_that_makes_it_smaller() {
    let percent = terms(10_000, 0);
    assert_eq!(percent.judge(Reading::new(2, 3, 3), false), State::Undecided);
    assert_eq!(percent.judge(Reading::new(0, 391, 1), false), State::Undecided);
}

#[test]
fn a_long_good_history_delays_a_failure() {
    let fails_after = |good: u64| (1..=2_000).find(|bad| state(terms(10_000, 0), *bad, good + bad) == State::Fail);
    assert_eq!(fails_after(0), Some(3));
    assert_eq!(fails_after(100_000), Some(1_257));
}

#[test]
fn slices_fail_together_and_pass_together() {
    use State::{Fail, Pass, Undecided};
    for (values, other, overall) in [
        (vec![Pass, Pass], None, Pass),
        (vec![Pass, Undecided], None, Undecided),
        (vec![Undecided, Fail], None, Fail),
        (vec![Pass, Pass], Some(Undecided), Undecided),
        (vec![Pass, Pass], Some(Pass), Pass),
        (vec![Pass, Pass], Some(Fail), Fail),
        (vec![Fail, Pass], Some(Pass), Fail),
        (vec![], None, Undecided),
    ] {
        assert_eq!(over_slices(values.clone(), other.unwrap_or_default(), other.is_some()), overall, "{values:?}, {other:?}");
    }
}
