//! How the filter holds back: the breaker leaves a sick shadow alone, evidence is limited.

use std::time::Duration;

use proxy_wasm::types::LogLevel;
use serde_json::Value;

use crate::markdown::blocks;
use crate::network::Reply;
use crate::setup::{QUESTION, SCORE, SHADOW, With, says, shadowed, start, status};
use crate::traffic::Request;
use crate::world::{Place, World};

/// `count` requests, one after the other; gives how many were copied.
fn requests(world: &mut World, place: Place, count: usize) -> usize {
    let before = world.calls("shadow").len();
    for n in 0..count {
        let exchange = world.open(place, Request::post(&format!("r{n}"), QUESTION));
        world.play(exchange);
        world.advance(Duration::from_millis(20));
    }
    world.calls("shadow").len() - before
}

fn evidence(world: &World) -> Vec<Value> {
    world.lines(LogLevel::Warn).iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn ten_failures_in_a_row_open_the_breaker() {
    let (mut world, place) = start(&shadowed());
    world.serve("shadow", |_| status(500));
    assert_eq!(requests(&mut world, place, 30), 10);
    assert_eq!(world.sum("gnomon_breaker_open", &[("shadow", "copy")]), 1);
    world.check_balance();
    assert_eq!(world.outcomes("copy"), [("shadow_failed".to_owned(), 10), ("unsent_breaker_open".to_owned(), 20)].into());
    // After 5 s one probe; it fails, so the next is 10 s later, and so on to 60 s.
    for seconds in [5, 10, 20, 40, 60, 60] {
        world.advance(Duration::from_millis(seconds * 1000 - 900));
        assert_eq!(requests(&mut world, place, 5), 0, "{seconds} s are not over");
        world.advance(Duration::from_secs(1));
        assert_eq!(requests(&mut world, place, 5), 1, "one probe after {seconds} s");
    }
    world.serve("shadow", |_| says(SCORE, 3));
    world.advance(Duration::from_secs(61));
    assert_eq!(requests(&mut world, place, 1), 1, "a probe");
    assert_eq!(requests(&mut world, place, 10), 10, "closed again");
    assert_eq!(world.sum("gnomon_breaker_open", &[]), 0);
    world.settle();
    world.check();
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_the_breaker_open() {
    let (mut world, place) = start(&shadowed());
    world.serve("shadow", |_| status(500));
    requests(&mut world, place, 12);
    world.serve("shadow", |_| says(SCORE, 3));
    world.settle();
    world.proxy().now -= Duration::from_secs(3600).as_nanos() as u64;
    world.advance(Duration::from_secs(61));
    assert!(requests(&mut world, place, 3) >= 1, "a probe within a minute, whatever the clock says");
    world.settle();
    world.check();
}

#[test]
fn timeouts_open_the_breaker_and_failed_primaries_do_not() {
    let (mut world, place) = start(&shadowed().with(&format!("{SHADOW}/timeout"), "10ms"));
    world.serve("shadow", |_| Reply::Silent);
    assert_eq!(requests(&mut world, place, 30), 10);
    let (mut world, place) = start(&shadowed());
    world.serve("shadow", |_| status(500));
    world.serve("primary", |_| status(500));
    assert_eq!(requests(&mut world, place, 30), 30);
    world.settle();
    world.check();
    assert_eq!(world.sum("gnomon_breaker_open", &[]), 0);
}

#[test]
fn a_success_starts_the_count_anew() {
    let (mut world, place) = start(&shadowed());
    let mut count = 0;
    world.serve("shadow", move |_| {
        count += 1;
        if count % 10 == 0 { says(SCORE, 3) } else { status(500) }
    });
    assert_eq!(requests(&mut world, place, 50), 50);
    world.settle();
    world.check();
}

#[test]
fn an_open_breaker_is_given_back_when_its_root_or_vm_ends() {
    for new_vm in [false, true] {
        let (mut world, place) = start(&shadowed());
        world.serve("shadow", |_| status(500));
        requests(&mut world, place, 12);
        assert_eq!(world.sum("gnomon_breaker_open", &[]), 1);
        let next = shadowed().with(&format!("{SHADOW}/timeout"), "3s").to_string();
        if new_vm {
            world.load(&next).expect("accepted");
            world.retire(place.vm);
        } else {
            world.update(place, &next).expect("accepted");
        }
        world.settle();
        world.check();
        assert!(world.sum("gnomon_breaker_open", &[]) <= u64::from(!new_vm), "new VM: {new_vm}");
    }
}

#[test]
fn evidence_is_limited_per_second() {
    let (mut world, place) = start(&shadowed().with("/evidence", serde_json::json!({"per_second": 2})));
    world.serve("shadow", |_| says(r#"{"score":0.9}"#, 3));
    for second in 1..=3 {
        requests(&mut world, place, 10);
        world.advance(Duration::from_secs(1));
        let lines = evidence(&world).len();
        assert!((second..=3 * second).contains(&lines), "{lines} lines after {second} bursts");
    }
    world.settle();
    world.check();
    let [logged, suppressed] = ["logged", "suppressed"].map(|outcome| world.sum("gnomon_evidence_total", &[("outcome", outcome)]));
    assert_eq!(logged + suppressed, 30);
}

#[test]
fn evidence_of_a_divergence_says_where_and_shows_values_only_if_asked() {
    for values in [false, true] {
        let (mut world, place) = start(&shadowed().with("/evidence", serde_json::json!({"values": values})));
        world.serve("primary", |_| says(r#"{"score":0.25}"#, 2));
        world.serve("shadow", |_| says(r#"{"score":0.75}"#, 3));
        world.exchange(place, Request::post("request-1", QUESTION));
        world.check();
        let lines = world.lines(LogLevel::Warn);
        assert_eq!(lines.len(), 1);
        for part in ["exp", "fraud", "copy", "all", "request-1", "number", "score"] {
            assert!(lines[0].contains(&format!("\"{part}\"")), "{part}: {}", lines[0]);
        }
        assert_eq!(lines[0].contains("0.75") && lines[0].contains("0.25"), values, "{}", lines[0]);
    }
}

#[test]
fn the_line_of_evidence_in_the_documents_is_one_of_the_filters() {
    let (mut world, place) = start(&shadowed());
    world.serve("shadow", |_| says(&SCORE.replace("0.5", "0.75"), 3));
    world.exchange(place, Request::post("r", QUESTION));
    let shown: Value = serde_json::from_str(&blocks("docs/comparing.md", "json")[0]).expect("JSON");
    let members = |line: &Value| line.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&shown), members(&evidence(&world)[0]));
}

#[test]
fn no_evidence_if_none_is_wanted() {
    let (mut world, place) = start(&shadowed().with("/evidence", serde_json::json!({"per_second": 0})));
    world.serve("shadow", |_| says(r#"{"score":0.9}"#, 3));
    requests(&mut world, place, 3);
    world.settle();
    world.check();
    assert!(evidence(&world).is_empty());
}

#[test]
fn a_copy_that_failed_says_why_once_and_again_after_a_minute() {
    let (mut world, place) = start(&shadowed().with("/evidence", serde_json::json!({"per_second": 100})));
    world.serve("shadow", |_| status(401));
    requests(&mut world, place, 5);
    assert_eq!(evidence(&world).len(), 1, "one line for one kind of failure");
    assert!(world.lines(LogLevel::Warn)[0].contains("keep_credentials"), "a hint: {:?}", evidence(&world));
    world.proxy().network.remove("shadow");
    requests(&mut world, place, 3);
    assert_eq!(evidence(&world).len(), 2, "the outcome changed");
    assert!(world.lines(LogLevel::Warn)[1].contains("unsent_no_cluster"));
    world.advance(Duration::from_secs(61));
    requests(&mut world, place, 3);
    assert_eq!(evidence(&world).len(), 3, "again after a minute");
    world.settle();
    world.check();
}
