"""Bounded work: the breaker of a failing shadow, copies in flight, open pairs, memory, and the size of one body."""

import time

import pytest
from rig.client import CHUNKED, Connection, chunk, request
from rig.configuration import configuration, mirrored, route, shadow
from rig.upstream import Gate, Reply
from rig.waiting import until


def outcomes(proxy, **labels):
    """How often each outcome happened."""
    return proxy.metrics().by("gnomon_shadow_outcomes_total", "outcome", **labels)


def test_the_breaker_opens_after_ten_failures_and_probes_again(lab):
    state = {"reply": Reply(status=500)}
    primary, copy = lab.upstream(), lab.upstream(lambda received: state["reply"])
    proxy = lab.proxy(mirrored(), {"primary": primary, "shadow": copy})
    for i in range(10):
        assert proxy.metrics().total("gnomon_breaker_open") == 0
        proxy.send(request())
        proxy.eventually("gnomon_shadow_outcomes_total", i + 1, outcome="shadow_failed")
    opened = time.monotonic()
    assert proxy.metrics().total("gnomon_breaker_open", shadow="copy") == 1
    for _ in range(5):
        assert proxy.send(request()).status == 200
    proxy.eventually("gnomon_shadow_outcomes_total", 5, outcome="unsent_breaker_open")
    assert len(copy.seen) == 10
    until(lambda: proxy.send(request()) and len(copy.seen) > 10, "the first probe")
    assert 4.5 < time.monotonic() - opened < 10
    proxy.eventually("gnomon_shadow_outcomes_total", 11, outcome="shadow_failed")
    proxy.send(request())
    assert len(copy.seen) == 11 and proxy.metrics().total("gnomon_breaker_open") == 1, "a failed probe: left alone again, for longer"
    state["reply"] = Reply()
    until(lambda: proxy.send(request()) and len(copy.seen) > 11, "the second probe")
    assert 14 < time.monotonic() - opened < 25
    proxy.eventually("gnomon_breaker_open", 0)
    proxy.send(request())
    proxy.eventually("gnomon_shadow_outcomes_total", 2, outcome="compared")


def test_a_success_between_failures_keeps_the_breaker_closed(lab):
    state = {"reply": Reply(status=500)}
    primary, copy = lab.upstream(), lab.upstream(lambda received: state["reply"])
    proxy = lab.proxy(mirrored(), {"primary": primary, "shadow": copy})
    for i in range(20):
        state["reply"] = Reply() if i == 9 else Reply(status=500)
        proxy.send(request())
        proxy.eventually("gnomon_shadow_outcomes_total", i + 1)
    assert proxy.metrics().total("gnomon_breaker_open") == 1, "ten in a row from the eleventh on"
    assert outcomes(proxy) == {"shadow_failed": 19, "compared": 1}


def test_failures_of_both_do_not_open_the_breaker(lab):
    primary, copy = lab.upstream(Reply(status=500)), lab.upstream(Reply(status=500))
    proxy = lab.proxy(mirrored(), {"primary": primary, "shadow": copy})
    for i in range(15):
        proxy.send(request())
        proxy.eventually("gnomon_shadow_outcomes_total", i + 1)
    assert outcomes(proxy) == {"both_failed": 15}


@pytest.mark.parametrize("bound", [
    {"routes": [route(shadows=[shadow(max_in_flight=2)])]},
    {"routes": [route(shadows=[shadow()])], "limits": {"pairs": 2}},
], ids=["max_in_flight", "limits.pairs"])
def test_copies_in_flight_are_bounded(lab, bound):
    gate = Gate()
    primary, copy = lab.upstream(), lab.upstream(Reply(gate=gate))
    routes = configuration(*bound["routes"], **{key: value for key, value in bound.items() if key != "routes"})
    proxy = lab.proxy(routes, {"primary": primary, "shadow": copy})
    for _ in range(2):
        proxy.send(request())
    copy.wait(2)
    assert proxy.metrics().total("gnomon_open_pairs", shadow="copy") == 2
    assert proxy.send(request()).status == 200
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="unsent_in_flight")
    gate.open()
    proxy.eventually("gnomon_shadow_outcomes_total", 2, outcome="compared")
    proxy.send(request())
    proxy.eventually("gnomon_shadow_outcomes_total", 3, outcome="compared")
    assert outcomes(proxy) == {"unsent_in_flight": 1, "compared": 3}


def test_captured_memory_is_bounded(lab):
    primary, copy = lab.upstream(), lab.upstream()
    routes = configuration(route(shadows=[shadow()]), limits={"memory": "64KiB", "body": "64KiB"})
    proxy = lab.proxy(routes, {"primary": primary, "shadow": copy})
    first, second = b"a" * 40_000, b"b" * 40_000
    with Connection(proxy.port) as slow:
        slow.send(request(body=CHUNKED) + chunk(first))
        until(lambda: proxy.metrics().total("gnomon_captured_bytes") >= len(first), "the first body to be held")
        assert proxy.send(request(body=second)).status == 200
        proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="unsent_memory")
        slow.send(chunk(b""))
        assert slow.answer().status == 200
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="compared")
    assert [received.body for received in copy.seen] == [first]


@pytest.mark.parametrize("size, outcome", [(1000, "compared"), (1001, "unsent_body")])
def test_one_body_is_bounded(lab, size, outcome):
    primary, copy = lab.upstream(), lab.upstream()
    proxy = lab.proxy(configuration(route(shadows=[shadow()]), limits={"body": "1000B"}), {"primary": primary, "shadow": copy})
    lab.exchange(proxy, [primary], request(body=b"x" * size))
    lab.exchange(proxy, [primary], request(chunks=[b"x" * (size - 1), b"x"]))
    proxy.eventually("gnomon_shadow_outcomes_total", 2, outcome=outcome)
    assert len(copy.seen) == (2 if outcome == "compared" else 0)


@pytest.mark.parametrize("size, outcome", [(1000, "compared"), (1001, "incomparable")])
def test_one_answer_is_bounded(lab, size, outcome):
    body = b'"' + b"x" * (size - 2) + b'"'
    primary, copy = lab.upstream(Reply(body, chunked=True)), lab.upstream(Reply(body))
    proxy = lab.proxy(configuration(route(shadows=[shadow()]), limits={"body": "1000B"}), {"primary": primary, "shadow": copy})
    lab.exchange(proxy, [primary], request())
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome=outcome)
