//! Tests of outlooks: against adding one trial after the other.

use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::gate::Rate;

fn terms(limit: u32, min_trials: u64) -> Terms {
    Terms { limit: Rate::new(limit).unwrap(), alpha: Rate::ALPHA, min_trials }
}

fn of(bad: u64, trials: u64, terms: Terms) -> (Option<u64>, Option<u64>) {
    let outlook = Outlook::new(&Lives(vec![Counts::new(bad, trials)]), &terms);
    (outlook.good, outlook.bad)
}

#[test]
fn known_gates() {
    // As the operating curve has it: at a limit of 1 % a gate without a bad trial passes after 391.
    assert_eq!(of(0, 0, terms(10_000, 0)).0, Some(391));
    assert_eq!(of(0, 76, terms(10_000, 0)).0, Some(315));
    assert_eq!(of(0, 391, terms(10_000, 0)).0, Some(0), "it passes");
    assert_eq!(of(0, 0, terms(5_000, 0)).1, Some(2), "two bad trials at once give an e-value of 20.4");
    assert_eq!(of(0, 0, terms(5_000, 20)).1, Some(20));
    assert_eq!(of(0, 0, terms(10_000, 1_000)).0, Some(1_000));
    assert_eq!(of(100, 1_000, terms(10_000, 0)), (None, Some(0)), "it has failed");
}

proptest! {
    #[test]
    fn it_is_what_adding_one_after_the_other_finds(
        bad in 0..4_u64, more in 0..200_u64, limit in 2_000..900_000_u32, min_trials in 0..100_u64,
    ) {
        let (terms, trials) = (terms(limit, min_trials), bad + more);
        let state = |bad, trials| terms.judge(Counts::new(bad, trials).into(), false);
        if state(bad, trials) != State::Fail {
            let good = (0..).find(|more| state(bad, trials + more) == State::Pass);
            let worse = (0..).find(|more| state(bad + more, trials + more) == State::Fail);
            prop_assert_eq!(of(bad, trials, terms), (good, worse));
        }
    }

    #[test]
    fn every_gate_has_an_outlook(bad: u64, trials: u64, limit in 1..1_000_000_u32, alpha in 1..1_000_000_u32, sums in proptest::option::of(0..u64::MAX)) {
        let counts = Counts::new(bad, trials);
        let counts = sums.map_or(counts, |sum| counts.with_limits(sum));
        Outlook::new(&Lives(vec![counts, counts]), &Terms { alpha: Rate::new(alpha).unwrap(), ..terms(limit, 0) });
    }
}

/// Further trials are taken to be like those at the busiest proxy.
#[test]
fn limits_of_further_trials_are_those_so_far() {
    let terms = terms(500_000, 0);
    let life = |bad, trials, mean: u64| Counts::new(bad, trials).with_limits(trials * mean);
    let outlook = |lives: &[Counts]| Outlook::new(&Lives(lives.to_vec()), &terms);
    let plain = Outlook::new(&Lives(vec![Counts::new(0, 10)]), &Terms { limit: Rate::new(50_000).unwrap(), ..terms });
    assert_eq!(outlook(&[life(0, 10, 50_000)]), plain);
    assert!(outlook(&[life(0, 10, 50_000), life(0, 5, 50_000)]).good > plain.good, "of two proxies one gets no more");
    let [busiest_first, busiest_last] = [[life(0, 10, 50_000), life(0, 5, 90_000)], [life(0, 5, 90_000), life(0, 10, 50_000)]];
    assert_eq!(outlook(&busiest_first), outlook(&busiest_last));
    assert_eq!(outlook(&[life(0, 0, 0)]), Outlook::default(), "no trial, no limit");
    assert_eq!(outlook(&[life(0, 10, 0)]), Outlook::default(), "limits that are not there");
}
