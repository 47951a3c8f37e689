//! What is told of a pair that diverged beside its kind: how many paths differ, the first of them, and how far numbers lie apart.

use super::tasks::{decision, embedding, labels};
use super::*;
use crate::config::{Task, Tolerance};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn diverged(protocol: Protocol, task: Task, primary: &str, shadow: &str) -> Divergence {
    let plan = Compare { task, ..by_default() };
    match judge_answers(protocol, &plan, answer(primary.as_bytes()), answer(shadow.as_bytes())) {
        Judgement::Diverged(found) => *found,
        other => panic!("{other:?}: {primary} against {shadow}"),
    }
}

#[track_caller]
fn check(protocol: Protocol, task: Task, (primary, shadow): (&str, &str), count: u32, paths: &str) {
    let found = diverged(protocol, task, primary, shadow);
    assert_eq!((found.count, found.paths.join(" ").as_str()), (count, paths), "{primary} against {shadow}");
    assert_eq!(found.paths.first(), Some(&found.path));
}

#[test]
fn differences_are_counted_and_the_first_are_named() {
    let json = |primary: &str, shadow: &str, count, paths: &str| check(Protocol::Json, Task::Auto, (primary, shadow), count, paths);
    json("1", "2", 1, "$");
    json(r#"{"a":1,"b":[1,2,3],"c":"x"}"#, r#"{"a":2,"b":[1,3,4],"d":null}"#, 5, "a b[1] b[2] c");
    json(r#"{"a":[1,2,3],"b":1}"#, r#"{"a":[3,2],"b":2}"#, 2, "a b");
    json(r#"{"a":{"x":1},"b":1}"#, r#"{"a":[7],"b":1}"#, 1, "a");
    json("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[2,2,2,2,2,2,2,2,2,2,2,2,2,2,2]", 15, "[0] [1] [2] [3]");
    let many = |value: &str| format!("[{}]", vec![value; 1000].join(","));
    json(&many("1"), &many("2"), 16, "[0] [1] [2] [3]");
    json(&many("\"a\""), &many("\"b\""), 16, "[0] [1] [2] [3]");
    json(&many("{}"), &many("[]"), 16, "[0] [1] [2] [3]");
    check(Protocol::Opaque, Task::Auto, ("a", "b"), 1, "$");

    let tensors = |datatype: &str, data: &str, other: &str| {
        format!(
            r#"{{"outputs":[{{"name":"a","datatype":"{datatype}","shape":[3],"data":{data}}},{{"name":"b","datatype":"BYTES","shape":[1],"data":["{other}"]}}]}}"#
        )
    };
    let oip = |primary: &str, shadow: &str, count, paths: &str| check(Protocol::OpenInference, Task::Auto, (primary, shadow), count, paths);
    let primary = tensors("FP32", "[1,2,3]", "x");
    oip(&primary, &tensors("FP32", "[7,2,8]", "y"), 3, "outputs[0].data[0] outputs[0].data[2] outputs[1].data[0]");
    oip(&primary, &tensors("FP64", "[7,2,8]", "y"), 2, "outputs[0].datatype outputs[1].data[0]");
    oip(&primary, &tensors("FP32", "[7,2,8]", "y").replace("\"a\"", "\"c\""), 3, "outputs[0] outputs[1].data[0] outputs[0]");

    let predictions = |rows: &str| format!(r#"{{"predictions":{rows}}}"#);
    let rows = |task: Task, primary: &str, shadow: &str, count, paths: &str| {
        check(Protocol::KserveV1, task, (&predictions(primary), &predictions(shadow)), count, paths);
    };
    rows(Task::Labels(labels(None)), "[1,2,3,[1,2]]", "[1,3,4,[1,2,3]]", 3, "predictions[1] predictions[2] predictions[3]");
    rows(Task::Labels(labels(None)), "[1,2,3]", "[2,2]", 2, "predictions predictions[0]");
    rows(Task::Decision(decision("predictions[*]")), "[0,[0,1],0]", "[1,[1,0],0]", 3, "predictions[0] predictions[1][0] predictions[1][1]");
    rows(embedding(None, 0.9), "[[1,0],[1,0],[1,2]]", "[[0,1],[1,0],[1,2,3]]", 2, "predictions[0] predictions[2]");
    rows(embedding(None, 0.9), "[[1,2]]", "[[2,-1,3]]", 1, "predictions[0]");
    let all = "predictions[0] predictions[1] predictions[2] predictions[3]";
    rows(Task::Decision(decision("predictions[*]")), &many("0"), &many("1"), 16, all);
    rows(Task::Labels(labels(None)), &many("1"), &many("2"), 16, all);
    rows(embedding(None, 0.9), &many("[1,0]"), &many("[0,1]"), 16, all);
}

#[test]
fn numbers_tell_how_far_they_lie_apart_and_what_was_allowed() {
    let given = |absolute, relative| Compare { default: GivenTolerance { absolute, relative }, ..Compare::exact() };
    let exact = Tolerance::EXACT;
    for (primary, shadow, plan, absolute, relative, tolerance) in [
        ("1.0", "2.0", by_default(), Some(1.0), Some(0.5), Tolerance::JSON),
        ("1", "2", by_default(), Some(1.0), Some(0.5), exact),
        ("1", "2.0", by_default(), Some(1.0), Some(0.5), Tolerance::JSON),
        ("1", "2", given(Some(0.25), None), Some(1.0), Some(0.5), Tolerance { absolute: 0.25, relative: 0.0 }),
        ("9007199254740992", "9007199254740993", given(Some(5.0), None), Some(1.0), Some(1.1102230246251565e-16), exact),
        ("9223372036854775807", "-9223372036854775807", by_default(), Some(18_446_744_073_709_551_614.0), Some(2.0), exact),
        ("NaN", "1", by_default(), None, None, Tolerance::JSON),
        ("1e308", "-1e308", by_default(), None, Some(2.0), Tolerance::JSON),
        ("0.0", "-5.0", by_default(), Some(5.0), Some(1.0), Tolerance::JSON),
    ] {
        let Judgement::Diverged(found) = judge(primary.as_bytes(), shadow.as_bytes(), &plan) else { panic!("{primary} {shadow}") };
        let gap = found.gap.unwrap();
        assert_eq!((gap.absolute, gap.relative, gap.tolerance), (absolute, relative, Some(tolerance)), "{primary} against {shadow}");
    }
    let tensor =
        |datatype: &str, data: &str| format!(r#"{{"outputs":[{{"name":"a","datatype":"{datatype}","shape":[1],"data":[{data}]}}]}}"#);
    for (datatype, tolerance) in [("FP16", Tolerance { absolute: 1e-3, relative: 5e-3 }), ("INT8", exact), ("FP64", Tolerance::JSON)] {
        let gap = diverged(Protocol::OpenInference, Task::Auto, &tensor(datatype, "2"), &tensor(datatype, "3")).gap.unwrap();
        assert_eq!((gap.absolute, gap.tolerance), (Some(1.0), Some(tolerance)), "{datatype}");
    }
    assert_eq!(diverged(Protocol::Json, Task::Auto, "\"a\"", "\"b\"").gap, None);
}

#[test]
fn choices_tell_all_that_differs_and_the_tool() {
    let tool = |name: &str, arguments: &str| serde_json::json!({"type": "function", "function": {"name": name, "arguments": arguments}});
    let chat = |finish: &str, content: Option<&str>, tools: Vec<serde_json::Value>| {
        let choice = serde_json::json!({"index": 0, "message": {"content": content, "tool_calls": tools}, "finish_reason": finish});
        serde_json::json!({"choices": [choice]}).to_string()
    };
    let oslo = r#"{"location":{"city":"Oslo","zip":1},"days":3}"#;
    let rome = r#"{"location":{"city":"Rome","zip":2},"days":3}"#;
    let primary = chat("tool_calls", None, vec![tool("time", "{}"), tool("get_weather", oslo)]);
    let found =
        diverged(Protocol::OpenAi, Task::Auto, &primary, &chat("tool_calls", None, vec![tool("time", "{}"), tool("get_weather", rome)]));
    const ARGUMENTS: &str = "choices[0].message.tool_calls[1].function.arguments";
    assert_eq!((found.kind, found.path), (Kind::Tools, format!("{ARGUMENTS}.location.city")));
    assert_eq!(found.pattern, "choices[*].message.tool_calls[*].function.arguments", "the pattern ends at the text");
    assert_eq!((found.count, found.paths), (2, vec![format!("{ARGUMENTS}.location.city"), format!("{ARGUMENTS}.location.zip")]));
    assert_eq!((found.tool.as_deref(), found.values), (Some("get_weather"), ("\"Oslo\"".to_owned(), "\"Rome\"".to_owned())));
    let broken =
        diverged(Protocol::OpenAi, Task::Auto, &primary, &chat("tool_calls", None, vec![tool("time", "{}"), tool("get_weather", "{")]));
    assert_eq!((broken.path.as_str(), broken.tool.as_deref()), (ARGUMENTS, Some("get_weather")));
    // The names of two tools are values.
    let other =
        diverged(Protocol::OpenAi, Task::Auto, &primary, &chat("tool_calls", None, vec![tool("time", "{}"), tool("forecast", oslo)]));
    assert_eq!((other.tool, other.values.1.as_str()), (None, "\"forecast\""));
    let unnamed = Compare { ignore: vec![path("choices[*].message.tool_calls[*].function.name")], ..by_default() };
    let shadow = chat("tool_calls", None, vec![tool("time", "{}"), tool("forecast", rome)]);
    let Judgement::Diverged(found) = judge_answers(Protocol::OpenAi, &unnamed, answer(primary.as_bytes()), answer(shadow.as_bytes()))
    else {
        panic!()
    };
    assert_eq!((found.path, found.tool), (format!("{ARGUMENTS}.location.city"), None));

    let (stop, length) = (chat("stop", Some("a"), vec![]), chat("length", Some("b"), vec![tool("time", "{}")]));
    const ALL: &str = "choices[0].finish_reason choices[0].message.tool_calls choices[0].message.content";
    check(Protocol::OpenAi, Task::Auto, (&stop, &length), 3, ALL);
    let refuses = stop.replace(r#""content":"a""#, r#""refusal":"no""#);
    check(Protocol::OpenAi, Task::Auto, (&stop, &refuses), 2, "choices[0].message.refusal choices[0].message.content");
    let completion = r#"{"choices":[{"text":"b","finish_reason":"length"}]}"#;
    check(Protocol::OpenAi, Task::Auto, (&stop, completion), 1, "choices[0]");
}
