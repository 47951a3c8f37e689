//! Waiting for a decision.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::prometheus::World;
use crate::run::{ask, gate};
use crate::server::{Reply, Server};

const WAIT: [&str; 4] = ["--wait", "30s", "--every", "1s"];

/// A server that answers each look (each query for the rules' version) by another of these; the last one goes on.
fn looks(replies: Vec<Option<World>>) -> Server {
    let look = AtomicUsize::new(0);
    Server::new(move |request| {
        let begins = request.parameter("query") == "gnomon:rules:info";
        let at = if begins { look.fetch_add(1, Ordering::SeqCst) } else { look.load(Ordering::SeqCst) - 1 };
        replies[at.min(replies.len() - 1)].as_ref().map_or(Reply::text(503, "down"), |world| world.answer(request))
    })
}

#[test]
fn it_waits_until_it_is_decided() {
    let undecided = || Some(World::new(0, (0, 0, 76)));
    let run = ask(&looks(vec![undecided(), None, undecided(), Some(World::good())]), &WAIT);
    run.assert(0, &[]);
    assert_eq!(run.errors, "", "progress is for terminals");
    ask(&looks(vec![undecided(), Some(World::new(2, (2, 100, 1000)))]), &WAIT).assert(1, &[]);
    ask(&looks(vec![None, None, Some(World::good())]), &WAIT).assert(0, &[]);
    // An experiment may not be there yet.
    let mut empty = World::default();
    empty.add("gnomon:rules:info", "version=1", "1");
    ask(&looks(vec![Some(empty), Some(World::good())]), &WAIT).assert(0, &[]);
}

#[test]
fn an_outage_is_never_a_pass() {
    let short = ["--wait", "2s", "--every", "1s"];
    ask(&looks(vec![Some(World::new(0, (0, 0, 76))), None]), &short).assert(75, &["note: since then:", "answers 503"]);
    ask(&looks(vec![None]), &short).assert(69, &["answers 503"]);
    ask(&looks(vec![Some(World::new(0, (0, 0, 76)))]), &short).assert(75, &["gate errors must pass and is undecided"]);
}

/// A time that is shorter than the pause between two looks is waited for, too.
#[test]
fn it_asks_once_more_at_the_end() {
    let began = Instant::now();
    let short = ["--wait", "1s", "--every", "10m"];
    ask(&looks(vec![Some(World::new(0, (0, 0, 76))), Some(World::good())]), &short).assert(0, &[]);
    ask(&looks(vec![None, Some(World::good())]), &short).assert(0, &[]);
    assert!((Duration::from_secs(2)..Duration::from_secs(10)).contains(&began.elapsed()), "{:?}", began.elapsed());
}

/// What nobody's waiting mends.
#[test]
fn what_stays_wrong_is_not_waited_for() {
    let began = Instant::now();
    let server = Server::new(|_| Reply::text(401, ""));
    ask(&server, &WAIT).assert(69, &["answers 401"]);
    ask(&looks(vec![Some(World::default())]), &WAIT).assert(66, &["gnomon:rules:info is missing"]);
    gate(&[&["--experiment", "e", "--stats", "no-such-file"][..], &WAIT].concat()).assert(66, &["no-such-file"]);
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_interrupt_ends_it() {
    use std::process::{Command, Stdio};
    let server = looks(vec![Some(World::new(0, (0, 0, 76)))]);
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gnomon"));
        command.args(["gate", "--experiment", "fraud-a", "--prometheus", &server.url, "--wait", "1h"]).stdout(Stdio::null());
        let before = server.requests.lock().unwrap().len();
        let mut child = command.spawn().unwrap();
        while server.requests.lock().unwrap().len() == before {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
    }
}
