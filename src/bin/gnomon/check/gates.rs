//! Warnings of gates and guardrails that are legal, but probably don't do what their author wants.

use std::time::Duration;

use gnomon::config::{Config, Event, Failures, Gate, GateSubject, Measure, Role, Warmup};
use gnomon::subject::Requires;

/// Rate of bad trials of a paired measure if both models are equal, in parts per million.
const EVEN: u32 = 500_000;

/// Warm-up of a canary above which there is a warning, because the guardrail does not act during it.
const LONG_WARMUP: Duration = Duration::from_secs(5 * 60);

/// Returns all warnings, a line each.
pub fn warnings(config: &Config) -> Vec<String> {
    [blind(config), held(config), unfair(config), alone(config), unguarded(config)].concat()
}

/// Returns a line for each candidate with gates but without one of [`Measure::Coverage`]. Other gates judge only answers that arrive, so
/// they can pass a candidate that has stopped answering.
fn blind(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        let candidates = route.shadows.iter().enumerate().filter(|(_, shadow)| shadow.role == Role::Candidate);
        for (at, shadow) in candidates {
            let mut gates = route.gates.iter().filter(|gate| gate.of == GateSubject::Shadow(at)).peekable();
            let covers = |gate: &Gate| gate.measure == Measure::Coverage;
            if gates.peek().is_some() && !gates.any(covers) {
                let name = &shadow.name;
                lines.push(format!(
                    "routes[{index}].gates: {name} has no gate with measure coverage: if it stops answering, its gates can still pass on earlier answers"
                ));
            }
        }
    }
    lines
}

/// Returns a line for each canary and candidate that has gates of which none has to pass: nothing ever shows that it may have more.
fn held(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        let canaries = (1..).map_while(|at| Some((GateSubject::Variant(at), route.variant(at)?)));
        let shadows = route.shadows.iter().enumerate().filter(|(_, shadow)| shadow.role == Role::Candidate);
        for (subject, name) in canaries.chain(shadows.map(|(at, shadow)| (GateSubject::Shadow(at), &shadow.name))) {
            let mut gates = route.gates.iter().filter(|gate| gate.of == subject).peekable();
            if gates.peek().is_some() && gates.all(|gate| gate.requires != Requires::Pass) {
                lines.push(format!(
                    "routes[{index}].gates: none of {name}'s gates has to pass, so it may never have more: add one with requires pass, such as a limit on failed"
                ));
            }
        }
    }
    lines
}

/// Returns a line for each gate that fails if its model is only as good as the one it is compared with.
fn unfair(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        for (at, gate) in route.gates.iter().enumerate() {
            let equals_fail = match gate.measure {
                Measure::WorseThanBaseline(_) if route.observe.is_none() => format!(
                    "{} fails: a limit below 50 asks for a better canary, and fails that one, too, once most keys have had the event",
                    gate.name
                ),
                Measure::WorseThanControl { .. }
                | Measure::WorseThanBaseline(_)
                | Measure::SlowerThanPrimary(_)
                | Measure::CostlierThanPrimary { .. } => {
                    format!("half of {}'s trials are bad: with a limit below 50 it fails", gate.name)
                }
                _ => continue,
            };
            if gate.terms.limit.ppm() < EVEN {
                lines.push(format!("routes[{index}].gates[{at}]: if both models are equal, {equals_fail}"));
            }
        }
    }
    lines
}

/// Returns a line for each gate that holds a canary against a baseline to which no key is assigned.
fn alone(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        let variants = route.split.iter().flat_map(|split| &split.variants);
        let shares: Vec<u32> = variants.map(|variant| variant.ppm).collect();
        for (at, gate) in route.gates.iter().enumerate() {
            let is_live = matches!(gate.of, GateSubject::Variant(canary) if shares.get(canary).is_some_and(|share| *share > 0));
            if matches!(gate.measure, Measure::WorseThanBaseline(_)) && is_live && shares.first() == Some(&0) {
                lines.push(format!(
                    "routes[{index}].gates[{at}]: the baseline has no share of the requests, so {} never has a trial: leave the baseline some, or hold the canary against a limit of its own (measure failed)",
                    gate.name
                ));
            }
        }
    }
    lines
}

/// Returns a line for each guarded canary that could fail without being cut off: without a gate that counts an outage, or during a long
/// warm-up, because gates don't count it.
fn unguarded(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        let Some(guardrail) = &route.guardrail else { continue };
        let variants = route.split.iter().flat_map(|split| split.variants.iter().enumerate());
        for (at, variant) in variants {
            let guarded = guardrail.gates.iter().filter_map(|gate| route.gates.get(*gate));
            let mut gates = guarded.filter(|gate| gate.of == GateSubject::Variant(at)).peekable();
            if gates.peek().is_none() {
                continue;
            }
            let name = &variant.name;
            if matches!(variant.warmup, Some(Warmup::Time(time)) if time > LONG_WARMUP) {
                lines.push(format!(
                    "routes[{index}].guardrail: {name} warms up for more than 5 minutes, and an outage in that time does not cut it off"
                ));
            }
            if !gates.any(|gate| sees_outage(gate.measure)) {
                lines.push(format!(
                    "routes[{index}].guardrail: none of its gates of {name} has measure failed and counts 5xx: {name} is not cut off even if all its answers are 5xx"
                ));
            }
        }
    }
    lines
}

/// Whether answers of class 5xx are bad, or events.
fn sees_outage(measure: Measure) -> bool {
    match measure {
        Measure::Failed(failures) | Measure::WorseThanBaseline(Event::Failed(failures)) => failures.overlaps(Failures::SERVER_ERROR),
        _ => false,
    }
}
