//! istio/prometheus/prometheus-rule.yaml, which is made from rules.yaml.
//!
//! `UPDATE=1 scripts/test rules` makes it anew.

use std::fmt::Write;

use super::promtool::{promtool, rules};

/// What stands before the groups.
const HEAD: &str =
    "# Made from rules.yaml by `UPDATE=1 scripts/test rules`: for the Prometheus operator. Give it the labels that your Prometheus selects.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: gnomon
  namespace: istio-ingress
spec:
";

#[test]
fn the_operators_resource_has_the_same_groups() {
    let text = std::fs::read_to_string(rules()).expect("the rules");
    let (_, groups) = text.split_once("\ngroups:\n").expect("groups");
    let mut expected = format!("{HEAD}  groups:\n");
    for line in groups.lines() {
        writeln!(expected, "{}", if line.is_empty() { String::new() } else { format!("  {line}") }).expect("text");
    }
    let file = rules().with_file_name("prometheus-rule.yaml");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &expected).expect("the manifest can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{} is not made from rules.yaml: UPDATE=1 scripts/test rules", file.display());
}

#[test]
fn promtool_has_nothing_to_say() {
    let output = promtool().args(["check", "rules", "--lint-fatal"]).arg(rules()).output().expect("promtool starts");
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
