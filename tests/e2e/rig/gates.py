"""The states of gates, by Python's arithmetic and not by the filter's code, from the figures that are exported.

For a multiplier m of the limit's odds, E_m = m^bad / (1 - limit + m limit)^trials. A gate fails once the mean of E_m over 3/2, 2, 4 and 8
reaches 1 / alpha, and passes while that over 2/3, 1/2, 1/4 and 0 does.
"""

import math

UNDECIDED, PASS, FAIL = 0, 1, 2
WORSE, BETTER = (3 / 2, 2, 4, 8), (2 / 3, 1 / 2, 1 / 4, 0)


def ln_evidence(multipliers, bad, trials, limit):
    """The logarithm of the mean of E_m."""
    terms = [_ln_power(m, bad) - trials * math.log(1 - limit + m * limit) for m in multipliers]
    highest = max(terms)
    return highest + math.log(sum(math.exp(term - highest) for term in terms) / len(terms))


def _ln_power(base, exponent):
    if exponent == 0:
        return 0.0
    return exponent * math.log(base) if base else -math.inf


def fails(bad, trials, limit_ppm, alpha_ppm, min_trials=0):
    """Whether these counts make a gate fail."""
    return _suffices(WORSE, bad, trials, limit_ppm, alpha_ppm, min_trials)


def state(bad, trials, limit_ppm, alpha_ppm, min_trials=0):
    """What a gate says that never failed before."""
    if fails(bad, trials, limit_ppm, alpha_ppm, min_trials):
        return FAIL
    return PASS if _suffices(BETTER, bad, trials, limit_ppm, alpha_ppm, min_trials) else UNDECIDED


def _suffices(multipliers, bad, trials, limit_ppm, alpha_ppm, min_trials):
    return trials >= min_trials and ln_evidence(multipliers, bad, trials, limit_ppm / 1e6) >= -math.log(alpha_ppm / 1e6)


def over_slices(states, other, other_has_trials):
    """What a gate with `each_slice` says: `states` are those of the configured values."""
    counted = [*states, other] if other_has_trials else list(states)
    return FAIL if FAIL in counted else PASS if counted and set(counted) == {PASS} else UNDECIDED


def counts(metrics, gate, slice_="all", **labels):
    """How many bad trials a gate has counted, and how many trials: (bad, trials)."""
    return tuple(metrics.total(f"gnomon_gate_{name}_total", gate=gate, slice=slice_, **labels) for name in ("bad", "trials"))


def state_of(metrics, gate, slice_="all", **labels):
    """The state that is exported."""
    return metrics.total("gnomon_gate_state", gate=gate, slice=slice_, **labels)


def disagreements(metrics):
    """Where the exported state is not what the other figures say: {labels: what is wrong}. The latch counts, a variant that is not routed as
    the split says does not pass, and nothing else excuses."""
    names = "bad_total trials_total failures_total limit_sum_ppm_total limit_ppm state"
    exported = {name: metrics.series(f"gnomon_gate_{name}") for name in names.split()}
    wrong, sliced = {}, {}
    for labels, shown in exported["state"].items():
        place = {key: value for key, value in labels if key != "slice"}
        slice_ = dict(labels)["slice"]
        if labels not in exported["limit_ppm"]:
            continue  # the overall state of a gate with slices
        # (The host forgets the counters of an experiment that is over.)
        bad, trials, failures = (exported[f"{name}_total"].get(labels, 0) for name in ("bad", "trials", "failures"))
        terms = [metrics.values[f"gnomon_gate_{name}", labels] for name in ("limit_ppm", "alpha_ppm", "min_trials")]
        misrouted = metrics.total("gnomon_split_misrouted", experiment=place["experiment"], route=place["route"], variant=place["subject"])
        expected = UNDECIDED
        if exported["limit_sum_ppm_total"].get(labels) and trials and terms[0]:
            # Each trial has a limit of its own.
            terms[0] = exported["limit_sum_ppm_total"][labels] / trials
        if terms[0]:  # the configuration still has it
            judged = state(bad, trials, *terms)
            expected = FAIL if failures else UNDECIDED if judged == PASS and misrouted else judged
            sliced.setdefault(tuple(place.items()), {})[slice_] = (shown, trials)
        if bad > trials or shown != expected or (terms[0] and judged == FAIL and not failures):
            wrong[labels] = f"state {shown}, expected {expected}: {bad} of {trials}, {failures} failures, {terms}"
    for labels, shown in exported["state"].items():
        if labels not in exported["limit_ppm"]:
            place = tuple((key, value) for key, value in labels if key != "slice")
            slices = dict(sliced.get(place, {}))
            other, other_trials = slices.pop("other", (UNDECIDED, 0))
            expected = over_slices([one for one, _ in slices.values()], other, other_trials > 0)
            if shown != expected:
                wrong[labels] = f"state {shown}, expected {expected} of {sliced.get(place)}"
    return wrong
