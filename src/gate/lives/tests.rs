//! Tests of gates at several proxies: one life is what a proxy says of itself, several are a sum or a mean.

use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

fn counts() -> impl Strategy<Value = Counts> {
    let limits = proptest::option::of(0..=1_000_000_u64);
    (0..200_u64, 0..2000_u64, limits).prop_map(|(bad, trials, mean)| {
        let counts = Counts::new(bad, trials);
        mean.map_or(counts, |mean| counts.with_limits(trials * mean))
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    (1..1_000_000_u32, 1..1_000_000_u32, 0..1000_u64).prop_map(|(limit, alpha, min_trials)| Terms {
        limit: Rate::new(limit).unwrap(),
        alpha: Rate::new(alpha).unwrap(),
        min_trials,
    })
}

proptest! {
    #[test]
    fn one_life_is_what_the_proxy_says(counts in counts(), terms in terms(), failed: bool) {
        let lives = Lives(vec![counts]);
        prop_assert_eq!(lives.judge(&terms, failed), terms.judge(counts.into(), failed));
        let with_idle = Lives(vec![counts, Counts { limits: counts.limits.map(|_| 0), ..Counts::default() }]);
        prop_assert_eq!(with_idle.judge(&terms, failed), terms.judge(counts.into(), failed), "a life without trials changes nothing");
    }

    #[test]
    fn trials_with_one_limit_add_up(lives in proptest::collection::vec((0..50_u64, 50..500_u64), 0..5), terms in terms()) {
        let sum = Counts::new(lives.iter().map(|life| life.0).sum(), lives.iter().map(|life| life.1).sum());
        let lives = Lives(lives.into_iter().map(|(bad, trials)| Counts::new(bad, trials)).collect());
        prop_assert_eq!(lives.total(), sum);
        prop_assert_eq!(lives.judge(&terms, false), terms.judge(sum.into(), false));
    }
}

#[test]
fn e_values_of_trials_with_limits_of_their_own_are_averaged() {
    let limit = Rate::new(500_000).unwrap();
    let life = |bad, trials, mean: u64| Counts::new(bad, trials).with_limits(trials * mean);
    let lives = Lives(vec![life(9, 10, 100_000), life(1, 20, 50_000), life(0, 0, 0)]);
    let each: Vec<f64> = lives.0.iter().take(2).map(|life| ln_fail(*life, limit).exp()).collect();
    assert!((lives.ln_fail(limit).exp() / ((each[0] + each[1]) / 2.0) - 1.0).abs() < 1e-12);
    let terms = |min_trials| Terms { limit, alpha: Rate::ALPHA, min_trials };
    assert_eq!(lives.total(), life(10, 30, 0).with_limits(2_000_000));
    assert_eq!(lives.judge(&terms(30), false), State::Fail);
    assert_eq!(lives.judge(&terms(31), false), State::Undecided, "the trials of all lives");
    // One user who fails at each of many proxies: a sum would soon be sure.
    let user = Lives(vec![life(1, 1, 100_000); 30]);
    assert_eq!(user.judge(&terms(0), false), State::Undecided);
    assert_eq!(terms(0).judge(user.total().into(), false), State::Fail);
    let hidden = Lives(vec![life(9, 10, 100_000), life(9, 10, 0)]);
    assert!(hidden.lack_limits() && hidden.judge(&terms(0), false) == State::Undecided, "nothing follows from limits that are not there");
    let mixed = Lives(vec![life(9, 10, 100_000), Counts::new(9, 10)]);
    assert!(mixed.lack_limits());
}
