//! The Open Inference Protocol over HTTP: what is no answer, and what of two answers counts.

mod properties;

use super::by_default as plan;
use super::*;
use crate::config::{Task, Texts, Tolerance};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn tasked(task: Task) -> Compare {
    Compare { task, ..plan() }
}

/// An answer of JSON, and of binary data behind it if there is a header that says so.
fn mixed(json: &str, header: &str, blobs: &[u8]) -> Answer {
    let body = [json.as_bytes(), blobs].concat();
    Answer { inference_header_length: header.as_bytes().to_vec(), ..answer(&body) }
}

fn binary(json: &str, blobs: &[u8]) -> Answer {
    mixed(json, &json.len().to_string(), blobs)
}

fn outputs(outputs: &str) -> String {
    format!(r#"{{"model_name":"m","id":"1","outputs":[{outputs}]}}"#)
}

fn flat(outputs_: &str) -> Answer {
    answer(outputs(outputs_).as_bytes())
}

/// One output with these members besides its name.
fn one(members: &str) -> Answer {
    flat(&format!(r#"{{"name":"a",{members}}}"#))
}

fn say_of(primary: &Answer, shadow: &Answer, plan: &Compare) -> String {
    let whole = compare(primary, shadow, plan, usize::MAX);
    assert_eq!(compare(primary, shadow, plan, 1), whole, "in slices");
    say(&whole)
}

fn compare(primary: &Answer, shadow: &Answer, plan: &Compare, budget: usize) -> Judgement {
    let mut comparison = Comparison::new(WireFormat::OpenInference, Rc::new(plan.clone()), bounds(), primary.clone(), shadow.clone());
    until_done(|| comparison.step(&mut budget.clone())).judgement
}

#[track_caller]
fn checks(primary: &Answer, shadow: &Answer, plan: &Compare, expected: &str) {
    assert_eq!(say_of(primary, shadow, plan), expected, "{primary:?} against {shadow:?}");
}

/// A tensor of FP32 is the same one however its numbers are spelt, and in JSON as in binary form.
#[test]
fn json_of_fp32_is_read_as_fp32() {
    let json = |datatype: &str, data: &str| one(&format!(r#""datatype":"{datatype}","shape":[1,2],"data":[{data}]"#));
    let bytes = |numbers: [f32; 2]| {
        let head = outputs(r#"{"name":"a","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}"#);
        binary(&head, numbers.map(f32::to_le_bytes).as_flattened())
    };
    let exact = Compare::exact();
    checks(&json("FP32", "0.3,1"), &json("FP32", "0.30000001192092896,1.0"), &exact, "equivalent");
    checks(&json("FP64", "0.3,1"), &json("FP64", "0.30000001192092896,1.0"), &exact, "number at outputs[0].data[0]");
    checks(&json("FP32", "1,0.7"), &bytes([1.0, 0.7]), &exact, "equivalent");
    checks(&json("FP32", "1,16777217"), &bytes([1.0, 16_777_216.0]), &exact, "equivalent");
    checks(&json("FP32", "1,1e39"), &bytes([1.0, f32::INFINITY]), &exact, "equivalent");
    checks(&json("FP32", "1,0.7"), &bytes([1.0, 0.7_f32.next_up()]), &exact, "number at outputs[0].data[1]");
    // What is close as doubles may lie on either side of where rounding turns.
    let tight = Compare { default: GivenTolerance { absolute: Some(1e-12), relative: Some(0.0) }, ..Compare::exact() };
    let (below, above) = ("1,1.00000005960464", "1,1.00000005960465");
    checks(&json("FP64", below), &json("FP64", above), &tight, "equivalent");
    checks(&json("FP32", below), &json("FP32", above), &tight, "number at outputs[0].data[1]");
    // Evidence shows what was written.
    let Judgement::Diverged(found) = compare(&json("FP32", "1,0.7"), &json("FP32", "1,0.8"), &exact, usize::MAX) else { panic!() };
    assert_eq!(found.values, ("0.7".to_owned(), "0.8".to_owned()));
    let mut decision = super::tasks::decision("outputs[*].data");
    decision.thresholds = vec![0.5, 0.7];
    for task in [
        // 0.7 as FP32 is below 0.7.
        Task::Decision(decision),
        // Two numbers that are one FP32: the first counts.
        Task::Labels(super::tasks::labels(None)),
        super::tasks::embedding(None, 1.0),
    ] {
        checks(&json("FP32", "0.7,0.70000000001"), &bytes([0.7, 0.7]), &tasked(task), "equivalent");
    }
}

#[test]
fn what_is_no_answer_can_not_be_compared() {
    let good = one(r#""datatype":"INT8","shape":[1],"data":[1]"#);
    let faulty = |members: &str, fault: &str| checks(&good, &one(members), &plan(), &format!("Shadow: {fault}"));
    let count = "the shape does not multiply to the number of elements";
    let element = "an element is not of its datatype";
    for (members, fault) in [
        (r#""shape":[1],"data":[1]"#, "an output has no datatype"),
        (r#""datatype":"INT7","shape":[1],"data":[1]"#, "an unknown datatype"),
        (r#""datatype":8,"shape":[1],"data":[1]"#, "an unknown datatype"),
        (r#""datatype":"INT8","data":[1]"#, "an output has no shape"),
        (r#""datatype":"INT8","shape":1,"data":[1]"#, "an output's shape is no list"),
        (r#""datatype":"INT8","shape":[-1],"data":[1]"#, "a dimension is no whole number from 0 up"),
        (r#""datatype":"INT8","shape":[1.5],"data":[1]"#, "a dimension is no whole number from 0 up"),
        (r#""datatype":"INT8","shape":["1"],"data":[1]"#, "a dimension is no whole number from 0 up"),
        (r#""datatype":"INT8","shape":[[1]],"data":[1]"#, "a dimension is no whole number from 0 up"),
        (r#""datatype":"INT8","shape":[9223372036854775808],"data":[1]"#, "a dimension is absurdly large"),
        (r#""datatype":"INT8","shape":[0,9223372036854775808],"data":[]"#, "a dimension is absurdly large"),
        (r#""datatype":"INT8","shape":[999999999999999999999999],"data":[1]"#, "a dimension is absurdly large"),
        (r#""datatype":"INT8","shape":[4294967295,4294967295,4294967295],"data":[1]"#, count),
        (r#""datatype":"INT8","shape":[1]"#, "an output has no data"),
        (r#""datatype":"INT8","shape":[1],"data":1"#, "an output's data is no list"),
        (r#""datatype":"INT8","shape":[1],"data":{"0":1}"#, "an output's data is no list"),
        (r#""datatype":"INT8","shape":[2],"data":[1]"#, count),
        (r#""datatype":"INT8","shape":[1],"data":[1,2]"#, count),
        (r#""datatype":"INT8","shape":[],"data":[]"#, count),
        (r#""datatype":"INT8","shape":[1],"data":[[],[],1]"#, count),
        (r#""datatype":"INT8","shape":[0],"data":[1]"#, count),
        (r#""datatype":"INT8","shape":[1],"data":["1"]"#, element),
        (r#""datatype":"INT8","shape":[1],"data":[true]"#, element),
        (r#""datatype":"INT8","shape":[1],"data":[null]"#, element),
        (r#""datatype":"INT8","shape":[1],"data":[{}]"#, element),
        (r#""datatype":"BOOL","shape":[1],"data":[1]"#, element),
        (r#""datatype":"BYTES","shape":[1],"data":[1]"#, element),
        (r#""datatype":"INT8","shape":[1],"parameters":{"binary_data_size":1}"#, "binary_data_size goes beyond the body"),
        (r#""datatype":"INT8","shape":[1],"parameters":{"binary_data_size":"1"}"#, "binary_data_size is no whole number from 0 up"),
        (r#""datatype":"INT8","shape":[1],"parameters":{"binary_data_size":-1}"#, "binary_data_size is no whole number from 0 up"),
        (
            r#""datatype":"INT8","shape":[1],"parameters":{"binary_data_size":18446744073709551616}"#,
            "binary_data_size goes beyond the body",
        ),
    ] {
        faulty(members, fault);
    }
    let dimensions = |count: usize| format!(r#""datatype":"INT8","shape":[{}],"data":[1]"#, vec!["1"; count].join(","));
    faulty(&dimensions(65), "an output has too many dimensions");
    checks(&good, &one(&dimensions(64)), &plan(), "shape at outputs[0].shape");
    let name = |length: usize| flat(&format!(r#"{{"name":"{}","datatype":"INT8","shape":[1],"data":[1]}}"#, "a".repeat(length)));
    checks(&good, &name(257), &plan(), "Shadow: an output's name is no string, or too long");
    checks(&good, &name(256), &plan(), "missing at outputs[0]");
    let many = |count: usize| {
        let output = |index| format!(r#"{{"name":"{index}","datatype":"INT8","shape":[1],"data":[1]}}"#);
        flat(&(0..count).map(output).collect::<Vec<_>>().join(","))
    };
    assert_eq!(say(&compare(&good, &many(1025), &plan(), 10_000)), "Shadow: more outputs than are compared");
    assert_eq!(say(&compare(&many(1024), &one(&dimensions(1)), &plan(), 10_000)), "missing at outputs[0]");
}

#[test]
fn nulls_and_left_over_sizes_are_read_as_servers_mean_them() {
    let good = one(r#""datatype":"INT8","shape":[1],"data":[49]"#);
    for members in [
        r#""datatype":"INT8","shape":[1],"data":[49],"parameters":null"#,
        r#""datatype":"INT8","shape":[1],"data":[49],"parameters":{"binary_data_size":null}"#,
        r#""datatype":"INT8","shape":[1],"data":[49],"parameters":{"binary_data_size":1}"#,
        r#""datatype":"INT8","shape":[1],"data":[49],"parameters":{"binary_data_size":"left"}"#,
    ] {
        checks(&good, &one(members), &plan(), "equivalent");
    }
    let packed = |members: &str, blobs: &[u8]| {
        let json = outputs(&format!(r#"{{"name":"a","datatype":"INT8","shape":[1],{members}}}"#));
        binary(&json, blobs)
    };
    checks(&good, &packed(r#""data":null,"parameters":{"binary_data_size":1}"#, b"1"), &plan(), "equivalent");
    checks(&good, &packed(r#""data":[7],"parameters":{"binary_data_size":1}"#, b"1"), &plan(), "equivalent");
    checks(&good, &packed(r#""data":[49],"parameters":{"binary_data_size":1}"#, b""), &plan(), "equivalent");
    checks(&good, &packed(r#""data":null"#, b""), &plan(), "Shadow: an output has no data");
    checks(&answer(br#"{"outputs":[]}"#), &answer(br#"{"outputs":null}"#), &plan(), "equivalent");
    let empty = one(r#""datatype":"INT8","shape":[0,3],"data":[]"#);
    checks(&empty, &one(r#""datatype":"INT8","shape":[0,3],"data":null"#), &plan(), "equivalent");
    checks(&empty, &one(r#""datatype":"INT8","shape":[0,3]"#), &plan(), "equivalent");
    checks(&empty, &one(r#""datatype":"BYTES","shape":[0],"data":null"#), &plan(), "datatype at outputs[0].datatype");
}

#[test]
fn what_has_no_outputs_can_not_be_compared() {
    let good = one(r#""datatype":"INT8","shape":[1],"data":[1]"#);
    let output = r#"{"name":"a","datatype":"INT8","shape":[1],"data":[1]}"#;
    for (body, fault) in [
        (String::new(), "an empty body"),
        ("{}".to_owned(), "no list of outputs"),
        ("[]".to_owned(), "no list of outputs"),
        (r#"{"error":"no such model"}"#.to_owned(), "no list of outputs"),
        (r#"{"outputs":{}}"#.to_owned(), "no list of outputs"),
        (outputs("1"), "an output is no object"),
        (outputs("{}"), "an output has no name"),
        (outputs(r#"{"name":1}"#), "an output's name is no string, or too long"),
        (outputs(&[output; 2].join(",")), "two outputs have the same name"),
    ] {
        checks(&good, &answer(body.as_bytes()), &plan(), &format!("Shadow: {fault}"));
        checks(&answer(body.as_bytes()), &good, &plan(), &format!("Primary: {fault}"));
    }
}

#[test]
fn binary_data_must_be_what_the_json_says() {
    let output = |name: &str, datatype: &str, shape: &str, size: usize| {
        format!(r#"{{"name":"{name}","datatype":"{datatype}","shape":{shape},"parameters":{{"binary_data_size":{size}}}}}"#)
    };
    let json = outputs(&output("a", "INT16", "[2]", 4));
    let good = binary(&json, b"1122");
    for (header, fault) in [
        ("", "malformed JSON: something after the end"),
        ("x", "inference-header-content-length is no number"),
        ("-1", "inference-header-content-length is no number"),
        ("+9", "inference-header-content-length is no number"),
        ("1 2", "inference-header-content-length is no number"),
        ("0", "JSON ends early"),
        ("9", "JSON ends early"),
        ("999", "inference-header-content-length goes beyond the body"),
        ("99999999999999999999999", "inference-header-content-length goes beyond the body"),
    ] {
        checks(&good, &mixed(&json, header, b"1122 "), &plan(), &format!("Shadow: {fault}"));
    }
    checks(&good, &mixed(&json, &format!(" {} ", json.len()), b"1122"), &plan(), "identical");
    let size = "binary_data_size is not what shape and datatype take";
    let many = format!("{},{}", output("a", "INT8", "[1]", 1), output("b", "INT8", "[1]", 1));
    let bytes = |shape: &str, size: usize| outputs(&output("a", "BYTES", shape, size));
    for (json, blobs, fault) in [
        (json.clone(), &b"112"[..], "binary_data_size goes beyond the body"),
        (json.clone(), b"11223", "more binary data than binary_data_size says"),
        (outputs(&many), b"1", "binary_data_size goes beyond the body"),
        (outputs(&output("a", "INT16", "[3]", 4)), b"1122", size),
        (outputs(&output("a", "INT16", "[0]", 4)), b"1122", size),
        (outputs(&output("a", "FP64", "[4294967295,4294967295]", 8)), b"11223344", size),
        (bytes("[1]", 3), b"\0\0\0", "a string goes beyond its tensor"),
        (bytes("[1]", 5), b"\x02\0\0\0a", "a string goes beyond its tensor"),
        (bytes("[1]", 5), b"\xff\xff\xff\xffa", "a string goes beyond its tensor"),
        (bytes("[2]", 5), b"\x01\0\0\0a", "the shape does not multiply to the number of elements"),
        (bytes("[1]", 8), b"\0\0\0\0\0\0\0\0", "the shape does not multiply to the number of elements"),
    ] {
        checks(&good, &binary(&json, blobs), &plan(), &format!("Shadow: {fault}"));
    }
}

#[test]
fn outputs_are_matched_by_name() {
    let output = |name: &str, data: &str| format!(r#"{{"name":"{name}","datatype":"FP32","shape":[2],"data":[{data}]}}"#);
    let both = |first: String, second: String| flat(&format!("{first},{second}"));
    let primary = both(output("b", "1,2"), output("a", "3,4"));
    for (shadow, want) in [
        (both(output("b", "1,2.0"), output("a", "3,4")), "equivalent"),
        (both(output("a", "3,4"), output("b", "1,2")), "equivalent"),
        (both(output("a", "3,5"), output("b", "7,2")), "number at outputs[1].data[1]"),
        (both(output("b", "7,2"), output("a", "3,5")), "number at outputs[1].data[1]"),
        (both(output("b", "1,7"), output("a", "3,4")), "number at outputs[0].data[1]"),
        (flat(&output("a", "3,4")), "missing at outputs[0]"),
        (flat(&output("b", "1,2")), "missing at outputs[1]"),
        (both(output("c", "1,2"), output("a", "3,4")), "missing at outputs[0]"),
        (both(output("A", "9,9"), output("a", "0,0")), "extra at outputs[0]"),
        (flat(&[output("c", "0,0"), output("a", "3,4"), output("b", "1,2")].join(",")), "extra at outputs[0]"),
        (flat(""), "missing at outputs[1]"),
        (answer(br#"{"id":"9","model_version":"3","parameters":{"a":1},"outputs":[{"parameters":{},"data":[3.0,4],"shape":[2],"datatype":"FP32","name":"\u0061"},{"name":"b","shape":[2],"data":[1,2],"datatype":"FP32"}]}"#), "equivalent"),
    ] {
        checks(&primary, &shadow, &plan(), want);
    }
}

#[test]
fn datatype_and_shape_come_before_elements() {
    let output = |datatype: &str, shape: &str, data: &str| one(&format!(r#""datatype":"{datatype}","shape":{shape},"data":{data}"#));
    let primary = output("FP32", "[2,2]", "[1,2,3,4]");
    let ignoring = |path_: &str| Compare { ignore: vec![path(path_)], ..plan() };
    checks(&primary, &output("FP64", "[4]", "[1,2,3,5]"), &plan(), "datatype at outputs[0].datatype");
    checks(&primary, &output("FP32", "[4]", "[1,2,3,5]"), &plan(), "shape at outputs[0].shape");
    checks(&primary, &output("FP32", "[2,2]", "[[1,2],[3,4]]"), &plan(), "equivalent");
    checks(&primary, &output("FP32", "[2,2]", "[[1,2],[3,5]]"), &plan(), "number at outputs[0].data[3]");
    checks(&output("FP32", "[]", "[1]"), &output("FP32", "[]", "[2]"), &plan(), "number at outputs[0].data[0]");
    checks(&output("FP32", "[0,4]", "[]"), &output("FP32", "[0,4]", "[[],[]]"), &plan(), "equivalent");
    checks(&output("FP32", "[0,4]", "[]"), &output("FP32", "[0,3]", "[]"), &plan(), "shape at outputs[0].shape");
    checks(&primary, &output("FP64", "[2,2]", "[1,2,3,4]"), &ignoring("outputs[*].datatype"), "equivalent");
    checks(&primary, &output("BYTES", "[2,2]", r#"["1","2","3","4"]"#), &ignoring("outputs[*].datatype"), "type at outputs[0].data[0]");
    checks(&primary, &output("FP32", "[4]", "[1,2,3,4]"), &ignoring("outputs[0].shape"), "equivalent");
    checks(&primary, &output("FP32", "[3]", "[1,2,3]"), &ignoring("outputs[*].shape"), "length at outputs[0].data");
    for path in ["$", "outputs", "outputs[0]", "outputs[*].data", "outputs[*].data[*]", "outputs[0].data[3]"] {
        checks(&primary, &output("FP32", "[2,2]", "[1,2,3,5]"), &ignoring(path), "equivalent");
    }
    for path in ["id", "outputs[1]", "outputs[*].data[2]", "outputs[*].datatype", "data"] {
        checks(&primary, &output("FP32", "[2,2]", "[1,2,3,5]"), &ignoring(path), "number at outputs[0].data[3]");
    }
    checks(&primary, &flat(""), &ignoring("outputs[0]"), "equivalent");
    checks(&primary, &flat(""), &ignoring("outputs[*].data"), "missing at outputs[0]");
    let bytes = |data: &str| output("BYTES", "[2]", data);
    checks(&bytes(r#"["a","b"]"#), &bytes(r#"["a","\u0062"]"#), &plan(), "equivalent");
    checks(&bytes(r#"["a","b"]"#), &bytes(r#"["a","c"]"#), &plan(), "text at outputs[0].data[1]");
    checks(&bytes(r#"["a",null]"#), &bytes(r#"["a","c"]"#), &plan(), "null at outputs[0].data[1]");
    checks(&output("BOOL", "[1]", "[true]"), &output("BOOL", "[1]", "[false]"), &plan(), "boolean at outputs[0].data[0]");
    checks(&output("FP32", "[1]", "[NaN]"), &output("FP32", "[1]", "[ NaN]"), &plan(), "equivalent");
    checks(&output("FP32", "[1]", "[null]"), &output("FP32", "[1]", "[1]"), &plan(), "null at outputs[0].data[0]");
}

#[test]
fn tolerances_are_those_of_the_datatype_unless_given() {
    let output = |datatype: &str, data: &str| one(&format!(r#""datatype":"{datatype}","shape":[2],"data":[{data}]"#));
    let given = |absolute, relative| GivenTolerance { absolute, relative };
    let at = |text: &str, tolerance| Compare { tolerances: vec![(path(text), tolerance)], ..plan() };
    let default = |tolerance| Compare { default: tolerance, ..plan() };
    for (datatype, shadow, plan, equal) in [
        ("FP32", "100,100.05", plan(), true),
        ("FP32", "100,100.2", plan(), false),
        ("FP64", "100,100.05", plan(), true),
        ("FP16", "100,100.4", plan(), true),
        ("FP16", "100,100.6", plan(), false),
        ("BF16", "100,101", plan(), true),
        ("BF16", "100,101.9", plan(), true),
        ("BF16", "100,102.1", plan(), false),
        ("INT64", "100,100.05", plan(), false),
        ("UINT8", "100,101", plan(), false),
        ("INT64", "100,101", default(given(Some(1.0), None)), true),
        ("FP32", "100,100.05", default(given(None, Some(0.0))), false),
        ("FP32", "100,100.05", default(given(Some(0.1), Some(0.0))), true),
        ("INT64", "100,101", at("outputs[*].data[*]", given(Some(1.0), None)), true),
        ("INT64", "100,101", at("outputs[0].data[1]", given(Some(1.0), None)), true),
        ("INT64", "101,100", at("outputs[0].data[1]", given(Some(1.0), None)), false),
        ("INT64", "100,101", at("outputs[*].data", given(Some(1.0), None)), false),
    ] {
        let want =
            if equal { "equivalent".to_owned() } else { format!("number at outputs[0].data[{}]", usize::from(shadow.starts_with("100,"))) };
        checks(&output(datatype, "100,100"), &output(datatype, shadow), &plan, &want);
    }
}

#[test]
fn a_divergence_shows_both_values() {
    let output = |members: &str| one(members);
    let evidence = |primary: &Answer, shadow: &Answer| match compare(primary, shadow, &plan(), usize::MAX) {
        Judgement::Diverged(found) => (found.pattern.clone(), relative(&found), found.values.0, found.values.1),
        other => panic!("{other:?}"),
    };
    let say = |pattern: &str, relative, primary: &str, shadow: &str| (pattern.to_owned(), relative, primary.to_owned(), shadow.to_owned());
    let json = r#"{"outputs":[{"name":"a","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}"#;
    let float = binary(json, &1e30_f32.to_le_bytes());
    let text = output(r#""datatype":"FP32","shape":[1],"data":[0.0]"#);
    assert_eq!(evidence(&float, &text), say("outputs[*].data[*]", Some(1.0), "1.0000000150474662e30", "0.0"));
    let (small, large) = (output(r#""datatype":"FP32","shape":[1],"data":[1]"#), output(r#""datatype":"FP32","shape":[1,1],"data":[1]"#));
    assert_eq!(evidence(&small, &large), say("outputs[*].shape", None, "[1]", "[1, 1]"));
    let words = |word: &str| output(&format!(r#""datatype":"BYTES","shape":[1],"data":["{word}"]"#));
    assert_eq!(evidence(&words("cat"), &words("dog")), say("outputs[*].data[*]", None, "\"cat\"", "\"dog\""));
    let long = evidence(&words(&"a".repeat(99)), &words("b"));
    assert_eq!(long.2, format!("\"{}", "a".repeat(63)));
}

#[test]
fn a_task_looks_at_its_outputs_alone() {
    let answer = |score: &str, label: &str, count: &str| {
        flat(&format!(
            r#"{{"name":"score","datatype":"FP32","shape":[2],"data":[0.5,{score}]}},
            {{"name":"label","datatype":"BYTES","shape":[1],"data":["{label}"]}},{{"name":"count","datatype":"INT64","shape":[1],"data":[{count}]}}"#
        ))
    };
    let primary = answer("0.25", "a b", "1");
    let (score, label, count) = (answer("0.5", "a b", "1"), answer("0.25", "a  b ", "1"), answer("0.25", "a b", "2"));
    let at = |text: &str| Some(path(text));
    let text = |path, normalize| Task::Text { path, texts: Texts { normalize, json: false } };
    for (task, shadow, want) in [
        (Task::Scores { path: None }, &score, "number at outputs[0].data[1]"),
        (Task::Scores { path: None }, &label, "equivalent"),
        (Task::Scores { path: None }, &count, "equivalent"),
        (Task::Regression { path: None }, &score, "number at outputs[0].data[1]"),
        (Task::Regression { path: None }, &label, "equivalent"),
        (Task::Regression { path: None }, &count, "number at outputs[2].data[0]"),
        (text(None, false), &score, "equivalent"),
        (text(None, false), &label, "text at outputs[1].data[0]"),
        (text(None, true), &label, "equivalent"),
        (text(None, true), &answer("0", "ab", "1"), "text at outputs[1].data[0]"),
        (Task::Scores { path: at("outputs[0]") }, &score, "number at outputs[0].data[1]"),
        (Task::Scores { path: at("outputs[0].data") }, &score, "number at outputs[0].data[1]"),
        (Task::Scores { path: at("outputs[*].data[*]") }, &score, "number at outputs[0].data[1]"),
        (Task::Scores { path: at("outputs[0].data[1]") }, &score, "number at outputs[0].data[1]"),
        (Task::Scores { path: at("outputs[0].data[0]") }, &score, "equivalent"),
        (Task::Scores { path: at("$") }, &score, "number at outputs[0].data[1]"),
        (Task::Scores { path: at("outputs") }, &score, "number at outputs[0].data[1]"),
        (Task::Scores { path: at("outputs[1]") }, &score, "Primary: nothing in it that the task looks at"),
        (Task::Scores { path: at("outputs[9]") }, &score, "Primary: nothing in it that the task looks at"),
        (Task::Scores { path: at("outputs[0].data[2]") }, &score, "Primary: nothing in it that the task looks at"),
        (Task::Scores { path: at("outputs[0].shape") }, &score, "Primary: nothing in it that the task looks at"),
        (Task::Scores { path: at("predictions") }, &score, "Primary: nothing in it that the task looks at"),
        (Task::Scores { path: None }, &flat(""), "Shadow: nothing in it that the task looks at"),
    ] {
        checks(&primary, shadow, &tasked(task), want);
    }
    let (short, long) = (one(r#""datatype":"FP32","shape":[1],"data":[1]"#), one(r#""datatype":"FP32","shape":[2],"data":[1,2]"#));
    for (path, forth, back) in [
        ("outputs[*]", "shape at outputs[0].shape", "shape at outputs[0].shape"),
        ("outputs[*].data", "length at outputs[0].data", "length at outputs[0].data"),
        ("outputs[*].data[0]", "equivalent", "equivalent"),
        ("outputs[*].data[1]", "missing at outputs[0].data[1]", "extra at outputs[0].data[1]"),
    ] {
        checks(&long, &short, &tasked(Task::Scores { path: at(path) }), forth);
        checks(&short, &long, &tasked(Task::Scores { path: at(path) }), back);
    }
}

#[test]
fn what_is_left_unread_of_a_tensor_is_never_equal() {
    let data = r#""datatype":"FP32","shape":[1],"data":[1]"#;
    let with = |members: &str| one(&format!("{data},{members}"));
    let parameters = |parameters: &str| with(&format!(r#""parameters":{{{parameters}}}"#));
    for (primary, shadow, expected) in [
        (with(r#""x":1"#), with(r#""x":2"#), "unread outputs[0].x"),
        (with(r#""x":1"#), one(data), "unread outputs[0].x"),
        (with(r#""x":"","y":null,"z":[]"#), one(data), "equivalent"),
        (parameters(r#""content_type":"np""#), parameters(r#""content_type":"str""#), "unread outputs[0].parameters.content_type"),
        (parameters(r#""a":1,"b":2"#), parameters(r#""b":2,"a":1"#), "equivalent"),
        (parameters(""), one(data), "equivalent"),
        (parameters(r#""a":1"#), one(&data.replace("\"data\":[1]", "\"data\":[2]")), "number at outputs[0].data[0]"),
        (with(r#""parameters":[1]"#), one(data), "unread outputs[0].parameters"),
    ] {
        checks(&primary, &shadow, &plan(), expected);
        checks(&shadow, &primary, &plan(), expected);
    }
    let ignoring = |text: &str| Compare { ignore: vec![path(text)], ..plan() };
    let (np, str) = (parameters(r#""content_type":"np""#), parameters(r#""content_type":"str""#));
    checks(&np, &str, &ignoring("outputs[*].parameters"), "equivalent");
    checks(&np, &str, &ignoring("outputs[*].parameters.content_type"), "equivalent");
    // A path says what is looked at.
    checks(&np, &str, &tasked(Task::Scores { path: Some(path("outputs[*].data")) }), "equivalent");
    checks(&np, &str, &tasked(Task::Scores { path: None }), "unread outputs[0].parameters.content_type");
    // Outputs are matched by name; the path is that of the primary's.
    let b = r#"{"name":"b","datatype":"FP32","shape":[1],"data":[1],"x":"#;
    let a = format!(r#"{{"name":"a",{data}}}"#);
    let (left, right) = (flat(&format!("{b}1}},{a}")), flat(&format!("{a},{b}2}}")));
    checks(&left, &right, &plan(), "unread outputs[0].x");
    checks(&left, &flat(&format!("{a},{b}1}}")), &plan(), "equivalent");
    // There are more of them than are told apart.
    let many: String = (0..300).map(|at| format!(",\"{at}\":1")).collect();
    checks(&with(&many[1..]), &with(&format!("{} ", &many[1..])), &plan(), "unread outputs");
}

#[test]
fn the_version_of_the_model_is_told() {
    let version = |text: &str| {
        let body = format!(r#"{{"outputs":[],"model_version":{text}}}"#);
        let mut comparison =
            Comparison::new(WireFormat::OpenInference, Rc::new(plan()), bounds(), answer(body.as_bytes()), answer(br#"{"outputs":[]}"#));
        done(comparison.step(&mut usize::MAX.clone())).primary.model_version
    };
    for (text, want) in
        [(r#""2""#, Some("2")), (r#""\u0032b""#, Some("2b")), (r#""""#, None), ("null", None), ("2", Some("2")), ("true", None)]
    {
        assert_eq!(version(text).as_deref(), want, "{text}");
    }
}
