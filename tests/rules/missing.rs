//! A subject whose gates pass is never in state 1 if a series is missing.

use gnomon::gate::{Counts, State, Terms};
use gnomon::subject::Requires;

use super::promtool::{Check, run};
use super::verdicts::{check, errors, limit};
use super::world::{Page, World};

/// Every metric that a verdict depends on.
const METRICS: [&str; 12] = [
    "gnomon_started_microseconds",
    "gnomon_configuration",
    "gnomon_experiment_info",
    "gnomon_split_misrouted",
    "gnomon_guardrail_tripped",
    "gnomon_gate_trials_total",
    "gnomon_gate_bad_total",
    "gnomon_gate_limit_sum_ppm_total",
    "gnomon_gate_limit_ppm",
    "gnomon_gate_alpha_ppm",
    "gnomon_gate_min_trials",
    "gnomon_gate_requires",
];

/// Two proxies with gates of each kind, all of which pass or do not fail.
fn world() -> World {
    let mut world = World::default();
    for _ in 0..4 {
        let page = |pod, started| {
            let terms = Terms { min_trials: 10, ..limit(2) };
            let page = errors(Page::new(pod, started), 0, 1000).against_baseline("worse", limit(50), Counts::new(50, 1000), 50_000 * 1000);
            page.slice("sliced", "eu", terms, Requires::Pass, Counts::new(0, 1000)).slice(
                "sliced",
                "other",
                terms,
                Requires::Pass,
                Counts::default(),
            )
        };
        world.minute(vec![page("a", 1), page("b", 2)]);
    }
    world
}

#[test]
fn with_all_series_the_subject_passes() {
    assert_eq!(check("complete", &world(), &[3]), State::Pass);
}

#[test]
fn without_any_one_metric_the_subject_does_not_pass() {
    for metric in METRICS {
        // (Without limits there is no experiment.)
        let samples = if metric == "gnomon_gate_limit_ppm" {
            Vec::new()
        } else {
            vec![("gnomon:subject:state{experiment=\"e\",route=\"r\",subject=\"v2\"}".to_owned(), 0.0)]
        };
        let state = Check { minute: 3, expression: "gnomon:subject:state".to_owned(), samples };
        run(&format!("without-{metric}"), &world(), 1, &[metric], &[state]);
    }
}

#[test]
fn without_any_one_metric_of_one_proxy_the_subject_does_not_pass() {
    for metric in METRICS {
        let mut world = world();
        for pages in &mut world.minutes {
            pages[1].hidden.push(metric);
        }
        let samples = vec![("gnomon:subject:state{experiment=\"e\",route=\"r\",subject=\"v2\"}".to_owned(), 0.0)];
        run(
            &format!("one-without-{metric}"),
            &world,
            1,
            &[],
            &[Check { minute: 3, expression: "gnomon:subject:state".to_owned(), samples }],
        );
    }
}

#[test]
fn what_holds_a_subject_is_said() {
    let labels = |reason| format!("gnomon:subject_held:info{{experiment=\"e\",route=\"r\",subject=\"v2\",reason=\"{reason}\"}}");
    type Change = fn(&mut Page);
    let cases: [(&str, Change); 8] = [
        ("misrouted", |page| page.misrouted.push("v2")),
        ("cut_off", |page| page.tripped.push("v2")),
        ("configuration", |page| page.configuration = 2),
        ("series_missing", |page| page.hidden.push("gnomon_gate_bad_total")),
        ("series_missing", |page| page.hidden.extend(["gnomon_split_misrouted", "gnomon_guardrail_tripped"])),
        ("series_missing", |page| page.hidden.extend(["gnomon_gate_bad_total", "gnomon_gate_limit_ppm"])),
        ("terms_differ", |page| page.gates[0].terms = limit(3)),
        ("label_collision", |page| {
            for name in ["split_misrouted", "guardrail_tripped"] {
                page.others.push((format!("gnomon_{name}{{experiment=\"e\",route=\"r\",exported_variant=\"v2\"}}"), 1.0));
            }
        }),
    ];
    for (reason, change) in cases {
        let mut world = world();
        for pages in &mut world.minutes {
            change(&mut pages[0]);
        }
        let held = Check { minute: 3, expression: "gnomon:subject_held:info".to_owned(), samples: vec![(labels(reason), 1.0)] };
        run(&format!("held-{reason}"), &world, 1, &[], &[held]);
    }
}
