//! Any history of proxies that come, go, restart and can't be scraped: the rules agree with the core at every minute.

use gnomon::gate::{Counts, State};
use gnomon::subject::Requires;
use xxhash_rust::xxh64::xxh64;

use super::promtool::{Check, run, verdicts};
use super::verdicts::limit;
use super::world::{Page, World};

/// Numbers that a seed gives, the same ones each time.
struct Draws {
    seed: u64,
    drawn: u64,
}

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.drawn += 1;
        xxh64(&self.drawn.to_le_bytes(), self.seed) % bound
    }
}

/// A proxy that may be up, with what its present life has counted: bad trials and trials, then the same against the baseline.
#[derive(Clone, Copy, Default)]
struct Proxy {
    started: u64,
    is_up: bool,
    counts: [u64; 4],
}

/// A history of four proxies.
fn history(seed: u64) -> World {
    let mut draws = Draws { seed, drawn: 0 };
    let (mut proxies, mut lives) = ([Proxy::default(); 4], 0);
    // One in so many trials is bad.
    let rarely = 1 + draws.below(200);
    let mut world = World::default();
    for _ in 0..60 {
        let is_scraped = draws.below(12) > 0;
        let mut pages = Vec::new();
        for (index, proxy) in proxies.iter_mut().enumerate() {
            match draws.below(15) {
                0 => proxy.is_up = false,
                1 | 2 if !proxy.is_up || draws.below(3) == 0 => {
                    lives += 1;
                    *proxy = Proxy { started: 1_764_000_000_000_000 + lives, is_up: true, counts: [0; 4] };
                }
                _ => (),
            }
            if !proxy.is_up {
                continue;
            }
            for _ in 0..draws.below(30) {
                proxy.counts[1] += 1;
                proxy.counts[0] += u64::from(draws.below(rarely) == 0);
                if draws.below(10) == 0 {
                    proxy.counts[3] += 1;
                    proxy.counts[2] += u64::from(draws.below(8) == 0);
                }
            }
            let [bad, trials, worse, events] = proxy.counts;
            let page = Page::new(&format!("p{index}"), proxy.started).gate("errors", limit(2), Requires::Pass, Counts::new(bad, trials));
            pages.push(page.against_baseline("worse", limit(50), Counts::new(worse, events), 50_000 * events));
        }
        world.minute(if is_scraped { pages } else { Vec::new() });
    }
    world
}

#[test]
fn the_rules_agree_with_the_core_at_every_minute() {
    let mut states = Vec::new();
    for seed in 0..20 {
        let world = history(seed);
        let expected = world.expected(1);
        let checks: Vec<Check> = (0..60).flat_map(|minute| verdicts(minute, &expected[minute])).collect();
        run(&format!("random-{seed}"), &world, 1, &[], &checks);
        states.extend(expected.iter().flatten().map(|expected| expected.subject.state().0));
    }
    for state in [State::Undecided, State::Pass, State::Fail] {
        assert!(states.iter().filter(|one| **one == state).count() > 50, "{state:?} is hardly tried");
    }
}
