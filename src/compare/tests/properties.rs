//! The whole comparison: long work in slices, and properties against a naive comparison.

use std::rc::Rc;

use super::*;
use crate::config::{Task, Texts};
use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Bytes of the long texts that are compared in many slices.
const LONG: usize = 60_000;

/// Compares in slices; the judgement must not change, no step may end early, and none may do much more than it was given.
fn check_slices(primary: &str, shadow: &str, plan: &Compare, expected: &str) {
    const BUDGET: usize = 500;
    // What a step may overrun its budget by: a few nodes, escapes or characters, or one short number.
    const OVERRUN: usize = 100;
    let begin =
        || Comparison::new(WireFormat::Json, Rc::new(plan.clone()), bounds(), answer(primary.as_bytes()), answer(shadow.as_bytes()));
    let mut left = usize::MAX;
    assert_eq!(say(&done(begin().step(&mut left)).judgement), expected);
    let work = usize::MAX - left;
    let (mut sliced, mut steps) = (begin(), 1);
    let judgement = loop {
        let mut budget = BUDGET;
        if let Poll::Ready(judgement) = sliced.step(&mut budget) {
            break judgement;
        }
        assert_eq!(budget, 0);
        steps += 1;
    };
    assert_eq!(say(&judgement.judgement), expected);
    assert!(work >= LONG && steps >= work / (BUDGET + OVERRUN), "{work} bytes in {steps} steps");
}

#[test]
fn long_work_is_sliced() {
    let plan = Compare::exact();
    let ordered = |part: &dyn Fn(usize) -> String, count: usize| (0..count).map(part).collect::<Vec<_>>().join(",");
    let reversed = |part: &dyn Fn(usize) -> String, count: usize| (0..count).rev().map(part).collect::<Vec<_>>().join(",");
    let digits = "7".repeat(LONG);
    check_slices(&digits, &digits, &plan, "identical");
    check_slices(&digits, &" ".repeat(LONG), &plan, "Shadow: JSON ends early");
    for character in ["a", "é", "日", "😀", "\\n", "\\u0041", "\\ud83d\\ude00"] {
        let text = character.repeat(LONG / character.len());
        check_slices(&format!("\"{text}\""), &format!(" \"{text}\""), &plan, "equivalent");
        check_slices(&format!("\"{text}\""), &format!("\"{text}b\""), &plan, "text at $");
        let members = |order: [&str; 3]| format!("{{{}}}", order.map(|end| format!("\"{text}{end}\":1")).join(","));
        check_slices(&members(["x", "y", "z"]), &members(["z", "x", "y"]), &plan, "equivalent");
    }
    let texts = Compare { task: Task::Text { path: None, texts: Texts { normalize: false, json: true } }, ..Compare::exact() };
    let in_text = |gap: &str| format!(r#"["{gap}{{\"a\":[{}]}}"]"#, ordered(&|index| format!("\\\"{index}\\\"{gap}"), LONG / 8));
    check_slices(&in_text(""), &in_text(" "), &texts, "equivalent");
    let number = |index: usize| format!("{}.5", index * 7919 % 10_007);
    let (forth, back) = (format!("[{}]", ordered(&number, LONG / 6)), format!("[{}]", reversed(&number, LONG / 6)));
    check_slices(&forth, &format!(" {forth}"), &plan, "equivalent");
    check_slices(&forth, &format!(" {forth}"), &ignoring(&["[*]"]), "equivalent");
    check_slices(&forth, &back, &unordered("$", None), "equivalent");
    let member = |index: usize| format!("\"{}\":0", index * 7919 % 5003);
    check_slices(&format!("{{{}}}", ordered(&member, LONG / 8)), &format!("{{{}}}", reversed(&member, LONG / 8)), &plan, "equivalent");
    let object = |index: usize| if index.is_multiple_of(3) { "{}".to_owned() } else { format!("{{\"id\":{}}}", index * 7919 % 10_007) };
    let (forth, back) = (ordered(&object, LONG / 10), reversed(&object, LONG / 10));
    check_slices(&format!("[{forth}]"), &format!("[{back}]"), &unordered("$", Some("id")), "equivalent");
    let searched = format!("[{{\"id\":1,{}}}]", ordered(&member, LONG / 8));
    check_slices(&searched, &format!(" {searched}"), &unordered("$", Some("id")), "equivalent");
    check_slices(
        &format!("[{}]", ordered(&|_| "[]".to_owned(), LONG / 3)),
        &format!("[{} ]", ordered(&|_| "[]".to_owned(), LONG / 3)),
        &plan,
        "equivalent",
    );
}

proptest! {
    #![proptest_config(pairs::config())]

    #[test]
    fn agrees_with_a_naive_comparison(case in pairs::case()) {
        let (primary, shadow) = (case.primary.to_string(), case.shadow.to_string());
        let differences = oracle::differences(&case.plan, &case.primary, &case.shadow);
        let expected = match differences.first() {
            _ if primary == shadow => "identical".to_owned(),
            None => "equivalent".to_owned(),
            Some((kind, path)) => format!("{} at {path}", kind.label()),
        };
        let judgement = judge(primary.as_bytes(), shadow.as_bytes(), &case.plan);
        prop_assert_eq!(say(&judgement), expected, "{} against {}", primary, shadow);
        if let Judgement::Diverged(found) = judgement {
            prop_assert_eq!(found.count as usize, differences.len().min(16), "{} against {}", primary, shadow);
            let paths: Vec<String> = differences.into_iter().map(|(_, path)| path).take(4).collect();
            prop_assert_eq!(found.paths, paths, "{} against {}", primary, shadow);
        }
    }

    #[test]
    fn spelling_and_order_of_keys_never_matter(case in pairs::case(), seed in any::<u64>()) {
        let (primary, shadow) = (case.primary.to_string(), case.shadow.to_string());
        let (mut first, mut second) = (pairs::Dice::new(seed), pairs::Dice::new(seed ^ 1));
        let (respelt, reshadowed) = (pairs::spell(&case.primary, &mut first), pairs::spell(&case.shadow, &mut second));
        let expected = say(&judge(primary.as_bytes(), shadow.as_bytes(), &case.plan)).replace("identical", "equivalent");
        let found = say(&judge(respelt.as_bytes(), reshadowed.as_bytes(), &case.plan)).replace("identical", "equivalent");
        prop_assert_eq!(found, expected, "{} against {}", respelt, reshadowed);
    }

    #[test]
    fn slices_change_nothing(case in pairs::case(), seed in any::<u64>(), most in 1_usize..200) {
        let mut dice = pairs::Dice::new(seed);
        let (primary, shadow) = (pairs::spell(&case.primary, &mut dice), pairs::spell(&case.shadow, &mut dice));
        let whole = judge(primary.as_bytes(), shadow.as_bytes(), &case.plan);
        let mut comparison = Comparison::new(WireFormat::Json, Rc::new(case.plan), bounds(), answer(primary.as_bytes()), answer(shadow.as_bytes()));
        let sliced = until_done(|| comparison.step(&mut (1 + dice.roll(most))));
        prop_assert_eq!(&sliced.judgement, &whole);
        prop_assert_eq!(comparison.step(&mut 1), Poll::Ready(sliced));
    }

    #[test]
    fn verdicts_are_symmetric(mut case in pairs::case()) {
        // In an unordered array an index is the primary's.
        let has_index = |path: &PathPattern| path.steps().iter().any(|step| matches!(step, Step::Index(_)));
        case.plan.ignore.retain(|path| !has_index(path));
        case.plan.tolerances.retain(|(path, _)| !has_index(path));
        let (primary, shadow) = (case.primary.to_string(), case.shadow.to_string());
        let (forth, back) = (judge(primary.as_bytes(), shadow.as_bytes(), &case.plan), judge(shadow.as_bytes(), primary.as_bytes(), &case.plan));
        match (&forth, &back) {
            (Judgement::Diverged(forth), Judgement::Diverged(back)) => {
                let swapped = match forth.kind { Kind::Missing => Kind::Extra, Kind::Extra => Kind::Missing, kind => kind };
                prop_assert_eq!(swapped, back.kind);
                prop_assert_eq!(&forth.pattern, &back.pattern);
                prop_assert_eq!(forth.count, back.count);
            }
            _ => prop_assert_eq!(&forth, &back),
        }
    }

    #[test]
    fn any_bytes_are_judged(primary: Vec<u8>, shadow: Vec<u8>, plan in pairs::plan()) {
        let same = primary == shadow;
        let judgement = judge(&primary, &shadow, &plan);
        prop_assert_eq!(same, judgement == Judgement::Identical);
        if let Judgement::Incomparable { side: Side::Shadow, .. } = judgement {
            let is_read = !matches!(judge(&primary, b"[] ", &plan), Judgement::Incomparable { .. });
            prop_assert!(is_read);
        }
    }
}
