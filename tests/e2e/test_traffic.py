"""Traffic as it really comes: odd headers, odd bodies, clients that leave, primaries that fail. The client must notice nothing."""

import pytest
from rig.client import CHUNKED, Connection, chunk, request
from rig.configuration import configuration, mirrored, route, shadow, split
from rig.upstream import Gate, Reply
from rig.waiting import until


def both(lab, primary_script=Reply(), configured=None, manager=None, **more):
    """A proxy that splits nothing away and copies everything: (proxy, primary, shadow)."""
    primary, copy = lab.upstream(primary_script, **more), lab.upstream()
    configured = configured or configuration(route(split=split(), shadows=[shadow()]))
    return lab.proxy(configured, {"primary": primary, "shadow": copy}, manager=manager), primary, copy


def outcome(proxy, name, count=1):
    """Waits for so many ends of one kind."""
    proxy.eventually("gnomon_shadow_outcomes_total", count, outcome=name)


@pytest.mark.parametrize("data, sent", [
    (request(headers=[("x-user-id", b"\xff\xfe\x80"), ("x-raw", b"caf\xe9 \xf0\x28\x8c"), ("content-type", b"\xa0json")]), "compared"),
    (request(headers={"x-gnomon-variant": "v9", "x-user-id": "u"}), "compared"),
    (request(headers=[("x-empty", ""), ("x-twice", "1"), ("x-twice", "2"), ("X-UPPER", "Y" * 8000)]), "compared"),
    (request(headers=[(f"x-{i}", str(i)) for i in range(80)]), "compared"),
    (request(body=b""), "compared"),
    (request(body=None), "compared"),
    (request(chunks=[]), "compared"),
    (request(chunks=[b"a", b"b" * 70_000, b"c"]), "compared"),
    (request(body=b'{"x": [1, 2'), "compared"),
    (request(body=b'{"x": NaN, "y": -Infinity}'), "compared"),
    (request(body=b"[" * 10_000 + b"]" * 10_000), "compared"),
    (request(body=b"\x00\xff" * 500), "compared"),
    (request(body=b"x" * (5 << 20)), "unsent_body"),
    (request(chunks=[b"y" * 65_536] * 80), "unsent_body"),
    (request("/v1/x?a=%zz&&=;&user=%00"), "compared"),
], ids=["not-utf8", "forged-variant", "odd-headers", "many-headers", "empty", "no-body", "zero-chunk", "chunked", "malformed", "nan", "deep",
        "binary", "5MiB", "5MiB-chunked", "odd-query"])  # fmt: skip
def test_a_request_of_any_kind_passes_untouched(lab, data, sent):
    proxy, primary, _ = both(lab)
    lab.exchange(proxy, [primary], data)
    outcome(proxy, sent)


def test_no_request_id(lab):
    proxy, primary, copy = both(lab, manager={"generate_request_id": False})
    lab.exchange(proxy, [primary], request())
    outcome(proxy, "compared")
    assert not copy.wait()[0].values("x-request-id")


def test_a_zero_chunk_that_comes_later(lab):
    proxy, primary, copy = both(lab)
    with Connection(proxy.port) as slow:
        slow.send(request(body=CHUNKED) + chunk(b'{"x":'))
        until(lambda: primary.seen, "the primary to see the request before it is complete")
        assert not primary.seen[0].complete
        slow.send(chunk(b"1}"))
        slow.send(chunk(b""))
        assert slow.answer().status == 200
    outcome(proxy, "compared")
    assert copy.seen[0].body == b'{"x":1}'


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_other_methods(lab, method):
    match = {"methods": ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"], "path": {"prefix": "/v1/"}}
    proxy, primary, copy = both(lab, configured=configuration(route(shadows=[shadow()]) | {"match": match}))
    lab.exchange(proxy, [primary], request(method=method, body=b"{}" if method == "PUT" else None))
    outcome(proxy, "compared")
    assert copy.seen[0].method == method


@pytest.mark.parametrize("reply", [
    Reply(b'{"a": NaN}'), Reply(b"[" * 10_000 + b"]" * 10_000), Reply(b""), Reply(b'{"a":', chunked=True), Reply(b"z" * (5 << 20)),
    Reply(b"z" * (5 << 20), chunked=True), Reply(headers=(("x-raw", "\xff\xfe"), ("set-cookie", "a=1"), ("set-cookie", "b=2"))),
    Reply(content_type=""), Reply(b"", status=204), Reply(status=404), Reply(status=500), Reply(status=503, headers=(("retry-after", "1"),)),
    Reply(ending="reset"), Reply(b"y" * 100_000, ending="half"), Reply(b"y" * 100_000, ending="half", chunked=True),
], ids=["nan", "deep", "empty", "malformed", "5MiB", "5MiB-chunked", "odd-headers", "no-type", "204", "404", "500", "503", "reset", "half",
        "half-chunked"])  # fmt: skip
def test_an_answer_of_any_kind_passes_untouched(lab, reply):
    proxy, primary, _ = both(lab, reply)
    lab.exchange(proxy, [primary], request())
    proxy.eventually("gnomon_shadow_outcomes_total", 1)
    class_ = "reset" if reply.ending == "half" else "5xx" if reply.ending == "reset" else f"{reply.status // 100}xx"
    assert proxy.metrics().by("gnomon_responses_total", "class") == {class_: 1}


def test_a_primary_that_answers_before_the_body_is_complete(lab):
    proxy, primary, copy = both(lab, early=True)
    with Connection(proxy.port) as slow:
        slow.send(request(body=CHUNKED, close=False) + chunk(b'{"x":'))
        answer = slow.answer()
        assert (answer.status, answer.body) == (200, b"{}")
    proxy.eventually("gnomon_shadow_outcomes_total", 1)
    proxy.eventually("gnomon_responses_total", 1, class_="2xx")


def test_an_early_answer_to_a_body_that_is_completed(lab):
    middle = Gate()
    proxy, primary, copy = both(lab, Reply(b"{}", middle=middle, chunked=True), early=True)
    with Connection(proxy.port) as slow:
        slow.send(request(body=CHUNKED, close=False) + chunk(b'{"x":'))
        until(lambda: primary.seen, "the primary to see the request")
        slow.send(chunk(b"1}") + chunk(b""))
        copy.wait()
        middle.open()
        assert slow.answer().body == b"{}"
    outcome(proxy, "compared")
    assert copy.seen[0].body == b'{"x":1}'


def test_an_upgrade_passes_and_is_not_copied(lab):
    match = {"methods": ["GET"], "path": {"prefix": "/v1/"}}
    proxy, _, copy = both(lab, Reply(status=101), configuration(route(shadows=[shadow()]) | {"match": match}))
    upgrade = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-key", "x"), ("sec-websocket-version", "13")]
    with Connection(proxy.port) as link:
        link.send(request(method="GET", body=None, headers=upgrade, close=False))
        assert link.answer().status == 101
        for part in (b"\x81\x05hello", bytes(range(256)) * 300):
            link.send(part)
            assert link.receive(len(part)) == part
        outcome(proxy, "unsent_upgrade")
    proxy.eventually("gnomon_responses_total", 1, class_="2xx")
    assert not copy.seen and proxy.metrics().total("gnomon_captured_bytes") == 0


@pytest.mark.parametrize("leave", [Connection.close, Connection.abort], ids=["close", "reset"])
def test_a_client_that_leaves_in_the_middle_of_its_request(lab, leave):
    proxy, primary, copy = both(lab)
    client = Connection(proxy.port)
    client.send(request(body=CHUNKED) + chunk(b"half of it"))
    until(lambda: primary.seen, "the request to reach the primary")
    leave(client)
    outcome(proxy, "cancelled")
    proxy.eventually("gnomon_responses_total", 1, class_="cancelled")
    assert not copy.seen


@pytest.mark.parametrize("answers", ["before-it-leaves", "after-it-left"])
def test_a_client_that_leaves_before_the_answer(lab, answers):
    gate, held = Gate(), Gate()
    primary, copy = lab.upstream(Reply(gate=held)), lab.upstream(Reply(gate=gate))
    proxy = lab.proxy(mirrored(), {"primary": primary, "shadow": copy})
    client = Connection(proxy.port)
    client.send(request())
    copy.wait()
    primary.wait()
    if answers == "before-it-leaves":
        gate.open()
        proxy.eventually("gnomon_shadow_responses_total", 1, class_="2xx")
    client.abort()
    proxy.eventually("gnomon_responses_total", 1, class_="cancelled")
    gate.open()
    outcome(proxy, "cancelled")
    held.open()


def test_a_client_that_leaves_during_the_answer(lab):
    middle = Gate()
    proxy, primary, _ = both(lab, Reply(b"[1, 2, 3, 4]", middle=middle, chunked=True))
    client = Connection(proxy.port)
    client.send(request())
    client.receive(20)
    client.abort()
    outcome(proxy, "cancelled")
    proxy.eventually("gnomon_responses_total", 1, class_="cancelled")
    middle.open()


def test_pipelined_requests_on_one_connection(lab):
    proxy, primary, copy = both(lab)
    with Connection(proxy.port) as client:
        client.send(b"".join(request(body=b"%d" % i, close=False) for i in range(20)))
        assert [client.answer().status for _ in range(20)] == [200] * 20
    outcome(proxy, "compared", 20)
    assert sorted(int(received.body) for received in copy.seen) == list(range(20))
