//! Configurations made at random, and damaged ones.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// Any JSON there is, with keys that mean something here.
fn any_json() -> impl Strategy<Value = String> {
    let keys = prop::sample::select(vec![
        "version",
        "experiment",
        "routes",
        "name",
        "match",
        "path",
        "exact",
        "split",
        "baseline",
        "canaries",
        "percent",
        "shadows",
        "cluster",
        "timeout",
        "limits",
        "body",
        "compare",
        "ignore",
        "slices",
        "values",
        "gates",
        "of",
        "measure",
        "limit",
        "guardrail",
        "warmup",
        "on_invalid",
        "é",
        "",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i32>().prop_map(|value| value.to_string()),
        prop::sample::select(vec!["\"a\"", "\"\"", "1.5", "1", "\"1s\"", "\"reject\"", "\"[[\"", "100", "\"1MiB\"", "\"failed\""])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((keys.clone(), inner), 0..6).prop_map(|pairs| {
                let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(refused) = parse(&bytes) {
            prop_assert!(!refused.problems.is_empty());
        }
    }

    #[test]
    fn any_json_is_judged(text in any_json()) {
        if let Err(refused) = parse(text.as_bytes()) {
            prop_assert!(!refused.problems.is_empty());
            prop_assert!(refused.problems.iter().all(|problem| !problem.path.is_empty()));
        }
    }

    #[test]
    fn a_damaged_example_is_judged(at in 0..FULL.len(), by in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = FULL.as_bytes().to_vec();
        if cut { bytes.truncate(at) } else { bytes[at] = by }
        if let Err(refused) = parse(&bytes) {
            prop_assert!(!refused.problems.is_empty());
        }
    }

    /// A name of a decision is a label value as it stands.
    #[test]
    fn names_of_decisions_are_label_values(name in "[ -~é;=]{1,8}") {
        let text = format!(r#", "compare": {{"task": {{"decision": {{"path": "a", "thresholds": [1], "names": ["other one", {name:?}]}}}}}}"#);
        prop_assert_eq!(parse(route(&text).as_bytes()).is_ok(), crate::stats::names::value(&name) == name);
    }

    /// Four decimals are exact, five are not accepted.
    #[test]
    fn percentages_are_whole_parts_of_a_million(ppm in 0_u32..=1_000_000, fifth in 1_u32..10) {
        let text = |percent: String| shadow("").replace("\"percent\": 1", &format!("\"percent\": {percent}"));
        let percent = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
        for written in [percent.clone(), format!("\"{percent}%\"")] {
            prop_assert_eq!(good(&text(written)).routes[0].shadows[0].ppm, ppm);
        }
        let finer = text(format!("{percent}{fifth}"));
        prop_assert!(parse(finer.as_bytes()).is_err());
    }
}

#[test]
fn order_and_duplicates_are_kept() {
    let node = Node::from_json(br#"{"b": 1, "a": [true, null], "b": "x"}"#).unwrap();
    let expected = Node::Object(vec![
        ("b".into(), Node::Number(1.0)),
        ("a".into(), Node::Array(vec![Node::Bool(true), Node::Null])),
        ("b".into(), Node::Text("x".into())),
    ]);
    assert_eq!(node, expected);
}
