//! Real answers of KServe's own server in its V1 protocol: what comes of each pair under each task that fits.

use super::tasks::{decision, labels, report, tell};
use super::*;
use crate::config::{Labels, Task};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

macro_rules! pair {
    ($name:literal) => {
        (
            include_str!(concat!("../../../tests/data/answers/kserve/", $name, ".baseline.body")),
            include_str!(concat!("../../../tests/data/answers/kserve/", $name, ".candidate.body")),
        )
    };
}

#[track_caller]
fn check(task: Task, (primary, shadow): (&str, &str), expected: &str, matrix: &str) {
    let (judgement, decided) = report(Protocol::KserveV1, task, primary, shadow);
    assert_eq!((say(&judgement).as_str(), tell(&decided).as_str()), (expected, matrix), "{primary} against {shadow}");
}

#[test]
fn auto_compares_predictions() {
    for (pair, expected) in [
        (pair!("digits-agree"), "identical"),
        (pair!("digits-batch"), "number at predictions[2]"),
        (pair!("digits-flipped"), "number at predictions[0]"),
        (pair!("digits-unsure"), "identical"),
        (pair!("objects-agree"), "number at predictions[0].score"),
        (pair!("objects-batch"), "number at predictions[0].score"),
        (pair!("objects-flipped"), "text at predictions[0].label"),
        (pair!("scores-agree"), "number at predictions[0][0]"),
        (pair!("scores-flipped"), "number at predictions[0][0]"),
        (pair!("size-agree"), "number at predictions[0]"),
        (pair!("words-agree"), "identical"),
        (pair!("words-flipped"), "text at predictions[0]"),
        (pair!("words-batch"), "text at predictions[2]"),
        (pair!("error-unknown-model"), "identical"),
    ] {
        check(Task::Auto, pair, expected, "");
    }
    let (found, _) = pair!("digits-agree");
    check(Task::Auto, (found, pair!("error-unknown-model").1), "Shadow: neither predictions nor outputs", "");
}

/// The digits of the batch, and what the candidate makes of them, are the same however a prediction is written.
#[test]
fn labels_are_counted() {
    let batch = "7>7:1 5>5:1 2>9:2 8>8:1 2>2:1 5>6:1 5>4:1";
    let words = "seven>seven:1 five>five:1 two>nine:2 eight>eight:1 two>two:1 five>six:1 five>four:1";
    let auto = || Task::Labels(labels(None));
    let at = |path| Task::Labels(labels(Some(path)));
    check(auto(), pair!("digits-batch"), "label at predictions[2]", batch);
    check(auto(), pair!("scores-batch"), "label at predictions[2]", batch);
    check(auto(), pair!("words-batch"), "label at predictions[2]", words);
    check(at("predictions[*].label"), pair!("objects-batch"), "label at predictions[2].label", words);
    check(auto(), pair!("digits-unsure"), "identical", "5>5:1");
    check(auto(), pair!("scores-unsure"), "equivalent", "5>5:1");
    check(auto(), pair!("scores-agree"), "equivalent", "7>7:1");
    check(auto(), pair!("scores-flipped"), "label at predictions[0]", "5>4:1");
    check(auto(), pair!("words-flipped"), "label at predictions[0]", "five>four:1");
    check(at("predictions[*].label"), pair!("objects-unsure"), "equivalent", "five>five:1");
    check(at("predictions[0].label"), pair!("objects-flipped"), "label at predictions[0].label", "five>four:1");
    check(
        auto(),
        pair!("objects-agree"),
        "Primary: predictions[0]: an object is no row: let the path of compare.task lead to labels, numbers or vectors",
        "",
    );
    // One version answers with labels, the other with scores.
    check(auto(), (pair!("digits-flipped").0, pair!("scores-flipped").1), "label at predictions[0]", "5>4:1");
    check(auto(), (pair!("digits-unsure").0, pair!("scores-unsure").1), "equivalent", "5>5:1");
    let top = |overlap| Task::Labels(Labels { top: 3, overlap, ..labels(None) });
    check(top(1), pair!("scores-unsure"), "equivalent", "5>5:1");
}

#[test]
fn decisions_are_counted() {
    check(Task::Decision(decision("predictions[*].score")), pair!("objects-unsure"), "label at predictions[0].score", "block>review:1");
    check(Task::Decision(decision("predictions[*].score")), pair!("objects-flipped"), "equivalent", "block>block:1");
}

#[test]
fn numbers_alone() {
    let at = |path: &str| Task::Regression { path: Some(self::path(path)) };
    check(Task::Regression { path: None }, pair!("size-agree"), "number at predictions[0]", "");
    check(at("predictions[*].score"), pair!("objects-flipped"), "number at predictions[0].score", "");
    let nothing = "Primary: nothing that compare.task looks at: choose another task or path";
    check(Task::Regression { path: None }, pair!("words-flipped"), nothing, "");
}
