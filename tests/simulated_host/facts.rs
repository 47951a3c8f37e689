//! What answers tell beside a verdict, and streams of generated text: what is counted, what it costs, and what is held meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::contract::CONTRACT;
use crate::metrics;
use crate::network::{Answer, Reply};
use crate::outcomes::only;
use crate::setup::{QUESTION, SHADOW, With, agreeing, says, shadowed, start};
use crate::traffic::Request;
use crate::world::{Place, World};

const TEXT: &str = "It is noon, and the gnomon casts its shortest shadow.";

/// All requests are copied and read as `protocol` says.
fn reading(protocol: &str) -> Value {
    shadowed().with("/routes/0/protocol", protocol)
}

/// The same without any copy.
fn unsampled(protocol: &str) -> Value {
    reading(protocol).with(&format!("{SHADOW}/percent"), 0)
}

/// A completion as a stream of one event for each character.
pub fn streamed(text: &str) -> Answer {
    let event = |value: Value| format!("data: {value}\n\n");
    let chunk = |delta: Value, finish: Value| event(json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}));
    let mut body: String = text.chars().map(|c| chunk(json!({"content": c}), Value::Null)).collect();
    body += &chunk(json!({}), "stop".into());
    body += &event(json!({"choices": [], "usage": {"prompt_tokens": 21, "completion_tokens": 34}}));
    Answer::json(body + "data: [DONE]\n\n").header("content-type", "text/event-stream")
}

/// The same in one piece, cut off by a limit.
pub fn whole(text: &str) -> Answer {
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"});
    Answer::json(json!({"model": "m-1", "choices": [choice], "usage": {"prompt_tokens": 21, "completion_tokens": 55}}).to_string())
}

fn serve(world: &World, primary: Answer, shadow: Answer) {
    world.serve("primary", move |_| Reply::Whole(primary.clone()));
    world.serve("shadow", move |_| Reply::Whole(shadow.clone()));
}

/// An answer of the Open Inference Protocol by some version of a model.
fn inferred(version: &str) -> String {
    let output = json!({"name": "score", "datatype": "FP32", "shape": [1], "data": [0.5]});
    json!({"model_name": "m", "model_version": version, "outputs": [output]}).to_string()
}

/// The samples of a histogram.
fn samples(world: &World, stat: &str) -> Vec<u64> {
    let proxy = world.proxy();
    let samples = proxy.metrics.select(stat, &[]).filter_map(|(_, value)| match value {
        metrics::Value::Histogram(samples) => Some(samples.clone()),
        _ => None,
    });
    samples.flatten().collect()
}

const FIRST_BYTE: &str = "gnomon_first_byte_duration_microseconds";

#[test]
fn which_series_there_are_is_for_the_protocol_to_say() {
    let stats = ["gnomon_tokens_total", "gnomon_answers_total", FIRST_BYTE, "gnomon_model_versions_total"];
    for (protocol, want) in [
        ("auto", [6, 18, 1, 2]),
        ("openai", [6, 18, 1, 2]),
        ("kserve-v1", [0, 0, 0, 2]),
        ("open-inference", [0, 0, 0, 2]),
        ("json", [0, 0, 0, 0]),
        ("opaque", [0, 0, 0, 0]),
    ] {
        let mut world = agreeing(1);
        world.load(&reading(protocol).to_string()).expect("accepted");
        let proxy = world.proxy();
        assert_eq!(stats.map(|stat| proxy.metrics.select(stat, &[]).count()), want, "{protocol}");
        let stats = CONTRACT.iter().map(|statistic| statistic.name.as_str());
        let shown = ["gnomon_configuration", "gnomon_build_info", "gnomon_experiment_info", "gnomon_started_microseconds"];
        for stat in stats.filter(|stat| !shown.contains(stat)) {
            assert_eq!(proxy.metrics.sum(stat, &[]), 0, "{stat}");
        }
    }
    let decision = json!({"decision": {"path": "score", "thresholds": [0.2, 0.7], "names": ["approve", "ask", "block"]}});
    let mut world = agreeing(1);
    world.load(&reading("json").with("/routes/0/compare", json!({"task": decision})).to_string()).expect("accepted");
    assert_eq!(world.proxy().metrics.select("gnomon_decisions_total", &[]).count(), 16, "three names and `other`, from and to");
}

#[test]
fn both_sides_tell_what_they_generated() {
    let (mut world, place) = start(&reading("openai"));
    serve(&world, streamed(TEXT).piece(11), whole(TEXT));
    world.exchange(place, Request::post("r1", QUESTION));
    world.check();
    assert_eq!(world.counted("gnomon_divergences_total", &[], "kind"), only("finish", 1));
    for (subject, end, completion) in [("none", "stop", 34), ("copy", "length", 55)] {
        let tokens = world.counted("gnomon_tokens_total", &[("subject", subject)], "token");
        assert_eq!(tokens, [("prompt".to_owned(), 21), ("completion".to_owned(), completion)].into());
        assert_eq!(world.counted("gnomon_answers_total", &[("subject", subject)], "kind"), only(end, 1));
    }
    assert_eq!(world.counted("gnomon_model_versions_total", &[], "model_version"), only("m-1", 1));
}

#[test]
fn decisions_are_counted_by_the_row() {
    let task = json!({"decision": {"path": "scores[*]", "thresholds": [0.7], "names": ["approve", "block"]}});
    let (mut world, place) = start(&reading("json").with("/routes/0/compare", json!({"task": task})));
    serve(&world, Answer::json(r#"{"scores":[0.1,0.8,0.9]}"#), Answer::json(r#"{"scores":[0.9,0.8,0.9]}"#));
    world.exchange(place, Request::post("r1", QUESTION));
    world.check();
    let to = |primary| world.counted("gnomon_decisions_total", &[("primary_answer", primary)], "shadow_answer");
    assert_eq!((to("approve"), to("block"), to("other")), (only("block", 1), only("block", 2), BTreeMap::new()));
    assert_eq!(world.counted("gnomon_divergences_total", &[], "kind"), only("label", 1));
}

#[test]
fn the_first_byte_of_a_stream_is_measured_with_and_without_copies() {
    let path = "/v1/chat/completions";
    for (configuration, path) in
        [(reading("openai"), "/infer"), (unsampled("openai"), "/infer"), (reading("auto"), path), (unsampled("auto"), path)]
    {
        let (mut world, place) = start(&configuration);
        serve(&world, streamed(TEXT).piece(50).after(Duration::from_millis(7)), whole(TEXT));
        world.exchange(place, Request::new("POST", path).header("x-request-id", "r1").body(QUESTION));
        world.check();
        // The body comes 50 µs after the headers, the answer's headers 7 ms later, its first piece 100 µs after them.
        assert_eq!(samples(&world, FIRST_BYTE), [7150], "{configuration}");
        let whole = samples(&world, "gnomon_response_duration_microseconds");
        assert!(whole.len() == 1 && whole[0] > 10_000, "{whole:?}");
    }
}

#[test]
fn only_streams_that_succeed_have_a_first_byte() {
    let empty = || Answer::json("").header("content-type", "text/event-stream");
    for answer in [whole(TEXT), streamed(TEXT).status(503), empty()] {
        for configuration in [reading("openai"), unsampled("openai")] {
            let (mut world, place) = start(&configuration);
            serve(&world, answer.clone(), whole(TEXT));
            world.exchange(place, Request::post("r1", QUESTION));
            world.check();
            assert!(samples(&world, FIRST_BYTE).is_empty(), "{answer:?}");
        }
    }
    for half in [true, false] {
        let (mut world, place) = start(&reading("openai"));
        world.serve("primary", move |_| if half { Reply::Half(streamed(TEXT)) } else { Reply::Stalls(streamed(TEXT)) });
        world.exchange(place, Request::post("r1", QUESTION));
        world.check();
        assert!(samples(&world, FIRST_BYTE).is_empty(), "of a stream that broke off");
    }
}

/// What one request costs in host calls, with an answer in so many pieces.
fn cost(configuration: &Value, answer: &Answer) -> BTreeMap<String, usize> {
    let (mut world, place) = start(configuration);
    serve(&world, answer.clone(), whole(TEXT));
    // The first request of a worker is read in two calls.
    world.exchange(place, Request::post("r0", QUESTION));
    world.proxy().host_calls.clear();
    world.exchange(place, Request::post("r1", QUESTION));
    std::mem::take(&mut world.proxy().host_calls)
}

#[test]
fn what_is_no_stream_of_text_costs_no_more_than_before() {
    let (one, many) = (streamed(TEXT).piece(usize::MAX), streamed(TEXT).piece(100));
    let json = cost(&unsampled("json"), &one);
    assert_eq!(json.get("proxy_get_header_map_pairs"), Some(&1), "request headers alone");
    assert_eq!(json.get("proxy_get_buffer_bytes"), None, "no body is read");
    for protocol in ["json", "opaque", "kserve-v1", "open-inference", "auto"] {
        for answer in [&one, &many] {
            assert_eq!(cost(&unsampled(protocol), answer), json, "{protocol}");
        }
    }
    let calls = |costs: &BTreeMap<String, usize>| costs.values().sum::<usize>();
    let costs = |answer| cost(&unsampled("openai"), answer);
    let unstreamed = whole(TEXT);
    let plain = costs(&unstreamed);
    assert!(calls(&plain) <= calls(&json) + 3, "no stream: {plain:?} against {json:?}");
    let (one, many) = (costs(&one), costs(&many));
    assert!(calls(&one) <= calls(&json) + 6, "a stream: {one:?} against {json:?}");
    let pieces = |costs: &BTreeMap<String, usize>| costs.get("proxy_get_buffer_bytes").copied().unwrap_or_default();
    assert_eq!(pieces(&one), 1);
    assert!(calls(&many) <= calls(&one) + 2 * (pieces(&many) - 1), "every piece is looked at for the end: {many:?} against {one:?}");
}

#[test]
fn a_stream_may_be_longer_than_a_body_may_be() {
    let limits = json!({"body": "600B", "memory": "64KiB"});
    let bytes = streamed(TEXT).body.len();
    assert!(bytes > 4000 && whole(TEXT).body.len() < 600);
    for (primary, shadow) in [(streamed(TEXT), whole(TEXT)), (whole(TEXT), streamed(TEXT)), (streamed(TEXT), streamed(TEXT))] {
        for piece in [1, 700, usize::MAX] {
            let (mut world, place) = start(&reading("openai").with("/limits", limits.clone()));
            serve(&world, primary.clone().piece(piece), shadow.clone());
            world.exchange(place, Request::post("r1", QUESTION));
            world.check();
            assert_eq!(world.outcomes("copy"), only("compared", 1), "in pieces of {piece}");
            assert!(!world.counted("gnomon_divergent_paths_total", &[], "path").contains_key("choices[*].message.content"));
        }
    }
    // Where nothing joins it, it is a body as any other.
    let (mut world, place) = start(&reading("opaque").with("/limits", limits));
    serve(&world, whole(TEXT), streamed(TEXT));
    world.exchange(place, Request::post("r1", QUESTION));
    world.check();
    assert_eq!(world.outcomes("copy"), only("incomparable", 1));
}

#[test]
fn a_stream_that_breaks_off_fails_like_any_answer() {
    for (configuration, outcome) in [(reading("openai"), "primary_failed"), (reading("json"), "primary_failed")] {
        let (mut world, place) = start(&configuration);
        world.serve("primary", |_| Reply::Half(streamed(TEXT).piece(30)));
        world.serve("shadow", |_| Reply::Whole(whole(TEXT)));
        world.exchange(place, Request::post("r1", QUESTION));
        world.check();
        assert_eq!(world.outcomes("copy"), only(outcome, 1));
    }
}

#[test]
fn codings_may_stand_in_several_fields() {
    let packed = include_bytes!("../data/encodings/answer.zst.deflate.br.gz");
    let plain = include_bytes!("../data/encodings/answer.json");
    let mut encoded = Answer::json(packed.to_vec());
    for codings in ["zstd, deflate", "br", "gzip"] {
        encoded.fields.push(("content-encoding".to_owned(), codings.into()));
    }
    for (primary, shadow) in [(encoded.clone(), Answer::json(*plain)), (Answer::json(*plain), encoded)] {
        let (mut world, place) = start(&reading("json"));
        serve(&world, primary, shadow);
        world.exchange(place, Request::post("r1", QUESTION));
        world.check();
        assert_eq!(world.counted("gnomon_pairs_total", &[], "verdict"), only("identical", 1));
    }
}

#[test]
fn versions_with_a_series_stay_the_same_over_updates() {
    let configuration = reading("open-inference");
    let (mut world, place) = start(&configuration);
    let serve = |world: &mut World, place: Place, version: usize| {
        let body = inferred(&format!("v{version}"));
        world.serve("shadow", move |_| says(&body, 4));
        world.exchange(place, Request::post("r", QUESTION));
    };
    world.serve("primary", |_| says(&inferred("main"), 2));
    (0..10).for_each(|version| serve(&mut world, place, version));
    let next = configuration.clone().with(&format!("{SHADOW}/timeout"), "3s").to_string();
    let updated = world.update(place, &next).expect("accepted");
    (0..10).rev().for_each(|version| serve(&mut world, updated, version));
    let fresh = world.load(&configuration.with(&format!("{SHADOW}/timeout"), "4s").to_string()).expect("accepted");
    world.retire(updated.vm);
    (0..10).rev().for_each(|version| serve(&mut world, fresh, version));
    world.check();
    let versions = world.counted("gnomon_model_versions_total", &[("subject", "copy")], "model_version");
    let mut want: BTreeMap<String, u64> = (0..8).map(|version| (format!("v{version}"), 3)).collect();
    want.insert("other".to_owned(), 6);
    assert_eq!(versions, want);
    assert_eq!(world.counted("gnomon_model_versions_total", &[("subject", "none")], "model_version"), only("main", 30));
}

#[test]
fn a_shadow_of_another_version_makes_no_pair() {
    let (mut world, place) = start(&reading("open-inference").with(&format!("{SHADOW}/expect"), json!({"model_version": "2"})));
    world.serve("primary", |_| says(&inferred("1"), 2));
    for version in ["2", "3"] {
        world.serve("shadow", move |_| says(&inferred(version), 4));
        world.exchange(place, Request::post("r1", QUESTION));
    }
    world.check();
    assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 1), ("wrong_version".to_owned(), 1)].into());
}
