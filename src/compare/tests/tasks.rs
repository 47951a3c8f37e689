//! Tasks that look at rows, as tables: labels, decisions, the direction of vectors, and numbers and texts of JSON.

mod decisions;
mod tensors;

use super::*;
use crate::compare::judgement::Decided;
use crate::config::{Decision, Labels, Task, Texts};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

pub fn labels(path: Option<&str>) -> Labels {
    Labels { path: path.map(self::path), top: 1, overlap: 1, names: Vec::new() }
}

pub fn decision(path: &str) -> Decision {
    Decision {
        path: self::path(path),
        thresholds: vec![0.3, 0.7],
        names: ["approve", "review", "block"].map(Into::into).to_vec(),
        scores: false,
    }
}

pub fn embedding(path: Option<&str>, cosine: f64) -> Task {
    Task::Embedding { path: path.map(self::path), cosine }
}

/// What comes of a pair under a task: the judgement, and the confusion matrix.
pub fn report(protocol: Protocol, task: Task, primary: &str, shadow: &str) -> (Judgement, Vec<Decided>) {
    report_by(protocol, Compare { task, ..Compare::exact() }, primary, shadow)
}

/// The same under a plan.
fn report_by(protocol: Protocol, plan: Compare, primary: &str, shadow: &str) -> (Judgement, Vec<Decided>) {
    let plan = Rc::new(plan);
    let wire_format = WireFormat::of(protocol, Endpoint::Other, b"application/json");
    let begin = || {
        let (primary, shadow) = (answer(primary.as_bytes()), answer(shadow.as_bytes()));
        Comparison::new(wire_format, plan.clone(), bounds(), primary, shadow)
    };
    let report = done(begin().step(&mut usize::MAX.clone()));
    for slice in [1, 37] {
        let mut sliced = begin();
        let again = until_done(|| sliced.step(&mut slice.clone()));
        assert_eq!(again, report, "in slices of {slice}: {primary} against {shadow}");
    }
    (report.judgement, report.decided)
}

/// A matrix in one line.
pub fn tell(decided: &[Decided]) -> String {
    decided.iter().map(|cell| format!("{}>{}:{}", cell.primary, cell.shadow, cell.rows)).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn expect(protocol: Protocol, task: Task, primary: &str, shadow: &str, expected: &str, matrix: &str) {
    let (judgement, decided) = report(protocol, task, primary, shadow);
    assert_eq!((say(&judgement).as_str(), tell(&decided).as_str()), (expected, matrix), "{primary} against {shadow}");
}

#[track_caller]
fn predictions(task: Task, primary: &str, shadow: &str, expected: &str, matrix: &str) {
    let body = |predictions| format!(r#"{{"predictions":{predictions}}}"#);
    expect(Protocol::KserveV1, task, &body(primary), &body(shadow), expected, matrix);
}

#[test]
fn kserve_v1_compares_predictions_and_nothing_else() {
    let check = |primary: &str, shadow: &str, expected: &str| expect(Protocol::KserveV1, Task::Auto, primary, shadow, expected, "");
    check(r#"{"predictions":[1,2],"model_name":"a","id":"1"}"#, r#"{"id":"2","predictions":[1,2.0],"x":{}}"#, "equivalent");
    check(r#"{"predictions":[{"score":1,"label":"x"}]}"#, r#"{"predictions":[{"label":"x","score":2}]}"#, "number at predictions[0].score");
    check(r#"{"predictions":[[1,2],[3,4]]}"#, r#"{"predictions":[[1,2],[3,5]]}"#, "number at predictions[1][1]");
    check(r#"{"predictions":["a"]}"#, r#"{"predictions":["b"]}"#, "text at predictions[0]");
    check(r#"{"predictions":[1]}"#, r#"{"predictions":[1,2]}"#, "length at predictions");
    check(r#"{"predictions":[]}"#, r#"{"predictions":[ ]}"#, "equivalent");
    check(r#"{"predictions":[{}]}"#, r#"{"predictions":[{"a":"b"}]}"#, "extra at predictions[0].a");
    check(r#"{"predictions":[1]}"#, r#"{"error":"x"}"#, "Shadow: neither predictions nor outputs");
    check(r#"{"predictions":1}"#, r#"{"predictions":[1]}"#, "type at predictions");
    check(r#"{"predictions":1}"#, r#"{"predictions":1}"#, "identical");
    check(r#"{"predictions":{"a":[0.5],"b":"x"}}"#, r#"{"predictions":{"b":"x","a":[0.5]},"x":1}"#, "equivalent");
    check(r#"{"predictions":{"a":[0.5]}}"#, r#"{"predictions":{"a":[0.7]}}"#, "number at predictions.a[0]");
    for (primary, shadow, expected) in [
        ("[1001]", "[1002]", "number at predictions[0]"),
        ("[1001]", "[1001.5]", "equivalent"),
        ("[{\"id\":7}]", "[{\"id\":8}]", "number at predictions[0].id"),
    ] {
        let body = |predictions| format!(r#"{{"predictions":{predictions}}}"#);
        let (judgement, _) = report_by(Protocol::KserveV1, by_default(), &body(primary), &body(shadow));
        assert_eq!(say(&judgement), expected);
    }
}

#[test]
fn tensorflow_serving_answers_in_columns_too() {
    let check = |task: Task, primary: &str, shadow: &str, expected: &str, matrix: &str| {
        let body = |outputs| format!(r#"{{"outputs":{outputs}}}"#);
        expect(Protocol::KserveV1, task, &body(primary), &body(shadow), expected, matrix);
    };
    check(Task::Auto, "[[0.1,0.9]]", "[[0.1, 0.9]]", "equivalent", "");
    check(Task::Auto, "[[0.1,0.9]]", "[[0.2,0.8]]", "number at outputs[0][0]", "");
    check(Task::Auto, r#"{"score":[0.5],"name":["a"]}"#, r#"{"name":["a"],"score":[0.7]}"#, "number at outputs.score[0]", "");
    check(Task::Auto, "0.5", "0.7", "number at outputs", "");
    check(Task::Labels(labels(None)), "[[0.1,0.9],[0.6,0.4]]", "[[0.2,0.8],[0.4,0.6]]", "label at outputs[1]", "1>1:1 0>1:1");
    check(Task::Labels(labels(None)), "\"cat\"", "\"dog\"", "label at outputs", "cat>dog:1");
    check(Task::Labels(labels(Some("outputs.name[*]"))), r#"{"name":["a"]}"#, r#"{"name":["b"]}"#, "label at outputs.name[0]", "a>b:1");
    let outputs = r#"{"outputs":[0.5]}"#;
    expect(Protocol::KserveV1, Task::Auto, outputs, r#"{"predictions":[0.5]}"#, "missing at outputs", "");
    expect(Protocol::KserveV1, Task::Auto, outputs, r#"{"outputs":null}"#, "Shadow: neither predictions nor outputs", "");
}

#[test]
fn a_label_is_a_string_a_boolean_or_a_whole_number() {
    let check = |primary: &str, shadow: &str, expected: &str, matrix: &str| {
        predictions(Task::Labels(labels(None)), primary, shadow, expected, matrix);
    };
    check("[7,1]", "[7.0, 1]", "equivalent", "7>7:1 1>1:1");
    check("[7,1,1]", "[7,1,1]", "identical", "7>7:1 1>1:2");
    check("[7,1,1]", "[7,2,2]", "label at predictions[1]", "7>7:1 1>2:2");
    check(r#"["a","b"]"#, r#"["\u0061","c"]"#, "label at predictions[1]", "a>a:1 b>c:1");
    check("[true,1e2]", r#"["true","100"]"#, "equivalent", "true>true:1 100>100:1");
    check("[-0.0,-0]", "[0, 0]", "equivalent", "0>0:2");
    check("[1,2]", "[1]", "length at predictions", "1>1:1");
    check("[1,2]", "[3]", "length at predictions", "1>3:1");
    check("[1]", "[]", "length at predictions", "");
    check("[[7],[8]]", "[7,9]", "label at predictions[1]", "7>7:1 8>9:1");
    check("[]", "[ ]", "Primary: no rows where compare.task looks: see its path", "");
    const NO_LABEL: &str = "a row has no label: neither a string, a boolean, a whole number nor a vector of numbers or strings";
    for bad in ["0.5", "NaN", "null", "Infinity", "[]", "[1,\"a\"]", "[1,null]", "[\"a\",1]", "[true,1]", "[0.5]"] {
        check("[1,3]", &format!("[1,{bad}]"), &format!("Shadow: predictions[1]: {NO_LABEL}"), "");
        check(&format!("[1,{bad},2]"), "[1,3,2]", &format!("Primary: predictions[1]: {NO_LABEL}"), "");
        // That another row differs is known all the same.
        check("[1,3]", &format!("[2,{bad}]"), "label at predictions[0]", "1>2:1");
        check(&format!("[{bad},2]"), "[3,1]", "label at predictions[1]", "2>1:1");
    }
    const NO_ROW: &str = "an object is no row: let the path of compare.task lead to labels, numbers or vectors";
    check("[{\"a\":1}]", "[{\"a\":2}]", &format!("Primary: predictions[0]: {NO_ROW}"), "");
    check("[1,1]", "[1,{\"a\":2}]", &format!("Shadow: predictions[1]: {NO_ROW}"), "");
    check("[{\"a\":1},1]", "[{\"a\":2},2]", "label at predictions[1]", "1>2:1");
    let long = format!("[\"{}\"]", "x".repeat(1025));
    check("[1]", &long, "Shadow: predictions[0]: a text is too long for a label", "");
    let digits = format!("[{}]", "7".repeat(1025));
    check("[1]", &digits, &format!("Shadow: predictions[0]: {NO_LABEL}"), "");
}

#[test]
fn labels_that_are_no_text_are_equal_only_byte_by_byte() {
    // A lone surrogate is neither another one, nor the replacement character, nor the text that is written for it.
    for other in [r#"["\udfff"]"#, r#"["\ufffd"]"#, r#"["\\ud800"]"#, r#"["\\\\ud800"]"#] {
        let (judgement, _) = report(Protocol::Json, Task::Labels(labels(Some("[*]"))), r#"["\ud800"]"#, other);
        assert_eq!(say(&judgement), "label at [0]", "{other}");
    }
    expect(
        Protocol::Json,
        Task::Labels(labels(Some("[*]"))),
        r#"["a\\\ud800"]"#,
        r#"[ "\u0061\\\uD800"]"#,
        "equivalent",
        "a\\\\\\ud800>a\\\\\\ud800:1",
    );
    let bytes = |element: &[u8]| {
        let size = element.len() + 4;
        let head = format!(r#"{{"outputs":[{{"name":"l","datatype":"BYTES","shape":[1],"parameters":{{"binary_data_size":{size}}}}}]}}"#);
        let body = [head.as_bytes(), &(element.len() as u32).to_le_bytes(), element].concat();
        Answer { inference_header_length: head.len().to_string().into_bytes(), ..answer(&body) }
    };
    for (primary, shadow, expected, matrix) in [
        (b"\xff\xfe\0".as_slice(), b"\xff\xfd\0".as_slice(), "label at outputs[0].data[0]", "\\xff\\xfe\0>\\xff\\xfd\0:1"),
        (b"\xff", b"\\xff", "label at outputs[0].data[0]", "\\xff>\\xff:1"),
        (b"\xff", "\u{fffd}".as_bytes(), "label at outputs[0].data[0]", "\\xff>\u{fffd}:1"),
        (b"0.9:1:\xff", b"0.8:1:\xff", "equivalent", "\\xff>\\xff:1"),
        (b"0.9:1:\xff", b"0.8:1:\xfe", "label at outputs[0].data[0]", "\\xff>\\xfe:1"),
    ] {
        let plan = Rc::new(Compare { task: Task::Labels(labels(None)), ..Compare::exact() });
        let mut comparison = Comparison::new(WireFormat::OpenInference, plan, bounds(), bytes(primary), bytes(shadow));
        let report = done(comparison.step(&mut usize::MAX.clone()));
        assert_eq!((say(&report.judgement).as_str(), tell(&report.decided).as_str()), (expected, matrix), "{primary:?} against {shadow:?}");
    }
}

#[test]
fn the_label_of_a_vector_is_where_its_largest_number_is() {
    let check = |primary: &str, shadow: &str, expected: &str, matrix: &str| {
        predictions(Task::Labels(labels(None)), primary, shadow, expected, matrix);
    };
    check("[[0.1,0.9],[0.8,0.2]]", "[[0.4,0.6],[0.4,0.6]]", "label at predictions[1]", "1>1:1 0>1:1");
    check("[[1,1,0]]", "[[2,1,0]]", "equivalent", "0>0:1");
    check("[[-Infinity,-5,-4]]", "[[-Infinity,Infinity,-1e999]]", "label at predictions[0]", "2>1:1");
    const NAN: &str = "one of the scores of a row is NaN: no label can be told from them";
    check("[[1,2],[NaN,-5,-4]]", "[[1,2],[NaN,-5,-4]]", "identical", "");
    check("[[1,2],[NaN,-5,-4]]", "[[1,2],[NaN,-5,-4.0]]", &format!("Primary: predictions[1]: {NAN}"), "");
    check("[[1,2],[-6,-5,-4]]", "[[1,2],[-6,-5,NaN]]", &format!("Shadow: predictions[1]: {NAN}"), "");
    check("[[1,2],[NaN,NaN]]", "[[2,1],[NaN,NaN]]", "label at predictions[0]", "1>0:1");
    check("[[1,2]]", "[[1,2,3]]", "dimension at predictions[0]", "1>2:1");
    check("[[1,2]]", "[1]", "equivalent", "1>1:1");
    // Down to the rows.
    check("[[[1,2],[2,1]],[[3,4]]]", "[[[1,2],[1,2]],[[3,4]]]", "label at predictions[0][1]", "1>1:2 0>1:1");
    check("[[[1,2]]]", "[[1,2]]", "type at predictions[0]", "");
    check("[[[1,2]]]", "[[[1,2],[2,1]]]", "length at predictions[0]", "1>1:1");
    let named = Labels { names: ["no", "yes"].map(Into::into).to_vec(), ..labels(None) };
    predictions(Task::Labels(named.clone()), "[[1,2],[1,0],[1,2,3]]", r#"["yes","no","2"]"#, "equivalent", "yes>yes:1 no>no:1 2>2:1");
    // Whole numbers are classes by their number, beyond the names and below zero just numbers.
    predictions(
        Task::Labels(named),
        "[0,1.0,2,-1,[1]]",
        r#"[1,"yes",[1,2],-1,[0]]"#,
        "label at predictions[0]",
        "no>yes:1 yes>yes:1 2>yes:1 -1>-1:1 yes>no:1",
    );
}

#[test]
fn the_best_labels_overlap() {
    let top = |top, overlap| Task::Labels(Labels { top, overlap, ..labels(None) });
    let check = |task: Task, primary: &str, shadow: &str, expected: &str| {
        let (judgement, _) = report(Protocol::KserveV1, task, primary, shadow);
        assert_eq!(say(&judgement), expected, "{primary} against {shadow}");
    };
    let (a, b) = (r#"{"predictions":[[5,4,3,0,0]]}"#, r#"{"predictions":[[4,5,0,3,0]]}"#);
    check(top(2, 2), a, b, "equivalent");
    check(top(3, 2), a, b, "equivalent");
    check(top(3, 3), a, b, "label at predictions[0]");
    check(top(1, 1), a, b, "label at predictions[0]");
    // More than there are.
    check(top(9, 9), a, b, "equivalent");
    let (a, b) = (r#"{"predictions":[["a","b","c"],"x"]}"#, r#"{"predictions":[["b","d","a"],["x"]]}"#);
    check(top(2, 1), a, b, "equivalent");
    check(top(2, 2), a, b, "label at predictions[0]");
    check(top(3, 2), a, b, "equivalent");
    // Classes may share a name, as two of ImageNet do.
    let (a2, b2) = (r#"{"predictions":[["crane","crane"]]}"#, r#"{"predictions":[ ["crane","crane"]]}"#);
    check(top(2, 2), a2, b2, "equivalent");
    check(top(2, 2), a2, r#"{"predictions":[["crane","stork"]]}"#, "label at predictions[0]");
    let (judgement, decided) = report(Protocol::KserveV1, top(2, 2), a, b);
    let Judgement::Diverged(found) = judgement else { panic!() };
    assert_eq!((found.values.clone(), relative(&found)), (("a, b".to_owned(), "b, d".to_owned()), None));
    assert_eq!(tell(&decided), "a>b:1 x>x:1");
    assert_eq!(found.pattern, "predictions[*]");
}

#[test]
fn a_path_leads_to_rows() {
    let check = |path: &str, primary: &str, shadow: &str, expected: &str, matrix: &str| {
        expect(Protocol::Json, Task::Labels(labels(Some(path))), primary, shadow, expected, matrix);
    };
    let (a, b) = (r#"{"r":[{"l":"x","s":[1,2]},{"l":"y"}]}"#, r#"{"r":[{"s":[2,1],"l":"x"},{"l":"z"}]}"#);
    check("r[*].l", a, b, "label at r[1].l", "x>x:1 y>z:1");
    check("r[0].l", a, b, "equivalent", "x>x:1");
    check("r[0].s", a, b, "label at r[0].s", "1>0:1");
    check("r[0].s[*]", a, b, "label at r[0].s[0]", "1>2:1 2>1:1");
    // Where neither side has it there is no row.
    check("r[*].s", a, b, "label at r[0].s", "1>0:1");
    check("r[*].q", a, b, "Primary: no rows where compare.task looks: see its path", "");
    check("r[2].l", a, b, "Primary: no rows where compare.task looks: see its path", "");
    check("q", a, b, "Primary: no rows where compare.task looks: see its path", "");
    check("r", a, b, "Primary: r[0]: an object is no row: let the path of compare.task lead to labels, numbers or vectors", "");
    check("$", "7", " 8", "label at $", "7>8:1");
    check("[*]", "[7,8]", "[7,9,8]", "length at $", "7>7:1 8>9:1");
    check("a.b", r#"{"a":{"b":1}}"#, r#"{"a":{"c":1}}"#, "missing at a.b", "");
    check("a.b", r#"{"a":{}}"#, r#"{"a":{"b":2}}"#, "extra at a.b", "");
    check("[*].b", r#"[{"b":1},{},{"b":2}]"#, r#"[{},{"b":1},{"b":3}]"#, "missing at [0].b", "2>3:1");
    check("a[1]", r#"{"a":[1,2]}"#, r#"{"a":[1]}"#, "missing at a[1]", "");
    check("a[1]", r#"{"a":[[],[3]]}"#, r#"{"a":[{},[3],5]}"#, "equivalent", "3>3:1");
    check("a[*]", r#"{"a":[1]}"#, r#"{"a":1}"#, "type at a", "");
    check("a[*]", r#"{"a":[1],"a":[2]}"#, r#"{"a":[2]}"#, "equivalent", "2>2:1");
    check("[\"a \\\\ \\\"b\"]", r#"{"a \\ \"b":1}"#, r#"{"a \\ \"b":2}"#, "label at [\"a \\\\ \\\"b\"]", "1>2:1");
    expect(Protocol::Json, Task::Labels(labels(None)), "[1]", "[2]", "Primary: give compare.task a path that leads to its rows", "");
    check("l", r#"{"l":"x"}"#, r#"{"l":"x"}"#, "identical", "x>x:1");
}

#[test]
fn vectors_are_equal_by_their_direction() {
    let check = |cosine: f64, primary: &str, shadow: &str, expected: &str| {
        predictions(embedding(None, cosine), primary, shadow, expected, "");
    };
    check(0.999, "[[1,2,3]]", "[[2,4,6]]", "equivalent");
    check(0.999, "[[1,0],[1,0]]", "[[1,0],[1,0.1]]", "number at predictions[1]");
    check(0.99, "[[1,0]]", "[[1,0.1]]", "equivalent");
    check(-1.0, "[[1,0]]", "[[-1,0]]", "equivalent");
    check(0.0, "[[1,0]]", "[[0,1]]", "equivalent");
    check(0.9, "[[1,2]]", "[[1,2,3]]", "dimension at predictions[0]");
    check(0.9, "[[1,2]]", "[[1,2],[1,2]]", "length at predictions");
    // Without a direction.
    check(-1.0, "[[0,0]]", "[[0.0,-0]]", "equivalent");
    check(-1.0, "[[0,0]]", "[[0,1]]", "number at predictions[0]");
    check(-1.0, "[[NaN,1]]", "[[NaN,1.0]]", "equivalent");
    check(-1.0, "[[NaN,1]]", "[[NaN,2]]", "number at predictions[0]");
    check(-1.0, "[[1e999,1]]", "[[Infinity,1]]", "equivalent");
    check(-1.0, "[[1e200,1]]", "[[1e200,2]]", "number at predictions[0]");
    check(1.0, "[[0.1,0.7,0.3]]", "[[0.1, 0.7,0.3]]", "equivalent");
    const NO_VECTOR: &str = "a row is no vector of numbers: see the path of compare.task";
    check(0.9, "[1]", "[[1,2]]", "dimension at predictions[0]");
    check(0.9, "[[1,2]]", "[[1]]", "dimension at predictions[0]");
    check(0.9, "[1]", "[[1]]", &format!("Primary: predictions[0]: {NO_VECTOR}"));
    check(0.9, "[[1,2]]", "[[]]", &format!("Shadow: predictions[0]: {NO_VECTOR}"));
    check(0.9, "[[1,2]]", "[[1,\"2\"]]", &format!("Shadow: predictions[0]: {NO_VECTOR}"));
    check(0.9, "[[1,null]]", "[[1,2]]", &format!("Primary: predictions[0]: {NO_VECTOR}"));
    let (judgement, _) = report(Protocol::Json, embedding(Some("e"), 0.9), r#"{"e":[1,0]}"#, r#"{"e":[0,3]}"#);
    let Judgement::Diverged(found) = judgement else { panic!() };
    assert_eq!((relative(&found), found.values.clone()), (Some(1.0), ("0".to_owned(), "0".to_owned())));
}

#[test]
fn of_json_numbers_or_texts_alone_may_count() {
    let numbers = |path: Option<&str>| Task::Regression { path: path.map(self::path) };
    let text = |path: Option<&str>, normalize| Task::Text { path: path.map(self::path), texts: Texts { normalize, json: false } };
    let check = |task: Task, primary: &str, shadow: &str, expected: &str| expect(Protocol::Json, task, primary, shadow, expected, "");
    let (a, b) = (r#"{"s":[1,2],"t":"x y","u":null,"v":true}"#, r#"{"v":"no","s":[1,2.0],"t":" x\n y ","u":false}"#);
    check(numbers(None), a, b, "equivalent");
    check(Task::Scores { path: None }, a, b, "equivalent");
    check(text(None, true), r#"{"s":1,"t":"x y"}"#, r#"{"s":2,"t":" x\n y "}"#, "equivalent");
    check(text(None, false), a, b, "text at t");
    check(text(None, true), a, b, "type at v");
    check(numbers(None), r#"{"a":1}"#, r#"{"a":"1"}"#, "type at a");
    check(numbers(None), r#"{"a":1}"#, r#"{"a":null}"#, "null at a");
    check(numbers(None), r#"{"a":"x","b":1}"#, r#"{"b":1}"#, "equivalent");
    check(numbers(None), r#"{"a":1,"b":1}"#, r#"{"b":1}"#, "missing at a");
    check(numbers(None), r#"{"b":1}"#, r#"{"a":{},"b":1}"#, "extra at a");
    check(numbers(None), "[1]", "[1,\"x\"]", "length at $");
    // Only at the path and below.
    check(numbers(Some("s")), r#"{"s":[[1],2],"t":1}"#, r#"{"t":2,"s":[[1],2]}"#, "equivalent");
    check(numbers(Some("s")), r#"{"s":[[1],2]}"#, r#"{"s":[[3],2]}"#, "number at s[0][0]");
    check(numbers(Some("s[*].x")), r#"{"s":[{"x":1,"y":1}]}"#, r#"{"s":[{"x":1,"y":2}]}"#, "equivalent");
    check(numbers(Some("s[*].x")), r#"{"s":[{"x":1,"y":1}]}"#, r#"{"s":[{"x":2,"y":1}]}"#, "number at s[0].x");
    check(numbers(Some("s[*].x")), r#"{"s":[{"x":1}]}"#, r#"{"s":[{"y":1}]}"#, "missing at s[0].x");
    check(numbers(Some("s[*]")), r#"{"s":[1,2,3]}"#, r#"{"s":[1, 2,3]}"#, "equivalent");
    check(numbers(Some("s[1]")), r#"{"s":[1,2,3]}"#, r#"{"s":[9,2,9]}"#, "equivalent");
    check(numbers(Some("s")), r#"{"s":1}"#, "{}", "missing at s");
    check(numbers(Some("s.x")), r#"{"s":1}"#, r#"{"s":2}"#, "Primary: nothing that compare.task looks at: choose another task or path");
    check(numbers(Some("q")), a, b, "Primary: nothing that compare.task looks at: choose another task or path");
    // Nothing of the kind is not the same.
    for (task, primary, shadow) in [
        (numbers(None), r#"{"s":["0.5"]}"#, r#"{"s":["0.9"]}"#),
        (numbers(Some("s")), r#"{"s":["0.5"]}"#, r#"{"s":["0.9"]}"#),
        (Task::Scores { path: None }, r#"{"detail":"busy"}"#, r#"{"detail":"ok"}"#),
        (text(None, false), r#"{"a":1}"#, r#"{"a":2}"#),
        (text(None, true), "[[1,2]]", "[[1,3]]"),
        (numbers(None), "[]", "[ ]"),
    ] {
        check(task, primary, shadow, "Primary: nothing that compare.task looks at: choose another task or path");
    }
    check(numbers(Some("$")), "1", " 2", "number at $");
    let task = numbers(Some("predictions[*].s"));
    predictions(task.clone(), r#"[{"s":1,"l":"a"}]"#, r#"[{"s":1,"l":"b"}]"#, "equivalent", "");
    predictions(task, r#"[{"s":1,"l":"a"}]"#, r#"[{"s":2,"l":"a"}]"#, "number at predictions[0].s", "");
    predictions(numbers(None), "[1]", "[2]", "number at predictions[0]", "");
}

#[test]
fn a_task_that_an_answer_has_nothing_for_says_what_to_do() {
    const VALUES: &str = r#"{"a":1}"#;
    const PREDICTIONS: &str = r#"{"predictions":[1]}"#;
    const TENSORS: &str = r#"{"outputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[1]}]}"#;
    const CHAT: &str = r#"{"created":1,"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}"#;
    const VECTORS: &str = r#"{"data":[{"index":0,"embedding":[1,2]}]}"#;
    const NO_STRUCTURE: &str = "the task structure is for completions of protocol openai: choose another";
    const ONLY_VECTORS: &str = "embeddings have neither labels, scores nor texts: choose the task embedding";
    const NO_NUMBERS: &str = "a completion has times and counts, too: give compare.task a path that leads to its numbers";
    let (scores, regression) = (Task::Scores { path: None }, Task::Regression { path: None });
    let text = Task::Text { path: None, texts: Texts { normalize: false, json: false } };
    for (protocol, body, tasks, reason) in [
        (Protocol::Json, VALUES, vec![Task::Structure], NO_STRUCTURE),
        (Protocol::KserveV1, PREDICTIONS, vec![Task::Structure], NO_STRUCTURE),
        (Protocol::OpenInference, TENSORS, vec![Task::Structure], NO_STRUCTURE),
        (Protocol::OpenAi, VECTORS, vec![Task::Structure], NO_STRUCTURE),
        (Protocol::OpenAi, VECTORS, vec![Task::Labels(labels(None)), text, scores.clone(), regression.clone()], ONLY_VECTORS),
        (Protocol::OpenAi, CHAT, vec![scores, regression], NO_NUMBERS),
    ] {
        for task in tasks {
            let shadow = format!(" {body}");
            let (judgement, decided) = report(protocol, task.clone(), body, &shadow);
            assert_eq!((say(&judgement), decided), (format!("Primary: {reason}"), Vec::new()), "{task:?} of {body}");
        }
    }
    // A path says which numbers of a completion are meant.
    let number = Task::Regression { path: Some(path("choices[*].score")) };
    let scored = |score: &str| CHAT.replace("\"index\":0", &format!("\"index\":0,\"score\":{score}"));
    expect(
        Protocol::OpenAi,
        number,
        &scored("1"),
        &scored("2").replace("\"created\":1", "\"created\":2"),
        "number at choices[0].score",
        "",
    );
}

/// How many turns of a callback a comparison of two JSON texts takes.
fn turns(task: Task, primary: &str, shadow: &str) -> usize {
    let plan = Rc::new(Compare { task, ..Compare::exact() });
    let mut comparison = Comparison::new(WireFormat::Json, plan, bounds(), answer(primary.as_bytes()), answer(shadow.as_bytes()));
    core::iter::repeat_with(|| comparison.step(&mut crate::limits::COMPARED_PER_CALLBACK.clone()))
        .position(|report| report.is_ready())
        .unwrap()
}

#[test]
fn no_turn_does_more_than_it_is_given() {
    let list = |item: &dyn Fn(usize) -> String, count| format!("[{}]", (0..count).map(item).collect::<Vec<_>>().join(","));
    // Each text is read twice: once as JSON, once as a label.
    let texts = list(&|at| format!("\"\\u0061{at:0>999}\""), 1000);
    assert!(turns(Task::Labels(labels(Some("[*]"))), &texts, &texts) > 60);
    // To say where two answers are not alike takes long beside looking at them.
    let (one, other) = (list(&|_| "1".to_owned(), 10_000), list(&|_| "[]".to_owned(), 10_000));
    assert!(turns(Task::Labels(labels(Some("[*][*]"))), &one, &other) > 40);
    // Each number is better than those before, all of which move.
    let ascending = list(&|at| at.to_string(), 10_000);
    let task = Task::Labels(Labels { top: 1000, overlap: 1000, ..labels(Some("$")) });
    assert!(turns(task, &ascending, &ascending) > 250);
}
