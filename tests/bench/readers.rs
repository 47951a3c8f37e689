//! Comparisons of 1 MiB answers, for `readers.mjs` to time in Wasm. Each case is a pair of answers that are equal within tolerance, so that
//! both are read and compared to the end. What a case is called, and how it is read, is in [`CASES`].

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Poll;

use gnomon::capture::{Capture, Ledger};
use gnomon::compare::read::reader::Bounds;
use gnomon::compare::read::wire_format::WireFormat;
use gnomon::compare::{Answer, Comparison, Judgement};
use gnomon::config::{Compare, GivenTolerance};

/// Bytes of tensor data in each answer, about.
const SIZE: usize = 1 << 20;

/// What the shadow's numbers are multiplied by: well within tolerance, and no text or word stays the same.
const NEAR: f32 = 1.0001;

/// A pair to compare.
struct Case {
    name: &'static str,
    wire_format: WireFormat,
    /// Makes an answer of these numbers.
    answer: fn(&[f32]) -> Answer,
    /// Bytes that a number takes in it, about.
    width: usize,
}

/// The first is what the others are set against.
const CASES: [Case; 9] = [
    Case { name: "JSON, as any JSON", wire_format: WireFormat::Json, answer: json, width: 12 },
    Case { name: "open-inference, JSON", wire_format: WireFormat::OpenInference, answer: json, width: 12 },
    Case { name: "open-inference, binary FP32", wire_format: WireFormat::OpenInference, answer: binary, width: 4 },
    Case { name: "open-inference, gRPC raw FP32", wire_format: WireFormat::OpenInferenceGrpc, answer: grpc, width: 4 },
    Case { name: "kserve-v1", wire_format: WireFormat::KserveV1, answer: predictions, width: 12 },
    Case { name: "openai, embedding", wire_format: WireFormat::OpenAi, answer: embedding, width: 12 },
    Case { name: "openai, embedding in base64", wire_format: WireFormat::OpenAi, answer: embedding_base64, width: 6 },
    Case { name: "openai, chat", wire_format: WireFormat::OpenAi, answer: chat, width: TOKEN.len() },
    Case { name: "openai, chat as a stream", wire_format: WireFormat::OpenAi, answer: stream, width: 260 },
];

thread_local! {
    static COMPARISON: RefCell<Option<Comparison>> = const { RefCell::new(None) };
}

/// The name of a case, for the text at [`name`].
#[unsafe(no_mangle)]
pub extern "C" fn name_length(case: usize) -> usize {
    CASES.get(case).map_or(0, |case| case.name.len())
}

/// Where the name of a case is.
#[unsafe(no_mangle)]
pub extern "C" fn name(case: usize) -> *const u8 {
    CASES.get(case).map_or(std::ptr::null(), |case| case.name.as_ptr())
}

/// Makes the two answers of a case ready; how many bytes they have. With `same`, only the last numbers differ.
#[unsafe(no_mangle)]
pub extern "C" fn begin(case: usize, same: bool) -> usize {
    let Case { wire_format, answer, width, .. } = CASES[case];
    let numbers = numbers(SIZE / width);
    let mut near: Vec<f32> = numbers.iter().map(|number| number * if same { 1.0 } else { NEAR }).collect();
    if let Some(last) = near.last_mut() {
        *last = NEAR;
    }
    let (primary, shadow) = (answer(&numbers), answer(&near));
    let length = |answer: &Answer| answer.body.as_ref().map_or(0, |body| body.bytes().len());
    let bytes = length(&primary) + length(&shadow);
    let plan = Compare { default: GivenTolerance::default(), ..Compare::exact() };
    COMPARISON.set(Some(Comparison::new(wire_format, Rc::new(plan), Bounds { ledger: ledger(), body: usize::MAX }, primary, shadow)));
    bytes
}

/// Compares on; 0: not done, 1: equal within tolerance, 2: anything else, which is a mistake in this file.
#[unsafe(no_mangle)]
pub extern "C" fn step(budget: usize) -> u32 {
    COMPARISON.with_borrow_mut(|comparison| match comparison.as_mut().map(|comparison| comparison.step(&mut budget.clone())) {
        Some(Poll::Pending) => 0,
        Some(Poll::Ready(report)) if report.judgement == Judgement::Equivalent => 1,
        _ => 2,
    })
}

/// Numbers between -5 and 5 that look random; the last is 1.
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32 * 10.0 - 5.0
    };
    (1..count).map(|_| next()).chain([1.0]).collect()
}

fn json(numbers: &[f32]) -> Answer {
    let text = format!(r#"{{"model_name":"m","outputs":[{{{},"data":[{}]}}]}}"#, head(numbers), listed(numbers));
    answer(text.into_bytes(), Vec::new())
}

fn binary(numbers: &[f32]) -> Answer {
    let size = numbers.len() * 4;
    let text = format!(r#"{{"model_name":"m","outputs":[{{{},"parameters":{{"binary_data_size":{size}}}}}]}}"#, head(numbers));
    let header = text.len().to_string().into_bytes();
    answer(text.into_bytes().into_iter().chain(numbers.iter().flat_map(|number| number.to_le_bytes())).collect(), header)
}

/// A `ModelInferResponse` with one output and its `raw_output_contents`, in its frame.
fn grpc(numbers: &[f32]) -> Answer {
    let output = [field(1, b"scores"), field(2, b"FP32"), field(3, &varint(numbers.len()))].concat();
    let raw: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let message = [field(1, b"m"), field(5, &output), field(6, &raw)].concat();
    let length = u32::try_from(message.len()).expect("it is short enough").to_be_bytes();
    answer([&[0], &length[..], &message].concat(), Vec::new())
}

/// A length-delimited field of Protobuf.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2], &varint(value.len())[..], value].concat()
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn predictions(numbers: &[f32]) -> Answer {
    answer(format!(r#"{{"predictions":[{}]}}"#, listed(numbers)).into_bytes(), Vec::new())
}

fn embedding(numbers: &[f32]) -> Answer {
    answer(format!(r#"{{"data":[{{"index":0,"embedding":[{}]}}]}}"#, listed(numbers)).into_bytes(), Vec::new())
}

fn embedding_base64(numbers: &[f32]) -> Answer {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // Three numbers are four times four characters; what is over is left out.
    let bytes: Vec<u8> = numbers[numbers.len() % 3..].iter().flat_map(|number| number.to_le_bytes()).collect();
    let encode = |three: &[u8]| {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift) as usize & 63]))
    };
    let text: String = bytes.chunks_exact(3).flat_map(encode).collect();
    answer(format!(r#"{{"data":[{{"index":0,"embedding":"{text}"}}]}}"#).into_bytes(), Vec::new())
}

/// What a model says with each token.
const TOKEN: &str = " shadow";

/// As many tokens as numbers; the id tells the two answers apart.
fn chat(numbers: &[f32]) -> Answer {
    let (id, text) = (id(numbers), TOKEN.repeat(numbers.len()));
    let message = format!(r#"{{"role":"assistant","content":"{text}"}}"#);
    answer(format!(r#"{{"id":"{id}","choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}]}}"#).into_bytes(), Vec::new())
}

/// The same as events, with what OpenAI has in each.
fn stream(numbers: &[f32]) -> Answer {
    let id = id(numbers);
    let event = |delta: &str, finish: &str| {
        let around = r#""object":"chat.completion.chunk","created":1764000000,"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_50cad350e4""#;
        format!(
            "data: {{\"id\":\"{id}\",{around},\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let delta = format!(r#"{{"content":"{TOKEN}"}}"#);
    let text = event(&delta, "null").repeat(numbers.len()) + &event("{}", "\"stop\"") + "data: [DONE]\n\n";
    Answer { content_type: b"text/event-stream".to_vec(), ..answer(text.into_bytes(), Vec::new()) }
}

fn id(numbers: &[f32]) -> String {
    format!("chatcmpl-{:?}", numbers.last())
}

fn listed(numbers: &[f32]) -> String {
    numbers.iter().map(f32::to_string).collect::<Vec<_>>().join(",")
}

fn head(numbers: &[f32]) -> String {
    format!(r#""name":"scores","datatype":"FP32","shape":[{}]"#, numbers.len())
}

/// An account that takes anything.
fn ledger() -> Ledger {
    let ledger = Ledger::default();
    ledger.set_limit(usize::MAX);
    ledger
}

fn answer(body: Vec<u8>, inference_header_length: Vec<u8>) -> Answer {
    Answer {
        status: 200,
        content_type: b"application/json".to_vec(),
        content_encoding: Vec::new(),
        inference_header_length,
        grpc_encoding: Vec::new(),
        body: Ok(Capture::whole(body, usize::MAX, &ledger()).expect("there is room")),
    }
}
