//! The JSON Schema of the configuration agrees with the parser, and with the documented defaults.
#![cfg(not(target_arch = "wasm32"))]

use gnomon::config::Config;
use gnomon::config::parse::parse;
use jsonschema::Validator;
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../docs/configuration.schema.json");
const FULL: &str = include_str!("data/config/full.json");
const GOOD: &str = include_str!("data/config/good.txt");

fn schema() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn full() -> Value {
    serde_json::from_str(FULL).unwrap()
}

/// Every place in `value` as a JSON pointer, the whole included.
fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, place: String, places: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| walk(item, format!("{place}/{i}"), places)),
            Value::Object(pairs) => pairs.iter().for_each(|(key, item)| walk(item, format!("{place}/{key}"), places)),
            _ => {}
        }
        places.push(place);
    }
    let mut places = Vec::new();
    walk(value, String::new(), &mut places);
    places
}

fn assert_both_refuse(schema: &Validator, config: &Value, what: &str) {
    assert!(!schema.is_valid(config), "the schema accepts {what}");
    assert!(parse(config.to_string().as_bytes()).is_err(), "the parser accepts {what}");
}

#[test]
fn both_accept_what_is_good() {
    let schema = schema();
    for text in GOOD.lines().chain([FULL]) {
        let refused = parse(text.as_bytes()).err();
        assert!(refused.is_none(), "the parser refuses {text}: {refused:#?}");
        if let Err(error) = schema.validate(&serde_json::from_str(text).unwrap()) {
            panic!("the schema refuses {text}: {} {error}", error.instance_path());
        }
    }
}

#[test]
fn both_refuse_an_unknown_key_in_every_object() {
    let (schema, mut objects) = (schema(), 0);
    for place in places(&full()) {
        let mut config = full();
        let Some(Value::Object(pairs)) = config.pointer_mut(&place) else { continue };
        // Their keys are names of headers and of members of a body.
        if place.ends_with("/headers/set") || place.ends_with("/headers/from_env") || place.contains("/body/set") {
            continue;
        }
        pairs.insert("zzz".to_owned(), json!(1));
        objects += 1;
        assert_both_refuse(&schema, &config, &format!("an unknown key at {place:?}"));
    }
    assert_eq!(objects, FULL.matches('{').count() - 4);
}

#[test]
fn both_refuse_a_wrong_type_of_every_value() {
    let schema = schema();
    for place in places(&full()) {
        for wrong in [json!(null), json!(true), json!(-1.5), json!("zzz zzz"), json!([]), json!({})] {
            let mut config = full();
            let value = config.pointer_mut(&place).unwrap();
            if std::mem::discriminant(value) == std::mem::discriminant(&wrong) {
                continue;
            }
            // What is written another way there, or may be anything: a condition on every request, one cluster for both ports, values that
            // go into a body or are compared with one.
            let fits = match place.rsplit('/').next() {
                Some("match") => wrong == json!({}),
                Some("cluster") => wrong.is_string(),
                Some("exact") if place.contains("/when/") => wrong.is_boolean() || wrong.is_number(),
                _ => place.contains("/body/set/") && !wrong.is_null() || place.contains("/body/set/metadata/"),
            };
            if fits {
                continue;
            }
            *value = wrong.clone();
            assert_both_refuse(&schema, &config, &format!("{wrong} at {place:?}"));
        }
    }
}

/// Without any one of its values, or with one of them twice, what the parser accepts the schema accepts.
#[test]
fn the_schema_is_no_stricter_than_the_parser() {
    let (schema, mut accepted, mut refused) = (schema(), 0, 0);
    for place in places(&full()).iter().filter(|place| !place.is_empty()) {
        let (parent, key) = place.rsplit_once('/').unwrap();
        let mut config = full();
        match config.pointer_mut(parent).unwrap() {
            Value::Object(pairs) => drop(pairs.remove(key)),
            Value::Array(items) => drop(items.remove(key.parse().unwrap())),
            _ => unreachable!(),
        }
        if parse(config.to_string().as_bytes()).is_ok() {
            accepted += 1;
            assert!(schema.is_valid(&config), "without {place} the parser accepts it, the schema does not");
        } else {
            refused += 1;
        }
    }
    assert!(accepted > 40 && refused > 15, "{accepted} accepted, {refused} refused");
}

#[test]
fn both_require_the_same_keys() {
    let schema = schema();
    for place in [
        "/version",
        "/experiment",
        "/routes",
        "/routes/0/name",
        "/routes/0/match/path/prefix",
        "/routes/0/match/headers/0/name",
        "/routes/0/match/headers/0/exact",
        "/routes/0/split/baseline",
        "/routes/0/split/key",
        "/routes/0/split/key/header",
        "/routes/0/split/canaries/0/name",
        "/routes/0/split/canaries/0/percent",
        "/routes/0/split/pins/0/header",
        "/routes/0/split/pins/0/exact",
        "/routes/0/split/pins/0/variant",
        "/routes/0/shadows/0/name",
        "/routes/0/shadows/0/cluster",
        "/routes/0/shadows/0/percent",
        "/routes/0/shadows/0/cluster/http",
        "/routes/0/shadows/0/cluster/grpc",
        "/routes/0/shadows/0/when/body",
        "/routes/0/shadows/0/when/body/0/path",
        "/routes/0/shadows/0/when/body/0/exact",
        "/routes/0/shadows/0/expect/model_version",
        "/routes/0/shadows/0/request/path/prefix",
        "/routes/0/shadows/0/request/path/with",
        "/routes/0/compare/tolerances/0/path",
        "/routes/0/compare/unordered/1/path",
        "/routes/0/slices/header",
        "/routes/0/split/canaries/0/warmup/pairs",
        "/routes/0/gates/0/name",
        "/routes/0/gates/0/of",
        "/routes/0/gates/0/measure",
        "/routes/0/gates/0/limit",
        "/routes/0/gates/1/threshold",
        "/routes/0/gates/2/margin",
        "/routes/0/guardrail/gates",
        "/routes/1/observe/baseline",
        "/routes/1/observe/variants",
        "/routes/1/observe/variants/0/name",
        "/routes/1/observe/variants/0/cluster",
        "/routes/1/observe/variants/0/cluster/prefix",
        "/routes/1/observe/bucket/key",
        "/routes/1/observe/bucket/key/cookie",
    ] {
        let (parent, key) = place.rsplit_once('/').unwrap();
        let mut config = full();
        assert!(config.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).is_some(), "{place}");
        assert_both_refuse(&schema, &config, &format!("a configuration without {place}"));
    }
}

/// What the mesh decides, Gnomon does not.
#[test]
fn both_refuse_what_goes_not_with_observe() {
    for (key, value) in [("split", json!({"baseline": "stable"})), ("guardrail", json!({"gates": ["g"]}))] {
        let mut config = full();
        config["routes"][1]["gates"] = json!([{"name": "g", "of": "canary", "measure": "failed", "limit": 1}]);
        assert!(schema().is_valid(&config) && parse(config.to_string().as_bytes()).is_ok());
        config["routes"][1][key] = value;
        assert_both_refuse(&schema(), &config, key);
    }
    let mut alone = full();
    alone["routes"][1]["observe"]["variants"].as_array_mut().unwrap().pop();
    assert_both_refuse(&schema(), &alone, "one variant alone");
}

/// Percentages may carry their sign.
#[test]
fn both_read_the_same_percentages() {
    let schema = schema();
    let with = |place: &str, percent: &Value| {
        let mut config = full();
        config["routes"][0]["protocol"] = json!("auto");
        config["routes"][0]["match"]["path"] = json!({"prefix": "/v1/"});
        config["routes"][0]["gates"][2]["measure"] = json!("costlier_than_primary");
        config["routes"][0]["gates"][2]["margin"] = json!(10);
        *config.pointer_mut(place).unwrap() = percent.clone();
        config
    };
    let places = ["/routes/0/shadows/0/percent", "/routes/0/gates/0/limit", "/routes/0/gates/2/margin"];
    for (percent, good) in [
        (json!(2), [true; 3]),
        (json!("2%"), [true; 3]),
        (json!("002.50%"), [true; 3]),
        (json!("0.0001%"), [true; 3]),
        (json!("99.9999%"), [true; 3]),
        (json!("0%"), [true, false, true]),
        (json!("00.000%"), [true, false, true]),
        (json!("100%"), [true, false, true]),
        (json!("100.0000%"), [true, false, true]),
        (json!("100.0001%"), [false, false, true]),
        (json!("250%"), [false, false, true]),
        (json!("2"), [false; 3]),
        (json!("2 %"), [false; 3]),
        (json!(" 2%"), [false; 3]),
        (json!("2%\n"), [false; 3]),
        (json!("2.%"), [false; 3]),
        (json!(".2%"), [false; 3]),
        (json!("-2%"), [false; 3]),
        (json!("2e1%"), [false; 3]),
        (json!("0.00001%"), [false; 3]),
        (json!("%"), [false; 3]),
    ] {
        for (place, good) in places.into_iter().zip(good) {
            let config = with(place, &percent);
            assert_eq!(schema.is_valid(&config), good, "the schema: {percent} at {place}");
            assert_eq!(parse(config.to_string().as_bytes()).is_ok(), good, "the parser: {percent} at {place}");
        }
    }
}

/// Values out of range are refused by the schema where it can say so.
#[test]
fn both_refuse_values_out_of_range() {
    let schema = schema();
    for (place, values) in [
        ("/version", vec![json!(2), json!("1")]),
        ("/on_invalid", vec![json!("maybe")]),
        ("/experiment", vec![json!(""), json!("A"), json!("-a"), json!("a-"), json!("all"), json!("a".repeat(33))]),
        ("/routes/0/protocol", vec![json!("OpenAI")]),
        ("/routes/0/match/methods", vec![json!([]), json!(["post"])]),
        ("/routes/0/match", vec![json!([])]),
        ("/routes/0/match/headers/0/name", vec![json!(":path"), json!("a b"), json!("")]),
        (
            "/routes/0/split/key",
            vec![json!("random"), json!({"header": "a", "cookie": "b"}), json!({"cookie": "a=b"}), json!({"query": ""})],
        ),
        ("/routes/0/shadows/0/percent", vec![json!(100.1), json!(-1)]),
        ("/routes/0/shadows/0/timeout", vec![json!("1h"), json!("1.5s"), json!(" 1s"), json!("1s\n")]),
        ("/routes/0/shadows/0/max_in_flight", vec![json!(0), json!(1.5), json!(1_u64 << 32)]),
        ("/routes/0/shadows/0/of", vec![json!([]), json!(["v1", "v1"])]),
        ("/routes/0/shadows/0/cluster", vec![json!(""), json!("a\nb"), json!({"http": "a"})]),
        (
            "/routes/0/shadows/0/request/headers/set",
            vec![json!({":path": "/"}), json!({"Host": "a"}), json!({"X-Gnomon-A": "b"}), json!({"": "a"})],
        ),
        ("/routes/0/shadows/0/cluster/http", vec![json!(""), json!("a\nb")]),
        ("/routes/0/shadows/0/when/body", vec![json!([])]),
        (
            "/routes/0/shadows/0/when/body/0",
            vec![
                json!({"path": "$", "exact": 1}),
                json!({"path": "a[*]", "exact": 1}),
                json!({"path": "a", "exact": 1, "prefix": "a"}),
                json!({"path": "a", "prefix": ""}),
            ],
        ),
        ("/routes/0/shadows/0/request/body/set", vec![json!({"": 1}), json!({"a": null})]),
        ("/routes/0/shadows/0/request/body/remove", vec![json!([""])]),
        (
            "/routes/0/shadows/0/request/headers/from_env",
            vec![json!({"host": "A"}), json!({"x-envoy-a": "A"}), json!({"a": "1A"}), json!({"a": "A\n"})],
        ),
        (
            "/routes/0/compare/task",
            vec![
                json!("decision"),
                json!({}),
                json!({"auto": {}}),
                json!({"labels": {}, "text": {}}),
                json!({"labels": {"top": 0}}),
                json!({"labels": {"top": 1025}}),
                json!({"labels": {"names": ["a", "a"]}}),
                json!({"scores": {"top": 1}}),
                json!({"embedding": {"cosine": -1.1}}),
                json!({"text": {"whitespace": "none"}}),
                json!({"decision": {"path": "a", "thresholds": [0.5]}}),
                json!({"decision": {"path": "a", "thresholds": [], "names": ["a"]}}),
                json!({"decision": {"path": "a", "thresholds": [0.5], "names": ["a", "other"]}}),
                json!({"decision": {"path": "a", "thresholds": [0.5], "names": ["a", "b=c"]}}),
                json!({"decision": {"path": "a", "thresholds": [0.5], "names": ["a", "b\\"]}}),
                json!({"decision": {"path": "a", "thresholds": [0.5], "names": ["a", "b".repeat(129)]}}),
            ],
        ),
        (
            "/routes/0/gates",
            vec![
                json!([{}]),
                json!((0..33).map(|i| json!({"name": format!("g{i}"), "of": "v2", "measure": "failed", "limit": 1})).collect::<Vec<_>>()),
            ],
        ),
        ("/routes/0/gates/0/measure", vec![json!("fails"), json!("slower_than"), json!("costlier_than_primary")]),
        ("/routes/0/gates/1/measure", vec![json!("diverged"), json!("flipped"), json!("slower_than_primary")]),
        ("/routes/0/gates/2/measure", vec![json!("failed"), json!("costlier_than_primary"), json!("slower_than")]),
        (
            "/routes/0/gates/0",
            vec![
                json!({"name": "g", "of": "v2-copy", "measure": "diverged", "direction": "up", "limit": 1}),
                json!({"name": "g", "of": "v2-copy", "measure": "flipped", "direction": "sideways", "limit": 1}),
            ],
        ),
        ("/routes/0/gates/0/limit", vec![json!(0), json!(100), json!(-1)]),
        ("/routes/0/gates/0/alpha", vec![json!(0), json!(1)]),
        ("/routes/0/gates/0/min_trials", vec![json!(-1), json!(0.5), json!(1_u64 << 32)]),
        ("/routes/0/gates/0/requires", vec![json!("fail"), json!("no_fail"), json!("Pass"), json!("")]),
        (
            "/routes/0/owner",
            vec![json!(""), json!("a;b"), json!("a=b"), json!("a\\b"), json!("Käse"), json!("a\nb"), json!("x".repeat(65))],
        ),
        ("/routes/0/guardrail/gates", vec![json!([]), json!(["slow", "slow"])]),
        ("/routes/0/guardrail/alpha", vec![json!(0), json!(1)]),
        ("/routes/0/shadows/0/warmup", vec![json!("30"), json!({"pairs": 0}), json!({"pairs": 1.5}), json!({"pairs": 1, "time": "1s"})]),
        ("/routes/0/slices", vec![json!({}), json!({"header": "a", "body": "a"}), json!({"body": "$"}), json!({"body": "a[*]"})]),
        ("/routes/0/compare/ignore/0", vec![json!(""), json!("a[["), json!("a..b"), json!("a.*"), json!("[\"a]"), json!("a[-1]")]),
        ("/routes/0/compare/absolute", vec![json!(-1)]),
        ("/routes/0/slices/values", vec![json!(["a", "a"]), json!((0..65).map(|i| format!("v{i}")).collect::<Vec<_>>())]),
        ("/limits/memory", vec![json!("1MB"), json!("MiB")]),
        ("/limits/pairs", vec![json!(0)]),
    ] {
        for value in values {
            let mut config = full();
            *config.pointer_mut(place).unwrap() = value.clone();
            assert_both_refuse(&schema, &config, &format!("{value} at {place}"));
        }
    }
}

/// The defaults that an editor shows change nothing when they are written out.
#[test]
fn defaults_in_the_schema_are_those_of_the_parser() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let default = |place: &str| {
        let mut pairs = serde_json::Map::new();
        for (key, property) in schema.pointer(place).unwrap()["properties"].as_object().unwrap() {
            pairs.extend(property.get("default").map(|value| (key.clone(), value.clone())));
        }
        Value::Object(pairs)
    };
    let with = |mut object: Value, more: Value| {
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    };
    let short = json!({
        "version": 1, "experiment": "e",
        "routes": [{
            "name": "r", "match": {}, "split": {"baseline": "v1"}, "compare": {}, "slices": {"header": "a"},
            "shadows": [{"name": "s", "cluster": "c", "percent": 1, "request": {"body": {}, "headers": {}}}]
        }],
        "limits": {}, "evidence": {}
    });
    let mut long = with(short.clone(), default(""));
    for (place, definition) in [
        ("/routes/0/match", "/$defs/match"),
        ("/routes/0/split", "/$defs/split"),
        ("/routes/0/compare", "/$defs/compare"),
        ("/routes/0/slices", "/$defs/slices"),
        ("/routes/0/shadows/0", "/$defs/shadow"),
        ("/routes/0/shadows/0/request", "/$defs/request"),
        ("/routes/0/shadows/0/request/headers", "/$defs/request/properties/headers"),
        ("/routes/0/shadows/0/request/body", "/$defs/request/properties/body"),
        ("/limits", "/$defs/limits"),
        ("/evidence", "/$defs/evidence"),
    ] {
        let object = long.pointer_mut(place).unwrap();
        *object = with(object.take(), default(definition));
    }
    // The hash is of what is written.
    let parsed = |config: &Value| Config { hash: String::new(), ..parse(config.to_string().as_bytes()).unwrap() };
    long["routes"][0]["compare"]["task"] = schema.pointer("/$defs/task/default").unwrap().clone();
    assert_ne!(long, short);
    assert_eq!(parsed(&long), parsed(&short));

    let gated = json!({"version": 1, "experiment": "e", "routes": [{
        "name": "r", "split": {"baseline": "v1", "canaries": [{"name": "v2", "percent": 1}], "key": "request"},
        "shadows": [{"name": "s", "cluster": "c", "percent": 1}], "compare": {"task": "labels"}, "slices": {"header": "a"},
        "gates": [{"name": "f", "of": "s", "measure": "flipped", "limit": 1}, {"name": "g", "of": "v2", "measure": "failed", "limit": 1}],
        "guardrail": {"gates": ["g"]}
    }]});
    let mut written_out = gated.clone();
    for (place, definition) in [("/routes/0/gates/0", "/$defs/gate"), ("/routes/0/guardrail", "/$defs/guardrail")] {
        let object = written_out.pointer_mut(place).unwrap();
        *object = with(object.take(), default(definition));
    }
    // (Of two settings no measure has both.)
    let counts = written_out["routes"][0]["gates"][0].as_object_mut().unwrap().remove("counts").unwrap();
    written_out["routes"][0]["gates"][1]["counts"] = counts;
    assert_ne!(written_out, gated);
    assert_eq!(parsed(&written_out), parsed(&gated));

    let coverage = |more: Value| {
        let mut config = gated.clone();
        config["routes"][0]["gates"][0] = with(json!({"name": "c", "of": "s", "measure": "coverage", "limit": 90}), more);
        parsed(&config)
    };
    let least = schema.pointer("/$defs/gate/allOf/0/then/properties/min_trials/default").unwrap();
    assert_eq!(coverage(json!({"min_trials": least})), coverage(json!({})));

    let noise = |more: Value| {
        let mut config = gated.clone();
        config["routes"][0]["gates"][0] =
            with(json!({"name": "n", "of": "s", "measure": "slower_than_primary", "margin": "1ms", "limit": 50}), more);
        parsed(&config)
    };
    let requires = schema.pointer("/$defs/gate/allOf/1/then/properties/requires/default").unwrap();
    assert_eq!(noise(json!({"requires": requires})), noise(json!({})));

    for task in ["labels", "embedding", "text"] {
        let mut with_task = short.clone();
        let settings = default(&format!("/$defs/task/oneOf/1/properties/{task}"));
        with_task["routes"][0]["compare"]["task"] = json!({task: settings});
        let written_out = parsed(&with_task);
        with_task["routes"][0]["compare"]["task"] = json!(task);
        assert_eq!(written_out, parsed(&with_task), "{settings}");
    }
}
