//! The state by the last ten minutes alone.

use gnomon::gate::{Counts, Rate, Terms, ln_fail};
use gnomon::subject::Requires;

use super::promtool::{Check, run};
use super::verdicts::{errors, limit};
use super::world::{Page, World};

/// A check of `gnomon:subject:state_10m`.
fn state(minute: usize, value: f64) -> Check {
    let labels = "gnomon:subject:state_10m{experiment=\"e\",route=\"r\",subject=\"v2\"}".to_owned();
    Check { minute, expression: "gnomon:subject:state_10m".to_owned(), samples: vec![(labels, value)] }
}

#[test]
fn a_long_good_history_does_not_mute_a_sudden_failure() {
    let mut world = World::default();
    for minute in 0..30 {
        // From minute 20 on every answer is bad, for three minutes.
        let bad = 10 * minute.clamp(20, 23) - 200;
        world.minute(vec![errors(Page::new("a", 1), bad, 100_000 + 10 * minute)]);
    }
    // The evidence of the ten minutes is held against 50 / alpha.
    let counts = |bad, trials| ln_fail(Counts::new(bad, trials), limit(1).limit) >= 1000_f64.ln();
    assert!(!counts(0, 100) && counts(10, 100) && counts(30, 100));
    let whole = Check {
        minute: 25,
        expression: "gnomon:gate:state".to_owned(),
        samples: vec![("gnomon:gate:state{experiment=\"e\",route=\"r\",subject=\"v2\",gate=\"errors\",slice=\"all\"}".to_owned(), 1.0)],
    };
    run("sudden", &world, 1, &[], &[state(0, 0.0), state(20, 0.0), state(21, 2.0), state(25, 2.0), whole]);
}

#[test]
fn a_window_says_2_only_for_a_gate_that_may_hold_the_subject() {
    let window = |page: Page, requires, min_trials, slices| {
        let terms = Terms { min_trials, alpha: Rate::ALPHA.shared(slices), ..limit(1) };
        page.gate("g", terms, requires, Counts::new(6, 60))
    };
    let evidence = ln_fail(Counts::new(6, 60), limit(1).limit).exp();
    for (name, requires, min_trials, slices, value) in [
        ("window-pass", Requires::Pass, 0, 1, 2.0),
        ("window-no-fail", Requires::NoFail, 0, 1, 2.0),
        ("window-none", Requires::Nothing, 0, 1, 0.0),
        ("window-min-trials", Requires::Pass, 61, 1, 0.0),
        // (A fifth of the alpha asks for five times the evidence.)
        ("window-slices", Requires::Pass, 0, 5, 0.0),
    ] {
        let mut world = World::default();
        world.minute(vec![window(Page::new("a", 1), requires, min_trials, slices)]);
        run(name, &world, 1, &[], &[state(0, value)]);
    }
    assert!((1000.0..5000.0).contains(&evidence), "{evidence}");
}

#[test]
fn trials_with_limits_of_their_own_have_no_window() {
    let mut world = World::default();
    for minute in 0..20 {
        let events = 10 * minute;
        world.minute(vec![Page::new("a", 1).against_baseline("worse", limit(50), Counts::new(events, events), 50_000 * events)]);
    }
    run("no-window", &world, 1, &[], &[state(19, 0.0)]);
}

#[test]
fn after_a_gap_the_window_is_longer() {
    let mut world = World::default();
    for minute in 0..60 {
        let page = errors(Page::new("a", 1), if minute < 40 { 0 } else { 30 }, 100_000 + minute);
        world.minute(if (10..40).contains(&minute) { Vec::new() } else { vec![page] });
    }
    run("window-after-gap", &world, 1, &[], &[state(9, 0.0), state(41, 2.0), state(59, 0.0)]);
}
