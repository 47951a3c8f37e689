//! What texts of proxies say, without a Prometheus.

use std::path::PathBuf;

use crate::run::{Run, file, gate, gate_with};
use crate::server::{Reply, Server};

/// The text of a proxy with one experiment.
#[derive(Clone, Debug)]
pub struct Proxy {
    pub lines: Vec<String>,
}

const SUBJECT: &str = r#"experiment="fraud-a",route="fraud",subject="v2""#;

impl Proxy {
    /// One that began to count at `started` and has a gate with a limit of 1 %, which must pass.
    pub fn new(started: u64, bad: u64, trials: u64) -> Self {
        let mut proxy = Self { lines: vec!["# TYPE gnomon_build_info gauge".into()] };
        proxy.add("gnomon_build_info", r#"what="0.1.0""#, 1);
        proxy.add("gnomon_configuration", r#"plugin="gnomon""#, 1);
        proxy.add("gnomon_experiment_info", r#"experiment="fraud-a",route="fraud",config="1a2b3c4d",owner="none""#, 1);
        proxy.add("gnomon_started_microseconds", "", started);
        proxy.add("gnomon_requests_total", r#"experiment="fraud-a",route="fraud",variant="v1",reason="weight""#, trials);
        proxy.gate("errors", "all", bad, trials);
        proxy.add("gnomon_gate_requires", &format!(r#"{SUBJECT},gate="errors",slice="all""#), 2);
        proxy
    }

    pub fn add(&mut self, name: &str, labels: &str, value: u64) {
        self.lines.push(format!("{name}{{{labels}}} {value}"));
    }

    pub fn gate(&mut self, gate: &str, slice: &str, bad: u64, trials: u64) {
        for (name, value) in [
            ("bad_total", bad),
            ("trials_total", trials),
            ("failures_total", 0),
            ("limit_ppm", 10_000),
            ("limit_sum_ppm_total", 0),
            ("alpha_ppm", 50_000),
            ("min_trials", 0),
            ("state", 0),
        ] {
            self.add(&format!("gnomon_gate_{name}"), &format!(r#"{SUBJECT},gate="{gate}",slice="{slice}""#), value);
        }
    }

    /// This one with another value of a series of gate `errors`, or of one without labels that matter.
    pub fn with(mut self, name: &str, value: u64) -> Self {
        for line in self.lines.iter_mut().filter(|line| line.starts_with(&format!("{name}{{"))) {
            *line = format!("{} {value}", line.rsplit_once(' ').unwrap().0);
        }
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.lines.retain(|line| !line.starts_with(&format!("{name}{{")));
        self
    }

    pub fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}

fn ask(proxies: &[Proxy], more: &[&str], test: &str) -> Run {
    let names: Vec<PathBuf> = proxies.iter().enumerate().map(|(at, proxy)| file(test, &format!("{at}.txt"), &proxy.text())).collect();
    let mut arguments = vec!["--experiment", "fraud-a"];
    names.iter().for_each(|name| arguments.extend(["--stats", name.to_str().unwrap()]));
    gate(&[&arguments, more].concat())
}

fn ask_input(text: &str) -> Run {
    gate_with(&["--experiment", "fraud-a", "--stats", "-"], text)
}

#[test]
fn a_proxy_is_judged_by_its_counters() {
    for ((bad, trials), code, words) in [
        ((0, 1000), 0, "all gates that must pass do: errors"),
        ((100, 1000), 1, "gate errors has failed"),
        ((0, 76), 75, "315 more without a bad one would pass"),
        ((0, 0), 75, "no traffic"),
    ] {
        let run = ask_input(&Proxy::new(1_796_040_000_000_000, bad, trials).text());
        run.assert(code, &[words, "by the counters of the proxy of standard input, which counts since 2026-11-30T12:00:00Z"]);
    }
}

#[test]
fn what_a_proxy_says_beside_its_counters_counts() {
    let good = || Proxy::new(1, 0, 1000);
    ask_input(&good().with("gnomon_gate_failures_total", 1).text()).assert(1, &["gate errors has failed"]);
    ask_input(&good().with("gnomon_gate_state", 2).text()).assert(1, &["gate errors has failed"]);
    ask_input(&good().with("gnomon_configuration", 2).text()).assert(75, &["a proxy has refused its last configuration"]);
    ask_input(&good().with("gnomon_gate_requires", 1).text()).assert(75, &["no gate of it must pass"]);
    let mut cut_off = good();
    cut_off.add("gnomon_guardrail_tripped", r#"experiment="fraud-a",route="fraud",variant="v2""#, 1);
    cut_off.add("gnomon_split_misrouted", r#"experiment="fraud-a",route="fraud",variant="v2""#, 0);
    ask_input(&cut_off.text()).assert(1, &["a guardrail has cut it off at 1 of 1 proxies"]);
    let mut misrouted = good();
    misrouted.add("gnomon_split_misrouted", r#"experiment="fraud-a",route="fraud",variant="v1""#, 1);
    ask_input(&misrouted.text()).assert(75, &["routes requests of v1 like those of another variant"]);
}

#[test]
fn several_proxies_add_up() {
    let few = |started| Proxy::new(started, 0, 200);
    ask(&[few(1)], &[], "add_up").assert(75, &[]);
    ask(&[few(1), few(2)], &[], "add_up").assert(0, &["errors  all    pass      pass   0    400 "]);
    ask(&[few(1), few(1)], &[], "add_up").assert(75, &["are of one proxy: only the later one counts"]);
    let failed = few(2).with("gnomon_gate_failures_total", 1).with("gnomon_gate_state", 2);
    ask(&[few(1), failed], &[], "add_up").assert(0, &["has failed at a proxy by its own counts; here the counts of all decide"]);
    let differs = few(2).with("gnomon_gate_limit_ppm", 20_000);
    ask(&[few(1), differs], &[], "add_up").assert(75, &["by different terms: their configurations differ"]);
    let left = few(2).with("gnomon_gate_limit_ppm", 0);
    ask(&[few(1), left], &[], "add_up").assert(0, &["errors  all    pass      pass   0    400 "]);
    ask(&[few(1), few(2).without("gnomon_started_microseconds")], &[], "add_up").assert(66, &["there is no gnomon_started_microseconds"]);
}

#[test]
fn a_gate_with_slices_is_judged_by_them() {
    let with_slices = |us: (u64, u64)| {
        let mut proxy = Proxy::new(1, 0, 1000);
        proxy.add("gnomon_gate_state", &format!(r#"{SUBJECT},gate="fairness",slice="all""#), 0);
        proxy.add("gnomon_gate_requires", &format!(r#"{SUBJECT},gate="fairness",slice="all""#), 2);
        for (slice, (bad, trials)) in [("eu", (0, 1000)), ("us", us), ("other", (0, 0))] {
            proxy.gate("fairness", slice, bad, trials);
        }
        proxy
    };
    ask_input(&with_slices((0, 1000)).text()).assert(0, &["fairness  all    pass      pass "]);
    ask_input(&with_slices((0, 10)).text()).assert(75, &["gate fairness must pass and is undecided"]);
    ask_input(&with_slices((100, 1000)).text()).assert(1, &["gate fairness has failed"]);
    let latched = with_slices((0, 1000)).with("gnomon_gate_state", 0).text();
    let overall = r#"gate="fairness",slice="all"} 0"#;
    ask_input(&latched.replacen(overall, &overall.replace("} 0", "} 2"), 1)).assert(1, &["gate fairness has failed"]);
}

/// Of trials with limits of their own each proxy's evidence counts by itself: one user who fails at each of many is no proof.
#[test]
fn limits_of_their_own_are_told_by_life() {
    let proxy = |started| {
        let mut proxy = Proxy::new(started, 0, 1000);
        proxy.gate("worse", "all", 1, 1);
        proxy.add("gnomon_gate_requires", &format!(r#"{SUBJECT},gate="worse",slice="all""#), 1);
        let sum = proxy.lines.iter_mut().filter(|line| line.contains("limit_sum") && line.contains("worse"));
        sum.for_each(|line| *line = line.replace("} 0", "} 100000"));
        proxy
    };
    let proxies: Vec<Proxy> = (1..9).map(proxy).collect();
    ask(&proxies, &[], "own_limits").assert(0, &["worse   all    no-fail   undecided  8    8 "]);
}

#[test]
fn bad_texts_are_told() {
    let good = || Proxy::new(1, 0, 1000);
    for name in ["alpha_ppm", "bad_total", "failures_total", "limit_sum_ppm_total", "min_trials", "trials_total"] {
        let name = format!("gnomon_gate_{name}");
        ask_input(&good().without(&name).text()).assert(75, &[&format!("standard input: {name} is missing for gate errors in slice all")]);
    }
    // Two texts in one.
    let two = good().text() + &Proxy::new(2, 0, 1000).text();
    ask_input(&two).assert(66, &["standard input: gnomon_build_info is there twice: give each proxy's text by its own --stats"]);
    for name in ["gnomon_configuration", "gnomon_experiment_info"] {
        ask_input(&good().without(name).text()).assert(75, &[&format!("standard input: {name} is missing")]);
    }
    let mut split = good();
    split.add("gnomon_guardrail_tripped", r#"experiment="fraud-a",route="fraud",variant="v2""#, 0);
    ask_input(&split.text()).assert(75, &["standard input: gnomon_split_misrouted is missing"]);
    split.add("gnomon_split_misrouted", r#"experiment="fraud-a",route="fraud",variant="v2""#, 0);
    ask_input(&split.text()).assert(0, &[]);
    // Another gate whose limit is hidden.
    let mut hidden = good();
    hidden.gate("slow", "all", 0, 10);
    hidden.add("gnomon_gate_requires", &format!(r#"{SUBJECT},gate="slow",slice="all""#), 2);
    hidden.lines.retain(|line| !(line.starts_with("gnomon_gate_limit_ppm") && line.contains("slow")));
    ask_input(&hidden.text()).assert(75, &["gnomon_gate_limit_ppm is missing for gate slow in slice all"]);
    let too_old = "gate errors: gnomon_gate_requires is missing or its value is not known: this filter is too old or too new";
    ask_input(&good().without("gnomon_gate_requires").text()).assert(66, &[too_old, "filter 0.1.0"]);
    ask_input(&good().with("gnomon_gate_requires", 7).text()).assert(66, &[too_old]);
    ask_input(&good().with("gnomon_gate_limit_ppm", 0).text()).assert(66, &["experiment fraud-a has no gate"]);
    ask_input(&good().without("gnomon_gate_limit_ppm").text())
        .assert(75, &["gnomon_gate_limit_ppm is missing for gate errors in slice all"]);
    let other_subject = good().without("gnomon_gate_limit_ppm").text().replace("v2", "v2-copy");
    let gates = other_subject.lines().filter(|line| line.starts_with("gnomon_gate_")).map(|line| format!("{line}\n"));
    ask_input(&(good().text() + &gates.collect::<String>())).assert(75, &["subject v2: pass", "subject v2-copy: undecided"]);
    ask_input(&good().text().replace("fraud-a", "other")).assert(66, &["no such experiment: fraud-a; there are: other"]);
    ask_input("gnomon_build_info{what=\"0.1.0\"} 1\n").assert(66, &["no experiment at all: the filter (0.1.0) has no configuration"]);
    ask_input("").assert(66, &["standard input: the text is empty"]);
    ask_input("cluster.a.b: 1\n").assert(66, &["this is Envoy's plain /stats: take /stats/prometheus"]);
    ask_input(good().text().trim_end()).assert(66, &["it was cut off"]);
    gate(&["--experiment", "e", "--stats", "no-such-file"]).assert(66, &["--stats no-such-file: No such file"]);
}

/// The text of a good proxy whose split is shown, with another value of each series whose name ends so.
fn with_value(name: &str, value: &str) -> String {
    let mut proxy = Proxy::new(1, 0, 1000);
    for series in ["gnomon_guardrail_tripped", "gnomon_split_misrouted"] {
        proxy.add(series, r#"experiment="fraud-a",route="fraud",variant="v2""#, 0);
    }
    let lines = proxy.lines.iter().map(|line| match line.split_once('{') {
        Some((series, _)) if series == name => format!("{} {value}\n", line.rsplit_once(' ').unwrap().0),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn values_that_are_no_counts_are_told() {
    for name in [
        "configuration",
        "experiment_info",
        "guardrail_tripped",
        "split_misrouted",
        "started_microseconds",
        "gate_alpha_ppm",
        "gate_bad_total",
        "gate_failures_total",
        "gate_limit_sum_ppm_total",
        "gate_min_trials",
        "gate_state",
        "gate_trials_total",
    ] {
        let name = format!("gnomon_{name}");
        for value in ["NaN", "-1", "+Inf", "-Inf", "0.5", "1.5", "1e17"] {
            ask_input(&with_value(&name, value))
                .assert(75, &[&format!("standard input: {name} is "), "which is no whole number from 0 up"]);
        }
    }
    for value in ["NaN", "-1", "2.5"] {
        ask_input(&with_value("gnomon_gate_requires", value)).assert(66, &["gnomon_gate_requires is missing or its value is not known"]);
        ask_input(&with_value("gnomon_gate_limit_ppm", value)).assert(75, &["gnomon_gate_limit_ppm is "]);
    }
    ask_input(&with_value("gnomon_configuration", "+1")).assert(0, &[]);
    ask_input(&with_value("gnomon_configuration", "1.0")).assert(0, &[]);
    // Another experiment's figures are not asked about.
    let other = with_value("gnomon_gate_state", "NaN");
    let other: String = other.lines().filter(|line| line.contains("gate_state")).map(|line| line.replace("fraud-a", "b") + "\n").collect();
    ask_input(&(with_value("", "") + &other)).assert(0, &[]);
}

/// Also of a gate that holds nothing back.
#[test]
fn terms_out_of_range_are_told() {
    for (name, value) in [("limit_ppm", 1_000_000_u64), ("limit_ppm", 5_000_000_000), ("alpha_ppm", 0), ("alpha_ppm", 1_000_000)] {
        let mut proxy = Proxy::new(1, 0, 1000);
        proxy.gate("worse", "all", 0, 10);
        proxy.add("gnomon_gate_requires", &format!(r#"{SUBJECT},gate="worse",slice="all""#), 1);
        let lines = proxy.lines.iter_mut().filter(|line| line.contains(name) && line.contains("worse"));
        lines.for_each(|line| *line = format!("{} {value}", line.rsplit_once(' ').unwrap().0));
        ask(&[proxy], &[], "range").assert(75, &["gnomon_gate_limit_ppm or gnomon_gate_alpha_ppm is out of range for gate worse"]);
    }
}

/// What a text says never reaches the terminal as it is.
#[test]
fn control_characters_are_escaped() {
    let text = Proxy::new(1, 0, 1000).text().replace("\"v2\"", "\"v2\u{1b}[2J\u{9b}\"");
    let runs = [
        ask_input(&text),
        ask_input(&text.replace("fraud-a", "a\u{1b}]0;b")),
        ask_input("\u{1b}[2J"),
        ask_input(&format!("{text}gnomon_\u{1b}")),
    ];
    for run in runs {
        let told = format!("{}{}", run.out, run.errors);
        assert!(!told.contains(|c: char| c.is_control() && c != '\n') && told.contains("\\u{1b}"), "{run:?}");
    }
    let long = "x".repeat(5000);
    let run = ask_input(&Proxy::new(1, 0, 1000).text().replace("fraud-a", &long));
    run.assert(66, &[&format!("there are: {}…", "x".repeat(100))]);
    assert!(run.errors.len() < 400, "{run:?}");
}

#[test]
fn a_text_may_be_at_an_address() {
    let text = Proxy::new(1, 0, 1000).text();
    let server =
        Server::new(move |request| if request.target == "/stats/prometheus" { Reply::text(200, &text) } else { Reply::text(404, "") });
    let at = |path: &str| gate(&["--experiment", "fraud-a", "--stats", &format!("{}{path}", server.url)]);
    at("/stats/prometheus").assert(0, &[]);
    at("/metrics").assert(69, &["/metrics: answers 404, not with the statistics of a proxy"]);
    gate(&["--experiment", "e", "--stats", "http://127.0.0.1:1/stats/prometheus"]).assert(69, &["can't be reached"]);
}
