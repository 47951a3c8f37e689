//! Real answers of MLServer and Triton, row by row: what two versions make of the same digits and flowers.

use super::tasks::{decision, labels, report, tell};
use super::*;
use crate::config::{Labels, Task};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

macro_rules! pair {
    ($name:literal) => {
        (
            include_str!(concat!("../../../tests/data/answers/", $name, ".baseline.body")),
            include_str!(concat!("../../../tests/data/answers/", $name, ".candidate.body")),
        )
    };
}

#[track_caller]
fn check(task: Task, (primary, shadow): (&str, &str), expected: &str, matrix: &str) {
    let (judgement, decided) = report(Protocol::OpenInference, task, primary, shadow);
    assert_eq!((say(&judgement).as_str(), tell(&decided).as_str()), (expected, matrix), "{primary} against {shadow}");
}

fn auto() -> Task {
    Task::Labels(labels(None))
}

fn at(path: &str) -> Task {
    Task::Labels(labels(Some(path)))
}

#[test]
fn digits_of_mlserver() {
    let batch = "7>7:2 5>5:2 2>9:2 8>8:1 2>2:1 5>6:1 9>9:1 5>4:1";
    check(auto(), pair!("mlserver/digits-batch-json"), "label at outputs[0].data[2]", batch);
    check(at("outputs[1]"), pair!("mlserver/digits-batch-json"), "label at outputs[1].data[20]", batch);
    check(auto(), pair!("mlserver/digits-agree-json"), "equivalent", "7>7:1");
    check(auto(), pair!("mlserver/digits-unsure-json"), "equivalent", "5>5:1");
    check(auto(), pair!("mlserver/digits-scores-json"), "equivalent", "5>5:1");
    check(auto(), pair!("mlserver/digits-flipped-json"), "label at outputs[0].data[0]", "5>4:1");
    check(auto(), pair!("mlserver/words-flipped-json"), "label at outputs[0].data[0]", "five>four:1");
    check(auto(), pair!("mlserver/words-agree-json"), "equivalent", "seven>seven:1");
    let mut task = decision("outputs[1].data[5]");
    task.thresholds = vec![0.5, 0.9];
    check(Task::Decision(task), pair!("mlserver/digits-unsure-json"), "label at outputs[1].data[5]", "block>approve:1");
}

#[test]
fn flowers_of_triton() {
    let batch = "setosa>setosa:1 versicolor>virginica:1 versicolor>versicolor:1";
    check(auto(), pair!("triton/species-batch-json"), "label at outputs[1].data[1]", batch);
    check(auto(), pair!("triton/species-classification-json"), "label at outputs[0].data[3]", batch);
    let named = Labels { names: ["setosa", "versicolor", "virginica"].map(Into::into).to_vec(), ..labels(Some("outputs[0]")) };
    check(Task::Labels(named), pair!("triton/species-batch-json"), "label at outputs[0].data[3]", batch);
    check(at("outputs[2]"), pair!("triton/species-flipped-json"), "label at outputs[2].data[0]", "1>2:1");
}

#[test]
fn binary_tensors_have_the_same_rows() {
    let answer = |body: &[u8], head: &str| {
        let length = head.lines().find_map(|line| line.strip_prefix("inference-header-content-length: ")).unwrap();
        Answer { inference_header_length: length.as_bytes().to_vec(), ..answer(body) }
    };
    let primary = answer(
        include_bytes!("../../../tests/data/answers/triton/species-batch-binary.baseline.body"),
        include_str!("../../../tests/data/answers/triton/species-batch-binary.baseline.head"),
    );
    let shadow = answer(
        include_bytes!("../../../tests/data/answers/triton/species-batch-binary.candidate.body"),
        include_str!("../../../tests/data/answers/triton/species-batch-binary.candidate.head"),
    );
    for (task, path, matrix) in [
        (auto(), "outputs[1].data[1]", "setosa>setosa:1 versicolor>virginica:1 versicolor>versicolor:1"),
        (at("outputs[0]"), "outputs[0].data[3]", "0>0:1 1>2:1 1>1:1"),
        (at("outputs[2].data[*]"), "outputs[2].data[1]", "0>0:1 1>2:1 1>1:1"),
    ] {
        let plan = Rc::new(Compare { task, ..Compare::exact() });
        let mut comparison = Comparison::new(WireFormat::OpenInference, plan, bounds(), primary.clone(), shadow.clone());
        let report = done(comparison.step(&mut usize::MAX.clone()));
        assert_eq!((say(&report.judgement), tell(&report.decided).as_str()), (format!("label at {path}"), matrix));
    }
}
