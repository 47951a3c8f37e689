//! Streams of OpenAI's interface as servers really write them: joined, they say what is meant.

use super::openai_unread::{check_answers, deltas, message, report, stream, whole};
use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A message that calls functions, each `name(arguments)` with the arguments as JSON.
fn calls(tools: &[&str]) -> Answer {
    let call = |tool: &&str| {
        let (name, arguments) = tool.strip_suffix(')').and_then(|tool| tool.split_once('(')).unwrap();
        format!(r#"{{"id":"c","type":"function","function":{{"name":"{name}","arguments":{arguments}}}}}"#)
    };
    message(&format!(r#""content":null,"tool_calls":[{}]"#, tools.iter().map(call).collect::<Vec<_>>().join(",")))
}

/// A stream in which each event has these tool calls.
fn streamed(events: &[&str]) -> Answer {
    let events: Vec<String> = events.iter().map(|calls| format!(r#""tool_calls":[{calls}]"#)).collect();
    deltas(&events.iter().map(String::as_str).collect::<Vec<_>>())
}

#[track_caller]
fn check(one: &Answer, other: &Answer, expected: &str) {
    check_answers(&Compare::exact(), one, other, expected);
}

#[test]
fn a_call_begins_where_it_is_meant_to() {
    let one = calls(&[r#"f("{\"a\":1}")"#]);
    let two = calls(&[r#"f("{\"a\":1}")"#, r#"g("{}")"#]);
    for (events, expected) in [
        // Pieces of one call: the name in each of them, the id, too, or in pieces itself.
        (
            &[
                r#"{"index":0,"id":"x","function":{"name":"f","arguments":""}}"#,
                r#"{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a\""}}"#,
                r#"{"index":0,"id":"x","function":{"name":"f","arguments":":1}"}}"#,
                r#"{"index":0,"id":"x","function":{"name":"f","arguments":""}}"#,
            ][..],
            &one,
        ),
        (&[r#"{"function":{"name":"f","arguments":"{\"a\":"}}"#, r#"{"function":{"name":"f","arguments":"1}"}}"#], &one),
        (&[r#"{"id":"x","function":{"name":"f"}}"#, r#"{"id":"x","function":{"arguments":"{\"a\":1}"}}"#], &one),
        (&[r#"{"index":0,"id":"x","type":"function"}"#, r#"{"index":0,"function":{"name":"f","arguments":{"a":1}}}"#], &one),
        (&[r#"{"index":"0","function":{"name":"f","arguments":{}}}"#, r#"{"index":0,"function":{"arguments":"{\"a\":1}"}}"#], &one),
        // An id of its own in each piece of one call.
        (
            &[
                r#"{"index":0,"id":"x","function":{"name":"f","arguments":""}}"#,
                r#"{"index":0,"id":"y","function":{"arguments":"{\"a\""}}"#,
                r#"{"index":0,"id":"z","function":{"arguments":":1}"}}"#,
                r#"{"index":0,"id":"w","function":{"arguments":""}}"#,
            ],
            &one,
        ),
        // A new id begins a call, whatever its index.
        (
            &[
                r#"{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a\":1}"}}"#,
                r#"{"index":0,"id":"y","function":{"name":"g","arguments":"{}"}}"#,
            ],
            &two,
        ),
        (
            &[
                r#"{"id":"x","function":{"name":"f","arguments":"{\"a\""}}"#,
                r#"{"function":{"arguments":":1}"}}"#,
                r#"{"id":"y","function":{"name":"g","arguments":""}}"#,
                r#"{"function":{"arguments":"{}"}}"#,
            ],
            &two,
        ),
        (&[r#"{"id":"x","function":{"name":"f","arguments":{"a":1}}},{"id":"y","function":{"name":"g","arguments":{}}}"#], &two),
        (&[r#"{"index":0,"function":{"name":"f","arguments":"{\"a\":1}"}},{"index":0,"function":{"name":"g"}}"#], &two),
        // So does a name after complete arguments, with the same id, none, or an empty one.
        (
            &[r#"{"index":0,"function":{"name":"f","arguments":"{\"a\":1}"}}"#, r#"{"index":0,"function":{"name":"g","arguments":"{}"}}"#],
            &two,
        ),
        (&[r#"{"id":"","function":{"name":"f","arguments":"{\"a\":1}"}}"#, r#"{"id":"","function":{"name":"g"}}"#], &two),
        (
            &[
                r#"{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a\":1}"}}"#,
                r#"{"index":0,"id":"x","function":{"name":"g","arguments":"{}"}}"#,
            ],
            &two,
        ),
        // By index, in whatever order they come; later pieces by id.
        (
            &[
                r#"{"index":1,"id":"y","function":{"name":"g","arguments":""}}"#,
                r#"{"index":0,"id":"x","function":{"name":"f","arguments":"{\"a\""}},{"index":1,"function":{"arguments":"{}"}}"#,
                r#"{"index":0,"function":{"arguments":":1}"}}"#,
            ],
            &two,
        ),
        (
            &[
                r#"{"id":"x","function":{"name":"f","arguments":"{\"a\""}},{"id":"y","function":{"name":"g"}}"#,
                r#"{"id":"y","function":{"arguments":"{}"}}"#,
                r#"{"id":"x","function":{"arguments":":1}"}}"#,
            ],
            &two,
        ),
    ] {
        check(&streamed(events), expected, "equivalent");
    }
    let same =
        streamed(&[r#"{"index":0,"function":{"name":"f","arguments":"{}"}}"#, r#"{"index":0,"function":{"name":"f","arguments":"{}"}}"#]);
    check(&same, &calls(&["f({})", "f({})"]), "equivalent");
    let pieces = streamed(&[r#"{"index":0,"function":{"name":"get_"}}"#, r#"{"index":0,"function":{"name":"it","arguments":"{}"}}"#]);
    check(&pieces, &calls(&["get_it({})"]), "equivalent");
    let string = streamed(&[
        r#"{"index":0,"function":{"name":"f","arguments":"{\"a\":\"}\\\"{"}}"#,
        r#"{"index":0,"function":{"name":"f","arguments":"\"}"}}"#,
    ]);
    check(&string, &calls(&[r#"f("{\"a\":\"}\\\"{\"}")"#]), "equivalent");
    let objects =
        streamed(&[r#"{"index":0,"function":{"name":"f","arguments":{"a":1}}}"#, r#"{"index":0,"function":{"arguments":{"b":1}}}"#]);
    check(&calls(&["f({})"]), &objects, "Shadow: the arguments of a tool come as several objects");
}

#[test]
fn white_space_and_repetitions_begin_no_call() {
    let one = calls(&[r#"f("{\"ci\":1}")"#]);
    let piece = |id: &str, name: &str, arguments: &str| {
        let [id, name] = [("id", id), ("name", name)].map(|(key, value)| match value {
            "" => String::new(),
            value => format!(r#""{key}":"{value}","#),
        });
        format!(r#"{{"index":0,{id}"function":{{{name}"arguments":"{arguments}"}}}}"#)
    };
    let stream = |pieces: &[(&str, &str, &str)]| {
        let pieces: Vec<String> = pieces.iter().map(|&(id, name, arguments)| piece(id, name, arguments)).collect();
        streamed(&pieces.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let (begin, end, all) = (r#"{\"ci"#, r#"\":1}"#, r#"{\"ci\":1}"#);
    for blank in [" ", r"\n", r"\u0020", r" \t\r\n"] {
        for pieces in [
            &[("", "f", blank), ("", "f", begin), ("", "f", end)][..],
            &[("x", "f", blank), ("x", "f", begin), ("x", "f", end)],
            &[("x", "f", ""), ("x", "f", blank), ("x", r"\u0066", begin), ("x", "f", end), ("x", "f", blank)],
            &[("x", "f", ""), ("y", "", ""), ("z", "", blank), ("v", "", begin), ("w", "", end)],
            &[("x", "f", blank), ("y", "", blank), ("z", "", begin), ("w", "", end)],
            &[("x", "f", all), ("x", "f", blank)],
            &[("x", "f", all), ("", "f", blank)],
            &[("x", "f", all), ("y", "", blank)],
            &[("x", "f", all), ("y", "", ""), ("z", "", blank), ("w", "", blank)],
            &[("x", "f", begin), ("x", "f", end), ("x", "", blank), ("x", "f", blank)],
            // A repetition.
            &[("x", "f", all), ("x", "f", all)],
            &[("x", "f", begin), ("x", "f", end), ("x", "f", all)],
            &[("x", "f", all), ("x", "", all), ("x", "f", "")],
        ] {
            check(&stream(pieces), &one, "equivalent");
            check(&stream(pieces), &stream(pieces), "identical");
            check(&stream(pieces), &calls(&["f({})"]), "tools at choices[0].message.tool_calls[0].function.arguments.ci");
        }
    }
    let object = r#"{"id":"x","function":{"name":"f","arguments":{"ci":1}}}"#;
    check(&streamed(&[object, object]), &one, "equivalent");
    let legacy = r#""function_call":{"name":"f","arguments":"{}"}"#;
    check(&deltas(&[legacy, legacy]), &message(legacy), "equivalent");
    let more = stream(&[("x", "f", all), ("x", "f", "{}")]);
    check(&more, &calls(&[r#"f("{\"ci\":1}")"#, "f({})"]), "equivalent");
    let two = stream(&[("x", "f", blank_then(all).as_str()), ("y", "f", all), ("y", "g", all)]);
    check(&two, &calls(&[r#"f("{\"ci\":1}")"#, r#"f("{\"ci\":1}")"#, r#"g("{\"ci\":1}")"#]), "equivalent");
    let text = stream(&[("x", "f", "print"), ("x", "f", "(1)")]);
    check(&text, &calls(&[r#"f("print(1)")"#]), "equivalent");
}

fn blank_then(arguments: &str) -> String {
    format!(r"\n{arguments}")
}

#[test]
fn custom_tools_take_any_text() {
    let tool = |name: &str, input: &str| format!(r#"{{"type":"custom","custom":{{"name":"{name}","input":"{input}"}}}}"#);
    let all = |calls: &[String]| message(&format!(r#""tool_calls":[{}]"#, calls.join(",")));
    for (events, expected) in [
        (&[("x", "p", "print"), ("x", "p", "(1)")][..], &[("p", "print(1)")][..]),
        (&[("", "p", "print"), ("", "p", "(1)")], &[("p", "print(1)")]),
        (&[("x", "p", "[1]"), ("x", "p", "[2]"), ("x", "p", " ")], &[("p", "[1][2] ")]),
        (&[("x", "p", "a"), ("y", "", "b")], &[("p", "ab")]),
        (&[("x", "p", "a"), ("y", "p", "b")], &[("p", "a"), ("p", "b")]),
        (&[("", "p", "a"), ("", "q", "b")], &[("p", "a"), ("q", "b")]),
    ] {
        let event = |&(id, name, input): &(&str, &str, &str)| {
            tool(name, input).replacen('{', &format!(r#"{{"index":0,"id":"{id}","#), 1).replace(r#""name":"","#, "")
        };
        let events: Vec<String> = events.iter().map(event).collect();
        let expected: Vec<String> = expected.iter().map(|(name, input)| tool(name, input)).collect();
        check(&streamed(&events.iter().map(String::as_str).collect::<Vec<_>>()), &all(&expected), "equivalent");
    }
}

#[test]
fn no_arguments_are_no_arguments() {
    let nothing = [r#"f("")"#, "f(null)", "f({})", r#"f("{}")"#, r#"f(" { } ")"#, r#"f("null")"#, r#"f(" ")"#];
    let call = |arguments: &str| message(&format!(r#""content":null,"tool_calls":[{{"function":{{"name":"f"{arguments}}}}}]"#));
    for one in nothing {
        for other in nothing {
            check(
                &calls(&[one, "g(1)".replace('1', "\"x\"").as_str()]),
                &calls(&[other, "g(\"x\")"]),
                if one == other { "identical" } else { "equivalent" },
            );
        }
        check(&calls(&[one]), &call(""), "equivalent");
        for (other, inside) in
            [(r#"f("[]")"#, ""), ("f([])", ""), (r#"f("0")"#, ""), (r#"f("{\"a\":1}")"#, ".a"), (r#"f("x")"#, ""), (r#"f("{")"#, "")]
        {
            let path = format!("tools at choices[0].message.tool_calls[0].function.arguments{inside}");
            check(&calls(&[one]), &calls(&[other]), &path);
        }
    }
    check(&calls(&[r#"f({"a":1,"b":[2]})"#]), &calls(&[r#"f("{\"b\":[2.0],\"a\":1}")"#]), "equivalent");
    check(&calls(&[r#"f({"a":1})"#]), &calls(&[r#"f({"a":2})"#]), "tools at choices[0].message.tool_calls[0].function.arguments.a");
    let custom =
        |input: &str| message(&format!(r#""content":"","tool_calls":[{{"type":"custom","custom":{{"name":"f","input":"{input}"}}}}]"#));
    for (one, other) in [("", "{}"), ("1", "1.0"), ("null", "")] {
        check(&custom(one), &custom(other), "tools at choices[0].message.tool_calls[0].custom.input");
    }
    let own = deltas(&[
        r#""tool_calls":[{"index":0,"type":"custom","custom":{"name":"f","input":"a"}}]"#,
        r#""tool_calls":[{"index":0,"custom":{"input":"b"}}]"#,
    ]);
    check(&own, &custom("ab"), "equivalent");
}

#[test]
fn choices_without_an_index_have_that_of_their_place() {
    let stream = |events: &[&str]| {
        let body: String = events.iter().map(|choices| format!("data: {{\"choices\":[{choices}]}}\n\n")).collect();
        Answer { content_type: b"text/event-stream".to_vec(), ..answer(body.as_bytes()) }
    };
    let two =
        answer(br#"{"choices":[{"message":{"content":"ab"},"finish_reason":"stop"},{"message":{"content":"xy"},"finish_reason":"stop"}]}"#);
    for events in [
        &[
            r#"{"delta":{"content":"a"}},{"delta":{"content":"x"}}"#,
            r#"{"delta":{"content":"b"},"finish_reason":"stop"},{"delta":{"content":"y"},"finish_reason":"stop"}"#,
        ][..],
        &[
            r#"{"index":1,"delta":{"content":"x"}}"#,
            r#"{"delta":{"content":"a"}}"#,
            r#"{"index":1,"delta":{"content":"y"},"finish_reason":"stop"}"#,
            r#"{"delta":{"content":"b"},"finish_reason":""}"#,
            r#"{"delta":null,"finish_reason":"stop"}"#,
            r#"{"delta":{},"finish_reason":"stop"}"#,
        ],
    ] {
        check(&stream(events), &two, "equivalent");
    }
}

#[test]
fn what_comes_twice_is_said_once() {
    let hello = message(r#""content":"Hello""#);
    for choices in [
        &[r#""text":"Hello","delta":{"content":"Hello"}"#][..],
        &[r#""text":"Hel","delta":{"content":"Hel"}"#, r#""text":"lo","delta":{"content":"lo"}"#],
        &[r#""text":"Hel","delta":{"role":"assistant"}"#, r#""text":"lo","delta":{}"#],
        &[r#""text":"","delta":{"content":"Hello"}"#],
        &[r#""text":null,"delta":{"content":"Hello"}"#],
        // A message instead of deltas, in pieces or as far as it has come.
        &[r#""message":{"role":"assistant","content":"Hello"}"#],
        &[r#""message":{"content":"Hel"}"#, r#""message":{"content":"lo"}"#],
        &[r#""message":{"content":"Hel"}"#, r#""message":{"content":"Hello"}"#],
        &[r#""message":{"content":"Hel"}"#, r#""message":{"content":"Hello"}"#, r#""message":{"content":"Hello"},"finish_reason":"stop""#],
        &[r#""message":{"content":"Hello"}"#, r#""message":{"content":"Hello"},"finish_reason":"stop""#],
        &[r#""message":{"role":"assistant"}"#, r#""message":{"content":"Hello"}"#],
        // A message that repeats what the deltas have said.
        &[r#""delta":{"content":"Hel"}"#, r#""delta":{"content":"lo"}"#, r#""message":{"content":"H\u0065llo"}"#],
        &[r#""delta":{"content":"Hel"},"message":{"content":"Hel"}"#, r#""delta":{"content":"lo"},"message":{"content":"Hello"}"#],
        &[r#""delta":{"content":"Hello"},"message":null"#, r#""delta":{},"message":{"content":[{"type":"text","text":"Hello"}]}"#],
        &[r#""delta":{"content":"Hel"}"#, r#""message":{"content":"Hello"}"#],
        &[r#""delta":{"content":""},"message":{"content":"Hello"}"#],
    ] {
        check(&stream(choices), &hello, "equivalent");
    }
    let twice = stream(&[r#""message":{"content":"ha"}"#, r#""message":{"content":"ha"}"#]);
    check(&twice, &message(r#""content":"haha""#), "equivalent");
    let other = stream(&[r#""delta":{"content":"Hello"}"#, r#""message":{"content":"Bye"}"#]);
    check(&hello, &other, "Shadow: a message that is not what the deltas say");
    let completion = whole(r#""text":"Hello""#);
    check(&stream(&[r#""text":"Hel","delta":{}"#, r#""text":"lo","delta":{},"message":null"#]), &completion, "identical");
    let beside = stream(&[r#""text":"Bye","delta":{"content":"Hello"}"#]);
    check(&hello, &beside, "unread choices[0].text");
    let call = r#"{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}}"#;
    let repeated = stream(&[
        &format!(r#""delta":{{"reasoning":"hm","tool_calls":[{call}]}}"#),
        &format!(r#""message":{{"reasoning":"hm","tool_calls":[{call}],"x":1}}"#),
    ]);
    check(&repeated, &message(r#""reasoning":"hm","content":"","tool_calls":[{"function":{"name":"f"}}],"x":1"#), "equivalent");
    let image = r#"{"type":"image","url":"x"}"#;
    let illustrated =
        stream(&[r#""delta":{"content":"a"}"#, &format!(r#""message":{{"content":[{{"type":"text","text":"a"}},{image}]}}"#)]);
    check(&illustrated, &message(&format!(r#""content":["a",{image}]"#)), "equivalent");
    check(&illustrated, &message(r#""content":"a""#), "unread choices[0].message.content[1]");
    let alone = stream(&[&format!(r#""delta":{{}},"message":{{"content":[{image},"a"],"thinking":"hm"}}"#)]);
    check(&alone, &message(&format!(r#""content":[{image},"a"]"#)), "equivalent");
    let late = stream(&[r#""delta":{"content":"a"}"#, &format!(r#""delta":{{}},"message":{{"content":"a","tool_calls":[{call}]}}"#)]);
    check(&late, &message(r#""content":"a","tool_calls":[{"function":{"name":"f"}}]"#), "equivalent");
}

#[test]
fn refusals_and_thoughts_in_two_places_are_said_once() {
    let reasons = Compare { reasoning: true, ..Compare::exact() };
    let refusal = |text: &str| format!(r#"{{"type":"refusal","refusal":"{text}"}}"#);
    let thought = |text: &str| format!(r#"{{"type":"thinking","thinking":[{{"type":"text","text":"{text}"}}]}}"#);
    let no = refusal("no");
    for (said, once) in [
        (format!(r#""refusal":"no","content":[{no}]"#), r#""refusal":"no""#),
        (format!(r#""refusal":"n\u006f","content":[{},{}]"#, refusal("n"), refusal("o")), r#""refusal":"no""#),
        (format!(r#""content":[{no}]"#), r#""refusal":"no""#),
        (format!(r#""content":["a",{no},"b",{no}]"#), r#""content":"ab","refusal":"nono""#),
        (format!(r#""refusal":"oh","content":[{no}]"#), r#""refusal":"ohno""#),
        (r#""reasoning":"\u00e9","reasoning_content":"é""#.to_owned(), r#""reasoning":"é""#),
        (r#""reasoning":"a","reasoning_content":"b""#.to_owned(), r#""reasoning":"ab""#),
        (format!(r#""reasoning":"hm","content":[{},{}]"#, thought("h"), thought("\\u006d")), r#""reasoning_content":"hm""#),
        (format!(r#""reasoning_content":"hm","content":[{}]"#, thought("hm")), r#""reasoning":"hm""#),
    ] {
        for (one, other) in [(message(&said), message(once)), (deltas(&[&said]), message(&said)), (deltas(&[&said]), message(once))] {
            let judged = say(&report(&reasons, &one, &other).judgement);
            // (A stream may be joined to the very same bytes.)
            assert!(["equivalent", "identical"].contains(&judged.as_str()), "{judged}: {said}");
        }
        let other =
            once.replace(r#":"no"#, r#":"never"#).replace('é', "x").replace(":\"hm", ":\"h").replace(":\"ab", ":\"x").replace("oh", "x");
        for one in [message(&said), deltas(&[&said])] {
            let said = say(&report(&reasons, &one, &message(&other)).judgement);
            assert!(said.starts_with("text at choices[0]"), "{said}: {other}");
        }
    }
    for pieces in [
        &[r#""refusal":"n","content":[{"type":"refusal","refusal":"n"}]"#, r#""refusal":"o","content":[{"type":"refusal","refusal":"o"}]"#]
            [..],
        &[r#""refusal":"n""#, r#""content":[{"type":"refusal","refusal":"no"}]"#, r#""refusal":"o""#],
    ] {
        check(&deltas(pieces), &message(r#""refusal":"no""#), "equivalent");
    }
    for pieces in [
        &[r#""reasoning":"h","reasoning_content":"h""#, r#""reasoning":"m","reasoning_content":"\u006d""#][..],
        &[r#""reasoning":"h","reasoning_content":"h""#, r#""reasoning":"m""#, r#""reasoning_content":"m""#],
        &[r#""reasoning_content":"hm""#, r#""reasoning":"h""#, r#""reasoning":"m""#],
    ] {
        check_answers(&reasons, &deltas(pieces), &message(r#""reasoning":"hm""#), "equivalent");
    }
}

#[test]
fn heartbeats_and_empty_errors_spoil_no_stream() {
    let good = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#;
    let body = |before: &str| Answer {
        content_type: b"text/event-stream".to_vec(),
        ..answer(format!("{before}data: {good}\n\ndata: [DONE]\n\n").as_bytes())
    };
    let blank = format!("data: {}\n\n", " ".repeat(40_000));
    for before in [
        "data:\n\n",
        "data: \n\n",
        "data\n\n",
        "data:\ndata:\n\n",
        ": ping\n\n",
        "event: ping\ndata:\n\n",
        "event: ping\ndata: {}\n\n",
        "data: null\n\n",
        "data: {\"choices\":null,\"usage\":null}\n\n",
        &blank,
    ] {
        check(&body(before), &message(r#""content":"a""#), "equivalent");
    }
    let with = |error: &str| {
        let chunk = good.replacen('{', &format!(r#"{{"error":{error},"#), 1);
        (
            Answer { content_type: b"text/event-stream".to_vec(), ..answer(format!("data: {chunk}\n\n").as_bytes()) },
            answer(chunk.replace("delta", "message").as_bytes()),
        )
    };
    let whole = message(r#""content":"a""#);
    for error in ["null", "\"\"", "{}", "[]", "false", "0"] {
        let (stream, one) = with(error);
        check(&stream, &whole, "equivalent");
        check(&one, &whole, "equivalent");
    }
    for error in ["\"overloaded\"", r#"{"message":"x"}"#, "true", "500", "[1]"] {
        let (stream, one) = with(error);
        check(&whole, &stream, "Shadow: the stream ends in an error");
        check(&whole, &one, "Shadow: an error instead of an answer");
    }
}

#[test]
fn what_says_nothing_wipes_nothing() {
    let body = |chunks: &[&str]| {
        let choice = r#""choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]"#;
        let body: String = chunks.iter().map(|around| format!("data: {{{around},{choice}}}\n\n").replace("\"a\"", "\"\"")).collect();
        Answer { content_type: b"text/event-stream".to_vec(), ..answer(body.as_bytes()) }
    };
    let facts = |chunks: &[&str]| report(&Compare::exact(), &body(chunks), &whole(r#""text":"a""#)).primary;
    for last in [r#""model":"""#, r#""model":null"#, r#""usage":null"#, r#""usage":{}"#, r#""x":1"#] {
        let facts = facts(&[r#""model":"m","usage":{"prompt_tokens":1,"completion_tokens":2}"#, last]);
        assert_eq!((facts.model_version.as_deref(), facts.tokens), (Some("m"), Some((1, 2))), "{last}");
    }
    let usage = facts(&[r#""usage":{"prompt_tokens":1,"completion_tokens":2}"#, r#""usage":{"prompt_tokens":1,"completion_tokens":5}"#]);
    assert_eq!(usage.tokens, Some((1, 5)), "the last one counts");
    assert_eq!(facts(&[r#""model":3"#]).model_version.as_deref(), Some("3"));
    assert_eq!(facts(&[r#""model":true"#]).model_version, None);
}
