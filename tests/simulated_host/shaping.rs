//! Copies as real shadows need them: of some requests only, to the port of their protocol, with other members and with the shadow's own
//! credentials.

use proxy_wasm::types::LogLevel;
use serde_json::{Value, json};

use crate::copies::copy;
use crate::setup::{SHADOW, With, says, shadowed, start};
use crate::traffic::Request;

/// A variable that every process has. (The guest runs natively: its environment is that of the test.)
const VARIABLE: &str = "PATH";

fn shaped(request: Value) -> Value {
    shadowed().with(&format!("{SHADOW}/request"), request)
}

#[test]
fn members_are_set_and_removed() {
    let request = json!({"model": "v2", "body": {"set": {"stream": false, "seed": 7}, "remove": ["stream_options"]}});
    for (body, expected) in [
        (
            r#"{"model": "v1", "stream": true, "stream_options": {"include_usage": true}, "messages": [{"model": "v1"}]}"#,
            r#"{"model": "v2", "stream": false, "messages": [{"model": "v1"}],"seed":7}"#,
        ),
        ("{}", r#"{"seed":7,"stream":false}"#),
    ] {
        for cut in [1, 1000] {
            let (mut world, place) = start(&shaped(request.clone()));
            let pieces = body.as_bytes().chunks(cut).map(<[u8]>::to_vec).collect();
            let exchange = world.exchange(place, Request::post("r1", "").pieces(pieces));
            world.check();
            let copy = copy(&world);
            assert_eq!(String::from_utf8_lossy(&copy.body), expected, "in pieces of {cut}");
            assert_eq!(copy.header("content-length"), Some(expected.len().to_string()));
            assert_eq!(world.exchanges[exchange].upstream.body, body.as_bytes(), "the live request is as it was");
        }
    }
}

#[test]
fn tensors_behind_changed_json_stay() {
    let json = r#"{"model":"v1","inputs":[]}"#;
    let tail = [0, 1, 2, 0xff, b'{', b'"'];
    for (length, changed) in [(json.len().to_string(), true), ("9999".to_owned(), false), ("x".to_owned(), false)] {
        let (mut world, place) = start(&shaped(json!({"model": "version-2"})));
        let body = [json.as_bytes(), &tail].concat();
        world.exchange(place, Request::post("r1", "").pieces(vec![body]).header("inference-header-content-length", length.clone()));
        world.check();
        if !changed {
            assert_eq!(world.outcomes("copy").into_iter().collect::<Vec<_>>(), [("unsent_unshaped".to_owned(), 1)], "{length}");
            continue;
        }
        let copy = copy(&world);
        assert_eq!(copy.body, [br#"{"model":"version-2","inputs":[]}"#, &tail[..]].concat());
        let told = json.len() + "version-2".len() - "v1".len();
        assert_eq!(copy.header("inference-header-content-length"), Some(told.to_string()));
    }
}

#[test]
fn grpc_has_a_cluster_and_a_model_of_its_own() {
    let configuration = shaped(json!({"model": "v2"})).with(&format!("{SHADOW}/cluster"), json!({"http": "shadow", "grpc": "shadow-grpc"}));
    let (mut world, place) = start(&configuration);
    world.serve("shadow-grpc", |_| says("{}", 3));
    let mut request = Request::post("r1", "").pieces(vec![b"\0\0\0\0\x08\x0a\x03old\x12\x011".to_vec()]);
    for (name, value) in &mut request.fields {
        match name.as_str() {
            ":path" => *value = b"/inference.GRPCInferenceService/ModelInfer".to_vec(),
            "content-type" => *value = b"application/grpc".to_vec(),
            _ => {}
        }
    }
    world.exchange(place, request);
    world.exchange(place, Request::post("r2", r#"{"model":"old"}"#));
    world.check();
    assert_eq!(world.calls("shadow-grpc").remove(0).request.body, b"\0\0\0\0\x07\x0a\x02v2\x12\x011");
    assert_eq!(copy(&world).body, br#"{"model":"v2"}"#);
}

#[test]
fn only_requests_that_qualify_are_copied_and_counted() {
    let when = json!({"body": [{"path": "model", "prefix": "chat-"}, {"path": "max_tokens", "at_most": 256}]});
    let (mut world, place) = start(&shadowed().with(&format!("{SHADOW}/when"), when));
    for (request, body) in [
        ("r1", r#"{"model":"chat-70b","max_tokens":256}"#),
        ("r2", r#"{"model":"chat-70b","max_tokens":257}"#),
        ("r3", r#"{"model":"embed","max_tokens":1}"#),
        ("r4", r#"{"model":"chat-70b"}"#),
        ("r5", "no JSON"),
        ("r6", r#"{"max_tokens":1,"model":"ch\u0061t-8b"}"#),
    ] {
        world.exchange(place, Request::post(request, body));
        world.check();
    }
    let copied: Vec<_> = world.calls("shadow").iter().map(|call| call.request.header("x-request-id").expect("an id")).collect();
    assert_eq!(copied, ["r1", "r6"]);
    assert_eq!((world.sum("gnomon_sampled_total", &[]), world.sum("gnomon_requests_total", &[])), (2, 6));
    assert_eq!(world.outcomes("copy").into_iter().collect::<Vec<_>>(), [("compared".to_owned(), 2)]);
    assert_eq!(world.sum("gnomon_unjudged_total", &[]), 1);
    let lines = world.lines(LogLevel::Warn);
    assert!(lines.len() == 1 && lines[0].contains("unjudged") && lines[0].contains("r5"), "nothing is said of those that do not qualify");
}

#[test]
fn slices_are_by_what_the_body_says() {
    let slices = json!({"body": "user.region", "values": ["eu", "us", "7"]});
    let (mut world, place) = start(&shadowed().with("/routes/0/slices", slices).with("/limits", json!({"body": "100B"})));
    let large = format!(r#"{{"user":{{"region":"eu"}},"text":"{}"}}"#, "x".repeat(100));
    for (request, body) in [
        ("r1", r#"{"user":{"region":"eu"}}"#),
        ("r2", r#"{"user":{"region":"us","region":"e\u0075"}}"#),
        ("r3", r#"{"user":{"region":"us"}}"#),
        ("r4", r#"{"user":{"region":7.0}}"#),
        ("r5", r#"{"user":{"region":"payload"}}"#),
        ("r6", r#"{"user":null}"#),
        ("r7", "no JSON"),
        ("r8", &large),
    ] {
        for cut in [7, 1000] {
            let pieces = body.as_bytes().chunks(cut).map(<[u8]>::to_vec).collect();
            world.exchange(place, Request::post(request, "").pieces(pieces));
            world.check();
        }
    }
    let compared = |slice| world.sum("gnomon_pairs_total", &[("slice", slice)]);
    assert_eq!(["eu", "us", "7", "other"].map(compared), [4, 2, 2, 6]);
    let outcomes = world.counted("gnomon_shadow_outcomes_total", &[("slice", "other")], "outcome");
    assert_eq!(outcomes, [("compared".to_owned(), 6), ("unsent_body".to_owned(), 2)].into(), "what is not copied is not read");
}

#[test]
fn credentials_come_from_the_environment_and_are_never_shown() {
    let headers = json!({"from_env": {"authorization": VARIABLE, "x-other": "GNOMON_SURELY_UNSET"}});
    let (mut world, place) = start(&shaped(json!({"headers": headers})));
    world.exchange(place, Request::post("r1", "{}").header("authorization", "payload").header("x-other", "payload"));
    world.check();
    let (copy, value) = (copy(&world), std::env::var(VARIABLE).expect("a variable"));
    assert_eq!(copy.header("authorization"), Some(value.clone()));
    let lines = world.lines(LogLevel::Error);
    assert!(!lines.is_empty(), "every worker says what its copies must do without");
    for part in ["fraud", "copy", "x-other", "GNOMON_SURELY_UNSET", "vmConfig.env"] {
        assert!(lines.iter().all(|line| line.contains(part)), "{lines:?} lack {part}");
    }
    assert_eq!(copy.header("x-other").as_deref(), Some("payload"), "the copy goes without the shadow's own");
    assert!(world.proxy().log.iter().all(|line| !line.text.contains(&value)));
}
