//! What the documents say of configurations, statistics and files, held against the filter, the contract of statistics and the project.
#![cfg(feature = "cli")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gnomon::compare::part::tensor::Datatype;
use gnomon::config::parse::parse;
use gnomon::config::{Config, Tolerance};
use gnomon::split::bucket::bucket;
use serde_json::{Value, json};

use contract::CONTRACT;
use markdown::{blocks, text};

#[path = "statistics/contract.rs"]
mod contract;
#[path = "documents/markdown.rs"]
mod markdown;
#[path = "documents/pages.rs"]
mod pages;

/// The text of a section of a document, or of a part of one, without its heading.
fn section(file: &str, title: &str) -> String {
    let document = text(file);
    for heading in ["\n## ", "\n### "] {
        if let Some((_, rest)) = document.split_once(&format!("{heading}{title}\n")) {
            return rest.split("\n## ").flat_map(|rest| rest.split(heading)).next().unwrap().to_owned();
        }
    }
    panic!("{file} has no section {title}");
}

/// The rows of the tables of a section, cell by cell, without the first head.
fn table(file: &str, title: &str) -> Vec<Vec<String>> {
    let text = section(file, title);
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Words in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

const README: &str = "README.md";
const GETTING_STARTED: &str = "docs/getting-started.md";
const CONFIGURATION: &str = "docs/configuration.md";
const COMPARING: &str = "docs/comparing.md";
const GATES: &str = "docs/gates.md";
const STATISTICS: &str = "docs/statistics.md";

/// The configurations of the steps of the tour, which its commands get as input.
fn tour() -> Vec<Value> {
    let commands = blocks(GETTING_STARTED, "sh").concat();
    let inputs = commands.split("configure <<'END_OF_CONFIGURATION'\n").skip(1).map(|rest| rest.split_once("\nEND_OF_CONFIGURATION\n"));
    inputs.map(|input| serde_json::from_str(input.unwrap().0).unwrap()).collect()
}

/// Everything in a value that has the key, the outermost first.
fn having<'a>(value: &'a Value, key: &str) -> Vec<&'a Value> {
    let inner: Vec<&Value> = match value {
        Value::Object(members) => members.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => vec![],
    };
    value.get(key).into_iter().chain(inner.into_iter().flat_map(|inner| having(inner, key))).collect()
}

#[test]
fn the_configurations_of_the_tour_are_good_and_each_starts_afresh() {
    let file = yaml(&text("envoy/tour-gnomon.yaml"));
    let shipped = having(&file, "configuration")[0]["value"].as_str().unwrap();
    let steps: Vec<Value> = [serde_json::from_str(shipped).unwrap()].into_iter().chain(tour()).collect();
    assert_eq!(steps.len(), 4);
    for (at, step) in steps.iter().enumerate() {
        parse(step.to_string().as_bytes()).unwrap();
        assert_eq!(step["experiment"], format!("fraud-{}", at + 1));
    }
}

/// What the README and the tour show of a shipped file is in it, but for comments.
#[test]
fn the_examples_are_those_of_the_shipped_files() {
    let shown = blocks(README, "yaml").iter().map(|block| yaml(block)).collect::<Vec<_>>();
    let [filters, routes, plugin] = &shown[..] else { panic!("{} blocks", shown.len()) };
    let (minimal, canary, proxy) = (yaml(&text("envoy/minimal.yaml")), yaml(&text("envoy/canary.yaml")), yaml(&text("envoy/tour.yaml")));
    assert_eq!(filters["http_filters"][0], having(&minimal, "http_filters")[0][0]);
    assert_eq!(routes["routes"], *having(&canary, "virtual_hosts")[0][0].get("routes").unwrap());
    assert_eq!(yaml(&blocks(GETTING_STARTED, "yaml")[0])["routes"], *having(&proxy, "virtual_hosts")[0][0].get("routes").unwrap());

    let (base, own) = (yaml(&text("istio/base/plugin.yaml")), yaml(&text("istio/overlays/gateway/plugin.yaml")));
    parse(plugin["spec"]["pluginConfig"].to_string().as_bytes()).unwrap();
    for key in ["apiVersion", "kind", "metadata"] {
        assert_eq!(plugin[key], base[key]);
    }
    let changed = |key: &str| own.as_array().unwrap().iter().find(|change| change["path"] == format!("/spec/{key}"));
    for (key, value) in plugin["spec"].as_object().unwrap().iter().filter(|(key, _)| *key != "pluginConfig") {
        let shipped = changed(key).map_or(&base["spec"][key], |change| &change["value"]);
        assert_eq!(value, shipped, "{key} is not that of istio/overlays/gateway");
    }
}

/// Lines such as `bucket("a", "b")     # 4711`.
#[test]
fn the_buckets_in_the_formulas_are_those_of_the_filter() {
    let code = blocks(CONFIGURATION, "python").concat();
    let lines: Vec<&str> = code.lines().filter(|line| line.starts_with("bucket(")).collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let (call, number) = line.split_once('#').unwrap();
        let parts: Vec<&[u8]> = call.split('"').skip(1).step_by(2).map(str::as_bytes).collect();
        assert_eq!(bucket(&parts).to_string(), number.trim(), "{call}");
    }
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
    for block in [COMPARING, "docs/copies.md", GATES, "docs/worse-than-baseline.md", "docs/guardrail.md"]
        .iter()
        .flat_map(|page| blocks(page, "yaml"))
    {
        let block = yaml(&block);
        if block.get("vmConfig").is_none() {
            parse(route(&block).as_bytes()).unwrap();
            read += 1;
        }
    }
    assert_eq!(read, 6);

    // The words of both tables, and no others, are those of the parser.
    let words = |page: &str, title: &str| table(page, title).iter().map(|row| quoted(&row[0])[0].to_owned()).collect::<Vec<_>>();
    for protocol in words(COMPARING, "Protocols") {
        parse(route(&json!({"protocol": protocol})).as_bytes()).unwrap();
    }
    for task in words(COMPARING, "Tasks").iter().filter(|task| *task != "decision") {
        parse(route(&json!({"compare": {"task": task}})).as_bytes()).unwrap();
    }
    let schema: Value = serde_json::from_str(&text("docs/configuration.schema.json")).unwrap();
    let known = |place: &str, more: &[&str]| {
        let words = schema.pointer(place).unwrap().as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        words.filter(|word| *word != "auto").chain(more.iter().copied()).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let said = |page, title| words(page, title).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(said(COMPARING, "Protocols"), known("/$defs/route/properties/protocol/enum", &[]));
    assert_eq!(said(GATES, "Measures"), known("/$defs/gate/properties/measure/enum", &[]));
    assert_eq!(said(COMPARING, "Tasks"), known("/$defs/task/oneOf/0/enum", &["decision"]), "decision is no word by itself");
}

#[test]
fn the_table_of_tolerances_is_that_of_the_filter() {
    let number = |cell: &str| quoted(cell)[0].parse::<f64>().unwrap();
    let mut rows = 0;
    for row in table(COMPARING, "Tolerances") {
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

/// A statistic whose words are not in its row, with the section in whose table they are; nothing: no document has them.
const WORDS_ELSEWHERE: [(&str, &str); 2] = [("gnomon_shadow_outcomes_total", "Outcomes"), ("gnomon_anomalies_total", "")];

#[test]
fn the_table_of_statistics_is_the_contract() {
    let rows = table(STATISTICS, "Series");
    let said: BTreeSet<[String; 3]> = rows.iter().map(|row| [quoted(&row[0])[0].to_owned(), row[1].clone(), row[2].clone()]).collect();
    let labels = |labels: &[String]| if labels.is_empty() { "none".to_owned() } else { labels.join(" ") };
    let contract = CONTRACT.iter().map(|it| [it.name.clone(), it.kind.clone(), labels(&it.labels)]).collect();
    let [strange, missing] = [said.difference(&contract), contract.difference(&said)].map(|rows| rows.collect::<Vec<_>>());
    assert!(strange.is_empty() && missing.is_empty(), "rows that the contract has not: {strange:#?}, rows that are missing: {missing:#?}");
    assert_eq!(said.len(), rows.len(), "each statistic has one row");
}

#[test]
fn the_words_and_meanings_of_the_table_of_statistics_are_those_of_the_contract() {
    let rows = table(STATISTICS, "Series");
    for statistic in CONTRACT.iter() {
        let name = statistic.name.as_str();
        let row = rows.iter().find(|row| quoted(&row[0]) == [name]).unwrap_or_else(|| panic!("{name} has no row"));
        let rest = row[3].strip_prefix(&statistic.meaning);
        let rest = rest.unwrap_or_else(|| panic!("the meaning of {name} begins with \"{}\", not with \"{}\"", row[3], statistic.meaning));
        let elsewhere = WORDS_ELSEWHERE.iter().find(|(statistic, _)| *statistic == name).map(|(_, beginning)| *beginning);
        let place = match elsewhere {
            Some("") => continue,
            Some(title) => table(STATISTICS, title).iter().map(|row| row[0].clone()).collect::<Vec<_>>().join(" "),
            None => rest.to_owned(),
        };
        let known: BTreeSet<&str> = statistic.words.values().flatten().map(String::as_str).collect();
        assert_eq!(words(&place), known, "words of {name}");
    }
}

/// Words in backquotes that a label may have, but for what is said in brackets.
fn words(text: &str) -> BTreeSet<&str> {
    let outside =
        text.split('(').enumerate().filter_map(|(at, part)| if at == 0 { Some(part) } else { part.split_once(')').map(|it| it.1) });
    let may_be = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    outside.flat_map(quoted).filter(may_be).collect()
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
    keys(&serde_json::from_str(&text("docs/configuration.schema.json")).unwrap(), &mut all);
    let text = section(CONFIGURATION, "Keys") + &section(COMPARING, "Tasks");
    let words: BTreeSet<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let missing: Vec<_> = all.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "the tables of the configuration and of tasks do not name {missing:?}");
}

/// The defaults in the table, put into a configuration, change nothing.
#[test]
fn the_defaults_of_the_table_are_those_of_the_parser() {
    let mut least = tour().into_iter().find(|step| !having(step, "canaries").is_empty()).unwrap();
    least.as_object_mut().unwrap().remove("on_invalid");
    least["routes"][0]["split"].as_object_mut().unwrap().remove("expose");
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
    let rows: BTreeMap<String, String> = table(CONFIGURATION, "Keys").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
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
    // The hash is of what is written.
    let parsed = |config: &Value| Config { hash: String::new(), ..parse(config.to_string().as_bytes()).unwrap() };
    assert_eq!(parsed(&least), parsed(&full));
}

fn exists(path: &str) -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists()
}

const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// Whether a name could be that of a file, a folder or a module: `outputs[*].score` could not.
fn may_be_path(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
}

/// Whether a file, a folder or a module of this name is in one of the folders.
fn is_in(folders: &[&str], name: &str) -> bool {
    folders.iter().any(|folder| exists(&format!("{folder}{name}")) || exists(&format!("{folder}{name}.rs")))
}

/// The first column has paths, the others names in the folder that the row is about. The paths of a row that begins with `…` are in the
/// folder of the last row without.
#[test]
fn every_file_of_the_code_map_is_there() {
    let (mut parent, mut missing, mut found) = (String::new(), vec![], 0);
    let rows = table(ARCHITECTURE, "Code map");
    for row in &rows {
        let inside = if row[0].starts_with('…') { parent.as_str() } else { "" };
        let paths: Vec<String> = quoted(&row[0]).iter().map(|path| format!("{inside}{path}")).collect();
        missing.extend(paths.iter().filter(|path| !exists(path)).cloned());
        let folders: Vec<&str> = paths.iter().map(String::as_str).filter(|path| path.ends_with('/')).chain([""]).collect();
        for name in row[1..].iter().flat_map(|cell| quoted(cell)).filter(|name| may_be_path(name)) {
            found += 1;
            if !is_in(&folders, name) {
                missing.push(format!("{name} in {folders:?}"));
            }
        }
        if !row[0].starts_with('…') {
            parent = folders[0].to_owned();
        }
    }
    assert!(rows.len() > 20 && found > 50, "{} rows and {found} names", rows.len());
    assert!(missing.is_empty(), "the code map of {ARCHITECTURE} names what is not there: {missing:#?}");
}

/// Paths are those of the project or, without `src/`, of the crate.
#[test]
fn every_file_that_the_architecture_names_is_there() {
    let document = text(ARCHITECTURE);
    let prose: String = document.lines().filter(|line| !line.starts_with('|')).flat_map(|line| [line, "\n"]).collect();
    let is_path = |name: &&str| may_be_path(name) && (name.contains('/') || name.ends_with(".rs"));
    let paths: BTreeSet<&str> = prose.split("\n\n").flat_map(quoted).filter(is_path).collect();
    let missing: Vec<_> = paths.iter().filter(|path| !is_in(&["", "src/"], path)).collect();
    assert!(paths.len() > 20, "only {paths:?}");
    assert!(missing.is_empty(), "{ARCHITECTURE} names what is not there: {missing:#?}");
}
