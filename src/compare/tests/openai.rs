//! OpenAI's interface: what is read of an answer, and when two of them say the same.

use super::*;
use crate::compare::answer::IMPOSSIBLE;
use crate::compare::part::content::{Facts, Parts};
use crate::compare::part::cursor::Cursor;
use crate::compare::part::element::Element;
use crate::compare::read::openai::OpenAiReader;
use crate::compare::read::reader::Reader;
use crate::config::{Task, Texts};
use crate::labels::End;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A chat of these choices.
fn chat(choices: &str) -> String {
    format!(r#"{{"id":"x","model":"m","choices":[{choices}],"usage":{{"prompt_tokens":3,"completion_tokens":5}}}}"#)
}

/// A choice that ends so, with these members of its message.
fn choice(finish: &str, message: &str) -> String {
    format!(r#"{{"index":0,"message":{{"role":"assistant",{message}}},"finish_reason":"{finish}"}}"#)
}

fn says(content: &str) -> String {
    choice("stop", &format!(r#""content":"{content}""#))
}

/// A choice that calls these tools, given as `name` or as `name(arguments)`.
fn calls(tools: &[&str]) -> String {
    let call = |tool: &&str| {
        let (name, arguments) = tool.split_once('(').map_or((*tool, String::new()), |(name, rest)| (name, rest.replace('"', "\\\"")));
        let arguments = arguments.strip_suffix(')').unwrap_or_default();
        format!(r#"{{"id":"call_1","type":"function","function":{{"name":"{name}","arguments":"{arguments}"}}}}"#)
    };
    let tools: Vec<String> = tools.iter().map(call).collect();
    choice("tool_calls", &format!(r#""content":null,"tool_calls":[{}]"#, tools.join(",")))
}

#[track_caller]
fn check_with(plan: &Compare, primary: &str, shadow: &str, expected: &str) {
    for slice in [usize::MAX, 7, 1] {
        let (wire_format, plan) = (WireFormat::OpenAi, Rc::new(plan.clone()));
        let mut comparison = Comparison::new(wire_format, plan, bounds(), answer(primary.as_bytes()), answer(shadow.as_bytes()));
        let report = until_done(|| comparison.step(&mut slice.clone()));
        assert_eq!(say(&report.judgement), expected, "{primary} against {shadow}, {slice} bytes at a time");
    }
}

fn task(task: Task) -> Compare {
    Compare { task, ..Compare::exact() }
}

/// Two chats of one choice each.
#[track_caller]
fn check(primary: &str, shadow: &str, expected: &str) {
    check_with(&Compare::exact(), &chat(primary), &chat(shadow), expected);
}

#[test]
fn volatile_members_never_count() {
    let one = r#"{"id":"a","object":"chat.completion","created":1,"model":"m","system_fingerprint":"f","service_tier":"x",
        "choices":[{"index":0,"message":{"role":"assistant","content":"hi","annotations":[]},"logprobs":null,"finish_reason":"stop"}],
        "usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let other = r#"{"choices":[{"finish_reason":"stop","logprobs":{"content":[]},"message":{"content":"\u0068i","role":"model",
        "tool_calls":null,"refusal":""}}]}"#;
    check_with(&Compare::exact(), one, other, "equivalent");
}

#[test]
fn each_aspect_of_a_choice_has_its_kind_and_place() {
    check(&says("a"), &choice("length", r#""content":"b""#), "finish at choices[0].finish_reason");
    check(&says("a"), r#"{"index":0,"message":{"content":"b"}}"#, "finish at choices[0].finish_reason");
    let refuses = choice("stop", r#""content":null,"refusal":"no""#);
    check(&says("a"), &refuses, "refusal at choices[0].message.refusal");
    check(&refuses, &choice("stop", r#""refusal":"\u006eo""#), "equivalent");
    check(&refuses, &choice("stop", r#""refusal":"never""#), "text at choices[0].message.refusal");
    check(&says("a"), &says("b"), "text at choices[0].message.content");
    check(&says("a"), &says("aa"), "text at choices[0].message.content");
    check(&says(""), &choice("stop", r#""content":null"#), "equivalent");
    check(&says(""), &choice("stop", r#""role":null"#), "equivalent");
    let parts = r#""content":[{"type":"text","text":"a\u0062"},{"type":"thinking","thinking":[]},{"type":"text","text":"c"}]"#;
    check(&says("abc"), &choice("stop", parts), "equivalent");
    check(&says("ab"), &choice("stop", parts), "text at choices[0].message.content");
    check(&choice("stop", parts), &says("abd"), "text at choices[0].message.content");
}

#[test]
fn tools_are_called_alike_if_names_and_values_are() {
    check(&calls(&["a"]), &calls(&["a", "b"]), "tools at choices[0].message.tool_calls");
    check(&calls(&["a", "b"]), &calls(&["a", "c"]), "tools at choices[0].message.tool_calls[1].function.name");
    check(&calls(&["a", "b({})"]), &calls(&["a", "b([])"]), "tools at choices[0].message.tool_calls[1].function.arguments");
    let call = r#"a({"x":1,"y":["b",2]})"#;
    check(&calls(&[call]), &calls(&[r#"a({ "y":["\u005c\u00750062",2.0], "x":1e0})"#]), "equivalent");
    for (other, inside) in [
        (r#"a({"x":1.0000001,"y":["b",2]})"#, ".x"),
        (r#"a({"x":1,"y":[2,"b"]})"#, ".y[0]"),
        (r#"a({"x":1})"#, ".y"),
        (r#"a([])"#, ""),
        (r#"a({"x":1,"y":["b",2])"#, ""),
        ("a", ".x"),
    ] {
        check(&calls(&[call]), &calls(&[other]), &format!("tools at choices[0].message.tool_calls[0].function.arguments{inside}"));
    }
    check(&calls(&["a({1)"]), &calls(&["a({ 1)"]), "tools at choices[0].message.tool_calls[0].function.arguments");
    let legacy =
        |arguments: &str| choice("function_call", &format!(r#""content":null,"function_call":{{"name":"a","arguments":"{arguments}"}}"#));
    check(&legacy("[1]"), &legacy("[1.0]"), "equivalent");
    check(&legacy("[1]"), &legacy("[2]"), "tools at choices[0].message.function_call.arguments[0]");
    let custom =
        |input: &str| choice("tool_calls", &format!(r#""tool_calls":[{{"type":"custom","custom":{{"name":"a","input":"{input}"}}}}]"#));
    check(&custom("x"), &custom("y"), "tools at choices[0].message.tool_calls[0].custom.input");
    check(&custom("x"), &calls(&["a(x)"]), "equivalent");
    // Halves of surrogate pairs survive being written out.
    let other = calls(&[r#"a([ "\ud83d","\ude01"])"#]);
    check(&calls(&[r#"a(["\ud83d","\ude00"])"#]), &other, "tools at choices[0].message.tool_calls[0].function.arguments[1]");
    check(&calls(&[r#"a(["\ud83d","\ude00"])"#]), &calls(&[r#"a([ "\ud83d","\ude00"])"#]), "equivalent");
}

#[test]
fn choices_are_matched_by_index() {
    let numbered = |index: u32, text: &str| says(text).replace(r#""index":0"#, &format!(r#""index":{index}"#));
    let (zero, one, two) = (numbered(0, "a"), numbered(1, "b"), numbered(2, "c"));
    check(&[&*zero, &one, &two].join(","), &[&*two, &zero, &one].join(" ,"), "equivalent");
    check(&[&*zero, &one].join(","), &zero, "missing at choices[1]");
    check(&[&*one, &zero].join(","), &zero, "missing at choices[0]");
    check(&zero, &[&*one, &two, &zero].join(","), "extra at choices[0]");
    check(&[&*two, &numbered(1, "x")].join(","), &[&*one, &two].join(","), "text at choices[1].message.content");
    check(&[&*zero, &two].join(","), &[&*zero, &one].join(","), "extra at choices[1]");
    // One that has none has that of its place.
    check(&says("a").replace(r#""index":0,"#, ""), &zero, "equivalent");
    let plain = |text: &str| chat(&format!(r#"{{"index":0,"text":"{text}","finish_reason":"stop"}}"#));
    check_with(&Compare::exact(), &plain("a"), &plain("b"), "text at choices[0].text");
    check_with(&Compare::exact(), &plain("a"), &chat(&zero), "type at choices[0]");
    let vectors = r#"{"data":[{"embedding":[1]}]}"#;
    check_with(&Compare::exact(), &chat(&zero), vectors, "type at $");
}

#[test]
fn ignored_paths_do_not_count() {
    let (one, other) = (chat(&says("a")), chat(&choice("length", r#""content":"b""#)));
    for (paths, expected) in [
        (&["choices[*].finish_reason"][..], "text at choices[0].message.content"),
        (&["choices[*].message.content"], "finish at choices[0].finish_reason"),
        (&["choices[*].finish_reason", "choices[0].message.content"], "equivalent"),
        (&["choices[*].finish_reason", "choices[1].message.content"], "text at choices[0].message.content"),
        (&["choices[*].finish_reason", "choices[*].message"], "equivalent"),
        (&["choices"], "equivalent"),
        (&["$"], "equivalent"),
    ] {
        check_with(&ignoring(paths), &one, &other, expected);
    }
    let numbered = |text: &str| says(text).replace(":0", ":1");
    check_with(&ignoring(&["choices[1]"]), &chat(&[says("a"), numbered("b")].join(",")), &chat(&says("a")), "equivalent");
    let after = chat(&[numbered("b"), says("a")].join(","));
    check_with(&ignoring(&["choices[1]"]), &chat(&numbered("a")), &after, "text at choices[0].message.content");
    let (one, other) = (chat(&calls(&["a(1)"])), chat(&calls(&["b(2)"])));
    let arguments = "choices[*].message.tool_calls[*].function.arguments";
    check_with(&ignoring(&[arguments]), &one, &other, "tools at choices[0].message.tool_calls[0].function.name");
    check_with(&ignoring(&[arguments, "choices[*].message.tool_calls[*].function.name"]), &one, &other, "equivalent");
    check_with(&ignoring(&["choices[*].message.tool_calls"]), &one, &chat(&calls(&["b", "c"])), "equivalent");
    // Where it does not count how many tools are called, the rest of the choice still does.
    let ignored = ignoring(&["choices[*].message.tool_calls", "choices[*].finish_reason"]);
    check_with(&ignored, &chat(&calls(&["a", "b"])), &chat(&says("x")), "text at choices[0].message.content");
    check_with(&ignored, &chat(&says("x")), &chat(&calls(&["a"])), "text at choices[0].message.content");
    check_with(&ignored, &chat(&calls(&["a", "b"])), &chat(&calls(&["c"])), "equivalent");
}

#[test]
fn of_texts_white_space_may_be_normalised() {
    let plan = |normalize| task(Task::Text { path: None, texts: Texts { normalize, json: false } });
    for (one, other, exact, normal) in [
        ("a b", "a b", true, true),
        ("a b", " a \\n\\t b\\r\\n", false, true),
        ("a b", "ab", false, false),
        ("a b", "a b c", false, false),
        ("a\u{a0}b", "a b", false, true),
        ("", "\\u0020", false, true),
        ("a", "", false, false),
    ] {
        for (normalize, same) in [(false, exact), (true, normal)] {
            let expected = if same { "equivalent" } else { "text at choices[0].message.content" };
            check_with(&plan(normalize), &chat(&says(one)), &chat(&format!(" {}", says(other))), expected);
        }
    }
    // Nothing but the text counts.
    check_with(&plan(false), &chat(&says("a")), &chat(&choice("length", r#""content":"a""#)), "equivalent");
}

#[test]
fn structure_is_all_but_wording() {
    let plan = task(Task::Structure);
    let check = |one: &str, other: &str, expected: &str| check_with(&plan, &chat(one), &chat(other), expected);
    let content = "type at choices[0].message.content";
    check(&says("a"), &says("b"), "equivalent");
    check(&says("{}"), &says("[1, 2]"), content);
    check(&says("{}"), &says("{"), content);
    check(&says("It is {}"), &says(" {} "), content);
    check(&says("12"), &says("x"), "equivalent");
    check(&says("{}"), &says(""), content);
    check(&says("a"), &choice("length", r#""content":"b""#), "finish at choices[0].finish_reason");
    check(&calls(&["a({})"]), &calls(&["a([])"]), "tools at choices[0].message.tool_calls[0].function.arguments");
    check(&choice("stop", r#""refusal":"no""#), &choice("stop", r#""refusal":"never""#), "equivalent");
    check(&choice("stop", r#""refusal":"no""#), &says(""), "refusal at choices[0].message.refusal");
}

fn read(body: &str, slice: usize) -> Result<crate::compare::part::content::Content, &'static str> {
    let mut reader = OpenAiReader::new(Rc::new(Held::from(body.as_bytes().to_vec())));
    until_done(|| reader.step(&mut slice.clone()))
}

#[test]
fn an_answer_tells_its_tokens_its_model_and_its_end() {
    for (choices, end) in [
        (says("a"), End::Stop),
        (says(""), End::Empty),
        (choice("length", r#""content":"a""#), End::Length),
        (choice("length", r#""content":"""#), End::Length),
        (calls(&["a"]), End::ToolCalls),
        (calls(&["a"]).replace(r#"reason":"tool_calls"#, r#"reason":"stop"#), End::ToolCalls),
        (calls(&["a"]).replace(r#"reason":"tool_calls"#, r#"reason":"length"#), End::Length),
        (choice("function_call", r#""function_call":{"name":"a"}"#), End::ToolCalls),
        (choice("content_filter", r#""content":"a""#), End::ContentFilter),
        (choice("stop", r#""refusal":"no""#), End::Refusal),
        (choice("content_filter", r#""refusal":"no""#), End::Refusal),
        (choice("refusal", r#""content":"no""#), End::Refusal),
        (choice("abort", r#""content":"a""#), End::Other),
        (choice("st\\u006fp", r#""content":"a""#), End::Stop),
        (r#"{"message":{"content":"a"}}"#.to_owned(), End::Other),
        (format!("{},{}", says("a"), choice("length", r#""content":"b""#).replace(":0", ":1")), End::Length),
        (format!("{},{}", calls(&["a"]), choice("length", r#""content":"b""#).replace(":0", ":1")), End::ToolCalls),
        (format!("{},{}", choice("content_filter", r#""a":1"#), calls(&["a"]).replace(":0", ":1")), End::ContentFilter),
    ] {
        let facts = read(&chat(&choices), 10).unwrap().facts;
        assert_eq!(
            facts,
            Facts { end: Some(end), tokens: Some((3, 5)), reasoning_tokens: None, model_version: Some("m".to_owned()) },
            "{choices}"
        );
    }
    let bare = |usage: &str| format!(r#"{{"model":[7],"choices":[{}]{usage}}}"#, says("a"));
    for (usage, tokens) in [
        ("", None),
        (r#","usage":null"#, None),
        (r#","usage":[]"#, None),
        (r#","usage":{"prompt_tokens":-1}"#, None),
        (r#","usage":{"prompt_tokens":9}"#, Some((9, 0))),
    ] {
        let facts = read(&bare(usage), 10).unwrap().facts;
        assert_eq!((facts.tokens, facts.model_version), (tokens, None), "{usage}");
    }
    let long = chat(&says("a")).replace("\"m\"", &format!("\"{}\"", "\\u00fc".repeat(1000)));
    assert_eq!(read(&long, 10).unwrap().facts.model_version, Some("ü".repeat(256)));
}

#[test]
fn embeddings_are_tensors_in_order_of_their_index() {
    // Python: base64.b64encode(struct.pack("<3f", 0.5, -2, 1e-3)).
    let body = r#"{"object":"list","data":[{"index":1,"embedding":"AAAAPwAAAMBvEoM6"},{"index":0,"embedding":[0.5, -2,1e-3]}],
        "model":"e","usage":{"prompt_tokens":4,"total_tokens":4}}"#;
    for slice in [usize::MAX, 3] {
        let content = read(body, slice).unwrap();
        assert_eq!(content.facts, Facts { tokens: Some((4, 0)), model_version: Some("e".to_owned()), ..Facts::default() });
        let Parts::Embeddings(tensors) = &content.parts else { panic!("{:?}", content.parts) };
        assert_eq!(tensors.iter().map(|tensor| (tensor.place, tensor.shape.clone())).collect::<Vec<_>>(), [(1, vec![3]), (0, vec![3])]);
        for tensor in tensors {
            let mut cursor = Cursor::new(tensor);
            let numbers: Vec<f64> = core::iter::from_fn(|| cursor.next(&content.document)).filter_map(Element::number).collect();
            assert_eq!(numbers.iter().map(|&number| number as f32).collect::<Vec<_>>(), [0.5, -2.0, 1e-3], "{tensor:?}");
        }
    }
}

#[test]
fn what_is_no_answer_is_a_fault() {
    let many = |one: &str, count: usize| vec![one; count].join(",");
    let tools = |count: usize| chat(&choice("stop", &format!(r#""tool_calls":[{}]"#, many(r#"{"function":{}}"#, count))));
    let members = |count: usize| (0..count).map(|name| format!("\"{name}\":0")).collect::<Vec<_>>().join(",");
    for (body, fault) in [
        (String::new(), "JSON ends early"),
        ("null".to_owned(), "a value is no object, and should be"),
        ("[]".to_owned(), "a value is no object, and should be"),
        ("{}".to_owned(), "neither choices nor data"),
        (r#"{"error":{"message":"overloaded"}}"#.to_owned(), "an error instead of an answer"),
        (r#"{"choices":{}}"#.to_owned(), "a value is no array, and should be"),
        (chat(""), "the answer is empty"),
        (chat("1"), "a value is no object, and should be"),
        (chat("{}"), "a choice has neither message nor text"),
        (chat(r#"{"message":"a"}"#), "a value is no object, and should be"),
        (chat(r#"{"text":1}"#), "a value is no string, and should be"),
        (chat(&choice("stop", r#""content":1"#)), "a value is no string, and should be"),
        (chat(&choice("stop", r#""content":{}"#)), "a value is no string, and should be"),
        (chat(&choice("stop", r#""content":[1]"#)), "a value is no object, and should be"),
        (chat(&choice("stop", r#""refusal":true"#)), "a value is no string, and should be"),
        (chat(&choice("stop", r#""tool_calls":{}"#)), "a value is no array, and should be"),
        (chat(&choice("stop", r#""tool_calls":["a"]"#)), "a value is no object, and should be"),
        (chat(&choice("stop", r#""tool_calls":[{"function":{"arguments":1}}]"#)), "a value is no string, and should be"),
        (chat(&says("a").replace(":0", ":-1")), "a value is no whole number, and should be"),
        (chat(&says("a").replace(":0", ":\"a\"")), "a value is no whole number, and should be"),
        (chat(&says("a").replace(":0", ":1.5")), "a value is no whole number, and should be"),
        (chat(&says("a").replace(":0", ":99999999999999999999")), "a value is no whole number, and should be"),
        (chat(&[says("a"), says("b")].join(",")), "two choices with one index"),
        (chat(&many("{}", 257)), "too many choices"),
        (tools(257), "too many tool calls"),
        (chat(&choice("stop", &format!(r#""content":[{}]"#, many("{}", 65)))), "a content has too many parts"),
        (format!("{{{}}}", members(65)), "an object has too many members"),
        (r#"{"data":"AAAA"}"#.to_owned(), "a value is no array, and should be"),
        (r#"{"data":[]}"#.to_owned(), "the answer is empty"),
        (r#"{"data":[{"index":0}]}"#.to_owned(), "an item without an embedding"),
        (r#"{"data":[{"embedding":{}}]}"#.to_owned(), "an embedding is neither an array nor base64"),
        (r#"{"data":[{"embedding":"AA\/AAAAA"}]}"#.to_owned(), "base64 of another length than that of FP32 numbers"),
        (r#"{"data":[{"embedding":[]}]}"#.to_owned(), "an embedding is empty"),
        (r#"{"data":[{"embedding":""}]}"#.to_owned(), "an embedding is empty"),
        (r#"{"data":[{"embedding":[1,"2"]}]}"#.to_owned(), "an embedding is not all numbers"),
        (r#"{"data":[{"embedding":[[1]]}]}"#.to_owned(), "an embedding is not all numbers"),
        (r#"{"data":[{"embedding":"AAAAPwAA"}]}"#.to_owned(), "base64 of another length than that of FP32 numbers"),
        (r#"{"data":[{"embedding":"AAAAP~=="}]}"#.to_owned(), "malformed base64"),
        (r#"{"data":[{"embedding":[1]},{"index":0,"embedding":[1]}]}"#.to_owned(), "two embeddings with one index"),
        (format!(r#"{{"data":[{}]}}"#, many("{}", 4097)), "too many embeddings"),
    ] {
        for slice in [usize::MAX, 5] {
            assert_eq!(read(&body, slice).map(|_| ()), Err(fault), "{body}");
        }
    }
    assert!(read(&tools(256), 100).is_ok());
    let invalid =
        Comparison::new(WireFormat::OpenAi, Rc::new(Compare::exact()), bounds(), answer(b"{}"), answer(chat(&says("a")).as_bytes()));
    let report = done({ invalid }.step(&mut usize::MAX.clone()));
    assert_eq!((report.primary.end, report.shadow.end), (Some(End::Invalid), Some(End::Stop)));
}

#[test]
fn an_answer_is_read_once_and_never_waited_for_again() {
    let mut reader = OpenAiReader::new(Rc::new(Held::from(chat(&says("a")).into_bytes())));
    assert!(until_done(|| reader.step(&mut 100)).is_ok());
    assert_eq!(done(reader.step(&mut 100)).map(|_| ()), Err(IMPOSSIBLE));
}

#[test]
fn a_budget_of_one_byte_makes_progress() {
    let plan = Rc::new(Compare::exact());
    for body in ["{}", r#"{"choices":[{"index":0,"text":"a"}]}"#, r#"{"data":[{"index":0,"embedding":[1.5]}]}"#] {
        let mut comparison = Comparison::new(WireFormat::OpenAi, plan.clone(), bounds(), answer(body.as_bytes()), answer(b"{ }"));
        assert!((0..10_000).any(|_| comparison.step(&mut 1).is_ready()), "{body}");
    }
}
