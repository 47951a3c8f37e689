"""What becomes of a sampled request: each outcome, and what the shadow itself is counted as. Each case is a route of one proxy."""

from dataclasses import dataclass

import pytest
from rig.client import request
from rig.configuration import configuration, route, shadow
from rig.envoy import cluster
from rig.lab import Lab
from rig.upstream import Reply

FINE = Reply(b'{"p": 1}')
LONG = b'"' + b"x" * (2 << 20) + b'"'


@dataclass
class Case:
    """The two answers, the outcome, and the classes that the shadow's answer may be counted as (none: nothing was sent)."""

    outcome: str
    primary: Reply = FINE
    shadow: Reply = FINE
    classes: tuple = ("2xx",)
    cluster: str = "shadow"
    timeout: str = "5s"
    body: bytes = b'{"x": 1}'


def failed(status, class_, outcome="shadow_failed"):
    """A shadow that answers with a code."""
    return Case(outcome, shadow=Reply(status=status), classes=(class_,))


CASES = {
    "fine": Case("compared"),
    "slower-by-seconds": Case("compared", shadow=Reply(b'{"p": 1}', delay=2)),
    "500": failed(500, "5xx"),
    "503-of-its-own": failed(503, "5xx"),
    "504-of-its-own": failed(504, "5xx"),
    "301": failed(301, "3xx"),
    "401": failed(401, "401"),
    "403": failed(403, "403"),
    "404": failed(404, "404"),
    "418": failed(418, "4xx"),
    "429": failed(429, "429", "shadow_overloaded"),
    "reset": Case("shadow_failed", shadow=Reply(ending="reset"), classes=("reset", "local")),
    "half-an-answer": Case("shadow_failed", shadow=Reply(b"x" * 1000, ending="half"), classes=("reset",)),
    "half-a-chunked-answer": Case("shadow_failed", shadow=Reply(b"x" * 1000, ending="half", chunked=True), classes=("reset",)),
    "40-mib": Case("shadow_failed", shadow=Reply(b"x" * (40 << 20)), classes=("reset",), timeout="20s"),
    "refusing": Case("shadow_failed", cluster="refusing", classes=("local",)),
    "never-answers": Case("timed_out", shadow=Reply(ending="hang"), classes=("timeout",), timeout="500ms"),
    "stalls": Case("timed_out", shadow=Reply(b"x" * 1000, ending="stall"), classes=("timeout",), timeout="500ms"),
    "primary-500": Case("primary_failed", primary=Reply(b"no", status=500)),
    "primary-404": Case("primary_failed", primary=Reply(b"no", status=404)),
    "primary-302": Case("primary_failed", primary=Reply(b"", status=302)),
    "primary-reset": Case("primary_failed", primary=Reply(ending="reset")),
    "primary-half": Case("primary_failed", primary=Reply(b"x" * 1000, ending="half")),
    "both-500": Case("both_failed", primary=Reply(status=500), shadow=Reply(status=500), classes=("5xx",)),
    "both-404": Case("both_refused", primary=Reply(status=404), shadow=Reply(status=404), classes=("404",)),
    "both-400s": Case("both_refused", primary=Reply(status=400), shadow=Reply(status=422), classes=("4xx",)),
    "primary-404-shadow-400": Case("both_failed", primary=Reply(status=404), shadow=Reply(status=400), classes=("4xx",)),
    "primary-500-shadow-429": Case("both_failed", primary=Reply(status=500), shadow=Reply(status=429), classes=("429",)),
    "primary-500-shadow-hangs": Case(
        "both_failed", primary=Reply(status=500), shadow=Reply(ending="hang"), classes=("timeout",), timeout="500ms"
    ),
    "shadow-unreadable": Case("incomparable", shadow=Reply(b'{"p":')),
    "primary-unreadable": Case("incomparable", primary=Reply(b"oops")),
    "shadow-too-long": Case("incomparable", shadow=Reply(LONG)),
    "primary-too-long": Case("incomparable", primary=Reply(LONG)),
    "request-too-long": Case("unsent_body", classes=(), body=b'"' + b"y" * (5 << 20) + b'"'),
    "missing-cluster": Case("unsent_no_cluster", classes=(), cluster="nowhere"),
    "no-host": Case("unsent_refused", classes=(), cluster="empty"),
    "circuit-breaker": Case("unsent_refused", classes=(), cluster="narrow"),
}


@pytest.fixture(scope="module")
def table():
    """The proxy with a route for every case."""
    with Lab() as lab:
        case_of = lambda received: CASES[received.path.split("/")[2]]
        primary = lab.upstream(lambda received: case_of(received).primary)
        copy = lab.upstream(lambda received: case_of(received).shadow)
        closed = {"circuit_breakers": {"thresholds": [{"max_requests": 0, "max_pending_requests": 0}]}}
        clusters = {"primary": primary, "shadow": copy, "refusing": lab.refusing(), "empty": None, "narrow": cluster(copy, **closed)}
        clusters = {name: value or cluster(None) for name, value in clusters.items()}
        routes = [
            route(name, f"/case/{name}/", shadows=[shadow(cluster=case.cluster, timeout=case.timeout)]) for name, case in CASES.items()
        ]
        yield lab, lab.proxy(configuration(*routes), clusters), primary


@pytest.mark.parametrize("name", CASES)
def test_outcome(table, name):
    lab, proxy, primary = table
    case = CASES[name]
    answer = lab.exchange(proxy, [primary], request(f"/case/{name}/", case.body))
    assert answer.status == (503 if case.primary.ending == "reset" else case.primary.status)
    proxy.eventually("gnomon_shadow_outcomes_total", 1, route=name)
    metrics = proxy.metrics()
    assert metrics.by("gnomon_shadow_outcomes_total", "outcome", "slice", route=name) == {(case.outcome, "all"): 1}
    found = metrics.by("gnomon_shadow_responses_total", "class", route=name)
    assert len(found) == bool(case.classes) and set(found) <= set(case.classes) and sum(found.values()) == len(found)
    assert metrics.total("gnomon_sampled_total", route=name) == 1


def test_a_shadow_that_answers_seconds_after_the_client_has_left_is_still_compared(lab):
    """The copy belongs to the root context: the client's stream, and with it everything it owned, is long gone."""
    primary, copy = lab.upstream(), lab.upstream(Reply(delay=2))
    proxy = lab.proxy(configuration(route(shadows=[shadow()])), {"primary": primary, "shadow": copy})
    lab.exchange(proxy, [primary], request())
    assert proxy.metrics().total("gnomon_open_pairs") == 1 and proxy.stat("http.filtered.downstream_rq_active") == 0
    proxy.eventually("gnomon_pairs_total", 1, verdict="identical")
    proxy.eventually("gnomon_shadow_duration_microseconds_count", 1)
    metrics = proxy.metrics()
    assert metrics.total("gnomon_shadow_duration_microseconds_sum") > 1_900_000
    assert metrics.total("gnomon_response_duration_microseconds_sum") < 1_900_000


def test_a_cluster_that_appears_later_is_used(lab):
    """A missing cluster is no reason to give a shadow up for good: ten refusals open no breaker."""
    primary = lab.upstream()
    proxy = lab.proxy(configuration(route(shadows=[shadow(cluster="nowhere")])), {"primary": primary})
    for _ in range(25):
        proxy.send(request())
    proxy.eventually("gnomon_shadow_outcomes_total", 25, outcome="unsent_no_cluster")
    assert proxy.metrics().total("gnomon_breaker_open") == 0
