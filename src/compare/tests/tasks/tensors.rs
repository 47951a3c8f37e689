//! Rows of tensors, and what is ignored of rows.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// An answer of the Open Inference Protocol with these outputs: name, datatype, shape, data.
fn outputs(outputs: &[(&str, &str, &str, &str)]) -> String {
    let output = |(name, datatype, shape, data): &(&str, &str, &str, &str)| {
        format!(r#"{{"name":"{name}","datatype":"{datatype}","shape":{shape},"data":{data}}}"#)
    };
    format!(r#"{{"model_name":"m","outputs":[{}]}}"#, outputs.iter().map(output).collect::<Vec<_>>().join(","))
}

#[test]
fn tensors_have_rows() {
    let check = |task: Task, primary: &str, shadow: &str, expected: &str, matrix: &str| {
        expect(Protocol::OpenInference, task, primary, shadow, expected, matrix);
    };
    let auto = || Task::Labels(labels(None));
    let at = |path| Task::Labels(labels(Some(path)));
    let a = outputs(&[("scores", "FP32", "[2,3]", "[1,2,3,3,2,1]"), ("label", "INT64", "[2,1]", "[7,8]")]);
    let b = outputs(&[("label", "INT64", "[2]", "[7,9]"), ("scores", "FP32", "[2,3]", "[[1,2,3],[1,2,1]]")]);
    // Labels before scores, whatever the order; paths are the primary's.
    check(auto(), &a, &b, "label at outputs[1].data[1]", "7>7:1 8>9:1");
    check(auto(), &b, &a, "label at outputs[0].data[1]", "7>7:1 9>8:1");
    for path in ["outputs[0]", "outputs[0].data"] {
        check(at(path), &a, &b, "label at outputs[0].data[3]", "2>2:1 0>1:1");
    }
    check(at("outputs[1].data[*]"), &a, &b, "label at outputs[1].data[1]", "7>7:1 8>9:1");
    check(at("outputs[1].data[0]"), &a, &b, "equivalent", "7>7:1");
    check(at("outputs[1].data[1]"), &a, &b, "label at outputs[1].data[1]", "8>9:1");
    check(at("outputs[0].data[4]"), &a, &b, "equivalent", "2>2:1");
    check(at("outputs[*]"), &a, &b, "label at outputs[1].data[1]", "7>7:1 8>9:1 2>2:1 0>1:1");
    check(at("outputs[0].data[6]"), &a, &b, "Primary: no rows where compare.task looks: see its path", "");
    check(at("outputs[2]"), &a, &b, "Primary: no rows where compare.task looks: see its path", "");
    const NO_OUTPUT: &str = "Primary: the path of compare.task leads to no output: write outputs[0], outputs[0].data or outputs[0].data[*]";
    for path in ["outputs", "outputs[0].shape", "outputs.data", "$", "predictions[*]", "outputs[0].data[0][0]"] {
        check(at(path), &a, &b, NO_OUTPUT, "");
    }
    check(auto(), &a, &outputs(&[("scores", "FP32", "[1,3]", "[1,2,3]")]), "missing at outputs[1]", "");
    check(auto(), &a, &outputs(&[("label", "INT64", "[1]", "[7]")]), "length at outputs[1].data", "7>7:1");
    let vector = |data: &str| outputs(&[("s", "FP64", "[1,2]", data)]);
    check(auto(), &vector("[1,2]"), &outputs(&[("s", "FP64", "[1,3]", "[1,2,3]")]), "dimension at outputs[0].data[0]", "1>2:1");
    let words = |data: &str| outputs(&[("w", "BYTES", "[1,3]", data)]);
    let (a, b) = (words(r#"["0.9:2:cat","0.1:1:dog","0.0:0:cow"]"#), words(r#"["0.8:2:cat","0.1:0:cow","0.05:1:dog"]"#));
    check(auto(), &a, &b, "equivalent", "cat>cat:1");
    check(Task::Labels(Labels { top: 2, overlap: 2, ..labels(None) }), &a, &b, "label at outputs[0].data[0]", "cat>cat:1");
    check(auto(), &words(r#"["0.9:2","x","y"]"#), &words(r#"["0.5:2:3","x","y"]"#), "label at outputs[0].data[0]", "2>3:1");
    let single = |data: &str| outputs(&[("p", "FP32", "[2,1]", data)]);
    check(auto(), &single("[1.0,0.0]"), &single("[1,1]"), "label at outputs[0].data[1]", "1>1:1 0>1:1");
    let decide = |path| Task::Decision(decision(path));
    check(
        decide("outputs[0].data"),
        &single("[0.1,0.9]"),
        &single("[0.2,0.6]"),
        "label at outputs[0].data[1]",
        "approve>approve:1 block>review:1",
    );
    check(
        decide("outputs[0]"),
        &vector("[0.1,0.9]"),
        &vector("[0.2,0.6]"),
        "label at outputs[0].data[1]",
        "approve>approve:1 block>review:1",
    );
}

#[test]
fn tensors_have_vectors() {
    let check = |task: Task, primary: &str, shadow: &str, expected: &str| {
        expect(Protocol::OpenInference, task, primary, shadow, expected, "");
    };
    let near = |shape: &str, data: &str| outputs(&[("n", "INT64", "[1]", "[1]"), ("e", "FP32", shape, data)]);
    check(embedding(None, 0.999), &near("[2,2]", "[1,0,0,1]"), &near("[2,2]", "[2,0,0,3]"), "equivalent");
    check(embedding(None, 0.999), &near("[2,2]", "[1,0,0,1]"), &near("[2,2]", "[2,0,1,3]"), "number at outputs[1].data[2]");
    // A single dimension is one vector.
    check(embedding(None, 0.9), &near("[4]", "[1,2,3,4]"), &near("[4]", "[1,2,3,4.1]"), "equivalent");
    check(embedding(None, 0.9), &near("[4]", "[1,2,3,4]"), &near("[4]", "[1,2,3,-4]"), "number at outputs[1].data[0]");
    check(embedding(None, 0.9), &near("[4]", "[1,2,3,4]"), &near("[3]", "[1,2,3]"), "dimension at outputs[1].data[0]");
    check(embedding(None, 0.9), &near("[2,2]", "[1,2,3,4]"), &near("[1,2]", "[1,2]"), "length at outputs[1].data");
    check(embedding(Some("outputs[1]"), 0.9), &near("[2,2]", "[1,2,3,4]"), &near("[2,2]", "[1,2,3,4.0]"), "equivalent");
}

#[test]
fn what_is_ignored_is_no_row_and_no_element() {
    let check = |protocol, task: Task, ignored: &[&str], (primary, shadow): (&str, &str), expected: &str, matrix: &str| {
        let plan = Compare { task, ..ignoring(ignored) };
        let (judgement, decided) = report_by(protocol, plan, primary, shadow);
        let found = (say(&judgement), tell(&decided));
        assert_eq!((found.0.as_str(), found.1.as_str()), (expected, matrix), "{primary} against {shadow} without {ignored:?}");
    };
    let label = |path| Task::Labels(labels(Some(path)));
    const NO_ROWS: &str = "Primary: no rows where compare.task looks: see its path";

    // Documents: rows, what is below an ignored path, what only one side has, and elements of vectors, which keep their index.
    let json = |task, ignored: &[&str], pair, expected: &str, matrix: &str| check(Protocol::Json, task, ignored, pair, expected, matrix);
    let rows = (r#"{"r":[{"l":"a"},{"l":"b"},{"l":"c"}]}"#, r#"{"r":[{"l":"a"},{"l":"x"},{"l":"c"}]}"#);
    json(label("r[*].l"), &["r[1]"], rows, "equivalent", "a>a:1 c>c:1");
    json(label("r[*].l"), &["r[1].l", "q", "r[2].q"], rows, "equivalent", "a>a:1 c>c:1");
    json(label("r[*].l"), &["r[0].l"], rows, "label at r[1].l", "b>x:1 c>c:1");
    json(label("r[1].l"), &["r[1]"], rows, NO_ROWS, "");
    for all in ["$", "r", "r[*]", "r[*].l"] {
        json(label("r[*].l"), &[all], rows, NO_ROWS, "");
    }
    json(label("[*].l"), &["[0].l"], (r#"[{"l":1},{"l":2}]"#, r#"[{},{"l":2}]"#), "equivalent", "2>2:1");
    json(label("[*]"), &["[0]"], ("[[1],2,3]", "[1,2,4]"), "label at [2]", "2>2:1 3>4:1");
    json(label("$"), &["[0][1]", "[2]"], ("[[1,9,3],[1,2],[1,2]]", "[[1,0,3],[1,2],[2,1]]"), "equivalent", "2>2:1 1>1:1");
    json(label("$"), &["[0]", "[2]"], ("[9,1,2,5]", "[1,2,9,5]"), "equivalent", "3>3:1");
    json(label("$"), &["[*]"], ("[9,1]", "[1,2]"), NO_ROWS, "");
    let decide = |path| Task::Decision(decision(path));
    json(decide("s[*]"), &["s[1]"], (r#"{"s":[0.1,0.9]}"#, r#"{"s":[0.1,0.2]}"#), "equivalent", "approve>approve:1");
    json(decide("s"), &["s[0]"], (r#"{"s":[0.1,0.9]}"#, r#"{"s":[0.9,0.2]}"#), "label at s[1]", "block>approve:1");
    json(embedding(Some("a"), 0.999), &["a[1]"], (r#"{"a":[1,9,2]}"#, r#"{"a":[1,-7,2.0]}"#), "equivalent", "");
    json(embedding(Some("a[*]"), 0.999), &["a[1]"], (r#"{"a":[[1,2],[1,0]]}"#, r#"{"a":[[1,2],[0,1]]}"#), "equivalent", "");
    let predictions = (r#"{"predictions":[[0],[1]]}"#, r#"{"predictions":[[0],[2]]}"#);
    check(Protocol::KserveV1, Task::Labels(labels(None)), &["predictions[1]"], predictions, "equivalent", "0>0:1");

    // Tensors by outputs, by the flat index of elements, and whole rows of these.
    let answer = |data: &str| outputs(&[("e", "FP32", "[2,2]", data), ("z", "INT64", "[2]", "[7,8]")]);
    let (a, b) = (answer("[1,2,2,1]"), answer("[1,2,1,2]"));
    let tensors = |path, ignored: &[&str], expected: &str, matrix: &str| {
        check(Protocol::OpenInference, label(path), ignored, (&a, &b), expected, matrix);
    };
    tensors("outputs[0]", &[], "label at outputs[0].data[2]", "1>1:1 0>1:1");
    for all in ["$", "outputs", "outputs[0]", "outputs[*].data", "outputs[0].data[*]"] {
        tensors("outputs[0]", &[all], NO_ROWS, "");
    }
    tensors("outputs[*]", &["outputs[0]"], "equivalent", "7>7:1 8>8:1");
    tensors("outputs[0]", &["outputs[0].data[2]", "outputs[0].data[3]"], "equivalent", "1>1:1");
    tensors("outputs[0]", &["outputs[0].data[2]", "outputs[0].data[0]"], "equivalent", "1>1:2");
    tensors("outputs[0].data[*]", &["outputs[0].data[2]"], "label at outputs[0].data[3]", "1>1:1 2>2:1 1>2:1");
    tensors("outputs[0].data[2]", &["outputs[*].data[2]"], NO_ROWS, "");
    let missing = outputs(&[("z", "INT64", "[2]", "[7,8]")]);
    check(Protocol::OpenInference, label("outputs[*]"), &["outputs[0]"], (&a, &missing), "equivalent", "7>7:1 8>8:1");
    let vectors = |ignored: &[&str], expected: &str| {
        check(Protocol::OpenInference, embedding(Some("outputs[0]"), 0.999), ignored, (&a, &b), expected, "");
    };
    vectors(&[], "number at outputs[0].data[2]");
    vectors(&["outputs[0].data[3]"], "equivalent");

    // Embeddings and choices.
    let two = |second: &str| format!(r#"{{"data":[{{"index":0,"embedding":[1,2]}},{{"index":1,"embedding":{second}}}]}}"#);
    let (a, b) = (two("[1,0]"), two("[0,1]"));
    for (ignored, expected) in [
        ("q", "number at data[1].embedding"),
        ("data[1]", "equivalent"),
        ("data[1].embedding", "equivalent"),
        ("data[*].embedding[1]", "number at data[1].embedding"),
    ] {
        check(Protocol::OpenAi, Task::Auto, &[ignored], (&a, &b), expected, "");
    }
    let chat = |text: &str| {
        let choice = |index, text: &str| format!(r#"{{"index":{index},"message":{{"content":"{text}"}},"finish_reason":"stop"}}"#);
        format!(r#"{{"choices":[{},{}]}}"#, choice(0, "yes"), choice(1, text))
    };
    for (ignored, expected, matrix) in [
        ("q", "label at choices[1].message.content", "yes>yes:1 no>yes:1"),
        ("choices[1]", "equivalent", "yes>yes:1"),
        ("choices[1].message.content", "equivalent", "yes>yes:1"),
        ("choices", NO_ROWS, ""),
    ] {
        check(Protocol::OpenAi, Task::Labels(labels(None)), &[ignored], (&chat("no"), &chat("yes")), expected, matrix);
    }
}
