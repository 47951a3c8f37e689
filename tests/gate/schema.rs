//! The JSON document and its schema.

use serde_json::Value;

use crate::prometheus::{SUBJECT, World};
use crate::proxies::Proxy;
use crate::run::{ask_world, gate, gate_with};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../docs/gate.schema.json")).unwrap()
}

#[track_caller]
fn document(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap();
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let problems: Vec<String> = validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:#?} in {document:#}");
    document
}

#[test]
fn every_answer_is_a_document_of_the_schema() {
    let json = ["-o", "json"];
    let good = document(&ask_world(World::good(), &json).out);
    assert_eq!(
        (&good["state"], &good["problem"], &good["subjects"][0]["gates"][0]["trials"]),
        (&"pass".into(), &Value::Null, &1000.into())
    );
    assert_eq!(good["audit"]["configurations"][0]["config"], "1a2b3c4d");
    assert!(good["audit"]["source"]["queries"].as_array().unwrap().len() > 4);
    let mut slices = World::new(0, (0, 0, 0));
    slices.add("gnomon:gate:state", &format!("{SUBJECT} gate=fairness slice=all"), "0");
    slices.gate(&format!("{SUBJECT} gate=fairness slice=eu"), 2, 2, (50, 100));
    assert_eq!(document(&ask_world(slices, &json).out)["state"], "undecided");
    document(&ask_world(World::good().without("gnomon:gate_limit:ratio"), &json).out);
    let proxies = gate_with(&["--experiment", "fraud-a", "--stats", "-", "-o", "json"], &Proxy::new(1, 0, 1000).text());
    assert_eq!(document(&proxies.out)["audit"]["source"]["proxies"][0]["started_microseconds"], 1);
    for (arguments, kind) in [
        (["--prometheus", "ftp://a"], "usage"),
        (["--stats", "no-such-file"], "input"),
        (["--prometheus", "http://127.0.0.1:1"], "service"),
    ] {
        let run = gate(&[&["--experiment", "e", "-o", "json"][..], &arguments].concat());
        let document = document(&run.out);
        assert_eq!((&document["state"], &document["problem"]["kind"]), (&"unknown".into(), &kind.into()));
        assert!(run.errors.contains(document["problem"]["text"].as_str().unwrap()));
    }
}

/// All that can stand in a document is described, and must be there.
#[test]
fn the_schema_is_closed() {
    fn check(schema: &Value, place: &str, objects: &mut usize) {
        if let Some(properties) = schema["properties"].as_object() {
            *objects += 1;
            let required: Vec<&str> = schema["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
            assert!(schema["additionalProperties"] == false && properties.keys().all(|key| required.contains(&&**key)), "{place}");
            let told =
                |property: &Value| property["description"].is_string() || property["$ref"].is_string() || property["const"].is_string();
            assert!(properties.values().all(told), "{place} has a property without a description");
        }
        let inside = schema.as_object().into_iter().flatten();
        inside.for_each(|(name, inside)| check(inside, &format!("{place}/{name}"), objects));
        schema.as_array().into_iter().flatten().for_each(|inside| check(inside, place, objects));
    }
    let mut objects = 0;
    check(&schema(), "", &mut objects);
    assert!(objects > 8, "{objects}");
}
