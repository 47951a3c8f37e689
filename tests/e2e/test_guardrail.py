"""The guardrail at a proxy of two workers: a canary that turns bad under load, and who gets what then. `pytest -rP` shows the figures."""

import itertools
import json
import math
import threading
import time
from collections import Counter
from datetime import datetime

import pytest
from rig import gates, oracle
from rig.client import Connection, request
from rig.client_h2 import Leave, break_protocol_h2
from rig.configuration import configuration, gate, route
from rig.control_plane import ListenerFile
from rig.cutoff import CutOff
from rig.envoy import by_variant
from rig.invariants import settled
from rig.load import Clients
from rig.upstream import Gate, Ledger, Reply
from rig.waiting import until

GOOD = Reply(b"fine")
CANARIES = [("v2", 40), ("v3", 20)]
PIN = {"header": "x-model-pin", "exact": "v2", "variant": "v2"}
GATES = [gate("errors", "v2", "failed", 1), gate("errors-too", "v3", "failed", 1), gate("slow", "v2", "slower_than", 5, threshold="500ms")]
VMS = pytest.mark.parametrize("new_vm", [False, True], ids=["same-vm", "new-vm"])


def guarded(canaries=CANARIES, judged=GATES, **more):
    """A configuration whose gates all guard."""
    named = [{"name": name, "percent": percent} for name, percent in canaries]
    split = {"baseline": "v1", "canaries": named, "key": {"header": "x-user-id"}, "pins": [PIN]}
    guardrail = {"gates": [one["name"] for one in judged]}
    return configuration(route(split=split, gates=judged, guardrail=guardrail, **more))


class Canary:
    """A proxy under a control plane with the variants v1, v2 and v3; v2 answers `bad` once `outage` is set."""

    def __init__(self, lab, configured, bad=Reply(status=500)):
        self.outage, self.bad = threading.Event(), bad
        self.ledgers = {"v1": Ledger(GOOD), "v2": Ledger(lambda _: bad if self.outage.is_set() else GOOD), "v3": Ledger(GOOD)}
        upstreams = {name: lab.upstream(ledger) for name, ledger in self.ledgers.items()}
        self.proxy, self.plane = lab.managed(configured, upstreams, routes=by_variant({name: name for name in upstreams}), concurrency=2)

    def answered_by(self, name):
        """The numbers of the requests that a variant got."""
        return {int(identity) for identity in list(self.ledgers[name].said)}

    def tripped(self, variant="v2"):
        """Whether it is cut off."""
        return self.proxy.metrics("main").total("gnomon_guardrail_tripped", variant=variant) > 0


def numbered(number, pinned=None):
    """A request of a user of its own; every tenth is pinned to v2, if `pinned` doesn't say."""
    pinned = number % 10 == 0 if pinned is None else pinned
    headers = {"x-user-id": f"user-{number}", "x-request-id": str(number)}
    return request(headers=headers | ({PIN["header"]: PIN["exact"]} if pinned else {}), close=False)


def pinned(number):
    """A request to v2."""
    return numbered(number, True)


def chosen(number):
    """The variant and the reason that a request has without a guardrail."""
    return ("v2", "pin") if number % 10 == 0 else (oracle.variant(f"user-{number}", "main", "v1", CANARIES), "weight")


# Each worker that finds it says so, and both may at the same moment.
BY_WORKERS = (1, 2)


def cuts(proxy):
    """What the log says of cut-offs: (when, the line's members)."""
    found = [line for line in proxy.log().splitlines() if "wasm log" in line and '"guardrail"' in line]
    return [(datetime.strptime(line[1:24], "%Y-%m-%d %H:%M:%S.%f").timestamp(), json.loads(line[line.index("{"):])) for line in found]


@pytest.mark.parametrize("bad", [
    Reply(b"no", status=500), Reply(ending="reset"), Reply(b"x" * 1000, ending="half"), Reply(b"fine", delay=0.7)
], ids=["5xx", "reset", "broken-off", "slow"])  # fmt: skip
def test_a_canary_that_turns_bad_is_cut_off_while_the_load_goes_on(lab, bad, record_property):
    canary = Canary(lab, guarded(), bad)
    proxy = canary.proxy
    with Clients(proxy) as clients, clients.asking(numbered) as asked:
        until(lambda: len(asked) >= 200, "good answers")
        assert not canary.tripped()
        canary.outage.set()
        until(canary.tripped, "the cut-off")
        seen = time.time()
        until(lambda: asked[-1].sent > seen, "requests after it")
        count = len(asked)
        until(lambda: len(asked) >= count + 300, "load after it")
    metrics, reached = settled(proxy), canary.answered_by("v2")
    (logged, line), *_ = cuts(proxy)

    got = [one for one in asked if one.number in reached]
    assert not [one for one in got if one.sent > seen], "a request after the cut-off reached the canary"
    assert len([one for one in got if one.done > logged + 0.001]) <= len(clients), "more than were in flight"
    expected = Counter(
        ("v1", "guardrail") if chosen(one.number)[0] == "v2" and one.number not in reached else chosen(one.number) for one in asked
    )
    assert metrics.by("gnomon_requests_total", "variant", "reason") == expected
    assert expected["v1", "guardrail"] > 50 and expected["v2", "pin"] and expected["v2", "weight"]
    assert canary.answered_by("v3") == {one.number for one in asked if chosen(one.number)[0] == "v3"}, "others keep their ranges"
    assert metrics.by("gnomon_split_ppm", "variant") == {"v1": 800_000, "v3": 200_000}
    assert metrics.by("gnomon_guardrail_tripped", "variant") == {"v2": 1}

    is_told_of("slow" if bad.delay else "errors", line)
    worse = [identity for identity, reply in canary.ledgers["v2"].said.items() if reply is bad]
    assert line["bad"] <= len(worse) <= line["bad"] + len(clients)
    rate = len(reached) / (logged - min(one.sent for one in asked))
    for text in CutOff(len(worse), logged - min(canary.ledgers["v2"].at[one] for one in worse), rate).lines():
        print(text)
        record_property("cut-off", text)


def is_told_of(name, line):
    """The line names the gate and says by what it was judged, which is enough, and only just."""
    assert line.items() >= {"experiment": "exp", "route": "main", "gate": name, "subject": "v2"}.items()
    assert line["guardrail"] in ("experiment", "window") and line["e_value_needed"] == 1000
    bad, trials, limit = line["bad"], line["trials"], line["limit_ppm"]
    evidence = math.exp(gates.ln_evidence(gates.WORSE, bad, trials, limit / 1e6))
    assert line["e_value"] == pytest.approx(evidence, rel=0.01, abs=1)
    assert gates.fails(bad, trials, limit, 1_000, 20)
    assert not gates.fails(bad - 2, trials - 2, limit, 1_000, 20), "each of two workers judges after its own trial"


def test_a_client_cuts_nobody_off_by_breaking_the_protocol(lab):
    canary = Canary(lab, guarded(judged=GATES[:1]), Reply(ending="hang"))
    with Clients(canary.proxy) as clients:
        clients.ask(map(pinned, range(5)))
    canary.outage.set()
    leave = Leave(
        before=lambda: until(lambda: len(canary.ledgers["v2"].said) == 35, "the canary to have all requests"),
        after=lambda: canary.proxy.eventually("gnomon_responses_total", 35),
    )
    break_protocol_h2(canary.proxy.port, "/v1/x", 30, leave, [(PIN["header"], PIN["exact"])])
    metrics = settled(canary.proxy)
    assert metrics.by("gnomon_responses_total", "variant", "class") == {("v2", "2xx"): 5, ("v2", "cancelled"): 30}
    assert gates.counts(metrics, "errors") == (0, 5)
    assert not canary.tripped() and not cuts(canary.proxy)


def test_an_answer_that_its_drained_listener_breaks_off_is_no_failure(lab):
    listeners, canary = ListenerFile(lab.folder()), lab.upstream(Reply(b"half of it", middle=Gate()))
    clusters = {"v1": lab.upstream(), "v2": canary}
    proxy = lab.proxy(guarded(judged=GATES[:1]), clusters, routes=by_variant({name: name for name in clusters}), listeners=listeners)
    with Connection(proxy.port) as client:
        client.send(pinned(1))
        client.receive(len(b"HTTP/1.1 200"))
        listeners.push()
        proxy.eventually("gnomon_responses_total", 1)
    metrics = settled(proxy)
    assert metrics.by("gnomon_responses_total", "variant", "class") == {("v2", "cancelled"): 1}
    assert gates.counts(metrics, "errors") == (0, 0)


def cut_off(canary, clients):
    """Cuts the canary off by an outage, which is then over."""
    canary.outage.set()
    clients.ask(map(pinned, range(40)))
    assert canary.tripped()
    canary.outage.clear()


def begins_afresh(canary, clients, new_vm):
    """Puts another experiment in place, and waits until the canary gets requests in it."""
    reached, numbers = canary.answered_by("v2"), itertools.count(1_000)
    canary.plane.push(canary.proxy, guarded(experiment="afresh"), new_vm)
    until(lambda: clients.ask([pinned(next(numbers))]) and canary.answered_by("v2") > reached, "traffic in the new experiment")


@VMS
def test_a_cut_off_outlives_updates_but_not_its_experiment(lab, new_vm):
    canary = Canary(lab, guarded())
    with Clients(canary.proxy) as clients:
        cut_off(canary, clients)
        reached = canary.answered_by("v2")
        for percent in (50, 60):
            with clients.asking(lambda number: numbered(10_000 * percent + number)) as asked:
                until(lambda: len(asked) > 30, "load before the update")
                canary.plane.push(canary.proxy, guarded([("v2", percent), ("v3", 20)]), new_vm)
                count = len(asked)
                until(lambda: len(asked) > count + 150, "load after the update")
            assert canary.answered_by("v2") == reached and canary.tripped()
            assert canary.proxy.metrics().by("gnomon_split_ppm", "variant") == {"v1": 800_000, "v3": 200_000}
        assert len(cuts(canary.proxy)) in BY_WORKERS, "told once"
        begins_afresh(canary, clients, new_vm)
        metrics = settled(canary.proxy)
        assert metrics.total("gnomon_guardrail_tripped", experiment="afresh") == 0
        assert metrics.by("gnomon_split_ppm", "variant", experiment="afresh") == {"v1": 400_000, "v2": 400_000, "v3": 200_000}
        canary.outage.set()
        clients.ask(map(pinned, range(2_000, 2_040)))
        until(lambda: canary.proxy.metrics().total("gnomon_guardrail_tripped", experiment="afresh"), "a cut-off of its own")


@VMS
def test_an_experiment_that_is_used_again_has_its_cut_off(lab, new_vm):
    canary = Canary(lab, guarded())
    with Clients(canary.proxy) as clients:
        cut_off(canary, clients)
        begins_afresh(canary, clients, new_vm)
        canary.plane.push(canary.proxy, guarded(), new_vm)
        canary.proxy.eventually("gnomon_guardrail_tripped", 1, experiment="exp")
        reached = canary.answered_by("v2")
        clients.ask(map(pinned, range(2_000, 2_060)))
        assert canary.answered_by("v2") == reached


@VMS
def test_a_canary_stays_cut_off_without_its_guardrail(lab, new_vm):
    configured = guarded()
    unguarded = configuration({key: value for key, value in configured["routes"][0].items() if key not in ("guardrail", "gates")})
    canary = Canary(lab, configured)
    canary.outage.set()
    numbers = itertools.count()
    with Clients(canary.proxy) as clients:
        got = lambda: clients.ask([pinned(next(numbers))])[0].status
        clients.ask(pinned(next(numbers)) for _ in range(40))
        assert canary.tripped() and got() == 200
        canary.plane.push(canary.proxy, unguarded, new_vm)
        canary.proxy.eventually("gnomon_gate_limit_ppm", 0)
        assert {answer.status for answer in clients.ask(map(pinned, range(2_000, 2_060)))} == {200}
        canary.plane.push(canary.proxy, configured, new_vm)
        until(lambda: {answer.status for answer in clients.ask(pinned(next(numbers)) for _ in range(20))} == {200}, "the cut-off")
        assert canary.tripped() and {answer.status for answer in clients.ask(map(pinned, range(2_000, 2_060)))} == {200}
