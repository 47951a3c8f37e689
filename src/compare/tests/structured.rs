//! Texts that are JSON, compared as JSON.

use super::*;
use crate::config::{Task, Texts};
use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What comes of two answers, the same in any slices.
fn said(protocol: Protocol, plan: &Compare, primary: &str, shadow: &str) -> String {
    let wire_format = WireFormat::of(protocol, Endpoint::Other, b"application/json");
    let compare = |slice: usize| {
        let (primary, shadow) = (answer(primary.as_bytes()), answer(shadow.as_bytes()));
        let mut comparison = Comparison::new(wire_format, Rc::new(plan.clone()), bounds(), primary, shadow);
        until_done(|| comparison.step(&mut slice.clone()))
    };
    let whole = compare(usize::MAX);
    for slice in [1, 13] {
        assert_eq!(compare(slice), whole, "in slices of {slice}: {primary} against {shadow}");
    }
    say(&whole.judgement)
}

/// A chat that says this text.
fn chat(text: &str) -> String {
    let content = serde_json::Value::from(text);
    format!(r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":{content}}},"finish_reason":"stop"}}]}}"#)
}

const CONTENT: &str = "choices[0].message.content";

/// What comes of two chats; `in` for the content.
fn of_chats(plan: &Compare, primary: &str, shadow: &str) -> String {
    let found = said(Protocol::OpenAi, plan, &chat(primary), &format!(" {}", chat(shadow)));
    assert_eq!(
        found.split(' ').next(),
        said(Protocol::OpenAi, plan, &format!(" {}", chat(shadow)), &chat(primary))
            .replace("missing", "?")
            .replace("extra", "missing")
            .replace('?', "extra")
            .split(' ')
            .next(),
        "the other way round"
    );
    found.replace(CONTENT, "in")
}

fn plan(task: Task) -> Compare {
    Compare { task, ..by_default() }
}

fn as_json(normalize: bool) -> Task {
    Task::Text { path: None, texts: Texts { normalize, json: true } }
}

#[test]
fn what_both_sides_mean_as_json_is_compared_as_json() {
    let deep = |leaf: &str| format!("{}{leaf}{}", "[".repeat(65), "]".repeat(65));
    let (deep_one, deep_two) = (deep("1"), deep("2"));
    for (primary, shadow, structure, text) in [
        (r#"{"name":"Ann","age":3}"#, "{\n  \"age\": 3.0,\n  \"name\": \"\\u0041nn\"\n}\n", "equivalent", "equivalent"),
        (r#"{"name":"Ann","age":3}"#, r#"{"name":"Bob","age":3}"#, "text at in.name", "text at in.name"),
        (r#"{"name":"Ann","age":3}"#, r#"{"name":"Ann","age":4}"#, "number at in.age", "number at in.age"),
        (r#"{"id":1001}"#, r#"{"id":1002}"#, "number at in.id", "number at in.id"),
        (r#"{"score":0.9}"#, r#"{"score":0.90001}"#, "equivalent", "equivalent"),
        (r#"{"a":1}"#, "{}", "missing at in.a", "missing at in.a"),
        ("{}", r#"{"a":{"b":1}}"#, "extra at in.a", "extra at in.a"),
        ("[1]", "{}", "type at in", "type at in"),
        ("[1]", "[1,2]", "length at in", "length at in"),
        (r#"[{"a":"x"}]"#, r#"[{"a":null}]"#, "null at in[0].a", "null at in[0].a"),
        (r#"{"a":1,"a":2}"#, r#"{ "a":2}"#, "equivalent", "equivalent"),
        (r#"{"a":"{\"b\":1}"}"#, r#"{"a":"{\"b\": 1}"}"#, "text at in.a", "text at in.a"),
        // One is JSON alone, or neither is.
        ("{}", "{", "type at in", "text at in"),
        (r#"{"a":1}"#, r#"It is {"a":1}"#, "type at in", "text at in"),
        (r#"{"a":1}"#, r#"{"a":1} x"#, "type at in", "text at in"),
        ("{}", "", "type at in", "text at in"),
        ("Ann", "Bob", "equivalent", "text at in"),
        ("42", "43", "equivalent", "text at in"),
        ("42", "42.0", "equivalent", "text at in"),
        ("\"a\"", "\"\\u0061\"", "equivalent", "text at in"),
        ("{1", "{2", "equivalent", "text at in"),
        // In a fence, of both sides or of one.
        ("```json\n{\"a\":1}\n```", "```\n{\"a\": 1}```\n", "equivalent", "equivalent"),
        ("```json\n{\"a\":1}\n```", "  ```JSON \r\n{\"a\":2}\n```", "number at in.a", "number at in.a"),
        ("```json\n{\"a\":1}\n```", "{\"a\":1}", "type at in", "text at in"),
        ("```json\n{\"a\":1}\n```", "```python\n{\"a\":1}", "type at in", "text at in"),
        ("```json\n42\n```", "```json\n43\n```", "equivalent", "text at in"),
        ("```not json\n{}\n```", "```not json\n{ }\n```", "equivalent", "text at in"),
        ("```", "``` ", "equivalent", "text at in"),
        // Beyond the bounds of the reader they are texts.
        (&deep_one, &deep_two, "text at in", "text at in"),
        (&deep_one, "[]", "type at in", "text at in"),
    ] {
        assert_eq!(of_chats(&plan(Task::Structure), primary, shadow), structure, "{primary} against {shadow}");
        assert_eq!(of_chats(&plan(as_json(false)), primary, shadow), text, "{primary} against {shadow}");
    }
    assert_eq!(of_chats(&plan(Task::Auto), "{}", "{ }"), "text at in", "unless they are asked for, texts are texts");
    assert_eq!(of_chats(&plan(as_json(true)), "a  b", "a b "), "equivalent");
    assert_eq!(of_chats(&plan(as_json(true)), "[\"a  b\"]", "[ \"a b\" ]"), "text at in[0]");
}

#[test]
fn paths_lead_into_texts() {
    let (primary, shadow) = (r#"{"name":"Ann","tags":["a","b"],"age":3}"#, r#"{"name":"Ann","tags":["b","a"],"age":5}"#);
    let given =
        |text: &str| Compare { tolerances: vec![(path(text), GivenTolerance { absolute: Some(2.0), relative: None })], ..by_default() };
    let without = |text: &str| Compare { ignore: vec![path(text)], ..by_default() };
    let free = Unordered { path: path("choices[*].message.content.tags"), by: None };
    for (plan, expected) in [
        (by_default(), "number at in.age"),
        (without("choices[*].message.content.age"), "text at in.tags[0]"),
        (given("choices[0].message.content.age"), "text at in.tags[0]"),
        (Compare { unordered: vec![free.clone()], ..by_default() }, "number at in.age"),
        (Compare { unordered: vec![free.clone()], ..without("choices[*].message.content.age") }, "equivalent"),
        (without("choices[*].message.content"), "equivalent"),
    ] {
        for task in [Task::Structure, as_json(false)] {
            assert_eq!(of_chats(&Compare { task, ..plan.clone() }, primary, shadow), expected, "{plan:?}");
        }
    }
    // Arguments of tools: exact but for paths of their own.
    let calls = |arguments: &str| {
        let arguments = serde_json::Value::from(arguments);
        format!(r#"{{"choices":[{{"message":{{"tool_calls":[{{"function":{{"name":"f","arguments":{arguments}}}}}]}}}}]}}"#)
    };
    let (primary, shadow) = (calls(r#"{"x":1.0,"y":"a"}"#), calls(r#"{"x":1.0000001,"y":"a"}"#));
    const X: &str = "choices[0].message.tool_calls[0].function.arguments.x";
    for (plan, equal) in [(by_default(), false), (within(1.0, 1.0), false), (given(X), true), (without(X), true)] {
        let expected = if equal { "equivalent".to_owned() } else { format!("tools at {X}") };
        assert_eq!(said(Protocol::OpenAi, &plan, &primary, &shadow), expected);
    }
}

#[test]
fn texts_of_any_protocol_may_be_json() {
    let body = |text: &str| serde_json::json!({"a": [{"t": text}], "n": 1}).to_string();
    let tensor = |text: &str| {
        format!(r#"{{"outputs":[{{"name":"t","datatype":"BYTES","shape":[2],"data":["x",{}]}}]}}"#, serde_json::Value::from(text))
    };
    let predictions = |text: &str| serde_json::json!({"predictions": [text]}).to_string();
    let at = |text: Option<&str>| plan(Task::Text { path: text.map(path), texts: Texts { normalize: false, json: true } });
    for (primary, shadow, expected) in [
        (r#"{"b":1}"#, r#"{ "b": 1.0 }"#, None),
        (r#"{"b":1,"c":[1]}"#, r#"{"b":1,"c":[2]}"#, Some(("number", ".c[0]"))),
        (r#"{"b":1}"#, r#"{"b":1"#, Some(("text", ""))),
        ("x", "y", Some(("text", ""))),
    ] {
        let expected = |place: &str| expected.map_or("equivalent".to_owned(), |(kind, inside)| format!("{kind} at {place}{inside}"));
        for path in [None, Some("a[*].t")] {
            assert_eq!(said(Protocol::Json, &at(path), &body(primary), &body(shadow)), expected("a[0].t"), "{path:?}");
        }
        assert_eq!(said(Protocol::KserveV1, &at(None), &predictions(primary), &predictions(shadow)), expected("predictions[0]"));
        for path in [None, Some("outputs[0].data[1]")] {
            assert_eq!(
                said(Protocol::OpenInference, &at(path), &tensor(primary), &tensor(shadow)),
                expected("outputs[0].data[1]"),
                "{path:?}"
            );
        }
        let (primary, shadow) = (chat(primary), format!(" {}", chat(shadow)));
        assert_eq!(said(Protocol::OpenAi, &at(Some("choices[*].message.content")), &primary, &shadow), expected(CONTENT));
    }
    for (by, expected) in [
        (Compare { ignore: vec![path("outputs[0].data[1].b")], ..at(None) }, "equivalent"),
        (Compare { ignore: vec![path("outputs[0].data[0].b")], ..at(None) }, "number at outputs[0].data[1].b"),
    ] {
        assert_eq!(said(Protocol::OpenInference, &by, &tensor(r#"{"b":1}"#), &tensor(r#"{"b":2}"#)), expected);
    }
    let free = Compare { unordered: vec![Unordered { path: path("outputs[0].data[1]"), by: None }], ..at(None) };
    assert_eq!(said(Protocol::OpenInference, &free, &tensor("[1,2]"), &tensor("[2,1]")), "equivalent");
    // Several texts: the walk goes on behind each.
    let (primary, shadow) = (r#"["[1]","{}","x","[1,2]"]"#, r#"["[ 1]","{\"a\":1}","y","[2,1]"]"#);
    let Judgement::Diverged(found) = judge(primary.as_bytes(), shadow.as_bytes(), &at(None)) else { panic!() };
    assert_eq!((found.count, found.paths.join(" ")), (4, "[1].a [2] [3][0] [3][1]".to_owned()));
    assert_eq!((found.kind, found.pattern.as_str()), (Kind::Extra, "[*]"), "the pattern ends at the text");
}

#[test]
fn pieces_of_a_text_are_one_json() {
    let parts = |pieces: &[&str]| {
        let pieces: Vec<_> = pieces.iter().map(|text| serde_json::json!({"type": "text", "text": text})).collect();
        serde_json::json!({"choices": [{"message": {"content": pieces}, "finish_reason": "stop"}]}).to_string()
    };
    for (pieces, expected) in
        [(&["```js", "on\n{\"a\"", ":1}\n`", "``"][..], "equivalent"), (&["\n```\n", "{\"a\":2}", "```"], "number at in.a")]
    {
        let found = said(Protocol::OpenAi, &plan(Task::Structure), &parts(pieces), &chat("```json\n{\"a\":1}\n```"));
        assert_eq!(found.replace(CONTENT, "in"), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..pairs::config() })]

    /// JSON in a text is compared as the same JSON in a body.
    #[test]
    fn in_a_text_and_in_a_body_it_is_the_same(case in pairs::case(), seed in any::<u64>()) {
        prop_assume!([&case.primary, &case.shadow].iter().all(|value| value.is_array() || value.is_object()));
        let mut dice = pairs::Dice::new(seed);
        let (primary, shadow) = (pairs::spell(&case.primary, &mut dice), pairs::spell(&case.shadow, &mut dice));
        let plan = Compare { ignore: vec![], tolerances: vec![], unordered: vec![], ..case.plan };
        let plain = |judgement: &Judgement| say(judgement).replace("identical", "equivalent");
        let expected = plain(&judge(primary.as_bytes(), shadow.as_bytes(), &plan));
        let body = |text: &str| serde_json::json!([text]).to_string();
        for task in [as_json(false), as_json(true)] {
            let judgement = judge(body(&primary).as_bytes(), body(&shadow).as_bytes(), &Compare { task, ..plan.clone() });
            let found = plain(&judgement).replace(" at [0].", " at ");
            let found = if found.ends_with(" at [0]") { found.replace(" at [0]", " at $") } else { found.replace(" at [0][", " at [") };
            prop_assert_eq!(found, expected.clone(), "{} against {}", primary, shadow);
        }
    }
}
