//! Rates and latencies.

use super::promtool::{Check, run};
use super::world::{Page, World};

/// A world of one proxy and so many minutes, whose series rise by so much in each minute. Those of `before` rise until minute 60 alone.
fn rising(minutes: u32, series: &[(&str, f64)]) -> World {
    let mut world = World::default();
    for minute in 0..minutes {
        let mut page = Page::new("a", 1);
        page.others = series.iter().map(|(name, step)| ((*name).to_owned(), step * f64::from(minute))).collect();
        world.minute(vec![page]);
    }
    world
}

/// A check that `expression` is near `value`, as the only series with these labels.
fn near(minute: usize, expression: &str, labels: &str, value: f64) -> Check {
    Check {
        minute,
        expression: format!("abs({expression} - {value}) < bool 1e-9"),
        samples: vec![(format!("{{experiment=\"e\",route=\"r\",{labels}}}"), 1.0)],
    }
}

/// A check that `expression` has no series.
fn absent(minute: usize, expression: &str) -> Check {
    Check { minute, expression: expression.to_owned(), samples: Vec::new() }
}

#[test]
fn the_share_of_pairs_that_diverged() {
    let pairs =
        |verdict: &str| format!("gnomon_pairs_total{{experiment=\"e\",route=\"r\",shadow=\"s\",slice=\"all\",verdict=\"{verdict}\"}}");
    let world = rising(10, &[(&pairs("identical"), 70.0), (&pairs("equivalent"), 20.0), (&pairs("diverged"), 10.0)]);
    run("diverged", &world, 1, &[], &[near(9, "gnomon:pairs_diverged:ratio_rate5m", "shadow=\"s\"", 0.1)]);
    run("diverged-idle", &rising(10, &[(&pairs("diverged"), 0.0)]), 1, &[], &[absent(9, "gnomon:pairs_diverged:ratio_rate5m")]);
}

#[test]
fn coverage_leaves_out_what_nobody_could_have_compared() {
    let outcome = |outcome: &str| {
        format!("gnomon_shadow_outcomes_total{{experiment=\"e\",route=\"r\",shadow=\"s\",slice=\"all\",outcome=\"{outcome}\"}}")
    };
    let series = [("compared", 60.0), ("timed_out", 20.0), ("both_refused", 5.0), ("replaced", 5.0), ("other_variant", 5.0)];
    let named: Vec<(String, f64)> = series.map(|(word, step)| (outcome(word), step)).into();
    let world = rising(10, &named.iter().map(|(name, step)| (name.as_str(), *step)).collect::<Vec<_>>());
    run("coverage", &world, 1, &[], &[near(9, "gnomon:coverage:ratio_rate5m", "shadow=\"s\"", 0.75)]);
}

#[test]
fn unsent_are_the_copies_that_never_went_out() {
    let outcome = |outcome: &str| {
        format!("gnomon_shadow_outcomes_total{{experiment=\"e\",route=\"r\",shadow=\"s\",slice=\"all\",outcome=\"{outcome}\"}}")
    };
    let series = [("compared", 60.0), ("timed_out", 20.0), ("unsent_memory", 5.0), ("unsent_refused", 15.0)];
    let named: Vec<(String, f64)> = series.map(|(word, step)| (outcome(word), step)).into();
    let world = rising(10, &named.iter().map(|(name, step)| (name.as_str(), *step)).collect::<Vec<_>>());
    run("unsent", &world, 1, &[], &[near(9, "gnomon:unsent:ratio_rate5m", "shadow=\"s\"", 0.2)]);
}

#[test]
fn failed_answers_are_those_that_no_client_broke_off() {
    let class = |class: &str| format!("gnomon_responses_total{{experiment=\"e\",route=\"r\",variant=\"v2\",class=\"{class}\"}}");
    let world = rising(
        10,
        &[(&class("2xx"), 70.0), (&class("4xx"), 10.0), (&class("5xx"), 15.0), (&class("reset"), 5.0), (&class("cancelled"), 50.0)],
    );
    run("failed", &world, 1, &[], &[near(9, "gnomon:responses_failed:ratio_rate5m", "variant=\"v2\"", 0.2)]);
}

#[test]
fn quantiles_are_in_seconds() {
    for (metric, rule, label) in [
        ("gnomon_response_duration_microseconds", "gnomon:response_duration_seconds", "variant"),
        ("gnomon_shadow_duration_microseconds", "gnomon:shadow_duration_seconds", "shadow"),
    ] {
        // Half of them up to 1 ms, the others up to 2 ms.
        let bucket = |le: &str| format!("{metric}_bucket{{experiment=\"e\",route=\"r\",{label}=\"v2\",le=\"{le}\"}}");
        let world = rising(10, &[(&bucket("1000"), 30.0), (&bucket("2000"), 60.0), (&bucket("+Inf"), 60.0)]);
        let checks = [("p50", 0.001), ("p90", 0.0018), ("p99", 0.00198)]
            .map(|(quantile, value)| near(9, &format!("{rule}:{quantile}_rate5m"), &format!("{label}=\"v2\""), value));
        run(&format!("quantiles-{label}"), &world, 1, &[], &checks);
        let idle = rising(10, &[(&bucket("1000"), 0.0), (&bucket("+Inf"), 0.0)]);
        run(&format!("quantiles-idle-{label}"), &idle, 1, &[], &[absent(9, &format!("{rule}:p50_rate5m"))]);
    }
}

#[test]
fn answers_per_request_are_held_against_those_an_hour_before() {
    let labels = "experiment=\"e\",route=\"r\",variant=\"v2\"";
    let requests = format!("gnomon_requests_total{{{labels},reason=\"weight\"}}");
    let responses = format!("gnomon_responses_total{{{labels},class=\"2xx\"}}");
    // (requests a minute, answers a minute before minute 60 and after it)
    for (name, per_minute, before, after, expected) in [
        ("collapsed", 10.0, 10.0, 2.0, Some(0.2)),
        ("steady", 10.0, 5.0, 5.0, Some(1.0)),
        ("few", 3.0, 3.0, 3.0, None),
        ("none-before", 10.0, 0.0, 10.0, None),
    ] {
        let mut world = World::default();
        for minute in 0..75 {
            let mut page = Page::new("a", 1);
            let (early, late) = (f64::from(minute.min(60)), f64::from((minute - 60).max(0)));
            page.others = vec![(requests.clone(), per_minute * f64::from(minute)), (responses.clone(), before * early + after * late)];
            world.minute(vec![page]);
        }
        let rule = "gnomon:responses:ratio_rate5m_offset1h";
        run(name, &world, 1, &[], &[expected.map_or_else(|| absent(70, rule), |value| near(70, rule, "variant=\"v2\"", value))]);
    }
}
