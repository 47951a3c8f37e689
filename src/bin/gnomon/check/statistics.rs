//! Warnings of a bootstrap whose `stats_config` loses Gnomon's series or their labels.

use gnomon::config::Config;
use gnomon::config::raw::Node;
use gnomon::engine::plan::Plan;
use gnomon::stats::WorkerSeries;
use gnomon::stats::memory::Memory;
use gnomon::stats::names::TAGS;

use super::protobuf_json::{field, list, text};
use super::text_test::TextTest;

/// What Envoy writes before the name of a series.
const NAMESPACE: &str = "wasmcustom.";

/// Returns a line for each mistake in the `stats_config` of this Envoy: its bootstrap, then all else that belongs to it; none if that is not
/// known.
pub fn warnings(config: Option<&Config>, envoy: &[&Node]) -> Vec<String> {
    if envoy.is_empty() {
        return Vec::new();
    }
    let stats = envoy.iter().find_map(|document| field(document, "stats_config")).unwrap_or(&Node::Null);
    let matcher = field(stats, "stats_matcher").and_then(|matcher| hidden(matcher, &series(config?)));
    tags(stats).into_iter().chain(matcher).collect()
}

/// Returns a line if labels of Gnomon would stay in the names of its series.
fn tags(stats: &Node) -> Option<String> {
    let written = list(stats, "stats_tags");
    // The points of `label=.=value;.;` as a regular expression may have them.
    let points = [r"\.", "[.]", "."];
    let is_whole = |tag: &str, regex: &str| {
        let after = points.iter().find_map(|point| Some(regex.split_once(&format!("({tag}={point}="))?.1));
        after.is_some_and(|after| points.iter().any(|point| after.contains(&format!(";{point};)"))))
    };
    let extracts =
        |tag: &str, entry: &Node| text(entry, "tag_name") == Some(tag) && text(entry, "regex").is_some_and(|regex| is_whole(tag, regex));
    let missing: Vec<&str> = TAGS.into_iter().filter(|tag| !written.iter().any(|entry| extracts(tag, entry))).collect();
    if missing.is_empty() {
        return None;
    }
    let what = if missing.len() == TAGS.len() { "any of Gnomon's labels".to_owned() } else { missing.join(", ") };
    Some(format!(
        "stats_config.stats_tags does not extract {what}, so these labels become a part of the names of Gnomon's statistics: copy the list in envoy/minimal.yaml"
    ))
}

/// Returns the full names of the series of a configuration.
fn series(config: &Config) -> Vec<String> {
    let mut host = Memory::default();
    WorkerSeries::define(&mut host);
    Plan::new(1, config.clone(), &mut host, &|_| None);
    host.defined.into_iter().map(|(_, name)| format!("{NAMESPACE}{name}")).collect()
}

/// Returns a line if a matcher hides any of these series, or may do so.
fn hidden(matcher: &Node, series: &[String]) -> Option<String> {
    const WHY: &str = "workers tell each other by such figures what gates and guardrails have found";
    if field(matcher, "reject_all") == Some(&Node::Bool(true)) {
        return Some(format!("stats_config.stats_matcher.reject_all hides all statistics, and {WHY}: leave it out"));
    }
    let (key, patterns) = ["exclusion_list", "inclusion_list"].into_iter().find_map(|key| Some((key, field(matcher, key)?)))?;
    let (patterns, includes) = (list(patterns, "patterns"), key == "inclusion_list");
    let remedy = if includes { "add {prefix: wasmcustom.gnomon_} to it" } else { "narrow its patterns" };
    let hit = |name: &String| {
        let passed: Vec<Option<bool>> = patterns.iter().map(|pattern| TextTest::read(pattern)?.passes(name)).collect();
        if passed.contains(&Some(true)) { Some(true) } else { (!passed.contains(&None)).then_some(false) }
    };
    let hits: Vec<(&String, Option<bool>)> = series.iter().map(|name| (name, hit(name))).collect();
    let metric = |name: &str| name.split_once("=.=").map_or(name, |(name, _)| name).to_owned();
    if let Some((name, _)) = hits.iter().find(|(_, hit)| *hit == Some(!includes)) {
        let name = TAGS.into_iter().find_map(|tag| metric(name).strip_suffix(tag).map(str::to_owned)).unwrap_or_else(|| metric(name));
        return Some(format!("stats_config.stats_matcher.{key} hides {name}, and {WHY}: {remedy}"));
    }
    hits.iter().any(|(_, hit)| hit.is_none()).then(|| {
        format!("stats_config.stats_matcher.{key}: whether it hides {NAMESPACE}gnomon_ can't be told from its regular expressions: {remedy}, if it does")
    })
}
