"""Gates of shadows at a proxy of two workers: what they say of good, bad and noisy candidates, and that their figures are exact.

After every test the rig recomputes each state from the figures (`rig/gates.py`)."""

import random
import threading
from contextlib import contextmanager

import pytest
from rig import gates
from rig.client import request
from rig.configuration import EXPERIMENT, configuration, gate, route, shadow, split
from rig.gates import FAIL, PASS, UNDECIDED
from rig.invariants import settled
from rig.load import Clients
from rig.upstream import Ledger, Reply

SAME, OTHER = Reply(b'{"p": 1}'), Reply(b'{"p": 2}')
AGREEMENT = gate("agreement", "candidate", "diverged", 2)
NOISE = gate("noise", "candidate", "worse_than_control", 50)
FIGURES = "bad_total trials_total failures_total limit_ppm alpha_ppm min_trials state".split()


def mirroring(lab, judged, candidate=SAME, control=None, candidate_more=(), control_more=(), **more):
    """A proxy of two workers: (proxy, {upstream: its ledger})."""
    scripts = {"primary": SAME, "candidate": candidate} | ({"control": control} if control else {})
    ledgers = {name: Ledger(script) for name, script in scripts.items()}
    shadows = [shadow("candidate", "candidate", max_in_flight=500, **dict(candidate_more))]
    shadows += [shadow("control", "control", role="control", max_in_flight=500, **dict(control_more))] if control else []
    configured = configuration(route(shadows=shadows, gates=judged, **more))
    return lab.proxy(configured, {name: lab.upstream(ledger) for name, ledger in ledgers.items()}, concurrency=2), ledgers


def ask(proxy, identities, **headers):
    """Sends a request for each `x-request-id`, on several connections at once, and returns the figures when all have ended."""
    with Clients(proxy) as clients:
        answers = clients.ask([request(headers={"x-request-id": one, **headers}, close=False) for one in identities])
    assert {(answer.status, answer.body) for answer in answers} == {(SAME.status, SAME.body)}
    return settled(proxy)


def identities(count, name="r"):
    """So many request ids."""
    return [f"{name}-{number}" for number in range(count)]


def by_identity(chosen, yes=OTHER, no=SAME):
    """A script that answers `yes` to the requests whose id is chosen."""
    return lambda received: yes if received.header("x-request-id") in chosen else no


def drawn(seed, rate, of):
    """A seeded draw of request ids."""
    source = random.Random(seed)
    return {one for one in of if source.random() < rate}


def states(metrics, **labels):
    """The states of the gates, but for their slices."""
    return metrics.by("gnomon_gate_state", "gate", slice="all", **labels)


def test_every_series_exists_from_the_start_with_what_its_gate_is_judged_by(lab):
    judged = [
        gate("plain", "candidate", "diverged", 2.5, alpha=0.01, min_trials=7), gate("cover", "candidate", "coverage", 90),
        gate("fair", "candidate", "diverged", 5, each_slice=True), gate("fair-errors", "v2", "failed", 0.5, each_slice=True, alpha=0.01),
        gate("noise", "candidate", "worse_than_control", 50), gate("slow", "v2", "slower_than", 5, threshold="250ms"),
    ]  # fmt: skip
    sliced = {"header": "x-region", "values": ["eu", "us"]}
    guardrail = {"gates": ["fair-errors", "slow"]}
    proxy, _ = mirroring(
        lab, judged, SAME, SAME, split=split(canaries=[("v2", 5), ("v3", 1)]), slices=sliced, guardrail=guardrail
    )
    metrics = proxy.metrics()
    terms = {}
    for name, subject, limit, alpha, minimum, slices in (
        ("plain", "candidate", 25_000, 10_000, 7, ["all"]),
        ("cover", "candidate", 100_000, 50_000, 0, ["all"]),
        ("fair", "candidate", 50_000, 16_666, 0, ["eu", "us", "other"]),
        ("fair-errors", "v2", 5_000, 3_333, 0, ["eu", "us", "other"]),
        ("noise", "candidate", 500_000, 50_000, 0, ["all"]),
        ("slow", "v2", 50_000, 50_000, 0, ["all"]),
    ):
        terms |= {(name, subject, slice_): [0, 0, 0, limit, alpha, minimum, 0] for slice_ in slices}
    everywhere = {("experiment", EXPERIMENT), ("route", "main")}
    for at, figure in enumerate(FIGURES):
        found = metrics.series(f"gnomon_gate_{figure}")
        expected = {place: of[at] for place, of in terms.items()}
        if figure == "state":
            expected |= {("fair", "candidate", "all"): 0, ("fair-errors", "v2", "all"): 0}
        assert {tuple(dict(labels)[key] for key in ("gate", "subject", "slice")): value for labels, value in found.items()} == expected
        assert all(everywhere <= set(labels) and len(labels) == 5 for labels in found), figure
        assert metrics.types[f"gnomon_gate_{figure}"] == ("counter" if figure.endswith("total") else "gauge")
    tripped = {(("experiment", EXPERIMENT), ("route", "main"), ("variant", canary)): 0 for canary in ("v2", "v3")}
    assert metrics.series("gnomon_guardrail_tripped") == tripped, "of each canary, guarded or not"


def test_an_equal_candidate_passes(lab):
    judged = [
        AGREEMENT, gate("coverage", "candidate", "coverage", 90), gate("errors", "candidate", "failed", 2),
        gate("latency", "candidate", "slower_than_primary", 50, margin="500ms"),
    ]  # fmt: skip
    proxy, _ = mirroring(lab, judged)
    metrics = ask(proxy, identities(300))
    assert states(metrics) == {"agreement": PASS, "coverage": PASS, "errors": PASS}, "nobody is slower by more than the margin: undecided"
    assert [gates.counts(metrics, one["name"]) for one in judged] == [(0, 300)] * 3 + [(0, 0)]


def test_a_slightly_worse_candidate_fails(lab):
    """Every sixteenth answer differs, at a limit of 2 %: by the formula 144 pairs are enough."""
    assert gates.state(8, 143, 20_000, 50_000) == UNDECIDED and gates.state(9, 144, 20_000, 50_000) == FAIL
    asked = identities(320)
    proxy, ledgers = mirroring(lab, [AGREEMENT, gate("generous", "candidate", "diverged", 20)], by_identity(asked[15::16]))
    metrics = ask(proxy, asked)
    assert gates.counts(metrics, "agreement") == ([*ledgers["candidate"].said.values()].count(OTHER), 320) == (20, 320)
    assert states(metrics) == {"agreement": FAIL, "generous": PASS}
    assert metrics.total("gnomon_gate_failures_total", gate="agreement") in (1, 2)


@pytest.mark.parametrize("candidate, control, fails", [
    (0.2, 0.2, False), (0.4, 0.1, True), (0.1, 0.4, False)
], ids=["equal", "noisier", "quieter"])  # fmt: skip
def test_a_noisy_candidate_fails_only_if_it_is_noisier_than_the_control(lab, candidate, control, fails):
    asked = identities(400)
    proxy, ledgers = mirroring(
        lab, [AGREEMENT, NOISE], by_identity(drawn(1, candidate, asked)), by_identity(drawn(2, control, asked))
    )
    metrics = ask(proxy, asked)
    assert gates.counts(metrics, "noise") == triplets(ledgers)
    assert gates.state_of(metrics, "agreement") == FAIL, "the candidate alone is far above the limit"
    assert (gates.state_of(metrics, "noise") == FAIL) == fails


def triplets(ledgers):
    """(bad, trials) of `worse_than_control` by what both shadows answered."""
    candidate, control = ledgers["candidate"].said, ledgers["control"].said
    readable = lambda reply: reply in (SAME, OTHER)
    both = [one for one in candidate if one in control and readable(candidate[one]) and readable(control[one])]
    discordant = [candidate[one] for one in both if candidate[one] != control[one]]
    return discordant.count(OTHER), len(discordant)


def test_a_triplet_that_lacks_an_answer_is_no_trial(lab):
    """The control gets 60 % of the requests, both are down for some, and some answers can't be read."""
    asked = identities(400)
    down, hanging, unreadable = Reply(ending="reset"), Reply(ending="hang"), Reply(b'{"p":')

    def failing(chosen, phase):
        number = {one: at + phase for at, one in enumerate(asked)}

        def script(received):
            one = received.header("x-request-id")
            at = number[one]
            if at % 10 < 2:
                return down
            return unreadable if at % 13 == 0 else hanging if at % 97 == 0 else OTHER if one in chosen else SAME

        return script

    candidate, control = failing(drawn(3, 0.5, asked), 0), failing(drawn(4, 0.5, asked), 5)
    proxy, ledgers = mirroring(lab, [NOISE], candidate, control, {"timeout": "2s"}, {"timeout": "2s", "percent": 60})
    metrics = ask(proxy, asked)
    bad, trials = gates.counts(metrics, "noise")
    assert (bad, trials) == triplets(ledgers) and 20 < bad < trials - 20
    assert set(ledgers["control"].said) < set(ledgers["candidate"].said) == set(asked)


def test_a_shadow_that_stops_answering_cannot_pass_and_fails(lab):
    """It hangs from some request on: nothing of it diverges any more, but soon too little is compared."""
    good, silent = identities(100), identities(60, "silent")
    judged = [AGREEMENT, gate("coverage", "candidate", "coverage", 90), gate("errors", "candidate", "failed", 10)]
    proxy, _ = mirroring(lab, judged, by_identity(silent, Reply(ending="hang")), candidate_more={"timeout": "500ms"})
    metrics = ask(proxy, good)
    assert states(metrics) == {"coverage": PASS, "errors": PASS}
    metrics = ask(proxy, silent)
    assert states(metrics)["coverage"] == FAIL
    pairs, sampled = metrics.total("gnomon_pairs_total"), metrics.total("gnomon_sampled_total")
    assert gates.counts(metrics, "coverage") == (60, 160) == (sampled - pairs, sampled)
    outcomes = metrics.by("gnomon_shadow_outcomes_total", "outcome")
    assert set(outcomes) <= {"compared", "timed_out", "unsent_breaker_open"}
    assert gates.counts(metrics, "errors") == (outcomes["timed_out"], 100 + outcomes["timed_out"])
    assert gates.counts(metrics, "agreement") == (0, 100)


def test_a_shadow_that_never_answers_never_passes(lab):
    proxy, _ = mirroring(lab, [AGREEMENT, gate("coverage", "candidate", "coverage", 50)], Reply(status=500))
    metrics = ask(proxy, identities(60))
    assert states(metrics) == {"coverage": FAIL} and gates.counts(metrics, "agreement") == (0, 0)


def test_each_slice_is_judged_on_its_own(lab):
    fair = gate("fair", "candidate", "diverged", 5, each_slice=True)
    bad = lambda received: OTHER if received.header("x-region") == "us" and received.header("x-request-id")[-1] in "05" else SAME
    more = {"slices": {"header": "x-region", "values": ["eu", "us"]}}
    proxy, _ = mirroring(lab, [fair, gate("all-of-it", "candidate", "diverged", 30)], bad, **more)
    ask(proxy, identities(150, "eu"), **{"x-region": "eu"})
    metrics = ask(proxy, identities(20, "us"), **{"x-region": "us"})
    assert metrics.by("gnomon_gate_state", "slice", gate="fair") == {"eu": PASS}, "the other is undecided, and so are all"
    metrics = ask(proxy, identities(150, "us"), **{"x-region": "us"})
    assert metrics.by("gnomon_gate_state", "slice", gate="fair") == {"eu": PASS, "us": FAIL, "all": FAIL}
    counted = {slice_: gates.counts(metrics, "fair", slice_) for slice_ in ("eu", "us", "other")}
    assert counted == {"eu": (0, 150), "us": (34, 170), "other": (0, 0)}
    assert gates.counts(metrics, "all-of-it") == (34, 320)


def test_other_stands_in_the_way_of_a_pass_only_once_it_has_trials(lab):
    fair = gate("fair", "candidate", "diverged", 5, each_slice=True)
    proxy, _ = mirroring(lab, [fair], slices={"header": "x-region", "values": ["eu", "us"]})
    said = []
    for region, count in (("eu", 150), ("us", 150), ("mars", 1), ("venus", 150)):
        metrics = ask(proxy, identities(count, region), **{"x-region": region})
        said.append(gates.state_of(metrics, "fair"))
    assert said == [UNDECIDED, PASS, UNDECIDED, PASS]
    assert gates.counts(metrics, "fair", "other") == (0, 151)


def test_workers_that_judge_at_once_agree_with_the_figures(lab):
    """At these rates each gate goes from undecided to pass and back with every few bad trials. At rest after each round, without a further trial
    to put it right, all say what their figures do; and what is scraped meanwhile is never ahead of itself."""
    judged = [gate(f"at-{limit}", "candidate", "diverged", limit) for limit in (10, 11, 12, 13, 14)]
    asked = [identities(80, f"round-{number}") for number in range(8)]
    chosen = drawn(5, 0.05, [one for each in asked for one in each])
    proxy, _ = mirroring(lab, judged, by_identity(chosen))
    with watching(proxy) as scrapes:
        for count, each in enumerate(asked, 1):
            metrics = ask(proxy, each)
            assert gates.disagreements(metrics) == {} and gates.counts(metrics, "at-10")[1] == 80 * count
    assert len(scrapes) > 8 and all(bad <= trials for scrape in scrapes for bad, trials in scrape)


@contextmanager
def watching(proxy):
    """Scrapes all the time; gives a growing list of (bad, trials) of all gates."""
    stop, scrapes = threading.Event(), []

    def work():
        while not stop.is_set():
            metrics = proxy.metrics("main")
            trials = metrics.series("gnomon_gate_trials_total")
            scrapes.append([(bad, trials[labels]) for labels, bad in metrics.series("gnomon_gate_bad_total").items()])

    watcher = threading.Thread(target=work)
    watcher.start()
    try:
        yield scrapes
    finally:
        stop.set()
        watcher.join()
