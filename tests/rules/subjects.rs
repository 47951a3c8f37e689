//! What the gates of a subject, and the proxies that serve it, make of its state.

use gnomon::gate::{Counts, Rate, State, Terms};
use gnomon::subject::Requires;

use super::promtool::{Check, run};
use super::verdicts::{check, errors, limit, proxies};
use super::world::{Page, World};

#[test]
fn what_a_gate_requires_decides_what_it_may_do() {
    use Requires::{NoFail, Nothing, Pass};
    // Its counts, and what they make of the subject beside a gate that passes.
    for (name, requires, bad, state) in [
        ("none-fails", Nothing, 500, State::Pass),
        ("no-fail-fails", NoFail, 500, State::Fail),
        ("no-fail-undecided", NoFail, 10, State::Pass),
        ("pass-undecided", Pass, 10, State::Undecided),
    ] {
        let mut world = World::default();
        world.minute(vec![errors(Page::new("a", 1), 0, 1000).gate("g", limit(1), requires, Counts::new(bad, 1000))]);
        assert_eq!(check(name, &world, &[0]), state, "{name}");
    }
    let mut world = World::default();
    world.minute(vec![Page::new("a", 1).gate("g", limit(1), NoFail, Counts::new(0, 1000))]);
    assert_eq!(check("nothing-must-pass", &world, &[0]), State::Undecided);
}

#[test]
fn slices_are_judged_by_their_share_of_alpha_and_together() {
    let terms = Terms { alpha: Rate::ALPHA.shared(3), ..limit(1) };
    // Bad trials in eu, trials in `other` and bad ones among them.
    for (name, bad, others, state) in [
        ("slices-pass", 0, (0, 0), State::Pass),
        ("slices-other-passes", 0, (0, 1000), State::Pass),
        ("slices-other-undecided", 0, (0, 10), State::Undecided),
        ("slices-other-fails", 0, (10, 10), State::Fail),
        ("slices-one-fails", 100, (0, 0), State::Fail),
        ("slices-one-undecided", 10, (0, 0), State::Undecided),
    ] {
        let mut world = World::default();
        for minute in 0..10 {
            let slice = |page: Page, slice, bad, trials| page.slice("g", slice, terms, Requires::Pass, Counts::new(bad, trials));
            let page = slice(slice(Page::new("a", 1), "us", 0, 1000), "other", others.0, others.1);
            // (What has failed stays so, whatever comes.)
            let (bad, trials) = if minute < 5 { (bad, 1000) } else { (bad, 100_000) };
            world.minute(vec![slice(page, "eu", bad, trials)]);
        }
        assert_eq!(check(name, &world, &[0, 4]), state, "{name}");
    }
}

#[test]
fn a_slice_that_fails_and_leaves_has_failed_the_gate() {
    let mut world = World::default();
    for minute in 0..10 {
        let page = Page::new("a", 1).slice("g", "us", limit(1), Requires::Pass, Counts::new(0, 1000));
        world.minute(vec![if minute < 5 { page.slice("g", "eu", limit(1), Requires::Pass, Counts::new(90, 100)) } else { page }]);
    }
    assert_eq!(check("slice-leaves", &world, &[4, 5, 9]), State::Fail);
}

#[test]
fn trials_with_limits_of_their_own_are_judged_at_each_proxy() {
    // The sums over 20 proxies would fail: 5 of 20, at limits of 5 %.
    let half = limit(50);
    for (name, bad, trials, proxies, state) in
        [("own-few", 1, 4, 20, State::Undecided), ("own-many", 4, 4, 20, State::Fail), ("own-one", 3, 4, 1, State::Fail)]
    {
        let mut world = World::default();
        for _ in 0..3 {
            let page =
                |index: u64| Page::new(&format!("p{index}"), index).against_baseline("g", half, Counts::new(bad, trials), 50_000 * trials);
            // One proxy without trials, which does not count.
            world
                .minute((1..=proxies).map(page).chain([Page::new("idle", 99).against_baseline("g", half, Counts::new(0, 0), 0)]).collect());
        }
        assert_eq!(check(name, &world, &[2]), state, "{name}");
    }
}

#[test]
fn proxies_that_cut_off_or_misroute_or_refuse_hold_a_subject_that_passes() {
    type Change = fn(&mut Page);
    // How many of four proxies it is so at.
    let cases: [(&str, Change, usize, State); 8] = [
        ("tripped-few", |page| page.tripped.push("v2"), 1, State::Undecided),
        ("tripped-half", |page| page.tripped.push("v2"), 2, State::Undecided),
        ("tripped-most", |page| page.tripped.push("v2"), 3, State::Fail),
        ("tripped-other", |page| page.tripped.push("v1"), 4, State::Pass),
        ("misrouted", |page| page.misrouted.extend(["v1", "v2"]), 1, State::Undecided),
        ("refused", |page| page.configuration = 2, 1, State::Undecided),
        ("untouched", |page| page.configuration = 3, 1, State::Undecided),
        ("sound", |_| (), 4, State::Pass),
    ];
    for (name, change, many, state) in cases {
        let mut world = World::default();
        for _ in 0..4 {
            let mut pages = proxies(4);
            pages.iter_mut().take(many).for_each(change);
            world.minute(pages);
        }
        assert_eq!(check(name, &world, &[3]), state, "{name}");
    }
}

#[test]
fn a_canary_that_most_proxies_have_cut_off_stays_so_when_they_restart() {
    let mut world = World::default();
    for minute in 0..10 {
        let mut page = errors(Page::new("a", 1 + minute / 5), 0, 1000);
        if minute < 5 {
            page.tripped.push("v2");
        }
        world.minute(vec![page]);
    }
    let state = |minute, value| Check {
        minute,
        expression: "gnomon:subject:state".to_owned(),
        samples: vec![("gnomon:subject:state{experiment=\"e\",route=\"r\",subject=\"v2\"}".to_owned(), value)],
    };
    run("cut-off-restarted", &world, 1, &[], &[state(4, 2.0), state(9, 2.0)]);
}

/// What was spoilt stays so when the proxy leaves that has spoilt it, and what is not complete is not made so.
#[test]
fn trials_of_a_proxy_that_is_gone_stay_spoilt() {
    type Change = fn(&mut Page);
    let cases: [(&str, Change); 2] =
        [("misrouted-gone", |page| page.misrouted.extend(["v1", "v2"])), ("hidden-gone", |page| page.hidden.push("gnomon_gate_bad_total"))];
    for (name, change) in cases {
        let mut world = World::default();
        for minute in 0..20 {
            let mut pages = vec![errors(Page::new("a", 1), 0, 10)];
            if minute < 5 {
                let mut spoilt = errors(Page::new("b", 2), 0, 5000);
                change(&mut spoilt);
                pages.push(spoilt);
            }
            world.minute(pages);
        }
        let held = |minute| Check {
            minute,
            expression: "gnomon:subject:state".to_owned(),
            samples: vec![("gnomon:subject:state{experiment=\"e\",route=\"r\",subject=\"v2\"}".to_owned(), 0.0)],
        };
        run(name, &world, 1, &[], &[held(4), held(6), held(19)]);
    }
}

#[test]
fn one_of_three_proxies_is_no_majority_though_it_is_the_only_one_to_be_seen() {
    let mut world = World::default();
    for minute in 0..20 {
        let mut pages = proxies(3);
        pages[0].tripped.push("v2");
        // Its twin, by another job.
        let mut twin = pages[0].clone();
        twin.target[0].1 = "pods".to_owned();
        pages.push(twin);
        world.minute(match minute {
            6..12 => Vec::new(),
            12 => pages.into_iter().take(1).collect(),
            _ => pages,
        });
    }
    let state = |minute| Check {
        minute,
        expression: "gnomon:subject:state".to_owned(),
        samples: vec![("gnomon:subject:state{experiment=\"e\",route=\"r\",subject=\"v2\"}".to_owned(), 0.0)],
    };
    run("no-majority", &world, 1, &[], &[state(5), state(12), state(13), state(19)]);
}

#[test]
fn a_failed_slice_fails_the_gate_while_others_show_it_without_slices() {
    let mut world = World::default();
    for _ in 0..3 {
        let plain = errors(Page::new("a", 1), 0, 1000);
        let sliced =
            |slice, bad| Page::new("b", 2).slice("errors", slice, limit(1), Requires::Pass, Counts::new(bad, 1000)).gates.remove(0);
        let mut page = Page::new("b", 2);
        page.gates = vec![sliced("eu", 300), sliced("other", 0)];
        world.minute(vec![plain, page]);
    }
    let state = Check {
        minute: 2,
        expression: "gnomon:subject:state".to_owned(),
        samples: vec![("gnomon:subject:state{experiment=\"e\",route=\"r\",subject=\"v2\"}".to_owned(), 2.0)],
    };
    run("half-sliced", &world, 1, &[], &[state]);
}
