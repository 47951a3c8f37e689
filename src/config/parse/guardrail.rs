//! `guardrail`: the gates whose failure cuts a canary off.

use std::time::Duration;

use super::gate::{Surroundings, divisible};
use super::units;
use super::value::{Problems, Seen, Value};
use crate::config::{Gate, GateSubject, Guardrail};
use crate::gate::Rate;

const MIN_TRIALS: u32 = 20;
/// The hint where the mesh splits.
const OBSERVED: &str = "with observe the mesh owns the weights, so Gnomon can't cut a canary off: leave guardrail out, and have what moves \
                        the weights read the gates";

const WINDOW: Duration = Duration::from_secs(600);

/// Reads `guardrail` of a route. `written` is the value of `gates`, if the route has that key; `gates` are the gates, if they have no
/// problems.
pub(super) fn guardrail(
    value: &Value<'_>,
    written: Option<&Value<'_>>,
    gates: Option<&[Gate]>,
    around: &Surroundings<'_, '_>,
    problems: &mut Problems,
) -> Option<Guardrail> {
    let object = value.object(&["gates", "alpha", "min_trials", "window"], problems)?;
    match &around.variants {
        None => value.refuse("guardrail needs split: without split there is no canary to cut off", problems),
        Some(written) if written.path.ends_with(".observe") => value.refuse(OBSERVED, problems),
        Some(_) => Some(()),
    };
    let guarded = object.required("gates", problems, |value, problems| guarded(value, written, around, problems));
    let alpha = object.or("alpha", Rate::GUARDRAIL_ALPHA, problems, |value, problems| {
        let alpha = units::chance(value, problems)?;
        let mut shown = guarded.iter().flatten().filter_map(|index| gates?.get(*index));
        if shown.any(|gate| gate.each_slice) { divisible(value, alpha, around, problems).map(|()| alpha) } else { Some(alpha) }
    });
    let min_trials = object.or("min_trials", MIN_TRIALS, problems, |value, problems| units::whole(value, 0, problems));
    let window = object.or("window", WINDOW, problems, |value, problems| units::span(value, 1_000, problems));
    Some(Guardrail { gates: guarded?, alpha: alpha?, min_trials: min_trials?.into(), window: window? })
}

/// Reads the names of gates and returns the indices of these gates.
fn guarded(value: &Value<'_>, written: Option<&Value<'_>>, around: &Surroundings<'_, '_>, problems: &mut Problems) -> Option<Vec<usize>> {
    let gates = written.and_then(|gates| gates.items(&mut Vec::new())).unwrap_or_default();
    let text = |gate: &Value<'_>, key| gate.child(key).and_then(|value| value.node.as_text().map(str::to_owned));
    let mut seen = Seen::new();
    let indices = value.list(problems, |item, problems| {
        let name = item.text(problems)?;
        if !seen.insert(name) {
            return item.refuse("this gate is there more than once: keep one", problems);
        }
        let Some(index) = gates.iter().position(|gate| text(gate, "name").as_deref() == Some(name)) else {
            let names: Vec<String> = gates.iter().filter_map(|gate| text(gate, "name")).collect();
            let hint = if names.is_empty() { "this route has no gates".to_owned() } else { format!("give one of {}", names.join(", ")) };
            return item.refuse(format!("no such gate: {hint}"), problems);
        };
        match gates.get(index).and_then(|gate| around.subject(&text(gate, "of")?)) {
            Some(GateSubject::Shadow(_)) => {
                item.refuse("this gate is of a shadow, which answers no client: give gates of canaries", problems)
            }
            Some(GateSubject::Variant(0)) => {
                item.refuse("this gate is of the baseline, which nothing can replace: give gates of canaries", problems)
            }
            // The unknown `of` of a gate is reported with that gate.
            Some(GateSubject::Variant(_)) | None => Some(index),
        }
    })?;
    if indices.is_empty() { value.refuse("give at least one gate, or leave guardrail out", problems) } else { Some(indices) }
}
