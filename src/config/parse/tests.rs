//! Accepted configurations with their values, and refused ones with the paths of their problems.

mod gates;
mod hints;
mod properties;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::time::Duration;

use proptest::prelude::*;

use super::{Refused, parse, validate};
use crate::config::raw::Node;
use crate::config::*;
use crate::path::PathPattern;

/// A configuration that has every key.
const FULL: &str = include_str!("../../../tests/data/config/full.json");

/// One configuration a line.
const GOOD: &str = include_str!("../../../tests/data/config/good.txt");

/// Configurations with problems; the file says how it is written.
const REFUSED: &str = include_str!("refused.txt");

/// Returns `FULL` with the first occurrence of `text`, which must be there, replaced.
fn full_with(text: &str, by: &str) -> String {
    assert!(FULL.contains(text), "{text} is not in the example");
    FULL.replacen(text, by, 1)
}

/// A configuration whose one route has `keys` besides its name.
fn route(keys: &str) -> String {
    format!(r#"{{"version": 1, "experiment": "e", "routes": [{{"name": "r"{keys}}}]}}"#)
}

/// A configuration whose one shadow has `keys` besides what is required.
fn shadow(keys: &str) -> String {
    route(&format!(r#", "shadows": [{{"name": "s", "cluster": "c", "percent": 1{keys}}}]"#))
}

/// A configuration with a split that has a canary `v2`, and `keys`.
fn split(keys: &str) -> String {
    route(&format!(r#", "split": {{"baseline": "v1", "canaries": [{{"name": "v2", "percent": 1}}], "key": "request"{keys}}}"#))
}

/// A configuration that observes the variants `v1` and `v2` at the clusters `a` and `b`, with `keys`.
fn observe(keys: &str) -> String {
    let variants = r#"[{"name": "v1", "cluster": {"exact": "a"}}, {"name": "v2", "cluster": {"exact": "b"}}]"#;
    route(&format!(r#", "observe": {{"baseline": "v1", "variants": {variants}{keys}}}"#))
}

/// A configuration whose one route has variants `v1` and `v2`, a shadow `s`, and a gate `g` with `keys`.
fn gates(keys: &str) -> String {
    let split = r#""split": {"baseline": "v1", "canaries": [{"name": "v2", "percent": 1}], "key": "request"}"#;
    let shadows = r#""shadows": [{"name": "s", "cluster": "c", "percent": 1}]"#;
    route(&format!(r#", {split}, {shadows}, "gates": [{{"name": "g", {keys}}}]"#))
}

fn good(text: &str) -> Config {
    parse(text.as_bytes()).unwrap_or_else(|refused| panic!("{text}: {:#?}", refused.problems))
}

fn refused(text: &str) -> Refused {
    parse(text.as_bytes()).expect_err(text)
}

/// The paths of all problems.
fn paths(text: &str) -> Vec<String> {
    refused(text).problems.into_iter().map(|problem| problem.path).collect()
}

fn path(text: &str) -> PathPattern {
    PathPattern::parse(text).unwrap()
}

fn condition(at: &str, test: BodyTest) -> BodyCondition {
    BodyCondition { path: path(at), test }
}

#[test]
fn every_key_arrives() {
    let config = good(FULL);
    assert_eq!((&*config.experiment, config.trust_copies), ("fraud-2026-11", false));
    assert_eq!(config.limits, Limits { pairs: 9, memory: 2 << 20, body: 512 << 10 });
    assert_eq!(config.evidence, Evidence { per_second: 0, values: true });
    assert_eq!(config.split_headers, ["x-variant".into(), "x-bucket".into()]);

    let route = &config.routes[0];
    assert_eq!((&*route.name, &*route.experiment, route.protocol), ("fraud", "fraud-v2-a", Protocol::KserveV1));
    let tenant = HeaderMatch { name: "x-tenant".into(), value: HeaderValueMatch::Text(Text::Exact("acme".into())) };
    let debug = HeaderMatch { name: "x-debug".into(), value: HeaderValueMatch::Present(false) };
    let set = Match {
        methods: vec!["POST".into(), "PUT".into()],
        path: Some(Text::Prefix("/v2/models/fraud/".into())),
        authority: Some(Text::Exact("fraud.ml.svc".into())),
        headers: vec![tenant, debug],
    };
    assert_eq!(*route.matches, [set]);
    assert_eq!(route.sample_by, Some(Key::Cookie("uid".into())));
    assert_eq!(route.slices, Some(Slices { by: SliceBy::Header("x-region".into()), values: vec!["eu".into(), "us".into()] }));

    let variant = |name: &str, ppm, warmup| Variant { name: name.into(), ppm, warmup };
    let expected = Split {
        variants: vec![variant("v1", 949_999, None), variant("v2", 50_000, Some(Warmup::Pairs(100))), variant("v3", 1, None)],
        key: Some(Key::Header("x-user-id".into())),
        salt: "pepper".into(),
        pins: vec![Pin { header: "x-model-pin".into(), value: Text::Exact("v2".into()), variant: 1 }],
        header: "x-variant".into(),
        expose: true,
        same_cluster: true,
    };
    assert_eq!(route.split, Some(expected));

    let expected = Shadow {
        name: "v2-copy".into(),
        role: Role::Control,
        cluster: Cluster {
            http: "outbound|8080||fraud-v2.ml.svc.cluster.local".into(),
            grpc: "outbound|9000||fraud-v2.ml.svc.cluster.local".into(),
        },
        when: vec![
            condition("model", BodyTest::Exact("chat-70b".into())),
            condition("user", BodyTest::Prefix("eu-".into())),
            condition("max_tokens", BodyTest::AtMost(512.0)),
            condition("messages[0].weight", BodyTest::AtLeast(0.5)),
        ],
        expect_version: Some("2".into()),
        ppm: 105_000,
        of: Some(vec![0, 2]),
        timeout: Duration::from_secs(60),
        max_in_flight: 4,
        request: CopyRequest {
            path: Some(("/v2/models/fraud/".into(), "/v2/models/fraud-v2/".into())),
            authority: Some("fraud-v2.ml.svc".into()),
            model: Some("fraud-v2".into()),
            body_set: vec![
                ("stream".into(), "false".into()),
                ("seed".into(), "7".into()),
                ("metadata".into(), r#"{"of":[null,0.5]}"#.into()),
            ],
            body_remove: vec!["stream_options".into()],
            from_env: vec![("x-api-key".into(), "SHADOW_KEY".into())],
            set: vec![("x-env".into(), "shadow".into()), ("authorization".into(), "Bearer abc".into())],
            remove: vec!["x-billing-id".into()],
            keep_credentials: true,
        },
        warmup: Some(Warmup::Time(Duration::from_secs(30))),
    };
    assert_eq!(route.shadows, [expected.into()]);

    let expected = Compare {
        task: Task::Text { path: Some(path("results[*].reason")), texts: Texts { normalize: true, json: false } },
        default: GivenTolerance { absolute: Some(0.0), relative: Some(0.5) },
        tolerances: vec![(path("outputs[*].score"), GivenTolerance { absolute: Some(0.01), relative: Some(0.5) })],
        ignore: vec![path("id"), path("outputs[*].parameters")],
        unordered: vec![Unordered { path: path("tags"), by: None }, Unordered { path: path("results"), by: Some("id".into()) }],
        reasoning: false,
    };
    assert_eq!(*route.compare, expected);
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = good(&shadow(""));
    assert!(config.trust_copies);
    assert_eq!(config.limits, Limits { pairs: 512, memory: 16 << 20, body: 1 << 20 });
    assert_eq!(config.evidence, Evidence { per_second: 1, values: false });
    assert!(config.split_headers.is_empty());
    let route = &config.routes[0];
    assert_eq!(*route.matches, [Match { methods: vec!["POST".into()], path: None, authority: None, headers: vec![] }]);
    assert_eq!((&*route.experiment, route.protocol), ("e", Protocol::Auto));
    assert_eq!((&route.split, &route.sample_by, &route.slices), (&None, &None, &None));
    assert_eq!(route.compare.default, GivenTolerance::default());
    let shadow = &route.shadows[0];
    assert_eq!((shadow.role, shadow.timeout, shadow.max_in_flight), (Role::Candidate, Duration::from_secs(2), 32));
    assert_eq!((&shadow.of, &shadow.request), (&None, &CopyRequest::default()));
    assert_eq!((&*shadow.when, &shadow.expect_version), (&[][..], &None));
    assert_eq!(shadow.cluster, Cluster { http: "c".into(), grpc: "c".into() });

    let config = good(&split(""));
    let split = config.routes[0].split.as_ref().unwrap();
    assert_eq!((&*split.salt, &*split.header, split.expose), ("r", "x-gnomon-variant", false));
    assert_eq!(config.split_headers, ["x-gnomon-variant".into()]);

    let with_split = route_of(r#", "split": {"baseline": "v1"}, "shadows": [{"name": "s", "cluster": "c", "percent": 1}]"#);
    assert_eq!(with_split.shadows[0].of, Some(vec![0]));
    assert_eq!(with_split.split.as_ref().unwrap().variants, [Variant { name: "v1".into(), ppm: 1_000_000, warmup: None }]);
}

fn route_of(keys: &str) -> Rc<Route> {
    good(&route(keys)).routes.remove(0)
}

#[test]
fn what_is_observed_arrives() {
    let config = good(FULL);
    let variant = |name: &str, warmup| ObservedVariant { name: name.into(), warmup };
    let expected = Observe {
        variants: vec![variant("stable", None), variant("canary", Some(Warmup::Time(Duration::from_secs(30))))],
        clusters: vec![
            (Text::Prefix("outbound|80||ranking-canary.".into()), 1),
            (Text::Exact("outbound|80||ranking.ml.svc.cluster.local".into()), 0),
        ],
        bucket: Some(BucketHeader { key: Key::Cookie("uid".into()), salt: "pepper".into(), header: "x-bucket".into() }),
    };
    assert_eq!((&config.routes[1].observe, &config.routes[0].observe), (&Some(expected), &None));
    let least = good(&observe(r#", "bucket": {"key": "request"}"#));
    let bucket = BucketHeader { key: Key::Request, salt: "r".into(), header: "x-gnomon-bucket".into() };
    assert_eq!(least.routes[0].observe.as_ref().unwrap().bucket, Some(bucket));
    assert_eq!(least.split_headers, ["x-gnomon-bucket".into()]);
    let of = good(&observe("").replace(r#""routes": [{"#, r#""routes": [{"shadows": [{"name": "s", "cluster": "c", "percent": 1}], "#));
    assert_eq!(of.routes[0].shadows[0].of, Some(vec![0]), "the baseline's requests are copied");
}

#[test]
fn good_configurations_are_accepted() {
    assert!(GOOD.lines().count() > 20);
    GOOD.lines().for_each(|text| drop(good(text)));
    assert_eq!(route_of(r#", "sample_by": "request""#).sample_by, None);
}

fn task_of(task: &str) -> Task {
    route_of(&format!(r#", "compare": {{"task": {task}}}"#)).compare.task.clone()
}

#[test]
fn tasks_arrive_with_their_defaults() {
    let labels = |path, top, overlap| Task::Labels(Labels { path, top, overlap, names: Vec::new() });
    let named = Task::Labels(Labels { path: None, top: 1, overlap: 1, names: vec!["Approve".into(), "block it".into()] });
    let decision =
        Decision { path: path("a"), thresholds: vec![-0.5, 0.7], names: vec!["low".into(), "mid".into(), "high".into()], scores: false };
    let with_scores = Decision { scores: true, ..decision.clone() };
    for (text, task) in [
        (r#""auto""#, Task::Auto),
        (r#""labels""#, labels(None, 1, 1)),
        (r#"{"labels": {"top": 5.0}}"#, labels(None, 5, 5)),
        (r#"{"labels": {"names": ["Approve", "block it"]}}"#, named),
        (r#"{"labels": {"path": "a", "top": 5, "overlap": 1}}"#, labels(Some(path("a")), 5, 1)),
        (r#""scores""#, Task::Scores { path: None }),
        (r#"{"scores": {"path": "a"}}"#, Task::Scores { path: Some(path("a")) }),
        (r#""regression""#, Task::Regression { path: None }),
        (r#"{"regression": {"path": "$"}}"#, Task::Regression { path: Some(path("$")) }),
        (r#""embedding""#, Task::Embedding { path: None, cosine: 0.999 }),
        (r#"{"embedding": {"path": "a", "cosine": 0}}"#, Task::Embedding { path: Some(path("a")), cosine: 0.0 }),
        (r#""text""#, Task::Text { path: None, texts: Texts { normalize: false, json: false } }),
        (
            r#"{"text": {"path": "a[*]", "whitespace": "normalised"}}"#,
            Task::Text { path: Some(path("a[*]")), texts: Texts { normalize: true, json: false } },
        ),
        (r#"{"text": {"json": true}}"#, Task::Text { path: None, texts: Texts { normalize: false, json: true } }),
        (r#""structure""#, Task::Structure),
        (
            r#"{"decision": {"path": "a", "thresholds": [-0.5, 0.7], "names": ["low", "mid", "high"], "and": "scores"}}"#,
            Task::Decision(with_scores),
        ),
        (r#"{"decision": {"path": "a", "thresholds": [-0.5, 0.7], "names": ["low", "mid", "high"]}}"#, Task::Decision(decision)),
    ] {
        assert_eq!(task_of(text), task, "{text}");
    }
}

#[test]
fn arrays_in_texts_may_be_unordered() {
    for (protocol, task, path) in [
        ("openai", r#""structure""#, "choices[*].message.content"),
        ("openai", r#""structure""#, "choices[*].message.content.tags"),
        ("openai", r#"{"text": {"json": true}}"#, "choices[0].text.tags[*]"),
        ("openai", r#""auto""#, "choices[*].message.tool_calls[*].function.arguments.days"),
        ("open-inference", r#"{"text": {"json": true}}"#, "outputs[0].data[0].tags"),
    ] {
        good(&route(&format!(r#", "protocol": "{protocol}", "compare": {{"task": {task}, "unordered": ["{path}"]}}"#)));
    }
}

#[test]
fn names_of_classes_are_bounded() {
    let names = |count: usize| {
        let names: Vec<String> = (0..count).map(|i| format!("\"{i}\"")).collect();
        route(&format!(r#", "compare": {{"task": {{"labels": {{"names": [{}]}}}}}}"#, names.join(", ")))
    };
    good(&names(1024));
    assert_eq!(paths(&names(1025)), ["routes[0].compare.task.labels.names"]);
}

/// Numbers that YAML has and JSON has not come from the native binary alone.
#[test]
fn numbers_that_are_none_are_refused() {
    for wrong in [f64::NAN, f64::INFINITY] {
        for (text, place) in [
            (shadow(r#", "when": {"body": [{"path": "a", "exact": 777}]}"#), "routes[0].shadows[0].when.body[0].exact"),
            (shadow(r#", "when": {"body": [{"path": "a", "at_most": 777}]}"#), "routes[0].shadows[0].when.body[0].at_most"),
            (shadow(r#", "request": {"body": {"set": {"a": [777]}}}"#), "routes[0].shadows[0].request.body.set.a"),
            (route(r#", "compare": {"task": {"embedding": {"cosine": 777}}}"#), "routes[0].compare.task.embedding.cosine"),
            (gates(r#""of": "v2", "measure": "failed", "limit": 777"#), "routes[0].gates[0].limit"),
            (gates(r#""of": "v2", "measure": "failed", "limit": 1, "alpha": 777"#), "routes[0].gates[0].alpha"),
            (gates(r#""of": "s", "measure": "costlier_than_primary", "limit": 1, "margin": 777"#), "routes[0].gates[0].margin"),
        ] {
            let mut node = Node::from_json(text.as_bytes()).unwrap();
            put(&mut node, wrong);
            let problems = validate(&node).unwrap_err().problems;
            assert_eq!(problems.iter().map(|problem| &*problem.path).collect::<Vec<_>>(), [place]);
        }
    }
}

/// Puts `by` in the place of each 777.
fn put(node: &mut Node, by: f64) {
    match node {
        Node::Number(number) if *number == 777.0 => *number = by,
        Node::Array(items) => items.iter_mut().for_each(|item| put(item, by)),
        Node::Object(pairs) => pairs.iter_mut().for_each(|(_, value)| put(value, by)),
        _ => {}
    }
}

/// Values for the body of a copy keep their meaning; whole numbers lose their decimal point.
#[test]
fn members_of_a_body_are_json_again() {
    for (written, sent) in [
        ("1.0", "1"),
        ("-3", "-3"),
        ("-0.0", "0"),
        ("9007199254740991", "9007199254740991"),
        ("1e3", "1000"),
        ("0.1", "0.1"),
        ("1e-7", "1e-7"),
        (r#""a\n\"é\u0001""#, r#""a\n\"é\u0001""#),
        (r#"{ "b": [1.0, {"b": null}], "a": true }"#, r#"{"b":[1,{"b":null}],"a":true}"#),
    ] {
        let config = good(&shadow(&format!(r#", "request": {{"body": {{"set": {{"a.b": {written}}}}}}}"#)));
        assert_eq!(config.routes[0].shadows[0].request.body_set, [("a.b".into(), sent.into())], "{written}");
    }
}

#[test]
fn missing_parts_of_a_tolerance_are_those_of_the_comparison() {
    let route = route_of(
        r#", "compare": {"absolute": 2, "relative": 3, "tolerances": [{"path": "a", "absolute": 0}, {"path": "b", "relative": 0}]}"#,
    );
    let tolerances: Vec<GivenTolerance> = route.compare.tolerances.iter().map(|(_, tolerance)| *tolerance).collect();
    assert_eq!(
        tolerances,
        [GivenTolerance { absolute: Some(0.0), relative: Some(3.0) }, GivenTolerance { absolute: Some(2.0), relative: Some(0.0) }]
    );
}

#[test]
fn each_split_header_is_there_once() {
    let routes = ["x-a", "x-b", "X-A"].iter().enumerate().map(|(i, header)| {
        let path = format!(r#"{{"path": {{"exact": "/{i}"}}}}"#);
        format!(r#"{{"name": "r{i}", "match": {path}, "split": {{"baseline": "v", "header": "{header}"}}}}"#)
    });
    let routes: Vec<String> = routes.collect();
    let config = good(&format!(r#"{{"version": 1, "experiment": "e", "routes": [{}]}}"#, routes.join(", ")));
    assert_eq!(config.split_headers, ["x-a".into(), "x-b".into()]);
}

#[test]
fn slices_are_bounded() {
    let values = |count: usize| {
        let values: Vec<String> = (0..count).map(|i| format!("\"v{i}\"")).collect();
        route(&format!(r#", "slices": {{"header": "a", "values": [{}]}}"#, values.join(", ")))
    };
    good(&values(64));
    assert_eq!(paths(&values(65)), ["routes[0].slices.values"]);
}

#[test]
fn text_that_is_no_configuration() {
    assert_eq!(refused(" ").problems[0].found, "nothing");
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for text in ["", "  \n", "{", "version: 1", "[]", "null", "1", "\"a\"", "{} {}", "{\"version\": 1,}", "\u{feff}{}", &deep] {
        let refused = refused(text);
        assert_eq!(refused.problems.len(), if text == "{}" { 3 } else { 1 }, "{text}");
        assert_eq!((&*refused.problems[0].path, refused.reject), ("$", false), "{text}");
    }
    assert!(!parse(b"{\"version\": \"\xff\"}").unwrap_err().reject);
}

/// A configuration as `refused.txt` writes it, and where its base is.
fn edited(base: &str, edit: &str) -> (String, &'static str) {
    let keys = if edit.is_empty() || edit.contains(" => ") { String::new() } else { format!(", {edit}") };
    let (text, path) = match base {
        "route" => (route(&keys), "routes[0]"),
        "shadow" => (shadow(&keys), "routes[0].shadows[0]"),
        "gates" => (gates(edit), "routes[0]"),
        "split" => (split(&keys), "routes[0].split"),
        "observe" => (observe(&keys), "routes[0].observe"),
        "full" => (FULL.to_owned(), ""),
        _ => (edit.to_owned(), ""),
    };
    let Some((from, to)) = edit.split_once(" => ") else { return (text, path) };
    assert!(text.contains(from), "{from} is not in {text}");
    (text.replacen(from, to, 1), path)
}

#[test]
fn each_problem_has_its_path() {
    let rows: Vec<&str> = REFUSED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(rows.len() > 200);
    for row in rows {
        let columns: Vec<&str> = row.split(" | ").collect();
        let &[base, edit, expected] = &*columns else { panic!("not three columns: {row}") };
        let (text, path) = edited(base, edit);
        let whole = |short: &str| if short.starts_with('.') { format!("{path}{short}") } else { short.to_owned() };
        let problems = refused(&text).problems;
        let found: Vec<&str> = problems.iter().map(|problem| &*problem.path).collect();
        assert_eq!(found, expected.split(' ').map(whole).collect::<Vec<_>>(), "{row}: {problems:#?}");
        assert!(problems.iter().all(|problem| !problem.found.is_empty() && !problem.hint.is_empty()), "{row}");
    }
}

#[test]
fn a_covered_route_is_found_beside_other_problems() {
    let text = r#"{"version": 1, "experiment": "e", "routes": [{"name": "A"}, {"name": "b", "bogus": 1}]}"#;
    assert_eq!(paths(text), ["routes[0].name", "routes[1].bogus", "routes[1]"]);
}

#[test]
fn reject_is_found_beside_any_problem() {
    for (text, reject) in [
        (r#"{"on_invalid": "reject"}"#, true),
        (r#"{"routes": 1, "on_invalid": "reject", "bogus": null}"#, true),
        (r#"{"on_invalid": "pass"}"#, false),
        (r#"{"on_invalid": "Reject"}"#, false),
        (r#"{"on_invalid": ["reject"]}"#, false),
        (r#"{"on_invalid": "reject", "on_invalid": "pass"}"#, false),
        (r#"[{"on_invalid": "reject"}]"#, false),
        (r#"{"on_invalid": "reject""#, false),
        ("{}", false),
    ] {
        assert_eq!(refused(text).reject, reject, "{text}");
    }
    let deep = format!(r#"{{"x": {}{}, "on_invalid": "reject"}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for text in [r#"{"on_invalid": "reject", "version": 1e999}"#, &deep] {
        assert!(refused(text).reject, "{text}");
    }
}

#[test]
fn memory_in_the_worst_case() {
    assert_eq!(good(&route("")).worst_case_memory(), 57 << 20);
    assert_eq!(good(FULL).worst_case_memory(), 33 << 19);
}

#[test]
fn two_hundred_problems_at_once() {
    let shadows = vec![r#"{"name": "S", "cluster": "", "percent": 101, "timeout": "0s"}"#; 50].join(", ");
    let problems = refused(&route(&format!(r#", "shadows": [{shadows}]"#))).problems;
    let rows = |key: &str| problems.iter().filter(|problem| problem.path.ends_with(key)).count();
    assert_eq!((rows(".cluster"), rows(".percent"), rows(".timeout")), (50, 50, 50));
    assert_eq!(rows(".name"), 99, "fifty bad names, forty-nine of them taken");
}
