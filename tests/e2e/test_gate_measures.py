"""What each measure counts as a trial, and what as a bad one, as Envoy tells of answers. Each case is a route of one proxy whose gates have all measures that fit, and is
asked several times at once; it names the gates that have trials, all others must have none."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from rig import gates
from rig.client import Connection, exchange, request
from rig.configuration import configuration, gate, route, shadow, split
from rig.envoy import by_variant
from rig.invariants import settled
from rig.lab import Lab
from rig.openai import OpenAI, stream
from rig.upstream import Pause, Reply
from rig.waiting import until

TIMES = 3
LONG = b'"' + b"x" * (2 << 20) + b'"'
SLOW, SLOWER = 1.4, 1.9
"""Seconds: over the threshold (a second) and the margin (0.6 s); and so that the margin would end after the shadow's timeout (2.4 s)."""


def answer(value=1, **more):
    """A readable answer."""
    return Reply(json.dumps({"p": value}).encode(), **more)


FINE, HANGS = answer(), Reply(ending="hang")


@dataclass(frozen=True)
class Case:
    """What both sides answer, and the gates that then have a bad trial, or a good one (each a text of names)."""

    primary: Reply = FINE
    other: Reply = FINE
    bad: str = ""
    trials: str = ""
    body: bytes = b'{"x": 1}'
    cluster: str = "shadow"


SHADOW_GATES = [
    gate("diverged", "copy", "diverged", 50), gate("failed", "copy", "failed", 50), gate("coverage", "copy", "coverage", 50),
    gate("slow", "copy", "slower_than", 50, threshold="1s"), gate("slower", "copy", "slower_than_primary", 50, margin="600ms"),
]  # fmt: skip
SHADOWS = {
    "same": Case(trials="diverged failed coverage slow"),
    "different": Case(other=answer(2), bad="diverged", trials="failed coverage slow"),
    "slow-shadow": Case(other=answer(delay=SLOW), bad="slow slower", trials="diverged failed coverage"),
    "slow-primary": Case(answer(delay=SLOW), trials="diverged failed coverage slow slower"),
    "both-slow": Case(answer(delay=SLOW), answer(delay=SLOW), bad="slow", trials="diverged failed coverage"),
    "500": Case(other=Reply(status=500), bad="failed coverage"),
    "slow-500": Case(other=Reply(status=500, delay=SLOW), bad="failed coverage"),
    "404": Case(other=Reply(status=404), bad="failed coverage"),
    "overloaded": Case(other=Reply(status=429), bad="coverage"),
    "reset": Case(other=Reply(ending="reset"), bad="failed coverage"),
    "half": Case(other=Reply(b"x" * 1000, ending="half"), bad="failed coverage"),
    "timeout": Case(other=HANGS, bad="failed coverage slow slower"),
    "timeout-slow-primary": Case(answer(delay=SLOWER), HANGS, bad="failed coverage slow"),
    "unreadable": Case(other=Reply(b'{"p":'), bad="failed coverage", trials="slow"),
    "unreadable-slow": Case(other=Reply(b'{"p":', delay=SLOW), bad="failed coverage slow slower"),
    "too-long": Case(other=Reply(LONG), bad="failed coverage", trials="slow"),
    "unreadable-primary": Case(Reply(b'{"p":'), bad="coverage", trials="slow"),
    "both-unreadable": Case(Reply(b'{"p":'), Reply(b'{"q":'), bad="coverage", trials="slow"),
    "bad-primary": Case(Reply(status=500), Reply(status=404), bad="coverage"),
    "both-refuse": Case(Reply(status=404), Reply(status=404)),
    "bad-primary-slow": Case(Reply(status=500), answer(delay=SLOW), bad="coverage slow"),
    "bad-primary-timeout": Case(Reply(status=500), HANGS, bad="coverage slow"),
    "no-cluster": Case(cluster="nowhere", bad="coverage"),
    "no-host": Case(cluster="empty", bad="coverage"),
    "unsent": Case(bad="coverage", body=b'"' + b"y" * (2 << 20) + b'"'),
}



def version(number, **more):
    """An answer of a model's version."""
    output = {"name": "score", "datatype": "FP32", "shape": [1], "data": [0.5]}
    return Reply(json.dumps({"model_name": "m", "model_version": number, "outputs": [output]}).encode(), **more)


VERSIONS = {
    "expected": Case(version("1"), version("2"), trials="diverged failed coverage slow"),
    "wrong": Case(version("1"), version("3", delay=SLOW), bad="coverage"),
}

CANARY_GATES = [
    gate("failed", "v2", "failed", 50), gate("slow", "v2", "slower_than", 50, threshold="1s"),
    gate("first", "v2", "first_byte_slower_than", 50, threshold="1s"), gate("baseline", "v1", "failed", 50),
]  # fmt: skip


def streamed(**more):
    """A stream of a few events; `middle` and `ending` as in `Reply`."""
    return Reply(stream([{"object": "chat.completion.chunk", "choices": []}] * 9), 200, (), "text/event-stream", True, **more)


CANARIES = {
    "200": Case(other=FINE, trials="failed slow"),
    "302": Case(other=Reply(b"", status=302), trials="failed"),
    "404": Case(other=Reply(status=404), trials="failed"),
    "500": Case(other=Reply(status=500), bad="failed"),
    "503": Case(other=Reply(status=503), bad="failed"),
    "slow-500": Case(other=Reply(status=500, delay=SLOW), bad="failed"),
    "reset": Case(other=Reply(ending="reset"), bad="failed"),
    "half": Case(other=answer("x" * 1000, ending="half"), bad="failed"),
    "slow": Case(other=answer(delay=SLOW), bad="slow", trials="failed"),
    "slow-to-end": Case(other=answer("x" * 1000, middle=Pause(SLOW)), bad="slow", trials="failed"),
    "stream": Case(other=streamed(), trials="failed slow first"),
    "stream-slow-to-begin": Case(other=streamed(delay=SLOW), bad="slow first", trials="failed"),
    "stream-slow-to-end": Case(other=streamed(middle=Pause(SLOW)), bad="slow", trials="failed first"),
    "stream-broken": Case(other=streamed(ending="half"), bad="failed"),
    "left": Case(other=HANGS),
    "left-in-the-middle": Case(other=streamed(ending="stall")),
}

DECISION = {"task": {"decision": {"path": "scores[*]", "thresholds": [0.3, 0.7], "names": ["approve", "review", "block"]}}}
FLIPS = [gate(way, "copy", "flipped", 50, direction=way) for way in ("up", "down", "both")]


def scores(*values):
    """An answer with a score for each row."""
    return Reply(json.dumps({"scores": values}).encode())


DECISIONS = {
    "up": Case(scores(0.1, 0.5), scores(0.5, 0.5), bad="up both", trials="down"),
}

LABELS = {"task": {"labels": {"path": "labels[*]"}}}
LABELLED = {
    "changed": Case(Reply(b'{"labels": ["cat", "dog"]}'), Reply(b'{"labels": ["cat", "cow"]}'), bad="both"),
}


def tokens(prompt, completion):
    """A generated answer that tells its tokens."""
    made = json.loads(OpenAI("baseline")(_Asked()).body)
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return Reply(json.dumps(made | {"usage": usage}).encode())


class _Asked:
    path, body = "/v1/chat/completions", b'{"model": "m", "messages": [{"content": "text-same"}]}'


COSTS = {
    "above": Case(tokens(50, 50), tokens(50, 61), bad="cost"),
    "below": Case(tokens(61, 50), tokens(50, 50), trials="cost"),
}

EXPECTED = {"expect": {"model_version": "2"}}
PATH = "/v1/chat/completions"
CASES = {
    f"{family}-{name}": (family, case)
    for family, cases in {
        "shadow": SHADOWS, "version": VERSIONS, "canary": CANARIES, "decision": DECISIONS, "label": LABELLED, "cost": COSTS
    }.items() for name, case in cases.items()
}  # fmt: skip


COST = [gate("cost", "copy", "costlier_than_primary", 50, margin=10)]
JUDGED = {
    "shadow": SHADOW_GATES, "version": SHADOW_GATES, "canary": CANARY_GATES, "decision": FLIPS, "label": FLIPS[2:], "cost": COST
}  # fmt: skip


def routes():
    """A route for each case."""
    for name, (family, case) in CASES.items():
        copied = {"shadows": [shadow("copy", case.cluster, timeout="2400ms")]}
        yield route(name, f"/case/{name}/", gates=JUDGED[family], **{
            "shadow": copied,
            "version": {"protocol": "open-inference", "shadows": [copied["shadows"][0] | EXPECTED]},
            "canary": {"protocol": "openai", "split": split(canaries=[("v2", 100)])},
            "decision": {"compare": DECISION} | copied,
            "label": {"compare": LABELS} | copied,
            "cost": {"protocol": "openai"} | copied,
        }[family])  # fmt: skip


@pytest.fixture(scope="module")
def figures():
    """The figures once every case has been asked, all at the same time."""
    with Lab() as lab:
        case_of = lambda received: CASES[received.path.split("/")[2]][1]
        primary, other = lab.upstream(lambda received: case_of(received).primary), lab.upstream(lambda received: case_of(received).other)
        clusters = {"v1": primary, "v2": other, "shadow": other, "empty": {"load_assignment": {"endpoints": []}}}
        proxy = lab.proxy(configuration(*routes()), clusters, concurrency=2, routes=by_variant({"v1": "v1", "v2": "v2"}))
        with ThreadPoolExecutor(len(CASES) * TIMES) as pool:
            list(pool.map(lambda name: ask(proxy, other, name), list(CASES) * TIMES))
        yield settled(proxy)


def ask(proxy, other, name):
    """Asks for a case; for some of them leaves before the answer, or before its end."""
    data = request(f"/case/{name}{PATH}", CASES[name][1].body, headers={"x-user-id": "u"})
    if "-left" not in name:
        return exchange(proxy.port, data)
    with Connection(proxy.port) as client:
        client.send(data)
        if "middle" in name:
            client.receive(100)
        until(lambda: any(received.path == f"/case/{name}{PATH}" for received in list(other.seen)), "the request to arrive")
        client.abort()


@pytest.mark.parametrize("name", CASES)
def test_what_counts(figures, name):
    family, case = CASES[name]
    counted = {one["name"]: gates.counts(figures, one["name"], route=name) for one in JUDGED[family]}
    bad, trials = set(case.bad.split()), set(case.bad.split() + case.trials.split())
    assert trials <= counted.keys()
    expected = {one: (TIMES * (one in bad), TIMES * (one in trials)) for one in counted}
    assert counted == expected
