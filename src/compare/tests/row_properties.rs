//! Rows against loops over the values that `serde_json` reads: argmax, top-k, cosine, decisions.

use super::tasks::{decision, embedding, labels, report};
use super::*;
use crate::compare::judgement::Decided;
use crate::config::{Labels, Task, Texts};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A few numbers, so that ties are common.
fn number() -> impl Strategy<Value = f64> {
    select(vec![0.0, 0.25, 0.3, 0.5, 0.7, 0.75, 1.0, -1.0, 2.5, 1e-3])
}

/// As many rows of one width on both sides, the shadow's sometimes the primary's.
fn matrices() -> impl Strategy<Value = (Vec<Vec<f64>>, Vec<Vec<f64>>)> {
    (2_usize..6, 1_usize..6).prop_flat_map(|(width, height)| {
        let rows = || prop::collection::vec(prop::collection::vec(number(), width), height);
        (rows(), rows(), prop::collection::vec(any::<bool>(), height)).prop_map(|(primary, mut shadow, same)| {
            for (at, same) in same.into_iter().enumerate() {
                if same {
                    shadow[at] = primary[at].clone();
                }
            }
            (primary, shadow)
        })
    })
}

fn v1(rows: &[Vec<f64>]) -> String {
    format!(r#"{{"predictions":{}}}"#, Value::from(rows.to_vec()))
}

/// The same rows as an output, behind another that comes first or last.
fn v2(rows: &[Vec<f64>], first: bool) -> String {
    let shape = [rows.len(), rows[0].len()];
    let scores = format!(r#"{{"name":"a","datatype":"FP64","shape":{shape:?},"data":{}}}"#, Value::from(rows.concat()));
    let other = r#"{"name":"b","datatype":"FP32","shape":[1,2],"data":[1,2]}"#;
    let outputs = if first { [&scores, other] } else { [other, &scores] };
    format!(r#"{{"outputs":[{}]}}"#, outputs.join(","))
}

/// The indices of the largest numbers, by sorting all.
fn best(row: &[f64], top: usize) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..row.len()).collect();
    indices.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
    indices.truncate(top);
    indices
}

/// Cells without regard to their order.
fn sorted(decided: &[Decided]) -> Vec<(String, String, u32)> {
    let mut cells: Vec<_> = decided.iter().map(|cell| (cell.primary.clone(), cell.shadow.clone(), cell.rows)).collect();
    cells.sort();
    cells
}

/// Counts pairs of names.
fn counted(pairs: impl Iterator<Item = (String, String)>) -> Vec<(String, String, u32)> {
    let mut cells = std::collections::BTreeMap::new();
    for pair in pairs {
        *cells.entry(pair).or_insert(0) += 1;
    }
    cells.into_iter().map(|((primary, shadow), rows)| (primary, shadow, rows)).collect()
}

fn verdict(first: Option<String>) -> String {
    first.unwrap_or_else(|| "equivalent".to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..pairs::config() })]

    #[test]
    fn labels_agree_with_sorting((primary, shadow) in matrices(), top in 1_usize..4, overlap in 1_usize..4, first: bool) {
        let overlap = overlap.min(top);
        let task = Task::Labels(Labels { top, overlap, ..labels(None) });
        let rows = || primary.iter().zip(&shadow).map(|(a, b)| (best(a, top), best(b, top)));
        let differs = |(a, b): &(Vec<usize>, Vec<usize>)| a.iter().filter(|index| b.contains(index)).count() < overlap.min(a.len());
        let at = rows().position(|row| differs(&row));
        let cells = counted(rows().map(|(a, b)| (a[0].to_string(), b[0].to_string())));
        // A space, so that the bytes are never the same.
        let (judgement, decided) = report(Protocol::KserveV1, task.clone(), &v1(&primary), &format!(" {}", v1(&shadow)));
        prop_assert_eq!(say(&judgement), verdict(at.map(|row| format!("label at predictions[{row}]"))));
        prop_assert_eq!(sorted(&decided), cells.clone());
        // As tensors, with the outputs in any order.
        let (judgement, decided) = report(Protocol::OpenInference, task, &v2(&primary, first), &format!(" {}", v2(&shadow, !first)));
        let output = usize::from(!first);
        prop_assert_eq!(say(&judgement), verdict(at.map(|row| format!("label at outputs[{output}].data[{}]", row * primary[0].len()))));
        prop_assert_eq!(sorted(&decided), cells);
    }

    #[test]
    fn decisions_agree_with_comparing((primary, shadow) in matrices()) {
        let name = |number: &f64| (if *number >= 0.7 { "block" } else if *number >= 0.3 { "review" } else { "approve" }).to_owned();
        let flat = || primary.iter().flatten().zip(shadow.iter().flatten()).map(|(a, b)| (name(a), name(b)));
        let at = flat().position(|(a, b)| a != b).map(|at| (at / primary[0].len(), at % primary[0].len()));
        let task = Task::Decision(decision("predictions[*]"));
        let (judgement, decided) = report(Protocol::KserveV1, task, &v1(&primary), &format!(" {}", v1(&shadow)));
        prop_assert_eq!(say(&judgement), verdict(at.map(|(row, column)| format!("label at predictions[{row}][{column}]"))));
        prop_assert_eq!(sorted(&decided), counted(flat()));
    }

    #[test]
    fn cosines_agree_with_loops((primary, shadow) in matrices(), least in select(vec![-0.5, 0.0, 0.5, 0.9, 0.999])) {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let cosine = |(a, b): (&Vec<f64>, &Vec<f64>)| dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt());
        let rows = || primary.iter().zip(&shadow);
        // Rounding may differ where a cosine is right at the limit.
        prop_assume!(rows().all(|row| (cosine(row) - least).abs() > 1e-9 || cosine(row).is_nan()));
        let at = rows().position(|(a, b)| a != b && !matches!(cosine((a, b)), found if found >= least));
        let (judgement, _) = report(Protocol::KserveV1, embedding(None, least), &v1(&primary), &format!(" {}", v1(&shadow)));
        prop_assert_eq!(say(&judgement), verdict(at.map(|row| format!("number at predictions[{row}]"))));
    }

    #[test]
    fn swapped_sides_transpose_the_matrix((primary, shadow) in matrices()) {
        for task in [Task::Labels(labels(None)), Task::Decision(decision("predictions[*]"))] {
            let (forth, there) = report(Protocol::KserveV1, task.clone(), &v1(&primary), &v1(&shadow));
            let (back, here) = report(Protocol::KserveV1, task, &v1(&shadow), &v1(&primary));
            prop_assert_eq!(say(&forth), say(&back));
            let turned: Vec<Decided> =
                here.into_iter().map(|cell| Decided { primary: cell.shadow, shadow: cell.primary, rows: cell.rows }).collect();
            prop_assert_eq!(sorted(&there), sorted(&turned));
        }
    }

    /// Of any two values something comes, in the same way in slices, and of a path the same whatever the order of keys.
    #[test]
    fn any_values_are_judged(case in pairs::case(), path in select(vec!["$", "a", "a[*]", "[*].id", "a.b", "[1]"]), seed in any::<u64>()) {
        let (primary, shadow) = (case.primary.to_string(), case.shadow.to_string());
        let mut dice = pairs::Dice::new(seed);
        let (respelt, reshadowed) = (pairs::spell(&case.primary, &mut dice), pairs::spell(&case.shadow, &mut dice));
        for task in [
            Task::Labels(labels(Some(path))),
            Task::Decision(decision(path)),
            embedding(Some(path), 0.9),
            Task::Regression { path: Some(super::path(path)) },
            Task::Text { path: Some(super::path(path)), texts: Texts { normalize: true, json: false } },
        ] {
            let plain = |judgement: &Judgement| say(judgement).replace("identical", "equivalent");
            let (judgement, _) = report(Protocol::Json, task.clone(), &format!(" {primary}"), &shadow);
            let (again, _) = report(Protocol::Json, task, &respelt, &format!(" {reshadowed}"));
            prop_assert!(!matches!(judgement, Judgement::Identical));
            if again != Judgement::Identical {
                prop_assert_eq!(plain(&judgement), plain(&again), "{} against {}", respelt, reshadowed);
            }
        }
    }
}
