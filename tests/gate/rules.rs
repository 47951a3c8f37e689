//! What a Prometheus with the rules says: decisions, selections, and figures that are not good enough.

use crate::prometheus::{SUBJECT, World};
use crate::run::{ask, ask_world};
use crate::server::{Reply, Server};

#[test]
fn each_state_has_its_exit_code() {
    ask_world(World::good(), &[]).assert(0, &[
        "pass: experiment fraud-a at 20",
        "route fraud, subject v2: pass\n  all gates that must pass do: errors\n",
        "errors  all    pass      pass   0    1000    0 % (0 % to 0.47 %)  1 %    21 bad ones in a row would fail",
        "filter 0.1.0, rules 1, gnomon 0.1.0\nroute fraud: configuration 1a2b3c4d at 1 proxy, owner risk\nby the recording rules at http",
    ]);
    ask_world(World::new(2, (2, 100, 1000)), &[])
        .assert(1, &["gate errors has failed", "it stays failed until the experiment's id changes"]);
    let undecided = ["gate errors must pass and is undecided", "315 more without a bad one would pass; 5 bad ones in a row would fail"];
    ask_world(World::new(0, (0, 0, 76)), &[]).assert(75, &undecided);
    ask_world(World::new(0, (0, 0, 0)), &[]).assert(75, &["note: no traffic: no gate has counted a trial yet"]);
}

/// The page shows what the command prints.
#[test]
fn the_example_of_the_page_is_what_is_printed() {
    let page = include_str!("../../docs/deciding.md");
    let mut world = World::new(0, (0, 0, 76));
    world.add("gnomon_experiment_info", "experiment=fraud-a route=fraud config=1a2b3c4d owner=risk instance=b", "1");
    let server = Server::new(move |request| world.answer(request));
    let run = ask(&server, &["--at", "2026-01-01T12:00:00Z"]);
    run.assert(75, &[]);
    let out =
        run.out.replace("fraud-a", "fraud-2026-11").replace("2026-01-01", "2026-11-30").replace(&server.url, "http://prometheus:9090");
    assert!(page.contains(&format!("```\n{out}```\n")), "{out}");
}

/// The rules say what counts, but they don't pass where the figures beside them don't allow it.
#[test]
fn what_contradicts_itself_is_undecided() {
    for (world, words) in [
        (World::new(1, (0, 0, 76)), "gnomon:subject:state is 1 (pass), but gate errors must pass and is undecided"),
        (World::new(1, (2, 100, 1000)), "gnomon:subject:state is 1 (pass), but gate errors has failed"),
        (World::new(0, (1, 0, 1000)), "gnomon:subject:state is 0 (undecided), but nothing else here says why"),
        (World::new(0, (2, 100, 1000)), "gnomon:subject:state is 0 (undecided), but gate errors has failed"),
        (World::good().with("gnomon:gate_requires:max", "1"), "but no gate of it must pass"),
        (World::good().with("gnomon_configuration", "2"), "but a proxy has refused its last configuration"),
    ] {
        ask_world(world, &[]).assert(75, &[words]);
    }
    ask_world(World::new(2, (1, 0, 1000)), &[]).assert(1, &["gnomon:subject:state is 2 (fail), but nothing else here says why"]);
    let mut misrouted = World::good();
    misrouted.add("gnomon_split_misrouted", "experiment=fraud-a route=fraud variant=v1", "1");
    ask_world(misrouted, &[]).assert(75, &["a proxy routes requests of v1 like those of another variant"]);
    let mut cut_off = World::good();
    cut_off.add("gnomon_guardrail_tripped", "experiment=fraud-a route=fraud variant=v2 instance=a", "1");
    ask_world(cut_off, &[]).assert(75, &["gnomon:subject:state is 1 (pass), but a guardrail has cut it off at 1 of 1 proxies"]);
    let mut cut_off_before = World::new(2, (1, 0, 1000));
    cut_off_before.add("gnomon:subject_cut_off:max", SUBJECT, "1");
    ask_world(cut_off_before, &[]).assert(1, &["  a guardrail had cut it off at more than half of the proxies\n"]);
    for (reason, words) in [
        ("series_missing", "  series of a gate or of a proxy are missing\n"),
        ("configuration", "  a proxy does not run as configured"),
        ("cut_off", "  a guardrail has cut it off at a proxy\n"),
        ("label_collision", "  a label that Prometheus gives its targets has the name of one of Gnomon's: rename it\n"),
        ("terms_differ", "  proxies judge a gate by different terms: a change has not reached all of them\n"),
        ("moon", "  the rules hold it back: moon\n"),
    ] {
        let mut held = World::new(0, (1, 0, 1000));
        held.add("gnomon:subject_held:info", &format!("{SUBJECT} reason={reason}"), "1");
        held.add("gnomon:subject_held:info", &format!("{SUBJECT} reason=misrouted"), "1");
        held.add("gnomon_split_misrouted", "experiment=fraud-a route=fraud variant=v1", "1");
        let run = ask_world(held, &[]);
        run.assert(75, &[words, "  a proxy routes requests of v1 like those of another variant\n"]);
        assert!(!run.out.contains("misrouted"), "told twice: {run:?}");
    }
    let mut other = World::good();
    other.add("gnomon_guardrail_tripped", "experiment=fraud-a route=fraud variant=v3 instance=a", "1");
    ask_world(other, &[]).assert(0, &[]);
}

/// One gate alone does not pass either if anything holds its subject back.
#[test]
fn a_gate_passes_alone_only_if_nothing_is_wrong() {
    let gate = ["--gate", "errors"];
    let other = |state| {
        let mut world = World::new(state, (1, 0, 1000));
        world.gate(&format!("{SUBJECT} gate=slow slice=all"), state, 2, if state == 2 { (100, 1000) } else { (0, 10) });
        world
    };
    ask_world(World::good(), &gate).assert(0, &["gate errors passes"]);
    ask_world(other(0), &gate).assert(0, &["gate errors passes"]);
    ask_world(other(2), &gate).assert(0, &["gate errors passes"]);
    for reason in ["series_missing", "configuration", "misrouted", "cut_off", "moon"] {
        for state in [0, 1] {
            let mut held = World::new(state, (1, 0, 1000));
            held.add("gnomon:subject_held:info", &format!("{SUBJECT} reason={reason}"), "1");
            ask_world(held, &gate).assert(75, &[]);
        }
    }
    let with = |name: &str, labels: &str| {
        let mut world = World::good();
        world.add(name, labels, "1");
        world
    };
    let variant = |name: &str| format!("experiment=fraud-a route=fraud variant={name} instance=a");
    for (world, words) in [
        (with("gnomon_split_misrouted", &variant("v1")), "a proxy routes requests of v1 like those of another variant"),
        (with("gnomon_guardrail_tripped", &variant("v2")), "a guardrail has cut it off at 1 of 1 proxies"),
        (with("gnomon:subject_cut_off:max", SUBJECT), "a guardrail had cut it off"),
        (World::good().with("gnomon_configuration", "3"), "a proxy has refused its configuration"),
        (World::new(0, (1, 0, 1000)), "gnomon:subject:state is 0 (undecided), but nothing else here says why"),
        (World::new(2, (1, 0, 1000)), "gnomon:subject:state is 2 (fail), but nothing else here says why"),
        (World::good().without("gnomon:subject:state"), "gnomon:subject:state is"),
    ] {
        ask_world(world, &gate).assert(75, &[words]);
    }
    ask_world(World::new(0, (2, 100, 1000)), &gate).assert(1, &["gate errors has failed"]);
}

#[test]
fn what_is_missing_or_no_number_is_undecided() {
    for name in [
        "gate_bad:sum",
        "gate_trials:sum",
        "gate_limit:ratio",
        "gate_alpha:ratio",
        "gate_min_trials:max",
        "gate_requires:max",
        "gate:state",
    ] {
        let name = format!("gnomon:{name}");
        ask_world(World::good().without(&name), &[]).assert(75, &[&name]);
        ask_world(World::good().with(&name, "NaN"), &[]).assert(75, &[&name]);
    }
    ask_world(World::good().without("gnomon:subject:state"), &[]).assert(75, &["gnomon:subject:state is missing"]);
    for value in ["NaN", "3", "0.5", "-1", "+Inf"] {
        let run = ask_world(World::good().with("gnomon:subject:state", value), &[]);
        run.assert(75, &["gnomon:subject:state is", "which is no state"]);
    }
    // No missing figure turns a fail into anything else.
    ask_world(World::new(2, (2, 100, 1000)).without("gnomon:gate_limit:ratio"), &[]).assert(1, &["gate errors has failed"]);
}

/// A state that the counts beside it don't allow, of a gate that must pass and of one that must not fail.
#[test]
fn a_pass_that_does_not_follow_is_none() {
    let words = "gnomon:gate:state is 1 (pass), but its counts or terms don't allow it: gate";
    for (bad, trials) in [(0, 0), (0, 76), (30, 1000), (10, 1000), (7, 5), (1000, 1000)] {
        ask_world(World::new(1, (1, bad, trials)), &[]).assert(75, &[words]);
        ask_world(World::new(1, (1, bad, trials)), &["--gate", "errors"]).assert(75, &[words]);
        let mut other = World::good();
        other.gate(&format!("{SUBJECT} gate=worse slice=all"), 1, 1, (bad, trials));
        ask_world(other, &[]).assert(75, &[words, "gate worse in slice all"]);
        let mut slices = World::good();
        slices.add("gnomon:gate:state", &format!("{SUBJECT} gate=fair slice=all"), "1");
        slices.gate(&format!("{SUBJECT} gate=fair slice=eu"), 1, 2, (0, 1000));
        slices.gate(&format!("{SUBJECT} gate=fair slice=us"), 1, 2, (bad, trials));
        ask_world(slices.clone(), &[]).assert(75, &[words, "gate fair in slice us", "gate fair in slice all"]);
        ask_world(slices.with("gnomon:gate:state", "0").with("gnomon:subject:state", "0"), &[]).assert(75, &[]);
    }
    for (name, value) in [
        ("gate_min_trials:max", "1001"),
        ("gate_limit:ratio", "0"),
        ("gate_limit:ratio", "1"),
        ("gate_limit:ratio", "20"),
        ("gate_limit:ratio", "-0.01"),
        ("gate_alpha:ratio", "0"),
        ("gate_alpha:ratio", "1"),
        ("gate_bad:sum", "0.5"),
        ("gate_trials:sum", "1000.5"),
        ("gate_trials:sum", "+Inf"),
        ("gate_min_trials:max", "-1"),
    ] {
        ask_world(World::good().with(&format!("gnomon:{name}"), value), &[]).assert(75, &[]);
        // Of a gate that holds nothing back.
        let mut other = World::good();
        other.gate(&format!("{SUBJECT} gate=worse slice=all"), 0, 1, (0, 10));
        let last = other.series.iter_mut().rfind(|series| series.name == format!("gnomon:{name}")).unwrap();
        last.value = value.into();
        ask_world(other, &[]).assert(if value == "1001" { 0 } else { 75 }, &[]);
    }
}

#[test]
fn what_is_not_known_to_be_alive_is_undecided() {
    ask_world(World::good().without("gnomon_experiment_info"), &[]).assert(75, &["gnomon_experiment_info is missing for route fraud"]);
    let elsewhere = |series: &mut crate::prometheus::Series| {
        if series.name == "gnomon_experiment_info" {
            series.labels.iter_mut().filter(|(name, _)| name == "route").for_each(|(_, value)| *value = "other".into());
        }
    };
    let mut other = World::good();
    other.series.iter_mut().for_each(elsewhere);
    ask_world(other, &[]).assert(75, &["gnomon_experiment_info is missing for route fraud"]);
    ask_world(World::good().without("gnomon_configuration"), &[]).assert(75, &["gnomon_configuration is missing"]);
    for value in ["NaN", "0.5", "-1", "+Inf"] {
        ask_world(World::good().with("gnomon_configuration", value), &[]).assert(75, &["gnomon_configuration is no number"]);
    }
    ask_world(World { age: f64::NAN, ..World::good() }, &[]).assert(75, &["does not say of when gnomon:subject:state is"]);
    let world = World::good();
    let server = Server::new(move |request| match request.parameter("query").starts_with("timestamp(") {
        true => World::default().answer(request),
        false => world.answer(request),
    });
    ask(&server, &[]).assert(75, &["does not say of when gnomon:subject:state is"]);
    let mut twice = World::new(2, (2, 100, 1000));
    twice.add("gnomon:subject:state", &format!("{SUBJECT} replica=b"), "1");
    ask_world(twice, &[]).assert(75, &["gnomon:subject:state is there twice"]);
}

/// A clock that is wrong would show the figures of another time.
#[test]
fn clocks_must_agree() {
    let dated = |date: &'static str| {
        let world = World::good();
        let server = Server::new(move |request| match world.answer(request) {
            Reply::With(status, head, body) => Reply::With(status, format!("{head}date: {date}\r\n"), body),
            other => other,
        });
        ask(&server, &[])
    };
    dated("Sat, 01 Jan 2000 00:00:00 GMT").assert(75, &["s behind this one: one of them is wrong"]);
    dated("Fri, 01 Jan 2900 00:00:00 GMT").assert(75, &["s ahead of this one"]);
    dated("soon").assert(75, &["has a date that is none: soon"]);
    dated("").assert(0, &[]);
}

#[test]
fn doubtful_answers_are_undecided() {
    for (warnings, told) in [
        ("[]", None),
        ("null", None),
        ("[7]", Some("7")),
        ("\"partial\"", Some("partial")),
        ("{\"a\": 1}", Some("a")),
        ("true", Some("true")),
    ] {
        let world = World::good();
        let server = Server::new(move |request| match world.answer(request) {
            Reply::With(status, head, body) => {
                Reply::With(status, head, body.replace("\"warnings\":[]", &format!("\"warnings\":{warnings}")))
            }
            other => other,
        });
        let run = ask(&server, &[]);
        run.assert(if told.is_some() { 75 } else { 0 }, &[told.map_or("pass", |_| "Prometheus warns"), told.unwrap_or("")]);
    }
    let escaped = World { warnings: vec!["\u{1b}[2J".into()], ..World::good() };
    ask_world(escaped, &[]).assert(75, &["Prometheus warns, so its answer may be partial: \\u{1b}[2J"]);
    let warned = World { warnings: vec!["partial response".into()], ..World::good() };
    ask_world(warned, &[]).assert(75, &["Prometheus warns, so its answer may be partial: partial response"]);
    ask_world(World { age: 200.0, ..World::good() }, &[]).assert(75, &["the rules were last evaluated 200 s before"]);
    ask_world(World { age: 100.0, ..World::good() }, &[]).assert(0, &[]);
    for (name, labels) in [("gnomon:subject:state", SUBJECT.to_owned()), ("gnomon:gate:state", format!("{SUBJECT} gate=errors slice=all"))]
    {
        let mut twice = World::good();
        twice.add(name, &format!("{labels} replica=b"), "1");
        ask_world(twice, &[]).assert(75, &[&format!("{name} is there twice, with different values of replica")]);
    }
}

#[test]
fn several_subjects_are_as_good_as_the_worst() {
    let mut world = World::good();
    let other = "experiment=fraud-a route=fraud subject=v2-copy";
    world.subject(other, 0);
    world.gate(&format!("{other} gate=agreement slice=all"), 0, 2, (0, 10));
    ask_world(world.clone(), &[]).assert(75, &["subject v2: pass", "subject v2-copy: undecided"]);
    ask_world(world.clone(), &["--subject", "v2"]).assert(0, &["subject v2: pass"]);
    let third = "experiment=fraud-a route=score subject=v3";
    world.subject(third, 2);
    world.gate(&format!("{third} gate=errors slice=all"), 2, 2, (50, 100));
    ask_world(world.clone(), &[]).assert(1, &["subject v2: pass", "subject v2-copy: undecided", "route score, subject v3: fail"]);
    ask_world(world.clone(), &["--route", "fraud", "--gate", "errors"]).assert(0, &["gate errors passes"]);
    ask_world(world.clone(), &["--gate", "agreement"]).assert(75, &["gate agreement is undecided"]);
    for (more, words) in [
        (["--subject", "v9"], "experiment fraud-a has no subject v9 with a gate; there is route fraud, subject v2, gates errors; route"),
        (["--route", "x"], "has no route x with a gate"),
        (["--gate", "x"], "has no gate x"),
        (["--cluster", "x"], "has no cluster x"),
    ] {
        ask_world(world.clone(), &more).assert(66, &[words]);
    }
}

#[test]
fn a_gate_is_told_slice_by_slice() {
    let mut world = World::new(1, (1, 0, 1000));
    let fairness = |slice: &str| format!("{SUBJECT} gate=fairness slice={slice}");
    world.add("gnomon:gate:state", &fairness("all"), "1");
    for (slice, counts) in [("eu", (0, 900)), ("us", (1, 2000)), ("other", (0, 0))] {
        world.gate(&fairness(slice), u8::from(slice != "other"), 2, counts);
    }
    ask_world(world, &[]).assert(0, &[
        "fairness  all    pass      pass                                                    fails if one slice fails, passes when all pass\n",
        "fairness  other  pass      undecided  0    0                                1 %    counts only once it has a trial\n",
    ]);
}

/// Of trials with limits of their own each proxy's evidence counts by itself.
#[test]
fn limits_of_their_own_are_told_by_life() {
    let mut world = World::new(1, (1, 0, 1000));
    let worse = format!("{SUBJECT} gate=worse slice=all");
    world.gate(&worse, 0, 1, (4, 40));
    for (started, bad, trials) in [("1", "3", "30"), ("2", "1", "10")] {
        for (name, value) in [("bad", bad), ("trials", trials), ("limit_sum", &format!("{trials}00000"))] {
            world.add(&format!("gnomon:gate_{name}:highest"), &format!("{worse} started={started}"), value);
        }
    }
    ask_world(world, &[]).assert(0, &["worse   all    no-fail   undecided  4    40      10 % (0.347 % to 36.6 %)  10 %"]);
}

#[test]
fn two_clusters_are_an_error() {
    let mut world = World::good();
    world.subject(&format!("{SUBJECT} cluster=west"), 1);
    world.gate(&format!("{SUBJECT} cluster=west gate=errors slice=all"), 1, 2, (0, 1000));
    world.add("gnomon_experiment_info", "cluster=west experiment=fraud-a route=fraud config=1a2b3c4d owner=risk instance=b", "1");
    world.add("gnomon_configuration", "cluster=west plugin=gnomon instance=b", "1");
    ask_world(world.clone(), &[]).assert(2, &["runs in several clusters: (no cluster), west; say which by --cluster"]);
    ask_world(world, &["--cluster", "west"]).assert(0, &["cluster west, route fraud, subject v2: pass"]);
}

#[test]
fn yesterday_can_be_asked_about() {
    let world = World::good();
    let server = Server::new(move |request| world.answer(request));
    ask(&server, &["--at", "2026-01-02T03:04:05+01:00"]).assert(0, &["at 2026-01-02T02:04:05Z"]);
    ask(&server, &["--at", "1767319445"]).assert(0, &["at 2026-01-02T02:04:05Z"]);
    let requests = server.requests.lock().unwrap();
    assert!(requests.len() > 8 && requests.iter().all(|request| request.parameter("time") == "1767319445.000"), "{requests:?}");
    drop(requests);
    ask(&server, &["--at", "2999-01-01T00:00:00Z"]).assert(2, &["--at 2999-01-01T00:00:00Z: this is not in the past"]);
}

/// All queries of a look are of one point in time.
#[test]
fn a_look_has_one_time() {
    let world = World::good();
    let server = Server::new(move |request| world.answer(request));
    ask(&server, &[]).assert(0, &[]);
    let requests = server.requests.lock().unwrap();
    let times: std::collections::BTreeSet<String> = requests.iter().map(|request| request.parameter("time")).collect();
    assert!(requests.len() > 4 && times.len() == 1, "{requests:?}");
}
