"""What the demo promises of gates and guardrail: counts that can be worked out, states that follow, and few who suffer."""

import expected
from checks import copies, right_answer, same, verdicts


def all_checks(run):
    """`[(what is promised, whether it holds, what to say if not)]` of a `checks.Run`."""
    return gates(run) + outage(run)


def gate_counts(run):
    """`{gate: ((fewest bad trials, most bad trials), (fewest trials, most trials))}`, by what models and clients said."""
    judged = {shadow: verdicts(run, shadow) for shadow in expected.COPIED_PERCENT}
    compared = {shadow: len(pairs) for shadow, pairs in judged.items()}
    changed = {request for request, verdict in judged["v2-copy"].items() if verdict == "diverged"}
    discordant = len(changed & judged["v1-control"].keys())  # the control agreed: it is a second v1
    canary = by_canary(run)
    return {
        "agreement": exactly(len(changed), compared["v2-copy"]),
        "noise": exactly(discordant, discordant),
        "control": exactly(0, compared["v1-control"]),
        "coverage": exactly(0, compared["v2-copy"]),
        "latency": ((0, compared["v2-copy"]), (0, compared["v2-copy"])),  # the one that only Gnomon can tell
        "errors": exactly(0, len(canary)),
        "slow": waits(canary),
    }


def by_canary(run):
    """The answers that v2 gave before the last act."""
    return [a for r, a in zip(run.requests, run.answers) if expected.variant(r) == "v2"]


def waits(answers):
    """Bounds of a gate on long waits: each answer is a trial. A client's wait begins before Gnomon's, and ends after it."""
    return (0, sum(a.received - a.sent > expected.SLOW_SECONDS for a in answers)), (len(answers), len(answers))


def exactly(bad, trials):
    """Bounds that leave no room."""
    return (bad, bad), (trials, trials)


def counted(counters, gate):
    """The bad trials of a gate, and all of them: `(bad, trials)`."""
    of = {"gate": gate, "subject": expected.GATES[gate].of}
    return tuple(int(counters.total(f"gnomon_gate_{what}_total", **of)) for what in ("bad", "trials"))


def state(counters, gate):
    """The state that Gnomon shows of it, in a word."""
    shown = counters.total("gnomon_gate_state", gate=gate, subject=expected.GATES[gate].of)
    return {0: "undecided", 1: "pass", 2: "fail"}.get(shown, shown)


def shown(counters, gate):
    """All that Gnomon shows of a gate."""
    of = {"gate": gate, "subject": expected.GATES[gate].of}
    terms = {term: counters.total(f"gnomon_gate_{term}", **of) for term in ("limit_ppm", "alpha_ppm", "min_trials")}
    bad, trials = counted(counters, gate)
    latch = counters.total("gnomon_gate_failures_total", **of)
    return {"bad": bad, "trials": trials, "state": state(counters, gate), "failures": latch, **terms}


def right(counters, lines, gate, bounds):
    """What it should show: its counts, or the nearest within the bounds, and the state that follows from them by the formula."""
    bad, trials = (min(max(count, low), high) for count, (low, high) in zip(counted(counters, gate), bounds))
    terms, told = expected.GATES[gate], failures(lines, gate)
    # A gate fails for good, so a state of fail may follow from earlier counts.
    found = {"bad": min(bad, trials), "trials": trials, "state": expected.state(terms, [*told, (bad, trials)]), "failures": len(told)}
    alpha_ppm = expected.ALPHA * 1_000_000
    return {**found, "limit_ppm": terms.bad_percent * 10_000, "alpha_ppm": alpha_ppm, "min_trials": terms.min_trials}


def failures(lines, gate):
    """`(bad, trials)` by which the log says that a gate failed: those of each worker that found it at once."""
    return [(line["bad"], line["trials"]) for line in lines if line.get("gate") == gate and line.get("state") == "fail"]


def gates(run):
    """Gates before the last act: all that they count can be worked out, but for the latencies."""
    return [
        same(
            f"gate {name}: the counts are those of the models and clients, and the state is what the formula makes of them",
            shown(run.counters, name),
            right(run.counters, run.lines, name, bounds),
        )
        for name, bounds in gate_counts(run).items()
    ]


def outage(run):
    """A canary that dies: who suffers from it, and for how long."""
    end = run.outage
    innocent = [s.request.id for s in end.bad if s.meant != "v2"]
    wrong = [s.request.id for s in end.served if s.by and not right_answer(s.request, s.answer, run.direct[s.by])]
    strange = [s.request.id for s in end.served if s.by not in (s.meant, "v1", None)]
    cut_off = min((s.answer.received for s in end.rerouted), default=float("inf"))
    late = [s.request.id for s in end.served if s.answer.sent > cut_off and s.by != "v1"]
    answered = {(s.by, s.request.pinned) for s in end.served if s.meant == "v2" and s.by}
    return [
        (
            "v2 dies: testers met it before, and in the end v1 answers them as it answers its users",
            {("v2", True), ("v1", True), ("v1", False)} <= answered,
            f"variants that answered, and whether testers: {answered}",
        ),
        (
            "v2 dies: some who were to meet it got a bad answer, and nobody else",
            bool(end.bad) and not innocent,
            f"{len(end.bad)} did, wrongly {innocent[:3]}",
        ),
        ("v2 dies: every other answer is what that model says", not wrong and not strange, f"not {wrong[:3]} {strange[:3]}"),
        ("v2 dies: nobody who asks after the first answer that v1 gave in its place meets it", not late, f"but {late[:3]}"),
        *outage_counted(run),
    ]


def outage_counted(run):
    """What Gnomon says of that."""
    end, after = run.outage, run.outage.after
    bad, by_v2 = len(end.bad), sum(s.by == "v2" for s in end.served)
    grown = lambda name, **labels: after.total(name, **labels) - end.before.total(name, **labels)  # noqa: E731
    reasons = {(v, r): grown("gnomon_requests_total", variant=v, reason=r) for v in ("v1", "v2") for r in ("weight", "pin", "guardrail")}
    answers = (grown("gnomon_responses_total", variant="v2", **{"class": "2xx"}), grown("gnomon_responses_total", variant="v2"))
    ended = {
        shadow: tuple(after.total(f"gnomon_{name}_total", shadow=shadow) for name in ("sampled", "shadow_outcomes"))
        for shadow in expected.COPIED_PERCENT
    }
    drawn = {
        shadow: len(copies(run, shadow)) + sum(expected.copied(shadow, s.request, s.by) for s in end.served)
        for shadow in expected.COPIED_PERCENT
    }
    tripped = [(c.total("gnomon_guardrail_tripped", variant="v2"), c.by("variant", "gnomon_split_ppm")) for c in (end.before, after)]
    shares = {"v1": 1_000_000 - expected.PERCENT["v2"] * 10_000, "v2": expected.PERCENT["v2"] * 10_000}
    guarded = expected.GATES[expected.GUARDED]
    compared = int(after.total("gnomon_shadow_outcomes_total", shadow="v2-copy", outcome="compared"))
    canary = by_canary(run) + [s.answer for s in end.served if s.by == "v2"]
    bounds = {
        **{gate: tuple((count, count) for count in counted(after, gate)) for gate in expected.GATES},
        "coverage": exactly(drawn["v2-copy"] - compared, drawn["v2-copy"]),
        "errors": exactly(bad, len(canary) + bad),
        "slow": waits(canary),
    }
    return [
        same(
            "v2 dies: Gnomon counted each request by who got it and why",
            {pair: count for pair, count in reasons.items() if count},
            dict(end.requests()),
        ),
        same("v2 dies: and each answer of v2 as its client saw it", answers, (by_v2, by_v2 + bad)),
        same(
            "v2 dies: copies are drawn by the hash all the while, and each has an outcome",
            ended,
            {shadow: (count, count) for shadow, count in drawn.items()},
        ),
        same(
            "v2 dies: the guardrail shows that it tripped, and the split that v1 has it all",
            tripped,
            [(0, shares), (1, {"v1": 1_000_000})],
        ),
        (
            "v2 dies: the log says which gate cut it off, by counts that are enough by the formula",
            bool(end.trips) and all(n <= bad and expected.fails(guarded, n, of, **expected.GUARDRAIL) for n, of in end.trips),
            f"{end.trips}, of {bad}",
        ),
        same(
            "v2 dies: in the end the state of each gate is what the formula makes of its counts",
            {gate: shown(after, gate) for gate in expected.GATES},
            {gate: right(after, end.lines, gate, bounds[gate]) for gate in expected.GATES},
        ),
    ]
