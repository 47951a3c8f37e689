//! What numbers lead to, and the numbers themselves where they count, too.

use super::*;
use crate::config::{Decision, Tolerance};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn decisions_are_what_numbers_lead_to() {
    let check = |path: &str, primary: &str, shadow: &str, expected: &str, matrix: &str| {
        predictions(Task::Decision(decision(path)), primary, shadow, expected, matrix);
    };
    check(
        "predictions[*]",
        "[0.1,0.3,0.69,0.7,9]",
        "[0.2,0.5,0.3,1e999,0.71]",
        "equivalent",
        "approve>approve:1 review>review:2 block>block:2",
    );
    check("predictions[*]", "[0.1,0.8]", "[0.4,0.2]", "label at predictions[0]", "approve>review:1 block>approve:1");
    check("predictions[*]", "[0.1,0.9]", "[0.1,0.9]", "identical", "approve>approve:1 block>block:1");
    check("predictions[*].p", r#"[{"p":0.1}]"#, r#"[{"p":-1e999}]"#, "equivalent", "approve>approve:1");
    check("predictions", "[0.1,[0.2]]", "[0.1,[0.9]]", "label at predictions[1][0]", "approve>approve:1 approve>block:1");
    check("predictions", "[0.1,0.9]", "[0.1]", "length at predictions", "approve>approve:1");
    for bad in ["\"0.5\"", "null", "true", "NaN"] {
        const NO_NUMBER: &str = "predictions[1]: not a number at the path of compare.task";
        check("predictions[*]", "[0.1,1]", &format!("[0.2,{bad}]"), &format!("Shadow: {NO_NUMBER}"), "");
        check("predictions[*]", &format!("[0.2,{bad}]"), "[0.1,1]", &format!("Primary: {NO_NUMBER}"), "");
        check("predictions[*]", &format!("[0.1,{bad}]"), "[0.9,1]", "label at predictions[0]", "approve>block:1");
    }
    expect(Protocol::Json, Task::Decision(decision("[*]")), "[0.1]", "[0.1]", "identical", "approve>approve:1");
    let (judgement, _) = report(Protocol::Json, Task::Decision(decision("[*]")), "[0.1]", "[0.9]");
    let Judgement::Diverged(found) = judgement else { panic!() };
    assert_eq!((found.values.clone(), relative(&found)), (("approve".to_owned(), "block".to_owned()), None));
}

#[test]
fn of_decisions_the_numbers_may_count_too() {
    let expect = |protocol, path: &str, plan: &Compare, (primary, shadow): (&str, &str), expected: &str, matrix: &str| {
        let task = Task::Decision(Decision { scores: true, ..decision(path) });
        let (judgement, decided) = report_by(protocol, Compare { task, ..plan.clone() }, primary, shadow);
        assert_eq!((say(&judgement).as_str(), tell(&decided).as_str()), (expected, matrix), "{primary} against {shadow}");
        judgement
    };
    let json = |plan: &Compare, pair, expected: &str, matrix: &str| expect(Protocol::Json, "s[*]", plan, pair, expected, matrix);
    let plan = by_default();
    let near = (r#"{"s":[0.1,0.5]}"#, r#"{"s":[0.10001,0.5]}"#);
    json(&plan, near, "equivalent", "approve>approve:1 review>review:1");
    json(&Compare::exact(), near, "number at s[0]", "approve>approve:1 review>review:1");
    let far = (r#"{"s":[0.5,0.9]}"#, r#"{"s":[0.6,0.1]}"#);
    json(&plan, far, "number at s[0]", "review>review:1 block>approve:1");
    let wide = Compare { tolerances: vec![(path("s[0]"), GivenTolerance { absolute: Some(0.2), relative: None })], ..plan.clone() };
    json(&wide, far, "label at s[1]", "review>review:1 block>approve:1");
    json(&plan, (r#"{"s":[1001]}"#, r#"{"s":[1002]}"#), "number at s[0]", "block>block:1");
    json(&plan, (r#"{"s":[1001]}"#, r#"{"s":[1001.5]}"#), "equivalent", "block>block:1");
    json(&plan, (r#"{"s":[0.5,NaN]}"#, r#"{"s":[0.5,NaN,1]}"#), "length at s", "review>review:1");
    let found = json(
        &plan,
        (r#"{"s":[0.5,0.9,0.1]}"#, r#"{"s":[0.6,0.1,0.2]}"#),
        "number at s[0]",
        "review>review:1 block>approve:1 approve>approve:1",
    );
    let Judgement::Diverged(found) = found else { panic!() };
    assert_eq!((found.count, found.paths), (3, vec!["s[0]".to_owned(), "s[1]".to_owned(), "s[2]".to_owned()]));
    assert_eq!((found.values, found.gap.unwrap().tolerance), (("0.5".to_owned(), "0.6".to_owned()), Some(Tolerance::JSON)));
    // Of tensors the datatype says what is near.
    let tensor =
        |datatype: &str, data: &str| format!(r#"{{"outputs":[{{"name":"s","datatype":"{datatype}","shape":[2],"data":{data}}}]}}"#);
    for (datatype, expected) in
        [("BF16", "equivalent"), ("FP64", "number at outputs[0].data[1]"), ("INT64", "number at outputs[0].data[1]")]
    {
        let (primary, shadow) = (tensor(datatype, "[0,100]"), tensor(datatype, "[0,101]"));
        let matrix = "approve>approve:1 block>block:1";
        expect(Protocol::OpenInference, "outputs[0].data", &plan, (&primary, &shadow), expected, matrix);
        let given = Compare {
            tolerances: vec![(path("outputs[0].data[1]"), GivenTolerance { absolute: Some(1.0), relative: None })],
            ..plan.clone()
        };
        expect(Protocol::OpenInference, "outputs[0].data", &given, (&primary, &shadow), "equivalent", matrix);
    }
}
