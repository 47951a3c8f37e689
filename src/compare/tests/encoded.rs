//! Answers in content codings: decoded within `limits.body`, in slices, and told apart from those that can't be.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ANSWER: &[u8] = include_bytes!("../../../tests/data/encodings/answer.json");

fn encoded(content_encoding: &str, body: &[u8]) -> Answer {
    Answer { content_encoding: content_encoding.as_bytes().to_vec(), ..answer(body) }
}

/// Every answer with its codings.
const ENCODED: [(&str, &[u8]); 5] = [
    ("gzip", include_bytes!("../../../tests/data/encodings/answer.gz")),
    ("deflate", include_bytes!("../../../tests/data/encodings/answer.zlib")),
    ("br", include_bytes!("../../../tests/data/encodings/answer.br")),
    ("zstd", include_bytes!("../../../tests/data/encodings/answer.zst")),
    ("zstd, deflate, br, gzip", include_bytes!("../../../tests/data/encodings/answer.zst.deflate.br.gz")),
];

#[test]
fn codings_make_no_difference() {
    let plan = Compare::exact();
    for (codings, body) in ENCODED {
        for protocol in [Protocol::Json, Protocol::Opaque] {
            let judge = |primary, shadow| say(&judge_answers(protocol, &plan, primary, shadow));
            assert_eq!(judge(encoded(codings, body), answer(ANSWER)), "identical", "{codings}");
            assert_eq!(judge(answer(ANSWER), encoded(codings, body)), "identical", "{codings}");
        }
        let other = judge_answers(Protocol::Json, &plan, encoded(codings, body), answer(b"[]"));
        assert!(matches!(other, Judgement::Diverged(_)), "{codings}");
    }
}

#[test]
fn a_bomb_is_incomparable_after_bounded_work() {
    for (codings, body) in [
        ("gzip, gzip", &include_bytes!("../../../tests/data/encodings/bomb.gz.gz")[..]),
        ("br", include_bytes!("../../../tests/data/encodings/bomb.br")),
        ("gzip, br", include_bytes!("../../../tests/data/encodings/bomb.gz.br")),
        ("zstd, gzip", include_bytes!("../../../tests/data/encodings/bomb.zst.gz")),
    ] {
        let bounds = bounds();
        let (plan, ledger) = (Rc::new(Compare::exact()), bounds.ledger.clone());
        let mut comparison = Comparison::new(WireFormat::Json, plan, bounds, answer(b"[]"), encoded(codings, body));
        let mut steps = 0;
        let report = loop {
            let mut budget = 64 << 10;
            steps += 1;
            if let Poll::Ready(report) = comparison.step(&mut budget) {
                break report;
            }
            assert!(ledger.used() <= 1 << 20, "{codings} holds {} bytes", ledger.used());
            assert!(steps < 200, "{codings} takes too long");
        };
        assert_eq!(say(&report.judgement), "Shadow: longer than limits.body", "{codings}");
        drop(comparison);
        assert_eq!(ledger.used(), 0);
    }
}

#[test]
fn a_damaged_body_says_so() {
    let gzip = ENCODED[0].1;
    let judge = |primary| say(&judge_answers(Protocol::Json, &Compare::exact(), primary, answer(ANSWER)));
    assert_eq!(judge(encoded("gzip", &gzip[..gzip.len() - 1])), "Primary: the encoded body is truncated");
    assert_eq!(judge(encoded("gzip", b"")), "Primary: the encoded body is truncated");
    assert_eq!(judge(encoded("zstd", gzip)), "Primary: the encoded body is corrupt");
}

#[test]
fn slices_change_nothing_of_what_is_decoded() {
    for (codings, body) in ENCODED {
        for budget in [1, 100, 5000] {
            let plan = Rc::new(Compare::exact());
            let mut comparison = Comparison::new(WireFormat::Json, plan, bounds(), encoded(codings, body), answer(ANSWER));
            let report = until_done(|| comparison.step(&mut budget.clone()));
            assert_eq!(say(&report.judgement), "identical", "{codings} in slices of {budget}");
        }
    }
}
