"""What the demo promises of split and comparison: Gnomon's figures against what clients saw and what `expected` works out."""

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
    return found + health(run.outage.after)


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
