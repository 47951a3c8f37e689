//! Bad input, each with its own words and exit code.

use std::time::{Duration, Instant};

use crate::prometheus::World;
use crate::run::{ask, ask_world, file, gate};
use crate::server::{Reply, Server};

#[test]
fn a_call_that_is_wrong_is_told() {
    for (arguments, words) in [
        (&["--experiment", "e"][..], "whom to ask? give --prometheus URL, or --stats"),
        (&["--experiment", "e", "--prometheus", "localhost:9090"], "--prometheus localhost:9090: the URL must begin with http"),
        (&["--experiment", "e", "--prometheus", "ftp://a/"], "must begin with http"),
        (&["--experiment", "e", "--prometheus", "http://a b/"], "no URL"),
        (&["--experiment", "e", "--prometheus", "http://me:secret@a/"], "leave user and password out of the URL"),
        (&["--experiment", "e", "--prometheus", "http://a/?x=1"], "leave the query out"),
        (&["--experiment", "e", "--prometheus", "http://a", "--header", "secret"], "--header: there is no colon"),
        (&["--experiment", "e", "--prometheus", "http://a", "--header", "a b: secret"], "--header: this is no name of a header"),
        (&["--experiment", "e", "--prometheus", "http://a", "--ca-file", "x.pem"], "--ca-file is for https"),
        (&["--experiment", "e", "--stats", "-", "--stats", "-"], "the standard input can be read once"),
        (&["--experiment", "e", "--stats", "-", "--wait", "1m"], "the standard input can be read once"),
    ] {
        let run = gate(arguments);
        run.assert(2, &[words]);
        assert!(!run.errors.contains("secret"), "{run:?}");
    }
    for arguments in [
        &["--experiment", "e", "--stats", "a", "--prometheus", "http://a"][..],
        &["--experiment", "e", "--stats", "a", "--at", "0"],
        &["--experiment", "e", "--stats", "a", "--cluster", "c"],
        &["--experiment", "e", "--prometheus", "http://a", "--at", "0", "--wait", "1m"],
        &["--experiment", "e", "--prometheus", "http://a", "--at", "yesterday"],
        &["--experiment", "e", "--prometheus", "http://a", "--wait", "soon"],
        &["--experiment", "e", "--prometheus", "http://a", "-o", "yaml"],
        &["--prometheus", "http://a"],
    ] {
        let run = gate(arguments);
        assert!(run.code == Some(2) && run.errors.contains("--help"), "{run:?}");
    }
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let experiment = |name: &str| format!("experiment={name} route=r config=c instance=a");
    let rules = || {
        let mut world = World::default();
        world.add("gnomon:rules:info", "version=1", "1");
        world
    };
    let with = |changes: &dyn Fn(&mut World)| {
        let mut world = rules();
        changes(&mut world);
        world
    };
    for (world, words) in [
        (World::default(), "gnomon:rules:info is missing: Gnomon's recording rules are not evaluated; load istio/prometheus/rules.yaml"),
        (World::good().without("gnomon:rules:info"), "gnomon:rules:info is missing"),
        (rules(), "Prometheus has no series of Gnomon: it scrapes no proxy with the filter"),
        (
            with(&|world| world.add("gnomon_build_info", "what=0.0.9", "1")),
            "no experiment at all: the filters (0.0.9) have no configuration",
        ),
        (with(&|world| world.add("gnomon_experiment_info", &experiment("other"), "1")), "no such experiment: fraud-a; there are: other"),
        (with(&|world| world.add("gnomon_experiment_info", &experiment("fraud-a"), "1")), "experiment fraud-a: it has no gate"),
        (
            with(&|world| {
                world.add("gnomon_experiment_info", &experiment("fraud-a"), "1");
                world.add("gnomon_gate_limit_ppm", "experiment=fraud-a", "10000");
            }),
            "its gates are there, but the rules say nothing of them (yet)",
        ),
    ] {
        ask_world(world, &[]).assert(66, &[words]);
    }
    let mut newer = World::good().without("gnomon:rules:info");
    newer.add("gnomon:rules:info", "version=2", "1");
    ask_world(newer.clone(), &[]).assert(66, &["rules are of version 2, but this command knows 1"]);
    newer.add("gnomon:rules:info", "version=1", "1");
    ask_world(newer, &[]).assert(66, &["rules are of version 1 and 2, but this command knows 1"]);
}

#[test]
fn a_prometheus_that_does_not_answer_as_one_is_told() {
    let html = "<!doctype html><title>Sign in</title>";
    let error = r#"{"status": "error", "errorType": "timeout", "error": "query timed out"}"#;
    for (reply, words) in [
        (Reply::text(500, "boom"), "answers 500 with 4 bytes of text/plain, which Prometheus' API does not"),
        (Reply::With(503, String::new(), error.into()), "Prometheus answers 503 timeout: query timed out"),
        (Reply::With(400, String::new(), error.replace("timeout", "bad_data")), "Prometheus answers 400 bad_data: query timed out"),
        (Reply::json(error), "Prometheus answers 200 timeout"),
        (Reply::json(error.replace("query", "\\u001b[2J")), "Prometheus answers 200 timeout: \\u{1b}[2J timed out"),
        (Reply::With(200, "content-type: text/html\r\n".into(), html.into()), "answers 200 with HTML: this is a page"),
        (
            Reply::With(302, "location: https://login.example.com/?token=secret\r\n".into(), String::new()),
            "redirects to https://login.example.com/: is that a login page?",
        ),
        (Reply::text(401, ""), "answers 401: it wants credentials, give --bearer-token-file or --header"),
        (Reply::text(403, "no"), "answers 403: these credentials may not query it"),
        (Reply::text(404, "404 page not found"), "answers 404: Prometheus has no API there; perhaps it is behind a path"),
        (Reply::json("{}"), "which Prometheus' API does not"),
        (Reply::json(""), "which Prometheus' API does not"),
        (Reply::json(r#"{"status": "success"}"#), "no vector"),
        (Reply::json(r#"{"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}"#), "no vector"),
        (
            Reply::json(r#"{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "one"]}]}}"#),
            "no vector",
        ),
        (Reply::Half(r#"{"status": "success"}"#.into()), "can't be reached"),
        (Reply::Close, "can't be reached"),
    ] {
        let server = Server::new(move |_| reply.clone());
        let run = ask(&server, &[]);
        run.assert(69, &[words]);
        assert!(!run.errors.contains("secret"), "{run:?}");
    }
    gate(&["--experiment", "e", "--prometheus", "http://127.0.0.1:1"]).assert(69, &["can't be reached", "Connection refused"]);
    gate(&["--experiment", "e", "--prometheus", "http://no-such-host.invalid"]).assert(69, &["can't be reached", "dns"]);
}

#[test]
fn a_prometheus_that_hangs_is_given_up() {
    let server = Server::new(|_| Reply::Hang);
    let began = Instant::now();
    ask(&server, &[]).assert(69, &["/api/v1/query: no answer within 10 s"]);
    assert!(began.elapsed() < Duration::from_secs(15));
}

/// One that answers some queries only is not believed.
#[test]
fn a_prometheus_that_ends_in_between_is_told() {
    for fails in ["gnomon:rules:info", "gnomon:gate:state", "gnomon_experiment_info|", "gnomon_build_info|", "timestamp("] {
        let world = World::good();
        let server = Server::new(
            move |request| if request.parameter("query").contains(fails) { Reply::text(502, "") } else { world.answer(request) },
        );
        ask(&server, &[]).assert(69, &["answers 502"]);
    }
}

#[test]
fn credentials_are_sent_and_checked() {
    let world = World::good();
    let server = Server::new(move |request| match (request.header("authorization"), request.header("x-scope-orgid")) {
        (Some("Bearer abc.def"), Some("ml")) => world.answer(request),
        _ => Reply::text(401, ""),
    });
    let token = file("credentials", "token", "abc.def\n");
    let more = ["--header", "X-Scope-OrgID: ml", "--bearer-token-file"];
    ask(&server, &[&more[..], &[token.to_str().unwrap()]].concat()).assert(0, &[]);
    ask(&server, &[]).assert(69, &["answers 401"]);
    for (text, words) in
        [("", "the file is empty"), ("\n", "the file is empty"), ("two words", "this is no token"), ("é", "this is no token")]
    {
        let wrong = file("credentials", "wrong", text);
        ask(&server, &["--bearer-token-file", wrong.to_str().unwrap()]).assert(66, &["--bearer-token-file", words]);
    }
    ask(&server, &["--bearer-token-file", "no-such-file"]).assert(66, &["--bearer-token-file no-such-file: No such file"]);
}

/// What a Prometheus behind a path is asked for.
#[test]
fn the_url_may_have_a_path() {
    let server = Server::new(|_| Reply::text(404, ""));
    for path in ["/prefix", "/prefix/"] {
        let url = format!("{}{path}", server.url);
        gate(&["--experiment", "e", "--prometheus", &url]).assert(69, &["/prefix/api/v1/query: answers 404"]);
    }
}
