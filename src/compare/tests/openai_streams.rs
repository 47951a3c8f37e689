//! Streams of OpenAI's interface: joined, they are the answers that they would have been unstreamed.

use super::*;
use crate::capture::Body;
use crate::compare::read::openai::stream::Joiner;
use proptest::prelude::*;
use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Joins a stream that comes in `pieces`; what is on the ledger besides the answer comes back.
fn join(pieces: &[&[u8]], limit: usize) -> Result<Body, Unread> {
    let ledger = Ledger::new(8 << 20);
    let mut joiner = Joiner::new(&ledger, limit);
    let mut pushed = Ok(());
    for piece in pieces {
        let before = pushed;
        pushed = joiner.push(piece);
        assert!(before.is_ok() || pushed == before, "once given up, always given up");
    }
    let joined = joiner.finish();
    if let Err(unread) = pushed {
        assert_eq!(joined, Err(unread));
        assert_eq!(ledger.used(), 0, "what is given up is given back");
    }
    assert_eq!(ledger.used(), joined.as_ref().map_or(0, |body| body.bytes().len()));
    joined
}

fn parsed(body: &Body) -> Value {
    serde_json::from_slice(body.bytes()).unwrap()
}

/// The stream of these events.
fn stream(events: &[&str]) -> Vec<u8> {
    events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
}

fn unread(stream: &[u8]) -> String {
    match join(&[stream], 1000) {
        Ok(body) => String::from_utf8(body.bytes().to_vec()).unwrap(),
        Err(unread) => unread.reason().to_owned(),
    }
}

#[test]
fn deltas_are_joined_by_choice_and_by_tool() {
    let joined = join(
        &[&stream(&[
            "null",
            r#"{"id":"x","created":1,"model":"m","object":"chat.completion.chunk","choices":[],"usage":null}"#,
            r#"{"choices":[{"index":1,"delta":{"role":"assistant","content":null,"refusal":null},"finish_reason":null}]}"#,
            r#"{"choices":[{"index":1,"delta":{"tool_calls":[{"index":1,"id":"c","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a\u00fc\ud83d"}},{"index":1,"delta":{"content":"b"}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"function":{"name":"g","arguments":"{"}},{"index":1,"function":{"arguments":"[1"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"\ude00ö","refusal":"n"}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"]"}},{"index":0,"function":{"arguments":"}"}}]}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"refusal":"o"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":1,"delta":{},"finish_reason":"tool_calls"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
            "[DONE]",
            "what comes now does not count",
        ])],
        1000,
    );
    let tool = |name: &str, arguments: &str| json!({"type": "function", "function": {"name": name, "arguments": arguments}});
    let want = json!({
        "id": "x", "created": 1, "model": "m", "usage": {"prompt_tokens": 3, "completion_tokens": 4},
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "aü😀ö", "refusal": "no"}, "finish_reason": "stop"},
            {"index": 1, "message": {"role": "assistant", "content": "b", "refusal": "", "tool_calls": [tool("g", "{}"), tool("f", "[1]")]},
             "finish_reason": "tool_calls"},
        ]
    });
    assert_eq!(parsed(&joined.unwrap()), want);
}

#[test]
fn older_shapes_are_joined_too() {
    let plain = [
        r#"{"choices":[{"text":"a","index":0,"finish_reason":null}]}"#,
        r#"{"choices":[{"text":"","index":1}]}"#,
        r#"{"choices":[{"text":"b","index":0,"finish_reason":"stop"},{"index":1,"finish_reason":"length"}]}"#,
    ];
    let want = json!({"choices": [
        {"index": 0, "text": "ab", "finish_reason": "stop"}, {"index": 1, "text": "", "finish_reason": "length"}
    ]});
    assert_eq!(parsed(&join(&[&stream(&plain)], 100).unwrap()), want);
    let legacy = [
        r#"{"choices":[{"delta":{"function_call":{"name":"f","arguments":"["}}}]}"#,
        r#"{"choices":[{"delta":{"function_call":{"arguments":"]"}},"finish_reason":"function_call"}]}"#,
    ];
    let message = json!({"role": "assistant", "content": "", "refusal": "", "function_call": {"name": "f", "arguments": "[]"}});
    let want = json!({"choices": [{"index": 0, "message": message, "finish_reason": "function_call"}]});
    assert_eq!(parsed(&join(&[&stream(&legacy)], 100).unwrap()), want);
}

#[test]
fn a_stream_is_over_when_it_says_so_or_all_choices_have_ended() {
    let (begun, ended) = (r#"{"choices":[{"delta":{"content":"a"}}]}"#, r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#);
    let other = r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#;
    const EARLY: &str = "the stream ends early";
    for (events, over) in [
        (&[begun, ended, "[DONE]"][..], true),
        (&[begun, ended], true),
        (&[begun, " [DONE] "], true),
        (&[begun], false),
        (&[begun, ended, other], false),
        (&[], false),
        (&[r#"{"message":"sorry"}"#], false),
    ] {
        assert_eq!(unread(&stream(events)) != EARLY, over, "{events:?}");
    }
    let whole = stream(&[begun, ended]);
    let last = whole.len() - "\n\n".len();
    for end in 0..whole.len() {
        let over = end >= last;
        assert_eq!(unread(&whole[..end]) != EARLY, over, "half an event is none, but the last one needs no blank line: {end}");
    }
    // Without a choice it is no answer, but that is for its reader to say.
    assert_eq!(unread(b"data: [DONE]\n\n"), r#"{"choices":[]}"#);
}

#[test]
fn what_is_no_stream_is_malformed() {
    let tools = |count: usize| (0..count).map(|index| format!(r#"{{"index":{index}}}"#)).collect::<Vec<_>>().join(",");
    let choices = |count: usize| (0..count).map(|index| format!(r#"{{"index":{index}}}"#)).collect::<Vec<_>>().join(",");
    for (event, fault) in [
        (r#"{"error":{"message":"overloaded"}}"#.to_owned(), "the stream ends in an error"),
        ("{".to_owned(), "JSON ends early"),
        ("hello".to_owned(), "malformed JSON: no value where one belongs"),
        ("[]".to_owned(), "a value is no object, and should be"),
        (r#"{"choices":1}"#.to_owned(), "a value is no array, and should be"),
        (r#"{"choices":[1]}"#.to_owned(), "a value is no object, and should be"),
        (r#"{"choices":[{"delta":[]}]}"#.to_owned(), "a value is no object, and should be"),
        (r#"{"choices":[{"delta":{"content":1}}]}"#.to_owned(), "a value is no string, and should be"),
        (r#"{"choices":[{"index":"a"}]}"#.to_owned(), "a value is no whole number, and should be"),
        (r#"{"choices":[{"finish_reason":1}]}"#.to_owned(), "a value is no string, and should be"),
        (r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":1}}]}}]}"#.to_owned(), "a value is no string, and should be"),
        (format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{}]}}}}]}}"#, tools(257)), "too many tool calls"),
        (format!(r#"{{"choices":[{}]}}"#, choices(257)), "too many choices"),
    ] {
        assert_eq!(unread(&stream(&[&event, "[DONE]"])), fault, "{event}");
    }
    assert_eq!(unread(b"data: {\"id\":\"\xff\"}\n\n"), "not UTF-8");
    for error in ["error: {\"code\":500}\n\n", "event: error\ndata: {\"code\":500}\n\n", "event: error\ndata: no\n", "error: no"] {
        let all = [stream(&[r#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#]), error.as_bytes().to_vec()].concat();
        assert_eq!(unread(&all), "the stream ends in an error", "{error}");
    }
}

#[test]
fn the_limit_is_for_text_and_not_for_the_wire() {
    let word = format!(r#"{{"id":"{}","choices":[{{"delta":{{"content":"word"}}}}]}}"#, "x".repeat(150));
    let words = stream(&[&*word; 10]).repeat(10);
    let done = stream(&["[DONE]"]);
    assert_eq!(parsed(&join(&[&words, &done], 400).unwrap())["choices"][0]["message"]["content"], "word".repeat(100));
    assert_eq!(join(&[&words, &done], 399), Err(Unread::Overflow(Overflow::Body)));
    let mixed = stream(&[
        r#"{"choices":[{"delta":{"refusal":"1","tool_calls":[{"function":{"name":"2","arguments":"3"}}]},"finish_reason":"4"}]}"#,
    ]);
    assert!(join(&[&mixed], 4).is_ok());
    assert_eq!(join(&[&mixed], 3), Err(Unread::Overflow(Overflow::Body)), "all text counts");
    // Memory is another bound.
    let mut joiner = Joiner::new(&Ledger::new(100), 1000);
    assert_eq!(joiner.push(&words), Err(Unread::Overflow(Overflow::Memory)));
}

#[test]
fn one_event_may_be_large() {
    let event = |length: usize| {
        stream(&[&format!(r#"{{"choices":[{{"delta":{{"content":"{}"}},"finish_reason":"stop"}}]}}"#, "ü".repeat(length / 2))])
    };
    let pieces = |stream: &[u8]| join(&stream.chunks(1001).collect::<Vec<_>>(), 1 << 20);
    let whole = pieces(&event((1 << 20) - 4)).unwrap();
    assert_eq!(whole.bytes().windows(2).filter(|pair| *pair == "ü".as_bytes()).count(), (1 << 19) - 2);
    let tokens = "-Infinity,true,\"\\u0041\u{1f600}\\\"\",-1.5e-300,".repeat(800);
    let tokens = format!(r#"{{"x":[{tokens}null],"choices":[{{"delta":{{"content":"a"}},"finish_reason":"stop"}}]}}"#);
    for size in 1..40 {
        let stream = stream(&[&*tokens, &*tokens.replace("null", &"null,".repeat(100)).replace(",]", "]")]);
        let cut: Vec<&[u8]> = stream.chunks(size).collect();
        assert!(join(&cut, 1000).is_ok(), "whatever token a piece ends in: {size}");
    }
    let wrong = join(&[b"data: {x", &[b' '; 20_000]], 1000);
    assert_eq!(wrong, Err(Unread::Malformed("malformed JSON: no name where one belongs")), "read before it is complete");
    assert_eq!(pieces(&event(1 << 20)), Err(Unread::Overflow(Overflow::Body)), "with its reason the text is too long");
    // It is given up before it is complete.
    assert_eq!(pieces(&event(2 << 20)[..3 << 19]), Err(Unread::Overflow(Overflow::Body)));
}

/// A choice: its content, refusal, tools (name and arguments) and reason.
type Answered = (String, String, Vec<(String, String)>, String);

fn answers() -> impl Strategy<Value = Vec<Answered>> {
    let text = || "[a-c \"\\\\\n\u{fc}\u{1f600}]{0,12}";
    let tools = proptest::collection::vec(("[a-c]{1,4}", text()), 0..3);
    proptest::collection::vec((text(), text(), tools, "stop|length|tool_calls"), 1..4)
}

/// What happens to a choice in one event.
type Delta = (usize, Value);

/// The deltas of one choice, in order; each text is cut by `cut`.
fn deltas(index: usize, answer: &Answered, cut: usize) -> Vec<Delta> {
    let (content, refusal, tools, _) = answer;
    let pieces = |text: &str| -> Vec<String> { text.chars().collect::<Vec<_>>().chunks(cut).map(|piece| piece.iter().collect()).collect() };
    let mut found = vec![(index, json!({"role": "assistant", "content": null}))];
    found.extend(pieces(content).into_iter().map(|piece| (index, json!({"content": piece}))));
    found.extend(pieces(refusal).into_iter().map(|piece| (index, json!({"refusal": piece}))));
    for (place, (name, arguments)) in tools.iter().enumerate().rev() {
        found.push((index, json!({"tool_calls": [{"index": place, "id": "c", "function": {"name": name, "arguments": ""}}]})));
        let part = |piece: String| (index, json!({"tool_calls": [{"index": place, "function": {"arguments": piece}}]}));
        found.extend(pieces(arguments).into_iter().map(part));
    }
    found
}

proptest! {
    /// A naive server streams a random answer, its choices interleaved, to a wire cut anywhere.
    #[test]
    fn a_joined_stream_is_the_unstreamed_answer(
        answers in answers(),
        cut in 1_usize..5,
        turns in proptest::collection::vec(0_usize..4, 0..60),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        end in "\n\n|\r\n\r\n|\r\r",
    ) {
        let mut queues: Vec<_> = answers.iter().enumerate().map(|(index, answer)| deltas(index, answer, cut).into_iter()).collect();
        let mut order: Vec<Delta> = turns.iter().filter_map(|&turn| queues.get_mut(turn)?.next()).collect();
        order.extend(queues.into_iter().flatten());
        let event = |choices: Value| format!("data: {}{end}", json!({"id": "x", "model": "m", "choices": choices}));
        let mut wire: String = order.into_iter().map(|(index, delta)| event(json!([{"index": index, "delta": delta}]))).collect();
        for (index, (.., reason)) in answers.iter().enumerate() {
            wire += &event(json!([{"index": index, "delta": {}, "finish_reason": reason}]));
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len())).chain([0, wire.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &wire.as_bytes()[cut[0]..cut[1]]).collect();
        let joined = join(&pieces, 10_000).unwrap();

        let message = |(content, refusal, tools, reason): &Answered| {
            let call = |(name, arguments): &(String, String)| json!({"id": "y", "function": {"name": name, "arguments": arguments}});
            let calls: Vec<Value> = tools.iter().map(call).collect();
            json!({"message": {"content": content, "refusal": refusal, "tool_calls": calls}, "finish_reason": reason})
        };
        let choices: Vec<Value> = answers.iter().map(message).collect();
        let whole = json!({"model": "m", "choices": choices}).to_string();
        let plan = Rc::new(Compare::exact());
        let mut comparison = Comparison::new(WireFormat::OpenAi, plan, bounds(), answer(whole.as_bytes()), answer(joined.bytes()));
        let report = done(comparison.step(&mut usize::MAX.clone()));
        prop_assert_eq!(say(&report.judgement), "equivalent");
        prop_assert_eq!(report.primary, report.shadow);
    }
}
