//! What README.md says of configurations and statistics, held against the filter.
#![cfg(feature = "cli")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gnomon::compare::part::tensor::Datatype;
use gnomon::config::Tolerance;
use gnomon::config::parse::parse;
use gnomon::engine::plan::Plan;
use gnomon::stats::names::TAGS;
use gnomon::stats::{MetricType, WorkerSeries, configuration};
use serde_json::{Value, json};

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The text of a section, or of a part of one, without its heading.
fn section(title: &str) -> String {
    let readme = file("README.md");
    for heading in ["\n## ", "\n### "] {
        if let Some((_, rest)) = readme.split_once(&format!("{heading}{title}\n")) {
            return rest.split("\n## ").flat_map(|rest| rest.split(heading)).next().unwrap().to_owned();
        }
    }
    panic!("README has no section {title}");
}

/// The rows of the tables of a section, cell by cell, without the first head.
fn table(title: &str) -> Vec<Vec<String>> {
    let text = section(title);
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Words in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Code blocks of a language.
fn blocks(title: &str, language: &str) -> Vec<String> {
    let text = section(title);
    let blocks = text.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n")).map(str::to_owned)).collect()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// The configuration of the tour, with the split that it comes to.
fn tour() -> Value {
    let blocks = blocks("A tour in five minutes", "yaml");
    let mut whole = yaml(&blocks[0]);
    parse(whole.to_string().as_bytes()).unwrap();
    let split = yaml(&blocks[1]);
    whole["routes"][0]["split"] = split["split"].clone();
    whole
}

#[test]
fn the_configurations_of_the_tour_are_good() {
    assert_eq!(blocks("A tour in five minutes", "yaml").len(), 2);
    parse(tour().to_string().as_bytes()).unwrap();
}

/// A configuration whose one route has `keys`.
fn route(keys: &Value) -> String {
    let mut route = json!({"name": "r"});
    route.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    json!({"version": 1, "experiment": "e", "routes": [route]}).to_string()
}

#[test]
fn the_examples_of_tasks_and_copies_are_good() {
    let mut read = 0;
    for block in [blocks("Tasks", "yaml"), blocks("Shaping the copy", "yaml"), blocks("Gates", "yaml")].concat() {
        let block = yaml(&block);
        if block.get("vmConfig").is_none() {
            parse(route(&block).as_bytes()).unwrap();
            read += 1;
        }
    }
    assert_eq!(read, 4);

    // The words of both tables, and no others, are those of the parser.
    let words = |title: &str| table(title).iter().map(|row| quoted(&row[0])[0].to_owned()).collect::<Vec<_>>();
    for protocol in words("Protocols") {
        parse(route(&json!({"protocol": protocol})).as_bytes()).unwrap();
    }
    for task in words("Tasks").iter().filter(|task| *task != "decision") {
        parse(route(&json!({"compare": {"task": task}})).as_bytes()).unwrap();
    }
    let schema: Value = serde_json::from_str(&file("docs/configuration.schema.json")).unwrap();
    let known = |place: &str| schema.pointer(place).unwrap().as_array().unwrap().len();
    assert_eq!(words("Protocols").len() + 1, known("/$defs/route/properties/protocol/enum"), "auto has no row");
    assert_eq!(words("Gates").len(), known("/$defs/gate/properties/measure/enum"));
    assert_eq!(words("Tasks").len(), known("/$defs/task/oneOf/0/enum"), "auto has no row, decision is no word");
}

#[test]
fn the_table_of_tolerances_is_that_of_the_filter() {
    let number = |cell: &str| quoted(cell)[0].parse::<f64>().unwrap();
    let mut rows = 0;
    for row in table("Tolerances") {
        let said = Tolerance { absolute: number(&row[1]), relative: number(&row[2]) };
        for word in row[0].replace("integers", "INT8, UINT8, INT64").split([',', ' ']) {
            if let Some(datatype) = Datatype::parse(word.as_bytes()) {
                assert_eq!(datatype.tolerance(), said, "{word}");
                rows += 1;
            }
        }
        if row[0].starts_with("JSON") {
            assert_eq!(Tolerance::JSON, said);
        }
    }
    assert_eq!(rows, 8, "datatypes are named in the table");
}

/// The name and the labels of a series as it is spelled: the name first, then `label=.=value;.;` for each label.
fn spelled(series: &str) -> (String, BTreeSet<String>) {
    let mut heads = series.split(";.;").filter_map(|part| part.split_once("=.=")).map(|(head, _)| head);
    let Some(first) = heads.next() else { return (series.to_owned(), BTreeSet::new()) };
    let label = TAGS.iter().find(|tag| first.ends_with(**tag)).unwrap();
    let name = first.strip_suffix(label).unwrap();
    let labels: BTreeSet<String> = heads.chain([*label]).map(str::to_owned).collect();
    assert!(labels.iter().all(|label| TAGS.contains(&label.as_str())), "a label of {series} is not in TAGS, so Envoy would not extract it");
    (name.to_owned(), labels)
}

/// The tour's configuration with the gates and all else that brings statistics of its own, and a task that names answers: then it has every
/// statistic.
fn counting_all() -> Value {
    let mut config = tour();
    let route = &mut config["routes"][0];
    route["compare"]["task"] = "labels".into();
    route["split"]["canaries"][0]["warmup"] = "30s".into();
    route["gates"] = json!([{"name": "errors", "of": "v2", "measure": "failed", "limit": 1}]);
    route["guardrail"] = json!({"gates": ["errors"]});
    config
}

#[test]
fn the_table_of_statistics_is_that_of_the_filter() {
    let config = parse(counting_all().to_string().as_bytes()).unwrap();
    let mut defined: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    let mut define = |kind: MetricType, series: &str| {
        let (name, labels) = spelled(series);
        defined.insert(name, (format!("{kind:?}").to_lowercase(), labels));
        0
    };
    WorkerSeries::define(&mut define);
    define(MetricType::Gauge, &configuration("p"));
    Plan::new(1, config, &mut define, &|_| Vec::new(), &|_| None);

    let rows = table("Statistics").into_iter().map(|row| {
        let labels = row[2].split_whitespace().filter(|label| *label != "none").map(str::to_owned).collect();
        (quoted(&row[0])[0].to_owned(), (row[1].clone(), labels))
    });
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), defined);
}

#[test]
fn the_words_of_the_statistics_are_those_of_the_filter() {
    let config = parse(counting_all().to_string().as_bytes()).unwrap();
    let mut words = BTreeSet::new();
    Plan::new(
        1,
        config,
        &mut |_, series| {
            let values = series.split(";.;").filter_map(|label| label.split_once("=.="));
            words.extend(values.filter(|(label, _)| !label.ends_with("experiment")).map(|(_, value)| value.to_owned()));
            0
        },
        &|_| Vec::new(),
        &|_| None,
    );
    let text = section("Statistics");
    let said: BTreeSet<&str> = quoted(&text).into_iter().collect();
    for word in words.iter().filter(|word| !["fraud", "v1", "v2", "v2-copy", "errors", "all", "other"].contains(&word.as_str())) {
        assert!(said.contains(word.as_str()), "the section on statistics does not name {word}");
    }
}

/// Every key that the schema knows has a row or is named in one.
#[test]
fn the_table_of_the_configuration_names_every_key() {
    fn keys(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Object(members) => {
                if let Some(Value::Object(properties)) = members.get("properties") {
                    found.extend(properties.keys().cloned());
                }
                members.values().for_each(|member| keys(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let mut all = BTreeSet::new();
    keys(&serde_json::from_str(&file("docs/configuration.schema.json")).unwrap(), &mut all);
    let text = section("Configuration");
    let words: BTreeSet<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let missing: Vec<_> = all.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "the table of the configuration does not name {missing:?}");
}

/// The defaults in the table, put into a configuration, change nothing.
#[test]
fn the_defaults_of_the_table_are_those_of_the_parser() {
    let mut least = tour();
    least["routes"][0]["gates"] = json!([{"name": "g", "of": "v2", "measure": "failed", "limit": 1}]);
    least["routes"][0]["guardrail"] = json!({"gates": ["g"]});
    let mut full = least.clone();
    let mut set = |path: &[&str], key: &str, default: Value| {
        let mut at = &mut full;
        for step in path {
            at = match step.parse::<usize>() {
                Ok(index) => &mut at[index],
                Err(_) => &mut at[*step],
            };
        }
        if at[key].is_null() {
            at[key] = default;
        }
    };
    let rows: BTreeMap<String, String> = table("Configuration").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let default = |key: &str| {
        let row = rows.get(key).unwrap_or_else(|| panic!("no row {key}"));
        quoted(row).iter().map(|text| yaml(text)).collect::<Vec<_>>()
    };
    set(&[], "on_invalid", default("`on_invalid`")[0].clone());
    set(&[], "trust_copies", default("`trust_copies`")[0].clone());
    set(&["routes", "0"], "protocol", default("`….protocol`")[0].clone());
    set(&["routes", "0", "match"], "methods", default("`….match.methods`")[0].clone());
    for (key, default) in ["header", "expose"].into_iter().zip(default("`….split.header`, `.expose`")) {
        set(&["routes", "0", "split"], key, default);
    }
    set(&["routes", "0", "split"], "salt", json!("fraud"));
    for key in ["role", "timeout", "max_in_flight"] {
        set(&["routes", "0", "shadows", "0"], key, default(&format!("`….shadows[].{key}`"))[0].clone());
    }
    set(&["routes", "0", "compare"], "task", default("`….compare.task`")[0].clone());
    for key in ["each_slice", "alpha", "min_trials"] {
        set(&["routes", "0", "gates", "0"], key, default(&format!("`….gates[].{key}`"))[0].clone());
    }
    for (key, default) in yaml(&format!("{{{}}}", quoted(&rows["`….guardrail`"])[0])).as_object().unwrap() {
        set(&["routes", "0", "guardrail"], key, default.clone());
    }
    for key in ["limits", "evidence"] {
        set(&[], key, yaml(&format!("{{{}}}", quoted(&rows[&format!("`{key}`")])[0])));
    }
    assert_ne!(least, full);
    assert_eq!(parse(least.to_string().as_bytes()).unwrap(), parse(full.to_string().as_bytes()).unwrap());
}

#[test]
fn the_line_of_evidence_is_one_of_the_filters() {
    let line: Value = serde_json::from_str(&blocks("A tour in five minutes", "json")[0]).unwrap();
    let fields: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    let source = file("src/engine/evidence.rs");
    for field in &fields {
        assert!(source.contains(&format!("\"{field}\"")), "no evidence has {field}");
    }
    assert!(fields.len() > 8);
}

#[test]
fn every_file_that_is_linked_is_there() {
    let readme = file("README.md");
    let links: Vec<&str> =
        readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| !link.starts_with('[')).collect();
    assert!(links.len() > 5);
    for link in links {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists(), "README links to {link}");
    }
}
