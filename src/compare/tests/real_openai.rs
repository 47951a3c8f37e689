//! Answers of a real llama.cpp, and of a server that is scripted after OpenAI's published schema, whole and streamed. Their origin is in
//! `tests/data/answers/README.md`.

use super::*;
use crate::compare::judgement::Report;
use crate::compare::part::content::Parts;
use crate::compare::part::cursor::Cursor;
use crate::compare::part::element::Element;
use crate::compare::read::openai::OpenAiReader;
use crate::compare::read::reader::Reader;
use crate::config::{Task, Texts};
use crate::labels::End;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A recorded body.
macro_rules! body {
    ($case:expr, $side:literal) => {
        include_bytes!(concat!("../../../tests/data/answers/", $case, ".", $side, ".body")) as &[u8]
    };
}

/// One request, answered by two model versions in three ways.
struct Case {
    name: &'static str,
    /// Whole, streamed, and streamed with `usage`: of the baseline and of the candidate.
    whole: [&'static [u8]; 2],
    stream: [&'static [u8]; 2],
    with_usage: [&'static [u8]; 2],
    /// The judgement if all counts, and if wording does not.
    all: &'static str,
    structure: &'static str,
    /// How each side ends.
    ends: [End; 2],
}

macro_rules! chat {
    ($name:literal, $all:expr, $structure:expr, $baseline:ident $candidate:ident) => {
        Case {
            name: $name,
            whole: [body!($name, "baseline"), body!($name, "candidate")],
            stream: [body!(concat!($name, "-stream"), "baseline"), body!(concat!($name, "-stream"), "candidate")],
            with_usage: [body!(concat!($name, "-stream-usage"), "baseline"), body!(concat!($name, "-stream-usage"), "candidate")],
            all: $all,
            structure: $structure,
            ends: [End::$baseline, End::$candidate],
        }
    };
}

/// llama.cpp streams usage of plain completions unasked.
macro_rules! completion {
    ($name:literal, $all:expr) => {
        Case {
            name: $name,
            whole: [body!($name, "baseline"), body!($name, "candidate")],
            stream: [body!(concat!($name, "-stream"), "baseline"), body!(concat!($name, "-stream"), "candidate")],
            with_usage: [body!(concat!($name, "-stream"), "baseline"), body!(concat!($name, "-stream"), "candidate")],
            all: $all,
            structure: "equivalent",
            ends: [End::Length, End::Length],
        }
    };
}

const SAME: &str = "equivalent";
const FINISH: &str = "finish at choices[0].finish_reason";
const REFUSAL: &str = "refusal at choices[0].message.refusal";
const NAME: &str = "tools at choices[0].message.tool_calls[0].function.name";
const ARGUMENTS: &str = "tools at choices[0].message.tool_calls[0].function.arguments";
const CITY: &str = "tools at choices[0].message.tool_calls[0].function.arguments.city";
const CONTENT: &str = "text at choices[0].message.content";

#[rustfmt::skip]
const CASES: [Case; 32] = [
    chat!("llama/chat-same", SAME, SAME, Length Length),
    chat!("llama/chat-text", CONTENT, SAME, Length Length),
    chat!("llama/chat-choices", CONTENT, SAME, Length Length),
    chat!("llama/chat-json", CONTENT, "number at choices[0].message.content.days", Stop Stop),
    chat!("llama/chat-logprobs", SAME, SAME, Length Length),
    chat!("llama/chat-stop-word", SAME, SAME, Stop Stop),
    chat!("llama/chat-stopped", FINISH, FINISH, Stop Length),
    completion!("llama/completion-same", SAME),
    completion!("llama/completion-prompts", SAME),
    completion!("llama/completion-text", "text at choices[0].text"),
    chat!("openai-schema/chat-text-same", SAME, SAME, Stop Stop),
    chat!("openai-schema/chat-wording", CONTENT, SAME, Stop Stop),
    chat!("openai-schema/chat-spaces", CONTENT, SAME, Stop Stop),
    chat!("openai-schema/chat-empty", CONTENT, SAME, Stop Empty),
    chat!("openai-schema/chat-length", FINISH, FINISH, Stop Length),
    chat!("openai-schema/chat-filter", FINISH, FINISH, Stop ContentFilter),
    chat!("openai-schema/chat-filter-same", SAME, SAME, ContentFilter ContentFilter),
    chat!("openai-schema/chat-refusal", REFUSAL, REFUSAL, Stop Refusal),
    chat!("openai-schema/chat-refusal-same", "text at choices[0].message.refusal", SAME, Refusal Refusal),
    chat!("openai-schema/chat-json-same", CONTENT, SAME, Stop Stop),
    chat!("openai-schema/chat-json-value", CONTENT, "text at choices[0].message.content.city", Stop Stop),
    chat!("openai-schema/chat-json-broken", CONTENT, "type at choices[0].message.content", Stop Stop),
    chat!("openai-schema/chat-choices-same", SAME, SAME, Stop Stop),
    chat!("openai-schema/chat-choices-text", "text at choices[1].message.content", SAME, Stop Stop),
    chat!("openai-schema/chat-choices-count", "missing at choices[1]", "missing at choices[1]", Stop Stop),
    chat!("openai-schema/chat-tools-same", SAME, SAME, ToolCalls ToolCalls),
    chat!("openai-schema/chat-tools-two-same", SAME, SAME, ToolCalls ToolCalls),
    chat!("openai-schema/chat-tools-count", "tools at choices[0].message.tool_calls", "tools at choices[0].message.tool_calls", ToolCalls ToolCalls),
    chat!("openai-schema/chat-tools-none", FINISH, FINISH, ToolCalls Stop),
    chat!("openai-schema/chat-tools-name", NAME, NAME, ToolCalls ToolCalls),
    chat!("openai-schema/chat-tools-arguments", CITY, CITY, ToolCalls ToolCalls),
    chat!("openai-schema/chat-tools-broken", ARGUMENTS, ARGUMENTS, ToolCalls ToolCalls),
];

/// A recorded answer; those that are streams say so in their type.
fn recorded(body: &[u8]) -> Answer {
    let content_type = if body.starts_with(b"data:") { &b"text/event-stream"[..] } else { b"application/json; charset=utf-8" };
    Answer { content_type: content_type.to_vec(), ..answer(body) }
}

fn report(task: &Task, primary: &[u8], shadow: &[u8]) -> Report {
    let (wire_format, plan) = (WireFormat::OpenAi, Compare { task: task.clone(), ..Compare::exact() });
    let mut comparison = Comparison::new(wire_format, Rc::new(plan), bounds(), recorded(primary), recorded(shadow));
    until_done(|| comparison.step(&mut 1000))
}

#[test]
fn two_versions_agree_or_diverge_however_they_answer() {
    for case in &CASES {
        for (task, expected) in [(Task::Auto, case.all), (Task::Structure, case.structure)] {
            for primary in [case.whole[0], case.stream[0], case.with_usage[0]] {
                for shadow in [case.whole[1], case.stream[1], case.with_usage[1]] {
                    let report = report(&task, primary, shadow);
                    assert_eq!(say(&report.judgement), expected, "{}, {task:?}", case.name);
                    assert_eq!([report.primary.end, report.shadow.end], case.ends.map(Some), "{}", case.name);
                }
            }
        }
    }
}

#[test]
fn an_answer_is_equivalent_to_its_own_stream() {
    for case in &CASES {
        for side in [0, 1] {
            let report = report(&Task::Auto, case.stream[side], case.whole[side]);
            assert_eq!(say(&report.judgement), "equivalent", "{}", case.name);
            let with_usage = self::report(&Task::Auto, case.with_usage[side], case.whole[side]);
            assert_eq!(with_usage.primary.model_version, with_usage.shadow.model_version, "{}", case.name);
            let tokens = with_usage.primary.tokens;
            assert!(tokens.is_some() && tokens == with_usage.shadow.tokens, "{}: {tokens:?}", case.name);
        }
    }
}

#[test]
fn a_custom_tool_streams_like_a_function() {
    let whole = [body!("openai-schema/chat-tools-custom", "baseline"), body!("openai-schema/chat-tools-custom", "candidate")];
    let stream = body!("openai-schema/chat-tools-custom-stream", "baseline");
    let say = |primary, shadow| say(&report(&Task::Auto, primary, shadow).judgement);
    assert_eq!(say(whole[0], whole[1]), "tools at choices[0].message.tool_calls[0].custom.input");
    assert_eq!(say(stream, whole[1]), "tools at choices[0].message.tool_calls[0].function.arguments");
    assert_eq!(say(stream, whole[0]), "equivalent");
}

#[test]
fn white_space_counts_unless_normalised() {
    let (primary, shadow) = (body!("openai-schema/chat-spaces-stream", "baseline"), body!("openai-schema/chat-spaces", "candidate"));
    for (normalize, expected) in [(false, CONTENT), (true, "equivalent")] {
        assert_eq!(say(&report(&Task::Text { path: None, texts: Texts { normalize, json: false } }, primary, shadow).judgement), expected);
    }
}

#[test]
fn a_stream_that_was_cut_off_is_incomparable() {
    let (stream, whole) = (body!("llama/chat-text-stream", "baseline"), body!("llama/chat-text", "baseline"));
    let half = &stream[..stream.len() / 2];
    assert_eq!(say(&report(&Task::Auto, half, whole).judgement), "Primary: the stream ends early");
    assert_eq!(report(&Task::Auto, half, whole).primary.end, Some(End::Invalid));
    let error = body!("llama/error-no-messages", "candidate");
    assert_eq!(say(&report(&Task::Auto, whole, error).judgement), "Shadow: an error instead of an answer");
}

#[test]
fn embeddings_are_compared_whatever_they_are_written_in() {
    for (primary, shadow, expected) in [
        (body!("llama/embedding-near", "baseline"), body!("llama/embedding-near", "candidate"), SAME),
        (body!("llama/embedding-near", "baseline"), body!("llama/embedding-near-base64", "candidate"), SAME),
        (body!("llama/embedding-near-base64", "baseline"), body!("llama/embedding-near-base64", "candidate"), SAME),
        (body!("llama/embedding-far", "baseline"), body!("llama/embedding-far", "candidate"), "number at data[0].embedding"),
        (body!("llama/embedding-far-base64", "baseline"), body!("llama/embedding-far", "candidate"), "number at data[0].embedding"),
        (
            body!("openai-schema/embedding-dimension", "baseline"),
            body!("openai-schema/embedding-dimension", "candidate"),
            "dimension at data[0].embedding",
        ),
    ] {
        let report = report(&Task::Auto, primary, shadow);
        assert_eq!(say(&report.judgement), expected);
        assert!(report.primary.end.is_none() && report.primary.tokens.is_some());
    }
}

/// All numbers of all embeddings, one after the other.
fn numbers(body: &[u8]) -> Vec<f32> {
    let mut reader = OpenAiReader::new(Rc::new(Held::from(body.to_vec())));
    let content = until_done(|| reader.step(&mut 100)).unwrap();
    let Parts::Embeddings(tensors) = &content.parts else { panic!("{:?}", content.parts) };
    let mut found = Vec::new();
    for tensor in tensors {
        let mut cursor = Cursor::new(tensor);
        found.extend(core::iter::from_fn(|| cursor.next(&content.document)).filter_map(Element::number).map(|number| number as f32));
    }
    found
}

#[test]
fn embeddings_are_the_same_numbers_in_base64() {
    let pairs = [
        (body!("llama/embedding-near", "baseline"), body!("llama/embedding-near-base64", "baseline")),
        (body!("llama/embedding-far", "candidate"), body!("llama/embedding-far-base64", "candidate")),
    ];
    for (plain, base64) in pairs {
        assert_eq!(numbers(plain).len(), 128);
        assert_eq!(numbers(plain), numbers(base64));
    }
}
