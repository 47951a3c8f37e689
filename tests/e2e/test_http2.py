"""HTTP/2: trailers both ways, and gRPC, whose verdict on an answer stands in the trailers."""

import pytest
from rig.client_h2 import Leave, exchange_h2
from rig.configuration import configuration, route, shadow
from rig.upstream import Reply

GRPC = (("content-type", "application/grpc"), ("te", "trailers"))
MESSAGE = b"\x00\x00\x00\x00\x03abc"


def grpc(status, body=MESSAGE):
    """A unary answer (without a message: trailers-only)."""
    return Reply(body, content_type="application/grpc", trailers=(("grpc-status", str(status)),))


def proxy_of(lab, primary, copy, **more):
    """A proxy in front of two HTTP/2 upstreams, with protocol `auto`."""
    return lab.proxy(configuration(route(protocol="auto", shadows=[shadow(**more)])), {"primary": primary, "shadow": copy})


def test_trailers_pass_both_ways(lab):
    trailing = Reply(b'{"a":1}', trailers=(("x-checksum", "abc"),))
    primary, copy = lab.upstream_h2(trailing), lab.upstream_h2(trailing)
    proxy = proxy_of(lab, primary, copy)
    bare, filtered = (
        exchange_h2(proxy.ports[listener], "/v1/x", b'{"x":1}', trailers=[("x-request-trailer", "t")]) for listener in ("bare", "filtered")
    )
    assert filtered.trailers == bare.trailers == [("x-checksum", "abc")]
    assert (filtered.status, filtered.body) == (bare.status, bare.body) == (200, b'{"a":1}')
    assert [(r.body, r.trailers) for r in primary.seen] == [(b'{"x":1}', [("x-request-trailer", "t")])] * 2
    proxy.eventually("gnomon_pairs_total", 1, verdict="identical")
    assert (copy.seen[0].body, copy.seen[0].trailers) == (b'{"x":1}', []), "the host can't send trailers"


def test_trailers_after_an_empty_body(lab):
    primary, copy = lab.upstream_h2(), lab.upstream_h2()
    proxy = proxy_of(lab, primary, copy)
    assert exchange_h2(proxy.port, "/v1/x", trailers=[("x-request-trailer", "t")]).status == 200
    proxy.eventually("gnomon_pairs_total", 1, verdict="identical")
    assert copy.seen[0].body == b""


def test_a_grpc_copy_insists_on_trailers(lab):
    primary, copy = lab.upstream_h2(grpc(0)), lab.upstream_h2(grpc(0))
    proxy = proxy_of(lab, primary, copy)
    answer = exchange_h2(proxy.port, "/v1/x", MESSAGE, GRPC)
    assert (answer.body, dict(answer.trailers)["grpc-status"]) == (MESSAGE, "0")
    proxy.eventually("gnomon_pairs_total", 1, verdict="identical")
    got = copy.seen[0]
    assert (got.body, got.values("te"), got.header("content-type")) == (MESSAGE, ["trailers"], "application/grpc")
    assert got.values("content-length") in ([], [str(len(MESSAGE))])


CLASSES = {0: "2xx", 1: "4xx", 2: "5xx", 3: "4xx", 4: "5xx", 7: "4xx", 8: "4xx", 12: "5xx", 13: "5xx", 14: "5xx", 15: "5xx", 16: "4xx"}


def test_grpc_answers_are_classed_by_their_status(lab):
    answers = {f"/v1/{status}/{kind}": grpc(status, body) for status in CLASSES for kind, body in (("unary", MESSAGE), ("alone", b""))}
    primary = lab.upstream_h2(lambda received: answers[received.path])
    proxy = lab.proxy(configuration(*[route(f"s{status}", f"/v1/{status}/", protocol="auto") for status in CLASSES]), {"primary": primary})
    for path in answers:
        exchange_h2(proxy.port, path, MESSAGE, GRPC)
    proxy.eventually("gnomon_responses_total", len(answers))
    assert proxy.metrics().by("gnomon_responses_total", "route", "class") == {(f"s{s}", class_): 2 for s, class_ in CLASSES.items()}


@pytest.mark.parametrize("primary, copy, outcome, class_", [
    (grpc(0), grpc(14), "shadow_failed", "5xx"),
    (grpc(0), grpc(14, b""), "shadow_failed", "5xx"),
    (grpc(0), grpc(8), "shadow_overloaded", None),
    (grpc(13), grpc(0), "primary_failed", "2xx"),
    (grpc(13), grpc(13), "both_failed", "5xx"),
    (grpc(3), grpc(9), "both_refused", "4xx"),
    (grpc(3, b""), grpc(5, b""), "both_failed", "404"),
    (grpc(0), Reply(ending="reset"), "shadow_failed", None),
    (grpc(0), Reply(ending="hang"), "timed_out", "timeout"),
])
def test_grpc_outcomes(lab, primary, copy, outcome, class_):
    proxy = proxy_of(lab, lab.upstream_h2(primary), lab.upstream_h2(copy), timeout="500ms")
    exchange_h2(proxy.port, "/v1/x", MESSAGE, GRPC)
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome=outcome)
    if class_:
        assert proxy.metrics().by("gnomon_shadow_responses_total", "class") == {class_: 1}


def test_a_primary_that_resets_its_stream(lab):
    primary, copy = lab.upstream_h2(Reply(ending="reset")), lab.upstream_h2()
    proxy = proxy_of(lab, primary, copy)
    bare, filtered = (exchange_h2(proxy.ports[listener], "/v1/x", b"{}") for listener in ("bare", "filtered"))
    assert (filtered.status, filtered.body, filtered.reset) == (bare.status, bare.body, bare.reset)
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="primary_failed")


def test_a_client_that_resets_its_stream(lab):
    primary, copy = lab.upstream_h2(Reply(ending="hang")), lab.upstream_h2()
    proxy = proxy_of(lab, primary, copy)
    leave = Leave(
        before=lambda: proxy.eventually("gnomon_shadow_responses_total", 1, **{"class": "2xx"}),
        after=lambda: proxy.eventually("gnomon_responses_total", 1, **{"class": "cancelled"}),
    )
    exchange_h2(proxy.port, "/v1/x", b"{}", leave=leave)
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="cancelled")
