//! Each alert fires when it should, and not when all is well.

use std::collections::BTreeSet;

use gnomon::gate::Counts;
use gnomon::subject::Requires;

use super::promtool::{Check, rules, run};
use super::verdicts::{errors, limit, proxies};
use super::world::{Page, World};

/// What a page shows at a minute beside what it shows when all is well.
type Trouble = fn(&mut Page, u32);

/// A proxy that serves some requests, with a gate that passes.
fn well(minute: u32) -> Page {
    let mut page = errors(Page::new("a", 1), 0, 1000);
    let rises = [
        ("gnomon_requests_total{experiment=\"e\",route=\"r\",variant=\"v2\",reason=\"weight\"}", 200),
        ("gnomon_responses_total{experiment=\"e\",route=\"r\",variant=\"v2\",class=\"2xx\"}", 200),
        ("gnomon_shadow_outcomes_total{experiment=\"e\",route=\"r\",shadow=\"s\",slice=\"all\",outcome=\"compared\"}", 19),
        ("gnomon_shadow_outcomes_total{experiment=\"e\",route=\"r\",shadow=\"s\",slice=\"all\",outcome=\"timed_out\"}", 1),
        ("gnomon_shadow_outcomes_total{experiment=\"e\",route=\"r\",shadow=\"s\",slice=\"all\",outcome=\"unsent_in_flight\"}", 0),
        ("gnomon_sampled_total{experiment=\"e\",route=\"r\",shadow=\"s\"}", 20),
        ("gnomon_heartbeats_total{}", 24),
        ("istio_requests_total{reporter=\"source\"}", 200),
        ("gnomon_anomalies_total{what=\"host_call\"}", 0),
        ("istio_agent_wasm_remote_fetch_count{result=\"success\"}", 1),
        ("istio_agent_wasm_remote_fetch_count{result=\"download_failure\"}", 0),
        ("gnomon_breaker_open{experiment=\"e\",route=\"r\",shadow=\"s\"}", 0),
        ("prometheus_rule_evaluation_failures_total{rule_group=\"rules.yaml;gnomon-verdicts\"}", 0),
        ("up{}", 0),
    ];
    page.others = rises.map(|(name, step)| (name.to_owned(), f64::from(step * minute))).into();
    page.others.extend([("gnomon_captured_limit_bytes{}".to_owned(), 1000.0), ("gnomon_captured_bytes{}".to_owned(), 10.0)]);
    set(&mut page, "up{}", 1.0);
    page
}

/// Gives the series whose name begins so another value.
fn set(page: &mut Page, name: &str, value: f64) {
    let series = page.others.iter_mut().find(|(series, _)| series.starts_with(name));
    series.expect("a series of a page").1 = value;
}

/// The labels of alerts about an experiment, and of those about a proxy.
const ROUTE: &str = "experiment=\"e\",route=\"r\",owner=\"team\"";
const PROXY: &str = "job=\"istio/gnomon\",pod=\"a\",instance=\"a:15020\"";

/// An alert, its severity, its labels beside those, the minute at which it fires, and what brings it about from the beginning on.
const ALERTS: [(&str, &str, &str, u32, Trouble); 19] = [
    ("GnomonGateFailed", "ticket", "subject=\"v2\",gate=\"errors\",slice=\"all\"", 1, |page, _| {
        page.gates[0].counts = Counts::new(50, 1000)
    }),
    ("GnomonCanaryCutOff", "ticket", "subject=\"v2\"", 1, |page, _| page.tripped.push("v2")),
    ("GnomonCoverageLow", "ticket", "shadow=\"s\"", 21, |page, minute| {
        set(
            page,
            "gnomon_shadow_outcomes_total{experiment=\"e\",route=\"r\",shadow=\"s\",slice=\"all\",outcome=\"timed_out\"}",
            f64::from(20 * minute),
        );
    }),
    ("GnomonCopiesUnsent", "ticket", "shadow=\"s\"", 21, |page, minute| {
        set(
            page,
            "gnomon_shadow_outcomes_total{experiment=\"e\",route=\"r\",shadow=\"s\",slice=\"all\",outcome=\"unsent_in_flight\"}",
            f64::from(2 * minute),
        );
    }),
    ("GnomonSplitMisrouted", "page", "", 1, |page, _| page.misrouted.extend(["v1", "v2"])),
    ("GnomonAnomalies", "ticket", "what=\"host_call\"", 2, |page, minute| set(page, "gnomon_anomalies_total", f64::from(minute.min(1)))),
    ("GnomonBreakerOpen", "ticket", "shadow=\"s\"", 12, |page, _| set(page, "gnomon_breaker_open", 1.0)),
    ("GnomonCapturedBytesNearLimit", "ticket", "", 12, |page, _| set(page, "gnomon_captured_bytes", 900.0)),
    ("GnomonConfigurationRefused", "ticket", "plugin=\"p\"", 2, |page, _| page.configuration = 2),
    ("GnomonConfigurationRefusedOnFreshProxy", "page", "plugin=\"p\"", 2, |page, _| page.configuration = 3),
    ("GnomonConfigurationsDiffer", "ticket", "", 12, |_, _| ()),
    ("GnomonFilterMissing", "page", "", 20, |page, _| set(page, "gnomon_heartbeats_total", 0.0)),
    ("GnomonFilterMissing", "page", "", 20, |page, _| {
        page.hidden = vec!["gnomon_build_info", "gnomon_heartbeats_total", "gnomon_requests_total"];
    }),
    ("GnomonImageFetchFailed", "ticket", "result=\"download_failure\"", 2, |page, minute| {
        set(page, "istio_agent_wasm_remote_fetch_count{result=\"download_failure\"}", f64::from(minute));
    }),
    ("GnomonImageFetchFailed", "ticket", "result=\"manifest_failure\"", 5, |page, minute| {
        // A counter that begins at 1.
        if minute >= 4 {
            page.others.push(("istio_agent_wasm_remote_fetch_count{result=\"manifest_failure\"}".to_owned(), 1.0));
        }
    }),
    ("GnomonRulesFailing", "ticket", "rule_group=\"rules.yaml;gnomon-verdicts\"", 2, |page, minute| {
        set(page, "prometheus_rule_evaluation_failures_total", f64::from(minute));
    }),
    ("GnomonThroughputCollapsed", "ticket", "variant=\"v2\"", 80, |page, minute| {
        set(page, "gnomon_responses_total", f64::from(200 * minute.min(65) + 80 * (minute.max(65) - 65)));
    }),
    ("GnomonExperimentOld", "ticket", "", 14 * 24 * 60 + 1, |_, _| ()),
    ("GnomonHeld", "ticket", "subject=\"v2\"", 121, |page, _| page.gates[0].counts = Counts::new(0, 10)),
];

/// Alerts that are about a proxy.
fn is_of_proxy(alert: &str) -> bool {
    ["Anomalies", "CapturedBytes", "ConfigurationRefused", "Filter", "Image", "Rules"].iter().any(|word| alert[6..].starts_with(word))
}

/// A check of all alerts that fire, and of no others.
fn firing(minute: u32, alerts: &[String]) -> Check {
    let samples = alerts.iter().map(|labels| (format!("ALERTS{{alertstate=\"firing\",{labels}}}"), 1.0)).collect();
    Check { minute: minute as usize, expression: "ALERTS{alertstate=\"firing\"}".to_owned(), samples }
}

fn labels(name: &str, severity: &str, more: &str) -> String {
    let common = if is_of_proxy(name) { PROXY } else { ROUTE };
    let parts = [&format!("alertname=\"{name}\",severity=\"{severity}\""), common, more];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(",")
}

/// The world in which `trouble` holds at the only proxy, or, of what needs two of them, at the second one.
fn world(alert: &str, minutes: u32, trouble: Trouble) -> World {
    let mut world = World::default();
    for minute in 0..=minutes {
        let mut page = well(minute);
        trouble(&mut page, minute);
        let mut pages = vec![page];
        if alert == "GnomonConfigurationsDiffer" {
            let mut other = errors(Page::new("b", 2), 0, 10);
            other.config = "0000bbbb";
            pages.push(other);
        }
        world.minute(pages);
    }
    world
}

#[test]
fn no_alert_fires_when_all_is_well() {
    let world = world("", 200, |_, _| ());
    let quiet: Vec<Check> = (0..=200).step_by(20).map(|minute| firing(minute, &[])).collect();
    run("well", &world, 1, &[], &quiet);
}

#[test]
fn probes_and_scrapes_alone_do_not_miss_the_filter() {
    let mut world = World::default();
    for minute in 0..=40 {
        let mut page = well(0);
        // The listeners of a proxy of Envoy Gateway for probes and for Prometheus.
        for (listener, step) in [("admin", 20), ("eg-ready-http", 18), ("eg-stats-http", 2), ("http-10080", 0)] {
            let series = format!("envoy_http_downstream_rq_total{{envoy_http_conn_manager_prefix=\"{listener}\"}}");
            page.others.push((series, f64::from(step * minute)));
        }
        page.others.retain(|(series, _)| !series.starts_with("istio_requests_total"));
        world.minute(vec![page]);
    }
    run("probes", &world, 1, &[], &[firing(20, &[]), firing(40, &[])]);
}

#[test]
fn a_subject_that_gets_nothing_yet_is_not_held() {
    let waits = |page: &mut Page, minute: u32| {
        page.gates[0].counts = Counts::new(0, 10);
        set(page, "gnomon_requests_total", 0.0);
        let baseline = "gnomon_requests_total{experiment=\"e\",route=\"r\",variant=\"v1\",reason=\"weight\"}";
        page.others.push((baseline.to_owned(), f64::from(200 * minute)));
    };
    run("waits", &world("", 130, waits), 1, &[], &[firing(125, &[])]);
}

#[test]
fn each_alert_fires_alone() {
    for (name, severity, more, minute, trouble) in ALERTS.into_iter().filter(|alert| alert.0 != "GnomonExperimentOld") {
        let fires = firing(minute, &[labels(name, severity, more)]);
        run(&format!("alert-{name}-{minute}"), &world(name, minute, trouble), 1, &[], &[fires]);
    }
}

#[test]
fn an_experiment_is_old_after_two_weeks() {
    let mut world = World::default();
    // Half an hour for each step.
    for _ in 0..=14 * 48 + 2 {
        world.minute(vec![errors(Page::new("a", 1), 0, 1000)]);
    }
    world.step = 30;
    let minute = 14 * 24 * 60;
    let old = labels("GnomonExperimentOld", "ticket", "");
    run("old", &world, 30, &[], &[firing(minute - 30, &[]), firing(minute + 30, &[old])]);
}

#[test]
fn a_dead_experiment_raises_no_alert() {
    let mut world = World::default();
    for minute in 0..200 {
        let mut page = well(minute);
        page.gates[0].counts = Counts::new(50, 1000);
        page.tripped.push("v2");
        if minute >= 30 {
            page.gates.clear();
            page.is_over = true;
        }
        world.minute(vec![page]);
    }
    let both = [labels("GnomonGateFailed", "ticket", ALERTS[0].2), labels("GnomonCanaryCutOff", "ticket", ALERTS[1].2)];
    run("dead", &world, 1, &[], &[firing(29, &both), firing(60, &[]), firing(199, &[])]);
}

#[test]
fn a_gate_that_nothing_requires_raises_no_alert() {
    let mut world = World::default();
    world.minute(vec![errors(Page::new("a", 1), 0, 1000).gate("g", limit(1), Requires::Nothing, Counts::new(50, 100))]);
    run("no-alert", &world, 1, &[], &[firing(0, &[])]);
}

#[test]
fn each_alert_is_tried_and_says_what_to_do() {
    let text = std::fs::read_to_string(rules()).expect("the rules");
    let tried: BTreeSet<&str> = ALERTS.iter().map(|alert| alert.0).collect();
    let alerts: Vec<&str> = text.split("  - alert: ").skip(1).collect();
    assert_eq!(alerts.iter().map(|alert| alert.lines().next().expect("a name")).collect::<BTreeSet<_>>(), tried);
    for alert in alerts {
        let name = alert.lines().next().expect("a name");
        for part in ["for: ", "keep_firing_for: ", "severity: ", "summary: ", "description: ", &format!("#{}", name.to_lowercase())] {
            assert!(alert.contains(part), "{name} lacks {part}");
        }
    }
}

#[test]
fn a_cut_off_at_a_minority_raises_an_alert() {
    let mut world = World::default();
    for _ in 0..3 {
        let mut pages = proxies(4);
        pages[0].tripped.push("v2");
        world.minute(pages);
    }
    run("minority", &world, 1, &[], &[firing(2, &[labels("GnomonCanaryCutOff", "ticket", ALERTS[1].2)])]);
}
