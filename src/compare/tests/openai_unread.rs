//! OpenAI's interface: what is left unread never counts as equal, and what a model thought is told apart from what it says.

use super::*;
use crate::config::{Task, Texts};
use crate::labels::End;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// An answer in one piece: a chat with these members of its choice, beside its index and reason.
pub fn whole(members: &str) -> Answer {
    answer(format!(r#"{{"id":"x","choices":[{{"index":0,{members},"finish_reason":"stop"}}]}}"#).as_bytes())
}

/// An answer that says this.
pub fn message(members: &str) -> Answer {
    whole(&format!(r#""message":{{"role":"assistant",{members}}}"#))
}

/// A stream of these choices, each in a chunk of its own, and its end.
pub fn stream(choices: &[&str]) -> Answer {
    let chunk = |choice: &&str| format!("data: {{\"id\":\"x\",\"choices\":[{{\"index\":0,{choice}}}]}}\n\n");
    let mut body: String = choices.iter().map(chunk).collect();
    body += &chunk(&r#""delta":{},"finish_reason":"stop""#);
    body += "data: [DONE]\n\n";
    Answer { content_type: b"text/event-stream".to_vec(), ..answer(body.as_bytes()) }
}

/// A stream of these deltas.
pub fn deltas(deltas: &[&str]) -> Answer {
    let choices: Vec<String> = deltas.iter().map(|delta| format!(r#""delta":{{{delta}}}"#)).collect();
    stream(&choices.iter().map(String::as_str).collect::<Vec<_>>())
}

pub fn report(plan: &Compare, primary: &Answer, shadow: &Answer) -> Report {
    let compare = |slice: usize| {
        let plan = Rc::new(plan.clone());
        let mut comparison = Comparison::new(WireFormat::OpenAi, plan, bounds(), primary.clone(), shadow.clone());
        until_done(|| comparison.step(&mut slice.clone()))
    };
    let report = compare(usize::MAX);
    for slice in [1, 9, 500] {
        assert_eq!(compare(slice), report, "{slice} bytes at a time");
    }
    report
}

#[track_caller]
pub fn check_answers(plan: &Compare, primary: &Answer, shadow: &Answer, expected: &str) {
    let said = say(&report(plan, primary, shadow).judgement);
    let shown = [primary, shadow].map(|answer| String::from_utf8_lossy(answer.body.as_ref().unwrap().bytes()).into_owned());
    assert_eq!(said, expected, "{shown:#?}");
    if !expected.starts_with("missing") && !expected.starts_with("extra") && !expected.starts_with("Shadow") {
        assert_eq!(say(&report(plan, shadow, primary).judgement), expected, "the other way round: {shown:#?}");
    }
}

fn with_reasoning() -> Compare {
    Compare { reasoning: true, ..Compare::exact() }
}

#[test]
fn what_is_left_unread_is_never_equal() {
    let audio = |id: &str| format!(r#""content":null,"audio":{{"id":"{id}","data":"UklGRg=="}}"#);
    let parts = |parts: &str| format!(r#""content":[{{"type":"text","text":"a"}},{parts}]"#);
    let image = |url: &str| parts(&format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#));
    let call = |members: &str| format!(r#""content":null,"tool_calls":[{{"id":"1",{members}}}]"#);
    for (one, other, expected) in [
        (audio("a"), audio("b"), "unread choices[0].message.audio"),
        (audio("a"), audio("a") + r#","x":null"#, "equivalent"),
        (audio("a"), r#""content":null"#.to_owned(), "unread choices[0].message.audio"),
        (image("a"), image("b"), "unread choices[0].message.content[1]"),
        (image("a"), parts("null"), "unread choices[0].message.content[1]"),
        (image("a"), image("a") + " ", "equivalent"),
        (parts(r#"{"type":"text","text":"b"}"#), parts(r#"{"type":"text","text":"c"}"#), "text at choices[0].message.content"),
        (parts(r#"{"type":"text","text":"b"}"#), r#""content":"ab""#.to_owned(), "equivalent"),
        (parts(r#""b""#), r#""content":"ab""#.to_owned(), "equivalent"),
        (parts(r#"{"text":"b"}"#), r#""content":"ab""#.to_owned(), "equivalent"),
        (parts(r#"{"type":"output_text","text":"b","annotations":[]}"#), r#""content":"ab""#.to_owned(), "equivalent"),
        (
            parts(r#"{"type":"text","text":"b","annotations":[{"url":"x"}]}"#),
            r#""content":"ab""#.to_owned(),
            "unread choices[0].message.content[1].annotations",
        ),
        (parts(r#"{"type":"image","text":"b"}"#), r#""content":"ab""#.to_owned(), "text at choices[0].message.content"),
        (r#""content":"a","images":[1]"#.to_owned(), r#""content":"a","images":[2]"#.to_owned(), "unread choices[0].message.images"),
        (r#""content":"a","x":false"#.to_owned(), r#""content":"a""#.to_owned(), "unread choices[0].message.x"),
        (r#""content":"a","x":{"a":1,"b":[2]}"#.to_owned(), r#""content":"a","x":{"b":[2.0],"a":1}"#.to_owned(), "equivalent"),
        (r#""content":"a","\u0078":1"#.to_owned(), r#""content":"a","x":1"#.to_owned(), "equivalent"),
        (r#""content":"a","x":1,"x":2"#.to_owned(), r#""content":"a","x":1"#.to_owned(), "unread choices[0].message.x"),
        (r#""content":"a","x.y":1"#.to_owned(), r#""content":"a""#.to_owned(), "unread choices[0].message[\"x.y\"]"),
        (call(r#""type":"web","web":{"q":"a"}"#), call(r#""type":"web","web":{"q":"b"}"#), "unread choices[0].message.tool_calls[0].web"),
        (call(r#""type":"web""#), call(r#""type":"code""#), "tools at choices[0].message.tool_calls[0].type"),
        (call(r#""type":"web""#), call(r#""type":"function","function":{"name":"f"}"#), "tools at choices[0].message.tool_calls[0].type"),
        (call(r#""name":"f""#), call(r#""name":"g""#), "unread choices[0].message.tool_calls[0].name"),
        (
            call(r#""function":{"name":"f","output":"1"}"#),
            call(r#""function":{"name":"f","output":"2"}"#),
            "unread choices[0].message.tool_calls[0].function.output",
        ),
        (
            call(r#""function":{"name":"f"}"#),
            call(r#""index":0,"extra_content":{"google":{"thought_signature":"x"}},"function":{"name":"f"}"#),
            "equivalent",
        ),
        // What is read comes first.
        (audio("a").replace("null", "\"a\""), audio("b").replace("null", "\"b\""), "text at choices[0].message.content"),
    ] {
        check_answers(&Compare::exact(), &message(&one), &message(&other), expected);
    }
    let beside = |members: &str| whole(&format!(r#""message":{{"content":"a"}},{members}"#));
    for (members, expected) in [
        (r#""error":{"code":1}"#, "unread choices[0].error"),
        (r#""text":"b""#, "unread choices[0].text"),
        (r#""text":"a""#, "equivalent"),
        (r#""delta":{"content":"b"}"#, "unread choices[0].delta.content"),
        (r#""delta":{"role":"assistant","content":""}"#, "equivalent"),
        (r#""logprobs":{"content":[1]},"stop_reason":5,"matched_stop":1,"token_ids":[1],"seed":7,"usage":{"a":1}"#, "equivalent"),
    ] {
        check_answers(&Compare::exact(), &beside(members), &message(r#""content":"a""#), expected);
    }
    check_answers(&Compare::exact(), &whole(r#""delta":{"content":"a"}"#), &message(r#""content":"a""#), "equivalent");
}

#[test]
fn what_is_read_of_one_kind_is_unread_of_another() {
    let call = |members: &str| format!(r#""tool_calls":[{{{members}}}]"#);
    let function = |members: &str| call(&format!(r#""type":"function","function":{{"name":"f"{members}}}"#));
    let custom = |members: &str| call(&format!(r#""type":"custom","custom":{{"name":"f"{members}}}"#));
    let legacy = |members: &str| format!(r#""function_call":{{"name":"f"{members}}}"#);
    let part = |members: &str| format!(r#""content":["a",{{{members}}}]"#);
    let in_call = |at: &str| format!("unread choices[0].message.tool_calls[0].{at}");
    for (one, other, expected) in [
        (function(r#","input":{"a":1}"#), function(r#","input":{"a":2}"#), in_call("function.input")),
        (function(r#","input":"a""#), function(""), in_call("function.input")),
        (function(r#","arguments":"{}","input":"a""#), function(r#","arguments":"{}","input":"b""#), in_call("function.input")),
        (custom(r#","arguments":"1""#), custom(r#","arguments":"2""#), in_call("custom.arguments")),
        (legacy(r#","input":1"#), legacy(r#","input":2"#), "unread choices[0].message.function_call.input".to_owned()),
        (
            call(r#""function":{"name":"f"},"custom":{"name":"c","input":"1"}"#),
            call(r#""function":{"name":"f"},"custom":{"name":"c","input":"2"}"#),
            in_call("custom"),
        ),
        (
            part(r#""type":"refusal","refusal":"no","why":"a""#),
            part(r#""type":"refusal","refusal":"no","why":"b""#),
            "unread choices[0].message.content[1].why".to_owned(),
        ),
        (
            part(r#""type":"text","text":"Hi","annotations":[1]"#),
            part(r#""type":"text","text":"Hi","annotations":[2]"#),
            "unread choices[0].message.content[1].annotations".to_owned(),
        ),
    ] {
        check_answers(&Compare::exact(), &message(&one), &message(&other), &expected);
        check_answers(&Compare::exact(), &deltas(&[&one]), &message(&one), "equivalent");
        let streamed = [deltas(&[&one]), deltas(&[&other])];
        check_answers(&Compare::exact(), &streamed[0], &streamed[0], "identical");
        let said = say(&report(&Compare::exact(), &streamed[0], &streamed[1]).judgement);
        assert!(said.starts_with("unread choices[0].message"), "{said}: {one}");
    }
    // An empty object hides no filled one.
    for empty in ["{}", r#"{"name":null,"arguments":null}"#, r#"{"name":"","arguments":""}"#, "null"] {
        let mixed = |input: &str| call(&format!(r#""type":"custom","function":{empty},"custom":{{"name":"c","input":"{input}"}}"#));
        let plain = |input: &str| message(&call(&format!(r#""custom":{{"name":"c","input":"{input}"}}"#)));
        let begun = deltas(&[&call(&format!(r#""index":0,"function":{empty}"#)), &call(r#""index":0,"custom":{"name":"c","input":"1"}"#)]);
        for one in [message(&mixed("1")), deltas(&[&mixed("1")]), begun] {
            check_answers(&Compare::exact(), &one, &plain("1"), "equivalent");
            let told = report(&Compare::exact(), &one, &plain("2"));
            assert_eq!(say(&told.judgement), "tools at choices[0].message.tool_calls[0].custom.input");
            assert_eq!(told.primary.end, Some(End::ToolCalls));
        }
        let function = format!(r#""function":{{"name":"f"}},"custom":{empty}"#);
        check_answers(&Compare::exact(), &message(&call(&function)), &deltas(&[&call(&function)]), "equivalent");
        check_answers(&Compare::exact(), &message(&call(&function)), &message(&call(r#""function":{"name":"f"}"#)), "equivalent");
    }
}

#[test]
fn the_same_bytes_are_identical_with_whatever_is_left_unread() {
    let audio = message(r#""content":null,"audio":{"id":"a"}"#);
    check_answers(&Compare::exact(), &audio, &audio, "identical");
    let audio = deltas(&[r#""audio":{"id":"a"}"#]);
    check_answers(&Compare::exact(), &audio, &audio, "identical");
    // Of other streams only what is read is known to be the same.
    check_answers(&Compare::exact(), &audio, &deltas(&[r#""audio":{"id":"a"},"role":"x""#]), "equivalent");
    let reasons = deltas(&[r#""reasoning":"a""#]);
    check_answers(&Compare::exact(), &reasons, &reasons, "identical");
    check_answers(&Compare::exact(), &reasons, &deltas(&[r#""reasoning":"b""#]), "equivalent");
}

#[test]
fn unread_parts_stand_where_they_stand() {
    let image = r#"{"type":"image","url":"x"}"#;
    let content = |parts: &[&str]| message(&format!(r#""content":[{}]"#, parts.join(",")));
    let text = |text: &str| format!(r#"{{"type":"text","text":"{text}"}}"#);
    let [a, b, ab] = ["a", "b", "ab"].map(text);
    let plan = Compare::exact();
    check_answers(&plan, &content(&[&a, &b, image]), &content(&[&ab, image]), "equivalent");
    check_answers(&plan, &content(&[&ab, image]), &content(&[&ab, image, image]), "unread choices[0].message.content[2]");
    let said = say(&report(&plan, &content(&[&a, image, &b]), &content(&[&ab, image])).judgement);
    assert_eq!(said, "unread choices[0].message.content[1]");
    let streamed = deltas(&[&format!(r#""content":[{a}]"#), &format!(r#""content":[{image}]"#), r#""content":"b""#]);
    check_answers(&plan, &streamed, &content(&[&a, image, &b]), "equivalent");
    check_answers(&plan, &streamed, &content(&[&ab, image]), "unread choices[0].message.content[1]");
}

#[test]
fn the_operator_may_ignore_what_is_unread() {
    let one = message(r#""content":[{"type":"image","url":"a"}],"audio":{"id":1}"#);
    let other = message(r#""content":[{"type":"image","url":"b"}],"audio":{"id":2}"#);
    for (paths, expected) in [
        (&["choices[*].message.audio"][..], "unread choices[0].message.content[0]"),
        (&["choices[*].message.content"], "unread choices[0].message.audio"),
        (&["choices[*].message.content[0]", "choices[0].message.audio"], "equivalent"),
        (&["choices[*].message"], "equivalent"),
        (&["choices[1].message"], "unread choices[0].message.content[0]"),
        (&["$"], "equivalent"),
    ] {
        check_answers(&ignoring(paths), &one, &other, expected);
    }
    // What is in it, too.
    let audio = |members: &str| message(&format!(r#""content":"","audio":{{{members}}}"#));
    let plan = ignoring(&["choices[*].message.audio.id", "choices[1].message.audio", "choices[*].message.audio.list[1]"]);
    check_answers(&plan, &audio(r#""id":1,"data":"a""#), &audio(r#""data":"a","id":2"#), "equivalent");
    check_answers(&plan, &audio(r#""list":[1,2,3]"#), &audio(r#""list":[1,3,3]"#), "equivalent");
    check_answers(&plan, &audio(r#""id":1,"data":"a""#), &audio(r#""id":1,"data":"b""#), "unread choices[0].message.audio");
    let (one, other) = (message(r#""content":"","m":{"a b":1}"#), message(r#""content":"""#));
    check_answers(&ignoring(&["choices[0].message.m"]), &one, &other, "equivalent");
}

#[test]
fn unread_members_survive_a_stream_however_it_is_cut() {
    let plan = Compare::exact();
    let whole =
        message(r#""content":null,"audio":{"id":"i","data":"abcd","list":[1,2],"parts":[{"index":0,"t":"xy"},{"index":1,"t":"z"}]}"#);
    let one = deltas(&[r#""audio":{"id":"i","data":"abcd","list":[1,2],"parts":[{"index":0,"t":"xy"},{"index":1,"t":"z"}]}"#]);
    let many = deltas(&[
        r#""audio":{"id":"i","data":"a"}"#,
        r#""audio":{"data":"bc","list":[1],"parts":[{"index":0,"t":"x"}]}"#,
        r#""audio":{"id":"i","data":"d","list":[2],"parts":[{"index":1,"t":"z"},{"index":0,"t":"y"}]}"#,
    ]);
    for streamed in [&one, &many] {
        check_answers(&plan, streamed, &whole, "equivalent");
    }
    check_answers(&plan, &one, &many, "equivalent");
    for other in [r#""audio":{"data":"e"}"#, r#""audio":{"list":[3]}"#, r#""audio":{"x":1}"#, r#""audio":7"#] {
        let more = deltas(&[r#""audio":{"id":"i","data":"abcd","list":[1,2],"parts":[{"index":0,"t":"xy"},{"index":1,"t":"z"}]}"#, other]);
        check_answers(&plan, &more, &many, "unread choices[0].message.audio");
    }
    // Values that can't be joined are all kept.
    let (a, b) = (deltas(&[r#""x":1"#, r#""x":2"#]), deltas(&[r#""x":3"#, r#""x":2"#]));
    check_answers(&plan, &a, &b, "unread choices[0].message.x");
    check_answers(&plan, &deltas(&[r#""x":true"#, r#""x":true"#]), &message(r#""content":"","x":true"#), "equivalent");
    // In a choice, in a call.
    let (a, b) = (stream(&[r#""delta":{},"x":"a""#, r#""delta":{},"x":"b""#]), stream(&[r#""delta":{},"x":"ab""#]));
    check_answers(&plan, &a, &b, "equivalent");
    let call = |query: &str| format!(r#""tool_calls":[{{"index":0,"type":"web","web":{{"q":"{query}"}}}}]"#);
    check_answers(&plan, &deltas(&[&call("a"), &call("b")]), &message(&call("ab")), "equivalent");
    check_answers(&plan, &deltas(&[&call("a")]), &message(&call("ab")), "unread choices[0].message.tool_calls[0].web");
    // There are more than are kept.
    let flood: Vec<String> = (0..1100).map(|at| format!(r#""x":[{at}]"#)).collect();
    let flood = deltas(&flood.iter().map(String::as_str).collect::<Vec<_>>());
    check_answers(&plan, &flood, &flood, "identical");
    let other = Answer { body: Ok(Held::from([b"data: {}\n\n", flood.body.as_ref().unwrap().bytes()].concat()).into()), ..flood.clone() };
    check_answers(&plan, &flood, &other, "unread choices");
}

#[test]
fn thinking_is_told_apart_from_the_answer() {
    let (plain, reasons) = (Compare::exact(), with_reasoning());
    let path = |name: &str| format!("text at choices[0].message.{name}");
    for (one, other, name) in [
        (r#""content":null,"reasoning":"42""#, r#""content":null,"reasoning":"no""#, "reasoning"),
        (r#""content":"a","reasoning_content":"42""#, r#""content":"a","reasoning_content":"no""#, "reasoning_content"),
        (r#""content":[{"type":"thinking","thinking":[{"type":"text","text":"42"}]}]"#, r#""content":"","reasoning":"no""#, "content"),
        (r#""content":[{"type":"thinking","thinking":"42"}]"#, r#""content":"","reasoning":"no""#, "content"),
    ] {
        let (one, other) = (message(one), message(other));
        check_answers(&plain, &one, &other, "equivalent");
        assert_eq!(say(&report(&reasons, &one, &other).judgement), path(name));
    }
    let twice = message(r#""content":"a","reasoning":"42","reasoning_content":"42""#);
    let once = message(r#""content":"a","reasoning_content":"42""#);
    let streamed = deltas(&[r#""reasoning":"4","reasoning_content":"4""#, r#""reasoning":"2","reasoning_content":"2","content":"a""#]);
    check_answers(&reasons, &twice, &once, "equivalent");
    check_answers(&reasons, &streamed, &once, "equivalent");
    check_answers(&reasons, &streamed, &message(r#""content":"a""#), &path("reasoning"));
    check_answers(&plain, &streamed, &message(r#""content":"a""#), "equivalent");
    // Forms that nobody reads.
    let object = |text: &str| deltas(&[&format!(r#""content":"a","reasoning":{{"x":"{text}"}}"#)]);
    check_answers(&plain, &object("a"), &object("b"), "equivalent");
    check_answers(&reasons, &object("a"), &object("b"), "unread choices[0].message.reasoning");
    let details = |text: &str| message(&format!(r#""content":"a","reasoning_details":[{{"text":"{text}"}}]"#));
    check_answers(&plain, &details("a"), &details("b"), "equivalent");
    check_answers(&reasons, &details("a"), &details("b"), "unread choices[0].message.reasoning_details");
    check_answers(&plain, &message(r#""content":"a","reasoning":{"a":1}"#), &message(r#""content":"a""#), "equivalent");
    // Tags in the text are the text.
    let tagged = message(r#""content":"<think>42</think>a""#);
    check_answers(&plain, &tagged, &message(r#""content":"a""#), "text at choices[0].message.content");
    let texts = Compare { task: Task::Text { path: None, texts: Texts { normalize: true, json: false } }, ..reasons };
    check_answers(&texts, &message(r#""content":"a","reasoning":"4 2""#), &message(r#""content":" a","reasoning":"4  2""#), "equivalent");
    check_answers(&texts, &message(r#""content":"a","reasoning":"42""#), &message(r#""content":"a""#), &path("reasoning"));
}

#[test]
fn what_is_no_text_in_a_thought_is_held_as_a_thought() {
    let content = |members: &str| format!(r#""content":[{{"type":"thinking",{members}}},{{"type":"text","text":"a"}}]"#);
    let list = |element: &str| content(&format!(r#""thinking":[{{"type":"text","text":"hm"}},{element}]"#));
    for (one, other, at) in [
        (list(r#"{"type":"reference","ids":[1]}"#), list(r#"{"type":"reference","ids":[2]}"#), "[0].thinking"),
        (list(r#"{"type":"reference","ids":[1]}"#), list("null"), "[0].thinking"),
        (list("1"), list("2"), "[0].thinking"),
        (list(r#"{"type":"text","text":"b","x":1}"#), list(r#"{"type":"text","text":"b","x":2}"#), "[0].thinking"),
        (content(r#""thinking":"hm","x":1"#), content(r#""thinking":"hm","x":2"#), "[0].x"),
        (content(r#""data":"a""#), content(r#""data":"b""#), "[0].data"),
    ] {
        let path = format!("unread choices[0].message.content{at}");
        check_answers(&with_reasoning(), &message(&one), &message(&other), &path);
        check_answers(&with_reasoning(), &deltas(&[&one]), &deltas(&[&other]), &path);
        for plan in [Compare::exact(), with_reasoning()] {
            check_answers(&plan, &deltas(&[&one]), &message(&one), "equivalent");
            check_answers(&plan, &deltas(&[&one]), &deltas(&[&one]), "identical");
        }
        check_answers(&Compare::exact(), &message(&one), &message(&other), "equivalent");
        check_answers(&Compare::exact(), &deltas(&[&one]), &message(&other), "equivalent");
    }
    let signed = |signature: &str| message(&content(&format!(r#""thinking":"hm","signature":"{signature}""#)));
    check_answers(&with_reasoning(), &signed("a"), &signed("b"), "equivalent");
}

#[test]
fn an_answer_of_thoughts_alone_has_an_end_of_its_own() {
    let thought = r#""content":null,"reasoning":"hm""#;
    for (answer, end) in [
        (message(thought), End::ThoughtOnly),
        (message(r#""content":"","reasoning_content":"hm""#), End::ThoughtOnly),
        (message(r#""content":[{"type":"thinking","thinking":[]}]"#), End::ThoughtOnly),
        (message(r#""content":null,"reasoning_details":[{"type":"reasoning.encrypted"}]"#), End::ThoughtOnly),
        (deltas(&[r#""reasoning":"h""#, r#""reasoning":"m""#]), End::ThoughtOnly),
        (deltas(&[r#""content":[{"type":"thinking","thinking":[]}]"#]), End::ThoughtOnly),
        (deltas(&[r#""content":[{"type":"redacted_thinking","data":"x"}]"#]), End::ThoughtOnly),
        (message(r#""content":"a","reasoning":"hm""#), End::Stop),
        (message(r#""content":null,"reasoning":"""#), End::Empty),
        (message(r#""content":null,"reasoning":null"#), End::Empty),
        (message(r#""content":null,"reasoning":"hm","tool_calls":[{"function":{"name":"f"}}]"#), End::ToolCalls),
        (message(r#""content":null,"reasoning":"hm","refusal":"no""#), End::Refusal),
    ] {
        assert_eq!(report(&Compare::exact(), &answer, &message(thought)).primary.end, Some(end), "{answer:?}");
    }
    let cut = message(thought);
    let cut = String::from_utf8(cut.body.unwrap().bytes().to_vec()).unwrap().replace("\"stop\"", "\"length\"");
    let facts = report(&Compare::exact(), &answer(cut.as_bytes()), &message(thought)).primary;
    assert_eq!(facts.end, Some(End::ThoughtOnly), "cut while it thought");
}

#[test]
fn tokens_of_thinking_are_told() {
    let with = |usage: &str| answer(format!(r#"{{"choices":[{{"message":{{"content":"a"}}}}],"usage":{usage}}}"#).as_bytes());
    for (usage, expected) in [
        (r#"{"prompt_tokens":1,"completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":7}}"#, Some(7)),
        (r#"{"prompt_tokens":1,"completion_tokens":9,"completion_tokens_details":null}"#, None),
        (r#"{"prompt_tokens":1,"completion_tokens":9,"completion_tokens_details":{}}"#, None),
        (r#"{"prompt_tokens":1,"completion_tokens":9,"completion_tokens_details":[7]}"#, None),
        (r#"{"prompt_tokens":1,"completion_tokens":9,"reasoning_tokens":3}"#, Some(3)),
    ] {
        let facts = report(&Compare::exact(), &with(usage), &with("{}")).primary;
        assert_eq!((facts.reasoning_tokens, facts.tokens), (expected, Some((1, 9))), "{usage}");
    }
}

#[test]
fn texts_are_not_equal_by_nothing() {
    let texts =
        |path: Option<&str>| Compare { task: Task::Text { path: path.map(super::path), texts: Texts::default() }, ..Compare::exact() };
    let call = |name: &str| message(&format!(r#""content":null,"tool_calls":[{{"function":{{"name":"{name}"}}}}]"#));
    let refuses = |words: &str| message(&format!(r#""content":null,"refusal":"{words}""#));
    let (empty, blank) = (message(r#""content":null"#), message(r#""content":"""#));
    let unread = "unread choices[0].message.content";
    check_answers(&texts(None), &call("a"), &call("b"), unread);
    check_answers(&texts(None), &call("a"), &empty, unread);
    check_answers(&texts(None), &call("a"), &call("a"), "identical");
    check_answers(&texts(None), &refuses("a"), &refuses("b"), unread);
    check_answers(&texts(None), &empty, &blank, "equivalent");
    check_answers(&texts(None), &call("a"), &message(r#""content":"x""#), "text at choices[0].message.content");
    let spoken = message(r#""content":"x","tool_calls":[{"function":{"name":"a"}}]"#);
    check_answers(&texts(None), &spoken, &message(r#""content":"x""#), "equivalent");
    let mut ignoring = texts(None);
    ignoring.ignore = vec![super::path("choices[*].message.tool_calls")];
    check_answers(&ignoring, &call("a"), &call("b"), "equivalent");
    let content = texts(Some("choices[*].message.content"));
    check_answers(&content, &call("a"), &call("b"), "Primary: nothing that compare.task looks at: choose another task or path");
    check_answers(&content, &blank, &message(r#""content":"","a":1"#), "equivalent");
}

#[test]
fn items_of_embeddings_are_held_too() {
    let data = |item: &str| answer(format!(r#"{{"data":[{{"object":"embedding","index":0,"embedding":[1,2]{item}}}]}}"#).as_bytes());
    let plan = Compare::exact();
    check_answers(&plan, &data(""), &data(r#","encoding_format":"float""#), "equivalent");
    check_answers(&plan, &data(r#","text":"a""#), &data(r#","text":"b""#), "unread data[0].text");
    check_answers(&plan, &data(r#","text":"a""#), &data(""), "unread data[0].text");
    let mut ignoring = plan;
    ignoring.ignore = vec![path("data[*].text")];
    check_answers(&ignoring, &data(r#","text":"a""#), &data(""), "equivalent");
}

/// Whatever is ignored or does not count, what is not told apart equals nothing.
#[test]
fn many_members_are_told_apart_or_equal_nothing() {
    let items = |count: usize, other: Option<usize>| {
        let item = |at: usize| {
            let sparse = if Some(at) == other { "b" } else { "a" };
            format!(r#"{{"index":{at},"embedding":[1,2],"text":"t","sparse":"{sparse}"}}"#)
        };
        answer(format!(r#"{{"id":"{}","data":[{}]}}"#, other.is_some(), (0..count).map(item).collect::<Vec<_>>().join(",")).as_bytes())
    };
    let ignoring = Compare { ignore: vec![path("data[*].text")], ..Compare::exact() };
    for plan in [&Compare::exact(), &ignoring] {
        let same = |count| say(&report(plan, &items(count, None), &items(count, Some(count))).judgement);
        assert_eq!(same(2000), "equivalent");
        assert_eq!(same(2100), "unread data", "more than are told apart");
        for at in [0, 550, 1999] {
            let found = say(&report(plan, &items(2000, None), &items(2000, Some(at))).judgement);
            assert_eq!(found, format!("unread data[{at}].sparse"));
        }
    }
}

#[test]
fn thoughts_do_not_use_up_what_is_held() {
    let piece = |name: &str, value: &str| format!(r#""{name}":[{{"type":"thinking","index":0,"thinking":"{value}"}}],"content":"a""#);
    let stream = |name: &str, value: &str, more: &str| {
        let pieces: Vec<String> =
            (0..2000).map(|at| if at == 1999 { format!("{}{more}", piece(name, value)) } else { piece(name, value) }).collect();
        deltas(&pieces.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for name in ["thinking_blocks", "reasoning_details", "thinking"] {
        check_answers(&Compare::exact(), &stream(name, "a", ""), &stream(name, "b", ""), "equivalent");
        check_answers(&with_reasoning(), &stream(name, "a", ""), &stream(name, "b", ""), &format!("unread choices[0].message.{name}"));
        let audio = |data: &str| stream(name, "a", &format!(r#","audio":{{"data":"{data}"}}"#));
        check_answers(&Compare::exact(), &audio("a"), &audio("b"), "unread choices[0].message.audio");
    }
    let audio = |data: &str| {
        let pieces: Vec<String> = (0..2000).map(|at| format!(r#""audio":{{"id":"i{at}","type":"x","data":"{data}"}}"#)).collect();
        deltas(&pieces.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let with_space = |answer: &Answer| {
        let body = [b"data: {}\n\n", answer.body.as_ref().unwrap().bytes()].concat();
        Answer { body: Ok(Held::from(body).into()), ..answer.clone() }
    };
    check_answers(&Compare::exact(), &audio("a"), &with_space(&audio("a")), "equivalent");
    check_answers(&Compare::exact(), &audio("a"), &audio("b"), "unread choices[0].message.audio");
}

#[test]
fn base64_may_have_escapes() {
    let data = |id: &str, vectors: &[&str]| {
        let items: Vec<String> =
            vectors.iter().enumerate().map(|(at, vector)| format!(r#"{{"index":{at},"embedding":"{vector}"}}"#)).collect();
        answer(format!(r#"{{"id":"{id}","data":[{}],"model":"m"}}"#, items.join(",")).as_bytes())
    };
    let plan = Compare::exact();
    // Python: base64.b64encode(struct.pack("<2f", 1, 2)), and of the bytes ffffff3f00000040.
    let plain = data("1", &["AACAPwAAAEA=", "////PwAAAEA="]);
    for other in [r"AACAPwAAAEA\u003d", r"AACAP\u0077AAAEA\u003D"] {
        check_answers(&plan, &plain, &data("2", &[other, r"\/\/\/\/PwAAAEA="]), "equivalent");
    }
    check_answers(&plan, &data("1", &[r"AACAPwAAAEA\u003d"]), &data("2", &[r"AACAPwAAAEA\u003d"]), "equivalent");
    check_answers(&plan, &plain, &data("2", &[r"AACAvwAAAMA\u003d", "////PwAAAEA="]), "number at data[0].embedding");
    for (bad, fault) in [
        (r"AACAPwAAAE\u00e9=", "malformed base64"),
        (r"AACAPwAAAE\u0100=", "malformed base64"),
        (r"AACAPwAAAEA\u003d=", "base64 of another length than that of FP32 numbers"),
    ] {
        check_answers(&plan, &data("1", &["AACAPwAAAEA="]), &data("2", &[bad]), &format!("Shadow: {fault}"));
    }
    let long = format!(r"{}\u003d", "A".repeat(1 << 18));
    check_answers(&plan, &data("1", &["AACAPwAAAEA="]), &data("2", &[&long]), "Shadow: an embedding in base64 with escapes is too long");
}
