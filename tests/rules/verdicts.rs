//! What the sums stand: proxies that leave, restart and come back, gaps, and several experiments at once.

use gnomon::gate::{Counts, Rate, State, Terms};
use gnomon::subject::Requires;

use super::promtool::{Check, run, state_of, verdicts};
use super::world::{Page, World};

/// Terms of a gate with this limit in percent.
pub fn limit(percent: u32) -> Terms {
    Terms { limit: Rate::new(percent * 10_000).expect("a rate"), alpha: Rate::ALPHA, min_trials: 0 }
}

/// A gate that must pass, with this limit in percent.
pub fn errors(page: Page, bad: u64, trials: u64) -> Page {
    page.gate("errors", limit(1), Requires::Pass, Counts::new(bad, trials))
}

/// So many proxies, with a gate that is undecided.
pub fn proxies(count: u64) -> Vec<Page> {
    (1..=count).map(|started| errors(Page::new(&format!("p{started}"), started), 0, 400)).collect()
}

/// Runs the rules over `world` and checks all verdicts at these minutes; returns the state of the only subject at the last of them.
pub fn check(name: &str, world: &World, minutes: &[usize]) -> State {
    let expected = world.expected(1);
    let checks: Vec<Check> = minutes.iter().flat_map(|minute| verdicts(*minute, &expected[*minute])).collect();
    run(name, world, 1, &[], &checks);
    state_of(&expected[*minutes.last().expect("a minute")])
}

#[test]
fn a_good_a_bad_and_an_undecided_subject() {
    for (name, bad, trials, state) in
        [("good", 0, 1000, State::Pass), ("bad", 50, 1000, State::Fail), ("undecided", 0, 100, State::Undecided)]
    {
        let mut world = World::default();
        for _ in 0..3 {
            world.minute(vec![errors(Page::new("a", 1), bad, trials)]);
        }
        assert_eq!(check(name, &world, &[0, 2]), state, "{name}");
    }
}

#[test]
fn no_traffic_is_undecided() {
    let mut world = World::default();
    world.minute(vec![errors(Page::new("a", 1), 0, 0)]);
    assert_eq!(check("no-traffic", &world, &[0]), State::Undecided);
}

#[test]
fn what_a_proxy_that_left_has_counted_counts_on() {
    let mut world = World::default();
    for minute in 0..200 {
        let mut pages = vec![errors(Page::new("a", 1), 0, 10)];
        if minute < 5 {
            pages.push(errors(Page::new("b", 2), 0, 600));
        }
        world.minute(pages);
    }
    assert_eq!(check("left", &world, &[0, 4, 5, 10, 120, 199]), State::Pass);
}

#[test]
fn an_outage_does_not_hide_below_what_a_proxy_had_counted_before_it_restarted() {
    let mut world = World::default();
    for minute in 0..20 {
        world.minute(vec![if minute < 5 {
            errors(Page::new("a", 1), 4, 900)
        } else {
            errors(Page::new("a", 2), 3 * (minute - 5), 3 * (minute - 5))
        }]);
    }
    assert_eq!(check("restarted", &world, &[4, 5, 6, 12, 19]), State::Fail);
}

#[test]
fn a_proxy_that_is_scraped_twice_counts_once() {
    let mut world = World::default();
    for minute in 0..6 {
        let page = errors(Page::new("a", 1), 0, 40 * minute);
        let mut again = page.clone();
        again.target = vec![("job", "pods".to_owned()), ("instance", "a:15090".to_owned())];
        world.minute(vec![page, again]);
    }
    assert_eq!(check("twice", &world, &[0, 5]), State::Undecided);
}

#[test]
fn two_proxies_that_have_one_address_after_each_other_both_count() {
    let mut world = World::default();
    for minute in 0..10 {
        let mut page = errors(Page::new(if minute < 4 { "a" } else { "b" }, 1 + u64::from(minute >= 4)), 0, 300);
        page.target[2].1 = "10.0.0.1:15020".to_owned();
        world.minute(vec![page]);
    }
    assert_eq!(check("one-address", &world, &[3, 4, 5, 9]), State::Pass);
}

#[test]
fn an_hour_without_evaluation_loses_no_counts() {
    let mut world = World::default();
    for minute in 0..=122 {
        // The second proxy counts on between two evaluations, and is gone by the next one.
        let second = if minute < 40 { Some(errors(Page::new("b", 2), minute, 10 * minute)) } else { None };
        world.minute(Some(errors(Page::new("a", 1), 0, minute)).into_iter().chain(second).collect());
    }
    let expected = world.expected(61);
    let checks: Vec<Check> = [0, 61, 122].into_iter().flat_map(|minute| verdicts(minute, &expected[minute])).collect();
    run("unevaluated", &world, 61, &[], &checks);
    assert_eq!(state_of(&expected[122]), State::Fail);
}

#[test]
fn an_hour_without_scrapes_says_nothing_and_loses_nothing() {
    let mut world = World::default();
    for minute in 0..90 {
        let pages = vec![errors(Page::new("a", 1), 0, 200), errors(Page::new("b", 2), 0, 200 + minute)];
        world.minute(if (10..70).contains(&minute) { Vec::new() } else { pages });
    }
    assert_eq!(check("unscraped", &world, &[9, 20, 69, 70, 89]), State::Pass);
}

#[test]
fn a_gate_that_has_failed_stays_failed() {
    let mut world = World::default();
    for minute in 0..100 {
        // The proxy that failed restarts; the other one goes on without a bad trial.
        let bad = if minute < 10 { errors(Page::new("a", 1), 5, 50) } else { errors(Page::new("a", 3), 0, 1000 * minute) };
        world.minute(vec![bad, errors(Page::new("b", 2), 0, 1000 * minute)]);
    }
    assert_eq!(check("latched", &world, &[0, 9, 10, 99]), State::Fail);
}

#[test]
fn a_gate_of_which_no_proxy_shows_a_limit_is_over() {
    let mut world = World::default();
    for minute in 0..20 {
        let mut page = errors(Page::new("a", 1), 50, 1000).gate("other", limit(5), Requires::Pass, Counts::new(0, 1000));
        page.gates.truncate(2);
        if minute >= 10 {
            page.gates.remove(0);
        }
        world.minute(vec![page]);
    }
    assert_eq!(check("gone", &world, &[9, 10, 19]), State::Pass);
}

#[test]
fn two_clusters_and_two_experiments_are_judged_apart() {
    let mut world = World::default();
    for _ in 0..3 {
        let mut pages = Vec::new();
        for (cluster, experiment, bad) in [("eu", "e", 0), ("us", "e", 50), ("eu", "f", 50), ("us", "f", 0)] {
            let started = 1 + pages.len() as u64;
            let mut page = errors(Page::new("a", started), bad, 1000);
            page.experiment = experiment;
            page.target.push(("cluster", cluster.to_owned()));
            pages.push(page);
        }
        world.minute(pages);
    }
    let expected = world.expected(1);
    run("apart", &world, 1, &[], &verdicts(2, &expected[2]));
    let states: Vec<State> = expected[2].iter().map(|expected| expected.subject.state().0).collect();
    assert_eq!(states, [State::Pass, State::Fail, State::Fail, State::Pass]);
}

#[test]
fn a_gate_with_min_trials_waits_for_the_sum_of_all() {
    let mut world = World::default();
    for minute in 0..4 {
        let page = |pod, started| {
            Page::new(pod, started).gate("g", Terms { min_trials: 1000, ..limit(1) }, Requires::Pass, Counts::new(0, 200 * minute))
        };
        world.minute(vec![page("a", 1), page("b", 2)]);
    }
    assert_eq!(check("min-trials", &world, &[2, 3]), State::Pass);
}

/// The next life does not show the gate: the counts before it are not its own.
#[test]
fn a_life_without_the_gate_does_not_inherit_what_the_one_before_has_counted() {
    for second in [Some("f"), None] {
        let mut world = World::default();
        for minute in 0..30 {
            let idle = errors(Page::new("a", 1), 0, 0);
            let mut busy = if minute < 5 { errors(Page::new("b", 2), 0, 200) } else { Page::new("b", 2 + minute / 8) };
            if minute >= 5 {
                busy.experiment = second.unwrap_or("e");
                busy.is_over = second.is_none();
            }
            world.minute(vec![idle, busy]);
        }
        let expected = world.expected(1);
        let checks: Vec<Check> = [4, 5, 9, 17, 29].into_iter().flat_map(|minute| verdicts(minute, &expected[minute])).collect();
        run(&format!("inherits-{second:?}"), &world, 1, &[], &checks);
        assert_eq!(state_of(&expected[29]), State::Undecided, "200 trials are too few");
    }
}

#[test]
fn a_proxy_that_restarts_while_prometheus_is_down_is_another_life_at_once() {
    let mut world = World::default();
    for minute in 0..12 {
        let before = vec![errors(Page::new("a", 1), 0, 400), errors(Page::new("b", 2), 0, 400)];
        let after = vec![errors(Page::new("a", 1), 0, 400), errors(Page::new("b", 3), 300, 300)];
        world.minute(if minute < 4 { before } else { after });
    }
    // (Prometheus writes no markers when it stops. What it sees of the gap is nothing.)
    world.unseen = Some(2..4);
    let expected = world.expected(1);
    let checks: Vec<Check> = [1, 4, 5, 11].into_iter().flat_map(|minute| verdicts(minute, &expected[minute])).collect();
    run("restart-while-down", &world, 1, &[], &checks);
    assert_eq!(state_of(&expected[4]), State::Fail);
}
