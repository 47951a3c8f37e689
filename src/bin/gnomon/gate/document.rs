//! The answer for programs: one JSON document, as `docs/gate.schema.json` describes it.

use serde_json::{Value, json};

use super::table::requires;
use crate::decision::{Audit, Configuration, Decision, Origin, Row, Selection, Told, word};
use crate::problem::{Kind, Problem};
use crate::time;

/// The version of the document. It rises when a key changes its meaning or goes.
const VERSION: u32 = 1;

/// Returns the text of the document.
pub fn text(selection: &Selection, answer: &Result<Decision, Problem>) -> String {
    let (state, problem) = match answer {
        Ok(decision) => (word(decision.state), None),
        Err(problem) => ("unknown", Some(json!({"kind": kind(problem.kind), "text": problem.text}))),
    };
    let decision = answer.as_ref().ok();
    let asked = json!({
        "cluster": selection.cluster,
        "experiment": selection.experiment,
        "gate": selection.gate,
        "route": selection.route,
        "subject": selection.subject,
    });
    let document = json!({
        "version": VERSION,
        "gnomon": env!("CARGO_PKG_VERSION"),
        "state": state,
        "asked": asked,
        "problem": problem,
        "subjects": decision.map(|decision| decision.subjects.iter().map(subject).collect::<Value>()).unwrap_or(json!([])),
        "notes": decision.map(|decision| decision.notes.clone()).unwrap_or_default(),
        "audit": decision.map(|decision| audit(&decision.audit)),
    });
    format!("{document:#}\n")
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Usage => "usage",
        Kind::Input => "input",
        Kind::Service => "service",
    }
}

fn subject(told: &Told) -> Value {
    json!({
        "cluster": told.cluster,
        "route": told.route,
        "subject": told.subject,
        "state": word(told.state),
        "reasons": told.reasons,
        "gates": told.rows.iter().map(gate).collect::<Value>(),
    })
}

/// Rates are shares of 1.
fn gate(row: &Row) -> Value {
    let total = row.lives.total();
    let counted = |count: u64| (!row.is_over_slices).then_some(count);
    let share = |ppm: u32| f64::from(ppm) / 1e6;
    json!({
        "gate": row.gate,
        "slice": row.slice,
        "requires": requires(row.requires),
        "state": word(row.state),
        "bad": counted(total.bad()),
        "trials": counted(total.trials()),
        "rate": row.rate(),
        "interval": row.interval.map(|interval| json!({"low": share(interval.low), "high": share(interval.high)})),
        "limit": row.limit_ppm().map(|ppm| ppm / 1e6),
        "alpha": row.terms.map(|terms| terms.alpha.share()),
        "min_trials": row.terms.map(|terms| terms.min_trials),
        "good_trials_to_pass": row.outlook.and_then(|outlook| outlook.good),
        "bad_trials_to_fail": row.outlook.and_then(|outlook| outlook.bad),
        "words": row.words(),
    })
}

fn audit(audit: &Audit) -> Value {
    let source = match &audit.origin {
        Origin::Prometheus { url, queries } => json!({"kind": "prometheus", "url": url, "queries": queries}),
        Origin::Proxies(proxies) => {
            let proxy = |(from, started): &(String, Option<u64>)| json!({"from": from, "started_microseconds": started});
            json!({"kind": "proxies", "proxies": proxies.iter().map(proxy).collect::<Value>()})
        }
    };
    let configuration = |one: &Configuration| json!({"cluster": one.cluster, "route": one.route, "config": one.config, "owner": one.owner, "proxies": one.proxies});
    json!({
        "time": time::written(audit.time),
        "unix_seconds": audit.time,
        "filters": audit.filters,
        "rules": audit.rules,
        "configurations": audit.configurations.iter().map(configuration).collect::<Value>(),
        "source": source,
    })
}
