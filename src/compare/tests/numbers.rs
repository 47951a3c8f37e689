//! Numbers of JSON: within which tolerance they are equal, and which are exact.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn numbers_are_equal_within_either_tolerance() {
    check("1.0", "1.05", &within(0.1, 0.0), "equivalent");
    check("1.0", "1.25", &within(0.25, 0.0), "equivalent");
    check("1.0", "1.25", &within(0.24, 0.0), "number at $");
    check("100", "101", &within(0.0, 0.01), "equivalent");
    check("101", "100", &within(0.0, 0.01), "equivalent");
    check("-100", "-101.5", &within(0.0, 0.01), "number at $");
    // Either of them, not their sum.
    check("1.0", "1.15", &within(0.1, 0.1), "number at $");
    check("0", "1e-9", &within(0.0, 0.5), "number at $");
    check("0", "1e-9", &within(1e-6, 0.0), "equivalent");
    check("-0", "0", &Compare::exact(), "equivalent");
    check("-0.0", "0", &Compare::exact(), "equivalent");
    check("1e-400", "0", &Compare::exact(), "equivalent");
}

#[test]
fn integers_are_exact_unless_a_tolerance_is_given() {
    let given = |absolute, relative| Compare { default: GivenTolerance { absolute, relative }, ..Compare::exact() };
    let mut at_a = by_default();
    at_a.tolerances = vec![(path("[0]"), GivenTolerance { absolute: Some(1.0), relative: None })];
    let mut free = by_default();
    free.unordered = vec![Unordered { path: path("$"), by: None }];
    for (primary, shadow, plan, equal) in [
        ("[5,1001]", "[5,1002]", by_default(), false),
        ("[-1001]", "[-1002]", by_default(), false),
        ("[1001.0]", "[1002]", by_default(), true),
        ("[1001]", "[1002.0]", by_default(), true),
        ("[1e3]", "[1001]", by_default(), true),
        ("[1001]", "[1e3]", by_default(), true),
        ("[1E3]", "[1e3]", by_default(), true),
        ("[-0]", "[0]", by_default(), true),
        ("[0]", "[0.0000001]", by_default(), true),
        ("[1001]", "[1002]", given(Some(1.0), None), true),
        ("[1001]", "[1002]", given(None, Some(0.01)), true),
        ("[1001]", "[1002]", given(Some(0.0), None), false),
        ("[1001]", "[1002]", given(Some(0.5), None), false),
        ("[1001]", "[1002]", given(Some(0.0), Some(0.01)), true),
        ("[1001]", "[1002.0]", given(Some(0.0), None), true),
        ("[1001]", "[1002]", given(None, Some(0.0)), false),
        ("[1001,0.5]", "[1002,0.5]", at_a.clone(), true),
        ("[0.5,1001]", "[0.5,1002]", at_a.clone(), false),
        ("[9007199254740993]", "[9007199254740994]", at_a, false),
        ("[1002,7]", "[7,1002]", free.clone(), true),
        ("[1001,7]", "[7,1002]", free, false),
    ] {
        let expected = if equal { "equivalent" } else { "number at" };
        let found = say(&judge(primary.as_bytes(), shadow.as_bytes(), &plan));
        assert!(found.starts_with(expected), "{primary} against {shadow} by {:?}: {found}", plan.default);
    }
}

#[test]
fn integers_beyond_doubles_are_exact() {
    let plan = within(1e9, 0.5);
    check("9007199254740993", "9007199254740992", &plan, "number at $");
    check("9007199254740992", "9007199254740993", &plan, "number at $");
    check("-9007199254740993", "-9007199254740992", &plan, "number at $");
    check("9007199254740993", "9007199254740993 ", &plan, "equivalent");
    check("9007199254740992", "9007199254740991", &plan, "equivalent");
    check("9007199254740993", "9007199254740993.0", &Compare::exact(), "equivalent");
    check("9007199254740993", "1", &plan, "number at $");
    let huge = "7".repeat(5000);
    check(&huge, &format!("{huge} "), &plan, "equivalent");
    check(&huge, &format!("{}8", &huge[1..]), &plan, "number at $");
    check(&huge, &format!("-{huge}"), &plan, "number at $");
}

#[test]
fn what_is_no_finite_double() {
    let plan = within(1e300, 1e300);
    check("[NaN]", "[ NaN]", &plan, "equivalent");
    check("[Infinity,-Infinity]", "[Infinity, -Infinity]", &plan, "equivalent");
    check("Infinity", "-Infinity", &plan, "number at $");
    check("Infinity", "1", &plan, "number at $");
    check("1", "-Infinity", &plan, "number at $");
    check("NaN", "0", &plan, "number at $");
    check("NaN", "Infinity", &plan, "number at $");
    check("NaN", "null", &plan, "null at $");
    check("NaN", "\"NaN\"", &plan, "type at $");
    // Too large for a double is infinite, as in the readers of Python and JavaScript.
    check("1e999", "Infinity", &Compare::exact(), "equivalent");
    check("1e999", "1e998", &Compare::exact(), "equivalent");
    check("1e999", "-1e999", &plan, "number at $");
    check("1e999", "1e308", &plan, "number at $");
    check("1.5e308", "-1.5e308", &within(0.0, 1.9), "number at $");
    check("1.5e308", "-1.5e308", &within(0.0, 2.0), "equivalent");
    check("1.5e308", "-1.5e308", &within(1.7e308, 0.0), "number at $");
}
