"""What must hold after every scenario, whatever happened in it."""

from . import contract, gates
from .waiting import until

SIGNS_OF_A_TRAP = ("panicked", "unreachable", "[critical]", "RuntimeError", "Uncaught")
HARMLESS = ("failed to load",)
"""Envoy's word, at the same level, for a configuration that asks to be rejected."""


def check(envoy):
    """Every sampled request ended in one outcome, every request in one class, every gate says what its figures do, every
    series is in the contract, nothing is held, and nothing went wrong inside."""
    metrics = settled(envoy)
    breaches = contract.breaches(metrics)
    assert not breaches, f"not in the contract of statistics: {breaches}"
    anomalies = {labels: value for labels, value in metrics.series("gnomon_anomalies_total").items() if value}
    assert not anomalies, f"anomalies: {anomalies}"
    compared = metrics.by("gnomon_shadow_outcomes_total", "experiment", "route", "shadow", "slice", outcome="compared")
    assert metrics.by("gnomon_pairs_total", "experiment", "route", "shadow", "slice") == compared, "each compared pair has a verdict"
    diverged = metrics.by("gnomon_pairs_total", "experiment", "route", "shadow", verdict="diverged")
    for name in ("gnomon_divergences_total", "gnomon_divergent_paths_total"):
        assert metrics.by(name, "experiment", "route", "shadow") == diverged, f"{name}: one for each diverged pair"
    log = envoy.log()
    signs = [line for line in log.splitlines() if any(sign in line for sign in SIGNS_OF_A_TRAP) and not any(word in line for word in HARMLESS)]
    assert not signs, "\n".join(signs)
    assert envoy.stat(r"wasm\..*vm_reload.*") == 0, "a VM trapped and was built anew"


def settled(envoy):
    """Waits until all adds up, and returns the figures."""
    last = [None]

    def look():
        last[0] = envoy.metrics()
        return not unsettled(last[0])

    try:
        until(look, "every request to be accounted for")
    except AssertionError as error:
        error.add_note(str(unsettled(last[0])))
        raise
    return last[0]


def unsettled(metrics):
    """What does not add up (yet)."""
    wrong = {}
    shadow, variant = ("experiment", "route", "shadow"), ("experiment", "route", "variant")
    sampled, outcomes = metrics.by("gnomon_sampled_total", *shadow), metrics.by("gnomon_shadow_outcomes_total", *shadow)
    if sampled != outcomes:
        wrong["sampled, outcomes"] = (sampled, outcomes)
    requests, responses = metrics.by("gnomon_requests_total", *variant), metrics.by("gnomon_responses_total", *variant)
    if requests != responses:
        wrong["requests, responses"] = (requests, responses)
    for gauge in ("gnomon_open_pairs", "gnomon_captured_bytes"):
        if held := metrics.by(gauge, *shadow):
            wrong[gauge] = held
    return wrong | gates.disagreements(metrics)
