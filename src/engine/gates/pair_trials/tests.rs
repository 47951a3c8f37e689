//! Which two requests are a trial; and by simulation, that pairing favours neither side.

use std::time::Duration;

use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use xxhash_rust::xxh64::xxh64;

use super::*;
use crate::engine::gates::order::Order;
use crate::gate::{Reading, Terms};
use crate::stats::memory::Memory;
use crate::timestamp::Timestamp;

const C: Answered = Answered { by_canary: true, has_event: false };
const B: Answered = Answered { by_canary: false, has_event: false };
/// With the event.
const CE: Answered = Answered { by_canary: true, has_event: true };
const BE: Answered = Answered { by_canary: false, has_event: true };

fn trials(slices: usize) -> PairTrials {
    PairTrials::new(Rate::new(500_000).unwrap(), &["e", "r", "g", "v2"], slices, None)
}

#[test]
fn requests_are_taken_two_by_two() {
    for (requests, expected) in [
        (&[CE, B][..], &[None, Some(true)][..]),
        (&[B, CE], &[None, Some(true)]),
        (&[BE, C], &[None, Some(false)]),
        (&[C, BE], &[None, Some(false)]),
        (&[C, B], &[None, None]),
        (&[CE, BE], &[None, None]),
        (&[CE, CE], &[None, None]),
        (&[BE, B], &[None, None]),
        // Neither waits for another one.
        (&[CE, CE, B], &[None, None, None]),
        (&[CE, CE, B, CE], &[None, None, None, Some(true)]),
        (&[B, CE, B, CE], &[None, Some(true), None, Some(true)]),
    ] {
        let pairs = trials(1);
        assert_eq!(requests.iter().map(|request| pairs.next(0, *request)).collect::<Vec<_>>(), expected, "{requests:?}");
    }
}

#[test]
fn each_slice_has_pairs_of_its_own() {
    let pairs = trials(2);
    let taken = [(0, CE), (1, B), (1, CE), (0, B), (2, B)].map(|(slice, request)| pairs.next(slice, request));
    assert_eq!(taken, [None, None, Some(true), Some(true), None]);
}

proptest! {
    /// The canary in the place of the baseline, and the second request in that of the first, make the opposite trials.
    #[test]
    fn both_sides_and_both_places_are_treated_alike(requests in prop::collection::vec(any::<(bool, bool)>(), 0..40)) {
        let swapped = |swap| {
            let pairs = trials(1);
            let of = |(by_canary, has_event): (bool, bool)| Answered { by_canary: by_canary != swap, has_event };
            requests.iter().map(|request| pairs.next(0, of(*request))).collect::<Vec<_>>()
        };
        prop_assert_eq!(swapped(false), swapped(true).into_iter().map(|trial| trial.map(|bad| !bad)).collect::<Vec<_>>());
        for two in requests.chunks_exact(2) {
            let next = |order: [usize; 2]| {
                let pairs = trials(1);
                order.map(|at| pairs.next(0, Answered { by_canary: two[at].0, has_event: two[at].1 }))[1]
            };
            prop_assert_eq!(next([0, 1]), next([1, 0]));
        }
    }
}

/// How a run pairs answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// As shipped.
    Shipped,
    /// Two by two, in the order of answers.
    ByAnswers,
    /// Each answer of the canary with the next one of the baseline, in the order of answers.
    NextOfBaseline,
}

/// What the world does in a run of equal models.
#[derive(Clone, Copy, Debug)]
struct World {
    /// How many requests begin until the canary has answered, and the baseline.
    takes: [u64; 2],
    /// How many more if the event happens.
    event_takes: u64,
    /// The chance of the event, of request after request.
    rate: fn(u64) -> f64,
}

const REQUESTS: u64 = 6_000;

/// The canary's weight of a rollout in steps, of request after request.
fn weight(at: u64) -> f64 {
    [0.05, 0.25, 0.5, 0.75, 0.95][usize::try_from(at * 5 / REQUESTS).unwrap()]
}

/// An even random number below 1.
fn random(seed: u64, what: u64, at: u64) -> f64 {
    (xxh64(&[what.to_le_bytes(), at.to_le_bytes()].concat(), seed) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whether the gate fails in a run in which `happens` says whether the event happens to a request by the canary or not, and after how many
/// of the canary's answers.
fn fails(seed: u64, world: World, way: Way, weight: impl Fn(u64) -> f64, happens: impl Fn(bool, u64) -> bool) -> Option<usize> {
    let (order, pairs) = (Order::default(), trials(1));
    let terms = Terms { limit: Rate::new(500_000).unwrap(), alpha: Rate::ALPHA, min_trials: 0 };
    let at = |request| Timestamp::from_epoch(Duration::from_millis(request));
    let request = |at: u64| {
        let by_canary = random(seed, 0, at) < weight(at);
        Answered { by_canary, has_event: happens(by_canary, at) }
    };
    let takes = |it: Answered| world.takes[usize::from(!it.by_canary)] + if it.has_event { world.event_takes } else { 0 };
    let mut ends: Vec<(u64, u64)> = (0..REQUESTS).map(|at| (at + takes(request(at)), at)).collect();
    ends.sort_unstable();
    let (mut begun, mut waiting, mut counts, mut answers) = (0, None, (0, 0), 0);
    for (now, at_request) in ends {
        while begun <= now && begun < REQUESTS {
            assert_eq!(order.begin(at(begun)), Some(begun));
            begun += 1;
        }
        let it = request(at_request);
        answers += usize::from(it.by_canary);
        let released = order.end(at_request, vec![it], at(now));
        let found: Vec<bool> = match way {
            Way::Shipped => released.into_iter().filter_map(|it| pairs.next(0, it)).collect(),
            Way::ByAnswers => pairs.next(0, it).into_iter().collect(),
            Way::NextOfBaseline if it.by_canary => {
                waiting = Some(it);
                vec![]
            }
            Way::NextOfBaseline => {
                let canary = waiting.take().filter(|canary: &Answered| canary.has_event != it.has_event);
                canary.map(|canary| canary.has_event).into_iter().collect()
            }
        };
        for bad in found {
            counts = (counts.0 + u64::from(bad), counts.1 + 1);
            if terms.fails(Reading::new(counts.0, counts.1, counts.0).fewest) {
                return Some(answers);
            }
        }
    }
    None
}

/// Of so many runs with equal models the share in which the gate fails at any time.
fn false_alarms(world: World, way: Way, runs: u64) -> f64 {
    let failed = (0..runs).filter(|seed| fails(*seed, world, way, weight, |_, at| random(*seed, 1, at) < (world.rate)(at)).is_some());
    failed.count() as f64 / runs as f64
}

const STEADY: World = World { takes: [5, 5], event_takes: 0, rate: |_| 0.2 };

/// Bad minutes that come and go, for both alike.
const OUTAGES: World = World { takes: [5, 300], event_takes: 0, rate: |at| if at % 1_000 < 400 { 0.9 } else { 0.01 } };

const SLOW_CANARY: World = World { takes: [300, 5], ..OUTAGES };

#[test]
fn equal_models_fail_seldom_whatever_the_weights_the_load_and_the_times_do() {
    for (what, world) in [
        ("nothing special", STEADY),
        ("a slow baseline, and outages", OUTAGES),
        ("a slow canary, and outages", SLOW_CANARY),
        ("the event takes long", World { event_takes: 300, ..OUTAGES }),
        ("events become rarer", World { rate: |at| 1.0 - at as f64 / REQUESTS as f64, ..STEADY }),
        ("events come with each step of the weights", World { rate: |at| if at % (REQUESTS / 5) < 200 { 0.8 } else { 0.02 }, ..STEADY }),
    ] {
        let share = false_alarms(world, Way::Shipped, 200);
        assert!(share <= 0.06, "{what}: {share}");
    }
}

/// Else nothing would be shown above.
#[test]
fn in_the_order_of_answers_equal_models_would_fail() {
    for way in [Way::ByAnswers, Way::NextOfBaseline] {
        let share = false_alarms(SLOW_CANARY, way, 20);
        assert!(share > 0.9, "{way:?}: {share}");
    }
}

/// How many answers of a canary that always has the event, beside a baseline that never has it, until the gate fails: the median.
#[test]
fn a_bad_canary_is_found_as_the_documents_say() {
    for (percent, expected) in [(5, 7), (10, 7), (25, 9), (50, 13), (75, 27), (90, 66), (95, 139)] {
        let weight = |_| f64::from(percent) / 100.0;
        let mut found: Vec<usize> =
            (0..51).filter_map(|seed| fails(seed, STEADY, Way::Shipped, weight, |by_canary, _| by_canary)).collect();
        found.sort_unstable();
        let median = found.get(25).copied().unwrap_or(usize::MAX);
        assert!(median.abs_diff(expected) * 10 <= expected.max(10), "{percent}: {median}");
    }
}

/// Users of equal models, whom the mesh keeps at their variants.
#[derive(Clone, Copy, Debug)]
struct Users {
    /// How many.
    all: u64,
    /// How many requests one has for each of the last one's.
    size: fn(u64) -> f64,
    /// The chance of the event at each of a user's requests.
    rate: fn(u64) -> f64,
}

/// Whether the gate fails in a run. `ends` are the sums of the users' sizes; `only_events`: only of requests with the event those are left out that are not the first of their key.
fn fails_by_key(seed: u64, users: Users, ends: &[f64], share: f64, only_events: bool) -> bool {
    let (pairs, mut host) = (trials(1), Memory::default());
    let terms = Terms { limit: pairs.limit, alpha: Rate::ALPHA, min_trials: 0 };
    let total = ends.last().copied().unwrap_or_default();
    let mut counts = (0, 0);
    for at in 0..REQUESTS {
        let user = ends.partition_point(|end| *end < random(seed, 2, at) * total) as u64;
        let answered = Answered { by_canary: random(seed, 0, user) < share, has_event: random(seed, 1, at) < (users.rate)(user) };
        let key = Assigned::Key(KeyBit::of(&user.to_le_bytes()));
        let is_taken = only_events && !answered.has_event || pairs.is_first(key, &mut host);
        if let Some(bad) = is_taken.then(|| pairs.next(0, answered)).flatten() {
            counts = (counts.0 + u64::from(bad), counts.1 + 1);
            if terms.fails(Reading::new(counts.0, counts.1, counts.0).fewest) {
                return true;
            }
        }
    }
    false
}

const ONE_HAS_HALF: Users =
    Users { all: 20_001, size: |user| if user == 0 { 20_000.0 } else { 1.0 }, rate: |user| if user == 0 { 0.0 } else { 0.2 } };

fn false_alarms_by_key(users: Users, share: f64, only_events: bool, runs: u64) -> f64 {
    let sizes = (0..users.all).map(users.size);
    let ends: Vec<f64> = sizes.scan(0.0, |sum, size| Some(*sum + size).inspect(|all| *sum = *all)).collect();
    (0..runs).filter(|seed| fails_by_key(*seed, users, &ends, share, only_events)).count() as f64 / runs as f64
}

#[test]
fn equal_models_fail_seldom_however_many_requests_a_user_has() {
    let a_few =
        Users { size: |user| if user < 10 { 2_000.0 } else { 1.0 }, rate: |user| if user < 10 { 0.0 } else { 0.2 }, ..ONE_HAS_HALF };
    let zipf = Users { all: 20_000, size: |user| 1.0 / (user + 1) as f64, rate: |_| 0.2 };
    let bad_client = Users { rate: |user| if user == 0 { 1.0 } else { 0.05 }, ..ONE_HAS_HALF };
    for (what, users) in [("one has half", ONE_HAS_HALF), ("ten have half", a_few), ("Zipf", zipf), ("one always fails", bad_client)] {
        let failed = [0.05, 0.25, 0.5].map(|share| false_alarms_by_key(users, share, false, 34)).iter().sum::<f64>() / 3.0;
        assert!(failed <= 0.06, "{what}: {failed}");
    }
}

/// Else nothing would be shown above: with all requests without the event, one healthy client stands at its side again and again.
#[test]
fn with_all_requests_of_a_key_equal_models_would_fail() {
    let failed = false_alarms_by_key(ONE_HAS_HALF, 0.5, true, 20);
    assert!(failed > 0.3, "{failed}");
}
