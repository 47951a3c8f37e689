//! Gates that are legal and still can't see what their author cares for.

use gnomon::config::{Config, Gate, GateSubject, Measure, Role};

/// A line for each candidate that its gates could pass while it does not answer: they judge the answers that there are.
pub fn blind(config: &Config) -> Vec<String> {
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

/// A line for each canary that its guardrail would let go on failing: only good answers can be fast or slow.
pub fn unguarded(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        let Some(guardrail) = &route.guardrail else { continue };
        let variants = route.split.iter().flat_map(|split| split.variants.iter().enumerate());
        for (at, variant) in variants {
            let guarded = guardrail.gates.iter().filter_map(|gate| route.gates.get(*gate));
            let mut gates = guarded.filter(|gate| gate.of == GateSubject::Variant(at)).peekable();
            if gates.peek().is_some() && !gates.any(|gate| gate.measure == Measure::Failed) {
                let name = &variant.name;
                lines.push(format!(
                    "routes[{index}].guardrail: none of its gates of {name} has measure failed: {name} goes on serving if all that it answers is 5xx"
                ));
            }
        }
    }
    lines
}
