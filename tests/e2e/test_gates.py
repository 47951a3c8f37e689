"""Gates of shadows at a proxy of two workers: that their figures are exact, and that workers agree. What gates make of figures is tested in
the core. After every test the rig recomputes each state from the figures (`rig/gates.py`)."""

import random
import threading
from contextlib import contextmanager

from rig import gates
from rig.client import request
from rig.configuration import configuration, gate, route, shadow
from rig.gates import FAIL, PASS, UNDECIDED
from rig.invariants import settled
from rig.load import Clients
from rig.upstream import Ledger, Reply

SAME, OTHER = Reply(b'{"p": 1}'), Reply(b'{"p": 2}')
AGREEMENT = gate("agreement", "candidate", "diverged", 2)
NOISE = gate("noise", "candidate", "worse_than_control", 50)


def mirroring(lab, judged, candidate=SAME, control=None, candidate_more=(), control_more=()):
    """A proxy of two workers: (proxy, {upstream: its ledger})."""
    scripts = {"primary": SAME, "candidate": candidate} | ({"control": control} if control else {})
    ledgers = {name: Ledger(script) for name, script in scripts.items()}
    shadows = [shadow("candidate", "candidate", max_in_flight=500, **dict(candidate_more))]
    shadows += [shadow("control", "control", role="control", max_in_flight=500, **dict(control_more))] if control else []
    configured = configuration(route(shadows=shadows, gates=judged))
    return lab.proxy(configured, {name: lab.upstream(ledger) for name, ledger in ledgers.items()}, concurrency=2), ledgers


def ask(proxy, identities):
    """Sends a request for each `x-request-id`, on several connections at once, and returns the figures when all have ended."""
    with Clients(proxy) as clients:
        answers = clients.ask([request(headers={"x-request-id": one}, close=False) for one in identities])
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


def test_a_slightly_worse_candidate_fails(lab):
    """Every sixteenth answer differs, at a limit of 2 %: by the formula 144 pairs are enough."""
    assert gates.state(8, 143, 20_000, 50_000) == UNDECIDED and gates.state(9, 144, 20_000, 50_000) == FAIL
    asked = identities(320)
    proxy, ledgers = mirroring(lab, [AGREEMENT, gate("generous", "candidate", "diverged", 20)], by_identity(asked[15::16]))
    metrics = ask(proxy, asked)
    assert gates.counts(metrics, "agreement") == ([*ledgers["candidate"].said.values()].count(OTHER), 320) == (20, 320)
    assert metrics.by("gnomon_gate_state", "gate") == {"agreement": FAIL, "generous": PASS}
    assert metrics.total("gnomon_gate_failures_total", gate="agreement") in (1, 2)


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
