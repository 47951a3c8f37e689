//! Random orders of events: nothing is lost, and all that was taken is given back.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::worker::{Worker, config, head};
use crate::engine::ending::Ending;
use crate::engine::event::{CallError, Event};
use crate::engine::head::{Head, Reply};
use crate::engine::ids::{RootId, StreamId};

/// One step of a random life.
#[derive(Clone, Debug)]
enum Act {
    Request { stream: StreamId, end: bool },
    Upload { stream: StreamId, chunk: String, end: bool },
    Answer { stream: StreamId, status: u16, streamed: bool },
    Piece { stream: StreamId, piece: String },
    AnsweredBy { stream: StreamId, cluster: String },
    End { stream: StreamId, ending: Option<bool> },
    Work { root: RootId, taken: bool },
    Shadow { call: usize, status: Option<u16>, piece: String },
    Pass(u64),
}

/// A piece of a body: one that qualifies for the second shadow, one that does not, one that is no JSON, or blanks.
fn chunk() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(r#"{"a":1}"#.to_owned()),
        Just(r#"{"a":2}"#.to_owned()),
        (0..60_usize).prop_map(|size| "x".repeat(size)),
        (0..60_usize).prop_map(|size| " ".repeat(size)),
    ]
}

/// A piece of an answer: JSON, events of a stream, its end, or half an event.
fn piece() -> impl Strategy<Value = String> {
    let delta = r#"data: {"choices":[{"index":0,"delta":{"content":"abcdefgh"}}]}"#;
    prop_oneof![
        Just(r#"{"a":1}"#.to_owned()),
        Just(format!("{delta}\n\n")),
        Just(delta[..30].to_owned()),
        Just(delta[30..].to_owned()),
        Just("\n\n".to_owned()),
        Just(r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.to_owned() + "\n\ndata: [DONE]\n\n"),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let stream = 1..8_u32;
    prop_oneof![
        (stream.clone(), any::<bool>()).prop_map(|(stream, end)| Act::Request { stream, end }),
        (stream.clone(), chunk(), any::<bool>()).prop_map(|(stream, chunk, end)| Act::Upload { stream, chunk, end }),
        (stream.clone(), prop_oneof![Just(200), Just(500), Just(101)], any::<bool>()).prop_map(|(stream, status, streamed)| Act::Answer {
            stream,
            status,
            streamed
        }),
        (stream.clone(), piece()).prop_map(|(stream, piece)| Act::Piece { stream, piece }),
        (stream.clone(), "[a-c]").prop_map(|(stream, cluster)| Act::AnsweredBy { stream, cluster }),
        (stream, any::<Option<bool>>()).prop_map(|(stream, ending)| Act::End { stream, ending }),
        (1..3_u32, prop::bool::weighted(0.9)).prop_map(|(root, taken)| Act::Work { root, taken }),
        (0..4_usize, prop::option::of(prop_oneof![Just(200), Just(429), Just(503)]), prop::collection::vec(piece(), 0..4))
            .prop_map(|(call, status, pieces)| Act::Shadow { call, status, piece: pieces.concat() }),
        (0..4000_u64).prop_map(Act::Pass),
    ]
}

proptest! {
    /// Whatever the order of events: nothing is lost, and all that was taken is given back.
    #[test]
    fn every_sampled_request_ends_in_one_outcome(
        acts in prop::collection::vec(act(), 1..120),
        retire_first in any::<bool>(),
        generates in any::<bool>(),
        bucket in any::<Option<bool>>(),
    ) {
        let limits = json!({"limits": {"body": "100B", "memory": "300B", "pairs": 4}});
        let mut all = config(limits);
        let conditional = json!({"name": "w", "cluster": "shadow", "percent": 100, "when": {"body": [{"path": "a", "exact": 1}]}});
        all["routes"][0]["shadows"].as_array_mut().unwrap().push(conditional);
        all["routes"][0]["protocol"] = if generates { "openai" } else { "json" }.into();
        if let Some(bucket) = bucket {
            all["routes"][0]["observe"] = json!({"baseline": "a", "variants":
                [{"name": "a", "cluster": {"exact": "a"}}, {"name": "b", "cluster": {"exact": "b"}}]});
            if bucket {
                all["routes"][0]["observe"]["bucket"] = json!({"key": "request"});
            }
        }
        let mut worker = Worker::new(all.clone());
        worker.configure(2, all);
        let mut calls = Vec::new();
        let mut token = 0;
        for act in acts {
            match act {
                Act::Request { stream, end } if !worker.engine.exchanges.contains_key(&stream) => {
                    worker.chosen = ["a", "b", "c"].get(stream as usize % 4).map(|cluster| (*cluster).to_owned());
                    worker.request(1 + stream % 2, stream, &[], end);
                }
                Act::Request { .. } => {}
                Act::Upload { stream, chunk, end } => worker.upload(stream, &chunk, end),
                Act::Answer { stream, status, streamed } => {
                    let head = if streamed { Head { content_type: b"text/event-stream".to_vec(), ..head(status) } } else { head(status) };
                    worker.handle(Event::ResponseHeaders { stream, head });
                }
                Act::AnsweredBy { stream, cluster } => worker.handle(Event::AnsweredBy { stream, cluster }),
                Act::Piece { stream, piece } => worker.handle(Event::ResponseBody { stream, chunk: piece.into() }),
                Act::End { stream, ending: None } => worker.end(stream),
                Act::End { stream, ending: Some(true) } => worker.handle(Event::StreamEnd { stream, ending: Ending::ClientLeft, first_byte: None }),
                Act::End { stream, ending: Some(false) } => worker.handle(Event::StreamEnd { stream, ending: Ending::Broken, first_byte: None }),
                Act::Work { root, taken } => {
                    worker.handle(Event::Work { root });
                    for pair in worker.take_copies() {
                        token += 1;
                        let result = if taken { Ok(token) } else { Err(CallError::Refused) };
                        worker.handle(Event::Dispatched { pair, result });
                        if taken {
                            calls.push(token);
                        }
                    }
                }
                Act::Shadow { call, status, piece } if call < calls.len() => {
                    let content_type = if piece.starts_with("data") { "text/event-stream" } else { "application/json" };
                    let head = |status| Head { content_type: content_type.into(), ..head(status) };
                    let reply = status.map(|status| Reply { head: head(status), from_upstream: true, body: Some(piece.into()) });
                    worker.handle(Event::ShadowAnswered { token: calls.swap_remove(call), reply });
                }
                Act::Shadow { .. } => {}
                Act::Pass(milliseconds) => worker.pass(Duration::from_millis(milliseconds)),
            }
            let open = worker.engine.pairs.values().filter(|pair| pair.sampled).count() as i64;
            prop_assert_eq!(worker.sum(&["gnomon_open_pairs"]), open);
            for shadow in ["shadow=.=s;", "shadow=.=w;"] {
                let sum = |stat| worker.sum(&[stat, shadow]);
                prop_assert_eq!(sum("gnomon_shadow_outcomes_total") + sum("gnomon_open_pairs"), sum("gnomon_sampled_total"));
            }
            let told = worker.sum(&["gnomon_shadow_outcomes_total"]) + worker.sum(&["gnomon_unjudged_total"]);
            prop_assert!(worker.evidence.len() as i64 <= told, "a line a pair at most");
            prop_assert_eq!(worker.sum(&["gnomon_captured_bytes"]), worker.engine.ledger.used() as i64);
            prop_assert!(worker.engine.pairs.len() <= 4 && worker.engine.ledger.used() <= 300);
        }
        for stream in 1..8 {
            worker.handle(Event::StreamEnd { stream, ending: Ending::Broken, first_byte: None });
        }
        for root in if retire_first { [2, 1] } else { [1, 2] } {
            worker.handle(Event::Retire { root });
        }
        for token in calls {
            if worker.engine.calls.contains_key(&token) {
                worker.handle(Event::ShadowAnswered { token, reply: None });
            }
        }
        for root in [1, 2] {
            worker.handle(Event::Work { root });
        }
        for pair in worker.take_copies() {
            worker.handle(Event::Dispatched { pair, result: Err(CallError::Refused) });
        }
        worker.assert_at_rest();
        prop_assert_eq!(worker.sum(&["gnomon_breaker_open"]), 0, "every root context has ended");
    }
}
