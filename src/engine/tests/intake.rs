//! Taking a configuration: what runs then, and what the operator is told.

use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::worker::{config, merge};
use crate::engine::effect::Line;
use crate::engine::intake::{Intake, Source, take};
use crate::stats::memory::Memory;
use crate::stats::{Applied, WorkerSeries};

/// A proxy that is given configurations.
#[derive(Default)]
struct Proxy(Memory);

impl Proxy {
    /// Gives the plugin `p` a configuration.
    fn take(&mut self, text: &str) -> Intake {
        self.take_for("p", text)
    }

    fn take_for(&mut self, plugin: &str, text: &str) -> Intake {
        let series = WorkerSeries::define(&mut self.0);
        take(Source { root: 1, plugin, text: text.as_bytes(), variable: &|_| None }, &series, &mut self.0)
    }

    /// `gnomon_configuration` of the plugin, where the intake shows it and not the engine, which does once it runs.
    fn shown(&self) -> i64 {
        self.0.sum(&["gnomon_configuration", "plugin=.=p;"])
    }
}

/// What is shown of what runs, and the experiment of the only route; `None` if the host is to refuse.
fn runs(intake: &Intake) -> Option<(Applied, Option<String>)> {
    let configured = intake.configured.as_ref()?;
    let experiment = configured.plan.as_ref().map(|plan| plan.config.routes[0].experiment.to_string());
    Some((configured.applied, experiment))
}

fn accepted(experiment: &str) -> Option<(Applied, Option<String>)> {
    Some((Applied::Accepted, Some(experiment.to_owned())))
}

const UNTOUCHED: Option<(Applied, Option<String>)> = Some((Applied::Untouched, None));

fn last_good(experiment: &str) -> Option<(Applied, Option<String>)> {
    Some((Applied::LastGood, Some(experiment.to_owned())))
}

fn good(change: Value) -> String {
    config(change).to_string()
}

/// Two problems.
fn broken(change: Value) -> String {
    let mut all = config(json!({"surprise": true}));
    all["routes"][0]["shadows"][0]["percent"] = 101.into();
    merge(&mut all, change);
    all.to_string()
}

fn rejecting() -> Value {
    json!({"on_invalid": "reject"})
}

fn errors(intake: &Intake) -> Vec<&str> {
    let texts = intake.lines.iter().filter_map(|line| if let Line::Error(text) = line { Some(text.as_str()) } else { None });
    texts.collect()
}

fn warnings(intake: &Intake) -> Vec<&str> {
    let texts = intake.lines.iter().filter_map(|line| if let Line::Warning(text) = line { Some(text.as_str()) } else { None });
    texts.collect()
}

#[test]
fn a_first_configuration_is_taken_or_leaves_all_requests_untouched() {
    for (what, text, expected) in [
        ("a good one", good(json!({})), accepted("e")),
        ("a good one that may be rejected", good(rejecting()), accepted("e")),
        ("two problems", broken(json!({})), UNTOUCHED),
        ("two problems, to pass", broken(json!({"on_invalid": "pass"})), UNTOUCHED),
        ("two problems, to be rejected", broken(rejecting()), None),
        ("nothing but `reject`", rejecting().to_string(), None),
        ("another word", good(json!({"on_invalid": "explode"})), UNTOUCHED),
        ("YAML", "version: 1".to_owned(), UNTOUCHED),
        ("nothing", String::new(), UNTOUCHED),
        ("null", "null".to_owned(), UNTOUCHED),
        ("a name twice", r#"{"version":1,"version":1,"experiment":"e","routes":[]}"#.to_owned(), UNTOUCHED),
        ("very deep", "[".repeat(100_000), UNTOUCHED),
    ] {
        let mut proxy = Proxy::default();
        let intake = proxy.take(&text);
        assert_eq!(runs(&intake), expected, "{what}");
        assert_eq!(errors(&intake).is_empty(), expected == accepted("e"), "{what}: {:?}", intake.lines);
        assert_eq!((warnings(&intake).len(), proxy.shown()), (0, 0), "{what}");
    }
}

/// One after the other, to one proxy.
#[test]
fn the_last_good_one_goes_on() {
    let mut proxy = Proxy::default();
    let experiment = |name: &str| json!({"experiment": name});
    for (step, (text, expected, shown)) in [
        (broken(json!({})), UNTOUCHED, 0),
        (good(experiment("e")), accepted("e"), 0),
        (broken(experiment("f")), last_good("e"), 0),
        ("{".to_owned(), last_good("e"), 0),
        (good(experiment("g")), accepted("g"), 0),
        (broken(json!({})), last_good("g"), 0),
        (broken(rejecting()), None, 2),
        (broken(json!({})), last_good("g"), 2),
        (good(experiment("e")), accepted("e"), 2),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!((runs(&proxy.take(&text)), proxy.shown()), (expected, shown), "step {step}");
    }
    // It outlives VMs, and is its plugin's own.
    let mut proxy = Proxy(Memory { shared: std::mem::take(&mut proxy.0.shared), ..Memory::default() });
    assert_eq!(runs(&proxy.take_for("q", &broken(json!({})))), UNTOUCHED);
    assert_eq!(runs(&proxy.take(&broken(json!({})))), last_good("e"));
}

#[test]
fn a_last_good_one_that_this_filter_cannot_read_is_none() {
    for text in ["", "{}", &broken(json!({}))] {
        let mut proxy = Proxy::default();
        proxy.0.shared.insert("gnomon/v1/configuration/p".to_owned(), (text.into(), 1));
        assert_eq!(runs(&proxy.take(&broken(json!({})))), UNTOUCHED, "{text}");
        assert_eq!((runs(&proxy.take(&broken(rejecting()))), proxy.shown()), (None, 0), "{text}");
        assert_eq!(runs(&proxy.take(&good(json!({})))), accepted("e"), "{text}");
    }
}

#[test]
fn every_problem_has_a_line_and_the_last_one_says_what_comes_of_it() {
    let mut proxy = Proxy::default();
    for (text, end) in [
        (broken(json!({})), ": all requests pass untouched"),
        (broken(rejecting()), ", on_invalid: reject"),
        (good(json!({})), ""),
        (broken(json!({})), ": the last good one goes on"),
        (broken(rejecting()), ", on_invalid: reject"),
    ] {
        let intake = proxy.take(&text);
        let lines = errors(&intake);
        if end.is_empty() {
            assert_eq!(lines, Vec::<&str>::new());
            continue;
        }
        let [one, two, last] = lines[..] else { panic!("{lines:?}") };
        for (place, found) in [("shadows[0].percent", "101"), ("surprise", "")] {
            let tells = |line: &str| line.starts_with("configuration of p: ") && line.contains(place) && line.contains(found);
            assert!(tells(one) != tells(two), "{place}: {lines:?}");
        }
        assert_eq!(last, format!("configuration of p refused, 2 problem(s){end}"));
    }
    let many: Value = (0..200).map(|number| (format!("surprise-{number}"), json!(number))).collect();
    assert_eq!(errors(&proxy.take(&good(many))).len(), 201);
}

#[test]
fn what_a_configuration_changes_of_figures_that_go_on_is_told_once() {
    let with = |milliseconds: u64| {
        let mut all = config(json!({}));
        all["routes"][0]["shadows"][0]["timeout"] = format!("{milliseconds}ms").into();
        all.to_string()
    };
    let mut proxy = Proxy::default();
    // What is given to one worker after the other, and how many changes that worker tells of.
    for (step, (text, told)) in [
        (with(1_000), 0),
        (with(1_000), 0),
        (with(1_500), 1),
        (with(1_500), 0),
        (broken(json!({})), 0),
        (with(1_500), 0),
        (with(1_000), 1),
        (good(json!({"experiment": "f"})), 0),
    ]
    .into_iter()
    .enumerate()
    {
        let intake = proxy.take(&text);
        let lines = warnings(&intake);
        assert_eq!(lines.len(), told, "step {step}: {lines:?}");
        let tells = |line: &&str| line.starts_with("configuration of p: route r, shadow s: timeout from ");
        assert!(lines.iter().all(tells), "{lines:?}");
    }
}

#[test]
fn a_plugin_without_a_name_is_told_once() {
    let mut proxy = Proxy::default();
    for told in [1, 0] {
        let intake = proxy.take_for("", &good(json!({})));
        let lines = warnings(&intake);
        let tells = |line: &&str| line.starts_with("configuration of a plugin without a name: ") && line.contains("config.name");
        assert!(lines.len() == told && lines.iter().all(tells), "{lines:?}");
    }
    let refused = proxy.take_for("", &broken(json!({})));
    assert!(errors(&refused).iter().all(|line| line.starts_with("configuration of a plugin without a name")));
}

#[test]
fn a_header_that_the_environment_lacks_is_told_and_hinders_nothing() {
    let mut all = config(json!({}));
    all["routes"][0]["shadows"][0]["request"] = json!({"headers": {"from_env": {"authorization": "UNSET"}}});
    let intake = Proxy::default().take(&all.to_string());
    assert_eq!(runs(&intake), accepted("e"));
    let lines = errors(&intake);
    assert!(lines.len() == 1 && lines[0].starts_with("configuration of p: ") && lines[0].contains("UNSET"), "{lines:?}");
}

#[test]
fn the_key_is_that_of_the_plugin_and_its_text() {
    let mut proxy = Proxy::default();
    let mut key = |plugin: &str, text: &str| proxy.take_for(plugin, text).configured.map(|configured| (configured.key, configured.plugin));
    let (text, other) = (good(json!({})), good(json!({"experiment": "f"})));
    let first = key("p", &text);
    assert_eq!(first.as_ref().map(|(_, plugin)| plugin.as_str()), Some("p"));
    assert_eq!(key("p", &text), first);
    for (plugin, text) in [("p", &other), ("q", &text), ("p", &broken(json!({})))] {
        assert_ne!(key(plugin, text).map(|(key, _)| key), first.as_ref().map(|(key, _)| *key), "{plugin}: {text}");
    }
}

/// As everything in shared data: a write without compare-and-swap would also hide that the host refused it.
#[test]
fn the_last_good_text_is_written_once_by_compare_and_swap() {
    let mut proxy = Proxy::default();
    let (first, second) = (good(json!({})), good(json!({"experiment": "f"})));
    for (step, (text, version)) in [(&first, 1), (&first, 1), (&second, 2), (&broken(json!({})), 2), (&second, 2)].into_iter().enumerate() {
        proxy.take(text);
        let (there, written) = &proxy.0.shared["gnomon/v1/configuration/p"];
        assert_eq!((there == second.as_bytes(), *written), (version == 2, version), "step {step}");
    }
}
