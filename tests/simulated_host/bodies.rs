//! Odd requests and answers: bodies cut in any way, too long, too deep, none at all. The client notices nothing, the copy is whole.

use serde_json::json;

use crate::copies::copy;
use crate::network::{Answer, Reply};
use crate::setup::{QUESTION, With, says, shadowed, start};
use crate::traffic::Request;

#[test]
fn bodies_come_over_whole_however_they_are_cut() {
    let cases: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("none", vec![]),
        ("empty", vec![vec![]]),
        ("one byte at a time", QUESTION.bytes().map(|byte| vec![byte]).collect()),
        ("with empty pieces", vec![vec![], QUESTION.into(), vec![], vec![]]),
        ("broken JSON", vec![b"{\"inputs\": [1, payload".to_vec()]),
        ("not UTF-8", vec![vec![0xff, 0x00, 0xfe]]),
        ("deep", vec!["[".repeat(10_000).into_bytes(), "]".repeat(10_000).into_bytes()]),
        ("NaN", vec![br#"{"inputs":[NaN, Infinity, -Infinity]}"#.to_vec()]),
    ];
    for (what, pieces) in cases {
        for trailers in [false, true] {
            let (mut world, place) = start(&shadowed());
            let mut request = Request::post("r1", "").pieces(pieces.clone());
            if trailers {
                request = request.trailer("x-checksum", "payload");
            }
            let exchange = world.exchange(place, request);
            world.check();
            assert!(world.exchanges[exchange].client.complete, "{what}");
            assert_eq!(copy(&world).body, pieces.concat(), "{what}");
            assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 1)].into(), "{what}");
        }
    }
}

#[test]
fn a_large_body_passes_and_is_copied_if_it_may_be() {
    let pieces: Vec<Vec<u8>> = vec![vec![b'x'; 64 << 10]; 80];
    for (limits, outcome) in [(json!({}), "unsent_body"), (json!({"body": "8MiB", "memory": "16MiB"}), "compared")] {
        let (mut world, place) = start(&shadowed().with("/limits", limits));
        let exchange = world.exchange(place, Request::post("r1", "").pieces(pieces.clone()));
        world.check();
        assert_eq!(world.exchanges[exchange].upstream.body.len(), 5 << 20);
        assert_eq!(world.outcomes("copy"), [(outcome.to_owned(), 1)].into());
    }
}

#[test]
fn answers_that_are_odd_are_left_alone() {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases = [
        ("empty", String::new(), "compared"),
        ("NaN", r#"{"score": NaN}"#.to_owned(), "compared"),
        ("deep but the same", deep, "compared"),
    ];
    for (what, body, outcome) in cases {
        let (mut world, place) = start(&shadowed());
        for cluster in ["primary", "shadow"] {
            let body = body.clone();
            world.serve(cluster, move |_| Reply::Whole(Answer::json(body.clone()).piece(7).trailer("x-done", "1")));
        }
        let exchange = world.exchange(place, Request::post("r1", QUESTION));
        world.check();
        assert!(world.exchanges[exchange].client.complete, "{what}");
        assert_eq!(world.outcomes("copy"), [(outcome.to_owned(), 1)].into(), "{what}");
    }
}

#[test]
fn an_answer_too_deep_to_read_is_incomparable() {
    let (mut world, place) = start(&shadowed());
    let deep = |core: &str| format!("{}{core}{}", "[".repeat(10_000), "]".repeat(10_000));
    let (one, two) = (deep("1"), deep("2"));
    world.serve("primary", move |_| says(&one, 2));
    world.serve("shadow", move |_| says(&two, 3));
    world.exchange(place, Request::post("r1", QUESTION));
    world.check();
    assert_eq!(world.outcomes("copy"), [("incomparable".to_owned(), 1)].into());
}

#[test]
fn other_methods_pass_untouched() {
    let (mut world, place) = start(&shadowed());
    for method in ["GET", "HEAD", "OPTIONS", "PUT"] {
        world.exchange(place, Request::new(method, "/infer").header("x-request-id", "r"));
    }
    world.check();
    assert_eq!(world.sum("gnomon_requests_total", &[]), 0);
    assert!(world.calls("shadow").is_empty());
}

#[test]
fn a_get_and_a_head_can_be_copied() {
    let any = shadowed().with("/routes/0/match", json!({"methods": ["GET", "HEAD"]}));
    for method in ["GET", "HEAD"] {
        let (mut world, place) = start(&any);
        world.exchange(place, Request::new(method, "/infer").header("x-request-id", "r").header("content-length", "0"));
        world.check();
        let copy = copy(&world);
        assert_eq!((copy.header(":method").as_deref(), copy.body.len()), (Some(method), 0));
        assert_eq!(copy.header("content-length").unwrap_or("0".to_owned()), "0", "no length without a body");
        assert_eq!(world.outcomes("copy"), [("compared".to_owned(), 1)].into());
    }
}
