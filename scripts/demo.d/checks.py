"""What the demo promises: Gnomon's figures against what clients saw and what `expected` works out."""

import collections
import dataclasses
import json

import expected


@dataclasses.dataclass
class Run:
    """All that one run of the demo produced."""

    requests: list  # traffic.Request
    answers: list  # traffic.Answer, what the client of each request got
    direct: dict  # the answers per image when asked directly, by server: v1, v2, v1-control
    digits: dict  # the digits that scikit-learn itself reads in the images, by version: v1, v2
    counters: object  # measured.Counters, before the last act
    lines: list  # those of Envoy's log until then, parsed
    outage: object  # outage.Outage, the last act

    @property
    def evidence(self):
        """The lines that tell of diverged pairs."""
        return [line for line in self.lines if "kind" in line]


def right_answer(request, answer, model):
    """Whether a client got what the model says when asked directly: all but the id, which is the client's own if it gave one."""
    truth = json.loads(model[request.image].body)
    try:
        got = json.loads(answer.body)
        truth["id"] = request.id if request.named else got["id"]
    except (ValueError, TypeError, LookupError):
        return False
    return answer.status == 200 and got == truth


def copies(run, shadow):
    """The requests that this shadow should have got."""
    return [r for r in run.requests if expected.copied(shadow, r, expected.variant(r))]


def verdicts(run, shadow):
    """The expected verdict for each of these, by request id."""
    version, server = expected.VERSION[shadow], "v2" if shadow == "v2-copy" else shadow

    def judged(request):
        primary, copy = ((run.direct[s][request.image].body, run.digits[v][request.image]) for s, v in (("v1", "v1"), (server, version)))
        return expected.verdict(primary, copy, request.named)

    return {r.id: judged(r) for r in copies(run, shadow)}


def changes(run, shadow, names):
    """How often scikit-learn's v1 reads one digit and the shadow's version another, or the same; those not in `names` as `other`."""
    name = lambda digit: str(digit) if str(digit) in names else "other"  # noqa: E731
    read = [(run.digits["v1"][r.image], run.digits[expected.VERSION[shadow]][r.image]) for r in copies(run, shadow)]
    return collections.Counter((name(before), name(after)) for before, after in read)


def all_checks(run):
    """`[(what is promised, whether it holds, what to say if not)]`."""
    found = clients(run)
    for shadow in expected.COPIED_PERCENT:
        found += pairs(run, shadow)
    found += gates(run.counters, run.lines, gate_counts(run))
    return found + outage(run) + health(run.outage.after)


def gate_counts(run):
    """`{gate: ((fewest hits, most hits), (fewest trials, most trials))}`, by what models and clients said."""
    judged = {shadow: verdicts(run, shadow) for shadow in expected.COPIED_PERCENT}
    compared = {shadow: len(pairs) for shadow, pairs in judged.items()}
    changed = {request for request, verdict in judged["v2-copy"].items() if verdict == "diverged"}
    discordant = len(changed & judged["v1-control"].keys())  # the control agreed: it is a second v1
    canary = [a for r, a in zip(run.requests, run.answers) if expected.variant(r) == "v2"]
    waited = sum(a.received - a.sent > expected.SLOW_SECONDS for a in canary)  # a client's wait begins before Gnomon's, and ends after it
    return {
        "agreement": exactly(len(changed), compared["v2-copy"]),
        "noise": exactly(discordant, discordant),
        "control": exactly(0, compared["v1-control"]),
        "coverage": exactly(0, compared["v2-copy"]),
        "latency": ((0, compared["v2-copy"]), (0, compared["v2-copy"])),  # the one that only Gnomon can tell
        "errors": exactly(0, len(canary)),
        "slow": ((0, waited), (len(canary), len(canary))),
    }


def exactly(hits, trials):
    """Bounds that leave no room."""
    return (hits, hits), (trials, trials)


def counted(counters, gate):
    """Hits and trials of a gate."""
    return tuple(int(counters.total(f"gnomon_gate_{what}_total", gate=gate, subject=expected.GATES[gate].of)) for what in ("hits", "trials"))


def state(counters, gate):
    """The state that Gnomon shows of it, in a word."""
    shown = counters.total("gnomon_gate_state", gate=gate, subject=expected.GATES[gate].of)
    return {0: "undecided", 1: "pass", 2: "fail"}.get(shown, shown)


def gates(counters, lines, bounds, when=""):
    """What gates counted, and that their states follow from that by the formula."""
    found = []
    for name, (hits_bounds, trials_bounds) in bounds.items():
        hits, trials = counted(counters, name)
        within = hits_bounds[0] <= hits <= hits_bounds[1] and hits <= trials and trials_bounds[0] <= trials <= trials_bounds[1]
        promise = f"gate {name}: hits and trials are those of the models and clients{when}"
        found.append((promise, within, f"{hits} of {trials} instead of {hits_bounds} of {trials_bounds}"))
    for name, gate in expected.GATES.items():
        # A gate fails for good, so a state of fail may follow from earlier counts: those in the log.
        failures = [(line["hits"], line["trials"]) for line in lines if line.get("gate") == name and line.get("state") == "fail"]
        shown = (state(counters, name), counters.total("gnomon_gate_failures_total", gate=name))
        right = (expected.state(gate, [*failures, counted(counters, name)]), len(failures))
        found.append(same(f"gate {name}: its state is what the formula makes of them{when}", shown, right))
        if not when:
            terms = tuple(counters.total(f"gnomon_gate_{term}", gate=name) for term in ("limit_ppm", "alpha_ppm", "min_trials"))
            found.append(same(f"gate {name}: it shows its terms", terms, (gate.hits_percent * 10_000, expected.ALPHA * 1_000_000, 0)))
    return found


def same(promise, got, right):
    """The check that two figures are equal."""
    return promise, got == right, f"{got} instead of {right}"


def clients(run):
    """Nobody is worse off for the filter, and the split is the documented hash."""
    served = [(r, a, expected.variant(r)) for r, a in zip(run.requests, run.answers)]
    split = dict(collections.Counter(variant for _, _, variant in served))
    failed = [(r.id, a.status, a.body[:80]) for r, a, _ in served if a.status != 200]
    wrong = [(r.id, variant, a.body[:80]) for r, a, variant in served if not right_answer(r, a, run.direct[variant])]
    answered = run.counters.by("variant", "gnomon_responses_total", **{"class": "2xx"})
    return [
        ("every client got an answer of 200", not failed, f"{len(failed)} did not, such as {failed[:1]}"),
        (
            "every user was answered by the variant that the hash gives, just as that model answers directly",
            not wrong,
            f"{len(wrong)} not, such as {wrong[:1]}",
        ),
        same(
            "Gnomon counted each request for its user's variant",
            run.counters.by("variant", "gnomon_requests_total", reason="weight"),
            split,
        ),
        same("Gnomon counted each answer, as 2xx", answered, split),
    ]


def pairs(run, shadow):
    """What was copied, what became of it, and what the comparison said."""
    counters, right = run.counters, verdicts(run, shadow)
    counted = counters.by("verdict", "gnomon_pairs_total", shadow=shadow)
    diverged = counted.get("diverged", 0)
    kinds = counters.by("kind", "gnomon_divergences_total", shadow=shadow)
    paths = counters.by("path", "gnomon_divergent_paths_total", shadow=shadow)
    found = [
        same(
            f"{shadow}: exactly the requests that the hash draws were sampled",
            counters.total("gnomon_sampled_total", shadow=shadow),
            len(right),
        ),
        same(
            f"{shadow}: each of them was compared",
            counters.by("outcome", "gnomon_shadow_outcomes_total", shadow=shadow),
            {"compared": len(right)},
        ),
        same(
            f"{shadow}: the verdicts are those of scikit-learn's own digits", counted, dict(collections.Counter(right.values()))
        ),
        same(f"{shadow}: every diverged pair is one of kind label", kinds, {"label": diverged} if diverged else {}),
        same(f"{shadow}: and is counted where the digit is", paths, {expected.PATH: diverged} if diverged else {}),
        same(
            f"{shadow}: which digit became which is as scikit-learn says",
            counters.changes(shadow),
            changes(run, shadow, counters.names("gnomon_decisions_total", "primary_answer", "shadow_answer", shadow=shadow)),
        ),
        same(
            f"{shadow}: the version that it serves is the one expected",
            counters.by("model_version", "gnomon_model_versions_total", subject=shadow),
            {expected.VERSION[shadow]: len(right)},
        ),
    ]
    if shadow == "v1-control":
        return [*found, same(f"{shadow}: no pair of equal models diverged", diverged, 0)]
    logged = [line.get("request_id") for line in run.evidence if line.get("shadow") == shadow]
    false = [request for request in logged if right.get(request) != "diverged"]
    return [
        *found,
        (f"{shadow}: the worse model is noticed", diverged > 0, "no pair diverged"),
        (
            f"{shadow}: the log shows diverged pairs, and only such",
            len(logged) >= 2 and not false,
            f"{len(logged)} lines, wrong ones: {false[:3]}",
        ),
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
            "v2 dies: its users and its testers were answered by it before, and by v1 in the end",
            answered == {(by, pinned) for by in ("v1", "v2") for pinned in (True, False)},
            f"variants that answered, and whether testers: {answered}",
        ),
        ("v2 dies: some of these got a bad answer, and nobody else", end.bad and not innocent, f"{len(end.bad)}, wrongly {innocent[:3]}"),
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
    good = grown("gnomon_responses_total", variant="v2", **{"class": "2xx"})
    sampled = {shadow: after.total("gnomon_sampled_total", shadow=shadow) for shadow in expected.COPIED_PERCENT}
    drawn = {
        shadow: len(copies(run, shadow)) + sum(expected.copied(shadow, s.request, s.by) for s in end.served)
        for shadow in expected.COPIED_PERCENT
    }
    shown = [(c.total("gnomon_guardrail_tripped", variant="v2"), c.by("variant", "gnomon_split_ppm")) for c in (end.before, after)]
    shares = {"v1": 1_000_000 - expected.PERCENT["v2"] * 10_000, "v2": expected.PERCENT["v2"] * 10_000}
    guarded = expected.GATES[expected.GUARDED]
    compared = int(after.total("gnomon_shadow_outcomes_total", shadow="v2-copy", outcome="compared"))
    canary = sum(expected.variant(r) == "v2" for r in run.requests)
    bounds = {
        "coverage": exactly(drawn["v2-copy"] - compared, drawn["v2-copy"]),
        "errors": exactly(bad, canary + by_v2 + bad),
    }
    return [
        same(
            "v2 dies: Gnomon counted each request by who got it and why",
            {pair: count for pair, count in reasons.items() if count},
            dict(end.requests()),
        ),
        same("v2 dies: and each answer of v2 as its client saw it", (good, grown("gnomon_responses_total", variant="v2")), (by_v2, by_v2 + bad)),
        same("v2 dies: copies are drawn by the hash all the while", sampled, drawn),
        same("v2 dies: the guardrail shows that it tripped, and the split that v1 has it all", shown, [(0, shares), (1, {"v1": 1_000_000})]),
        (
            "v2 dies: the log says which gate cut it off, by counts that are enough by the formula",
            bool(end.trips) and all(n <= bad and expected.fails(guarded, n, of, **expected.GUARDRAIL) for n, of in end.trips),
            f"{end.trips}, of {bad}",
        ),
        *gates(after, end.lines, bounds, " in the end"),
    ]


def health(counters):
    """Nothing is left over, and nothing went wrong inside."""
    total = counters.total
    return [
        same(
            "nothing is under way in the end, and no bytes are held", (total("gnomon_open_pairs"), total("gnomon_captured_bytes")), (0, 0)
        ),
        same("the filter runs as configured", total("gnomon_configuration", plugin="gnomon"), 1),
        same("the filter had no internal error", total("gnomon_anomalies_total"), 0),
    ]
