//! Runs cases on promtool.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use gnomon::gate::State;
use gnomon::subject::ALL;

use super::world::{Expected, ROUTE, World};

/// The rules.
pub fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("istio/prometheus/rules.yaml")
}

/// promtool, which `scripts/test` installs and names in `PROMTOOL`.
pub fn promtool() -> Command {
    let program = std::env::var_os("PROMTOOL").unwrap_or_else(|| "promtool".into());
    Command::new(program)
}

/// One expression, what it is evaluated to (series with values), and when (in minutes).
#[derive(Debug)]
pub struct Check {
    pub minute: usize,
    pub expression: String,
    pub samples: Vec<(String, f64)>,
}

/// Runs the rules over `world`, without the metrics that `drop` names, evaluated every `interval` minutes; fails unless all checks hold.
pub fn run(name: &str, world: &World, interval: usize, drop: &[&str], checks: &[Check]) {
    assert!(!checks.is_empty(), "{name}: nothing is checked");
    // promtool evaluates groups in any order. A record of the evaluation before is out of sight where that was more than five minutes ago.
    let order = if interval > 5 { "group_eval_order: [gnomon-verdicts, gnomon-rates, gnomon-alerts]\n" } else { "" };
    let mut text = format!(
        "{order}rule_files: [{}]\nevaluation_interval: {interval}m\ntests:\n- interval: {}m\n  input_series:\n{}  promql_expr_test:\n",
        rules().display(),
        world.step,
        world.input_series(drop)
    );
    for Check { minute, expression, samples } in checks {
        write!(text, "  - expr: '{expression}'\n    eval_time: {minute}m\n    exp_samples: [").expect("text");
        for (labels, value) in samples {
            write!(text, "{{labels: '{labels}', value: {value}}}, ").expect("text");
        }
        text.push_str("]\n");
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.yaml"));
    std::fs::write(&file, text).expect("the test's folder can be written");
    let output = promtool().args(["test", "rules"]).arg(&file).output().expect("promtool starts: scripts/test rules installs it");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}:\n{}", file.display(), said.chars().take(4000).collect::<String>());
}

/// The labels of a series of `expected`, in braces.
fn labels(expected: &Expected, more: &[(&str, &str)]) -> String {
    let mut all = vec![("experiment", expected.experiment), ("route", ROUTE), ("subject", &expected.subject.name)];
    all.extend(Some(("cluster", expected.cluster.as_str())).filter(|(_, cluster)| !cluster.is_empty()));
    all.extend(more);
    let all: Vec<String> = all.into_iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    format!("{{{}}}", all.join(","))
}

/// What all records of verdicts are to be at `minute`.
pub fn verdicts(minute: usize, expected: &[Expected]) -> Vec<Check> {
    let mut subjects = Vec::new();
    let mut states = Vec::new();
    let (mut trials, mut bad) = (Vec::new(), Vec::new());
    let mut checks = Vec::new();
    for expected in expected {
        let subject = &expected.subject;
        subjects.push((format!("gnomon:subject:state{}", labels(expected, &[])), subject.state().0 as u8));
        let misrouted = subject.misrouted.contains(&subject.name);
        for gate in &subject.gates {
            states.push((
                format!("gnomon:gate:state{}", labels(expected, &[("gate", &gate.name), ("slice", ALL)])),
                gate.state(misrouted) as u8,
            ));
            for slice in &gate.slices {
                let labels = labels(expected, &[("gate", &gate.name), ("slice", &slice.name)]);
                if slice.name != ALL {
                    states.push((format!("gnomon:gate:state{labels}"), slice.state(misrouted) as u8));
                }
                let total = slice.lives.total();
                trials.push((format!("gnomon:gate_trials:sum{labels}"), total.trials() as f64));
                bad.push((format!("gnomon:gate_bad:sum{labels}"), total.bad() as f64));
                let limit = slice.terms.expect("terms").limit;
                for (rule, value) in [("fail", slice.lives.ln_fail(limit)), ("pass", slice.lives.ln_pass(limit))] {
                    // (In a logarithm, because PromQL's exponential function ends at some 1e308 and 1e-308.)
                    if value.abs() < 700.0 {
                        let expression = format!("abs(ln(gnomon:gate_{rule}:evalue{labels}) - ({value:?})) < bool 1e-6");
                        checks.push(Check { minute, expression, samples: vec![(labels.clone(), 1.0)] });
                    }
                }
            }
        }
    }
    let number = |all: Vec<(String, u8)>| all.into_iter().map(|(labels, value)| (labels, f64::from(value))).collect();
    for (expression, samples) in [
        ("gnomon:gate_trials:sum", trials),
        ("gnomon:gate_bad:sum", bad),
        ("gnomon:gate:state", number(states)),
        ("gnomon:subject:state", number(subjects)),
    ] {
        checks.push(Check { minute, expression: expression.to_owned(), samples });
    }
    checks
}

/// The state of the only subject.
pub fn state_of(expected: &[Expected]) -> State {
    assert_eq!(expected.len(), 1, "one subject");
    expected[0].subject.state().0
}
