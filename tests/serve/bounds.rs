//! Slow and greedy clients, a Prometheus that hangs, and the end.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{Process, read};
use crate::prometheus::World;
use crate::server::{Reply, Server};

#[test]
fn large_bodies_and_slow_ones_are_refused() {
    let server = Server::new(|request| World::good().answer(request));
    let process = Process::new(&server.url);
    process.request("POST", "/confirm", &" ".repeat(70_000)).assert(413, "the body has more than 64 KiB");
    let mut slow = process.connect();
    slow.write_all(b"POST /confirm HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{").unwrap();
    // Others are answered meanwhile, however many are slow.
    let idle: Vec<_> = (0..50).map(|_| process.connect()).collect();
    process.hook("/confirm", "").assert(200, "pass");
    drop(idle);
    read(slow).assert(408, "the body did not come within 5 s");
}

#[test]
fn a_connection_has_one_answer() {
    let server = Server::new(|request| World::good().answer(request));
    let process = Process::new(&server.url);
    let mut stream = process.connect();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let answer = read(stream);
    answer.assert(200, "alive\n");
    assert!(answer.head.contains("connection: close") && answer.body == "alive\n", "{answer:?}");
}

/// Clients who neither read their answer nor leave hold no place: there are 256.
#[test]
fn clients_that_do_not_read_hold_nobody_up() {
    let server = Server::new(|request| World::good().answer(request));
    let process = Process::new(&server.url);
    let deaf: Vec<_> = (0..300)
        .map(|_| {
            let mut stream = process.connect();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    process.hook("/confirm", "").assert(200, "pass");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(deaf);
}

/// Flagger gives up after 10 s, and would not learn why.
#[test]
fn a_prometheus_that_hangs_is_told_in_time() {
    let server = Server::new(|_| Reply::Hang);
    let process = Process::new(&server.url);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..20).map(|_| scope.spawn(|| process.hook("/rollback", ""))).collect();
        std::thread::sleep(Duration::from_millis(500));
        process.request("GET", "/livez", "").assert(200, "alive");
        asking.into_iter().for_each(|asked| asked.join().unwrap().assert(503, "Prometheus has not answered within 8 s"));
    });
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn requests_under_way_are_answered_at_the_end() {
    let server = Server::new(|request| {
        std::thread::sleep(Duration::from_millis(150));
        World::good().answer(request)
    });
    let mut process = Process::new(&server.url);
    let idle = process.connect();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| process.hook("/confirm", ""));
        while server.requests.lock().unwrap().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        process.signal("TERM");
        asked.join().unwrap().assert(200, "pass");
    });
    assert_eq!(process.child.wait().unwrap().code(), Some(0));
    drop(idle);
    let log = process.log.lock().unwrap().join("\n");
    assert!(log.contains("gnomon 0.1.0 listens on 127.0.0.1:") && log.contains("ending:"), "{log}");
}

#[test]
fn a_wrong_call_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, code, words) in [
        (&["--listen", &*taken, "--prometheus", "http://a"][..], 69, "can't listen there"),
        (&["--prometheus", "a"], 2, "must begin with http"),
        (&["--prometheus", "http://a", "--bearer-token-file", "no-such-file"], 66, "--bearer-token-file no-such-file"),
        (&["--prometheus", "http://a", "--listen", "8080"], 2, "--listen"),
        (&[], 2, "--prometheus"),
    ] {
        let done = Command::new(env!("CARGO_BIN_EXE_gnomon")).arg("serve").args(arguments).output().unwrap();
        let errors = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.code() == Some(code) && errors.contains(words), "{code} {words}: {errors}");
    }
}
