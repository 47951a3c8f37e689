//! Gates that are legal and still do not what their author cares for.

use std::time::Duration;

use gnomon::config::{Config, Gate, GateSubject, Measure, Role, Warmup};

/// Parts per million of the trials of a paired measure that are bad if both models are equal.
const EVEN: u32 = 500_000;

/// Warm-up above which it matters that a guardrail sees nothing of it.
const LONG_WARMUP: Duration = Duration::from_secs(5 * 60);

/// All that is to be warned of.
pub fn warnings(config: &Config) -> Vec<String> {
    [blind(config), unfair(config), unguarded(config)].concat()
}

/// A line for each candidate that its gates could pass while it does not answer: they judge the answers that there are.
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
                    "routes[{index}].gates: {name} has no gate with measure coverage: if it stops answering, what it answered before can still pass"
                ));
            }
        }
    }
    lines
}

/// A line for each gate that a model fails for being no better than the one it is set against.
fn unfair(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        for (at, gate) in route.gates.iter().enumerate() {
            let is_paired = matches!(
                gate.measure,
                Measure::WorseThanControl { .. } | Measure::SlowerThanPrimary(_) | Measure::CostlierThanPrimary { .. }
            );
            if is_paired && gate.terms.limit.ppm() < EVEN {
                let name = &gate.name;
                lines.push(format!(
                    "routes[{index}].gates[{at}]: of two equal models half of {name}'s trials are bad: with a limit below 50 it fails"
                ));
            }
        }
    }
    lines
}

/// A line for each canary that its guardrail would let go on failing: only good answers can be fast or slow, and gates don't see a warm-up.
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
                    "routes[{index}].guardrail: {name} warms up for more than 5 minutes, in which an outage of it cuts nobody off"
                ));
            }
            if !gates.any(|gate| gate.measure == Measure::Failed) {
                lines.push(format!(
                    "routes[{index}].guardrail: none of its gates of {name} has measure failed: {name} goes on serving if all that it answers is 5xx"
                ));
            }
        }
    }
    lines
}
